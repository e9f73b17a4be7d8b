/* RFC 9293 section 3.8.5: urgent data as a mark, both ways. */
#include "common/peer.h"

/* MUST-30 */
TEST(urgent_data_is_announced_with_the_octet_behind_it)
{
    establish_active();
    writes_with(10, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .len = 10, .up = 10); /* MUST-62 */
    sends(ACK);
    writes(10);
    expects(ACK, .seq = ISS + 11, .len = 10); /* past it: no URG */
}

TEST(the_mark_is_on_every_segment_until_it_was_passed)
{
    p->with.mss = 1000;
    establish_active();
    writes_with(2500, HF_SEND_URGENT);
    expects(ACK | URG, .len = 1000, .up = 2500);
    expects(ACK | URG, .len = 1000, .up = 1500);
    expects(ACK | URG, .len = 500, .up = 500);
    expects_after(150, 300, ACK | URG, .seq = ISS + 1, .len = 1000, .up = 2500); /* repeated */
}

/* MUST-31, RFC7323-50 */
TEST(a_mark_far_ahead_is_as_far_as_the_pointer_reaches)
{
    p->with.mss = 1000;
    establish_active();
    writes_with(100000, HF_SEND_URGENT);
    expects(ACK | URG, .len = 1000, .up = 65535);
}

/* MUST-30, MUST-66: the user's word does not wait for the window. */
TEST(urgent_data_is_announced_to_a_closed_window_at_once)
{
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes_with(10, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .up = 10);
    expects_silence();
    writes_with(10, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .up = 20);
    writes(10);
    expects_silence();
    sends(ACK, .wnd = 1000);
    expects(ACK | URG, .seq = ISS + 1, .len = 30, .up = 20);
}

/* What is an octet old is not looked at, what is new is not answered: the peer needs both. */
TEST(a_window_probe_has_the_mark_and_so_has_an_ack_that_the_peer_will_look_at)
{
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes_with(10, HF_SEND_URGENT);
    peer_forget(p);
    for (int i = 0; i < 2; i++) {
        expects_after(150, 1100, ACK | URG, .seq = ISS, .up = 11);
        expects(ACK | URG, .seq = ISS + 1, .up = 10);
        expects_silence();
    }
}

TEST(a_probe_that_is_an_octet_of_text_has_the_mark)
{
    p->config.policy.zwp_octet = true;
    p->wild = true;
    establish_active();
    sends(ACK, .wnd = ZERO);
    writes_with(10, HF_SEND_URGENT);
    peer_forget(p);
    expects_after(150, 1100, ACK | URG, .seq = ISS + 1, .len = 1, .up = 10);
    expects_silence();
}

TEST(acks_have_the_mark_while_urgent_text_waits)
{
    p->with.mss = 1000;
    establish_active();
    p->c->wnd = 1000;
    sends(ACK);
    writes_with(2500, HF_SEND_URGENT);
    expects(ACK | URG, .seq = ISS + 1, .len = 1000, .up = 2500);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 10); /* ahead of a gap */
    expects(ACK | URG, .seq = ISS + 1001, .up = 1500);
}

/* MUST-30, MUST-32, MUST-33 */
TEST(the_user_is_told_of_urgent_data_and_how_much_of_it_there_is)
{
    establish_active();
    sends(ACK | URG, .len = 20, .up = 5);
    expects(ACK, .ack = IRS + 21);
    expects_event(HF_URGENT | HF_READABLE);
    holds_equal(status_of(urgent), 1);
    holds_equal(status_of(urgent_bytes), 5);
    reads(4);
    holds_equal(status_of(urgent), 1);
    holds_equal(status_of(urgent_bytes), 1);
    reads(1);
    holds_equal(status_of(urgent), 0);
    reads(15);
}

TEST(the_user_is_told_again_when_the_mark_moves)
{
    establish_active();
    sends(ACK | URG, .len = 10, .up = 10);
    expects_event(HF_URGENT);
    sends(ACK | URG, .len = 10, .up = 10); /* MUST-32 */
    expects_event(HF_URGENT);
    sends(ACK | URG, .seq = IRS + 11, .len = 10, .up = 10); /* the same mark */
    expects_no_event(HF_URGENT);
    holds_equal(status_of(urgent_bytes), 20);
    reads(20);
}

TEST(a_mark_ahead_of_the_text_is_told_before_the_text_comes)
{
    establish_active();
    sends(ACK | URG, .up = 1000);
    expects_silence();
    expects_event(HF_URGENT);
    holds_equal(status_of(urgent), 1);
    holds_equal(status_of(urgent_bytes), 0);
    sends(ACK, .len = 1000);
    expects(ACK);
    reads(999);
    holds_equal(status_of(urgent), 1);
    reads(1);
    holds_equal(status_of(urgent), 0);
}

/* MUST-30 */
TEST(urgent_data_is_delivered_in_line_like_any_other)
{
    establish_active();
    sends(ACK, .len = 10);
    sends(ACK | URG, .len = 1, .up = 1);
    sends(ACK, .len = 10);
    peer_forget(p);
    reads(21);
}

/* MUST-33: so many octets, whatever is behind them: a FIN is none. */
TEST(a_fin_behind_urgent_data_takes_nothing_from_its_length)
{
    establish_active();
    sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = 10);
    expects(ACK);
    holds_equal(status_of(urgent_bytes), 10);
    sends(FIN | ACK, .seq = IRS + 11);
    expects(ACK);
    holds_equal(status_of(urgent_bytes), 10);
    reads(9);
    holds_equal(status_of(urgent_bytes), 1);
}

TEST(a_mark_behind_the_fin_of_the_peer_is_ignored)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1);
    expects(ACK);
    sends(ACK | URG, .seq = IRS + 2, .up = 5);
    expects_no_event(HF_URGENT);
    holds_equal(status_of(urgent), 0);
}

TEST(a_pointer_without_urg_means_nothing)
{
    establish_active();
    sends(ACK, .len = 10, .up = 5);
    expects_no_event(HF_URGENT);
}

TEST(a_closed_window_still_takes_the_mark)
{
    p->config.policy.receive_window = 1000;
    establish_active();
    sends(ACK, .len = 1000);
    expects(ACK, .wnd = ZERO);
    sends(ACK | URG, .seq = IRS + 1001, .len = 1, .up = 1); /* MUST-66 */
    expects(ACK, .wnd = ZERO);
    expects_event(HF_URGENT);
}

/* MUST-62: the mark is behind the last octet, which is still to come. */
TEST(text_taken_in_part_is_not_marked_urgent)
{
    uint8_t some[120];
    establish_active();
    sets(HF_SEND_BUFFER, 100);
    for (uint32_t i = 0; i < sizeof some; i++) {
        some[i] = peer_octet(true, i);
    }
    int64_t n = hf_send(p->stack, &p->env, p->c->handle, some, sizeof some, HF_SEND_URGENT);
    holds_equal(n, 100);
    p->c->sent = 100;
    expects(PSH | ACK, .seq = ISS + 1, .len = 100);
}

TEST(nothing_urgent_lies_behind_a_fin)
{
    for (int fin_first = 0; fin_first < 2; fin_first++) {
        on(fin_first);
        establish_active();
        sends(ACK | URG, .seq = IRS + 1, .len = 10, .up = 100);
        if (!fin_first) {
            reads(10);
        }
        sends(FIN | ACK, .seq = IRS + 11);
        peer_forget(p);
        if (fin_first) {
            reads(10);
        }
        reads_result(0);
        holds_equal(status_of(urgent), 0);
    }
}

/* What it points to never comes; what has come is read first. */
TEST(a_mark_ahead_of_the_text_keeps_no_record_of_a_closed_connection)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    establish_active();
    sends(ACK | URG, .len = 10, .up = 1000);
    expects(ACK);
    sends(RST, .seq = IRS + 11);
    expects_state(HF_CLOSED);
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 1);
    reads(10);
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0);
    on(1);
    establish_active();
    sends(ACK | URG, .up = 1000);
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 1);
    aborts();
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(text_taken_in_part_is_not_marked_urgent),
        V4(nothing_urgent_lies_behind_a_fin),
        BOTH(urgent_data_is_announced_with_the_octet_behind_it),
        V4(the_mark_is_on_every_segment_until_it_was_passed),
        V4(a_mark_far_ahead_is_as_far_as_the_pointer_reaches),
        BOTH(urgent_data_is_announced_to_a_closed_window_at_once),
        V4(a_window_probe_has_the_mark_and_so_has_an_ack_that_the_peer_will_look_at),
        V4(a_probe_that_is_an_octet_of_text_has_the_mark),
        V4(acks_have_the_mark_while_urgent_text_waits),
        BOTH(the_user_is_told_of_urgent_data_and_how_much_of_it_there_is),
        V4(the_user_is_told_again_when_the_mark_moves),
        V4(a_mark_ahead_of_the_text_is_told_before_the_text_comes),
        V4(urgent_data_is_delivered_in_line_like_any_other),
        V4(a_fin_behind_urgent_data_takes_nothing_from_its_length),
        V4(a_mark_behind_the_fin_of_the_peer_is_ignored),
        V4(a_pointer_without_urg_means_nothing),
        V4(a_closed_window_still_takes_the_mark),
        BOTH(a_mark_ahead_of_the_text_keeps_no_record_of_a_closed_connection),
    };
    return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
