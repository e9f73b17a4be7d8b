/* linux.h - numbers and layouts of Linux 6.18 that older C libraries do not have; our own words. */
#ifndef PACKETDRILL_LINUX_H
#define PACKETDRILL_LINUX_H

#include <stdint.h>

enum {
    LINUX_TCP_NODELAY = 1,
    LINUX_TCP_MAXSEG = 2,
    LINUX_TCP_CORK = 3,
    LINUX_TCP_KEEPIDLE = 4,
    LINUX_TCP_KEEPINTVL = 5,
    LINUX_TCP_KEEPCNT = 6,
    LINUX_TCP_SYNCNT = 7,
    LINUX_TCP_LINGER2 = 8,
    LINUX_TCP_DEFER_ACCEPT = 9,
    LINUX_TCP_WINDOW_CLAMP = 10,
    LINUX_TCP_INFO = 11,
    LINUX_TCP_QUICKACK = 12,
    LINUX_TCP_CONGESTION = 13,
    LINUX_TCP_USER_TIMEOUT = 18,
    LINUX_TCP_FASTOPEN = 23,
    LINUX_TCP_TIMESTAMP = 24,
    LINUX_TCP_NOTSENT_LOWAT = 25,
    LINUX_TCP_CC_INFO = 26,
    LINUX_TCP_FASTOPEN_CONNECT = 30,
    LINUX_TCP_FASTOPEN_KEY = 33,
    LINUX_TCP_FASTOPEN_NO_COOKIE = 34,
    LINUX_TCP_INQ = 36,
    LINUX_TCP_CM_INQ = 36,
    LINUX_SO_MEMINFO = 55,
    LINUX_MEMINFO_NUMBERS = 9,
};

/* tcpi_options */
enum {
    LINUX_TCPI_TIMESTAMPS = 1,
    LINUX_TCPI_SACK = 2,
    LINUX_TCPI_WSCALE = 4,
    LINUX_TCPI_ECN = 8,
    LINUX_TCPI_ECN_SEEN = 16,
    LINUX_TCPI_SYN_DATA = 32,
    LINUX_TCPI_TFO_CHILD = 128,
};

/* tcpi_ca_state */
enum { LINUX_CA_OPEN, LINUX_CA_DISORDER, LINUX_CA_CWR, LINUX_CA_RECOVERY, LINUX_CA_LOSS };

/* What getsockopt(TCP_INFO) gives.  rtt, rttvar, min_rtt, rto, ato, busy_time, *_limited in
 * microseconds, last_* in milliseconds, cwnd, ssthresh, unacked ... in segments. */
struct linux_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options;
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t delivery_rate_app_limited : 1, fastopen_client_fail : 2;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time;
    uint32_t received_ce, delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint32_t ecn_mode : 2, accecn_opt_seen : 2, accecn_fail_mode : 4, options2 : 24;
};
_Static_assert(sizeof(struct linux_tcp_info) == 280, "as Linux 6.18 has it");

#endif
