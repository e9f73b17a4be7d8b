/* chance.h - are these numbers such as an attacker could foretell?  Tests of fixed samples, so that
 * the answer is always the same; a bound is passed by chance once in a million or less. */
#ifndef ATTACK_CHANCE_H
#define ATTACK_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

/* Sum of (observed - expected)^2 / expected over all bins. */
static inline double chi_square(const uint32_t *bins, uint32_t n_bins, uint32_t n)
{
    double expected = (double)n / n_bins, sum = 0;
    for (uint32_t i = 0; i < n_bins; i++)
        sum += (bins[i] - expected) * (bins[i] - expected) / expected;
    return sum;
}

/* Within five standard deviations of what chance gives: neither uneven nor too even. */
static inline bool chi_square_fits(const uint32_t *bins, uint32_t n_bins, uint32_t n)
{
    double dof = n_bins - 1, x = chi_square(bins, n_bins, n) - dof;
    return x * x < 30 * 2 * dof;
}

/* Each octet of the numbers, and of the differences between neighbours, is even. */
static inline bool octets_are_even(const uint32_t *x, uint32_t n, bool differences)
{
    for (int shift = 0; shift < 32; shift += 8) {
        uint32_t bins[256] = {0};
        for (uint32_t i = differences; i < n; i++)
            bins[(x[i] - (differences ? x[i - 1] : 0)) >> shift & 255]++;
        if (!chi_square_fits(bins, 256, n - differences))
            return false;
    }
    return true;
}

/* Zalewski's phase space: three differences in a row, by their upper bits, fill it evenly. */
static inline bool phase_space_is_filled(const uint32_t *x, uint32_t n)
{
    uint32_t bins[512] = {0};
    for (uint32_t i = 3; i < n; i++)
        bins[(x[i] - x[i - 1]) >> 29 << 6 | (x[i - 1] - x[i - 2]) >> 29 << 3 |
             (x[i - 2] - x[i - 3]) >> 29]++;
    return chi_square_fits(bins, 512, n - 3);
}

/* How many a solver foretells: x = a * x + c (mod 2^32) through three of them; a constant second
 * difference; linearity over bits of what they were made from (inputs i, i^1, i^2, i^3). */
static inline uint32_t foretold(const uint32_t *x, uint32_t n)
{
    uint32_t hits = 0;
    for (uint32_t i = 3; i < n; i++) {
        uint32_t d = x[i - 2] - x[i - 3], inverse = d;
        for (int k = 0; k < 5 && (d & 1); k++)
            inverse *= 2 - d * inverse; /* Newton, modulo 2^32 */
        uint32_t a = (x[i - 1] - x[i - 2]) * inverse;
        hits += (d & 1) && x[i] == x[i - 1] + a * (x[i - 1] - x[i - 2]);
        hits += x[i] - x[i - 1] == x[i - 1] - x[i - 2];
        hits += i % 4 == 3 && (x[i] ^ x[i - 1] ^ x[i - 2] ^ x[i - 3]) == 0;
    }
    return hits;
}

/* Correlation of two samples, or of one with itself a step later. */
static inline double correlation(const uint32_t *x, const uint32_t *y, uint32_t n)
{
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (uint32_t i = 0; i < n; i++) {
        sx += x[i], sy += y[i];
        sxx += (double)x[i] * x[i], syy += (double)y[i] * y[i], sxy += (double)x[i] * y[i];
    }
    double cov = sxy - sx * sy / n, var = (sxx - sx * sx / n) * (syy - sy * sy / n);
    return var > 0 ? cov * (cov < 0 ? -cov : cov) / var : 1; /* its square, with its sign */
}

#endif
