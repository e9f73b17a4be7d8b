/* RFC 5681 sections 3.1 and 4.1, RFC 6928, RFC 7661: how a window begins, and what is left of one
 * that was not used. */
#include "tcp/congestion.h"
#include "tcp_loss.h"

static uint32_t begins_with(uint16_t mss, uint32_t initial, uint32_t modes)
{
    struct bench t;
    begin(&t, F_SACK);
    t.b->policy.initial_cwnd = initial;
    t.tcb->snd_mss = mss;
    t.tcb->modes = modes;
    tcp_cwnd_begin(&t.tcp, t.tcb);
    uint32_t cwnd = t.tcb->cwnd;
    bench_end(&t);
    return cwnd;
}

/* RFC6928-1, RFC5681-4: ten segments, 14600 octets if they are larger, two of them at least; three
 * asked for: the limits of RFC 3390. */
static void the_initial_window_is_ten_segments_or_14600_octets(void **state)
{
    (void)state;
    assert_int_equal(begins_with(536, 10, 0), 5360);
    assert_int_equal(begins_with(1460, 10, 0), 14600);
    assert_int_equal(begins_with(2000, 10, 0), 14600);
    assert_int_equal(begins_with(8960, 10, 0), 17920);
    assert_int_equal(begins_with(1460, 3, 0), 4380);
    assert_int_equal(begins_with(8960, 3, 0), 17920);
}

/* RFC6928-3, RFC5681-6 */
static void after_a_syn_that_was_surely_lost_it_is_one_segment(void **state)
{
    (void)state;
    assert_int_equal(begins_with(1460, 10, M_SYN_LOST), 1460);
}

/* RFC5681-7 */
static void a_smaller_path_mtu_leaves_as_many_segments(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->cwnd = 20 * M + 7;
    t.tcb->snd_mss = 500;
    tcp_cwnd_rescale(t.tcb, M);
    assert_int_equal(t.tcb->cwnd, 20 * 500);
    t.tcb->cwnd = 10;
    t.tcb->snd_mss = 400;
    tcp_cwnd_rescale(t.tcb, 500);
    assert_int_equal(t.tcb->cwnd, 400);
    t.tcb->snd_mss = M;
    tcp_cwnd_rescale(t.tcb, 400);
    assert_int_equal(t.tcb->cwnd, 400);
    bench_end(&t);
}

/* RFC6928-10, RFC6928-7: counted once, and the restart window is RFC 3390's from then on. RFC6928-9
 */
static void a_loss_in_the_initial_window_is_counted_and_remembered(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.b->initial_windows_lost = 0;
    t.tcb->snd.una = seq_add(t.tcb->snd.una, 9 * M);
    tcp_cwnd_congested(&t.tcp, t.tcb, queue_of(&t), 10 * M, CC_LOSS);
    tcp_cwnd_congested(&t.tcp, t.tcb, queue_of(&t), 10 * M, CC_TIMEOUT);
    assert_int_equal(t.b->initial_windows_lost, 1);
    tcp_rtt_sample(&t.tcp, t.tcb, 100000);
    t.tcb->cwnd = 50 * M;
    t.tcb->snd.nxt = t.tcb->snd.una;
    t.tcb->last_snd_ms = 1000;
    bench_time(&t, 2000);
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 4 * M);
    bench_end(&t);
}

static void a_loss_behind_the_initial_window_is_an_ordinary_one(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.b->initial_windows_lost = 0;
    t.tcb->snd.una = seq_add(t.tcb->snd.una, 10 * M);
    tcp_cwnd_congested(&t.tcp, t.tcb, queue_of(&t), 10 * M, CC_LOSS);
    assert_int_equal(t.b->initial_windows_lost, 0);
    bench_end(&t);
}

/* RFC5681-29, RFC6928-5; RFC 7661 4.4.3 for ssthresh: three quarters of the way back in slow start.
 */
static void a_pause_leaves_the_restart_window_and_the_way_back(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    tcp_rtt_sample(&t.tcp, t.tcb, 100000); /* RTO 300 ms */
    t.tcb->cwnd = 40 * M;
    t.tcb->ssthresh = 20 * M;
    t.tcb->last_snd_ms = 1000;
    bench_time(&t, 1301);
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    assert_int_equal(t.tcb->ssthresh, 30 * M);
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    assert_int_equal(t.tcb->ssthresh, 30 * M);
    bench_end(&t);
}

/* RFC 7661 4.4.3, where slow start after a pause is switched off. */
static void without_that_five_minutes_of_pause_halve_the_window(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{299999, 80}, {300000, 40}, {600000, 20}, {7200000, 10}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin(&t, F_SACK);
        t.b->policy.slow_start_after_idle = false;
        t.tcb->cwnd = 80 * M;
        t.tcb->last_snd_ms = 1000;
        bench_time(&t, 1000 + cases[i][0]);
        tcp_cwnd_idle(&t.tcp, t.tcb);
        assert_int_equal(t.tcb->cwnd, cases[i][1] * M);
        bench_end(&t);
    }
}

/* Flights of n segments, all of them acknowledged: by how much the window has grown. */
static uint32_t growth_of(uint32_t cwnd, uint32_t ssthresh, uint32_t n)
{
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->cwnd = cwnd;
    t.tcb->ssthresh = ssthresh;
    for (uint32_t i = 0; i < 100; i++) {
        t.tcb->snd.una = t.tcb->snd.nxt = seq_add(t.tcb->snd.nxt, n * M);
        tcp_cwnd_note_flight(t.tcb, queue_of(&t), n * M);
        tcp_cwnd_grow(&t.tcp, t.tcb, queue_of(&t), n * M);
    }
    uint32_t grown = t.tcb->cwnd - cwnd;
    bench_end(&t);
    return grown;
}

/* RFC 7661, RFC5681-10: more than half of it used is enough in slow start alone, which ends at
 * ssthresh. */
static void a_window_half_used_grows_in_slow_start_only(void **state)
{
    (void)state;
    assert_true(growth_of(20 * M, 21 * M, 15) > 0);
    assert_int_equal(growth_of(20 * M, 20 * M, 15), 0);
    assert_int_equal(growth_of(20 * M, 21 * M, 10), 0);
    assert_true(growth_of(20 * M, 20 * M, 20) > 0);
}

/* Each second a flight of n segments, all of it acknowledged. */
static void trickles(struct bench *t, uint32_t n, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        t->tcb->snd.una = t->tcb->snd.nxt = seq_add(t->tcb->snd.nxt, n * M);
        bench_time(t, t->tcp.now_ms + 1000);
        tcp_cwnd_note_flight(t->tcb, queue_of(t), n * M);
        tcp_cwnd_grow(&t->tcp, t->tcb, queue_of(t), n * M);
    }
}

/* RFC7661-1, RFC9438-13: no growth, and after five minutes half of it. */
static void a_window_of_which_less_than_half_is_used_is_halved_after_five_minutes(void **state)
{
    (void)state;
    for (uint32_t control = 0; control < HF_CONGESTIONS; control++) {
        struct bench t;
        begin(&t, F_SACK);
        t.tcb->modes = MODE_CONGESTION(control);
        t.tcb->cwnd = 80 * M;
        t.tcb->ssthresh = 50 * M;
        trickles(&t, 20, 300);
        assert_int_equal(t.tcb->cwnd, 80 * M);
        trickles(&t, 20, 1);
        assert_int_equal(t.tcb->cwnd, 40 * M);
        assert_int_equal(t.tcb->ssthresh, 60 * M);
        trickles(&t, 20, 900);
        assert_int_equal(t.tcb->cwnd, 40 * M); /* half of it is used now */
        bench_end(&t);
    }
}

static void a_window_used_in_between_is_valid_again(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->cwnd = t.tcb->ssthresh = 80 * M;
    trickles(&t, 20, 200);
    trickles(&t, 80, 1);
    trickles(&t, 20, 299);
    assert_true(t.tcb->cwnd >= 80 * M);
    bench_end(&t);
}

/* RFC 7661 4.1: the non-validated phase is all use below half, not only little use.  RFC7661-1 */
static void a_window_of_which_a_little_less_than_half_is_used_is_halved_too(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->cwnd = t.tcb->ssthresh = 80 * M;
    trickles(&t, 39, 300);
    assert_int_equal(t.tcb->cwnd, 80 * M);
    trickles(&t, 39, 1);
    assert_int_equal(t.tcb->cwnd, 40 * M);
    bench_end(&t);
}

/* pacing.c: a window in a round trip, twice that in slow start, 1.2 times it later, and at least an
 * octet a second. */
static void the_pace_is_a_window_in_a_round_trip_and_something_more(void **state)
{
    (void)state;
    static const struct {
        uint32_t cwnd, ssthresh, srtt_ms;
        uint64_t rate;
    } rows[] = {
        {14600, UINT32_MAX, 100, 292000}, {14600, 29202, 100, 292000}, {14600, 29200, 100, 175200},
        {14600, 14600, 1, 17520000},      {1460, 1460, 1460000, 1},    {216, 216, 2000000, 1},
    };
    struct bench t;
    begin(&t, F_SACK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        t.tcb->cwnd = rows[i].cwnd;
        t.tcb->ssthresh = rows[i].ssthresh;
        t.tcb->srtt_us = rows[i].srtt_ms * 1000;
        assert_int_equal(tcp_pacing_rate(&t.tcp, t.tcb), rows[i].rate);
    }
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initial_window_is_ten_segments_or_14600_octets),
        cmocka_unit_test(after_a_syn_that_was_surely_lost_it_is_one_segment),
        cmocka_unit_test(a_smaller_path_mtu_leaves_as_many_segments),
        cmocka_unit_test(a_loss_in_the_initial_window_is_counted_and_remembered),
        cmocka_unit_test(a_loss_behind_the_initial_window_is_an_ordinary_one),
        cmocka_unit_test(a_pause_leaves_the_restart_window_and_the_way_back),
        cmocka_unit_test(without_that_five_minutes_of_pause_halve_the_window),
        cmocka_unit_test(a_window_half_used_grows_in_slow_start_only),
        cmocka_unit_test(a_window_of_which_less_than_half_is_used_is_halved_after_five_minutes),
        cmocka_unit_test(a_window_used_in_between_is_valid_again),
        cmocka_unit_test(a_window_of_which_a_little_less_than_half_is_used_is_halved_too),
        cmocka_unit_test(the_pace_is_a_window_in_a_round_trip_and_something_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
