/* policy.h - behaviour that an RFC leaves open: struct hf_policy, part of handfast.h. */
#ifndef HANDFAST_POLICY_H
#define HANDFAST_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* hf_policy.syn_cookies: when a SYN is answered without being kept (RFC 4987 3.6). */
enum hf_cookies { HF_COOKIES_OFF, HF_COOKIES_FULL, HF_COOKIES_ALWAYS };

/* HF_CONGESTION_CONTROL, hf_policy.congestion */
enum hf_congestion {
    HF_NEWRENO, /* RFC 5681 */
    HF_CUBIC,   /* RFC 9438 */
    HF_CONGESTIONS
};

/* hf_policy.hystart: how CUBIC leaves slow start before something is lost (RFC 9438 4.10). */
enum hf_hystart {
    HF_HYSTART_OFF,
    HF_HYSTART_HYBRID,   /* hybrid slow start: by delay and by ACK trains; from 16 segments on */
    HF_HYSTART_PLUSPLUS, /* HyStart++ (RFC 9406)                                               */
};

/* hf_policy.mtu_probing: search for path MTUs by larger segments (RFC 4821).  OFF: packets shrink
 * by ICMP alone and are full again after ten minutes; BLACK_HOLE: they shrink also when full
 * segments time out, and probes search the way up; ALWAYS: they begin with base_mtu. */
enum hf_mtu_probing {
    HF_MTU_PROBING_OFF,
    HF_MTU_PROBING_BLACK_HOLE,
    HF_MTU_PROBING_ALWAYS,
};

enum hf_ecn {
    HF_ECN_OFF,    /* RFC 3168                                                                */
    HF_ECN_ACCEPT, /* agreed to when the peer's SYN asks for it                               */
    HF_ECN_ASK,    /* asked for by ours, too; once more without when that SYN gets no answer  */
};

/* Behaviour that an RFC leaves open.  Names as in doc/; 0 or false is "off".
 *
 * Ranges where none stands below: ms 1 .. 2^30, but msl_ms and cookie_slot_ms to 2^29,
 * challenge_ack_ms from 0, rto_min_ms and rto_initial_ms to rto_max_ms, user_timeout_least_ms to
 * user_timeout_most_ms; syn_retries, data_retries, orphan_retries 0 .. 254; quick_acks 0 .. 255;
 * warn_retries 1 .. 255; shares 0 .. 100; initial_cwnd, slow_start_l, min_mss 1 .. 65,535; windows
 * and buffers 1 .. 2^30, receive_window to max_receive_window; PMTU and MTU 68 .. 65,535;
 * port_first 1 .. port_last; ttl, dupthresh 1 .. 255. */
struct hf_policy {
    uint32_t msl_ms;           /* 30,000: TIME-WAIT lasts twice this (RFC 9293 3.4.2)           */
    uint32_t fin_timeout_ms;   /* 60,000: FIN-WAIT-2 of a released handle                       */
    uint32_t rto_min_ms;       /* 200: least timeout of retransmission (RFC 6298 2.4: 1 s) */
    uint32_t rto_max_ms;       /* 120,000: longest one (RFC 6298 2.5) */
    uint32_t rto_initial_ms;   /* 1,000: before a round trip is known (RFC 6298 2.1) */
    uint32_t ack_delay_ms;     /* 40: delayed ACK, 1 .. 500 (RFC 9293 3.8.6.3)                  */
    uint32_t quick_acks;       /* 16: first ACKs of a connection that are not delayed           */
    uint32_t challenge_ack_ms; /* 500: one challenge ACK in this time per connection (RFC 5961) */
    uint32_t reset_rate;       /* 3,200: resets a second without connection; 0: any */
    uint32_t cookie_slot_ms;   /* 60,000: SYN cookies of this and the previous slot are taken   */
    uint32_t hold_ms;          /* 130,000: a held SYN is forgotten this long after its last     */
    uint32_t syn_retries;      /* 7: R2 of a SYN (RFC 9293 3.8.3)                               */
    uint32_t synack_retries;   /* 5: the same of a SYN,ACK; at most 7                           */
    uint32_t data_retries;     /* 15: R2 (RFC 9293 3.8.3); to find a way's MTU may take seven   */
    uint32_t warn_retries;     /* 3: R1 (RFC 9293 3.8.3: 3 at least): HF_TROUBLE            */
    uint32_t orphan_retries;   /* 8: R2 of a released handle, about 100 s at least              */
    uint32_t orphan_probes;    /* 15: zero-window probes of a released handle, answered or not, and
                                  retransmissions into a closed window (RFC 6429 4), until the peer
                                  acknowledges something; 0: no limit                           */
    uint32_t max_orphans;   /* connections of released handles, TIME-WAIT not counted; while there
                               are more, a timeout (retransmission or probe) ends and resets
                               each that has one.  0: half of max_connections, 4 at least    */
    uint32_t orphan_share;  /* 50: the same for text of theirs, in per cent of the payload
                               memory; 100: any                                              */
    uint32_t backlog_share; /* 50: per cent of a backlog that half-open connections from one
                               network (24 bits, IPv6 56) take at most, and 8 in any case; what
                               is more gets a SYN cookie, as where it is full.  100: any, and
                               so where the listener holds SYNs for hf_answer                */
    uint32_t user_timeout_least_ms; /* 100,000: L_LIMIT for what peers ask for (RFC 5482 3.1)     */
    uint32_t user_timeout_most_ms;  /* 3,600,000: U_LIMIT                                         */
    uint32_t initial_cwnd;       /* 10 segments (RFC 6928)                                        */
    uint32_t slow_start_l;       /* 8 segments per ACK (ruling of RFC 9406 4.2)                   */
    uint32_t min_mss;            /* 216: a smaller MSS of the peer is taken as this               */
    uint32_t receive_window;     /* 270,000 octets: default of HF_RECEIVE_WINDOW                  */
    uint32_t send_buffer;        /* 262,144 octets: default of HF_SEND_BUFFER                     */
    uint32_t max_receive_window; /* 15 MiB: sets the window scale; at most 1 GiB                  */
    uint32_t max_send_buffer;    /* 4 MiB: what tune_buffers may make of a send buffer            */
    uint16_t min_pmtu;           /* 552: a smaller path MTU is taken as this; 68 .. (RFC 1191 3)  */
    uint16_t base_mtu;           /* 1064: packets in a black hole (search_low of RFC 4821 7.2)    */
    uint16_t port_first;         /* 32768: the first of the local ports of active opens */
    uint16_t fast_open;          /* HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER: what HF_FAST_OPEN may
                                    ask for */
    uint16_t port_last;          /* 60999: the last of the local ports of active opens */
    uint8_t ttl;                 /* 64: TTL or hop limit of packets                               */
    uint8_t chunk_segments;      /* 2: a transmit chunk, which ends with PSH, is no smaller when it
                                    can be; at most 255, 0 as 1 (push.c)                          */
    uint8_t mtu_probing;         /* enum hf_mtu_probing: HF_MTU_PROBING_BLACK_HOLE: the search for
                                    path MTUs (RFC 4821)                                          */
    uint8_t dupthresh;           /* 3: duplicate ACKs that tell of a loss (RFC 5681 3.2) */
    uint8_t syn_cookies;         /* enum hf_cookies: HF_COOKIES_FULL, when a listener's backlog or
                                    max_half_open is full (RFC 4987 3.6)                          */
    uint8_t congestion;          /* HF_CUBIC: default of HF_CONGESTION_CONTROL                    */
    uint8_t hystart;             /* HF_HYSTART_HYBRID: how CUBIC leaves slow start (RFC 9438)     */
    uint8_t ecn;                 /* enum hf_ecn: HF_ECN_ACCEPT; what HF_ECN begins as             */
    bool accecn;                 /* false: what HF_ACCECN begins as                               */
    bool timestamps;             /* true: the timestamps option (RFC 7323) */
    bool sack;                   /* true: selective acknowledgments (RFC 2018) */
    bool window_scale;           /* true: windows beyond 64 KiB (RFC 7323) */
    bool rack;                   /* true: losses are found by time (RFC 8985), else RFC 6675 */
    bool tlp;                    /* true: probes for losses at the end of a flight (RFC 8985 7) */
    bool frto;                   /* true: finds out timeouts that were none (RFC 5682) */
    bool rtt_per_ack;           /* false: a flight is measured once (RFC 7323 4.2); true: each ACK's
                                   sample counts in full, as in Linux                            */
    bool undo;                  /* true: finds out repeats that were for nothing (RFC 3522) */
    bool slow_start_after_idle; /* true: cwnd falls where nothing is sent (RFC 5681 4.1) */
    bool fast_convergence;      /* true: CUBIC gives way sooner (RFC 9438 4.7) */
    bool abe;                   /* true: an ECN echo reduces by less than a loss (RFC 8511)      */
    bool pacing;                /* false: each window is spread over its round trip              */
    bool cubic_strict;          /* false: before the first loss at least 5 % in a round trip     */
    bool tune_buffers;          /* true: receive windows (up to max_receive_window) and send
                                   buffers grow as a round trip needs, unless HF_RECEIVE_WINDOW,
                                   HF_SEND_BUFFER were set; while half of the payload memory that
                                   is free would hold them                                       */
    bool predict;               /* true: where nobody traces, segments of one connection that follow
                                   each other in a call are worked on together (prediction.c); what
                                   is sent is the same either way                              */
    bool syn_soft_abort;        /* false: a soft ICMP error ends SYN-SENT (RFC 5461 4)           */
    bool icmp_hard_abort;       /* false: hard ICMP errors end open connections too              */
    bool drop_synfin;           /* false: SYN with FIN is dropped                                */
    bool abort_on_overflow;     /* false: a full accept queue resets                             */
    bool tw_ignore_rst;         /* false: RFC 1337 F1                                            */
    bool tw_recycle;            /* false: old TIME-WAITs with timestamps go when records run out */
    bool tw_syn_ack;            /* false: a refused SYN in TIME-WAIT gets an ACK                 */
    bool ts_tolerate_missing;   /* false: segments without the agreed timestamp are taken        */
    bool rst_ts;                /* false: timestamps in resets without a connection              */
    bool sack_keep_on_rto;      /* false: what was SACKed stays so after a timeout              */
    bool zwp_octet;             /* false: zero-window probes carry one octet                     */
    bool answer_echo;           /* true: ICMP echo                                               */
    bool answer_closed;         /* true: resets and port unreachable for what nobody wants       */
};

#endif
