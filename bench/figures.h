/* figures.h - the contenders of figures.c. */
#ifndef HANDFAST_BENCH_FIGURES_H
#define HANDFAST_BENCH_FIGURES_H

#include "bench.h"
#include "pair.h"

enum { BENCH_ROUND_MS = 250 }; /* a round lasts about so long */

/* pair_lives.c, pair_bulk.c; arg: a struct pair_setup. */
bool lives_open(const void *arg);
double lives_round(const void *arg);
bool bulk_open(const void *arg);
double bulk_round(const void *arg);
double roofline_round(const void *arg);

/* lwip.c; arg: how many idle connections stand beside (unsigned), or NULL. */
bool lwip_lives_open(const void *arg);
double lwip_lives_round(const void *arg);
bool lwip_bulk_open(const void *arg);
double lwip_bulk_round(const void *arg);

/* kernel.c */
bool kernel_open(const void *arg);
double kernel_lives_round(const void *arg);
double kernel_bulk_round(const void *arg);

/* tun.c */
bool tun_open(const void *arg);
double tun_lives_round(const void *arg);
double tun_up_round(const void *arg);
double tun_down_round(const void *arg);

#endif
