/* checksum_blocks.h - RFC 1071's sum over whole blocks, for registers as wide as the including file
 * is compiled for: checksum.c, and checksum_avx2.c, its twin.
 */
#ifndef BASE_CHECKSUM_BLOCKS_H
#define BASE_CHECKSUM_BLOCKS_H

#include <string.h>

#include "base/checksum.h"

/* Lanes of 64 bits: the compiler makes vector code of it where there is any, and plain code where
 * not.  Four times as fast as a loop over 64-bit words at -O2. */
#ifdef __AVX2__
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif
typedef uint64_t lanes_t __attribute__((vector_size(8 * LANES)));

enum { BLOCK_OCTETS = 2 * sizeof(lanes_t) };

/* Adds the two 32-bit halves of each lane; a macro, since to pass vectors is no part of every ABI.
 */
#define ADD_HALVES(sum, v) ((sum) += ((v)&low_halves) + ((v) >> 32))

static inline csum_t add_blocks(csum_t sum, const uint8_t *p, size_t n)
{
    const lanes_t low_halves = (lanes_t){0} + 0xffffffff;
    lanes_t even = {0}, odd = {0}, a, b;
    for (size_t i = 0; i + BLOCK_OCTETS <= n; i += BLOCK_OCTETS) {
        memcpy(&a, p + i, sizeof a);
        memcpy(&b, p + i + sizeof a, sizeof b);
        ADD_HALVES(even, a);
        ADD_HALVES(odd, b);
    }
    even += odd;
    for (unsigned i = 0; i < LANES; i++) {
        sum += even[i];
    }
    return sum;
}

static inline csum_t copy_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
    const lanes_t low_halves = (lanes_t){0} + 0xffffffff;
    lanes_t even = {0}, odd = {0}, a, b;
    for (size_t i = 0; i + BLOCK_OCTETS <= n; i += BLOCK_OCTETS) {
        memcpy(&a, from + i, sizeof a);
        memcpy(&b, from + i + sizeof a, sizeof b);
        memcpy(to + i, &a, sizeof a);
        memcpy(to + i + sizeof a, &b, sizeof b);
        ADD_HALVES(even, a);
        ADD_HALVES(odd, b);
    }
    even += odd;
    csum_t sum = 0;
    for (unsigned i = 0; i < LANES; i++) {
        sum += even[i];
    }
    return sum;
}

#endif
