/* ecn.c - RFC 3168 section 6.1: congestion that routers mark instead of dropping; and which kind of
 * feedback a connection has, RFC 9768 section 3.1.
 *
 *     SYN       CWR,ECE   who opens asks (HF_ECN_ASK)
 *     SYN,ACK   ECE       the other one agrees (HF_ECN_ACCEPT)
 *     text      ECT(0)    may be marked CE on its way
 *     ACKs      ECE       from the first CE on, until ...
 *     text      CWR       ... the sender says that it has reduced its window
 *
 * With AE, CWR, ECE in the SYN the more accurate feedback of accecn.c is asked for: it takes the
 * place of the last two.
 *
 * ECT is on new text alone: not on a SYN (RFC3168-13), an ACK, a retransmission or a probe, whose
 * loss or whose mark nobody would learn of (5.2, 6.1.4-6).  How far the window is reduced is
 * recovery.c's and the congestion control's; here is when.
 */
#include "tcp/congestion.h"
#include "tcp/ecn.h"

uint32_t tcp_ecn_settings(const struct hf_policy *policy)
{
    return (policy->ecn != HF_ECN_OFF ? M_ECN_ACCEPT : 0) |
           (policy->ecn == HF_ECN_ASK ? M_ECN_ASK : 0) | (policy->accecn ? M_ACCECN : 0);
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
    *modes &= ~(uint32_t)(M_ECN_ACCEPT | M_ECN_ASK);
    *modes |= (value != HF_ECN_OFF ? M_ECN_ACCEPT : 0) | (value == HF_ECN_ASK ? M_ECN_ASK : 0);
    return HF_OK;
}

int tcp_set_accecn(uint32_t *modes, int64_t value)
{
    if (value != 0 && value != 1) {
        return HF_ERR_INVALID;
    }
    *modes = value ? *modes | M_ACCECN : *modes & ~(uint32_t)M_ACCECN;
    return HF_OK;
}

/* Negotiation ----------------------------------------------------------------------------------
 */

/* RFC 3168 6.1.1, RFC 9768 3.1.1: the SYN that asks.  After a timeout - with AccECN the second
 * (RFC9768-8) - without: something on the way may drop it for its bits (6.1.1.1); once such a SYN
 * went out, no ECT, whatever the SYN,ACK says. */
static uint16_t syn_bits(struct tcp *tcp, struct tcb *tcb)
{
    if (!(tcb->modes & M_ECN_ASK)) {
        return 0; /* RFC3168-11 */
    }
    bool accurate = tcp_accecn_asked(tcp, tcb) ||
                    (tcb->retries == 0 && (tcb->modes & M_ACCECN) && tcp_ecn_attach(tcp, tcb));
    if (accurate && tcb->retries <= 1) {
        tcp_ecn_of(tcp, tcb)->asked = 1; /* RFC9768-1 */
        return AE | CWR | ECE;
    }
    if (!accurate && tcb->retries == 0) {
        tcb->modes |= M_ECN_SENT; /* RFC3168-5 */
        return CWR | ECE;
    }
    tcb->modes |= M_NO_ECT; /* RFC3168-15, RFC3168-7 */
    return 0;
}

/* RFC3168-5, RFC3168-6: to a plain SYN a plain SYN,ACK, also when one that asked came first.
 * RFC9768-2: or what became of the SYN's codepoint; the second repeat is plain (RFC9768-22), and
 * then there is no ECT (3.1.5). */
static uint16_t syn_ack_bits(struct tcp *tcp, struct tcb *tcb)
{
    if (!(tcb->modes & M_ACCURATE)) {
        return (tcb->modes & (M_CLASSIC | M_NO_ECT)) == M_CLASSIC ? ECE : 0;
    }
    if (tcb->retries < 2) {
        return tcp_accecn_handshake_bits(tcp, tcb);
    }
    tcb->modes |= M_NO_ECT;
    return 0;
}

uint16_t tcp_ecn_syn(struct tcp *tcp, struct tcb *tcb, bool ack)
{
    return ack ? syn_ack_bits(tcp, tcb) : syn_bits(tcp, tcb);
}

/* RFC 3168 6.1.1.  RFC3168-8: a SYN,ACK with both bits only reflects ours.  RFC3168-12: any other
 * form opens a connection without ECN. */
static void syn_ack_arrives(struct tcp *tcp, struct tcb *tcb, uint16_t bits)
{
    if (tcp_accecn_asked(tcp, tcb)) { /* RFC9768-4, RFC9768-6 */
        if (!tcp_accecn_syn_ack_agrees(tcp, tcb, bits)) {
            tcb->modes |= bits == ECE ? M_CLASSIC : 0;
            tcp_ecn_detach(tcp, tcb->extra);
        }
    } else if (tcb->modes & M_ECN_SENT) {
        tcb->modes |= (bits & (CWR | ECE)) == ECE ? M_CLASSIC : 0;
    }
}

/* What a SYN asks for, of what we could agree to: RFC9768-3, RFC9768-6, RFC9768-7. */
enum request { ASKS_NOTHING, ASKS_CLASSIC, ASKS_ACCURATE };

static enum request request_of(const struct tcb *tcb, const struct segment *seg)
{
    uint16_t bits = seg->ctl & ECN_BITS;
    if ((tcb->modes & M_ACCECN) && bits != 0 && bits != (CWR | ECE)) {
        return ASKS_ACCURATE;
    }
    return (bits & (CWR | ECE)) == (CWR | ECE) ? ASKS_CLASSIC : ASKS_NOTHING;
}

/* Is there a record for what is counted?  For a half-open connection: will there be? */
static bool can_count(struct tcp *tcp, struct tcb *tcb)
{
    const struct tcp_block *b = tcp->b;
    bool room = !(tcb->flags & F_COMPACT) || b->extras.used + b->halves.used < b->extras.max;
    return room && tcp_ecn_attach(tcp, tcb);
}

static void syn_arrives(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    /* Both open, and our SYN was plain: who has sent one must not set ECT (RFC3168-7), and the peer
     * has its answer. */
    bool plain =
        tcb->state == HF_SYN_SENT && !(tcb->modes & M_ECN_SENT) && !tcp_accecn_asked(tcp, tcb);
    if (plain || !(tcb->modes & M_ECN_ACCEPT)) {
        return;
    }
    enum request request = request_of(tcb, seg);
    if (request == ASKS_ACCURATE && can_count(tcp, tcb)) {
        tcb->modes |= M_ACCURATE;
        tcp_ecn_of(tcp, tcb)->syn_mark = seg->ecn & 3;
    } else if ((seg->ctl & (CWR | ECE)) == (CWR | ECE)) {
        tcb->modes |= M_CLASSIC;
        tcb->flags |= seg->ctl & AE ? F_ASKED_MORE : 0;
    }
}

/* SHLD-8 */
void tcp_ecn_take_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (seg->ctl & ACK) {
        syn_ack_arrives(tcp, tcb, seg->ctl & ECN_BITS);
        tcp_accecn_agreed(tcp, tcb, &seg->opt);
        tcp_accecn_syn_ack(tcp, tcb, seg);
    } else {
        syn_arrives(tcp, tcb, seg);
    }
}

/* RFC9768-9 binds SYNs of one initial sequence number: what the one before asked for is gone. */
void tcp_ecn_take_other_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    tcb->modes &= ~(uint32_t)(M_CLASSIC | M_ACCURATE | M_NO_ECT);
    tcb->flags &= ~(uint32_t)F_ASKED_MORE;
    tcp_ecn_detach(tcp, tcb->extra);
    tcp_ecn_take_syn(tcp, tcb, seg);
}

/* The mode stays what it was (RFC9768-9).  Without the bits, the peer has given it up, or may have:
 * no ECT (RFC3168-7, RFC 9768 3.1.5).  False: it has asked for two kinds, and cannot know which of
 * them it got.  What counts is what it asked for: that was answered as the classic kind where there
 * was no record to count with, or it is not wanted. */
bool tcp_ecn_syn_again(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    enum request request = request_of(tcb, seg);
    if (tcb->modes & M_ACCURATE) {
        tcp_ecn_of(tcp, tcb)->syn_mark = seg->ecn & 3;
    }
    tcb->modes |= request == ASKS_NOTHING ? M_NO_ECT : 0;
    if (!(tcb->modes & (M_ACCURATE | M_CLASSIC)) || request == ASKS_NOTHING) {
        return true;
    }
    bool accurate = (tcb->modes & M_ACCURATE) || (tcb->flags & F_ASKED_MORE);
    bool again = (seg->ctl & ECN_BITS) != (CWR | ECE);
    return accurate == again || !(tcb->modes & (M_ACCECN | M_ACCURATE));
}

/* The receiver ---------------------------------------------------------------------------------
 */

/* 6.1.3, of text that is in the window at least in part (RFC3168-25); RFC3168-10: also when nothing
 * of ours is ECT.  RFC3168-23: CWR ends the echo of earlier marks, not of this segment's own. */
static void classic_arrives(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (seg->ctl & CWR) {
        tcb->modes &= ~(uint32_t)M_ECE;
    }
    if (seg->ecn == CE) {
        tcb->modes |= M_ECE;
        if (tcp_ecn_attach(tcp, tcb)) { /* for hf_info alone */
            tcp_ecn_of(tcp, tcb)->r.cep += seg->packets;
        }
    }
}

void tcp_ecn_arrives(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    tcb->modes |= seg->ecn != NOT_ECT ? M_ECN_SEEN : 0;
    if (tcb->modes & M_ACCURATE) {
        tcp_accecn_arrives(tcp_ecn_of(tcp, tcb), seg);
    } else if ((tcb->modes & M_CLASSIC) && seg->text_len) {
        classic_arrives(tcp, tcb, seg);
    }
}

void tcp_ecn_owe_ack(struct tcp *tcp, struct tcb *tcb)
{
    if ((tcb->modes & M_ACCURATE) && tcp_accecn_wants_ack(tcp, tcb, tcp_ecn_of(tcp, tcb))) {
        tcp_owe_ack(tcp, tcb);
    }
}

/* RFC3168-21, RFC3168-22: on every ACK from the mark on, with text or without. */
uint16_t tcp_ecn_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (tcb->modes & M_ACCURATE) {
        return tcp_accecn_ack_bits(tcp, tcb, seg);
    }
    return tcb->modes & M_ECE ? ECE : 0;
}

/* The sender -----------------------------------------------------------------------------------
 */

uint8_t tcp_ecn_codepoint(const struct tcb *tcb)
{
    bool ect = (tcb->modes & (M_CLASSIC | M_ACCURATE)) && !(tcb->modes & M_NO_ECT) &&
               tcp_synchronized(tcb);
    return ect ? ECT0 : NOT_ECT; /* RFC3168-1 */
}

bool tcp_ecn_no_super(struct tcp *tcp, const struct tcb *tcb)
{
    return (tcb->modes & M_CWR) || ((tcb->modes & M_ACCURATE) && tcp_accecn_no_super(tcp, tcb));
}

bool tcp_ecn_echoes(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool in_order)
{
    if (tcb->modes & M_ACCURATE) {
        return tcp_accecn_feedback(tcp, tcb, seg, in_order) != 0;
    }
    bool echoes = (tcb->modes & M_CLASSIC) && (seg->ctl & (ECE | SYN)) == ECE;
    if (echoes && tcp->news.segs && tcp_ecn_attach(tcp, tcb)) { /* for hf_info alone */
        tcp_ecn_of(tcp, tcb)->s.cep += tcp->news.segs;
    }
    return echoes;
}

void tcp_ecn_acked(const struct tcb *tcb, struct active *active)
{
    active->cwr_passed |= seq_gt(tcb->snd.una, active->cwr_end);
}

/* 6.1.2: once for what was in flight at the last reduction, whatever that was for (RFC3168-16). */
void tcp_ecn_respond(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return;
    }
    active->undo_marked = active->undo_armed; /* that reduction stands, even if nothing was lost */
    if (!active->cwr_passed) {
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
     * becomes longer; behind a FIN that is acknowledged, nothing is to come.  While the window is
     * closed its probes keep their timer: the wait begins when it opens (ack.c). */
    tcp_ecn_reduced(tcb, active);
    if ((tcb->flags & F_FIN_SENT) && seq_eq(tcb->snd.una, tcb->snd.nxt)) {
        return;
    }
    active->ecn_waits = 1;
    if (active->persist) {
        return;
    }
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
