/* scripts_resets.c - RFC 9293 section 3.5.3, RFC 5961: peers that reset, or pretend to open again.
 */
#include "peers/scripts.h"

ACTOR(resets_with_a_number_in_the_window)
{
    establish_active();
    sends(RST, .seq = IRS + 100);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    sends(RST, .seq = IRS + 1);
    expects_silence();
    expects_closed(HF_ERR_RESET);
}

ACTOR(resets_with_a_number_out_of_the_window)
{
    establish_active();
    sends(RST, .seq = IRS + 1 + 1000000);
    sends(RST, .seq = IRS);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* RFC 5961 7: it learns nothing by counting answers. */
ACTOR(tries_resets_with_one_number_after_the_other)
{
    establish_active();
    for (int i = 1; i <= 100; i++)
        sends(RST, .seq = IRS + 1 + 600 * i);
    holds(peers_take_all(p) <= 1);
    expects_state(HF_ESTABLISHED);
}

/* RFC 5961 4 */
ACTOR(sends_a_syn_into_an_open_connection)
{
    establish_active();
    sends(SYN, .seq = IRS + 50, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    after(600);
    sends(SYN, .seq = IRS - 5000, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    after(600);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
}

/* Its old self is gone: it answers our challenge with a reset, and that one is exact. */
ACTOR(comes_up_again_and_opens_the_same_connection)
{
    establish_passive();
    sends(SYN, .seq = IRS + 70000, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    releases();
    new_incarnation(70100);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
}

ACTOR(resets_behind_text_that_was_not_read)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    sends(RST, .seq = IRS + 101);
    expects_closed(HF_ERR_RESET);
    expects_silence();
}

/* No reset for a reset. */
ACTOR(resets_what_is_not_there)
{
    starts();
    sends(RST, .seq = IRS);
    sends(RST | ACK, .seq = IRS, .ack = 77);
    expects_silence();
}

/* 3.10.7.1: each gets its reset, and no record is made. */
ACTOR(sends_to_a_port_where_nobody_is)
{
    starts();
    for (int i = 0; i < 50; i++) {
        sends(ACK, .seq = IRS, .ack = 5000 + i, .len = 10);
        expects(RST, .seq = 5000 + i);
    }
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1);
    sends(FIN, .seq = IRS);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1);
}

/* A segment with every bit: the reset counts, and only at its exact number. */
ACTOR(sets_every_bit_at_once)
{
    establish_active();
    sends(SYN | FIN | RST | PSH | ACK | URG, .seq = IRS + 10, .ack = ISS + 1, .up = 1);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    sends(SYN | FIN | RST | PSH | ACK | URG, .seq = IRS + 1, .ack = ISS + 1, .up = 1);
    expects_closed(HF_ERR_RESET);
}

/* 3.10.7.4 fifth: "if the ACK bit is off, drop the segment". */
ACTOR(sets_no_bit_at_all)
{
    establish_active();
    sends(0, .seq = IRS + 1, .len = 10);
    sends(PSH | URG, .seq = IRS + 1, .len = 10, .up = 3);
    expects_silence();
    holds_equal(status_of(unread_bytes), 0);
    expects_state(HF_ESTABLISHED);
}

const struct misbehaviour scripts_resets[] = {
    {"resets with a number in the window", resets_with_a_number_in_the_window},
    {"resets with a number out of the window", resets_with_a_number_out_of_the_window},
    {"tries resets with one number after the other", tries_resets_with_one_number_after_the_other},
    {"sends SYNs into an open connection", sends_a_syn_into_an_open_connection},
    {"comes up again and opens the same connection", comes_up_again_and_opens_the_same_connection},
    {"resets behind text that was not read", resets_behind_text_that_was_not_read},
    {"resets what is not there", resets_what_is_not_there},
    {"sends to a port where nobody is", sends_to_a_port_where_nobody_is},
    {"sets every control bit at once", sets_every_bit_at_once},
    {"sets no control bit at all", sets_no_bit_at_all},
    {NULL, NULL},
};
