/* What the tests of TCP Fast Open's server have in common. */
#ifndef TCP_FAST_OPEN_H
#define TCP_FAST_OPEN_H

#include "common/peer.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT = 4, OLD_KIND = HF_FAST_OPEN_SERVER | HF_FAST_OPEN_KIND_254 };

static inline void listens_fast(struct peer *p)
{
    p->config.max_connections = p->config.max_connections < 16 ? 16 : p->config.max_connections;
    p->config.max_active = 16;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, LIMIT));
}

/* Asks for a cookie, from a port of its own, and takes the half-open connection back. */
static inline const char *cookie_of(struct peer *p)
{
    static char hex[40];
    struct peer_conn *c = p->c;
    on(PEER_CONNS - 1);
    new_incarnation(500);
    sends(SYN, .seq = IRS, .mss = 1460, .fo = "");
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && seen->seg.ctl == (SYN | ACK));
    holds_equal(seen->seg.opt.fo_len, 8);
    for (int i = 0; i < 8; i++)
        sprintf(hex + 2 * i, "%02x", seen->seg.opt.fo_cookie[i]);
    peer_taken(p, seen);
    sends(RST, .seq = IRS + 1);
    p->c->peer_port++;
    p->c = c;
    return hex;
}

/* An open connection in SYN-RECEIVED: a SYN with its cookie and 100 octets. */
static inline void opens_fast(struct peer *p, const char *cookie)
{
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 101, .options = "mss 1460");
}

#endif
