/* info.c - TCP_INFO and SO_MEMINFO: what the core tells of a connection, in Linux's layout. */
#include <string.h>

#include "adapter.h"
#include "linux.h"

enum { SSTHRESH_NONE = 0x7fffffff, CORE_SSTHRESH_NONE = 1 << 30 };

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

static uint32_t segments(uint32_t octets, uint32_t mss)
{
    return mss ? (octets + mss - 1) / mss : 0;
}

static void fill(const struct hf_status *st, struct linux_tcp_info *info)
{
    uint32_t mss = st->snd_mss ? st->snd_mss : 1;
    info->state = state_number(st->state);
    info->ca_state = st->in_recovery ? LINUX_CA_RECOVERY : LINUX_CA_OPEN;
    info->retransmits = st->retries;
    info->backoff = st->retries;
    info->options = (uint8_t)((st->options & HF_OPT_TS ? LINUX_TCPI_TIMESTAMPS : 0) |
                              (st->options & HF_OPT_SACK_OK ? LINUX_TCPI_SACK : 0) |
                              (st->options & HF_OPT_WSCALE ? LINUX_TCPI_WSCALE : 0) |
                              (st->fast_open & HF_FO_SYN_DATA ? LINUX_TCPI_SYN_DATA : 0) |
                              (st->fast_open & HF_FO_CHILD ? LINUX_TCPI_TFO_CHILD : 0));
    info->snd_wscale = st->snd_wscale & 15;
    info->rcv_wscale = st->rcv_wscale & 15;
    info->rto = st->rto_ms * 1000;
    info->snd_mss = st->snd_mss;
    info->advmss = st->snd_mss;
    info->unacked = segments(st->snd_nxt - st->snd_una, mss);
    info->rtt = st->srtt_us;
    info->rttvar = st->rttvar_us;
    info->snd_ssthresh = st->ssthresh >= CORE_SSTHRESH_NONE ? SSTHRESH_NONE : st->ssthresh / mss;
    info->snd_cwnd = st->cwnd / mss;
    info->total_retrans = st->retransmitted_segs;
    info->bytes_acked = st->bytes_acked;
    info->bytes_received = st->bytes_received;
    info->segs_in = st->segs_in;
    info->segs_out = st->segs_out;
    info->snd_wnd = st->snd_wnd;
    info->rcv_wnd = st->rcv_wnd;
}

int info_get(struct adapter *a, struct sock *s, void *value, socklen_t *len)
{
    struct hf_status status;
    struct linux_tcp_info info = {0};
    socket_status(a, s, &status);
    if (s->ended) {
        status.state = HF_CLOSED;
    }
    fill(&status, &info);
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
