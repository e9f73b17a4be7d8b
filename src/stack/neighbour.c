/* neighbour.c - who is on the link: link addresses for next hops (RFC 1122 2.3.2, RFC
 * 4861 7.2, 7.3).
 *
 *     INCOMPLETE --answer--> REACHABLE --30 s--> STALE --answer to our question--> REACHABLE
 *         | 3 s without                            | used, then 3 s without an answer
 *         v                                        v
 *       free: host unreachable                   free
 *
 * A stale entry is used while its owner is asked again.  Who has answered is not given another link
 * address because somebody says so: the owner is asked at the old one, and in ARP the third time
 * everybody; only then another one may answer.  The table is cut into sets of eight (the
 * last takes what is left) by a keyed hash, so that looking up costs the same whatever its size,
 * and who floods one set displaces little: strangers never displace an entry that has answered, and
 * half of a set at most may be entries that have not: a quarter, where only strangers are to be
 * answered.
 *
 * Permanent entries never go.  One place of each set is kept from them; those that find no other in
 * their set lie in the next one that has one.  Half of the table at most is theirs, so that this is
 * seldom far.
 */
#include "stack/stack.h"

enum { SET = 8, TRIES = 3, RETRY_MS = 1000, REACHABLE_MS = 30000 };

struct set {
    uint32_t which, first, n;
};

static struct set set_at(const struct stack *st, uint32_t which)
{
    uint32_t max = st->s->max_neighbours;
    uint32_t sets = max_u32(max / SET, 1);
    which = which < sets ? which : 0;
    return (struct set){which, which * SET + 1, which + 1 < sets ? SET : max - which * SET};
}

static struct set set_of(const struct stack *st, const uint8_t ip[16], uint32_t iface)
{
    uint32_t sets = max_u32(st->s->max_neighbours / SET, 1);
    const struct sip_key *key = &secret_of(&st->tcp)->table;
    uint8_t data[17];
    memcpy(data, ip, 16);
    data[16] = (uint8_t)iface;
    return set_at(st, (uint32_t)sip13(key->k0, key->k1, data, sizeof data) % sets);
}

/* Then no further permanent entry of this set may lie in it, but in the next. */
static bool is_filled(const struct stack *st, struct set set)
{
    uint32_t permanent = 0;
    for (uint32_t n = set.first; n < set.first + set.n; n++) {
        permanent += stack_neighbour_at(st, n)->state == NEIGHBOUR_PERMANENT;
    }
    return permanent >= max_u32(set.n - 1, 1);
}

uint32_t stack_find_neighbour(const struct stack *st, const uint8_t ip[16], uint32_t iface)
{
    struct set home = set_of(st, ip, iface), set = home;
    do {
        for (uint32_t n = set.first; n < set.first + set.n; n++) {
            const struct stack_neighbour *entry = stack_neighbour_at(st, n);
            if (entry->state != NEIGHBOUR_FREE && entry->iface == iface &&
                memcmp(entry->ip, ip, 16) == 0) {
                return n;
            }
        }
        if (!is_filled(st, set)) {
            break;
        }
        set = set_at(st, set.which + 1);
    } while (set.which != home.which);
    return 0;
}

/* How dear an entry is; what is dearer than `most` may not be displaced. */
enum { HEARD_OF = 1, ASKED_AGAIN, ANSWERED, WAITED_FOR };

static uint32_t worth(const struct stack_neighbour *entry)
{
    switch (entry->state) {
    case NEIGHBOUR_FREE:
        return 0;
    case NEIGHBOUR_STALE:
        return entry->tries == 0 ? HEARD_OF : ASKED_AGAIN;
    case NEIGHBOUR_REACHABLE:
        return ANSWERED;
    case NEIGHBOUR_INCOMPLETE:
        return WAITED_FOR;
    default:
        return UINT32_MAX;
    }
}

/* A place in the set: the least worth, the longest unused; 0: none up to `most`. */
static uint32_t find_place(const struct stack *st, struct set set, uint32_t most)
{
    uint32_t best = 0;
    for (uint32_t n = set.first; n < set.first + set.n; n++) {
        const struct stack_neighbour *entry = stack_neighbour_at(st, n);
        if (worth(entry) > most) {
            continue;
        }
        const struct stack_neighbour *other = best ? stack_neighbour_at(st, best) : NULL;
        if (other == NULL || worth(entry) < worth(other) ||
            (worth(entry) == worth(other) && entry->used_ns < other->used_ns)) {
            best = n;
        }
    }
    return best;
}

static void set_timer(struct stack *st, struct stack_neighbour *entry, uint32_t ms)
{
    uint32_t *earliest = &st->s->neighbour_at_ms;
    entry->at_ms = ms_after(st->tcp.now_ms, ms);
    if (*earliest == 0 || (int32_t)(entry->at_ms - *earliest) < 0) {
        *earliest = entry->at_ms;
    }
}

static void fill(struct stack *st, uint32_t n, const uint8_t ip[16], uint32_t iface, uint8_t state)
{
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    *entry =
        (struct stack_neighbour){.iface = (uint8_t)iface, .state = state, .used_ns = st->s->now_ns};
    memcpy(entry->ip, ip, 16);
}

/* Asks once more: everybody, or the one whose address is to be confirmed.  RFC1122-13 */
static void ask(struct stack *st, struct stack_neighbour *entry)
{
    entry->tries++;
    set_timer(st, entry, RETRY_MS);
    const uint8_t *mac = entry->state == NEIGHBOUR_STALE ? entry->mac : NULL;
    if (wire_is_v4(entry->ip)) {
        stack_arp_ask(st, entry->iface, entry->ip, entry->tries < TRIES ? mac : NULL);
    } else {
        stack_nd_ask(st, entry->iface, entry->ip, mac);
    }
}

/* RFC 1112 6.4, RFC 2464 7, RFC 894. */
static bool group_mac(const struct stack *st, const struct stack_path *path, uint8_t mac[6])
{
    const uint8_t *ip = path->next;
    if (stack_is_multicast(ip)) {
        bool v4 = wire_is_v4(ip);
        static const uint8_t prefix4[3] = {0x01, 0x00, 0x5e};
        memset(mac, 0x33, 2);
        memcpy(mac + 2, ip + 12, 4);
        if (v4) {
            memcpy(mac, prefix4, 3);
            mac[3] &= 0x7f;
        }
        return true;
    }
    memset(mac, 0xff, 6);
    return stack_is_broadcast(st, ip, path->iface);
}

static int ask_anew(struct stack *st, const struct stack_path *path, bool answer)
{
    struct set set = set_of(st, path->next, path->iface);
    uint32_t incomplete = 0, ours = 0;
    for (uint32_t n = set.first; n < set.first + set.n; n++) {
        const struct stack_neighbour *entry = stack_neighbour_at(st, n);
        incomplete += entry->state == NEIGHBOUR_INCOMPLETE;
        ours += entry->state == NEIGHBOUR_INCOMPLETE && !entry->stranger;
    }
    uint32_t place = find_place(st, set, ANSWERED);
    uint32_t most = max_u32(set.n / (answer ? 4 : 2), 1);
    bool first = !answer && ours == 0; /* in a small set, beside a stranger's */
    if (place == 0 || (incomplete >= most && !first)) {
        return incomplete != 0 ? NEIGHBOUR_FULL : NEIGHBOUR_NONE;
    }
    fill(st, place, path->next, path->iface, NEIGHBOUR_INCOMPLETE);
    stack_neighbour_at(st, place)->stranger = answer;
    ask(st, stack_neighbour_at(st, place));
    return (int)place;
}

int stack_resolve(struct stack *st, const struct stack_path *path, uint8_t mac[6], bool answer)
{
    if (stack_interface_at(st, path->iface)->link != HF_LINK_ETHERNET || group_mac(st, path, mac)) {
        return NEIGHBOUR_KNOWN;
    }
    uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, path->next, path->iface) : 0;
    if (n == 0) {
        return st->s->max_neighbours ? ask_anew(st, path, answer) : NEIGHBOUR_NONE;
    }
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    entry->used_ns = st->s->now_ns;
    if (entry->state == NEIGHBOUR_INCOMPLETE) {
        entry->stranger = entry->stranger && answer;
        return (int)n;
    }
    if (entry->state == NEIGHBOUR_STALE && entry->tries == 0) {
        ask(st, entry);
    }
    memcpy(mac, entry->mac, 6);
    return NEIGHBOUR_KNOWN;
}

/* Who waited may go on. */
static void wake(struct stack *st, uint32_t n)
{
    stack_packets_resume(st, n);
    stack_unblock(st);
}

void stack_neighbour_confirm(struct stack *st, uint32_t n, const uint8_t mac[6], bool reachable)
{
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    bool waited = entry->state == NEIGHBOUR_INCOMPLETE;
    if (entry->state == NEIGHBOUR_PERMANENT) {
        return;
    }
    memcpy(entry->mac, mac, 6);
    entry->stranger = 0;
    entry->tries = 0;
    entry->at_ms = 0;
    entry->state = reachable ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE;
    if (reachable) {
        set_timer(st, entry, REACHABLE_MS);
    }
    if (waited) {
        wake(st, n);
    }
}

void stack_neighbour_doubt(struct stack *st, uint32_t n)
{
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    if (entry->state == NEIGHBOUR_REACHABLE) {
        entry->state = NEIGHBOUR_STALE;
        entry->tries = 0;
        entry->at_ms = 0;
    }
}

bool stack_neighbour_may_move(const struct stack_neighbour *entry)
{
    return entry->tries == TRIES;
}

/* Once a second at most for each, whoever insists. */
bool stack_neighbour_contest(struct stack *st, uint32_t n)
{
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    uint32_t left_ms = entry->at_ms - st->tcp.now_ms;
    if (entry->state == NEIGHBOUR_REACHABLE && left_ms <= REACHABLE_MS - RETRY_MS) {
        entry->state = NEIGHBOUR_STALE;
        ask(st, entry);
    }
    return entry->state == NEIGHBOUR_REACHABLE || entry->tries != 0;
}

bool stack_neighbour_heard(struct stack *st, const uint8_t ip[16], uint32_t iface,
                           const uint8_t mac[6])
{
    if (st->s->max_neighbours == 0) {
        return true;
    }
    uint32_t n = stack_find_neighbour(st, ip, iface);
    if (n == 0) {
        n = find_place(st, set_of(st, ip, iface), HEARD_OF);
        if (n != 0) {
            fill(st, n, ip, iface, NEIGHBOUR_STALE);
            memcpy(stack_neighbour_at(st, n)->mac, mac, 6);
        }
        return true;
    }
    const struct stack_neighbour *entry = stack_neighbour_at(st, n);
    bool same = memcmp(entry->mac, mac, 6) == 0;
    if (entry->state == NEIGHBOUR_INCOMPLETE ||
        (!same && entry->state == NEIGHBOUR_STALE && entry->tries == 0)) {
        stack_neighbour_confirm(st, n, mac, false);
        return true;
    }
    return same || entry->state == NEIGHBOUR_PERMANENT || !stack_neighbour_contest(st, n);
}

/* Nobody answers: what waits for it fails, the rest of what is blocked tries again. */
static void give_up(struct stack *st, uint32_t n)
{
    struct tcp_block *b = block_of(st);
    struct stack_neighbour lost = *stack_neighbour_at(st, n);
    *stack_neighbour_at(st, n) = (struct stack_neighbour){0};
    stack_packets_drop(st, n);
    uint32_t last = b->blocked.tail;
    stack_unblock(st);
    if (last == 0 || lost.state != NEIGHBOUR_INCOMPLETE) { /* none waits for one that is stale */
        return;
    }
    /* Those that were blocked are now the tail of the list, up to `last`; a record that goes leaves
     * the list, so the next one is looked up first. */
    struct links links = pool_links(&b->tcbs, st->s, offsetof(struct tcb, owes_link));
    for (uint32_t idx = b->owes.head, next; idx != 0; idx = next) {
        next = idlist_next(&links, idx);
        struct tcb *tcb = tcb_at(&st->tcp, idx);
        struct conn_id id;
        struct stack_path path;
        tcp_id(&st->tcp, tcb, &id);
        if (stack_find_hop(st, id.remote, id.zone, &path) == HF_OK && path.iface == lost.iface &&
            !path.own && memcmp(path.next, lost.ip, 16) == 0) {
            stack_connection_unreachable(st, tcb);
        }
    }
}

/* RFC1122-12, RFC4861-2.  RFC4861-6 */
static void timer(struct stack *st, uint32_t n)
{
    struct stack_neighbour *entry = stack_neighbour_at(st, n);
    entry->at_ms = 0;
    if (entry->state == NEIGHBOUR_REACHABLE) {
        entry->state = NEIGHBOUR_STALE;
        entry->tries = 0;
    } else if (entry->tries < TRIES) {
        ask(st, entry);
    } else {
        give_up(st, n);
    }
}

void stack_neighbour_timeouts(struct stack *st)
{
    st->s->neighbour_at_ms = 0;
    for (uint32_t n = 1; n <= st->s->max_neighbours; n++) {
        struct stack_neighbour *entry = stack_neighbour_at(st, n);
        if (ms_due(entry->at_ms, st->tcp.now_ms)) {
            timer(st, n);
        }
        uint32_t *earliest = &st->s->neighbour_at_ms;
        if (entry->at_ms != 0 && (*earliest == 0 || (int32_t)(entry->at_ms - *earliest) < 0)) {
            *earliest = entry->at_ms;
        }
    }
}

/* A place of one more permanent entry, of which there are less than half of the table. */
static uint32_t find_lasting_place(const struct stack *st, const uint8_t ip[16], uint32_t iface)
{
    struct set set = set_of(st, ip, iface);
    while (is_filled(st, set)) {
        set = set_at(st, set.which + 1);
    }
    return find_place(st, set, WAITED_FOR);
}

/* Who waits for it, or for one that gives way, goes on or asks again. */
static int add_permanent(struct stack *st, const uint8_t ip[16], uint32_t iface,
                         const uint8_t mac[6])
{
    struct hf_stack *s = st->s;
    uint32_t old = s->max_neighbours ? stack_find_neighbour(st, ip, iface) : 0, n = old;
    if (old == 0 || stack_neighbour_at(st, old)->state != NEIGHBOUR_PERMANENT) {
        if (s->permanent_neighbours >= (s->max_neighbours + 1) / 2) {
            return HF_ERR_NO_RESOURCES;
        }
        if (old != 0) {
            *stack_neighbour_at(st, old) = (struct stack_neighbour){0};
        }
        n = find_lasting_place(st, ip, iface);
        s->permanent_neighbours++;
    }
    fill(st, n, ip, iface, NEIGHBOUR_PERMANENT);
    memcpy(stack_neighbour_at(st, n)->mac, mac, 6);
    wake(st, n);
    if (old != 0 && old != n) {
        wake(st, old);
    }
    return HF_OK;
}

int hf_neighbour_add(struct hf_stack *stack, const struct hf_env *env, uint32_t iface,
                     const uint8_t ip[16], const uint8_t mac[6])
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    if (iface == 0 || iface > stack->interfaces || ip == NULL || mac == NULL || (mac[0] & 1) ||
        !stack_is_unicast(&st, ip) || stack_interface_at(&st, iface)->link != HF_LINK_ETHERNET) {
        error = HF_ERR_INVALID;
    } else {
        error = add_permanent(&st, ip, iface, mac);
    }
    stack_leave(&st);
    return error;
}
