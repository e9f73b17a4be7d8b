/* prediction.h - segments of a bulk transfer that are worked on together: prediction.c. */
#ifndef TCP_PREDICTION_H
#define TCP_PREDICTION_H

#include "base/checksum.h"
#include "tcp/tcp.h"

/* What a segment of it has of its own. */
struct tcp_part {
    seq_t seq;
    uint16_t ctl;
    const uint8_t *text;
    uint32_t len;
};

/* Segments behind one that has been taken: all alike, in order, with nothing to tell but their
 * text.  Their text lies in the receive queue; the rest of what they do is done at the end. */
struct tcp_run {
    struct conn_id id;
    uint32_t value;     /* the flow table's                                     */
    uint32_t room;      /* octets of the window that are left                  */
    seq_t last;         /* SEG.SEQ of the last one                             */
    struct segment seg; /* all of them; seg.packets so far, 0: none            */
};

/* Is anything foreseen?  Not where each segment is to be traced. */
static inline bool tcp_predicts(const struct tcp *tcp)
{
    return tcp->b->policy.predict && tcp->env->trace == NULL;
}

/* seg: as its header has it, of id's connection, and it has been taken.  False: what follows it
 * must be looked at by itself. */
bool tcp_run_begin(struct tcp *tcp, struct tcp_run *run, const struct conn_id *id,
                   const struct segment *seg);
/* Another one, whose header differs from the first one's in SEG.SEQ, PSH and length alone.  sum:
 * of its pseudo header and header, NULL: it needs no checksum.  False: it could not be taken, or is
 * damaged, and nothing has changed.  MUST-3 */
bool tcp_run_take(struct tcp *tcp, struct tcp_run *run, const struct tcp_part *part,
                  const csum_t *sum);
void tcp_run_end(struct tcp *tcp, struct tcp_run *run);

/* Segments of new text that one tcp_output may make, since they differ in SEG.SEQ, PSH and length
 * alone; seg: with the options of the first. */
uint32_t tcp_parts(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                   const struct segment *seg);
/* Text from active->send on; returns how much.  cut: into whole segments, but for the last. */
uint32_t tcp_parts_slices(const struct tcp *tcp, const struct active *active, uint32_t text,
                          uint32_t mss, bool cut, struct tcp_out *out);

#endif
