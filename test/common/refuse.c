/* refuse.c - memory that is refused: see refuse.h. */
#include "common/refuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stack/stack.h"

static struct pool *pool_of(struct hf_stack *s, unsigned pool)
{
    struct tcp_block *b = &s->tcp;
    struct pool *const pools[REFUSE_POOLS] = {
        &b->tcbs,   &b->actives, &b->exts,   &b->extras,  &b->ecns,     &b->stats,
        &b->halves, &b->waits,   &b->ranges, &b->sents,   &b->small,    &b->large,
        &b->pieces, &b->lents,   &s->udps,   &s->packets, &b->listeners};
    return pools[pool];
}

const char *refuse_name(unsigned pool)
{
    static const char *const names[REFUSE_KINDS] = {
        "tcb",       "active", "ext6",     "extra",   "ecn",   "stats", "half_open",
        "time_wait", "range",  "sent",     "small",   "large", "piece", "lent",
        "udp",       "packet", "listener", "payload", "all"};
    return names[pool];
}

void refuse_begin(struct hf_stack *stack, unsigned pool, uint32_t in, uint32_t times)
{
#ifdef HF_ASSERTIONS
    if (pool == REFUSE_PAYLOAD) {
        refuse_begin(stack, REFUSE_SMALL, in, times);
        pool = REFUSE_LARGE;
    }
    if (pool == REFUSE_EVERY) {
        for (pool = 1; pool < REFUSE_POOLS; pool++)
            refuse_begin(stack, pool, in, times);
        pool = 0;
    }
    pool_of(stack, pool)->refuse_in = in;
    pool_of(stack, pool)->refuse_n = times;
#else
    (void)stack, (void)pool, (void)in, (void)times;
    skip();
#endif
}

void refuse_end(struct hf_stack *stack)
{
    for (unsigned pool = 0; pool < REFUSE_POOLS; pool++)
        refuse_begin(stack, pool, 0, 0);
}

bool refuse_happened(struct hf_stack *stack, unsigned pool, uint32_t times)
{
#ifdef HF_ASSERTIONS
    if (pool == REFUSE_PAYLOAD)
        return refuse_happened(stack, REFUSE_SMALL, times) ||
               refuse_happened(stack, REFUSE_LARGE, times);
    if (pool == REFUSE_EVERY) {
        bool any = false;
        for (pool = 0; pool < REFUSE_POOLS; pool++)
            any |= refuse_happened(stack, pool, times);
        return any;
    }
    return pool_of(stack, pool)->refuse_n != times;
#else
    (void)stack, (void)pool, (void)times;
    return false;
#endif
}

uint32_t refuse_used(struct hf_stack *stack, unsigned pool)
{
    return pool_of(stack, pool)->used;
}
