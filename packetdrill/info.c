/* info.c - TCP_INFO and SO_MEMINFO: what the core tells of a connection, in Linux's layout. */
#include <string.h>

#include "adapter.h"
#include "linux.h"

/* Linux's numbers of the states of RFC 9293. */
static uint8_t state_number(uint8_t state)
{
    static const uint8_t numbers[] = {
        [HF_ESTABLISHED] = 1, [HF_SYN_SENT] = 2,  [HF_SYN_RECEIVED] = 3, [HF_FIN_WAIT_1] = 4,
        [HF_FIN_WAIT_2] = 5,  [HF_TIME_WAIT] = 6, [HF_CLOSED] = 7,       [HF_CLOSE_WAIT] = 8,
        [HF_LAST_ACK] = 9,    [HF_LISTEN] = 10,   [HF_CLOSING] = 11,
    };
    return state < sizeof numbers ? numbers[state] : 7;
}

/* Numbers of the states of recovery, options, and units are the same. */
static void fill(const struct hf_info *from, struct linux_tcp_info *info)
{
    info->state = state_number(from->state);
    info->ca_state = from->ca_state;
    info->retransmits = from->retransmits;
    info->probes = from->probes;
    info->backoff = from->backoff;
    info->options = from->options;
    info->snd_wscale = from->snd_wscale & 15;
    info->rcv_wscale = from->rcv_wscale & 15;
    info->delivery_rate_app_limited = from->delivery_rate_app_limited & 1;
    info->rto = from->rto_us;
    info->ato = from->ato_us;
    info->snd_mss = from->snd_mss;
    info->rcv_mss = from->rcv_mss;
    info->unacked = from->unacked;
    info->sacked = from->sacked;
    info->lost = from->lost;
    info->retrans = from->retrans;
    info->last_data_sent = from->last_data_sent_ms;
    info->last_data_recv = from->last_data_recv_ms;
    info->last_ack_recv = from->last_ack_recv_ms;
    info->pmtu = from->pmtu;
    info->rcv_ssthresh = from->rcv_ssthresh;
    info->rtt = from->rtt_us;
    info->rttvar = from->rttvar_us;
    info->snd_ssthresh = from->snd_ssthresh;
    info->snd_cwnd = from->snd_cwnd;
    info->advmss = from->advmss;
    info->reordering = from->reordering;
    info->rcv_rtt = from->rcv_rtt_us;
    info->rcv_space = from->rcv_space;
    info->total_retrans = from->total_retrans;
}

static void fill_counters(const struct hf_info *from, struct linux_tcp_info *info)
{
    info->pacing_rate = from->pacing_rate;
    info->max_pacing_rate = from->max_pacing_rate;
    info->bytes_acked = from->bytes_acked;
    info->bytes_received = from->bytes_received;
    info->segs_out = from->segs_out;
    info->segs_in = from->segs_in;
    info->notsent_bytes = from->notsent_bytes;
    info->min_rtt = from->min_rtt_us ? from->min_rtt_us : UINT32_MAX;
    info->data_segs_in = from->data_segs_in;
    info->data_segs_out = from->data_segs_out;
    info->delivery_rate = from->delivery_rate;
    info->busy_time = from->busy_us;
    info->rwnd_limited = from->rwnd_limited_us;
    info->sndbuf_limited = from->sndbuf_limited_us;
    info->delivered = from->delivered;
    info->delivered_ce = from->delivered_ce;
    info->bytes_sent = from->bytes_sent;
    info->bytes_retrans = from->bytes_retrans;
    info->dsack_dups = from->dsack_dups;
    info->reord_seen = from->reord_seen;
    info->rcv_ooopack = from->rcv_ooopack;
    info->snd_wnd = from->snd_wnd;
    info->rcv_wnd = from->rcv_wnd;
    info->total_rto = from->total_rto;
    info->total_rto_recoveries = from->total_rto_recoveries;
    info->total_rto_time = from->total_rto_ms;
}

int info_get(struct adapter *a, struct sock *s, void *value, socklen_t *len)
{
    struct hf_info from = {.struct_size = sizeof from};
    struct linux_tcp_info info = {0};
    if (s->handle == 0 || hf_info(a->stack, &a->env, s->handle, &from) != HF_OK || s->ended) {
        from.state = HF_CLOSED;
    }
    fill(&from, &info);
    fill_counters(&from, &info);
    *len = *len < sizeof info ? *len : sizeof info;
    memcpy(value, &info, *len);
    return 0;
}

/* Octets that are held, and limits; bookkeeping is not counted. */
int info_memory(struct adapter *a, struct sock *s, void *value, socklen_t *len)
{
    struct hf_status status;
    socket_status(a, s, &status);
    uint32_t numbers[LINUX_MEMINFO_NUMBERS] = {
        status.unread_bytes + status.out_of_order_bytes,
        (uint32_t)s->options.receive_buffer,
        0,
        (uint32_t)s->options.send_buffer,
        0,
        status.queued_bytes,
    };
    *len = *len < sizeof numbers ? *len : sizeof numbers;
    memcpy(value, numbers, *len);
    return 0;
}
