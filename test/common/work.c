/* work.c - counted work: see work.h. */
#include "common/work.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "stack/stack.h"

enum { MOST = 100000 };

struct work_done work_of(const struct hf_stack *stack)
{
#ifdef HF_ASSERTIONS
    const struct tcp_block *b = &stack->tcp;
    const struct pool *const pools[] = {
        &b->tcbs,   &b->actives, &b->exts,   &b->extras,   &b->ecns,       &b->stats,
        &b->halves, &b->waits,   &b->ranges, &b->sents,    &b->listeners,  &b->small,
        &b->large,  &b->pieces,  &b->lents,  &stack->udps, &stack->packets};
    struct work_done w = {.lines = b->flows.probed,
                          .timers = b->wheel.moved,
                          .entries = b->work.scanned,
                          .hashes = b->work.hashed,
                          .macs = b->work.macs,
                          .copied = b->work.copied,
                          .summed = b->work.summed};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++)
        w.records += pools[i]->touched;
    w.steps = w.records + w.lines + w.timers + w.entries + w.hashes;
    return w;
#else
    (void)stack;
    skip();
    return (struct work_done){0};
#endif
}

struct work_done work_since(const struct hf_stack *stack, const struct work_done *before)
{
    struct work_done w = work_of(stack);
    return (struct work_done){
        w.records - before->records, w.lines - before->lines,   w.timers - before->timers,
        w.entries - before->entries, w.hashes - before->hashes, w.macs - before->macs,
        w.copied - before->copied,   w.summed - before->summed, w.steps - before->steps,
    };
}

double work_exponent(work_cost_fn *cost, void *arg, uint32_t most)
{
    double count = 0, x_sum = 0, y_sum = 0, xx_sum = 0, xy_sum = 0;
    for (uint32_t n = 10; n <= most; n *= 10) {
        double cost_n = cost(n, arg);
        double x = log10(n), y = log10(cost_n > 0 ? cost_n : 0.1);
        printf("    n = %6u: %.1f\n", n, cost_n);
        count++;
        x_sum += x;
        y_sum += y;
        xx_sum += x * x;
        xy_sum += x * y;
    }
    return (count * xy_sum - x_sum * y_sum) / (count * xx_sum - x_sum * x_sum);
}

static void grows_at_most(const char *what, work_cost_fn *cost, void *arg, double limit)
{
    double e = work_exponent(cost, arg, MOST);
    printf("%s grows as n^%.3f\n", what, e);
    if (e > limit)
        fail_msg("%s: its cost grows as n^%.3f, more than n^%.2f", what, e, limit);
}

void work_is_flat(const char *what, work_cost_fn *cost, void *arg)
{
    grows_at_most(what, cost, arg, 0.05);
}

void work_is_logarithmic(const char *what, work_cost_fn *cost, void *arg)
{
    grows_at_most(what, cost, arg, 0.3);
}
