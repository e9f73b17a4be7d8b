/* scripts_closing.c - RFC 9293 section 3.6: peers that do not close as they should. */
#include "peers/scripts.h"

ACTOR(puts_its_last_text_and_fin_into_one_segment)
{
    establish_passive();
    sends(ACK | FIN, .len = 100);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_CLOSE_WAIT);
    reads(100);
    reads_result(0);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 102);
    sends(ACK, .ack = ISS + 2);
    expects_closed(HF_OK);
}

/* A released handle waits for it one minute, not for ever. */
ACTOR(acknowledges_our_fin_and_never_sends_its_own)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(ACK, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
    releases();
    struct hf_counters now = {.struct_size = sizeof now};
    after(59000);
    hf_counters(p->stack, &now);
    holds_equal(now.connections + now.time_wait, 1);
    after(2000);
    hf_counters(p->stack, &now);
    holds_equal(now.connections + now.time_wait, 0);
}

ACTOR(never_acknowledges_our_fin)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    after(2000000);
    holds(peers_take_all(p) >= 8);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* RCV.NXT does not move twice. */
ACTOR(sends_its_fin_twice)
{
    establish_active();
    sends(ACK | FIN);
    expects(ACK, .ack = IRS + 2);
    sends(ACK | FIN, .seq = IRS + 1);
    expects(ACK, .ack = IRS + 2);
    sends(ACK | FIN, .seq = IRS + 2);
    peers_take_all(p);
    holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 2));
    expects_state(HF_CLOSE_WAIT);
}

/* 3.10.7.4 seventh: in CLOSE-WAIT "this should not occur ... ignore the segment text". */
ACTOR(goes_on_behind_its_fin)
{
    establish_active();
    sends(ACK | FIN);
    expects(ACK, .ack = IRS + 2);
    sends(ACK, .seq = IRS + 2, .len = 100);
    peers_take_all(p);
    holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 2));
    reads_result(0);
}

ACTOR(sends_its_fin_ahead_of_text_that_is_missing)
{
    establish_active();
    sends(ACK | FIN, .seq = IRS + 101, .len = 100);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    sends(ACK, .seq = IRS + 1, .len = 100);
    expects(ACK, .ack = IRS + 202);
    expects_state(HF_CLOSE_WAIT);
    reads(200);
    reads_result(0);
}

/* RFC 1122 4.2.2.13: nobody can read it any more. */
ACTOR(sends_text_when_both_directions_are_closed)
{
    establish_active();
    closes();
    releases();
    expects(FIN | ACK);
    sends(ACK, .ack = ISS + 2, .len = 10);
    expects(RST, .seq = ISS + 2);
    sends(ACK, .ack = ISS + 2, .seq = IRS + 11, .len = 10);
    expects(RST, .seq = ISS + 2);
}

/* Figure 13 */
ACTOR(closes_at_the_same_time)
{
    establish_active();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK | FIN, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    expects_state(HF_CLOSING);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    expects_state(HF_TIME_WAIT);
    after(61000);
    expects_closed(HF_OK);
}

/* Each repetition is acknowledged and begins the two MSL anew. */
ACTOR(repeats_its_fin_through_time_wait)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(ACK | FIN, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 2);
    for (int i = 0; i < 5; i++) {
        after(50000);
        expects_state(HF_TIME_WAIT);
        sends(ACK | FIN, .seq = IRS + 1, .ack = ISS + 2);
        expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    }
    after(61000);
    expects_closed(HF_OK);
}

/* An old connection must not be kept alive by ACKs. */
ACTOR(sends_acks_into_time_wait)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(ACK | FIN, .ack = ISS + 2);
    expects(ACK);
    for (int i = 0; i < 7; i++) {
        after(9000);
        sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    }
    peers_take_all(p);
    expects_closed(HF_OK);
}

ACTOR(sends_its_fin_far_out_of_the_window)
{
    establish_active();
    sends(ACK | FIN, .seq = IRS + 1 + 1000000);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
}

ACTOR(acknowledges_more_than_our_fin)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(ACK, .ack = ISS + 3);
    expects(ACK);
    expects_state(HF_FIN_WAIT_1);
    sends(ACK, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
}

ACTOR(answers_our_fin_with_a_reset)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    expects_silence();
}

/* It has closed its half: what we still send is acknowledged or not, but it is sent. */
ACTOR(closes_first_and_acknowledges_nothing_any_more)
{
    establish_passive();
    sends(ACK | FIN);
    expects(ACK, .ack = IRS + 2);
    writes(1000);
    expects(ACK, .len = 1000);
    closes();
    after(2000000);
    peers_take_all(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

ACTOR(sends_a_fin_without_an_ack)
{
    establish_active();
    sends(FIN, .seq = IRS + 1);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

const struct misbehaviour scripts_closing[] = {
    {"puts its last text and FIN into one segment", puts_its_last_text_and_fin_into_one_segment},
    {"acknowledges our FIN and never sends its own", acknowledges_our_fin_and_never_sends_its_own},
    {"never acknowledges our FIN", never_acknowledges_our_fin},
    {"sends its FIN twice, and once more behind it", sends_its_fin_twice},
    {"goes on sending behind its FIN", goes_on_behind_its_fin},
    {"sends its FIN ahead of text that is missing", sends_its_fin_ahead_of_text_that_is_missing},
    {"sends text when both directions are closed", sends_text_when_both_directions_are_closed},
    {"closes at the same time", closes_at_the_same_time},
    {"repeats its FIN through TIME-WAIT", repeats_its_fin_through_time_wait},
    {"sends ACKs into TIME-WAIT", sends_acks_into_time_wait},
    {"sends its FIN far out of the window", sends_its_fin_far_out_of_the_window},
    {"acknowledges more than our FIN", acknowledges_more_than_our_fin},
    {"answers our FIN with a reset", answers_our_fin_with_a_reset},
    {"closes first and acknowledges nothing any more",
     closes_first_and_acknowledges_nothing_any_more},
    {"sends a FIN without an ACK", sends_a_fin_without_an_ack},
    {NULL, NULL},
};
