/* judge.h - the oracle (handfast/oracle.h) behind a stack's trace, for any test. */
#ifndef COMMON_JUDGE_H
#define COMMON_JUDGE_H

#include "handfast/oracle.h"

struct judge {
    struct hf_oracle *oracle;
    uint64_t bytes;               /* of the oracle: a value, it can be copied */
    const struct hf_stack *stack; /* whose policy counts, NULL: what judge_begin was given */
    struct hf_violation first;    /* first.rule is NULL: none                              */
    char record[160];             /* that broke it                                         */
};

/* policy NULL: the usual one. */
void judge_begin(struct judge *judge, const struct hf_policy *policy, uint32_t max_connections);
void judge_end(struct judge *judge);
/* An hf_trace_fn. */
void judge_trace(void *judge, const struct hf_trace *record);
/* One line about the first violation, which is then forgotten; false: there is none. */
bool judge_tell(struct judge *judge, char *text, size_t room);

#endif
