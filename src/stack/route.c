/* route.c - routes: the longest prefix wins (RFC 1122 3.3.1); our address for a path (RFC 6724 5).
 *
 * The table is searched from end to end: a host has a handful of routes.
 */
#include "stack/stack.h"

struct stack_route *stack_route_found(const struct stack *st, uint32_t iface,
                                      const uint8_t prefix[16], uint8_t bits)
{
    for (uint32_t n = 1; n <= st->s->routes; n++) {
        struct stack_route *route = stack_route_at(st, n);
        if (route->iface != 0 && route->iface == iface && route->prefix_len == bits &&
            stack_same_prefix(route->prefix, prefix, bits)) {
            return route;
        }
    }
    return NULL;
}

int stack_route_put(struct stack *st, uint32_t iface, const uint8_t prefix[16], uint8_t bits,
                    const uint8_t *gateway)
{
    struct hf_stack *s = st->s;
    if (stack_route_found(st, iface, prefix, bits) != NULL) {
        return HF_ERR_EXISTS;
    }
    uint32_t n = 1;
    while (n <= s->routes && stack_route_at(st, n)->iface != 0) {
        n++;
    }
    if (n > s->max_routes) {
        return HF_ERR_NO_RESOURCES;
    }
    struct stack_route *route = stack_route_at(st, n);
    stack_forget(st);
    *route = (struct stack_route){.iface = (uint8_t)iface, .prefix_len = bits};
    memcpy(route->prefix, prefix, bits / 8);
    if (bits % 8 != 0) {
        route->prefix[bits / 8] = (uint8_t)(prefix[bits / 8] & (0xff00u >> bits % 8));
    }
    if (gateway != NULL) {
        memcpy(route->gateway, gateway, 16);
    }
    s->routes = max_u32(s->routes, n);
    return HF_OK;
}

int stack_route_drop(struct stack *st, uint32_t iface, const uint8_t prefix[16], uint8_t bits)
{
    struct stack_route *route = stack_route_found(st, iface, prefix, bits);
    if (route == NULL) {
        return HF_ERR_INVALID;
    }
    stack_forget(st);
    *route = (struct stack_route){0};
    while (st->s->routes > 0 && stack_route_at(st, st->s->routes)->iface == 0) {
        st->s->routes--;
    }
    return HF_OK;
}

/* Interface and prefix length as the caller gives them: is there such a thing?  *bits: of 128. */
static bool route_can_be(const struct stack *st, uint32_t iface, const uint8_t prefix[16],
                         uint32_t prefix_len, uint8_t *bits)
{
    return iface >= 1 && iface <= st->s->interfaces && stack_prefix_bits(prefix, prefix_len, bits);
}

int hf_route_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                 const uint8_t prefix[16], uint32_t prefix_len, const uint8_t *gateway)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    uint8_t bits;
    if (!route_can_be(&st, iface, prefix, prefix_len, &bits) ||
        (!wire_is_v4(prefix) && stack_interface_at(&st, iface)->mtu < 1280) || /* RFC 8200 5 */
        (gateway != NULL &&
         (wire_is_v4(gateway) != wire_is_v4(prefix) || !stack_is_unicast(&st, gateway)))) {
        error = HF_ERR_INVALID;
    } else {
        error = stack_route_put(&st, iface, prefix, bits, gateway);
        stack_unblock(&st);
    }
    stack_leave(&st);
    return error;
}

/* What an address needs becomes its own and stays: hf_address_remove takes it away. */
static int remove_route(struct stack *st, uint32_t iface, const uint8_t prefix[16], uint8_t bits)
{
    struct stack_route *route = stack_route_found(st, iface, prefix, bits);
    if (route == NULL || !stack_prefix_used(st, iface, prefix, bits)) {
        return stack_route_drop(st, iface, prefix, bits);
    }
    route->of_address = 1;
    return HF_OK;
}

int hf_route_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                    const uint8_t prefix[16], uint32_t prefix_len)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    uint8_t bits;
    error = HF_ERR_INVALID;
    if (route_can_be(&st, iface, prefix, prefix_len, &bits)) {
        error = remove_route(&st, iface, prefix, bits);
    }
    stack_leave(&st);
    return error;
}

/* An IPv6 default route must not catch IPv4 addresses, which lie in ::ffff:0:0/96. */
static bool route_matches(const struct stack_route *route, const uint8_t dst[16])
{
    return (route->prefix_len >= 96 || !wire_is_v4(dst)) &&
           stack_same_prefix(route->prefix, dst, route->prefix_len);
}

/* The number of the longest that matches, 0: none does. */
static uint32_t best_route(const struct stack *st, const uint8_t dst[16], uint8_t zone)
{
    uint32_t best = 0;
    uint8_t bits = 0;
    for (uint32_t n = 1; n <= st->s->routes; n++) {
        const struct stack_route *route = stack_route_at(st, n);
        if (route->iface != 0 && (zone == 0 || route->iface == zone) &&
            (best == 0 || route->prefix_len > bits) && route_matches(route, dst)) {
            best = n;
            bits = route->prefix_len;
        }
    }
    return best;
}

/* The interface of what is for a group or for this link alone, which no route need name; 0: none.
 */
static uint32_t link_interface(const struct stack *st, const uint8_t dst[16], uint8_t zone)
{
    bool group = stack_is_multicast(dst);
    if (zone != 0 && (group || stack_is_link_local(dst))) {
        return zone <= st->s->interfaces ? zone : 0;
    }
    return group && st->s->interfaces != 0 ? 1 : 0;
}

enum { SCOPE_LOOPBACK, SCOPE_LINK, SCOPE_GLOBAL };

static int scope_of(const uint8_t ip[16])
{
    if (stack_is_loopback(ip)) {
        return SCOPE_LOOPBACK;
    }
    if (wire_is_v4(ip)) {
        return ip[12] == 169 && ip[13] == 254 ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    if (ip[0] == 0xff) {
        return (ip[1] & 0x0f) <= 2 ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    return stack_is_link_local(ip) ? SCOPE_LINK : SCOPE_GLOBAL;
}

static void go_by(const struct stack *st, uint32_t iface, const uint8_t next[16],
                  struct stack_path *path)
{
    memcpy(path->next, next, 16);
    path->own = false;
    path->iface = iface;
    path->mtu = stack_interface_at(st, iface)->mtu;
}

static bool find_own(const struct stack *st, const uint8_t dst[16], uint8_t zone,
                     struct stack_path *path)
{
    const struct stack_address *addr = stack_find_address(st, dst, zone);
    if (addr == NULL) {
        return false;
    }
    go_by(st, addr->iface, dst, path);
    path->own = true;
    return true;
}

/* The way by this route, which leads there. */
static void by_route(const struct stack *st, const struct stack_route *route, const uint8_t dst[16],
                     struct stack_path *path)
{
    bool limited = wire_is_v4(dst) && get_be32(dst + 12) == UINT32_MAX; /* RFC 1122 3.3.6 */
    bool direct = stack_is_any(route->gateway) || stack_is_multicast(dst) || limited;
    go_by(st, route->iface, direct ? dst : route->gateway, path);
}

/* RFC1122-17 */
int stack_find_hop(const struct stack *st, const uint8_t dst[16], uint8_t zone,
                   struct stack_path *path)
{
    struct stack_memo *memo = &st->s->memo;
    bool peer = zone == 0 && memo->address != 0 && memcmp(memo->peer, dst, 16) == 0;
    if (peer && memo->route != 0) {
        by_route(st, stack_route_at(st, memo->route), dst, path);
        return HF_OK;
    }
    if (find_own(st, dst, zone, path)) {
        return HF_OK;
    }
    if (scope_of(dst) == SCOPE_LOOPBACK) {
        return HF_ERR_NET_UNREACHABLE; /* RFC1122-4: never on a link */
    }
    uint32_t route = best_route(st, dst, zone);
    if (route != 0) {
        by_route(st, stack_route_at(st, route), dst, path);
        memo->route = peer && route <= UINT8_MAX ? (uint8_t)route : memo->route;
        return HF_OK;
    }
    uint32_t link = link_interface(st, dst, zone);
    if (link == 0) {
        return HF_ERR_NET_UNREACHABLE;
    }
    go_by(st, link, dst, path);
    return HF_OK;
}

static uint32_t common_bits(const uint8_t a[16], const uint8_t b[16])
{
    for (uint32_t i = 0; i < 16; i++) {
        if (a[i] != b[i]) {
            return i * 8 + (uint32_t)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
        }
    }
    return 128;
}

/* Rules 1, 2, 5 and 8 of RFC 6724 section 5, as one number; 0: cannot be used.  RFC6724-1 */
static uint32_t source_score(const struct stack_path *path, const uint8_t dst[16],
                             const struct stack_address *addr)
{
    if (addr->iface == 0 || wire_is_v4(addr->ip) != wire_is_v4(dst)) {
        return 0;
    }
    int wanted = scope_of(dst), scope = scope_of(addr->ip);
    bool here = addr->iface == path->iface, same = memcmp(addr->ip, dst, 16) == 0;
    if ((scope == SCOPE_LOOPBACK && !same) || (!here && scope != SCOPE_GLOBAL)) {
        return 0;
    }
    uint32_t score = 1 + common_bits(addr->ip, dst);
    score += here ? 1u << 10 : 0;
    /* The smallest scope that reaches, else the largest there is. */
    score += scope >= wanted ? (uint32_t)(8 - (scope - wanted)) << 12
                             : (uint32_t)(4 - (wanted - scope)) << 12;
    score += same ? 1u << 20 : 0;
    return score;
}

/* The best of our addresses, or of those of the path's interface, into path->src. */
static bool choose_source(const struct stack *st, const uint8_t dst[16], bool here,
                          struct stack_path *path)
{
    uint32_t best = 0;
    for (uint32_t n = 1; n <= st->s->addresses; n++) {
        const struct stack_address *addr = stack_address_at(st, n);
        uint32_t score = here && addr->iface != path->iface ? 0 : source_score(path, dst, addr);
        if (score > best) {
            best = score;
            memcpy(path->src, addr->ip, 16);
        }
    }
    return best != 0;
}

int stack_route(const struct stack *st, const uint8_t dst[16], uint8_t zone,
                struct stack_path *path)
{
    int error = stack_find_hop(st, dst, zone, path);
    if (error != HF_OK) {
        return error;
    }
    return choose_source(st, dst, false, path) ? HF_OK : HF_ERR_NET_UNREACHABLE;
}

bool stack_link_source(const struct stack *st, const uint8_t dst[16], uint8_t iface,
                       uint8_t src[16])
{
    struct stack_path path = {.iface = iface};
    bool found = choose_source(st, dst, true, &path);
    memcpy(src, path.src, 16);
    return found;
}

int stack_source_error(const struct stack *st, const struct stack_path *path, const uint8_t src[16],
                       uint32_t zone)
{
    bool link_local = stack_is_link_local(src); /* RFC 4007 6: does not leave its link */
    if (link_local && zone != 0 && zone != path->iface) {
        return HF_ERR_INVALID;
    }
    if (!stack_is_own(st, src, link_local ? (uint8_t)path->iface : 0)) {
        return HF_ERR_NO_ADDRESS;
    }
    /* RFC1122-4 */
    return !path->own && stack_is_loopback(src) ? HF_ERR_NET_UNREACHABLE : HF_OK;
}
