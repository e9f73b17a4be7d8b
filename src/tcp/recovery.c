/* recovery.c - RFC 5681 section 3.2, RFC 6675 section 5 (with SACK), RFC 6582 (without): when text
 * is taken for lost, and what is sent again.
 *
 *     RECOVERY_NONE  -- three duplicates, or IsLost(SND.UNA) --> RECOVERY_FAST  until `recover`
 *     any            -- retransmission timeout ----------------> RECOVERY_RTO   until `rto_nxt`
 *
 * SND.NXT never moves back.  active->rxt is the place of the next octet to be sent again: all below
 * it that is not SACKed has been (RFC 6675's HighRxt is the octet before it).  Output asks
 * tcp_recovery_next first, then sends new text as tcp_recovery_allows.
 */
#include "tcp/congestion.h"

enum { DUP_ACKS_MAX = 255, LIMITED_TRANSMIT = 2 };

static uint32_t flight_of(const struct tcb *tcb)
{
    return seq_len(tcb->snd.una, tcb->snd.nxt);
}

static bool has_sack(const struct tcb *tcb)
{
    return tcb->flags & F_SACK;
}

static struct cursor at_una(const struct tcb *tcb, const struct active *active)
{
    return (struct cursor){tcb->snd.una, active->sq_head, active->sq_skip};
}

/* Entering and leaving --------------------------------------------------------------------------
 */

/* RFC 6675 5 (4), RFC 6582 3.2 (2).  Segments of Limited Transmit do not count as flight: they lie
 * beyond cwnd.  What the last recovery sent again, above its own end, does not go once more. */
static void enter_fast(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    uint32_t flight = min_u32(flight_of(tcb), tcb->cwnd);
    tcp_cwnd_congested(tcp, tcb, active, flight, CC_LOSS);
    tcb->cwnd = tcb->ssthresh;
    if (!has_sack(tcb)) {
        tcb->cwnd += tcp->b->policy.dupthresh * smss(tcb); /* as many have left the network */
    }
    tcp_ecn_reduced(tcb, active);
    active->recovery = RECOVERY_FAST;
    active->recover = tcb->snd.nxt;
    active->recovered = 1;
    active->rescued = 0;
    active->resend = !has_sack(tcb) || seq_leq(active->rxt.at, tcb->snd.una);
    if (active->resend) {
        active->rxt = at_una(tcb, active);
    }
    active->rescue = active->rxt.at;
}

/* RFC 6675 5 (1), (2); RFC 6582: without SACK duplicates may be echoes of what was sent twice, as
 * long as SND.UNA is not beyond `recover`. */
static void look_for_loss(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    bool enough = active->dup_acks >= tcp->b->policy.dupthresh;
    if (has_sack(tcb)) {
        if (enough || seq_gt(tcp_sack_lost_edge(tcp, tcb, active), tcb->snd.una)) {
            enter_fast(tcp, tcb, active);
        }
    } else if (enough && (!active->recovered || seq_gt(tcb->snd.una, active->recover))) {
        enter_fast(tcp, tcb, active);
    }
}

/* RFC 3168 6.1.2.  What loss has begun to reduce, a mark reduces no further.  What was in flight is
 * what this round had: the ACK that tells of the mark may have acknowledged all of it. */
void tcp_recovery_enter_cwr(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || active->recovery != RECOVERY_NONE) {
        return;
    }
    uint32_t flight = min_u32(active->growth.max_flight, tcb->cwnd);
    tcb->ssthresh = tcp_control(tcp, tcb)->ssthresh(tcp, tcb, active, flight, CC_ECN);
    tcb->cwnd = min_u32(tcb->cwnd, tcb->ssthresh);
    tcp_ecn_reduced(tcb, active);
}

static void leave(struct active *active)
{
    active->recovery = RECOVERY_NONE;
    active->dup_acks = 0;
    active->resend = 0;
    active->rescued = 0;
}

/* RFC 6582 3.2 (3): full and partial acknowledgments; (4) duplicates inflate the window. */
static void newreno_ack(struct tcb *tcb, struct active *active, uint32_t acked, bool duplicate)
{
    if (acked) {
        tcb->cwnd -= min_u32(acked, tcb->cwnd);
        tcb->cwnd = max_u32(tcb->cwnd + (acked >= smss(tcb) ? smss(tcb) : 0), smss(tcb));
        active->rxt = at_una(tcb, active);
        active->resend = 1;
    } else if (duplicate) {
        tcb->cwnd += smss(tcb);
    }
}

static void fast_ack(struct tcb *tcb, struct active *active, uint32_t acked, bool duplicate)
{
    if (seq_lt(tcb->snd.una, active->recover)) {
        if (!has_sack(tcb)) {
            newreno_ack(tcb, active, acked, duplicate);
        }
        return;
    }
    if (!has_sack(tcb)) { /* no burst: RFC 6582 3.2 (3), first option */
        uint32_t flight = max_u32(flight_of(tcb), smss(tcb));
        tcb->cwnd = min_u32(tcb->ssthresh, flight + smss(tcb));
    }
    leave(active);
}

/* A rescue went out of turn: back to behind the highest SACKed octet, below which all that is
 * missing was sent again. */
static void end_rescue(const struct tcp *tcp, const struct tcb *tcb, struct active *active)
{
    if (active->rescued) {
        active->rescued = 0;
        tcp_cursor_set(tcp, active, tcb->snd.una, &active->rxt, tcp_sack_high(tcp, tcb, active));
    }
}

void tcp_recovery_on_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                         uint32_t acked, uint32_t sacked, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    (void)seg;
    if (active == NULL) {
        return;
    }
    uint32_t counted = active->counted;
    active->counted = 0;
    if (has_sack(tcb)) {
        duplicate = sacked != 0; /* RFC 6675 2: also when SND.UNA moves */
    } else if (active->recovery == RECOVERY_NONE) {
        counted = active->dup_acks * smss(tcb); /* a segment each, it is presumed */
    }
    end_rescue(tcp, tcb, active);
    if (acked) {
        tcp_cwnd_note_flight(tcb, active, acked);
        if (active->recovery != RECOVERY_FAST) {
            tcp_cwnd_grow(tcp, tcb, active, acked - min_u32(acked, counted) + sacked);
            active->dup_acks = 0;
        }
        if (active->recovered && seq_gt(tcb->snd.una, active->recover)) {
            active->recovered = 0;
        }
    }
    if (active->recovery == RECOVERY_FAST) {
        fast_ack(tcb, active, acked, duplicate);
    } else if (active->recovery == RECOVERY_RTO && seq_geq(tcb->snd.una, active->rto_nxt)) {
        leave(active);
    } else if (duplicate && active->dup_acks < DUP_ACKS_MAX) {
        active->dup_acks++;
    }
    if (active->recovery == RECOVERY_NONE && flight_of(tcb)) {
        look_for_loss(tcp, tcb, active);
    }
}

/* RFC 2018 8: SND.UNA has come to text that the peer held, and stopped there: it has dropped it. */
static bool peer_reneged(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    return active->sacked && seq_leq(range_at(tcp, active->sacked)->left, tcb->snd.una);
}

/* RFC2018-12, RFC2018-13, RFC2018-15 */
void tcp_recovery_go_back(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || flight_of(tcb) == 0) {
        return;
    }
    if (!tcp->b->policy.sack_keep_on_rto || peer_reneged(tcp, tcb, active)) {
        tcp_sack_clear(tcp, active);
    }
    active->recovery = RECOVERY_RTO;
    active->rto_nxt = active->recover = tcb->snd.nxt;
    active->recovered = 1;
    active->rescue = tcb->snd.una;
    active->rescued = 0;
    active->resend = 1;
    active->dup_acks = 0;
    active->rxt = at_una(tcb, active);
    active->rtt_timed = 0;
}

/* RFC 5681 3.1, equation (4), and the loss window.  A segment lost once more changes ssthresh no
 * more: its number is in `rescue`.  SHLD-16 */
void tcp_recovery_on_rto(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return;
    }
    bool again = active->recovery == RECOVERY_RTO && seq_eq(active->rescue, tcb->snd.una);
    if (!again) {
        tcp_cwnd_congested(tcp, tcb, active, flight_of(tcb), CC_TIMEOUT);
    }
    tcb->cwnd = smss(tcb);
    tcp_ecn_reduced(tcb, active);
    tcp_recovery_go_back(tcp, tcb);
}

/* What is sent again ----------------------------------------------------------------------------
 */

/* NextSeg() (2): new text that a full segment could carry comes before (3) and (4). */
static bool new_text_waits(const struct tcb *tcb, const struct active *active)
{
    uint32_t flight = flight_of(tcb);
    uint32_t window = tcb->snd.wnd > flight ? tcb->snd.wnd - flight : 0;
    uint32_t unsent = active->sq_bytes > flight ? active->sq_bytes - flight : 0;
    return min_u32(window, unsent) >= smss(tcb);
}

static uint32_t repeat_at(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                          seq_t at, uint32_t len)
{
    tcp_cursor_advance(tcp, &active->rxt, seq_len(active->rxt.at, at));
    return min_u32(len, smss(tcb));
}

/* NextSeg() (4), once an entry: the last outstanding octets, for an ACK that tells more. */
static uint32_t rescue(const struct tcp *tcp, const struct tcb *tcb, struct active *active)
{
    if (!seq_gt(tcb->snd.una, active->rescue)) {
        return 0;
    }
    seq_t at = tcb->snd.una;
    seq_t left = at;
    seq_t right = at;
    uint32_t len;
    while ((len = tcp_sack_hole(tcp, tcb, active, right, &at)) != 0) {
        left = at;
        right = seq_add(at, len);
    }
    len = min_u32(seq_len(left, right), smss(tcb));
    tcp_cursor_set(tcp, active, tcb->snd.una, &active->rxt, seq_sub(right, len));
    active->rescued = 1;
    return len;
}

/* RFC 6675 NextSeg(), and step (C): cwnd - pipe >= 1 SMSS; the first segment goes in any case. */
static uint32_t next_sack(const struct tcp *tcp, const struct tcb *tcb, struct active *active)
{
    seq_t at;
    uint32_t len = tcp_sack_hole(tcp, tcb, active, active->rxt.at, &at);
    if (active->resend) {
        return repeat_at(tcp, tcb, active, at, len);
    }
    if (tcp_sack_pipe(tcp, tcb, active) + smss(tcb) > tcb->cwnd) {
        return 0;
    }
    if (len && seq_lt(at, tcp_sack_lost_edge(tcp, tcb, active))) { /* (1) */
        return repeat_at(tcp, tcb, active, at, len);
    }
    if (new_text_waits(tcb, active)) { /* (2) */
        return 0;
    }
    if (len && seq_lt(at, tcp_sack_high(tcp, tcb, active))) { /* (3) */
        return repeat_at(tcp, tcb, active, at, len);
    }
    return rescue(tcp, tcb, active); /* (4) */
}

/* After a timeout: all that was out then and is not SACKed since, as slow start lets it. */
static uint32_t next_go_back(const struct tcp *tcp, const struct tcb *tcb, struct active *active)
{
    seq_t at;
    uint32_t len = tcp_sack_hole(tcp, tcb, active, active->rxt.at, &at);
    if (len == 0 || seq_geq(at, active->rto_nxt)) {
        return 0;
    }
    len = min_u32(min_u32(len, seq_len(at, active->rto_nxt)), smss(tcb));
    if (!active->resend && tcp_sack_pipe(tcp, tcb, active) + len > tcb->cwnd) {
        return 0;
    }
    return repeat_at(tcp, tcb, active, at, len);
}

uint32_t tcp_recovery_next(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || active->recovery == RECOVERY_NONE || flight_of(tcb) == 0) {
        return 0;
    }
    end_rescue(tcp, tcb, active);
    if (seq_leq(active->rxt.at, tcb->snd.una)) {
        active->rxt = at_una(tcb, active);
    }
    if (active->recovery == RECOVERY_RTO) {
        return next_go_back(tcp, tcb, active);
    }
    if (has_sack(tcb)) {
        return next_sack(tcp, tcb, active);
    }
    return active->resend ? min_u32(flight_of(tcb), smss(tcb)) : 0;
}

void tcp_recovery_sent(struct tcp *tcp, struct tcb *tcb, uint32_t len)
{
    struct active *active = active_of(tcp, tcb);
    tcp_cursor_advance(tcp, &active->rxt, len);
    if (active->rescued) {
        active->rescue = active->recover;
        end_rescue(tcp, tcb, active);
    } else if (active->resend && active->recovery == RECOVERY_FAST) {
        active->rescue = active->rxt.at; /* RFC 6675 5 (4.3) */
    }
    active->resend = 0;
    active->rtt_timed = 0; /* Karn */
}

/* New text ------------------------------------------------------------------------------------- */

static uint32_t room(uint32_t window, uint32_t used)
{
    return window > used ? window - used : 0;
}

uint32_t tcp_recovery_allows(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t flight = flight_of(tcb);
    if (active == NULL || flight == 0) {
        return max_u32(tcb->cwnd, smss(tcb));
    }
    if (active->recovery == RECOVERY_RTO) {
        seq_t at;
        bool more = tcp_sack_hole(tcp, tcb, active, active->rxt.at, &at) != 0 &&
                    seq_lt(at, active->rto_nxt);
        return more ? 0 : room(tcb->cwnd, tcp_sack_pipe(tcp, tcb, active));
    }
    if (has_sack(tcb)) {
        uint32_t octets = room(tcb->cwnd, tcp_sack_pipe(tcp, tcb, active));
        return active->recovery == RECOVERY_FAST && octets < smss(tcb) ? 0 : octets;
    }
    uint32_t window = tcb->cwnd;
    if (active->recovery == RECOVERY_NONE) { /* RFC 3042 */
        window += min_u32(active->dup_acks, LIMITED_TRANSMIT) * smss(tcb);
    }
    return room(window, flight);
}
