/* undo.c - RFC 5682 (F-RTO), RFC 3522 and RFC 4015 (Eifel), RFC 3708 (DSACK): finding out that
 * nothing was lost, and taking back what was done about it.
 *
 *     F-RTO   after a timeout two segments of new text go out, then an ACK comes for something
 *             that was sent before the timeout and not again since
 *     Eifel   the ACK of what was sent again echoes a timestamp older than the repetition
 *     DSACK   the peer reports every octet that was sent again as having come twice
 *
 * cwnd and ssthresh become what they were, congestion control its own state too; what is marked as
 * lost is in flight again.
 */
#include "tcp/congestion.h"

void tcp_undo_begin(const struct tcb *tcb, struct active *active)
{
    active->undo_armed = 1;
    active->undo_sent = active->undo_marked = 0;
    active->undo_cwnd = tcb->cwnd;
    active->undo_ssthresh = tcb->ssthresh;
    active->undo_bytes = active->sum[SUM_AGAIN].bytes;
    active->undo_left = tcb->snd.una;
    active->undo_right = active->undo_bytes ? tcb->snd.nxt : tcb->snd.una;
}

void tcp_undo_forget(struct active *active)
{
    active->undo_armed = 0;
}

/* Octets at .. at + bytes were sent again. */
void tcp_undo_sent(const struct tcp *tcp, struct active *active, seq_t at, uint32_t bytes)
{
    if (!active->undo_armed) {
        return;
    }
    if (!active->undo_sent) {
        active->undo_sent = 1;
        active->undo_ms = tcp->now_ms; /* RFC 3522 3.2 (2): RetransmitTS */
    }
    bool first = active->undo_bytes == 0 && seq_eq(active->undo_left, active->undo_right);
    active->undo_left = first ? at : seq_min(active->undo_left, at);
    active->undo_right =
        first ? seq_add(at, bytes) : seq_max(active->undo_right, seq_add(at, bytes));
    active->undo_bytes += bytes;
}

/* RFC 3708 3 (A.4), (B.1): something of what was sent again since has arrived twice.  What lies
 * below or above that was doubled on its way, or was a loss probe: it says nothing of the
 * reduction.
 */
void tcp_undo_note_dsack(const struct tcp *tcp, struct active *active)
{
    const struct ack_news *news = &tcp->news;
    uint32_t span = seq_len(active->undo_left, active->undo_right);
    if (news->dsack && active->undo_armed && seq_in(news->dsack_left, active->undo_left, span) &&
        seq_len(active->undo_left, news->dsack_right) <= span) {
        uint32_t bytes = seq_len(news->dsack_left, news->dsack_right);
        active->undo_bytes -= min_u32(active->undo_bytes, bytes);
    }
}

/* RFC 3522 3.2 (4), (5): SND.UNA moves by an echo of what was sent before the repetition.  A DSACK
 * beside it, or nothing that is left in flight, says that ACKs were lost: no mistake of ours. */
bool tcp_undo_by_echo(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    return active->undo_armed && active->undo_sent && tcp->b->policy.undo && news->acked &&
           news->echoed && news->echo_age_ms > tcp->now_ms - active->undo_ms && !news->dsack &&
           seq_lt(tcb->snd.una, tcb->snd.nxt);
}

/* RFC 3708 3: this DSACK is the last one that was missing. */
bool tcp_undo_by_dsack(const struct tcp *tcp, const struct active *active)
{
    return active->undo_armed && active->undo_sent && tcp->b->policy.undo && tcp->news.dsack &&
           active->undo_bytes == 0;
}

/* RFC 4015 (9), RFC9438-20: not when the ACK tells of congestion, nor when one has told of a mark
 * that this reduction has answered (RFC 3168 6.1.2).  After a timeout no burst:
 * FlightSize and what one ACK may release, the rest by slow start. */
void tcp_undo(struct tcp *tcp, struct tcb *tcb, bool timeout)
{
    struct active *active = active_of(tcp, tcb);
    tcp_sent_unlose(tcp, tcb);
    if (active->undo_armed && !tcp->news.ece && !active->undo_marked) {
        uint32_t cwnd = active->undo_cwnd;
        tcp_control(tcp, tcb)->undo(tcp, tcb, active);
        if (timeout) {
            uint32_t iw = tcp->b->policy.initial_cwnd * smss(tcb);
            uint32_t flight = seq_len(tcb->snd.una, tcb->snd.nxt);
            cwnd = min_u32(cwnd, flight + min_u32(tcp->news.acked, iw));
            active->undo_ssthresh = max_u32(active->undo_ssthresh, active->undo_cwnd);
        }
        tcb->cwnd = max_u32(tcb->cwnd, cwnd);
        tcb->ssthresh = max_u32(tcb->ssthresh, active->undo_ssthresh);
    }
    active->undo_armed = 0;
    active->recovered = 0; /* duplicates from now on tell of a loss */
    if (!timeout) { /* what was overtaken had been sent again when it arrived: RACK, which looks at
                       what was sent once, would never learn of it                               */
        tcb->modes |= M_REORDERED;
    } else {
        active->backoff = 0;
        active->rtt_anew = 1; /* RFC 4015 (11): the next sample of text sent from now on */
    }
    tcp->b->undone++;
}

/* RFC 5682 2.1 and 3.1 (1), RFC5682-1: not when a recovery was under way already; a second timeout
 * of the same segment begins it anew. */
void tcp_frto_begin(const struct tcp *tcp, const struct tcb *tcb, struct active *active, bool again)
{
    bool busy = active->recovery >= RECOVERY_FAST && seq_lt(tcb->snd.una, active->recover) &&
                !(again && active->frto != FRTO_OFF);
    active->frto = tcp->b->policy.frto && !busy ? FRTO_REPEATED : FRTO_OFF;
}

/* An ACK after a timeout, RFC 5682 3.1 (2) and (3); true: nothing was lost. */
bool tcp_frto_on_ack(struct tcp *tcp, struct tcb *tcb, bool duplicate)
{
    struct active *active = active_of(tcp, tcb);
    const struct ack_news *news = &tcp->news;
    if (active->frto == FRTO_REPEATED) {
        if (news->acked) { /* (2b), or (2a): the end of what was out; or nothing new can go */
            active->frto = FRTO_NEW_TEXT;
            bool go_on = seq_lt(tcb->snd.una, active->recover) && tcp_new_text_goes(tcp, tcb);
            active->frto = go_on ? FRTO_NEW_TEXT : FRTO_OFF;
        } else if (duplicate && !(tcb->flags & F_SACK)) {
            active->frto = FRTO_OFF;
        }
        return false;
    }
    if (active->frto != FRTO_NEW_TEXT || (news->acked == 0 && !duplicate)) {
        return false;
    }
    active->frto = FRTO_OFF;
    bool beyond =
        seq_gt(tcb->snd.una, active->recover) ||
        ((tcb->flags & F_SACK) && seq_gt(tcp_sack_high(tcp, tcb, active), active->recover));
    if (news->original && !beyond) {
        return true; /* (3b) */
    }
    /* (3a): up to three segments.  Without SACK the two new ones count as in flight, whatever the
     * duplicate says: there must be room for one beside them. */
    bool sack = tcb->flags & F_SACK;
    tcb->cwnd = sack ? min_u32(tcb->cwnd, 3 * smss(tcb)) : 3 * smss(tcb);
    return false;
}
