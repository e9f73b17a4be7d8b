/* accecn.h - connections with accurate ECN feedback (RFC 9768), from either side. */
#ifndef TCP_ACCECN_H
#define TCP_ACCECN_H

#include "common/peer.h"

/* The bits AE, CWR, ECE as one number: ACE, or those of a SYN and SYN,ACK. */
#define ACE(n) ((unsigned)((n)&7) << 6)
#define ASKS ACE(7)

static inline void willing(struct peer *p)
{
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.accecn = true;
    if (!p->stack && p->config.max_extras)
        p->config.max_connections = p->config.max_active = p->config.max_extras = 16;
}

/* SYN, SYN,ACK with these bits and codepoint; the ACK of it is still to be expected. */
static inline void open_with(struct peer *p, unsigned bits, int codepoint)
{
    willing(p);
    opens();
    expects(SYN | ASKS, .ip_ecn = CODEPOINT(NOT_ECT), .accecn = NO_ACCECN);
    after(100);
    struct seg_spec spec = p->with;
    spec.ctl = SYN | ACK | bits;
    spec.seq = IRS;
    spec.ack = ISS + 1;
    spec.ip_ecn = CODEPOINT(codepoint);
    peer_sends(p, &spec);
}

static inline void agree_active(struct peer *p)
{
    open_with(p, ACE(2), NOT_ECT);
    expects(ACK | ACE(2), .ip_ecn = CODEPOINT(NOT_ECT));
    expects_event(HF_CONNECTED);
    holds_equal(status_of(ecn), HF_ECN_ACCURATE);
}

static inline void agree_passive(struct peer *p)
{
    willing(p);
    listens();
    struct seg_spec spec = p->with;
    spec.ctl = SYN | ASKS;
    spec.seq = IRS;
    peer_sends(p, &spec);
    expects(SYN | ACK | ACE(2), .ip_ecn = CODEPOINT(NOT_ECT));
    sends(ACK | ACE(2));
    accepts();
    holds_equal(status_of(ecn), HF_ECN_ACCURATE);
}

#endif
