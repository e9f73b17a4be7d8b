/* The ladder as text: which rows are folded, what a fold says, and the column of times. */
#include <stdio.h>

#include "trace/play.h"

static struct played p;

/* Nothing but what decides is drawn: two plain rows, then folds. */
static struct hf_ladder *begin(void)
{
    struct hf_ladder_style style = {.struct_size = sizeof style,
                                    .absolute = true,
                                    .brief = true,
                                    .keep = true,
                                    .full_lines = 2,
                                    .write = collect,
                                    .write_arg = &p};
    memset(&p, 0, sizeof p);
    struct hf_ladder *ladder = hf_ladder_new(&style);
    assert_non_null(ladder);
    play(&p, hf_ladder_trace, ladder, HF_ESTABLISHED);
    for (uint32_t i = 0; i < 2; i++) {
        sends(&p, ACK, 100 + i, HF_ESTABLISHED, .ack = 300, .text = 1);
    }
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 102);
    at_ms(&p, 1);
    p.text[p.len = 0] = 0; /* the head, the state, the two rows, and what proves the peer's state */
    return ladder;
}

static void expect(struct hf_ladder *ladder, const char *text)
{
    assert_string_equal(p.text, text);
    hf_ladder_free(ladder);
}

static void what_shuts_a_window_and_what_opens_it_again_is_drawn(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    sends(&p, ACK, 102, HF_ESTABLISHED, .ack = 300, .text = 1);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 102);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 103, .shut = true);
    at_ms(&p, 2);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 103, .shut = true); /* it stays so */
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 103, .shut = true);
    at_ms(&p, 3);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 103, .wnd = 7);
    sends(&p, ACK, 103, HF_ESTABLISHED, .ack = 300, .shut = true);
    sends(&p, ACK, 103, HF_ESTABLISHED, .ack = 300);
    expect(ladder,
           " 0.001000                  ... out: 1 segment, 1 octet; in: 1 segment; 0.000000 s ...\n"
           " 0.001000 ESTABLISHED  <-- <SEQ=300><ACK=103><CTL=ACK><WND=0>                    <-- "
           "(ESTABLISHED)\n"
           " 0.002000                  ... in: 2 segments; 0.000000 s ...\n"
           " 0.003000 ESTABLISHED  <-- <SEQ=300><ACK=103><CTL=ACK>                           <-- "
           "(ESTABLISHED)\n"
           " 0.003000 ESTABLISHED  --> <SEQ=103><ACK=300><CTL=ACK><WND=0>                    --> "
           "(ESTABLISHED)\n"
           " 0.003000 ESTABLISHED  --> <SEQ=103><ACK=300><CTL=ACK>                           --> "
           "(ESTABLISHED)\n");
}

static void what_is_of_no_use_does_not_shut_a_window(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    for (int i = 0; i < 3; i++) {
        gets(&p, ACK, 900000, HF_ESTABLISHED, .ack = 102, .shut = true,
             .verdict = HF_V_DROP_OUT_OF_WINDOW);
    }
    hf_ladder_flush(ladder);
    expect(ladder, " 0.001000                  ... in: 3 segments, 3 of no use; 0.000000 s ...\n");
}

static void a_window_that_opens_and_shuts_without_end_makes_few_lines(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    for (int i = 0; i < 2000; i++) {
        gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 102, .shut = i % 2 == 0);
    }
    hf_ladder_flush(ladder);
    int lines = 0;
    for (size_t i = 0; i < p.len; i++) {
        lines += p.text[i] == '\n';
    }
    assert_in_range(lines, 3, 201);
    hf_ladder_free(ladder);
}

static void a_row_is_drawn_where_it_would_be_folded_alone(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    calls(&p, HF_CALL_SEND, HF_ESTABLISHED); /* shows in what it sends */
    sends(&p, ACK, 102, HF_ESTABLISHED, .ack = 300, .text = 1);
    calls(&p, HF_CALL_SEND, HF_ESTABLISHED);
    at_ms(&p, 2);
    hf_ladder_flush(ladder);
    calls(&p, HF_CALL_SEND, HF_ESTABLISHED);
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    expect(ladder,
           " 0.001000 ESTABLISHED  --> <SEQ=102><ACK=300><CTL=ACK><DATA=1>                   --> "
           "(ESTABLISHED)\n"
           " 0.002000 ESTABLISHED      (SEND)\n"
           " 0.002000 FIN-WAIT-1       (CLOSE)\n");
}

static void a_row_that_is_drawn_after_all_can_be_lost(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    sends(&p, ACK, 102, HF_ESTABLISHED, .ack = 300, .text = 1);
    struct hf_packet lost = packet_of(&p, true, ACK, 102, 300, 1);
    hf_ladder_lost(ladder, p.now_ns, &lost);
    p.len = 0;
    hf_ladder_text(ladder, false, collect, &p);
    assert_non_null(strstr(
        p.text,
        " 0.001000 ESTABLISHED  --> <SEQ=102><ACK=300><CTL=ACK><DATA=1>                   X\n"));
    hf_ladder_free(ladder);
}

static void a_fold_says_what_it_holds(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    calls(&p, HF_CALL_SEND, HF_ESTABLISHED);
    at_ms(&p, 2);
    calls(&p, HF_CALL_SEND, HF_ESTABLISHED);
    hf_ladder_flush(ladder);
    expect(ladder, " 0.001000                  ... 2 calls; 0.001000 s ...\n");
}

static void the_longest_fold_is_told_to_its_end(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    for (uint32_t i = 0; i < 20000; i++) {
        sends(&p, ACK, 102 + i * 65000, HF_ESTABLISHED, .ack = 300, .text = 65000,
              .marks = i % 3 ? 0 : HF_MARK_REPEAT);
        gets(&p, ACK, p.rcv_nxt, HF_ESTABLISHED, .ack = 102, .text = 65000);
        gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 102, .text = 1,
             .verdict = HF_V_DROP_OLD_DUPLICATE);
        gets(&p, ACK, p.rcv_nxt + 1000000, HF_ESTABLISHED, .ack = 102, .text = 1,
             .verdict = HF_V_DROP_OUT_OF_WINDOW);
        struct hf_packet lost = packet_of(&p, true, ACK, 102, 300, 1);
        hf_ladder_lost(ladder, p.now_ns, &lost);
    }
    hf_ladder_flush(ladder);
    assert_non_null(strstr(p.text, "... out: 20,000 segments, 1,300,000,000 octets, 6,667 "));
    assert_non_null(strstr(p.text, " lost on the wire; 0.000000 s ...\n"));
    hf_ladder_free(ladder);
}

/* Only the last lines. */
static void collect_last(void *played, const char *text, size_t len)
{
    ((struct played *)played)->len *= ((struct played *)played)->len < PLAYED_ROOM / 2;
    collect(played, text, len);
}

/* However many rows are left out, why it closed is none of them. */
static void what_is_not_kept_is_told_and_the_end_is_kept(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    for (int i = 0; i < 6000; i++) {
        at_ms(&p, 1000 * i);
        p.len = 0;
        gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 102);
    }
    p.len = 0;
    hf_ladder_text(ladder, false, collect_last, &p);
    assert_non_null(strstr(p.text, " 5999.000                  more happened than is kept\n"));
    hf_ladder_end(ladder, "this side aborted");
    p.len = 0;
    hf_ladder_text(ladder, false, collect_last, &p);
    assert_non_null(strstr(p.text, " 5999.000                  this side aborted\n"
                                   " 5999.000                  more happened than is kept\n"));
    hf_ladder_free(ladder);
}

static void the_end_is_not_before_what_was_noted(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    hf_ladder_note(ladder, p.now_ns + 7000000, "at rest");
    hf_ladder_end(ladder, "over");
    expect(ladder, " 0.008000                  at rest\n"
                   " 0.008000                  over\n");
}

static void days_keep_to_the_column_of_seconds(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin();
    at_ms(&p, 99999999);
    hf_ladder_note(ladder, p.now_ns, "a day");
    at_ms(&p, 2715737899);
    hf_ladder_note(ladder, p.now_ns, "a month");
    at_ms(&p, 12715737899);
    hf_ladder_note(ladder, p.now_ns, "five months");
    expect(ladder, "99999.999                  a day\n"
                   "2715737.8                  a month\n"
                   " 12715737                  five months\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_shuts_a_window_and_what_opens_it_again_is_drawn),
        cmocka_unit_test(what_is_of_no_use_does_not_shut_a_window),
        cmocka_unit_test(a_window_that_opens_and_shuts_without_end_makes_few_lines),
        cmocka_unit_test(a_row_is_drawn_where_it_would_be_folded_alone),
        cmocka_unit_test(a_row_that_is_drawn_after_all_can_be_lost),
        cmocka_unit_test(a_fold_says_what_it_holds),
        cmocka_unit_test(the_longest_fold_is_told_to_its_end),
        cmocka_unit_test(what_is_not_kept_is_told_and_the_end_is_kept),
        cmocka_unit_test(the_end_is_not_before_what_was_noted),
        cmocka_unit_test(days_keep_to_the_column_of_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
