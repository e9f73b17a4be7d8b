/* RFC 9293 sections 3.5, 3.10.1, 3.10.7.3, 3.8.3: an active OPEN, from CLOSED through SYN-SENT. */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

/* RFC8200-7: the MTU is 1520 with IPv6.  MUST-14, SHLD-5, MAY-3, MUST-67, RFC7323-1, RFC7323-2 */
TEST(a_syn_offers_mss_sack_timestamps_and_window_scale_in_this_order)
{
    opens();
    expects(SYN, .seq = ISS, .wnd = 65535, .options = "mss 1460,sackOK,TS,nop,wscale 8");
}

TEST(a_syn_without_timestamps_pads_the_sack_option)
{
    p->config.policy.timestamps = false;
    opens();
    expects(SYN, .options = "mss 1460,nop,nop,sackOK,nop,wscale 8");
}

TEST(a_syn_with_everything_switched_off_offers_the_mss_alone)
{
    p->config.policy.timestamps = p->config.policy.sack = p->config.policy.window_scale = false;
    opens();
    expects(SYN, .options = "mss 1460");
}

/* MUST-22, RFC6298-2 */
TEST(a_syn_is_repeated_after_1_3_7_15_31_63_and_127_seconds_then_the_open_fails)
{
    opens();
    expects(SYN, .seq = ISS);
    for (int64_t gap = 1000; gap <= 64000; gap *= 2)
        expects_after(gap - 10, gap + 50, SYN, .seq = ISS,
                      .options = "mss 1460,sackOK,TS,nop,wscale 8");
    after(100000);
    expects_state(HF_SYN_SENT);
    after(40000); /* MUST-23: three minutes at least */
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
    reads_result(HF_ERR_TIMED_OUT);
}

/* RFC6298-19 */
TEST(after_a_lost_syn_data_starts_with_an_rto_of_3_seconds)
{
    p->config.policy.timestamps = false;
    opens();
    expects(SYN);
    expects_after(990, 1050, SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
    writes(10);
    expects(ACK, .seq = ISS + 1, .len = 10);
    expects_after(2990, 3050, ACK, .seq = ISS + 1, .len = 10); /* RFC 6298 5.7 */
}

/* An ACK of our SYN that the peer sent before it has our SYN,ACK. */
TEST(a_syn_ack_that_nobody_waits_for_any_more_does_not_leave)
{
    opens();
    expects(SYN);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    struct hf_frame_in syn = p->batch[0];
    p->batch[0] = p->batch[--p->n_batch];
    calls(hf_input(p->stack, &p->env, &syn, 1));
    free((void *)(uintptr_t)syn.data);
    closes();
    batch_ends();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_silence();
}

/* RFC6298-19: those 3 seconds begin after the three-way handshake.  RFC 6298 5.5 */
TEST(a_close_in_syn_received_leaves_the_syns_timeouts_as_they_were)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    expects_after(990, 1050, SYN | ACK, .seq = ISS);
    expects_after(1990, 2050, SYN | ACK, .seq = ISS);
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    expects_after(3990, 4050, SYN | ACK, .seq = ISS);
    expects_after(7990, 8050, SYN | ACK, .seq = ISS);
}

/* RFC5961-4 */
TEST(a_reset_that_acknowledges_the_syn_means_refused)
{
    opens();
    expects(SYN);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
    expects_silence();
    expects_closed(HF_ERR_REFUSED);
    after(5000);
    expects_silence();
}

/* RFC5961-4 */
TEST(a_reset_that_does_not_acknowledge_the_syn_is_ignored)
{
    opens();
    expects(SYN);
    sends(RST, .seq = ZERO);
    sends(RST | ACK, .seq = IRS, .ack = ISS);
    sends(RST | ACK, .seq = IRS, .ack = ISS + 2);
    sends(RST | ACK, .seq = IRS, .ack = ISS - 1);
    expects_silence();
    expects_state(HF_SYN_SENT);
}

/* */
TEST(an_ack_of_what_was_never_sent_is_reset_in_syn_sent)
{
    opens();
    expects(SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS); /* not after ISS */
    expects(RST, .seq = ISS, .options = "");
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 2); /* beyond SND.NXT */
    expects(RST, .seq = ISS + 2);
    sends(FIN | ACK, .seq = IRS, .ack = ISS - 5);
    expects(RST, .seq = ISS - 5);
    expects_state(HF_SYN_SENT);
}

/* */
TEST(segments_without_syn_and_rst_are_dropped_in_syn_sent_even_with_a_right_ack)
{
    opens();
    expects(SYN);
    sends(ACK, .seq = IRS, .ack = ISS + 1);
    sends(FIN | ACK, .seq = IRS, .ack = ISS + 1, .len = 5);
    sends(FIN, .seq = IRS);
    sends(PSH, .seq = IRS, .len = 3);
    expects_silence();
    expects_state(HF_SYN_SENT);
}

/* */
TEST(text_and_fin_on_an_acceptable_syn_ack_are_processed_in_the_same_segment)
{
    opens();
    expects(SYN);
    sends(SYN | FIN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .len = 20);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 22);
    expects_state(HF_CLOSE_WAIT);
    expects_event(HF_CONNECTED | HF_READABLE | HF_PEER_CLOSED);
    reads(20);
    reads_result(0);
}

/* RFC1122-18: SND.WND, SND.WL1, SND.WL2 are the SYN,ACK's. */
TEST(the_window_of_the_syn_ack_counts_at_once)
{
    opens();
    expects(SYN);
    sends(SYN | ACK, .seq = IRS, .mss = 1460, .wnd = 1000);
    expects(ACK);
    writes(3000);
    expects(ACK, .len = 1000);
    expects_silence();
}

TEST(text_on_a_syn_that_meets_ours_is_left_unacknowledged)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 20);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 20); /* the peer sends it again */
    expects(ACK, .ack = IRS + 21);
    reads(20);
}

TEST(data_sent_before_the_open_completes_goes_out_with_the_third_segment)
{
    opens();
    writes(100);
    expects(SYN, .seq = ISS);
    expects_silence();
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK | PSH, .seq = ISS + 1, .ack = IRS + 1, .len = 100);
    expects_silence();
}

TEST(a_close_in_syn_sent_is_silent_and_what_comes_later_is_reset)
{
    opens();
    expects(SYN);
    closes();
    expects_silence();
    expects_state(HF_CLOSED);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

TEST(an_abort_in_syn_sent_sends_no_reset)
{
    opens();
    expects(SYN);
    aborts();
    expects_silence();
    expects_state(HF_CLOSED);
    after(5000);
    expects_silence();
}

TEST(the_user_timeout_ends_an_open_silently)
{
    opens_for(2500);
    expects(SYN);
    expects_after(990, 1050, SYN);
    after(1400);
    expects_state(HF_SYN_SENT);
    after(200);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(a_second_open_of_the_same_connection_already_exists)
{
    struct hf_endpoint here = peer_here(p, 80), there = peer_there(p, 4000);
    hf_handle other;
    opens();
    expects(SYN);
    refuses(HF_ERR_EXISTS, hf_open(p->stack, &p->env, &here, &there, 0, &other));
    on(1);
    opens();
    expects(SYN);
}

TEST(an_open_without_a_local_port_chooses_one_of_the_ephemeral_ports)
{
    starts();
    for (int i = 0; i < 3; i++) {
        struct hf_endpoint there = peer_there(p, 7000);
        calls(hf_open(p->stack, &p->env, NULL, &there, 0, &p->conn[i].handle));
        on(i);
        struct hf_status status = peer_status(p);
        holds(status.local.port >= 32768 && status.local.port <= 60999);
        holds(memcmp(status.local.ip, p->stack_ip, 16) == 0);
        p->c->stack_port = status.local.port;
        for (int j = 0; j < i; j++)
            holds(p->conn[j].stack_port != status.local.port);
    }
}

/* RFC6056-2: the ports of local services, and no others, are left out. */
TEST(an_open_never_chooses_a_port_on_which_somebody_listens)
{
    p->config.policy.port_first = 50000;
    p->config.policy.port_last = 50003;
    starts();
    struct hf_listen listen = {.struct_size = sizeof listen, .local = {.port = 50001}};
    calls(hf_listen(p->stack, &p->env, &listen, &p->listener));
    bool used[4] = {false};
    struct hf_endpoint there = peer_there(p, 4000);
    hf_handle handle;
    for (int i = 0; i < 3; i++) {
        struct hf_status status = {.struct_size = sizeof status};
        calls(hf_open(p->stack, &p->env, NULL, &there, 0, &handle));
        calls(hf_status(p->stack, &p->env, handle, &status));
        used[status.local.port - 50000] = true;
    }
    holds(used[0] && !used[1] && used[2] && used[3]);
    refuses(HF_ERR_NO_PORTS, hf_open(p->stack, &p->env, NULL, &there, 0, &handle));
}

TEST(an_open_that_cannot_be_is_refused_at_once)
{
    starts();
    struct hf_endpoint here = peer_here(p, 80), there = peer_there(p, 4000), bad = there;
    hf_handle handle;
    bad.port = 0;
    refuses(HF_ERR_INVALID, hf_open(p->stack, &p->env, &here, &bad, 0, &handle));
    bad = there;
    memset(bad.ip, 0, 16); /* MUST-46 and the unspecified address */
    refuses(HF_ERR_INVALID, hf_open(p->stack, &p->env, &here, &bad, 0, &handle));
    bad = there;
    bad.ip[p->v6 ? 0 : 12] = p->v6 ? 0xff : 224;
    refuses(HF_ERR_INVALID, hf_open(p->stack, &p->env, &here, &bad, 0, &handle));
    bad = there;
    bad.ip[p->v6 ? 1 : 13] = 99;
    refuses(HF_ERR_NET_UNREACHABLE, hf_open(p->stack, &p->env, &here, &bad, 0, &handle));
    bad = here;
    bad.ip[15] = 77;
    refuses(HF_ERR_NO_ADDRESS, hf_open(p->stack, &p->env, &bad, &there, 0, &handle));
    expects_silence();
}

TEST(when_all_connections_are_taken_an_open_fails_for_want_of_resources)
{
    p->config.max_connections = 2;
    for (int i = 0; i < 2; i++) {
        on(i);
        opens();
        expects(SYN);
    }
    struct hf_endpoint here = peer_here(p, 80), there = peer_there(p, 4002);
    hf_handle handle;
    refuses(HF_ERR_NO_RESOURCES, hf_open(p->stack, &p->env, &here, &there, 0, &handle));
    on(0);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* the old ones are not harmed */
    expects(ACK);
}

/* MUST-8, RFC6528-1 */
TEST(the_initial_sequence_number_of_the_same_connection_grows_with_time)
{
    uint32_t before = 0;
    for (int i = 0; i < 5; i++) {
        opens();
        expects(SYN);
        if (i > 0) /* RFC 6528 3: a clock of 4 us and a hash of the connection */
            holds_equal((p->c->iss - before + 300) / 1000, 250);
        before = p->c->iss;
        aborts();
        releases();
        new_incarnation(100);
        after(1000);
    }
}

/* SHLD-1, MUST-9, RFC6528-2 */
TEST(the_initial_sequence_numbers_of_two_connections_do_not_tell_of_each_other)
{
    opens();
    expects(SYN);
    on(1);
    opens();
    expects(SYN);
    int32_t apart = (int32_t)(p->conn[1].iss - p->conn[0].iss);
    holds(apart > 100000 || apart < -100000);
}

TEST(a_simultaneous_open_gives_up_like_an_active_one)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    for (int64_t gap = 1000; gap <= 64000; gap *= 2)
        expects_after(gap - 10, gap + 50, SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(140000);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
}

/* MUST-11 */
TEST(a_reset_in_syn_received_of_an_active_open_means_refused)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK);
    sends(RST, .seq = IRS + 1);
    expects_silence();
    expects_closed(HF_ERR_REFUSED);
}

TEST(a_connection_may_have_its_own_number_of_syns)
{
    opens();
    sets(HF_SYN_RETRIES, 1);
    expects(SYN);
    expects_after(990, 1010, SYN);
    after(2010);
    expects_closed(HF_ERR_TIMED_OUT);
    expects_silence();
}

/* A dialogue: the answer to what waited for the SYN,ACK is acknowledged with the next text. */
TEST(text_that_waited_for_the_syn_ack_ends_quick_acks)
{
    opens();
    expects(SYN);
    writes(1000);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .len = 1000);
    sends(ACK | PSH, .len = 500);
    expects_after(38, 43, ACK, .ack = IRS + 501);
}

/* MUST-23: an old connection of the peer's that no reset ends, or who forges its ACKs, does not
 * make the attempt last for ever. */
TEST(a_syn_behind_a_reset_puts_off_no_timeout)
{
    p->config.policy.syn_retries = 1;
    opens();
    expects(SYN, .seq = ISS);
    for (int i = 0; i < 4; i++) {
        after(700);
        peer_forget(p);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 5000);
        expects(RST, .seq = ISS + 5000);
        expects_after(9, 12, SYN, .seq = ISS);
    }
    after(200); /* one second, and two */
    expects_closed(HF_ERR_TIMED_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_syn_behind_a_reset_puts_off_no_timeout),
        BOTH(a_syn_offers_mss_sack_timestamps_and_window_scale_in_this_order),
        BOTH(a_syn_without_timestamps_pads_the_sack_option),
        V4(a_syn_with_everything_switched_off_offers_the_mss_alone),
        V4(a_syn_is_repeated_after_1_3_7_15_31_63_and_127_seconds_then_the_open_fails),
        V4(after_a_lost_syn_data_starts_with_an_rto_of_3_seconds),
        BOTH(a_reset_that_acknowledges_the_syn_means_refused),
        V4(a_reset_that_does_not_acknowledge_the_syn_is_ignored),
        V4(an_ack_of_what_was_never_sent_is_reset_in_syn_sent),
        V4(segments_without_syn_and_rst_are_dropped_in_syn_sent_even_with_a_right_ack),
        BOTH(text_and_fin_on_an_acceptable_syn_ack_are_processed_in_the_same_segment),
        BOTH(the_window_of_the_syn_ack_counts_at_once),
        V4(text_on_a_syn_that_meets_ours_is_left_unacknowledged),
        BOTH(data_sent_before_the_open_completes_goes_out_with_the_third_segment),
        V4(a_close_in_syn_sent_is_silent_and_what_comes_later_is_reset),
        V4(an_abort_in_syn_sent_sends_no_reset),
        V4(the_user_timeout_ends_an_open_silently),
        BOTH(a_second_open_of_the_same_connection_already_exists),
        BOTH(an_open_without_a_local_port_chooses_one_of_the_ephemeral_ports),
        BOTH(an_open_never_chooses_a_port_on_which_somebody_listens),
        BOTH(an_open_that_cannot_be_is_refused_at_once),
        V4(when_all_connections_are_taken_an_open_fails_for_want_of_resources),
        BOTH(the_initial_sequence_number_of_the_same_connection_grows_with_time),
        BOTH(the_initial_sequence_numbers_of_two_connections_do_not_tell_of_each_other),
        V4(a_simultaneous_open_gives_up_like_an_active_one),
        V4(a_close_in_syn_received_leaves_the_syns_timeouts_as_they_were),
        V4(a_syn_ack_that_nobody_waits_for_any_more_does_not_leave),
        V4(a_reset_in_syn_received_of_an_active_open_means_refused),
        BOTH(a_connection_may_have_its_own_number_of_syns),
        BOTH(text_that_waited_for_the_syn_ack_ends_quick_acks),
    };
    return cmocka_run_group_tests_name("active open", tests, NULL, NULL);
}
