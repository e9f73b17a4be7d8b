/* flowtab.h - the flow table: linear hashing (Litwin 1980) over buckets of one cache line.
 *
 * It maps a keyed 32-bit hash to 32-bit values.  Keys stay in the records: the caller walks the
 * values whose hash is equal and compares.  A bucket holds seven pairs; what does not fit goes to
 * overflow lines.  The table grows and shrinks by one bucket at a time, without reading a record,
 * so that there is never a pause; 5.5 pairs a bucket on the average.
 *
 *     bucket:  hash x 7 | over | value x 7 | n        over: next overflow line, 0: none
 *
 * All but the last line of a chain are full.  From that follows the worst case, whatever the
 * hashes: n pairs need at most (n - 1) / 7 overflow lines.  That much is set aside, so an insert
 * fails only when max_entries are in.
 */
#ifndef BASE_FLOWTAB_H
#define BASE_FLOWTAB_H

#include <stdbool.h>
#include <stdint.h>

struct flowtab {
    uint64_t bucket_offset; /* of bucket 0 in the block         */
    uint64_t over_offset;   /* of overflow line 1               */
    uint32_t buckets;       /* in use                           */
    uint32_t mask;          /* 2^k - 1 >= buckets - 1           */
    uint32_t count;         /* pairs                            */
    uint32_t over_top;      /* highest overflow line ever used  */
    uint32_t over_free;     /* list of freed ones               */
    uint32_t over_used;
    uint32_t max_buckets, max_over;
    uint32_t max_entries;
#ifdef HF_ASSERTIONS
    uint64_t probed; /* lines looked at, or written      */
#endif
};

/* A lookup under way; valid until the table changes. */
struct flow_probe {
    const void *line;
    uint32_t hash;
    uint32_t hits; /* slots of this line yet to be looked at   */
};

/* Octets for a table of max_entries (1 .. 2^31): 64 for up to five. */
uint64_t flowtab_bytes(uint32_t max_entries);

/* offset: a multiple of 4; of 64 for speed.  Only the first bucket is touched. */
void flowtab_init(struct flowtab *t, void *block, uint64_t offset, uint32_t max_entries);

/* value: not 0.  The same pair may be in twice; nothing checks it.  False when full. */
bool flowtab_insert(struct flowtab *t, void *block, uint32_t hash, uint32_t value);

/* False when there is no such pair. */
bool flowtab_remove(struct flowtab *t, void *block, uint32_t hash, uint32_t value);
bool flowtab_replace(struct flowtab *t, void *block, uint32_t hash, uint32_t old_value,
                     uint32_t new_value);

/* The values whose whole hash is equal, one by one in no certain order, then 0. */
uint32_t flowtab_first(const struct flowtab *t, const void *block, uint32_t hash,
                       struct flow_probe *probe);
uint32_t flowtab_next(const struct flowtab *t, const void *block, struct flow_probe *probe);

/* For who checks the block: all lines are in a chain or free, all pairs where they are looked for,
 * and counted. */
bool flowtab_sound(const struct flowtab *t, const void *block);
/* Is this pair in a sound table?  It counts as no lookup. */
bool flowtab_holds(const struct flowtab *t, const void *block, uint32_t hash, uint32_t value);

/* Fetches the bucket ahead of a lookup. */
void flowtab_prefetch(const struct flowtab *t, const void *block, uint32_t hash);
/* A value of this hash in the bucket's first line, 0: none.  A guess: it counts as no lookup. */
uint32_t flowtab_glance(const struct flowtab *t, const void *block, uint32_t hash);

#endif
