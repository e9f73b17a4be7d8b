/* RFC 9438, CUBIC, ACK by ACK against the formulas in floating point; RFC 8511. */
#include <math.h>

#include "tcp/congestion.h"
#include "tcp_loss.h"

enum { RTT_MS = 100 };

/* Section 4 of the RFC in segments and seconds, as it is written there. */
struct reference {
    double cwnd, w_max, k, t_epoch, w_est, cwnd_prior;
};

static double w_cubic(const struct reference *r, double t)
{
    return 0.4 * pow(t - r->k, 3) + r->w_max;
}

static struct reference reference(double cwnd, double w_max, double cwnd_prior, double now)
{
    struct reference r = {cwnd, fmax(w_max, cwnd), 0, now, cwnd, cwnd_prior};
    r.k = cbrt((r.w_max - cwnd) / 0.4);
    return r;
}

static void reference_ack(struct reference *r, double now, double rtt)
{
    const double beta = 0.7;
    double t = now - r->t_epoch;
    double alpha = r->w_est >= r->cwnd_prior ? 1 : 3 * (1 - beta) / (1 + beta);
    r->w_est += alpha / r->cwnd;
    double target = fmin(fmax(w_cubic(r, t + rtt), r->cwnd), 1.5 * r->cwnd);
    if (w_cubic(r, t) < r->w_est) {
        r->cwnd = fmax(r->cwnd, r->w_est);
    } else {
        r->cwnd += (target - r->cwnd) / r->cwnd;
    }
}

static struct growth *growth_of(struct bench *t)
{
    return &queue_of(t)->growth;
}

static uint32_t *w_max(struct bench *t)
{
    return &tally_of(&t->tcp, t->tcb)->cc_keep[KEEP_W_MAX];
}

/* In congestion avoidance with this window; a loss was at w_max. */
static void begin_cubic(struct bench *t, uint32_t cwnd, uint32_t at)
{
    begin(t, F_SACK);
    t->b->policy.fast_convergence = true;
    t->b->policy.abe = true;
    t->tcb->modes = MODE_CONGESTION(HF_CUBIC);
    tally_of(&t->tcp, t->tcb)->min_rtt_us = RTT_MS * 1000;
    t->tcb->cwnd = t->tcb->ssthresh = cwnd * M;
    *w_max(t) = at * M;
    growth_of(t)->stage.cwnd_prior = at * M;
}

static uint32_t cwnd(const struct bench *t)
{
    return t->tcb->cwnd / M;
}

static void acks_one(struct bench *t, uint32_t now_ms)
{
    bench_time(t, now_ms);
    tcp_control(&t->tcp, t->tcb)->on_ack(&t->tcp, t->tcb, queue_of(t), M);
}

static uint32_t reduces(struct bench *t, enum congestion_sign sign)
{
    uint32_t flight = t->tcb->cwnd;
    t->tcb->ssthresh =
        tcp_control(&t->tcp, t->tcb)->ssthresh(&t->tcp, t->tcb, queue_of(t), flight, sign);
    return t->tcb->ssthresh / M;
}

/* A full window of ACKs in each round trip, until `seconds` have passed; the largest distance. */
static double follows(struct bench *t, struct reference *r, uint32_t seconds)
{
    double worst = 0;
    for (uint32_t start_ms = t->tcp.now_ms; t->tcp.now_ms < start_ms + seconds * 1000;) {
        uint32_t round_ms = t->tcp.now_ms + RTT_MS;
        uint32_t n = cwnd(t);
        for (uint32_t i = 1; i <= n; i++) {
            uint32_t now_ms = round_ms - RTT_MS + RTT_MS * i / n;
            acks_one(t, now_ms);
            reference_ack(r, now_ms / 1e3, RTT_MS / 1e3);
            worst = fmax(worst, fabs(cwnd(t) - r->cwnd));
        }
        bench_time(t, round_ms);
    }
    return worst;
}

/* RFC9438-1, RFC9438-2, RFC9438-8, RFC9438-9, RFC9438-27: from 70 back to 100, K = 4.217 s, and on
 * beyond it; then ten times as large.  cwnd moves by whole segments, hence the distance. RFC9438-26
 */
static void the_window_comes_back_to_w_max_along_the_cubic_and_goes_beyond(void **state)
{
    (void)state;
    static const uint32_t sizes[][3] = {{70, 100, 8}, {700, 1000, 15}, {7000, 10000, 25}};
    for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct bench t;
        begin_cubic(&t, sizes[i][0], sizes[i][1]);
        acks_one(&t, 1000);
        struct reference r = reference(sizes[i][0], sizes[i][1], sizes[i][1], 1);
        reference_ack(&r, 1, RTT_MS / 1e3);
        double k_ms = 1000 * r.k;
        assert_true(fabs(growth_of(&t)->stage.k_ms - k_ms) <= 1);
        double worst = follows(&t, &r, sizes[i][2]);
        assert_true(worst <= 3);
        assert_true(cwnd(&t) > sizes[i][1]);
        bench_end(&t);
    }
}

/* RFC9438-2: no W_max above the window: K = 0, the curve is flat at first. */
static void a_stage_that_begins_above_w_max_begins_flat(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 80);
    for (uint32_t i = 0; i < 90; i++) {
        acks_one(&t, 1000 + i);
    }
    assert_int_equal(growth_of(&t)->stage.k_ms, 0);
    assert_int_equal(growth_of(&t)->stage.origin, 100 * M);
    assert_int_equal(cwnd(&t), 100);
    bench_end(&t);
}

/* RFC9438-3: however far the curve is ahead, one segment for two acknowledged. */
static void the_window_grows_by_at_most_half_of_what_is_acknowledged(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 50, 50);
    acks_one(&t, 1000);
    for (uint32_t i = 1; i <= 50; i++) {
        acks_one(&t, 60000);
    }
    assert_int_equal(cwnd(&t), 75);
    bench_end(&t);
}

/* RFC9438-28: the curve below the window does not pull it down, and does not let it grow. */
static void a_curve_below_the_window_leaves_it_alone(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 70, 100);
    acks_one(&t, 1000);
    t.tcb->cwnd = 98 * M;
    growth_of(&t)->counted = 0;
    for (uint32_t i = 0; i < 500; i++) {
        acks_one(&t, 1100);
    }
    assert_int_equal(cwnd(&t), 98);
    bench_end(&t);
}

/* RFC9438-5, RFC9438-6, RFC9438-7: over a round trip of 10 ms NewReno would be faster than the
 * cubic: 0.529 segments a round trip, and one once it has come to where the loss was.  What W_est
 * has gained comes within the next round trip. */
static void on_a_short_path_the_window_follows_what_newreno_would_have(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 14, 20);
    tally_of(&t.tcp, t.tcb)->min_rtt_us = 10000;
    double w_est = 14;
    double before = 14; /* W_est a round trip ago */
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t n = cwnd(&t);
        for (uint32_t i = 1; i <= n; i++) {
            w_est += (w_est >= 20 ? 1 : 3 * 0.3 / 1.7) / n;
            acks_one(&t, 1000 + round * 10 + 10 * i / n);
        }
        assert_true(cwnd(&t) <= w_est + 1);
        if (round > 2) {
            assert_true(cwnd(&t) + 1 >= before);
        }
        before = w_est;
    }
    assert_true(w_est > 50);
    bench_end(&t);
}

/* RFC9438-10, RFC9438-11, RFC9438-12; RFC5681-9 */
static void a_loss_leaves_seven_tenths_of_the_window_but_two_segments(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{100, 70}, {10, 7}, {3, 2}, {2, 2}, {1, 2}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin_cubic(&t, cases[i][0], 0);
        assert_int_equal(reduces(&t, CC_LOSS), cases[i][1]);
        assert_int_equal(*w_max(&t), cases[i][0] * M);
        assert_int_equal(growth_of(&t)->stage.cwnd_prior, cases[i][0] * M);
        bench_end(&t);
    }
}

/* RFC8511-1: 0.85 for CUBIC, 0.8 for NewReno; by policy. */
static void an_ecn_echo_reduces_by_less_than_a_loss(void **state)
{
    (void)state;
    static const struct {
        enum hf_congestion control;
        bool abe;
        uint32_t left;
    } cases[] = {{HF_CUBIC, true, 85},
                 {HF_CUBIC, false, 70},
                 {HF_NEWRENO, true, 80},
                 {HF_NEWRENO, false, 50}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin_cubic(&t, 100, 0);
        t.b->policy.abe = cases[i].abe;
        t.tcb->modes = MODE_CONGESTION(cases[i].control);
        assert_int_equal(reduces(&t, CC_ECN), cases[i].left);
        bench_end(&t);
    }
}

/* RFC9438-16, RFC9438-17: a loss at less than the last time: W_max is 0.85 of it. */
static void a_loss_below_the_last_one_makes_room_for_others(void **state)
{
    (void)state;
    for (uint32_t fast = 0; fast < 2; fast++) {
        struct bench t;
        begin_cubic(&t, 100, 0);
        t.b->policy.fast_convergence = fast;
        t.tcb->cwnd = reduces(&t, CC_LOSS) * M;
        t.tcb->cwnd = 80 * M;
        assert_int_equal(reduces(&t, CC_LOSS), 56);
        assert_int_equal(*w_max(&t) / 100, fast ? 680 : 800);
        assert_int_equal(growth_of(&t)->stage.cwnd_prior, 80 * M);
        bench_end(&t);
    }
}

/* RFC9438-18, RFC9438-19: seven tenths too, then from there along the convex half alone. */
static void after_a_timeout_the_curve_begins_where_slow_start_ended(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 0);
    t.b->policy.cubic_strict = true;
    assert_int_equal(reduces(&t, CC_TIMEOUT), 70);
    t.tcb->cwnd = M;
    for (uint32_t i = 0; i < 69; i++) {
        acks_one(&t, 1000);
    }
    assert_int_equal(cwnd(&t), 70);
    struct reference r = reference(70, 0, 100, 1.1);
    acks_one(&t, 1100);
    reference_ack(&r, 1.1, RTT_MS / 1e3);
    assert_int_equal(growth_of(&t)->stage.k_ms, 0);
    assert_int_equal(growth_of(&t)->stage.w_est, 70 * M);
    assert_true(follows(&t, &r, 6) <= 3);
    assert_true(cwnd(&t) > 140);
    bench_end(&t);
}

/* As deployed; RFC9438-25: strictly, the curve alone. */
static void
before_the_first_loss_the_window_grows_by_a_twentieth_of_what_is_acknowledged(void **state)
{
    (void)state;
    for (uint32_t strict = 0; strict < 2; strict++) {
        struct bench t;
        begin_cubic(&t, 100, 0);
        growth_of(&t)->stage.cwnd_prior = 0;
        t.b->policy.cubic_strict = strict;
        for (uint32_t i = 0; i < 100; i++) {
            acks_one(&t, 1000 + i);
        }
        assert_int_equal(growth_of(&t)->stage.k_ms, 0);
        assert_int_equal(growth_of(&t)->stage.cwnd_prior, 100 * M);
        assert_int_equal(cwnd(&t), strict ? 100 : 105);
        bench_end(&t);
    }
}

/* RFC9438-4: half a window in flight for ten seconds, then all of it again. */
static void time_in_which_the_window_was_not_used_does_not_count(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 70, 100);
    struct tcb *tcb = t.tcb;
    struct growth *g = growth_of(&t);
    acks_one(&t, 1000);
    acks_one(&t, 3000); /* two seconds along the curve */
    uint32_t reached = cwnd(&t);
    g->max_flight = 10 * M;
    g->round_end = seq_add(tcb->snd.una, 1);
    for (uint32_t ms = 3100; ms <= 13000; ms += 100) {
        bench_time(&t, ms);
        tcp_cwnd_grow(&t.tcp, tcb, queue_of(&t), M);
    }
    assert_int_equal(cwnd(&t), reached);
    g->full = 1;
    bench_time(&t, 13100);
    tcp_cwnd_grow(&t.tcp, tcb, queue_of(&t), M);
    assert_int_equal(t.tcp.now_ms - g->stage.t_epoch_ms, 2000);
    bench_end(&t);
}

/* The whole window leaves when the last one is acknowledged, by one ACK, and a pause later. */
static void flights(struct bench *t, uint32_t n, uint32_t pause_ms)
{
    struct tcb *tcb = t->tcb;
    for (uint32_t i = 0; i < n; i++) {
        tcb->snd.nxt = seq_add(tcb->snd.una, tcb->cwnd);
        tcb->last_snd_ms = t->tcp.now_ms;
        bench_time(t, t->tcp.now_ms + RTT_MS);
        uint32_t acked = seq_len(tcb->snd.una, tcb->snd.nxt);
        tcb->snd.una = tcb->snd.nxt;
        tcp_cwnd_note_flight(tcb, queue_of(t), acked);
        tcp_cwnd_grow(&t->tcp, tcb, queue_of(t), acked);
        bench_time(t, t->tcp.now_ms + pause_ms);
        tcp_cwnd_idle(&t->tcp, tcb); /* as output does before new text */
    }
}

/* RFC9438-4: K = 9.1 s are 91 round trips, whatever lies between them. */
static void one_ack_for_a_whole_flight_is_no_pause(void **state)
{
    (void)state;
    static const uint32_t pauses_ms[] = {0, 50};
    for (uint32_t i = 0; i < ARRAY_LEN(pauses_ms); i++) {
        struct bench t;
        begin_cubic(&t, 700, 1000);
        tcp_rtt_sample(&t.tcp, t.tcb, RTT_MS * 1000);
        bench_time(&t, 1000);
        flights(&t, 80, pauses_ms[i]);
        assert_in_range(cwnd(&t), 990, 1000);
        flights(&t, 50, pauses_ms[i]);
        assert_in_range(cwnd(&t), 1010, 1040);
        bench_end(&t);
    }
}

/* RFC9438-21 */
static void a_loss_that_was_none_is_forgotten(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 70, 100);
    acks_one(&t, 1000);
    acks_one(&t, 2000);
    struct cubic_stage stage = growth_of(&t)->stage;
    t.tcb->cwnd = 90 * M;
    t.tcb->cwnd = reduces(&t, CC_LOSS) * M;
    assert_int_not_equal(*w_max(&t), 100 * M);
    tcp_control(&t.tcp, t.tcb)->undo(&t.tcp, t.tcb, queue_of(&t));
    assert_int_equal(*w_max(&t), 100 * M);
    assert_memory_equal(&growth_of(&t)->stage, &stage, sizeof stage);
    bench_end(&t);
}

/* RFC9438-22 */
static void
a_loss_that_was_none_is_not_forgotten_once_the_window_is_larger_than_before(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 90, 0);
    t.tcb->cwnd = reduces(&t, CC_LOSS) * M;
    t.tcb->cwnd = 91 * M;
    tcp_control(&t.tcp, t.tcb)->undo(&t.tcp, t.tcb, queue_of(&t));
    assert_int_equal(*w_max(&t), 90 * M);
    bench_end(&t);
}

/* After a timeout there is no W_max, but W_est still has to come to where cwnd was. */
static void cwnd_prior_outlasts_the_record_of_what_is_in_flight(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 0);
    t.tcb->cwnd = t.tcb->ssthresh = reduces(&t, CC_TIMEOUT) * M;
    tcp_detach_if_idle(&t.tcp, t.tcb);
    assert_null(queue_of(&t));
    tcp_attach(&t.tcp, t.tcb);
    acks_one(&t, 1000);
    assert_int_equal(growth_of(&t)->stage.cwnd_prior, 100 * M);
    bench_end(&t);
}

/* What the record of an idle connection keeps is enough to go on along the same curve. */
static void w_max_outlasts_the_record_of_what_is_in_flight(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 0);
    t.tcb->cwnd = reduces(&t, CC_LOSS) * M;
    tcp_detach_if_idle(&t.tcp, t.tcb);
    assert_null(queue_of(&t));
    tcp_attach(&t.tcp, t.tcb);
    acks_one(&t, 1000);
    assert_int_equal(growth_of(&t)->stage.k_ms, 4217);
    assert_int_equal(growth_of(&t)->stage.cwnd_prior, 100 * M);
    bench_end(&t);
}

/* What a recovery without SACK adds to cwnd for each duplicate is no window of ours. */
static void
a_timeout_in_a_recovery_counts_from_the_window_without_what_duplicates_added(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 0);
    t.tcb->cwnd = reduces(&t, CC_LOSS) * M;
    queue_of(&t)->recovery = RECOVERY_FAST;
    t.tcb->cwnd = 150 * M;
    assert_int_equal(reduces(&t, CC_TIMEOUT), 49);
    bench_end(&t);
}

/* RFC9438-27: 60 acknowledged segments that were too few for one are many when two would do. */
static void a_curve_that_becomes_steeper_makes_one_segment_of_what_was_counted(void **state)
{
    (void)state;
    struct bench t;
    begin_cubic(&t, 100, 100);
    acks_one(&t, 1000);
    for (uint32_t i = 0; i < 60; i++) {
        acks_one(&t, 2300);
    }
    assert_int_equal(cwnd(&t), 100);
    acks_one(&t, 9000); /* one for two */
    assert_int_equal(cwnd(&t), 101);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_comes_back_to_w_max_along_the_cubic_and_goes_beyond),
        cmocka_unit_test(a_stage_that_begins_above_w_max_begins_flat),
        cmocka_unit_test(the_window_grows_by_at_most_half_of_what_is_acknowledged),
        cmocka_unit_test(a_curve_below_the_window_leaves_it_alone),
        cmocka_unit_test(on_a_short_path_the_window_follows_what_newreno_would_have),
        cmocka_unit_test(a_loss_leaves_seven_tenths_of_the_window_but_two_segments),
        cmocka_unit_test(an_ecn_echo_reduces_by_less_than_a_loss),
        cmocka_unit_test(a_loss_below_the_last_one_makes_room_for_others),
        cmocka_unit_test(after_a_timeout_the_curve_begins_where_slow_start_ended),
        cmocka_unit_test(
            before_the_first_loss_the_window_grows_by_a_twentieth_of_what_is_acknowledged),
        cmocka_unit_test(time_in_which_the_window_was_not_used_does_not_count),
        cmocka_unit_test(one_ack_for_a_whole_flight_is_no_pause),
        cmocka_unit_test(a_loss_that_was_none_is_forgotten),
        cmocka_unit_test(
            a_loss_that_was_none_is_not_forgotten_once_the_window_is_larger_than_before),
        cmocka_unit_test(w_max_outlasts_the_record_of_what_is_in_flight),
        cmocka_unit_test(cwnd_prior_outlasts_the_record_of_what_is_in_flight),
        cmocka_unit_test(
            a_timeout_in_a_recovery_counts_from_the_window_without_what_duplicates_added),
        cmocka_unit_test(a_curve_that_becomes_steeper_makes_one_segment_of_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
