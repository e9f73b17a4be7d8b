/* seq.h - sequence numbers, RFC 9293 section 3.4.
 *
 * A struct, so that writing a < b is a compile error rather than a bug that waits for the wrap.
 * Comparison is by signed difference: it is meaningful for numbers less than 2^31 apart.
 */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} seq_t;

static inline seq_t seq(uint32_t v)
{
    return (seq_t){v};
}

static inline seq_t seq_add(seq_t a, uint32_t n)
{
    return seq(a.v + n);
}

static inline seq_t seq_sub(seq_t a, uint32_t n)
{
    return seq(a.v - n);
}

/* a - b: negative when a lies before b. */
static inline int32_t seq_diff(seq_t a, seq_t b)
{
    return (int32_t)(a.v - b.v);
}

/* Octets from `from` up to, not including, `to`. */
static inline uint32_t seq_len(seq_t from, seq_t to)
{
    return to.v - from.v;
}

/* */
static inline bool seq_lt(seq_t a, seq_t b)
{
    return seq_diff(a, b) < 0;
}

static inline bool seq_leq(seq_t a, seq_t b)
{
    return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(seq_t a, seq_t b)
{
    return seq_diff(a, b) > 0;
}

static inline bool seq_geq(seq_t a, seq_t b)
{
    return seq_diff(a, b) >= 0;
}

static inline bool seq_eq(seq_t a, seq_t b)
{
    return a.v == b.v;
}

static inline seq_t seq_max(seq_t a, seq_t b)
{
    return seq_lt(a, b) ? b : a;
}

static inline seq_t seq_min(seq_t a, seq_t b)
{
    return seq_lt(a, b) ? a : b;
}

/* left <= x < left + len, for any len up to 2^32 - 1. */
static inline bool seq_in(seq_t x, seq_t left, uint32_t len)
{
    return seq_len(left, x) < len;
}

#endif
