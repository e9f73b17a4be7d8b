/* bytes.h - numbers in memory by byte order, and the few macros that everything uses. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A broken invariant stops the program where assertions are built in (tests, simulator, debug);
 * elsewhere the condition is compiled but never evaluated.  Bad input is never an assertion. */
#ifdef HF_ASSERTIONS
#define HF_ASSERT(x)                                                                               \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)
#else
#define HF_ASSERT(x) ((void)sizeof(!(x)))
#endif

/* Work is counted where assertions are built in, in the structures it is done to, so that a test
 * can tell whether the cost of a call grows; elsewhere there are no such counters. */
#ifdef HF_ASSERTIONS
#define HF_COUNT(counter, n) ((counter) += (n))
#else
#define HF_COUNT(counter, n) ((void)0)
#endif

/* Of a function that hardly ever runs: its code is kept out of those that call it. */
#define HF_RARELY __attribute__((noinline, cold))
/* The same of one that runs now and then, and whose frame those who mostly do without need not make
 * and check. */
#define HF_APART __attribute__((noinline))

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BYTES_BIG_ENDIAN 1
#else
#define BYTES_BIG_ENDIAN 0
#endif

static inline uint16_t get_be16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? v : __builtin_bswap16(v);
}

static inline uint32_t get_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? v : __builtin_bswap32(v);
}

static inline uint64_t get_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? v : __builtin_bswap64(v);
}

static inline uint16_t get_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? __builtin_bswap16(v) : v;
}

static inline uint32_t get_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? __builtin_bswap32(v) : v;
}

static inline uint64_t get_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_BIG_ENDIAN ? __builtin_bswap64(v) : v;
}

static inline void put_be16(void *p, uint16_t v)
{
    v = BYTES_BIG_ENDIAN ? v : __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}

static inline void put_be32(void *p, uint32_t v)
{
    v = BYTES_BIG_ENDIAN ? v : __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline void put_be64(void *p, uint64_t v)
{
    v = BYTES_BIG_ENDIAN ? v : __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

static inline void put_le16(void *p, uint16_t v)
{
    v = BYTES_BIG_ENDIAN ? __builtin_bswap16(v) : v;
    memcpy(p, &v, sizeof v);
}

static inline void put_le32(void *p, uint32_t v)
{
    v = BYTES_BIG_ENDIAN ? __builtin_bswap32(v) : v;
    memcpy(p, &v, sizeof v);
}

static inline void put_le64(void *p, uint64_t v)
{
    v = BYTES_BIG_ENDIAN ? __builtin_bswap64(v) : v;
    memcpy(p, &v, sizeof v);
}

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounded down, also below zero: a clock that passes its zero does not jump. */
static inline int64_t div_down(int64_t a, int64_t by)
{
    return a < 0 ? (a + 1) / by - 1 : a / by;
}

#endif
