/* RFC 7323, RFC 2018 and RFC 2883 as the rows of doc/requirements put them; batches of segments and
 * what waits for TIME-WAIT (RFC 9293 3.10.7.4).
 */
#include "common/peer.h"

/* MUST-58, MUST-59, RFC5681-32 */
TEST(segments_that_come_together_are_acknowledged_together)
{
    establish_active();
    batch_begins();
    for (int i = 0; i < 8; i++)
        sends(ACK, .seq = IRS + 1 + 1460 * i, .len = 1460);
    batch_ends();
    expects(ACK, .ack = IRS + 1 + 8 * 1460);
    expects_silence();
}

/* MUST-59 */
TEST(a_gap_that_its_own_batch_fills_brings_one_ack)
{
    p->with.sackok = true;
    establish_active();
    batch_begins();
    sends(ACK, .seq = IRS + 101, .len = 100);
    sends(ACK, .seq = IRS + 201, .len = 100);
    sends(ACK, .seq = IRS + 1, .len = 100);
    batch_ends();
    expects(ACK, .ack = IRS + 301, .no_sack = true);
    expects_silence();
}

/* SHLD-27 */
TEST(writes_that_waited_for_the_window_leave_as_one_segment_with_one_push)
{
    p->c->wnd = 0;
    establish_active();
    sends(ACK, .wnd = ZERO);
    for (int i = 0; i < 5; i++)
        writes(100);
    expects_silence();
    sends(ACK, .wnd = 1000);
    expects(ACK | PSH, .len = 500);
    expects_silence();
}

/* */
TEST(in_time_wait_no_other_timer_runs)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 5000);
    sets(HF_KEEPALIVE, 1);
    sets(HF_KEEPALIVE_IDLE, 3000);
    writes(100);
    expects(ACK, .len = 100);
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .ack = ISS + 102);
    expects(ACK, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT);
    after(59000);
    expects_silence();
    expects_state(HF_TIME_WAIT);
    expects_no_event(HF_CLOSED_EVENT);
    after(1001);
    expects_closed(HF_OK);
}

/* Window scale ----------------------------------------------------------------------------------
 */

/* RFC7323-3, RFC7323-9 */
TEST(without_the_scale_in_both_syns_no_window_is_scaled)
{
    p->config.policy.quick_acks = 0;
    establish_active(); /* our SYN offers it, the answer does not */
    sends(ACK, .wnd = 1000, .len = 10);
    holds_equal(status_of(snd_wnd), 1000);
    holds_equal(status_of(snd_wscale), 0);
    holds_equal(status_of(rcv_wscale), 0);
    expects_after(0, 100, ACK, .wnd = 65535 - 10); /* the right edge of the SYN, in octets */
    on(1);
    p->with.wscale = SHIFT(3);
    p->config.policy.window_scale = false;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(3));
    expects(SYN | ACK, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 1000);
    accepts();
    holds_equal(status_of(snd_wnd), 1000);
    holds_equal(status_of(rcv_wscale), 0);
}

/* RFC7323-12 */
TEST(no_buffer_makes_us_offer_more_than_14)
{
    p->config.policy.max_receive_window = 1 << 30;
    opens();
    expects(SYN, .wscale = SHIFT(14));
}

/* RFC7323-13, RFC7323-16: the granule of the scale moves the right edge back. */
TEST(a_right_edge_that_the_scale_rounds_back_holds_new_text)
{
    p->with.wscale = SHIFT(7);
    p->with.mss = 256;
    p->config.policy.initial_cwnd = 20;
    establish_active();
    sends(ACK, .wnd = 10); /* 1280 */
    writes(3000);
    for (int i = 0; i < 5; i++)
        expects(ACK, .seq = ISS + 1 + 256 * i, .len = 256);
    sends(ACK, .ack = ISS + 2, .wnd = 9); /* 1152 from ISS + 2: the edge was ISS + 1281 */
    expects_silence();
    sends(ACK, .ack = ISS + 1281, .wnd = 9);
    for (int i = 0; i < 4; i++)
        expects(ACK, .seq = ISS + 1281 + 256 * i, .len = 256);
    expects_silence();
}

/* RFC7323-14, RFC7323-15: the window has been promised, whatever a later header can say of it. */
TEST(text_up_to_the_largest_edge_ever_announced_is_taken)
{
    p->config.policy.receive_window = 200000;
    p->config.policy.quick_acks = 0;
    p->with.wscale = SHIFT(7);
    establish_active();
    sends(ACK, .len = 1);
    expects_after(0, 100, ACK, .ack = IRS + 2);
    uint32_t edge = status_of(rcv_nxt) + status_of(rcv_wnd);
    sends(ACK, .len = 100); /* unread: what could be promised now is 101 less */
    expects_after(0, 100, ACK, .ack = IRS + 102);
    holds_equal(status_of(rcv_nxt) + status_of(rcv_wnd), edge);
    uint32_t left = status_of(rcv_wnd);
    for (uint32_t done = 0; done < left;) {
        uint32_t n = left - done < 1400 ? left - done : 1400;
        sends(ACK, .seq = IRS + 102 + done, .len = n);
        done += n;
    }
    peer_forget(p);
    holds_equal(status_of(rcv_nxt), edge);
    holds_equal(status_of(unread_bytes), 101 + left);
}

/* Timestamps ------------------------------------------------------------------------------------
 */

/* RFC7323-19 */
TEST(a_syn_echoes_no_timestamp)
{
    opens();
    expects(SYN, .tsecr = ZERO);
    on(1);
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 777);
    expects(SYN | ACK, .tsecr = 777);
}

/* RFC7323-23: probes, duplicate ACKs and repeats carry them too. */
TEST(probes_duplicates_and_repeats_carry_timestamps)
{
    p->with.tsval = 1000;
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 101, .len = 100, .tsval = 1001);
    expects(ACK, .options = "nop,nop,TS,nop,nop,sack", .tsecr = 1000);
    writes(100);
    expects(ACK, .len = 100);
    expects_after(0, 2000, ACK, .len = 100, .tsecr = 1000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 101, .wnd = ZERO, .tsval = 1001);
    writes(100);
    expects_after(0, 5000, ACK, .seq = ISS + 100, .len = 0, .tsecr = 1001);
    sets(HF_KEEPALIVE, 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 101, .wnd = 1000, .tsval = 1001);
    expects(ACK, .len = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 201, .tsval = 1001);
    expects_after(7000000, 7300000, ACK, .seq = ISS + 200, .len = 0, .tsecr = 1001);
}

/* RFC7323-26 */
TEST(any_number_of_segments_without_the_option_ends_nothing)
{
    p->with.tsval = 1000;
    establish_active();
    for (int i = 0; i < 100; i++)
        sends(ACK, .seq = IRS + 1, .len = 10, .no_ts = true);
    expects_silence();
    expects_state(HF_ESTABLISHED);
    sends(ACK, .len = 10, .seq = IRS + 1, .tsval = 1001);
    expects(ACK, .ack = IRS + 11);
}

/* RFC7323-28: the SYNs cross, and one of them has no timestamp. */
TEST(crossing_syns_of_which_one_has_no_timestamp_agree_upon_none)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .options = "mss 1460");
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .options = "");
    expects_state(HF_ESTABLISHED);
}

/* RFC7323-34: the second example of 4.3 (C). */
TEST(what_fills_a_gap_is_what_is_echoed)
{
    p->with.tsval = 1;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 1);
    expects(ACK, .tsecr = 1);
    sends(ACK, .seq = IRS + 201, .len = 100, .tsval = 3);
    expects(ACK, .ack = IRS + 101, .tsecr = 1);
    sends(ACK, .seq = IRS + 101, .len = 100, .tsval = 2);
    expects(ACK, .ack = IRS + 301, .tsecr = 2);
    sends(ACK, .seq = IRS + 401, .len = 100, .tsval = 5);
    expects(ACK, .ack = IRS + 301, .tsecr = 2);
    sends(ACK, .seq = IRS + 301, .len = 100, .tsval = 4);
    expects(ACK, .ack = IRS + 501, .tsecr = 4);
}

/* RFC7323-39: old timestamps are seen before anything else. */
TEST(a_segment_outside_the_window_with_an_old_timestamp_is_dropped_for_its_age)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    p->with.tsval = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 200001, .len = 10, .tsval = 999);
    expects(ACK, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .tsval = 999);
    expects(ACK, .ack = IRS + 1);
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_DROP_PAWS], 2);
    expects_state(HF_ESTABLISHED);
}

/* RFC7323-40: what waited behind a gap is not judged again. */
TEST(text_held_ahead_of_a_gap_is_delivered_though_its_timestamp_is_old_by_then)
{
    p->with.tsval = 1;
    establish_active();
    for (int i = 1; i <= 5; i++) {
        sends(ACK, .seq = IRS + 1 + 100 * i, .len = 100, .tsval = 1);
        expects(ACK, .ack = IRS + 1);
    }
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 2);
    expects(ACK, .ack = IRS + 601, .tsecr = 2);
    reads(600);
}

/* RFC7323-41 */
TEST(a_bare_reset_echoes_the_timestamp_when_the_policy_says_so)
{
    p->config.policy.rst_ts = true;
    starts();
    sends(ACK, .seq = IRS + 1, .ack = 5000, .tsval = 42);
    expects(RST, .seq = 5000, .options = "nop,nop,TS", .tsval = ZERO, .tsecr = 42);
}

/* RFC7323-43 */
TEST(the_timestamp_of_a_reset_is_not_kept)
{
    p->with.tsval = 100;
    establish_active();
    sends(RST, .seq = IRS + 300000, .tsval = 500);
    sends(RST, .seq = IRS + 100, .tsval = 500);
    expects(ACK, .tsecr = 100); /* the challenge */
    sends(ACK, .len = 10, .tsval = 101);
    expects(ACK, .ack = IRS + 11, .tsecr = 101);
}

/* RFC7323-51 */
TEST(the_timestamp_of_the_syn_is_the_first_to_compare_with)
{
    p->with.tsval = 500;
    establish_active();
    sends(ACK, .len = 10, .tsval = 499);
    expects(ACK, .ack = IRS + 1, .tsecr = 500);
    sends(ACK, .seq = IRS + 1, .len = 10, .tsval = 500);
    expects(ACK, .ack = IRS + 11, .tsecr = 500);
}

/* RFC7323-52, RFC7323-35 */
TEST(a_timestamp_counts_only_when_window_and_ack_are_right)
{
    p->with.tsval = 100;
    establish_active();
    sends(ACK, .seq = IRS + 1 + 300000, .len = 10, .tsval = 1 << 30);
    expects(ACK, .tsecr = 100);
    sends(ACK, .seq = IRS - 10, .len = 10, .tsval = 1 << 30);
    expects(ACK, .tsecr = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10, .tsval = 1 << 30);
    expects(ACK, .tsecr = 100, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 101, .len = 10, .tsval = 150); /* in the window, out of order */
    expects(ACK, .tsecr = 100);
    sends(ACK, .seq = IRS + 1, .tsval = 160); /* no text, in order */
    sends(ACK, .seq = IRS + 1, .len = 10, .tsval = 159);
    expects(ACK, .tsecr = 160, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .len = 10, .tsval = 161);
    expects(ACK, .tsecr = 161, .ack = IRS + 11);
}

/* RFC7323-53, RFC7323-47 */
TEST(after_23_days_an_old_timestamp_is_still_old_and_a_taken_one_is_compared_again)
{
    const int64_t day = INT64_C(24) * 3600 * 1000;
    p->with.tsval = 10000;
    establish_active();
    after(23 * day);
    sends(ACK, .len = 10, .tsval = 9000);
    expects(ACK, .ack = IRS + 1, .tsecr = 10000);
    on(1);
    establish_active();
    after(25 * day);
    sends(ACK, .len = 10, .tsval = 9995);
    expects(ACK, .ack = IRS + 11, .tsecr = 9995);
    sends(ACK, .len = 10, .tsval = 9994);
    expects(ACK, .ack = IRS + 11, .tsecr = 9995);
}

/* RFC7323-30: a timestamp that acknowledges nothing new measures nothing. */
TEST(the_echo_of_a_duplicate_is_no_round_trip)
{
    p->with.tsval = 1000;
    establish_active();
    writes(1000);
    expects(ACK, .len = 1000);
    uint32_t before = status_of(srtt_us), sent = p->c->ts_echo;
    after(100);
    sends(ACK, .ack = ISS + 1, .tsval = 1001, .tsecr = PEER_NUMBER(0) + sent);
    sends(ACK, .ack = ISS + 1, .wnd = 2000, .tsval = 1002, .tsecr = PEER_NUMBER(0) + sent);
    holds_equal(status_of(srtt_us), before);
    sends(ACK, .tsval = 1003, .tsecr = PEER_NUMBER(0) + sent);
    holds(status_of(srtt_us) > before + 10000);
}

/* RFC7323-31: nine ACKs more of one flight are no nine round trips more. */
TEST(a_flight_is_measured_once_however_many_acks_it_brings)
{
    p->with.tsval = 1000;
    establish_active();
    writes(14480);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1448);
    uint32_t before = status_of(srtt_us), sent = p->c->ts_echo;
    after(100);
    for (int i = 1; i <= 10; i++) {
        sends(ACK, .ack = ISS + 1 + 1448 * i, .tsval = 1000 + i, .tsecr = PEER_NUMBER(0) + sent);
        after(10);
    }
    holds(status_of(srtt_us) >= (7 * before + 99000) / 8);
    holds(status_of(srtt_us) <= (7 * before + 101000) / 8);
}

/* RFC7323-30: the echo tells of the round trip where Karn's rule leaves no segment to time. */
TEST(the_echo_measures_what_was_sent_again)
{
    p->with.tsval = 1000;
    establish_active();
    writes(14480);
    for (int i = 0; i < 10; i++)
        expects(ACK, .len = 1448);
    uint32_t before = status_of(srtt_us);
    for (int i = 0; i < 3; i++)
        sends(ACK, .ack = ISS + 1, .tsval = 1001);
    expects(ACK, .seq = ISS + 1, .len = 1448);
    after(80);
    sends(ACK, .ack = ISS + 14481, .tsval = 1002);
    holds(status_of(srtt_us) >= (7 * before + 79000) / 8);
    holds(status_of(srtt_us) <= (7 * before + 82000) / 8);
}

/* RFC7323-17, RFC7323-18, MAY-7 */
TEST(beyond_a_window_that_has_shrunk_text_is_repeated_once_and_then_as_far_as_it_fits)
{
    p->with.mss = 1000;
    establish_active();
    writes(1000);
    expects(ACK, .len = 1000);
    sends(ACK, .ack = ISS + 1, .wnd = 400);
    expects_after(100, 300, ACK, .seq = ISS + 1, .len = 1000); /* it was in the window once */
    expects_after(300, 600, ACK, .seq = ISS + 1, .len = 400);
    sends(ACK, .ack = ISS + 401, .wnd = 600);
    expects(ACK, .seq = ISS + 401, .len = 600);
}

/* RFC6298-20: nothing but a new measurement makes the RTO small again. */
TEST(a_backed_off_rto_stays_until_new_text_was_measured)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    expects_after(150, 250, ACK, .len = 100);
    expects_after(350, 450, ACK, .len = 100);
    expects_after(750, 850, ACK, .len = 100);
    sends(ACK); /* of which copy? */
    writes(100);
    expects(ACK, .len = 100);
    expects_after(1500, 1700, ACK, .len = 100);
    sends(ACK);
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK); /* measured */
    writes(100);
    expects(ACK, .len = 100);
    expects_after(150, 250, ACK, .len = 100);
}

/* RFC2883-5, RFC2883-2, RFC2883-4: the part that is old, once, and the range around it. */
TEST(of_a_segment_that_is_old_in_part_that_part_is_reported_once)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    sends(ACK, .seq = IRS + 501, .len = 1000);
    expects(ACK, .ack = IRS + 1501, .sack = {{IRS + 501, IRS + 1001}});
    sends(ACK, .seq = IRS + 1501, .len = 100);
    expects(ACK, .ack = IRS + 1601, .no_sack = true);
    sends(ACK, .seq = IRS + 2001, .len = 1000);
    expects(ACK, .sack = {{IRS + 2001, IRS + 3001}});
    sends(ACK, .seq = IRS + 2301, .len = 200);
    expects(ACK, .sack = {{IRS + 2301, IRS + 2501}, {IRS + 2001, IRS + 3001}});
    sends(ACK, .seq = IRS + 3501, .len = 100);
    expects(ACK, .sack = {{IRS + 3501, IRS + 3601}, {IRS + 2001, IRS + 3001}});
}

/* RFC2883-8 */
TEST(what_is_dropped_for_its_timestamp_is_no_duplicate_to_report)
{
    p->with.sackok = true;
    p->with.tsval = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 1001);
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 1000);
    expects(ACK, .ack = IRS + 101, .no_sack = true);
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 1001);
    expects(ACK, .ack = IRS + 101, .sack = {{IRS + 1, IRS + 101}});
}

/* RFC2018-3: also what carries text. */
TEST(text_carries_sack_blocks_while_something_is_held)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 101, .len = 100);
    expects(ACK, .sack = {{IRS + 101, IRS + 201}});
    writes(10);
    expects(ACK, .len = 10, .sack = {{IRS + 101, IRS + 201}});
    closes();
    expects(FIN | ACK, .sack = {{IRS + 101, IRS + 201}});
}

/* RFC2018-9 */
TEST(a_range_is_reported_in_three_acks_though_two_were_lost)
{
    p->with.sackok = true;
    p->with.tsval = 1;
    establish_active();
    for (int i = 1; i <= 3; i++)
        sends(ACK, .seq = IRS + 1 + 200 * i, .len = 100);
    peer_taken(p, peer_take(p, WIRE_PROTO_TCP));
    peer_taken(p, peer_take(p, WIRE_PROTO_TCP));
    expects(ACK, .sack = {{IRS + 601, IRS + 701}, {IRS + 401, IRS + 501}, {IRS + 201, IRS + 301}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(segments_that_come_together_are_acknowledged_together),
        V4(a_gap_that_its_own_batch_fills_brings_one_ack),
        V4(writes_that_waited_for_the_window_leave_as_one_segment_with_one_push),
        V4(in_time_wait_no_other_timer_runs),
        V4(without_the_scale_in_both_syns_no_window_is_scaled),
        V4(no_buffer_makes_us_offer_more_than_14),
        V4(a_right_edge_that_the_scale_rounds_back_holds_new_text),
        V4(text_up_to_the_largest_edge_ever_announced_is_taken),
        BOTH(a_syn_echoes_no_timestamp),
        V4(probes_duplicates_and_repeats_carry_timestamps),
        V4(any_number_of_segments_without_the_option_ends_nothing),
        V4(crossing_syns_of_which_one_has_no_timestamp_agree_upon_none),
        V4(what_fills_a_gap_is_what_is_echoed),
        V4(a_segment_outside_the_window_with_an_old_timestamp_is_dropped_for_its_age),
        V4(text_held_ahead_of_a_gap_is_delivered_though_its_timestamp_is_old_by_then),
        V4(a_bare_reset_echoes_the_timestamp_when_the_policy_says_so),
        V4(the_timestamp_of_a_reset_is_not_kept),
        V4(the_timestamp_of_the_syn_is_the_first_to_compare_with),
        V4(a_timestamp_counts_only_when_window_and_ack_are_right),
        V4(after_23_days_an_old_timestamp_is_still_old_and_a_taken_one_is_compared_again),
        V4(the_echo_of_a_duplicate_is_no_round_trip),
        V4(a_flight_is_measured_once_however_many_acks_it_brings),
        V4(the_echo_measures_what_was_sent_again),
        V4(beyond_a_window_that_has_shrunk_text_is_repeated_once_and_then_as_far_as_it_fits),
        V4(a_backed_off_rto_stays_until_new_text_was_measured),
        V4(of_a_segment_that_is_old_in_part_that_part_is_reported_once),
        V4(what_is_dropped_for_its_timestamp_is_no_duplicate_to_report),
        V4(text_carries_sack_blocks_while_something_is_held),
        V4(a_range_is_reported_in_three_acks_though_two_were_lost),
    };
    return cmocka_run_group_tests_name("extensions", tests, NULL, NULL);
}
