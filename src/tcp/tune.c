/* tune.c - RFC 9293 sections 3.8.6.2.2 and 3.9.1.2: how large the buffers of a connection become.
 *
 * "Dynamic right-sizing" (M. Fisk, W. Feng, 2001), as deployed: a window must hold what arrives in
 * a round trip, and twice that while the sender doubles its rate.
 *
 *     receive  the application has read `copied` octets in a round trip, more than ever before:
 *              the window becomes 2 * copied, or up to 4 * copied when that is a leap
 *     send     the application waits for room while more than half of the buffer is in flight:
 *              the buffer becomes 2 * flight, as long as the congestion window is so large
 *
 * Buffers grow only, up to the policy's limits, by need and not beyond half of the payload memory
 * that is free.  A round trip below a quarter of a millisecond needs no more than the buffers begin
 * with (a gigabyte a second): more would only leave the processor's cache.
 */
#include "tcp/congestion.h"
#include "tcp/stats.h"

enum { SHORT_RTT_US = 250, SPARE = 2, MS_US = 1000, WINDOW_TIME_MAX_MS = 60000 };

/* The size that may be had of the one wanted. */
static uint32_t obtainable(const struct tcp *tcp, uint64_t wanted, uint32_t most)
{
    return (uint32_t)min_u64(min_u64(wanted, most), tcp_payload_free(tcp) / SPARE);
}

/* Receiving ------------------------------------------------------------------------------------ */

/* At most this: a window's worth took so long. */
static void bound_rtt(struct stats *stats, uint32_t us)
{
    us = max_u32(us, 1);
    stats->rcv_rtt_us = stats->rcv_rtt_us ? min_u32(stats->rcv_rtt_us, us) : us;
}

/* An octet behind the right edge as it was then is here: it was sent after an ACK that left since.
 */
static void measure_window(const struct tcp *tcp, const struct tcb *tcb, struct stats *stats)
{
    if (stats->rtt_timed) {
        if (seq_leq(tcb->rcv.nxt, stats->rtt_edge)) {
            return;
        }
        bound_rtt(stats, tcp->now_us - stats->rtt_start_us);
    }
    stats->rtt_timed = 1;
    stats->rtt_edge = seq_add(tcb->rcv.nxt, tcb->rcv.wnd);
    stats->rtt_start_us = tcp->now_us;
}

/* A full segment did not wait for the sender's application: it echoes an ACK of a round trip ago
 * (RFC 7323 4).  The clock's tick is a millisecond: less than two say only "no more than that". */
static void measure_echo(const struct tcp *tcp, const struct tcb *tcb, struct stats *stats,
                         const struct segment *seg)
{
    if (!(seg->opt.present & OPT_TS) || seg->opt.ts_ecr == stats->rtt_ecr ||
        seg->text_len < tcb->rcv_mss) {
        return;
    }
    uint32_t rtt_ms = tcp->now_ms + tcb->ts_offset - seg->opt.ts_ecr;
    stats->rtt_ecr = seg->opt.ts_ecr;
    if (rtt_ms < 2) {
        bound_rtt(stats, MS_US);
    } else if (rtt_ms < WINDOW_TIME_MAX_MS) {
        uint64_t old = stats->rcv_rtt_us ? stats->rcv_rtt_us : rtt_ms * MS_US;
        stats->rcv_rtt_us = (uint32_t)((7 * old + rtt_ms * MS_US) / 8);
    }
}

void tcp_tune_begin(struct tcp *tcp, struct tcb *tcb)
{
    if (tally_of(tcp, tcb)->stats) {
        struct stats *stats = tcp_stats(tcp, tcb);
        stats->round_seq = tcb->rcv.nxt;
        stats->round_us = tcp->now_us;
    }
}

void tcp_tune_on_text(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, uint32_t last_ms)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    if (tcp->now_ms - last_ms > WINDOW_TIME_MAX_MS) {
        stats->rtt_timed = 0; /* the sender had nothing to say */
    }
    measure_window(tcp, tcb, stats);
    if (tcb->flags & F_TS) {
        measure_echo(tcp, tcb, stats, seg);
    }
}

static void grow_window(const struct tcp *tcp, struct tcb *tcb, uint32_t copied, uint32_t before)
{
    const struct hf_policy *policy = &tcp->b->policy;
    if (!policy->tune_buffers || (tcb->modes & M_RCV_FIXED)) {
        return;
    }
    uint64_t leap = min_u32(copied - before, copied / 2);
    uint32_t wanted = obtainable(tcp, 2 * (uint64_t)copied + 4 * leap, policy->max_receive_window);
    tcb->rcv_buf = max_u32(tcb->rcv_buf, wanted);
}

void tcp_tune_on_read(struct tcp *tcp, struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    struct stats *stats = tcp_stats(tcp, tcb);
    if (active == NULL || stats->rcv_rtt_us == 0 ||
        tcp->now_us - stats->round_us < stats->rcv_rtt_us) {
        return;
    }
    uint32_t fin = tcb->flags & F_FIN_RECEIVED ? 1 : 0;
    seq_t read = seq_sub(tcb->rcv.nxt, active->rq_bytes + fin);
    if (seq_lt(read, stats->round_seq)) {
        return; /* what had come when the round began */
    }
    uint32_t copied = seq_len(stats->round_seq, read);
    uint32_t before =
        max_u32(stats->rcv_space, tcp->b->policy.initial_cwnd * (uint32_t)tcb->rcv_mss);
    if (copied > before) {
        if (stats->rcv_rtt_us >= SHORT_RTT_US) {
            grow_window(tcp, tcb, copied, before);
        }
        stats->rcv_space = copied;
    }
    stats->round_seq = read;
    stats->round_us = tcp->now_us;
}

/* Sending -------------------------------------------------------------------------------------- */

void tcp_tune_on_ack(const struct tcp *tcp, struct tcb *tcb, uint32_t acked)
{
    const struct hf_policy *policy = &tcp->b->policy;
    if (!(tcb->flags & F_WANT_WRITE) || (tcb->modes & M_SND_FIXED) || !policy->tune_buffers ||
        tcb->srtt_us < SHORT_RTT_US) {
        return;
    }
    uint32_t flight = min_u32(seq_len(tcb->snd.una, tcb->snd.nxt) + acked, tcb->cwnd);
    uint32_t wanted = obtainable(tcp, 2 * (uint64_t)flight, policy->max_send_buffer);
    tcb->snd_buf = max_u32(tcb->snd_buf, wanted);
}
