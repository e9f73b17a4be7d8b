/* check.h - the parts of hf_check, in the order in which they run.
 *
 *     check.c              layout, pools, marks; what each record is claimed by
 *     check_connections.c  full, half-open and waiting records; flow table, wheel, lists
 *     check_active.c       what is attached while text is under way: queues, transmissions, ranges
 *     check_tables.c       listeners, packets, sockets, datagrams in parts, the small arrays
 *
 * A record has a mark, a bit that is set once: by the free list of its pool or by its one owner.
 * The second who claims it is a flaw, and so is a record that nobody has claimed at the end.
 * Each function returns false once a flaw is noted; then nothing else is looked at.
 */
#ifndef STACK_CHECK_H
#define STACK_CHECK_H

#include "handfast/check.h"
#include "stack/stack.h"

/* The pools: kinds of records. */
enum check_kind {
    CHECK_TCBS,
    CHECK_ACTIVES,
    CHECK_EXTS,
    CHECK_EXTRAS,
    CHECK_ECNS,
    CHECK_STATS,
    CHECK_HALVES,
    CHECK_WAITS,
    CHECK_LISTENERS,
    CHECK_RANGES,
    CHECK_SENTS,
    CHECK_SMALL,
    CHECK_LARGE,
    CHECK_PIECES,
    CHECK_LENTS,
    CHECK_PACKETS,
    CHECK_UDPS,
    CHECK_KINDS,
    CHECK_STACK = CHECK_KINDS, /* no record: the stack as a whole */
};

struct check {
    struct stack st;
    const struct hf_stack *s;
    const struct tcp_block *b;
    const struct pool *pools[CHECK_KINDS];
    uint8_t *marks;
    uint64_t first_mark[CHECK_KINDS]; /* the bit of record 1 */
    struct hf_flaw *flaw;             /* NULL: nobody wants to know */
    /* Sums over records, to be compared with what lists and counters say. */
    uint32_t open;                   /* full records that are not CLOSED */
    uint32_t wanting;                /* ... in the wheel, by their links */
    uint32_t owing, telling, queued; /* ... in the lists of the stack, in a listener's, by flags */
    uint32_t singles, senders;       /* ... with one transmission, with any */
    uint32_t half_open;              /* whose listener is still there */
    uint32_t in_queues, asked;       /* in the listeners' queues; of these, held SYNs */
    uint32_t unread;                 /* in the queues of UDP sockets */
    uint64_t counted_half;           /* what all listeners count as half-open */
    uint64_t orphans, orphan_bytes;  /* released, not in TIME-WAIT; their text */
};

/* check.c */
/* Notes the flaw; false.  is, expected: 0 where there are no numbers to tell. */
bool check_flaw(const struct check *c, enum hf_invariant invariant, enum check_kind kind,
                uint32_t number, int64_t is, int64_t expected);
/* One of them: false notes a flaw of this record. */
static inline bool check_that(const struct check *c, bool holds, enum hf_invariant invariant,
                              enum check_kind kind, uint32_t number)
{
    return holds || check_flaw(c, invariant, kind, number, 0, 0);
}
static inline bool check_equal(const struct check *c, int64_t is, int64_t expected,
                               enum hf_invariant invariant, enum check_kind kind, uint32_t number)
{
    return is == expected || check_flaw(c, invariant, kind, number, is, expected);
}
static inline const struct pool *check_pool(const struct check *c, enum check_kind kind)
{
    return c->pools[kind];
}
/* Is there such a record, used at some time? */
static inline bool check_known(const struct check *c, enum check_kind kind, uint32_t idx)
{
    return idx != 0 && idx <= check_pool(c, kind)->top;
}
bool check_marked(const struct check *c, enum check_kind kind, uint32_t idx);
/* Its record, once and for all; it must be known. */
bool check_claim(struct check *c, enum check_kind kind, uint32_t idx);
/* A known record, by number. */
const void *check_at(const struct check *c, enum check_kind kind, uint32_t idx);
/* The list is sound; *n records are in it. */
bool check_list(const struct check *c, const struct idlist *list, enum check_kind kind,
                uint32_t link_offset, uint32_t *n);
/* A number of a chunk -> the pool and the number there; false: there is none. */
bool check_chunk(const struct check *c, uint32_t idx, enum check_kind *kind, uint32_t *local);
/* Claims a chain from head to tail (NULL: who owns it keeps no tail).  *octets: what it holds,
 * *cost: the memory it takes.  A flaw in it is one of `kind`, `number`, its owner. */
bool check_chain(struct check *c, uint32_t head, const uint32_t *tail, uint64_t *octets,
                 uint64_t *cost, enum check_kind kind, uint32_t number);

/* check_connections.c */
bool check_connections(struct check *c);
/* check_active.c: of this connection, which is known. */
bool check_active(struct check *c, uint32_t idx, const struct tcb *tcb);
/* check_tables.c */
bool check_listeners(struct check *c);
bool check_tables(struct check *c);

#endif
