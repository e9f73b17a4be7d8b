/* RFC 3168 section 6.1.2 beside RFC 9293 section 3.6: the timer that keeps segments apart for ECN
 * has nothing to keep apart behind a FIN that is acknowledged.
 */
#include "common/peer.h"

/* One segment of 100 octets and a FIN, at a window of one segment. */
static void says_all(struct peer *p)
{
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.initial_cwnd = 1;
    opens();
    expects(SYN | ECE | CWR);
    sends(SYN | ACK | ECE, .seq = IRS, .mss = 1460);
    expects(ACK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_echo_with_the_acknowledgment_of_the_fin_starts_no_timer),
        BOTH(the_acknowledgment_of_the_fin_ends_the_wait_that_an_echo_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
