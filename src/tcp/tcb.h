/* tcb.h - RFC 9293 section 3.3.1: the transmission control block and the records around it.
 *
 * Names are the RFC's: SND.UNA is tcb->snd.una, RCV.NXT is tcb->rcv.nxt.  All records lie in pools
 * in the stack's block, are named by 32-bit indexes from 1 (0 is none), and hold no pointer.
 *
 *     struct tcb        192 + 48 (tally)  all that an idle connection needs
 *     struct extra      attached to those whose application set an option that few set
 *     struct stats      attached with the first text, kept while there are enough: measurements
 *     struct ecn        attached where marks are counted: AccECN, or ECN once one has come
 *     struct active     attached while octets are in flight or unread, else absent
 *     struct sent       32  a transmission not acknowledged yet
 *     struct half_open  48  SYN-RECEIVED of a passive open: no handle yet
 *     struct time_wait  48  TIME-WAIT whose handle was released
 *     struct ext6       32  the addresses of an IPv6 connection, for any of the above
 *
 * Times: _ms are 32-bit milliseconds of the caller's clock, compared by ms_due; a deadline of 0 is
 * off.  _us are 32-bit microseconds, for differences below an hour.
 */
#ifndef TCP_TCB_H
#define TCP_TCB_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/seq.h"
#include "base/wheel.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

/* Who talks to whom.  The flow table's hash is of this. */
struct conn_id {
    uint8_t local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d                                */
    uint16_t lport, rport;
    uint8_t zone; /* interface of a link-local remote address, else 0                      */
    bool v4;
    uint16_t mtu; /* of the path to remote, for a connection that begins                   */
    uint32_t hash;
};

/* The same in a record.  IPv6: remote is the index of an ext6, local is 0. */
struct tuple {
    uint32_t remote, local;
    uint16_t rport, lport;
};

struct ext6 {
    uint8_t remote[16], local[16];
};

/* The flow table's values: kind in the upper two bits, index below. */
enum { KIND_TCB, KIND_HALF_OPEN, KIND_TIME_WAIT };
#define FLOW_VALUE(kind, idx) ((uint32_t)(kind) << 30 | (idx))
#define FLOW_KIND(value) ((value) >> 30)
#define FLOW_IDX(value) ((value)&0x3fffffffu)

/* tcb.flags; records that are compact keep the ones they need. */
enum {
    F_V6 = 1u << 0,
    F_PASSIVE = 1u << 1,       /* origin LISTEN (MUST-11)                              */
    F_TS = 1u << 2,            /* timestamps agreed                                    */
    F_SACK = 1u << 3,          /* SACK agreed                                          */
    F_WSCALE = 1u << 4,        /* window scaling agreed                                */
    F_COMPACT = 1u << 5,       /* a scratch copy of a half_open or time_wait record    */
    F_RELEASED = 1u << 6,      /* the application has forgotten the handle             */
    F_HELD = 1u << 7,          /* a SYN waits for hf_answer (state LISTEN)             */
    F_UNACCEPTED = 1u << 8,    /* in its listener's accept or asked queue              */
    F_CLOSE = 1u << 9,         /* the user has called CLOSE: FIN goes behind the text  */
    F_FIN_SENT = 1u << 10,     /* SND.NXT covers our FIN                               */
    F_FIN_ACKED = 1u << 11,    /* SND.UNA covers our FIN                               */
    F_FIN_RECEIVED = 1u << 12, /* RCV.NXT covers the peer's FIN                       */
    F_RST_SENT = 1u << 13,
    F_RST_RECEIVED = 1u << 14,
    F_PEER_FIRST = 1u << 15, /* the peer's FIN came before our CLOSE                 */
    F_ERROR_READ = 1u << 16, /* hf_recv has told the error                           */
    F_URGENT = 1u << 17,     /* urgent data is ahead of what was read                */
    F_NODELAY = 1u << 18,
    F_MORE = 1u << 19,        /* the last hf_send said that more follows; no ACK since */
    F_WANT_WRITE = 1u << 20,  /* hf_send was refused: HF_WRITABLE when low water fits */
    F_CHALLENGED = 1u << 21,  /* challenge_ms is set                                  */
    F_SYN_RESENT = 1u << 22,  /* our SYN was sent more than once: no RTT sample       */
    F_QUICK_ACK = 1u << 23,   /* no delayed ACKs                                      */
    F_CORK = 1u << 24,        /* HF_CORK: small segments are held                     */
    F_TS_SENT = 1u << 25,     /* our SYN offered timestamps                           */
    F_SACK_SENT = 1u << 26,   /* ... SACK                                             */
    F_WSCALE_SENT = 1u << 27, /* ... window scaling                                   */
    F_BLOCKED = 1u << 28,     /* waits for a neighbour's link address                 */
    F_BOTH_FIRST = 1u << 31,  /* simultaneous close: has been in CLOSING              */
};

/* tcb.modes: more flags. */
enum {
    M_KEEPALIVE = 1u << 0,    /* RFC 9293 3.8.4: an idle peer is asked whether it is there   */
    M_TELL_TIMEOUT = 1u << 1, /* RFC 5482: the next segment carries the option               */
    M_MAY_FRAGMENT = 1u << 7, /* HF_MAY_FRAGMENT: no DF                                      */
    M_DOUBT = 1u << 2,        /* R1 was reached: IP shall doubt the next hop (MUST-20)       */
    M_RCV_FIXED = 1u << 8,    /* the application has set HF_RECEIVE_WINDOW: it is not tuned  */
    M_SND_FIXED = 1u << 9,    /* ... HF_SEND_BUFFER                                          */
    M_NO_STATS = 1u << 10,    /* max_stats were out when it wanted one: counted once         */
    M_BACKOFF_SHIFT = 11,
    M_BACKOFF = 31u << 11,    /* RFC 6298 5: the doublings that outlast the active record    */
    M_NO_REPORTS = 1u << 31,  /* the application wants no error reports (SHLD-20)            */
    M_SYN_LOST = 1u << 26,    /* our SYN or SYN,ACK was sent three times: it was lost        */
    M_WINDOW_LOST = 1u << 27, /* something was lost in the initial window                    */
    M_CONGESTION = 3u << 28,  /* enum hf_congestion: MODE_CONGESTION                         */
    M_FO_CHILD = 1u << 5,     /* RFC 7413: opened by a SYN with a cookie                     */
    M_FO_SYN_DATA = 1u << 6,  /* text on a SYN was taken, the peer's or ours                 */
    /* RFC 3168.  Settings, which a listener hands on: */
    M_ECN_ACCEPT = 1u << 16, /* agreed to when the peer asks                              */
    M_ECN_ASK = 1u << 17,    /* asked for by our SYN, too                                 */
    M_ACCECN = 1u << 24,     /* with the feedback of RFC 9768, where the peer has it, too */
    M_ECN_SETTINGS = M_ECN_ACCEPT | M_ECN_ASK | M_ACCECN,
    /* ... and what has become of them */
    M_ECN_SENT = 1u << 18,   /* our SYN has asked                                           */
    M_CLASSIC = 1u << 19,    /* agreed                                                      */
    M_NO_ECT = 1u << 20,     /* but a SYN or SYN,ACK without it was seen: nothing of ours is ECT */
    M_ECE = 1u << 21,        /* CE came, and no CWR since: our ACKs say ECE                 */
    M_CWR = 1u << 22,        /* the next new text says CWR                                  */
    M_ECN_SEEN = 1u << 23,   /* the peer has sent ECT or CE                                 */
    M_ACCURATE = 1u << 30,   /* agreed as RFC 9768 has it; not with M_CLASSIC               */
    M_REORDERED = 1u << 3,   /* RACK.reordering_seen                                      */
    M_PROBED = 1u << 4,      /* a loss probe went out, and no round trip was measured since */
    M_PROBE_OPEN = 1u << 25, /* all is acknowledged, and one probe may have repaired a loss */
};

#define MODE_CONGESTION(congestion) ((uint32_t)(congestion) << 28)
#define CONGESTION_OF(modes) ((modes) >> 28 & 3u)

enum { ECN_BITS = AE | CWR | ECE };

/* tcb.owes: what output has to do. HF_OWES_* of trace.h, and: */
enum {
    OWES_PROBE = 1u << 8,
    OWES_WINDOW = 1u << 9,  /* a window update                                 */
    OWES_LISTED = 1u << 15, /* is in tcp_block.owes or .blocked: set iff any is */
};

/* tcb.events, beside HF_*: hf_send or hf_close wants what the pools do not have.  A tcb with these
 * alone is in tcp_block.starved instead of the ready list. */
enum {
    EVENT_STARVED = 1u << 15, /* an active record, payload memory */
    EVENT_PIECE = 1u << 14,   /* ... or a piece for lent memory   */
    EVENT_WAITS = EVENT_STARVED | EVENT_PIECE,
};

struct tcb {
    struct tuple id;
    uint32_t generation;
    uint8_t state; /* enum hf_state: tcp_set_state alone writes it                 */
    uint8_t zone;
    uint8_t ttl, tos;
    uint32_t flags;  /* F_*                                                          */
    uint32_t active; /* struct active, 0: none                                       */
    struct {
        seq_t nxt;
        uint32_t wnd; /* RCV.WND: nxt + wnd is the right edge as promised             */
    } rcv;
    struct {
        seq_t una, nxt;
        uint32_t wnd;
        seq_t wl1, wl2;
    } snd;
    uint32_t max_snd_wnd; /* largest SND.WND so far                                   */
    uint32_t ts_recent;   /* RFC 7323 TS.Recent                                       */
    seq_t last_ack_sent;  /* RFC 7323 Last.ACK.sent                                   */
    seq_t iss, irs;
    uint16_t owes;                 /* HF_OWES_*, OWES_*                                        */
    uint16_t events;               /* HF_READABLE ...: not told yet                            */
    struct idlist_link owes_link;  /* in tcp_block.owes while owes != 0                 */
    struct idlist_link event_link; /* ready list; before accept: the listener's queue   */
    struct wheel_link wheel;       /* the earliest deadline of all                      */
    uint32_t srtt_us, rttvar_us;   /* RFC 6298; srtt_us 0: no sample                    */
    uint32_t cwnd, ssthresh;       /* octets                                            */
    uint32_t rcv_buf, snd_buf;     /* limits in octets                                  */
    uint32_t last_snd_ms;          /* last text sent                                    */
    uint32_t modes;                /* M_*                                               */
    uint32_t ts_offset;            /* added to the clock in TSval                              */
    uint16_t snd_mss;              /* text octets a segment may carry (Eff.snd.MSS)            */
    uint16_t peer_mss;             /* SendMSS, as announced                                    */
    uint16_t pmtu;                 /* of the path                                              */
    uint16_t rcv_mss;              /* largest segment the peer has sent: RFC 9293 3.8.6.3      */
    uint8_t snd_wscale : 4;        /* Snd.Wind.Shift                                           */
    uint8_t rcv_wscale : 4;        /* Rcv.Wind.Shift                                           */
    uint8_t quick_acks;            /* ACKs left that are not delayed                           */
    uint8_t retries;               /* timeouts in a row: R1, R2                                */
    uint8_t error;                 /* minus enum hf_error: why it ended, 0: in order           */
    _Alignas(8) uint64_t cookie;
    uint32_t listener;     /* origin while F_UNACCEPTED                                */
    uint32_t extra;        /* struct extra, 0: all of its options as they begin        */
    uint32_t long_at_ms;   /* TIME-WAIT, released FIN-WAIT-2, held SYN, keep-alive     */
    uint32_t challenge_ms; /* the last challenge ACK                                   */
    uint32_t history;      /* serial of the newest event in the ring                   */
    uint16_t verdict;      /* of the segment that decided the end                      */
    uint8_t cause;         /* enum hf_cause that ended it                              */
    uint8_t end_state;     /* where it was when it ended                               */
};
_Static_assert(sizeof(struct tcb) == 192, "the byte table: an idle connection");

/* Beside each tcb, by the same index: counters and options that a segment seldom touches. */
struct tally {
    uint32_t segs_in, segs_out, retransmitted;
    uint32_t dup_acks : 28, heard_wraps : 4; /* ... upper bits of last_ack_ms (tcp_heard)   */
    uint32_t min_rtt_us;           /* RFC 8985: the least of late, 0: no sample                */
    uint16_t una_wraps, rcv_wraps; /* times SND.UNA, RCV.NXT passed ISS, IRS            */
    uint16_t max_segment;          /* HF_MAX_SEGMENT, 0: none                                  */
    uint16_t icmp_note;            /* of the stack's notes, 0: none                            */
    uint32_t stats;       /* struct stats, 0: none                                        */
    uint32_t last_rcv_ms; /* text came                                                      */
    uint32_t last_ack_ms; /* an acceptable segment came: keep-alive, age of TS.Recent       */
    uint32_t cc_keep[2];  /* what congestion control remembers of an idle connection        */
};
_Static_assert(sizeof(struct tally) == 48, "the byte table: counters");

/* Options that few applications set: beside a tcb or a listener, from the first that differs from
 * its default on. */
struct extra {
    uint32_t user_timeout_ms; /* 0: none                                                    */
    uint32_t snd_low;         /* low water of HF_WRITABLE                                   */
    uint32_t keep_idle_ms, keep_interval_ms, keep_count; /* RFC 9293 3.8.4                   */
    uint32_t linger;          /* HF_LINGER + 1, 0: off                                      */
    uint32_t adv_timeout_ms;  /* RFC 5482 ADV_UTO, 0: not ENABLED                           */
    uint32_t peer_timeout_ms; /* REMOTE_UTO, 0: none came                                   */
    uint32_t timeout_set;     /* the application chose user_timeout_ms: not CHANGEABLE      */
    uint32_t max_pacing_rate; /* octets a second; 0: none                                 */
    uint32_t syn_retries;     /* 0: the policy's                                          */
    uint32_t ecn;             /* struct ecn, 0: none; no option                             */
};

/* What limits a sender (info.c). */
enum limit { LIMIT_IDLE, LIMIT_BUSY, LIMIT_RWND, LIMIT_SNDBUF, LIMITS };

/* What is measured of a connection that carries text, from its first text on.  It outlasts the
 * active record; without one (max_stats) buffers are not tuned. */
struct stats {
    /* info.c, in hf_info's words */
    _Alignas(8) uint64_t bytes_retrans;
    uint64_t delivery_rate;
    uint32_t data_segs_in, data_segs_out, delivered, delivered_ce;
    uint32_t dsack_dups, reord_seen, rcv_ooopack;
    uint32_t total_rto_ms;
    uint32_t rto_ms; /* the first timeout of the row under way, 0: none               */
    uint16_t total_rto, total_rto_recoveries;
    uint16_t reordering; /* RFC 8985: what active->reordering was                     */
    uint32_t limited_ms[LIMITS];
    uint32_t limit_ms;                  /* since then it is ...                            */
    uint8_t limit;                      /* ... enum limit                                  */
    uint8_t rate_timed, rate_limited;   /* a round is timed; the last one: app-limited     */
    uint8_t rate_idle;                  /* this one is                                     */
    seq_t rate_end;                     /* it ends when SND.UNA comes here                 */
    uint32_t rate_start_us, rate_bytes; /* when it began, octets that arrived since        */
    /* tune.c: the receive window */
    uint32_t rcv_rtt_us;   /* a round trip as the receiver sees it, 0: no sample            */
    uint32_t rtt_ecr;      /* TSecr of the last sample                                      */
    seq_t rtt_edge;        /* the right edge of the window ...                              */
    uint32_t rtt_start_us; /* ... at this time; valid: rtt_timed                            */
    uint32_t rcv_space;    /* the most octets read in a round trip                          */
    seq_t round_seq;       /* the first octet not read when this round began ...            */
    uint32_t round_us;     /* ... then                                                      */
    /* pmtu.c: sizes of IP packets */
    uint16_t link_mtu;                /* the path's when the record was made: the link's       */
    uint16_t search_low, search_high; /* the largest that arrived; more does not; 0: not known */
    uint16_t probe_mtu, probe_text;   /* a probe is out; 0: none                               */
    uint16_t full_mtu;                /* a full one is out that is larger than search_low ...  */
    uint16_t raised_from;             /* packets have grown, from this: is it good?  0: yes    */
    uint16_t raised_segs, raised_lost;
    seq_t probe_left, full_end; /* ... and ends here                                     */
    uint32_t wait_ms, reset_ms; /* no probe before; search_high is forgotten then        */
    uint8_t halving;            /* the search's first probe has failed                   */
    uint8_t rtt_timed;
    uint8_t fast_open_fail; /* enum hf_fast_open_fail */
};

/* Where a sequence number lies in the send queue. */
struct cursor {
    seq_t at;
    uint32_t chunk; /* 0: the queue is empty                  */
    uint32_t skip;  /* octets of the chunk before `at`        */
};

enum { SACK_RECENT = 4 };
/* CWR: the window is being reduced though nothing was lost (ECN).  RFC6582-12: not the number of
 * duplicates */
enum recovery { RECOVERY_NONE, RECOVERY_CWR, RECOVERY_FAST, RECOVERY_RTO };

/* What active->rto_at_ms is the deadline of, while active->persist is 0: RFC 8985 8 has one timer
 * for the first three.  TIMER_SYN: the SYN behind a reset (handshake.c). */
enum timer_kind { TIMER_RTO, TIMER_RACK, TIMER_TLP, TIMER_SYN };

/* How far RFC 5682 has come, by its steps, and what a loss probe will be. */
enum frto { FRTO_OFF, FRTO_REPEATED, FRTO_NEW_TEXT };
enum probe { PROBE_NONE, PROBE_NEW, PROBE_REPEAT };

/* Octets in some state, and the segments they were sent in: all that is out, what of it the peer
 * holds, what is taken for lost, what was sent again and has not arrived. */
enum sent_sums { SUM_OUT, SUM_SACKED, SUM_LOST, SUM_AGAIN, SENT_SUMS };
struct sent_sum {
    uint32_t bytes, segs;
};

/* tally.cc_keep */
enum { KEEP_W_MAX, KEEP_PRIOR }; /* CUBIC's W_max, cwnd_prior in octets, 0: not known */

/* A congestion avoidance stage, RFC 9438 4.1.2; windows in octets. */
struct cubic_stage {
    uint32_t t_epoch_ms; /* its start, moved by the time that the window was not used; 0: none */
    uint32_t k_ms;
    uint32_t origin;     /* W_max as this stage goes by it                               */
    uint32_t w_est;      /* in steps of SMSS                                             */
    uint32_t cwnd_prior; /* cwnd when ssthresh was set last                              */
};

/* Growth of the congestion window: cwnd.c, hystart.c, cc_*.c. */
struct growth {
    uint32_t max_flight; /* octets in flight at most in this round ...                   */
    seq_t round_end;     /* ... which ends when this number is acknowledged              */
    seq_t full_end;
    uint32_t counted; /* octets acknowledged towards the next SMSS                       */
    uint32_t rtt_us;  /* sample of the ACK under way, 0: none                         */
    struct cubic_stage stage, undo_stage;
    uint32_t undo_w_max;
    uint32_t w_est_acked;   /* octets acknowledged towards W_est's next SMSS             */
    uint32_t per_smss;      /* segments acknowledged for one SMSS of growth ...          */
    uint32_t computed_ms;   /* ... as of then ...                                        */
    uint32_t computed_cwnd; /* ... for this window, 0: not computed                      */
    uint32_t grown_ms;      /* the last ACK that was allowed to let it grow              */
    uint32_t limited_ms;    /* limited: since when not all of the window was used        */
    uint8_t limited;
    uint8_t full; /* the flight has filled the window, until full_end is acknowledged    */
    /* Slow start: this round of it */
    uint8_t rounds;  /* begun, 255 at most; 0: none                                      */
    uint8_t samples; /* of the round-trip time                                           */
    uint8_t css;     /* RFC 9406 Conservative Slow Start: rounds begun, 0: not in it     */
    seq_t window_end;
    uint32_t round_start_us, last_ack_us;
    uint32_t round_rtt_us, last_rtt_us; /* the least of this round, of the last; 0: none */
    uint32_t baseline_us;               /* RFC 9406 cssBaselineMinRtt                    */
};

/* active.fast, RFC 7413: while our SYN is out. */
enum {
    FAST_PENDING = 1u << 0, /* a child whose handshake has not ended: counts at its listener */
    FAST_OPTION = 1u << 1,  /* our SYN or SYN,ACK carries the option                         */
    FAST_EXP = 1u << 2,     /* ... as kind 254                                               */
    FAST_ASKED = 1u << 3,   /* HF_FAST_OPEN: the application wants it                        */
    FAST_DEFER = 1u << 4,   /* ... and our SYN waits for text                                */
    FAST_CARRIED = 1u << 5, /* our first SYN carried the option                              */
    FAST_TEXT = 1u << 6,    /* ... text                                                      */
};

struct active {
    /* Send queue: text SND.UNA .. snd_end, as chunks; those acknowledged are freed. */
    uint32_t sq_head, sq_tail;
    uint32_t sq_skip;   /* acknowledged octets of sq_head                           */
    uint32_t sq_bytes;  /* text accepted and not acknowledged                       */
    struct cursor send; /* at SND.NXT                                               */
    struct cursor rxt;  /* of what is sent again: where it was last                 */
    seq_t snd_up;       /* SND.UP: octet behind the urgent data; valid: snd_urgent  */
    seq_t snd_sml;      /* Minshall: end of the last small segment                  */
    uint8_t backoff;    /* doublings of the RTO                                     */
    uint8_t snd_urgent : 1, rtt_timed : 1, fin_held : 1, dsack : 1, push_now : 1,
        no_push : 1;    /* the end of the text was not pushed (HF_SEND_MORE)        */
    uint8_t burst;      /* segments of a transmit chunk still to go (push.c)                */
    uint8_t burst_push; /* ... and the last of them carries PSH                             */
    uint32_t unpushed;  /* octets queued since the last that was pushed                         */
    struct growth growth;
    /* RFC 6298 3: where the next round trip begins; our SYN has its own clock (rtt_timed) */
    seq_t rtt_seq;
    uint32_t rtt_start_us;
    /* Deadlines */
    uint32_t rto_at_ms;   /* of `timer`, or zero-window probe when persist is set     */
    uint32_t rto_from_ms; /* the retransmission timer would fire an RTO after this    */
    uint32_t persist;     /* probes sent to a closed window so far, +1; 0: not probing*/
    uint32_t delack_at_ms;
    uint32_t pace_at_ms;       /* pacing lets something go again                          */
    int64_t pace_ns;           /* pacing: the time of the next octet, on env.now_ns's clock */
    uint32_t unacked_since_ms; /* user timeout: oldest unacknowledged text, 0: none     */
    /* Receive queue: text RCV.NXT - rq_bytes .. RCV.NXT */
    uint32_t rq_head, rq_tail;
    uint32_t rq_skip; /* octets of rq_head read                                   */
    uint32_t rq_bytes;
    uint32_t ooo; /* ranges held ahead of RCV.NXT, ascending                  */
    uint32_t ooo_bytes;
    uint32_t ooo_cost;         /* memory that they take: whole chunks                      */
    seq_t recent[SACK_RECENT]; /* a number in each range, newest first: SACK block order */
    seq_t dsack_left, dsack_right;
    seq_t fin_seq;          /* of a FIN ahead of a gap (fin_held)                       */
    seq_t rcv_up;           /* RCV.UP; valid: F_URGENT                                  */
    uint32_t unacked_bytes; /* received since the last ACK left                         */
    uint16_t n_recent;
    uint16_t ooo_n;
    uint8_t fast;      /* FAST_*                                                        */
    uint16_t dup_owed; /* duplicate ACKs owed, one a held segment (no SACK)        */
    /* RFC 5927 7.2: "packet too big" about ptb_seq, which is believed when that goes again */
    seq_t ptb_seq;
    uint16_t ptb_mtu; /* what it said, 0: none                                    */
    /* RFC 3168 6.1.2 */
    seq_t cwr_end;      /* SND.NXT at the last reduction: marks up to it are answered  */
    uint8_t cwr_passed; /* SND.UNA is beyond it                                        */
    uint8_t ecn_waits;  /* cwnd is one segment: new text waits for the timer            */
    uint8_t ecn_echo;   /* the ACK under way tells of a mark: cwnd does not grow        */
    /* Transmissions (sent.c): struct sent from SND.UNA to SND.NXT without a gap */
    uint32_t sent_first, sent_last;
    uint32_t sent_oldest, sent_newest; /* those in flight, by time of transmission           */
    uint32_t sent_sacked;              /* where the last SACK block ended, 0: unknown        */
    uint32_t sent_lost;                /* nothing that is lost and still to be sent again lies
                                        * before it, 0: nor anywhere                         */
    struct sent_sum sum[SENT_SUMS];
    uint16_t sacked_n; /* separate stretches that are SACKed                       */
    uint8_t recovery;  /* enum recovery                                            */
    uint8_t dup_acks;
    seq_t recover;    /* RFC 6675 RecoveryPoint, RFC 6582 recover                 */
    seq_t rescue;     /* RFC 6675 RescueRxt; SND.UNA at the last timeout          */
    uint8_t resend;   /* the first lost segment goes again whatever the window says */
    uint8_t timer;    /* enum timer_kind                                          */
    uint8_t frto;     /* enum frto                                                */
    uint8_t probe;    /* enum probe: owed                                         */
    uint8_t reo_mult; /* RACK.reo_wnd_mult                                        */
    uint8_t reo_persist;
    uint16_t reordering; /* segments that one was overtaken by, at most; DupThresh at least */
    uint16_t recovered : 1, rescued : 1, rack_any : 1, dsack_round : 1, tlp_out : 1, tlp_again : 1,
        undo_armed : 1, undo_sent : 1, rtt_anew : 1,
        spared : 1; /* spared: cwnd stays, a probe was lost */
    /* RFC 8985 RACK.segment, RACK.rtt, RACK.fack; the end of RACK.dsack_round; TLP.end_seq */
    uint32_t rack_sent_us, rack_rtt_us;
    seq_t rack_end, rack_fack, rack_round;
    seq_t tlp_end;
    uint32_t min_rtt_ms;                         /* when the tally's min_rtt_us was measured */
    uint32_t prr_delivered, prr_out, prr_flight; /* RFC 9937; the last is RecoverFS */
    /* What a reduction that proves wrong is undone to (undo.c) */
    uint32_t undo_cwnd, undo_ssthresh;
    uint32_t undo_bytes; /* sent again since, and not reported by a DSACK            */
    uint32_t undo_ms;    /* TSval of the first of them                               */
    seq_t undo_left;     /* SND.UNA then                                             */
};
_Static_assert(sizeof(struct active) <= 448, "the byte table: data in flight");

/* Octets that went out at one time, as segments of mss octets of which the last may be smaller, and
 * share one fate: not SACKed and not lost, or one of the flags.  A FIN counts as an octet. */
struct sent {
    uint32_t next, prev;   /* by sequence number                                       */
    uint32_t newer, older; /* by time, of those in flight                              */
    seq_t left, right;
    uint32_t sent_us; /* the last time                                            */
    uint16_t mss;
    uint8_t flags; /* SENT_*                                                   */
    uint8_t times; /* sent again so often, at most 255                         */
};
_Static_assert(sizeof(struct sent) == 32, "the byte table: transmissions");

enum {
    SENT_SACKED = 1,   /* the peer holds it                                        */
    SENT_LOST = 2,     /* it was taken for lost                                    */
    SENT_AGAIN = 4,    /* ... or probed with, and is on its way again              */
    SENT_TWICE = 8,    /* it was sent more than once: RFC 8985's retransmitted, Karn */
    SENT_COUNTED = 16, /* was SACKed before a timeout that cleared the mark       */
    SENT_COARSE = 32   /* a part of it alone went again: no record was left for it */
};

/* A stretch of sequence numbers held ahead of RCV.NXT, with its text. */
struct range {
    uint32_t next;
    seq_t left, right;
    uint32_t head, tail; /* chunks */
    uint32_t cost;       /* memory that they take */
};

/* A piece of payload: in a small or large chunk of the block, or in a lent region. */
struct chunk {
    uint32_t next;
    uint32_t start; /* first octet used in the chunk; in limbo: the tag                */
    uint32_t len;
    uint32_t lent : 30; /* struct lent, 0: the block's own                              */
    uint32_t push : 1;  /* its last octet is pushed, and nothing is put behind it               */
    uint32_t end : 1;   /* HF_SEND_END: no segment goes on behind it                    */
    uint64_t offset;    /* in the region                                                   */
};

/* Memory that is the stack's until hf_returned gives its token back. */
struct lent {
    uint32_t next; /* in the returned list                */
    uint32_t refs; /* chunks that point to it             */
    uint64_t token;
    uint16_t region;
    uint16_t generation; /* of the owner, its lower bits         */
    uint32_t owner;      /* the tcb that hf_send_borrowed lent it to: HF_SENT; 0: none */
};

struct half_open {
    struct tuple id;
    struct idlist_link link; /* in tcp_block.half[retries]                              */
    uint32_t at_ms;          /* SYN,ACK again                                           */
    seq_t iss, irs;
    uint32_t ts_recent;
    uint16_t peer_wnd, peer_mss;
    uint16_t listener;
    uint8_t listener_generation;
    uint8_t challenged; /* 64 ms ticks of the last repeated SYN,ACK, 0: none       */
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t flags; /* HALF_*                                                  */
    uint8_t retries : 3;
    uint8_t classic : 1, no_ect : 1, accurate : 1, syn_mark : 2; /* M_CLASSIC ...     */
    uint8_t zone;
};
_Static_assert(sizeof(struct half_open) == 48, "the byte table: SYN-RECEIVED");

struct time_wait {
    struct tuple id;
    struct idlist_link link; /* in tcp_block.waiting                                    */
    uint32_t at_ms;
    seq_t snd_nxt, rcv_nxt;
    uint32_t ts_recent;
    uint16_t rcv_wnd;    /* as it stood in the last header                          */
    uint16_t challenged; /* 8 ms ticks of the last challenge ACK, 0: none           */
    uint32_t history;
    uint8_t flags; /* HALF_*                                                  */
    uint8_t snd_wscale : 4, rcv_wscale : 4;
    uint8_t tos, zone;
};
_Static_assert(sizeof(struct time_wait) == 48, "the byte table: TIME-WAIT");

enum { HALF_V6 = 1, HALF_TS = 2, HALF_SACK = 4, HALF_WSCALE = 8 };
/* time_wait.flags has the ECN bits of its ACKs above them, and whether they are ACE. */
enum { WAIT_ECN_SHIFT = 4, WAIT_ACCURATE = 128 };

/* A listening TCB.  Its SYNs become half_open records or, held, tcbs. */
struct listener {
    uint32_t next;       /* free list; the stack's bucket of its port                  */
    uint32_t generation; /* even: free                                                 */
    uint8_t local[16];
    uint16_t port_first, port_last;
    uint8_t any;     /* local is no certain address                                */
    uint8_t version; /* 0, 4, 6                                                    */
    uint8_t hold;
    uint8_t zone;
    uint16_t backlog;
    uint16_t events;
    uint32_t half;        /* half-open connections of it                                */
    uint32_t accept_n;    /* in the accept queue                                        */
    struct idlist accept; /* tcbs, by event_link                                        */
    struct idlist asked;  /* held SYNs not shown yet, by event_link                     */
    struct idlist_link event_link;
    _Alignas(8) uint64_t cookie;
    uint32_t rcv_buf, snd_buf; /* inherited by its connections                          */
    uint16_t max_segment;
    uint8_t ttl, tos;
    uint32_t inherit;       /* F_NODELAY, F_QUICK_ACK                     */
    uint32_t inherit_modes; /* those of M_* that a listener's connections begin with */
    uint32_t extra;         /* struct extra, 0: none: copied to each      */
    uint32_t cookie_ms;     /* RFC 4987: the last SYN cookie; valid: cookies_out */
    uint32_t fast_reset_ms; /* RFC 7413 5.1: when the last pending one was reset          */
    uint16_t fast_open;     /* HF_FAST_OPEN: pending ones at most, 0: off                 */
    uint16_t fast_pending, fast_resets;
    bool cookies_out;
    bool own_fast_keys;
};

/* What a server has told by Fast Open, RFC 7413 4.1.3. */
struct fast_peer {
    uint8_t local[16], remote[16];
    uint8_t cookie[16];
    uint32_t used_ms, lost_ms;
    uint16_t mss;
    uint8_t len;    /* of the cookie, 0: none                                               */
    uint8_t losses; /* connections in a row whose SYN was lost with its text                */
    bool used;
    bool old_kind, try_old_kind, tried_old_kind; /* kind 254: the cookie came so; when asking */
};

/* One event of the history ring. */
struct history_event {
    uint32_t before; /* serial of the event before it of the same connection, 0: first */
    uint32_t time_ms;
    uint32_t seq, ack; /* as on the wire */
    uint32_t text_bytes;
    uint32_t wnd;
    uint16_t ctl;
    uint8_t kind_marks; /* hf_trace_kind, 3 bits; HF_MARK_REPEAT, HF_MARK_PROBE, folded above */
    uint8_t states;     /* before in the upper half */
    uint8_t verdict, cause;
    uint16_t segments; /* folded into this one */
};
_Static_assert(sizeof(struct history_event) == 32, "the byte table: history");

/* What the ACK under way has told (octets); all 0 when a timer is under way. */
struct ack_news {
    uint32_t acked, sacked; /* SND.UNA has moved; newly SACKed                             */
    uint32_t delivered;     /* both, each octet once                                       */
    uint32_t lost;          /* newly taken for lost                                        */
    uint32_t oldest_us;     /* since what SND.UNA has passed was sent, if once; 0: none such */
    uint32_t rtt_us;        /* of the last sent of what has arrived and was sent once; 0: none */
    uint32_t echo_age_ms;   /* of the timestamp that it echoes; valid: echoed              */
    uint32_t rack_sent_us;  /* of what has arrived, what was sent last; valid: rack        */
    seq_t rack_end;
    seq_t dsack_left, dsack_right; /* valid: dsack                                         */
    bool echoed, rack, dsack, ece;
    bool reordered; /* something was overtaken                                             */
    bool twice;     /* SND.UNA has passed something that was sent more than once            */
    bool original;  /* something arrived that was sent before `recover`, and once only     */
};

#endif
