/* Loss: the scoreboard, fast recovery with SACK and without; what an ACK leaves in flight. */
#include "tcp_loss.h"

/* RFC 6675 5 ----------------------------------------------------------------------------------- */

/* RFC6675-3, RFC6675-14, RFC6675-18, RFC6675-22 */
static void three_sacked_segments_start_recovery(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    queues(&t, 20 * M);
    acks_block(&t, 1, 2, 2);
    repeats_nothing(&t);
    assert_int_equal(allows(&t), M); /* (3.3): pipe is 9 segments */
    acks_block(&t, 1, 2, 3);
    repeats_nothing(&t);
    assert_int_equal(allows(&t), 2 * M);
    acks_block(&t, 1, 2, 4);
    assert_int_equal(t.tcb->ssthresh, 5 * M); /* (4.2) */
    assert_int_equal(t.tcb->cwnd, 7 * M);     /* RFC9937-9: pipe, and one segment */
    repeats(&t, 1);
    /* pipe: segments 5 .. 10, and 1 again */
    assert_int_equal(tcp_sent_pipe(queue_of(&t)), 7 * M);
    repeats_nothing(&t);
    assert_int_equal(allows(&t), 0);
    acks_block(&t, 1, 2, 6);
    assert_int_equal(allows(&t), 0);
    acks_block(&t, 1, 2, 7);
    assert_int_equal(allows(&t), M); /* (C): cwnd - pipe >= 1 SMSS, NextSeg() (2) */
    acks(&t, 11, 0, NULL);
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
    assert_int_equal(t.tcb->cwnd, 5 * M);
    bench_end(&t);
}

/* RFC6675-3, RFC6675-12, RFC6675-14 */
static void more_than_two_segments_of_sacked_octets_start_recovery_at_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    acks_block(&t, 1, 2, 4); /* one ACK for three segments: IsLost(SND.UNA) */
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    repeats(&t, 1);
    bench_end(&t);
}

/* NextSeg() (1): lost holes in order; (3): holes that are not lost yet, when there is nothing new.
; RFC6675-5, RFC6675-9, RFC6675-23 */
static void holes_are_sent_again_in_order_and_each_once(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 20);
    t.tcb->cwnd = 20 * M;
    acks(&t, 1, 3, (const uint32_t[][2]){{16, 18}, {9, 12}, {2, 4}});
    /* not lost: 13 - 15 has three segments above it, so it is; 19, 20 are not */
    assert_int_equal(t.tcb->cwnd, 10 * M);
    repeats(&t, 1);
    repeats(&t, 5);
    repeats(&t, 6);
    repeats(&t, 7);
    repeats(&t, 8);
    repeats(&t, 13);
    repeats(&t, 14);
    repeats(&t, 15);
    /* pipe: 8 segments again, 19 and 20 */
    repeats_nothing(&t);
    acks(&t, 1, 3, (const uint32_t[][2]){{5, 8}, {9, 12}, {16, 18}});
    repeats_nothing(&t); /* nothing is lost that was not sent again */
    bench_end(&t);
}

/* RFC6675-6, RFC6675-7 */
static void a_hole_not_lost_is_sent_again_only_without_new_text(void **state)
{
    (void)state;
    struct bench t;
    for (uint32_t more = 0; more < 2; more++) {
        begin(&t, F_SACK);
        sends(&t, 10);
        queues(&t, more * 5 * M);
        acks(&t, 1, 2, (const uint32_t[][2]){{9, 9}, {2, 6}});
        /* 7 and 8 have one SACKed segment above them */
        repeats(&t, 1);
        if (more) {
            repeats_nothing(&t); /* NextSeg() (2) */
            assert_int_equal(allows(&t), M);
        } else {
            repeats(&t, 7); /* NextSeg() (3) */
        }
        bench_end(&t);
    }
}

/* RFC6675-8 */
static void the_end_is_sent_again_once_when_nothing_else_tells(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 6);
    t.tcb->cwnd = 6 * M;
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    repeats_nothing(&t); /* no rescue yet: HighACK is not above RescueRxt */
    acks(&t, 5, 0, NULL);
    repeats(&t, 6); /* NextSeg() (4): includes the highest outstanding octet */
    repeats_nothing(&t);
    bench_end(&t);
}

/* RFC6675-8: once an entry, but it counts when it leaves; here an ACK comes before, and tells of
 * something lost. */
static void the_end_is_still_sent_again_when_something_lost_came_before(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    t.tcb->cwnd = 10 * M;
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    acks(&t, 5, 0, NULL);
    assert_int_equal(tcp_recovery_next(&t.tcp, t.tcb), M);
    assert_int_equal(queue_of(&t)->rxt.at.v, segment(10));
    acks_block(&t, 5, 6, 8);
    repeats(&t, 5);
    repeats(&t, 10);
    repeats_nothing(&t);
    bench_end(&t);
}

/* RFC5681-34, RFC6675-16, RFC6675-21 */
static void a_loss_beyond_the_recovery_point_is_a_new_one(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    sends(&t, 10);
    acks_block(&t, 1, 2, 10);
    repeats(&t, 1);
    sends(&t, 5); /* 11 is lost, 12 .. 15 arrive */
    acks(&t, 1, 2, (const uint32_t[][2]){{12, 15}, {2, 10}});
    repeats(&t, 11); /* IsLost: within the same recovery */
    acks_block(&t, 11, 12, 15);
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    assert_int_equal(queue_of(&t)->recover.v, segment(16));
    assert_true(t.tcb->ssthresh < 5 * M);
    repeats_nothing(&t); /* it is on its way */
    bench_end(&t);
}

/* RFC 6582 ------------------------------------------------------------------------------------- */

/* RFC5681-24, RFC5681-25, RFC5681-26, RFC6582-1, RFC6582-6, RFC6582-7 */
static void three_duplicates_start_recovery_without_sack(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0);
    sends(&t, 10);
    queues(&t, 20 * M);
    acks(&t, 1, 0, NULL);
    assert_int_equal(allows(&t), M); /* RFC 3042 */
    acks(&t, 1, 0, NULL);
    assert_int_equal(allows(&t), 2 * M);
    repeats_nothing(&t);
    acks(&t, 1, 0, NULL);
    assert_int_equal(t.tcb->ssthresh, 5 * M);
    assert_int_equal(t.tcb->cwnd, 8 * M);
    repeats(&t, 1);
    repeats_nothing(&t);
    assert_int_equal(allows(&t), 0);
    for (uint32_t i = 0; i < 3; i++) {
        acks(&t, 1, 0, NULL);
    }
    assert_int_equal(t.tcb->cwnd, 11 * M);
    assert_int_equal(allows(&t), M);
    acks(&t, 4, 0, NULL); /* partial: three segments left the network */
    assert_int_equal(t.tcb->cwnd, 9 * M);
    repeats(&t, 4);
    repeats_nothing(&t);
    acks(&t, 11, 0, NULL); /* full */
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
    assert_int_equal(t.tcb->cwnd, 2 * M); /* min(ssthresh, max(FlightSize, SMSS) + SMSS) */
    bench_end(&t);
}

/* RFC6582-2, RFC6582-13 */
static void duplicates_of_what_was_sent_twice_start_no_second_recovery(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, 0);
    sends(&t, 10);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    repeats(&t, 1);
    acks(&t, 11, 0, NULL); /* all had arrived but the first */
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
    sends(&t, 4);
    for (uint32_t i = 0; i < 5; i++) {
        acks(&t, 11, 0, NULL); /* not beyond `recover`: RFC 6582 3.2 (2) */
    }
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
    acks(&t, 12, 0, NULL);
    sends(&t, 4);
    for (uint32_t i = 0; i < 3; i++) {
        acks(&t, 12, 0, NULL);
    }
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    bench_end(&t);
}

/* RFC 9293 3.7.4 ------------------------------------------------------------------------------- */

/* SHLD-7: Nagle's rule looks at what is in flight, and half the sequence space later, too. */
static void a_small_segment_that_was_acknowledged_is_never_in_flight_again(void **state)
{
    (void)state;
    struct bench t;
    begin(&t, F_SACK);
    for (uint32_t n = 0; n < 4000000; n += 1000000) { /* of full segments, nearly all numbers */
        seq_t at = seq(segment(1 + n));
        t.tcb->snd.una = t.tcb->snd.nxt = at;
        queue_of(&t)->send.at = queue_of(&t)->rxt.at = at;
        sends(&t, 1);
        acks(&t, 2 + n, 0, NULL);
        assert_false(seq_gt(queue_of(&t)->snd_sml, t.tcb->snd.una));
    }
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_sacked_segments_start_recovery),
        cmocka_unit_test(more_than_two_segments_of_sacked_octets_start_recovery_at_once),
        cmocka_unit_test(holes_are_sent_again_in_order_and_each_once),
        cmocka_unit_test(a_hole_not_lost_is_sent_again_only_without_new_text),
        cmocka_unit_test(the_end_is_sent_again_once_when_nothing_else_tells),
        cmocka_unit_test(the_end_is_still_sent_again_when_something_lost_came_before),
        cmocka_unit_test(a_loss_beyond_the_recovery_point_is_a_new_one),
        cmocka_unit_test(three_duplicates_start_recovery_without_sack),
        cmocka_unit_test(duplicates_of_what_was_sent_twice_start_no_second_recovery),
        cmocka_unit_test(a_small_segment_that_was_acknowledged_is_never_in_flight_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
