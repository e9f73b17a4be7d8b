/* canonical_connections.c - the connections' part of hf_canonical: full, half-open, in TIME-WAIT,
 * and the replies that wait to be sent.
 */
#include "stack/canonical.h"
#include "tcp/stats.h"

/* Full records whose ids are equal are those of one connection open and of older ones whose handles
 * are still held: by state, then by record. */
struct item {
    struct conn_id id;
    uint8_t kind; /* KIND_* */
    uint8_t state;
    uint32_t idx;
};

static int compare(const struct item *a, const struct item *b)
{
    int order = memcmp(a->id.remote, b->id.remote, 16);
    order = order != 0 ? order : memcmp(a->id.local, b->id.local, 16);
    order = order != 0 ? order : a->id.rport - b->id.rport;
    order = order != 0 ? order : a->id.lport - b->id.lport;
    order = order != 0 ? order : a->id.zone - b->id.zone;
    order = order != 0 ? order : a->kind - b->kind;
    order = order != 0 ? order : a->state - b->state;
    return order != 0 ? order : (a->idx > b->idx) - (a->idx < b->idx);
}

/* The search for the item that follows `last`. */
struct search {
    const struct canon *c;
    const struct item *last; /* NULL: the first is wanted */
    struct item best;
    bool found;
};

static void consider(struct search *search, const struct tuple *tuple, uint8_t zone, bool v6,
                     struct item item)
{
    tcp_id_of(&search->c->st->tcp, tuple, zone, v6, &item.id);
    if ((search->last == NULL || compare(&item, search->last) > 0) &&
        (!search->found || compare(&item, &search->best) < 0)) {
        search->best = item;
        search->found = true;
    }
}

static const struct half_open *half_at(const struct canon *c, uint32_t idx)
{
    return pool_at_const(&c->st->tcp.b->halves, c->st->s, idx);
}

static const struct time_wait *wait_at(const struct canon *c, uint32_t idx)
{
    return pool_at_const(&c->st->tcp.b->waits, c->st->s, idx);
}

/* A free record is CLOSED and released. */
static bool is_free(const struct tcb *tcb)
{
    return tcb->state == HF_CLOSED && (tcb->flags & F_RELEASED) != 0;
}

static void find_next(struct search *search)
{
    const struct canon *c = search->c;
    const struct tcp_block *b = c->st->tcp.b;
    search->found = false;
    for (uint32_t idx = 1; idx <= b->tcbs.top; idx++) {
        const struct tcb *tcb = tcb_at(&c->st->tcp, idx);
        if (!is_free(tcb)) {
            consider(search, &tcb->id, tcb->zone, tcb->flags & F_V6,
                     (struct item){.kind = KIND_TCB, .state = tcb->state, .idx = idx});
        }
    }
    for (uint32_t i = 0; i < HALF_LISTS; i++) {
        for (uint32_t idx = b->half_list[i].head; idx != 0; idx = half_at(c, idx)->link.next) {
            const struct half_open *half = half_at(c, idx);
            consider(search, &half->id, half->zone, half->flags & HALF_V6,
                     (struct item){.kind = KIND_HALF_OPEN, .idx = idx});
        }
    }
    for (uint32_t idx = b->waiting.head; idx != 0; idx = wait_at(c, idx)->link.next) {
        const struct time_wait *wait = wait_at(c, idx);
        consider(search, &wait->id, wait->zone, wait->flags & HALF_V6,
                 (struct item){.kind = KIND_TIME_WAIT, .idx = idx});
    }
}

/* TS.Recent counts with the peer's clock, a millisecond a tick as ours. */
static void put_timestamp(struct canon *c, bool agreed, uint32_t ts_recent)
{
    canon_32(c, agreed ? ts_recent - c->st->tcp.now_ms : 0);
}

/* What was measured or follows from it, what congestion control remembers, since when: with RTT and
 * cwnd fixed it decides nothing. */
static void canon_measured(struct canon *c, uint32_t value)
{
    canon_32(c, c->fixed ? 0 : value);
}

static void put_ranges(struct canon *c, uint32_t first, seq_t base)
{
    for (uint32_t r = first; r != 0; r = range_at(&c->st->tcp, r)->next) {
        const struct range *range = range_at(&c->st->tcp, r);
        canon_32(c, seq_len(base, range->left));
        canon_32(c, seq_len(base, range->right));
        canon_chain(c, range->head, 0);
    }
    canon_32(c, 0);
    canon_32(c, 0);
}

static void put_stage(struct canon *c, const struct cubic_stage *stage)
{
    canon_at(c, stage->t_epoch_ms);
    canon_32(c, stage->k_ms);
    canon_32(c, stage->origin);
    canon_32(c, stage->w_est);
    canon_32(c, stage->cwnd_prior);
}

static void put_growth(struct canon *c, const struct tcb *tcb, const struct growth *g)
{
    const struct tcp *tcp = &c->st->tcp;
    canon_32(c, g->max_flight);
    canon_32(c, g->max_flight ? seq_len(tcb->iss, g->round_end) : 0);
    canon_32(c, g->counted);
    put_stage(c, &g->stage);
    put_stage(c, &g->undo_stage);
    canon_32(c, g->undo_w_max);
    canon_32(c, g->w_est_acked);
    canon_32(c, g->per_smss);
    canon_32(c, g->computed_cwnd);
    canon_32(c, g->computed_cwnd ? tcp->now_ms - g->computed_ms : 0);
    canon_32(c, g->stage.t_epoch_ms ? tcp->now_ms - g->grown_ms : 0);
    canon_32(c, g->limited ? tcp->now_ms - g->limited_ms : 0);
    canon_number(c, g->limited, 1);
    canon_32(c, g->full ? seq_len(tcb->iss, g->full_end) : 0);
    canon_number(c, g->rounds, 1);
    canon_number(c, g->samples, 1);
    canon_number(c, g->css, 1);
    canon_32(c, g->rounds ? seq_len(tcb->iss, g->window_end) : 0);
    canon_measured(c, g->rounds ? tcp->now_us - g->round_start_us : 0);
    canon_measured(c, g->rounds ? tcp->now_us - g->last_ack_us : 0);
    canon_measured(c, g->round_rtt_us);
    canon_measured(c, g->last_rtt_us);
    canon_measured(c, g->baseline_us);
}

static uint32_t age_us(const struct canon *c, uint32_t at_us)
{
    return c->st->tcp.now_us - at_us;
}

static void put_sent(struct canon *c, const struct tcb *tcb, const struct active *a)
{
    for (uint32_t idx = a->sent_first; idx != 0; idx = sent_at(&c->st->tcp, idx)->next) {
        const struct sent *sent = sent_at(&c->st->tcp, idx);
        canon_32(c, seq_len(tcb->iss, sent->left));
        canon_32(c, seq_len(tcb->iss, sent->right));
        canon_measured(c, sent->flags & SENT_SACKED ? 0 : age_us(c, sent->sent_us));
        canon_number(c, sent->mss, 2);
        canon_number(c, sent->flags, 1);
    }
    canon_32(c, 0);
}

/* What RFC 8985, 9937, 5682 and their like remember. */
static void put_recovery(struct canon *c, const struct tcb *tcb, const struct active *a)
{
    canon_number(c, a->resend, 1);
    canon_32(c, a->unpushed);
    canon_number(c, a->timer, 1);
    canon_number(c, a->frto, 1);
    canon_number(c, a->probe, 1);
    canon_number(c, a->reo_mult, 1);
    canon_number(c, a->reo_persist, 1);
    canon_number(c, a->reordering, 2);
    canon_number(c,
                 (unsigned)a->recovered | (unsigned)a->rescued << 1 | (unsigned)a->rack_any << 2 |
                     (unsigned)a->dsack_round << 3 | (unsigned)a->tlp_out << 4 |
                     (unsigned)a->tlp_again << 5 | (unsigned)a->undo_armed << 6 |
                     (unsigned)a->undo_sent << 7 | (unsigned)a->rtt_anew << 8 |
                     (unsigned)a->spared << 9 | (unsigned)(a->undo_armed & a->undo_marked) << 10,
                 2);
    canon_measured(c, a->rack_any ? age_us(c, a->rack_sent_us) : 0);
    canon_measured(c, a->rack_any ? seq_len(tcb->iss, a->rack_end) : 0);
    canon_measured(c, a->rack_rtt_us);
    canon_32(c, seq_len(tcb->iss, a->rack_fack));
    canon_32(c, a->dsack_round ? seq_len(tcb->iss, a->rack_round) : 0);
    canon_32(c, a->tlp_out ? seq_len(tcb->iss, a->tlp_end) : 0);
    canon_measured(c, a->prr_delivered);
    canon_measured(c, a->prr_out);
    canon_measured(c, a->prr_flight);
    canon_measured(c, a->undo_armed ? a->undo_cwnd : 0);
    canon_measured(c, a->undo_armed ? a->undo_ssthresh : 0);
    canon_measured(c, a->undo_armed ? a->undo_bytes : 0);
    canon_measured(c, a->undo_sent ? c->st->tcp.now_ms - a->undo_ms : 0);
    canon_32(c, a->undo_armed ? seq_len(tcb->iss, a->undo_left) : 0);
    canon_32(c, a->undo_armed ? seq_len(tcb->iss, a->undo_right) : 0);
}

static void put_sending(struct canon *c, const struct tcb *tcb, const struct active *a)
{
    canon_chain(c, a->sq_head, a->sq_skip);
    canon_32(c, seq_len(tcb->iss, a->send.at));
    canon_32(c, a->snd_urgent ? seq_len(tcb->iss, a->snd_up) : 0);
    canon_32(c, seq_len(tcb->iss, a->snd_sml));
    put_sent(c, tcb, a);
    canon_32(c, a->recovered || a->recovery ? seq_len(tcb->iss, a->recover) : 0);
    canon_32(c, a->recovery >= RECOVERY_FAST ? seq_len(tcb->iss, a->rescue) : 0);
    canon_number(c, a->recovery, 1);
    bool counts = !c->fixed || c->st->tcp.b->policy.dupthresh < UINT8_MAX;
    canon_number(c, counts ? a->dup_acks : 0, 1);
    canon_number(c, c->fixed ? 0 : a->backoff, 1);
    canon_number(c,
                 (unsigned)a->snd_urgent | (unsigned)(a->rtt_timed && !c->fixed) << 2 |
                     (unsigned)a->fin_held << 3 | (unsigned)a->dsack << 4 |
                     (unsigned)a->push_now << 5 | (unsigned)a->no_push << 7,
                 1);
    put_recovery(c, tcb, a);
    if (!c->fixed) {
        put_growth(c, tcb, &a->growth);
    }
    canon_measured(c, seq_len(tcb->iss, seq_max(a->rtt_seq, tcb->snd.una)));
    canon_measured(c, a->rtt_timed ? c->st->tcp.now_us - a->rtt_start_us : 0);
    canon_32(c, a->cwr_passed ? 0 : seq_len(tcb->iss, a->cwr_end));
    canon_number(c, (unsigned)a->cwr_passed | (unsigned)a->ecn_waits << 1, 1);
    canon_at(c, a->rto_at_ms);
    canon_32(c, a->timer != TIMER_RTO ? c->st->tcp.now_ms - a->rto_from_ms : 0);
    canon_32(c, a->persist);
    canon_32(c, min_u32(a->stalled, c->st->tcp.b->policy.orphan_probes));
    canon_at(c, c->fixed ? 0 : a->unacked_since_ms);
    canon_number(c, a->ptb_mtu, 2);
    canon_32(c, a->ptb_mtu ? seq_len(tcb->iss, a->ptb_first) : 0);
    canon_32(c, a->ptb_mtu ? seq_len(tcb->iss, a->ptb_last) : 0);
}

static void put_receiving(struct canon *c, const struct tcb *tcb, const struct active *a)
{
    canon_chain(c, a->rq_head, a->rq_skip);
    put_ranges(c, a->ooo, tcb->irs);
    for (uint32_t i = 0; i < min_u32(a->n_recent, SACK_RECENT); i++) {
        canon_32(c, seq_len(tcb->irs, a->recent[i]));
    }
    canon_32(c, a->dsack ? seq_len(tcb->irs, a->dsack_left) : 0);
    canon_32(c, a->dsack ? seq_len(tcb->irs, a->dsack_right) : 0);
    canon_32(c, a->fin_held ? seq_len(tcb->irs, a->fin_seq) : 0);
    canon_32(c, tcb->flags & F_URGENT ? seq_len(tcb->irs, a->rcv_up) : 0);
    canon_at(c, a->delack_at_ms);
    canon_at(c, a->pace_at_ms);
    int64_t ahead_ns = a->pace_ns + 1000000 - c->st->s->now_ns; /* a tick is made up for */
    canon_number(c, a->pace_ns != 0 && ahead_ns > 0 ? (uint64_t)ahead_ns : 0, 8);
    canon_32(c, a->unacked_bytes);
    canon_number(c, a->n_recent, 2);
    canon_number(c, a->fast, 1);
    canon_number(c, a->dup_owed, 2);
}

static void put_variables(struct canon *c, const struct tcb *tcb, const struct tally *tally)
{
    canon_32(c, seq_len(tcb->irs, tcb->rcv.nxt));
    canon_32(c, tcb->rcv.wnd);
    canon_32(c, seq_len(tcb->iss, tcb->snd.una));
    canon_32(c, seq_len(tcb->iss, tcb->snd.nxt));
    canon_measured(c, tcb->snd.wnd);
    bool heard = tcb->state != HF_SYN_SENT && tcb->state != HF_CLOSED; /* from the peer */
    canon_measured(c, heard ? seq_len(tcb->irs, tcb->snd.wl1) : 0);
    canon_measured(c, heard ? seq_len(tcb->iss, tcb->snd.wl2) : 0);
    canon_32(c, tcb->max_snd_wnd);
    put_timestamp(c, tcb->flags & F_TS, tcb->ts_recent);
    canon_32(c, seq_len(tcb->irs, tcb->last_ack_sent));
    canon_measured(c, tcb->srtt_us);
    canon_measured(c, tcb->rttvar_us);
    canon_measured(c, tally->min_rtt_us);
    canon_measured(c, tally->cc_keep[KEEP_W_MAX]);
    canon_measured(c, tally->cc_keep[KEEP_PRIOR]);
    canon_measured(c, tcb->cwnd);
    canon_measured(c, tcb->ssthresh);
    canon_32(c, tcb->rcv_buf);
    canon_32(c, tcb->snd_buf);
}

/* What autotuning goes by, where it can still change anything.  Older than a round trip is as good
 * as a round trip. */
static void put_tuning(struct canon *c, const struct tcb *tcb)
{
    const struct tcp *tcp = &c->st->tcp;
    const struct hf_policy *policy = &tcp->b->policy;
    const struct stats *stats = tcp_stats_seen(tcp, tcb);
    bool idle = !tcp_synchronized(tcb) || !policy->tune_buffers || (tcb->modes & M_RCV_FIXED) ||
                tcb->rcv_buf >= policy->max_receive_window ||
                tally_at(tcp, tcb_index(tcp, tcb))->stats == 0;
    canon_number(c, !idle, 1);
    if (idle) {
        return;
    }
    uint32_t rtt_us = stats->rcv_rtt_us;
    canon_32(c, rtt_us);
    canon_32(c, stats->rcv_space);
    canon_32(c, seq_len(tcb->irs, stats->round_seq));
    canon_32(c, min_u32(tcp->now_us - stats->round_us, rtt_us));
    canon_number(c, stats->rtt_timed, 1);
    if (stats->rtt_timed) {
        canon_32(c, seq_len(tcb->irs, stats->rtt_edge));
        canon_32(c, min_u32(tcp->now_us - stats->rtt_start_us, rtt_us ? rtt_us : UINT32_MAX));
    }
}

static void canon_until(struct canon *c, uint32_t at_ms)
{
    canon_at(c, tcp_pmtu_over(at_ms, c->st->tcp.now_ms) ? 0 : at_ms);
}

/* The search for the path's MTU, once something has been found. */
static void put_path(struct canon *c, const struct tcb *tcb)
{
    const struct stats *stats = tcp_stats_seen(&c->st->tcp, tcb);
    canon_number(c, stats->link_mtu, 2);
    canon_number(c, stats->reordering, 2);
    canon_number(c, stats->search_low, 2);
    canon_number(c, stats->search_high, 2);
    canon_number(c, stats->halving, 1);
    canon_until(c, stats->wait_ms);
    canon_until(c, stats->reset_ms);
    canon_number(c, stats->probe_mtu, 2);
    canon_32(c, stats->probe_mtu ? seq_len(tcb->iss, stats->probe_left) : 0);
    canon_number(c, stats->full_mtu, 2);
    canon_32(c, stats->full_mtu ? seq_len(tcb->iss, stats->full_end) : 0);
    canon_number(c, stats->raised_from, 2);
    canon_32(c, stats->raised_from ? stats->raised_segs << 16 | stats->raised_lost : 0);
}

/* Not asked for and not agreed, once the handshake is over: there will be none. */
static uint32_t without_ecn(const struct tcb *tcb)
{
    bool none = (tcb->modes & (M_ECN_SETTINGS | M_CLASSIC | M_ACCURATE)) == 0;
    return none && tcp_synchronized(tcb) ? M_NO_ECT : 0;
}

static void put_tcb(struct canon *c, uint32_t idx)
{
    const struct hf_policy *policy = &c->st->tcp.b->policy;
    const struct tcb *tcb = tcb_at(&c->st->tcp, idx);
    const struct tally *tally = tally_at(&c->st->tcp, idx);
    const struct active *active = active_of(&c->st->tcp, tcb);
    canon_number(c, tcb->state, 1);
    canon_number(c, tcb->ttl, 1);
    canon_number(c, tcb->tos, 1);
    uint32_t limit_ms = policy->challenge_ack_ms;
    bool limited = (tcb->flags & F_CHALLENGED) && c->st->tcp.now_ms - tcb->challenge_ms < limit_ms;
    uint32_t without = (limited ? 0 : F_CHALLENGED) | (c->fixed ? F_SYN_RESENT : 0);
    canon_32(c, tcb->flags & ~without);
    uint32_t ignored = c->fixed ? M_BACKOFF | M_SYN_LOST | M_WINDOW_LOST : 0;
    canon_32(c, tcb->modes & ~(ignored | without_ecn(tcb)));
    put_variables(c, tcb, tally);
    canon_number(c, tcb->owes, 2);
    canon_number(c, tcb->events, 2);
    canon_number(c, tcb->last_snd_ms != 0, 1);
    canon_age(c, tcb->last_snd_ms != 0 && !c->fixed ? tcb->last_snd_ms : c->st->tcp.now_ms,
              policy->rto_max_ms);
    bool fresh = (tcb->flags & F_TS) && !tcp_stamp_is_stale(&c->st->tcp, tally);
    canon_number(c, fresh, 1);
    canon_age(c, fresh ? tally->last_ack_ms : c->st->tcp.now_ms, INT32_MAX);
    canon_number(c, tcb->snd_mss, 2);
    canon_number(c, tcb->peer_mss, 2);
    canon_number(c, tcb->pmtu, 2);
    canon_number(c, tcb->rcv_mss, 2);
    canon_number(c, (unsigned)tcb->snd_wscale << 4 | tcb->rcv_wscale, 1);
    canon_number(c, tcb->quick_acks, 1);
    canon_number(c, tcb->retries, 1);
    canon_number(c, tcb->error, 1);
    canon_listener_name(c, tcb->flags & F_UNACCEPTED ? tcb->listener : 0);
    canon_extra(c, tcb->extra);
    canon_at(c, tcb->long_at_ms);
    canon_age(c, limited ? tcb->challenge_ms : c->st->tcp.now_ms, limit_ms);
    canon_number(c, tally->max_segment, 2);
    canon_number(c, active != NULL, 1);
    if (active != NULL) {
        put_sending(c, tcb, active);
        put_receiving(c, tcb, active);
    }
    put_tuning(c, tcb);
    put_path(c, tcb);
}

static void put_half_open(struct canon *c, const struct half_open *half)
{
    canon_at(c, half->at_ms);
    put_timestamp(c, half->flags & HALF_TS, half->ts_recent);
    canon_number(c, half->peer_wnd, 2);
    canon_number(c, half->peer_mss, 2);
    bool listened = tcp_half_open_listener(&c->st->tcp, half) != NULL;
    canon_listener_name(c, listened ? half->listener : 0);
    uint32_t limit_ms = c->st->tcp.b->policy.challenge_ack_ms;
    uint32_t ticks = tcp_challenge_ago(c->st->tcp.now_ms >> 6, half->challenged, UINT8_MAX);
    bool limited = half->challenged && ticks << 6 < limit_ms;
    canon_32(c, limited ? ticks : UINT32_MAX);
    canon_number(c, (unsigned)half->snd_wscale << 4 | half->rcv_wscale, 1);
    canon_number(c, half->flags & ~(c->fixed ? HALF_NO_RTT : 0), 1);
    canon_number(c, half->retries, 1);
    canon_number(c,
                 (unsigned)half->classic | (unsigned)half->no_ect << 1 |
                     (unsigned)half->accurate << 2 | (unsigned)half->syn_mark << 3,
                 1);
}

static void put_time_wait(struct canon *c, const struct time_wait *wait)
{
    canon_at(c, wait->at_ms);
    put_timestamp(c, wait->flags & HALF_TS, wait->ts_recent);
    canon_number(c, wait->rcv_wnd, 2);
    uint32_t limit_ms = c->st->tcp.b->policy.challenge_ack_ms;
    uint32_t ticks = tcp_challenge_ago(c->st->tcp.now_ms >> 3, wait->challenged, UINT16_MAX);
    bool limited = wait->challenged && ticks << 3 < limit_ms;
    canon_32(c, limited ? ticks : UINT32_MAX);
    canon_number(c, wait->flags, 1);
    canon_number(c, (unsigned)wait->snd_wscale << 4 | wait->rcv_wscale, 1);
    canon_number(c, wait->tos, 1);
}

/* Where a connection's sequence numbers begin; a reply may belong to none. */
static void bases_of(const struct canon *c, const struct tcp_reply *reply, seq_t *iss, seq_t *irs)
{
    struct conn_id id = {
        .lport = reply->lport,
        .rport = reply->rport,
        .zone = reply->zone,
        .v4 = wire_is_v4(reply->remote),
    };
    memcpy(id.local, reply->local, 16);
    memcpy(id.remote, reply->remote, 16);
    id.hash = tcp_hash_of(&c->st->tcp, &id);
    uint32_t value = tcp_find(&c->st->tcp, &id);
    *iss = *irs = seq(0);
    if (value == 0) {
        return;
    }
    uint32_t idx = FLOW_IDX(value);
    if (FLOW_KIND(value) == KIND_TCB) {
        *iss = tcb_at(&c->st->tcp, idx)->iss;
        *irs = tcb_at(&c->st->tcp, idx)->irs;
    } else if (FLOW_KIND(value) == KIND_HALF_OPEN) {
        *iss = half_at(c, idx)->iss;
        *irs = half_at(c, idx)->irs;
    } else {
        *iss = wait_at(c, idx)->snd_nxt;
        *irs = wait_at(c, idx)->rcv_nxt;
    }
}

static void put_replies(struct canon *c)
{
    const struct tcp_block *b = c->st->tcp.b;
    const struct tcp_reply *ring = stack_at(c->st, b->reply_offset);
    canon_32(c, b->reply_n);
    for (uint32_t i = 0; i < b->reply_n; i++) {
        const struct tcp_reply *reply = &ring[(b->reply_head + i) % b->max_replies];
        seq_t iss, irs;
        bases_of(c, reply, &iss, &irs);
        canon_octets(c, reply, offsetof(struct tcp_reply, seq));
        canon_32(c, seq_len(iss, reply->seq));
        canon_32(c, reply->ctl & ACK ? seq_len(irs, reply->ack) : 0);
        canon_number(c, reply->wnd, 2);
        canon_number(c, reply->ctl, 2);
        canon_number(c, reply->mss, 2);
        canon_number(c, reply->options, 1);
        canon_number(c, reply->wscale | (unsigned)reply->accecn << 4, 1);
        put_timestamp(c, reply->options & OPT_TS, reply->ts_ecr);
        canon_number(c, reply->options & OPT_UTO ? reply->uto : 0, 2);
    }
}

void canon_connections(struct canon *c)
{
    struct item last;
    struct search search = {.c = c};
    for (find_next(&search); search.found; find_next(&search)) {
        last = search.best;
        search.last = &last;
        canon_number(c, last.kind + 1u, 1);
        canon_id(c, &last.id);
        if (last.kind == KIND_TCB) {
            put_tcb(c, last.idx);
        } else if (last.kind == KIND_HALF_OPEN) {
            put_half_open(c, half_at(c, last.idx));
        } else {
            put_time_wait(c, wait_at(c, last.idx));
        }
    }
    canon_number(c, 0, 1);
    put_replies(c);
}

/* hf_records ----------------------------------------------------------------------------------- */

static void tell_tcb(const struct canon *c, uint32_t idx, struct hf_record *record)
{
    const struct tcb *tcb = tcb_at(&c->st->tcp, idx);
    record->state = tcb->state;
    record->numbered = true;
    record->released = (tcb->flags & F_RELEASED) != 0;
    bool owned = !record->released && !(tcb->flags & F_UNACCEPTED);
    record->handle = owned ? tcp_handle(&c->st->tcp, tcb) : 0;
    record->iss = tcb->iss.v;
    record->irs = tcb->irs.v;
    record->snd_una = tcb->snd.una.v;
    record->snd_nxt = tcb->snd.nxt.v;
    record->rcv_nxt = tcb->rcv.nxt.v;
}

static void tell_half_open(const struct half_open *half, struct hf_record *record)
{
    record->state = HF_SYN_RECEIVED;
    record->numbered = true;
    record->iss = record->snd_una = half->iss.v;
    record->snd_nxt = half->iss.v + 1;
    record->irs = half->irs.v;
    record->rcv_nxt = half->irs.v + 1;
}

static void tell(const struct canon *c, const struct item *item, struct hf_record *record)
{
    *record = (struct hf_record){.local_port = item->id.lport, .remote_port = item->id.rport};
    memcpy(record->local_ip, item->id.local, 16);
    memcpy(record->remote_ip, item->id.remote, 16);
    if (item->kind == KIND_TCB) {
        tell_tcb(c, item->idx, record);
    } else if (item->kind == KIND_HALF_OPEN) {
        tell_half_open(half_at(c, item->idx), record);
    } else {
        const struct time_wait *wait = wait_at(c, item->idx);
        record->state = HF_TIME_WAIT;
        record->released = true;
        record->snd_una = record->snd_nxt = wait->snd_nxt.v;
        record->rcv_nxt = wait->rcv_nxt.v;
    }
}

uint32_t hf_records(const struct hf_stack *stack, const struct hf_env *env,
                    struct hf_record *records, uint32_t n)
{
    struct stack st;
    stack_look(&st, stack, env);
    struct canon c = {.st = &st};
    struct item last;
    struct search search = {.c = &c};
    uint32_t count = 0;
    for (find_next(&search); search.found; find_next(&search)) {
        last = search.best;
        search.last = &last;
        if (count < n) {
            tell(&c, &last, &records[count]);
        }
        count++;
    }
    return count;
}
