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

static void fill_state(const struct hf_info *from, struct linux_tcp_info *to)
{
    to->state = state_number(from->state);
    to->ca_state = from->ca_state;
    to->retransmits = from->retransmits;
    to->probes = from->probes;
    to->backoff = from->backoff;
    to->options = from->options; /* the same bits */
    to->snd_wscale = from->snd_wscale & 15;
    to->rcv_wscale = from->rcv_wscale & 15;
    to->delivery_rate_app_limited = from->delivery_rate_app_limited & 1;
    to->unacked = from->unacked;
    to->sacked = from->sacked;
    to->lost = from->lost;
    to->retrans = from->retrans;
    to->last_data_sent = from->last_data_sent_ms;
    to->last_data_recv = from->last_data_recv_ms;
    to->last_ack_recv = from->last_ack_recv_ms;
    to->notsent_bytes = from->notsent_bytes;
    to->snd_wnd = from->snd_wnd;
    to->rcv_wnd = from->rcv_wnd;
}

static void fill_measures(const struct hf_info *from, struct linux_tcp_info *to)
{
    to->rto = from->rto_us;
    to->ato = from->ato_us;
    to->snd_mss = from->snd_mss;
    to->rcv_mss = from->rcv_mss;
    to->advmss = from->advmss;
    to->pmtu = from->pmtu;
    to->rcv_ssthresh = from->rcv_ssthresh;
    to->rtt = from->rtt_us;
    to->rttvar = from->rttvar_us;
    to->min_rtt = from->min_rtt_us ? from->min_rtt_us : UINT32_MAX;
    to->rcv_rtt = from->rcv_rtt_us;
    to->rcv_space = from->rcv_space;
    to->snd_ssthresh = from->snd_ssthresh;
    to->snd_cwnd = from->snd_cwnd;
    to->reordering = from->reordering;
    to->pacing_rate = from->pacing_rate;
    to->max_pacing_rate = from->max_pacing_rate;
    to->delivery_rate = from->delivery_rate;
}

static void fill_ecn(const struct hf_info *from, struct linux_tcp_info *to)
{
    to->received_ce = from->received_ce;
    to->delivered_e1_bytes = from->delivered_e1_bytes;
    to->delivered_e0_bytes = from->delivered_e0_bytes;
    to->delivered_ce_bytes = from->delivered_ce_bytes;
    to->received_e1_bytes = from->received_e1_bytes;
    to->received_e0_bytes = from->received_e0_bytes;
    to->received_ce_bytes = from->received_ce_bytes;
    to->ecn_mode = from->ecn_mode & 3;
    to->accecn_opt_seen = from->accecn_opt_seen & 3;
    to->accecn_fail_mode = from->accecn_fail_mode & 15;
}

static void fill_counts(const struct hf_info *from, struct linux_tcp_info *to)
{
    to->total_retrans = from->total_retrans;
    to->bytes_acked = from->bytes_acked;
    to->bytes_received = from->bytes_received;
    to->bytes_sent = from->bytes_sent;
    to->bytes_retrans = from->bytes_retrans;
    to->segs_in = from->segs_in;
    to->segs_out = from->segs_out;
    to->data_segs_in = from->data_segs_in;
    to->data_segs_out = from->data_segs_out;
    to->busy_time = from->busy_us;
    to->rwnd_limited = from->rwnd_limited_us;
    to->sndbuf_limited = from->sndbuf_limited_us;
    to->delivered = from->delivered;
    to->delivered_ce = from->delivered_ce;
    to->dsack_dups = from->dsack_dups;
    to->reord_seen = from->reord_seen;
    to->rcv_ooopack = from->rcv_ooopack;
    to->total_rto = from->total_rto;
    to->total_rto_recoveries = from->total_rto_recoveries;
    to->total_rto_time = from->total_rto_ms;
}

int info_get(struct adapter *a, struct sock *s, void *value, socklen_t *len)
{
    struct hf_status status;
    struct hf_info from = {.struct_size = sizeof from, .state = HF_CLOSED};
    struct linux_tcp_info to = {0};
    socket_status(a, s, &status);
    if (s->handle != 0) {
        hf_info(a->stack, &a->env, s->handle, &from);
    }
    from.state = s->ended ? (uint8_t)HF_CLOSED : from.state;
    fill_state(&from, &to);
    fill_measures(&from, &to);
    fill_counts(&from, &to);
    fill_ecn(&from, &to);
    to.fastopen_client_fail = from.fastopen_client_fail & 3;
    to.options |= (uint8_t)((status.fast_open & HF_FO_SYN_DATA ? LINUX_TCPI_SYN_DATA : 0) |
                            (status.fast_open & HF_FO_CHILD ? LINUX_TCPI_TFO_CHILD : 0));
    *len = *len < sizeof to ? *len : sizeof to;
    memcpy(value, &to, *len);
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
