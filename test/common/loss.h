/* loss.h - for scripts of loss: a round trip of 100 ms, segments of 1000 octets, by number. */
#ifndef TEST_LOSS_H
#define TEST_LOSS_H

#include "common/peer.h"

/* A handshake of 100 ms, so that RTO is 300 ms.  NewReno: its numbers are those of the RFCs here.
 */
static inline void establish_slowly(struct peer *p)
{
    p->config.policy.congestion = HF_NEWRENO;
    opens();
    expects(SYN);
    after(100);
    struct seg_spec spec = p->with;
    spec.ctl = SYN | ACK;
    spec.seq = IRS;
    spec.ack = ISS + 1;
    peer_sends(p, &spec);
    expects(ACK);
    expects_event(HF_CONNECTED);
}

/* Segment n (from 1) of 1000 octets. */
#define SEGMENT(n) (ISS + 1 + 1000 * ((int64_t)(n)-1))

/* A SACK block: segments from .. to-1 have arrived. */
#define SACKED(from, to)                                                                           \
    {                                                                                              \
        SEGMENT(from), SEGMENT(to)                                                                 \
    }

/* n segments, of `queued` octets. */
static inline void sends_segments(struct peer *p, int n, uint32_t queued)
{
    p->with.mss = 1000;
    establish_slowly(p);
    writes(queued);
    for (int i = 1; i <= n; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    expects_silence();
}

#endif
