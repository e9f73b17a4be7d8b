/* tcb.h - RFC 9293 section 3.3.1: the transmission control block and the records around it.
 *
 * Names are the RFC's: SND.UNA is tcb->snd.una, RCV.NXT is tcb->rcv.nxt.  All records lie in pools
 * in the stack's block, are named by 32-bit indexes from 1 (0 is none), and hold no pointer.
 *
 *     struct tcb        192 + 48 (tally)  all that an idle connection needs
 *     struct extra      attached to those whose application set an option that few set
 *     struct stats      attached with the first text, kept while there are enough: measurements
 *     struct ecn        attached where marks are counted: AccECN, or ECN once one has come
 *     struct active     active.h: attached while octets are in flight or unread, else absent
 *     struct half_open  48  compact.h: SYN-RECEIVED of a passive open, no handle yet
 *     struct time_wait  48  compact.h: TIME-WAIT whose handle was released
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
#include "tcp/active.h"
#include "tcp/compact.h"
#include "wire/wire.h"

/* Who talks to whom.  The flow table's hash is of this. */
struct conn_id {
    uint8_t local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d                                */
    uint16_t lport, rport;
    uint8_t zone; /* interface of a link-local address of the two, else 0                   */
    bool v4;
    uint16_t mtu; /* of the path to remote, for a connection that begins                   */
    uint32_t hash;
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
    F_BLOCKED = 1u << 28,     /* what it owes waits for a route or a link address     */
    F_ORPHAN = 1u << 29,      /* released, not in TIME-WAIT: orphan.c                 */
    F_ASKED_MORE = 1u << 30,  /* M_CLASSIC, though the SYN asked for accurate feedback */
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

/* tcb.events, beside HF_*: hf_send, hf_send_borrowed or hf_close wants what the pools do not have.
 * A tcb with these alone is in one of tcp_block.starved instead of the ready list. */
enum {
    EVENT_STARVED = 1u << 15, /* payload memory ...                                 */
    EVENT_PIECE = 1u << 14,   /* ... or a piece for lent memory: what came last     */
    EVENT_CLOSE = 1u << 13,   /* an active record for the FIN                       */
    EVENT_RECORD = 1u << 12,  /* beside one of these: it has no active record       */
    EVENT_WAITS = EVENT_STARVED | EVENT_PIECE | EVENT_CLOSE | EVENT_RECORD,
};

/* A list for each thing to wait for, so that no head is in the way of those behind it. */
enum { STARVED_CLOSE = 4, STARVED_LISTS };

static inline uint32_t starved_list(uint16_t events)
{
    return events & EVENT_CLOSE
               ? STARVED_CLOSE
               : (events & EVENT_PIECE ? 2u : 0) + (events & EVENT_RECORD ? 1u : 0);
}

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
    uint32_t dup_acks : 27, heard_wraps : 4; /* ... upper bits of last_ack_ms (tcp_heard)   */
    uint32_t ts_stale : 1;         /* TS.Recent outlived silence, and has not moved since      */
    uint32_t min_rtt_us;           /* RFC 8985: the least of late, 0: no sample                */
    uint16_t una_wraps, rcv_wraps; /* times SND.UNA, RCV.NXT passed ISS, IRS; the first never comes
                                      back to 0, which says that the SYN may be out */
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
    uint32_t min_rtt_ms;        /* while there is no active record: its own; 0: not known   */
    uint8_t halving;            /* the search's first probe has failed                   */
    uint8_t rtt_timed;
    uint8_t fast_open_fail; /* enum hf_fast_open_fail */
};

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
    uint32_t rcv_promised;     /* SHLD-14: windows of SYN,ACKs that may be out are no smaller */
    uint16_t max_segment;
    uint8_t ttl, tos;
    uint32_t inherit;       /* F_NODELAY, F_QUICK_ACK                     */
    uint32_t inherit_modes; /* those of M_* that a listener's connections begin with */
    uint32_t extra;         /* struct extra, 0: none: copied to each      */
    uint32_t cookie_ms;     /* RFC 4987: the last SYN cookie; valid: cookies_out */
    uint32_t fast_reset_ms; /* RFC 7413 5.1: when the last pending one was reset          */
    uint16_t fast_open;     /* HF_FAST_OPEN: pending ones at most, 0: off                 */
    uint16_t fast_pending, fast_resets;
    uint32_t put_off_ms; /* when a cookie last found no room; valid: put_off            */
    bool cookies_out, put_off;
    bool own_fast_keys;
    uint8_t cookie_wscale; /* our shift in the SYN,ACKs with them; valid: cookies_out        */
};

/* One of its queue goes elsewhere; a SYN that it holds counts as half-open.  half may be 0 already:
 * a record of an earlier listener in this place, whose generation looks the same, was taken off. */
static inline void listener_lets_go(struct listener *listener, bool held)
{
    listener->accept_n -= held ? 0 : 1;
    listener->half -= held && listener->half != 0 ? 1 : 0;
}

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

#endif
