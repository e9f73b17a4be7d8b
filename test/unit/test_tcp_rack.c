/* RFC 8985 section 6: what RACK knows, what it takes for lost, and when. */
#include "rack_loss.h"
#include "tcp/congestion.h"

static uint32_t lost(struct bench *t)
{
    return queue_of(t)->sum[SUM_LOST].segs;
}

/* What the timer would find now. */
static uint32_t lost_by_now(struct bench *t)
{
    tcp_recovery_on_rack_timer(&t->tcp, t->tcb);
    return lost(t);
}

/* RFC8985-1, RFC8985-2, RFC8985-32: with SACK, where policy does not prefer RFC 6675; never both.
 */
static void rack_is_for_peers_with_sack(void **state)
{
    (void)state;
    struct bench t;
    struct hf_config config;
    hf_config_default(&config, 1);
    assert_true(config.policy.rack);
    begin_rack(&t);
    assert_true(tcp_rack_used(&t.tcp, t.tcb));
    t.tcb->flags = 0;
    assert_false(tcp_rack_used(&t.tcp, t.tcb));
    bench_end(&t);
    for (uint32_t rack = 0; rack < 2; rack++) { /* three stretches: enough for RFC 6675 alone */
        begin_rack(&t);
        t.b->policy.rack = rack;
        t.tcb->modes |= M_REORDERED; /* so that RACK takes its time */
        sends(&t, 20);
        wait(&t, RTT_MS);
        acks(&t, 1, 3, (const uint32_t[][2]){{6, 6}, {4, 4}, {2, 2}});
        assert_int_equal(lost(&t), rack ? 0 : 1);
        bench_end(&t);
    }
}

/* RFC8985-3, RFC8985-5, RFC8985-25 */
static void a_record_knows_when_it_left_last_and_whether_twice(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 1);
    t.tcp.now_us += 10;
    sends(&t, 1);
    const struct sent *first = sent_at(&t.tcp, queue_of(&t)->sent_first);
    const struct sent *second = sent_at(&t.tcp, queue_of(&t)->sent_last);
    assert_ptr_not_equal(first, second);
    assert_int_equal(second->sent_us - first->sent_us, 10);
    assert_int_equal(first->flags, 0);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 2);
    wait(&t, RTT_MS);
    assert_int_equal(lost_by_now(&t), 1);
    assert_int_equal(first->flags, SENT_LOST);
    wait(&t, 1);
    repeats(&t, 1);
    assert_int_equal(first->flags, SENT_LOST | SENT_AGAIN | SENT_TWICE);
    assert_int_equal(first->sent_us, t.tcp.now_us);
    assert_int_equal(first->times, 1);
    bench_end(&t);
}

/* RFC8985-8, RFC8985-11, RFC8985-14, RFC8985-15: of ten sent at one time the fifth has arrived; a
 * quarter of the round trip later the four before it are lost, and not a tick before that. */
static void what_left_before_what_arrived_is_lost_when_the_window_has_passed(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 5, 5);
    assert_int_equal(lost(&t), 0);
    assert_int_equal(queue_of(&t)->timer, TIMER_RACK);
    assert_int_equal(queue_of(&t)->rto_at_ms, t.tcp.now_ms + 27); /* 25 ms and two ticks */
    wait(&t, 24);
    assert_int_equal(lost_by_now(&t), 0);
    wait(&t, 1);
    assert_int_equal(lost_by_now(&t), 4);
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    assert_int_equal(queue_of(&t)->timer, TIMER_RTO); /* RFC8985-31: it has its place again */
    bench_end(&t);
}

/* RFC8985-10: three SACKed segments are enough, but only where nothing was ever out of order. */
static void three_sacked_segments_end_the_waiting_unless_there_is_reordering(void **state)
{
    (void)state;
    struct bench t;
    for (uint32_t reordered = 0; reordered < 2; reordered++) {
        begin_rack(&t);
        t.tcb->modes |= reordered ? M_REORDERED : 0;
        sends(&t, 10);
        wait(&t, RTT_MS);
        acks_block(&t, 1, 2, 3);
        assert_int_equal(lost(&t), 0);
        acks_block(&t, 1, 2, 4);
        assert_int_equal(lost(&t), reordered ? 0 : 1);
        acks(&t, 1, 2, (const uint32_t[][2]){{6, 6}, {2, 4}}); /* and within recovery */
        assert_int_equal(lost(&t), reordered ? 0 : 2);
        bench_end(&t);
    }
}

/* RFC8985-36 */
static void without_a_round_trip_there_is_no_waiting(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 3);
    tally_of(&t.tcp, t.tcb)->min_rtt_us = 0;
    t.tcb->srtt_us = 0;
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 2);
    assert_int_equal(lost(&t), 1);
    bench_end(&t);
}

/* RFC8985-9: what was sent once and arrives below what has arrived; not what was sent again. */
static void segments_that_were_overtaken_are_remembered(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 6, 6);
    assert_false(t.tcb->modes & M_REORDERED);
    acks(&t, 1, 2, (const uint32_t[][2]){{2, 2}, {6, 6}});
    assert_true(t.tcb->modes & M_REORDERED);
    assert_int_equal(queue_of(&t)->reordering, 5); /* segments, 2 .. 6 */
    bench_end(&t);
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    wait(&t, RTT_MS);
    acks(&t, 5, 0, NULL);
    assert_false(t.tcb->modes & M_REORDERED);
    /* One ACK that tells of two stretches at once tells nothing of their order. */
    acks(&t, 5, 2, (const uint32_t[][2]){{9, 9}, {7, 7}});
    assert_false(t.tcb->modes & M_REORDERED);
    bench_end(&t);
}

static void dsack_round(struct bench *t, bool dsack, bool recovered)
{
    t->tcp.news = (struct ack_news){.dsack = dsack};
    tcp_rack_adapt(&t->tcp, t->tcb, recovered);
}

/* RFC8985-4, RFC8985-13 */
static void
the_window_grows_by_rounds_with_a_dsack_and_shrinks_after_sixteen_recoveries(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    const struct active *active = queue_of(&t);
    for (uint32_t round = 2; round <= 4; round++) {
        sends(&t, 1);
        dsack_round(&t, true, false);
        assert_int_equal(active->reo_mult, round);
        dsack_round(&t, true, false); /* in the same round */
        assert_int_equal(active->reo_mult, round);
        acks(&t, round, 0, NULL);
    }
    for (uint32_t i = 0; i < 15; i++) {
        dsack_round(&t, false, true);
        dsack_round(&t, false, false);
        assert_int_equal(active->reo_mult, 4);
    }
    dsack_round(&t, false, true);
    assert_int_equal(active->reo_mult, 1);
    bench_end(&t);
}

/* RFC8985-12: up to SRTT. */
static void the_window_is_never_longer_than_the_smoothed_round_trip(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{1, 25}, {3, 75}, {4, 100}, {200, 100}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin_rack(&t);
        t.tcb->modes |= M_REORDERED;
        queue_of(&t)->reo_mult = (uint8_t)cases[i][0];
        sends(&t, 2);
        wait(&t, RTT_MS);
        acks_block(&t, 1, 2, 2);
        wait(&t, cases[i][1] - 1);
        assert_int_equal(lost_by_now(&t), 0);
        wait(&t, 1);
        assert_int_equal(lost_by_now(&t), 1);
        bench_end(&t);
    }
}

/* RFC8985-16: new text that left after the repetition has arrived, the repetition has not. */
static void a_repetition_that_is_lost_is_found_without_a_timeout(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    wait(&t, 1);
    sends(&t, 1);
    acks_block(&t, 1, 2, 10); /* what left before the repetition proves nothing */
    repeats_nothing(&t);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 11);
    repeats(&t, 1);
    assert_int_equal(sent_at(&t.tcp, queue_of(&t)->sent_first)->times, 2);
    bench_end(&t);
}

/* RFC8985-17 */
static void a_timeout_leaves_alone_what_left_just_before_it(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 1);
    wait(&t, RTT_MS);
    acks(&t, 2, 0, NULL); /* RACK.rtt: 100 ms */
    sends(&t, 4);
    wait(&t, 299);
    sends(&t, 3);
    wait(&t, 1);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    assert_int_equal(lost(&t), 4);
    assert_int_equal(tcp_sent_pipe(queue_of(&t)), 3 * M);
    repeats(&t, 2); /* the first goes in any case */
    bench_end(&t);
}

/* RFC8985-33 */
static void what_is_lost_waits_until_the_window_has_room(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 8, 10); /* seven are lost at once */
    assert_int_equal(lost(&t), 7);
    repeats(&t, 1);
    t.tcb->cwnd = M; /* as PRR might have it */
    repeats_nothing(&t);
    t.tcb->cwnd = 2 * M;
    repeats(&t, 2);
    repeats_nothing(&t);
    bench_end(&t);
}

/* RFC8985-18, RFC8985-31, RFC8985-37: one timer; no probe while something is SACKed or in recovery.
 */
static void there_is_one_timer_and_no_probe_where_rack_is_at_work(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    const struct active *active = queue_of(&t);
    sends(&t, 10);
    tcp_text_was_sent(&t.tcp, t.tcb, M);
    assert_int_equal(active->timer, TIMER_TLP);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 2);
    assert_int_equal(active->timer, TIMER_RACK);
    sends(&t, 1);
    tcp_text_was_sent(&t.tcp, t.tcb, M); /* with something SACKed */
    assert_int_equal(active->timer, TIMER_RACK);
    queue_of(&t)->tlp_out = 1;
    acks_block(&t, 1, 2, 4);
    assert_int_equal(active->recovery, RECOVERY_FAST);
    assert_int_equal(active->tlp_out, 0);
    assert_int_equal(active->timer, TIMER_RTO);
    sends(&t, 1);
    tcp_text_was_sent(&t.tcp, t.tcb, M); /* in recovery */
    assert_int_equal(active->timer, TIMER_RTO);
    bench_end(&t);
}

/* RFC8985-37: each condition alone. */
static void no_probe_is_armed_in_recovery_or_while_something_is_sacked(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 4);
    assert_true(tcp_tlp_arm(&t.tcp, t.tcb));
    queue_of(&t)->recovery = RECOVERY_FAST;
    assert_false(tcp_tlp_arm(&t.tcp, t.tcb));
    queue_of(&t)->recovery = RECOVERY_NONE;
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 2);
    assert_false(tcp_tlp_arm(&t.tcp, t.tcb));
    bench_end(&t);
}

/* The clock of transmissions wraps after an hour: what all arrived before is forgotten. */
static void after_a_long_pause_nothing_is_lost_by_an_old_arrival(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 1);
    wait(&t, RTT_MS);
    acks(&t, 2, 0, NULL);
    wait(&t, 2200000);
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 2, 6, 6);
    wait(&t, 25);
    assert_int_equal(lost_by_now(&t), 4);
    bench_end(&t);
}

/* RFC2883-6: below its ACK field, or within the block behind it; believed only where something was
 * sent again, and of what was sent. */
static void a_dsack_is_of_what_was_sent_and_again(void **state)
{
    (void)state;
    static const struct {
        uint32_t repeated, first, last;
        bool taken;
    } cases[] = {{1, 2, 2, true}, {0, 2, 2, false}, {1, 2, 9, false}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench t;
        begin_rack(&t);
        sends(&t, 4);
        tally_of(&t.tcp, t.tcb)->retransmitted = cases[i].repeated;
        wait(&t, RTT_MS);
        acks_block(&t, 3, cases[i].first, cases[i].last);
        assert_int_equal(queue_of(&t)->reo_mult, cases[i].taken ? 2 : 1);
        bench_end(&t);
    }
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    tally_of(&t.tcp, t.tcb)->retransmitted = 1;
    acks(&t, 1, 2, (const uint32_t[][2]){{4, 4}, {3, 6}});
    assert_int_equal(queue_of(&t)->reo_mult, 2);
    bench_end(&t);
}

/* What was SACKed before a timeout has been counted, and is no news when it is acknowledged. */
static void what_was_sacked_before_a_timeout_is_not_delivered_again(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    t.tcb->modes |= M_REORDERED;
    sends(&t, 10);
    wait(&t, RTT_MS);
    acks_block(&t, 1, 2, 4);
    tcp_recovery_on_rto(&t.tcp, t.tcb);
    repeats(&t, 1);
    wait(&t, RTT_MS);
    acks(&t, 5, 0, NULL);
    assert_int_equal(t.tcp.news.delivered, M);
    assert_false(t.tcp.news.original);
    bench_end(&t);
}

/* A mark is no mistake; what congestion control has learnt of a loss that was none is forgotten. */
static void losses_are_taken_back_and_marks_are_not(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    sends(&t, 10);
    acks(&t, 2, 0, NULL);
    tcp_recovery_enter_cwr(&t.tcp, t.tcb, CC_ECN);
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_CWR);
    assert_false(queue_of(&t)->undo_armed);
    bench_end(&t);
    begin_rack(&t);
    t.tcb->modes |= MODE_CONGESTION(HF_CUBIC);
    sends(&t, 10);
    wait(&t, RTT_MS);
    uint32_t w_max = tally_of(&t.tcp, t.tcb)->cc_keep[KEEP_W_MAX];
    acks_block(&t, 1, 2, 4);
    assert_int_not_equal(tally_of(&t.tcp, t.tcb)->cc_keep[KEEP_W_MAX], w_max);
    tcp_undo(&t.tcp, t.tcb, false);
    assert_int_equal(tally_of(&t.tcp, t.tcb)->cc_keep[KEEP_W_MAX], w_max);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    bench_end(&t);
}

/* RFC 3708: only what came twice of this episode counts. */
static void a_dsack_of_an_earlier_episode_takes_nothing_back(void **state)
{
    (void)state;
    struct bench t;
    begin_rack(&t);
    struct active *active = queue_of(&t);
    sends(&t, 10);
    acks(&t, 3, 0, NULL);
    tcp_undo_begin(t.tcb, active);
    tcp_undo_sent(&t.tcp, active, active->undo_left, M);
    t.tcp.news = (struct ack_news){
        .dsack = true, .dsack_left = seq(segment(1)), .dsack_right = seq(segment(2))};
    tcp_undo_note_dsack(&t.tcp, active);
    assert_int_equal(active->undo_bytes, M);
    t.tcp.news.dsack_left = seq(segment(3));
    t.tcp.news.dsack_right = seq(segment(4));
    tcp_undo_note_dsack(&t.tcp, active);
    assert_int_equal(active->undo_bytes, 0);
    bench_end(&t);
}

/* Where segments overtake each other, SACKs are all the news that many ACKs have. */
static void with_reordering_the_window_grows_by_what_is_sacked_too(void **state)
{
    (void)state;
    for (uint32_t reordered = 0; reordered < 2; reordered++) {
        struct bench t;
        begin_rack(&t);
        t.tcb->modes |= reordered ? M_REORDERED : 0;
        sends(&t, 10);
        wait(&t, RTT_MS);
        acks(&t, 2, 0, NULL);
        uint32_t cwnd = t.tcb->cwnd;
        acks_block(&t, 2, 4, 4);
        assert_int_equal(t.tcb->cwnd, cwnd + (reordered ? M : 0));
        bench_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rack_is_for_peers_with_sack),
        cmocka_unit_test(a_record_knows_when_it_left_last_and_whether_twice),
        cmocka_unit_test(what_left_before_what_arrived_is_lost_when_the_window_has_passed),
        cmocka_unit_test(three_sacked_segments_end_the_waiting_unless_there_is_reordering),
        cmocka_unit_test(without_a_round_trip_there_is_no_waiting),
        cmocka_unit_test(segments_that_were_overtaken_are_remembered),
        cmocka_unit_test(
            the_window_grows_by_rounds_with_a_dsack_and_shrinks_after_sixteen_recoveries),
        cmocka_unit_test(the_window_is_never_longer_than_the_smoothed_round_trip),
        cmocka_unit_test(a_repetition_that_is_lost_is_found_without_a_timeout),
        cmocka_unit_test(a_timeout_leaves_alone_what_left_just_before_it),
        cmocka_unit_test(what_is_lost_waits_until_the_window_has_room),
        cmocka_unit_test(there_is_one_timer_and_no_probe_where_rack_is_at_work),
        cmocka_unit_test(no_probe_is_armed_in_recovery_or_while_something_is_sacked),
        cmocka_unit_test(after_a_long_pause_nothing_is_lost_by_an_old_arrival),
        cmocka_unit_test(a_dsack_is_of_what_was_sent_and_again),
        cmocka_unit_test(what_was_sacked_before_a_timeout_is_not_delivered_again),
        cmocka_unit_test(losses_are_taken_back_and_marks_are_not),
        cmocka_unit_test(a_dsack_of_an_earlier_episode_takes_nothing_back),
        cmocka_unit_test(with_reordering_the_window_grows_by_what_is_sacked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
