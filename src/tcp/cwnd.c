/* cwnd.c - RFC 5681 sections 3.1 and 4.1, RFC 7661: which use of the congestion window lets it
 * grow, and what is left of it after a pause.
 *
 * What is lost, and what that does to cwnd, is recovery.c; how far it grows, the congestion control
 * (congestion.h).
 */
#include "tcp/congestion.h"

static const struct tcp_congestion *const congestions[] = {&tcp_newreno};

const struct tcp_congestion *tcp_control(const struct tcp *tcp, const struct tcb *tcb)
{
    (void)tcp;
    (void)tcb;
    return congestions[CC_NEWRENO];
}

static uint32_t flight_of(const struct tcb *tcb)
{
    return seq_len(tcb->snd.una, tcb->snd.nxt);
}

/* Only what was used says that more would do (RFC 5681 3.1, RFC 7661): slow start while less than
 * twice the largest flight of the round, congestion avoidance while the window was full. */

void tcp_cwnd_note_flight(const struct tcb *tcb, struct active *active, uint32_t acked)
{
    uint32_t flight = flight_of(tcb) + acked;
    seq_t first = seq_sub(tcb->snd.una, acked);
    if (active->cc[CC_MAX_FLIGHT] < flight || seq_geq(first, seq(active->cc[CC_ROUND_END]))) {
        active->cc[CC_MAX_FLIGHT] = flight;
        active->cc[CC_ROUND_END] = tcb->snd.nxt.v;
    }
}

static bool window_was_used(const struct tcb *tcb, const struct active *active)
{
    uint32_t most = active->cc[CC_MAX_FLIGHT];
    if (tcb->cwnd < tcb->ssthresh) {
        return tcb->cwnd / 2 < most;
    }
    return most + smss(tcb) > tcb->cwnd;
}

void tcp_cwnd_grow(const struct tcp *tcp, struct tcb *tcb, struct active *active,
                   uint32_t delivered)
{
    if (active->recovery == RECOVERY_RTO || window_was_used(tcb, active)) {
        tcp_control(tcp, tcb)->on_ack(tcp, tcb, active, delivered);
    }
}

/* RFC 5681 4.1: RW = min(IW, cwnd). */
void tcp_cwnd_idle(struct tcp *tcp, struct tcb *tcb)
{
    const struct hf_policy *policy = &tcp->b->policy;
    if (!policy->slow_start_after_idle || flight_of(tcb) || tcb->last_snd_ms == 0 ||
        tcp->now_ms - tcb->last_snd_ms <= tcp_rto_ms(tcp, tcb)) {
        return;
    }
    tcb->cwnd = min_u32(tcb->cwnd, policy->initial_cwnd * smss(tcb));
}
