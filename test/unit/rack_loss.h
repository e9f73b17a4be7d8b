/* rack_loss.h - for tests of loss that RACK finds: a connection with a round trip of 100 ms. */
#ifndef RACK_LOSS_H
#define RACK_LOSS_H

#include "tcp_loss.h"

enum { RTT_MS = 100, RTT_US = 100000 };

static inline void begin_rack(struct bench *t)
{
    begin(t, F_SACK);
    t->b->policy.rack = t->b->policy.tlp = true;
    t->tcb->srtt_us = RTT_US;
    t->tcb->rttvar_us = RTT_US / 2;
    tally_of(&t->tcp, t->tcb)->min_rtt_us = RTT_US;
}

static inline void wait(struct bench *t, uint32_t ms)
{
    bench_time(t, t->tcp.now_ms + ms);
}

#endif
