/* capture_judge.h - inside the oracle over a capture: what is kept of a connection, and its files.
 *
 *     capture_file.c    pcapng and pcap, link types -> packets
 *     capture_judge.c   which connection and direction a packet is of; findings; the table
 *     capture_lives.c   which incarnation of it
 *     capture_rules.c   what no packet may be after those before it
 *     capture_learn.c   what is known after it
 */
#ifndef TRACE_CAPTURE_JUDGE_H
#define TRACE_CAPTURE_JUDGE_H

#include "handfast/capture.h"
#include "handfast/packet.h"

enum { NS_PER_MS = 1000000 };
enum { TWICE_MS = 10 }; /* the same again sooner is one packet, captured twice */

/* What one end has shown: bits of end.facts. */
enum {
    END_SEEN = 1u << 0,       /* start, nxt: it has sent something with a number                  */
    END_SYN = 1u << 1,        /* its SYN: iss, options, wscale, mss                              */
    END_SYN_ACK = 1u << 2,    /* ... was a SYN,ACK                                               */
    END_ACK = 1u << 3,        /* ack                                                             */
    END_EDGE = 1u << 4,       /* edge                                                            */
    END_FIN = 1u << 5,        /* fin                                                             */
    END_STAMP = 1u << 6,      /* ts_first, ts_max                                                */
    END_RST = 1u << 7,        /*                                                                 */
    END_OPENED = 1u << 8,     /* text of it was answered                                         */
    END_REPEATED = 1u << 9,   /* repeat_seq, repeat_ns, repeat_wait_ns                           */
    END_NXT_STAMP = 1u << 10, /* ts_of_nxt                                                     */
    END_ACK_STAMP = 1u << 11, /* ack_stamp                                                     */
    END_SYN_CUT = 1u << 12,   /* its SYN's options are not in the capture                      */
    END_CUT = 1u << 13,       /* its newest stamp is not known: options are not in the capture,
                                 or it was silent while its clock may have come around         */
    END_LONG = 1u << 14,      /* far on: its numbers may come around, iss says nothing more    */
    END_PASSED = 1u << 15,    /* a packet of it                                              */
    END_OLD_STAMP = 1u << 16, /* ts_first says nothing more, its clock may come around         */
    END_ROUND = 1u << 17,     /* round_ns                                                      */
    END_MORE_CAME = 1u << 18, /* to it, behind the text that an ACK is due for                 */
    END_OTHER_SYN = 1u << 19, /* other                                                         */
};

/* What is to be told once what follows from the other end shows that the capture missed nothing. */
enum pending_of {
    PENDING_NONE,
    PENDING_NUMBER, /* at: more was acknowledged than has passed                               */
    PENDING_BLOCK,  /* the same, by SACK                                                       */
    PENDING_ECHO,   /* at: a stamp that has not passed                                         */
    PENDING_BEYOND, /* at: the end of text behind edge, the end of all windows that passed     */
    PENDING_ANSWER, /* at: the number behind a SYN,ACK that answers no SYN                     */
};
struct pending {
    enum pending_of of;
    uint32_t at, edge;
    bool stamped, text; /* the other end shows that it got this ...                            */
    uint32_t stamp;     /* ... by an echo of this stamp, or of a later one                     */
    uint32_t text_end;  /* ... by an ACK of the text that came with it                         */
    struct hf_finding finding;
};

/* What SYNs of one host have in common: behind a NAT (RFC 2663) others have its address, too. */
struct kind {
    uint8_t ttl, header, options; /* octets of the header, HF_OPT_*                            */
};

/* What a SYN tells. */
struct syn {
    uint32_t iss, nxt;
    int64_t ns; /* when it passed first                                                        */
    uint32_t ts_first, ts_max;
    uint16_t mss, ctl;
    uint8_t options, wscale; /* HF_OPT_*                                                       */
    struct kind kind;
    bool cut;  /* its options are not in the capture, or are not to be judged by                */
    bool late; /* it passed when a connection was open                                         */
};

struct end {
    uint32_t facts;
    uint32_t iss, start, nxt, fin; /* numbers of what it sent: nxt is behind all of it          */
    uint32_t ack, edge;            /* the furthest SEG.ACK, and SEG.ACK + SEG.WND               */
    uint32_t edge_now;             /* the same, but where it has gone back, of then             */
    uint32_t ack_stamp;            /* TSval that came with ack                                  */
    uint32_t ts_first, ts_max, ts_of_nxt;
    int64_t ts_ns, ts_of_nxt_ns; /* when its last stamp passed, when ts_of_nxt did             */
    uint32_t last_wnd;   /* of its last bare ACK                                               */
    int64_t bare_ns;     /* when that was, the first time of what was captured several times   */
    uint32_t may_ack;    /* segments that came since, each of which may get an ACK             */
    uint16_t mss, ctl;   /* of its SYN                                                         */
    uint8_t options;     /* HF_OPT_* of its SYN                                                */
    uint8_t wscale;      /*                                                                    */
    struct kind kind;    /*                                                                    */
    int64_t text_ns;     /* text of the other end that an ACK is due for since then; 0: none   */
    uint32_t text_end;   /* ... ends here                                                      */
    int64_t syn_ns;      /* when its SYN passed first                                          */
    int64_t round_ns;    /* from here to it and back: the most that an ACK took                */
    uint32_t repeat_seq; /* what was sent again last                                          */
    int64_t repeat_ns, repeat_wait_ns; /* when, and how long after the time before            */
    uint32_t repeat_ts, repeat_ticks;  /* the same by its own clock; ticks: 0: unknown          */
    uint32_t repeats; /* of it in a row, nothing coming between                            */
    struct pending pending;
    struct syn other; /* a SYN of it that is not followed                                      */
};

/* One incarnation of a pair of sockets. */
struct followed {
    struct hf_endpoint at[2];
    struct followed *next, *older, *newer; /* in its bucket; by when a packet was seen         */
    int64_t last_ns;
    struct end end[2];
    bool mptcp;  /* a subflow of MPTCP (RFC 8684): windows are not of its numbers            */
    bool missed; /* the capture has not all packets                                          */
    bool hole;   /* text of end[hole_of] has passed, but not what lies before it, from hole_seq on:
                    lost, overtaken, or, if it is acknowledged, missed by the capture        */
    uint8_t hole_of;
    uint32_t hole_seq;
    uint32_t old_iss[2]; /* of the incarnation before                                          */
    struct kind old_kind[2];
    int64_t begun_ns, old_ns; /* its first SYN; that of the one before, 0: there was none     */
};

struct hf_capture_judge {
    struct hf_capture_config config;
    struct hf_capture_counts counts;
    struct followed **buckets;
    uint32_t n_buckets, n, max;
    uint64_t key[2]; /* of the buckets: who makes a capture cannot put all into one           */
    struct followed *newest, *oldest;
    bool icmp_cut;  /* there was an ICMP error whose connection is not in the capture           */
    uint8_t *frame; /* a packet of which the capture has not all, made whole by zeros          */
};

/* One packet. */
struct seen {
    struct hf_capture_judge *judge;
    const struct hf_packet *p;
    struct followed *f;
    struct end *me, *peer; /* who sent it, and the other one */
    int64_t time_ns;
    bool cut; /* its options are not in the capture: p has none */
    bool broken;
};

static inline int32_t behind(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* A quarter of the way around: more, and older is newer before it shows. */
static inline bool is_far(uint32_t from, uint32_t to)
{
    return to - from >= 1u << 30;
}

/* The fastest clock for stamps is a quarter of the way around: RFC 7323 5.4 has 1 ms a tick, some
 * kernels have 1 us.
 */
static inline bool was_long_ago(const struct seen *s, int64_t then_ns)
{
    return s->time_ns - then_ns >= (INT64_C(1) << 30) * 1000;
}

static inline struct kind kind_of(const struct hf_packet *p)
{
    uint32_t header = p->text_offset - p->header_offset;
    return (struct kind){.ttl = p->ttl, .header = (uint8_t)header, .options = p->options};
}

/* Both SYNs have passed. */
static inline bool whole(const struct seen *s)
{
    return (s->me->facts & END_SYN) && (s->peer->facts & END_SYN);
}

/* A SYN of another incarnation than is followed: it is kept, and followed once it is answered. */
static inline bool is_other_syn(const struct seen *s)
{
    const struct end *me = s->me;
    bool known = (me->facts & END_SYN) && s->p->seq == me->iss;
    return (s->p->ctl & (HF_SYN | HF_ACK)) == HF_SYN && (me->facts & END_SEEN) && !known;
}

/* What comes again at a pace of its own: keep-alives are text that is acknowledged (RFC
 * 9293 3.8.4), window probes one octet (3.8.6.1); and where only one direction passes here, nothing
 * is known.
 */
static inline bool keeps_own_pace(const struct seen *s)
{
    const struct end *peer = s->peer;
    bool old = (peer->facts & END_ACK) && behind(s->p->seq + s->p->len, peer->ack) <= 0;
    bool syn_or_fin = s->p->ctl & (HF_SYN | HF_FIN);
    bool alone = !(peer->facts & END_PASSED) && !(s->p->ctl & HF_SYN);
    return old || (s->p->len == 1 && !syn_or_fin) || alone;
}

/* The same bare ACK so soon is one packet, captured several times. */
static inline bool is_copy(const struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    bool bare = p->len == 0 && (p->ctl & HF_ACK) && p->n_sack == 0;
    return bare && me->bare_ns != 0 && p->ack == me->ack && p->wnd == me->last_wnd &&
           s->time_ns - me->bare_ns < (int64_t)TWICE_MS * NS_PER_MS;
}

/* Everything that passed was seen, for all that is known. */
static inline bool complete(const struct seen *s)
{
    bool jumps = (s->me->facts & END_SEEN) && behind(s->p->seq, s->me->nxt) > 0;
    return !s->f->missed && !s->f->hole && !jumps;
}

static inline bool agreed_on(const struct seen *s, uint8_t option)
{
    return (s->me->options & s->peer->options & option) != 0;
}

/* Its SYN has passed, with its options. */
static inline bool offer_known(const struct end *end)
{
    return (end->facts & (END_SYN | END_SYN_CUT)) == END_SYN;
}

/* agreed_on tells: both offers are known, or the one that is lacks the option. */
static inline bool agreement_known(const struct seen *s, uint8_t option)
{
    bool mine = offer_known(s->me), peers = offer_known(s->peer);
    return whole(s) && ((mine && peers) || (mine && !(s->me->options & option)) ||
                        (peers && !(s->peer->options & option)));
}

/* SEG.WND in octets; only when it is known whether windows are scaled. */
static inline uint32_t window_of(const struct seen *s)
{
    bool scaled = !(s->p->ctl & HF_SYN) && agreed_on(s, HF_OPT_WSCALE);
    return (uint32_t)s->p->wnd << (scaled ? s->me->wscale : 0);
}

/* capture_judge.c: the first rule that a packet breaks counts. */
__attribute__((format(printf, 3, 4))) void capture_broken(struct seen *s, enum hf_rule rule,
                                                          const char *format, ...);
/* The same, but to be told only once the other end has sent what follows, and withdrawn if it shows
 * that the capture missed something. */
__attribute__((format(printf, 5, 6))) void capture_pending(struct seen *s, enum hf_rule rule,
                                                           enum pending_of of, uint32_t at,
                                                           const char *format, ...);
/* Tells it; or, true, withdraws it. */
void capture_settle(struct hf_capture_judge *judge, struct pending *pending, bool withdrawn);

void capture_give_up(struct hf_capture_judge *judge, struct followed *f);

/* capture_lives.c: begins another incarnation where this packet does.  False: it is of none that is
 * followed, and is neither judged nor learned from. */
bool capture_place(struct seen *s);

/* capture_rules.c, capture_learn.c */
void capture_rules(struct seen *s);
void capture_syn(struct seen *s);
void capture_learn(struct seen *s);
void capture_take_syn(struct end *end, const struct syn *syn);

#endif
