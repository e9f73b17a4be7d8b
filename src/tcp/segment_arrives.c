/* segment_arrives.c - RFC 9293 section 3.10.7: SEGMENT ARRIVES.
 *
 * CLOSED, LISTEN and SYN-SENT are in handshake.c.  All other states go through the same eight
 * steps, each a function here in the order of the RFC:
 *
 *     first    sequence number      check_sequence     (and timestamps before it, RFC 7323 5.3)
 *     second   RST                  check_rst
 *     third    security             none: RFC 9293 A.1
 *     fourth   SYN                  check_syn
 *     fifth    ACK                  check_ack          -> ack.c
 *     sixth    URG                  check_urg
 *     seventh  text                 process_text       -> receive.c
 *     eighth   FIN                  check_fin          -> closing.c
 *
 * A step returns HF_V_CONTINUE or the verdict that ends the segment.  Nothing is sent here: steps
 * record what is owed, output sends it.
 */
#include "tcp/copies.h"
#include "tcp/ecn.h"

/* RFC 7323 3.2 and 5.3 R1, before the first step.  A reset needs no timestamp, nor does a SYN on an
 * open connection: it belongs to another one, and MUST get its challenge ACK (RFC 5961 4.2), else a
 * peer that has rebooted would not find out.  RFC7323-25, RFC7323-26, RFC7323-38, RFC7323-39,
 * RFC7323-40, RFC7323-43, RFC7323-54 */
static enum hf_verdict check_timestamp(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    bool other = (seg->ctl & SYN) && tcp_synchronized(tcb) && !(seg->opt.present & OPT_TS);
    if (!(tcb->flags & F_TS) || (seg->ctl & RST) || other) {
        return HF_V_CONTINUE;
    }
    if (!(seg->opt.present & OPT_TS)) {
        return tcp->b->policy.ts_tolerate_missing ? HF_V_CONTINUE : HF_V_DROP_NO_TIMESTAMP;
    }
    if (tcp_paws_rejects(tcp, tcb, seg)) {
        tcp_owe_answer(tcp, tcb, seg);
        return HF_V_DROP_PAWS;
    }
    return HF_V_CONTINUE;
}

/* The peer's SYN again: our SYN,ACK was lost.  A plain ACK would be useless to it in SYN-SENT, so
 * the SYN,ACK goes out once more, within the limit of challenge ACKs, its timer untouched.  X-32 */
static enum hf_verdict answer_repeated_syn(struct tcp *tcp, struct tcb *tcb,
                                           const struct segment *seg)
{
    if (!tcp_ecn_syn_again(tcp, tcb, seg)) {
        return tcp_reset_mixed_ecn(tcp, tcb, seg);
    }
    uint16_t due = tcb->owes & HF_OWES_ACK; /* it stays so: an ACK may take the SYN,ACK away */
    tcp_owe_challenge(tcp, tcb);
    if (tcb->owes & HF_OWES_CHALLENGE) {
        tcb->owes &= (uint16_t) ~(HF_OWES_CHALLENGE | HF_OWES_ACK);
        tcb->owes |= HF_OWES_SYN | due;
    }
    return HF_V_SYN_AGAIN;
}

/* RFC5961-9, RFC5961-10 */
static enum hf_verdict check_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                                 bool answer_rst);

/* One octet too old, RFC 9293 A.2: a repeated FIN, a probe, the SYN,ACK of a simultaneous open.  It
 * gets its ACK, and its ACK field is taken; that ends simultaneous opens, closes and probes.  Where
 * RCV.WND is 0 also the ACK of a peer whose SND.NXT counts the octet that it has probed with: the
 * special allowance of 3.10.7.4 first.  */
static enum hf_verdict take_ack_only(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    tcp_owe_answer(tcp, tcb, seg);
    if (tcb->state == HF_TIME_WAIT && (seg->ctl & FIN)) {
        tcp_enter_time_wait(tcp, tcb); /* 3.10.7.4 fifth: restart the 2 MSL time-out */
    }
    seg->ctl &= (uint16_t) ~(FIN | SYN);
    seg->text_len = 0;
    struct tcb last = *tcb;
    struct conn_id id;
    tcp_id(tcp, tcb, &id);
    if (tcb->state == HF_LAST_ACK && (tcb->modes & M_ACCURATE)) { /* its counters may go with it */
        tcp->no_ecn = *tcp_ecn_of(tcp, tcb);
        last.flags |= F_COMPACT;
    }
    enum hf_verdict verdict = check_ack(tcp, tcb, seg, false);
    if (verdict == HF_V_DROP_AFTER_CLOSE) { /* LAST-ACK: the record is gone, its ACK is due */
        bool echoes = (last.flags & F_TS) && (seg->opt.present & OPT_TS) &&
                      seq_leq(seg->seq, last.last_ack_sent);
        last.ts_recent = echoes ? seg->opt.ts_val : last.ts_recent; /* RFC 7323 4.3: as of now */
        tcp_reply_owed(tcp, &last, &id);
    }
    bool no_reset = verdict == HF_V_DROP_SYN_RECEIVED_ACK; /* its sentence speaks of one */
    return verdict == HF_V_CONTINUE || no_reset ? HF_V_ACK_ONLY_TAKEN : verdict;
}

static bool acks_our_syn(const struct tcb *tcb, const struct segment *seg)
{
    return seq_gt(seg->ack, tcb->snd.una) && seq_leq(seg->ack, tcb->snd.nxt);
}

/* SYN-RECEIVED, and the peer's SYN once more, whatever stands behind it.  A SYN,ACK ends a
 * simultaneous open (MUST-10, Figure 7), but never a passive one: no split handshake. */
static enum hf_verdict take_syn_again(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    if (!(seg->ctl & ACK)) {
        return answer_repeated_syn(tcp, tcb, seg);
    }
    bool simultaneous = !(tcb->flags & F_PASSIVE);
    if (simultaneous && seg->len == 1) {
        if (tcb->active) { /* RFC 2883: the SYN came twice */
            tcp_note_dsack(tcp, tcb, seg->seq, tcb->rcv.nxt);
        }
        if (!(tcb->modes & M_ACCURATE)) { /* of a SYN,ACK: no echo (RFC 3168 6.1.1) */
            seg->ctl &= (uint16_t)~ECN_BITS;
        }
        return take_ack_only(tcp, tcb, seg);
    }
    if (simultaneous && acks_our_syn(tcb, seg)) {
        tcp_accecn_syn_ack(tcp, tcb, seg);
        seg->seq = tcb->rcv.nxt; /* trimmed: the rest is in order */
        seg->ctl &= (uint16_t) ~(SYN | ECN_BITS);
        seg->packets = 0;
        seg->len -= 1;
        seg->up -= seg->up ? 1 : 0;
        return HF_V_CONTINUE;
    }
    tcp_owe_challenge(tcp, tcb);
    return seg->len == 1 ? HF_V_DROP_OLD_DUPLICATE : HF_V_DROP_SYN_CHALLENGED;
}

/* All of it lies before RCV.NXT; in numbers 2^31 apart each is before the other. */
static bool is_old(const struct tcb *tcb, const struct segment *seg)
{
    uint32_t old = seq_len(seg->seq, tcb->rcv.nxt);
    return seg->len && seg->len <= old && old < UINT32_C(1) << 31;
}

/* What is that old is no text that has come: in the first way around nothing lies before IRS. */
static bool is_before_irs(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    return seq_len(seg->seq, tcb->rcv.nxt) >= seq_len(tcb->irs, tcb->rcv.nxt) &&
           tally_of(tcp, tcb)->rcv_wraps == 0;
}

/* What is not acceptable and is no reset.  RFC5961-6 */
static enum hf_verdict refuse_sequence(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    bool one_old = seq_eq(seg->seq, seq_sub(tcb->rcv.nxt, 1)) && seg->len <= 1;
    bool has_probed =
        tcb->rcv.wnd == 0 && seg->len == 0 && seq_eq(seg->seq, seq_add(tcb->rcv.nxt, 1));
    if ((one_old || has_probed) && !(seg->ctl & SYN)) {
        seg->seq = has_probed ? tcb->rcv.nxt : seg->seq; /* its window counts, too */
        return take_ack_only(tcp, tcb, seg);
    }
    tcp_owe_answer(tcp, tcb, seg);
    if (seg->ctl & SYN && tcp_synchronized(tcb)) {
        tcp_accecn_syn_ack_again(tcp, tcb, seg);
        return HF_V_DROP_SYN_CHALLENGED; /* RFC 5961 4.2: whatever its sequence number */
    }
    if (tcb->state == HF_TIME_WAIT && (seg->ctl & FIN) &&
        seq_eq(seq_add(seg->seq, seg->len), tcb->rcv.nxt)) {
        tcp_enter_time_wait(tcp, tcb);
    }
    bool old = is_old(tcb, seg);
    if (old && seg->text_len && !is_before_irs(tcp, tcb, seg)) {
        tcp_note_dsack(tcp, tcb, seg->seq, seq_add(seg->seq, seg->text_len));
        tcp_compare_unread(tcp, tcb, seg);
    }
    return old ? HF_V_DROP_OLD_DUPLICATE : HF_V_DROP_OUT_OF_WINDOW;
}

/* first: check sequence number.  MUST-66 and a closed window: text is refused, but ACK, RST and URG
 * of a segment at RCV.NXT count; a bare FIN needs no buffer and is taken. */
static enum hf_verdict check_sequence(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    if (tcb->state == HF_SYN_RECEIVED && (seg->ctl & (SYN | RST)) == SYN &&
        seq_eq(seg->seq, tcb->irs)) {
        return take_syn_again(tcp, tcb, seg);
    }
    if (tcp_acceptable(tcb, seg)) {
        return HF_V_CONTINUE;
    }
    /* */
    if (tcb->rcv.wnd == 0 && seq_eq(seg->seq, tcb->rcv.nxt) && !(seg->ctl & SYN)) {
        if (seg->text_len && !(seg->ctl & RST)) {
            tcp_ecn_arrives(tcp, tcb, seg); /* RFC3168-27: a window probe's mark counts */
            bool opening = tcb->state == HF_SYN_RECEIVED && (seg->ctl & ACK);
            if (!opening || acks_our_syn(tcb, seg)) { /* else its answer is a reset */
                tcp_owe_ack(tcp, tcb);
            }
            seg->ctl &= (uint16_t)~FIN;
            seg->text_len = 0;
        }
        return HF_V_CONTINUE;
    }
    if (seg->ctl & RST) {
        return HF_V_DROP_RST_OUT_OF_WINDOW;
    }
    return refuse_sequence(tcp, tcb, seg);
}

/* second: check the RST bit.  RFC 5961 3.2: exactly at RCV.NXT, else in the window a challenge ACK.
 * SEG.SEQ alone counts, also where text makes the segment reach into the window.  SHLD-2,
 * RFC5961-1, RFC5961-2, RFC5961-3, X-39, RFC5961-5, RFC5961-15, RFC1337-1.  RFC1337-2 */
static enum hf_verdict check_rst(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!(seg->ctl & RST)) {
        return HF_V_CONTINUE;
    }
    if (tcb->state == HF_TIME_WAIT && tcp->b->policy.tw_ignore_rst) {
        return HF_V_DROP_RST_TIME_WAIT;
    }
    if (seq_lt(seg->seq, tcb->rcv.nxt)) {
        return HF_V_DROP_RST_OUT_OF_WINDOW;
    }
    if (!seq_eq(seg->seq, tcb->rcv.nxt)) {
        tcp_owe_challenge(tcp, tcb);
        return HF_V_DROP_RST_CHALLENGED;
    }
    tcb->flags |= F_RST_RECEIVED;
    switch (tcb->state) {
    case HF_SYN_RECEIVED:
        /* MUST-11 */
        if (tcb->flags & F_PASSIVE) {
            tcp_finish(tcp, tcb, HF_ERR_RESET, HF_CAUSE_NONE, HF_V_RST_BACK_TO_LISTEN);
            return HF_V_RST_BACK_TO_LISTEN;
        }
        tcp_finish(tcp, tcb, HF_ERR_REFUSED, HF_CAUSE_NONE, HF_V_RST_REFUSED);
        return HF_V_RST_REFUSED;
    case HF_CLOSING:
    case HF_LAST_ACK:
    case HF_TIME_WAIT: /* in order, if all was sent; the peer may have taken it and gone */
        tcp_finish(tcp, tcb, tcb->flags & F_FIN_SENT ? HF_OK : HF_ERR_RESET, HF_CAUSE_NONE,
                   HF_V_RST_CLOSES);
        return HF_V_RST_CLOSES;
    default:
        tcp_finish(tcp, tcb, HF_ERR_RESET, HF_CAUSE_NONE, HF_V_RST_CLOSES);
        return HF_V_RST_CLOSES;
    }
}

/* fourth: check the SYN bit.  RFC 5961 4.2: never more than a challenge ACK.
 * RFC5961-6, RFC5961-7, RFC5961-8, RFC5961-15 */
static enum hf_verdict check_syn(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!(seg->ctl & SYN)) {
        return HF_V_CONTINUE;
    }
    if (tcb->state == HF_SYN_RECEIVED && (tcb->flags & F_PASSIVE)) {
        tcp_finish(tcp, tcb, HF_ERR_RESET, HF_CAUSE_NONE, HF_V_SYN_BACK_TO_LISTEN);
        return HF_V_SYN_BACK_TO_LISTEN;
    }
    tcp_owe_challenge(tcp, tcb);
    return HF_V_DROP_SYN_CHALLENGED;
}

/* RFC 5961 5.2 with MAX.SND.WND; bytes that were never sent cannot be acknowledged, so the bound is
 * no lower than ISS+1 until so many were.  RFC5961-9, RFC5961-17 */
static bool ack_too_old(struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    uint32_t back = tcb->max_snd_wnd;
    if (tally_of(tcp, tcb)->una_wraps == 0) {
        uint32_t acked = seq_len(tcb->iss, tcb->snd.una);
        back = min_u32(back, acked ? acked - 1 : 0);
    }
    return seq_lt(seg->ack, seq_sub(tcb->snd.una, back));
}

/* MAY-2: one that was held takes the place of one in TIME-WAIT now that our SYN is acknowledged,
 * though the application may have closed it meanwhile. */
static void end_the_one_before(struct tcp *tcp, const struct tcb *tcb)
{
    if ((tcb->flags & (F_PASSIVE | F_UNACCEPTED)) == F_PASSIVE) {
        struct conn_id id;
        tcp_id(tcp, tcb, &id);
        tcp_hash(tcp, &id);
        tcp_end_time_wait(tcp, &id);
    }
}

/* */
static enum hf_verdict ack_opens(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                                 bool answer_rst)
{
    if (!acks_our_syn(tcb, seg)) {
        if (answer_rst) {
            struct conn_id id;
            tcp_id(tcp, tcb, &id);
            tcp_reply_rst(tcp, &id, seg);
        }
        return HF_V_DROP_SYN_RECEIVED_ACK;
    }
    if (tcb->flags & F_COMPACT) {
        return (enum hf_verdict)V_PROMOTE;
    }
    tcp_accecn_opens(tcp, tcb, seg);
    if (!(tcb->flags & F_PASSIVE)) {
        tcp_fast_open_answered(tcp, tcb, seg);
    }
    tcb->snd.wnd = seg->wnd;
    tcb->snd.wl1 = seq_min(seg->seq, tcb->rcv.nxt); /* what fills a gap before it counts too */
    tcb->snd.wl2 = seg->ack;
    end_the_one_before(tcp, tcb);
    tcp_enter_established(tcp, tcb);
    return HF_V_CONTINUE;
}

/* fifth: check the ACK field.  MAY-12 (RFC 5961 5) from ESTABLISHED on. */
static enum hf_verdict check_ack(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                                 bool answer_rst)
{
    if (!(seg->ctl & ACK)) {
        /* */
        return HF_V_DROP_NO_ACK;
    }
    bool opens = tcb->state == HF_SYN_RECEIVED;
    if (opens) {
        enum hf_verdict verdict = ack_opens(tcp, tcb, seg, answer_rst);
        if (verdict != HF_V_CONTINUE) {
            return verdict;
        }
    }
    if (ack_too_old(tcp, tcb, seg)) {
        tcp_owe_answer(tcp, tcb, seg);
        return HF_V_DROP_ACK_TOO_OLD;
    }
    if (seq_gt(seg->ack, tcb->snd.nxt)) {
        tcp_owe_answer(tcp, tcb, seg);
        /* X-13, RFC5961-10, RFC5681-35 */
        return HF_V_DROP_ACK_OF_UNSENT;
    }
    /* RFC7323-52: behind the checks of window and ACK */
    tcp_take_timestamp(tcp, tcb, seg);
    tcp_heard(tcp, tcb);
    tcp_take_user_timeout(tcp, tcb, seg);
    if (tcb->state == HF_TIME_WAIT) {
        return HF_V_CONTINUE;
    }
    /* TIME-WAIT has gone its way above */
    bool fin_was_acked = tcb->flags & F_FIN_ACKED;
    bool closed = tcb->state == HF_FIN_WAIT_1 || tcb->state == HF_CLOSING;
    if (closed && tcp_syn_is_out(tcp, tcb) && seq_gt(seg->ack, tcb->snd.una)) {
        end_the_one_before(tcp, tcb);
    }
    /* */
    tcp_take_ack(tcp, tcb, seg, seq_leq(seg->seq, tcb->rcv.nxt));
    if (opens && !(tcb->flags & F_PASSIVE)) { /* a server's text is behind its SYN,ACK, in flight */
        tcp_fast_open_resume(tcp, tcb);
    }
    if ((tcb->flags & F_FIN_ACKED) && !fin_was_acked) {
        return tcp_our_fin_acked(tcp, tcb);
    }
    return HF_V_CONTINUE;
}

/* sixth: check the URG bit.  MUST-32: told when urgent data begins and when its end moves.  MUST-30
 */
static void check_urg(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (!(seg->ctl & URG) || tcb->state > HF_FIN_WAIT_2 || !tcp_attach(tcp, tcb)) {
        return;
    }
    struct active *active = active_of(tcp, tcb);
    seq_t up = seq_add(seg->seq, seg->up);
    seq_t read = seq_sub(tcb->rcv.nxt, active->rq_bytes);
    if (!seq_gt(up, read) || ((tcb->flags & F_URGENT) && !seq_gt(up, active->rcv_up))) {
        return;
    }
    active->rcv_up = up;
    tcb->flags |= F_URGENT;
    tcp_event(tcp, tcb, HF_URGENT);
}

/* Nobody is there to read it, RFC 9293 3.6.1 SHLD-3; the RST is SEQ=SEG.ACK. */
static enum hf_verdict reset_late_data(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    tcp_reply_reset(tcp, tcb, seg);
    tcp_finish(tcp, tcb, HF_ERR_ABORTED, HF_CAUSE_NONE, HF_V_LATE_DATA_RESET);
    return HF_V_LATE_DATA_RESET;
}

/* seventh: process the segment text. */
static enum hf_verdict process_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    if (seg->text_len == 0) {
        return HF_V_CONTINUE;
    }
    if (tcb->state != HF_ESTABLISHED && tcb->state != HF_FIN_WAIT_1 &&
        tcb->state != HF_FIN_WAIT_2) {
        return HF_V_CONTINUE; /* behind the peer's FIN: "should not occur", text is ignored */
    }
    if (tcb->flags & F_RELEASED) {
        return reset_late_data(tcp, tcb, seg);
    }
    bool ahead = seq_gt(seg->seq, tcb->rcv.nxt);
    if (!tcp_process_text(tcp, tcb, seg)) {
        return HF_V_DROP_NO_MEMORY;
    }
    return ahead ? HF_V_OUT_OF_ORDER : HF_V_CONTINUE;
}

/* A FIN ahead of a gap says where the text ends: what claims to lie behind it is ignored. */
static void trim_to_fin(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    const struct active *active = active_of(tcp, tcb);
    if (active == NULL || !active->fin_held) {
        return;
    }
    int32_t beyond = seq_diff(seq_add(seg->seq, seg->text_len), active->fin_seq);
    if (beyond > 0 && seg->len != 0) { /* the peer's ACKs have the number behind its FIN */
        seg->text_len -= min_u32((uint32_t)beyond, seg->text_len);
        seg->ctl &= (uint16_t) ~(FIN | PSH);
        seg->len = seg->text_len;
        tcp_owe_ack(tcp, tcb);
    }
}

/* A FIN ahead of a gap is kept until the gap is filled (SHLD-31): the first one, unless another is
 * nearer (a forged one must not hide the peer's), and none below text that came before it. */
static void hold_fin(struct tcp *tcp, struct tcb *tcb, seq_t fin)
{
    tcp_owe_ack(tcp, tcb);
    if (!tcp_attach(tcp, tcb)) {
        return;
    }
    struct active *active = active_of(tcp, tcb);
    bool nearer = !active->fin_held || seq_lt(fin, active->fin_seq);
    if (nearer && !tcp_holds_beyond(tcp, active, fin)) {
        active->fin_held = 1;
        active->fin_seq = fin;
    }
}

/* eighth: check the FIN bit, once all text before it is here.  X-17 */
static enum hf_verdict check_fin(struct tcp *tcp, struct tcb *tcb, const struct segment *seg)
{
    struct active *active = active_of(tcp, tcb);
    seq_t fin = seq_add(seg->seq, seg->text_len);
    /* Text from behind it is here: it is no end, but the one that was held may be. */
    bool passed = !(tcb->flags & F_FIN_RECEIVED) && seq_lt(fin, tcb->rcv.nxt);
    if ((seg->ctl & FIN) && !passed) {
        /* */
        if (tcb->flags & F_FIN_RECEIVED) {
            tcp_owe_ack(tcp, tcb); /* a second FIN: RCV.NXT stays */
            if (tcb->state == HF_TIME_WAIT) {
                tcp_enter_time_wait(tcp, tcb);
            }
            return HF_V_CONTINUE;
        }
        if (seq_gt(fin, tcb->rcv.nxt)) {
            hold_fin(tcp, tcb, fin);
            return HF_V_OUT_OF_ORDER;
        }
        tcp_process_fin(tcp, tcb);
    } else if (active && active->fin_held && seq_eq(active->fin_seq, tcb->rcv.nxt)) {
        tcp_process_fin(tcp, tcb);
    }
    return HF_V_CONTINUE;
}

enum hf_verdict tcp_arrives_otherwise(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    enum hf_verdict verdict = check_timestamp(tcp, tcb, seg);
    if (verdict == HF_V_CONTINUE) {
        verdict = check_sequence(tcp, tcb, seg);
    }
    if (verdict == HF_V_CONTINUE) {
        verdict = check_rst(tcp, tcb, seg);
    }
    if (verdict == HF_V_CONTINUE) {
        verdict = check_syn(tcp, tcb, seg);
    }
    if (verdict == HF_V_CONTINUE) {
        verdict = check_ack(tcp, tcb, seg, true);
    }
    if (verdict != HF_V_CONTINUE) {
        return verdict;
    }
    return tcp_arrives_acked(tcp, tcb, seg);
}

/* From the sixth step on: what a SYN,ACK in SYN-SENT goes on with as well (3.10.7.3 fourth). */
enum hf_verdict tcp_arrives_acked(struct tcp *tcp, struct tcb *tcb, struct segment *seg)
{
    bool refused = seg->len && seg->text_len == 0 && !(seg->ctl & FIN); /* and counted then */
    if (!refused) {
        tcp_ecn_arrives(tcp, tcb, seg);
    }
    check_urg(tcp, tcb, seg); /* SEG.UP counts from SEG.SEQ, before it is trimmed */
    if (seg->text_len && seq_lt(seg->seq, tcb->rcv.nxt)) { /* RFC 2883 4.2: old in part */
        tcp_note_dsack(tcp, tcb, seg->seq, seq_min(seq_add(seg->seq, seg->text_len), tcb->rcv.nxt));
        tcp_compare_unread(tcp, tcb, seg);
    }
    tcp_trim(tcb, seg);
    trim_to_fin(tcp, tcb, seg);
    enum hf_verdict verdict = process_text(tcp, tcb, seg);
    if (verdict == HF_V_CONTINUE || verdict == HF_V_OUT_OF_ORDER) {
        tcp_ecn_owe_ack(tcp, tcb);
        enum hf_verdict fin = check_fin(tcp, tcb, seg);
        verdict = verdict == HF_V_CONTINUE ? fin : verdict;
    }
    return verdict == HF_V_CONTINUE ? HF_V_ACCEPTED : verdict;
}

/* A full record: SYN-SENT and a held SYN are special. */
static enum hf_verdict arrives_tcb(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id,
                                   uint32_t listener, struct segment *seg)
{
    tally_of(tcp, tcb)->segs_in += max_u32(seg->packets, 1);
    if (tcb->flags & F_HELD) {
        return tcp_arrives_held(tcp, tcb, id, seg);
    }
    if (tcb->state == HF_SYN_SENT) {
        return tcp_arrives_syn_sent(tcp, tcb, seg);
    }
    if (tcb->state == HF_TIME_WAIT && (seg->ctl & (SYN | RST | ACK)) == SYN) {
        return tcp_syn_in_time_wait(tcp, tcb, id, listener, seg);
    }
    return tcp_arrives_otherwise(tcp, tcb, seg);
}

enum hf_verdict tcp_input(struct tcp *tcp, const struct conn_id *id, uint32_t value,
                          uint32_t listener, struct segment *seg)
{
    tcp->b->segs_in += max_u32(seg->packets, 1);
    uint32_t idx = FLOW_IDX(value);
    if (value != 0 && FLOW_KIND(value) == KIND_HALF_OPEN) {
        return tcp_arrives_half_open(tcp, idx, id, seg);
    }
    if (value != 0 && FLOW_KIND(value) == KIND_TIME_WAIT) {
        return tcp_arrives_time_wait(tcp, idx, id, listener, seg);
    }
    if (value == 0 && listener && tcp_cookie_awaited(tcp, listener_at(tcp, listener), seg)) {
        return tcp_arrives_cookie(tcp, listener, id, seg);
    }
    struct tcb *tcb = value ? tcb_at(tcp, idx) : NULL;
    uint32_t generation = tcb ? tcb->generation : 0;
    tcp_trace_begin(tcp, tcb, HF_TRACE_IN, HF_CAUSE_NONE);
    enum hf_verdict verdict;
    if (tcb) {
        if (!(seg->ctl & SYN)) {
            /* RFC7323-10 */
            seg->wnd <<= tcb->snd_wscale; /* RFC 7323 2.3: never in a SYN */
        }
        tcp_trace_segment(tcp, id, seg);
        verdict = arrives_tcb(tcp, tcb, id, listener, seg);
    } else {
        tcp->before.state_before = listener ? HF_LISTEN : HF_CLOSED;
        tcp_trace_segment(tcp, id, seg);
        verdict = listener ? tcp_arrives_listen(tcp, listener, id, seg, NULL)
                           : tcp_arrives_closed(tcp, id, seg);
    }
    if (verdict == HF_V_FAST_OPEN) { /* the listener's SYN has a tcb already */
        tcb = tcb_at(tcp, FLOW_IDX(tcp_find(tcp, id)));
        generation = tcb->generation;
    }
    bool alive = tcb && tcb->generation == generation;
    tcp_trace_end(tcp, alive ? tcb : NULL, verdict);
    if (alive) {
        tcp_settle(tcp, tcb);
    }
    return verdict;
}
