/* What the tests of TCP Fast Open's client have in common. */
#ifndef TCP_FAST_OPEN_CLIENT_H
#define TCP_FAST_OPEN_CLIENT_H

#include "common/peer.h"

enum { ROOM = 1420 };

/* Without letting the SYN out. */
static inline void opens_fast(struct peer *p, int64_t how)
{
    p->config.policy.timestamps = false;
    p->config.max_connections = 16;
    p->config.max_active = 16;
    starts();
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    if (hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle) != HF_OK ||
        hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, how) != HF_OK)
        peer_fail(PEER_HERE(p), "hf_open, HF_FAST_OPEN");
}

/* hf_send without letting anything out. */
static inline void queues(struct peer *p, uint32_t n)
{
    uint8_t text[8192];
    for (uint32_t i = 0; i < n; i++)
        text[i] = peer_octet(true, (uint32_t)p->c->sent + i);
    holds_equal(hf_send(p->stack, &p->env, p->c->handle, text, n, 0), n);
    p->c->sent += n;
}

#endif
