/* side.h - one endpoint of the explored pair: a real stack in its block, and what the explorer
 * remembers beside it.
 *
 * Incarnations are numbered: each initial sequence number that an endpoint chooses is its next
 * "own" one, from 0.  What lies on the wire is named by them, so that it means the same whatever
 * the numbers are: the octet 3 behind the ISN of A's incarnation 1.
 *
 * As a rule each endpoint sees the ISNs of its peer far apart, and how far is of no matter.  Where
 * they are close (explore_config.isn_step), so that what belongs to one incarnation can be taken
 * for another's, a segment says how far its sender's ISN lies behind that of incarnation 0, and
 * these distances and the clock that makes them are part of an endpoint's state.
 */
#ifndef EXPLORE_SIDE_H
#define EXPLORE_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <handfast/handfast.h>
#include <handfast/oracle.h>
#include <handfast/packet.h>

#include "explore.h"

enum {
    GENS = 12,           /* incarnations that an endpoint can have in one exploration           */
    GEN_NONE = 255,      /* a number that counts from no ISN: 0 of a reset without ACK          */
    SIDE_WINDOW = 24,    /* octets of the receive window; what is read opens it only by halves  */
    LEAST_WINDOW = 12,   /* octets: SYN, two texts, FIN                                          */
    TEXT_OCTETS = 4,     /* of one hf_send                                                      */
    FRAME_OCTETS = 96,   /* no frame is longer: IP, TCP with options, two texts                 */
    OUT_MOST = 6,        /* frames that one event may cause                                     */
    RECORDS_MOST = 4,    /* records of connections at one time                                  */
    MARKS_OCTETS = 32,   /* for hf_check: a bit for each record                                 */
    BLOCK_OCTETS = 6656, /* of a stack of two connections, with what assertions count          */
    ORACLE_OCTETS = 6208 /* of an oracle that follows as many                                  */
};

/* What has become of an endpoint's connection; struct own.is. */
enum {
    IS_OPEN = 1u << 0,    /* has been ESTABLISHED                                   */
    IS_CLOSED = 1u << 1,  /* the application has called CLOSE                       */
    IS_ENDED = 1u << 2,   /* the application has read the end of the peer's stream  */
    IS_ABORTED = 1u << 3, /* by its application, or with all state when it rebooted */
    IS_FAILED = 1u << 4,  /* HF_CLOSED_EVENT with an error                          */
};

/* A connection, by its ISN. */
struct own {
    uint8_t peer;     /* the incarnation of the peer that it talks to, +1; 0: not known       */
    uint8_t is;       /* IS_*                                                                 */
    uint8_t sent;     /* octets the application gave to hf_send                               */
    uint8_t received; /* octets the application got from hf_recv                              */
    uint8_t nxt;      /* SND.NXT - ISS, the most that ever left                               */
    uint8_t acked;    /* the largest SEG.ACK that left - IRS                                  */
};

/* A record of the block, as hf_records tells, by incarnation. */
struct view {
    uint8_t state;     /* enum hf_state                                 */
    uint8_t own, peer; /* incarnations of ISS and IRS, GEN_NONE         */
    uint8_t una, nxt;  /* SND.UNA, SND.NXT - ISS                        */
    uint8_t rcv;       /* RCV.NXT - IRS                                 */
    uint8_t released;
};

/* Part of the state: equal ones, and equal canonical forms of the block, are one state. */
struct ghost {
    struct own own[GENS];
    struct view view[RECORDS_MOST];
    uint8_t gens;    /* own incarnations so far                                   */
    uint8_t current; /* the one whose handle the application has, +1; 0: none     */
    uint8_t reboots;
    uint8_t views;
    uint8_t timer; /* one runs */
};

struct side {
    int64_t now_ns;
    hf_handle listener, handle;
    bool listens;
    bool unjudged;      /* the oracle is not asked */
    bool tw_ignore_rst; /* explore_config.*        */
    bool backs_off;
    uint8_t isn_step;
    uint16_t heard;                /* ... and then: irs of these is known, by bit */
    uint32_t iss[GENS], irs[GENS]; /* numbers of own and of the peer's incarnations here     */
    struct ghost ghost;
    _Alignas(64) uint8_t block[BLOCK_OCTETS];
    _Alignas(8) uint8_t oracle[ORACLE_OCTETS]; /* has judged all that the block has done      */
};

/* A segment, named by incarnations: its frame with SEG.SEQ and SEG.ACK made 0. */
struct message {
    uint8_t frame[FRAME_OCTETS];
    uint32_t apart; /* ISN of seq_gen, from that of incarnation 0; 0 where they are far apart */
    uint8_t len;
    uint8_t from;             /* the side that sent it                            */
    uint8_t seq_gen, ack_gen; /* of the sender, of the receiver                   */
    int8_t seq, ack;          /* from there; GEN_NONE: SEQ as it stands           */
    uint8_t text;             /* octets                                           */
    uint16_t ctl;
};

enum event_kind {
    EVENT_TIMER,
    EVENT_OPEN,
    EVENT_SEND,
    EVENT_CLOSE,
    EVENT_ABORT,
    EVENT_REBOOT,
    EVENT_EXPLORED, /* those before it happen at any time */
    EVENT_RELEASE = EVENT_EXPLORED,
    EVENT_CALLS,
    EVENT_DELIVER = EVENT_CALLS,
    EVENT_FORGED /* a message whose frame stands as it is */
};

/* What goes wrong; a property each. */
enum wrong {
    WRONG_NOTHING,
#define WRONGS(X)                                                                                  \
    X(TEXT, "delivered octets are not those that were sent, in order and once")                    \
    X(END_EARLY, "the stream ends before all its octets have arrived")                             \
    X(RCV_NXT, "RCV.NXT is beyond the peer's SND.NXT")                                             \
    X(SND_UNA, "SND.UNA is beyond what the peer has acknowledged, or beyond SND.NXT")              \
    X(TWO_OPEN, "two synchronised connections of one pair of sockets")                             \
    X(NOBODY_OPENED, "a connection that the other side never opened")                              \
    X(RST_ANSWERED, "a reset was answered by a reset")                                             \
    X(TOO_MANY, "more than one bare ACK or reset for one segment")                                 \
    X(STRANGE_NUMBER, "a sequence number that belongs to no incarnation")                          \
    X(NO_TIMER, "something is outstanding or closing, and no timer runs")                          \
    X(NO_EXIT, "without further losses the connection does not end")                               \
    X(LOST_TEXT, "the connection has ended in order, but not every octet has arrived")             \
    X(WINDOW, "a window into which not all fits that may be sent")                                 \
    X(RESET, "a reset that is about no connection here is not ignored")                            \
    X(KILLED, "a connection was reset, and neither end has done it")                               \
    X(CALL, "a call gave an error that its state does not have")                                   \
    X(BLOCK, "the block does not hold together (hf_check)")                                        \
    X(ORACLE, "the oracle")
#define X(name, sentence) WRONG_##name,
    WRONGS(X)
#undef X
        WRONG_COUNT
};
const char *wrong_sentence(enum wrong wrong);

/* What an event did, beside changing the side. */
struct outcome {
    bool disabled;                /* the call is not possible now                       */
    bool repeats;                 /* a timer sent text, SYN or FIN                      */
    bool clean;                   /* needs a channel without the incarnations masked:    */
    uint16_t own_mask, peer_mask; /* what waited is now forgotten                       */
    uint8_t n;                    /* messages sent                                      */
    struct message out[OUT_MOST];
    uint8_t wrong;    /* enum wrong */
    char detail[160]; /* of what is wrong or not possible */
};

struct side_env {
    hf_trace_fn *trace; /* gets each record, NULL: none */
    void *trace_arg;
};

/* side: 0 (A) or 1 (B). */
bool side_begin(struct side *s, int side, const struct explore_config *config);
/* Does it; message: of EVENT_DELIVER. */
void side_do(struct side *s, int side, enum event_kind kind, const struct message *message,
             const struct side_env *env, struct outcome *outcome);
/* 128 bits of the canonical form of block and ghost. */
void side_key(const struct side *s, uint64_t key[2]);
bool side_synchronized(const struct view *view);
/* "A", "B" */
extern const char *const side_names[2];

/* The frame of a message, with the numbers of the ISNs of its sender (seq) and receiver (ack). */
void side_frame(const struct message *message, const uint32_t seq_isns[GENS],
                const uint32_t ack_isns[GENS], uint8_t frame[FRAME_OCTETS]);

/* An IPv4 header and the ports of a TCP segment of 40 octets that seems to come from this side. */
void side_header(int side, uint8_t frame[FRAME_OCTETS]);

/* Between side.c and its parts ----------------------------------------------------------------- */

/* An event under way. */
struct doing {
    struct side *s;
    int side;
    struct hf_env env;
    const struct side_env *outside;
    struct outcome *outcome;
    bool fired;  /* a timer                                             */
    bool forged; /* what was delivered nobody had sent                  */
    bool resets; /* what was delivered is a reset */
    int counted; /* segments with text, SYN or FIN that left            */
    int bare;    /* ACKs and resets without text, SYN, FIN that left */
};
struct hf_stack *side_stack(struct side *s);
void side_wrong(struct outcome *outcome, enum wrong wrong, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The call is not possible now, and why. */
void side_disabled(struct doing *d, const char *why);
/* side_app.c: the application takes what there is. */
bool side_application(struct doing *d);
void side_call(struct doing *d, enum event_kind kind);
/* side_wire.c */
uint32_t side_output(struct doing *d);
void side_deliver(struct doing *d, const struct message *message);
uint8_t side_gen(const uint32_t *bases, uint8_t n, uint32_t number);
uint8_t side_gen_of_isn(const uint32_t *bases, uint8_t n, uint32_t isn);

/* 64 bits of twice as many. */
static inline uint64_t hash_64(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ 0x243f6a8885a308d3u) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h = (h ^ b) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

/* hash.c: 128 bits of any octets (MurmurHash3, x64, 128). */
void hash_128(const void *data, uint64_t len, uint64_t out[2]);

#endif
