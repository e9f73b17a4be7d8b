/* closing.c - RFC 9293 section 3.6 and the eighth step: how a connection ends.
 *
 *     closes first                                             closes second
 *     ESTABLISHED                                              ESTABLISHED
 *     FIN-WAIT-1   tcp_close            -- FIN,ACK -->         tcp_process_fin    CLOSE-WAIT
 *     FIN-WAIT-2   tcp_our_fin_acked    <-- ACK --
 *                                       <-- FIN,ACK --         tcp_close          LAST-ACK
 *     TIME-WAIT    tcp_process_fin      -- ACK -->             tcp_our_fin_acked  CLOSED
 *     CLOSED       2 MSL later
 *
 * Both at once: FIN-WAIT-1 -> CLOSING (the peer's FIN) -> TIME-WAIT (the ACK of ours).
 */
#include "tcp/recovery.h"

/* eighth: the FIN is in order.  RCV.NXT passes it, it is acknowledged at once, the user is told. */
void tcp_process_fin(struct tcp *tcp, struct tcb *tcb)
{
    tcb->rcv.nxt = seq_add(tcb->rcv.nxt, 1);
    tcb->rcv.wnd -= tcb->rcv.wnd ? 1 : 0;
    if (tcb->rcv.nxt.v == tcb->irs.v) {
        tally_of(tcp, tcb)->rcv_wraps++;
    }
    if (!(tcb->flags & F_CLOSE)) {
        tcb->flags |= F_PEER_FIRST;
    }
    tcb->flags |= F_FIN_RECEIVED;
    if (tcb->active) {
        if (active_of(tcp, tcb)->rq_bytes == 0) {
            tcb->flags &= ~(uint32_t)F_URGENT;
        }
        active_of(tcp, tcb)->fin_held = 0;       /* also when it came once more, in order */
        tcp_free_held(tcp, active_of(tcp, tcb)); /* nothing lies behind it */
    }
    tcp_owe_ack(tcp, tcb);
    tcp_event(tcp, tcb, HF_PEER_CLOSED | HF_READABLE);
    switch (tcb->state) {
    case HF_ESTABLISHED:
        tcp_set_state(tcb, HF_CLOSE_WAIT);
        break;
    /* */
    case HF_FIN_WAIT_1: /* were our FIN acknowledged, this would be FIN-WAIT-2 by now */
        tcp_set_state(tcb, HF_CLOSING);
        tcb->flags |= F_BOTH_FIRST;
        break;
    case HF_FIN_WAIT_2:
        tcp_set_state(tcb, HF_TIME_WAIT);
        tcp_enter_time_wait(tcp, tcb);
        break;
    default:
        break;
    }
}

/* fifth: SND.UNA covers our FIN. */
enum hf_verdict tcp_our_fin_acked(struct tcp *tcp, struct tcb *tcb)
{
    switch (tcb->state) {
    case HF_FIN_WAIT_1:
        tcp_set_state(tcb, HF_FIN_WAIT_2);
        if (tcb->flags & F_RELEASED) {
            tcb->long_at_ms = ms_after(tcp->now_ms, tcp->b->policy.fin_timeout_ms);
        }
        tcp_keepalive_start(tcp, tcb);
        return HF_V_CONTINUE;
    case HF_CLOSING:
        tcp_set_state(tcb, HF_TIME_WAIT);
        tcp_enter_time_wait(tcp, tcb);
        return HF_V_CONTINUE;
    case HF_LAST_ACK:
        tcp_finish(tcp, tcb, HF_OK, HF_CAUSE_NONE, HF_V_DROP_AFTER_CLOSE);
        return HF_V_DROP_AFTER_CLOSE;
    default:
        return HF_V_CONTINUE;
    }
}

/* "Start the time-wait timer, turn off the other timers" (MUST-13); also restarts it.  X-40 */
void tcp_enter_time_wait(struct tcp *tcp, struct tcb *tcb)
{
    tcb->long_at_ms = ms_after(tcp->now_ms, 2 * tcp->b->policy.msl_ms);
    tcp_orphan_end(tcp, tcb);
    struct active *active = active_of(tcp, tcb);
    if (active) {
        active->rto_at_ms = 0;
        active->unacked_since_ms = 0;
    }
}

/* Nothing more will be sent: text that is queued is lost.  What was received stays readable. */
static void drop_unsent(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL) {
        return;
    }
    tcp_chunk_free_chain(tcp, active->sq_head);
    tcp_sent_clear(tcp, active);
    tcp_free_held(tcp, active);
    active->sq_head = active->sq_tail = active->sq_skip = active->sq_bytes = 0;
    active->send.chunk = active->rxt.chunk = 0;
    active->rto_at_ms = active->delack_at_ms = active->unacked_since_ms = 0;
    active->unacked_bytes = 0;
    active->dup_owed = 0;
    active->dsack = active->fin_held = 0;
}

/* Text for whoever accepts the connection: it stays in the queue, closed, with its error. */
static bool text_waits(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    return active && active->rq_bytes;
}

void tcp_finish(struct tcp *tcp, struct tcb *tcb, int error, enum hf_cause cause,
                enum hf_verdict verdict)
{
    tcb->end_state = tcb->state;
    tcb->error = (uint8_t)-error;
    tcb->cause = (uint8_t)cause;
    tcb->verdict = (uint16_t)verdict;
    tcb->long_at_ms = 0;
    if (tcp->before.kind == HF_TRACE_IN || tcp->before.kind == HF_TRACE_TIMER) {
        tcp->before.error = error; /* a call's record has its result there */
    }
    if (tcb->flags & F_COMPACT) {
        tcb->owes = 0;
        tcp_set_state(tcb, HF_CLOSED);
        return; /* half_open.c and time_wait.c see the state */
    }
    tcp_orphan_end(tcp, tcb);
    tcp_owe_nothing(tcp, tcb);
    tcp_fast_open_done(tcp, tcb);
    drop_unsent(tcp, tcb);
    tcp_unfile(tcp, tcb);
    tcp_set_state(tcb, HF_CLOSED);
    if ((tcb->flags & F_RELEASED) || ((tcb->flags & F_UNACCEPTED) && !text_waits(tcp, tcb))) {
        tcp_delete(tcp, tcb); /* nobody has the handle, or will ask for it */
        return;
    }
    tcp_event(tcp, tcb, HF_CLOSED_EVENT | HF_READABLE);
    tcp_settle(tcp, tcb);
}

/* RFC 6191 2.  Greater than the last sequence number means above the FIN's: SEQ >= RCV.NXT.
 * RFC6191-1, RFC6191-2, RFC6191-3, RFC6191-5, RFC6191-6 */
bool tcp_syn_ends_time_wait(const struct tcp *tcp, const struct tcb *tcb, const struct segment *seg)
{
    bool newer_seq = seq_geq(seg->seq, tcb->rcv.nxt);
    bool stamps = tcp->b->policy.timestamps && (seg->opt.present & OPT_TS);
    if (!stamps) {
        return newer_seq;
    }
    if (!(tcb->flags & F_TS)) {
        return true;
    }
    int32_t newer = (int32_t)(seg->opt.ts_val - tcb->ts_recent);
    return newer > 0 || (newer == 0 && newer_seq);
}

/* SHLD-4: an early new connection, when it is safe and somebody listens; else silence, since an ACK
 * would invite the reset that kills TIME-WAIT.  The old record stays until the new one is open
 * (MAY-2): a half-open one is found before it.  RFC6191-4, RFC6191-7 */
enum hf_verdict tcp_syn_in_time_wait(struct tcp *tcp, struct tcb *tcb, const struct conn_id *id,
                                     uint32_t listener, const struct segment *seg)
{
    if (listener && tcp_syn_ends_time_wait(tcp, tcb, seg)) {
        return tcp_arrives_listen(tcp, listener, id, seg, &tcb->snd.nxt);
    }
    if (tcp->b->policy.tw_syn_ack) {
        tcp_owe_challenge(tcp, tcb);
    }
    return HF_V_DROP_TIME_WAIT_SYN;
}
