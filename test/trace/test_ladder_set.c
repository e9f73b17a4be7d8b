/* Ladders of all connections of a stack, told apart by their addresses (trace.h). */
#include "trace/play.h"

static struct played p;

static struct hf_ladder_set *set;

static bool only_port_40001(void *arg, const struct hf_trace *first, struct hf_ladder_style *style)
{
    *(int *)arg += 1;
    style->title = "the second";
    return first->local_port == 40001;
}

static void a_set_gives_each_connection_its_ladder(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style, .keep = true, .brief = true};
    static struct played a, b;
    int asked = 0;
    set = hf_ladder_set_new(&style, 0, NULL, NULL);
    play(&a, hf_ladder_set_trace, set, HF_CLOSED);
    play(&b, hf_ladder_set_trace, set, HF_LISTEN);
    b.local_port = 40001;
    b.handle = 8;
    calls(&a, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    gets(&b, SYN, 300, HF_SYN_RECEIVED, .verdict = HF_V_HANDSHAKE);
    sends(&a, SYN, 100, HF_SYN_SENT);
    sends(&b, SYN | ACK, 100, HF_SYN_RECEIVED, .ack = 301);
    gets(&a, RST | ACK, 0, HF_CLOSED, .ack = 101, .verdict = HF_V_RST_REFUSED);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 0)), HF_CLOSED);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 1)), HF_SYN_RECEIVED);
    assert_null(hf_ladder_set_at(set, 2));
    assert_ptr_equal(hf_ladder_set_handle(set, 8), hf_ladder_set_at(set, 1));
    assert_null(hf_ladder_set_handle(set, 0));
    /* The same addresses once more are another connection. */
    calls(&a, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    assert_non_null(hf_ladder_set_at(set, 2));
    struct hf_packet packet = packet_of(&a, true, SYN, 100, 0, 0);
    assert_ptr_equal(hf_ladder_set_find(set, packet.src, 40000, packet.dst, 80),
                     hf_ladder_set_at(set, 2));
    hf_ladder_set_lost(set, a.now_ns, &packet);
    hf_ladder_set_drop(set, hf_ladder_set_at(set, 0));
    assert_null(hf_ladder_set_at(set, 2));
    hf_ladder_set_free(set);

    set = hf_ladder_set_new(&style, 0, only_port_40001, &asked);
    play(&a, hf_ladder_set_trace, set, HF_CLOSED);
    play(&b, hf_ladder_set_trace, set, HF_CLOSED);
    b.local_port = 40001;
    calls(&a, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    sends(&a, SYN, 100, HF_SYN_SENT);
    calls(&b, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    assert_int_equal(asked, 2);
    assert_non_null(hf_ladder_set_at(set, 0));
    assert_null(hf_ladder_set_at(set, 1));
    hf_ladder_set_free(set);
}

static void a_full_set_forgets_what_is_over(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style};
    static struct played one;
    for (int keep = 0; keep <= 1; keep++) {
        style.keep = keep != 0;
        set = hf_ladder_set_new(&style, 2, NULL, NULL);
        for (uint16_t port = 1; port <= 9; port++) {
            play(&one, hf_ladder_set_trace, set, HF_CLOSED);
            one.local_port = port;
            calls(&one, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
            if (port > 1) {
                calls(&one, HF_CALL_CLOSE, HF_CLOSED);
            }
        }
        assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 0)), HF_SYN_SENT);
        assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 1)), HF_CLOSED);
        struct hf_packet packet = packet_of(&one, true, SYN, 0, 0, 0);
        struct hf_ladder *newest = hf_ladder_set_find(set, packet.src, 9, packet.dst, 80);
        assert_ptr_equal(newest, keep ? NULL : hf_ladder_set_at(set, 1));
        hf_ladder_set_free(set);
    }
}

static void what_a_full_set_does_not_draw_goes_into_no_other_ladder(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style, .keep = true, .brief = true};
    static struct played one, drawn;
    memset(&drawn, 0, sizeof drawn);
    set = hf_ladder_set_new(&style, 1, NULL, NULL);
    play(&one, hf_ladder_set_trace, set, HF_LISTEN);
    gets(&one, SYN, 300, HF_SYN_RECEIVED, .verdict = HF_V_HANDSHAKE);
    gets(&one, RST, 301, HF_CLOSED, .verdict = HF_V_RST_CLOSES);
    play(&one, hf_ladder_set_trace, set, HF_LISTEN);
    gets(&one, SYN, 9000, HF_SYN_RECEIVED, .verdict = HF_V_HANDSHAKE);
    sends(&one, SYN | ACK, 100, HF_SYN_RECEIVED, .ack = 9001);
    gets(&one, ACK, 9001, HF_TIME_WAIT, .ack = 101, .text = 77);
    gets(&one, FIN | ACK, 9078, HF_TIME_WAIT, .ack = 101);
    struct hf_packet lost = packet_of(&one, false, SYN, 9000, 0, 0);
    hf_ladder_set_lost(set, one.now_ns, &lost);
    hf_ladder_set_text(set, false, collect, &drawn);
    assert_non_null(strstr(drawn.text, "IRS 300"));
    assert_null(strstr(drawn.text, "IRS 9000"));
    assert_null(strstr(drawn.text, "<DATA=77>"));
    assert_null(strstr(drawn.text, "lost"));
    assert_null(hf_ladder_set_find(set, lost.dst, 40000, lost.src, 80));
    hf_ladder_set_free(set);
}

/* RFC 7413 4.2, RFC 4987 3.6; the same sockets again are another ladder. */
static void fast_open_and_cookies_begin_ladders_and_all_are_drawn_in_order(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style, .keep = true, .brief = true};
    static struct played drawn;
    memset(&drawn, 0, sizeof drawn);
    set = hf_ladder_set_new(&style, 0, NULL, NULL);
    play(&p, hf_ladder_set_trace, set, HF_LISTEN);
    gets(&p, HF_SYN, 100, HF_SYN_RECEIVED, .verdict = HF_V_FAST_OPEN, .text = 7);
    gets(&p, HF_RST, 108, HF_LISTEN, .verdict = HF_V_RST_BACK_TO_LISTEN);
    gets(&p, HF_SYN, 200, HF_LISTEN, .verdict = HF_V_COOKIE_SENT);
    gets(&p, HF_ACK, 201, HF_ESTABLISHED, .verdict = HF_V_COOKIE_ACCEPTED, .ack = 1);
    play(&p, hf_ladder_set_trace, set, HF_LISTEN);
    p.local_port = 9;
    gets(&p, HF_ACK, 301, HF_ESTABLISHED, .verdict = HF_V_COOKIE_ACCEPTED, .ack = 1);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 0)), HF_LISTEN);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 1)), HF_ESTABLISHED);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 2)), HF_ESTABLISHED);
    assert_null(hf_ladder_set_at(set, 3));
    hf_ladder_end(hf_ladder_set_at(set, 0), NULL);
    hf_ladder_set_text(set, false, collect, &drawn);
    char *first = strstr(drawn.text, "back in LISTEN: nothing is left of it\n\n");
    assert_non_null(first);
    char *second = strstr(first, "the SYN,ACK is a cookie");
    assert_non_null(second);
    assert_non_null(strstr(second, "the cookie comes back"));
    hf_ladder_set_free(set);
}

/* RFC 9293 3.6.1 MAY-2: until the new one is open there are two of the same endpoints. */
static void the_end_of_a_time_wait_stands_in_its_own_ladder(void **state)
{
    (void)state;
    struct hf_ladder_style style = {.struct_size = sizeof style};
    set = hf_ladder_set_new(&style, 0, NULL, NULL);
    play(&p, hf_ladder_set_trace, set, HF_CLOSED);
    calls(&p, HF_CALL_OPEN_ACTIVE, HF_SYN_SENT);
    p.state = HF_FIN_WAIT_2;
    gets(&p, FIN | ACK, 300, HF_TIME_WAIT, .ack = 102);
    gets(&p, SYN, 9000, HF_SYN_RECEIVED, .verdict = HF_V_TIME_WAIT_REUSED);
    p.state = HF_TIME_WAIT;
    ends(&p, HF_CAUSE_REPLACED, HF_OK);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 0)), HF_CLOSED);
    assert_int_equal(hf_ladder_state(hf_ladder_set_at(set, 1)), HF_SYN_RECEIVED);
    hf_ladder_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_gives_each_connection_its_ladder),
        cmocka_unit_test(a_full_set_forgets_what_is_over),
        cmocka_unit_test(what_a_full_set_does_not_draw_goes_into_no_other_ladder),
        cmocka_unit_test(fast_open_and_cookies_begin_ladders_and_all_are_drawn_in_order),
        cmocka_unit_test(the_end_of_a_time_wait_stands_in_its_own_ladder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
