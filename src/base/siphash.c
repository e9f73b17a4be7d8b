/* siphash.c - SipHash-c-d of any number of octets (Aumasson, Bernstein 2012, section 2). */
#include "base/siphash.h"

#include "base/bytes.h"

static uint64_t sip(struct sip_state s, const void *data, size_t len, unsigned c, unsigned d)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len / 8; i++) {
        sip_word(&s, get_le64(p + 8 * i), c);
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < len % 8; i++) {
        last |= (uint64_t)p[len / 8 * 8 + i] << (8 * i);
    }
    sip_word(&s, last, c);
    return sip_end(&s, d);
}

uint64_t sip13(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
    return sip(sip_start(k0, k1), data, len, 1, 3);
}

uint64_t sip24(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
    return sip(sip_start(k0, k1), data, len, 2, 4);
}
