/* RFC 9937 (RFC 6937): how cwnd comes down. */
#include "tcp_loss.h"

static void begin_prr(struct bench *t, uint32_t segments, uint32_t ssthresh)
{
    begin(t, F_SACK);
    t->b->policy.rack = true;
    t->tcb->cwnd = segments * M;
    t->tcb->ssthresh = ssthresh * M;
    t->tcb->srtt_us = tally_of(&t->tcp, t->tcb)->min_rtt_us = 100000;
    sends(t, segments);
    bench_time(t, t->tcp.now_ms + 100);
}

/* Sends again what goes, and new text; returns segments. */
static uint32_t sends_what_goes(struct bench *t)
{
    uint32_t n = 0;
    while (tcp_recovery_next(&t->tcp, t->tcb) != 0) {
        tcp_recovery_sent(&t->tcp, t->tcb, M);
        n++;
    }
    while (tcp_recovery_allows(&t->tcp, t->tcb) >= M) {
        sends(t, 1);
        tcp_prr_sent(queue_of(t), M);
        n++;
    }
    return n;
}

/* RFC9937-1, RFC9937-2, RFC9937-9: 10 are out, SACKed one by one; the third begins it. */
static void what_was_sacked_before_does_not_count_as_flight(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 10, 100);
    queue_of(&t)->prr_out = queue_of(&t)->prr_delivered = 77;
    acks_block(&t, 1, 2, 2);
    acks_block(&t, 1, 2, 3);
    acks_block(&t, 1, 2, 4);
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    assert_int_equal(queue_of(&t)->prr_flight, 8 * M);
    assert_int_equal(queue_of(&t)->prr_delivered, M); /* by this ACK */
    assert_int_equal(queue_of(&t)->prr_out, 0);
    assert_int_equal(t.tcb->cwnd, tcp_sent_pipe(queue_of(&t)) + M);
    repeats(&t, 1);
    assert_int_equal(queue_of(&t)->prr_out, M); /* RFC9937-10 */
    bench_end(&t);
}

/* RFC9937-2: what the ACK that begins it delivers counts, acknowledged or SACKed. */
static void what_the_first_ack_delivers_counts_as_flight(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 10, 100);
    acks(&t, 2, 1, (const uint32_t[][2]){{3, 5}});
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_FAST);
    assert_int_equal(queue_of(&t)->prr_flight, 10 * M);
    bench_end(&t);
}

/* RFC9937-5, RFC9937-11: 20 are out, one is lost, ssthresh is 10: one segment for two ACKs.
 * RFC8985-34: it is what RACK's recovery goes by. */
static void
one_segment_leaves_for_two_that_arrive_and_the_window_is_ssthresh_in_the_end(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 20, 100);
    queues(&t, 30 * M);
    acks_block(&t, 1, 2, 4);
    assert_int_equal(t.tcb->ssthresh, 10 * M);
    uint32_t sent = sends_what_goes(&t);
    assert_int_equal(sent, 1);
    for (uint32_t last = 5; last <= 20; last++) {
        acks_block(&t, 1, 2, last);
        sent += sends_what_goes(&t);
        uint32_t due = ((last - 1) * 10 + 19) / 20;
        assert_in_range(sent, due > 1 ? due - 1 : 1, due + 1);
        assert_int_equal(queue_of(&t)->prr_out, sent * M);
    }
    acks(&t, 21, 0, NULL);
    assert_int_equal(queue_of(&t)->recover.v, segment(21));
    assert_int_equal(queue_of(&t)->recovery, RECOVERY_NONE);
    assert_int_equal(t.tcb->cwnd, 10 * M);
    bench_end(&t);
}

/* RFC9937-6, RFC9937-7, RFC9937-8, RFC9937-12: below ssthresh what arrived may leave; an ACK that
 * moves SND.UNA and finds no further loss lets one more go; never beyond ssthresh. */
static void below_ssthresh_arrivals_are_replaced_and_progress_adds_one(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 20, 100);
    queues(&t, 30 * M);
    acks_block(&t, 1, 16, 18); /* 15 of 20 are lost: pipe is 2 */
    assert_int_equal(queue_of(&t)->sum[SUM_LOST].segs, 15);
    assert_int_equal(sends_what_goes(&t), 3);
    bench_time(&t, t.tcp.now_ms + 100);
    acks_block(&t, 1, 16, 20);
    assert_int_equal(sends_what_goes(&t), 2); /* conservation */
    acks(&t, 2, 1, (const uint32_t[][2]){{16, 20}});
    assert_int_equal(sends_what_goes(&t), 2); /* SafeACK */
    acks(&t, 3, 1, (const uint32_t[][2]){{16, 20}});
    assert_int_equal(sends_what_goes(&t), 2);
    t.tcb->ssthresh = tcp_sent_pipe(queue_of(&t));
    acks(&t, 4, 1, (const uint32_t[][2]){{16, 20}});
    assert_int_equal(t.tcb->cwnd, t.tcb->ssthresh);
    bench_end(&t);
}

/* RFC9937-7: SND.UNA moves, but something more is lost. */
static void an_ack_that_tells_of_another_loss_adds_none(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 20, 100);
    queues(&t, 30 * M);
    acks_block(&t, 1, 12, 14);
    assert_int_equal(sends_what_goes(&t), 3);
    bench_time(&t, t.tcp.now_ms + 100);
    uint32_t pipe = tcp_sent_pipe(queue_of(&t));
    acks(&t, 2, 2, (const uint32_t[][2]){{17, 17}, {12, 14}}); /* 1 left after all of the rest */
    assert_int_equal(queue_of(&t)->sum[SUM_LOST].segs, 10 + 5);
    assert_true(tcp_sent_pipe(queue_of(&t)) < pipe);
    assert_int_equal(sends_what_goes(&t), 2); /* as many as have arrived: 1 and 17 */
    bench_end(&t);
}

/* RFC9937-3, RFC9937-4 */
static void an_ack_that_delivers_nothing_changes_nothing(void **state)
{
    (void)state;
    struct bench t;
    begin_prr(&t, 10, 100);
    acks_block(&t, 1, 2, 4);
    repeats(&t, 1);
    uint32_t cwnd = t.tcb->cwnd;
    uint32_t delivered = queue_of(&t)->prr_delivered;
    for (uint32_t i = 0; i < 5; i++) {
        acks_block(&t, 1, 2, 4);
    }
    assert_int_equal(t.tcb->cwnd, cwnd);
    assert_int_equal(queue_of(&t)->prr_delivered, delivered);
    acks(&t, 1, 2, (const uint32_t[][2]){{6, 7}, {2, 4}});
    assert_int_equal(queue_of(&t)->prr_delivered, delivered + 2 * M);
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_first_ack_delivers_counts_as_flight),
        cmocka_unit_test(what_was_sacked_before_does_not_count_as_flight),
        cmocka_unit_test(
            one_segment_leaves_for_two_that_arrive_and_the_window_is_ssthresh_in_the_end),
        cmocka_unit_test(below_ssthresh_arrivals_are_replaced_and_progress_adds_one),
        cmocka_unit_test(an_ack_that_tells_of_another_loss_adds_none),
        cmocka_unit_test(an_ack_that_delivers_nothing_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
