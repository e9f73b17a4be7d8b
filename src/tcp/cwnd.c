/* cwnd.c - RFC 5681 sections 3.1 and 4.1, RFC 7661: which use of the congestion window lets it
 * grow, and what is left of it after a pause.
 *
 * What is lost, and what that does to cwnd, is recovery.c; how far it grows, the congestion control
 * (congestion.h).
 */
#include "tcp/congestion.h"

enum { CWND_MAX = 1 << 30, CSS_DIVISOR = 4 };

static const struct tcp_congestion *const congestions[HF_CONGESTIONS] = {
    [HF_NEWRENO] = &tcp_newreno,
    [HF_CUBIC] = &tcp_cubic,
};

const struct tcp_congestion *tcp_control(const struct tcp *tcp, const struct tcb *tcb)
{
    (void)tcp;
    return congestions[CONGESTION_OF(tcb->modes)];
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
    if (active->growth.max_flight < flight || seq_geq(first, active->growth.round_end)) {
        active->growth.max_flight = flight;
        active->growth.round_end = tcb->snd.nxt;
    }
}

static bool window_was_used(const struct tcb *tcb, const struct active *active)
{
    uint32_t most = active->growth.max_flight;
    if (tcb->cwnd < tcb->ssthresh) {
        return tcb->cwnd / 2 < most;
    }
    return most + smss(tcb) > tcb->cwnd;
}

/* Up to L segments' worth of each ACK (RFC 9406 4.2 without pacing: 8) instead of the one of
 * RFC 5681, for peers and devices that acknowledge many segments at once. */
void tcp_slow_start(const struct tcp *tcp, struct tcb *tcb, const struct active *active,
                    uint32_t octets)
{
    uint32_t most = tcp->b->policy.slow_start_l * smss(tcb);
    uint32_t n = min_u32(octets, most) / (active->growth.css ? CSS_DIVISOR : 1);
    uint32_t cwnd = min_u32(tcb->cwnd + n, max_u32(tcb->ssthresh, smss(tcb)));
    tcb->cwnd = min_u32(cwnd, CWND_MAX);
}

/* MUST-19, RFC5681-3 */
void tcp_cwnd_grow(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t delivered)
{
    const struct tcp_congestion *control = tcp_control(tcp, tcb);
    uint32_t min_rtt_us = tally_of(tcp, tcb)->min_rtt_us;
    if (control->hystart && min_rtt_us && tcb->cwnd < tcb->ssthresh) {
        tcp_hystart(tcp, tcb, active, min_rtt_us);
    }
    active->growth.rtt_us = 0;
    if (active->recovery == RECOVERY_RTO || window_was_used(tcb, active)) {
        control->on_ack(tcp, tcb, active, delivered);
    } else {
        active->growth.limited = 1;
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
