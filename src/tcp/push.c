/* push.c - RFC 9293 section 3.9.1.2: where PSH goes.
 *
 * MUST-60, MUST-61: on the last segment of what a SEND without HF_SEND_MORE has queued, and at the
 * end of a record (HF_SEND_END); in a long text sent with HF_SEND_MORE, whenever more than half of
 * the peer's largest window has been queued: it must not wait for a window that it keeps closed
 * itself.  Beyond that on the last segment of every transmit chunk of two or
 * more, in mid-stream too, as stacks with segmentation offload set it: a receiver that joins
 * segments gives them on at a PSH.  A chunk is what one millisecond at the present rate carries,
 * and at most half the congestion window.
 */
#include "tcp/tcp.h"

enum { CHUNK_MAX = 65536, SLOW_START_GAIN = 2 };

/* Octets of a millisecond at twice cwnd per round trip in slow start, 1.2 times later; on a path of
 * less than 16 ms more, up to 64 KiB below 512 us: there a burst does no harm. */
static uint64_t chunk_octets(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t rtt_us = max_u32(tcb->srtt_us, active_of(tcp, tcb)->rack_rtt_us);
    if (rtt_us == 0) {
        return CHUNK_MAX;
    }
    uint64_t rate = (uint64_t)tcb->cwnd * 1000 / rtt_us;
    rate = tcb->cwnd < tcb->ssthresh / 2 ? rate * SLOW_START_GAIN : rate * 6 / 5;
    uint32_t min_us = tally_at(tcp, tcb_index(tcp, tcb))->min_rtt_us;
    uint32_t shift = (min_us ? min_us : rtt_us) >> 9;
    return rate + (shift < 32 ? CHUNK_MAX >> shift : 0);
}

void tcp_begin_burst(const struct tcp *tcp, const struct tcb *tcb, struct active *active,
                     uint32_t mss, uint32_t octets)
{
    if (octets <= mss) {
        active->burst = octets != 0;
        active->burst_push = 0;
        return;
    }
    uint32_t most = (uint32_t)min_u64(chunk_octets(tcp, tcb), CHUNK_MAX) / mss;
    most = min_u32(max_u32(most, tcp->b->policy.chunk_segments), max_u32(tcb->cwnd / mss / 2, 1));
    uint32_t segments = octets / mss + (octets % mss ? 1 : 0);
    active->burst = (uint8_t)min_u32(min_u32(segments, most), UINT8_MAX);
    active->burst_push = active->burst > 1;
}

bool tcp_push_here(struct active *active, uint32_t n, bool marked, bool last)
{
    active->burst -= (uint8_t)min_u32(active->burst, n);
    bool chunk = active->burst == 0 && active->burst_push;
    return marked || chunk || (last && !active->no_push);
}

void tcp_push_mark(struct tcp *tcp, const struct tcb *tcb, struct active *active, uint32_t len)
{
    active->unpushed = active->no_push ? active->unpushed + len : 0;
    if (active->unpushed > tcb->max_snd_wnd / 2) {
        active->unpushed = 0;
        tcp_chunk(tcp, active->sq_tail)->push = 1;
    }
}
