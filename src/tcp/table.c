/* table.c - connections' records, and the flow table that finds them.
 *
 * The table holds (hash, kind and index) of every connection that is not CLOSED.  One id may be in
 * it twice: a connection in TIME-WAIT, and the half-open one that may replace it (RFC 9293 3.6.1).
 */
#include "tcp/recovery.h"
#include "tcp/stats.h"

/* IPv4's two. */
static uint64_t hosts_of(const struct conn_id *id)
{
    return (uint64_t)get_be32(id->remote + 12) << 32 | get_be32(id->local + 12);
}

uint32_t tcp_hash_of(const struct tcp *tcp, const struct conn_id *id)
{
    const struct sip_key *key = &secret_of(tcp)->table;
    uint32_t ports = (uint32_t)id->rport << 16 | id->lport;
    if (id->v4) {
        return (uint32_t)sip13_12(key, hosts_of(id), ports);
    }
    const uint64_t words[4] = {get_be64(id->remote), get_be64(id->remote + 8), get_be64(id->local),
                               get_be64(id->local + 8)};
    return (uint32_t)sip13_36(key, words, ports);
}

struct hash_memo *tcp_hash_memo(const struct tcp *tcp, const struct conn_id *id)
{
    struct hash_memo *memo = &secret_of(tcp)->memo;
    uint64_t hosts = hosts_of(id);
    uint32_t ports = (uint32_t)id->rport << 16 | id->lport;
    if (!id->v4) {
        return NULL;
    }
    if (memo->hosts != hosts || memo->ports != ports) {
        memo->hosts = hosts;
        memo->ports = ports;
        memo->table_known = memo->ts_known = 0;
    }
    return memo;
}

void tcp_hash(const struct tcp *tcp, struct conn_id *id)
{
    struct hash_memo *memo = tcp_hash_memo(tcp, id);
    HF_COUNT(tcp->b->work.hashed, 1); /* known or not: a peer may choose others each time */
    if (memo && memo->table_known) {
        id->hash = memo->table;
        return;
    }
    id->hash = tcp_hash_of(tcp, id);
    if (memo) {
        memo->table = id->hash;
        memo->table_known = 1;
    }
}

static bool same_id(const struct tcp *tcp, const struct tuple *tuple, uint8_t zone, bool v6,
                    const struct conn_id *id)
{
    if (tuple->rport != id->rport || tuple->lport != id->lport || v6 == id->v4 ||
        zone != id->zone) {
        return false;
    }
    if (!v6) {
        return tuple->remote == get_be32(id->remote + 12) &&
               tuple->local == get_be32(id->local + 12);
    }
    const struct ext6 *ext = pool_at_const(&tcp->b->exts, tcp->block, tuple->remote);
    return memcmp(ext->remote, id->remote, 16) == 0 && memcmp(ext->local, id->local, 16) == 0;
}

/* Is value's record of this id?  *waits: it is in TIME-WAIT. */
static bool value_is(const struct tcp *tcp, uint32_t value, const struct conn_id *id, bool *waits)
{
    uint32_t idx = FLOW_IDX(value);
    *waits = false;
    if (FLOW_KIND(value) == KIND_TCB) {
        const struct tcb *tcb = tcb_at(tcp, idx);
        *waits = tcb->state == HF_TIME_WAIT;
        return same_id(tcp, &tcb->id, tcb->zone, tcb->flags & F_V6, id);
    }
    if (FLOW_KIND(value) == KIND_HALF_OPEN) {
        const struct half_open *half = pool_at_const(&tcp->b->halves, tcp->block, idx);
        return same_id(tcp, &half->id, half->zone, half->flags & HALF_V6, id);
    }
    const struct time_wait *wait = pool_at_const(&tcp->b->waits, tcp->block, idx);
    *waits = true;
    return same_id(tcp, &wait->id, wait->zone, wait->flags & HALF_V6, id);
}

uint32_t tcp_find(const struct tcp *tcp, const struct conn_id *id)
{
    struct flow_probe probe;
    uint32_t waiting = 0;
    for (uint32_t value = flowtab_first(&tcp->b->flows, tcp->block, id->hash, &probe); value != 0;
         value = flowtab_next(&tcp->b->flows, tcp->block, &probe)) {
        bool waits;
        if (!value_is(tcp, value, id, &waits)) {
            continue;
        }
        if (!waits) {
            return value;
        }
        waiting = value;
    }
    return waiting;
}

uint32_t tcp_find_waiting(const struct tcp *tcp, const struct conn_id *id)
{
    struct flow_probe probe;
    uint32_t value = flowtab_first(&tcp->b->flows, tcp->block, id->hash, &probe);
    bool waits = false;
    while (value != 0 && !(value_is(tcp, value, id, &waits) && waits)) {
        value = flowtab_next(&tcp->b->flows, tcp->block, &probe);
    }
    return value;
}

void tcp_id_of(const struct tcp *tcp, const struct tuple *tuple, uint8_t zone, bool v6,
               struct conn_id *id)
{
    memset(id, 0, sizeof *id);
    id->rport = tuple->rport;
    id->lport = tuple->lport;
    id->zone = zone;
    id->v4 = !v6;
    if (v6) {
        const struct ext6 *ext = pool_at_const(&tcp->b->exts, tcp->block, tuple->remote);
        memcpy(id->remote, ext->remote, 16);
        memcpy(id->local, ext->local, 16);
        return;
    }
    uint8_t v4[4];
    put_be32(v4, tuple->remote);
    wire_from_v4(id->remote, v4);
    put_be32(v4, tuple->local);
    wire_from_v4(id->local, v4);
}

void tcp_id(const struct tcp *tcp, const struct tcb *tcb, struct conn_id *id)
{
    tcp_id_of(tcp, &tcb->id, tcb->zone, tcb->flags & F_V6, id);
    id->mtu = tcb->pmtu;
}

bool tcp_put_id(struct tcp *tcp, const struct conn_id *id, struct tuple *tuple)
{
    *tuple = (struct tuple){.rport = id->rport, .lport = id->lport};
    if (id->v4) {
        tuple->remote = get_be32(id->remote + 12);
        tuple->local = get_be32(id->local + 12);
        return true;
    }
    tuple->remote = pool_alloc(&tcp->b->exts, tcp->block);
    if (tuple->remote == 0) {
        return false;
    }
    struct ext6 *ext = pool_at(&tcp->b->exts, tcp->block, tuple->remote);
    memcpy(ext->remote, id->remote, 16);
    memcpy(ext->local, id->local, 16);
    return true;
}

void tcp_drop_id(struct tcp *tcp, struct tuple *tuple, bool v6)
{
    if (v6 && tuple->remote) {
        pool_free(&tcp->b->exts, tcp->block, tuple->remote);
        tuple->remote = 0;
    }
}

/* What a connection has before its SYN says more. */
static void set_defaults(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id)
{
    const struct hf_policy *policy = &tcp->b->policy;
    tcb->zone = id->zone;
    tcb->flags |= id->v4 ? 0 : F_V6;
    tcb->ttl = policy->ttl;
    tcb->pmtu = id->mtu;
    tcb->rcv_buf = policy->receive_window;
    tcb->snd_buf = policy->send_buffer;
    tcb->quick_acks = (uint8_t)min_u32(policy->quick_acks, UINT8_MAX);
    tcb->ts_offset = tcp_offsets(tcp, id).ts;
    tcb->ssthresh = UINT32_MAX; /* RFC5681-8: arbitrarily high */
    tcb->modes = MODE_CONGESTION(policy->congestion);
}

void tcp_scratch(struct tcp *tcp, const struct conn_id *id, struct tcb *scratch)
{
    memset(scratch, 0, sizeof *scratch);
    tcp->no_fast = 0; /* what another SYN has asked for */
    scratch->flags = F_COMPACT;
    set_defaults(tcp, scratch, id);
}

uint32_t tcp_new(struct tcp *tcp, const struct conn_id *id)
{
    struct tcp_block *b = tcp->b;
    uint32_t top = b->tcbs.top;
    uint32_t idx = pool_alloc(&b->tcbs, tcp->block);
    if (idx == 0) {
        return 0;
    }
    struct tcb *tcb = tcb_at(tcp, idx);
    uint32_t generation = idx > top ? 1 : tcb->generation;
    memset(tcb, 0, sizeof *tcb);
    memset(tally_at(tcp, idx), 0, sizeof(struct tally));
    tcb->generation = generation;
    tcb->flags = F_RELEASED; /* as free records have it */
    if (!tcp_put_id(tcp, id, &tcb->id)) {
        pool_free(&b->tcbs, tcp->block, idx);
        return 0;
    }
    if (!flowtab_insert(&b->flows, tcp->block, id->hash, FLOW_VALUE(KIND_TCB, idx))) {
        tcp_drop_id(tcp, &tcb->id, !id->v4);
        pool_free(&b->tcbs, tcp->block, idx);
        return 0;
    }
    tcb->flags = 0;
    set_defaults(tcp, tcb, id);
    return idx;
}

void tcp_unfile(struct tcp *tcp, struct tcb *tcb)
{
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    tcp_hash(tcp, &id);
    flowtab_remove(&tcp->b->flows, tcp->block, id.hash, FLOW_VALUE(KIND_TCB, tcb_index(tcp, tcb)));
}

static void free_active(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    tcp_chunk_free_chain(tcp, active->sq_head);
    tcp_sent_clear(tcp, active);
    tcp_free_receive(tcp, active);
    pool_free(&tcp->b->actives, tcp->block, tcb->active);
    tcb->active = 0;
    if (tcb->events & EVENT_WAITS) {
        tcp_record_changed(tcp, tcb);
    }
}

/* Out of every list, so that the record can go. */
static void leave_lists(struct tcp *tcp, struct tcb *tcb, uint32_t idx)
{
    struct tcp_block *b = tcp->b;
    struct links events = pool_links(&b->tcbs, tcp->block, offsetof(struct tcb, event_link));
    struct links wheel = pool_links(&b->tcbs, tcp->block, offsetof(struct tcb, wheel));
    tcp_owe_nothing(tcp, tcb);
    if (tcb->flags & F_UNACCEPTED) {
        struct listener *listener = listener_at(tcp, tcb->listener);
        bool asked = tcb->flags & F_HELD;
        idlist_remove(asked ? &listener->asked : &listener->accept, &events, idx);
        listener_lets_go(listener, asked);
    } else {
        tcp_events_clear(tcp, tcb);
    }
    wheel_clear(&b->wheel, &wheel, idx);
}

void tcp_delete(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t idx = tcb_index(tcp, tcb);
    if (tcb->state != HF_CLOSED) {
        tcp_unfile(tcp, tcb);
    }
    if (tcb->active) {
        free_active(tcp, tcb);
    }
    leave_lists(tcp, tcb, idx);
    tcp_drop_id(tcp, &tcb->id, tcb->flags & F_V6);
    tcp_drop_extra(tcp, &tcb->extra);
    tcp_drop_stats(tcp, tcb);
    tcb->state = HF_CLOSED;
    tcb->flags = F_RELEASED;
    tcb->generation = tcb->generation == UINT32_MAX ? 1 : tcb->generation + 1;
    pool_free(&tcp->b->tcbs, tcp->block, idx);
}

/* What is sent must not eat the records that receiving needs: two ends with full send queues would
 * wait for each other for ever. */
bool tcp_active_free(const struct tcp *tcp)
{
    const struct pool *pool = &tcp->b->actives;
    bool enough = pool->max == 1 || pool->max >= tcp->b->tcbs.max; /* for everybody, or for one */
    uint32_t reserve = enough ? 0 : max_u32(pool->max / 8, 1);
    return pool->max - pool->used > reserve;
}

bool tcp_attach_to_send(struct tcp *tcp, struct tcb *tcb)
{
    return (tcb->active || tcp_active_free(tcp)) && tcp_attach(tcp, tcb);
}

void tcp_number_active(const struct tcb *tcb, struct active *active)
{
    active->send.at = active->cwr_end = tcb->snd.nxt;
    active->rxt.at = active->snd_sml = active->rtt_seq = tcb->snd.una;
    /* RFC6582-1 */
    active->recover = active->rack_fack = active->lost_to = tcb->snd.una;
}

bool tcp_attach(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->active) {
        return true;
    }
    HF_ASSERT(!(tcb->flags & F_COMPACT));
    tcb->active = pool_alloc(&tcp->b->actives, tcp->block);
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return false;
    }
    memset(active, 0, sizeof *active);
    tcp_number_active(tcb, active);
    uint32_t min_rtt_ms = tcp_stats_seen(tcp, tcb)->min_rtt_ms;
    active->min_rtt_ms = min_rtt_ms ? min_rtt_ms : tcp->now_ms;
    uint32_t reordering = tcp_stats_seen(tcp, tcb)->reordering;
    active->reordering = (uint16_t)max_u32(reordering, tcp->b->policy.dupthresh);
    active->reo_mult = 1;
    tcp_tlp_attach(tcb, active);
    active->backoff = (uint8_t)((tcb->modes & M_BACKOFF) >> M_BACKOFF_SHIFT);
    tcb->modes &= ~(uint32_t)M_BACKOFF;
    if (tcb->events & EVENT_WAITS) {
        tcp_record_changed(tcp, tcb);
    }
    return true;
}

void tcp_detach_if_idle(struct tcp *tcp, struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    bool fin_waits = (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE; /* paced: later */
    bool outstanding = fin_waits || !seq_eq(tcb->snd.una, tcb->snd.nxt);
    bool urgent = (tcb->flags & (F_URGENT | F_RELEASED)) == F_URGENT; /* text is to come */
    if (active == NULL || ((outstanding || urgent) && tcb->state != HF_CLOSED) ||
        active->sq_bytes || active->rq_bytes || active->ooo || active->fin_held ||
        active->delack_at_ms || active->rto_at_ms || active->unacked_bytes || active->dup_owed ||
        active->dsack || tcb->owes || tcp_pace_remembers(tcp, tcb)) {
        return;
    }
    tcb->flags &= ~(uint32_t)F_URGENT; /* nobody reads what it would point to */
    tcb->modes |= min_u32(active->backoff, M_BACKOFF >> M_BACKOFF_SHIFT) << M_BACKOFF_SHIFT;
    tcp_tlp_detach(tcb, active);
    if (tally_of(tcp, tcb)->stats) { /* RFC8985-6: it grows no younger */
        tcp_stats(tcp, tcb)->min_rtt_ms = ms_after(active->min_rtt_ms, 0);
    }
    free_active(tcp, tcb);
}
