/* oracle.h - inside the oracle: how it remembers a connection, and what its files say to each
 * other.
 *
 *     oracle.c          which connection a record is about; the table
 *     oracle_states.c   Figure 5, user calls, timers                 (RFC 9293 3.10.1-6, 3.10.8)
 *     oracle_opening.c  a segment in CLOSED, LISTEN, SYN-SENT        (3.10.7.1-3)
 *     oracle_steps.c    a segment in all other states: where it ends (3.10.7.4)
 *     oracle_in.c       ... and what that changes
 *     oracle_out.c      what a segment that leaves may hold          (3.7, 3.8)
 *     oracle_answers.c  ACKs and resets: each has its cause, and is there in time
 *     oracle_learn.c    the model after the record
 */
#ifndef TRACE_ORACLE_H
#define TRACE_ORACLE_H

#include <string.h>

#include "handfast/oracle.h"

/* LATE_MS: the stack counts in ticks of a millisecond; COARSE_MS: of a small record's clock. */
enum { MS = 1000000, LATE_MS = 2, COARSE_MS = 64 };

/* What is known of a connection: bits of model.facts. */
enum {
    KNOWS_NUMBERS = 1u << 0, /* SND and RCV variables                                     */
    KNOWS_START = 1u << 1,   /* it was watched from its first segment on                  */
    KNOWS_OPTIONS = 1u << 2, /* both SYNs were seen: what was agreed is known             */
    KNOWS_RECENT = 1u << 3,  /* TS.Recent                                                 */
    KNOWS_STAMP = 1u << 4,   /* ts_sent                                                   */
    KNOWS_EDGE = 1u << 5,    /* rcv_edge                                                  */
    KNOWS_ISS = 1u << 6,     /* iss alone, from a SYN,ACK                                 */
    HOLDS_LESS = 1u << 7,    /* than has come ahead of RCV.NXT: memory was out            */
    PASSIVE = 1u << 8,       /* it began with the peer's SYN                              */
    RELEASED = 1u << 9,      /* no application holds it                                   */
    CLOSE_CALLED = 1u << 10, /* the application has said CLOSE                            */
    FINS_LOST = 1u << 11,    /* fin_lost                                                  */
    FIN_SENT = 1u << 12,     /* our_fin                                                   */
    FIN_TAKEN = 1u << 14,    /* RCV.NXT is behind it                                      */
    MAY_REPEAT = 1u << 15,   /* something says that what is in flight may be lost         */
    COOKIE = 1u << 16,       /* a SYN cookie: its numbers follow rules of their own       */
    UNTIDY = 1u << 17,       /* duplicates, SACK or losses in this flight                 */
    SYN_TEXT = 1u << 18,     /* our SYN carried text (RFC 7413)                           */
    MAY_RESET = 1u << 19,    /* a timer has ended it, with a reset where that is due      */
    ISS_RAISED = 1u << 13,   /* above the numbers of one in TIME-WAIT, ahead of the clock */
    MAY_PROBE = 1u << 20,    /* a timer asks for a probe                                  */
    MAY_MARK = 1u << 21,     /* a SEND, or a probe: an ACK may tell of urgent data        */
};

enum { HELD_MAX = 4, RESETS_MAX = 4, FINS_MAX = 6 };

/* A reset that is due. */
struct reset {
    uint32_t seq, ack;
    uint16_t with_ack, rounded; /* SEQ may be so much more, if the peer has rounded its window */
};

/* One incarnation of a connection: what the records up to now make of it. */
struct model {
    uint32_t facts;
    uint32_t iss, irs, una, nxt, wnd, wl1, wl2, rcv_nxt, rcv_wnd;
    uint32_t rcv_edge;               /* the furthest right edge that was promised              */
    uint32_t snd_edge;               /* the furthest right edge that the peer promised         */
    uint32_t max_wnd;                /* MAX.SND.WND                                            */
    uint32_t last_ack;               /* Last.ACK.sent                                          */
    uint32_t ts_recent, ts_sent;     /* TS.Recent; the newest TSval that was sent              */
    uint32_t our_fin;                /* its sequence number                                    */
    uint32_t fins[FINS_MAX], n_fins; /* those of the peer's that were acceptable               */
    uint32_t fin_lost;               /* the nearest of those there was no place for            */
    uint32_t held[HELD_MAX][2];      /* text ahead of RCV.NXT that may be held, ascending      */
    uint32_t n_held;                 /*                                                        */
    uint32_t queued, unread;         /* octets                                                 */
    uint32_t rto_ms, srtt_us;        /*                                                        */
    uint32_t timeouts;               /* in a row, without progress                             */
    uint32_t unacked_text, full;     /* octets not acknowledged; the largest segment           */
    uint32_t may_ack, may_challenge; /* ACKs that something asks for                          */
    uint32_t may_syn;                /* SYNs, or SYN,ACKs                                      */
    uint32_t ts_first;               /* TSval of our first SYN                                 */
    uint32_t full_sent;              /* the largest segment that was sent                      */
    uint64_t acked;                  /* numbers acknowledged since ISS                         */
    int64_t challenge_ns;            /* when the last challenge ACK went, 0: never             */
    int64_t refused_ns;              /* when the ACK came for which the SYN goes again         */
    int64_t ack_due_ns;              /* when an ACK must be out, 0: none is due                */
    int64_t stamp_ns;                /* when ts_sent went */
    int64_t heard_ns;                /* the last acceptable segment                            */
    int64_t recent_ns;               /* what TS.Recent is of                                   */
    int64_t flight_ns;               /* since when the retransmission timer can run            */
    uint8_t offered;                 /* HF_OPT_* of our SYN                                    */
    uint8_t our_scale;               /*                                                        */
    uint16_t our_ecn;                /* HF_ECE | HF_CWR | HF_AE of our SYN                     */
};

/* The peer's SYN as it was taken last. */
struct peer_syn {
    uint32_t seq, ts_val, wnd;
    uint16_t mss, ctl;
    uint8_t options, scale;
    uint8_t seen;
};

/* A pair of sockets as the oracle has it: after its last record. */
struct watched {
    uint8_t local[16], remote[16];
    uint16_t lport, rport;
    uint8_t state; /* enum hf_state */
    uint8_t used;
    uint8_t waits;               /* for the way to the peer: nothing can leave         */
    uint32_t next;               /* in its chain, or of those that are free            */
    uint32_t newer, older;       /* among those that are closed, which may be forgotten */
    uint64_t handle;             /* 0: none, or none any more                          */
    int64_t begun_ns;            /* when it was first seen                             */
    int64_t wait_ns;             /* TIME-WAIT: since when it waits                     */
    int64_t wait_last_ns;        /* ... or since then: a FIN, or a late RELEASE         */
    int64_t old_ns;              /* when the one before began, 0: none is known         */
    uint32_t old_iss;            /* of the one before                                  */
    uint32_t last_seq, last_ack; /* of the ACK that the one before may still owe  */
    uint32_t old_facts;
    uint32_t gone_answers; /* that records which are gone may still send ...    */
    int64_t gone_ns;       /* ... and when the last of them went                */
    uint32_t n_resets;     /* that are due                                      */
    uint32_t resets_lost;  /* there may be more, or fewer, than are remembered  */
    struct reset resets[RESETS_MAX];
    int64_t reset_due_ns; /* when the first of them must be out              */
    struct peer_syn syn;
    struct peer_syn held; /* one that came in TIME-WAIT and waits for an answer */
    struct model m;
};

struct hf_oracle {
    uint64_t bytes;
    struct hf_policy policy;
    int64_t late_ns;
    uint64_t records, segments, connections, violations, unknown;
    int64_t resets_ns;          /* since when resets are counted, for a second  */
    uint32_t resets;            /* how many were due                            */
    uint32_t drops_held;        /* memory was out, or may be: hf_oracle_config */
    int64_t listener_closed_ns; /* when one was closed last                     */
    uint32_t icmp_taken;        /* errors that may have ended a connection      */
    uint32_t followed;
    uint32_t entries, buckets; /* how many there are; the latter a power of two */
    uint32_t free;             /* the first, 0: none                            */
    uint32_t newest, oldest;   /* of those that are closed                      */
    uint32_t pad;
};

/* What one call to hf_oracle_judge has at hand. */
struct judging {
    struct hf_oracle *oracle;
    const struct hf_trace *r;
    struct watched *w; /* NULL: not followed, and not to be      */
    struct hf_violation *violation;
    bool gap;     /* text was held ahead of RCV.NXT before this segment  */
    bool of_gone; /* an answer, maybe of a record that is gone           */
    bool broken;
};

/* a - b as sequence numbers: negative when a lies before b. */
static inline int32_t ahead(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* Has the record SND and RCV variables?  What answers without a connection has none. */
static inline bool has_numbers(const struct hf_trace *r)
{
    return r->rto_ms != 0;
}

/* An answer of a cookie, or of a small record. */
static inline bool is_small_answer(const struct hf_trace *r)
{
    return r->kind == HF_TRACE_OUT && !has_numbers(r) && !(r->ctl & HF_RST) &&
           r->state_before != HF_CLOSED;
}

/* The first number of text that is not acknowledged.  A window that comes while our SYN is out
 * counts from here: it is of what follows the SYN. */
static inline uint32_t text_una(const struct model *m)
{
    return m->una == m->iss ? m->iss + 1 : m->una;
}

/* Was this option agreed upon?  With KNOWS_OPTIONS only. */
static inline bool agreed(const struct watched *w, uint8_t option)
{
    return (w->m.offered & w->syn.options & option) != 0;
}

/* SEG.SEQ of an ACK or reset of ours: inside the peer's window (MUST-34), so where that has shrunk
 * below SND.NXT, and not by rounding alone, its edge.  Is the scale not known, it may be either. */
static inline uint32_t bare_seq(const struct watched *w, uint32_t unit)
{
    uint32_t edge = text_una(&w->m) + w->m.wnd;
    int32_t beyond = ahead(w->m.nxt, edge);
    bool shrunk = beyond > 0 && (w->m.wnd == 0 || (uint32_t)beyond >= unit);
    return shrunk ? edge : w->m.nxt;
}

static inline uint32_t least_bare_seq(const struct watched *w)
{
    bool scaled = (w->m.facts & KNOWS_OPTIONS) && agreed(w, HF_OPT_WSCALE);
    return bare_seq(w, 1u << (scaled ? w->syn.scale : 0));
}

static inline uint32_t most_bare_seq(const struct watched *w)
{
    return w->m.facts & KNOWS_OPTIONS ? least_bare_seq(w) : bare_seq(w, 1u << 14);
}

static inline bool is_bare_seq(const struct watched *w, uint32_t seq)
{
    return seq == least_bare_seq(w) || seq == most_bare_seq(w);
}

/* The bare ACK of a peer that has probed our closed window with an octet, which its SND.NXT counts.
 */
static inline bool has_probed(const struct judging *j)
{
    const struct model *m = &j->w->m;
    return m->rcv_wnd == 0 && j->r->len == 0 && j->r->seq == m->rcv_nxt + 1;
}

/* SND.WND where the segment's is not taken.  When SND.UNA moves all the same, the edge does not go
 * beyond what was promised before and what this segment promises. */
static inline uint32_t oracle_kept_window(const struct hf_trace *r, const struct model *m)
{
    uint32_t acked = r->snd_una - m->una;
    uint32_t left = m->wnd > acked ? m->wnd - acked : 0;
    uint32_t said = r->wnd < m->wnd ? r->wnd : m->wnd;
    return acked == 0 ? m->wnd : left > said ? left : said;
}

/* Has the peer's FIN been taken, in this state? */
static inline bool behind_fin(uint8_t state)
{
    return state == HF_CLOSE_WAIT || state == HF_CLOSING || state == HF_LAST_ACK ||
           state == HF_TIME_WAIT;
}

/* An ACK at a listener that opens a connection: it has brought a SYN cookie back (RFC 4987 3.6). */
static inline bool opens_by_cookie(const struct hf_trace *r)
{
    return r->kind == HF_TRACE_IN && r->state_before == HF_LISTEN &&
           r->state_after >= HF_ESTABLISHED;
}

/* Where a segment ends. */
enum step {
    STEP_ANY, /* it cannot be told from outside */
    STEP_NO_STAMP,
    STEP_OLD_STAMP,
    STEP_SYN_AGAIN,
    STEP_SYN_ACK_AGAIN,
    STEP_SYN_ACK_OPENS,
    STEP_OUTSIDE,
    STEP_SYN_OUTSIDE,
    STEP_ACK_ONLY,
    STEP_RST_OUTSIDE,
    STEP_RST_INEXACT,
    STEP_RST_IGNORED,
    STEP_RST,
    STEP_SYN_BACK,
    STEP_SYN_INSIDE,
    STEP_NO_ACK,
    STEP_OPENING_ACK,
    STEP_ACK_OLD,
    STEP_ACK_UNSENT,
    STEP_TAKEN,
};

enum step oracle_step(const struct judging *j);
/* May the record say so?  And what the step is called. */
bool oracle_step_is(enum step step, uint16_t verdict);
const char *oracle_step_says(enum step step);

/* oracle.c: the record breaks a rule; the first that is said counts. */
__attribute__((format(printf, 3, 4))) void oracle_broken(struct judging *j, enum hf_rule rule,
                                                         const char *format, ...);

/* oracle_answers.c: the record is gone, or more than a small one now; what it owes still leaves. */
void oracle_let_go(struct watched *w, int64_t now_ns);
/* Is another one of the same sockets in TIME-WAIT? */
bool oracle_waits_behind(const struct judging *j);

/* oracle_learn.c: the model after the record. */
void oracle_learn_syn(struct judging *j);
void oracle_learn(struct judging *j);
/* Text [left, right) may be held; returns the end of what follows RCV.NXT without a gap. */
uint32_t oracle_hold(struct model *m, uint32_t left, uint32_t right);

/* The peer's FIN may be where the record has one.  Of too many the nearest are remembered:
 * RCV.NXT comes to them first. */
void oracle_note_fin(struct model *m, const struct hf_trace *r);

/* oracle_in.c, oracle_opening.c, oracle_out.c, oracle_answers.c */
void oracle_judge_in(struct judging *j);
void oracle_judge_opening(struct judging *j);
void oracle_judge_out(struct judging *j);
/* Of a connection that begins; its numbers are not known yet. */
void oracle_judge_iss(struct judging *j, uint32_t iss);
void oracle_judge_due(struct judging *j);
void oracle_expect_reset(struct judging *j, uint32_t seq, uint32_t ack, bool with_ack);
void oracle_expect_own_reset(struct judging *j);
/* The reset that answers the record's segment (3.10.7.1). */
void oracle_expect_answer(struct judging *j);
void oracle_judge_reset(struct judging *j);
/* Is the record a reset that is due there? */
bool oracle_owes_reset(const struct watched *w, const struct hf_trace *r);
/* Would it have been too soon then? */
bool oracle_challenge_is_limited(const struct judging *j, int64_t at_ns);
void oracle_judge_challenge(struct judging *j);
/* A segment without text, and the ACK of any. */
void oracle_judge_bare_ack(struct judging *j);
void oracle_ack_goes(struct judging *j);

/* oracle_states.c */
void oracle_judge_state(struct judging *j);
void oracle_judge_call(struct judging *j);
void oracle_judge_wait(struct judging *j);
void oracle_judge_timer(struct judging *j);
void oracle_judge_ended(struct judging *j);

#endif
