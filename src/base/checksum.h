/* checksum.h - the Internet checksum, RFC 1071, and its update, RFC 1624.
 *
 * A csum_t is a sum under way.  It starts as 0, parts are added to it in any order, and csum_fold
 * or csum_finish make the 16 bits of it, to be stored with put_be16.  Its inner byte order is the
 * machine's (RFC 1071 section 2 (B)): never look into it, but adding two of them is allowed.
 */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t csum_t;

/* Adds n octets that begin at an even offset of what is summed.  A part of odd length may only be
 * the last one, or be followed by csum_add_at with odd = 1. */
csum_t csum_add(csum_t sum, const void *p, size_t n);

/* The same for a part that begins at an even (odd = 0) or odd (odd = 1) offset. */
csum_t csum_add_at(csum_t sum, const void *p, size_t n, unsigned odd);

/* The sum of both, `part` being of what begins at an even (odd = 0) or odd (odd = 1) offset. */
csum_t csum_join(csum_t sum, csum_t part, unsigned odd);

/* Copies n octets and adds them in the same pass; offset as for csum_add; no overlap. */
csum_t csum_copy(void *restrict dst, const void *restrict src, size_t n, csum_t sum);

/* The same two by wider registers where the processor has them; simd: CSUM_*, 0 is always right. */
enum { CSUM_AVX2 = 1u << 1, CSUM_WIDE_LEAST = 64 }; /* as HF_SIMD_AVX2; octets a turn */
csum_t csum_add_wide(uint32_t simd, csum_t sum, const void *p, size_t n);
csum_t csum_copy_wide(uint32_t simd, void *restrict dst, const void *restrict src, size_t n,
                      csum_t sum);
/* checksum_avx2.c: n is a multiple of CSUM_WIDE_LEAST */
csum_t csum_avx2_blocks(csum_t sum, const uint8_t *p, size_t n);
csum_t csum_avx2_copy_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t n);

/* The one's complement sum, not complemented: what a "needs checksum" field holds. */
uint16_t csum_fold(csum_t sum);

static inline uint16_t csum_finish(csum_t sum)
{
    return (uint16_t)~csum_fold(sum);
}

/* Pseudo headers: RFC 9293 section 3.1 and RFC 8200 section 8.1.  len: header and payload. */
csum_t csum_pseudo4(const uint8_t src[4], const uint8_t dst[4], uint8_t proto, uint32_t len);
csum_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len);

/* The checksum after one aligned 16-bit field changed, RFC 1624 section 3, equation 3. */
uint16_t csum_update(uint16_t old_csum, uint16_t old16, uint16_t new16);

#endif
