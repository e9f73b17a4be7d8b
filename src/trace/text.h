/* text.h - a string that grows to the end of its room and is always whole. */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t room, len; /* len < room, at[len] is 0 */
};

struct text trace_text(char *at, size_t room);
/* What does not fit is cut. */
void trace_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "100,000,000" */
void trace_add_count(struct text *text, uint64_t count);
/* Seconds: "0.000041", from 100 s on "100.000".  Never by the locale. */
void trace_add_seconds(struct text *text, int64_t ns);
/* "SYN,ACK"; "-" for none. */
void trace_add_ctl(struct text *text, uint16_t ctl);
/* "<ECN=CE>", "<ECN=ECT(0)>"; nothing for Not-ECT. */
void trace_add_ecn(struct text *text, unsigned codepoint);

#endif
