/* judge.h - `--judge`: the oracle behind a subcommand's trace. */
#ifndef HANDFAST_CLI_JUDGE_H
#define HANDFAST_CLI_JUDGE_H

#include "cli.h"

#include <handfast/handfast.h>

struct hf_oracle;

/* NULL: no memory. */
struct hf_oracle *judge_new(const struct hf_policy *policy);
/* Tells on standard error which rule the record breaks; the first few. */
void judge_record(struct hf_oracle *oracle, const struct hf_trace *record);
/* The sum of it, and what was not judged; frees the oracle.  CLI_FAILED: rules were broken. */
int judge_end(struct hf_oracle *oracle);

#endif
