/* orphan.c - RFC 9293 section 3.6, RFC 6429 section 4: connections whose handle was released.
 *
 * What an application has closed and let go is finished by the stack alone, with memory that nobody
 * else will ask for (Netkill, sockstress).  One that makes progress is left in peace.  One that has
 * to send something again, or asks after a closed window, is given up with a reset as long as there
 * are too many of them, or they hold too much text: whoever goes on waiting for a peer then is the
 * least useful that there is.  Those in TIME-WAIT owe nothing and do not count.
 */
#include "tcp/tcp.h"

enum { A_FEW = 4 };

void tcp_orphan_begin(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->state == HF_CLOSED || tcb->state == HF_TIME_WAIT) {
        return;
    }
    tcb->flags |= F_ORPHAN;
    tcp->b->orphans++;
    tcp->b->orphan_bytes += tcp_queued(tcp, tcb);
}

void tcp_orphan_end(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_ORPHAN) {
        tcb->flags &= ~(uint32_t)F_ORPHAN;
        tcp->b->orphans--;
        tcp->b->orphan_bytes -= tcp_queued(tcp, tcb);
    }
}

/* Where policy names no number, a few may wait in any case: a small stack's last text is no flood.
 */
static bool too_many(const struct tcp *tcp)
{
    const struct tcp_block *b = tcp->b;
    uint32_t most = b->policy.max_orphans;
    uint64_t share = tcp_payload_most(tcp) / 100 * b->policy.orphan_share;
    return b->orphans > (most ? most : max_u32(b->tcbs.max / 2, A_FEW)) ||
           (b->orphans > A_FEW && b->policy.orphan_share < 100 && b->orphan_bytes > share);
}

/* Does the timer say that nothing comes back? */
static bool waits(const struct tcp *tcp, const struct tcb *tcb, enum hf_cause cause)
{
    const struct active *active = active_of(tcp, tcb);
    return (cause == HF_TIMER_RTO && !active->ecn_waits) ||
           (cause == HF_TIMER_PERSIST && (tcb->snd.wnd == 0 || tcp_waits_for_a_way(tcb)));
}

bool tcp_orphan_goes(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    if (!(tcb->flags & F_ORPHAN) || !waits(tcp, tcb, cause) || !too_many(tcp)) {
        return false;
    }
    tcp_reply_abort(tcp, tcb);
    tcp->b->verdicts[HF_V_ORPHAN_RESET]++;
    tcp_finish(tcp, tcb, HF_ERR_TIMED_OUT, cause, HF_V_ORPHAN_RESET);
    return true;
}
