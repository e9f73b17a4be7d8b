/* scale.c - see scale.h. */
#include "scale.h"

#include "bench.h"

enum { ECHOES = 100000, ECHOES_FEW = 20000, MANY = 1000000 };

uint32_t scale_random_below(uint32_t n)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13; /* xorshift (Marsaglia 2003): the same ones in each run */
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * n >> 32);
}

double scale_echoes(scale_echo_fn *echo, uint32_t n)
{
    static double took[ECHOES];
    uint32_t echoes = n >= MANY ? ECHOES : ECHOES_FEW, segments = 0;
    for (uint32_t i = 0; i < echoes; i++) {
        uint32_t which = scale_random_below(n);
        double begin = bench_seconds();
        segments += echo(which);
        took[i] = (bench_seconds() - begin) * 1e6;
    }
    double median = bench_median(took, echoes);
    bench_point("echo-p50-us", n, median);
    bench_point("echo-p99-us", n, took[echoes / 100 * 99]);
    bench_point("echo-max-us", n, took[echoes - 1]);
    if (segments > 0) {
        bench_point("echo-segment-ns", n, median * echoes / segments * 1e3);
    }
    return took[echoes / 100 * 99];
}
