/* random.h - random numbers from one seed: SipHash-2-4 over a counter.
 *
 * Unpredictable to whoever does not know the seed, and the same every time for whoever replays it.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

#include "base/siphash.h"

struct rng {
    struct sip_key key;
    uint64_t counter;
};

void rng_seed(struct rng *rng, const uint8_t seed[16]);
uint64_t rng_u64(struct rng *rng);

/* Even over 0 .. n - 1; n must not be 0. */
uint32_t rng_below(struct rng *rng, uint32_t n);

#endif
