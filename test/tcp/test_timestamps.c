/* RFC 7323 sections 3 to 5: timestamps, what is echoed, PAWS; with rulings for segments that lack
 * the option. */
#include "common/peer.h"

/* The peer's clock starts at 1000 in these tests. */
static void establish_stamped(struct peer *p)
{
    p->with.tsval = 1000;
    p->config.policy.quick_acks = 0;
    establish_active();
}

/* RFC7323-20, RFC7323-23, RFC7323-50 */
TEST(every_segment_carries_the_option_once_it_was_agreed_upon)
{
    establish_stamped(p);
    writes(10);
    expects(ACK, .len = 10, .options = "nop,nop,TS", .tsecr = 1000);
    sends(ACK, .tsval = 1001);
    closes();
    expects(FIN | ACK, .options = "nop,nop,TS", .tsecr = 1001);
}

TEST(without_the_option_in_both_syns_there_is_none_later)
{
    establish_active();
    writes(10);
    expects(ACK, .len = 10, .options = "");
    p->config.policy.timestamps = false;
    sends(ACK, .tsval = 5000, .len = 10); /* of no interest */
    expects(ACK, .options = "");
}

/* RFC7323-29, RFC7323-45, RFC7323-46, RFC7323-49 */
TEST(the_clock_ticks_once_a_millisecond_and_differs_between_connections)
{
    establish_stamped(p);
    uint32_t first = p->c->ts_echo;
    after(1000);
    writes(10);
    expects(ACK, .len = 10, .tsval = PEER_NUMBER(0) + first + 1000);
    on(1);
    establish_active();
    int32_t apart = (int32_t)(p->conn[1].ts_echo - p->conn[0].ts_echo);
    holds(apart > 10000 || apart < -10000); /* section 5.4 */
}

/* RFC7323-37, RFC7323-38, RFC7323-54 */
TEST(an_old_timestamp_is_answered_and_the_segment_dropped)
{
    establish_stamped(p);
    sends(ACK, .tsval = 2000, .len = 10);
    expects_after(0, 50, ACK, .tsecr = 2000, .ack = IRS + 11);
    sends(ACK, .tsval = 1999, .len = 10);
    expects(ACK, .ack = IRS + 11, .tsecr = 2000);
    holds_equal(status_of(unread_bytes), 10);
    sends(FIN | ACK, .seq = IRS + 11, .tsval = 900);
    expects(ACK, .ack = IRS + 11);
    expects_state(HF_ESTABLISHED);
}

TEST(an_old_timestamp_on_a_bare_ack_is_answered_within_the_challenge_limit)
{
    establish_stamped(p);
    writes(10);
    expects(ACK, .len = 10);
    sends(ACK, .ack = ISS + 11, .tsval = 900);
    expects(ACK, .seq = ISS + 11);
    sends(ACK, .ack = ISS + 11, .tsval = 900);
    expects_silence();
    holds_equal(status_of(queued_bytes), 10);
}

/* RFC7323-36 */
TEST(timestamps_are_compared_modulo_2_to_the_32)
{
    p->with.tsval = 0xfffffff0;
    establish_active();
    sends(ACK, .tsval = 5, .len = 10);
    expects(ACK, .ack = IRS + 11, .tsecr = 5);
    sends(ACK, .tsval = 0xfffffff8, .len = 10);
    expects(ACK, .ack = IRS + 11, .tsecr = 5);
}

/* RFC7323-47, RFC7323-53 */
TEST(after_24_days_of_silence_any_timestamp_is_taken)
{
    establish_stamped(p);
    sends(ACK, .tsval = 2000, .len = 10);
    expects_after(0, 50, ACK);
    after(INT64_C(25) * 24 * 3600 * 1000); /* section 5.5 */
    sends(ACK, .tsval = 1500, .len = 10);
    expects_after(0, 50, ACK, .ack = IRS + 21, .tsecr = 1500);
}

/* RFC7323-47, RFC7323-53: not before. */
TEST(up_to_24_days_of_silence_an_old_timestamp_is_refused)
{
    const int64_t days24_ms = INT64_C(24) * 24 * 3600 * 1000;
    establish_stamped(p);
    sends(ACK, .tsval = 2000, .len = 10);
    expects_after(0, 50, ACK);
    after(days24_ms - 60000);
    sends(ACK, .tsval = 1500, .len = 10);
    expects(ACK, .ack = IRS + 11, .tsecr = 2000);
    after(120000);
    sends(ACK, .seq = IRS + 11, .tsval = 1500, .len = 10);
    expects_after(0, 50, ACK, .ack = IRS + 21, .tsecr = 1500);
}

/* RFC 7323 appendix D: Last.ACK.sent begins as RCV.NXT.  RFC7323-27 */
TEST(text_right_behind_the_syn_ack_moves_what_is_echoed)
{
    p->with.tsval = 1000;
    opens();
    expects(SYN);
    batch_begins();
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .tsval = 1000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 1005, .len = 10);
    batch_ends();
    expects(ACK, .ack = IRS + 11, .tsecr = 1005);
}

/* RFC 7323 3.2: 0 is no echo; 5.2: of a reset the timestamp does not count. */
TEST(an_open_takes_a_syn_ack_without_an_echo_and_a_refusal_with_any)
{
    opens();
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .tsval = 7, .tsecr = ZERO);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    on(1);
    opens();
    expects(SYN, .seq = ISS);
    int64_t echo = PEER_NUMBER(0) + p->c->ts_echo;
    sends(RST | ACK, .seq = IRS, .ack = ISS + 1, .tsval = 7, .tsecr = echo + 9);
    expects_silence();
    expects_closed(HF_ERR_REFUSED);
}

/* RFC7323-32, RFC7323-35 */
TEST(the_earliest_segment_that_the_ack_covers_is_echoed)
{
    establish_stamped(p);
    sends(ACK, .tsval = 2000, .len = 1448);
    expects_silence(); /* delayed */
    sends(ACK, .tsval = 2010, .len = 1448);
    expects(ACK, .ack = IRS + 2897, .tsecr = 2000); /* section 4.3 (A) */
    sends(ACK, .tsval = 2020, .len = 10);
    expects_after(0, 50, ACK, .tsecr = 2020);
}

/* RFC7323-33, RFC7323-35 */
TEST(text_ahead_of_a_gap_does_not_move_what_is_echoed)
{
    establish_stamped(p);
    sends(ACK, .tsval = 2000, .len = 100);
    expects_after(0, 50, ACK, .tsecr = 2000);
    sends(ACK, .tsval = 2010, .seq = IRS + 201, .len = 100);
    expects(ACK, .ack = IRS + 101, .tsecr = 2000); /* section 4.3 (B) */
    sends(ACK, .tsval = 2020, .seq = IRS + 101, .len = 100);
    expects(ACK, .ack = IRS + 301, .tsecr = 2020); /* (C) */
}

/* RFC7323-25 */
TEST(a_segment_without_the_option_is_dropped_silently)
{
    establish_stamped(p);
    sends(ACK, .no_ts = true, .len = 10);
    expects_silence();
    after(100);
    expects_silence();
    holds_equal(status_of(unread_bytes), 0);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_DROP_NO_TIMESTAMP], 1);
}

/* RFC 5961 4.2: irrespective of the sequence number.  3.5.1: so a peer that has rebooted learns of
 * the old connection. */
TEST(a_syn_without_the_option_earns_its_challenge_ack)
{
    establish_stamped(p);
    sends(SYN, .seq = IRS + 5000, .no_ts = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    after(1000);
    sends(SYN, .seq = IRS + 90000000, .no_ts = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
}

TEST(the_policy_can_tolerate_segments_without_the_option)
{
    p->config.policy.ts_tolerate_missing = true;
    establish_stamped(p);
    sends(ACK, .no_ts = true, .len = 10);
    expects_after(0, 50, ACK, .ack = IRS + 11);
    reads(10);
}

TEST(an_echo_measures_the_round_trip)
{
    establish_stamped(p);
    uint32_t before = status_of(srtt_us);
    writes(10);
    expects(ACK, .len = 10);
    after(80);
    sends(ACK, .tsval = 1100);
    holds(status_of(srtt_us) >= (7 * before + 79000) / 8);
    holds(status_of(srtt_us) <= (7 * before + 82000) / 8);
}

/* Text, four copies of it, and how long the next one waits that is not acknowledged: the stamp that
 * the peer echoes is of that copy. */
static void backs_off(struct peer *p, int echoed, int from_ms, int to_ms)
{
    establish_stamped(p);
    writes(100);
    expects(ACK, .len = 100);
    uint32_t stamp = p->c->ts_echo;
    for (int copy = 1; copy < 4; copy++) {
        int wait_ms = 100 << copy;
        expects_after(wait_ms - wait_ms / 4, wait_ms + wait_ms / 4, ACK, .len = 100);
        stamp = copy == echoed ? p->c->ts_echo : stamp;
    }
    after(20);
    sends(ACK, .tsval = 1500, .tsecr = stamp);
    writes(100);
    expects(ACK, .len = 100);
    expects_after(from_ms, to_ms, ACK, .len = 100);
}

/* RFC 6298 3: "the timestamp option removes the ambiguity" of Karn's rule, and with a measurement
 * the RTO is small again (5.7).  Not with the stamp of a copy whose ACK was lost: that is how long
 * the timer has waited.  RFC6298-9, RFC6298-20 */
TEST(the_echo_of_the_last_copy_makes_a_backed_off_rto_small_again)
{
    backs_off(p, 3, 150, 300);
}

TEST(the_echo_of_an_earlier_copy_leaves_the_rto_backed_off)
{
    backs_off(p, 2, 1500, 1700);
}

TEST(the_echo_of_the_first_copy_leaves_the_rto_backed_off)
{
    backs_off(p, 0, 1500, 1700);
}

/* ... at once, though the flight has been measured before its timeouts. */
TEST(a_backed_off_rto_does_not_wait_for_what_follows_the_flight)
{
    establish_stamped(p);
    writes(3 * 1448);
    for (int i = 0; i < 3; i++)
        expects(ACK, .seq = ISS + 1 + 1448 * i, .len = 1448);
    after(20);
    sends(ACK, .ack = ISS + 1449, .tsval = 1500);
    expects_after(150, 300, ACK, .seq = ISS + 1449, .len = 1448);
    expects_after(350, 500, ACK, .seq = ISS + 1449, .len = 1448);
    expects_after(750, 1000, ACK, .seq = ISS + 1449, .len = 1448);
    after(20);
    sends(ACK, .ack = ISS + 2897, .tsval = 1501);
    expects(ACK, .seq = ISS + 2897, .len = 1448);
    expects_after(150, 300, ACK, .seq = ISS + 2897, .len = 1448);
}

/* RFC 7323 3.2: also where the clock of milliseconds says 0. */
TEST(the_echo_of_a_syn_that_left_in_millisecond_0_is_an_echo_of_ours)
{
    p->env.now_ns = p->began_ns = 0;
    opens();
    expects(SYN);
    after(6);
    sends(SYN | ACK, .seq = IRS, .mss = 1460, .tsval = 1000);
    expects(ACK);
    expects_state(HF_ESTABLISHED);
}

TEST(in_time_wait_an_old_timestamp_does_not_restart_anything)
{
    establish_stamped(p);
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .ack = ISS + 2, .tsval = 2000);
    expects(ACK);
    after(59000);
    sends(FIN | ACK, .seq = IRS + 1, .tsval = 1500);
    expects(ACK, .ack = IRS + 2);
    after(1500);
    expects_state(HF_CLOSED);
}

TEST(a_half_open_connection_is_protected_too)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5000);
    expects(SYN | ACK, .tsecr = 5000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 4999);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 5001);
    accepts();
}

/* RFC 7323 5.5: two seconds are no 24 days, wherever a clock has its zero. */
TEST(an_old_timestamp_is_refused_though_the_clock_has_passed_its_zero)
{
    p->env.now_ns = p->began_ns = -1000000000;
    establish_stamped(p);
    after(2000);
    sends(ACK, .len = 10, .tsval = 900);
    expects(ACK, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
}

/* RFC 7323 5.5: what is ahead of a gap does not move TS.Recent, which stays as old as it was. */
TEST(after_24_days_text_ahead_of_a_gap_keeps_out_nothing_that_fills_it)
{
    establish_stamped(p);
    after(UINT32_C(2500000000)); /* 28.9 days */
    sends(ACK, .seq = IRS + 301, .len = 200, .tsval = 1000 + UINT32_C(2500000001));
    expects(ACK, .ack = IRS + 1, .tsecr = 1000);
    sends(ACK, .seq = IRS + 1, .len = 300, .tsval = 1000 + UINT32_C(2500000000));
    expects(ACK, .ack = IRS + 501, .tsecr = 1000 + UINT32_C(2500000000));
    holds_equal(status_of(unread_bytes), 500);
    sends(ACK, .seq = IRS + 501, .len = 10, .tsval = 1000 + UINT32_C(2499999999));
    expects(ACK, .ack = IRS + 501);
    holds_equal(status_of(unread_bytes), 500);
}

/* RFC 7323 4.3, A.2: the repeated FIN that ends LAST-ACK is answered as any other segment. */
TEST(the_ack_of_what_ends_last_ack_echoes_its_timestamp)
{
    establish_stamped(p);
    sends(FIN | ACK, .tsval = 1001);
    expects(ACK, .ack = IRS + 2, .tsecr = 1001);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .tsecr = 1001);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2, .tsval = 1005);
    expects(ACK, .ack = IRS + 2, .tsecr = 1005);
    expects_state(HF_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_segment_carries_the_option_once_it_was_agreed_upon),
        V4(without_the_option_in_both_syns_there_is_none_later),
        V4(the_clock_ticks_once_a_millisecond_and_differs_between_connections),
        BOTH(an_old_timestamp_is_answered_and_the_segment_dropped),
        V4(an_old_timestamp_on_a_bare_ack_is_answered_within_the_challenge_limit),
        V4(timestamps_are_compared_modulo_2_to_the_32),
        V4(after_24_days_of_silence_any_timestamp_is_taken),
        BOTH(up_to_24_days_of_silence_an_old_timestamp_is_refused),
        BOTH(after_24_days_text_ahead_of_a_gap_keeps_out_nothing_that_fills_it),
        V4(an_old_timestamp_is_refused_though_the_clock_has_passed_its_zero),
        BOTH(text_right_behind_the_syn_ack_moves_what_is_echoed),
        BOTH(an_open_takes_a_syn_ack_without_an_echo_and_a_refusal_with_any),
        V4(the_earliest_segment_that_the_ack_covers_is_echoed),
        V4(text_ahead_of_a_gap_does_not_move_what_is_echoed),
        V4(a_segment_without_the_option_is_dropped_silently),
        V4(a_syn_without_the_option_earns_its_challenge_ack),
        V4(the_policy_can_tolerate_segments_without_the_option),
        V4(an_echo_measures_the_round_trip),
        BOTH(the_echo_of_the_last_copy_makes_a_backed_off_rto_small_again),
        V4(a_backed_off_rto_does_not_wait_for_what_follows_the_flight),
        V4(the_echo_of_an_earlier_copy_leaves_the_rto_backed_off),
        V4(the_echo_of_the_first_copy_leaves_the_rto_backed_off),
        BOTH(the_echo_of_a_syn_that_left_in_millisecond_0_is_an_echo_of_ours),
        V4(in_time_wait_an_old_timestamp_does_not_restart_anything),
        BOTH(a_half_open_connection_is_protected_too),
        BOTH(the_ack_of_what_ends_last_ack_echoes_its_timestamp),
    };
    return cmocka_run_group_tests_name("timestamps", tests, NULL, NULL);
}
