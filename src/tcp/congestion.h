/* congestion.h - RFC 5681: what a congestion control decides; recovery.c decides when it is asked.
 *
 * One const struct of functions for each, chosen by its number in tcp_congestions (as
 * HF_CONGESTION_CONTROL names it); its state is in active->cc, behind the words that recovery.c
 * uses itself.  cwnd and ssthresh are in the tcb: they outlast the active record.
 */
#ifndef TCP_CONGESTION_H
#define TCP_CONGESTION_H

#include "tcp/tcp.h"

/* Words of active->cc. */
enum {
    CC_MAX_FLIGHT, /* octets in flight at most in this round ...    */
    CC_ROUND_END,  /* ... which ends when this number is acknowledged */
    CC_OWN,        /* the first of the control's own words            */
};

struct tcp_congestion {
    const char *name;
    /* octets were delivered while nothing is wrong, or while going back after a timeout. */
    void (*on_ack)(const struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t octets);
    /* ssthresh after a loss with `flight` octets out. */
    uint32_t (*ssthresh)(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                         uint32_t flight);
    /* A loss was found, by duplicates or by time: cwnd and ssthresh are set already. */
    void (*on_loss)(struct tcb *tcb, struct active *active);
};

enum { CC_NEWRENO };

extern const struct tcp_congestion tcp_newreno;

/* RFC 5681's SMSS, never 0. */
static inline uint32_t smss(const struct tcb *tcb)
{
    return tcb->snd_mss ? tcb->snd_mss : 1;
}

#endif
