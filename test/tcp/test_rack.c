/* RFC 8985 section 6 on the wire: when what is missing is sent again. */
#include "common/loss.h"

/* RFC8985-11, RFC8985-15 */
TEST(a_hole_is_repeated_a_quarter_of_the_round_trip_after_it_is_seen)
{
    p->with.sackok = true;
    sends_segments(p, 10, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    expects_after(25, 29, ACK, .seq = SEGMENT(1), .len = 1000);
    holds(status_of(in_recovery));
    after(100);
    sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds(!status_of(in_recovery));
}

/* RFC8985-11 */
TEST(what_comes_late_but_within_that_time_is_not_repeated)
{
    p->with.sackok = true;
    sends_segments(p, 10, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    after(20);
    sends(ACK, .ack = SEGMENT(3));
    after(100);
    expects_silence();
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(retransmitted_segs), 0);
}

/* RFC8985-10: until there has been reordering; then time alone decides. */
TEST(three_segments_that_overtake_are_no_loss_where_that_has_happened_before)
{
    p->with.sackok = true;
    sends_segments(p, 10, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(3, 4)});
    sends(ACK, .ack = SEGMENT(4)); /* 1 and 2 came behind 3 */
    sends(ACK, .ack = SEGMENT(4), .sack = {SACKED(5, 10)});
    expects_silence();
    after(15);
    sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds_equal(status_of(retransmitted_segs), 0);
}

/* RFC8985-16: without it there is a timeout, 300 ms later. */
TEST(a_repetition_that_is_lost_is_repeated_when_what_left_after_it_arrives)
{
    p->with.sackok = true;
    sends_segments(p, 10, 30000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    after(1);
    for (int i = 6; i <= 11; i++)
        sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, i)});
    int next = 11;
    while (p->n_seen != 0)
        expects(ACK, .seq = SEGMENT(next++), .len = 1000);
    holds(next > 11);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 12)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-16: RACK.segment has left before it, though the clock has not moved since: to a peer in
 * the same stack there is no round trip. */
TEST(a_repetition_is_not_lost_in_the_instant_in_which_it_leaves)
{
    p->with.sackok = true;
    sends_segments(p, 5, 5000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 6)});
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 6)});
    expects_silence();
    holds_equal(status_of(retransmitted_segs), 1);
    after(1000);
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-15: what was sent before several timeouts, once, arrives, and RACK.rtt is as long as
 * they. */
TEST(the_reordering_timer_takes_no_longer_than_the_retransmission_timeout)
{
    p->with.sackok = true;
    sends_segments(p, 6, 6000);
    after(2200);
    peer_forget(p);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(2), .sack = {SACKED(3, 5)}); /* 4 has left once, 2.3 s ago */
    peer_forget(p);
    expects_after(100, 1300, ACK, .seq = SEGMENT(2), .len = 1000); /* the RTO is 1.2 s */
}

/* RFC8985-2, RFC8985-1: RFC 6582 for a peer without SACK. */
TEST(without_sack_three_duplicates_decide_and_no_time)
{
    sends_segments(p, 10, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1));
    sends(ACK, .ack = SEGMENT(1));
    after(100);
    expects_silence();
    sends(ACK, .ack = SEGMENT(1));
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_hole_is_repeated_a_quarter_of_the_round_trip_after_it_is_seen),
        V4(what_comes_late_but_within_that_time_is_not_repeated),
        V4(three_segments_that_overtake_are_no_loss_where_that_has_happened_before),
        V4(a_repetition_that_is_lost_is_repeated_when_what_left_after_it_arrives),
        BOTH(a_repetition_is_not_lost_in_the_instant_in_which_it_leaves),
        V4(the_reordering_timer_takes_no_longer_than_the_retransmission_timeout),
        V4(without_sack_three_duplicates_decide_and_no_time),
    };
    return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
