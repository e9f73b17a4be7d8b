/* scale.h - the same exchange beside ever more connections. */
#ifndef HANDFAST_BENCH_SCALE_H
#define HANDFAST_BENCH_SCALE_H

#include <stdint.h>

/* One octet there and back on connection i; the segments it took, 0: not known. */
typedef uint32_t scale_echo_fn(uint32_t i);

/* Echoes on random ones of n, one at a time: points of the series echo-*.  The 99th percentile of
 * the time each took, in microseconds. */
double scale_echoes(scale_echo_fn *echo, uint32_t n);
uint32_t scale_random_below(uint32_t n);

#endif
