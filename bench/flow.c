/* flow.c - the round trip of one flow, an echo of one octet, beside the records of others. */
#include <stdlib.h>

#include "figures.h"

enum { ECHOES = 50000 };

static hf_handle asks, answers;
static double took[ECHOES];

bool flow_open(const void *arg)
{
    lives_open(arg);
    pair_connect(lives_pair(), PAIR_PORT, &asks, &answers);
    return true;
}

static void echo(struct pair *pair)
{
    struct pair_end *a = &pair->a, *b = &pair->b;
    char octet = 'o';
    bench_must(hf_send(a->stack, &a->env, asks, &octet, 1, 0), "hf_send");
    pair_carry(pair, a, b);
    bench_must(hf_recv(b->stack, &b->env, answers, &octet, 1), "hf_recv");
    bench_must(hf_send(b->stack, &b->env, answers, &octet, 1, 0), "hf_send");
    pair_carry(pair, b, a);
    bench_must(hf_recv(a->stack, &a->env, asks, &octet, 1), "hf_recv");
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of a hundred round trips the longest but one, in us; beside it the middle one. */
double flow_round(const void *arg)
{
    struct pair *pair = lives_pair();
    (void)arg;
    for (unsigned i = 0; i < ECHOES; i++) {
        pair_tick(pair);
        double begin = bench_seconds();
        echo(pair);
        took[i] = (bench_seconds() - begin) * 1e6;
        hf_timeouts(pair->a.stack, &pair->a.env);
        hf_timeouts(pair->b.stack, &pair->b.env);
    }
    qsort(took, ECHOES, sizeof took[0], by_time);
    bench_also(0, took[ECHOES / 2]);
    return took[ECHOES / 100 * 99];
}
