/* RFC 9293 section 3.9.1.2: where PSH goes; what HF_SEND_MORE, HF_CORK and HF_SEND_END hold apart.
 */
#include "common/peer.h"

/* A round trip of this long, segments of 1000 octets, no timestamps. */
static void establish_slowly(struct peer *p, int64_t rtt_ms)
{
    opens();
    expects(SYN);
    after(rtt_ms);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wscale = SHIFT(7));
    expects(ACK);
    expects_event(HF_CONNECTED);
}

/* Text of n full segments, PSH on those whose bit is set in `pushed`. */
static void expects_run(struct peer *p, unsigned from, unsigned n, unsigned pushed)
{
    for (unsigned i = 0; i < n; i++) {
        if (pushed & 1u << i) {
            expects(ACK | PSH, .seq = ISS + 1 + (from + i) * 1000, .len = 1000);
        } else {
            expects(ACK, .seq = ISS + 1 + (from + i) * 1000, .len = 1000, .no_psh = true);
        }
    }
}

/* MUST-60, MUST-61 */
TEST(the_last_segment_of_a_send_is_pushed_and_without_more_nothing_waits)
{
    establish_slowly(p, 1);
    writes(1000);
    expects(ACK | PSH, .len = 1000);
    sends(ACK);
    writes(400);
    expects(ACK | PSH, .len = 400);
}

TEST(a_transmit_chunk_of_two_segments_or_more_ends_with_a_push)
{
    establish_slowly(p, 100);
    writes(15000);
    expects_run(p, 0, 10, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 9);
    sends(ACK, .ack = ISS + 1001); /* room for two */
    expects_run(p, 10, 2, 1u << 1);
}

TEST(a_lone_segment_in_mid_stream_is_not_pushed)
{
    p->config.policy.initial_cwnd = 3; /* half of it is one segment */
    establish_slowly(p, 100);
    writes(9000);
    expects_run(p, 0, 3, 0);
}

TEST(chunks_grow_with_the_policy_and_are_at_most_half_the_congestion_window)
{
    p->config.policy.chunk_segments = 10;
    establish_slowly(p, 100);
    writes(15000);
    expects_run(p, 0, 10, 1u << 4 | 1u << 9);
}

TEST(on_a_short_path_chunks_are_as_large_as_the_congestion_window_lets_them)
{
    establish_slowly(p, 1);
    writes(15000);
    expects_run(p, 0, 10, 1u << 4 | 1u << 9);
}

TEST(text_sent_with_more_is_not_pushed_and_a_small_segment_waits_for_what_follows)
{
    establish_slowly(p, 10);
    writes_with(1400, HF_SEND_MORE);
    expects(ACK, .len = 1000, .no_psh = true);
    after(5);
    writes_with(100, HF_SEND_MORE);
    expects_silence();
    writes(10);
    expects(ACK | PSH, .seq = ISS + 1001, .len = 510);
}

TEST(with_more_an_ack_lets_a_small_segment_go_unpushed)
{
    establish_slowly(p, 10);
    sets(HF_NODELAY, 1);
    writes_with(1150, HF_SEND_MORE);
    expects(ACK, .len = 1000, .no_psh = true);
    after(10);
    sends(ACK);
    expects(ACK, .seq = ISS + 1001, .len = 150, .no_psh = true);
}

TEST(with_more_and_an_idle_line_the_retransmission_time_lets_it_go_pushed)
{
    establish_slowly(p, 10); /* SRTT 10, RTO 210 */
    writes_with(40, HF_SEND_MORE);
    expects_after(205, 215, ACK | PSH, .len = 40);
}

TEST(a_long_text_sent_with_more_is_pushed_at_each_half_of_the_peers_window)
{
    p->config.policy.initial_cwnd = 3; /* no chunks of two */
    opens();
    expects(SYN);
    after(100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wnd = 6000);
    expects(ACK);
    p->c->wnd = 6000;
    for (int i = 0; i < 6; i++) {
        writes_with(1000, HF_SEND_MORE);
    }
    expects_run(p, 0, 3, 0);
    sends(ACK, .ack = ISS + 1001);
    expects_run(p, 3, 2, 1u << 0 | 1u << 1); /* 4000: more than half of 6000; a chunk of two */
    expects_silence();
}

TEST(a_send_of_nothing_lets_go_what_more_held)
{
    establish_slowly(p, 10);
    writes_with(40, HF_SEND_MORE);
    expects_silence();
    calls(hf_send(p->stack, &p->env, p->c->handle, "", 0, HF_SEND_MORE));
    expects_silence();
    calls(hf_send(p->stack, &p->env, p->c->handle, "", 0, 0));
    expects(ACK | PSH, .len = 40);
    sends(ACK);
    writes_with(50, HF_SEND_MORE);
    expects_silence();
    calls(hf_send(p->stack, &p->env, p->c->handle, NULL, 0, 0)); /* nothing lies nowhere */
    expects(ACK | PSH, .len = 50);
}

TEST(a_cork_holds_small_segments_until_it_is_drawn)
{
    establish_slowly(p, 10);
    sets(HF_CORK, 1);
    writes(40);
    after(50);
    writes(1040);
    expects(ACK, .len = 1000, .no_psh = true);
    sends(ACK);
    expects_silence(); /* unlike HF_SEND_MORE */
    sets(HF_CORK, 0);
    expects(ACK | PSH, .seq = ISS + 1001, .len = 80);
}

/* A peer whose window is smaller than its segments. */
static void establish_narrowly(struct peer *p, uint32_t wnd)
{
    opens();
    expects(SYN);
    after(10);
    p->c->wnd = wnd;
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000);
    expects(ACK);
    expects_event(HF_CONNECTED);
}

/* RFC 9293 3.8.6.2.1 (3): there is more than fits; waiting would not make a full segment of it. */
TEST(a_cork_fills_a_window_that_is_smaller_than_a_segment)
{
    establish_narrowly(p, 800);
    sets(HF_CORK, 1);
    writes(2000);
    expects(ACK, .seq = ISS + 1, .len = 800);
    sends(ACK);
    expects(ACK, .seq = ISS + 801, .len = 800);
    sends(ACK);
    expects_silence(); /* there is room for the last 400 and more */
    sets(HF_CORK, 0);
    expects(ACK | PSH, .seq = ISS + 1601, .len = 400);
}

TEST(text_sent_with_more_fills_a_window_that_is_smaller_than_a_segment)
{
    establish_narrowly(p, 800);
    writes_with(500, HF_SEND_MORE);
    expects_silence();
    writes_with(500, HF_SEND_MORE);
    expects(ACK, .seq = ISS + 1, .len = 800);
}

TEST(a_cork_holds_for_a_retransmission_time_at_most)
{
    establish_slowly(p, 10);
    sets(HF_CORK, 1);
    writes(40);
    expects_after(205, 215, ACK | PSH, .len = 40);
}

TEST(nodelay_lets_all_that_is_corked_go_once)
{
    establish_slowly(p, 10);
    sets(HF_CORK, 1);
    writes(40);
    expects_silence();
    sets(HF_NODELAY, 1);
    expects(ACK | PSH, .len = 40);
    sends(ACK);
    writes(40);
    expects_silence(); /* the cork is still in */
    sets(HF_NODELAY, 1);
    expects(ACK | PSH, .seq = ISS + 41, .len = 40);
}

TEST(a_cork_on_a_listener_is_in_its_connections)
{
    int64_t value;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_CORK, 1));
    calls(hf_option(p->stack, p->listener, HF_CORK, &value));
    holds_equal(value, 1);
    sends(SYN, .seq = IRS, .mss = 1000);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK);
    accepts();
    writes(40);
    expects_silence();
    calls(hf_option(p->stack, p->c->handle, HF_CORK, &value));
    holds_equal(value, 1);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_CORK, 2));
}

TEST(a_fin_goes_through_a_cork_with_the_text_before_it)
{
    establish_slowly(p, 10);
    sets(HF_CORK, 1);
    writes(40);
    closes();
    expects(FIN | PSH | ACK, .len = 40);
}

/* TX-23 */
TEST(no_segment_goes_over_the_end_of_a_record)
{
    establish_slowly(p, 100);
    writes(10000); /* fills the congestion window */
    expects_run(p, 0, 10, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 9);
    writes_with(400, HF_SEND_END);
    writes_with(400, HF_SEND_END);
    writes(1200);
    after(100);
    sends(ACK);
    expects(ACK | PSH, .seq = ISS + 10001, .len = 400);
    expects(ACK | PSH, .seq = ISS + 10401, .len = 400);
    expects(ACK, .seq = ISS + 10801, .len = 1000);
    sends(ACK);
    expects(ACK | PSH, .seq = ISS + 11801, .len = 200);
}

TEST(what_is_sent_again_does_not_go_over_the_end_of_a_record_either)
{
    establish_slowly(p, 10);
    sets(HF_NODELAY, 1);
    writes_with(400, HF_SEND_END);
    writes_with(400, HF_SEND_END);
    expects(ACK | PSH, .len = 400);
    expects(ACK | PSH, .len = 400);
    expects_after(150, 400, ACK | PSH, .seq = ISS + 1, .len = 400);
    sends(ACK, .ack = ISS + 401);
    expects(ACK | PSH, .seq = ISS + 401, .len = 400);
}

/* X-27, of what is held when it is set: what comes later is held anew. */
TEST(nodelay_with_nothing_held_lets_no_later_text_pass_the_cork)
{
    establish_active();
    sends(ACK, .len = 10); /* not read: the record stays */
    expects(ACK);
    sets(HF_NODELAY, 1);
    sets(HF_CORK, 1);
    writes(10);
    expects_silence();
    sets(HF_NODELAY, 1);
    expects(ACK | PSH, .seq = ISS + 1, .len = 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_last_segment_of_a_send_is_pushed_and_without_more_nothing_waits),
        BOTH(a_transmit_chunk_of_two_segments_or_more_ends_with_a_push),
        BOTH(a_lone_segment_in_mid_stream_is_not_pushed),
        BOTH(chunks_grow_with_the_policy_and_are_at_most_half_the_congestion_window),
        BOTH(on_a_short_path_chunks_are_as_large_as_the_congestion_window_lets_them),
        BOTH(text_sent_with_more_is_not_pushed_and_a_small_segment_waits_for_what_follows),
        BOTH(with_more_an_ack_lets_a_small_segment_go_unpushed),
        BOTH(with_more_and_an_idle_line_the_retransmission_time_lets_it_go_pushed),
        BOTH(a_long_text_sent_with_more_is_pushed_at_each_half_of_the_peers_window),
        BOTH(a_send_of_nothing_lets_go_what_more_held),
        BOTH(a_cork_holds_small_segments_until_it_is_drawn),
        BOTH(a_cork_fills_a_window_that_is_smaller_than_a_segment),
        V4(text_sent_with_more_fills_a_window_that_is_smaller_than_a_segment),
        BOTH(a_cork_holds_for_a_retransmission_time_at_most),
        BOTH(nodelay_lets_all_that_is_corked_go_once),
        BOTH(nodelay_with_nothing_held_lets_no_later_text_pass_the_cork),
        BOTH(a_cork_on_a_listener_is_in_its_connections),
        BOTH(a_fin_goes_through_a_cork_with_the_text_before_it),
        BOTH(no_segment_goes_over_the_end_of_a_record),
        BOTH(what_is_sent_again_does_not_go_over_the_end_of_a_record_either),
    };
    return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
