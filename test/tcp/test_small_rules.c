/* Rules of the tcp room that are easily bent by one: steps of the window, ranges that come and go,
 * whose patience counts from when; what a SYN cookie says in the last of its bits.
 */
#include "common/peer.h"
#include "common/work.h"

/* RFC 9293 3.8.6.2.2: half the buffer where that is less than a segment. */
TEST(a_small_buffer_opens_by_half_of_it)
{
    p->config.policy.receive_window = 1500;
    p->config.policy.tune_buffers = false;
    establish_active();
    sends(ACK, .len = 1000);
    sends(ACK, .len = 500);
    peer_forget(p);
    holds_equal(status_of(rcv_wnd), 0);
    reads(500);
    expects_silence();
    reads(249);
    expects_silence();
    reads(1);
    expects(ACK, .wnd = 750);
}

/* An update of its own: the window has doubled, by half the buffer or two segments. */
TEST(a_window_that_has_doubled_by_two_segments_is_told)
{
    p->config.policy.receive_window = 8000;
    p->with.mss = 1000;
    p->config.policy.tune_buffers = false;
    establish_active();
    for (int i = 0; i < 6; i++)
        sends(ACK, .len = 1000);
    peer_forget(p);
    holds_equal(status_of(rcv_wnd), 2000);
    reads(1999);
    expects_silence();
    reads(1);
    expects(ACK, .wnd = 4000);
}

TEST(a_window_that_has_doubled_by_half_a_buffer_is_told)
{
    p->config.policy.receive_window = 3000;
    p->with.mss = 1000;
    p->config.policy.tune_buffers = false;
    establish_active();
    sends(ACK, .len = 1000);
    sends(ACK, .len = 1000);
    peer_forget(p);
    holds_equal(status_of(rcv_wnd), 1000);
    reads(1000);
    expects_silence();
    reads(499);
    expects_silence();
    reads(1);
    expects(ACK, .wnd = 2500);
}

TEST(ranges_ahead_of_a_gap_can_be_held_again_and_again)
{
    p->with.sackok = true;
    establish_active();
    for (uint32_t i = 0; i < 600; i++) {
        sends(ACK, .seq = IRS + 11 + 20 * i, .len = 10);
        sends(ACK, .seq = IRS + 1 + 20 * i, .len = 10);
        peer_forget(p);
        reads(20);
    }
    for (uint32_t i = 0; i < 100; i++)
        sends(ACK, .seq = IRS + 12011 + 20 * i, .len = 10);
    peer_forget(p);
    holds_equal(status_of(out_of_order_bytes), 1000);
}

TEST(ranges_that_a_larger_one_took_in_are_not_counted)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 40001, .len = 10); /* something is held all the time */
    for (uint32_t i = 0; i < 600; i++) {
        sends(ACK, .seq = IRS + 21 + 40 * i, .len = 10);
        sends(ACK, .seq = IRS + 11 + 40 * i, .len = 30);
        sends(ACK, .seq = IRS + 1 + 40 * i, .len = 10);
        peer_forget(p);
        reads(40);
    }
    for (uint32_t i = 0; i < 100; i++)
        sends(ACK, .seq = IRS + 24011 + 20 * i, .len = 10);
    peer_forget(p);
    holds_equal(status_of(out_of_order_bytes), 1010);
}

/* RFC 9293 3.9.1.1: from the oldest text that is not acknowledged. */
TEST(more_text_does_not_begin_the_user_timeout_anew)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 5000);
    writes(100);
    expects(ACK, .len = 100);
    sets(HF_NODELAY, 1);
    after(100); /* before it is sent again */
    writes(100);
    expects(ACK, .len = 100);
    after(4890);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    after(20);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(an_acknowledgment_of_a_part_begins_the_user_timeout_anew)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 5000);
    writes(100);
    expects(ACK, .len = 100);
    after(4000);
    peer_forget(p);
    sends(ACK, .ack = ISS + 51);
    after(4900);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    after(200);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(a_largest_segment_set_before_the_syn_is_read_back_at_once)
{
    int64_t value;
    struct hf_endpoint there;
    starts();
    there = peer_there(p, 4000);
    hf_handle handle;
    holds_equal(hf_open(p->stack, &p->env, NULL, &there, 0, &handle), HF_OK);
    static const int64_t values[][2] = {{600, HF_OK},          {-1, HF_ERR_INVALID},
                                        {215, HF_ERR_INVALID}, {65536, HF_ERR_INVALID},
                                        {65535, HF_OK},        {216, HF_OK}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        holds_equal(hf_set_option(p->stack, &p->env, handle, HF_MAX_SEGMENT, values[i][0]),
                    values[i][1]);
    holds_equal(hf_option(p->stack, handle, HF_MAX_SEGMENT, &value), HF_OK);
    holds_equal(value, 216);
    holds_equal(hf_set_option(p->stack, &p->env, handle, HF_MAX_SEGMENT, 0), HF_OK);
    holds_equal(hf_option(p->stack, handle, HF_MAX_SEGMENT, &value), HF_OK);
    holds(value > 1400);
}

/* RFC 3168 6.1.2, RFC3168-18: also when what was in flight at the echo is acknowledged by then. */
TEST(at_a_window_of_one_segment_the_timer_is_waited_for_though_all_has_arrived)
{
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.initial_cwnd = 1;
    opens();
    expects(SYN | ECE | CWR);
    after(100);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
    sets(HF_NODELAY, 1);
    writes(700);
    expects(ACK, .seq = ISS + 1, .len = 700);
    writes(700);
    expects(ACK, .seq = ISS + 701, .len = 700);
    writes(1460);
    expects_silence();
    after(100);
    sends(ACK | ECE, .ack = ISS + 701);
    expects_silence();
    sends(ACK, .ack = ISS + 1401);
    expects_after(200, 420, ACK | CWR, .seq = ISS + 1401, .len = 1460);
}

/* RFC3168-7: whoever has sent a SYN without the bits sends no ECT. */
TEST(who_has_not_asked_agrees_to_nothing_when_both_open)
{
    opens();
    expects(SYN);
    sends(SYN | ECE | CWR, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK);
    holds_equal(status_of(ecn), HF_ECN_NONE);
    writes(10);
    expects(ACK | PSH, .len = 10, .ip_ecn = CODEPOINT(NOT_ECT));
}

/* RFC 7323 5.4, 4: the clock of a cookie is at most as far behind as six bits can take it back. */
TEST(the_timestamp_of_a_cookie_is_less_than_64_ms_old)
{
    uint32_t cookies[64];
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    for (int i = 0; i < 64; i++) {
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5, .sackok = true, .wscale = SHIFT(7));
        expects(SYN | ACK, .seq = ISS);
        cookies[i] = p->c->ts_echo;
        after(1);
    }
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1);
    expects(ACK, .ack = IRS + 2);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t then = p->c->ts_echo - (64 - i);
        holds(then - cookies[i] < 64);
    }
}

/* What the ACK of the record's own SYN,ACK costs. */
static uint64_t hashes_of_ack(struct peer *p)
{
    struct work_done before = work_of(p->stack);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    uint64_t hashes = work_since(p->stack, &before).hashes;
    accepts();
    return hashes;
}

/* RFC4987-7: it needs no hash more because cookies are out. */
TEST(an_ack_that_a_record_waits_for_is_not_tried_as_a_cookie)
{
    p->config.max_half_open = 1;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    uint64_t hashes = hashes_of_ack(p);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_COOKIE_SENT], 1);
    on(1);
    holds_equal(hashes_of_ack(p), hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_small_buffer_opens_by_half_of_it),
        V4(a_window_that_has_doubled_by_two_segments_is_told),
        V4(a_window_that_has_doubled_by_half_a_buffer_is_told),
        V4(ranges_ahead_of_a_gap_can_be_held_again_and_again),
        V4(ranges_that_a_larger_one_took_in_are_not_counted),
        V4(more_text_does_not_begin_the_user_timeout_anew),
        V4(an_acknowledgment_of_a_part_begins_the_user_timeout_anew),
        V4(a_largest_segment_set_before_the_syn_is_read_back_at_once),
        V4(at_a_window_of_one_segment_the_timer_is_waited_for_though_all_has_arrived),
        V4(who_has_not_asked_agrees_to_nothing_when_both_open),
        BOTH(the_timestamp_of_a_cookie_is_less_than_64_ms_old),
        BOTH(an_ack_that_a_record_waits_for_is_not_tried_as_a_cookie),
    };
    return cmocka_run_group_tests_name("small rules", tests, NULL, NULL);
}
