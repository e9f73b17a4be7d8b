/* RFC 5681 section 3.1, RFC 6928: the congestion window on the wire, from the first flight on. */
#include "common/peer.h"

/* A passive open whose final ACK takes 100 ms; segments of 1000 octets. */
static void establish_in_100_ms(struct peer *p)
{
    p->config.policy.slow_start_after_idle = false;
    listens();
    sends(SYN, .seq = IRS, .mss = 1000, .sackok = true, .wscale = SHIFT(7), .wnd = 32792);
    expects(SYN | ACK);
    after(100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 2570);
    accepts();
}

#define SEGMENT(n) (ISS + 1 + 1000 * ((int64_t)(n)-1))

static void expects_segments(struct peer *p, int first, int last)
{
    for (int i = first; i <= last; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000);
    expects_silence();
}

/* n segments at a time are acknowledged, of 30: as many again and as many more go out. */
static void slow_start_with_acks_of(struct peer *p, int n)
{
    establish_in_100_ms(p);
    writes(30000);
    expects_segments(p, 1, 10);
    holds_equal(status_of(cwnd), 10000);
    after(105);
    for (int acked = n; acked <= 10; acked += n) {
        sends(ACK, .ack = SEGMENT(acked + 1), .wnd = 2570);
        expects_segments(p, 10 + 2 * (acked - n) + 1, 10 + 2 * acked);
        holds_equal(status_of(cwnd), 10000 + 1000 * acked);
    }
}

/* RFC5681-3, RFC5681-5, RFC6928-2, RFC9438-23: the handshake has not let it grow. */
TEST(slow_start_sends_two_segments_for_each_acknowledged)
{
    slow_start_with_acks_of(p, 1);
}

TEST(slow_start_sends_four_segments_for_two_acknowledged_at_once)
{
    slow_start_with_acks_of(p, 2);
}

/* RFC5681-10 with L = 8: stretched ACKs count in full. */
TEST(slow_start_sends_ten_segments_for_five_acknowledged_at_once)
{
    slow_start_with_acks_of(p, 5);
}

/* RFC5681-10 */
TEST(acks_of_single_octets_let_the_window_grow_by_octets)
{
    establish_in_100_ms(p);
    writes(10000);
    expects_segments(p, 1, 10);
    for (int i = 1; i <= 10; i++)
        sends(ACK, .ack = ISS + 1 + i, .wnd = 2570);
    holds_equal(status_of(cwnd), 10010);
}

/* n of ten segments sent: the window ends at twice as many, or where it was.  RFC9438-13 */
TEST(the_window_grows_to_twice_what_was_in_flight_and_no_more)
{
    static const int cases[][2] = {{5, 10}, {6, 12}, {9, 18}, {10, 20}};
    listens();
    for (int i = 0; i < 4; i++) {
        on(i);
        p->c->peer_port = (uint16_t)(5000 + i);
        sends(SYN, .seq = IRS, .mss = 1000, .sackok = true, .wscale = SHIFT(7));
        expects(SYN | ACK);
        after(100);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 2570);
        accepts();
        writes((uint32_t)cases[i][0] * 1000);
        for (int n = 1; n <= cases[i][0]; n++)
            expects(ACK, .seq = SEGMENT(n), .len = 1000);
        after(105);
        for (int acked = 1; acked < cases[i][0]; acked += 2) {
            sends(ACK, .ack = SEGMENT(acked + 2 > cases[i][0] ? cases[i][0] + 1 : acked + 2),
                  .wnd = 2570);
            after(5);
        }
        holds_equal(status_of(cwnd), cases[i][1] * 1000);
    }
}

static void opens_with_syns(struct peer *p, int n)
{
    opens();
    expects(SYN);
    for (int i = 1; i < n; i++)
        expects_after(1000 * i - 10, 1000 * i + 10, SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000);
    expects(ACK);
    writes(12000);
}

static void accepts_with_syn_acks(struct peer *p, int n)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1000);
    expects(SYN | ACK);
    for (int i = 1; i < n; i++)
        expects_after(1000 * i - 10, 1000 * i + 60, SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    writes(12000);
}

/* RFC6928-4 */
TEST(a_syn_sent_twice_may_only_have_been_slow)
{
    opens_with_syns(p, 2);
    expects_segments(p, 1, 10);
}

/* RFC6928-3, RFC5681-6 */
TEST(a_syn_sent_three_times_leaves_a_window_of_one_segment)
{
    opens_with_syns(p, 3);
    expects_segments(p, 1, 1);
}

TEST(a_syn_ack_sent_twice_may_only_have_been_slow)
{
    accepts_with_syn_acks(p, 2);
    expects_segments(p, 1, 10);
}

TEST(a_syn_ack_sent_three_times_leaves_a_window_of_one_segment)
{
    accepts_with_syn_acks(p, 3);
    expects_segments(p, 1, 1);
}

/* RFC6928-1 */
TEST(of_large_segments_the_first_flight_is_two)
{
    p->mtu = 9000;
    p->with.mss = p->v6 ? 8940 : 8960;
    establish_active();
    writes(40000);
    expects(ACK, .seq = ISS + 1, .len = p->with.mss);
    expects(ACK, .seq = ISS + 1 + p->with.mss, .len = p->with.mss);
    expects_silence();
}

/* RFC6928-10 */
TEST(a_loss_in_the_first_flight_shows_in_the_counters)
{
    establish_in_100_ms(p);
    writes(10000);
    expects_segments(p, 1, 10);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.initial_windows_lost, 0);
    after(3000);
    hf_counters(p->stack, &counters);
    holds_equal(counters.initial_windows_lost, 1);
    peer_forget(p);
}

/* RFC 6937 3, RFC 3168 6.1.2: a mark that is told of with the last ACK of a flight leaves ssthresh
 * to send, as it would with an ACK before.  RFC9937-11, RFC3168-2 */
TEST(a_mark_told_with_the_end_of_a_flight_leaves_ssthresh)
{
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.abe = false;
    p->config.policy.ecn = HF_ECN_ASK;
    opens();
    expects(SYN | ECE | CWR);
    after(100);
    sends(SYN | ACK | ECE, .seq = IRS, .mss = 1000, .sackok = true);
    expects(ACK);
    writes(10000);
    for (int i = 0; i < 10; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    after(100);
    sends(ACK, .ack = ISS + 9001);
    sends(ACK | ECE, .ack = ISS + 10001);
    holds_equal(status_of(ssthresh), 5000);
    holds_equal(status_of(cwnd), 5000);
    writes(10000);
    expects(ACK | CWR, .seq = ISS + 10001, .len = 1000);
    for (int i = 11; i < 15; i++)
        expects(ACK, .seq = ISS + 1 + 1000 * i, .len = 1000);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_mark_told_with_the_end_of_a_flight_leaves_ssthresh),
        BOTH(slow_start_sends_two_segments_for_each_acknowledged),
        V4(slow_start_sends_four_segments_for_two_acknowledged_at_once),
        V4(slow_start_sends_ten_segments_for_five_acknowledged_at_once),
        V4(acks_of_single_octets_let_the_window_grow_by_octets),
        V4(the_window_grows_to_twice_what_was_in_flight_and_no_more),
        BOTH(a_syn_sent_twice_may_only_have_been_slow),
        BOTH(a_syn_ack_sent_twice_may_only_have_been_slow),
        BOTH(a_syn_sent_three_times_leaves_a_window_of_one_segment),
        BOTH(a_syn_ack_sent_three_times_leaves_a_window_of_one_segment),
        BOTH(of_large_segments_the_first_flight_is_two),
        V4(a_loss_in_the_first_flight_shows_in_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
