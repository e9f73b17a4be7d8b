/* check_tables.c - hf_check: who listens, packets of no connection, and the small arrays. */
#include "stack/check.h"

/* Listeners ------------------------------------------------------------------------------------ */

/* The connections that wait in one of its queues, each with the flags that say so. */
static bool check_waiting_for(struct check *c, uint32_t listener, const struct idlist *queue,
                              bool held, uint32_t *n)
{
    if (!check_list(c, queue, CHECK_TCBS, offsetof(struct tcb, event_link), n)) {
        return false;
    }
    for (uint32_t idx = queue->head; idx != 0;) {
        const struct tcb *tcb = check_at(c, CHECK_TCBS, idx);
        bool fits = (tcb->flags & F_UNACCEPTED) && held == ((tcb->flags & F_HELD) != 0) &&
                    tcb->listener == listener;
        if (!check_that(c, fits, HF_INVARIANT_MEMBER, CHECK_TCBS, idx)) {
            return false;
        }
        idx = tcb->event_link.next;
    }
    c->in_queues += *n;
    return true;
}

static bool check_listener(struct check *c, uint32_t idx, bool in_range_list, uint32_t bucket)
{
    if (!check_claim(c, CHECK_LISTENERS, idx)) {
        return false;
    }
    const struct listener *l = check_at(c, CHECK_LISTENERS, idx);
    bool one_port = l->port_first == l->port_last;
    bool found_here = one_port ? !in_range_list && (l->port_first & c->s->bucket_mask) == bucket
                               : in_range_list && l->port_first < l->port_last;
    uint32_t accept, asked;
    if (!check_that(c, l->generation % 2 == 1 && found_here && l->zone <= c->s->interfaces,
                    HF_INVARIANT_MEMBER, CHECK_LISTENERS, idx) ||
        !check_waiting_for(c, idx, &l->accept, false, &accept) ||
        !check_waiting_for(c, idx, &l->asked, true, &asked) ||
        !check_equal(c, l->accept_n, accept, HF_INVARIANT_LISTENER, CHECK_LISTENERS, idx)) {
        return false;
    }
    c->asked += asked;
    c->counted_half += l->half;
    if (l->extra == 0) {
        return true;
    }
    return check_claim(c, CHECK_EXTRAS, l->extra);
}

/* Those of one port hang in its bucket, those of several in a list of their own. */
static bool check_listening(struct check *c, uint32_t head, bool in_range_list, uint32_t bucket)
{
    for (uint32_t idx = head; idx != 0;) {
        if (!check_listener(c, idx, in_range_list, bucket)) {
            return false;
        }
        idx = ((const struct listener *)check_at(c, CHECK_LISTENERS, idx))->next;
    }
    return true;
}

/* Those with something to tell are in the list of those. */
static bool check_ready_listeners(const struct check *c)
{
    uint32_t n;
    const struct idlist *list = &c->b->ready_listeners;
    if (!check_list(c, list, CHECK_LISTENERS, offsetof(struct listener, event_link), &n)) {
        return false;
    }
    for (uint32_t idx = list->head; idx != 0;) {
        const struct listener *l = check_at(c, CHECK_LISTENERS, idx);
        if (!check_that(c, l->events != 0 && l->generation % 2 == 1, HF_INVARIANT_MEMBER,
                        CHECK_LISTENERS, idx)) {
            return false;
        }
        idx = l->event_link.next;
    }
    return true;
}

bool check_listeners(struct check *c)
{
    const uint32_t *buckets = stack_at(&c->st, c->s->listen_offset);
    for (uint32_t i = 0; i <= c->s->bucket_mask; i++) {
        if (!check_listening(c, buckets[i], false, i)) {
            return false;
        }
    }
    return check_listening(c, c->s->listen_ranges, true, 0) && check_ready_listeners(c);
}

/* Packets and sockets -------------------------------------------------------------------------- */

static bool check_packet(struct check *c, uint32_t idx, bool waits)
{
    if (!check_claim(c, CHECK_PACKETS, idx)) {
        return false;
    }
    const struct stack_packet *packet = check_at(c, CHECK_PACKETS, idx);
    uint64_t octets, cost;
    bool fits = packet->header_len <= sizeof packet->header && packet->sent <= packet->len + 40 &&
                packet->iface <= c->s->interfaces && waits == (packet->neighbour != 0) &&
                packet->neighbour <= c->s->max_neighbours;
    return check_that(c, fits, HF_INVARIANT_DATAGRAM, CHECK_PACKETS, idx) &&
           check_chain(c, packet->head, NULL, &octets, &cost, CHECK_PACKETS, idx) &&
           check_equal(c, (int64_t)octets, packet->len, HF_INVARIANT_DATAGRAM, CHECK_PACKETS, idx);
}

/* A queue of packets: how many, and their octets. */
static bool check_packets(struct check *c, const struct ififo *queue, bool waits, uint32_t *n,
                          uint64_t *bytes)
{
    struct links links = pool_links(&c->s->packets, c->st.s, offsetof(struct stack_packet, next));
    *bytes = 0;
    if (!check_that(c, ififo_sound(queue, &links, c->s->packets.top, n), HF_INVARIANT_LIST,
                    CHECK_PACKETS, 0)) {
        return false;
    }
    for (uint32_t idx = queue->head; idx != 0;) {
        const struct stack_packet *packet = check_at(c, CHECK_PACKETS, idx);
        if (!check_packet(c, idx, waits)) {
            return false;
        }
        *bytes += packet->len;
        idx = packet->next;
    }
    return true;
}

static bool check_socket(struct check *c, uint32_t idx, uint32_t bucket)
{
    if (!check_claim(c, CHECK_UDPS, idx)) {
        return false;
    }
    const struct stack_udp *udp = check_at(c, CHECK_UDPS, idx);
    uint32_t n;
    uint64_t bytes;
    bool fits = udp->generation % 2 == 1 && udp->port != 0 &&
                (udp->port & c->s->bucket_mask) == bucket && udp->zone <= c->s->interfaces;
    c->telling += udp->events != 0;
    c->wanting += udp->want_write;
    c->unread += udp->queued;
    return check_that(c, fits, HF_INVARIANT_DATAGRAM, CHECK_UDPS, idx) &&
           check_packets(c, &udp->queue, false, &n, &bytes) &&
           check_equal(c, udp->queued, n, HF_INVARIANT_DATAGRAM, CHECK_UDPS, idx) &&
           check_equal(c, udp->queued_bytes, (int64_t)bytes, HF_INVARIANT_DATAGRAM, CHECK_UDPS,
                       idx);
}

static bool check_sockets(struct check *c)
{
    const uint32_t *buckets = stack_at(&c->st, c->s->udp_offset);
    uint32_t ready;
    c->telling = c->wanting = c->unread = 0; /* of sockets from here on */
    for (uint32_t i = 0; i <= c->s->bucket_mask; i++) {
        for (uint32_t idx = buckets[i]; idx != 0;) {
            if (!check_socket(c, idx, i)) {
                return false;
            }
            idx = ((const struct stack_udp *)check_at(c, CHECK_UDPS, idx))->next;
        }
    }
    return check_list(c, &c->s->ready_udp, CHECK_UDPS, offsetof(struct stack_udp, event_link),
                      &ready) &&
           check_equal(c, ready, c->telling, HF_INVARIANT_MEMBER, CHECK_UDPS, 0) &&
           check_equal(c, c->s->udp_want_write, c->wanting, HF_INVARIANT_MEMBER, CHECK_UDPS, 0) &&
           check_equal(c, c->s->udp_unread, c->unread, HF_INVARIANT_DATAGRAM, CHECK_UDPS, 0);
}

/* Datagrams in parts --------------------------------------------------------------------------- */

static bool check_parts(struct check *c, uint32_t n, const struct stack_fragments *f)
{
    uint32_t parts = 0, bytes = 0, behind = 0;
    for (uint32_t idx = f->ranges; idx != 0;) {
        if (!check_claim(c, CHECK_RANGES, idx)) {
            return false;
        }
        const struct range *range = check_at(c, CHECK_RANGES, idx);
        uint64_t octets, cost;
        if (!check_that(c, range->left.v >= behind && range->right.v >= range->left.v,
                        HF_INVARIANT_DATAGRAM, CHECK_RANGES, idx) ||
            !check_chain(c, range->head, &range->tail, &octets, &cost, CHECK_RANGES, idx) ||
            !check_equal(c, (int64_t)octets, range->right.v - range->left.v, HF_INVARIANT_DATAGRAM,
                         CHECK_RANGES, idx)) {
            return false;
        }
        parts++;
        bytes += range->right.v - range->left.v;
        behind = range->right.v;
        idx = range->next;
    }
    bool fits = f->used != 0 || (f->ranges == 0 && f->n == 0 && f->bytes == 0);
    return check_that(c, fits, HF_INVARIANT_DATAGRAM, CHECK_STACK, n) &&
           check_equal(c, f->n, parts, HF_INVARIANT_DATAGRAM, CHECK_STACK, n) &&
           check_equal(c, f->bytes, bytes, HF_INVARIANT_DATAGRAM, CHECK_STACK, n);
}

static bool check_datagrams(struct check *c)
{
    const struct stack_fragments *first = stack_at(&c->st, c->s->fragment_offset);
    for (uint32_t n = 1; n <= c->s->max_fragments; n++) {
        if (!check_parts(c, n, &first[n - 1])) {
            return false;
        }
    }
    return true;
}

/* Arrays --------------------------------------------------------------------------------------- */

static bool check_neighbours(const struct check *c)
{
    const struct stack_neighbour *first = stack_at(&c->st, c->s->neighbour_offset);
    uint32_t permanent = 0;
    for (uint32_t n = 1; n <= c->s->max_neighbours; n++) {
        const struct stack_neighbour *neighbour = &first[n - 1];
        bool fits = neighbour->state == NEIGHBOUR_FREE ||
                    (neighbour->state <= NEIGHBOUR_PERMANENT && neighbour->iface != 0 &&
                     neighbour->iface <= c->s->interfaces);
        if (!check_that(c, fits, HF_INVARIANT_TABLES, CHECK_STACK, n)) {
            return false;
        }
        permanent += neighbour->state == NEIGHBOUR_PERMANENT;
    }
    return check_equal(c, c->s->permanent_neighbours, permanent, HF_INVARIANT_TABLES, CHECK_STACK,
                       0);
}

static bool check_arrays(const struct check *c)
{
    const struct hf_stack *s = c->s;
    const struct stack_address *addresses = stack_at(&c->st, s->address_offset);
    const struct stack_route *routes = stack_at(&c->st, s->route_offset);
    bool fits = s->interfaces <= s->max_interfaces && s->addresses <= s->max_addresses &&
                s->routes <= s->max_routes && c->b->reply_n <= c->b->max_replies &&
                (c->b->reply_head < c->b->max_replies || c->b->reply_head == 0);
    if (!check_that(c, fits, HF_INVARIANT_TABLES, CHECK_STACK, 0)) {
        return false;
    }
    for (uint32_t n = 1; n <= s->addresses; n++) {
        fits =
            fits && addresses[n - 1].iface <= s->interfaces && addresses[n - 1].prefix_len <= 128;
    }
    for (uint32_t n = 1; n <= s->routes; n++) {
        fits = fits && routes[n - 1].iface <= s->interfaces && routes[n - 1].prefix_len <= 128;
    }
    return check_that(c, fits, HF_INVARIANT_TABLES, CHECK_STACK, 0) && check_neighbours(c);
}

bool check_tables(struct check *c)
{
    uint32_t queued, waiting;
    uint64_t bytes;
    return check_arrays(c) && check_packets(c, &c->s->packet_queue, false, &queued, &bytes) &&
           check_packets(c, &c->s->packet_waiting, true, &waiting, &bytes) && check_sockets(c) &&
           check_datagrams(c);
}
