/* work.c - handfast/check.h: counted work, HF_COUNT of base/bytes.h. */
#include "handfast/check.h"
#include "stack/stack.h"

int hf_work(const struct hf_stack *stack, struct hf_work *work)
{
    if (work->struct_size != sizeof *work) {
        return HF_ERR_INVALID;
    }
#ifdef HF_ASSERTIONS
    const struct tcp_block *b = &stack->tcp;
    const struct pool *const pools[] = {
        &b->tcbs,   &b->actives, &b->exts,   &b->extras,   &b->ecns,       &b->stats,
        &b->halves, &b->waits,   &b->ranges, &b->sents,    &b->listeners,  &b->small,
        &b->large,  &b->pieces,  &b->lents,  &stack->udps, &stack->packets};
    *work = (struct hf_work){.struct_size = sizeof *work,
                             .lines = b->flows.probed,
                             .timers = b->wheel.moved,
                             .entries = b->work.scanned,
                             .hashes = b->work.hashed,
                             .macs = b->work.macs,
                             .copied = b->work.copied,
                             .summed = b->work.summed};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        work->records += pools[i]->changed;
        work->looks += pools[i]->touched;
    }
    return HF_OK;
#else
    (void)stack;
    return HF_ERR_UNSUPPORTED;
#endif
}
