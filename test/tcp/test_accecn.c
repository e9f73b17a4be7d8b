/* RFC 9768: marks are counted and told, in ACE and by an option, and answered.  Numbers in brackets
 * are its sections. */
#include "tcp/accecn.h"

/* Segment n (from 1) of 1000 octets; the first ten octets have had the option that tests the way.
 */
#define SEGMENT(n) (ISS + 11 + 1000 * ((int64_t)(n)-1))

static void sends_ten(struct peer *p)
{
    p->with.mss = 1000;
    agree_active(p);
    writes(10);
    expects(ACK | PSH | ACE(5), .len = 10);
    sends(ACK | ACE(5));
    writes(10000);
    for (int i = 1; i <= 10; i++)
        expects(ACK | ACE(5), .seq = SEGMENT(i), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    expects_silence();
}

/* Counting and telling [3.2] ------------------------------------------------------------------- */

/* RFC9768-11, RFC9768-12 */
TEST(marked_packets_are_counted_from_five_and_told_in_three_bits)
{
    agree_active(p);
    for (unsigned i = 1; i <= 9; i++) {
        sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
        expects(ACK | ACE(5 + i), .ack = IRS + 1 + 10 * (int64_t)i);
    }
    writes(10);
    expects(ACK | PSH | ACE(14), .len = 10);
}

/* RFC9768-11: control packets, too, and repeats; not what is not acceptable. */
TEST(marks_on_packets_without_text_count_and_on_those_outside_the_window_do_not)
{
    agree_active(p);
    sends(ACK | ACE(5), .ip_ecn = CODEPOINT(CE));
    expects_silence();
    sends(ACK | ACE(5), .seq = IRS + 1000000, .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6));
}

/* RFC 9768 3.2: packets, not the times that one was looked at.  RFC9768-11, RFC3168-27 */
TEST(a_mark_on_text_that_a_closed_window_refuses_counts_once)
{
    p->config.policy.receive_window = 1000;
    agree_active(p);
    sends(ACK | ACE(5), .len = 1000);
    expects(ACK | ACE(5), .wnd = ZERO);
    for (unsigned i = 1; i <= 2; i++) {
        sends(ACK | ACE(5), .seq = IRS + 1001, .len = 10, .ip_ecn = CODEPOINT(CE));
        expects(ACK | ACE(5 + i), .ack = IRS + 1001);
        holds_equal(status_of(ce_received), i);
    }
    sends(FIN | ACK | ACE(5), .seq = IRS + 1001, .ip_ecn = CODEPOINT(CE)); /* this is taken */
    expects(ACK | ACE(8), .ack = IRS + 1002);
}

/* RFC9768-10: nothing is said of reductions, and a peer's CWR bit ends nothing. */
TEST(a_reduction_is_not_told)
{
    sends_ten(p);
    after(100);
    sends(ACK | ACE(6), .ack = SEGMENT(11));
    holds(status_of(ssthresh) < 10000);
    writes(1000);
    expects(ACK | PSH | ACE(5), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
}

/* RFC9768-16 [3.2.2.5.1] */
TEST(text_with_a_mark_behind_a_packet_without_is_acknowledged_at_once)
{
    p->config.policy.quick_acks = 0;
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(ECT0));
    expects_silence();
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6), .ack = IRS + 21);
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE)); /* the packet before had one */
    expects_silence();
}

/* RFC9768-15 [3.2.2.5.1] */
TEST(two_marks_with_text_or_three_without_are_acknowledged)
{
    p->config.policy.quick_acks = 0;
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6));
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
    expects_silence();
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(8), .ack = IRS + 31);
    sends(ACK | ACE(5), .ip_ecn = CODEPOINT(CE));
    sends(ACK | ACE(5), .ip_ecn = CODEPOINT(CE));
    expects_silence();
    sends(ACK | ACE(5), .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(11), .no_sack = true);
}

TEST(a_marked_super_segment_counts_for_as_many_packets_as_it_was)
{
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 3500, .gso = 1000, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(9), .accecn = 172, .n_accecn = 2, .counts = {1, 3500});
}

/* Who cuts a super-segment clears CWR, a bit of ACE here, in all parts but the first. */
TEST(text_is_not_in_super_segments_while_that_would_change_ace)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    p->with.mss = 1000;
    agree_active(p);
    writes(3000);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && seen->super == 3000);
    peer_taken(p, seen);
    peer_forget(p);
    p->c->acks += 3000;
    sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6));
    writes(3000);
    for (int i = 0; i < 3; i++)
        expects(ACK | ACE(6), .len = 1000);
}

TEST(in_time_wait_acks_have_the_count_as_well)
{
    agree_passive(p);
    sends(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6));
    reads(100);
    closes();
    expects(ACK | FIN | ACE(6));
    sends(ACK | ACE(5));
    releases();
    sends(ACK | FIN | ACE(5));
    expects(ACK | ACE(6), .ack = IRS + 102);
    sends(ACK | FIN | ACE(5), .seq = IRS + 101);
    expects(ACK | ACE(6), .ack = IRS + 102);
}

/* The counters are gone with the connection, but the ACK of the repeated FIN is due. */
TEST(the_ack_of_a_repeated_fin_that_ends_last_ack_has_the_count_as_well)
{
    agree_passive(p);
    sends(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6));
    reads(100);
    sends(ACK | FIN | ACE(5));
    expects(ACK | ACE(6), .ack = IRS + 102);
    releases();
    expects(ACK | FIN | ACE(6), .ack = IRS + 102);
    sends(ACK | FIN | ACE(5), .seq = IRS + 101, .ack = ISS + 2);
    expects(ACK | ACE(6), .seq = ISS + 2, .ack = IRS + 102);
    sends(ACK | ACE(5), .seq = IRS + 102, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
}

/* The option [3.2.3] --------------------------------------------------------------------------- */

/* RFC9768-20 */
TEST(the_option_of_a_syn_is_not_looked_at)
{
    willing(p);
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460, .accecn = 172, .n_accecn = 3, .counts = {9, 9, 9});
    expects(SYN | ACK | ACE(2), .accecn = 172, .n_accecn = 3, .counts = {1, 0, 1});
}

/* RFC9768-18, RFC9768-19, RFC9768-21 [3.2.3.3]: those that have moved, in the shorter order. */
TEST(octets_are_told_by_codepoint_where_they_have_moved)
{
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ACE(5), .accecn = 172, .n_accecn = 1, .counts = {101});
    sends(ACK | PSH | ACE(5), .len = 100);
    writes(10); /* RFC9768-21: the first text, whatever has moved */
    expects(ACK | ACE(5), .accecn = NO_ACCECN);
    expects(ACK | PSH | ACE(5), .len = 10, .accecn = 172, .n_accecn = 1, .counts = {101});
    sends(ACK | PSH | ACE(5), .len = 50, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6), .accecn = 172, .n_accecn = 2, .counts = {101, 50});
    sends(ACK | PSH | ACE(5), .len = 7, .ip_ecn = CODEPOINT(ECT1));
    expects(ACK | ACE(6), .accecn = 172, .n_accecn = 3, .counts = {101, 50, 8});
    holds_equal(info_of(ecn_mode), HF_ECN_ACCURATE);
    holds_equal(info_of(received_ce), 1);
    holds_equal(info_of(received_e0_bytes), 100);
    holds_equal(info_of(received_ce_bytes), 50);
    holds_equal(info_of(received_e1_bytes), 7);
    holds_equal(info_of(accecn_opt_seen), HF_ACCECN_NOT_SEEN);
    on(1);
    open_with(p, ACE(2), NOT_ECT);
    expects(ACK | ACE(2));
    sends(ACK | PSH | ACE(5), .len = 7, .ip_ecn = CODEPOINT(ECT1));
    expects(ACK | ACE(5), .accecn = 174, .n_accecn = 1, .counts = {8});
    sends(ACK | PSH | ACE(5), .len = 9, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6), .accecn = 174, .n_accecn = 2, .counts = {8, 9});
}

/* RFC9768-23 */
TEST(sack_keeps_two_blocks_whatever_the_option_needs)
{
    p->with.sackok = true;
    p->with.tsval = 77;
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ACE(5), .accecn = 172, .n_accecn = 1, .counts = {101});
    sends(ACK | PSH | ACE(5), .seq = IRS + 201, .len = 10, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ACE(5), .sack = {{IRS + 201, IRS + 211}}, .accecn = 172, .n_accecn = 1,
            .counts = {111});
    sends(ACK | PSH | ACE(5), .seq = IRS + 301, .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ACE(6), .sack = {{IRS + 301, IRS + 311}, {IRS + 201, IRS + 211}}, .accecn = 172,
            .n_accecn = 2, .counts = {111, 10});
    sends(ACK | PSH | ACE(5), .seq = IRS + 401, .len = 10, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ACE(6), .sack = {{IRS + 401, IRS + 411}, {IRS + 301, IRS + 311}}, .accecn = 172,
            .n_accecn = 2, .counts = {121, 10});
    sends(ACK | PSH | ACE(5), .seq = IRS + 501, .len = 10, .ip_ecn = CODEPOINT(ECT1));
    expects(ACK | ACE(6),
            .sack = {{IRS + 501, IRS + 511}, {IRS + 401, IRS + 411}, {IRS + 301, IRS + 311}},
            .accecn = NO_ACCECN); /* three counters, and two blocks: no room for both */
}

TEST(what_is_sent_again_has_no_option)
{
    agree_active(p);
    writes(10);
    expects(ACK | PSH | ACE(5), .len = 10, .accecn = 172, .n_accecn = 1, .counts = {1});
    expects_after(200, 500, ACK | PSH | ACE(5), .len = 10, .accecn = NO_ACCECN);
}

/* The sender [3.2.2.5.2, 3.2.3.2] -------------------------------------------------------------- */

/* TX-21, RFC9768-11 and RFC3168-16: marks are counted, and answered once for each window. */
TEST(marks_that_ace_tells_reduce_the_window_once_in_a_round_trip)
{
    sends_ten(p);
    after(100);
    sends(ACK | ACE(6), .ack = SEGMENT(3));
    uint32_t ssthresh = status_of(ssthresh);
    holds(ssthresh < 10000);
    sends(ACK | ACE(7), .ack = SEGMENT(5));
    sends(ACK | ACE(8), .ack = SEGMENT(11));
    holds_equal(status_of(ssthresh), ssthresh);
    holds_equal(status_of(ce_delivered), 3);
    writes(1000);
    expects(ACK | PSH | ACE(5), .len = 1000);
    sends(ACK | ACE(9));
    holds(status_of(ssthresh) < ssthresh);
}

TEST(an_ace_that_has_not_moved_tells_of_no_mark)
{
    sends_ten(p);
    after(100);
    sends(ACK | ACE(5), .ack = SEGMENT(6));
    sends(ACK | ACE(5), .ack = SEGMENT(11));
    holds_equal(status_of(ssthresh), UINT32_MAX);
    holds(status_of(cwnd) > 10000);
    holds_equal(status_of(ce_delivered), 0);
}

/* RFC9768-17: ten segments acknowledged at once, no option: nine of them may have been marked. */
TEST(without_an_option_ace_is_taken_to_have_come_round_when_it_can_have)
{
    sends_ten(p);
    sends(ACK | ACE(6), .ack = SEGMENT(11));
    holds_equal(status_of(ce_delivered), 9);
}

TEST(with_an_option_the_octets_decide)
{
    sends_ten(p);
    sends(ACK | ACE(6), .ack = SEGMENT(11), .accecn = 172, .n_accecn = 2, .counts = {9011, 1000});
    holds_equal(status_of(ce_delivered), 1);
    on(1);
    sends_ten(p);
    sends(ACK | ACE(6), .ack = SEGMENT(11), .accecn = 174, .n_accecn = 3,
          .counts = {3, 9000, 1009});
    holds_equal(status_of(ce_delivered), 9);
    holds_equal(info_of(delivered_e1_bytes), 2);
    holds_equal(info_of(delivered_ce_bytes), 9000);
    holds_equal(info_of(delivered_e0_bytes), 1008);
    holds_equal(info_of(accecn_opt_seen), HF_ACCECN_COUNTER_SEEN);
    holds_equal(info_of(accecn_fail_mode), 0);
}

/* RFC9768-18: as many as the option has. */
TEST(an_option_with_one_counter_or_two_tells_of_those)
{
    sends_ten(p);
    sends(ACK | ACE(5), .ack = SEGMENT(4), .accecn = 172, .n_accecn = 1, .counts = {3011});
    holds_equal(info_of(delivered_e0_bytes), 3010);
    sends(ACK | ACE(6), .ack = SEGMENT(11), .accecn = 172, .n_accecn = 2, .counts = {9011, 1000});
    holds_equal(info_of(delivered_e0_bytes), 9010);
    holds_equal(info_of(delivered_ce_bytes), 1000);
    holds_equal(info_of(delivered_e1_bytes), 0);
}

/* [3.2.3.2.4] */
TEST(an_option_that_begins_with_nought_is_not_believed)
{
    sends_ten(p);
    sends(ACK | ACE(6), .ack = SEGMENT(11), .accecn = 172, .n_accecn = 2, .counts = {0, 1000});
    holds_equal(status_of(ce_delivered), 9);
    holds_equal(info_of(accecn_opt_seen), HF_ACCECN_FAIL_SEEN);
    holds_equal(info_of(accecn_fail_mode), HF_ACCECN_OPT_FAIL_RECV);
}

/* RFC 4015 (9), RFC 3168 6.1.2: what has answered it is not taken back. */
TEST(a_mark_within_a_recovery_is_congestion_though_nothing_was_lost)
{
    for (int marks = 0; marks <= 1; marks++) {
        on(marks);
        p->with.sackok = true;
        sends_ten(p);
        after(100);
        sends(ACK | ACE(5), .ack = SEGMENT(1), .sack = {{SEGMENT(2), SEGMENT(5)}});
        expects(ACK | ACE(5), .seq = SEGMENT(1), .len = 1000);
        after(50);
        sends(ACK | ACE(5 + marks), .ack = SEGMENT(1), .sack = {{SEGMENT(2), SEGMENT(7)}});
        holds_equal(status_of(ce_delivered), marks);
        after(50);
        sends(ACK | ACE(5 + marks), .ack = SEGMENT(11), .sack = {{SEGMENT(1), SEGMENT(2)}});
        holds_equal(status_of(ssthresh) < 10000, marks);
        holds_equal(status_of(cwnd) < 10000, marks);
        holds(!status_of(in_recovery));
    }
}

/* An ACK overtaken by a later one would read as seven more. */
TEST(an_ace_that_was_overtaken_is_not_read)
{
    sends_ten(p);
    sends(ACK | ACE(7), .ack = SEGMENT(3));
    sends(ACK | ACE(6), .ack = SEGMENT(2));
    sends(ACK | ACE(6), .ack = SEGMENT(3));
    holds_equal(status_of(ce_delivered), 2);
}

/* RFC9768-24 [3.2.3.2.5] */
TEST(octets_without_a_packet_end_ect)
{
    sends_ten(p);
    sends(ACK | ACE(5), .ack = SEGMENT(3), .accecn = 172, .n_accecn = 2, .counts = {1001, 1000});
    peer_forget(p);
    sends(ACK | ACE(5), .ack = SEGMENT(11));
    peer_forget(p);
    writes(1000);
    expects(ACK | PSH | ACE(5), .len = 1000, .ip_ecn = CODEPOINT(NOT_ECT));
    on(1);
    sends_ten(p);
    sends(ACK | ACE(6), .ack = SEGMENT(2));
    sends(ACK | ACE(6), .ack = SEGMENT(3), .accecn = 172, .n_accecn = 2, .counts = {1001, 1000});
    sends(ACK | ACE(6), .ack = SEGMENT(11));
    peer_forget(p);
    writes(1000); /* the packet had been told before the octets were */
    expects(ACK | PSH | ACE(5), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
}

/* Without ECT nothing can be marked, and no option comes.  RFC9768-17 */
TEST(an_ack_of_many_segments_without_ect_tells_of_no_mark)
{
    p->with.mss = 1000;
    open_with(p, ACE(4), NOT_ECT); /* our SYN came as ECT(0): changed on its way */
    expects(ACK | ACE(2));
    writes(10000);
    peer_forget(p);
    after(100);
    sends(ACK | ACE(5), .ack = ISS + 10001);
    holds_equal(status_of(ce_delivered), 0);
    holds_equal(status_of(ssthresh), UINT32_MAX);
    writes(10);
    expects(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(NOT_ECT));
    sends(ACK | ACE(7), .ack = ISS + 10011); /* what was marked all the same counts */
    holds_equal(status_of(ce_delivered), 2);
}

/* Nine small segments, eight of them marked, in one ACK: they may have come round [3.2.2.5.2]. */
TEST(marks_of_small_segments_are_counted_as_so_many)
{
    p->with.mss = 1000;
    agree_active(p);
    sets(HF_NODELAY, 1);
    for (int i = 0; i < 9; i++) {
        writes(50);
        expects(ACK | PSH | ACE(5), .len = 50, .ip_ecn = CODEPOINT(ECT0));
    }
    after(100);
    sends(ACK | ACE(13), .ack = ISS + 451, .accecn = 172, .n_accecn = 2, .counts = {51, 400});
    holds_equal(status_of(ce_delivered), 8);
    writes(100); /* and octets without a packet are none */
    expects(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(ECT0));
}

/* RFC9768-5: with SACK, D-SACK as well. */
TEST(text_that_comes_twice_is_reported_by_dsack)
{
    p->with.sackok = true;
    agree_active(p);
    sends(ACK | PSH | ACE(5), .len = 100);
    expects(ACK | ACE(5));
    sends(ACK | PSH | ACE(5), .seq = IRS + 1, .len = 100);
    expects(ACK | ACE(5), .sack = {{IRS + 1, IRS + 101}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(marked_packets_are_counted_from_five_and_told_in_three_bits),
        V4(a_mark_on_text_that_a_closed_window_refuses_counts_once),
        BOTH(marks_on_packets_without_text_count_and_on_those_outside_the_window_do_not),
        BOTH(a_reduction_is_not_told),
        BOTH(text_with_a_mark_behind_a_packet_without_is_acknowledged_at_once),
        BOTH(two_marks_with_text_or_three_without_are_acknowledged),
        BOTH(a_marked_super_segment_counts_for_as_many_packets_as_it_was),
        BOTH(text_is_not_in_super_segments_while_that_would_change_ace),
        BOTH(in_time_wait_acks_have_the_count_as_well),
        BOTH(the_ack_of_a_repeated_fin_that_ends_last_ack_has_the_count_as_well),
        BOTH(the_option_of_a_syn_is_not_looked_at),
        BOTH(octets_are_told_by_codepoint_where_they_have_moved),
        BOTH(sack_keeps_two_blocks_whatever_the_option_needs),
        BOTH(what_is_sent_again_has_no_option),
        BOTH(marks_that_ace_tells_reduce_the_window_once_in_a_round_trip),
        BOTH(an_ace_that_has_not_moved_tells_of_no_mark),
        BOTH(without_an_option_ace_is_taken_to_have_come_round_when_it_can_have),
        BOTH(with_an_option_the_octets_decide),
        BOTH(an_option_with_one_counter_or_two_tells_of_those),
        BOTH(an_option_that_begins_with_nought_is_not_believed),
        BOTH(a_mark_within_a_recovery_is_congestion_though_nothing_was_lost),
        BOTH(an_ace_that_was_overtaken_is_not_read),
        BOTH(octets_without_a_packet_end_ect),
        BOTH(an_ack_of_many_segments_without_ect_tells_of_no_mark),
        V4(marks_of_small_segments_are_counted_as_so_many),
        BOTH(text_that_comes_twice_is_reported_by_dsack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
