/* ecn.c - RFC 3168 section 6.1: congestion that routers mark instead of dropping.
 *
 *     SYN       CWR,ECE   who opens asks (HF_ECN_ASK)
 *     SYN,ACK   ECE       the other one agrees (HF_ECN_ACCEPT)
 *     text      ECT(0)    may be marked CE on its way
 *     ACKs      ECE       from the first CE on, until ...
 *     text      CWR       ... the sender says that it has reduced its window
 *
 * ECT is on new text alone: not on a SYN (RFC3168-13), an ACK, a retransmission or a probe, whose
 * loss or whose mark nobody would learn of (5.2, 6.1.4-6).  How far the window is reduced is
 * recovery.c's and the congestion control's; here is when.
 */
#include "tcp/congestion.h"

uint32_t tcp_ecn_settings(uint8_t ecn)
{
    return (ecn != HF_ECN_OFF ? M_ECN_ACCEPT : 0) | (ecn == HF_ECN_ASK ? M_ECN_ASK : 0);
}

int64_t tcp_ecn_setting(uint32_t modes)
{
    return modes & M_ECN_ASK ? HF_ECN_ASK : modes & M_ECN_ACCEPT ? HF_ECN_ACCEPT : HF_ECN_OFF;
}

int tcp_set_ecn(uint32_t *modes, int64_t value)
{
    if (value < HF_ECN_OFF || value > HF_ECN_ASK) {
        return HF_ERR_INVALID;
    }
    *modes = (*modes & ~(uint32_t)M_ECN_SETTINGS) | tcp_ecn_settings((uint8_t)value);
    return HF_OK;
}

/* Negotiation ----------------------------------------------------------------------------------
 */

/* 6.1.1: the ECN-setup SYN.  After a timeout without: something on the way may drop it for its bits
 * (6.1.1.1); once such a SYN went out, no ECT, whatever the SYN,ACK says. */
static uint16_t syn_bits(struct tcb *tcb)
{
    if (!(tcb->modes & M_ECN_ASK)) {
        return 0; /* RFC3168-11 */
    }
    if (tcb->retries == 0) {
        tcb->modes |= M_ECN_SENT; /* RFC3168-5 */
        return CWR | ECE;
    }
    tcb->modes |= M_NO_ECT; /* RFC3168-15, RFC3168-7 */
    return 0;
}

uint16_t tcp_ecn_syn(struct tcb *tcb, bool ack)
{
    if (!ack) {
        return syn_bits(tcb);
    }
    /* RFC3168-5, RFC3168-6: to a plain SYN a plain SYN,ACK, also when one that asked came first. */
    return (tcb->modes & (M_CLASSIC | M_NO_ECT)) == M_CLASSIC ? ECE : 0;
}

void tcp_ecn_take_syn(struct tcb *tcb, const struct segment *seg)
{
    uint16_t bits = seg->ctl & (CWR | ECE);
    /* SHLD-8, RFC3168-8: a SYN,ACK with both bits only reflects ours.  RFC3168-12: any other form
     * of either opens a connection without ECN. */
    bool agreed = seg->ctl & ACK ? (tcb->modes & M_ECN_SENT) && bits == ECE
                                 : (tcb->modes & M_ECN_ACCEPT) && bits == (CWR | ECE);
    tcb->modes |= agreed ? M_CLASSIC : 0;
}

void tcp_ecn_syn_again(struct tcb *tcb, const struct segment *seg)
{
    if ((seg->ctl & (CWR | ECE)) != (CWR | ECE)) {
        tcb->modes |= M_NO_ECT; /* RFC3168-7: the peer has given it up, or may have */
    }
}

/* The receiver ---------------------------------------------------------------------------------
 */

/* 6.1.3, of text that is in the window at least in part (RFC3168-25); RFC3168-10: also when nothing
 * of ours is ECT.  RFC3168-23: CWR ends the echo of earlier marks, not of this segment's own. */
void tcp_ecn_arrives(struct tcb *tcb, const struct segment *seg)
{
    if (seg->ecn != NOT_ECT) {
        tcb->modes |= M_ECN_SEEN;
    }
    if (!(tcb->modes & M_CLASSIC) || seg->text_len == 0) {
        return;
    }
    if (seg->ctl & CWR) {
        tcb->modes &= ~(uint32_t)M_ECE;
    }
    if (seg->ecn == CE) {
        tcb->modes |= M_ECE;
    }
}

/* RFC3168-21, RFC3168-22: on every ACK from the mark on, with text or without. */
uint16_t tcp_ecn_ack(const struct tcb *tcb)
{
    return tcb->modes & M_ECE ? ECE : 0;
}

/* The sender -----------------------------------------------------------------------------------
 */

uint8_t tcp_ecn_codepoint(const struct tcb *tcb)
{
    bool ect = (tcb->modes & M_CLASSIC) && !(tcb->modes & M_NO_ECT) && tcp_synchronized(tcb);
    return ect ? ECT0 : NOT_ECT; /* RFC3168-1 */
}

bool tcp_ecn_echoes(const struct tcb *tcb, const struct segment *seg)
{
    return (tcb->modes & M_CLASSIC) && (seg->ctl & (ECE | SYN)) == ECE;
}

void tcp_ecn_acked(const struct tcb *tcb, struct active *active)
{
    active->cwr_passed |= seq_gt(tcb->snd.una, active->cwr_end);
}

/* 6.1.2: once for what was in flight at the last reduction, whatever that was for (RFC3168-16). */
void tcp_ecn_respond(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || !active->cwr_passed) {
        return;
    }
    if (tcb->cwnd > tcb->snd_mss) {
        bool two = tcb->cwnd <= 2u * tcb->snd_mss;
        tcp_recovery_enter_cwr(tcp, tcb, CC_ECN); /* RFC3168-2 */
        if (two) { /* RFC9438-14: ssthresh stays at two segments, cwnd comes down to one */
            tcb->cwnd = active->undo_cwnd = tcb->snd_mss;
        }
        return;
    }
    /* RFC3168-18, RFC9438-15: the window cannot become smaller, so the time between segments
     * becomes longer. */
    tcp_ecn_reduced(tcb, active);
    active->ecn_waits = 1;
    active->timer = TIMER_RTO;
    active->rto_at_ms = ms_after(tcp->now_ms, tcp_rto_ms(tcp, tcb));
}

/* RFC3168-19: the receiver is told of any reduction, with the next new text. */
void tcp_ecn_reduced(struct tcb *tcb, struct active *active)
{
    active->cwr_end = tcb->snd.nxt;
    active->cwr_passed = 0;
    tcb->modes |= tcb->modes & M_CLASSIC ? M_CWR : 0;
}
