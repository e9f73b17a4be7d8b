/* judge.c - `--judge`: the oracle (handfast/oracle.h) watches what this side does. */
#include "judge.h"

#include <stdio.h>
#include <stdlib.h>

#include <handfast/oracle.h>

enum { CONNECTIONS = 1024, LATE_MS = 200, TOLD_MAX = 10 };

struct hf_oracle *judge_new(const struct hf_policy *policy)
{
    const struct hf_oracle_config config = {.struct_size = sizeof config,
                                            .max_connections = CONNECTIONS,
                                            .policy = policy,
                                            .late_ms = LATE_MS};
    uint64_t bytes = hf_oracle_size(&config);
    struct hf_oracle *oracle = malloc(bytes);
    if (oracle)
        hf_oracle_init(oracle, bytes, &config);
    return oracle;
}

void judge_record(struct hf_oracle *oracle, const struct hf_trace *record)
{
    struct hf_violation broken;
    struct hf_oracle_counts counts = {.struct_size = sizeof counts};
    if (hf_oracle_judge(oracle, record, &broken))
        return;
    hf_oracle_counts(oracle, &counts);
    if (counts.violations <= TOLD_MAX)
        fprintf(stderr, "judge: %s: %s (%s): %s\n", broken.rule, broken.sentence, broken.place,
                broken.detail);
}

int judge_end(struct hf_oracle *oracle)
{
    struct hf_oracle_counts counts = {.struct_size = sizeof counts};
    hf_oracle_counts(oracle, &counts);
    free(oracle);
    if (counts.unknown)
        fprintf(stderr, "judge: %llu records of more than %d connections were not judged\n",
                (unsigned long long)counts.unknown, CONNECTIONS);
    if (counts.violations)
        return cli_failure("--judge: %llu of %llu records break a rule",
                           (unsigned long long)counts.violations,
                           (unsigned long long)counts.records);
    fprintf(stderr, "judge: %llu segments, %llu connection%s, no rule broken\n",
            (unsigned long long)counts.segments, (unsigned long long)counts.connections,
            counts.connections == 1 ? "" : "s");
    return CLI_OK;
}
