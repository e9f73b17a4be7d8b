/* pool.h - records of one size in the block: allocated in constant time, touched only when used.
 *
 * Records are numbered 1 .. max, 0 is none.  Never-used records lie above `top`, the high-water
 * mark; freed ones are kept in a LIFO list, so that the warm ones are used again first.  The first
 * four octets of a free record link it to the next; nothing else of it is written.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/links.h"

struct pool {
    uint64_t offset; /* of record 1 in the block                    */
    uint32_t size;   /* octets a record, a multiple of 4            */
    uint32_t max;    /* records there may be                        */
    uint32_t top;    /* highest record ever used                    */
    uint32_t free_head;
    uint32_t used; /* records out now                             */
    uint32_t peak; /* the most that were out at once              */
#ifdef HF_ASSERTIONS
    uint64_t touched;   /* times a record was looked at ...              */
    uint64_t changed;   /* ... another one than the time before ...      */
    uint32_t last;      /* ... which was this                            */
    uint32_t refuse_in; /* tests: this allocation from now on fails ...  */
    uint32_t refuse_n;  /* ... and as many in all; 0: none               */
#endif
};

void pool_init(struct pool *pool, uint64_t offset, uint32_t size, uint32_t max);

/* A record, its contents unspecified; 0 when all are out (or a test says so). */
uint32_t pool_alloc(struct pool *pool, void *block);
/* The same where whoever asks has seen to it that one is left: no test refuses it. */
uint32_t pool_alloc_promised(struct pool *pool, void *block);
void pool_free(struct pool *pool, void *block, uint32_t idx);
/* All n records of a list, first to last, whose links are the first four octets of each. */
void pool_free_list(struct pool *pool, void *block, uint32_t first, uint32_t last, uint32_t n);

/* A lookup changes no record and no pool, as far as anybody but a test can see. */
static inline void pool_count(const struct pool *pool, uint32_t idx)
{
#ifdef HF_ASSERTIONS
    struct pool *counts = (struct pool *)(uintptr_t)pool;
    counts->touched++;
    counts->changed += idx != counts->last;
    counts->last = idx;
#endif
    (void)pool;
    (void)idx;
}

/* Who knows where the records lie looks at this one. */
static inline void pool_looks(const struct pool *pool, uint32_t idx)
{
    HF_ASSERT(idx >= 1 && idx <= pool->top);
    pool_count(pool, idx);
}

/* Record 1, for who knows the type: record idx, which is to be looked at, is idx - 1 behind it. */
static inline void *pool_first(const struct pool *pool, void *block, uint32_t idx)
{
    pool_looks(pool, idx);
    return (uint8_t *)block + pool->offset;
}

static inline void *pool_at(const struct pool *pool, void *block, uint32_t idx)
{
    pool_looks(pool, idx);
    return (uint8_t *)block + pool->offset + (uint64_t)(idx - 1) * pool->size;
}

static inline const void *pool_at_const(const struct pool *pool, const void *block, uint32_t idx)
{
    HF_ASSERT(idx >= 1 && idx <= pool->top);
    pool_count(pool, idx);
    return (const uint8_t *)block + pool->offset + (uint64_t)(idx - 1) * pool->size;
}

/* What the pool takes when all its records are in use. */
static inline uint64_t pool_bytes(const struct pool *pool)
{
    return (uint64_t)pool->size * pool->max;
}

/* For wheel.h and list.h: the link that lies link_offset octets into each record. */
static inline struct links pool_links(const struct pool *pool, void *block, uint32_t link_offset)
{
    return (struct links){block, pool->offset, pool->size, link_offset};
}

#endif
