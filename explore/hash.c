/* hash.c - 128 bits of any octets, not against an adversary: MurmurHash3_x64_128 with its two
 * lanes, as Austin Appleby put it into the public domain.
 */
#include "side.h"

#include <string.h>

static uint64_t turn(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t mix(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

static const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;

void hash_128(const void *data, uint64_t len, uint64_t out[2])
{
    const uint8_t *at = data;
    uint64_t h1 = 0, h2 = 0;
    for (uint64_t left = len; left > 0;) {
        uint64_t k[2] = {0};
        uint64_t n = left < sizeof k ? left : sizeof k;
        memcpy(k, at, (size_t)n);
        h1 ^= turn(k[0] * c1, 31) * c2;
        h1 = (turn(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= turn(k[1] * c2, 33) * c1;
        h2 = (turn(h2, 31) + h1) * 5 + 0x38495ab5;
        at += n;
        left -= n;
    }
    h1 ^= len;
    h2 ^= len;
    h1 += h2;
    h2 += h1;
    h1 = mix(h1);
    h2 = mix(h2);
    h1 += h2;
    out[0] = h1;
    out[1] = h2 + h1;
}
