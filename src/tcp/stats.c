/* stats.c - RFC 9293 section 3.9.1.6: what is measured of a connection that carries text.
 *
 * A record of its own is made with the first text and stays until the connection's record goes, so
 * that one that never carries text pays nothing, and one that is idle again loses nothing.  There
 * are max_stats; who comes when they are out goes without, and is counted (hf_counters).
 */
#include "tcp/stats.h"
#include "tcp/tcp.h"

static struct stats *make(struct tcp *tcp, struct tcb *tcb, uint32_t *idx)
{
    if (tcb->modes & M_NO_STATS) {
        return NULL;
    }
    *idx = pool_alloc(&tcp->b->stats, tcp->block);
    if (*idx == 0) {
        tcb->modes |= M_NO_STATS;
        tcp->b->stats_missed++;
        return NULL;
    }
    struct stats *stats = pool_at(&tcp->b->stats, tcp->block, *idx);
    *stats = (struct stats){
        .round_seq = tcb->rcv.nxt,
        .round_us = tcp->now_us,
        .link_mtu = tcb->pmtu,
        .limit_ms = tcp->now_ms,
    };
    return stats;
}

struct stats *tcp_stats_begin(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t *idx = &tally_of(tcp, tcb)->stats;
    struct stats *stats = NULL;
    if (!(tcb->flags & F_COMPACT)) {
        stats = make(tcp, tcb, idx);
    }
    if (stats == NULL) {
        tcp->no_stats = (struct stats){0};
        stats = &tcp->no_stats;
    }
    return stats;
}

const struct stats tcp_stats_none;

void tcp_drop_stats(struct tcp *tcp, const struct tcb *tcb)
{
    struct tally *tally = tally_at(tcp, tcb_index(tcp, tcb));
    if (tally->stats) {
        pool_free(&tcp->b->stats, tcp->block, tally->stats);
        tally->stats = 0;
    }
}
