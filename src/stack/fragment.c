/* fragment.c - reassembly: RFC 791 3.2, RFC 1122 3.3.2, RFC 8200 4.5, RFC 5722.
 *
 * Each fragment is a range with its text in chunks, ascending.  Where two overlap, the whole
 * datagram is given up, and all that still comes of it until its time is over, in IPv4 too; an
 * exact repetition is passed over.  Everything is bounded: datagrams, fragments of each, ranges,
 * chunks; a sender that holds a quarter of the records displaces its own, but for a second one that
 * is free.
 */
#include "stack/stack.h"

enum { LIVE = 1, DEAD = 2, OWN_LEAST = 2 };
enum { HELD_MS = 60000, FRAGMENTS_MOST = 256 };
enum { TIME_EXCEEDED_REASSEMBLY = 1, INCOMPLETE_CHAIN = 3, NEXT_HEADER_AT = 6 };

static void forget_text(struct stack *st, struct stack_fragments *f)
{
    struct tcp *tcp = &st->tcp;
    for (uint32_t idx = f->ranges, next; idx != 0; idx = next) {
        next = range_at(tcp, idx)->next;
        tcp_chunk_free_now(tcp, range_at(tcp, idx)->head);
        pool_free(&tcp->b->ranges, tcp->block, idx);
    }
    f->ranges = f->bytes = f->n = 0;
}

static void forget(struct stack *st, struct stack_fragments *f)
{
    forget_text(st, f);
    *f = (struct stack_fragments){0};
}

static uint32_t ident_of(const struct wire_ip *ip)
{
    return ip->version == 6 ? ip->ident32 : ip->ident;
}

/* Link-local hosts are another one on each link (RFC 4007 6); others come by any way. */
static bool same_link(const struct stack_fragments *f, const struct arrival *a)
{
    return f->iface == a->iface || !(stack_is_link_local(f->src) || stack_is_link_local(f->dst));
}

/* RFC791-2 */
static struct stack_fragments *find(const struct stack *st, const struct arrival *a)
{
    for (uint32_t n = 1; n <= st->s->max_fragments; n++) {
        struct stack_fragments *f = stack_fragments_at(st, n);
        bool v6 = a->ip.version == 6;
        if (f->used != 0 && f->ident == ident_of(&a->ip) && f->v6 == v6 &&
            (v6 || f->proto == a->ip.proto) && memcmp(f->src, a->ip.src, 16) == 0 &&
            memcmp(f->dst, a->ip.dst, 16) == 0 && same_link(f, a)) {
            return f;
        }
    }
    return NULL;
}

static void keep_older(struct stack_fragments **oldest, struct stack_fragments *candidate)
{
    if (*oldest == NULL || (int32_t)(candidate->serial - (*oldest)->serial) < 0) {
        *oldest = candidate;
    }
}

/* A free record, or the oldest: this sender's own, when it has many.  Where a quarter is one alone,
 * datagrams that come in turn would displace each other: a second one it has while any is free. */
static struct stack_fragments *find_place(struct stack *st, const struct arrival *a)
{
    uint32_t max = st->s->max_fragments;
    struct stack_fragments *oldest = NULL, *oldest_own = NULL, *unused = NULL;
    uint32_t own = 0;
    for (uint32_t n = 1; n <= max; n++) {
        struct stack_fragments *f = stack_fragments_at(st, n);
        if (f->used == 0) {
            unused = f;
            continue;
        }
        keep_older(&oldest, f);
        if (memcmp(f->src, a->ip.src, 16) == 0) {
            own++;
            keep_older(&oldest_own, f);
        }
    }
    struct stack_fragments *place = unused;
    if (own > 0 && own >= (max + 3) / 4 && (own >= OWN_LEAST || unused == NULL)) {
        place = oldest_own;
    } else if (place == NULL) {
        place = oldest;
    }
    if (place != NULL && place->used != 0) {
        forget(st, place);
    }
    return place;
}

static struct stack_fragments *new_record(struct stack *st, const struct arrival *a)
{
    struct stack_fragments *f = find_place(st, a);
    if (f == NULL) {
        return NULL;
    }
    bool v6 = a->ip.version == 6;
    *f = (struct stack_fragments){
        .ident = ident_of(&a->ip),
        .proto = a->ip.proto,
        .iface = a->iface,
        .used = LIVE,
        .v6 = v6,
        .at_ms = ms_after(st->tcp.now_ms, HELD_MS),
        .serial = st->s->fragment_serial++,
        .to_group = a->to_group,
    };
    memcpy(f->src, a->ip.src, 16);
    memcpy(f->dst, a->ip.dst, 16);
    uint32_t *earliest = &st->s->fragment_at_ms;
    if (*earliest == 0 || (int32_t)(f->at_ms - *earliest) < 0) {
        *earliest = f->at_ms;
    }
    return f;
}

static enum hf_verdict kill(struct stack *st, struct stack_fragments *f)
{
    forget_text(st, f);
    f->used = DEAD;
    return HF_V_DROP_FRAGMENT;
}

/* Makes room for f: the oldest other datagram of its sender goes, else the oldest of anybody. */
static bool displace(struct stack *st, const struct stack_fragments *f)
{
    struct stack_fragments *oldest = NULL, *oldest_own = NULL;
    for (uint32_t n = 1; n <= st->s->max_fragments; n++) {
        struct stack_fragments *other = stack_fragments_at(st, n);
        if (other == f || other->n == 0) {
            continue;
        }
        keep_older(&oldest, other);
        if (memcmp(other->src, f->src, 16) == 0) {
            keep_older(&oldest_own, other);
        }
    }
    struct stack_fragments *victim = oldest_own != NULL ? oldest_own : oldest;
    if (victim != NULL) {
        forget(st, victim);
    }
    return victim != NULL;
}

/* A range with a copy of the text; 0: no memory, the sender will repeat.  A part of the ranges is
 * TCP's alone. */
static uint32_t new_range(struct stack *st, const struct stack_fragments *f,
                          const struct arrival *a)
{
    struct tcp *tcp = &st->tcp;
    struct pool *pool = &tcp->b->ranges;
    uint32_t most = pool->max - pool->max / 4;
    if (pool->used >= most && !displace(st, f)) {
        return 0;
    }
    uint32_t idx = pool->used < most ? pool_alloc(pool, tcp->block) : 0;
    if (idx == 0) {
        return 0;
    }
    struct range *range = range_at(tcp, idx);
    *range =
        (struct range){.left = seq(a->ip.frag_offset), .right = seq(a->ip.frag_offset + a->len)};
    if (tcp_chunk_append(tcp, &range->head, &range->tail, a->payload, a->len, CHUNK_TO_KEEP) <
        a->len) {
        tcp_chunk_free_now(tcp, range->head);
        pool_free(pool, tcp->block, idx);
        return 0;
    }
    return idx;
}

/* Puts the fragment into its place.  RFC815/5722-1, RFC8200-3 */
static enum hf_verdict insert(struct stack *st, struct stack_fragments *f, const struct arrival *a)
{
    uint32_t left = a->ip.frag_offset, right = left + a->len;
    uint32_t before = 0, behind = f->ranges;
    while (behind != 0 && range_at(&st->tcp, behind)->left.v < left) {
        before = behind;
        behind = range_at(&st->tcp, behind)->next;
    }
    const struct range *other = behind ? range_at(&st->tcp, behind) : NULL;
    if (other != NULL && other->left.v == left && other->right.v == right) {
        return HF_V_DROP_FRAGMENT;
    }
    bool overlaps = (other != NULL && other->left.v < right) ||
                    (before != 0 && range_at(&st->tcp, before)->right.v > left);
    bool ends_twice = !a->ip.mf && f->total_len != 0 && f->total_len != right;
    bool too_long = a->ip.mf && f->total_len != 0 && right >= f->total_len;
    bool too_short = !a->ip.mf && f->highest > right;
    bool too_many = f->n >= min_u32(FRAGMENTS_MOST, block_of(st)->ranges.max / 2);
    if (overlaps || ends_twice || too_long || too_short || too_many) {
        return kill(st, f);
    }
    uint32_t idx = new_range(st, f, a);
    if (idx == 0) {
        return HF_V_DROP_NO_MEMORY;
    }
    range_at(&st->tcp, idx)->next = behind;
    *(before ? &range_at(&st->tcp, before)->next : &f->ranges) = idx;
    f->n++;
    f->bytes += a->len;
    f->highest = max_u32(f->highest, right);
    f->codepoints |= (uint8_t)(1u << (a->ip.tos & 3));
    if ((f->codepoints & 1u << CE) && (f->codepoints & 1u << NOT_ECT)) {
        return kill(st, f); /* RFC3168-4: a mark on what says it cannot be marked */
    }
    f->total_len = a->ip.mf ? f->total_len : right;
    return HF_V_FRAGMENT_HELD;
}

/* RFC 8200 4.5: the first fragment must hold all headers (WIRE_SHORT); for us, the whole of the
 * last one too.  RFC8200-3 */
static enum wire_status walk_first(const struct arrival *a, struct wire_ip *ip)
{
    size_t at;
    enum wire_status status = wire_walk_ip6(a->payload, a->len, ip, &at);
    if (status != WIRE_OK) {
        return status;
    }
    size_t least = ip->proto == WIRE_PROTO_TCP ? 20 : WIRE_UDP_BYTES;
    bool known = ip->proto == WIRE_PROTO_TCP || ip->proto == WIRE_PROTO_UDP ||
                 ip->proto == WIRE_PROTO_ICMPV6;
    return known && a->len - at < least ? WIRE_SHORT : WIRE_OK;
}

/* What an option or a routing header says of the packet holds for a fragment, too (RFC 8200 4.2,
 * 4.4).  False: it has been answered, if at all.  RFC8200-2 */
static bool first_is_good(struct stack *st, const struct arrival *a)
{
    struct wire_ip ip = a->ip;
    enum wire_status status = walk_first(a, &ip);
    if (status == WIRE_OK) {
        return true;
    }
    stack_verdict(st, a, status == WIRE_SHORT ? HF_V_DROP_FRAGMENT : HF_V_DROP_IP_HEADER);
    if (status == WIRE_SHORT) {
        stack_icmp_error(st, a, ICMP6_PARAM_PROBLEM, INCOMPLETE_CHAIN, 0);
    } else if (status == WIRE_PARAM_PROBLEM) {
        uint16_t at = (uint16_t)(ip.unknown_at + a->ip.header_len);
        stack_icmp_error(st, a, ICMP6_PARAM_PROBLEM, ip.param_code, at);
    }
    return false;
}

/* RFC 3168 5.3 (RFC3168-4): CE of any fragment is CE of the datagram; what cannot be marked is not
 * made markable; of two kinds of ECT, the first fragment's. */
static uint8_t codepoint_of(const struct stack_fragments *f)
{
    if (f->codepoints & 1u << CE) {
        return CE;
    }
    return f->codepoints & 1u << NOT_ECT ? NOT_ECT : f->tos & 3;
}

/* What it says of itself, from scratch. */
static void describe(const struct stack_fragments *f, const struct arrival *a,
                     struct arrival *whole)
{
    *whole = (struct arrival){
        .frame = a != NULL ? a->frame : NULL,
        .iface = f->iface,
        .to_group = f->to_group,
        .reassembled = true,
        .len = f->total_len,
        .ip = {.version = f->v6 ? 6 : 4,
               .proto = f->proto,
               .ttl = f->ttl,
               .tos = f->tos,
               .ident = (uint16_t)f->ident,
               .unknown_at = f->v6 ? NEXT_HEADER_AT : 0,
               .header_len = f->v6 ? 40 : 20},
    };
    whole->ip.total_len = whole->ip.header_len + f->total_len;
    whole->ip.tos = (uint8_t)(f->tos & ~3) | codepoint_of(f);
    memcpy(whole->ip.src, f->src, 16);
    memcpy(whole->ip.dst, f->dst, 16);
}

/* The text of all ranges as one chain; they are gone. */
static uint32_t join(struct stack *st, struct stack_fragments *f)
{
    struct tcp *tcp = &st->tcp;
    uint32_t head = 0, tail = 0;
    for (uint32_t idx = f->ranges, next; idx != 0; idx = next) {
        const struct range *range = range_at(tcp, idx);
        next = range->next;
        if (tail != 0) {
            tcp_chunk(tcp, tail)->next = range->head;
        } else {
            head = range->head;
        }
        tail = range->tail;
        pool_free(&tcp->b->ranges, tcp->block, idx);
    }
    f->ranges = 0;
    return head;
}

/* Copies the chain into one chunk, where it fits; 0: it does not. */
static uint32_t flatten(struct stack *st, uint32_t chain, uint32_t len)
{
    struct tcp *tcp = &st->tcp;
    uint32_t flat = tcp_chunk_new(tcp, len, CHUNK_TO_READ);
    if (flat == 0 || tcp_chunk_room(tcp, flat) < len) {
        tcp_chunk_free_now(tcp, flat);
        return 0;
    }
    for (uint32_t idx = chain; idx != 0; idx = tcp_chunk(tcp, idx)->next) {
        struct chunk *to = tcp_chunk(tcp, flat);
        memcpy(tcp_chunk_data(tcp, flat) + to->len, tcp_chunk_data(tcp, idx),
               tcp_chunk(tcp, idx)->len);
        HF_COUNT(tcp->b->work.copied, tcp_chunk(tcp, idx)->len);
        to->len += tcp_chunk(tcp, idx)->len;
    }
    return flat;
}

/* Extension headers of so many octets are behind us; the octet that is not known counts from the
 * packet's begin. */
static void pass_headers(struct arrival *whole, size_t octets)
{
    whole->len -= (uint32_t)octets;
    whole->ip.unknown_at = (uint16_t)(whole->ip.unknown_at + whole->ip.header_len);
    whole->ip.header_len = (uint16_t)(whole->ip.header_len + octets);
}

/* Contiguous: extension headers are walked, and it goes up as any packet. */
static void deliver_flat(struct stack *st, struct arrival *whole)
{
    size_t at = 0;
    if (whole->ip.version == 6) {
        enum wire_status status = wire_walk_ip6(whole->payload, whole->len, &whole->ip, &at);
        HF_ASSERT(status == WIRE_OK); /* all of them are in the first fragment, see below */
    }
    whole->payload += at;
    pass_headers(whole, at);
    stack_deliver(st, whole);
}

/* Extension headers in front of a chain are passed over; they lie in its first chunk, or there is
 * no room for such a datagram.  RFC8200-1 */
static bool skip_headers(struct stack *st, struct arrival *whole)
{
    struct tcp *tcp = &st->tcp;
    struct chunk *first = tcp_chunk(tcp, whole->chain);
    size_t at;
    if (wire_walk_ip6(tcp_chunk_data(tcp, whole->chain), first->len, &whole->ip, &at) != WIRE_OK) {
        return false;
    }
    pass_headers(whole, at);
    first->start += (uint32_t)at;
    first->len -= (uint32_t)at;
    if (first->len == 0) {
        uint32_t behind = first->next;
        first->next = 0;
        tcp_chunk_free_now(tcp, whole->chain);
        whole->chain = behind;
    }
    return true;
}

static void complete(struct stack *st, struct stack_fragments *f, const struct arrival *last)
{
    struct arrival whole;
    describe(f, last, &whole);
    uint32_t chain = join(st, f);
    forget(st, f);
    uint32_t flat = flatten(st, chain, whole.len);
    if (flat != 0) {
        whole.payload = tcp_chunk_data(&st->tcp, flat);
        tcp_chunk_free_now(&st->tcp, chain);
        deliver_flat(st, &whole);
        tcp_chunk_free_now(&st->tcp, flat);
        return;
    }
    whole.chain = chain; /* large: UDP and echo take it as it is */
    if (whole.ip.version == 6 && !skip_headers(st, &whole)) {
        stack_verdict(st, &whole, HF_V_DROP_NO_MEMORY);
    } else {
        stack_deliver(st, &whole);
    }
    tcp_chunk_free_now(&st->tcp, whole.chain);
}

/* RFC1122-6, RFC8200-5 */
void stack_fragment_input(struct stack *st, struct arrival *a)
{
    bool first = a->ip.frag_offset == 0;
    if (a->ip.version == 6 && first && !first_is_good(st, a)) {
        return;
    }
    struct stack_fragments *f = find(st, a);
    if (f == NULL) {
        f = new_record(st, a);
    }
    enum hf_verdict verdict = HF_V_DROP_FRAGMENT;
    if (f != NULL && f->used == LIVE) {
        verdict = insert(st, f, a);
    }
    if (verdict == HF_V_FRAGMENT_HELD && first) {
        f->first_seen = 1;
        f->proto = a->ip.proto;
        f->ttl = a->ip.ttl;
        f->tos = a->ip.tos;
    }
    stack_verdict(st, a, verdict);
    if (verdict == HF_V_FRAGMENT_HELD && f->total_len != 0 && f->bytes == f->total_len) {
        complete(st, f, a);
    }
}

/* RFC 792, RFC 4443 3.3: its sender is told, when the first fragment is here to be quoted.
 * RFC1122-6, RFC8200-3 */
static void give_up(struct stack *st, struct stack_fragments *f)
{
    if (f->used == LIVE && f->first_seen) {
        struct arrival gone;
        f->total_len = f->highest;
        describe(f, NULL, &gone);
        const struct range *range = range_at(&st->tcp, f->ranges);
        gone.payload = tcp_chunk_data(&st->tcp, range->head);
        gone.len = tcp_chunk(&st->tcp, range->head)->len;
        gone.ip.mf = true;
        stack_verdict(st, &gone, HF_V_DROP_FRAGMENT);
        stack_icmp_error(st, &gone, f->v6 ? ICMP6_TIME_EXCEEDED : ICMP4_TIME_EXCEEDED,
                         TIME_EXCEEDED_REASSEMBLY, 0);
    }
    forget(st, f);
}

void stack_fragment_timeouts(struct stack *st)
{
    uint32_t earliest = 0;
    for (uint32_t n = 1; n <= st->s->max_fragments; n++) {
        struct stack_fragments *f = stack_fragments_at(st, n);
        if (f->used != 0 && ms_due(f->at_ms, st->tcp.now_ms)) {
            give_up(st, f);
        }
        if (f->used != 0 && (earliest == 0 || (int32_t)(f->at_ms - earliest) < 0)) {
            earliest = f->at_ms;
        }
    }
    st->s->fragment_at_ms = earliest;
}
