/* compact.c - what half_open.c (RFC 4987 3.5) and time_wait.c (RFC 9293 3.6.1) have in common. */
#include "tcp/tcp.h"

uint8_t tcp_compact_flags(uint32_t flags)
{
    return (uint8_t)((flags & F_V6 ? HALF_V6 : 0) | (flags & F_TS ? HALF_TS : 0) |
                     (flags & F_SACK ? HALF_SACK : 0) | (flags & F_WSCALE ? HALF_WSCALE : 0));
}

static uint32_t from_flags(uint8_t flags)
{
    return (flags & HALF_V6 ? F_V6 : 0) | (flags & HALF_TS ? F_TS : 0) |
           (flags & HALF_SACK ? F_SACK : 0) | (flags & HALF_WSCALE ? F_WSCALE : 0);
}

uint32_t tcp_challenge_tick(uint32_t ticks, uint32_t mask)
{
    return ticks & mask ? ticks & mask : 1;
}

uint32_t tcp_challenge_ago(uint32_t ticks, uint32_t then, uint32_t mask)
{
    uint32_t ago = (ticks - then) & mask;
    return ago == mask ? 0 : ago;
}

void tcp_inflate(struct tcp *tcp, const struct tuple *tuple, uint8_t zone, uint8_t flags,
                 const struct conn_id *arrived, struct tcb *scratch)
{
    struct conn_id id;
    tcp_id_of(tcp, tuple, zone, flags & HALF_V6, &id);
    id.mtu = arrived ? arrived->mtu : (flags & HALF_V6 ? 1280 : 576);
    tcp_scratch(tcp, &id, scratch);
    scratch->id = *tuple;
    scratch->flags |= from_flags(flags);
    tcp->no_tally = (struct tally){0};
    tcp_heard(tcp, scratch);
}

void tcp_compact_ended(struct tcp *tcp, uint32_t value, int error, enum hf_cause cause,
                       enum hf_verdict verdict)
{
    struct tcb scratch;
    uint32_t idx = FLOW_IDX(value);
    if (!tcp_is_watched(tcp)) {
        return;
    }
    if (FLOW_KIND(value) == KIND_HALF_OPEN) {
        tcp_inflate_half_open(tcp, pool_at(&tcp->b->halves, tcp->block, idx), NULL, &scratch);
    } else {
        tcp_inflate_time_wait(tcp, pool_at(&tcp->b->waits, tcp->block, idx), &scratch);
    }
    tcp_trace_ended(tcp, &scratch, error, cause, verdict);
}
