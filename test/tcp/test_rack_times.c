/* RFC 8985 section 6.2, steps 2 and 5: whose round trip RACK.rtt is, and clocks that come round. */
#include "common/loss.h"

#define AT(n) (ISS + 1 + (n)*1000)

/* 0, 4 and 7 of ten seem lost; 3 was only late.  One ACK tells of it and of the repeat of 0: "in
 * ascending order of Segment.xmit_ts" the repeat's round trip counts, and by it 9 is lost. */
TEST(of_all_that_an_ack_tells_what_left_last_says_how_late_others_may_be)
{
    opens();
    expects(SYN);
    after(10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wscale = SHIFT(8), .sackok = true);
    expects(ACK);
    writes(10000);
    for (int i = 0; i < 10; i++) {
        expects(ACK, .seq = AT(i), .len = 1000);
    }
    after(10);
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(2)}});
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(3)}});
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(3)}, {AT(8), AT(9)}});
    expects(ACK, .seq = AT(0), .len = 1000);
    after(12);
    sends(ACK, .ack = AT(4), .sack = {{AT(8), AT(9)}});
    expects(ACK, .seq = AT(4), .len = 1000);
    expects(ACK, .seq = AT(5), .len = 1000);
    expects_silence();
    after(2);
    sends(ACK, .ack = AT(9));
    expects(ACK, .seq = AT(9), .len = 1000);
    expects_silence();
}

/* Microseconds of 32 bits look the other way after 36 minutes, and come round after 72.  A peer
 * that has closed its window refuses what was in it before, and answers: that is asked again as the
 * timer says (RFC 9293 3.8.6, RFC 7323 2.4), for as long as it may take, and nothing else is due.
 */
TEST(what_a_closed_window_refuses_goes_again_by_the_timer_alone_for_hours)
{
    p->with.sackok = true;
    establish_active();
    writes(4000);
    for (int i = 0; i < 3; i++) {
        expects(ACK, .len = ANY);
    }
    after(20);
    sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
    for (int minutes = 0; minutes < 300; minutes++) {
        int n = 0;
        for (int s = 0; s < 60; s++) {
            after(1000);
            for (struct seen *seen = peer_any(p); seen != NULL; seen = peer_any(p)) {
                peer_taken(p, seen);
                sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
                n++;
            }
            if (s % 10 == 0) { /* about nothing: the last repetition may have left long ago */
                sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
            }
        }
        holds(minutes < 4 || n <= 1); /* rto_max_ms: two minutes */
    }
    sends(ACK, .ack = ISS + 1461);
    expects(ACK, .seq = ISS + 1461, .len = ANY);
}

static void sleep_on_a_flight(struct peer *p, int minutes)
{
    opens();
    expects(SYN);
    after(10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .sackok = true);
    expects(ACK);
    writes(5000);
    peer_forget(p);
    p->env.now_ns += minutes * INT64_C(60000000000);
    hf_timeouts(p->stack, &p->env);
    expects(ACK, .seq = AT(4), .len = 1000);
    after(20);
    sends(ACK, .ack = AT(0), .sack = {{AT(4), AT(5)}});
    expects(ACK, .seq = AT(0), .len = 1000);
}

/* The machine slept: what left so long ago looks as if it were yet to leave. */
TEST(what_was_lost_before_a_sleep_is_found_by_the_ack_of_what_goes_after_it)
{
    static const int minutes[] = {30, 40, 60, 70};
    for (unsigned i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        void *state;
        peer_setup4(&state);
        sleep_on_a_flight(state, minutes[i]);
        peer_teardown(&state);
    }
    holds(p->n_seen == 0);
}

/* A satellite's round trip of 900 ms, once something was overtaken: RACK waits a quarter of it. */
static int64_t fly_far(struct peer *p)
{
    int n = 1;
    opens();
    expects(SYN);
    after(900);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .sackok = true);
    expects(ACK);
    for (int round = 0; round < 20; round++, n++) { /* the RTO comes down to SRTT and 200 ms */
        writes(1000);
        expects(ACK, .seq = SEGMENT(n), .len = 1000);
        after(900);
        sends(ACK, .ack = SEGMENT(n + 1));
    }
    writes(2000);
    expects(ACK, .seq = SEGMENT(n), .len = 1000);
    expects(ACK, .seq = SEGMENT(n + 1), .len = 1000);
    after(900);
    sends(ACK, .ack = SEGMENT(n), .sack = {SACKED(n + 1, n + 2)});
    after(2);
    sends(ACK, .ack = SEGMENT(n + 2));
    holds(status_of(rto_ms) < 1130);
    return n + 2;
}

/* RFC6675-26: what goes again and is first in line has an RTO of its own, also where RACK's timer
 * for another hole has the timer's place: it is not sent a third time before its ACK can come. */
TEST(what_goes_again_while_another_hole_is_in_doubt_has_its_whole_timeout)
{
    int64_t first = fly_far(p);
    static const int flight[][2] = {{0, 4}, {20, 3}, {210, 1}}; /* ms later, segments */
    int64_t next = first;
    for (int i = 0; i < 3; i++) {
        after(flight[i][0]);
        writes(flight[i][1] * 1000);
        for (int n = 0; n < flight[i][1]; n++)
            expects(ACK, .seq = SEGMENT(next++), .len = 1000);
    }
    int64_t hole = first + 1, other = first + 5;
    after(670);
    sends(ACK, .ack = SEGMENT(hole), .sack = {SACKED(hole + 1, hole + 3)});
    after(20);
    sends(ACK, .ack = SEGMENT(hole),
          .sack = {SACKED(other + 1, other + 2), SACKED(hole + 1, other)});
    after(210);
    sends(ACK, .ack = SEGMENT(hole),
          .sack = {SACKED(other + 1, other + 3), SACKED(hole + 1, other)});
    expects(ACK, .seq = SEGMENT(hole), .len = 1000);
    expects_after(10, 30, ACK, .seq = SEGMENT(other), .len = 1000);
    after(870); /* more than the timeout since an ACK has moved SND.UNA, and less since it left */
    expects_silence();
    sends(ACK, .ack = SEGMENT(other), .sack = {SACKED(other + 1, other + 3)});
    sends(ACK, .ack = SEGMENT(next));
    holds_equal(status_of(in_recovery), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(of_all_that_an_ack_tells_what_left_last_says_how_late_others_may_be),
        V4(what_a_closed_window_refuses_goes_again_by_the_timer_alone_for_hours),
        V4(what_was_lost_before_a_sleep_is_found_by_the_ack_of_what_goes_after_it),
        V4(what_goes_again_while_another_hole_is_in_doubt_has_its_whole_timeout),
    };
    return cmocka_run_group_tests_name("rack_times", tests, NULL, NULL);
}
