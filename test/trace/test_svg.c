/* The ladder as SVG: well-formed, stand-alone, with the states, the losses and the folded data. */
#include <stdio.h>

#include "trace/play.h"

static struct played p;

/* Elements close in order, entities are the five of XML, '<' stands in no text or attribute. */
static void check_well_formed(const char *svg)
{
    const char *open[32] = {NULL};
    size_t open_len[32] = {0}, depth = 0;
    for (const char *at = svg; *at != 0;) {
        if (*at == '&') {
            assert_true(strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                        strncmp(at, "&amp;", 5) == 0);
        }
        assert_true((unsigned char)*at >= 0x20 || *at == '\n');
        if (*at++ != '<') {
            continue;
        }
        const char *end = at + strcspn(at, "<>");
        assert_int_equal(*end, '>');
        size_t name = strcspn(at, " />");
        if (*at == '/') {
            name = strcspn(at + 1, ">");
            assert_true(depth > 0 && open_len[depth - 1] == name);
            depth--;
            assert_memory_equal(open[depth], at + 1, name);
        } else if (end[-1] != '/') {
            assert_true(depth < 32);
            open[depth] = at;
            open_len[depth++] = name;
        }
        at = end + 1;
    }
    assert_int_equal(depth, 0);
}

static struct hf_ladder *lossy_connection(const char *title)
{
    struct hf_ladder_style style = {.struct_size = sizeof style, .keep = true, .title = title};
    struct hf_ladder *ladder = hf_ladder_new(&style);
    play(&p, hf_ladder_trace, ladder, HF_CLOSED);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT);
    struct hf_packet lost = packet_of(&p, true, SYN, 100, 0, 0);
    hf_ladder_lost(ladder, p.now_ns, &lost);
    at_ms(&p, 1000);
    timer(&p, HF_TIMER_RTO, HF_SYN_SENT);
    sends(&p, SYN, 100, HF_SYN_SENT, .marks = HF_MARK_REPEAT);
    gets(&p, SYN | ACK, 300, HF_ESTABLISHED, .ack = 101);
    sends(&p, ACK, 101, HF_ESTABLISHED, .ack = 301);
    for (uint32_t i = 0; i < 50; i++) {
        sends(&p, ACK, 101 + i, HF_ESTABLISHED, .ack = 301, .text = 1);
    }
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 151, HF_FIN_WAIT_1, .ack = 301);
    gets(&p, ACK, 301, HF_FIN_WAIT_2, .ack = 152);
    gets(&p, FIN | ACK, 301, HF_TIME_WAIT, .ack = 152);
    sends(&p, ACK, 152, HF_TIME_WAIT, .ack = 302);
    timer(&p, HF_TIMER_TIME_WAIT, HF_CLOSED);
    hf_ladder_end(ladder, NULL);
    return ladder;
}

static void a_connection_becomes_a_picture(void **state)
{
    (void)state;
    struct hf_ladder *ladder = lossy_connection("one connection");
    p.len = 0;
    hf_ladder_svg(&ladder, 1, collect, &p);
    check_well_formed(p.text);
    assert_memory_equal(p.text, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39);
    static const char *const wanted[] = {">one connection<",
                                         ">SYN-SENT<",
                                         ">ESTABLISHED<",
                                         ">FIN-WAIT-1<",
                                         ">FIN-WAIT-2<",
                                         ">TIME-WAIT<",
                                         ">CLOSED<",
                                         ">SYN-RECEIVED?<",
                                         ">CLOSE-WAIT<",
                                         ">LAST-ACK<",
                                         ">CLOSED?<",
                                         "class=\"repeat\"",
                                         "class=\"badly\"/>",
                                         "&lt;SEQ=0&gt;&lt;CTL=SYN&gt;",
                                         "closed in order: this side closed first"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_non_null(strstr(p.text, wanted[i]));
    }
    assert_non_null(strstr(p.text, "... out: 42 segments, 42 octets"));
    assert_null(strstr(p.text, "lost on its way")); /* it is an arrow that ends in a cross */
    hf_ladder_free(ladder);
}

static void what_callers_write_cannot_break_the_picture(void **state)
{
    (void)state;
    static const char title[] = "</text><script>\"&'\x01\xc3\xa9\xc3 \xff \xe2\x82";
    struct hf_ladder *ladders[2] = {lossy_connection(title), NULL};
    hf_ladder_note(ladders[0], p.now_ns, "a & b < c");
    struct hf_ladder_style style = {.struct_size = sizeof style};
    ladders[1] = hf_ladder_new(&style); /* nothing happened on it */
    p.len = 0;
    hf_ladder_svg(ladders, 2, collect, &p);
    check_well_formed(p.text);
    assert_non_null(strstr(p.text, "&lt;/text&gt;&lt;script&gt;\"&amp;'?\xc3\xa9? ? ?\?<"));
    assert_non_null(strstr(p.text, "a &amp; b &lt; c"));
    hf_ladder_free(ladders[0]);
    hf_ladder_free(ladders[1]);
}

/* A line of the picture says this, and nothing else. */
static bool has_line(const char *words)
{
    char wanted[160];
    snprintf(wanted, sizeof wanted, ">%s</text>", words);
    return strstr(p.text, wanted) != NULL;
}

static void no_word_is_left_alone_where_a_line_is_too_long(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style, .keep = true, .absolute = true};
    struct hf_ladder *ladder = hf_ladder_new(&style);
    play(&p, hf_ladder_trace, ladder, HF_ESTABLISHED);
    sends(&p, ACK | PSH | FIN, 2954189000, HF_FIN_WAIT_1, .ack = 300, .text = 45812,
          .marks = HF_MARK_GSO);
    hf_ladder_note(ladder, p.now_ns,
                   "at rest: Handfast TIME-WAIT, kernel CLOSED; inet_diag says CLOSED (no such "
                   "socket)");
    p.len = 0;
    hf_ladder_svg(&ladder, 1, collect, &p);
    check_well_formed(p.text);
    assert_true(has_line("&lt;SEQ=2954189000&gt;&lt;ACK=300&gt;&lt;CTL=FIN,PSH,ACK&gt;"
                         "&lt;DATA=45812&gt;"));
    assert_true(has_line("cut by the device"));
    assert_true(has_line("at rest: Handfast TIME-WAIT, kernel CLOSED;"));
    assert_true(has_line("inet_diag says CLOSED (no such socket)"));
    hf_ladder_free(ladder);
}

static void no_ladder_is_a_picture_too(void **state)
{
    (void)state;
    p.len = 0;
    hf_ladder_svg(NULL, 0, collect, &p);
    check_well_formed(p.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_becomes_a_picture),
        cmocka_unit_test(what_callers_write_cannot_break_the_picture),
        cmocka_unit_test(no_word_is_left_alone_where_a_line_is_too_long),
        cmocka_unit_test(no_ladder_is_a_picture_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
