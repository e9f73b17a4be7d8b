/* ladder_text.c - a ladder as lines of at most a hundred columns, after RFC 9293 Figures 6 to 13.
 *
 *     0.000041 SYN-SENT     --> <SEQ=0><CTL=SYN>                              --> (SYN-RECEIVED?)
 *     9        12           3   53                                            3   15 columns
 */
#include <stdio.h>

#include "base/bytes.h"
#include "handfast/packet.h"
#include "trace/ladder.h"
#include "trace/text.h"

enum { WIDTH = 100, LABEL_AT = 27, LABEL_WIDTH = 53, NOTE_WIDTH = WIDTH - LABEL_AT };
enum { LINE_BYTES = 512 };

static const char plain[] = "\033[0m", bold[] = "\033[1m", dim[] = "\033[2m";
static const char red[] = "\033[31m", yellow[] = "\033[33m", cyan[] = "\033[36m";

struct out {
    bool colour;
    hf_text_fn *write;
    void *arg;
    struct text line;
    size_t column; /* escapes take no room on the screen */
    char bytes[LINE_BYTES];
};

static void out_begin(struct out *out)
{
    out->line = trace_text(out->bytes, sizeof out->bytes);
    out->column = 0;
}

static void pad_to(struct out *out, size_t column)
{
    for (; out->column < column; out->column++) {
        trace_add(&out->line, " ");
    }
}

static void put(struct out *out, const char *colour, const char *at, size_t len)
{
    bool coloured = out->colour && colour != NULL && len > 0;
    trace_add(&out->line, "%s%.*s%s", coloured ? colour : "", (int)len, at, coloured ? plain : "");
    out->column += len;
}

static void put_string(struct out *out, const char *colour, const char *string)
{
    put(out, colour, string, strlen(string));
}

static void out_end(struct out *out)
{
    while (out->line.len > 0 && out->bytes[out->line.len - 1] == ' ') {
        out->line.len--;
    }
    out->bytes[out->line.len++] = '\n';
    out->write(out->arg, out->bytes, out->line.len);
}

size_t trace_fitting(const char *string, size_t width)
{
    size_t len = strlen(string);
    if (len <= width) {
        return len;
    }
    size_t fits = width;
    while (fits > 0 && string[fits - 1] != '>' && string[fits] != ' ') {
        fits--;
    }
    return fits > 0 ? fits : width;
}

size_t trace_label_fitting(const char *label, size_t width)
{
    size_t n = trace_fitting(label, width);
    const char *last = strrchr(label, '>');
    size_t fields = last != NULL ? (size_t)(last - label) + 1 : 0;
    bool in_words = label[n] != 0 && fields > 0 && fields < n;
    return in_words ? fields : n;
}

/* The rest of a string on lines of its own, below the labels. */
static void put_below(struct out *out, const char *colour, const char *string)
{
    while (*string == ' ') {
        string++;
    }
    while (*string != 0) {
        size_t n = trace_fitting(string, NOTE_WIDTH);
        out_begin(out);
        pad_to(out, LABEL_AT);
        put(out, colour, string, n);
        out_end(out);
        string += n;
        while (*string == ' ') {
            string++;
        }
    }
}

static void put_time(struct out *out, int64_t time_ns)
{
    char at[32];
    struct text text = trace_text(at, sizeof at);
    trace_add_seconds(&text, time_ns);
    pad_to(out, text.len < 9 ? 9 - text.len : 0);
    put_string(out, dim, at);
    pad_to(out, 10);
}

static void put_peer(struct out *out, const struct row *row)
{
    if (row->right == NO_STATE) {
        return;
    }
    char text[24];
    snprintf(text, sizeof text, "(%s%s)", hf_state_name((enum hf_state)row->right),
             row->marks & ROW_PEER_CERTAIN ? "" : "?");
    put_string(out, cyan, text);
}

static const char *colour_of(const struct row *row)
{
    if (row->marks & (ROW_DROPPED | ROW_LOST)) {
        return red;
    }
    if (row->marks & ROW_REPEAT) {
        return yellow;
    }
    return row->kind == ROW_EVENT || row->kind == ROW_RUN ? dim : NULL;
}

/* Departure or arrival at this side, and at the peer. */
static const char *left_arrow(const struct row *row)
{
    if (row->kind == ROW_OUT) {
        return "-->";
    }
    if (row->marks & ROW_LOST) {
        return "  X";
    }
    return row->marks & ROW_DROPPED ? "x--" : "<--";
}

static const char *right_arrow(const struct row *row)
{
    if (row->kind == ROW_IN) {
        return "<--";
    }
    return row->marks & ROW_LOST ? "X" : "-->";
}

static void put_segment(struct out *out, const struct row *row)
{
    const char *colour = colour_of(row);
    size_t n = trace_label_fitting(row->label, LABEL_WIDTH);
    put_string(out, colour, left_arrow(row));
    pad_to(out, LABEL_AT);
    put(out, colour, row->label, n);
    pad_to(out, LABEL_AT + LABEL_WIDTH + 1);
    put_string(out, colour, right_arrow(row));
    pad_to(out, LABEL_AT + LABEL_WIDTH + 5);
    if (row->kind == ROW_IN || !(row->marks & ROW_LOST)) {
        put_peer(out, row);
    }
    out_end(out);
    put_below(out, colour, row->label + n);
}

static void put_words(struct out *out, const struct row *row)
{
    size_t n = trace_fitting(row->label, NOTE_WIDTH);
    pad_to(out, row->label[0] == 0 ? 0 : LABEL_AT);
    put(out, row->kind == ROW_END ? bold : colour_of(row), row->label, n);
    out_end(out);
    put_below(out, colour_of(row), row->label + n);
}

void trace_text_row(const struct row *row, bool colour, bool live, hf_text_fn *write, void *arg)
{
    struct out out = {.colour = colour, .write = write, .arg = arg};
    if (!live && (row->marks & ROW_TEXT_ONLY_LIVE)) {
        return;
    }
    out_begin(&out);
    put_time(&out, row->time_ns);
    if (row->left != NO_STATE && row->kind != ROW_RUN) {
        put_string(&out, row->marks & ROW_CHANGED ? bold : NULL,
                   hf_state_name((enum hf_state)row->left));
    }
    pad_to(&out, LABEL_AT - 4);
    if (row->kind == ROW_OUT || row->kind == ROW_IN) {
        struct row drawn = *row;
        drawn.marks &= (uint8_t)(live && row->kind == ROW_OUT ? ~ROW_LOST : 0xff);
        put_segment(&out, &drawn);
    } else {
        put_words(&out, row);
    }
    put_below(&out, row->marks & ROW_DROPPED ? red : dim, row->note);
}

size_t trace_endpoint(const uint8_t ip[16], uint16_t port, char at[ENDPOINT_BYTES])
{
    char address[HF_ADDRESS_TEXT];
    struct text text = trace_text(at, ENDPOINT_BYTES);
    hf_address_text(ip, address);
    if (strchr(address, ':') == NULL) {
        trace_add(&text, "%s:%u", address, port);
    } else {
        trace_add(&text, "[%s]:%u", address, port);
    }
    return text.len;
}

static void put_ends(struct out *out, const struct hf_ladder *ladder)
{
    char here[ENDPOINT_BYTES], there[ENDPOINT_BYTES];
    trace_endpoint(ladder->local_ip, ladder->local_port, here);
    size_t there_len = trace_endpoint(ladder->remote_ip, ladder->remote_port, there);
    size_t name_len = strlen(ladder->remote_name);
    out_begin(out);
    put_string(out, dim, "  seconds ");
    put_string(out, bold, ladder->local_name);
    put_string(out, NULL, " ");
    put_string(out, NULL, here);
    if (out->column + 2 + there_len + 1 + name_len > WIDTH) {
        out_end(out);
        out_begin(out);
    }
    pad_to(out, WIDTH - there_len - 1 - name_len);
    put_string(out, NULL, there);
    put_string(out, NULL, " ");
    put_string(out, bold, ladder->remote_name);
    out_end(out);
}

void trace_text_head(const struct hf_ladder *ladder, bool colour, hf_text_fn *write, void *arg)
{
    struct out out = {.colour = colour, .write = write, .arg = arg};
    if (ladder->title[0] != 0) {
        out_begin(&out);
        put_string(&out, bold, ladder->title);
        out_end(&out);
    }
    put_ends(&out, ladder);
    if (!ladder->style.brief) {
        out_begin(&out);
        pad_to(&out, 10);
        put_string(
            &out, dim,
            "(STATE): inferred, the peer's segments prove it; (STATE?): if ours have arrived");
        out_end(&out);
    }
}
