/* scripts_opening.c - RFC 9293 section 3.5: peers that do not open as they should. */
#include "peers/scripts.h"

/* 3.10.7.3 first: SEG.ACK > SND.NXT. */
ACTOR(acknowledges_more_than_the_syn)
{
    opens();
    expects(SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 2, .mss = 1460);
    expects(RST, .seq = ISS + 2);
    expects_state(HF_SYN_SENT);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
}

/* 3.10.7.3 fourth: a SYN without ACK is a simultaneous open. */
ACTOR(splits_the_handshake)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    expects_state(HF_SYN_RECEIVED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_state(HF_ESTABLISHED);
    expects_silence();
}

/* 3.10.7.3 fifth */
ACTOR(acknowledges_our_syn_without_its_own)
{
    opens();
    expects(SYN);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects_silence();
    expects_state(HF_SYN_SENT);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .ack = IRS + 1);
}

ACTOR(repeats_its_syn_ack_for_ever)
{
    establish_active();
    for (int i = 0; i < 100; i++)
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    holds(peers_take_all(p) <= 100);
    expects_state(HF_ESTABLISHED);
}

/* Not kept, not acknowledged: the trade-off of 3.5 between memory and messages. */
ACTOR(sends_text_on_its_syn)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101);
    accepts();
    reads(100);
}

/* 3.10.7.2 third: the SYN counts, "all other control will be ignored". */
ACTOR(puts_a_fin_on_its_syn)
{
    listens();
    sends(SYN | FIN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    expects_state(HF_ESTABLISHED);
}

/* 3.10.7.4 fourth: a SYN in the window sends a passive open back to LISTEN. */
ACTOR(begins_anew_in_the_middle_of_a_handshake)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(SYN, .seq = IRS + 1000, .mss = 1460);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

/* RFC 4987 3.3: five repetitions, then it never was. */
ACTOR(never_ends_the_handshake)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    after(120000);
    holds_equal(peers_take_all(p), 5);
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds_equal(now.half_open, 0);
}

/* 3.5.2 (2): a reset for what it acknowledged; the attempt goes on. */
ACTOR(ends_the_handshake_with_the_wrong_number)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    expects_state(HF_ESTABLISHED);
}

/* RFC 4987: records up to the backlog and no more. */
ACTOR(floods_a_listener_with_syns)
{
    listens_with(4, false);
    for (uint16_t i = 0; i < 300; i++) {
        p->c->peer_port = (uint16_t)(5000 + i);
        new_incarnation(1000u * i);
        sends(SYN, .seq = IRS, .mss = 1460);
        peers_take_all(p);
    }
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds(now.half_open <= 4);
    holds_equal(now.connections, 0);
}

/* 3.5.3: judged by its ACK. */
ACTOR(refuses_with_a_reset_that_acknowledges_nothing_of_ours)
{
    opens();
    expects(SYN);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 7);
    sends(RST, .seq = IRS);
    expects_silence();
    expects_state(HF_SYN_SENT);
}

/* 3.10.7.1 */
ACTOR(answers_a_syn_that_nobody_sent)
{
    starts();
    sends(SYN | ACK, .seq = IRS, .ack = 12345, .mss = 1460);
    expects(RST, .seq = 12345);
    expects_silence();
}

/* The connection is accepted when there is room: it is not reset, and its text is not lost. */
ACTOR(sends_text_before_anybody_has_accepted)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    sends(ACK | FIN);
    expects(ACK, .ack = IRS + 1002);
    after(30000);
    accepts();
    reads(1000);
    reads_result(0);
}

const struct misbehaviour scripts_opening[] = {
    {"acknowledges more than our SYN", acknowledges_more_than_the_syn},
    {"splits the handshake into four", splits_the_handshake},
    {"acknowledges our SYN without a SYN of its own", acknowledges_our_syn_without_its_own},
    {"repeats its SYN,ACK for ever", repeats_its_syn_ack_for_ever},
    {"sends text on its SYN", sends_text_on_its_syn},
    {"puts a FIN on its SYN", puts_a_fin_on_its_syn},
    {"begins anew in the middle of a handshake", begins_anew_in_the_middle_of_a_handshake},
    {"never ends the handshake", never_ends_the_handshake},
    {"ends the handshake with the wrong number", ends_the_handshake_with_the_wrong_number},
    {"floods a listener with SYNs", floods_a_listener_with_syns},
    {"refuses with a reset that acknowledges nothing of ours",
     refuses_with_a_reset_that_acknowledges_nothing_of_ours},
    {"answers a SYN that nobody sent", answers_a_syn_that_nobody_sent},
    {"sends text and FIN before anybody has accepted", sends_text_before_anybody_has_accepted},
    {NULL, NULL},
};
