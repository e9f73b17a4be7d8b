/* ladder_svg.c - kept ladders as one stand-alone SVG: two lanes coloured by state, slanted arrows.
 *
 *      0.000041      SYN-SENT |#|------- <SEQ=0><CTL=SYN> ------->|#|
 *      seconds                                                    |#| SYN-RECEIVED?
 *
 * An arrow departs at its row's top and arrives SLANT lower; the states change there.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "trace/ladder.h"
#include "trace/text.h"

enum {
    WIDTH = 1000,
    LEFT = 230, /* this side's lane: its left edge */
    RIGHT = 756,
    LANE = 14,
    MIDDLE = (LEFT + LANE + RIGHT) / 2,
    SLANT = 14,
    HEAD = 84,
    GAP = 36, /* between two ladders */
    ROW = 42,
    EVENT = 24,
    RUN = 46,
    NOTE_LINE = 15,
    LABEL_WIDTH = 66, /* characters */
    NOTE_WIDTH = 80,
    PRINT_BYTES = 1400
};

struct svg {
    hf_text_fn *write;
    void *arg;
};

static const char *const state_colours[HF_STATES] = {
    [HF_CLOSED] = "#a3a9b0",       [HF_LISTEN] = "#c9b458",      [HF_SYN_SENT] = "#f2c14e",
    [HF_SYN_RECEIVED] = "#f39237", [HF_ESTABLISHED] = "#3fa34d", [HF_FIN_WAIT_1] = "#4d7fe3",
    [HF_FIN_WAIT_2] = "#8db4f7",   [HF_CLOSE_WAIT] = "#b58be0",  [HF_CLOSING] = "#d16ba5",
    [HF_LAST_ACK] = "#7d4ea8",     [HF_TIME_WAIT] = "#2a9d9d",
};

static const char style[] =
    "<style>\n"
    "text { font-family: 'DejaVu Sans', Verdana, Arial, sans-serif; font-size: 12px; fill: #222 }\n"
    ".mono { font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12px }\n"
    ".title { font-size: 16px; font-weight: bold }\n"
    ".name { font-weight: bold }\n"
    ".time { font-size: 11px; fill: #777 }\n"
    ".state { font-weight: bold }\n"
    ".presumed { font-weight: normal; font-style: italic; fill: #555 }\n"
    ".note { font-size: 11px; fill: #666 }\n"
    ".bad { fill: #b3261e }\n"
    ".event { font-style: italic; fill: #444 }\n"
    "line { stroke: #333; stroke-width: 1.4 }\n"
    "line.repeat { stroke: #b26a00; stroke-dasharray: 7 3 }\n"
    "line.badly { stroke: #b3261e }\n"
    "</style>\n";

static const char markers[] =
    "<defs>\n"
    "<marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"9\" "
    "markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
    "<path d=\"M0,0 L10,5 L0,10 z\" fill=\"#333\"/></marker>\n"
    "<marker id=\"tip-repeat\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"9\" "
    "markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
    "<path d=\"M0,0 L10,5 L0,10 z\" fill=\"#b26a00\"/></marker>\n"
    "<marker id=\"tip-bad\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"9\" "
    "markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
    "<path d=\"M0,0 L10,5 L0,10 z\" fill=\"#b3261e\"/></marker>\n"
    "</defs>\n";

__attribute__((format(printf, 2, 3))) static void print(const struct svg *svg, const char *format,
                                                        ...)
{
    char line[PRINT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    HF_ASSERT(n > 0 && (size_t)n < sizeof line);
    svg->write(svg->arg, line, (size_t)n);
}

/* Octets of the UTF-8 character at p; 0: it is none. */
static size_t character(const uint8_t *p, size_t len)
{
    if (p[0] < 0x80) {
        return p[0] < 0x20 || p[0] == 0x7f ? 0 : 1;
    }
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 0;
    if (n == 0 || n > len || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* U+FFFE and U+FFFF are no characters of XML. */
    return p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 0 : n;
}

static void escape(struct text *out, const char *string, size_t len)
{
    const uint8_t *p = (const uint8_t *)string;
    for (size_t i = 0, n; i < len; i += n) {
        n = character(p + i, len - i);
        if (n == 0) {
            trace_add(out, "?");
            n = 1;
        } else if (p[i] == '<') {
            trace_add(out, "&lt;");
        } else if (p[i] == '>') {
            trace_add(out, "&gt;");
        } else if (p[i] == '&') {
            trace_add(out, "&amp;");
        } else {
            trace_add(out, "%.*s", (int)n, string + i);
        }
    }
}

/* anchor: "start", "middle", "end". */
static void say(const struct svg *svg, int x, int y, const char *anchor, const char *class,
                const char *string, size_t len)
{
    char escaped[PRINT_BYTES - 200];
    struct text text = trace_text(escaped, sizeof escaped);
    escape(&text, string, len);
    print(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor,
          class, escaped);
}

static bool is_segment(const struct row *row)
{
    return row->kind == ROW_OUT || row->kind == ROW_IN;
}

static const char *after_spaces(const char *string)
{
    return string + strspn(string, " ");
}

static int lines_of(const char *string, size_t width)
{
    int lines = 0;
    for (string = after_spaces(string); *string != 0; lines++) {
        string = after_spaces(string + trace_fitting(string, width));
    }
    return lines;
}

/* The least width that takes no more lines: no word is left alone on the last of them. */
static size_t even_width(const char *string)
{
    size_t width = NOTE_WIDTH;
    int lines = lines_of(string, width);
    while (lines > 1 && width > NOTE_WIDTH / 2 && lines_of(string, width - 1) == lines) {
        width--;
    }
    return width;
}

/* Words that may take several lines; returns the y below them.  svg NULL: only that. */
static int say_lines(const struct svg *svg, int y, const char *class, const char *string)
{
    if (svg == NULL) {
        return y + NOTE_LINE * lines_of(string, NOTE_WIDTH);
    }
    size_t width = even_width(string);
    for (string = after_spaces(string); *string != 0; y += NOTE_LINE) {
        size_t n = trace_fitting(string, width);
        say(svg, MIDDLE, y, "middle", class, string, n);
        string = after_spaces(string + n);
    }
    return y;
}

static int height_of(const struct row *row)
{
    if (row->marks & ROW_TEXT_ONLY_LIVE) {
        return 0;
    }
    if (is_segment(row)) {
        const char *rest = row->label + trace_label_fitting(row->label, LABEL_WIDTH);
        return say_lines(NULL, say_lines(NULL, ROW, "", rest), "", row->note);
    }
    int height = say_lines(NULL, 0, "", row->label);
    return height + (row->kind == ROW_RUN ? RUN : EVENT) - (height > 0 ? NOTE_LINE : 0);
}

/* Lanes ---------------------------------------------------------------------------------------- */

struct lane {
    int x, since_y, state;
    bool certain;
};

/* The state ends at y. */
static void end_lane(const struct svg *svg, const struct lane *lane, int y)
{
    if (lane->state == NO_STATE || y <= lane->since_y) {
        return;
    }
    print(svg,
          "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" fill-opacity=\"%s\"/>\n",
          lane->x, lane->since_y, LANE, y - lane->since_y, state_colours[lane->state],
          lane->certain ? "1" : "0.45");
}

static void name_state(const struct svg *svg, const struct lane *lane, int y)
{
    char name[32];
    struct text text = trace_text(name, sizeof name);
    bool left = lane->x == LEFT;
    trace_add(&text, "%s%s", hf_state_name((enum hf_state)lane->state), lane->certain ? "" : "?");
    say(svg, left ? LEFT - 8 : RIGHT + LANE + 8, y + 4, left ? "end" : "start",
        lane->certain ? "state" : "state presumed", name, text.len);
}

static void change_lane(const struct svg *svg, struct lane *lane, int state, bool certain, int y)
{
    if (state == NO_STATE || (lane->state == state && lane->certain == certain)) {
        return;
    }
    bool renamed = lane->state != state || certain;
    end_lane(svg, lane, y);
    *lane = (struct lane){.x = lane->x, .since_y = y, .state = state, .certain = certain};
    if (renamed) {
        name_state(svg, lane, y);
    }
}

/* Where a row's arrow departs and arrives; events happen at once. */
static int left_y(const struct row *row, int y)
{
    return row->kind == ROW_IN ? y + 16 + SLANT : is_segment(row) ? y + 16 : y + 10;
}

static int right_y(const struct row *row, int y)
{
    return row->kind == ROW_OUT ? y + 16 + SLANT : y + 16;
}

static void draw_lanes(const struct svg *svg, const struct hf_ladder *ladder, int y)
{
    struct lane left = {.x = LEFT, .since_y = y, .state = NO_STATE};
    struct lane right = {.x = RIGHT, .since_y = y, .state = NO_STATE};
    for (size_t i = 0; i < ladder->n_rows; i++) {
        const struct row *row = &ladder->rows[i];
        bool arrives = row->kind == ROW_IN || !(row->marks & ROW_LOST);
        if (height_of(row) > 0) {
            change_lane(svg, &left, row->left, true, left_y(row, y));
            change_lane(svg, &right, arrives ? row->right : NO_STATE,
                        (row->marks & ROW_PEER_CERTAIN) != 0, right_y(row, y));
        }
        y += height_of(row);
    }
    end_lane(svg, &left, y);
    end_lane(svg, &right, y);
}

/* Rows ----------------------------------------------------------------------------------------- */

static void draw_cross(const struct svg *svg, int x, int y)
{
    print(svg,
          "<path d=\"M%d,%d l10,10 m0,-10 l-10,10\" stroke=\"#b3261e\" stroke-width=\"2.4\" "
          "fill=\"none\"/>\n",
          x - 5, y - 5);
}

static void draw_arrow(const struct svg *svg, const struct row *row, int y)
{
    bool lost = (row->marks & ROW_LOST) != 0, bad = lost || (row->marks & ROW_DROPPED);
    bool repeat = (row->marks & ROW_REPEAT) != 0;
    int from = row->kind == ROW_OUT ? LEFT + LANE : RIGHT;
    int to = row->kind == ROW_OUT ? RIGHT : LEFT + LANE;
    int end = lost ? from + (to - from) * 7 / 8 : to;
    int end_y = y + (lost ? SLANT * 7 / 8 : SLANT);
    const char *class = bad ? "badly" : repeat ? "repeat" : "sent";
    const char *tip = lost     ? ""
                      : bad    ? " marker-end=\"url(#tip-bad)\""
                      : repeat ? " marker-end=\"url(#tip-repeat)\""
                               : " marker-end=\"url(#tip)\"";
    print(svg, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"%s\"%s/>\n", from, y, end,
          end_y, class, tip);
    if (lost) {
        draw_cross(svg, end, end_y);
    }
}

/* The label lies on the arrow and leans as it does. */
static void draw_segment(const struct svg *svg, const struct row *row, int y)
{
    size_t n = trace_label_fitting(row->label, LABEL_WIDTH);
    bool bad = (row->marks & (ROW_LOST | ROW_DROPPED)) != 0;
    char escaped[PRINT_BYTES - 200];
    struct text text = trace_text(escaped, sizeof escaped);
    int arrow_y = y + 16;
    draw_arrow(svg, row, arrow_y);
    escape(&text, row->label, n);
    print(svg,
          "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" class=\"mono%s\" "
          "transform=\"rotate(%s %d %d)\">%s</text>\n",
          MIDDLE, arrow_y + SLANT / 2 - 6, bad ? " bad" : "",
          row->kind == ROW_OUT ? "1.57" : "-1.57", MIDDLE, arrow_y + SLANT / 2, escaped);
    y = say_lines(svg, y + ROW, row->label[n] == ' ' ? "note" : "mono", row->label + n);
    say_lines(svg, y, row->marks & ROW_DROPPED ? "note bad" : "note", row->note);
}

static void draw_run(const struct svg *svg, const struct row *row, int y)
{
    print(svg,
          "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#f4f6f8\" "
          "stroke=\"#c3c9d0\" stroke-dasharray=\"2 3\"/>\n",
          LEFT + LANE + 6, y + 4, RIGHT - LEFT - LANE - 12, height_of(row) - 10);
    say_lines(svg, y + RUN / 2 + 2, "note", row->label);
}

static void draw_row(const struct svg *svg, const struct row *row, int y)
{
    char time[32];
    struct text text = trace_text(time, sizeof time);
    trace_add_seconds(&text, row->time_ns);
    say(svg, 84, y + 20 - (is_segment(row) || row->kind == ROW_RUN ? 0 : 6), "end", "mono time",
        time, text.len);
    switch (row->kind) {
    case ROW_OUT:
    case ROW_IN:
        draw_segment(svg, row, y);
        break;
    case ROW_RUN:
        draw_run(svg, row, y);
        break;
    case ROW_END:
        say_lines(svg, y + 14, "state", row->label);
        break;
    default:
        say_lines(svg, y + 14, row->marks & ROW_LOST ? "event bad" : "event", row->label);
    }
}

/* The whole ------------------------------------------------------------------------------------ */

static int ladder_height(const struct hf_ladder *ladder)
{
    int height = HEAD + GAP;
    for (size_t i = 0; i < ladder->n_rows; i++) {
        height += height_of(&ladder->rows[i]);
    }
    return ladder->started ? height + (ladder->rows_left_out > 0 ? NOTE_LINE : 0) : 0;
}

static void draw_head(const struct svg *svg, const struct hf_ladder *ladder, int y)
{
    char end[ENDPOINT_BYTES];
    say(svg, WIDTH / 2, y + 20, "middle", "title", ladder->title, strlen(ladder->title));
    say(svg, 24, y + 44, "start", "name", ladder->local_name, strlen(ladder->local_name));
    say(svg, 24, y + 60, "start", "mono", end,
        trace_endpoint(ladder->local_ip, ladder->local_port, end));
    say(svg, WIDTH - 24, y + 44, "end", "name", ladder->remote_name, strlen(ladder->remote_name));
    say(svg, WIDTH - 24, y + 60, "end", "mono", end,
        trace_endpoint(ladder->remote_ip, ladder->remote_port, end));
}

static void draw_ladder(const struct svg *svg, const struct hf_ladder *ladder, int y)
{
    draw_head(svg, ladder, y);
    y += HEAD;
    draw_lanes(svg, ladder, y);
    for (size_t i = 0; i < ladder->n_rows; i++) {
        int height = height_of(&ladder->rows[i]);
        if (height > 0) {
            draw_row(svg, &ladder->rows[i], y);
        }
        y += height;
    }
    if (ladder->rows_left_out > 0) {
        say(svg, MIDDLE, y + NOTE_LINE, "middle", "note", trace_left_out, strlen(trace_left_out));
    }
}

void hf_ladder_svg(struct hf_ladder *const *ladders, size_t n, hf_text_fn *write, void *arg)
{
    static const char legend[] = "States stand where a segment departs or arrives. The peer's are "
                                 "inferred: in bold and full "
                                 "colour its own segments prove them;";
    static const char legend_more[] =
        "faded, with a question mark, they hold if what was last sent has arrived. Dashed: sent "
        "before. Red: of no use, or lost on the wire.";
    struct svg svg = {.write = write, .arg = arg};
    int height = 50;
    for (size_t i = 0; i < n; i++) {
        height += ladder_height(ladders[i]);
    }
    print(&svg,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
          "viewBox=\"0 0 %d %d\">\n",
          WIDTH, height, WIDTH, height);
    write(arg, style, sizeof style - 1);
    write(arg, markers, sizeof markers - 1);
    print(&svg, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, height);
    int y = 10;
    for (size_t i = 0; i < n; i++) {
        if (ladders[i]->started) {
            draw_ladder(&svg, ladders[i], y);
        }
        y += ladder_height(ladders[i]);
    }
    say(&svg, WIDTH / 2, height - 28, "middle", "note", legend, sizeof legend - 1);
    say(&svg, WIDTH / 2, height - 12, "middle", "note", legend_more, sizeof legend_more - 1);
    print(&svg, "</svg>\n");
}
