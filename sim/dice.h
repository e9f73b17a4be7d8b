/* dice.h - all chance of the simulator: numbers that follow from a seed and from what they are for,
 * so that taking one thing out of a world changes nothing of the others. */
#ifndef SIM_DICE_H
#define SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

/* splitmix64: every bit of x reaches every bit of the result. */
static inline uint64_t dice_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The number of thing `what`, `which` of a seed. */
static inline uint64_t dice_of(uint64_t seed, uint64_t what, uint64_t which)
{
    return dice_mix(dice_mix(seed ^ (what << 56)) + which);
}

struct dice {
    uint64_t state;
};

static inline uint64_t dice_throw(struct dice *dice)
{
    dice->state += 0x9e3779b97f4a7c15u;
    return dice_mix(dice->state);
}

/* 0 .. n - 1 */
static inline uint32_t dice_below(struct dice *dice, uint32_t n)
{
    return (uint32_t)((dice_throw(dice) >> 32) * n >> 32);
}

static inline uint32_t dice_between(struct dice *dice, uint32_t low, uint32_t high)
{
    return low + dice_below(dice, high - low + 1);
}

/* One time in n. */
static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
    return dice_below(dice, n) == 0;
}

/* low .. high, small ones as often as large ones: each doubling is as likely. */
static inline uint32_t dice_scale(struct dice *dice, uint32_t low, uint32_t high)
{
    uint32_t doublings = 0;
    while (low << (doublings + 1) <= high && low << doublings < 0x40000000u) {
        doublings++;
    }
    uint32_t from = low << dice_below(dice, doublings + 1);
    uint32_t to = from > high / 2 ? high : 2 * from;
    return dice_between(dice, from, to);
}

#endif
