/* lwip.h - a private copy of lwIP's library: its raw interface, no thread, timeouts by hand. */
#ifndef HANDFAST_BENCH_LWIP_H
#define HANDFAST_BENCH_LWIP_H

#include "figures.h"

#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#define LWIP_FUNCTIONS(X)                                                                          \
    X(lwip_init)                                                                                   \
    X(netif_add)                                                                                   \
    X(netif_set_default)                                                                           \
    X(netif_set_up)                                                                                \
    X(ip4_input)                                                                                   \
    X(pbuf_alloc)                                                                                  \
    X(pbuf_free)                                                                                   \
    X(pbuf_copy_partial)                                                                           \
    X(tcp_new)                                                                                     \
    X(tcp_bind)                                                                                    \
    X(tcp_listen_with_backlog)                                                                     \
    X(tcp_accept)                                                                                  \
    X(tcp_connect)                                                                                 \
    X(tcp_recv)                                                                                    \
    X(tcp_sent)                                                                                    \
    X(tcp_err)                                                                                     \
    X(tcp_recved)                                                                                  \
    X(tcp_close)                                                                                   \
    X(tcp_abort)                                                                                   \
    X(tcp_tmr)                                                                                     \
    X(tcp_write)                                                                                   \
    X(tcp_output)

struct lwip {
#define X(name) __typeof__(&name) name;
    LWIP_FUNCTIONS(X)
#undef X
    struct tcp_pcb **waiting; /* its TIME-WAIT list */
    struct netif netif;
};

/* lwip.c: each call opens another copy, as it has global state; false: bench_note says why. */
bool lwip_load(struct lwip *lwip);
/* An address 10.x.y.z/24, and how packets leave; state: for that. */
void lwip_start(struct lwip *lwip, const uint8_t ip[4], netif_output_fn leaves, void *state);

#endif
