/* stats.h - what is measured of a connection that carries text, and what follows from it: stats.c,
 * info.c, tune.c, pmtu.c.
 */
#ifndef TCP_STATS_H
#define TCP_STATS_H

#include "tcp/tcp.h"

/* stats.c: what is measured */
extern const struct stats tcp_stats_none;
struct stats *tcp_stats_begin(struct tcp *tcp, struct tcb *tcb);
static inline struct stats *stats_at(const struct tcp *tcp, uint32_t idx)
{
    return (struct stats *)pool_first(&tcp->b->stats, tcp->block, idx) + (idx - 1);
}

/* To write to: made at first need.  Where there can be none: zeroes, thrown away. */
static inline struct stats *tcp_stats(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t idx = tally_of(tcp, tcb)->stats;
    return idx ? stats_at(tcp, idx) : tcp_stats_begin(tcp, tcb);
}

/* To read; all zero when there is none. */
static inline const struct stats *tcp_stats_seen(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t idx = tcb->flags & F_COMPACT ? 0 : tally_at(tcp, tcb_index(tcp, tcb))->stats;
    return idx ? stats_at(tcp, idx) : &tcp_stats_none;
}

void tcp_drop_stats(struct tcp *tcp, const struct tcb *tcb);

/* info.c: counters, hf_info */
void tcp_info(struct tcp *tcp, const struct tcb *tcb, struct hf_info *info);
/* Octets queued that have not been sent yet. */
uint32_t tcp_unsent(const struct tcp *tcp, const struct tcb *tcb, const struct active *active);
/* Text has been queued, sent, or acknowledged: what limits the sender now? */
void tcp_count_time(struct tcp *tcp, struct tcb *tcb);
/* part: octets of each of the segments that the text makes but the last, 0: it is one. */
void tcp_count_sent(struct tcp *tcp, struct tcb *tcb, uint32_t text, uint32_t part, bool again);
void tcp_count_received(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool ahead);
/* An ACK has been taken, tcp->news is of it; before it, tcp_arrived was arrived_before. */
void tcp_count_ack(struct tcp *tcp, struct tcb *tcb, uint32_t arrived_before);
uint32_t tcp_arrived(const struct active *active); /* segments: differences count, modulo 2^32 */
void tcp_count_timeout(struct tcp *tcp, struct tcb *tcb);
void tcp_count_progress(struct tcp *tcp, struct tcb *tcb); /* SND.UNA has moved */

/* tune.c: how large the buffers become */
void tcp_tune_begin(struct tcp *tcp, struct tcb *tcb); /* established */
/* Text came in order: RCV.NXT has moved.  last_ms: when some came before. */
void tcp_tune_on_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg,
                      uint32_t last_ms);
/* The application has read. */
void tcp_tune_on_read(struct tcp *tcp, struct tcb *tcb);
/* SND.UNA has moved by `acked`. */
void tcp_tune_on_ack(const struct tcp *tcp, struct tcb *tcb, uint32_t acked);

/* pmtu.c: RFC 1191, 8201, 4821 */
/* Its deadlines are looked at when there is something to send: one is so far ahead at most, or
 * over, however long ago.  0: there is none. */
enum { PMTU_LONGEST_MS = 600000 };
static inline bool tcp_pmtu_over(uint32_t at_ms, uint32_t now_ms)
{
    return at_ms != 0 && at_ms - now_ms - 1 > PMTU_LONGEST_MS;
}

/* A router says that the path takes no packets larger than mtu.  False: not taken, as
 * tcp_icmp_error. */
bool tcp_path_mtu(struct tcp *tcp, struct tcb *tcb, seq_t quoted_seq, uint32_t mtu);
/* Before tcp_output: the link that what follows leaves by, which takes no larger packets. */
void tcp_link_mtu(struct tcp *tcp, struct tcb *tcb, uint32_t mtu);
/* Established: where packets begin small (HF_MTU_PROBING_ALWAYS). */
void tcp_pmtu_begin(struct tcp *tcp, struct tcb *tcb);
/* Before new text: what a router said long ago is forgotten. */
void tcp_pmtu_age(struct tcp *tcp, struct tcb *tcb);
/* Text of a probe that may go now, of so much unsent that the peer's window takes; 0: none.  wait:
 * it would, but for the congestion window, which is to be left for it. */
uint32_t tcp_pmtu_probe(struct tcp *tcp, struct tcb *tcb, uint32_t unsent, uint32_t window,
                        bool *wait);
/* New text has gone, in segments of mss. */
void tcp_pmtu_sent(struct tcp *tcp, struct tcb *tcb, seq_t left, uint32_t text, uint32_t mss);
/* These numbers are to be sent again: the MSS may shrink. */
void tcp_pmtu_repeats(struct tcp *tcp, struct tcb *tcb, seq_t at, uint32_t len);
void tcp_pmtu_acked(struct tcp *tcp, struct tcb *tcb); /* SND.UNA has moved */
/* The retransmission timer fired; tcb->retries counts it. */
void tcp_pmtu_on_rto(struct tcp *tcp, struct tcb *tcb);
/* SND.UNA is lost, lost_bytes in all: is that a probe, and nothing else?  Then it has failed, which
 * is no sign of congestion. */
bool tcp_pmtu_probe_lost(struct tcp *tcp, struct tcb *tcb, uint32_t lost_bytes);

#endif
