/* Packet comments: the sentence, and which packet gets which. */
#include "handfast/device.h"
#include "trace/play.h"

static struct played p;
static struct hf_comments *comments;
static char text[HF_COMMENT_BYTES];

static int begin(void **state)
{
    (void)state;
    comments = hf_comments_new(0);
    play(&p, hf_comments_trace, comments, HF_ESTABLISHED);
    return comments == NULL;
}

static int end(void **state)
{
    (void)state;
    hf_comments_free(comments);
    return 0;
}

static void expect(bool out, uint16_t ctl, uint32_t seq, uint32_t ack, uint32_t len,
                   const char *comment)
{
    struct hf_packet packet = packet_of(&p, out, ctl, seq, ack, len);
    size_t n = hf_comments_find(comments, &packet, out, text);
    assert_int_equal(n, strlen(comment));
    if (n > 0) {
        assert_string_equal(text, comment);
    }
}

static void a_comment_tells_the_transition_and_the_verdict(void **state)
{
    (void)state;
    gets(&p, FIN | ACK, 300, HF_CLOSE_WAIT, .ack = 100);
    gets(&p, RST, 400, HF_CLOSE_WAIT, .verdict = HF_V_DROP_RST_CHALLENGED);
    expect(false, FIN | ACK, 300, 100, 0,
           "handfast: ESTABLISHED -> CLOSE-WAIT; processed to the end (RFC 9293 3.10.7)");
    expect(false, RST, 400, 0, 0,
           "handfast: CLOSE-WAIT; an inexact reset earns a challenge ACK (RFC 5961 3.2)");
    expect(false, RST, 400, 0, 0, ""); /* used up */
}

static void what_goes_out_tells_whether_it_is_a_repeat_and_why(void **state)
{
    (void)state;
    calls(&p, HF_CALL_CLOSE, HF_FIN_WAIT_1);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    sends(&p, FIN | ACK, 100, HF_FIN_WAIT_1, .ack = 300, .marks = HF_MARK_REPEAT,
          .cause = HF_TIMER_RTO);
    sends(&p, ACK, 99, HF_FIN_WAIT_1, .ack = 300, .marks = HF_MARK_PROBE);
    expect(true, FIN | ACK, 100, 300, 0, "handfast: ESTABLISHED -> FIN-WAIT-1; sent");
    expect(true, FIN | ACK, 100, 300, 0,
           "handfast: FIN-WAIT-1; sent again (retransmission timeout)");
    expect(true, ACK, 99, 300, 0, "handfast: FIN-WAIT-1; a probe");
}

/* The record of the end comes before that of the message. */
static void the_icmp_error_that_ends_a_connection_tells_the_transition(void **state)
{
    (void)state;
    struct hf_trace message = {.version = HF_TRACE_VERSION,
                               .kind = HF_TRACE_IN,
                               .verdict = HF_V_ICMP_TAKEN,
                               .marks = HF_MARK_ICMP | HF_MARK_NO_CONNECTION,
                               .seq = 3 << 8 | 3};
    struct hf_packet packet = {.struct_size = sizeof packet,
                               .layers = HF_LAYER_IP | HF_LAYER_ICMP,
                               .icmp_type = 3,
                               .icmp_code = 3};
    p.state = HF_SYN_SENT;
    ends(&p, HF_CAUSE_ICMP, HF_ERR_PORT_UNREACHABLE);
    hf_comments_trace(comments, &message);
    hf_comments_trace(comments, &message);
    hf_comments_find(comments, &packet, false, text);
    assert_string_equal(text, "handfast: SYN-SENT -> CLOSED; an ICMP error was taken (RFC 5927 4)");
    hf_comments_find(comments, &packet, false, text);
    assert_string_equal(text, "handfast: an ICMP error was taken (RFC 5927 4)");
    p.state = HF_ESTABLISHED;
    ends(&p, HF_CAUSE_LISTENER_CLOSED, HF_ERR_ABORTED);
    sends(&p, RST | ACK, 100, HF_CLOSED, .ack = 300);
    expect(true, RST | ACK, 100, 300, 0, "handfast: ESTABLISHED -> CLOSED; sent");
}

static void each_piece_of_a_super_segment_gets_a_comment_the_last_one_the_transition(void **state)
{
    (void)state;
    sends(&p, FIN | PSH | ACK, 100, HF_FIN_WAIT_1, .ack = 300, .text = 3000, .marks = HF_MARK_GSO);
    sends(&p, ACK, 100, HF_FIN_WAIT_1, .ack = 300);
    expect(true, ACK, 100, 300, 1460, "handfast: ESTABLISHED; sent");
    expect(true, ACK, 1560, 300, 1460, "handfast: ESTABLISHED; sent");
    expect(true, FIN | PSH | ACK, 3020, 300, 80, "handfast: ESTABLISHED -> FIN-WAIT-1; sent");
    expect(true, FIN | PSH | ACK, 3020, 300, 80, "");
    expect(true, ACK, 100, 300, 0, "handfast: FIN-WAIT-1; sent");
}

static void other_packets_get_none(void **state)
{
    (void)state;
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100, .text = 10);
    expect(false, ACK, 301, 100, 10, "");
    expect(false, ACK, 300, 101, 10, "");
    expect(false, SYN | ACK, 300, 100, 10, "");
    expect(false, FIN | ACK, 300, 100, 10, "");
    expect(true, ACK, 300, 100, 10, "");
    p.local_port = 40001;
    expect(false, ACK, 300, 100, 10, "");
    p.local_port = 40000;
    expect(false, ACK, 300, 100, 10,
           "handfast: ESTABLISHED; processed to the end (RFC 9293 3.10.7)");
}

static void the_oldest_records_are_forgotten_first(void **state)
{
    (void)state;
    hf_comments_free(comments);
    comments = hf_comments_new(3);
    play(&p, hf_comments_trace, comments, HF_ESTABLISHED);
    for (uint32_t i = 0; i < 5; i++) {
        gets(&p, ACK, 300 + i, HF_ESTABLISHED, .ack = 100, .text = 1);
    }
    static const char wanted[] = "handfast: ESTABLISHED; processed to the end (RFC 9293 3.10.7)";
    expect(false, ACK, 301, 100, 1, "");
    expect(false, ACK, 304, 100, 1, wanted);
    expect(false, ACK, 302, 100, 1, wanted);
    expect(false, ACK, 303, 100, 1, wanted);
}

static void no_comment_is_longer_than_its_room(void **state)
{
    (void)state;
    for (int verdict = 0; verdict < HF_VERDICT_COUNT; verdict++) {
        struct hf_trace record = {.kind = HF_TRACE_IN,
                                  .state_before = HF_SYN_RECEIVED,
                                  .state_after = HF_ESTABLISHED,
                                  .verdict = (uint16_t)verdict};
        size_t n = hf_comment_text(&record, text);
        assert_int_equal(n, strlen(text));
        assert_int_equal(text[n - 1], ')'); /* nothing was cut */
    }
}

static void a_tap_asks_with_the_packet_itself(void **state)
{
    (void)state;
    static const uint8_t packet[40] = {0x45, 0,  0,   40, 0,   0, 0x40, 0,   64,   6,    0,    0,
                                       198,  51, 100, 2,  192, 0, 2,    1,   0,    80,   0x9c, 0x40,
                                       0,    0,  1,   44, 0,   0, 0,    100, 0x50, 0x10, 255,  255};
    struct hf_captured captured = {
        .data = packet, .len = sizeof packet, .link = HF_LINK_IP, .direction = HF_DIRECTION_IN};
    char room[12];
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    gets(&p, ACK, 300, HF_ESTABLISHED, .ack = 100);
    assert_int_equal(hf_comments_captured(comments, &captured, text, sizeof text), 61);
    assert_memory_equal(text, "handfast: ESTABLISHED; processed to the end (RFC 9293 3.10.7)", 61);
    assert_int_equal(hf_comments_captured(comments, &captured, room, sizeof room), 12);
    assert_memory_equal(room, "handfast: ES", 12);
    assert_int_equal(hf_comments_captured(comments, &captured, text, sizeof text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_comment_tells_the_transition_and_the_verdict, begin, end),
        cmocka_unit_test_setup_teardown(what_goes_out_tells_whether_it_is_a_repeat_and_why, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            each_piece_of_a_super_segment_gets_a_comment_the_last_one_the_transition, begin, end),
        cmocka_unit_test_setup_teardown(the_icmp_error_that_ends_a_connection_tells_the_transition,
                                        begin, end),
        cmocka_unit_test_setup_teardown(other_packets_get_none, begin, end),
        cmocka_unit_test_setup_teardown(the_oldest_records_are_forgotten_first, begin, end),
        cmocka_unit_test_setup_teardown(no_comment_is_longer_than_its_room, begin, end),
        cmocka_unit_test_setup_teardown(a_tap_asks_with_the_packet_itself, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
