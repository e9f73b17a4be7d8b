/* Pacing: what goes out when, on the virtual clock, at rates from 100 kbit/s to 1 Gbit/s. */
#include "common/peer.h"

enum { RTT_MS = 100 };

/* A window that nothing but pacing holds back. */
static void establish_wide(struct peer *p, uint32_t cwnd)
{
    p->config.policy.initial_cwnd = cwnd;
    p->config.policy.rto_min_ms = 60000;
    p->config.policy.send_buffer = 8 << 20;
    p->config.large_chunks = 600;
    opens();
    expects(SYN);
    after(RTT_MS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .wscale = SHIFT(14));
    expects(ACK);
    expects_event(HF_CONNECTED);
    sends(ACK, .ack = ISS + 1, .wnd = 65535); /* a gigabyte: the SYN's window is not scaled */
}

/* Octets of text that have come out since the last call. */
static uint32_t octets_out(struct peer *p)
{
    uint32_t octets = 0;
    for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
        octets += seen->is_tcp ? seen->seg.text_len : 0;
        peer_taken(p, seen);
    }
    return octets;
}

/* At this rate nothing is early by more than two milliseconds' worth and a segment, nothing is late
 * by more than that, for as long as text lasts. */
static void keeps_rate(struct peer *p, uint32_t octets_in_ms, uint32_t ms, uint32_t step_ms)
{
    int64_t out = octets_out(p);
    for (uint32_t t = 0; t < ms; t += step_ms) {
        int64_t due = (int64_t)octets_in_ms * t;
        holds(out <= due + 2 * octets_in_ms + 2 * 1460);
        holds(out + 2 * 1460 >= due);
        p->env.now_ns += (int64_t)step_ms * 1000000; /* whatever hf_deadline says */
        hf_timeouts(p->stack, &p->env);
        peer_pump(p);
        out += octets_out(p);
    }
}

TEST(at_1_mbit_a_second_a_segment_goes_each_12_ms)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 125000);
    writes(500000);
    keeps_rate(p, 125, 2000, 1);
}

/* A segment a millisecond, on a clock of milliseconds: one for the tick before, which was not used,
 * one for this, one a tick ahead; and what waits is never due at once. */
TEST(a_rate_is_kept_with_a_credit_of_one_tick_and_one_ahead)
{
    establish_wide(p, 1000);
    p->env.now_ns += 1000000 - p->env.now_ns % 1000000; /* a tick begins */
    sets(HF_MAX_PACING_RATE, 1460000);
    writes(20 * 1460);
    holds_equal(octets_out(p), 3 * 1460);
    for (int ms = 0; ms < 15; ms++) {
        holds(hf_deadline(p->stack, &p->env) > p->env.now_ns);
        after(1);
        holds_equal(octets_out(p), 1460);
    }
}

TEST(at_100_kbit_a_second_a_segment_goes_each_117_ms)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 12500);
    writes(100000);
    int64_t out = octets_out(p);
    holds(out <= 2 * 1460);
    after(5000);
    out += octets_out(p);
    holds(out >= 62500 - 1460 && out <= 62500 + 2 * 1460);
}

TEST(at_1_gbit_a_second_125_000_octets_go_each_millisecond)
{
    establish_wide(p, 5000);
    sets(HF_MAX_PACING_RATE, 125000000);
    writes(7000000);
    keeps_rate(p, 125000, 50, 1);
}

/* The host that comes late by less than a tick loses nothing. */
TEST(a_clock_that_is_read_each_2_ms_keeps_the_rate_too)
{
    establish_wide(p, 5000);
    sets(HF_MAX_PACING_RATE, 12500000);
    writes(4000000);
    keeps_rate(p, 12500, 200, 2);
}

/* 100 segments of a round trip of 100 ms, twice that in slow start. */
TEST(by_policy_a_window_is_spread_over_half_its_round_trip_in_slow_start)
{
    p->config.policy.pacing = true;
    establish_wide(p, 100);
    writes(200 * 1460);
    keeps_rate(p, 2920, 50, 1);
    after(10);
    octets_out(p);
    after(30);
    holds_equal(octets_out(p), 0); /* the window is out */
}

TEST(without_policy_and_option_a_window_goes_out_at_once)
{
    establish_wide(p, 100);
    writes(200 * 1460);
    holds_equal(octets_out(p), 100 * 1460);
}

TEST(a_rate_that_is_taken_away_lets_the_rest_go)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 125000);
    writes(100000);
    holds(octets_out(p) < 5000);
    sets(HF_MAX_PACING_RATE, 0);
    holds(octets_out(p) > 95000);
}

TEST(what_waits_for_its_time_wakes_the_host_and_nothing_else_does)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 125000);
    writes(100000);
    octets_out(p);
    int64_t at_ns = hf_deadline(p->stack, &p->env);
    holds(at_ns > p->env.now_ns && at_ns <= p->env.now_ns + 12 * 1000000);
    after(11);
    octets_out(p);
    at_ns = hf_deadline(p->stack, &p->env);
    holds(at_ns > p->env.now_ns);
}

TEST(a_pause_gives_no_credit_for_a_burst)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 125000);
    writes(1460);
    octets_out(p);
    after(1000);
    writes(100000);
    holds(octets_out(p) <= 2 * 1460);
}

/* What was sent counts until its time is over, whenever it is acknowledged. */
TEST(a_rate_is_kept_by_one_who_sends_a_little_at_a_time)
{
    establish_active();
    sets(HF_MAX_PACING_RATE, 1000);
    writes(1000);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    for (int i = 1; i < 4; i++) {
        after(100);
        sends(ACK, .ack = ISS + 1 + 1000 * i); /* now nothing is on its way */
        writes(1000);
        expects_silence();
        expects_after(890, 910, ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    }
    sends(ACK, .ack = ISS + 4001);
    after(2000);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.active, 0);
    holds_equal(hf_deadline(p->stack, &p->env), INT64_MAX);
}

/* hf_env.now_ns: its zero is of no interest. */
TEST(the_pace_is_the_same_on_a_clock_that_has_its_zero_still_before_it)
{
    p->env.now_ns = p->began_ns = INT64_C(-1000000000000);
    establish_active();
    sets(HF_MAX_PACING_RATE, 1000);
    writes(3000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    sends(ACK, .ack = ISS + 1461);
    expects_silence();
    sets(HF_MAX_PACING_RATE, 2000);
    expects_after(715, 735, ACK, .seq = ISS + 1461, .len = 1460);
}

/* RFC 6298 5.4, MUST-20: a timeout that is counted has sent something again. */
TEST(what_a_timeout_sends_again_does_not_wait_for_its_time)
{
    p->config.policy.data_retries = 4;
    establish_active();
    sets(HF_MAX_PACING_RATE, 1);
    writes(500); /* more would be cut, as for a black hole */
    expects(ACK, .seq = ISS + 1, .len = 500);
    for (int i = 0; i < 4; i++) {
        expects_after(100, 60000, ACK, .seq = ISS + 1, .len = 500);
    }
    after(60000);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* A second segment of the same flight does. */
TEST(what_follows_the_repetition_of_a_timeout_waits_for_its_time)
{
    establish_wide(p, 1000);
    p->config.policy.rto_min_ms = 200;
    sets(HF_MAX_PACING_RATE, 12500);
    writes(2920);
    after(500);
    octets_out(p);
    expects_after(1000, 60000, ACK, .seq = ISS + 1, .len = 1460);
    sends(ACK, .ack = ISS + 1461);
    expects_silence();
    expects_after(50, 120, ACK, .seq = ISS + 1461, .len = 1460);
}

/* 1,460 octets at 10 a second take 146 s, at 14,600 the tenth of one: what waits goes by the new
 * rate. */
TEST(a_rate_that_is_raised_or_lowered_counts_at_once)
{
    establish_active();
    sets(HF_MAX_PACING_RATE, 10);
    writes(2000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    sends(ACK, .ack = ISS + 1461);
    expects_silence();
    sets(HF_MAX_PACING_RATE, 14600);
    expects_silence();
    expects_after(95, 101, ACK, .seq = ISS + 1461, .len = 540);
    writes(1000);
    sends(ACK, .ack = ISS + 2001);
    expects_silence();
    sets(HF_MAX_PACING_RATE, 540);
    expects_after(950, 1050, ACK, .seq = ISS + 2001, .len = 1000);
}

/* Nor does a rate that was taken away come back with what was ahead of it. */
TEST(a_rate_that_is_set_anew_begins_anew)
{
    establish_active();
    sends(ACK, .ack = ISS + 1, .len = 10); /* not read: the record stays */
    expects(ACK);
    sets(HF_MAX_PACING_RATE, 10);
    writes(1000);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    sends(ACK, .ack = ISS + 1001);
    sets(HF_MAX_PACING_RATE, 0);
    sets(HF_MAX_PACING_RATE, 10);
    writes(1000);
    expects(ACK, .seq = ISS + 1001, .len = 1000);
}

TEST(acks_leave_whatever_the_pace)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 12500);
    sets(HF_QUICK_ACK, 1);
    writes(100000);
    octets_out(p);
    sends(ACK, .ack = ISS + 1, .len = 100, .wnd = 1000);
    expects(ACK, .ack = IRS + 101);
}

/* nothing is in flight and nothing is queued, but the FIN is still to come. */
TEST(a_fin_that_waits_for_its_time_goes)
{
    establish_wide(p, 1000);
    sets(HF_MAX_PACING_RATE, 1000);
    writes(1460);
    expects(ACK, .len = 1460);
    sends(ACK, .ack = ISS + 1461, .len = 10);
    closes();
    expects(ACK, .ack = IRS + 11);
    reads(10); /* now nothing but the FIN needs a record of what is under way */
    expects_silence();
    expects_after(1000, 2000, FIN | ACK, .seq = ISS + 1461);
}

/* With super-segments a frame carries no more than a millisecond does, or two segments. */
TEST(super_segments_are_as_long_as_the_pace_allows)
{
    static const uint32_t cases[][2] = {{125000, 2920}, {10240000, 8760}};
    p->offload = HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6 | HF_OFFLOAD_CSUM;
    establish_wide(p, 1000);
    for (int i = 0; i < 2; i++) {
        sets(HF_MAX_PACING_RATE, cases[i][0]);
        after(2000);
        octets_out(p);
        writes(100000);
        struct seen *seen = peer_any(p);
        holds(seen != NULL);
        holds_equal(seen->super, cases[i][1]);
        peer_taken(p, seen);
    }
}

TEST(the_option_is_inherited_and_told)
{
    int64_t rate = 0;
    starts();
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_MAX_PACING_RATE, UINT32_MAX));
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    calls(hf_option(p->stack, p->c->handle, HF_MAX_PACING_RATE, &rate));
    holds_equal(rate, UINT32_MAX);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_MAX_PACING_RATE, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(at_1_mbit_a_second_a_segment_goes_each_12_ms),
        V4(at_100_kbit_a_second_a_segment_goes_each_117_ms),
        V4(a_rate_is_kept_with_a_credit_of_one_tick_and_one_ahead),
        V4(at_1_gbit_a_second_125_000_octets_go_each_millisecond),
        V4(a_clock_that_is_read_each_2_ms_keeps_the_rate_too),
        V4(by_policy_a_window_is_spread_over_half_its_round_trip_in_slow_start),
        V4(without_policy_and_option_a_window_goes_out_at_once),
        V4(a_rate_that_is_taken_away_lets_the_rest_go),
        V4(what_waits_for_its_time_wakes_the_host_and_nothing_else_does),
        V4(a_pause_gives_no_credit_for_a_burst),
        BOTH(a_rate_is_kept_by_one_who_sends_a_little_at_a_time),
        V4(the_pace_is_the_same_on_a_clock_that_has_its_zero_still_before_it),
        V4(what_a_timeout_sends_again_does_not_wait_for_its_time),
        V4(what_follows_the_repetition_of_a_timeout_waits_for_its_time),
        V4(a_rate_that_is_raised_or_lowered_counts_at_once),
        V4(a_rate_that_is_set_anew_begins_anew),
        V4(acks_leave_whatever_the_pace),
        V4(a_fin_that_waits_for_its_time_goes),
        V4(super_segments_are_as_long_as_the_pace_allows),
        V4(the_option_is_inherited_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
