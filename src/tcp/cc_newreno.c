/* cc_newreno.c - RFC 5681 section 3.1: slow start and congestion avoidance, both by octets.
 *
 * Slow start takes up to L segments' worth of each ACK (RFC 9406 4.2 without pacing: 8) instead of
 * one, for peers and devices that acknowledge many segments at once.
 */
#include "tcp/congestion.h"

enum { COUNTED = CC_OWN, CWND_MAX = 1 << 30 };

static void on_ack(const struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t octets)
{
    uint32_t mss = smss(tcb);
    if (tcb->cwnd < tcb->ssthresh) {
        uint32_t l = max_u32(tcp->b->policy.slow_start_l, 1) * mss;
        tcb->cwnd = min_u32(tcb->cwnd + min_u32(octets, l), max_u32(tcb->ssthresh, mss));
    } else { /* SMSS for each cwnd of octets acknowledged (RFC 5681 3.1, RFC 3465 2.1) */
        active->cc[COUNTED] += min_u32(octets, tcb->cwnd);
        if (active->cc[COUNTED] >= tcb->cwnd) {
            active->cc[COUNTED] -= tcb->cwnd;
            tcb->cwnd += mss;
        }
    }
    tcb->cwnd = min_u32(tcb->cwnd, CWND_MAX);
}

/* Equation (4). */
static uint32_t ssthresh(const struct tcp *tcp, struct tcb *tcb, struct active *active,
                         uint32_t flight, enum congestion_sign sign)
{
    (void)tcp;
    (void)sign;
    active->cc[COUNTED] = 0;
    return max_u32(flight / 2, 2 * smss(tcb));
}

/* COUNTED is less than a window's worth: not worth keeping. */
static void undo(const struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    (void)tcp;
    (void)tcb;
    (void)active;
}

const struct tcp_congestion tcp_newreno = {
    .name = "newreno",
    .on_ack = on_ack,
    .ssthresh = ssthresh,
    .undo = undo,
};
