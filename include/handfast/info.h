/* info.h - all that is measured of a connection: what Linux 6.18 tells as struct tcp_info, field by
 * field with its units, in a layout of our own.
 *
 * Included by handfast.h.
 */
#ifndef HANDFAST_INFO_H
#define HANDFAST_INFO_H

#include "handfast/handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What loss recovery is doing. */
enum hf_ca_state {
    HF_CA_OPEN,     /* nothing is amiss                                            */
    HF_CA_DISORDER, /* duplicate ACKs, or something is SACKed; nothing lost yet    */
    HF_CA_CWR,      /* the window comes down for a congestion mark (RFC 3168)      */
    HF_CA_RECOVERY, /* fast recovery (RFC 6675, 6582, 8985)                        */
    HF_CA_LOSS,     /* after a retransmission timeout, until all that was out is acknowledged */
};

/* hf_info.options: agreed upon, seen. */
enum {
    HF_INFO_TIMESTAMPS = 1u << 0,
    HF_INFO_SACK = 1u << 1,
    HF_INFO_WSCALE = 1u << 2,
    HF_INFO_ECN = 1u << 3,
    HF_INFO_ECN_SEEN = 1u << 4,  /* the peer has sent ECT or CE            */
    HF_INFO_SYN_DATA = 1u << 5,  /* HF_FO_SYN_DATA (RFC 7413)              */
    HF_INFO_TFO_CHILD = 1u << 7, /* HF_FO_CHILD                            */
};

/* hf_info.accecn_opt_seen: of the peer's options (RFC 9768 3.2.3). */
enum hf_accecn_option {
    HF_ACCECN_NOT_SEEN,
    HF_ACCECN_EMPTY_SEEN,
    HF_ACCECN_COUNTER_SEEN,
    HF_ACCECN_FAIL_SEEN, /* changed on its way: none is believed (3.2.3.2.4)       */
};

/* Bits of hf_info.accecn_fail_mode, with Linux's values; it is never one of the others. */
enum {
    HF_ACCECN_ACE_FAIL_RECV = 1u << 1, /* the peer's ACE means nothing, or tells that the codepoint
                                          was changed on its way (3.2.2.3, 3.2.2.4): no ECT      */
    HF_ACCECN_OPT_FAIL_RECV = 1u << 3, /* HF_ACCECN_FAIL_SEEN                                    */
};

/* hf_info.fastopen_client_fail: why text did not go, or not arrive, with our SYN (RFC 7413 4.2). */
enum hf_fast_open_fail {
    HF_FAST_OPEN_NO_FAIL,
    HF_FAST_OPEN_NO_COOKIE,         /* the server's cookie is not known, and was asked for        */
    HF_FAST_OPEN_DATA_NOT_ACKED,    /* the SYN,ACK left text of the SYN unacknowledged            */
    HF_FAST_OPEN_SYN_RETRANSMITTED, /* so did one that came after the SYN had to be sent again    */
};

#define HF_INFO_NO_SSTHRESH 0x7fffffffu

/* Segments are full or small ones as they were sent; a repeat counts again.  Fields marked * are
 * kept in a statistics record (hf_config.max_stats): from the first text on, and 0 for a connection
 * that found none (hf_counters.stats_missed).  busy_us and what is of it count whole
 * milliseconds. */
struct hf_info {
    uint32_t struct_size; /* filled in by the caller: what it knows of                           */
    uint8_t state;        /* enum hf_state                                                       */
    uint8_t ca_state;     /* enum hf_ca_state                                                    */
    uint8_t retransmits;  /* retransmission timeouts in a row                                    */
    uint8_t probes;       /* probes of a closed window, or keep-alives, not answered             */
    uint8_t backoff;      /* doublings of the RTO, or of the wait for the next probe             */
    uint8_t options;      /* HF_INFO_*                                                           */
    uint8_t snd_wscale, rcv_wscale; /* shifts (RFC 7323)                                          */
    uint8_t delivery_rate_app_limited; /* 1: *delivery_rate is what there was to send, no more    */
    uint8_t pad[3];
    uint32_t rto_us;  /* with its backoff (RFC 6298)                                         */
    uint32_t ato_us;  /* how long an ACK is delayed                                          */
    uint32_t snd_mss; /* octets of text a segment may carry                                  */
    uint32_t rcv_mss; /* octets of the peer's largest segment so far                         */
    uint32_t unacked; /* segments sent and not acknowledged; listener: connections to accept */
    uint32_t sacked;  /* of these, segments the peer holds (without SACK: duplicate ACKs);
                         listener: its backlog                                               */
    uint32_t lost;    /* of these, segments taken for lost                                   */
    uint32_t retrans; /* of these, segments sent again and not acknowledged since            */
    uint32_t last_data_sent_ms; /* since text, or our SYN, was sent first; else since it is open  */
    uint32_t last_data_recv_ms; /* since text came; before: since it is open                      */
    uint32_t last_ack_recv_ms;  /* since an acceptable segment came                               */
    uint32_t pmtu;         /* octets of a packet that the path takes (RFC 1191, 8201, 4821)       */
    uint32_t rcv_ssthresh; /* octets: the receive window when all is read                         */
    uint32_t rtt_us, rttvar_us; /* SRTT and RTTVAR (RFC 6298), 0: no measurement               */
    uint32_t snd_ssthresh; /* segments, HF_INFO_NO_SSTHRESH: none                                 */
    uint32_t snd_cwnd;     /* segments                                                            */
    uint32_t advmss;       /* the MSS that our SYN announces                                      */
    uint32_t reordering;   /* segments by which one was overtaken at most, dupthresh at least     */
    uint32_t rcv_rtt_us;   /* * a round trip as the receiver sees it                              */
    uint32_t rcv_space;    /* * octets read in a round trip, the most so far                      */
    uint32_t total_retrans; /* segments sent again                                                */
    uint64_t pacing_rate, max_pacing_rate; /* octets a second; UINT64_MAX: no limit               */
    uint64_t bytes_acked; /* octets of text sent and acknowledged                                */
    uint64_t bytes_received; /* octets of text received in order                                  */
    uint32_t segs_out, segs_in;
    uint32_t notsent_bytes; /* octets accepted and not sent                                       */
    uint32_t min_rtt_us; /* the least of late (RFC 8985); 0: no measurement                     */
    uint32_t data_segs_in, data_segs_out; /* * of these, with text                                */
    uint64_t delivery_rate; /* * octets a second that arrived in the last round trip measured     */
    uint64_t busy_us; /* * text was queued or not acknowledged; of this, ...                 */
    uint64_t rwnd_limited_us;   /* * ... the peer's window kept some from being sent              */
    uint64_t sndbuf_limited_us; /* * ... all was sent, and hf_send would have given more if the
                                       send buffer had held it                                    */
    uint32_t delivered; /* * segments that arrived, the SYN counted; SACKed ones, too           */
    uint32_t delivered_ce; /* * of these, with ACKs that told of a congestion mark (RFC 3168)     */
    uint64_t bytes_sent;   /* * octets of text sent, repeats counted                              */
    uint64_t bytes_retrans; /* * octets of text sent again                                        */
    uint32_t dsack_dups;  /* * segments that the peer told it had twice (RFC 2883)               */
    uint32_t reord_seen;  /* * ACKs that told of segments that were overtaken  */
    uint32_t rcv_ooopack; /* * segments that came ahead of a gap                                 */
    uint32_t snd_wnd;     /* octets: the peer's window                                           */
    uint32_t rcv_wnd;     /* octets: ours, as promised                                           */
    uint16_t total_rto;   /* * retransmission timeouts ...                                       */
    uint16_t total_rto_recoveries; /* * ... in so many rows ...                                   */
    uint32_t total_rto_ms; /* * ... that took so long until something was acknowledged            */
    uint32_t received_ce;  /* packets that came with CE (RFC 9768: r.cep, counted from 0)         */
    /* Octets of text with ECT(1), ECT(0), CE, modulo 2^32: as the peer's options tell of ours,
     * and as its own came; with Accurate ECN only. */
    uint32_t delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint8_t ecn_mode;             /* enum hf_ecn_mode                                            */
    uint8_t accecn_opt_seen;      /* enum hf_accecn_option                                       */
    uint8_t accecn_fail_mode;     /* HF_ACCECN_*_FAIL_RECV                                       */
    uint8_t fastopen_client_fail; /* * enum hf_fast_open_fail                                    */
    uint32_t rehash; /* times the path was changed by another flow label (RFC 6437): none is,
                        always 0                                                             */
};

/* Also of what is gone.  env: its now_ns is what "since" counts to; NULL: the last call's.
 * HF_ERR_STALE_HANDLE; HF_ERR_UNSUPPORTED: a UDP socket. */
int hf_info(const struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
            struct hf_info *info);

#ifdef __cplusplus
}
#endif
#endif
