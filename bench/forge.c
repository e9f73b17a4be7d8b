/* forge.c - segments of clients that are none. */
#include "forge.h"

#include <string.h>

#include "pair.h"

enum { IP_BYTES = 20, TCP_BYTES = 20, IP_SUM_AT = 10, TCP_SUM_AT = 16 };

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* RFC 1071. */
static uint32_t sum(const uint8_t *p, uint32_t n)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        all += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    }
    return all;
}

static void put_sum(uint8_t *at, uint32_t all)
{
    all = (all & 0xffff) + (all >> 16);
    all = (all & 0xffff) + (all >> 16);
    put16(at, ~all);
}

uint32_t bench_forge(uint8_t *frame, const struct forged *what)
{
    static const uint8_t ip[IP_BYTES] = {0x45, [6] = 0x40, [8] = 64, [9] = 6, [16] = 10, [19] = 2};
    uint32_t header = TCP_BYTES + what->n_options, tcp_len = header + what->text;
    uint8_t *tcp = frame + IP_BYTES;
    memset(frame, 0, IP_BYTES + tcp_len);
    memcpy(frame, ip, IP_BYTES);
    put16(frame + 2, IP_BYTES + tcp_len);
    put32(frame + 12, what->from);
    put16(tcp, what->port);
    put16(tcp + 2, PAIR_PORT);
    put32(tcp + 4, what->seq);
    put32(tcp + 8, what->ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = what->ctl;
    put16(tcp + 14, what->wnd);
    if (what->n_options) {
        memcpy(tcp + TCP_BYTES, what->options, what->n_options);
    }
    put_sum(frame + IP_SUM_AT, sum(frame, IP_BYTES));
    put_sum(tcp + TCP_SUM_AT, sum(frame + 12, 8 + tcp_len) + ip[9] + tcp_len);
    return IP_BYTES + tcp_len;
}
