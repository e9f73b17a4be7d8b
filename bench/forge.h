/* forge.h - segments of clients that are none, to b of a pair. */
#ifndef HANDFAST_BENCH_FORGE_H
#define HANDFAST_BENCH_FORGE_H

#include <stdint.h>

enum { FORGE_MAX = 20 + 60 + 16, FORGE_FIN = 1, FORGE_SYN = 2, FORGE_RST = 4, FORGE_ACK = 16 };

struct forged {
    uint32_t from; /* IPv4 address, host order */
    uint16_t port;
    uint32_t seq, ack;
    uint8_t ctl; /* FORGE_* */
    uint16_t wnd;
    const uint8_t *options; /* a multiple of four octets */
    uint32_t n_options;
    uint32_t text; /* octets of text, at most 16 */
};

/* To 10.0.0.2, port PAIR_PORT; returns its length, FORGE_MAX at most. */
uint32_t bench_forge(uint8_t *frame, const struct forged *what);

#endif
