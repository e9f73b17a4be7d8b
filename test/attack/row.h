/* row.h - how much of what its row of doc/attacks.csv says a test does: all of it with HF_LONG, as
 * `make attacks` and `make test-all` run it; in `make test` what ten minutes have room for. */
#ifndef ATTACK_ROW_H
#define ATTACK_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline bool row_is_whole(void)
{
    return getenv("HF_LONG") != NULL;
}

static inline uint32_t row_or(uint32_t whole, uint32_t part)
{
    return row_is_whole() ? whole : part;
}

/* The same for what costs little but with sanitizers. */
static inline uint32_t row_unless_sanitized(uint32_t whole, uint32_t part)
{
    const char *sanitize = getenv("HF_SANITIZE");
    return sanitize && *sanitize ? row_or(whole, part) : whole;
}

/* Lives from seed 1 on, as many as there is room for; or the one of HF_SEED. */
static inline void row_lives(void (*live)(uint32_t seed), uint32_t whole, uint32_t usual,
                             uint32_t sanitized)
{
    const char *one = getenv("HF_SEED");
    if (one) {
        live((uint32_t)strtoul(one, NULL, 10));
        return;
    }
    uint32_t lives = row_or(whole, row_unless_sanitized(usual, sanitized));
    for (uint32_t seed = 1; seed <= lives; seed++) {
        live(seed);
    }
}

#endif
