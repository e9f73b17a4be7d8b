/* flaw.c - what hf_check has found, as a line for people. */
#include "handfast/check.h"
#include "trace/text.h"

const char *hf_flaw_text(const struct hf_flaw *flaw, char *text, size_t room)
{
    struct text line = trace_text(text, room);
    trace_add(&line, "%s: %s: %s", flaw->invariant, flaw->sentence, flaw->record);
    if (flaw->number != 0) {
        trace_add(&line, " %u", flaw->number);
    }
    if (flaw->is != flaw->expected) {
        trace_add(&line, ", %lld where %lld is right", (long long)flaw->is,
                  (long long)flaw->expected);
    }
    return text;
}
