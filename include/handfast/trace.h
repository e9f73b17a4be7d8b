/* trace.h - RFC 9293 section 3.3.2 states, verdicts, and the one record everything is seen through.
 *
 * Five choke points produce a record: a segment comes in (HF_TRACE_IN), a frame is dropped before
 * any connection saw it (HF_TRACE_DROP), a segment goes out (HF_TRACE_OUT), the application calls
 * (HF_TRACE_CALL), a timer fires (HF_TRACE_TIMER).  What ends a connection otherwise - an ICMP
 * error, the close of its listener, another connection in its place - is a record as well
 * (HF_TRACE_END), so that each connection's last record says why it is no more; and so is that a
 * segment waits for the way to its peer (HF_TRACE_WAIT).  Ladder, pcapng comments, history and
 * checkers use this record and nothing else.
 */
#ifndef HANDFAST_TRACE_H
#define HANDFAST_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 9293 section 3.3.2. */
enum hf_state {
    HF_CLOSED,
    HF_LISTEN,
    HF_SYN_SENT,
    HF_SYN_RECEIVED,
    HF_ESTABLISHED,
    HF_FIN_WAIT_1,
    HF_FIN_WAIT_2,
    HF_CLOSE_WAIT,
    HF_CLOSING,
    HF_LAST_ACK,
    HF_TIME_WAIT,
    HF_STATES
};

/* Why a step ended.  X(name, sentence, place): the name makes HF_V_<name>, its counter and its
 * trace event; the sentence is what a person reads; the place is where the rule is written. */
#define HF_VERDICTS(X)                                                                             \
    X(CONTINUE, "go on with the next step", "RFC 9293 3.10.7.4")                                   \
    X(ACCEPTED, "processed to the end", "RFC 9293 3.10.7")                                         \
    X(HANDSHAKE, "the SYN opens a connection", "RFC 9293 3.10.7.2")                                \
    X(SYN_ACK_ACCEPTED, "our SYN is acknowledged, the connection is open", "RFC 9293 3.10.7.3")    \
    X(SIMULTANEOUS_OPEN, "both sides sent a SYN", "RFC 9293 3.5, Figure 7")                        \
    X(SYN_AGAIN, "a repeated SYN gets the SYN,ACK again", "RFC 9293 3.10.7.4 first")               \
    X(SYN_HELD, "the SYN waits for the application's answer", "hf_answer")                         \
    X(ACK_ONLY_TAKEN, "one octet too old or too new, only its ACK field counts", "RFC 9293 A.2")   \
    X(OUT_OF_ORDER, "text ahead of a gap is held", "RFC 9293 3.10.7.4 first")                      \
    X(TIME_WAIT_REUSED, "a new SYN ends TIME-WAIT early", "RFC 6191 2")                            \
    X(RST_CLOSES, "the reset ends the connection", "RFC 9293 3.10.7.4 second")                     \
    X(RST_REFUSED, "connection refused", "RFC 9293 3.10.7.3 second")                               \
    X(RST_BACK_TO_LISTEN, "the reset withdraws a half-open connection",                            \
      "RFC 9293 3.10.7.4 second")                                                                  \
    X(SYN_BACK_TO_LISTEN, "a SYN in the window ends a half-open connection",                       \
      "RFC 9293 3.10.7.4 fourth")                                                                  \
    X(LATE_DATA_RESET, "data after full close", "RFC 9293 3.6.1")                                  \
    X(DROP_CLOSED, "no such connection, answered with a reset", "RFC 9293 3.10.7.1")               \
    X(DROP_CLOSED_RST, "a reset for no such connection", "RFC 9293 3.10.7.1")                      \
    X(DROP_LISTEN_RST, "a reset cannot concern a listener", "RFC 9293 3.10.7.2 first")             \
    X(DROP_LISTEN_ACK, "an ACK at a listener is reset", "RFC 9293 3.10.7.2 second")                \
    X(DROP_LISTEN_NO_SYN, "neither SYN, ACK nor RST at a listener", "RFC 9293 3.10.7.2 fourth")    \
    X(DROP_SYN_FIN, "SYN with FIN", "drop_synfin")                                                 \
    X(DROP_BACKLOG, "the accept backlog is full", "listen(2)")                                     \
    X(DROP_ACCEPT_FULL, "the final ACK waits for room in the accept queue", "listen(2)")           \
    X(DROP_SYN_SENT_ACK, "acknowledges something never sent", "RFC 9293 3.10.7.3 first")           \
    X(DROP_SYN_SENT_RST, "a reset that does not acknowledge our SYN", "RFC 9293 3.10.7.3 second")  \
    X(DROP_SYN_SENT_NO_SYN, "neither SYN nor RST while connecting", "RFC 9293 3.10.7.3 fifth")     \
    X(DROP_PAWS, "an old timestamp: a late duplicate", "RFC 7323 5.3 R1")                          \
    X(DROP_NO_TIMESTAMP, "the timestamp agreed upon is missing", "RFC 7323 3.2")                   \
    X(DROP_OUT_OF_WINDOW, "outside the receive window", "RFC 9293 3.10.7.4 first")                 \
    X(DROP_OLD_DUPLICATE, "wholly received before", "RFC 9293 3.10.7.4 first")                     \
    X(DROP_RST_OUT_OF_WINDOW, "a reset outside the window", "RFC 5961 3.2")                        \
    X(DROP_RST_CHALLENGED, "an inexact reset earns a challenge ACK", "RFC 5961 3.2")               \
    X(DROP_RST_TIME_WAIT, "resets are ignored in TIME-WAIT", "RFC 1337 3")                         \
    X(DROP_SYN_CHALLENGED, "a SYN on an open connection earns a challenge ACK", "RFC 5961 4.2")    \
    X(DROP_TIME_WAIT_SYN, "a SYN that may be old does not end TIME-WAIT", "RFC 6191 2")            \
    X(DROP_NO_ACK, "no ACK bit", "RFC 9293 3.10.7.4 fifth")                                        \
    X(DROP_SYN_RECEIVED_ACK, "does not acknowledge our SYN: reset", "RFC 9293 3.10.7.4 fifth")     \
    X(DROP_ACK_TOO_OLD, "acknowledges what cannot be", "RFC 5961 5.2")                             \
    X(DROP_ACK_OF_UNSENT, "acknowledges data never sent", "RFC 9293 3.10.7.4 fifth")               \
    X(DROP_AFTER_CLOSE, "the connection closed in this step", "RFC 9293 3.10.7.4 fifth")           \
    X(DROP_NO_MEMORY, "no memory for it; the sender will repeat", "RFC 9293 3.10.7.4 seventh")     \
    X(DROP_NO_PORT, "no such UDP port", "RFC 1122 4.1.3.1")                                        \
    X(DROP_TCP_HEADER, "a TCP header that cannot be", "RFC 9293 3.1")                              \
    X(DROP_TCP_CHECKSUM, "bad TCP checksum", "RFC 9293 3.1 MUST-3")                                \
    X(DROP_UDP_HEADER, "a UDP header that cannot be", "RFC 768")                                   \
    X(DROP_UDP_CHECKSUM, "bad UDP checksum", "RFC 768")                                            \
    X(DROP_PORT_ZERO, "port 0", "RFC 6335 6")                                                      \
    X(DROP_IP_HEADER, "an IP header that cannot be", "RFC 1122 3.2.1")                             \
    X(DROP_IP_CHECKSUM, "bad IP header checksum", "RFC 1122 3.2.1.2")                              \
    X(DROP_IP_SOURCE, "a source address that cannot be", "RFC 1122 3.2.1.3, RFC 9293 3.9.2.3")     \
    X(DROP_IP_NOT_OURS, "not for this host", "RFC 1122 3.2.1.3")                                   \
    X(DROP_IP_OPTIONS, "source routes are refused", "RFC 7126 4.3")                                \
    X(DROP_IP_PROTOCOL, "no such protocol here", "RFC 1122 3.2.2.1")                               \
    X(DROP_FRAGMENT, "a fragment that does not fit or comes too late", "RFC 791, RFC 8200 4.5")    \
    X(FRAGMENT_HELD, "a fragment waits for the others", "RFC 791, RFC 8200 4.5")                   \
    X(DROP_ICMP, "an ICMP message that cannot be or concerns nothing", "RFC 5927 4")               \
    X(ICMP_TAKEN, "an ICMP error was taken", "RFC 5927 4")                                         \
    X(ECHO_ANSWERED, "an echo request is answered", "RFC 1122 3.2.2.6, RFC 4443 4.2")              \
    X(NEIGHBOUR, "an ARP or neighbour discovery message", "RFC 826, RFC 4861")                     \
    X(DROP_NEIGHBOUR, "an ARP or neighbour message that cannot be", "RFC 826, RFC 4861 7.1")       \
    X(DROP_LINK, "a frame of no use here", "RFC 894")                                              \
    X(DATAGRAM, "a datagram was queued", "RFC 768")                                                \
    X(DROP_DATAGRAM_FULL, "the datagram queue is full", "RFC 768")                                 \
    X(COOKIE_SENT, "no room: the SYN,ACK is a cookie, nothing is kept", "RFC 4987 3.6")            \
    X(COOKIE_ACCEPTED, "the cookie comes back, the connection is open", "RFC 4987 3.6")            \
    X(DROP_COOKIE, "a cookie that is not ours, or too old: reset", "RFC 4987 A")                   \
    X(FAST_OPEN, "the SYN's cookie is good: its text is taken at once", "RFC 7413 4.2.2")          \
    X(ECN_MIXED, "SYNs ask for two kinds of ECN feedback: reset", "RFC 9768 3.1.5")                \
    X(NEIGHBOUR_CONTESTED, "another link address for a neighbour that has answered: it is asked",  \
      "RFC 5227 2.4, RFC 4861 7.2.3")                                                              \
    X(ADDRESS_CONFLICT, "somebody else says that it has our address",                              \
      "RFC 5227 2.4, RFC 4862 5.4")                                                                \
    X(TIME_WAIT_RECYCLED, "the oldest TIME-WAIT gives its record to the newest", "RFC 7323 5.3")   \
    X(ORPHAN_RESET, "too many connections whose handles were released wait for their peers",       \
      "RFC 6429 4")

enum hf_verdict {
#define X(name, sentence, place) HF_V_##name,
    HF_VERDICTS(X)
#undef X
        HF_VERDICT_COUNT
};

enum hf_trace_kind {
    HF_TRACE_IN,
    HF_TRACE_DROP,
    HF_TRACE_OUT,
    HF_TRACE_CALL,
    HF_TRACE_TIMER,
    HF_TRACE_END, /* state_after is HF_CLOSED; the variables are as they were before */
    HF_TRACE_WAIT /* what is owed cannot leave yet; again whenever it was tried in vain */
};

/* What a record other than a segment that came was caused by; 0 on segments that input caused. */
enum hf_cause {
    HF_CAUSE_NONE,
    HF_CALL_OPEN_ACTIVE,
    HF_CALL_OPEN_PASSIVE,
    HF_CALL_SEND,
    HF_CALL_RECEIVE,
    HF_CALL_CLOSE,
    HF_CALL_ABORT,
    HF_CALL_RELEASE,
    HF_CALL_ANSWER,
    HF_TIMER_RTO,
    HF_TIMER_PERSIST,
    HF_TIMER_DELAYED_ACK,
    HF_TIMER_KEEPALIVE,
    HF_TIMER_USER_TIMEOUT,
    HF_TIMER_TIME_WAIT,
    HF_TIMER_FIN_WAIT_2,
    HF_TIMER_SYN_ACK,
    HF_TIMER_NEIGHBOUR,
    HF_TIMER_FRAGMENT,
    HF_CAUSE_FAST_RETRANSMIT,
    HF_TIMER_LINGER,
    HF_TIMER_RACK, /* RFC 8985 6: text is late enough to count as lost          */
    HF_TIMER_TLP,  /* RFC 8985 7: a probe for a loss at the end; also of the probe itself */
    HF_CAUSE_ICMP, /* RFC 1122 4.2.3.9: an ICMP error */
    HF_CAUSE_LISTENER_CLOSED, /* nobody has accepted it, and its listener is no more */
    HF_CAUSE_REPLACED,        /* RFC 9293 3.6.1: another connection of the same endpoints */
    HF_CAUSE_LINK_ADDRESS,    /* RFC 1122 2.3.2.2, RFC 4861 7.2.2: the next hop's is asked for */
    HF_CAUSE_NO_ROUTE,        /* RFC 1122 3.3.1.1: there is no way to it now */
    HF_CAUSES
};

/* Bits of hf_trace.owed: what a step left for output. */
enum {
    HF_OWES_ACK = 1u << 0,         /* an ACK now                                  */
    HF_OWES_DELAYED_ACK = 1u << 1, /* an ACK within the delayed-ACK time          */
    HF_OWES_RST = 1u << 2,         /* a reset                                     */
    HF_OWES_SYN = 1u << 3,         /* SYN or SYN,ACK                              */
    HF_OWES_FIN = 1u << 4,         /* a FIN not sent yet                          */
    HF_OWES_DATA = 1u << 5,        /* unsent text                                 */
    HF_OWES_REPEAT = 1u << 6,      /* a retransmission                            */
    HF_OWES_CHALLENGE = 1u << 7,   /* the ACK owed is a challenge ACK (RFC 5961)  */
};

/* Bits of hf_trace.marks. */
enum {
    HF_MARK_REPEAT = 1u << 0,        /* out: these sequence numbers were sent before            */
    HF_MARK_PROBE = 1u << 1,         /* out: zero-window or keep-alive probe                    */
    HF_MARK_IPV6 = 1u << 2,          /* addresses are IPv6                                      */
    HF_MARK_GSO = 1u << 3,           /* a super-segment: several wire segments in one frame     */
    HF_MARK_NO_CONNECTION = 1u << 4, /* no connection belongs to it (handle 0)                  */
    HF_MARK_UDP = 1u << 5,           /* ports are UDP's; TCP fields are 0                       */
    HF_MARK_ICMP = 1u << 6,          /* an ICMP or ICMPv6 message; seq holds type<<8 | code     */
    HF_MARK_INFERRED = 1u << 7,      /* the record describes the peer, as inferred from the wire*/
};

/* Control bits of hf_trace.ctl, RFC 9293 section 3.1 (AE: RFC 9768). */
enum {
    HF_FIN = 0x001,
    HF_SYN = 0x002,
    HF_RST = 0x004,
    HF_PSH = 0x008,
    HF_ACK = 0x010,
    HF_URG = 0x020,
    HF_ECE = 0x040,
    HF_CWR = 0x080,
    HF_AE = 0x100,
};

/* Bits of hf_trace.options: which TCP options stood in the segment. */
enum {
    HF_OPT_MSS = 1u << 0,
    HF_OPT_WSCALE = 1u << 1,
    HF_OPT_SACK_OK = 1u << 2,
    HF_OPT_SACK = 1u << 3,
    HF_OPT_TS = 1u << 4,
};

/* The ECN codepoint of an IP header, RFC 3168 section 5. */
enum hf_codepoint { HF_NOT_ECT, HF_ECT1, HF_ECT0, HF_CE };

/* Version 2 has ecn and what follows it, version 3 the kind HF_TRACE_END and fast_open_kind,
 * version 4 the kind HF_TRACE_WAIT. */
#define HF_TRACE_VERSION 4
#define HF_TRACE_BYTES 218 /* size of a record as hf_trace_put writes it */

/* One record.  Valid only during the callback.  Numbers are in host order here; hf_trace_put writes
 * them little-endian in the order of the members. */
struct hf_trace {
    uint16_t version;        /* HF_TRACE_VERSION                                       */
    uint8_t kind;            /* enum hf_trace_kind                                     */
    uint8_t cause;           /* enum hf_cause                                          */
    uint8_t state_before;    /* enum hf_state                                          */
    uint8_t state_after;     /* enum hf_state                                          */
    uint16_t verdict;        /* enum hf_verdict                                        */
    int64_t time_ns;         /* the caller's clock                                     */
    uint64_t handle;         /* 0: no connection                                       */
    uint8_t local_ip[16];    /* IPv4 as ::ffff:a.b.c.d                                 */
    uint8_t remote_ip[16];   /*                                                        */
    uint16_t local_port;     /*                                                        */
    uint16_t remote_port;    /*                                                        */
    uint16_t iface;          /* where a segment came in or went out, 0: it is none     */
    uint16_t ctl;            /* HF_FIN ... HF_AE                                       */
    uint32_t seq, ack;       /* SEG.SEQ, SEG.ACK (as on the wire)                      */
    uint32_t len;            /* SEG.LEN: text plus one for SYN, one for FIN            */
    uint32_t text_bytes;     /* octets of text                                         */
    uint32_t wnd;            /* SEG.WND, scaled (octets)                               */
    uint16_t up;             /* SEG.UP                                                 */
    uint16_t mss;            /* MSS option, 0: absent                                  */
    uint8_t options;         /* HF_OPT_*                                               */
    uint8_t wscale;          /* window scale option                                    */
    uint8_t n_sack;          /* SACK blocks                                            */
    uint8_t marks;           /* HF_MARK_*                                              */
    uint32_t ts_val, ts_ecr; /* timestamps option                                      */
    uint32_t sack[4][2];     /* left and right edges                                   */
    uint32_t owed;           /* HF_OWES_* after the step                               */
    int32_t error;           /* enum hf_error: a call's result, else why it ended      */
    uint32_t iss, irs;       /* ISS, IRS                                               */
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2; /* after the step             */
    uint32_t rcv_nxt, rcv_wnd;                            /* after the step             */
    uint32_t cwnd, ssthresh; /* octets                                                 */
    uint32_t rto_ms;         /* current retransmission timeout with its back-off       */
    uint32_t srtt_us;        /* 0: no sample yet                                       */
    uint32_t queued_bytes;   /* accepted from the application, not yet acknowledged    */
    uint32_t unread_bytes;   /* received in order, not yet read                        */
    uint16_t ecn;            /* enum hf_codepoint of the packet                        */
    uint8_t accecn_kind;     /* AccECN option: 172, 174, 0: absent (RFC 9768)          */
    uint8_t n_accecn;        /* its counters                                           */
    uint32_t accecn[3];      /* in the order of its kind, 24 bits each                 */
    uint8_t fast_open_kind;  /* Fast Open option: 34, 254, 0: absent (RFC 7413)        */
    uint8_t fast_open_bytes; /* octets of its cookie, 0: it asks for one               */
};

typedef void hf_trace_fn(void *arg, const struct hf_trace *record);

/* The RFC's name of a state ("SYN-RECEIVED"); never NULL. */
const char *hf_state_name(enum hf_state state);
/* The name ("DROP_PAWS"), the sentence and the place of a verdict; never NULL. */
const char *hf_verdict_name(enum hf_verdict verdict);
const char *hf_verdict_sentence(enum hf_verdict verdict);
const char *hf_verdict_place(enum hf_verdict verdict);
/* A few words for a cause ("retransmission timeout"); never NULL. */
const char *hf_cause_name(enum hf_cause cause);

/* Writes a record as HF_TRACE_BYTES little-endian octets to out; and reads it back.  hf_trace_get
 * returns 0, or -1 when the version is another one. */
void hf_trace_put(const struct hf_trace *record, uint8_t out[HF_TRACE_BYTES]);
int hf_trace_get(struct hf_trace *record, const uint8_t in[HF_TRACE_BYTES]);

/* The ladder -----------------------------------------------------------------------------------
 * One connection drawn as it happens, in the manner of RFC 9293 Figures 6 to 13: this side's states
 * on the left, the peer's on the right, as inferred from the wire:
 *
 *     (ESTABLISHED)   its own segments prove it
 *     (ESTABLISHED?)  if what was last sent to it has arrived
 *
 * States are those after the departure or arrival of the segment between them.  Long runs of data
 * are folded into one line.  A ladder allocates (malloc); its memory is bounded. */

struct hf_ladder;
struct hf_packet;   /* packet.h */
struct hf_captured; /* device.h */

/* Takes text, one or more whole lines, not 0-terminated. */
typedef void hf_text_fn(void *arg, const char *text, size_t len);

struct hf_ladder_style {
    uint32_t struct_size;    /* filled in by the caller: what lies behind it is as 0            */
    bool colour;             /* ANSI colours: the caller knows whether it is a terminal         */
    bool absolute;           /* sequence numbers as on the wire; else relative to ISS and IRS   */
    bool keep;               /* lines are kept, for hf_ladder_text and hf_ladder_svg            */
    bool brief;              /* without the line that explains the marks                        */
    uint32_t full_lines;     /* data segments drawn one by one before folding, 0: 8             */
    const char *title;       /* a heading; NULL: none.  The three strings are copied            */
    const char *local_name;  /* NULL: "Handfast"                                                */
    const char *remote_name; /* NULL: "peer"                                                    */
    hf_text_fn *write;       /* gets each line as it happens; NULL: none                        */
    void *write_arg;
};

/* style is copied; a ladder is freed by hf_ladder_free.  NULL: no memory. */
struct hf_ladder *hf_ladder_new(const struct hf_ladder_style *style);
void hf_ladder_free(struct hf_ladder *ladder);
/* Feeds a record; the ladder takes what it is given, so one connection's only.  An hf_trace_fn. */
void hf_ladder_trace(void *ladder, const struct hf_trace *record);
/* A packet was lost on the wire, in either direction, as who lost it knows; packet as
 * hf_packet_decode gives it.  What this side sent is to be traced first. */
void hf_ladder_lost(struct hf_ladder *ladder, int64_t time_ns, const struct hf_packet *packet);
/* A line of the caller's own. */
void hf_ladder_note(struct hf_ladder *ladder, int64_t time_ns, const char *text);
/* Ends an unfinished run of data, so that all is drawn. */
void hf_ladder_flush(struct hf_ladder *ladder);
/* The last line: why it closed.  why: hf_close_reason.text, or NULL: as the records tell. */
void hf_ladder_end(struct hf_ladder *ladder, const char *why);
/* This side's state; the peer's as presumed, and in *proved, which may be NULL, as proved.  Each is
 * an enum hf_state, or -1: nothing known. */
int hf_ladder_state(const struct hf_ladder *ladder);
int hf_ladder_peer_state(const struct hf_ladder *ladder, int *proved);
/* All kept lines again: losses are now drawn into their segment's line. */
void hf_ladder_text(const struct hf_ladder *ladder, bool colour, hf_text_fn *write, void *arg);
/* The kept lines of n ladders, one below the other, as one stand-alone SVG. */
void hf_ladder_svg(struct hf_ladder *const *ladders, size_t n, hf_text_fn *write, void *arg);

/* A ladder for each connection of a stack. */
struct hf_ladder_set;
/* Asked about each new connection: false: no ladder for it.  style may be changed. */
typedef bool hf_ladder_choose_fn(void *arg, const struct hf_trace *first,
                                 struct hf_ladder_style *style);

/* style: its strings must live as long as the set.  choose may be NULL: all.  most: ladders at one
 * time, 0: 64.  A full set forgets the oldest that is closed and not kept (style.keep); without
 * such a one new connections go undrawn.  NULL: no memory. */
struct hf_ladder_set *hf_ladder_set_new(const struct hf_ladder_style *style, uint32_t most,
                                        hf_ladder_choose_fn *choose, void *arg);
void hf_ladder_set_free(struct hf_ladder_set *set);
/* An hf_trace_fn: what hf_env.trace may point to, with the set as trace_arg. */
void hf_ladder_set_trace(void *set, const struct hf_trace *record);
void hf_ladder_set_lost(struct hf_ladder_set *set, int64_t time_ns, const struct hf_packet *packet);
/* The i-th, oldest first; of a connection's handle, or of its addresses, newest first.  NULL: none.
 * It is the set's, and may be gone behind the next record. */
struct hf_ladder *hf_ladder_set_at(const struct hf_ladder_set *set, size_t i);
struct hf_ladder *hf_ladder_set_handle(const struct hf_ladder_set *set, uint64_t handle);
struct hf_ladder *hf_ladder_set_find(const struct hf_ladder_set *set, const uint8_t local_ip[16],
                                     uint16_t local_port, const uint8_t remote_ip[16],
                                     uint16_t remote_port);
/* All of them as text, oldest first, with an empty line between; style.keep is needed. */
void hf_ladder_set_text(const struct hf_ladder_set *set, bool colour, hf_text_fn *write, void *arg);
/* Takes one out and frees it. */
void hf_ladder_set_drop(struct hf_ladder_set *set, struct hf_ladder *ladder);

/* Comments for captures ------------------------------------------------------------------------
 * "handfast: ESTABLISHED -> CLOSE-WAIT; processed to the end (RFC 9293 3.10.7)" */

enum { HF_COMMENT_BYTES = 256 }; /* no comment is longer, with its 0 */

/* The comment of one record; returns its length, 0: this record gets none. */
size_t hf_comment_text(const struct hf_trace *record, char text[HF_COMMENT_BYTES]);

/* Brings comments and captured frames together, whichever comes first: fed with records, asked with
 * frames. */
struct hf_comments;
/* most: records remembered, 0: 4096; the oldest are forgotten.  NULL: no memory. */
struct hf_comments *hf_comments_new(uint32_t most);
void hf_comments_free(struct hf_comments *comments);
/* An hf_trace_fn. */
void hf_comments_trace(void *comments, const struct hf_trace *record);
/* The comment of a packet: out: sent by this side.  The oldest record that fits is taken, and used
 * up once the end of its text was asked for (a super-segment may have been cut).  Returns the
 * comment's length, 0: none. */
size_t hf_comments_find(struct hf_comments *comments, const struct hf_packet *packet, bool out,
                        char text[HF_COMMENT_BYTES]);
/* The same as an hf_comment_fn (device.h): what hf_capture.comment may point to. */
size_t hf_comments_captured(void *comments, const struct hf_captured *packet, char *text,
                            size_t room);

#ifdef __cplusplus
}
#endif
#endif
