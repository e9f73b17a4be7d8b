/* congestion.h - RFC 5681: what a congestion control decides; cwnd.c and recovery.c decide when it
 * is asked.
 *
 * One const struct of functions for each, chosen by its number (enum hf_congestion in tcb->modes);
 * its state is in active->growth.  cwnd and ssthresh are in the tcb, W_max in the tally: they
 * outlast the active record.
 */
#ifndef TCP_CONGESTION_H
#define TCP_CONGESTION_H

#include "tcp/recovery.h"

/* What was taken as a sign of congestion. */
enum congestion_sign {
    CC_LOSS,    /* duplicates or SACK: RFC 5681 3.2                                   */
    CC_ECN,     /* the peer echoes a CE mark, nothing was lost: RFC 3168 6.1.2, RFC 8511 */
    CC_TIMEOUT, /* the retransmission timer: RFC 5681 3.1                             */
};

struct tcp_congestion {
    const char *name;
    bool hystart; /* leaves slow start as policy.hystart says */
    /* octets were delivered while nothing is wrong, or while going back after a timeout. */
    void (*on_ack)(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t octets);
    /* A new congestion event (not the same segment lost again, not more of the same window): the
     * new ssthresh, which tcp_cwnd_congested sets.  flight: octets out.  The control's own words
     * follow; what they were before is kept for undo. */
    uint32_t (*ssthresh)(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t flight,
                         enum congestion_sign sign);
    /* The last event was none (RFC 5682, 4015, 9438 4.9): own words as they were before it.  The
     * caller restores cwnd and ssthresh afterwards. */
    void (*undo)(struct tcp *tcp, struct tcb *tcb, struct active *active);
};

extern const struct tcp_congestion tcp_newreno, tcp_cubic;

/* cwnd.c */
/* The control of this connection. */
const struct tcp_congestion *tcp_control(const struct tcp *tcp, const struct tcb *tcb);
/* SND.UNA has moved by `acked`: the largest flight of the round. */
void tcp_cwnd_note_flight(const struct tcb *tcb, struct active *active, uint32_t acked);
/* A new congestion event: sets ssthresh; cwnd is the caller's. */
void tcp_cwnd_congested(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t flight,
                        enum congestion_sign sign);
/* delivered: octets that arrived with this ACK, those counted when they were SACKed left out. */
void tcp_cwnd_grow(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t delivered);
/* For the controls: slow start by as many octets, up to ssthresh. */
void tcp_slow_start(const struct tcp *tcp, struct tcb *tcb, const struct active *active,
                    uint32_t octets);

/* hystart.c: an ACK of new data came in slow start; may set ssthresh.  growth.rtt_us: its sample.
 */
void tcp_hystart(const struct tcp *tcp, struct tcb *tcb, struct active *active,
                 uint32_t min_rtt_us);

/* recovery.c: cwnd comes down by PRR, once in a round trip, nothing is sent again (RFC 3168 6.1.2);
 * nothing happens while a recovery is under way.  And at once, where it has begun. */
void tcp_recovery_enter_cwr(struct tcp *tcp, struct tcb *tcb, enum congestion_sign sign);
void tcp_recovery_end_cwr(const struct tcp *tcp, struct tcb *tcb);

/* RFC 5681's SMSS, never 0. */
static inline uint32_t smss(const struct tcb *tcb)
{
    return tcb->snd_mss ? tcb->snd_mss : 1;
}

#endif
