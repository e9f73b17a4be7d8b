/* work.c - counted work: see work.h. */
#include "common/work.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "handfast/check.h"

enum { MOST = 100000 };

struct work_done work_of(const struct hf_stack *stack)
{
    struct hf_work now = {.struct_size = sizeof now};
    if (hf_work(stack, &now) != HF_OK)
        skip();
    return (struct work_done){.records = now.looks,
                              .lines = now.lines,
                              .timers = now.timers,
                              .entries = now.entries,
                              .hashes = now.hashes,
                              .macs = now.macs,
                              .copied = now.copied,
                              .summed = now.summed,
                              .steps =
                                  now.looks + now.lines + now.timers + now.entries + now.hashes};
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

static void grows_at_most(const char *what, work_cost_fn *cost, void *arg, uint32_t most,
                          double limit)
{
    double e = work_exponent(cost, arg, most);
    printf("%s grows as n^%.3f\n", what, e);
    if (e > limit)
        fail_msg("%s: its cost grows as n^%.3f, more than n^%.2f", what, e, limit);
}

void work_is_flat(const char *what, work_cost_fn *cost, void *arg)
{
    work_is_flat_to(what, cost, arg, MOST);
}

void work_is_flat_to(const char *what, work_cost_fn *cost, void *arg, uint32_t most)
{
    grows_at_most(what, cost, arg, most, 0.05);
}

void work_is_logarithmic(const char *what, work_cost_fn *cost, void *arg)
{
    grows_at_most(what, cost, arg, MOST, 0.3);
}
