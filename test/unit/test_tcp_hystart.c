/* RFC 9438 section 4.10: hybrid slow start; RFC 9406: HyStart++, from its outline. */
#include "tcp/congestion.h"
#include "tcp_loss.h"

enum { MIN_RTT_US = 100000 };

static struct growth *growth_of(struct bench *t)
{
    return &queue_of(t)->growth;
}

static void begin_start(struct bench *t, uint32_t cwnd, enum hf_hystart hystart)
{
    begin(t, F_SACK);
    t->b->policy.hystart = (uint8_t)hystart;
    t->tcb->modes = MODE_CONGESTION(HF_CUBIC);
    t->tcb->cwnd = cwnd * M;
    tally_of(&t->tcp, t->tcb)->min_rtt_us = MIN_RTT_US;
}

static uint32_t cwnd(const struct bench *t)
{
    return t->tcb->cwnd / M;
}

static bool in_slow_start(const struct bench *t)
{
    return t->tcb->ssthresh == UINT32_MAX;
}

/* A whole window goes out. */
static void sends_window(struct bench *t)
{
    t->tcb->snd.nxt = seq_add(t->tcb->snd.una, t->tcb->cwnd);
}

/* n ACKs of a segment each, gap_us apart, with this sample each (0: none); fills up what they make
 * room for. */
static void acks_each(struct bench *t, uint32_t n, uint32_t gap_us, uint32_t rtt_us)
{
    struct active *active = queue_of(t);
    for (uint32_t i = 0; i < n; i++) {
        t->tcp.now_us += gap_us;
        t->tcp.now_ms = t->tcp.now_us / 1000;
        t->tcb->snd.una = seq_add(t->tcb->snd.una, M);
        active->growth.rtt_us = rtt_us;
        tcp_cwnd_note_flight(t->tcb, active, M);
        tcp_cwnd_grow(&t->tcp, t->tcb, active, M);
        t->tcb->snd.nxt = seq_add(t->tcb->snd.una, t->tcb->cwnd);
    }
}

/* RFC9438-24, RFC9438-25 (cwnd_prior); an eighth of 100 ms. */
static void nine_samples_an_eighth_above_the_least_end_slow_start(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 20, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 8, 3000, 112501);
    assert_true(in_slow_start(&t));
    assert_int_equal(cwnd(&t), 28);
    acks_each(&t, 1, 3000, 112501);
    assert_int_equal(t.tcb->ssthresh, 28 * M);
    assert_int_equal(cwnd(&t), 28);
    assert_int_equal(growth_of(&t)->stage.cwnd_prior, 28 * M);
    bench_end(&t);
}

/* ACKs that a host finds at once, when it has not read for a while, are all late by that. */
static void samples_that_were_read_at_once_end_nothing(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 20, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 16, 100, 130000);
    assert_true(in_slow_start(&t));
    acks_each(&t, 1, 100, 101000);
    acks_each(&t, 3, 3000, 130000);
    assert_true(in_slow_start(&t));
    bench_end(&t);
}

static void samples_within_an_eighth_are_no_queue(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 20, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 60, 3000, 112500);
    assert_true(in_slow_start(&t));
    bench_end(&t);
}

/* The eighth is 4 ms at least and 16 ms at most. */
static void the_margin_is_four_to_sixteen_milliseconds(void **state)
{
    (void)state;
    static const uint32_t cases[][3] = {
        {1000, 5000, true},     {1000, 5001, false},     {32000, 36000, true},
        {32000, 36001, false},  {200000, 216000, true},  {200000, 216001, false},
        {100000, 112500, true}, {100000, 112501, false},
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin_start(&t, 20, HF_HYSTART_HYBRID);
        tally_of(&t.tcp, t.tcb)->min_rtt_us = cases[i][0];
        sends_window(&t);
        acks_each(&t, 12, 3000, cases[i][1]);
        assert_int_equal(in_slow_start(&t), cases[i][2]);
        bench_end(&t);
    }
}

/* One early sample is enough to say that the queue is empty. */
static void one_sample_without_a_queue_keeps_slow_start_for_the_round(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 20, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 4, 3000, 130000);
    acks_each(&t, 1, 3000, 105000);
    acks_each(&t, 12, 3000, 130000);
    assert_true(in_slow_start(&t));
    bench_end(&t);
}

static void each_round_samples_anew(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 16, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 1, 3000, 100000); /* the first ACK begins a round: it ends 15 segments on */
    acks_each(&t, 15, 3000, 130000);
    assert_true(in_slow_start(&t));
    acks_each(&t, 8, 3000, 130000);
    assert_true(in_slow_start(&t));
    acks_each(&t, 1, 3000, 130000);
    assert_false(in_slow_start(&t));
    bench_end(&t);
}

static void small_windows_are_left_alone(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 2, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 14, 3000, 200000); /* up to 16: nothing counted so far */
    acks_each(&t, 8, 3000, 200000);
    assert_true(in_slow_start(&t));
    acks_each(&t, 1, 3000, 200000);
    assert_false(in_slow_start(&t));
    assert_int_equal(cwnd(&t), 24);
    bench_end(&t);
}

/* 51 ms of ACKs without a gap: half of the least round trip is full. */
static void a_train_of_acks_of_half_a_round_trip_ends_slow_start(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 40, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 1, 0, 0);
    acks_each(&t, 25, 2000, 0);
    assert_true(in_slow_start(&t));
    acks_each(&t, 1, 1000, 0);
    assert_false(in_slow_start(&t));
    bench_end(&t);
}

/* RFC 9406 4.2, 4.3: paced segments make trains by themselves; and L has no limit. */
static void of_paced_segments_the_train_is_a_whole_round_trip(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 100, HF_HYSTART_HYBRID);
    t.b->policy.pacing = true;
    t.tcb->srtt_us = MIN_RTT_US;
    sends_window(&t);
    acks_each(&t, 1, 0, 0);
    acks_each(&t, 50, 2000, 0);
    assert_true(in_slow_start(&t));
    acks_each(&t, 1, 1000, 0);
    assert_false(in_slow_start(&t));
    t.tcb->ssthresh = UINT32_MAX;
    uint32_t before = cwnd(&t);
    tcp_slow_start(&t.tcp, t.tcb, queue_of(&t), 20 * M);
    assert_int_equal(cwnd(&t), before + 20);
    bench_end(&t);
}

static void a_gap_ends_the_train_for_the_round(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 100, HF_HYSTART_HYBRID);
    sends_window(&t);
    acks_each(&t, 1, 0, 0);
    acks_each(&t, 1, 2001, 0);
    acks_each(&t, 60, 1500, 0);
    assert_true(in_slow_start(&t));
    bench_end(&t);
}

static void switched_off_and_with_newreno_slow_start_goes_on_until_a_loss(void **state)
{
    (void)state;
    for (uint32_t newreno = 0; newreno < 2; newreno++) {
        struct bench t;
        begin_start(&t, 40, newreno ? HF_HYSTART_HYBRID : HF_HYSTART_OFF);
        t.tcb->modes = newreno ? MODE_CONGESTION(HF_NEWRENO) : t.tcb->modes;
        sends_window(&t);
        acks_each(&t, 100, 1500, 200000);
        assert_true(in_slow_start(&t));
        bench_end(&t);
    }
}

/* HyStart++ ------------------------------------------------------------------------------------ */

/* A round of it: all that is out is acknowledged. */
static void round_of(struct bench *t, uint32_t rtt_us)
{
    acks_each(t, seq_len(t->tcb->snd.una, t->tcb->snd.nxt) / M, 3000, rtt_us);
}

/* RFC9438-24: the delay of a round against the round before; then a quarter of the growth, five
 * rounds of it, the one in which it began counted. */
static void a_later_round_begins_conservative_slow_start_for_five_rounds(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 10, HF_HYSTART_PLUSPLUS);
    sends_window(&t);
    round_of(&t, 100000);
    assert_int_equal(cwnd(&t), 20);
    acks_each(&t, 7, 3000, 112500);
    assert_int_equal(growth_of(&t)->css, 0);
    acks_each(&t, 1, 3000, 112500); /* the eighth sample: 12.5 ms later than the round before */
    assert_int_equal(growth_of(&t)->css, 1);
    uint32_t before = t.tcb->cwnd;
    acks_each(&t, 4, 3000, 112500);
    assert_int_equal(t.tcb->cwnd, before + M);
    for (uint32_t rounds = 1; rounds < 5; rounds++) {
        while (growth_of(&t)->css == rounds) {
            assert_true(in_slow_start(&t));
            acks_each(&t, 1, 3000, 112500);
        }
    }
    assert_int_equal(growth_of(&t)->css, 5);
    while (growth_of(&t)->css == 5) {
        assert_true(in_slow_start(&t));
        acks_each(&t, 1, 3000, 112500);
    }
    assert_int_equal(t.tcb->ssthresh / M, cwnd(&t));
    bench_end(&t);
}

static void slow_start_goes_on_when_the_delay_goes_again(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 10, HF_HYSTART_PLUSPLUS);
    sends_window(&t);
    round_of(&t, 100000);
    round_of(&t, 120000);
    assert_int_not_equal(growth_of(&t)->css, 0);
    round_of(&t, 119999);
    assert_int_equal(growth_of(&t)->css, 0);
    assert_true(in_slow_start(&t));
    uint32_t before = t.tcb->cwnd;
    acks_each(&t, 4, 3000, 119999);
    assert_int_equal(t.tcb->cwnd, before + 4 * M);
    bench_end(&t);
}

/* "Only the first": after a loss there is an ssthresh. */
static void hystart_plusplus_leaves_later_slow_starts_alone(void **state)
{
    (void)state;
    struct bench t;
    begin_start(&t, 10, HF_HYSTART_PLUSPLUS);
    t.tcb->ssthresh = 1000 * M;
    sends_window(&t);
    round_of(&t, 100000);
    round_of(&t, 120000);
    round_of(&t, 140000);
    assert_int_equal(growth_of(&t)->css, 0);
    assert_int_equal(cwnd(&t), 80);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nine_samples_an_eighth_above_the_least_end_slow_start),
        cmocka_unit_test(samples_that_were_read_at_once_end_nothing),
        cmocka_unit_test(samples_within_an_eighth_are_no_queue),
        cmocka_unit_test(the_margin_is_four_to_sixteen_milliseconds),
        cmocka_unit_test(one_sample_without_a_queue_keeps_slow_start_for_the_round),
        cmocka_unit_test(each_round_samples_anew),
        cmocka_unit_test(small_windows_are_left_alone),
        cmocka_unit_test(a_train_of_acks_of_half_a_round_trip_ends_slow_start),
        cmocka_unit_test(of_paced_segments_the_train_is_a_whole_round_trip),
        cmocka_unit_test(a_gap_ends_the_train_for_the_round),
        cmocka_unit_test(switched_off_and_with_newreno_slow_start_goes_on_until_a_loss),
        cmocka_unit_test(a_later_round_begins_conservative_slow_start_for_five_rounds),
        cmocka_unit_test(slow_start_goes_on_when_the_delay_goes_again),
        cmocka_unit_test(hystart_plusplus_leaves_later_slow_starts_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
