/* rack.c - RFC 8985 section 6: RACK, loss found by time.
 *
 * A transmission is lost when one that left later has arrived and the reordering window has passed
 * since it should have arrived too:
 *
 *     now >= sent_us + RACK.rtt + RACK.reo_wnd,  and it left before RACK.segment
 *
 * Records in flight are listed by time, so that only those that left before RACK.segment are looked
 * at.  It works for what was sent again as for anything else.  Needs SACK; without it, and where
 * policy says no, RFC 6675 and 6582 decide (sack.c, recovery.c).
 */
#include "tcp/recovery.h"
#include "tcp/stats.h"

enum { MIN_RTT_WINDOW_MS = 300000, REORDERING_MAX = 300, MULT_MAX = 255, PERSIST = 16 };
enum { TIMER_SLACK_MS = 2, IN_DOUBT_MAX = 64, OLD_US = 1 << 30 };

bool tcp_rack_used(const struct tcp *tcp, const struct tcb *tcb)
{
    return (tcb->flags & F_SACK) &&
           tcp->b->policy.rack; /* RFC8985-1, RFC8985-2, RFC8985-32: never both */
}

/* Step 1, RFC8985-6: the least round trip of the last five minutes. */
void tcp_rack_min_rtt(struct tcp *tcp, struct tcb *tcb, uint32_t rtt_us)
{
    struct tally *tally = tally_of(tcp, tcb);
    struct active *active = active_of(tcp, tcb);
    bool old = active && tcp->now_ms - active->min_rtt_ms > MIN_RTT_WINDOW_MS;
    if (tally->min_rtt_us == 0 || rtt_us <= tally->min_rtt_us || old) {
        tally->min_rtt_us = rtt_us;
        if (active) {
            active->min_rtt_ms = tcp->now_ms;
        }
    }
}

/* RACK_sent_after: the later one, at one time the one with the higher number.  All that was sent
 * lies behind us, by less than the 71 minutes in which the clock comes round. */
static bool sent_after(const struct tcp *tcp, uint32_t us1, seq_t end1, uint32_t us2, seq_t end2)
{
    return us1 == us2 ? seq_gt(end1, end2) : tcp->now_us - us1 < tcp->now_us - us2;
}

/* Nothing arrives: what arrived last must not look, once the clock has come round, as if it had
 * left lately.  The timer fires before: its time doubles, or is no longer than rto_max_ms. */
void tcp_rack_on_rto(const struct tcp *tcp, struct active *active)
{
    if (tcp->now_us - active->rack_sent_us > OLD_US) {
        active->rack_any = 0;
    }
}

/* Step 2, RFC8985-7: what arrived may be an earlier transmission than the last one. */
static bool ambiguous(struct tcp *tcp, const struct tcb *tcb, uint32_t rtt_us)
{
    return tcp_echoes_older(&tcp->news, rtt_us) || rtt_us < tally_of(tcp, tcb)->min_rtt_us;
}

/* Step 3, RFC8985-9: overtaken by so many. */
static void note_order(struct tcp *tcp, struct tcb *tcb, const struct sent *sent, seq_t right)
{
    struct active *active = active_of(tcp, tcb);
    if (seq_lt(right, active->rack_fack) && !(sent->flags & SENT_TWICE)) {
        uint32_t by = (seq_len(sent->left, active->rack_fack) + sent->mss - 1) / sent->mss;
        tcb->modes |= M_REORDERED;
        tcp_stats(tcp, tcb)->reord_seen += tcp->news.reordered ? 0 : 1;
        tcp->news.reordered = true;
        active->reordering = (uint16_t)max_u32(active->reordering, min_u32(by, REORDERING_MAX));
        tcp_stats(tcp, tcb)->reordering = active->reordering;
    }
}

/* RFC8985-8: RACK.segment is what left last of all that has arrived; RACK.rtt is of what left last
 * of all that this ACK tells of ("in ascending order of Segment.xmit_ts"). */
void tcp_rack_delivered(struct tcp *tcp, struct tcb *tcb, const struct sent *sent, seq_t right)
{
    struct active *active = active_of(tcp, tcb);
    struct ack_news *news = &tcp->news;
    uint32_t rtt_us = tcp->now_us - sent->sent_us;
    note_order(tcp, tcb, sent, right);
    if ((sent->flags & SENT_TWICE) && ambiguous(tcp, tcb, rtt_us)) {
        return;
    }
    if (!news->rack || sent_after(tcp, sent->sent_us, right, news->rack_sent_us, news->rack_end)) {
        active->rack_rtt_us = rtt_us;
        news->rack = true;
        news->rack_sent_us = sent->sent_us;
        news->rack_end = right;
    }
    if (!active->rack_any ||
        sent_after(tcp, sent->sent_us, right, active->rack_sent_us, active->rack_end)) {
        active->rack_any = 1;
        active->rack_sent_us = sent->sent_us;
        active->rack_end = right;
    }
}

/* Step 4, first half, RFC8985-4, RFC8985-13: a round trip with a DSACK makes the window one quarter
 * larger, sixteen recoveries without one make it small again. */
void tcp_rack_adapt(struct tcp *tcp, const struct tcb *tcb, bool recovered)
{
    struct active *active = active_of(tcp, tcb);
    if (active->dsack_round && seq_geq(tcb->snd.una, active->rack_round)) {
        active->dsack_round = 0;
    }
    if (!active->dsack_round && tcp->news.dsack) {
        active->dsack_round = 1;
        active->rack_round = tcb->snd.nxt;
        active->reo_mult = (uint8_t)min_u32(active->reo_mult + 1u, MULT_MAX);
        active->reo_persist = PERSIST;
    } else if (recovered && active->reo_persist && --active->reo_persist == 0) {
        active->reo_mult = 1;
    }
}

/* Step 4, second half.  RFC8985-10: no waiting where nothing was ever out of order and enough says
 * that something is lost; RFC8985-11, RFC8985-12: else a quarter of the least round trip, times
 * what was learnt, up to SRTT; RFC8985-36: none where no round trip is known. */
static uint32_t reordering_window_us(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    if (!(tcb->modes & M_REORDERED) && (active->recovery >= RECOVERY_FAST ||
                                        active->sum[SUM_SACKED].segs >= tcp->b->policy.dupthresh)) {
        return 0;
    }
    uint32_t min_rtt_us = tally_at(tcp, tcb_index(tcp, tcb))->min_rtt_us;
    uint64_t window_us = (uint64_t)min_rtt_us * active->reo_mult / 4;
    return (uint32_t)min_u64(window_us, tcb->srtt_us);
}

/* When what left then counts as lost, from now; not above 0: it does. */
static int32_t remaining_us(const struct tcp *tcp, const struct tcb *tcb, uint32_t sent_us)
{
    uint64_t allowed_us =
        (uint64_t)active_of(tcp, tcb)->rack_rtt_us + reordering_window_us(tcp, tcb);
    uint32_t age_us = tcp->now_us - sent_us;
    return allowed_us > age_us ? (int32_t)min_u64(allowed_us - age_us, INT32_MAX) : 0;
}

/* RFC 8985 6.3, RFC8985-17. */
bool tcp_rack_due(const struct tcp *tcp, const struct tcb *tcb, const struct sent *sent)
{
    return remaining_us(tcp, tcb, sent->sent_us) <= 0;
}

/* What left again in this very instant left behind RACK.segment, whatever the clock says, and no
 * news of it can have come: a stack that talks to itself would repeat it for ever. */
static bool left_just_now(const struct tcp *tcp, const struct sent *sent)
{
    return (sent->flags & SENT_TWICE) && sent->sent_us == tcp->now_us;
}

/* Step 5, RFC8985-14, RFC8985-16.  Returns how long from now until all that is in doubt would be
 * lost, 0: nothing is.  An ACK looks at so many in doubt; none of the rest outlasts RACK.segment.
 */
static uint32_t detect_loss(struct tcp *tcp, struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t wait_us = 0;
    uint32_t in_doubt = 0;
    uint32_t idx = active->rack_any ? active->sent_oldest : 0;
    while (idx) {
        const struct sent *sent = sent_at(tcp, idx);
        if (!sent_after(tcp, active->rack_sent_us, active->rack_end, sent->sent_us, sent->right)) {
            break;
        }
        bool enough = ++in_doubt > IN_DOUBT_MAX;
        int32_t left_us = remaining_us(tcp, tcb, enough ? active->rack_sent_us : sent->sent_us);
        if (left_us <= 0 && wait_us == 0 && !left_just_now(tcp, sent)) {
            tcp_sent_lose(tcp, tcb, idx);
            idx = active->sent_oldest;
            in_doubt = 0;
        } else {
            wait_us = max_u32(wait_us, (uint32_t)(left_us > 0 ? left_us : 1));
            idx = enough ? 0 : sent->newer;
        }
    }
    return wait_us;
}

/* RFC8985-15: the timer, which takes the place of the others (RFC8985-31), but not where it would
 * be later than a timeout: RACK.rtt is long after what has left before timeouts, and now arrives.
 */
void tcp_rack_detect(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t wait_us = detect_loss(tcp, tcb);
    uint32_t wait_ms = (wait_us + 999) / 1000 + TIMER_SLACK_MS;
    if (wait_us && wait_ms < tcp_rto_ms(tcp, tcb)) {
        active->timer = TIMER_RACK;
        active->rto_at_ms = ms_after(tcp->now_ms, wait_ms);
    } else if (active->timer == TIMER_RACK) {
        tcp_rto_resume(tcp, tcb);
    }
}
