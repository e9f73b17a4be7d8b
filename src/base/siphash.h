/* siphash.h - SipHash (Aumasson, Bernstein 2012): keyed hashes that an attacker cannot steer.
 *
 * SipHash-1-3 for tables, whose output nobody sees; SipHash-2-4 for what goes on the wire (ISN,
 * cookies, ports, timestamp offsets).  The fixed-length forms are for connection tuples: 12 octets
 * (IPv4) as one 64-bit and one 32-bit word, 36 octets (IPv6) as four and one.  They give what the
 * general functions give for the same words written little-endian.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct sip_key {
    uint64_t k0, k1;
};

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t sip_rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_rounds(struct sip_state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v1 = sip_rotl(s->v1, 13) ^ s->v0;
        s->v0 = sip_rotl(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = sip_rotl(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = sip_rotl(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = sip_rotl(s->v1, 17) ^ s->v2;
        s->v2 = sip_rotl(s->v2, 32);
    }
}

static inline struct sip_state sip_start(uint64_t k0, uint64_t k1)
{
    return (struct sip_state){
        k0 ^ 0x736f6d6570736575u,
        k1 ^ 0x646f72616e646f6du,
        k0 ^ 0x6c7967656e657261u,
        k1 ^ 0x7465646279746573u,
    };
}

static inline void sip_word(struct sip_state *s, uint64_t word, unsigned rounds)
{
    s->v3 ^= word;
    sip_rounds(s, rounds);
    s->v0 ^= word;
}

static inline uint64_t sip_end(struct sip_state *s, unsigned rounds)
{
    s->v2 ^= 0xff;
    sip_rounds(s, rounds);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t sip_fixed12(const struct sip_key *key, uint64_t a, uint32_t b, unsigned c,
                                   unsigned d)
{
    struct sip_state s = sip_start(key->k0, key->k1);
    sip_word(&s, a, c);
    sip_word(&s, (uint64_t)12 << 56 | b, c);
    return sip_end(&s, d);
}

static inline uint64_t sip_fixed36(const struct sip_key *key, const uint64_t w[4], uint32_t b,
                                   unsigned c, unsigned d)
{
    struct sip_state s = sip_start(key->k0, key->k1);
    for (unsigned i = 0; i < 4; i++) {
        sip_word(&s, w[i], c);
    }
    sip_word(&s, (uint64_t)36 << 56 | b, c);
    return sip_end(&s, d);
}

/* 12 octets: a, then b. */
static inline uint64_t sip13_12(const struct sip_key *key, uint64_t a, uint32_t b)
{
    return sip_fixed12(key, a, b, 1, 3);
}

static inline uint64_t sip24_12(const struct sip_key *key, uint64_t a, uint32_t b)
{
    return sip_fixed12(key, a, b, 2, 4);
}

/* 36 octets: w[0..3], then b. */
static inline uint64_t sip13_36(const struct sip_key *key, const uint64_t w[4], uint32_t b)
{
    return sip_fixed36(key, w, b, 1, 3);
}

static inline uint64_t sip24_36(const struct sip_key *key, const uint64_t w[4], uint32_t b)
{
    return sip_fixed36(key, w, b, 2, 4);
}

/* Any number of octets. */
uint64_t sip13(uint64_t k0, uint64_t k1, const void *data, size_t len);
uint64_t sip24(uint64_t k0, uint64_t k1, const void *data, size_t len);

#endif
