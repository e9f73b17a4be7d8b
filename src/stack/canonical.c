/* canonical.c - hf_canonical: what decides how the stack will behave, and nothing else.
 *
 * Not in it: record numbers, generations, cookies, counters, history, keys, what is only told to
 * people.  Sequence numbers count from ISS and IRS, times from now.  Records come in the order of
 * what they are about; lists, whose order decides what is sent first, keep theirs.
 */
#include "stack/canonical.h"

void canon_octets(struct canon *c, const void *data, uint64_t n)
{
    if (c->len < c->room) {
        memcpy(c->out + c->len, data, (size_t)min_u64(n, c->room - c->len));
    }
    c->len += n;
}

void canon_number(struct canon *c, uint64_t value, uint32_t octets)
{
    uint8_t bytes[8];
    put_le64(bytes, value);
    canon_octets(c, bytes, octets);
}

void canon_at(struct canon *c, uint32_t at_ms)
{
    canon_number(c, at_ms != 0, 1);
    canon_32(c, at_ms != 0 ? at_ms - c->st->tcp.now_ms : 0);
}

void canon_age(struct canon *c, uint32_t since_ms, uint32_t limit_ms)
{
    canon_32(c, min_u32(c->st->tcp.now_ms - since_ms, limit_ms));
}

/* However the octets are cut into chunks: FNV-1a. */
void canon_chain(struct canon *c, uint32_t head, uint32_t skip)
{
    uint64_t hash = 14695981039346656037u, bytes = 0;
    for (uint32_t idx = head; idx != 0; idx = tcp_chunk(&c->st->tcp, idx)->next) {
        const struct chunk *chunk = tcp_chunk(&c->st->tcp, idx);
        /* Without the env's regions, lent octets cannot be seen. */
        bool visible = chunk->lent == 0 || c->st->env != NULL;
        const uint8_t *data = visible ? tcp_chunk_data(&c->st->tcp, idx) : NULL;
        for (uint32_t i = skip; i < chunk->len; i++) {
            hash = (hash ^ (visible ? data[i] : 0)) * 1099511628211u;
        }
        bytes += chunk->len - min_u32(skip, chunk->len);
        skip = 0;
    }
    canon_number(c, bytes, 8);
    canon_number(c, hash, 8);
}

void canon_id(struct canon *c, const struct conn_id *id)
{
    canon_octets(c, id->remote, 16);
    canon_octets(c, id->local, 16);
    canon_number(c, id->rport, 2);
    canon_number(c, id->lport, 2);
    canon_number(c, id->zone, 1);
}

/* Listeners ------------------------------------------------------------------------------------ */

/* What tells them apart, as octets to be compared. */
struct name {
    uint8_t octets[24];
};

static struct name listener_name(const struct canon *c, uint32_t idx)
{
    const struct listener *l = listener_at(&c->st->tcp, idx);
    struct name name = {{0}};
    put_be16(name.octets, l->port_first);
    put_be16(name.octets + 2, l->port_last);
    name.octets[4] = l->any;
    name.octets[5] = l->version;
    name.octets[6] = l->zone;
    name.octets[7] = 1;
    memcpy(name.octets + 8, l->local, 16);
    return name;
}

void canon_listener_name(struct canon *c, uint32_t listener)
{
    struct name name = {{0}};
    if (listener != 0) {
        name = listener_name(c, listener);
    }
    canon_octets(c, &name, sizeof name);
}

/* A list of tcbs by one of their links, as ids. */
static void put_tcbs(struct canon *c, const struct idlist *list, size_t link_offset)
{
    const struct tcp_block *b = c->st->tcp.b;
    struct links links = pool_links(&b->tcbs, c->st->s, (uint32_t)link_offset);
    for (uint32_t idx = list->head; idx != 0; idx = idlist_next(&links, idx)) {
        struct conn_id id;
        tcp_id(&c->st->tcp, tcb_at(&c->st->tcp, idx), &id);
        canon_id(c, &id);
    }
    canon_32(c, 0);
}

static void canon_counts(struct canon *c, const struct ecn_counts *n)
{
    canon_32(c, n->cep);
    canon_32(c, n->ceb);
    canon_32(c, n->e0b);
    canon_32(c, n->e1b);
}

static void canon_ecn(struct canon *c, uint32_t idx)
{
    const struct ecn *ecn = idx ? pool_at_const(&c->st->tcp.b->ecns, c->st->s, idx) : NULL;
    canon_number(c, ecn != NULL, 1);
    if (ecn != NULL) {
        canon_counts(c, &ecn->r);
        canon_counts(c, &ecn->s);
        canon_counts(c, &ecn->told);
        canon_32(c, ecn->cep_at_option);
        canon_32(c, ecn->ts_last - c->st->tcp.now_ms);
        canon_number(c, ecn->marks, 1);
        canon_number(c, ecn->seen, 1);
        canon_number(c,
                     (unsigned)ecn->marked | (unsigned)ecn->begins << 1 | (unsigned)ecn->news << 2 |
                         (unsigned)ecn->test_ack << 3 | (unsigned)ecn->test_text << 4 |
                         (unsigned)ecn->option_seen << 5 | (unsigned)ecn->option_bad << 6,
                     1);
    }
}

void canon_extra(struct canon *c, uint32_t idx)
{
    const struct extra *extra = tcp_extra(&c->st->tcp, idx);
    canon_32(c, extra->user_timeout_ms);
    canon_32(c, extra->snd_low);
    canon_32(c, extra->keep_idle_ms);
    canon_32(c, extra->keep_interval_ms);
    canon_32(c, extra->keep_count);
    canon_32(c, extra->linger);
    canon_32(c, extra->adv_timeout_ms);
    canon_32(c, extra->peer_timeout_ms);
    canon_32(c, extra->timeout_set);
    canon_32(c, extra->max_pacing_rate);
    canon_32(c, extra->syn_retries);
    canon_ecn(c, extra->ecn);
}

/* What is over is as if it had never been. */
static void canon_if_within(struct canon *c, bool is, uint32_t since_ms, uint32_t limit_ms)
{
    bool lasts = is && c->st->tcp.now_ms - since_ms <= limit_ms;
    canon_number(c, lasts, 1);
    canon_age(c, lasts ? since_ms : c->st->tcp.now_ms, limit_ms);
}

static void put_listener(struct canon *c, uint32_t idx)
{
    const struct listener *l = listener_at(&c->st->tcp, idx);
    canon_listener_name(c, idx);
    canon_number(c, l->hold, 1);
    canon_number(c, l->backlog, 2);
    canon_number(c, l->events, 2);
    canon_32(c, l->half);
    canon_32(c, l->accept_n);
    canon_32(c, l->rcv_buf);
    canon_32(c, l->half || l->cookies_out ? l->rcv_promised : 0);
    canon_32(c, l->snd_buf);
    canon_number(c, l->max_segment, 2);
    canon_number(c, l->ttl, 1);
    canon_number(c, l->tos, 1);
    canon_32(c, l->inherit);
    canon_32(c, l->inherit_modes);
    canon_extra(c, l->extra);
    canon_number(c, l->fast_open, 2);
    canon_number(c, l->fast_pending, 2);
    canon_number(c, l->fast_resets, 2);
    canon_age(c, l->fast_resets ? l->fast_reset_ms : c->st->tcp.now_ms, 60000);
    uint32_t cookie_lasts_ms = 2 * c->st->tcp.b->policy.cookie_slot_ms;
    canon_if_within(c, l->cookies_out, l->cookie_ms, cookie_lasts_ms);
    canon_number(c, l->cookies_out ? l->cookie_wscale : 0, 1);
    canon_if_within(c, l->put_off, l->put_off_ms, cookie_lasts_ms);
    put_tcbs(c, &l->accept, offsetof(struct tcb, event_link));
    put_tcbs(c, &l->asked, offsetof(struct tcb, event_link));
}

static void put_listeners(struct canon *c)
{
    const struct pool *pool = &c->st->tcp.b->listeners;
    struct name last = {{0}};
    canon_32(c, pool->used);
    for (uint32_t n = 0; n < pool->used; n++) {
        uint32_t best = 0;
        struct name best_name = {{0}};
        for (uint32_t idx = 1; idx <= pool->top; idx++) {
            if (listener_at(&c->st->tcp, idx)->generation % 2 == 0) {
                continue;
            }
            struct name name = listener_name(c, idx);
            if (memcmp(&name, &last, sizeof name) > 0 &&
                (best == 0 || memcmp(&name, &best_name, sizeof name) < 0)) {
                best = idx;
                best_name = name;
            }
        }
        put_listener(c, best);
        last = best_name;
    }
}

/* Interfaces, packets, datagrams --------------------------------------------------------------- */

static void put_interfaces(struct canon *c)
{
    const struct hf_stack *s = c->st->s;
    canon_32(c, s->interfaces);
    for (uint32_t n = 1; n <= s->interfaces; n++) {
        const struct stack_interface *iface = stack_interface_at(c->st, n);
        canon_32(c, iface->mtu);
        canon_32(c, iface->offload);
        canon_number(c, iface->link, 1);
        canon_octets(c, iface->mac, 6);
    }
    canon_32(c, s->addresses);
    for (uint32_t n = 1; n <= s->addresses; n++) {
        canon_octets(c, stack_address_at(c->st, n), offsetof(struct stack_address, pad));
    }
    canon_32(c, s->routes);
    for (uint32_t n = 1; n <= s->routes; n++) {
        canon_octets(c, stack_route_at(c->st, n), offsetof(struct stack_route, pad));
    }
}

/* In the table's order, which decides nothing but who makes room first when it is full. */
static void put_neighbours(struct canon *c)
{
    for (uint32_t n = 1; n <= c->st->s->max_neighbours; n++) {
        const struct stack_neighbour *neighbour = stack_neighbour_at(c->st, n);
        canon_number(c, neighbour->state, 1);
        if (neighbour->state != NEIGHBOUR_FREE) {
            canon_octets(c, neighbour, offsetof(struct stack_neighbour, pad));
            canon_at(c, neighbour->at_ms);
        }
    }
}

static void put_packet(struct canon *c, const struct stack_packet *p)
{
    canon_octets(c, p->local, 16);
    canon_octets(c, p->remote, 16);
    canon_number(c, p->lport, 2);
    canon_number(c, p->rport, 2);
    canon_octets(c, &p->proto,
                 offsetof(struct stack_packet, pad) - offsetof(struct stack_packet, proto));
    canon_32(c, p->neighbour);
    canon_32(c, p->sent);
    canon_chain(c, p->head, 0);
}

static void put_packets(struct canon *c, const struct ififo *queue)
{
    for (uint32_t idx = queue->head; idx != 0; idx = stack_packet_at(c->st, idx)->next) {
        canon_number(c, 1, 1);
        put_packet(c, stack_packet_at(c->st, idx));
    }
    canon_number(c, 0, 1);
}

static void put_udp(struct canon *c, const struct stack_udp *u)
{
    canon_octets(c, u->local, 16);
    canon_number(c, u->port, 2);
    canon_number(c, u->events, 2);
    canon_octets(c, &u->any, 4);
    canon_number(c, u->want_write, 1);
    canon_number(c, u->ttl_set, 1);
    put_packets(c, &u->queue);
}

static bool udp_before(const struct stack_udp *a, const struct stack_udp *b)
{
    if (a->port != b->port) {
        return a->port < b->port;
    }
    int order = memcmp(a->local, b->local, 16);
    return order != 0 ? order < 0 : a->zone < b->zone;
}

static void put_udps(struct canon *c)
{
    const struct pool *pool = &c->st->s->udps;
    const struct stack_udp *last = NULL;
    canon_32(c, pool->used);
    for (uint32_t n = 0; n < pool->used; n++) {
        const struct stack_udp *best = NULL;
        for (uint32_t idx = 1; idx <= pool->top; idx++) {
            const struct stack_udp *u = stack_udp_at(c->st, idx);
            if (u->generation % 2 != 0 && (last == NULL || udp_before(last, u)) &&
                (best == NULL || udp_before(u, best))) {
                best = u;
            }
        }
        if (best == NULL) {
            return;
        }
        put_udp(c, best);
        last = best;
    }
}

static void put_fragments(struct canon *c)
{
    for (uint32_t n = 1; n <= c->st->s->max_fragments; n++) {
        const struct stack_fragments *f = stack_fragments_at(c->st, n);
        canon_number(c, f->used, 1);
        if (!f->used) {
            continue;
        }
        canon_octets(c, f, offsetof(struct stack_fragments, used));
        canon_at(c, f->at_ms);
        canon_32(c, c->st->s->fragment_serial - f->serial);
        canon_32(c, f->total_len);
        canon_octets(c, &f->tos,
                     offsetof(struct stack_fragments, pad) - offsetof(struct stack_fragments, tos));
        for (uint32_t r = f->ranges; r != 0; r = range_at(&c->st->tcp, r)->next) {
            canon_32(c, range_at(&c->st->tcp, r)->left.v);
            canon_32(c, range_at(&c->st->tcp, r)->right.v);
            canon_chain(c, range_at(&c->st->tcp, r)->head, 0);
        }
    }
}

/* In the table's order, which decides nothing but who makes room first. */
static void put_fast_peers(struct canon *c)
{
    const struct tcp_block *b = c->st->tcp.b;
    const struct fast_peer *peers = stack_at(c->st, b->fast_peers_offset);
    for (uint32_t i = 0; i < b->max_fast_peers; i++) {
        canon_number(c, peers[i].used, 1);
        if (peers[i].used) {
            canon_octets(c, &peers[i], offsetof(struct fast_peer, used_ms));
            canon_age(c, peers[i].used_ms, INT32_MAX);
            canon_age(c, peers[i].losses ? peers[i].lost_ms : c->st->tcp.now_ms, INT32_MAX);
            canon_octets(c, &peers[i].mss, sizeof *peers - offsetof(struct fast_peer, mss));
        }
    }
}

/* With half of its share left a group limits nothing for long, and is as if full. */
static void put_reset_groups(struct canon *c)
{
    const struct tcp_block *b = c->st->tcp.b;
    for (size_t i = 0; i < RESET_GROUPS; i++) {
        const struct reset_group *group = &b->resets[i];
        uint64_t refilled = (uint64_t)(c->st->tcp.now_ms - group->at_ms) * b->policy.reset_rate /
                            (RESET_GROUPS / 2);
        uint64_t spent = group->spent - min_u64(group->spent, refilled);
        bool much = spent > (uint64_t)b->policy.reset_rate * 1000 / RESET_GROUPS;
        canon_32(c, much ? (uint32_t)spent : 0);
    }
}

/* What is left of each kind of memory, frames that are out, memory to be returned. */
static void put_limits(struct canon *c)
{
    const struct tcp_block *b = c->st->tcp.b;
    const struct pool *const pools[] = {&b->tcbs,  &b->actives, &b->exts,          &b->halves,
                                        &b->waits, &b->small,   &b->large,         &b->pieces,
                                        &b->lents, &b->ranges,  &c->st->s->packets};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        canon_32(c, pools[i]->used);
        canon_32(c, pools[i]->max);
    }
    uint32_t refilled_ms = min_u32(c->st->tcp.now_ms - c->st->s->icmp_at_ms, 1000);
    canon_32(c, refilled_ms);
    canon_32(c, refilled_ms < 1000 ? c->st->s->icmp_credit[0] : 0); /* else it is full again */
    canon_32(c, refilled_ms < 1000 ? c->st->s->icmp_credit[1] : 0);
    for (size_t i = 0; i < ICMP_GROUPS; i++) {
        canon_number(c, refilled_ms < 1000 ? c->st->s->icmp_spent[i] : 0, 1);
    }
    put_reset_groups(c);
    canon_number(c, b->next_token - b->done_token, 8);
    for (uint32_t idx = b->returned.head; idx != 0;) {
        const struct lent *lent = pool_at_const(&b->lents, c->st->s, idx);
        canon_number(c, lent->token, 8);
        idx = lent->next;
    }
}

static uint64_t write_all(const struct hf_stack *stack, const struct hf_env *env, void *out,
                          uint64_t room, bool fixed)
{
    struct stack st;
    stack_look(&st, stack, env);
    const struct tcp_block *b = &stack->tcp;
    struct canon c = {&st, out, out != NULL ? room : 0, 0, fixed};
    canon_octets(&c, &b->policy, offsetof(struct hf_policy, answer_closed) + 1);
    put_interfaces(&c);
    put_neighbours(&c);
    put_listeners(&c);
    canon_connections(&c);
    put_tcbs(&c, &b->owes, offsetof(struct tcb, owes_link));
    put_tcbs(&c, &b->blocked, offsetof(struct tcb, owes_link));
    put_tcbs(&c, &b->ready, offsetof(struct tcb, event_link));
    for (uint32_t i = 0; i < STARVED_LISTS; i++) {
        put_tcbs(&c, &b->starved[i], offsetof(struct tcb, event_link));
    }
    put_packets(&c, &stack->packet_queue);
    put_packets(&c, &stack->packet_waiting);
    put_udps(&c);
    put_fragments(&c);
    put_fast_peers(&c);
    put_limits(&c);
    return c.len;
}

uint64_t hf_canonical(const struct hf_stack *stack, const struct hf_env *env, void *out,
                      uint64_t room)
{
    return write_all(stack, env, out, room, false);
}

uint64_t hf_canonical_fixed(const struct hf_stack *stack, const struct hf_env *env, void *out,
                            uint64_t room)
{
    return write_all(stack, env, out, room, true);
}
