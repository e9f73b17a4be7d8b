/* icmp.c - RFC 5927, RFC 9293 section 3.9.2.2: what an ICMP error does to a connection.
 *
 * An error counts only when the number it quotes is in flight: that is what an attacker off the
 * path does not know.  Soft errors are told and the connection goes on (MUST-56); hard ones end an
 * attempt to open (SHLD-26 as deployed), and nothing else unless icmp_hard_abort is set.
 */
#include "tcp/recovery.h"

static bool in_flight(const struct tcb *tcb, seq_t quoted_seq)
{
    return seq_leq(tcb->snd.una, quoted_seq) && seq_lt(quoted_seq, tcb->snd.nxt);
}

/* RFC5461-1, MUST-47, MUST-56, SHLD-25, SHLD-26, RFC1122-10, RFC5927-2 */
bool tcp_icmp_error(struct tcp *tcp, struct tcb *tcb, seq_t quoted_seq, int error, bool hard)
{
    if (tcb->state < HF_SYN_SENT || tcb->state == HF_TIME_WAIT || !in_flight(tcb, quoted_seq)) {
        return false;
    }
    const struct hf_policy *policy = &tcp->b->policy;
    bool opening = tcb->state == HF_SYN_SENT;
    bool ends = opening ? hard || policy->syn_soft_abort : hard && policy->icmp_hard_abort;
    if (!ends) {
        tcp_event(tcp, tcb, HF_ERROR_REPORT);
        return true;
    }
    tcp_trace_ended(tcp, tcb, error, HF_CAUSE_ICMP, HF_V_ICMP_TAKEN);
    tcp_finish(tcp, tcb, error, HF_CAUSE_ICMP, HF_V_ICMP_TAKEN);
    return true;
}

/* ARP or neighbour discovery gave up: as a soft error from this very host.  RFC4861-2 */
bool tcp_unreachable(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->state == HF_SYN_SENT) {
        tcp_trace_begin(tcp, tcb, HF_TRACE_TIMER, HF_TIMER_NEIGHBOUR);
        tcp_finish(tcp, tcb, HF_ERR_HOST_UNREACHABLE, HF_TIMER_NEIGHBOUR, HF_V_ACCEPTED);
        tcp_trace_end(tcp, tcb, HF_V_ACCEPTED);
        return false;
    }
    return tcb->state > HF_SYN_SENT && tcb->state != HF_TIME_WAIT;
}
