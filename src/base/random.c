/* random.c - SipHash-2-4 in counter mode. */
#include "base/random.h"

#include "base/bytes.h"

void rng_seed(struct rng *rng, const uint8_t seed[16])
{
    rng->key = (struct sip_key){get_le64(seed), get_le64(seed + 8)};
    rng->counter = 0;
}

uint64_t rng_u64(struct rng *rng)
{
    uint8_t message[8];
    put_le64(message, rng->counter++);
    return sip24(rng->key.k0, rng->key.k1, message, sizeof message);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    HF_ASSERT(n != 0);
    /* The 2^32 mod n lowest low halves would come once too often (Lemire 2019). */
    uint32_t unfair = (uint32_t)-n % n;
    uint64_t product;
    do {
        product = (uint64_t)(uint32_t)rng_u64(rng) * n;
    } while ((uint32_t)product < unfair);
    return (uint32_t)(product >> 32);
}
