/* info.c - RFC 9293 section 3.9.1.6, RFC 4898: what is counted of a connection, and hf_info.
 *
 * What follows from sequence numbers and queues is worked out when it is asked for; the rest is
 * counted here, in struct stats.  Time is counted by what limits the sender:
 *
 *     IDLE    nothing queued, nothing in flight
 *     RWND    text waits, and the peer's window alone keeps it
 *     SNDBUF  all has been sent, the congestion window takes more, the application was refused
 *     BUSY    else
 */
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/stats.h"

static uint32_t flight_of(const struct tcb *tcb)
{
    return seq_len(tcb->snd.una, tcb->snd.nxt);
}

/* Text that has not been sent. */
uint32_t tcp_unsent(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    seq_t end = seq_add(tcp_text_una(tcp, tcb), active->sq_bytes);
    return (tcb->flags & F_FIN_SENT) || seq_leq(end, tcb->snd.nxt) ? 0 : seq_len(tcb->snd.nxt, end);
}

/* What limits the sender ----------------------------------------------------------------------- */

static bool cwnd_has_room(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcp_recovery_allows(tcp, tcb) >= smss(tcb);
}

static enum limit limited_by(const struct tcp *tcp, const struct tcb *tcb, uint32_t waits)
{
    if (waits) {
        uint32_t used = flight_of(tcb);
        uint32_t window = tcb->snd.wnd > used ? tcb->snd.wnd - used : 0;
        bool kept = tcb->state >= HF_ESTABLISHED && window < min_u32(waits, smss(tcb));
        return kept && cwnd_has_room(tcp, tcb) ? LIMIT_RWND : LIMIT_BUSY;
    }
    return (tcb->flags & F_WANT_WRITE) && cwnd_has_room(tcp, tcb) ? LIMIT_SNDBUF : LIMIT_BUSY;
}

void tcp_count_time(struct tcp *tcp, struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    if (tcp_stats_seen(tcp, tcb)->link_mtu == 0 && (active == NULL || active->sq_bytes == 0)) {
        return; /* it has not begun */
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    bool idle = active == NULL || (active->sq_bytes == 0 && flight_of(tcb) == 0);
    uint32_t waits = idle ? 0 : tcp_unsent(tcp, tcb, active);
    enum limit limit = idle ? LIMIT_IDLE : limited_by(tcp, tcb, waits);
    if (stats->limit != limit) {
        stats->limited_ms[stats->limit] += tcp->now_ms - stats->limit_ms;
        stats->limit_ms = tcp->now_ms;
        stats->limit = (uint8_t)limit;
    }
    if (!stats->rate_idle && (idle || (waits == 0 && cwnd_has_room(tcp, tcb)))) {
        stats->rate_idle = 1;
    }
}

/* Counters ------------------------------------------------------------------------------------- */

static void begin_round(const struct tcp *tcp, const struct tcb *tcb, struct stats *stats)
{
    stats->rate_timed = 1;
    stats->rate_end = tcb->snd.nxt;
    stats->rate_start_us = tcp->now_us;
    stats->rate_bytes = 0;
    stats->rate_idle = 0;
}

void tcp_count_sent(struct tcp *tcp, struct tcb *tcb, uint32_t text, uint32_t part, bool again)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->data_segs_out += part ? (text + part - 1) / part : 1;
    stats->bytes_retrans += again ? text : 0;
    if (!stats->rate_timed) {
        begin_round(tcp, tcb, stats);
        stats->rate_end = seq_sub(stats->rate_end, part ? text - part : 0);
    }
}

void tcp_count_received(struct tcp *tcp, struct tcb *tcb, const struct segment *seg, bool ahead)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    uint32_t segments = max_u32(seg->packets, 1);
    stats->data_segs_in += segments;
    stats->rcv_ooopack += ahead ? segments : 0;
}

uint32_t tcp_arrived(const struct active *active)
{
    return active->sum[SUM_SACKED].segs - active->sum[SUM_OUT].segs;
}

/* A round trip at a time: from one ACK, or the first text after a pause, to the ACK of what had
 * been sent by then. */
static void measure_rate(const struct tcp *tcp, const struct tcb *tcb, struct stats *stats)
{
    stats->rate_bytes += tcp->news.delivered;
    if (!stats->rate_timed || seq_lt(tcb->snd.una, stats->rate_end)) {
        return;
    }
    uint32_t us = tcp->now_us - stats->rate_start_us;
    if (us) {
        stats->delivery_rate = (uint64_t)stats->rate_bytes * 1000000 / us;
        stats->rate_limited = stats->rate_idle;
    }
    if (flight_of(tcb)) {
        begin_round(tcp, tcb, stats);
    } else {
        stats->rate_timed = 0;
    }
}

void tcp_count_ack(struct tcp *tcp, struct tcb *tcb, uint32_t arrived_before)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t segments = tcp_arrived(active) - arrived_before;
    bool dsack = tcp->news.dsack;
    if (tcp_stats_seen(tcp, tcb)->link_mtu == 0 || (segments == 0 && !dsack)) {
        return;
    }
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->delivered += segments;
    stats->delivered_ce += active->ecn_echo ? segments : 0;
    if (dsack) {
        uint32_t bytes = seq_len(tcp->news.dsack_left, tcp->news.dsack_right);
        stats->dsack_dups += max_u32((bytes + smss(tcb) - 1) / smss(tcb), 1);
    }
    measure_rate(tcp, tcb, stats);
}

void tcp_count_timeout(struct tcp *tcp, struct tcb *tcb)
{
    struct stats *stats = tcp_stats(tcp, tcb);
    stats->total_rto++;
    if (stats->rto_ms == 0) {
        stats->total_rto_recoveries++;
        stats->rto_ms = ms_after(tcp->now_ms, 0);
    }
}

void tcp_count_progress(struct tcp *tcp, struct tcb *tcb)
{
    if (tcp_stats_seen(tcp, tcb)->rto_ms) {
        struct stats *stats = tcp_stats(tcp, tcb);
        stats->total_rto_ms += tcp->now_ms - stats->rto_ms;
        stats->rto_ms = 0;
    }
}

/* hf_info -------------------------------------------------------------------------------------- */

static void from_stats(const struct tcp *tcp, const struct stats *stats, struct hf_info *info)
{
    uint64_t ms[LIMITS];
    for (unsigned i = 0; i < LIMITS; i++) {
        ms[i] = stats->limited_ms[i];
    }
    if (stats->link_mtu) {
        ms[stats->limit] += tcp->now_ms - stats->limit_ms;
    }
    info->busy_us = (ms[LIMIT_BUSY] + ms[LIMIT_RWND] + ms[LIMIT_SNDBUF]) * 1000;
    info->rwnd_limited_us = ms[LIMIT_RWND] * 1000;
    info->sndbuf_limited_us = ms[LIMIT_SNDBUF] * 1000;
    info->rcv_rtt_us = stats->rcv_rtt_us;
    info->rcv_space = stats->rcv_space;
    info->data_segs_in = stats->data_segs_in;
    info->data_segs_out = stats->data_segs_out;
    info->delivery_rate = stats->delivery_rate;
    info->delivery_rate_app_limited = stats->rate_limited;
    info->delivered = stats->delivered;
    info->delivered_ce = stats->delivered_ce;
    info->bytes_retrans = stats->bytes_retrans;
    info->dsack_dups = stats->dsack_dups;
    info->reord_seen = stats->reord_seen;
    info->rcv_ooopack = stats->rcv_ooopack;
    info->fastopen_client_fail = stats->fast_open_fail;
    info->total_rto = stats->total_rto;
    info->total_rto_recoveries = stats->total_rto_recoveries;
    info->total_rto_ms = stats->total_rto_ms + (stats->rto_ms ? tcp->now_ms - stats->rto_ms : 0);
}

/* RFC 9768 3.2: counters begin at one, told are their differences. */
static void from_ecn(struct tcp *tcp, const struct tcb *tcb, struct hf_info *info)
{
    const struct ecn *ecn = tcp_ecn_of(tcp, tcb);
    if (ecn == NULL || !(tcb->modes & M_ACCURATE)) {
        return;
    }
    info->delivered_e1_bytes = ecn->s.e1b - 1;
    info->delivered_e0_bytes = ecn->s.e0b - 1;
    info->delivered_ce_bytes = ecn->s.ceb;
    info->received_e1_bytes = ecn->r.e1b - 1;
    info->received_e0_bytes = ecn->r.e0b - 1;
    info->received_ce_bytes = ecn->r.ceb;
    info->accecn_opt_seen = ecn->option_bad      ? HF_ACCECN_FAIL_SEEN
                            : ecn->option_counts ? HF_ACCECN_COUNTER_SEEN
                            : ecn->option_seen   ? HF_ACCECN_EMPTY_SEEN
                                                 : HF_ACCECN_NOT_SEEN;
    info->accecn_fail_mode = (uint8_t)((ecn->deaf || ecn->mangled ? HF_ACCECN_ACE_FAIL_RECV : 0) |
                                       (ecn->option_bad ? HF_ACCECN_OPT_FAIL_RECV : 0));
}

static uint8_t ca_state(const struct active *active)
{
    static const uint8_t states[] = {HF_CA_OPEN, HF_CA_CWR, HF_CA_RECOVERY, HF_CA_LOSS};
    bool disorder = active->sum[SUM_SACKED].segs || active->dup_acks;
    return active->recovery == RECOVERY_NONE && disorder ? HF_CA_DISORDER
                                                         : states[active->recovery];
}

static void from_active(const struct tcp *tcp, const struct tcb *tcb, const struct active *active,
                        struct hf_info *info)
{
    info->ca_state = ca_state(active);
    info->backoff =
        active->persist ? (uint8_t)min_u32(active->persist - 1u, PROBE_DOUBLINGS) : active->backoff;
    info->unacked = active->sum[SUM_OUT].segs;
    info->sacked = tcb->flags & F_SACK ? active->sum[SUM_SACKED].segs : active->dup_acks;
    info->lost = active->sum[SUM_LOST].segs;
    info->retrans = active->sum[SUM_AGAIN].segs;
    info->reordering = max_u32(info->reordering, active->reordering);
    info->notsent_bytes = tcp_unsent(tcp, tcb, active);
    if (flight_of(tcb) && !active->persist) {
        info->retransmits = tcb->retries;
        info->probes = 0;
    }
    if (tcp_syn_is_out(tcp, tcb) && flight_of(tcb)) {
        info->unacked = max_u32(info->unacked, 1);
    }
}

static uint8_t options_of(const struct tcb *tcb, uint8_t fast_open)
{
    return (uint8_t)((tcb->flags & F_TS ? HF_INFO_TIMESTAMPS : 0) |
                     (tcb->flags & F_SACK ? HF_INFO_SACK : 0) |
                     (tcb->flags & F_WSCALE ? HF_INFO_WSCALE : 0) |
                     (tcb->modes & M_CLASSIC ? HF_INFO_ECN : 0) |
                     (tcb->modes & M_ECN_SEEN ? HF_INFO_ECN_SEEN : 0) |
                     (fast_open & HF_FO_SYN_DATA ? HF_INFO_SYN_DATA : 0) |
                     (fast_open & HF_FO_CHILD ? HF_INFO_TFO_CHILD : 0));
}

static void measurements(struct tcp *tcp, const struct tcb *tcb, struct hf_info *info)
{
    const struct tally *tally = tally_of(tcp, tcb);
    uint32_t most = tcp_extra(tcp, tcb->extra)->max_pacing_rate;
    info->rto_us = (uint32_t)min_u64((uint64_t)tcp_rto_ms(tcp, tcb) * 1000, UINT32_MAX);
    info->ato_us = tcp->b->policy.ack_delay_ms * 1000;
    info->rtt_us = tcb->srtt_us;
    info->rttvar_us = tcb->rttvar_us;
    info->min_rtt_us = tally->min_rtt_us;
    info->last_data_sent_ms = tcb->last_snd_ms ? tcp->now_ms - tcb->last_snd_ms : 0;
    info->last_data_recv_ms = tally->last_rcv_ms ? tcp->now_ms - tally->last_rcv_ms : 0;
    info->last_ack_recv_ms = tally->last_ack_ms ? tcp->now_ms - tally->last_ack_ms : 0;
    info->pacing_rate = tcp_pacing_rate(tcp, tcb);
    info->max_pacing_rate = most ? most : UINT64_MAX;
    info->snd_cwnd = tcb->cwnd / smss(tcb);
    bool none = tcb->ssthresh == UINT32_MAX;
    info->snd_ssthresh = none ? HF_INFO_NO_SSTHRESH : tcb->ssthresh / smss(tcb);
    info->reordering = max_u32(tcp_stats_seen(tcp, tcb)->reordering, tcp->b->policy.dupthresh);
}

void tcp_info(struct tcp *tcp, const struct tcb *tcb, struct hf_info *info)
{
    struct hf_status status;
    tcp_status(tcp, tcb, &status);
    *info = (struct hf_info){
        .struct_size = sizeof *info,
        .state = tcb->state,
        .probes = tcb->retries,
        .options = options_of(tcb, status.fast_open),
        .snd_wscale = tcb->snd_wscale,
        .rcv_wscale = tcb->rcv_wscale,
        .snd_mss = tcb->snd_mss,
        .rcv_mss = tcb->rcv_mss,
        .pmtu = tcb->pmtu,
        .rcv_ssthresh = tcb->rcv_buf,
        .advmss = tcp_announced_mss(tcb, tally_of(tcp, tcb)->max_segment),
        .total_retrans = status.retransmitted_segs,
        .bytes_acked = status.bytes_acked,
        .bytes_received = status.bytes_received,
        .segs_out = status.segs_out,
        .segs_in = status.segs_in,
        .snd_wnd = tcb->snd.wnd,
        .rcv_wnd = tcb->rcv.wnd,
        .received_ce = status.ce_received,
        .ecn_mode = status.ecn,
    };
    measurements(tcp, tcb, info);
    from_stats(tcp, tcp_stats_seen(tcp, tcb), info);
    from_ecn(tcp, tcb, info);
    const struct active *active = active_of(tcp, tcb);
    if (active) {
        from_active(tcp, tcb, active, info);
    }
    info->bytes_sent =
        info->bytes_acked + status.queued_bytes - info->notsent_bytes + info->bytes_retrans;
    /* A SYN of ours counts with the text on it, once. */
    bool with_text = (status.fast_open & (HF_FO_SYN_DATA | HF_FO_CHILD)) == HF_FO_SYN_DATA;
    info->delivered += tcp_syn_is_out(tcp, tcb) || with_text ? 0 : 1;
}
