/* counters.c - hf_counters, hf_history: what the stack has seen. */
#include "stack/stack.h"

_Static_assert(HF_VERDICT_COUNT <= 128, "struct hf_counters holds each verdict's counter");

void hf_counters(const struct hf_stack *stack, struct hf_counters *counters)
{
    const struct tcp_block *b = &stack->tcp;
    struct hf_counters all = {
        .struct_size = counters->struct_size,
        .n_verdicts = HF_VERDICT_COUNT,
        .frames_in = stack->frames_in,
        .frames_out = stack->frames_out,
        .segs_in = b->segs_in,
        .segs_out = b->segs_out,
        .retransmitted_segs = b->retransmitted,
        .opened_active = b->opened_active,
        .opened_passive = b->opened_passive,
        .replies_dropped = b->replies_dropped,
        .initial_windows_lost = b->initial_windows_lost,
        .packets_dropped = stack->packets_dropped,
        .connections = b->tcbs.used,
        .half_open = b->halves.used,
        .time_wait = b->waits.used,
        .active = b->actives.used,
        .small_chunks = b->small.used,
        .large_chunks = b->large.used,
        .ranges = b->ranges.used,
        .sent = b->sents.used,
        .sent_short = b->sents_short,
        .undone = b->undone,
        .packets = stack->packets.used,
        .history_lost =
            max_u64(b->history_gone + b->history_serial, b->history_size) - b->history_size,
        .stats_missed = b->stats_missed,
        .orphans = b->orphans,
        .orphan_bytes = b->orphan_bytes,
        .copies_differ = b->copies_differ,
    };
    memcpy(all.verdict, b->verdicts, sizeof b->verdicts);
    struct stack st;
    stack_look(&st, stack, NULL);
    for (uint32_t n = 1; n <= stack->max_neighbours; n++) {
        all.neighbours += stack_neighbour_at(&st, n)->state != NEIGHBOUR_FREE;
    }
    for (uint32_t n = 1; n <= stack->max_fragments; n++) {
        all.reassembly += stack_fragments_at(&st, n)->used != 0;
    }
    memcpy(counters, &all, min_u64(counters->struct_size, sizeof all));
}

uint32_t hf_history(const struct hf_stack *stack, hf_handle handle, struct hf_trace *records,
                    uint32_t n)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    const struct tcb *tcb = stack_tcb_of(&st, handle);
    return tcb != NULL ? tcp_history_read(&st.tcp, tcb, records, n) : 0;
}
