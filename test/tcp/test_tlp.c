/* RFC 8985 section 7: probes where the end of a flight may be lost. */
#include "common/loss.h"

static void sends_tail(struct peer *p, int n)
{
    p->with.sackok = true;
    sends_segments(p, n, (uint32_t)n * 1000);
}

/* RFC8985-19, RFC8985-20, RFC8985-24: two round trips and two ticks, where the timeout is 300 ms.
 */
TEST(the_last_of_several_segments_is_sent_again_after_two_round_trips)
{
    sends_tail(p, 3);
    expects_after(200, 206, ACK, .seq = SEGMENT(3), .len = 1000);
    expects_silence();
}

/* RFC8985-27, RFC8985-25: its SACK tells what else is missing. */
TEST(the_ack_of_the_probe_brings_back_the_rest_of_the_tail)
{
    sends_tail(p, 3);
    expects_after(200, 206, ACK, .seq = SEGMENT(3), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(3, 4)});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    sends(ACK, .ack = SEGMENT(2), .sack = {SACKED(3, 4)});
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    sends(ACK, .ack = SEGMENT(4));
    expects_silence();
    holds_equal(status_of(retries), 0); /* no timeout */
}

/* RFC8985-20: 200 ms more for an ACK that may be delayed, but not later than the timeout. */
TEST(a_lone_segment_is_given_time_for_a_delayed_ack)
{
    p->with.sackok = true;
    p->with.mss = 1000;
    p->config.policy.rto_min_ms = 1000;
    establish_slowly(p);
    writes(1000);
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
    expects_after(398, 404, ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-20, RFC8985-26 */
TEST(a_probe_comes_no_later_than_the_timeout_and_the_timeout_counts_from_it)
{
    sends_tail(p, 1);
    expects_after(298, 304, ACK, .seq = SEGMENT(1), .len = 1000);
    expects_after(298, 304, ACK, .seq = SEGMENT(1), .len = 1000);
    expects_after(598, 604, ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-23 */
TEST(new_text_is_the_better_probe_even_beyond_the_congestion_window)
{
    p->with.sackok = true;
    sends_segments(p, 10, 15000);
    expects_after(200, 206, ACK, .seq = SEGMENT(11), .len = 1000);
    expects_silence();
    holds_equal(status_of(retransmitted_segs), 0);
}

/* RFC8985-24: a FIN is part of the last segment. */
TEST(a_fin_is_probed_with)
{
    sends_tail(p, 2);
    closes();
    expects(FIN | ACK, .seq = SEGMENT(3));
    expects_after(200, 206, FIN | ACK, .seq = SEGMENT(3));
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {{SEGMENT(3), SEGMENT(3) + 1}});
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-21, RFC8985-22: then it is the turn of the timeout, from the first segment on. */
TEST(there_is_no_second_probe_before_an_answer_to_the_first)
{
    sends_tail(p, 3);
    expects_after(200, 206, ACK, .seq = SEGMENT(3), .len = 1000);
    expects_after(296, 306, ACK, .seq = SEGMENT(1), .len = 1000);
    expects_silence();
}

/* RFC 6298 5.1 (RFC6298-13), RFC 8985 7.3: the timeout stays the last resort.  Each write may arm
 * the PTO, but does not put off the RTO of what is in flight: 300 ms after the one probe. */
TEST(writing_does_not_put_off_the_timeout_of_what_was_sent_before)
{
    sends_tail(p, 1);
    sets(HF_NODELAY, 1);
    for (int ms = 0; ms < 590; ms++) {
        writes(1);
        after(1);
    }
    peer_forget(p);
    holds_equal(status_of(retransmitted_segs), 1); /* the probe, after 300 ms */
    after(20);
    holds_equal(status_of(retries), 1);
    expects(ACK, .seq = SEGMENT(1), .len = 1000);
}

/* RFC8985-21: the probe is still out, though the ACK of something else has been measured. */
TEST(there_is_no_second_probe_while_one_is_out)
{
    sends_tail(p, 3);
    expects_after(200, 206, ACK, .seq = SEGMENT(3), .len = 1000);
    after(10);
    sends(ACK, .ack = SEGMENT(2)); /* SRTT 114 ms, RTO 376 ms */
    after(300);                    /* two SRTT have passed */
    expects_silence();
    expects_after(70, 80, ACK, .seq = SEGMENT(2), .len = 1000); /* RFC8985-22 */
}

/* RFC8985-21: one in a round-trip sample: the ACK of what was sent twice is none. */
TEST(there_is_no_second_probe_before_a_round_trip_was_measured)
{
    sends_tail(p, 1);
    expects_after(298, 304, ACK, .seq = SEGMENT(1), .len = 1000);
    after(10);
    sends(ACK, .ack = SEGMENT(2));
    sends(ACK, .ack = SEGMENT(2), .sack = {SACKED(1, 2)}); /* and is no longer out */
    writes(2000);
    expects(ACK, .seq = SEGMENT(2), .len = 1000);
    expects(ACK, .seq = SEGMENT(3), .len = 1000);
    after(210);
    expects_silence(); /* RFC8985-22 */
    expects_after(85, 95, ACK, .seq = SEGMENT(2), .len = 1000);
}

/* RFC8985-28, RFC8985-29: the probe has repaired the one loss there was. */
TEST(a_loss_that_a_probe_has_repaired_counts_as_congestion_once)
{
    sends_tail(p, 10);
    expects_after(200, 206, ACK, .seq = SEGMENT(10), .len = 1000);
    after(50);
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(ssthresh), UINT32_MAX); /* it may still be the first copy */
    writes(1000);
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(12));
    holds(status_of(ssthresh) < UINT32_MAX);
    holds(status_of(cwnd) <= status_of(ssthresh));
    holds(!status_of(in_recovery));
    uint32_t ssthresh = status_of(ssthresh);
    writes(1000);
    expects(ACK, .seq = SEGMENT(12), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(13));
    holds_equal(status_of(ssthresh), ssthresh);
}

/* RFC 8985 7.1: nor is it asked what became of a probe once the timeout has come. */
TEST(the_episode_of_a_probe_ends_with_a_timeout)
{
    sends_tail(p, 10);
    expects_after(200, 206, ACK, .seq = SEGMENT(10), .len = 1000);
    expects_after(296, 306, ACK, .seq = SEGMENT(1), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(11));
    uint32_t ssthresh = status_of(ssthresh);
    holds(ssthresh < UINT32_MAX);
    writes(1000);
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(12));
    holds_equal(status_of(ssthresh), ssthresh);
}

/* RFC8985-30, cases 1 and 2: both copies have arrived, nothing was lost. */
TEST(a_probe_that_was_not_needed_costs_nothing)
{
    sends_tail(p, 10);
    expects_after(200, 206, ACK, .seq = SEGMENT(10), .len = 1000);
    after(50);
    sends(ACK, .ack = SEGMENT(11));
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(10, 11)}); /* DSACK */
    writes(1000);
    expects(ACK, .seq = SEGMENT(11), .len = 1000);
    after(100);
    sends(ACK, .ack = SEGMENT(12));
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

/* RFC8985-24, RFC8985-30: with text of the peer ahead of a gap each segment has SACK's options, for
 * which a full one has no room.  The DSACK of a part of it would not be known again. */
TEST(a_probe_goes_whole_without_the_options_it_has_no_room_for)
{
    sends_tail(p, 10);
    sets(HF_ADVERTISED_TIMEOUT, 250000);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100);
    expects(ACK, .sack = {{IRS + 101, IRS + 201}}, .uto = 250);
    sets(HF_ADVERTISED_TIMEOUT, 300000);
    expects_after(190, 206, ACK, .seq = SEGMENT(10), .len = 1000, .no_sack = true, .uto = ZERO);
    after(50);
    sends(ACK, .ack = SEGMENT(11));
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(10, 11)});
    writes(500);
    expects(ACK, .seq = SEGMENT(11), .len = 500, .sack = {{IRS + 101, IRS + 201}}, .uto = 300);
    after(100);
    sends(ACK, .ack = SEGMENT(11) + 500);
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

TEST(what_sack_has_to_say_goes_before_a_probe_that_has_no_room_for_it)
{
    sends_tail(p, 3);
    after(200);
    p->env.now_ns += 4000000; /* the probe is due by now; the text comes first */
    batch_begins();
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100);
    peer_batch_goes_in(p);
    hf_timeouts(p->stack, &p->env);
    batch_ends();
    expects(ACK, .seq = SEGMENT(4), .sack = {{IRS + 101, IRS + 201}});
    expects(ACK, .seq = SEGMENT(3), .len = 1000, .no_sack = true);
    expects_silence();
}

/* RFC8985-30, case 1, with more text in flight. */
TEST(a_dsack_ends_the_episode_of_a_probe)
{
    sends_tail(p, 10);
    expects_after(200, 206, ACK, .seq = SEGMENT(10), .len = 1000);
    writes(1000);
    peer_forget(p);
    sends(ACK, .ack = SEGMENT(11));
    sends(ACK, .ack = SEGMENT(11), .sack = {SACKED(10, 11)});
    peer_forget(p);
    after(50);
    sends(ACK, .ack = SEGMENT(12));
    holds_equal(status_of(ssthresh), UINT32_MAX);
}

/* RFC8985-19, RFC8985-37: what is SACKED is RACK's affair. */
TEST(nothing_is_probed_while_something_is_sacked)
{
    p->config.policy.rack = true;
    sends_tail(p, 3);
    after(100);
    sends(ACK, .ack = SEGMENT(1), .sack = {SACKED(2, 3)});
    expects_after(20, 30, ACK, .seq = SEGMENT(1), .len = 1000); /* RACK */
    after(250);
    expects_silence(); /* a probe would have come after 200 ms */
}

TEST(policy_and_peers_without_sack_have_no_probes)
{
    p->config.policy.tlp = false;
    sends_tail(p, 3);
    expects_after(296, 304, ACK, .seq = SEGMENT(1), .len = 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_last_of_several_segments_is_sent_again_after_two_round_trips),
        V4(the_ack_of_the_probe_brings_back_the_rest_of_the_tail),
        V4(a_lone_segment_is_given_time_for_a_delayed_ack),
        V4(a_probe_comes_no_later_than_the_timeout_and_the_timeout_counts_from_it),
        V4(new_text_is_the_better_probe_even_beyond_the_congestion_window),
        V4(a_fin_is_probed_with),
        V4(there_is_no_second_probe_before_an_answer_to_the_first),
        V4(writing_does_not_put_off_the_timeout_of_what_was_sent_before),
        V4(there_is_no_second_probe_while_one_is_out),
        V4(there_is_no_second_probe_before_a_round_trip_was_measured),
        V4(a_loss_that_a_probe_has_repaired_counts_as_congestion_once),
        BOTH(the_episode_of_a_probe_ends_with_a_timeout),
        V4(a_probe_that_was_not_needed_costs_nothing),
        BOTH(a_probe_goes_whole_without_the_options_it_has_no_room_for),
        V4(what_sack_has_to_say_goes_before_a_probe_that_has_no_room_for_it),
        V4(a_dsack_ends_the_episode_of_a_probe),
        V4(nothing_is_probed_while_something_is_sacked),
        V4(policy_and_peers_without_sack_have_no_probes),
    };
    return cmocka_run_group_tests_name("loss probes", tests, NULL, NULL);
}
