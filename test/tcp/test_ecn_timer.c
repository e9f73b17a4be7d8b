/* RFC 3168 section 6.1.2: the timer that keeps segments apart for ECN, beside the other timers that
 * have its place, and beside RFC 9293 section 3.6: behind a FIN that is acknowledged there is
 * nothing to keep apart.
 */
#include "common/peer.h"

/* A round trip of 100 ms. */
static void agree_upon(struct peer *p, uint32_t initial_cwnd)
{
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.initial_cwnd = initial_cwnd;
    opens();
    expects(SYN | ECE | CWR);
    after(100);
    sends(SYN | ACK | ECE, .seq = IRS, .mss = 1460, .sackok = true);
    expects(ACK);
}

/* A window of one segment. */
static void agree(struct peer *p)
{
    agree_upon(p, 1);
}

/* One segment of 100 octets and a FIN. */
static void says_all(struct peer *p)
{
    agree(p);
    writes(100);
    expects(ACK | PSH, .seq = ISS + 1, .len = 100);
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    after(100);
}

static void nothing_is_due(struct peer *p)
{
    expects_state(HF_FIN_WAIT_2);
    after(10000); /* the oracle knows no retransmission timeout in FIN-WAIT-2 */
    expects_silence();
}

/* RFC3168-18 */
TEST(an_echo_with_the_acknowledgment_of_the_fin_starts_no_timer)
{
    says_all(p);
    sends(ACK | ECE, .ack = ISS + 102);
    nothing_is_due(p);
}

/* RFC3168-18 */
TEST(the_acknowledgment_of_the_fin_ends_the_wait_that_an_echo_began)
{
    says_all(p);
    sends(ACK | ECE, .ack = ISS + 101);
    after(100);
    sends(ACK, .ack = ISS + 102);
    nothing_is_due(p);
}

/* Three small segments in flight; the echo comes with the first's ACK. */
static void waits_with_two_in_flight(struct peer *p)
{
    agree(p);
    sets(HF_NODELAY, 1);
    for (int i = 0; i < 3; i++) {
        writes(100);
        expects(ACK | PSH, .seq = ISS + 1 + 100 * i, .len = 100);
    }
    after(100);
    sends(ACK | ECE, .ack = ISS + 101);
}

static void all_is_acknowledged_and_new_text_waits(struct peer *p)
{
    sends(ACK, .ack = ISS + 301);
    writes(100);
    expects_after(150, 450, ACK | CWR | PSH, .seq = ISS + 301, .len = 100);
    sends(ACK, .ack = ISS + 401);
    after(10000);
    expects_silence();
}

/* RFC3168-18, RFC8985-20: there is nothing to probe for any more. */
TEST(a_wait_goes_on_when_what_a_probe_was_for_is_acknowledged)
{
    waits_with_two_in_flight(p);
    sends(ACK, .ack = ISS + 201);
    all_is_acknowledged_and_new_text_waits(p);
}

/* RFC3168-18, RFC8985-15 */
TEST(a_wait_goes_on_when_what_seemed_late_is_acknowledged)
{
    waits_with_two_in_flight(p);
    sends(ACK, .ack = ISS + 101, .sack = {{ISS + 201, ISS + 301}});
    all_is_acknowledged_and_new_text_waits(p);
}

/* The window is closed behind all that was sent, text waits; then comes an ACK of before, which was
 * overtaken, with an echo, and the window opens.  The first echo left one segment of two, and what
 * went behind it was acknowledged while the reduction went on, so that it is still one. */
static void an_echo_comes_to_a_closed_window(struct peer *p)
{
    agree_upon(p, 2);
    sends(ACK, .len = 10); /* nobody reads it: the record stays that knows of the reduction */
    expects(ACK);
    calls(hf_set_option(p->stack, &p->env, p->c->handle, HF_NODELAY, 1));
    writes(100);
    expects(ACK | PSH, .seq = ISS + 1, .len = 100);
    after(100);
    sends(ACK | ECE, .ack = ISS + 51);
    writes(100);
    expects(ACK | CWR | PSH, .seq = ISS + 101, .len = 100);
    after(100);
    sends(ACK, .ack = ISS + 201, .wnd = ZERO);
    holds_equal(status_of(cwnd), 1460);
    writes(100);
    expects_silence();
    sends(ACK | ECE, .ack = ISS + 101);
}

/* RFC 9293 3.8.6.1: the probes go on, whatever the echo says. */
TEST(an_echo_does_not_put_off_the_probes_of_a_closed_window)
{
    an_echo_comes_to_a_closed_window(p);
    p->c->wnd = 0;
    for (int i = 0; i < 3; i++) {
        expects_after(200, 3000, ACK, .seq = ISS + 200);
        sends(ACK, .ack = ISS + 201, .wnd = ZERO);
    }
}

/* RFC3168-18: a window of one segment, so the text waits for the timer, but no longer. */
TEST(a_wait_that_an_echo_to_a_closed_window_began_ends)
{
    an_echo_comes_to_a_closed_window(p);
    after(50);
    sends(ACK, .ack = ISS + 201);
    expects_after(150, 450, ACK | CWR | PSH, .seq = ISS + 201, .len = 100);
    sends(ACK, .ack = ISS + 301);
    after(10000);
    expects_silence();
}

/* RFC 6298 5.1, RFC 9293 3.5: a FIN does not wait, and has the whole RTO for its acknowledgment:
 * what ran was no retransmission timer.  RFC3168-18 */
TEST(a_fin_that_goes_while_text_would_wait_is_not_repeated_when_the_wait_ends)
{
    p->config.policy.tlp = false;
    agree(p);
    writes(100);
    expects(ACK | PSH, .seq = ISS + 1, .len = 100);
    after(100);
    sends(ACK | ECE, .ack = ISS + 101);
    after(200); /* of 300: SRTT and the least RTO */
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    expects_after(290, 420, FIN | ACK, .seq = ISS + 101);
    sends(ACK, .ack = ISS + 102);
    nothing_is_due(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_echo_with_the_acknowledgment_of_the_fin_starts_no_timer),
        BOTH(a_wait_goes_on_when_what_a_probe_was_for_is_acknowledged),
        BOTH(a_wait_goes_on_when_what_seemed_late_is_acknowledged),
        BOTH(the_acknowledgment_of_the_fin_ends_the_wait_that_an_echo_began),
        V4(an_echo_does_not_put_off_the_probes_of_a_closed_window),
        BOTH(a_wait_that_an_echo_to_a_closed_window_began_ends),
        BOTH(a_fin_that_goes_while_text_would_wait_is_not_repeated_when_the_wait_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
