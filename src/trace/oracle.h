/* oracle.h - inside the oracle: how it remembers a connection, and what its files say to each
 * other.
 *
 *     oracle.c          which connection a record is about; the table
 *     oracle_states.c   Figure 5, user calls, timers                 (RFC 9293 3.10.1-6, 3.10.8)
 */
#ifndef TRACE_ORACLE_H
#define TRACE_ORACLE_H

#include <string.h>

#include "handfast/oracle.h"

enum { MS = 1000000, LATE_MS = 2 }; /* LATE_MS: the stack counts in ticks of a millisecond */

/* What is known of a connection: bits of watched.facts. */
enum {
    KNOWS_NUMBERS = 1u << 0, /* SND and RCV variables                                 */
    PASSIVE = 1u << 1,       /* it began with the peer's SYN                          */
    RELEASED = 1u << 2,      /* no application holds it                               */
    CLOSE_CALLED = 1u << 3,  /* the application has said CLOSE                        */
    MAY_VANISH = 1u << 4,    /* the next record may find it gone: it cannot tell why  */
};

/* A connection as the oracle has it: after its last record. */
struct watched {
    uint8_t local[16], remote[16];
    uint16_t lport, rport;
    uint8_t state; /* enum hf_state */
    uint8_t used;
    uint32_t facts;
    uint32_t next;         /* in its chain, or of those that are free            */
    uint32_t newer, older; /* among those that are closed, which may be forgotten */
    uint64_t handle;       /* 0: none, or none any more                          */
    int64_t begun_ns;      /* when it was first seen                             */
    int64_t wait_ns;       /* TIME-WAIT: since when it waits                     */
    uint32_t iss, irs, una, nxt, rcv_nxt;
};

struct hf_oracle {
    uint64_t bytes;
    struct hf_policy policy;
    int64_t late_ns;
    uint64_t records, segments, connections, violations, unknown;
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

/* oracle.c: the record breaks a rule; the first that is said counts. */
__attribute__((format(printf, 3, 4))) void oracle_broken(struct judging *j, enum hf_rule rule,
                                                         const char *format, ...);

/* oracle_states.c */
void oracle_judge_state(struct judging *j);
void oracle_judge_call(struct judging *j);
void oracle_judge_timer(struct judging *j);

#endif
