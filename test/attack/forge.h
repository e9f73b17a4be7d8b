/* forge.h - segments of somebody who is not the peer: they change nothing of what the peer knows of
 * itself. */
#ifndef ATTACK_FORGE_H
#define ATTACK_FORGE_H

#include "common/packets.h"

static inline void forge(struct peer *p, const struct seg_spec *spec)
{
    struct peer_conn before = *p->c;
    peer_sends(p, spec);
    struct peer_conn *c = p->c;
    c->nxt = before.nxt;
    c->limit = before.limit;
    c->has_limit = before.has_limit;
    c->scales = before.scales;
    c->wscale = before.wscale;
    c->stamps = before.stamps;
    c->ts = before.ts;
}

#define forges(...) forge(PEER_HERE(p), &(struct seg_spec){.ctl = __VA_ARGS__})

/* Whatever was done to it: text goes both ways. */
static inline void lives(struct peer *p)
{
    expects_state(HF_ESTABLISHED);
    sends(ACK, .len = 10);
    expects(ACK, .ack = p->c->nxt);
    reads(10);
    writes(20);
    expects(ACK, .len = 20);
    sends(ACK);
    expects_silence();
}

/* How many TCP segments the stack has sent since the last look; they are thrown away. */
static inline uint32_t count_sent(struct peer *p)
{
    uint32_t n = 0;
    for (struct seen *seen = peer_take(p, WIRE_PROTO_TCP); seen;
         seen = peer_take(p, WIRE_PROTO_TCP)) {
        peer_taken(p, seen);
        n++;
    }
    return n;
}

/* An active open, taken to this state; returns the script's number of RCV.NXT. */
static inline int64_t reach(struct peer *p, enum hf_state state)
{
    bool peer_first = state == HF_CLOSE_WAIT || state == HF_LAST_ACK;
    bool both = state == HF_CLOSING || state == HF_TIME_WAIT;
    establish_active();
    if (peer_first) {
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK, .ack = IRS + 2);
    }
    if (state != HF_ESTABLISHED && state != HF_CLOSE_WAIT) {
        closes();
        expects(FIN | ACK);
    }
    if (state == HF_FIN_WAIT_2 || state == HF_TIME_WAIT)
        sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    if (both) {
        sends(FIN | ACK, .seq = IRS + 1, .ack = state == HF_CLOSING ? ISS + 1 : ISS + 2);
        expects(ACK, .ack = IRS + 2);
    }
    expects_state(state);
    return peer_first || both ? IRS + 2 : IRS + 1;
}

#endif
