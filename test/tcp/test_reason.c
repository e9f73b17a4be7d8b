/* RFC 9293 section 3.6, as hf_close_reason tells it: in each state who closed first and what is
 * waited for, and afterwards how it ended. */
#include "common/peer.h"

#include <string.h>

enum { NOBODY, THIS_SIDE, THE_PEER, BOTH_SIDES };

static void tells(struct peer *p, int error, int first, int state, const char *words)
{
    struct hf_close_reason reason;
    holds_equal(hf_close_reason(p->stack, p->c->handle, &reason), error);
    holds_equal(reason.error, error);
    holds_equal(reason.first, first);
    holds_equal(reason.state, state);
    if (strstr(reason.text, words) == NULL)
        peer_fail(p, "\"%s\" does not say \"%s\"", reason.text, words);
    const char *name = hf_state_name((enum hf_state)state);
    if (error != HF_ERR_REFUSED && strstr(reason.text, name) == NULL)
        peer_fail(p, "\"%s\" does not name the state", reason.text);
}

/* Figure 12, and one state further each time. */
TEST(each_state_of_one_that_closes_first_is_told)
{
    opens();
    expects(SYN);
    tells(p, HF_OK, NOBODY, HF_SYN_SENT, "our SYN has not been answered");
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
    tells(p, HF_OK, NOBODY, HF_ESTABLISHED, "open in both directions");
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    tells(p, HF_OK, THIS_SIDE, HF_FIN_WAIT_1, "this side closed first; our FIN");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    tells(p, HF_OK, THIS_SIDE, HF_FIN_WAIT_2, "the peer has not closed");
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK);
    tells(p, HF_OK, THIS_SIDE, HF_TIME_WAIT, "waits for late segments");
    after(60100);
    tells(p, HF_OK, THIS_SIDE, HF_TIME_WAIT, "this side closed first, the peer followed");
}

TEST(each_state_of_one_whose_peer_closes_first_is_told)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    tells(p, HF_OK, THE_PEER, HF_CLOSE_WAIT, "the peer closed first; this side has not closed");
    closes();
    expects(FIN | ACK);
    tells(p, HF_OK, THE_PEER, HF_LAST_ACK, "the peer closed first, then this side");
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    expects_closed(0);
    tells(p, HF_OK, THE_PEER, HF_LAST_ACK, "the peer closed first, this side followed");
}

/* Figure 13 */
TEST(both_that_close_at_once_are_told)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    tells(p, HF_OK, BOTH_SIDES, HF_CLOSING, "both sides closed at once; our FIN");
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    after(60100);
    tells(p, HF_OK, BOTH_SIDES, HF_TIME_WAIT, "both sides closed at once");
}

TEST(a_simultaneous_open_and_a_held_syn_are_told)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    tells(p, HF_OK, NOBODY, HF_SYN_RECEIVED, "our SYN has not been acknowledged");
    sends(RST, .seq = IRS + 1);
    tells(p, HF_ERR_REFUSED, THE_PEER, HF_SYN_RECEIVED, "refused");
    listens_with(4, true);
    on(1);
    p->c->stack_port = 80;
    sends(SYN, .seq = IRS, .mss = 1460);
    is_asked();
    tells(p, HF_OK, NOBODY, HF_LISTEN, "waits for the application's answer");
    decides(HF_ANSWER_RESET);
    expects(RST | ACK);
}

TEST(a_close_before_the_open_is_told)
{
    opens();
    expects(SYN);
    closes();
    tells(p, HF_ERR_CLOSING, THIS_SIDE, HF_SYN_SENT, "before the connection was open");
}

TEST(what_gave_up_tells_how_often_it_tried)
{
    p->config.policy.data_retries = 1;
    establish_active();
    writes(10);
    after(20000);
    peer_forget(p);
    tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED, "gave up after 1 retransmission without");
    on(1);
    establish_active();
    sets(HF_KEEPALIVE, 1);
    sets(HF_KEEPALIVE_IDLE, 1000);
    sets(HF_KEEPALIVE_INTERVAL, 1000);
    after(60000);
    peer_forget(p);
    tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED, "answered no keep-alive");
    on(2);
    establish_active();
    sets(HF_USER_TIMEOUT, 3000);
    writes(10);
    after(10000);
    peer_forget(p);
    tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED, "the user timeout passed");
}

/* Nothing was sent, so nothing was sent again. */
TEST(text_that_never_had_a_way_out_is_not_told_as_window_probes)
{
    establish_active();
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip)); /* and the route with it */
    writes(10);
    after(3600 * 1000);
    expects_silence();
    tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED, " waits for a way to the peer in");
}

/* RFC 5482 counts it, though nothing is in flight; RFC 9293 3.8.6.1 keeps the connection without.
 */
TEST(a_user_timeout_tells_a_window_that_stayed_closed_from_a_silent_peer)
{
    for (int i = 0; i < 2; i++) {
        bool answers = i == 0;
        on(i);
        establish_active();
        sets(HF_USER_TIMEOUT, 5000);
        sends(ACK, .wnd = ZERO);
        writes(100);
        for (int tick = 0; tick < 5; tick++) {
            after(1100);
            peer_forget(p);
            if (answers)
                sends(ACK, .wnd = ZERO);
        }
        tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED,
              answers ? "the peer's window stayed closed for the user timeout in"
                      : "the user timeout passed without an acknowledgment");
    }
    on(2);
    establish_active();
    sets(HF_USER_TIMEOUT, 5000);
    writes(100);
    after(100);
    sends(ACK, .ack = ISS + 1,
          .wnd = ZERO); /* a window taken back: what was sent is not acknowledged */
    after(6000);
    peer_forget(p);
    tells(p, HF_ERR_TIMED_OUT, THIS_SIDE, HF_ESTABLISHED, "without an acknowledgment");
}

TEST(a_reset_tells_whose_it_was_and_what_it_ended)
{
    establish_active();
    aborts();
    expects(RST | ACK);
    tells(p, HF_ERR_ABORTED, THIS_SIDE, HF_ESTABLISHED, "aborted by this side with a reset");
    on(1);
    establish_active();
    sends(RST, .seq = IRS + 1);
    tells(p, HF_ERR_RESET, THE_PEER, HF_ESTABLISHED, "reset by the peer in ESTABLISHED");
    on(2);
    opens();
    expects(SYN);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
    tells(p, HF_ERR_REFUSED, THE_PEER, HF_SYN_SENT, "refused");
}

/* 3.10.7.4 (SYN-RECEIVED), RFC 9768 3.1.5: the peer has sent no reset, it was this side. */
TEST(a_syn_that_ends_what_another_had_begun_is_no_reset_of_the_peer)
{
    p->config.policy.accecn = true;
    listens_with(4, true);
    sends(SYN | AE | CWR | ECE, .seq = IRS, .mss = 1460);
    is_asked();
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(RST | ACK);
    tells(p, HF_ERR_RESET, THIS_SIDE, HF_LISTEN, "ended by another SYN of the peer in LISTEN");
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK);
    sends(SYN, .seq = IRS + 1);
    tells(p, HF_ERR_RESET, THIS_SIDE, HF_SYN_RECEIVED, "ended by another SYN of the peer in");
}

/* 3.10.5, 3.10.7.4: in the last states what ends them is no error. */
TEST(what_ends_the_last_states_is_told)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        establish_active();
        closes();
        expects(FIN | ACK);
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK);
        if (i == 0)
            aborts();
        else
            sends(RST, .seq = IRS + 2);
        tells(p, HF_OK, BOTH_SIDES, HF_CLOSING,
              i == 0 ? "this side's ABORT ended" : "the peer's reset ended");
    }
}

/* ... unless something of ours was never sent.  Of what was, the ACK may be lost, and the peer be
 * through with TIME-WAIT. */
TEST(a_reset_in_the_last_states_before_all_is_sent_is_an_error)
{
    p->c->wnd = 1000;
    establish_active();
    writes(5000);
    expects(ACK, .len = 1000);
    closes();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    sends(RST, .seq = IRS + 2);
    tells(p, HF_ERR_RESET, BOTH_SIDES, HF_CLOSING, "reset by the peer in CLOSING");
    on(1);
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    writes(500);
    expects(PSH | ACK, .len = 500);
    closes();
    expects(FIN | ACK);
    sends(RST, .seq = IRS + 2);
    tells(p, HF_OK, THE_PEER, HF_LAST_ACK, "the peer closed first, this side followed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(each_state_of_one_that_closes_first_is_told),
        V4(each_state_of_one_whose_peer_closes_first_is_told),
        V4(both_that_close_at_once_are_told),
        V4(a_simultaneous_open_and_a_held_syn_are_told),
        V4(a_close_before_the_open_is_told),
        V4(what_gave_up_tells_how_often_it_tried),
        V4(text_that_never_had_a_way_out_is_not_told_as_window_probes),
        V4(a_user_timeout_tells_a_window_that_stayed_closed_from_a_silent_peer),
        V4(a_reset_tells_whose_it_was_and_what_it_ended),
        V4(a_syn_that_ends_what_another_had_begun_is_no_reset_of_the_peer),
        V4(what_ends_the_last_states_is_told),
        BOTH(a_reset_in_the_last_states_before_all_is_sent_is_an_error),
    };
    return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
