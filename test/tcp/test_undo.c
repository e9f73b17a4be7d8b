/* RFC 5682, RFC 3522 and RFC 4015, RFC 3708: what is taken back when nothing was lost. */
#include "common/loss.h"

static uint32_t clock_now(struct peer *p)
{
    return p->c->ts_echo; /* TSval of the newest segment that the peer has seen */
}

/* RFC5682-1: two new segments after the first ACK, then an ACK for what left before the timeout. */
TEST(a_timeout_is_taken_back_when_what_left_before_it_arrives_after_all)
{
    p->with.sackok = true;
    p->config.policy.tlp = false;
    sends_segments(p, 10, 30000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    after(10);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(11), .len = 1000); /* (2b) instead of segment 2 */
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    expects_silence();
    sends(ACK, .ack = SEGMENT(3)); /* (3b) */
    holds(!status_of(in_recovery));
    holds(status_of(ssthresh) >= 10000); /* RFC 4015: pipe_prev */
    holds(status_of(cwnd) >= 10000);
    int64_t next = 13;
    while (p->n_seen != 0)
        expects(ACK, .seq = SEGMENT(next++), .len = 1000); /* nothing of 2 .. 10 again */
    holds_equal(status_of(retransmitted_segs), 1);
}

/* RFC5682-1, (3a): duplicates only: it was a loss. */
TEST(a_timeout_stands_when_only_what_left_after_it_arrives)
{
    p->with.sackok = true;
    p->config.policy.tlp = false;
    sends_segments(p, 10, 30000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(2), .sack = {SACKED(11, 12)});
    holds(status_of(in_recovery));
    holds_equal(status_of(ssthresh), 5000);
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
}

/* RFC5682-1, (1): no new text where a recovery was under way. */
TEST(a_timeout_within_a_recovery_is_not_doubted)
{
    p->with.sackok = true;
    sends_segments(p, 10, 10000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    writes(20000);
    peer_forget(p);
    expects_after(250, 400, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
}

/* RFC 5682 2.1, RFC5682-1: the same without SACK. */
TEST(a_timeout_is_taken_back_without_sack_too)
{
    sends_segments(p, 10, 30000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    sends(ACK, .ack = SEGMENT(3));
    holds(!status_of(in_recovery));
    holds(status_of(cwnd) >= 10000);
}

/* RFC5682-1, (3a): a duplicate that acknowledges nothing more. */
TEST(a_timeout_stands_when_a_duplicate_says_nothing_new)
{
    sends_segments(p, 10, 30000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    sends(ACK, .ack = SEGMENT(2));
    holds(status_of(in_recovery));
    holds_equal(status_of(ssthresh), 5000);
    holds_equal(status_of(cwnd), 3000);
    expects(ACK, .seq = SEGMENT(2), .len = 1000); /* go-back goes on, by slow start */
    sends(ACK, .ack = SEGMENT(2));
    expects_silence();
    after(100);
    sends(ACK, .ack = SEGMENT(3));
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    expects(ACK, .seq = SEGMENT(4), .len = 1000);
    expects_silence();
}

/* RFC 5682 2.1 (2b): there is new text, and it must not go.  RFC5682-1 */
TEST(where_nagle_or_cork_hold_the_new_text_what_was_lost_goes)
{
    p->with.sackok = true;
    p->config.policy.tlp = false;
    for (int cork = 0; cork <= 1; cork++) {
        on(cork);
        p->with.mss = 1000;
        establish_slowly(p);
        sets(HF_CORK, cork);
        writes(4010);
        for (int i = 1; i <= 4; i++)
            expects(ACK, .seq = SEGMENT(i), .len = 1000);
        if (!cork)
            expects(ACK, .seq = SEGMENT(5), .len = 10);
        writes(10);
        expects_silence();
        expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
        after(100);
        sends(ACK, .ack = SEGMENT(2));
        expects(ACK, .seq = SEGMENT(2), .len = 1000);
        expects(ACK, .seq = SEGMENT(3), .len = 1000);
        expects_silence();
        sends(ACK, .ack = SEGMENT(5));
        peer_forget(p);
    }
}

TEST(policy_may_leave_timeouts_as_they_are)
{
    p->config.policy.frto = false;
    sends_segments(p, 10, 30000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
}

/* With timestamps, ten segments of 988 octets in flight, and a timeout. */
static void times_out_with_timestamps(struct peer *p)
{
    p->with.sackok = true;
    p->with.tsval = 1000;
    p->with.mss = 1012;
    p->config.policy.tlp = false;
    establish_slowly(p);
    writes(10000);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
}

/* RFC 3522 3.2, RFC 4015: the first ACK echoes what left before the repetition.  RFC9438-20 */
TEST(an_echo_of_the_first_copy_takes_the_timeout_back_at_once)
{
    times_out_with_timestamps(p);
    uint32_t first = clock_now(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    holds_equal(status_of(cwnd), 1000);
    sends(ACK, .ack = SEGMENT(2), .tsval = 1300, .tsecr = PEER_NUMBER(0) + first);
    holds(!status_of(in_recovery));
    holds_equal(status_of(cwnd), 10000); /* FlightSize and what was acknowledged */
    holds(status_of(ssthresh) >= 10000);
    holds(status_of(rto_ms) < 400); /* not doubled any more */
    expects_silence();              /* and nothing is sent again */
    writes(1000);
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    sends(ACK, .ack = SEGMENT(11));
    after(250);
    sends(ACK, .ack = SEGMENT(12));
    holds_equal(status_of(srtt_us), 250000); /* RFC 4015 (11): measured anew */
}

/* RFC 3522 3.2 (5): all of the flight had arrived, and no ACK. */
TEST(an_echo_that_leaves_nothing_in_flight_says_that_acks_were_lost)
{
    times_out_with_timestamps(p);
    uint32_t first = clock_now(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(11), .tsval = 1300, .tsecr = PEER_NUMBER(0) + first);
    holds_equal(status_of(ssthresh), 5000);
}

/* RFC 3522 3.2 (4): no other timestamp does. */
TEST(an_echo_of_the_repetition_leaves_the_timeout)
{
    times_out_with_timestamps(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2), .tsval = 1300, .tsecr = PEER_NUMBER(0) + clock_now(p));
    holds(status_of(in_recovery));
    holds_equal(status_of(ssthresh), 5000);
}

/* RFC 3522 3.2 (5): the first copy had come, and all ACKs of the flight were lost. */
TEST(a_dsack_beside_the_echo_says_that_acks_were_lost)
{
    times_out_with_timestamps(p);
    uint32_t first = clock_now(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(6), .tsval = 1300, .tsecr = PEER_NUMBER(0) + first,
          .sack = {SACKED(1, 2)});
    holds_equal(status_of(ssthresh), 5000);
    holds(status_of(cwnd) < 10000);
}

/* RFC 4015 3.4: "MUST refrain". */
TEST(an_echo_of_congestion_forbids_to_take_anything_back)
{
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.tlp = false;
    p->with.mss = 1012;
    opens();
    expects(SYN | ECE | CWR);
    after(100);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 1, .mss = 1012, .sackok = true, .tsval = 1000);
    expects(ACK);
    writes(10000);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    uint32_t first = clock_now(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK | ECE, .ack = SEGMENT(2), .tsval = 1300, .tsecr = PEER_NUMBER(0) + first);
    holds(status_of(cwnd) < 10000);
}

static void repeats_one_for_nothing(struct peer *p)
{
    p->with.sackok = true;
    sends_segments(p, 10, 20000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 5)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    holds_equal(status_of(ssthresh), 5000);
}

/* RFC 3708: what was sent again is reported as having come twice. */
TEST(a_dsack_for_all_that_was_repeated_restores_the_window)
{
    repeats_one_for_nothing(p);
    after(5);
    sends(ACK, .ack = SEGMENT(11)); /* it was late */
    holds_equal(status_of(cwnd), 5000);
    peer_forget(p); /* new text */
    after(95);
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(1, 2)});
    holds_equal(status_of(cwnd), 10000);
    holds_equal(status_of(ssthresh), UINT32_MAX);
    peer_forget(p);
}

/* RFC 3708 3 (A.4), (B.1): a later loss probe, and what was doubled on its way, are none of it. */
TEST(a_dsack_of_what_that_recovery_did_not_repeat_restores_nothing)
{
    repeats_one_for_nothing(p);
    after(100);
    sends(ACK, .ack = SEGMENT(11), .len = 10); /* not read: the record stays */
    peer_forget(p);                            /* 11 .. 15 */
    after(100);
    sends(ACK, .ack = SEGMENT(16));
    peer_forget(p); /* .. 20 */
    after(100);
    sends(ACK, .ack = SEGMENT(20));
    expects_after(150, 450, ACK, .seq = SEGMENT(20), .len = 1000); /* the probe */
    sends(ACK, .ack = SEGMENT(21));
    uint32_t cwnd = status_of(cwnd);
    sends(ACK, .ack = SEGMENT(21), .sack = {SACKED(20, 21)});
    sends(ACK, .ack = SEGMENT(21), .sack = {SACKED(4, 5)});
    holds_equal(status_of(cwnd), cwnd);
    holds_equal(status_of(ssthresh), 5000);
    sends(ACK, .ack = SEGMENT(21), .sack = {SACKED(1, 2)});
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

/* RFC2883-7: below SND.UNA, but not below its own ACK field: an ACK that was overtaken. */
TEST(an_old_ack_with_sack_blocks_is_no_dsack)
{
    repeats_one_for_nothing(p);
    sends(ACK, .ack = SEGMENT(11));
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 4)});
    holds_equal(status_of(cwnd), 5000);
    peer_forget(p);
}

TEST(policy_may_leave_reductions_as_they_are)
{
    p->config.policy.undo = false;
    repeats_one_for_nothing(p);
    sends(ACK, .ack = SEGMENT(11));
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(1, 2)});
    holds_equal(status_of(cwnd), 5000);
    peer_forget(p);
}

/* RFC 6582 3.2 (1): behind an echo that takes a fast retransmission back, duplicates tell of a
 * loss. */
TEST(without_sack_a_loss_behind_what_was_taken_back_goes_again_at_once)
{
    p->with.tsval = 1000;
    p->with.mss = 1012;
    establish_slowly(p);
    writes(30000);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    uint32_t first = clock_now(p);
    after(100);
    for (int i = 0; i < 3; i++)
        sends(ACK, .ack = SEGMENT(1), .tsecr = PEER_NUMBER(0) + first);
    expects(ACK, .seq = SEGMENT(11), .len = 1000); /* RFC 3042 */
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    after(10);
    sends(ACK, .ack = SEGMENT(5), .tsecr = PEER_NUMBER(0) + first);
    holds(!status_of(in_recovery));
    peer_forget(p); /* new text */
    for (int i = 0; i < 3; i++)
        sends(ACK, .ack = SEGMENT(5), .tsecr = PEER_NUMBER(0) + first);
    expects(ACK, .len = 1000);
    expects(ACK, .len = 1000);
    expects(ACK, .seq = SEGMENT(5), .len = 1000);
    holds(status_of(in_recovery));
}

/* RFC5682-1, (3b): the end of what was out before the timeout is a part of it. */
TEST(a_timeout_is_taken_back_when_the_last_segment_before_it_arrives)
{
    p->with.sackok = true;
    p->config.policy.tlp = false;
    sends_segments(p, 2, 2000);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    writes(2000);
    sends(ACK, .ack = SEGMENT(2));
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    expects(ACK, .seq = SEGMENT(4), .len = 1000);
    sends(ACK, .ack = SEGMENT(3));
    holds(!status_of(in_recovery));
    holds(status_of(ssthresh) >= 10000);
}

/* RFC 4015 (9): FlightSize and what was acknowledged, though cwnd was twice that before. */
TEST(a_timeout_that_is_taken_back_lets_no_burst_go)
{
    p->with.sackok = true;
    p->with.tsval = 1000;
    p->with.mss = 1012;
    p->config.policy.tlp = false;
    establish_slowly(p);
    writes(5000);
    for (int i = 1; i <= 5; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    uint32_t first = clock_now(p);
    expects_after(290, 330, ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2), .tsval = 1300, .tsecr = PEER_NUMBER(0) + first);
    holds(!status_of(in_recovery));
    holds_equal(status_of(cwnd), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_timeout_is_taken_back_when_what_left_before_it_arrives_after_all),
        V4(a_timeout_stands_when_only_what_left_after_it_arrives),
        V4(a_timeout_within_a_recovery_is_not_doubted),
        V4(a_timeout_is_taken_back_without_sack_too),
        V4(a_timeout_stands_when_a_duplicate_says_nothing_new),
        V4(where_nagle_or_cork_hold_the_new_text_what_was_lost_goes),
        V4(policy_may_leave_timeouts_as_they_are),
        BOTH(an_echo_of_the_first_copy_takes_the_timeout_back_at_once),
        V4(an_echo_that_leaves_nothing_in_flight_says_that_acks_were_lost),
        V4(an_echo_of_the_repetition_leaves_the_timeout),
        V4(a_dsack_beside_the_echo_says_that_acks_were_lost),
        V4(an_echo_of_congestion_forbids_to_take_anything_back),
        V4(a_dsack_for_all_that_was_repeated_restores_the_window),
        V4(a_dsack_of_what_that_recovery_did_not_repeat_restores_nothing),
        V4(an_old_ack_with_sack_blocks_is_no_dsack),
        V4(policy_may_leave_reductions_as_they_are),
        V4(without_sack_a_loss_behind_what_was_taken_back_goes_again_at_once),
        V4(a_timeout_is_taken_back_when_the_last_segment_before_it_arrives),
        V4(a_timeout_that_is_taken_back_lets_no_burst_go),
    };
    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
