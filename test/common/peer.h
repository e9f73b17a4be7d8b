/* peer.h - the other end of the wire, for protocol tests: one stack, and a peer that follows a
 * script.
 *
 *     TEST(a_listener_answers_a_syn)
 *     {
 *         listens();
 *         sends(SYN, .seq = IRS, .mss = 1460);
 *         expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
 *         after(1000);
 *         expects_silence();
 *     }
 *     const struct CMUnitTest tests[] = {BOTH(a_listener_answers_a_syn)};
 *
 * sends() puts one segment in; expects() takes exactly one out and compares the control bits, the
 * length of the text, and the fields that are named.  ISS is the stack's initial number (learned
 * from its SYN), IRS the peer's.  Every frame that leaves is checked beside the script: checksums,
 * addresses, text, that the window never shrinks and that text stays inside the peer's.  The
 * oracle (handfast/oracle.h) judges every record.
 *
 * A test gets `struct peer *p`; until the first verb it may change p->config, p->mtu, p->offload,
 * p->with ... Time is p->env.now_ns and moves by after() alone.
 */
#ifndef COMMON_PEER_H
#define COMMON_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/judge.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

/* Numbers of a script -------------------------------------------------------------------------
 * A base in the upper bits and an offset: ISS + 1, IRS - 1.  Plain numbers are themselves, but 0
 * means "not named": for a number that is 0, say ZERO. */

#define PEER_NUMBER(base) ((int64_t)(base) << 40)
#define ISS PEER_NUMBER(1)
#define IRS PEER_NUMBER(2)
#define ZERO PEER_NUMBER(3)
#define ANY PEER_NUMBER(4) /* with .len: any text */

/* A window scale, so that 0 can be named. */
#define SHIFT(n) ((n) + 1)
enum { NO_ACCECN = -1 };
/* The same for an ECN codepoint of the IP header. */
#define CODEPOINT(n) ((n) + 1)

struct seg_spec {
    unsigned ctl;     /* expects: PSH is compared only when it is named           */
    int64_t seq, ack; /* sends: else the next ones of a peer that has all it expected */
    int64_t wnd;      /* the field, unscaled; sends: else p->c->wnd               */
    int64_t window;   /* expects: the window in octets                            */
    int64_t up;       /* urgent pointer                                           */
    int64_t len;      /* text octets; expects: 0 when not named, ANY: whatever    */
    int mss;          /* option; sends: 0 none                                    */
    int wscale;       /* SHIFT(n)                                                 */
    bool sackok;
    int64_t uto; /* user timeout option (RFC 5482), sends: 0: none; expects: ZERO: none     */
    int64_t tsval, tsecr; /* sends: a peer that agreed upon them sends them itself   */
    const char *fo;       /* sends: Fast Open option, its cookie in hex, "" asks for one;
                             "EXP" before it: as kind 254                            */
    bool no_ts;           /* sends: does not, this time; expects: there are none     */
    int64_t sack[4][2];   /* expects: these and no others                            */
    bool no_sack;         /* expects: no SACK option                                 */
    const char *options;  /* expects: all of them, as "mss 1460,sackOK,TS,nop,wscale 8";
                             "" : none                                               */
    bool no_psh;          /* expects: PSH is off                                     */
    int accecn;           /* kind of the AccECN option; expects: NO_ACCECN: there is none */
    unsigned n_accecn;    /* ... its counters ...                                    */
    uint32_t counts[3];   /* ... as they stand                                       */
    int ip_ecn;           /* CODEPOINT(CE) ...; sends: 0 is Not-ECT; expects: not named */
    uint32_t gso;         /* sends: as one frame of several segments of this text    */
    int octet;            /* sends: all of the text is this octet, not the script's  */
};

/* A connection as the peer has it. */
struct peer_conn {
    hf_handle handle;
    uint16_t stack_port, peer_port;
    uint32_t irs; /* of the peer: 100                                        */
    uint32_t iss; /* of the stack, once known                                */
    bool has_iss;
    uint32_t nxt;                  /* what the peer sends next                                */
    uint32_t acks;                 /* what the peer acknowledges: behind all it expected      */
    uint16_t wnd;                  /* the field in what the peer sends: 65535                 */
    uint8_t wscale;                /* of the peer                                             */
    uint8_t stack_wscale;          /* of the stack                                            */
    bool scales, stack_scales;     /* its SYN had the option                         */
    bool stamps, stack_stamps, ts; /* the same; ts: agreed upon                      */
    uint32_t ts_echo;              /* TSval the peer echoes                                   */
    bool has_edge, has_limit;
    uint32_t edge;   /* right edge of the window the stack has promised           */
    uint32_t limit;  /* right edge of the window the peer has promised            */
    uint64_t sent;   /* text given to hf_send                                      */
    uint64_t read;   /* text taken from hf_recv                                    */
    uint32_t events; /* seen and not yet expected                                  */
    int32_t error;   /* with HF_CLOSED_EVENT                                       */
    int state;       /* enum hf_state as traced, -1                                */
};

struct seen {
    uint8_t *bytes;
    uint32_t len;
    uint16_t iface, ip_offset;
    uint32_t super; /* octets of text of the frame it was cut from, 0: a frame of its own */
    int64_t time_ns;
    bool is_ip, is_tcp;
    struct wire_ip ip;
    struct segment seg; /* is_tcp; text lies in bytes */
};

enum { PEER_CONNS = 8, PEER_LADDER = 120 };

struct peer {
    /* The script may change these before the first verb. */
    struct hf_config config;
    bool v6;
    bool ethernet;        /* an Ethernet link; the peer's MAC is known beforehand unless ask   */
    uint32_t quoted_len;  /* of the packets that ICMP errors quote; 0: no more than headers    */
    bool ask;             /* ... the stack has to ask for it                                   */
    uint32_t mtu;         /* 1500 (1520 with IPv6, so that the MSS is 1460 too)                */
    uint32_t offload;     /* HF_OFFLOAD_*                                                      */
    struct seg_spec with; /* options of the peer's SYN in establish_*(): mss 1460            */
    bool wild;            /* no check of text, windows (tests of frames that are no script)    */
    int poison;           /* what the stack's memory holds before hf_init; 0: whatever it holds  */
    const struct hf_region *regions;
    uint32_t n_regions;
    bool aims; /* the first connection's ISS is `aim`: its clock is waited for (RFC 6528)       */
    uint32_t aim;
    /* Set up by peer_start. */
    struct hf_stack *stack;
    uint64_t bytes;
    struct hf_env env;
    int64_t began_ns; /* the peer's own clock counts from here: 1,001,000 ms                    */
    int iface;
    uint8_t stack_ip[16], peer_ip[16], stack_mac[6], peer_mac[6];
    uint8_t tos; /* of what the peer sends                                                  */
    hf_handle listener;
    struct peer_conn conn[PEER_CONNS];
    struct peer_conn *c; /* the one the verbs are about                                      */
    struct seen **seen;
    uint32_t n_seen, seen_room;
    bool batching; /* sends() waits for batch_end()                                    */
    struct hf_frame_in batch[64];
    uint32_t n_batch;
    uint32_t listener_events;
    bool hold_done; /* hf_output_done is left to the test                               */
    uint64_t tokens[256];
    uint32_t n_tokens;
    struct hf_trace last; /* the newest record                                               */
    struct judge judge;
    char ladder[PEER_LADDER][132];
    uint32_t n_ladder;
    const char *file;
    int line;
};

/* Tests --------------------------------------------------------------------------------------- */

#define TEST(name)                                                                                 \
    static void name##_played(struct peer *p);                                                     \
    static void name(void **state)                                                                 \
    {                                                                                              \
        name##_played(*state);                                                                     \
    }                                                                                              \
    static void name##_played(struct peer *p)

#define V4(name)                                                                                   \
    {                                                                                              \
#name, name, peer_setup4, peer_teardown, NULL                                              \
    }
#define V6(name)                                                                                   \
    {                                                                                              \
#name ", IPv6", name, peer_setup6, peer_teardown, NULL                                     \
    }
#define BOTH(name) V4(name), V6(name)

int peer_setup4(void **state);
int peer_setup6(void **state);
int peer_teardown(void **state);

/* Verbs; each knows its line. ------------------------------------------------------------------ */

#define PEER_HERE(p) ((p)->file = __FILE__, (p)->line = __LINE__, (p))

#define starts() peer_start(PEER_HERE(p))
#define sends(...) peer_sends(PEER_HERE(p), &(struct seg_spec){.ctl = __VA_ARGS__})
#define expects(...) peer_expects(PEER_HERE(p), &(struct seg_spec){.ctl = __VA_ARGS__})
/* Silence for lo ms, then the segment, at most hi ms from now. */
#define expects_after(lo, hi, ...)                                                                 \
    peer_expects_after(PEER_HERE(p), lo, hi, &(struct seg_spec){.ctl = __VA_ARGS__})
#define expects_silence() peer_expects_silence(PEER_HERE(p))
#define after(ms) peer_after(PEER_HERE(p), ms)
#define expects_state(state) peer_expects_state(PEER_HERE(p), state)
#define expects_event(bits) peer_expects_event(PEER_HERE(p), bits)
#define expects_no_event(bits) peer_expects_no_event(PEER_HERE(p), bits)
/* HF_CLOSED_EVENT with this error, state CLOSED. */
#define expects_closed(error) peer_expects_closed(PEER_HERE(p), error)
#define batch_begins() ((p)->batching = true)
#define batch_ends() peer_batch_ends(PEER_HERE(p))

#define listens() peer_listens(PEER_HERE(p), 8, false)
#define listens_with(backlog, hold) peer_listens(PEER_HERE(p), backlog, hold)
#define opens() peer_opens(PEER_HERE(p), 0)
#define opens_for(ms) peer_opens(PEER_HERE(p), ms)
#define accepts() peer_accepts(PEER_HERE(p))
#define writes(n) peer_writes(PEER_HERE(p), n, 0)
#define writes_with(n, flags) peer_writes(PEER_HERE(p), n, flags)
#define reads(n) peer_reads(PEER_HERE(p), n) /* these octets are there: takes them      */
#define reads_result(r) peer_reads_result(PEER_HERE(p), r) /* 0: the end; or an error */
#define closes() peer_calls(PEER_HERE(p), hf_close(p->stack, &p->env, p->c->handle))
#define aborts() peer_calls(PEER_HERE(p), hf_abort(p->stack, &p->env, p->c->handle))
#define releases() peer_calls(PEER_HERE(p), hf_release(p->stack, &p->env, p->c->handle))
#define calls(result) peer_calls(PEER_HERE(p), result) /* HF_OK or more */
#define refuses(error, result) peer_refuses(PEER_HERE(p), error, result)
#define is_asked() /* of a held SYN; it is the connection from now on */                           \
    peer_calls(PEER_HERE(p), hf_asked(p->stack, &p->env, p->listener, &p->c->handle, NULL, NULL))
#define decides(how) peer_calls(PEER_HERE(p), hf_answer(p->stack, &p->env, p->c->handle, how))
#define takes_held() (is_asked(), decides(HF_ANSWER_ACCEPT))
#define sets(option, value)                                                                        \
    peer_calls(PEER_HERE(p), hf_set_option(p->stack, &p->env, p->c->handle, option, value))
#define on(i) ((p)->c = &(p)->conn[i])
/* The next connection of the same ports: its ISS is learned anew. */
#define new_incarnation(their_isn) peer_new_incarnation(p, their_isn)
/* From CLOSED to ESTABLISHED, with p->with; the handle is in p->c->handle, events are taken. */
#define establish_active() peer_establish_active(PEER_HERE(p))
#define establish_passive() peer_establish_passive(PEER_HERE(p))
/* Fails the test here unless the condition holds. */
#define holds(condition) peer_holds(PEER_HERE(p), condition, #condition)
#define holds_equal(got, want) peer_holds_equal(PEER_HERE(p), (int64_t)(got), (int64_t)(want), #got)
#define status_of(member) (peer_status(p).member)
#define info_of(member) (peer_info(p, p->c->handle).member)

void peer_start(struct peer *p);
void peer_sends(struct peer *p, const struct seg_spec *spec);
void peer_expects(struct peer *p, const struct seg_spec *spec);
void peer_expects_after(struct peer *p, int64_t lo_ms, int64_t hi_ms, const struct seg_spec *spec);
void peer_expects_silence(struct peer *p);
void peer_after(struct peer *p, int64_t ms);
void peer_expects_state(struct peer *p, enum hf_state state);
void peer_expects_event(struct peer *p, uint32_t bits);
void peer_expects_no_event(struct peer *p, uint32_t bits);
void peer_expects_closed(struct peer *p, int error);
void peer_batch_goes_in(struct peer *p); /* what answers it leaves with batch_ends() */
void peer_batch_ends(struct peer *p);
void peer_listens(struct peer *p, uint16_t backlog, bool hold);
void peer_opens(struct peer *p, uint32_t timeout_ms);
void peer_accepts(struct peer *p);
void peer_writes(struct peer *p, uint32_t n, uint32_t flags);
void peer_reads(struct peer *p, uint32_t n);
void peer_reads_result(struct peer *p, int result);
void peer_calls(struct peer *p, int64_t result);
void peer_refuses(struct peer *p, int error, int64_t result);
void peer_new_incarnation(struct peer *p, uint32_t irs);
void peer_establish_active(struct peer *p);
void peer_establish_passive(struct peer *p);
void peer_holds(struct peer *p, bool condition, const char *text);
void peer_holds_equal(struct peer *p, int64_t got, int64_t want, const char *text);
struct hf_status peer_status(struct peer *p);

/* What the verbs are made of -------------------------------------------------------------------*/

__attribute__((noreturn, format(printf, 2, 3))) void peer_fail(struct peer *p, const char *format,
                                                               ...);
/* A number of a script as it goes on the wire. */
uint32_t peer_number(struct peer *p, int64_t number);
/* The octet of text with this sequence number, counted from the SYN's. */
uint8_t peer_octet(bool stack_side, uint32_t offset);
/* The same for len of them in a row; how many, from the first one on, are as they have to be. */
void peer_octets(bool stack_side, uint32_t offset, uint8_t *text, uint32_t len);
uint32_t peer_octets_right(bool stack_side, uint32_t offset, const uint8_t *text, uint32_t len);
struct hf_endpoint peer_here(const struct peer *p, uint16_t port);  /* of the stack */
struct hf_endpoint peer_there(const struct peer *p, uint16_t port); /* of the peer  */
/* Takes everything out that is owed. */
void peer_pump(struct peer *p);
/* The peer's TSval now. */
uint32_t peer_stamp(const struct peer *p);
/* If p->aims: waits, once, until the ISS of this connection would be p->aim. */
void peer_waits_for_iss(struct peer *p);
/* Ports, numbers and the time; HF_TEST_ISS, HF_TEST_IRS, HF_TEST_CLOCK_NS: other ones, for the same
 * tests. */
void peer_begins(struct peer *p);
/* A frame of any octets goes in (from the link header on). */
void peer_frame(struct peer *p, const void *bytes, uint32_t len);
/* The same for IP packets of this protocol from the peer to the stack; the checksum is the
 * caller's. */
void peer_ip(struct peer *p, uint8_t proto, const void *payload, uint32_t len);
/* The oldest frame not taken, or NULL; of protocol proto (0: that is no IP, ARP). */
struct seen *peer_any(struct peer *p);
struct seen *peer_take(struct peer *p, int proto);
void peer_taken(struct peer *p, struct seen *seen); /* frees it */
void peer_forget(struct peer *p);                   /* all that was not taken */
/* How many segments ended with this verdict (hf_counters.verdict). */
uint64_t peer_count(struct peer *p, enum hf_verdict verdict);
/* Options of a TCP header as text; returns text. */
char *peer_option_text(const uint8_t *header, uint32_t header_len, char *text, size_t room);
/* An ICMP error from `from` about the stack's segment with this sequence number. */
void peer_icmp_error(struct peer *p, const uint8_t from[16], uint8_t type, uint8_t code,
                     uint32_t rest, int64_t seq);
void peer_events(struct peer *p);

/* hf_info of a handle; info_of(member): of the current connection. */
static inline struct hf_info peer_info(struct peer *p, hf_handle handle)
{
    struct hf_info info = {.struct_size = sizeof info};
    calls(hf_info(p->stack, &p->env, handle, &info));
    return info;
}

#endif
