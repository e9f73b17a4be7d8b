/* cli_judge.h - `handfast judge` and its JSON. */
#ifndef HANDFAST_CLI_JUDGE_FILE_H
#define HANDFAST_CLI_JUDGE_FILE_H

#include <handfast/capture.h>

/* An object on a line: of a rule, of a finding, and of the figures at the end. */
void judge_json_rule(enum hf_rule rule, bool judged);
void judge_json_finding(const struct hf_finding *finding);
void judge_json_counts(const struct hf_capture_counts *counts);

#endif
