/* cc_newreno.c - RFC 5681 section 3.1: slow start and congestion avoidance, both by octets. */
#include "tcp/congestion.h"

enum { CWND_MAX = 1 << 30 };

/* SMSS for each cwnd of octets acknowledged (RFC 5681 3.1, RFC 3465 2.1).  RFC5681-11, RFC5681-12,
 * RFC5681-13 */
static void on_ack(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t octets)
{
    uint32_t *counted = &active->growth.counted;
    if (tcb->cwnd < tcb->ssthresh) {
        tcp_slow_start(tcp, tcb, active, octets);
        return;
    }
    *counted += min_u32(octets, tcb->cwnd);
    if (*counted >= tcb->cwnd) {
        *counted -= tcb->cwnd;
        tcb->cwnd = min_u32(tcb->cwnd + smss(tcb), CWND_MAX);
    }
}

/* Equation (4); for an ECN echo 0.8 of the flight, as standing queues that mark early are short.
 * RFC5681-9, RFC5681-14, RFC8511-1 */
static uint32_t ssthresh(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t flight,
                         enum congestion_sign sign)
{
    bool echo = sign == CC_ECN && tcp->b->policy.abe;
    active->growth.counted = 0;
    return max_u32(echo ? flight / 5 * 4 : flight / 2, 2 * smss(tcb));
}

/* What is counted is less than a window's worth: not worth keeping. */
static void undo(struct tcp *tcp, struct tcb *tcb, struct active *active)
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
