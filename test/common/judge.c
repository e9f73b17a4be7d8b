/* judge.c - each record of a stack goes to the oracle; what it says first is kept. */
#include "common/judge.h"

#include <stdio.h>
#include <stdlib.h>

void judge_begin(struct judge *judge, const struct hf_policy *policy, uint32_t max_connections)
{
    const struct hf_oracle_config config = {
        .struct_size = sizeof config, .max_connections = max_connections, .policy = policy};
    uint64_t size = hf_oracle_size(&config);
    *judge = (struct judge){.oracle = malloc(size), .bytes = size};
    if (!judge->oracle || hf_oracle_init(judge->oracle, size, &config) != HF_OK)
        abort();
}

void judge_end(struct judge *judge)
{
    free(judge->oracle);
    judge->oracle = NULL;
}

static void keep(struct judge *judge, const struct hf_trace *r)
{
    static const char *const kinds[] = {"in", "drop", "out", "call", "timer", "end"};
    snprintf(judge->record, sizeof judge->record,
             "%s %s, %s -> %s, ctl %03x seq %u ack %u text %u wnd %u, %s, at %.3f ms",
             kinds[r->kind], hf_cause_name(r->cause), hf_state_name(r->state_before),
             hf_state_name(r->state_after), r->ctl, r->seq, r->ack, r->text_bytes, r->wnd,
             hf_verdict_name(r->verdict), (double)r->time_ns / 1e6);
}

void judge_trace(void *arg, const struct hf_trace *record)
{
    struct judge *judge = arg;
    struct hf_violation violation;
    if (!judge->oracle)
        return;
    if (judge->stack)
        hf_oracle_policy(judge->oracle, hf_policy(judge->stack));
    if (!hf_oracle_judge(judge->oracle, record, &violation) && !judge->first.rule) {
        judge->first = violation;
        keep(judge, record);
    }
}

bool judge_tell(struct judge *judge, char *text, size_t room)
{
    const struct hf_violation v = judge->first;
    judge->first.rule = NULL;
    if (!v.rule)
        return false;
    snprintf(text, room, "the oracle: %s: %s (%s): %s; %s", v.rule, v.sentence, v.place, v.detail,
             judge->record);
    return true;
}
