/* half_open.c - RFC 9293 section 3.5, RFC 4987 3.5: SYN-RECEIVED of a passive open, a small record
 * (RFC4987-4; the flow table's hash is keyed).
 *
 * An ACK that opens a half-open connection first gets it a real tcb; if there is no room in the
 * accept queue, the ACK is ignored and the SYN,ACK keeps its timer (listen(2)).  Records lie in one
 * list for each number of retries: all in a list wait equally long, so each is in order of time.
 */
#include "tcp/ecn.h"

static struct half_open *half_at(const struct tcp *tcp, uint32_t idx)
{
    return pool_at(&tcp->b->halves, tcp->block, idx);
}

static struct links half_links(const struct tcp *tcp)
{
    return pool_links(&tcp->b->halves, tcp->block, offsetof(struct half_open, link));
}

struct listener *tcp_half_open_listener(const struct tcp *tcp, const struct half_open *half)
{
    struct listener *listener = listener_at(tcp, half->listener);
    if (half->id.lport < listener->port_first || half->id.lport > listener->port_last) {
        return NULL;
    }
    return (uint8_t)listener->generation == half->listener_generation ? listener : NULL;
}

/* What it has agreed upon, and heard since. */
static void put_ecn(const struct tcp *tcp, struct half_open *half, const struct tcb *scratch)
{
    half->classic = (scratch->modes & M_CLASSIC) != 0;
    half->accurate = (scratch->modes & M_ACCURATE) != 0;
    half->no_ect = (scratch->modes & M_NO_ECT) != 0;
    bool asked_more = (scratch->flags & F_ASKED_MORE) != 0;
    half->syn_mark = half->accurate ? tcp->no_ecn.syn_mark : asked_more;
}

static struct idlist *half_list(struct tcp *tcp, const struct half_open *half)
{
    return &tcp->b->half_list[half->retries]; /* three bits: synack_retries is below HALF_LISTS */
}

static void file_half_open(struct tcp *tcp, uint32_t idx)
{
    struct half_open *half = half_at(tcp, idx);
    const struct hf_policy *policy = &tcp->b->policy;
    uint64_t rto = (uint64_t)policy->rto_initial_ms << half->retries;
    uint32_t at_ms = ms_after(tcp->now_ms, (uint32_t)min_u64(rto, policy->rto_max_ms));
    struct links links = half_links(tcp);
    uint32_t last = half_list(tcp, half)->tail; /* later where policy had a longer RTO */
    half->at_ms = last ? ms_later(at_ms, half_at(tcp, last)->at_ms) : at_ms;
    half->flags |= half->at_ms != at_ms ? HALF_NO_RTT : 0;
    idlist_push_tail(half_list(tcp, half), &links, idx);
}

void tcp_half_open_policy(struct tcp *tcp, const struct hf_policy *next)
{
    const struct hf_policy *now = &tcp->b->policy;
    bool same = next->rto_initial_ms == now->rto_initial_ms && next->rto_max_ms == now->rto_max_ms;
    struct links links = half_links(tcp);
    uint32_t idx = same ? 0 : idlist_head(&tcp->b->half_list[0]);
    for (; idx != 0; idx = idlist_next(&links, idx)) {
        half_at(tcp, idx)->flags |= HALF_NO_RTT; /* at_ms no longer tells when its SYN,ACK went */
    }
}

uint32_t tcp_first_window(const struct listener *listener)
{
    return min_u32(max_u32(listener->rcv_buf, listener->rcv_promised), 65535);
}

void tcp_listener_promises(struct listener *listener)
{
    if (listener->half == 0 && !listener->cookies_out) {
        listener->rcv_promised = 0;
    }
}

uint32_t tcp_new_half_open(struct tcp *tcp, const struct tcb *scratch, const struct conn_id *id,
                           uint32_t listener_idx)
{
    struct tcp_block *b = tcp->b;
    uint32_t idx = pool_alloc(&b->halves, tcp->block);
    if (idx == 0) {
        return 0;
    }
    struct half_open *half = half_at(tcp, idx);
    memset(half, 0, sizeof *half);
    if (!tcp_put_id(tcp, id, &half->id)) {
        pool_free(&b->halves, tcp->block, idx);
        return 0;
    }
    if (!flowtab_insert(&b->flows, tcp->block, id->hash, FLOW_VALUE(KIND_HALF_OPEN, idx))) {
        tcp_drop_id(tcp, &half->id, !id->v4);
        pool_free(&b->halves, tcp->block, idx);
        return 0;
    }
    struct listener *listener = listener_at(tcp, listener_idx);
    half->iss = scratch->iss;
    half->irs = scratch->irs;
    half->ts_recent = scratch->ts_recent;
    half->peer_wnd = (uint16_t)scratch->snd.wnd;
    half->peer_mss = scratch->peer_mss;
    half->listener = (uint16_t)listener_idx;
    half->listener_generation = (uint8_t)listener->generation;
    half->snd_wscale = scratch->snd_wscale;
    half->rcv_wscale = scratch->rcv_wscale;
    half->flags = tcp_compact_flags(scratch->flags);
    put_ecn(tcp, half, scratch);
    half->zone = id->zone;
    tcp_listener_promises(listener);
    tcp_backlog_add(tcp, listener_idx, id);
    file_half_open(tcp, idx);
    return idx;
}

void tcp_drop_half_open(struct tcp *tcp, uint32_t idx)
{
    struct half_open *half = half_at(tcp, idx);
    struct conn_id id;
    tcp_id_of(tcp, &half->id, half->zone, half->flags & HALF_V6, &id);
    tcp_hash(tcp, &id);
    flowtab_remove(&tcp->b->flows, tcp->block, id.hash, FLOW_VALUE(KIND_HALF_OPEN, idx));
    bool open = tcp_half_open_listener(tcp, half) != NULL;
    tcp_backlog_remove(tcp, half->listener, half->listener_generation, &id, open);
    struct links links = half_links(tcp);
    idlist_remove(half_list(tcp, half), &links, idx);
    tcp_drop_id(tcp, &half->id, half->flags & HALF_V6);
    pool_free(&tcp->b->halves, tcp->block, idx);
}

void tcp_inflate_half_open(struct tcp *tcp, const struct half_open *half,
                           const struct conn_id *arrived, struct tcb *scratch)
{
    tcp_inflate(tcp, &half->id, half->zone, half->flags, arrived, scratch);
    const struct listener *listener = tcp_half_open_listener(tcp, half);
    scratch->rcv.wnd = min_u32(scratch->rcv_buf, 65535);
    if (listener) {
        scratch->rcv_buf = listener->rcv_buf;
        scratch->rcv.wnd = tcp_first_window(listener);
        scratch->snd_buf = listener->snd_buf;
        scratch->ttl = listener->ttl;
        scratch->tos = listener->tos;
        scratch->flags |= listener->inherit;
        scratch->modes = listener->inherit_modes;
        scratch->extra = listener->extra; /* borrowed: promote makes its own */
        tcp->no_tally.max_segment = listener->max_segment;
    }
    tcp_set_state(scratch, HF_SYN_RECEIVED);
    scratch->flags |= F_PASSIVE | (half->retries ? F_SYN_RESENT : 0) |
                      (half->classic && half->syn_mark ? F_ASKED_MORE : 0);
    scratch->modes |= half->retries > 1 ? M_SYN_LOST : 0;
    scratch->iss = half->iss;
    scratch->snd.una = half->iss;
    scratch->snd.nxt = seq_add(half->iss, 1);
    scratch->snd.wnd = scratch->max_snd_wnd = half->peer_wnd;
    scratch->snd.wl1 = scratch->irs = half->irs;
    scratch->snd.wl2 = half->iss;
    scratch->rcv.nxt = scratch->last_ack_sent = seq_add(half->irs, 1);
    scratch->ts_recent = half->ts_recent;
    scratch->peer_mss = half->peer_mss;
    scratch->snd_wscale = half->snd_wscale;
    scratch->rcv_wscale = half->rcv_wscale;
    scratch->snd_mss = scratch->rcv_mss = tcp_effective_mss(tcp, scratch);
    scratch->modes |= (half->classic ? M_CLASSIC : 0) | (half->accurate ? M_ACCURATE : 0) |
                      (half->no_ect ? M_NO_ECT : 0);
    tcp_ecn_attach(tcp, scratch);
    tcp->no_ecn.syn_mark = half->syn_mark;
    scratch->retries = half->retries;
    scratch->last_snd_ms = ms_after(half->at_ms, 0); /* a SYN,ACK has left */
    if (half->challenged) {
        uint32_t ago = tcp_challenge_ago(tcp->now_ms >> 6, half->challenged, UINT8_MAX);
        scratch->flags |= F_CHALLENGED;
        scratch->challenge_ms = tcp->now_ms - (ago << 6);
    }
}

/* It ends, and no segment or timer of its own says so. */
static void drop_untold(struct tcp *tcp, uint32_t idx, int error, enum hf_cause cause)
{
    tcp_compact_ended(tcp, FLOW_VALUE(KIND_HALF_OPEN, idx), error, cause, HF_V_ACCEPTED);
    tcp_drop_half_open(tcp, idx);
}

bool tcp_forget_half_open(struct tcp *tcp, uint32_t idx)
{
    bool forgotten = tcp_half_open_listener(tcp, half_at(tcp, idx)) == NULL;
    if (forgotten) {
        drop_untold(tcp, idx, HF_ERR_ABORTED, HF_CAUSE_LISTENER_CLOSED);
    }
    return forgotten;
}

struct tcb *tcp_promote(struct tcp *tcp, uint32_t listener_idx, const struct conn_id *id,
                        const struct tcb *scratch)
{
    const struct listener *listener = listener_at(tcp, listener_idx);
    if (tcp_accept_full(listener)) {
        return NULL;
    }
    uint32_t extra = 0;
    if (!tcp_copy_extra(tcp, listener->extra, &extra)) {
        return NULL;
    }
    uint32_t idx = tcp_new(tcp, id);
    if (idx == 0) {
        tcp_drop_extra(tcp, &extra);
        return NULL;
    }
    struct tcb *tcb = tcb_at(tcp, idx);
    struct tuple tuple = tcb->id;
    uint32_t generation = tcb->generation;
    uint32_t mtu = tcb->pmtu;
    *tcb = *scratch;
    tcb->id = tuple;
    tcb->generation = generation;
    tcb->pmtu = (uint16_t)mtu;
    /* The segment is judged once more, on the tcb: its ACK must not fall to the limit twice. */
    tcb->flags = (scratch->flags & ~(uint32_t)(F_COMPACT | F_CHALLENGED)) | F_UNACCEPTED;
    tcb->owes = 0;
    tcb->last_snd_ms = 0;
    tcb->listener = listener_idx;
    tcb->extra = extra;
    if (!tcp_accecn_promote(tcp, tcb)) {
        tcb->flags &= ~(uint32_t)F_UNACCEPTED; /* it is in no queue yet */
        tcp_delete(tcp, tcb);
        return NULL;
    }
    tally_at(tcp, idx)->max_segment = listener->max_segment;
    tally_at(tcp, idx)->segs_in = 1;
    tcp_heard(tcp, tcb);
    return tcb;
}

static struct tcb *promote(struct tcp *tcp, uint32_t half_idx, const struct conn_id *id,
                           const struct tcb *scratch)
{
    struct half_open *half = half_at(tcp, half_idx);
    bool heard = tcp_half_open_listener(tcp, half) != NULL;
    struct tcb *tcb = heard ? tcp_promote(tcp, half->listener, id, scratch) : NULL;
    if (tcb == NULL) {
        return NULL;
    }
    uint32_t rto_ms = tcp->b->policy.rto_initial_ms;
    uint32_t since_ms = tcp->now_ms - (half->at_ms - rto_ms); /* ms_after is never 0 */
    if (half->retries == 0 && !(half->flags & HALF_NO_RTT) && since_ms <= rto_ms) {
        tcp_rtt_sample(tcp, tcb, max_u32(since_ms * 1000, 500)); /* RFC 6298 3: sent once */
    }
    tcp_drop_half_open(tcp, half_idx);
    tcp_end_time_wait(tcp, id); /* MAY-2: replaced now that this is open */
    return tcb;
}

enum hf_verdict tcp_arrives_promoted(struct tcp *tcp, struct tcb *tcb, struct segment *seg,
                                     enum hf_verdict opened)
{
    tcp->before.handle = tcp_handle(tcp, tcb);
    tcb->last_snd_ms = ms_after(tcp->now_ms, 0); /* our SYN,ACK has left, nobody knows when */
    uint32_t generation = tcb->generation;
    enum hf_verdict verdict = tcp_arrives_otherwise(tcp, tcb, seg);
    verdict = verdict == HF_V_ACCEPTED ? opened : verdict;
    bool alive = tcb->generation == generation;
    tcp_trace_end(tcp, alive ? tcb : NULL, verdict);
    if (alive) {
        tcp_settle(tcp, tcb);
    }
    return verdict;
}

/* What the steps did to the scratch copy of a half-open connection. */
static void put_back_half_open(struct tcp *tcp, uint32_t idx, struct tcb *scratch,
                               const struct conn_id *id)
{
    if (scratch->state == HF_CLOSED) {
        tcp_drop_half_open(tcp, idx);
        return;
    }
    struct half_open *half = half_at(tcp, idx);
    half->ts_recent = scratch->ts_recent;
    if ((scratch->flags & F_CHALLENGED) && scratch->challenge_ms == tcp->now_ms) {
        half->challenged = (uint8_t)tcp_challenge_tick(tcp->now_ms >> 6, UINT8_MAX);
    }
    half->flags |= scratch->owes & HF_OWES_SYN ? HALF_NO_RTT : 0;
    tcp_reply_owed(tcp, scratch, id);
    put_ecn(tcp, half, scratch);
}

/* The peer sent its SYN twice, got a cookie first, and answers that one; or this half-open one is
 * of an older SYN of his that came late.  A cookie of an older SYN is an old duplicate (3.4.1), and
 * of one in TIME-WAIT whatever its number: while that stands behind this, no SYN gets a cookie. */
static bool answers_cookie(struct tcp *tcp, const struct half_open *half, const struct conn_id *id,
                           const struct segment *seg)
{
    struct listener *listener = tcp_half_open_listener(tcp, half);
    struct tcb scratch;
    return listener && !seq_eq(seg->ack, seq_add(half->iss, 1)) &&
           tcp_cookie_awaited(tcp, listener, seg) && tcp_find_waiting(tcp, id) == 0 &&
           tcp_cookie_read(tcp, half->listener, id, seg, &scratch) &&
           seq_geq(scratch.irs, half->irs);
}

enum hf_verdict tcp_arrives_half_open(struct tcp *tcp, uint32_t idx, const struct conn_id *id,
                                      struct segment *seg)
{
    if (answers_cookie(tcp, half_at(tcp, idx), id, seg)) {
        uint32_t listener = half_at(tcp, idx)->listener;
        drop_untold(tcp, idx, HF_OK, HF_CAUSE_REPLACED);
        return tcp_arrives_cookie(tcp, listener, id, seg);
    }
    struct tcb scratch;
    tcp_inflate_half_open(tcp, half_at(tcp, idx), id, &scratch);
    tcp_trace_begin(tcp, &scratch, HF_TRACE_IN, HF_CAUSE_NONE);
    seg->wnd <<= seg->ctl & SYN ? 0 : scratch.snd_wscale;
    tcp_trace_segment(tcp, id, seg);
    struct segment again = *seg;
    enum hf_verdict verdict = tcp_arrives_otherwise(tcp, &scratch, seg);
    if (verdict != (enum hf_verdict)V_PROMOTE) {
        tcp_trace_end(tcp, &scratch, verdict);
        put_back_half_open(tcp, idx, &scratch, id);
        return verdict;
    }
    struct tcb *tcb = promote(tcp, idx, id, &scratch);
    if (tcb == NULL) {
        bool reset = tcp->b->policy.abort_on_overflow;
        if (reset) {
            tcp_finish(tcp, &scratch, HF_ERR_ABORTED, HF_CAUSE_NONE, HF_V_DROP_ACCEPT_FULL);
        }
        tcp_trace_end(tcp, &scratch, HF_V_DROP_ACCEPT_FULL);
        if (reset) {
            tcp_reply_rst(tcp, id, &again);
            tcp_drop_half_open(tcp, idx);
        }
        return HF_V_DROP_ACCEPT_FULL;
    }
    *seg = again;
    return tcp_arrives_promoted(tcp, tcb, seg, HF_V_ACCEPTED);
}

/* SYN,ACK again, or the end: half-open connections may be given up early (RFC 4987 3.3: RFC4987-2).
 */
static void half_open_timeout(struct tcp *tcp, uint32_t idx)
{
    struct half_open *half = half_at(tcp, idx);
    if (tcp_forget_half_open(tcp, idx)) {
        return;
    }
    struct tcb scratch;
    tcp_inflate_half_open(tcp, half, NULL, &scratch);
    struct conn_id id;
    tcp_id(tcp, &scratch, &id);
    tcp_trace_begin(tcp, &scratch, HF_TRACE_TIMER, HF_TIMER_SYN_ACK);
    if (half->retries >= tcp->b->policy.synack_retries) {
        tcp_finish(tcp, &scratch, HF_ERR_TIMED_OUT, HF_TIMER_SYN_ACK, HF_V_ACCEPTED);
        tcp_trace_end(tcp, &scratch, HF_V_ACCEPTED);
        tcp_drop_half_open(tcp, idx);
        return;
    }
    struct links links = half_links(tcp);
    idlist_remove(half_list(tcp, half), &links, idx);
    half->retries++;
    file_half_open(tcp, idx);
    scratch.owes = HF_OWES_SYN;
    scratch.retries = half->retries;
    tcp_trace_end(tcp, &scratch, HF_V_ACCEPTED);
    tcp_reply_owed(tcp, &scratch, &id);
    put_ecn(tcp, half, &scratch);
}

void tcp_half_open_timeouts(struct tcp *tcp, uint32_t *budget)
{
    for (uint32_t i = 0; i < HALF_LISTS; i++) {
        uint32_t idx = idlist_head(&tcp->b->half_list[i]);
        for (; idx != 0 && ms_due(half_at(tcp, idx)->at_ms, tcp->now_ms) && *budget; --*budget) {
            half_open_timeout(tcp, idx);
            idx = idlist_head(&tcp->b->half_list[i]);
        }
    }
}

uint32_t tcp_half_open_next(const struct tcp *tcp)
{
    uint32_t at_ms = 0;
    for (uint32_t i = 0; i < HALF_LISTS; i++) {
        uint32_t idx = idlist_head(&tcp->b->half_list[i]);
        at_ms = ms_earlier(at_ms, idx ? half_at(tcp, idx)->at_ms : 0);
    }
    return at_ms;
}

/* Resets what nobody has accepted yet. */
static void reset_queue(struct tcp *tcp, struct idlist *queue)
{
    for (uint32_t idx = idlist_head(queue); idx != 0; idx = idlist_head(queue)) {
        struct tcb *tcb = tcb_at(tcp, idx);
        if (tcb->state != HF_CLOSED) {
            tcp_trace_ended(tcp, tcb, HF_ERR_ABORTED, HF_CAUSE_LISTENER_CLOSED, HF_V_ACCEPTED);
        }
        if (tcb->state != HF_LISTEN && tcb->state != HF_CLOSED) {
            tcp_reply_abort(tcp, tcb);
        }
        tcp_delete(tcp, tcb);
    }
}

void tcp_close_listener(struct tcp *tcp, uint32_t listener_idx)
{
    struct listener *listener = listener_at(tcp, listener_idx);
    reset_queue(tcp, &listener->accept);
    reset_queue(tcp, &listener->asked);
}
