/* pmtu.c - RFC 1191, RFC 8201, RFC 4821: how large a packet the path takes.
 *
 *     search_low                     tcb->pmtu                 search_high
 *     the largest that has arrived   what is sent              more has not arrived
 *
 * Down at once when a router says so about a segment in flight (RFC 5927 4, 8899 4.6.1); but when
 * larger ones have arrived before, only once that very segment is to be sent again: progress would
 * prove the message false (RFC 5927 7.2).  Down without a message when full segments time out twice
 * (a black hole: RFC 4821 7.7); cwnd is as many segments as before.  Up by probes: one segment,
 * larger than the others, whose loss alone is no sign of congestion.
 *
 * Sizes are of IP packets.  What is known of a path is in struct stats; a connection without one
 * takes every message for a late one, and never probes.
 */
#include "tcp/congestion.h"
#include "tcp/stats.h"

enum {
    TEN_MINUTES_MS = PMTU_LONGEST_MS, /* RFC 8201 5.3, RFC 4821 7.3 */
    ONE_MINUTE_MS = 60000,            /* RFC 1191 3 */
    CONVERGED = 8,                    /* octets not worth a probe */
    BLACK_HOLE_TIMEOUTS = 2,
    DEAD_LINK_TIMEOUTS = 5, /* where as large ones have arrived before */
    TRAILING = 3,           /* segments behind a probe, for its loss to be seen: RFC 4821 7.4 */
    VERIFIED = 500,         /* segments after which a raise counts as good: RFC 4821 7.8 ... */
    VERIFY_LOST = 4,        /* ... unless as many were sent again, and that were ... */
    VERIFY_PERCENT = 10     /* ... more than these */
};

static bool in_flight(const struct tcb *tcb, seq_t at)
{
    return seq_leq(tcb->snd.una, at) && seq_lt(at, tcb->snd.nxt);
}

static uint32_t ip_tcp_header(const struct tcb *tcb)
{
    return tcb->flags & F_V6 ? 60 : 40;
}

/* What a segment has beside its text, as tcp_effective_mss counts. */
static uint32_t headers(const struct tcb *tcb)
{
    return ip_tcp_header(tcb) + (tcb->flags & F_TS ? 12 : 0);
}

static uint32_t full_packet(const struct tcb *tcb)
{
    return tcb->snd_mss + headers(tcb);
}

/* Below this no message, and no black hole, is believed. */
static uint32_t floor_of(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcb->flags & F_V6 ? 1280 : tcp->b->policy.min_pmtu;
}

/* The largest packet that could be of use: what our link and the peer take. */
static uint32_t ceiling(struct tcp *tcp, const struct tcb *tcb, const struct stats *stats)
{
    uint32_t mss = min_u32(stats->link_mtu, tcp->link_mtu) - ip_tcp_header(tcb);
    uint16_t own = tally_of(tcp, tcb)->max_segment;
    mss = min_u32(mss, min_u32(tcb->peer_mss, own ? own : UINT16_MAX));
    uint32_t most = mss + ip_tcp_header(tcb);
    return stats->search_high ? min_u32(most, stats->search_high) : most;
}

static bool probes(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcp->b->policy.mtu_probing != HF_MTU_PROBING_OFF && (tcb->flags & F_SACK);
}

static void set_pmtu(struct tcp *tcp, struct tcb *tcb, uint32_t mtu)
{
    uint16_t old_mss = tcb->snd_mss;
    tcb->pmtu = (uint16_t)mtu;
    tcb->snd_mss = tcp_effective_mss(tcp, tcb);
    tcp_cwnd_rescale(tcb, old_mss); /* RFC8201-4: as many segments; RFC4821-3: no more octets */
}

static void shrink(struct tcp *tcp, struct tcb *tcb, uint32_t mtu)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->search_low = (uint16_t)min_u32(stats->search_low, mtu);
    stats->full_mtu = stats->probe_mtu = stats->raised_from = 0;
    set_pmtu(tcp, tcb, mtu);
}

/* Messages ------------------------------------------------------------------------------------- */

/* RFC1191-2, RFC8201-3 */
static void believe(struct tcp *tcp, struct tcb *tcb, uint32_t mtu)
{
    shrink(tcp, tcb, mtu);
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->search_high = (uint16_t)mtu;
    stats->halving = 0;
    stats->wait_ms = stats->reset_ms = ms_after(tcp->now_ms, TEN_MINUTES_MS); /* RFC1191-3 */
}

/* RFC 4821 7.6.2: about a probe.  It says more than its loss would. */
static bool about_probe(struct tcp *tcp, struct tcb *tcb, seq_t quoted_seq, uint32_t mtu)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    if (stats->probe_mtu == 0 || !seq_in(quoted_seq, stats->probe_left, stats->probe_text) ||
        mtu < tcb->pmtu || mtu >= stats->probe_mtu) {
        return false;
    }
    stats->search_high = (uint16_t)mtu;
    stats->halving = 0; /* that size is next */
    stats->reset_ms = ms_after(tcp->now_ms, TEN_MINUTES_MS);
    return true;
}

/* RFC5927-1, RFC8899-2: only about what is in flight.  RFC1191-5, RFC5927-5, RFC8201-1: not below
 * the floor, which for IPv6 makes the message a lie.  RFC1191-6, RFC8201-2: never up. */
bool tcp_path_mtu(struct tcp *tcp, struct tcb *tcb, seq_t quoted_seq, uint32_t mtu)
{
    if (tcb->state < HF_SYN_SENT || tcb->state == HF_TIME_WAIT || !in_flight(tcb, quoted_seq)) {
        return false;
    }
    if (mtu < floor_of(tcp, tcb)) {
        if (tcb->flags & F_V6) {
            return false;
        }
        mtu = floor_of(tcp, tcb);
    }
    if (about_probe(tcp, tcb, quoted_seq, mtu)) {
        return true;
    }
    if (mtu >= tcb->pmtu) { /* RFC1191-7: nor again for each segment of a flight */
        return false;
    }
    struct active *active = active_of(tcp, tcb);
    const struct stats *stats = tcp_stats_seen(tcp, tcb);
    bool larger_arrived = stats->link_mtu == 0 || mtu < stats->search_low;
    if (tcb->state >= HF_ESTABLISHED && active && larger_arrived) { /* RFC5927-4 */
        active->ptb_first = active->ptb_mtu ? seq_min(active->ptb_first, quoted_seq) : quoted_seq;
        active->ptb_last = quoted_seq;
        active->ptb_mtu = (uint16_t)mtu;
        return true;
    }
    believe(tcp, tcb, mtu);
    if (tcb->state == HF_SYN_SENT && active && (active->fast & FAST_TEXT)) {
        tcp_owe(tcp, tcb, HF_OWES_SYN); /* RFC 7413 4.2.2: without the text */
        tcp_rto_restart(tcp, tcb);
        tcp_settle(tcp, tcb);
    }
    if (tcb->state >= HF_ESTABLISHED && active) { /* RFC1191-1 */
        tcp_recovery_go_back(tcp, tcb);
        tcp_consider_sending(tcp, tcb);
        tcp_settle(tcp, tcb);
    }
    return true;
}

/* MUST-16, RFC 1122 3.3.3: another route may lead by a smaller link.  What is in flight has left by
 * the one before, and goes on; what is known of sizes is of another path. */
void tcp_link_mtu(struct tcp *tcp, struct tcb *tcb, uint32_t mtu)
{
    tcp->link_mtu = mtu;
    if (mtu >= tcb->pmtu) {
        return;
    }
    if (tcb->active) {
        active_of(tcp, tcb)->ptb_mtu = 0; /* it would make packets larger */
    }
    if (tcp_stats_seen(tcp, tcb)->link_mtu == 0) {
        set_pmtu(tcp, tcb, mtu);
        return;
    }
    shrink(tcp, tcb, mtu);
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->search_low = stats->search_high = 0;
    stats->halving = 0;
    stats->wait_ms = stats->reset_ms = ms_after(tcp->now_ms, TEN_MINUTES_MS);
}

/* What was in flight goes again --------------------------------------------------------------- */

/* RFC 4821 7.8: is it lost more often than before the packets grew?; RFC4821-8 */
static void verify_raise(struct tcp *tcp, struct tcb *tcb, struct stats *stats)
{
    stats->raised_lost++;
    if (stats->raised_lost < VERIFY_LOST ||
        stats->raised_lost * 100u <= stats->raised_segs * (uint32_t)VERIFY_PERCENT) {
        return;
    }
    uint16_t failed = tcb->pmtu;
    shrink(tcp, tcb, stats->raised_from);
    stats->search_high = failed - 1;
    stats->wait_ms = stats->reset_ms = ms_after(tcp->now_ms, TEN_MINUTES_MS);
}

/* Each segment of a flight may bring its message: the lowest goes again first after a timeout, the
 * last one's as a loss probe.  RFC5927-4 */
void tcp_pmtu_repeats(struct tcp *tcp, struct tcb *tcb, seq_t at, uint32_t len)
{
    struct active *active = active_of(tcp, tcb);
    if (active->ptb_mtu &&
        (seq_in(active->ptb_first, at, len) || seq_in(active->ptb_last, at, len))) {
        uint32_t mtu = active->ptb_mtu;
        active->ptb_mtu = 0;
        believe(tcp, tcb, mtu);
    }
    if (tcp_stats_seen(tcp, tcb)->link_mtu == 0) {
        return;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    if (stats->full_mtu && seq_in(seq_sub(stats->full_end, 1), at, len)) {
        stats->full_mtu = 0; /* what arrives now may be the smaller one */
    }
    if (stats->probe_mtu && seq_in(stats->probe_left, at, len)) {
        stats->probe_mtu = 0; /* RFC 4821 7.6.4: inconclusive, when nobody has judged it before */
    }
    if (stats->raised_from) {
        verify_raise(tcp, tcb, stats);
    }
}

/* That of the segment which timed out, whatever lies behind it; 0: nothing is out. */
static uint32_t first_packet(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t idx = active_of(tcp, tcb)->sent_first;
    if (idx == 0) {
        return 0;
    }
    const struct sent *sent = sent_at(tcp, idx);
    return min_u32(seq_len(sent->left, sent->right), sent->mss) + headers(tcb);
}

/* RFC 4821 7.7.  Only where the segment that times out is larger than what will be sent instead: a
 * small one would have come through.  Where segments of this size have arrived, a link that is dead
 * for some seconds is likelier than a new black hole.  RFC4821-7, RFC8899-1 */
static void black_hole(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t size = full_packet(tcb);
    uint32_t least = floor_of(tcp, tcb);
    uint32_t low = tcp_stats_seen(tcp, tcb)->search_low;
    uint32_t packet = min_u32(size, first_packet(tcp, tcb));
    uint32_t mtu = packet / 2;
    uint32_t patience = low >= size ? DEAD_LINK_TIMEOUTS : BLACK_HOLE_TIMEOUTS;
    if (tcb->retries < patience) {
        return;
    }
    if (tcb->retries == patience) {
        mtu = low && low < size ? low : tcp->b->policy.base_mtu;
    }
    mtu = max_u32(mtu, least);
    if (mtu >= packet) {
        return;
    }
    shrink(tcp, tcb, mtu);
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->search_low = (uint16_t)(mtu - 1); /* until one has arrived */
    stats->wait_ms = stats->search_high = stats->halving = 0;
    stats->reset_ms = probes(tcp, tcb) ? 0 : ms_after(tcp->now_ms, TEN_MINUTES_MS);
}

/* How long suppressed responses to congestion must lie apart (RFC4821-2): as many round trips as
 * cwnd has segments. */
static uint32_t probe_interval_ms(const struct tcb *tcb)
{
    uint64_t ms = (uint64_t)tcb->srtt_us * (tcb->cwnd / smss(tcb) + 1) / 1000;
    return (uint32_t)min_u64(max_u64(ms, 1), TEN_MINUTES_MS);
}

static void probe_failed(const struct tcp *tcp, const struct tcb *tcb, struct stats *stats,
                         uint32_t intervals)
{
    bool told = stats->search_high && stats->search_high < stats->probe_mtu;
    if (!told) {
        stats->search_high = stats->probe_mtu - 1;
        stats->halving = 1;
    }
    stats->probe_mtu = 0;
    uint32_t wait_ms = min_u32(intervals * probe_interval_ms(tcb), TEN_MINUTES_MS);
    stats->wait_ms = ms_after(tcp->now_ms, wait_ms);
}

void tcp_pmtu_on_rto(struct tcp *tcp, struct tcb *tcb)
{
    if (tcp_stats_seen(tcp, tcb)->probe_mtu) {
        struct stats *stats = tcp_stats(tcp, tcb);
        if (seq_eq(stats->probe_left, tcb->snd.una)) { /* 7.6.3 */
            probe_failed(tcp, tcb, stats, 5);
        } else {
            stats->probe_mtu = 0; /* 7.6.4 */
        }
    }
    if (tcp->b->policy.mtu_probing != HF_MTU_PROBING_OFF && tcb->retries >= BLACK_HOLE_TIMEOUTS) {
        black_hole(tcp, tcb);
    }
}

bool tcp_pmtu_probe_lost(struct tcp *tcp, struct tcb *tcb, uint32_t lost_bytes)
{
    if (tcp_stats_seen(tcp, tcb)->probe_mtu == 0) {
        return false;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    if (!seq_eq(stats->probe_left, tcb->snd.una) || lost_bytes != stats->probe_text) {
        return false;
    }
    probe_failed(tcp, tcb, stats, 1); /* 7.6.2 */
    return true;
}

/* What arrives -------------------------------------------------------------------------------- */

static void probe_arrived(struct tcp *tcp, struct tcb *tcb, struct stats *stats)
{
    uint16_t before = tcb->pmtu;
    stats->search_low = stats->probe_mtu;
    stats->probe_mtu = 0;
    if (stats->search_low > before) {
        set_pmtu(tcp, tcb, stats->search_low);
        stats->raised_from = before;
        stats->raised_segs = stats->raised_lost = 0;
    }
    stats->wait_ms = ms_after(tcp->now_ms, ONE_MINUTE_MS); /* RFC1191-3 */
}

void tcp_pmtu_acked(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->ptb_mtu && seq_gt(tcb->snd.una, active->ptb_first)) { /* large as it was */
        active->ptb_first = active->ptb_last;
        active->ptb_mtu = seq_gt(tcb->snd.una, active->ptb_last) ? 0 : active->ptb_mtu;
    }
    const struct stats *seen = tcp_stats_seen(tcp, tcb);
    if (seen->full_mtu == 0 && seen->probe_mtu == 0) {
        return;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    if (stats->full_mtu && seq_geq(tcb->snd.una, stats->full_end)) {
        stats->search_low = (uint16_t)max_u32(stats->search_low, stats->full_mtu);
        stats->full_mtu = 0;
    }
    if (stats->probe_mtu && seq_geq(tcb->snd.una, seq_add(stats->probe_left, stats->probe_text))) {
        probe_arrived(tcp, tcb, stats);
    }
}

/* What is sent --------------------------------------------------------------------------------- */

void tcp_pmtu_sent(struct tcp *tcp, struct tcb *tcb, seq_t left, uint32_t text, uint32_t mss)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    if (text > tcb->snd_mss && text == mss) {
        stats->probe_mtu = (uint16_t)(text + headers(tcb));
        stats->probe_text = (uint16_t)text;
        stats->probe_left = left;
        return;
    }
    if (stats->full_mtu == 0 && text >= tcb->snd_mss && mss == tcb->snd_mss &&
        stats->search_low < full_packet(tcb)) {
        stats->full_mtu = (uint16_t)full_packet(tcb);
        stats->full_end = seq_add(left, mss);
    }
    if (stats->raised_from) {
        stats->raised_segs = (uint16_t)min_u32(stats->raised_segs + text / mss, VERIFIED);
        stats->raised_from = stats->raised_segs < VERIFIED ? stats->raised_from : 0;
    }
}

/* RFC8201-5: what a router said, or a black hole, is old.  Where nothing is probed, the next
 * packets are full. */
void tcp_pmtu_age(struct tcp *tcp, struct tcb *tcb)
{
    if (!tcp_pmtu_over(tcp_stats_seen(tcp, tcb)->reset_ms, tcp->now_ms)) {
        return;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    uint32_t most = min_u32(stats->link_mtu, tcp->link_mtu);
    stats->search_high = stats->halving = 0;
    stats->reset_ms = most < stats->link_mtu ? ms_after(tcp->now_ms, TEN_MINUTES_MS) : 0;
    if (!probes(tcp, tcb) && tcb->pmtu < most) {
        set_pmtu(tcp, tcb, most);
    }
}

/* The size of the next probe, above what is sent (RFC4821-4); 0: there is no need of one. */
static uint32_t probe_size(struct tcp *tcp, const struct tcb *tcb, struct stats *stats)
{
    uint32_t low = full_packet(tcb);
    uint32_t high = ceiling(tcp, tcb, stats);
    if (high <= low) {
        return 0;
    }
    if (stats->halving && high - low < CONVERGED) { /* RFC4821-5 */
        stats->wait_ms = stats->reset_ms = ms_after(tcp->now_ms, TEN_MINUTES_MS);
        return 0;
    }
    return stats->halving ? low + (high - low + 1) / 2 : high;
}

/* Can one segment have so much of the queue: no record ends before (HF_SEND_END), nor does it lie
 * in too many pieces?  Else what left would be too large for the path, perhaps, and yet no probe.
 */
static bool lies_together(const struct tcp *tcp, const struct active *active, uint32_t text)
{
    struct hf_slice slices[HF_SLICES_MAX];
    uint32_t n = HF_SLICES_MAX;
    return tcp_chunk_slices(tcp, &active->send, text, slices, &n) == text;
}

/* RFC 4821 7.4: nothing is lost or SACKed, and what follows the probe lets its loss be seen.  While
 * the window has too little room for it, and ACKs are to come, other segments wait. */
uint32_t tcp_pmtu_probe(struct tcp *tcp, struct tcb *tcb, uint32_t unsent, uint32_t window,
                        bool *wait)
{
    const struct active *active = active_of(tcp, tcb);
    const struct stats *seen = tcp_stats_seen(tcp, tcb);
    *wait = false;
    if (seen->link_mtu <= tcb->pmtu) {
        return 0;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    bool waits = stats->wait_ms && !tcp_pmtu_over(stats->wait_ms, tcp->now_ms);
    if (!probes(tcp, tcb) || waits || stats->probe_mtu || active->recovery != RECOVERY_NONE ||
        active->sum[SUM_SACKED].bytes || active->probe != PROBE_NONE || active->snd_urgent) {
        return 0;
    }
    uint32_t size = probe_size(tcp, tcb, stats);
    if (size == 0) {
        return 0;
    }
    uint32_t text = size - headers(tcb);
    uint32_t behind = TRAILING * smss(tcb);
    if (min_u32(unsent, window) < text + behind || tcb->cwnd < text + behind || /* RFC4821-6 */
        !lies_together(tcp, active, text)) {
        return 0;
    }
    *wait = tcp_recovery_allows(tcp, tcb) < text;
    return *wait ? 0 : text;
}

void tcp_pmtu_begin(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t mtu = max_u32(tcp->b->policy.base_mtu, floor_of(tcp, tcb));
    if (tcp->b->policy.mtu_probing != HF_MTU_PROBING_ALWAYS || full_packet(tcb) <= mtu ||
        tcp_stats(tcp, tcb)->link_mtu == 0) {
        return;
    }
    set_pmtu(tcp, tcb, mtu);
}
