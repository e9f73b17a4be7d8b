/* RFC 9293 sections 3.5 and 3.6: Figures 6 to 13, each from either side, played to its end and one
 * step more.  The lines of a figure stand behind the verbs; the script is the other side. */
#include "common/peer.h"

/* Figure 6: Basic Three-Way Handshake -----------------------------------------------------------*/

TEST(figure_6_the_side_that_begins_is_established_by_the_syn_ack_and_sends_data)
{
    opens();
    expects(SYN, .seq = ISS); /* 2 */
    expects_state(HF_SYN_SENT);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* 3 */
    expects_state(HF_ESTABLISHED);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1); /* 4 */
    expects_event(HF_CONNECTED | HF_WRITABLE);
    writes(10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 10); /* 5: ACKs are not acknowledged */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 11);             /* one step more */
    expects_silence();
    holds_equal(status_of(queued_bytes), 0);
}

TEST(figure_6_the_listening_side_is_established_by_the_third_segment_and_takes_data)
{
    listens();
    sends(SYN, .seq = IRS); /* 2 */
    expects_state(HF_SYN_RECEIVED);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1); /* 3 */
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1); /* 4 */
    expects_silence();
    accepts();
    expects_state(HF_ESTABLISHED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10); /* 5 */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 11);         /* one step more */
    reads(10);
}

/* Figure 7: Simultaneous Connection Synchronization ---------------------------------------------*/

/* MUST-10 */
TEST(figure_7_a_simultaneous_open_goes_through_syn_received_to_established)
{
    opens();
    expects(SYN, .seq = ISS);
    expects_state(HF_SYN_SENT);                     /* 2 */
    sends(SYN, .seq = IRS);                         /* 3 */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1); /* 5 */
    expects_state(HF_SYN_RECEIVED);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* 6 */
    expects_state(HF_ESTABLISHED);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1); /* A.2: it was one octet too old */
    expects_event(HF_CONNECTED);
    writes(5);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 5);
    sends(ACK, .len = 7); /* one step more, both ways */
    expects(ACK, .seq = ISS + 6, .ack = IRS + 8);
    reads(7);
}

TEST(figure_7_a_lost_syn_ack_of_a_simultaneous_open_is_sent_again)
{
    opens();
    expects(SYN, .seq = ISS);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1); /* 5: lost */
    expects_after(900, 1100, SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* Figure 8: Recovery from Old Duplicate SYN -----------------------------------------------------*/

TEST(figure_8_a_syn_ack_for_an_old_duplicate_is_reset_and_the_open_goes_on)
{
    opens();
    expects(SYN, .seq = ISS);                     /* 2 */
    sends(SYN | ACK, .seq = 300, .ack = ISS - 9); /* 4: for the duplicate */
    expects(RST, .seq = ISS - 9, .options = "");  /* 5 */
    expects_state(HF_SYN_SENT);
    p->c->irs = 400;
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* 7 */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1); /* 8 */
    sends(ACK, .len = 10);                        /* one step more */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 11);
}

/* MUST-11 */
TEST(figure_8_an_old_duplicate_syn_is_answered_reset_and_forgotten)
{
    listens();
    sends(SYN, .seq = 90);                     /* 3 */
    expects(SYN | ACK, .seq = ISS, .ack = 91); /* 4 */
    sends(RST, .seq = 91);                     /* 5 */
    expects_silence();
    expects_state(HF_LISTEN); /* the child is gone; the listener goes on */
    after(5000);
    expects_silence();
    new_incarnation(100);
    sends(SYN, .seq = IRS);                         /* 6 */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1); /* 7 */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);     /* 8 */
    accepts();
    expects_state(HF_ESTABLISHED);
    sends(ACK, .len = 10); /* one step more */
    expects(ACK, .ack = IRS + 11);
}

/* Figure 9: Half-Open Connection Discovery ------------------------------------------------------*/

TEST(figure_9_after_a_reboot_the_old_connections_ack_is_reset_and_the_open_succeeds)
{
    opens();
    expects(SYN, .seq = ISS);           /* 3 */
    sends(ACK, .seq = 300, .ack = 100); /* 4 */
    expects(RST, .seq = 100);           /* 5 */
    expects_state(HF_SYN_SENT);
    expects_after(5, 20, SYN, .seq = ISS); /* 7: the way is free */
    p->c->nxt = p->c->irs;
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* one step more: Figure 6 */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
}

TEST(figure_9_the_side_that_did_not_reboot_answers_the_syn_and_aborts_on_the_reset)
{
    establish_passive();
    sends(SYN, .seq = 5000);                      /* 3 */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1); /* 4 */
    expects_state(HF_ESTABLISHED);
    sends(RST, .seq = IRS + 1); /* 5 */
    expects_silence();
    expects_closed(HF_ERR_RESET); /* 6 */
    releases();
    new_incarnation(5000);
    sends(SYN, .seq = IRS); /* 7 */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1); /* one step more */
    accepts();
    expects_state(HF_ESTABLISHED);
}

/* Figure 10: Active Side Causes Half-Open Connection Discovery ----------------------------------*/

TEST(figure_10_data_for_a_connection_that_is_not_there_is_reset)
{
    starts();
    sends(ACK, .seq = 300, .ack = 100, .len = 10); /* 2 */
    expects(RST, .seq = 100, .options = "");       /* 3 */
    sends(RST, .seq = 310);                        /* one step more: no reset for a reset */
    expects_silence();
}

TEST(figure_10_a_reset_in_answer_to_data_aborts_and_the_user_is_told)
{
    establish_active();
    writes(10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 10); /* 2 */
    sends(RST, .seq = IRS + 1);                              /* 3 */
    expects_silence();
    expects_closed(HF_ERR_RESET);
    reads_result(HF_ERR_RESET); /* one step more: told once, then the end */
    reads_result(0);
    after(10000);
    expects_silence();
}

/* Figure 11: Old Duplicate SYN Initiates a Reset on Two Passive Sockets -------------------------*/

/* */
TEST(figure_11_a_listener_resets_a_syn_ack_and_goes_on_listening)
{
    listens();
    sends(SYN | ACK, .seq = 700, .ack = 91); /* 3 */
    expects(RST, .seq = 91, .options = "");  /* 4 */
    p->c->nxt = p->c->irs;
    sends(SYN, .seq = IRS); /* one step more */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

TEST(figure_11_a_listener_stirred_by_an_old_syn_returns_to_listen_on_the_reset)
{
    listens();
    sends(SYN, .seq = 90);                     /* 2 */
    expects(SYN | ACK, .seq = ISS, .ack = 91); /* 3 */
    sends(RST, .seq = 91);                     /* 4 */
    expects_silence();
    after(3500);
    expects_silence(); /* 5: nothing is sent again */
    new_incarnation(100);
    sends(SYN, .seq = IRS); /* one step more */
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

/* Figure 12: Normal Close Sequence --------------------------------------------------------------*/

/* MUST-13 */
TEST(figure_12_the_side_that_closes_first_waits_2msl)
{
    establish_active();
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1); /* 2 */
    expects_state(HF_FIN_WAIT_1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2); /* 3 */
    expects_silence();
    expects_state(HF_FIN_WAIT_2);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2); /* 4 */
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);     /* 5 */
    expects_state(HF_TIME_WAIT);
    expects_event(HF_PEER_CLOSED);
    reads_result(0);
    after(59900);
    expects_state(HF_TIME_WAIT);
    after(200); /* 6: 2 MSL */
    expects_closed(HF_OK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2); /* one step more: CLOSED */
    expects(RST, .seq = ISS + 2);
}

TEST(figure_12_the_side_that_closes_second_is_gone_with_the_ack_of_its_fin)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1); /* 2 */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 2);     /* 3 */
    expects_state(HF_CLOSE_WAIT);
    expects_event(HF_PEER_CLOSED);
    reads_result(0);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 2); /* 4 */
    expects_state(HF_LAST_ACK);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2); /* 5 */
    expects_silence();
    expects_closed(HF_OK);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2); /* one step more */
    expects(RST, .seq = ISS + 2);
}

/* Figure 13: Simultaneous Close Sequence --------------------------------------------------------*/

/* */
TEST(figure_13_both_close_at_once_and_both_wait_2msl)
{
    establish_active();
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1); /* 2 */
    expects_state(HF_FIN_WAIT_1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2); /* 3 */
    expects_state(HF_CLOSING);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    expects_silence();
    expects_state(HF_TIME_WAIT); /* 4 */
    after(59900);
    expects_state(HF_TIME_WAIT);
    after(200);
    expects_closed(HF_OK);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2); /* one step more */
    expects(RST, .seq = ISS + 2);
}

/* */
TEST(figure_13_a_repeated_fin_in_closing_brings_the_ack_that_ends_it)
{
    establish_passive();
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2); /* lost, and the peer's ACK too */
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT); /* A.2: its ACK field counts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(figure_6_the_side_that_begins_is_established_by_the_syn_ack_and_sends_data),
        BOTH(figure_6_the_listening_side_is_established_by_the_third_segment_and_takes_data),
        BOTH(figure_7_a_simultaneous_open_goes_through_syn_received_to_established),
        BOTH(figure_7_a_lost_syn_ack_of_a_simultaneous_open_is_sent_again),
        BOTH(figure_8_a_syn_ack_for_an_old_duplicate_is_reset_and_the_open_goes_on),
        BOTH(figure_8_an_old_duplicate_syn_is_answered_reset_and_forgotten),
        BOTH(figure_9_after_a_reboot_the_old_connections_ack_is_reset_and_the_open_succeeds),
        BOTH(figure_9_the_side_that_did_not_reboot_answers_the_syn_and_aborts_on_the_reset),
        BOTH(figure_10_data_for_a_connection_that_is_not_there_is_reset),
        BOTH(figure_10_a_reset_in_answer_to_data_aborts_and_the_user_is_told),
        BOTH(figure_11_a_listener_resets_a_syn_ack_and_goes_on_listening),
        BOTH(figure_11_a_listener_stirred_by_an_old_syn_returns_to_listen_on_the_reset),
        BOTH(figure_12_the_side_that_closes_first_waits_2msl),
        BOTH(figure_12_the_side_that_closes_second_is_gone_with_the_ack_of_its_fin),
        BOTH(figure_13_both_close_at_once_and_both_wait_2msl),
        BOTH(figure_13_a_repeated_fin_in_closing_brings_the_ack_that_ends_it),
    };
    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
