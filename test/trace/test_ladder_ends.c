/* How a ladder says that a connection ended, who closed first (trace.h), and what comes behind. */
#include "trace/play.h"

static struct played p;

static struct hf_ladder *begin(enum hf_state state)
{
    struct hf_ladder_style style = {
        .struct_size = sizeof style, .write = collect, .write_arg = &p, .brief = true};
    memset(&p, 0, sizeof p);
    struct hf_ladder *ladder = hf_ladder_new(&style);
    assert_non_null(ladder);
    play(&p, hf_ladder_trace, ladder, state);
    return ladder;
}

static void ends_with(const char *text)
{
    assert_true(strlen(text) <= p.len);
    assert_string_equal(p.text + p.len - strlen(text), text);
}

static void the_fin_of_a_syn_counts_where_it_is_taken(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_LISTEN);
    gets(&p, SYN | FIN, 299, HF_SYN_RECEIVED, .verdict = HF_V_HANDSHAKE);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    gets(&p, ACK, 300, HF_FIN_WAIT_2, .ack = 101);
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "in order: this side closed first\n"));
    hf_ladder_free(ladder);

    ladder = begin(HF_SYN_SENT);
    gets(&p, SYN | FIN | ACK, 299, HF_CLOSE_WAIT, .ack = 100, .verdict = HF_V_SYN_ACK_ACCEPTED);
    sends(&p, FIN | ACK, 100, HF_LAST_ACK, .ack = 301);
    gets(&p, ACK, 301, HF_CLOSED, .ack = 101);
    hf_ladder_end(ladder, NULL);
    assert_non_null(strstr(p.text, "in order: the peer closed first"));
    hf_ladder_free(ladder);
}

static void what_gives_way_to_others_has_not_waited_to_its_end(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101);
    at_ms(&p, 4);
    timer_closes(&p, HF_TIMER_TIME_WAIT, HF_V_TIME_WAIT_RECYCLED);
    hf_ladder_end(ladder, NULL);
    ends_with("CLOSED           (the oldest TIME-WAIT gives its record to the newest)\n"
              " 0.004000                  closed in order: this side closed first; the oldest "
              "TIME-WAIT gives its\n"
              "                           record to the newest (RFC 7323 5.3)\n");
    hf_ladder_free(ladder);

    ladder = begin(HF_FIN_WAIT_1);
    timer_closes(&p, HF_TIMER_RTO, HF_V_ORPHAN_RESET);
    hf_ladder_end(ladder, NULL);
    ends_with("closed: given up in FIN-WAIT-1: too many connections whose handles were\n"
              "                           released wait for their peers (RFC 6429 4)\n");
    hf_ladder_free(ladder);
}

static void what_may_be_old_or_somebody_elses_proves_no_state_of_the_peer(void **state)
{
    (void)state;
    struct hf_ladder *ladder = begin(HF_ESTABLISHED);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101);
    sends(&p, ACK, 101, HF_TIME_WAIT, .ack = 301);
    gets(&p, RST, 200, HF_TIME_WAIT, .verdict = HF_V_DROP_RST_OUT_OF_WINDOW);
    ends_with("(CLOSED?)\n                           a reset outside the window (RFC 5961 3.2)\n");
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 101, .verdict = HF_V_DROP_OLD_DUPLICATE);
    ends_with("(LAST-ACK)\n"
              "                           wholly received before (RFC 9293 3.10.7.4 first)\n");
    hf_ladder_free(ladder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_old_or_somebody_elses_proves_no_state_of_the_peer),
        cmocka_unit_test(the_fin_of_a_syn_counts_where_it_is_taken),
        cmocka_unit_test(what_gives_way_to_others_has_not_waited_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
