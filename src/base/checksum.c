/* checksum.c - RFC 1071 (sum), RFC 1624 (update).
 *
 * The sum is kept in the machine's byte order over 32-bit words in a 64-bit accumulator, which
 * cannot overflow before 2^32 words; swapping happens once, when it is folded.
 */
#include "base/checksum.h"

#include "base/bytes.h"

/* Words of 64 bits: the loop the compiler turns into vector code where it may. */
static csum_t add_words(csum_t sum, const uint8_t *p, size_t words)
{
    uint64_t low = 0, high = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t w;
        memcpy(&w, p + 8 * i, 8);
        low += (uint32_t)w;
        high += w >> 32;
    }
    return sum + low + high;
}

/* The last 0..7 octets, as if zeros followed. */
static csum_t add_tail(csum_t sum, const uint8_t *p, size_t n)
{
    uint64_t w = 0;
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)&w)[i] = p[i];
    }
    return sum + (uint32_t)w + (w >> 32);
}

/* Keeps a sum that has been added to others far from overflow. */
static csum_t tame(csum_t sum)
{
    return (sum & 0xffffffff) + (sum >> 32);
}

csum_t csum_add(csum_t sum, const void *p, size_t n)
{
    const uint8_t *octets = p;
    sum = add_words(tame(sum), octets, n / 8);
    return add_tail(sum, octets + n / 8 * 8, n % 8);
}

static uint16_t fold_native(csum_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

csum_t csum_add_at(csum_t sum, const void *p, size_t n, unsigned odd)
{
    if (odd == 0) {
        return csum_add(sum, p, n);
    }
    /* RFC 1071 section 2 (B): a part one octet off has the same sum with its octets swapped. */
    return tame(sum) + __builtin_bswap16(fold_native(csum_add(0, p, n)));
}

csum_t csum_copy(void *restrict dst, const void *restrict src, size_t n, csum_t sum)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    uint64_t low = 0, high = 0;
    size_t words = n / 8;
    for (size_t i = 0; i < words; i++) {
        uint64_t w;
        memcpy(&w, from + 8 * i, 8);
        memcpy(to + 8 * i, &w, 8);
        low += (uint32_t)w;
        high += w >> 32;
    }
    sum = tame(sum) + low + high;
    if (n % 8 != 0) {
        memcpy(to + 8 * words, from + 8 * words, n % 8);
        sum = add_tail(sum, from + 8 * words, n % 8);
    }
    return sum;
}

uint16_t csum_fold(csum_t sum)
{
    uint16_t folded = fold_native(sum);
    return get_be16(&folded);
}

csum_t csum_pseudo4(const uint8_t src[4], const uint8_t dst[4], uint8_t proto, uint32_t len)
{
    uint8_t rest[8] = {0};
    put_be32(rest, len);
    rest[7] = proto;
    return csum_add(csum_add(csum_add(0, src, 4), dst, 4), rest, sizeof rest);
}

csum_t csum_pseudo6(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, uint32_t len)
{
    uint8_t rest[8] = {0};
    put_be32(rest, len);
    rest[7] = proto;
    return csum_add(csum_add(csum_add(0, src, 16), dst, 16), rest, sizeof rest);
}

uint16_t csum_update(uint16_t old_csum, uint16_t old16, uint16_t new16)
{
    uint32_t sum = (uint32_t)(uint16_t)~old_csum + (uint16_t)~old16 + new16;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
