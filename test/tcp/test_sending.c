/* RFC 9293 sections 3.7 and 3.8.6: what is sent when - segments, Nagle, the peer's window, silly
 * windows, zero-window probes, the congestion window (RFC 5681, 6928). */
#include "common/loss.h"

#include <string.h>

/* MUST-60, MUST-61, SHLD-28 */
TEST(text_is_cut_into_full_segments_and_the_last_is_pushed)
{
    establish_active();
    writes(3000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
    expects(ACK | PSH, .seq = ISS + 2921, .len = 80);
    expects_silence();
}

static void sends_segments_of(struct peer *p, int announced, unsigned text)
{
    p->with.mss = announced;
    establish_active();
    writes(2 * text);
    expects(ACK, .len = text);
    expects(ACK, .len = text);
    expects_silence();
    holds_equal(status_of(snd_mss), text);
}

/* MUST-14 */
TEST(segments_are_as_large_as_the_peers_mss)
{
    sends_segments_of(p, 600, 600);
}

/* MUST-15 */
TEST(without_the_option_the_peers_mss_is_536_or_1220)
{
    sends_segments_of(p, 0, p->v6 ? 1220 : 536);
}

TEST(an_mss_below_216_counts_as_216)
{
    sends_segments_of(p, 100, 216);
}

/* MUST-16 */
TEST(the_mtu_bounds_segments_whatever_the_peers_mss)
{
    sends_segments_of(p, 9000, 1460);
}

/* MUST-16 */
TEST(timestamps_take_12_octets_of_each_segment)
{
    p->with.tsval = 1;
    sends_segments_of(p, 1000, 988);
}

/* MUST-19, RFC5681-3, RFC6928-1, RFC5681-1, RFC5681-2, RFC5681-10 */
TEST(ten_segments_start_and_slow_start_adds_one_for_each_acknowledged)
{
    p->with.mss = 1000;
    establish_active();
    writes(30000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    expects_silence();
    for (int i = 0; i < 10; i++) { /* each ACK lets two go */
        sends(ACK, .ack = ISS + 1001 + 1000 * i);
        expects(ACK, .seq = ISS + 10001 + 2000 * i, .len = 1000);
        expects(ACK, .seq = ISS + 11001 + 2000 * i, .len = 1000);
        expects_silence();
    }
    holds_equal(status_of(cwnd), 20000);
}

TEST(an_ack_of_four_segments_lets_eight_go)
{
    p->with.mss = 1000;
    establish_active();
    writes(18000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1000);
    sends(ACK, .ack = ISS + 4001);
    for (int i = 0; i < 8; i++)
        expects(ACK, .seq = ISS + 10001 + 1000 * i, .len = 1000);
    expects_silence();
}

TEST(a_congestion_window_that_is_not_used_does_not_grow)
{
    p->with.mss = 1000;
    establish_active();
    for (int i = 0; i < 5; i++) {
        writes(5000);
        for (int j = 0; j < 5; j++)
            expects(ACK, .len = 1000);
        sends(ACK);
    }
    holds_equal(status_of(cwnd), 10000);
}

TEST(after_a_pause_the_congestion_window_starts_anew)
{
    p->with.mss = 1000;
    establish_active();
    writes(20000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1000);
    for (int i = 0; i < 10; i++)
        sends(ACK, .ack = ISS + 1001 + 1000 * i);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1000);
    sends(ACK);
    after(2000);
    writes(20000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1000);
    expects_silence();
}

/* RFC5681-1 */
TEST(no_more_is_sent_than_the_peers_window_takes)
{
    p->with.wnd = p->c->wnd = 3000;
    establish_active();
    writes(6000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
    expects_silence(); /* 80 octets would be silly: SWS avoidance */
    sends(ACK, .ack = ISS + 2921);
    expects(ACK, .seq = ISS + 2921, .len = 1460);
    expects(ACK, .seq = ISS + 4381, .len = 1460);
    sends(ACK);
    expects(ACK, .seq = ISS + 5841, .len = 160); /* all that is left */
}

/* MUST-38 */
TEST(half_of_the_largest_window_is_worth_a_segment)
{
    p->with.wnd = p->c->wnd = 1000;
    establish_active();
    writes(1400);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    sends(ACK, .wnd = 400); /* less than half */
    expects(ACK, .seq = ISS + 1001, .len = 400);
    writes(2000);
    sends(ACK, .wnd = 300);
    expects_silence();
    sends(ACK, .wnd = 600);
    expects(ACK, .seq = ISS + 1401, .len = 600);
}

/* MUST-38, X-27 */
TEST(a_window_that_stays_silly_is_used_when_the_override_timer_ends)
{
    p->with.wnd = p->c->wnd = 1000;
    establish_slowly(p);
    writes(2000);
    expects(ACK, .len = 1000);
    sends(ACK, .wnd = 300);
    expects_after(100, 1000, ACK, .seq = ISS + 1001, .len = 300);
}

TEST(a_window_update_alone_lets_more_go)
{
    p->with.wnd = p->c->wnd = 1460;
    establish_active();
    writes(2920);
    expects(ACK, .len = 1460);
    sends(ACK, .ack = ISS + 1, .wnd = 2920);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
}

/* REC-1, RFC7323-7, RFC7323-10 */
TEST(the_peers_window_is_scaled_by_its_option_but_not_in_its_syn)
{
    p->with.wscale = SHIFT(7);
    p->with.wnd = 2000;
    establish_active();
    writes(8000);
    expects(ACK, .len = 1460); /* 2000, not 256000 */
    expects_silence();
    sends(ACK, .ack = ISS + 1, .wnd = 50); /* 6400 */
    for (int i = 1; i < 4; i++)
        expects(ACK, .seq = ISS + 1 + 1460 * i, .len = 1460);
    expects_silence();
    holds_equal(status_of(snd_wnd), 6400);
}

/* RFC7323-12 */
TEST(a_shift_above_14_counts_as_14)
{
    p->with.wscale = SHIFT(15);
    establish_active();
    sends(ACK, .ack = ISS + 1, .wnd = 1);
    holds_equal(status_of(snd_wnd), 1 << 14);
}

/* MUST-35, MUST-36 */
TEST(a_closed_window_is_probed_from_one_rto_on_ever_more_slowly)
{
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    writes(100);
    expects_silence();
    for (int64_t gap = 300; gap <= 5000; gap *= 2) { /* SHLD-29, SHLD-30 */
        expects_after(gap - 10, gap + 30, ACK, .seq = ISS);
        sends(ACK, .wnd = ZERO);
    }
    sends(ACK, .wnd = 1000);
    expects(ACK, .seq = ISS + 1, .len = 100);
}

TEST(probes_that_are_answered_never_end_the_connection)
{
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    writes(100);
    for (int i = 0; i < 40; i++) { /* MUST-37 */
        expects_after(0, 125000, ACK, .seq = ISS);
        sends(ACK, .wnd = ZERO);
    }
    expects_state(HF_ESTABLISHED);
}

TEST(probes_that_nobody_answers_end_it_after_r2)
{
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    writes(100);
    for (int i = 0; i < 15; i++)
        expects_after(0, 125000, ACK, .seq = ISS);
    after(125000);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(probes_may_carry_an_octet_when_the_policy_says_so)
{
    p->config.policy.zwp_octet = true;
    p->wild = true; /* an octet beyond the window: that is the point */
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    writes(100);
    expects_after(290, 330, ACK, .seq = ISS + 1, .len = 1);
    sends(ACK, .ack = ISS + 1, .wnd = ZERO);
    sends(ACK, .ack = ISS + 1, .wnd = ZERO, .len = 10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 11); /* where the peer takes it: MUST-34 */
    expects_after(200, 700, ACK, .seq = ISS + 1, .len = 1);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 2, .wnd = 1000);
    expects(ACK, .seq = ISS + 2, .len = 99);
}

/* RFC 5681 2 (a) .. (e): what answers a probe's octet is no sign of a loss. */
TEST(answers_to_probes_with_an_octet_are_no_duplicate_acks)
{
    p->config.policy.zwp_octet = true;
    p->wild = true;
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    writes(100);
    uint32_t cwnd = status_of(cwnd), ssthresh = status_of(ssthresh);
    for (int i = 0; i < 6; i++) {
        expects_after(100, 20000, ACK, .seq = ISS + 1, .len = 1);
        sends(ACK, .ack = ISS + 1, .wnd = ZERO);
        expects_silence();
    }
    holds_equal(status_of(dup_acks), 0);
    holds_equal(status_of(in_recovery), 0);
    holds_equal(status_of(cwnd), cwnd);
    holds_equal(status_of(ssthresh), ssthresh);
}

TEST(a_fin_waits_for_the_window_like_an_octet)
{
    establish_slowly(p);
    sends(ACK, .wnd = ZERO);
    closes();
    expects_silence();
    expects_state(HF_FIN_WAIT_1);
    expects_after(290, 330, ACK, .seq = ISS);
    sends(ACK, .wnd = 10);
    expects(FIN | ACK, .seq = ISS + 1);
}

/* SHLD-7 */
TEST(a_small_segment_waits_while_another_is_unacknowledged)
{
    establish_active();
    writes(10);
    expects(ACK | PSH, .seq = ISS + 1, .len = 10);
    writes(10);
    writes(10);
    expects_silence(); /* Nagle */
    sends(ACK);
    expects(ACK | PSH, .seq = ISS + 11, .len = 20);
    writes(1450);
    expects_silence();
    writes(10); /* now it is a full one */
    expects(ACK, .seq = ISS + 31, .len = 1460);
}

TEST(a_small_tail_behind_full_segments_goes_at_once)
{
    establish_active();
    writes(1460 + 100);
    expects(ACK, .len = 1460);
    expects(ACK | PSH, .len = 100);
    writes(50); /* Minshall: only small ones hold small ones back */
    expects_silence();
    sends(ACK);
    expects(ACK, .len = 50);
}

/* MUST-17 */
TEST(nodelay_lets_small_segments_go_and_releases_those_held)
{
    establish_active();
    writes(10);
    expects(ACK, .len = 10);
    writes(10);
    expects_silence();
    sets(HF_NODELAY, 1);
    expects(ACK, .seq = ISS + 11, .len = 10);
    writes(5);
    expects(ACK, .seq = ISS + 21, .len = 5);
}

/* MAY-16 */
TEST(send_more_holds_a_small_segment_until_more_comes)
{
    establish_active();
    writes_with(100, HF_SEND_MORE);
    expects_silence();
    writes(100);
    expects(ACK | PSH, .seq = ISS + 1, .len = 200);
    sends(ACK);
    writes_with(1500, HF_SEND_MORE);
    expects(ACK, .len = 1460);
    expects_silence();
    sends(ACK); /* an ACK lets it go */
    expects(ACK, .len = 40);
}

TEST(a_full_send_buffer_refuses_text_and_tells_when_there_is_room)
{
    uint8_t text[8000];
    p->with.mss = 1000;
    establish_active();
    sets(HF_SEND_BUFFER, 5000);
    sets(HF_SEND_LOW_WATER, 3000);
    p->wild = true; /* text of any kind */
    memset(text, 1, sizeof text);
    holds_equal(hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0), 5000);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, text, 1, 0));
    for (int i = 0; i < 5; i++)
        expects(ACK, .len = 1000);
    sends(ACK, .ack = ISS + 2001);
    expects_no_event(HF_WRITABLE);
    sends(ACK, .ack = ISS + 3001);
    expects_event(HF_WRITABLE);
    holds_equal(hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0), 3000);
}

/* Nagle in Minshall's form (MUST-17): no small segment is in flight, wherever the numbers begin. */
TEST(a_held_connection_sends_a_small_segment_behind_full_ones)
{
    p->aims = true;
    p->aim = 0xc0000000;
    p->with.mss = 1000;
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1000);
    calls(hf_asked(p->stack, &p->env, p->listener, &p->c->handle, NULL, NULL));
    calls(hf_answer(p->stack, &p->env, p->c->handle, HF_ANSWER_ACCEPT));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .len = 10); /* unread: what was known of the handshake is not forgotten */
    expects(ACK, .ack = IRS + 11);
    writes(1500);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    expects(ACK, .seq = ISS + 1001, .len = 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_held_connection_sends_a_small_segment_behind_full_ones),
        BOTH(text_is_cut_into_full_segments_and_the_last_is_pushed),
        V4(segments_are_as_large_as_the_peers_mss),
        BOTH(without_the_option_the_peers_mss_is_536_or_1220),
        V4(an_mss_below_216_counts_as_216),
        BOTH(the_mtu_bounds_segments_whatever_the_peers_mss),
        V4(timestamps_take_12_octets_of_each_segment),
        V4(ten_segments_start_and_slow_start_adds_one_for_each_acknowledged),
        V4(an_ack_of_four_segments_lets_eight_go),
        V4(a_congestion_window_that_is_not_used_does_not_grow),
        V4(after_a_pause_the_congestion_window_starts_anew),
        BOTH(no_more_is_sent_than_the_peers_window_takes),
        V4(half_of_the_largest_window_is_worth_a_segment),
        V4(a_window_that_stays_silly_is_used_when_the_override_timer_ends),
        V4(a_window_update_alone_lets_more_go),
        V4(the_peers_window_is_scaled_by_its_option_but_not_in_its_syn),
        V4(a_shift_above_14_counts_as_14),
        BOTH(a_closed_window_is_probed_from_one_rto_on_ever_more_slowly),
        V4(probes_that_are_answered_never_end_the_connection),
        V4(probes_that_nobody_answers_end_it_after_r2),
        V4(probes_may_carry_an_octet_when_the_policy_says_so),
        V4(answers_to_probes_with_an_octet_are_no_duplicate_acks),
        V4(a_fin_waits_for_the_window_like_an_octet),
        BOTH(a_small_segment_waits_while_another_is_unacknowledged),
        V4(a_small_tail_behind_full_segments_goes_at_once),
        V4(nodelay_lets_small_segments_go_and_releases_those_held),
        V4(send_more_holds_a_small_segment_until_more_comes),
        V4(a_full_send_buffer_refuses_text_and_tells_when_there_is_room),
    };
    return cmocka_run_group_tests_name("sending", tests, NULL, NULL);
}
