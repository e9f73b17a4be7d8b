/* interface.c - interfaces and addresses; what an address is (RFC 1122 3.2.1.3, RFC 4291 2). */
#include "stack/stack.h"

bool stack_is_any(const uint8_t ip[16])
{
    return wire_is_v4(ip) ? get_be32(ip + 12) == 0 : (get_be64(ip) | get_be64(ip + 8)) == 0;
}

bool stack_is_loopback(const uint8_t ip[16])
{
    static const uint8_t loopback[16] = {[15] = 1};
    return wire_is_v4(ip) ? ip[12] == 127 : memcmp(ip, loopback, 16) == 0;
}

bool stack_is_link_local(const uint8_t ip[16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

uint8_t stack_zone(const uint8_t local[16], const uint8_t remote[16], uint32_t iface)
{
    return stack_is_link_local(local) || stack_is_link_local(remote) ? (uint8_t)iface : 0;
}

bool stack_is_multicast(const uint8_t ip[16])
{
    return wire_is_v4(ip) ? ip[12] >= 224 && ip[12] <= 239 : ip[0] == 0xff;
}

bool stack_same_prefix(const uint8_t a[16], const uint8_t b[16], uint32_t bits)
{
    uint64_t high = get_be64(a) ^ get_be64(b), low = get_be64(a + 8) ^ get_be64(b + 8);
    if (bits < 64) {
        return bits == 0 || high >> (64 - bits) == 0;
    }
    return high == 0 && (bits == 64 || low >> (128 - bits) == 0);
}

bool stack_prefix_bits(const uint8_t ip[16], uint32_t prefix_len, uint8_t *bits)
{
    uint32_t more = wire_is_v4(ip) ? 96 : 0;
    *bits = (uint8_t)(prefix_len + more);
    return prefix_len <= 128 - more;
}

/* 31 and 32 bits leave no room for a broadcast address (RFC 3021). */
static bool broadcast_of(const struct stack_address *addr, const uint8_t ip[16])
{
    if (addr->prefix_len < 96 || addr->prefix_len > 126 || !wire_is_v4(addr->ip) ||
        !stack_same_prefix(addr->ip, ip, addr->prefix_len)) {
        return false;
    }
    uint32_t host = UINT32_MAX >> (addr->prefix_len - 96);
    uint32_t here = get_be32(ip + 12) & host;
    return here == host || here == 0;
}

bool stack_is_broadcast(const struct stack *st, const uint8_t ip[16], uint32_t iface)
{
    if (!wire_is_v4(ip)) {
        return false;
    }
    if (get_be32(ip + 12) == UINT32_MAX) {
        return true;
    }
    for (uint32_t n = 1; n <= st->s->addresses; n++) {
        const struct stack_address *addr = stack_address_at(st, n);
        if (addr->iface != 0 && (iface == 0 || iface == addr->iface) && broadcast_of(addr, ip)) {
            return true;
        }
    }
    return false;
}

bool stack_is_unicast(const struct stack *st, const uint8_t ip[16])
{
    if (stack_is_any(ip) || stack_is_multicast(ip)) {
        return false;
    }
    return !wire_is_v4(ip) || (ip[12] != 0 && ip[12] < 240 && !stack_is_broadcast(st, ip, 0));
}

struct stack_address *stack_find_address(const struct stack *st, const uint8_t ip[16],
                                         uint32_t iface)
{
    for (uint32_t n = 1; n <= st->s->addresses; n++) {
        struct stack_address *addr = stack_address_at(st, n);
        if (addr->iface != 0 && (iface == 0 || addr->iface == iface) &&
            memcmp(addr->ip, ip, 16) == 0) {
            return addr;
        }
    }
    return NULL;
}

bool stack_is_own(const struct stack *st, const uint8_t ip[16], uint8_t zone)
{
    return stack_find_address(st, ip, zone) != NULL;
}

int hf_interface_add(struct hf_stack *stack, const struct hf_env *env,
                     const struct hf_interface *iface)
{
    if (iface == NULL || iface->struct_size < sizeof *iface || iface->link > HF_LINK_ETHERNET ||
        iface->mtu < 576 || iface->mtu > 65535 ||
        (iface->link == HF_LINK_ETHERNET && (iface->mac[0] & 1))) {
        return HF_ERR_INVALID;
    }
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    int result = HF_ERR_NO_RESOURCES;
    if (stack->interfaces < stack->max_interfaces) {
        stack_forget(&st);
        result = (int)++stack->interfaces;
        struct stack_interface *added = stack_interface_at(&st, (uint32_t)result);
        *added = (struct stack_interface){
            .mtu = iface->mtu, .offload = iface->offload, .link = iface->link, .used = 1};
        memcpy(added->mac, iface->mac, 6);
        if (!(iface->offload & HF_OFFLOAD_CSUM)) {
            added->offload = 0; /* who cuts segments must fill in their checksums */
        }
    }
    stack_leave(&st);
    return result;
}

static int add_address(struct stack *st, const struct stack_address *wanted)
{
    struct hf_stack *s = st->s;
    if (stack_find_address(st, wanted->ip, wanted->iface) != NULL ||
        (!stack_is_link_local(wanted->ip) && stack_find_address(st, wanted->ip, 0) != NULL)) {
        return HF_ERR_EXISTS;
    }
    uint32_t n = 1;
    while (n <= s->addresses && stack_address_at(st, n)->iface != 0) {
        n++;
    }
    if (n > s->max_addresses) {
        return HF_ERR_NO_RESOURCES;
    }
    if (wanted->prefix_len < 128) { /* else there is nobody else on the link by this prefix */
        int error = stack_route_put(st, wanted->iface, wanted->ip, wanted->prefix_len, NULL);
        struct stack_route *route =
            stack_route_found(st, wanted->iface, wanted->ip, wanted->prefix_len);
        if (route == NULL || !stack_is_any(route->gateway)) {
            return error; /* there is no room, or it leads to a gateway */
        }
        route->of_address |= error == HF_OK; /* else the caller's own */
    }
    stack_forget(st);
    *stack_address_at(st, n) = *wanted;
    s->addresses = max_u32(s->addresses, n);
    return HF_OK;
}

int hf_address_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                   const uint8_t ip[16], uint32_t prefix_len)
{
    struct stack st;
    struct stack_address wanted = {.iface = (uint8_t)iface};
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    bool v4 = wire_is_v4(ip);
    memcpy(wanted.ip, ip, 16);
    if (iface == 0 || iface > stack->interfaces ||
        !stack_prefix_bits(ip, prefix_len, &wanted.prefix_len) || stack_is_any(ip) ||
        stack_is_multicast(ip) || (v4 && (ip[12] == 0 || ip[12] >= 240)) ||
        broadcast_of(&wanted, ip) || (!v4 && stack_interface_at(&st, iface)->mtu < 1280)) {
        error = HF_ERR_INVALID;
    } else {
        error = add_address(&st, &wanted);
        stack_unblock(&st);
    }
    stack_leave(&st);
    return error;
}

bool stack_prefix_used(const struct stack *st, uint32_t iface, const uint8_t prefix[16],
                       uint8_t bits)
{
    for (uint32_t n = 1; n <= st->s->addresses; n++) {
        const struct stack_address *addr = stack_address_at(st, n);
        if (addr->iface == iface && addr->prefix_len == bits && bits < 128 &&
            stack_same_prefix(addr->ip, prefix, bits)) {
            return true;
        }
    }
    return false;
}

/* The link's route stays while another address of the interface needs it. */
static void remove_address(struct stack *st, struct stack_address *addr)
{
    struct stack_address old = *addr;
    stack_forget(st);
    *addr = (struct stack_address){0};
    while (st->s->addresses > 0 && stack_address_at(st, st->s->addresses)->iface == 0) {
        st->s->addresses--;
    }
    if (stack_prefix_used(st, old.iface, old.ip, old.prefix_len)) {
        return;
    }
    const struct stack_route *route = stack_route_found(st, old.iface, old.ip, old.prefix_len);
    if (route != NULL && route->of_address) { /* the caller's own stays */
        (void)stack_route_drop(st, old.iface, old.ip, old.prefix_len);
    }
}

int hf_address_remove(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                      const uint8_t ip[16])
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    struct stack_address *addr = iface ? stack_find_address(&st, ip, iface) : NULL;
    if (addr == NULL) {
        error = HF_ERR_NO_ADDRESS;
    } else {
        remove_address(&st, addr);
    }
    stack_leave(&st);
    return error;
}
