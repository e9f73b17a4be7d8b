/* checksum_avx2.c - RFC 1071's sum by registers of 256 bits.  The whole file is compiled for AVX2
 * where the compiler knows it (a function alone is not: it was five times slower); elsewhere it is
 * the plain loop.  Who calls it knows that the processor has it.
 */
#include "base/checksum_blocks.h"

csum_t csum_avx2_blocks(csum_t sum, const uint8_t *p, size_t n)
{
    return add_blocks(sum, p, n);
}

csum_t csum_avx2_copy_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
    return copy_blocks(to, from, n);
}
