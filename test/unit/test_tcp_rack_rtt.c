/* RFC 8985 section 6.2, steps 1 and 2, and RFC 6298 3: what says how long a round trip takes. */
#include "rack_loss.h"

/* An ACK of all before segment `ack`, with the echo of what left so long ago, or without. */
static void acks_echo(struct bench *t, uint32_t ack, uint32_t present, uint32_t age_ms)
{
    struct segment seg = {.seq = t->tcb->rcv.nxt,
                          .ack = seq(segment(ack)),
                          .ctl = ACK,
                          .wnd = t->tcb->snd.wnd,
                          .opt = {.present = present, .ts_ecr = t->tcp.now_ms - age_ms}};
    tcp_take_ack(&t->tcp, t->tcb, &seg, true);
}

/* Ten segments, of which some are SACKed, and a timeout a minute later. */
static void times_out_with(struct bench *t, uint32_t first, uint32_t last)
{
    sends(t, 10);
    wait(t, RTT_MS);
    acks_block(t, 1, first, last);
    wait(t, 60000);
    tcp_recovery_on_rto(&t->tcp, t->tcb);
    repeats(t, 1);
}

/* RFC8985-6 */
static void the_least_round_trip_is_that_of_the_last_five_minutes(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    const uint32_t *min_rtt_us = &tally_of(&t.tcp, t.tcb)->min_rtt_us;
    tcp_rack_min_rtt(&t.tcp, t.tcb, 10000);
    tcp_rack_min_rtt(&t.tcp, t.tcb, 110000);
    assert_int_equal(*min_rtt_us, 10000);
    wait(&t, 300000);
    tcp_rack_min_rtt(&t.tcp, t.tcb, 110000);
    assert_int_equal(*min_rtt_us, 10000);
    wait(&t, 1);
    tcp_rack_min_rtt(&t.tcp, t.tcb, 110000);
    assert_int_equal(*min_rtt_us, 110000);
    bench_end(&t);
}

/* RFC8985-7: an ACK sooner than any round trip, or with an older echo, is for the first copy. */
static void the_arrival_of_an_earlier_copy_says_nothing_of_the_later_one(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct bench t;
        begin_rack(&t);
        sends(&t, 10);
        wait(&t, RTT_MS);
        acks_block(&t, 1, 2, 4);
        repeats(&t, 1);
        uint32_t rtt_us = queue_of(&t)->rack_rtt_us;
        wait(&t, i == 0 ? 1 : RTT_MS + 10);
        t.tcb->flags |= F_TS;
        acks_echo(&t, 5, i == 1 ? OPT_TS : 0, RTT_MS + 12);
        bool taken = queue_of(&t)->rack_rtt_us != rtt_us;
        assert_int_equal(taken, i == 2);
        bench_end(&t);
    }
}

/* RFC 6298 3, Karn: what is acknowledged beside a repetition may have arrived long ago. */
static void an_ack_that_covers_a_repetition_is_no_sample(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    wait(&t, 150);
    acks(&t, 11, 0, NULL);
    assert_int_equal(t.tcb->srtt_us, RTT_US);
    bench_end(&t);
}

/* RFC 7323 4.2: a flight is measured once - unless policy wants each ACK to count. */
static void each_ack_is_a_sample_where_policy_says_so(void **state)
{
    (void)state;
    for (uint32_t each = 0; each < 2; each++) {
        struct bench t;
        begin_rack(&t);
        t.b->policy.rtt_per_ack = each;
        sends(&t, 10);
        wait(&t, RTT_MS);
        acks(&t, 2, 0, NULL);
        wait(&t, RTT_MS);
        acks(&t, 3, 0, NULL);
        assert_int_equal(t.tcb->srtt_us, each ? RTT_US + RTT_US / 8 : RTT_US);
        bench_end(&t);
    }
}

/* RFC8985-8: what left before RACK.segment, and arrives after it, says how late others may be. */
static void a_late_arrival_makes_the_round_trip_longer(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 2);
    wait(&t, 20);
    sends(&t, 1);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 3, 3);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US);
    acks_block(&t, 1, 2, 3);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US + 20000);
    bench_end(&t);
}

/* RFC 2018 8, RFC8985-8: what was SACKed before a timeout, and is SACKed again, has not arrived
 * now: the outage is no round trip.  Once it has gone again it can arrive. */
static void what_was_sacked_before_a_timeout_says_nothing_of_the_round_trip(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    times_out_with(&t, 2, 4);
    wait(&t, 1);
    acks_block(&t, 1, 2, 4);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    repeats(&t, 1);
    wait(&t, RTT_MS + 2);
    acks(&t, 2, 0, NULL);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US + 2000);
    repeats(&t, 2);
    wait(&t, RTT_MS + 3);
    acks(&t, 3, 0, NULL);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US + 3000);
    bench_end(&t);
}

/* The same where the timeout was a mistake: what the peer held then flies again, as if it had just
 * left, and is too young to have arrived. */
static void what_was_held_before_a_timeout_that_was_a_mistake_has_just_left(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    t.b->policy.undo = true;
    t.tcb->flags |= F_TS;
    times_out_with(&t, 5, 5);
    wait(&t, 5);
    acks_echo(&t, 2, OPT_TS, 60005 + RTT_MS);
    assert_int_equal(t.b->undone, 1);
    uint32_t rtt_us = queue_of(&t)->rack_rtt_us;
    wait(&t, 5);
    acks_block(&t, 2, 5, 5);
    assert_int_equal(queue_of(&t)->rack_rtt_us, rtt_us);
    bench_end(&t);
}

/* RFC8985-3: where records are scarce, what leaves soon after the last is one with it, but not a
 * whole stream. */
static void what_shares_a_record_has_left_within_a_sixteenth_of_a_round_trip(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    uint32_t used = t.b->sents.used;
    t.b->sents.used = t.b->sents.max / 4 * 3 + 1;
    for (uint32_t i = 0; i < 20; i++) {
        sends(&t, 1);
        wait(&t, 5);
    }
    assert_int_equal(queue_of(&t)->sent_n, 10); /* 6.25 ms: two in each */
    acks(&t, 3, 0, NULL);
    assert_int_equal(queue_of(&t)->rack_rtt_us, RTT_US);
    t.b->sents.used = used + queue_of(&t)->sent_n;
    bench_end(&t);
}

/* RFC8985-15: a round trip of an outage makes no reordering timer: the timeout comes before. */
static void the_reordering_timer_is_none_where_a_timeout_comes_before(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    t.tcb->modes |= M_REORDERED;
    sends(&t, 2);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 2);
    assert_int_equal(queue_of(&t)->timer, TIMER_RACK);
    queue_of(&t)->rack_rtt_us = 60000000;
    tcp_rack_detect(&t.tcp, t.tcb);
    assert_int_equal(queue_of(&t)->timer, TIMER_RTO);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_round_trip_is_that_of_the_last_five_minutes),
        cmocka_unit_test(the_arrival_of_an_earlier_copy_says_nothing_of_the_later_one),
        cmocka_unit_test(an_ack_that_covers_a_repetition_is_no_sample),
        cmocka_unit_test(each_ack_is_a_sample_where_policy_says_so),
        cmocka_unit_test(a_late_arrival_makes_the_round_trip_longer),
        cmocka_unit_test(what_was_sacked_before_a_timeout_says_nothing_of_the_round_trip),
        cmocka_unit_test(what_was_held_before_a_timeout_that_was_a_mistake_has_just_left),
        cmocka_unit_test(what_shares_a_record_has_left_within_a_sixteenth_of_a_round_trip),
        cmocka_unit_test(the_reordering_timer_is_none_where_a_timeout_comes_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
