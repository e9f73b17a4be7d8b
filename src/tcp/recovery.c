/* recovery.c - RFC 5681 section 3.2, RFC 8985 (with SACK), RFC 6582 (without): what follows when
 * text is taken for lost, and what is sent again.
 *
 *     RECOVERY_NONE  -- something is lost -----------> RECOVERY_FAST  until `recover`
 *     RECOVERY_NONE  -- the network is congested ----> RECOVERY_CWR   until `recover`
 *     any            -- retransmission timeout ------> RECOVERY_RTO   until `recover`
 *
 * What is lost is said by rack.c, by sack.c (RFC 6675, where policy wants it), or by duplicates; it
 * is marked in the records of sent.c.  Here cwnd and ssthresh follow: by prr.c while they come
 * down, by undo.c when it was all a mistake.  Output asks tcp_recovery_next first, then sends new
 * text as tcp_recovery_allows.  SND.NXT never moves back.
 */
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/stats.h"

enum { DUP_ACKS_MAX = 255, LIMITED_TRANSMIT = 2 };

static uint32_t flight_of(const struct tcb *tcb)
{
    return seq_len(tcb->snd.una, tcb->snd.nxt);
}

static bool has_sack(const struct tcb *tcb)
{
    return tcb->flags & F_SACK;
}

/* Entering and leaving --------------------------------------------------------------------------
 */

/* RFC 5681 3.1, RFC 6675 5 (4.2): segments of Limited Transmit do not count as flight, they lie
 * beyond cwnd.  RFC5681-24, RFC2018-14 */
static void reduce(struct tcp *tcp, struct tcb *tcb, uint32_t flight, enum congestion_sign sign)
{
    struct active *active = active_of(tcp, tcb);
    flight = min_u32(flight, tcb->cwnd);
    tcp_undo_begin(tcb, active);
    tcp_cwnd_congested(tcp, tcb, active, flight, sign);
    active->recover = tcb->snd.nxt; /* RFC6675-16 */
    tcp_ecn_reduced(tcb, active);
    active->recovered = 1;
    tcp_prr_begin(tcp, tcb);
}

/* RFC 8985 7.1, 8: no probe, and no timer for one, from now on. */
static void no_probe(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    tcp_tlp_reset(active);
    if (active->timer == TIMER_TLP) {
        tcp_rto_resume(tcp, tcb);
    }
}

/* RFC4821-1: recovery without a reduction, for as long as nothing else is lost. */
static bool spare_window(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    active->spared =
        has_sack(tcb) && tcp_pmtu_probe_lost(tcp, tcb, active->sum[SUM_LOST].bytes) ? 1 : 0;
    if (active->spared) {
        tcp_undo_forget(active);
        active->recover = tcb->snd.nxt;
        active->recovered = 1;
    }
    return active->spared;
}

/* RFC 6675 5 (4), RFC 6582 3.2 (2).  When the window is coming down already, for another reason,
 * that is enough.  RFC5681-34 */
static void enter_fast(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->recovery == RECOVERY_CWR) {
        active->recover = tcb->snd.nxt;
        active->recovered = 1;
    } else if (!spare_window(tcp, tcb)) {
        reduce(tcp, tcb, flight_of(tcb), CC_LOSS);
    }
    active->recovery = RECOVERY_FAST;
    active->resend = !has_sack(tcb);
    if (!has_sack(tcb)) { /* as many have left the network; RFC5681-25 */
        tcb->cwnd = tcb->ssthresh + tcp->b->policy.dupthresh * smss(tcb);
    }
    if (active->sum[SUM_LOST].bytes == 0) {
        tcp_sent_lose_first(tcp, tcb); /* RFC6675-18 */
    }
    active->rescue = seq_add(tcb->snd.una, min_u32(flight_of(tcb), smss(tcb)));
    no_probe(tcp, tcb, active);
}

/* RFC6675-19, RFC6675-20: marks of what is above stay */
static void leave(struct active *active)
{
    active->recovery = RECOVERY_NONE;
    active->dup_acks = 0;
    active->resend = 0;
    active->spared = 0;
    active->frto = FRTO_OFF;
}

/* RFC 3168 6.1.2.  What loss has begun to reduce, a mark reduces no further.  What was in flight is
 * what this round had: the ACK that tells of the mark may have acknowledged all of it, and then the
 * reduction has ended as well (RFC9937-11). */
void tcp_recovery_enter_cwr(struct tcp *tcp, struct tcb *tcb, enum congestion_sign sign)
{
    struct active *active = active_of(tcp, tcb);
    if (active && active->recovery == RECOVERY_NONE) {
        reduce(tcp, tcb, active->growth.max_flight, sign);
        tcp_undo_forget(active);
        active->recovered = 0; /* nothing goes again: duplicates are no echoes of that */
        active->recovery = RECOVERY_CWR;
        if (flight_of(tcb)) {
            tcp_prr_on_ack(tcp, tcb);
        } else {
            tcp_recovery_end_cwr(tcp, tcb);
        }
    }
}

void tcp_recovery_end_cwr(const struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->recovery == RECOVERY_CWR) {
        tcb->cwnd = min_u32(tcb->ssthresh, active->undo_cwnd); /* RFC9937-11 */
        leave(active);
    }
}

/* RFC 6582 3.2 (3): full and partial acknowledgments; (4) duplicates inflate the window.
 * RFC5681-26, RFC6582-5, RFC6582-6, RFC6582-7 */
static void newreno_ack(struct tcp *tcp, struct tcb *tcb, uint32_t acked, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    if (acked) {
        tcb->cwnd -= min_u32(acked, tcb->cwnd);
        tcb->cwnd = max_u32(tcb->cwnd + (acked >= smss(tcb) ? smss(tcb) : 0), smss(tcb));
        active->resend = 1;
        tcp_sent_lose_first(tcp, tcb);
    } else if (duplicate && tcb->cwnd < tcb->ssthresh + seq_len(tcb->snd.una, active->recover)) {
        tcb->cwnd += smss(tcb); /* RFC5681-26; RFC5681-35: for no more than were out */
    }
}

/* True: fast recovery is over.  RFC5681-28, RFC6582-3, RFC6582-4 */
static bool fast_ack(struct tcp *tcp, struct tcb *tcb, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    bool full = seq_geq(tcb->snd.una, active->recover);
    if (tcp_undo_by_echo(tcp, tcb) || tcp_undo_by_dsack(tcp, active)) {
        tcp_undo(tcp, tcb, false);
    } else if (!full) {
        if (!has_sack(tcb)) {
            newreno_ack(tcp, tcb, tcp->news.acked, duplicate);
        }
        return false;
    } else if (has_sack(tcb)) {
        tcb->cwnd = active->spared ? tcb->cwnd : tcb->ssthresh; /* RFC9937-11 */
    } else { /* no burst: RFC 6582 3.2 (3), first option */
        uint32_t flight = max_u32(flight_of(tcb), smss(tcb));
        tcb->cwnd = min_u32(tcb->ssthresh, flight + smss(tcb));
    }
    leave(active);
    return true;
}

/* RFC 5682, RFC 3522: perhaps nothing was lost; true: so it is, and cwnd is what it shall be (RFC
 * 4015 3.4).  Else go-back goes on to `recover`. */
static bool rto_ack(struct tcp *tcp, struct tcb *tcb, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    bool spurious = tcp_undo_by_echo(tcp, tcb);
    if (spurious || tcp_frto_on_ack(tcp, tcb, duplicate)) {
        tcp_undo(tcp, tcb, true);
        leave(active);
        return true;
    }
    if (seq_geq(tcb->snd.una, active->recover)) {
        leave(active);
    }
    return false;
}

/* What the ACK means in the state there is; true: a reduction of the window has ended. */
static bool follow_state(struct tcp *tcp, struct tcb *tcb, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    switch (active->recovery) {
    case RECOVERY_FAST:
        return fast_ack(tcp, tcb, duplicate);
    case RECOVERY_RTO:
        return rto_ack(tcp, tcb, duplicate);
    case RECOVERY_CWR:
        if (seq_geq(tcb->snd.una, active->recover)) {
            tcp_recovery_end_cwr(tcp, tcb);
            return true;
        }
        break;
    default:
        if (tcp_undo_by_dsack(tcp, active)) { /* when recovery was over */
            tcp_undo(tcp, tcb, false);
        }
        break;
    }
    if (duplicate && active->dup_acks < DUP_ACKS_MAX) {
        active->dup_acks++;
    }
    return false;
}

/* RFC 8985 6.2; RFC 6675 5 (1), (2); RFC 6582: without SACK duplicates may be echoes of what was
 * sent twice, as long as SND.UNA is not beyond `recover`.  RFC5681-19, RFC6582-2, RFC6675-13,
 * RFC6675-14, RFC6675-24 */
static void look_for_loss(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    bool enough = active->dup_acks >= tcp->b->policy.dupthresh;
    if (tcp_rack_used(tcp, tcb)) {
        tcp_rack_detect(tcp, tcb);
        enough = active->sum[SUM_LOST].bytes != 0;
    } else if (has_sack(tcb)) {
        tcp_sack_lose(tcp, tcb);
        enough = enough || active->sum[SUM_LOST].bytes != 0;
    } else if (active->recovered && seq_leq(tcb->snd.una, active->recover)) {
        enough = false;
    }
    if (enough && active->recovery < RECOVERY_FAST) {
        enter_fast(tcp, tcb);
    } else if (active->spared && tcp->news.lost) { /* also of what a smaller MTU made go again */
        reduce(tcp, tcb, flight_of(tcb), CC_LOSS);
        active->spared = 0;
        active->recovery = RECOVERY_FAST;
    }
}

static void prr(const struct tcp *tcp, struct tcb *tcb)
{
    if (!active_of(tcp, tcb)->spared) {
        tcp_prr_on_ack(tcp, tcb);
    }
}

/* cwnd for what has arrived, by PRR while it comes down (RFC8985-34).  ended: it was set by the end
 * of a reduction (RFC6582-14). */
static void set_window(struct tcp *tcp, struct tcb *tcb, uint32_t dup_acks, bool ended)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    if (active->recovery == RECOVERY_CWR || (active->recovery == RECOVERY_FAST && has_sack(tcb))) {
        prr(tcp, tcb);
    } else if (active->recovery != RECOVERY_FAST && !ended &&
               (news->acked || (news->sacked && (tcb->modes & M_REORDERED)))) {
        uint32_t delivered = news->delivered;
        if (!has_sack(tcb)) { /* a segment each, it is presumed */
            delivered -= min_u32(delivered, dup_acks * smss(tcb));
        }
        tcp_cwnd_grow(tcp, tcb, active, delivered);
    }
}

void tcp_recovery_on_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                         bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    if (active == NULL) {
        return;
    }
    uint32_t dup_acks = active->dup_acks;
    if (news->rtt_us) {
        tcp_rack_min_rtt(tcp, tcb, news->rtt_us);
        active->growth.rtt_us = news->rtt_us;
    }
    if (news->acked) {
        tcp_cwnd_note_flight(tcb, active, news->acked);
        active->dup_acks =
            active->recovery == RECOVERY_FAST ? active->dup_acks : 0; /* RFC6675-11 */
        active->probe = PROBE_NONE;
    }
    tcp_undo_note_dsack(tcp, active);
    tcp_tlp_on_ack(tcp, tcb, seg, duplicate);
    duplicate = has_sack(tcb) ? news->sacked != 0 : duplicate; /* RFC6675-12 */
    bool ended = follow_state(tcp, tcb, duplicate);
    tcp_rack_adapt(tcp, tcb, ended);
    if (active->recovered && seq_gt(tcb->snd.una, active->recover)) {
        /* RFC6582-13: `recover` says nothing any more */
        active->recovered = 0;
    }
    if (flight_of(tcb)) {
        look_for_loss(tcp, tcb);
    }
    set_window(tcp, tcb, dup_acks, ended);
}

/* RFC 8985 6.2 step 5: the reordering window of something has passed. */
void tcp_recovery_on_rack_timer(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    tcp->news = (struct ack_news){0};
    tcp_rto_resume(tcp, tcb);
    look_for_loss(tcp, tcb);
    if (active->recovery == RECOVERY_FAST && has_sack(tcb)) {
        prr(tcp, tcb);
    }
}

/* RFC 2018 8: SND.UNA has come to text that the peer held, and stopped there: it has dropped it. */
static bool peer_reneged(const struct tcp *tcp, const struct active *active)
{
    return active->sent_first && (sent_at(tcp, active->sent_first)->flags & SENT_SACKED);
}

/* RFC2018-12, RFC2018-13, RFC2018-15.  all: whatever its age. */
static void go_back(struct tcp *tcp, struct tcb *tcb, bool all)
{
    struct active *active = active_of(tcp, tcb);
    bool keep = tcp->b->policy.sack_keep_on_rto && !peer_reneged(tcp, active);
    tcp_sent_go_back(tcp, tcb, keep, all);
    /* RFC6582-9, RFC6675-24 */
    active->recovery = RECOVERY_RTO;
    active->recover = tcb->snd.nxt;
    active->recovered = 1;
    active->spared = 0;
    active->resend = 1;
    active->dup_acks = 0;
    tcp_tlp_reset(active);
}

/* Nothing was lost so far: what is lost from now on reduces the window, be it found by RACK or by
 * the timer, which has not sent anything again (RFC 5681 3.1, 4.3).  A reduction under way is
 * complete at once. */
void tcp_recovery_go_back(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || flight_of(tcb) == 0) {
        return;
    }
    uint8_t recovery = active->recovery;
    bool spared = recovery == RECOVERY_NONE || active->spared;
    tcp_undo_forget(active);
    active->frto = FRTO_OFF;
    go_back(tcp, tcb, true);
    active->spared = spared ? 1 : 0;
    if (recovery != RECOVERY_RTO) {
        active->rescue = seq_sub(tcb->snd.una, 1);
        tcb->cwnd = spared ? tcb->cwnd : min_u32(tcb->cwnd, tcb->ssthresh);
    }
}

/* RFC 5681 3.1, equation (4), and the loss window.  A segment lost once more changes ssthresh no
 * more: its number is in `rescue`.  SHLD-16 */
void tcp_recovery_on_rto(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return;
    }
    tcp->news = (struct ack_news){0};
    tcp_rack_on_rto(tcp, active);
    /* RFC5681-16 */
    bool again = active->recovery == RECOVERY_RTO && seq_eq(active->rescue, tcb->snd.una);
    tcp_frto_begin(tcp, tcb, active, again);
    if (!again) {
        if (active->recovery < RECOVERY_FAST) {
            tcp_undo_begin(tcb, active);
        } else { /* what was found before may well have been right */
            tcp_undo_forget(active);
        }
        tcp_cwnd_congested(tcp, tcb, active, flight_of(tcb), CC_TIMEOUT);
    }
    /* RFC5681-15, RFC6928-6 */
    tcb->cwnd = smss(tcb);
    tcp_ecn_reduced(tcb, active);
    go_back(tcp, tcb, !tcp_rack_used(tcp, tcb));
    active->rescue = tcb->snd.una;
}

/* RFC 9293 3.8.6.1: what a window refused that had shrunk is asked again by the timer; once it is
 * open, that need not wait.  Once for each timeout, however often it opens. */
void tcp_recovery_reopened(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->recovery == RECOVERY_RTO && active->backoff && flight_of(tcb)) {
        tcp_sent_lose_first(tcp, tcb);
        active->resend = 1;
        active->backoff = 0;
        active->frto = FRTO_OFF;
        tcp_rto_restart(tcp, tcb);
    }
}

/* What is sent again ----------------------------------------------------------------------------
 */

/* The place of what is sent again is looked for from where it was last. */
static void seek(const struct tcp *tcp, const struct tcb *tcb, struct active *active, seq_t at)
{
    if (active->rxt.chunk == 0 || seq_lt(at, active->rxt.at) ||
        seq_lt(active->rxt.at, tcb->snd.una)) {
        active->rxt = (struct cursor){tcb->snd.una, active->sq_head, active->sq_skip};
    }
    tcp_cursor_advance(tcp, &active->rxt, seq_len(active->rxt.at, at));
}

/* RFC 7323 2.4 (4), (5): what was in the window when it left goes again once, whatever has become
 * of the window (RFC7323-17, MAY-7); later, as much as the window takes, and of a closed one the
 * first segment, which asks the peer (RFC7323-18). */
static uint32_t repeat_room(const struct tcb *tcb, const struct sent *sent)
{
    seq_t edge = seq_add(tcb->snd.una, tcb->snd.wnd);
    if ((sent->flags & SENT_TWICE) == 0 || (tcb->snd.wnd == 0 && seq_leq(sent->left, edge))) {
        return UINT32_MAX;
    }
    return seq_lt(sent->left, edge) ? seq_len(sent->left, edge) : 0;
}

/* RFC8985-33: cwnd - pipe must have room for it; the first segment after a timeout, and those of
 * RFC 6582, go in any case.  RFC6675-5, RFC6675-9 */
static uint32_t next_lost(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                          seq_t *at)
{
    uint32_t idx = tcp_sent_next_lost(tcp, active);
    if (idx == 0) {
        return tcp_rack_used(tcp, tcb) || !has_sack(tcb) ? 0 : tcp_sack_next(tcp, tcb, at);
    }
    const struct sent *sent = sent_at(tcp, idx);
    uint32_t len = min_u32(seq_len(sent->left, sent->right), min_u32(sent->mss, smss(tcb)));
    *at = sent->left;
    len = min_u32(len, repeat_room(tcb, sent));
    bool fits = tcp_sent_pipe(active) + len <= tcb->cwnd;
    return fits || active->resend ? len : 0;
}

uint32_t tcp_recovery_next(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return 0;
    }
    active->rescued = 0;
    if (active->sent_first == 0) {
        return 0;
    }
    seq_t at;
    uint32_t len = 0;
    if (active->probe == PROBE_REPEAT) {
        len = min_u32(tcp_tlp_segment(tcp, tcb, active, &at), smss(tcb));
    } else if (active->recovery >= RECOVERY_FAST && active->frto != FRTO_NEW_TEXT) {
        len = next_lost(tcp, tcb, active, &at);
    }
    if (len) {
        seek(tcp, tcb, active, at);
    }
    return len;
}

void tcp_recovery_sent(struct tcp *tcp, struct tcb *tcb, uint32_t len)
{
    struct active *active = active_of(tcp, tcb);
    seq_t at = active->rxt.at;
    tcp_sent_again(tcp, tcb, at, len);
    tcp_cursor_advance(tcp, &active->rxt, len);
    if (active->probe == PROBE_REPEAT) {
        tcp_tlp_sent(tcb, active);
        return;
    }
    tcp_undo_sent(tcp, active, at, len);
    tcp_prr_sent(active, len);
    active->resend = 0;
    if (active->rescued) {
        active->rescue = active->recover;
        active->rescued = 0;
    }
}

/* New text ------------------------------------------------------------------------------------- */

static uint32_t room(uint32_t window, uint32_t used)
{
    return window > used ? window - used : 0;
}

/* RFC 5682 3.1 (2b): two segments.  RFC6675-25 */
static uint32_t rto_allows(const struct tcp *tcp, const struct tcb *tcb, struct active *active)
{
    uint32_t pipe = tcp_sent_pipe(active);
    if (active->frto == FRTO_NEW_TEXT) {
        return room(2 * smss(tcb), seq_len(active->recover, tcb->snd.nxt));
    }
    return tcp_sent_next_lost(tcp, active) ? 0 : room(tcb->cwnd, pipe);
}

/* RFC5681-1, RFC5681-2, RFC5681-21, RFC5681-22, RFC5681-27, RFC3042-1, RFC3042-2, RFC6582-7,
 * RFC6675-15, RFC6675-22 */
uint32_t tcp_recovery_allows(const struct tcp *tcp, const struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t flight = flight_of(tcb);
    if (active == NULL || flight == 0) {
        return max_u32(tcb->cwnd, smss(tcb));
    }
    if (active->probe == PROBE_NEW) {
        return smss(tcb); /* RFC8985-23: beyond cwnd */
    }
    if (active->recovery == RECOVERY_RTO) {
        return rto_allows(tcp, tcb, active);
    }
    if (has_sack(tcb)) {
        uint32_t octets = room(tcb->cwnd, tcp_sent_pipe(active));
        return active->recovery == RECOVERY_FAST && octets < smss(tcb) ? 0 : octets;
    }
    uint32_t window = tcb->cwnd;
    if (active->recovery == RECOVERY_NONE) { /* RFC 3042 */
        window += min_u32(active->dup_acks, LIMITED_TRANSMIT) * smss(tcb);
    }
    return room(window, flight);
}

/* RFC6675-4, RFC6675-21 */
uint32_t tcp_sent_pipe(const struct active *active)
{
    const struct sent_sum *sum = active->sum;
    return sum[SUM_OUT].bytes - sum[SUM_SACKED].bytes - sum[SUM_LOST].bytes + sum[SUM_AGAIN].bytes;
}
