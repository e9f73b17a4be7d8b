/* RFC 8985 section 6.2, step 2: RACK.rtt is of whatever arrived last in the order of numbers, also
 * of what left before RACK.segment. */
#include "common/peer.h"

#define AT(n) (ISS + 1 + (n)*1000)

/* 0, 4 and 7 of ten seem lost; 3 was only late.  Its round trip is the longest, and by it 9, which
 * left with it, is not late yet when the repeat of 0 has arrived: three segments may go, and none
 * of them is 9. */
TEST(a_late_arrival_says_how_late_others_may_be)
{
    opens();
    expects(SYN);
    after(10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000, .wscale = SHIFT(8), .sackok = true);
    expects(ACK);
    writes(10000);
    for (int i = 0; i < 10; i++) {
        expects(ACK, .seq = AT(i), .len = 1000);
    }
    after(10);
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(2)}});
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(3)}});
    sends(ACK, .ack = AT(0), .sack = {{AT(1), AT(3)}, {AT(8), AT(9)}});
    expects(ACK, .seq = AT(0), .len = 1000);
    after(12);
    sends(ACK, .ack = AT(4), .sack = {{AT(8), AT(9)}});
    for (int i = 4; i < 7; i++) {
        expects(ACK, .seq = AT(i), .len = 1000);
    }
    writes(10000);
    expects_silence();
    after(2);
    sends(ACK, .ack = AT(3), .sack = {{AT(5), AT(7)}});
    expects(ACK, .seq = AT(7), .len = 1000);
    expects(ACK, .seq = AT(10), .len = 1000);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(a_late_arrival_says_how_late_others_may_be)};
    return cmocka_run_group_tests_name("rack_times", tests, NULL, NULL);
}
