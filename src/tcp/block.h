/* block.h - the part of a stack that this folder knows: its pools and lists in the block, one
 * call's view of them, and how a record is found by its number.
 */
#ifndef TCP_BLOCK_H
#define TCP_BLOCK_H

#include "base/flowtab.h"
#include "base/random.h"
#include "base/siphash.h"
#include "tcp/ecn_record.h"
#include "tcp/tcb.h"

enum { HALF_LISTS = 8 };

/* A list of lent memory the stack has done with, by lent.next. */
struct returned {
    uint32_t head, tail;
};

/* What is sent without a record: resets, answers of half-open and waiting connections. */
struct tcp_reply {
    uint8_t local[16], remote[16];
    uint16_t lport, rport;
    uint8_t zone, ttl, tos, attempt; /* attempt: the stack's count of tries to send it */
    seq_t seq, ack;
    uint32_t ts_val, ts_ecr;
    uint16_t wnd;
    uint16_t ctl : 12;
    uint16_t state : 4; /* for the trace: of the compact record it answers for, or CLOSED */
    uint16_t mss;
    uint8_t options; /* OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TS | OPT_UTO */
    uint8_t wscale : 4;
    uint8_t accecn : 1;   /* the option of a SYN,ACK (RFC 9768) */
    uint16_t uto;         /* RFC 5482 */
    uint8_t fo_cookie[8]; /* RFC 7413 */
};

/* Resets to a group of destinations lately, in thousandths of their cost. */
enum { RESET_GROUPS = 16 };
struct reset_group {
    uint32_t spent, at_ms;
};

/* What calls have done so far, beside what pools, flow table and wheel count themselves. */
struct work {
    uint64_t hashed;  /* SipHashes of endpoints and cookies              */
    uint64_t macs;    /* ... of which of SYN cookies                     */
    uint64_t copied;  /* octets of payload                               */
    uint64_t summed;  /* octets for checksums                            */
    uint64_t scanned; /* entries of the stack's arrays                   */
};

/* The part of a stack that this folder knows; it lies at the start of the block's protocol range.
 * Pools' offsets count from the block's start. */
struct tcp_block {
    struct hf_policy policy;
    struct pool tcbs, actives, exts, extras, ecns, stats, halves, waits, listeners, ranges, sents;
    struct pool small, large, pieces; /* struct chunk, numbered on from pool to pool       */
    struct pool lents;
    uint64_t tally_offset;
    uint64_t small_offset, large_offset; /* payload                                        */
    uint32_t small_bytes;
    uint32_t max_replies;
    uint64_t reply_offset; /* struct tcp_reply[max_replies], a ring                       */
    uint32_t reply_head, reply_n;
    struct reset_group resets[RESET_GROUPS];
    uint64_t prefix_offset; /* uint32_t[prefix_mask + 1]: half-open connections by network  */
    uint32_t prefix_mask;
    uint32_t orphans;      /* released, and not in TIME-WAIT ...                            */
    uint64_t orphan_bytes; /* ... and their text that is not acknowledged                   */
    uint32_t singles;      /* active records that have just one in sents                       */
    uint32_t senders;      /* active records that have records in sents                        */
    struct flowtab flows;
    struct wheel wheel;
    struct idlist owes;    /* tcbs that owe output something                              */
    struct idlist blocked; /* ... and wait for a neighbour (F_BLOCKED)                    */
    struct idlist ready;   /* tcbs with events                                            */
    struct idlist starved[STARVED_LISTS]; /* tcbs that wait for memory, by event_link     */
    struct idlist ready_listeners;
    struct idlist half_list[HALF_LISTS]; /* half_open by retries: each list in order of at_ms */
    struct idlist waiting; /* time_wait in order of at_ms                                 */
    struct returned returned;
    /* Frames of hf_output not done: chunks freed meanwhile wait in limbo. */
    uint64_t next_token, done_token; /* both start at 1; those below done_token are done   */
    uint64_t done_offset; /* bitmap of max_tokens                                        */
    uint32_t max_tokens;
    struct returned limbo; /* chunks, by chunk.next                                       */
    uint32_t max_fast_peers;
    uint64_t secret_offset;     /* struct tcp_secret                                          */
    uint64_t fast_keys_offset;  /* struct fast_keys of each listener                            */
    uint64_t fast_peers_offset; /* struct fast_peer[max_fast_peers] */
    /* Bookkeeping, from here on to the end */
    _Alignas(8) uint64_t history_offset;
    uint32_t history_size, history_serial;
    uint64_t history_gone; /* events before number 1, which comes again each 2^32 or so */
    uint64_t verdicts[HF_VERDICT_COUNT];
    uint64_t segs_in, segs_out, retransmitted, opened_active, opened_passive, replies_dropped,
        initial_windows_lost;
    uint64_t stats_missed;
    uint64_t sents_short, undone, copies_differ; /* hf_counters */
#ifdef HF_ASSERTIONS
    struct work work;
#endif
};

/* RFC 7413 4.1.2: what Fast Open cookies are made with (the first) and taken of (both). */
struct fast_keys {
    struct sip_key key[2];
    uint32_t n;
};

/* What was hashed last, IPv4 only: segments and calls of one connection come in rows. */
struct hash_memo {
    uint64_t hosts;
    uint32_t ports;
    uint32_t table;  /* valid: table_known; the flow table's                        */
    uint64_t ts;     /* valid: ts_known; tcp_offsets'                               */
    uint64_t prefix; /* backlog.c: of this network and listener (0: none was)       */
    uint32_t listener;
    uint32_t backlog;
    uint8_t table_known, ts_known;
};

struct tcp_secret {
    struct sip_key table, isn, port, ts, cookie_mac, reset;
    uint32_t port_next; /* of a small range */
    struct rng rng;
    struct fast_keys fast;
    struct hash_memo memo;
};

/* Where a segment's text may be kept instead of being copied. */
struct lent_text {
    uint32_t lent;   /* struct lent, 0: copy                                               */
    uint64_t offset; /* of text[0] in its region                                           */
};

struct tcp {
    struct tcp_block *b;
    void *block; /* the stack's first octet: what pools count from           */
    const struct hf_env *env;
    /* Where record 0 would lie, and record i is i on: what each segment looks for. */
    struct tcb *tcbs;
    struct active *actives;
    struct tally *tallies;
    uint32_t now_ms, now_us;
    uint32_t now_wraps;     /* times now_ms has come round                              */
    struct lent_text lent;  /* of the segment under way                                 */
    uint32_t placed;        /* octets of its text that lie in the receive queue already */
    uint32_t parts;         /* segments that tcp_output may make at once, for the stack to cut */
    uint32_t link_mtu;      /* of the interface that what tcp_output makes will leave by       */
    struct hf_trace before; /* the record under way (trace.c)                           */
    struct ack_news news;   /* valid while an ACK or a timer is under way               */
    struct tally no_tally;  /* of scratch copies: thrown away */
    uint8_t no_fast;        /* ... FAST_OPTION, FAST_EXP: of the SYN,ACK to come */
    uint8_t iface;          /* where the segment under way came in or goes out (trace.c) */
    struct ecn no_ecn;      /* the same */
    struct stats no_stats;  /* of those that have none: the same */
};

/* What tcp_output has made. */
struct tcp_out {
    struct conn_id id;
    struct segment seg; /* header fields; wnd as it goes into the header            */
    uint8_t ttl, tos;
    bool may_fragment; /* IPv4: no DF                                               */
    bool cut;          /* ... by the stack: each segment is a frame of its own            */
    uint16_t gso_size; /* text is to be cut into segments of this many octets, 0: no */
    uint32_t text_len;
    uint32_t n_slices;
    struct hf_slice slice[HF_SLICES_MAX];
};

/* Internal outcomes beside enum hf_verdict. */
enum { V_PROMOTE = HF_VERDICT_COUNT };

static inline bool ms_due(uint32_t at_ms, uint32_t now_ms)
{
    return at_ms != 0 && (int32_t)(now_ms - at_ms) >= 0;
}

/* The earlier of two deadlines, of which 0 is none. */
static inline uint32_t ms_earlier(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0) {
        return a | b;
    }
    return (int32_t)(a - b) < 0 ? a : b;
}

static inline uint32_t ms_later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0 ? b : a;
}

/* A deadline that is never 0. */
static inline uint32_t ms_after(uint32_t now_ms, uint32_t ms)
{
    uint32_t at_ms = now_ms + ms;
    return at_ms ? at_ms : 1;
}

static inline void tcp_look_at(struct tcp *tcp, struct tcp_block *b, void *block)
{
    uint8_t *first = block;
    tcp->b = b;
    tcp->block = block;
    tcp->tcbs = (struct tcb *)(first + b->tcbs.offset) - 1;
    tcp->actives = (struct active *)(first + b->actives.offset) - 1;
    tcp->tallies = (struct tally *)(first + b->tally_offset) - 1;
}

static inline struct tcb *tcb_at(const struct tcp *tcp, uint32_t idx)
{
    pool_looks(&tcp->b->tcbs, idx);
    return tcp->tcbs + idx;
}

static inline struct tally *tally_at(const struct tcp *tcp, uint32_t idx)
{
    return tcp->tallies + idx;
}

static inline struct listener *listener_at(const struct tcp *tcp, uint32_t idx)
{
    return (struct listener *)pool_first(&tcp->b->listeners, tcp->block, idx) + (idx - 1);
}

/* The attached active record, or NULL. */
static inline struct active *active_of(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t idx = tcb->active;
    if (idx == 0) {
        return NULL;
    }
    pool_looks(&tcp->b->actives, idx);
    return tcp->actives + idx;
}

static inline struct range *range_at(const struct tcp *tcp, uint32_t idx)
{
    return (struct range *)pool_first(&tcp->b->ranges, tcp->block, idx) + (idx - 1);
}

static inline struct sent *sent_at(const struct tcp *tcp, uint32_t idx)
{
    return (struct sent *)pool_first(&tcp->b->sents, tcp->block, idx) + (idx - 1);
}

static inline struct tcp_secret *secret_of(const struct tcp *tcp)
{
    return (struct tcp_secret *)((uint8_t *)tcp->block + tcp->b->secret_offset);
}

/* The number of a tcb in its pool; 0 for a scratch copy (F_COMPACT). */
static inline uint32_t tcb_index(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcb->flags & F_COMPACT ? 0 : (uint32_t)(tcb - tcp->tcbs);
}

/* Its tally; a scratch copy has a throw-away one. */
static inline struct tally *tally_of(struct tcp *tcp, const struct tcb *tcb)
{
    return tcb->flags & F_COMPACT ? &tcp->no_tally : tally_at(tcp, tcb_index(tcp, tcb));
}

/* Our SYN is not acknowledged yet.  SND.UNA comes to ISS again after 2^32 octets. */
static inline bool tcp_syn_is_out(const struct tcp *tcp, const struct tcb *tcb)
{
    return seq_eq(tcb->snd.una, tcb->iss) &&
           ((tcb->flags & F_COMPACT) || tally_at(tcp, tcb_index(tcp, tcb))->una_wraps == 0);
}

/* The first number of text that is not acknowledged. */
static inline seq_t tcp_text_una(const struct tcp *tcp, const struct tcb *tcb)
{
    return tcp_syn_is_out(tcp, tcb) ? seq_add(tcb->iss, 1) : tcb->snd.una;
}

#endif
