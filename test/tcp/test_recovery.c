/* RFC 6298, 5681, 6582, 6675, 3042; RFC 9293 section 3.8.3: what is sent again, when, and how the
 * congestion window follows. */
#include "common/loss.h"

static void sends_ten(struct peer *p, uint32_t queued)
{
    sends_segments(p, 10, queued);
}

/* MUST-19, RFC6298-17, RFC6298-18 */
TEST(text_is_sent_again_after_one_rto_then_after_doubled_ones)
{
    establish_slowly(p);
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    for (int64_t gap = 300; gap < 20000; gap *= 2)
        expects_after(gap - 5, gap + 20, ACK | PSH, .seq = ISS + 1, .len = 100);
    sends(ACK);
    after(200000);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* RFC6298-1, RFC6298-7 */
TEST(the_rto_is_at_least_200_ms_above_the_round_trip_and_the_policy_can_raise_it)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    expects_after(199, 215, ACK, .len = 100);
    sends(ACK);
    struct hf_policy policy = *hf_policy(p->stack);
    policy.rto_min_ms = 1000;
    calls(hf_set_policy(p->stack, &p->env, &policy));
    on(1);
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    expects_after(999, 1015, ACK, .len = 100);
}

/* MUST-20 */
TEST(after_15_repeats_the_connection_is_given_up_without_a_reset)
{
    establish_slowly(p);
    writes(100);
    expects(ACK, .len = 100);
    int64_t start = p->env.now_ns;
    for (int i = 0; i < 15; i++)
        expects_after(250, 125000, ACK, .seq = ISS + 1, .len = 100);
    after(125000);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
    holds(p->env.now_ns - start >= INT64_C(100) * 1000000000); /* SHLD-11 */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

/* MUST-18, RFC6298-9, RFC6298-10 */
TEST(a_segment_sent_twice_gives_no_round_trip_time)
{
    establish_slowly(p);
    uint32_t srtt = status_of(srtt_us);
    writes(100);
    expects(ACK, .len = 100);
    expects_after(295, 320, ACK, .len = 100);
    after(5);
    sends(ACK); /* of which one? Karn */
    holds_equal(status_of(srtt_us), srtt);
    after(1000);
    writes(100);
    expects(ACK, .len = 100);
    after(20);
    sends(ACK);
    holds_equal(status_of(srtt_us), (7 * srtt + 20000) / 8);
}

/* RFC6298-12, RFC6298-14, RFC6298-15, RFC6928-8, RFC6675-26 */
TEST(an_ack_of_new_text_starts_the_timer_anew_and_the_last_one_stops_it)
{
    sends_ten(p, 10000);
    after(250);
    sends(ACK, .ack = SEGMENT(6)); /* RFC 6298 5.3 */
    uint32_t rto = status_of(rto_ms);
    expects_after(rto - 5, rto + 20, ACK, .seq = SEGMENT(6), .len = 1000);
    sends(ACK, .ack = SEGMENT(11));
    after(100000);
    expects_silence();
}

TEST(an_idle_connection_has_no_timer)
{
    establish_slowly(p);
    writes(100);
    expects(ACK, .len = 100);
    after(50);
    sends(ACK);
    holds_equal(hf_deadline(p->stack, &p->env), INT64_MAX);
}

/* RFC6298-16, RFC5681-15, RFC6928-6 */
TEST(after_a_timeout_one_segment_goes_and_slow_start_begins_again)
{
    sends_ten(p, 10000); /* and nothing new that RFC 5682 could try */
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    expects_silence();
    holds_equal(status_of(ssthresh), 5000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(2), .len = 1000); /* go-back: from SND.UNA on */
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    expects_silence();
    sends(ACK, .ack = SEGMENT(11)); /* the others had arrived */
    expects_silence();
    writes(5000);
    for (int i = 11; i <= 15; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    expects_silence();
}

/* RFC5681-16 */
TEST(a_second_timeout_of_the_same_segment_leaves_ssthresh_alone)
{
    sends_ten(p, 10000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    expects_after(590, 630, ACK, .seq = SEGMENT(1), .len = 1000);
    holds_equal(status_of(ssthresh), 5000); /* RFC 5681 3.1 */
    holds_equal(status_of(cwnd), 1000);
}

/* RFC5681-19, RFC5681-21, RFC5681-24, RFC5681-25, RFC5681-26, RFC5681-27, RFC5681-28, RFC3042-1,
 * RFC6582-1, RFC6582-3, RFC6582-4; MAY-18; RFC6582-14 */
TEST(two_duplicate_acks_let_new_segments_go_and_the_third_repeats_the_lost_one)
{
    sends_ten(p, 15000);
    sends(ACK, .ack = SEGMENT(1)); /* segment 1 is lost; 2 has arrived */
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    sends(ACK, .ack = SEGMENT(1));
    expects(ACK, .seq = SEGMENT(12), .len = 1000); /* RFC 3042 */
    sends(ACK, .ack = SEGMENT(1));
    expects(ACK, .seq = SEGMENT(1), .len = 1000); /* RFC 5681 3.2 */
    expects_silence();
    holds(status_of(in_recovery));
    for (int i = 0; i < 4; i++) { /* each has left the network: 9, 10, 11, 12 of cwnd */
        sends(ACK, .ack = SEGMENT(1));
        expects_silence();
    }
    sends(ACK, .ack = SEGMENT(1)); /* cwnd 13, flight 12 */
    expects(ACK, .seq = SEGMENT(13), .len = 1000);
    sends(ACK, .ack = SEGMENT(13)); /* a full acknowledgment */
    holds(!status_of(in_recovery));
    holds_equal(status_of(ssthresh), 5000);
    holds(status_of(cwnd) <= 5000);
}

/* RFC6582-5 */
TEST(a_partial_ack_repeats_the_next_lost_segment_at_once)
{
    sends_ten(p, 10000);
    for (int i = 0; i < 3; i++)
        sends(ACK, .ack = SEGMENT(1)); /* 1 and 5 are lost */
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(5));
    expects(ACK, .seq = SEGMENT(5), .len = 1000); /* RFC 6582 3.2 (3) */
    expects_silence();
    holds(status_of(in_recovery));
    sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds(!status_of(in_recovery));
}

/* RFC5681-20 */
TEST(acks_with_text_or_another_window_are_no_duplicates)
{
    sends_ten(p, 10000);
    for (int i = 1; i <= 4; i++) {
        sends(ACK, .ack = SEGMENT(1), .wnd = 60000 + i);
        expects_silence();
    }
    for (int i = 0; i < 4; i++) {
        sends(ACK, .ack = SEGMENT(1), .wnd = 60004, .len = 10);
        expects(ACK, .seq = SEGMENT(11), .ack = IRS + 11 + 10 * i); /* no repeat */
    }
    holds(!status_of(in_recovery));
}

/* RFC6582-2 */
/* RFC5681-20: it carries data, though none of it is taken (RFC 9293 A.2). */
TEST(the_peers_last_octet_said_again_is_no_duplicate_ack)
{
    p->config.policy.sack = false;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 1);
    expects(ACK, .ack = IRS + 2);
    writes(1000);
    expects(ACK | PSH, .seq = ISS + 1, .len = 1000);
    for (int i = 0; i < 3; i++) {
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1);
        expects(ACK, .seq = ISS + 1001, .ack = IRS + 2);
    }
    expects_silence();
}

TEST(duplicates_after_a_recovery_do_not_begin_another)
{
    sends_ten(p, 10000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    for (int i = 0; i < 5; i++) /* echoes of what was sent twice: RFC 6582 */
        sends(ACK, .ack = SEGMENT(1));
    expects_silence();
    sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds_equal(status_of(queued_bytes), 0);
}

/* RFC2018-10, RFC2018-11, RFC2018-14, RFC6675-15, RFC6675-22 */
TEST(with_sack_only_what_is_missing_goes_again_as_the_pipe_empties)
{
    p->with.sackok = true;
    sends_ten(p, 15000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)}); /* 1 and 4 are lost */
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 4)});
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(5, 6), SACKED(2, 4)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    expects_silence();
    holds_equal(status_of(ssthresh), 5000);
    holds_equal(status_of(cwnd), 8000); /* pipe, and this one: RFC9937-9 */
    for (int i = 7; i <= 9; i++) {      /* pipe 7, 6, 5 */
        sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(5, i), SACKED(2, 4)});
        expects_silence();
    }
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(5, 10), SACKED(2, 4)}); /* pipe 4 */
    expects(ACK, .seq = SEGMENT(4), .len = 1000);
    expects_silence();
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(5, 11), SACKED(2, 4)});
    expects(ACK, .seq = SEGMENT(13), .len = 1000); /* NextSeg (2): new text */
    expects_silence();
    sends(ACK, .ack = SEGMENT(13)); /* all holes filled: over */
    holds(!status_of(in_recovery));
    holds_equal(status_of(cwnd), 5000);
}

TEST(three_segments_sacked_at_once_are_enough_to_call_the_hole_lost)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)}); /* one ACK, RFC 6675 5 (2) */
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    expects_silence();
}

/* Where nothing is in flight a whole segment may go (RFC 9937 6.2), though less than that arrived.
 */
TEST(what_is_lost_again_goes_at_once_though_a_smaller_one_has_arrived)
{
    p->with.sackok = true;
    p->with.mss = 1000;
    establish_slowly(p);
    sets(HF_NODELAY, 1);
    for (int i = 0; i < 3; i++) { /* pairs of a full segment and a small one */
        writes(1000);
        writes(300);
    }
    peer_forget(p);
    after(100);
    for (int end = 2600; end <= 3900; end += 1300)
        sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1301, ISS + 1 + end}});
    after(100);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    expects(ACK, .seq = ISS + 1001, .len = 300);
    expects_silence();
    sends(ACK, .ack = ISS + 1, .sack = {{ISS + 1001, ISS + 3901}}); /* of the repeats the second */
    expects(ACK, .seq = ISS + 1, .len = 1000);
}

TEST(two_segments_sacked_are_not_enough)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 4)});
    expects_silence();
    holds(!status_of(in_recovery));
}

/* RFC 8985 3.3.2, RFC 3708: the original arrives, then its repeat, which the peer reports.  Two
 * quarters of the least round trip: the DSACK has made the window larger. */
TEST(once_a_recovery_was_a_mistake_what_is_overtaken_is_waited_for)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {{SEGMENT(2), SEGMENT(5)}});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(5));
    sends(ACK, .ack = SEGMENT(5), .sack = {{SEGMENT(1), SEGMENT(2)}});
    sends(ACK, .ack = SEGMENT(5), .sack = {{SEGMENT(6), SEGMENT(9)}});
    expects_after(45, 60, ACK, .seq = SEGMENT(5), .len = 1000);
}

/* RFC2018-12, RFC2018-13, RFC2018-15 */
TEST(after_a_timeout_sack_marks_are_forgotten)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    expects_after(20, 32, ACK, .seq = SEGMENT(1), .len = 1000);   /* RFC 8985: lost */
    expects_after(250, 330, ACK, .seq = SEGMENT(1), .len = 1000); /* and once more */
    sends(ACK, .ack = SEGMENT(2)); /* the peer has dropped segment 2: RFC 2018 8 */
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    expects_silence();
}

/* RFC6675-18: what begins a recovery is the segment behind SND.UNA.  RFC 2018 8: the peer held it
 * once. */
TEST(what_the_peer_held_and_dropped_goes_again_when_a_recovery_begins_with_it)
{
    p->config.policy.rack = false;
    p->with.sackok = true;
    sends_ten(p, 10000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(3, 5)});
    sends(ACK, .ack = SEGMENT(3)); /* 2 and 1 have come, 3 and 4 are there no more */
    for (int i = 6; i <= 8; i++) {
        expects_silence();
        sends(ACK, .ack = SEGMENT(3), .sack = {SACKED(5, i)});
    }
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    holds(status_of(in_recovery));
    sends(ACK, .ack = SEGMENT(4), .sack = {SACKED(5, 8)});
    uint32_t rto = status_of(rto_ms);
    expects_after(rto - 5, rto + 20, ACK, .seq = SEGMENT(4), .len = 1000); /* RFC 2018 5.1 */
    sends(ACK, .ack = SEGMENT(11));
    expects_silence();
    holds_equal(status_of(queued_bytes), 0);
    holds(!status_of(in_recovery));
}

/* RFC2018-20 */
TEST(sack_blocks_that_cannot_be_are_ignored)
{
    p->with.sackok = true;
    sends_ten(p, 10000);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(12, 15)});           /* never sent */
    sends(ACK, .ack = SEGMENT(1), .sack = {{SEGMENT(5), SEGMENT(3)}}); /* upside down */
    sends(ACK, .ack = SEGMENT(1), .sack = {{ISS - 5000, ISS - 3000}}); /* old */
    sends(ACK, .ack = SEGMENT(1), .sack = {{SEGMENT(2), SEGMENT(2)}}); /* empty */
    expects_silence();
    holds(!status_of(in_recovery));
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(queued_bytes), 0);
}

/* */
TEST(a_fin_lost_behind_text_is_repeated_with_it)
{
    establish_slowly(p);
    writes(100);
    closes();
    expects(ACK, .len = 100);
    expects(FIN | ACK, .seq = ISS + 101);
    expects_after(290, 330, FIN | ACK, .seq = ISS + 1, .len = 100);
    sends(ACK, .ack = ISS + 102);
    expects_state(HF_FIN_WAIT_2);
}

TEST(a_partial_ack_of_a_segment_repeats_the_rest)
{
    establish_slowly(p);
    writes(1000);
    expects(ACK, .len = 1000);
    sends(ACK, .ack = ISS + 401);
    expects_silence();
    expects_after(250, 330, ACK, .seq = ISS + 401, .len = 600);
}

/* */
TEST(the_user_timeout_ends_an_open_connection_silently)
{
    establish_slowly(p);
    sets(HF_USER_TIMEOUT, 3000);
    after(10000); /* nothing is unacknowledged: nothing happens */
    expects_state(HF_ESTABLISHED);
    writes(100);
    expects(ACK, .len = 100);
    after(2900);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    after(200);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
    sends(ACK, .ack = ISS + 1);
    expects(RST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(text_is_sent_again_after_one_rto_then_after_doubled_ones),
        V4(the_rto_is_at_least_200_ms_above_the_round_trip_and_the_policy_can_raise_it),
        V4(after_15_repeats_the_connection_is_given_up_without_a_reset),
        V4(a_segment_sent_twice_gives_no_round_trip_time),
        V4(an_ack_of_new_text_starts_the_timer_anew_and_the_last_one_stops_it),
        V4(an_idle_connection_has_no_timer),
        BOTH(after_a_timeout_one_segment_goes_and_slow_start_begins_again),
        V4(a_second_timeout_of_the_same_segment_leaves_ssthresh_alone),
        V4(two_duplicate_acks_let_new_segments_go_and_the_third_repeats_the_lost_one),
        V4(a_partial_ack_repeats_the_next_lost_segment_at_once),
        V4(acks_with_text_or_another_window_are_no_duplicates),
        V4(the_peers_last_octet_said_again_is_no_duplicate_ack),
        V4(duplicates_after_a_recovery_do_not_begin_another),
        BOTH(with_sack_only_what_is_missing_goes_again_as_the_pipe_empties),
        V4(three_segments_sacked_at_once_are_enough_to_call_the_hole_lost),
        V4(what_is_lost_again_goes_at_once_though_a_smaller_one_has_arrived),
        V4(two_segments_sacked_are_not_enough),
        V4(once_a_recovery_was_a_mistake_what_is_overtaken_is_waited_for),
        V4(after_a_timeout_sack_marks_are_forgotten),
        V4(what_the_peer_held_and_dropped_goes_again_when_a_recovery_begins_with_it),
        V4(sack_blocks_that_cannot_be_are_ignored),
        V4(a_fin_lost_behind_text_is_repeated_with_it),
        V4(a_partial_ack_of_a_segment_repeats_the_rest),
        V4(the_user_timeout_ends_an_open_connection_silently),
    };
    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
