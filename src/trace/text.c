/* text.c - a string that grows to the end of its room; control bits and counts as people read them.
 */
#include "trace/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "handfast/trace.h"

struct text trace_text(char *at, size_t room)
{
    HF_ASSERT(room > 0);
    at[0] = 0;
    return (struct text){.at = at, .room = room};
}

void trace_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t left = text->room - text->len;
    int n = vsnprintf(text->at + text->len, left, format, arguments);
    va_end(arguments);
    if (n > 0) {
        text->len += (size_t)n < left ? (size_t)n : left - 1;
    }
}

void trace_add_count(struct text *text, uint64_t count)
{
    if (count >= 1000) {
        trace_add_count(text, count / 1000);
        trace_add(text, ",%03u", (unsigned)(count % 1000));
    } else {
        trace_add(text, "%u", (unsigned)count);
    }
}

void trace_add_seconds(struct text *text, int64_t ns)
{
    long long s = ns / 1000000000;
    int us = (int)(ns / 1000 % 1000000);
    if (s < 100) {
        trace_add(text, "%lld.%06d", s, us);
    } else if (s < 100000) {
        trace_add(text, "%lld.%03d", s, us / 1000);
    } else if (s < 10000000) { /* the columns of a ladder are nine wide */
        trace_add(text, "%lld.%d", s, us / 100000);
    } else {
        trace_add(text, "%lld", s);
    }
}

void trace_add_ctl(struct text *text, uint16_t ctl)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } bits[] = {{HF_AE, "AE"},   {HF_CWR, "CWR"}, {HF_ECE, "ECE"}, {HF_URG, "URG"}, {HF_SYN, "SYN"},
                {HF_FIN, "FIN"}, {HF_RST, "RST"}, {HF_PSH, "PSH"}, {HF_ACK, "ACK"}};
    const char *between = "";
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        if (ctl & bits[i].bit) {
            trace_add(text, "%s%s", between, bits[i].name);
            between = ",";
        }
    }
    if (*between == 0) {
        trace_add(text, "-");
    }
}

void trace_add_ecn(struct text *text, unsigned codepoint)
{
    static const char *const names[] = {"", "<ECN=ECT(1)>", "<ECN=ECT(0)>", "<ECN=CE>"};
    trace_add(text, "%s", names[codepoint & 3]);
}
