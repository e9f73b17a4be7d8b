/* acceptable.c - RFC 9293 section 3.4 (the four-row table), RFC 7323 section 5 (PAWS), RFC 5961
 * section 7 (challenge ACKs and their limit).
 *
 * The limit is per connection: one in challenge_ack_ms.  A counter shared by connections would tell
 * an attacker about all of them (the side channel of RFC 5961's first deployments).
 */
#include "tcp/tcp.h"

/* RFC 9293 3.10.7.4 first: Table 6; what reaches over both edges of the window, since it has text
 * within; and the ACKs of a peer that has filled the window, which stand at its edge and no further
 * forward until a gap is closed.  MUST-66 and a closed window are the caller's.  X-3 */
bool tcp_acceptable(const struct tcb *tcb, const struct segment *seg)
{
    if (tcb->rcv.wnd == 0) {
        return seg->len == 0 && seq_eq(seg->seq, tcb->rcv.nxt);
    }
    if (seq_in(seg->seq, tcb->rcv.nxt, tcb->rcv.wnd)) {
        return true;
    }
    if (seg->len == 0) {
        return !(seg->ctl & RST) && seq_len(tcb->rcv.nxt, seg->seq) == tcb->rcv.wnd;
    }
    seq_t last = seq_add(seg->seq, seg->len - 1);
    return seq_in(last, tcb->rcv.nxt, tcb->rcv.wnd) ||
           (seq_lt(seg->seq, tcb->rcv.nxt) && seq_gt(last, tcb->rcv.nxt));
}

/* "Segments are trimmed to fit the window": text and FIN outside it go.  X-15 */
void tcp_trim(struct tcb *tcb, struct segment *seg)
{
    seq_t edge = seq_add(tcb->rcv.nxt, tcb->rcv.wnd);
    if (seq_lt(seg->seq, tcb->rcv.nxt)) {
        uint32_t old = seq_len(seg->seq, tcb->rcv.nxt);
        uint32_t text = min_u32(old, seg->text_len);
        if (old > seg->text_len) {
            seg->ctl &= (uint16_t)~FIN; /* the FIN itself is old */
        }
        seg->text += text;
        seg->text_len -= text;
        seg->seq = tcb->rcv.nxt;
    }
    int32_t beyond = seq_diff(seq_add(seg->seq, seg->text_len), edge);
    if (beyond > 0) {
        seg->text_len -= min_u32((uint32_t)beyond, seg->text_len);
        seg->ctl &= (uint16_t) ~(FIN | PSH);
    }
    seg->len = seg->text_len + (seg->ctl & FIN ? 1 : 0);
}

void tcp_owe_ack(struct tcp *tcp, struct tcb *tcb)
{
    tcp_owe(tcp, tcb, HF_OWES_ACK);
}

/* MUST-8 and RFC 5961 10: what has no text cannot make us answer faster than this.
 * RFC5961-12, RFC5961-13, RFC5961-14, RFC5961-16 */
bool tcp_challenge_allowed(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t limit_ms = tcp->b->policy.challenge_ack_ms;
    if ((tcb->flags & F_CHALLENGED) && tcp->now_ms - tcb->challenge_ms < limit_ms) {
        return false;
    }
    tcb->flags |= F_CHALLENGED;
    tcb->challenge_ms = tcp->now_ms;
    return true;
}

void tcp_owe_challenge(struct tcp *tcp, struct tcb *tcb)
{
    if (tcp_challenge_allowed(tcp, tcb)) {
        tcp_owe(tcp, tcb, HF_OWES_ACK | HF_OWES_CHALLENGE);
    }
}

/* The answer to a segment that is dropped: text or FIN show an honest peer, which needs its ACK.
 * RFC5961-18 */
void tcp_owe_answer(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (seg->text_len || (seg->ctl & (SYN | FIN)) == FIN) {
        tcp_owe_ack(tcp, tcb);
    } else {
        tcp_owe_challenge(tcp, tcb);
    }
}

void tcp_heard(struct tcp *tcp, const struct tcb *tcb)
{
    struct tally *tally = tally_of(tcp, tcb);
    tally->last_ack_ms = tcp->now_ms;
    tally->heard_wraps = tcp->now_wraps & 15;
}

/* RFC 7323 5.5: after 24 idle days TS.Recent says nothing until it moves: what comes first then may
 * be ahead of a gap.  now_ms alone comes round every 49 days, with heard_wraps every two years.
 * RFC7323-47, RFC7323-53 */
bool tcp_stamp_is_stale(const struct tcp *tcp, const struct tally *tally)
{
    const uint32_t days24_ms = 24u * 24 * 3600 * 1000;
    uint32_t borrow = tcp->now_ms < tally->last_ack_ms;
    uint32_t wraps = (tcp->now_wraps - tally->heard_wraps - borrow) & 15;
    return tally->ts_stale || wraps != 0 || tcp->now_ms - tally->last_ack_ms > days24_ms;
}

/* RFC 7323 5.3 R1.  RFC7323-36 */
bool tcp_paws_rejects(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    return (int32_t)(seg->opt.ts_val - tcb->ts_recent) < 0 &&
           !tcp_stamp_is_stale(tcp, tally_of(tcp, tcb));
}

/* RFC 7323 4.3 (2), 5.3 R3: only what reaches back to the last ACK sent may move TS.Recent.
 * RFC7323-27, RFC7323-32, RFC7323-33, RFC7323-34, RFC7323-35, RFC7323-37 */
void tcp_take_timestamp(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!(tcb->flags & F_TS)) {
        return;
    }
    struct tally *tally = tally_of(tcp, tcb);
    if ((seg->opt.present & OPT_TS) && seq_leq(seg->seq, tcb->last_ack_sent) &&
        !tcp_paws_rejects(tcp, tcb, seg)) {
        tcb->ts_recent = seg->opt.ts_val;
        tally->ts_stale = false;
    } else {
        tally->ts_stale = tcp_stamp_is_stale(tcp, tally);
    }
}
