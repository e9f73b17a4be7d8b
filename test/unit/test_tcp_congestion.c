/* Timeouts and the congestion window. */
#include "tcp_loss.h"

/* Timeouts ------------------------------------------------------------------------------------- */

/* RFC5681-14, RFC6582-9 */
static void a_timeout_goes_back_and_starts_slowly(void **state)
{
    (void)state;
    struct bench t;
    for (uint32_t sack = 0; sack < 2; sack++) {
        begin(&t, sack ? F_SACK : 0);
        sends(&t, 10);
        queues(&t, 10 * M);
        seq_t nxt = t.tcb->snd.nxt;
        tcp_recovery_on_rto(&t.tcp, t.tcb);
        assert_int_equal(t.tcb->ssthresh, 5 * M);
        assert_int_equal(t.tcb->cwnd, M);
        assert_int_equal(t.tcb->snd.nxt.v, nxt.v); /* SND.NXT never moves back */
        repeats(&t, 1);
        repeats_nothing(&t);
        assert_int_equal(allows(&t), 0);
        acks(&t, 2, 0, NULL);
        assert_int_equal(t.tcb->cwnd, 2 * M);
        repeats(&t, 2);
        repeats(&t, 3);
        repeats_nothing(&t);
        acks(&t, 4, 0, NULL);
        assert_int_equal(t.tcb->cwnd, 4 * M);
        for (uint32_t i = 4; i <= 7; i++) {
            repeats(&t, i);
        }
        repeats_nothing(&t);
        acks(&t, 8, 0, NULL);
        assert_int_equal(t.tcb->cwnd, 5 * M);
        for (uint32_t i = 8; i <= 10; i++) {
            repeats(&t, i);
        }
        repeats_nothing(&t); /* all that was out is: the rest of cwnd is for new text */
        assert_int_equal(allows(&t), 2 * M);
        acks(&t, 11, 0, NULL);
        assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
        bench_end(&t);
    }
}

/* RFC 5681 3.1: "held constant" */
static void a_second_timeout_of_the_same_segment_keeps_the_threshold(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    repeats(&t, 1);
    t.tcb->ssthresh = 4321;
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->ssthresh, 4321);
    assert_int_equal(t.tcb->cwnd, M);
    repeats(&t, 1);
    acks(&t, 3, 0, NULL);
    tcp_recovery_on_rto(&t.tcp, t.tcb); /* another segment */
    assert_int_equal(t.tcb->ssthresh, 4 * M);
    bench_end(&t);
}

/* RFC 2018 5.1 / 8: the marks go; what is SACKed afterwards need not be sent again. */
static void a_timeout_forgets_what_the_peer_said_it_holds(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    acks_block(&t, 1, 2, 3);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    assert_int_equal(queue_of(&t)->sum[SUM_SACKED].bytes, 0);
    repeats(&t, 1);
    t.tcb->cwnd = 5 * M;
    repeats(&t, 2);
    acks_block(&t, 1, 3, 4);
    repeats(&t, 5);
    bench_end(&t);
}

/* RFC2018-19, RFC6675-2 */
static void a_kept_scoreboard_goes_when_the_peer_has_dropped_what_it_held(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.b->policy.sack_keep_on_rto = true;
    sends(&t, 10);
    acks_block(&t, 1, 3, 5);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    assert_int_equal(queue_of(&t)->sum[SUM_SACKED].bytes, 3 * M);
    acks(&t, 4, 0, NULL); /* 4 and 5 were held, and are not now */
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    assert_int_equal(queue_of(&t)->sum[SUM_SACKED].bytes, 0);
    repeats(&t, 4);
    bench_end(&t);
}

static void a_fin_is_the_last_thing_sent_again(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK | F_CLOSE);
    sends(&t, 2);
    t.tcb->flags |= F_FIN_SENT;
    t.tcb->snd.nxt = seq_add(t.tcb->snd.nxt, 1);
    tcp_sent_new(&t.tcp, t.tcb, seq_sub(t.tcb->snd.nxt, 1), M);
    t.tcb->state = HF_FIN_WAIT_1;
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    t.tcb->cwnd = 10 * M;
    repeats(&t, 1);
    repeats(&t, 2);
    assert_int_equal(tcp_recovery_next(&t.tcp, t.tcb), 1);
    tcp_recovery_sent(&t.tcp, t.tcb, 1);
    repeats_nothing(&t);
    bench_end(&t);
}

/* The window ----------------------------------------------------------------------------------- */

/* Slow start doubles what was used, and no more: with 10 segments allowed, n sent and acknowledged
 * by twos. */
static void slow_start_grows_only_what_was_used(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{4, 10}, {6, 12}, {10, 20}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin(&t, F_SACK);
        sends(&t, cases[i][0]);
        for (uint32_t n = 2; n <= cases[i][0]; n += 2) {
            acks(&t, n + 1, 0, NULL);
        }
        assert_int_equal(t.tcb->cwnd, cases[i][1] * M);
        bench_end(&t);
    }
}

static void a_segment_sacked_before_does_not_count_twice(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    acks_block(&t, 1, 2, 2);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    acks(&t, 3, 0, NULL); /* the first came late */
    assert_int_equal(t.tcb->cwnd, 11 * M);
    bench_end(&t);
}

static void one_ack_is_worth_at_most_l_segments(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    acks(&t, 11, 0, NULL);
    assert_int_equal(t.tcb->cwnd, 18 * M);
    bench_end(&t);
}

/* RFC 5681 3.1: about one SMSS a round trip.  RFC5681-11, RFC5681-12, RFC5681-13 */
static void congestion_avoidance_adds_a_segment_for_each_window(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->ssthresh = t.tcb->cwnd = 10 * M;
    sends(&t, 10);
    for (uint32_t n = 2; n <= 10; n++) {
        acks(&t, n, 0, NULL);
        assert_int_equal(t.tcb->cwnd, 10 * M);
    }
    acks(&t, 11, 0, NULL);
    assert_int_equal(t.tcb->cwnd, 11 * M);
    bench_end(&t);
}

static void congestion_avoidance_adds_nothing_that_was_not_used(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->ssthresh = t.tcb->cwnd = 10 * M;
    for (uint32_t n = 0; n < 5; n++) { /* five round trips of half a window */
        sends(&t, 5);
        acks(&t, 5 * n + 6, 0, NULL);
    }
    assert_int_equal(t.tcb->cwnd, 10 * M);
    bench_end(&t);
}

/* RFC 5681 4.1 */
static void after_a_pause_of_an_rto_the_window_restarts(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    t.tcb->cwnd = 50 * M;
    t.tcb->last_snd_ms = 1000;
    tcp_rtt_sample(&t.tcp, t.tcb, 100000); /* RTO 300 ms */
    bench_time(&t, 1300);
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 50 * M);
    bench_time(&t, 1301);
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    t.tcb->cwnd = 3 * M;
    tcp_cwnd_idle(&t.tcp, t.tcb);
    assert_int_equal(t.tcb->cwnd, 3 * M);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_goes_back_and_starts_slowly),
        cmocka_unit_test(a_second_timeout_of_the_same_segment_keeps_the_threshold),
        cmocka_unit_test(a_timeout_forgets_what_the_peer_said_it_holds),
        cmocka_unit_test(a_kept_scoreboard_goes_when_the_peer_has_dropped_what_it_held),
        cmocka_unit_test(a_fin_is_the_last_thing_sent_again),
        cmocka_unit_test(slow_start_grows_only_what_was_used),
        cmocka_unit_test(a_segment_sacked_before_does_not_count_twice),
        cmocka_unit_test(one_ack_is_worth_at_most_l_segments),
        cmocka_unit_test(congestion_avoidance_adds_a_segment_for_each_window),
        cmocka_unit_test(congestion_avoidance_adds_nothing_that_was_not_used),
        cmocka_unit_test(after_a_pause_of_an_rto_the_window_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
