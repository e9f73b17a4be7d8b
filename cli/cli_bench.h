/* cli_bench.h - what `handfast bench` prints with the help of libjansson. */
#ifndef HANDFAST_CLI_BENCH_H
#define HANDFAST_CLI_BENCH_H

#include "bench.h"

/* bench_json.c: a figure as one object on a line; absent when the build had no libjansson. */
void bench_json(const struct bench_figure *figure, const struct bench_measured *measured);
/* How often the first contender's median (in pairs: the one's before) holds that of another;
 * the other way round where less is better.  0: one of them is absent, or they are one. */
double bench_ratio(const struct bench_figure *figure, const struct bench_measured *measured,
                   unsigned other);

#endif
