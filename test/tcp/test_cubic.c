/* RFC 9438 on the wire: the windows that deployed stacks have at the same places. */
#include "common/peer.h"

#define SEGMENT(n) (ISS + 1 + 1000 * ((int64_t)(n)-1))

/* A passive open of a round trip; segments of 1000 octets, SACK, no timestamps. */
static void establish_in(struct peer *p, int64_t rtt_ms)
{
    p->config.policy.slow_start_after_idle = false;
    p->config.policy.send_buffer = 1 << 20;
    p->config.large_chunks = 100;
    listens();
    sends(SYN, .seq = IRS, .mss = 1000, .sackok = true, .wscale = SHIFT(10), .wnd = 32792);
    expects(SYN | ACK);
    after(rtt_ms);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 514);
    accepts();
}

static void acks(struct peer *p, int64_t n)
{
    peer_forget(p);
    sends(ACK, .ack = SEGMENT(n + 1), .wnd = 514);
}

static void acks_to(struct peer *p, int from, int to, int by, int64_t gap_ms)
{
    for (int n = from; n <= to; n += by) {
        after(gap_ms);
        acks(p, n);
    }
}

static uint32_t cwnd(struct peer *p)
{
    return status_of(cwnd) / 1000;
}

/* Two segments acknowledged each 100 ms.  RFC9438-3, RFC9438-24, RFC9438-25: slow start ends by the
 * delay at 48; 5 % a round trip until the cubic is faster; then one segment for two. */
TEST(on_a_link_of_two_segments_in_100_ms_slow_start_ends_at_48_and_the_cubic_takes_over)
{
    static const int steps[][2] = {{10, 20}, {20, 30}, {30, 40},  {38, 48},
                                   {60, 49}, {80, 50}, {100, 52}, {120, 58}};
    establish_in(p, 100);
    writes(400000);
    int from = 2;
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        acks_to(p, from, steps[i][0], 2, 100);
        holds_equal(cwnd(p), steps[i][1]);
        from = steps[i][0] + 2;
    }
    for (int n = 122; n <= 200; n += 2) {
        acks_to(p, n, n, 2, 100);
        holds_equal(cwnd(p), 58 + (n - 120) / 2);
    }
    peer_forget(p);
}

/* RFC9438-24: the ninth sample an eighth above the least round trip of 200 ms. */
TEST(a_round_trip_that_jumps_from_200_to_240_ms_ends_slow_start_at_the_ninth_ack)
{
    establish_in(p, 200);
    writes(30000);
    after(200);
    acks(p, 4); /* of ten, one by one: an ACK counts for eight at most */
    acks(p, 10);
    holds_equal(cwnd(p), 20);
    after(240);
    acks(p, 12);
    acks_to(p, 14, 26, 2, 1);
    holds_equal(cwnd(p), 36);
    holds_equal(status_of(ssthresh), UINT32_MAX);
    acks_to(p, 28, 30, 2, 1);
    holds_equal(status_of(ssthresh), 36000);
    holds_equal(cwnd(p), 36);
    peer_forget(p);
}

/* RFC9438-6, RFC9438-18: 7 of 10 after a timeout, whatever was in flight; W_est comes to 8 after
 * 7 / 0.529 segments. */
TEST(after_a_timeout_the_window_stays_at_seven_and_is_eight_after_sixteen_acks)
{
    p->config.policy.tlp = false;
    establish_in(p, 100);
    writes(1000);
    after(100);
    acks(p, 1);
    writes(1000);
    after(100);
    peer_forget(p);
    after(300);
    acks(p, 2);
    holds_equal(cwnd(p), 2);
    holds_equal(status_of(ssthresh), 7000);
    writes(200000);
    acks_to(p, 3, 3, 1, 100);
    acks_to(p, 4, 4, 1, 2);
    acks_to(p, 5, 5, 1, 98);
    acks_to(p, 6, 7, 1, 2);
    holds_equal(cwnd(p), 7);
    acks_to(p, 8, 8, 1, 2);
    acks_to(p, 9, 9, 1, 98);
    acks_to(p, 10, 15, 1, 2);
    acks_to(p, 16, 16, 1, 98);
    holds_equal(cwnd(p), 7);
    acks_to(p, 17, 22, 1, 2);
    holds_equal(cwnd(p), 7);
    acks_to(p, 23, 23, 1, 98);
    holds_equal(cwnd(p), 8);
    peer_forget(p);
}

/* RFC9438-20: RFC 5682 finds out, RFC 4015 restores. */
TEST(a_timeout_that_was_early_gives_the_window_back)
{
    p->config.policy.tlp = false;
    establish_in(p, 100);
    writes(30000);
    peer_forget(p);
    after(350); /* everything is late */
    holds_equal(cwnd(p), 1);
    holds_equal(status_of(ssthresh), 7000);
    acks(p, 1);
    acks(p, 2);
    acks(p, 4);
    holds_equal(status_of(ssthresh), UINT32_MAX);
    holds(cwnd(p) >= 10);
    peer_forget(p);
}

/* RFC9438-10, RFC9438-11: of 20 in flight 14 are left, and 20 is where the curve leads back to. */
TEST(a_loss_leaves_seven_tenths)
{
    establish_in(p, 100);
    writes(200000);
    acks_to(p, 2, 10, 2, 20);
    holds_equal(cwnd(p), 20);
    after(20);
    peer_forget(p);
    sends(ACK, .ack = SEGMENT(11), .wnd = 514, .sack = {{SEGMENT(12), SEGMENT(16)}});
    holds_equal(status_of(ssthresh), 14000);
    peer_forget(p);
    acks(p, 30);
    holds_equal(cwnd(p), 14);
    peer_forget(p);
}

static void all_arrives(struct peer *p)
{
    while (status_of(queued_bytes) != 0) {
        peer_forget(p);
        uint32_t una = status_of(snd_una), nxt = status_of(snd_nxt);
        uint32_t to = nxt - una > 2000 ? una + 2000 : nxt;
        sends(ACK, .ack = ISS + (int64_t)(to - p->c->iss), .wnd = 514);
        peer_forget(p);
        after(5);
    }
}

/* RFC 9438 4.2, 4.3: W_est begins at cwnd, and t at 0, though CUBIC was there before. */
TEST(a_control_that_comes_back_begins_anew)
{
    p->config.policy.tlp = false;
    establish_in(p, 100);
    sends(ACK, .len = 10, .wnd = 514); /* not read: the record stays */
    writes(200000);
    acks_to(p, 2, 10, 2, 20);
    after(20);
    sends(ACK, .ack = SEGMENT(11), .wnd = 514, .sack = {{SEGMENT(12), SEGMENT(16)}});
    after(100);
    acks(p, 30);
    all_arrives(p); /* in congestion avoidance */
    holds(cwnd(p) > 14);
    sets(HF_CONGESTION_CONTROL, HF_NEWRENO);
    for (int n = 0; n < 4; n++) {
        writes(10000);
        after(500); /* a timeout */
        all_arrives(p);
    }
    uint32_t before = cwnd(p);
    holds(before <= 10 && status_of(ssthresh) <= 1000 * before);
    sets(HF_CONGESTION_CONTROL, HF_CUBIC);
    writes(20000);
    peer_forget(p);
    after(50);
    sends(ACK, .ack = ISS + 1 + (int64_t)(status_of(snd_una) - p->c->iss) + 999, .wnd = 514);
    holds(cwnd(p) <= before + 1);
    peer_forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(on_a_link_of_two_segments_in_100_ms_slow_start_ends_at_48_and_the_cubic_takes_over),
        V4(a_round_trip_that_jumps_from_200_to_240_ms_ends_slow_start_at_the_ninth_ack),
        BOTH(after_a_timeout_the_window_stays_at_seven_and_is_eight_after_sixteen_acks),
        V4(a_timeout_that_was_early_gives_the_window_back),
        V4(a_loss_leaves_seven_tenths),
        BOTH(a_control_that_comes_back_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
