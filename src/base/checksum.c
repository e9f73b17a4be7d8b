/* checksum.c - RFC 1071 (sum), RFC 1624 (update).
 *
 * The sum is kept in the machine's byte order over 32-bit words in a 64-bit accumulator, which
 * cannot overflow before 2^32 words; swapping happens once, when it is folded.
 */
#include "base/checksum.h"

#include "base/bytes.h"
#include "base/checksum_blocks.h"

static csum_t add_word(csum_t sum, const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return sum + w;
}

/* The last 0..31 octets, as if zeros followed. */
static csum_t add_tail(csum_t sum, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        sum += (w & 0xffffffff) + (w >> 32);
    }
    if (n >= 4) {
        sum = add_word(sum, p);
        n -= 4;
        p += 4;
    }
    if (n > 0) {
        uint8_t last[4] = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0};
        sum = add_word(sum, last);
    }
    return sum;
}

/* Keeps a sum that has been added to others far from overflow. */
static csum_t tame(csum_t sum)
{
    return (sum & 0xffffffff) + (sum >> 32);
}

csum_t csum_add(csum_t sum, const void *p, size_t n)
{
    const uint8_t *octets = p;
    size_t whole = n / BLOCK_OCTETS * BLOCK_OCTETS;
    sum = tame(sum);
    if (whole != 0) {
        sum = add_blocks(sum, octets, whole);
    }
    return add_tail(sum, octets + whole, n - whole);
}

static uint16_t fold_native(csum_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 1071 section 2 (B): a part one octet off has the same sum with its octets swapped. */
csum_t csum_join(csum_t sum, csum_t part, unsigned odd)
{
    return tame(sum) + (odd ? __builtin_bswap16(fold_native(part)) : tame(part));
}

csum_t csum_add_at(csum_t sum, const void *p, size_t n, unsigned odd)
{
    return odd ? csum_join(sum, csum_add(0, p, n), odd) : csum_add(sum, p, n);
}

csum_t csum_copy(void *restrict dst, const void *restrict src, size_t n, csum_t sum)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    size_t whole = n / BLOCK_OCTETS * BLOCK_OCTETS;
    sum = tame(sum) + copy_blocks(to, from, whole);
    memcpy(to + whole, from + whole, n - whole);
    return add_tail(sum, from + whole, n - whole);
}

csum_t csum_add_wide(uint32_t simd, csum_t sum, const void *p, size_t n)
{
    if (n < CSUM_WIDE_LEAST || !(simd & CSUM_AVX2)) {
        return csum_add(sum, p, n);
    }
    size_t whole = n / CSUM_WIDE_LEAST * CSUM_WIDE_LEAST;
    sum = csum_avx2_blocks(tame(sum), p, whole);
    return csum_add(sum, (const uint8_t *)p + whole, n - whole);
}

csum_t csum_copy_wide(uint32_t simd, void *restrict dst, const void *restrict src, size_t n,
                      csum_t sum)
{
    if (n < CSUM_WIDE_LEAST || !(simd & CSUM_AVX2)) {
        return csum_copy(dst, src, n, sum);
    }
    size_t whole = n / CSUM_WIDE_LEAST * CSUM_WIDE_LEAST;
    sum = tame(sum) + csum_avx2_copy_blocks(dst, src, whole);
    return csum_copy((uint8_t *)dst + whole, (const uint8_t *)src + whole, n - whole, sum);
}

/* RFC1071-1 */
uint16_t csum_fold(csum_t sum)
{
    uint16_t folded = fold_native(sum);
    return get_be16(&folded);
}

/* What stands behind the addresses: zeros, protocol and length, each as 32 bits. */
static csum_t add_rest(csum_t sum, uint8_t proto, uint32_t len)
{
    uint8_t rest[8] = {0};
    put_be32(rest, len);
    rest[7] = proto;
    return add_word(add_word(sum, rest), rest + 4);
}

csum_t csum_pseudo4(const uint8_t src[4], const uint8_t dst[4], uint8_t proto, uint32_t len)
{
    return add_rest(add_word(add_word(0, src), dst), proto, len);
}

csum_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len)
{
    csum_t sum = 0;
    for (size_t i = 0; i < 16; i += 4) {
        sum = add_word(add_word(sum, src + i), dst + i);
    }
    return add_rest(sum, proto, len);
}

/* RFC1624-1 */
uint16_t csum_update(uint16_t old_csum, uint16_t old16, uint16_t new16)
{
    uint32_t sum = (uint32_t)(uint16_t)~old_csum + (uint16_t)~old16 + new16;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
