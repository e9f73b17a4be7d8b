/* RFC 9293 sections 3.1 and 3.2, seen from outside: windows, reserved bits, and options as they may
 * lie in any segment.
 */
#include "common/raw.h"

#include <string.h>

#include "base/bytes.h"

/* MUST-1, X-16: the window is no signed number. */
TEST(a_window_above_32767_is_used_whole)
{
    p->config.policy.initial_cwnd = 64;
    p->config.policy.window_scale = false;
    establish_active();
    p->c->wnd = 65535;
    sends(ACK);
    writes(65535);
    for (int i = 0; i < 44; i++)
        expects(ACK, .len = 1460);
    expects(ACK, .len = 65535 - 44 * 1460);
    expects_silence();
}

/* MUST-5, MUST-6, MUST-68, RFC7323-27, RFC5482-5 */
TEST(an_option_that_nobody_agreed_upon_is_skipped_in_any_segment)
{
    static const uint8_t on_syn[] = {253, 4, 0xaa, 0xbb, 77,        5,         1,
                                     2,   3, 2,    4,    1000 >> 8, 1000 & 255};
    static const uint8_t unknown[] = {200, 6, 1, 2, 3, 4};
    static const uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0};
    listens();
    sends_with_options(on_syn, SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
    sends_with_options(unknown, ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    sends_with_options(stamps, ACK, .seq = IRS + 1, .ack = ISS + 1, .text = 10);
    expects(ACK, .ack = IRS + 11, .options = "");
    sends_with_options(unknown, ACK, .seq = IRS + 11, .ack = ISS + 1, .text = 10);
    expects(ACK, .ack = IRS + 21);
    reads(20);
    p->c->nxt = p->c->irs + 21;
    writes(3000); /* the MSS behind two unknown options was found */
    expects(ACK, .len = 1000);
    expects(ACK, .len = 1000);
    expects(ACK, .len = 1000);
    sends(ACK);
    sends_with_options(unknown, FIN | ACK, .seq = IRS + 21, .ack = ISS + 3001);
    expects(ACK, .ack = IRS + 22);
    expects_state(HF_CLOSE_WAIT);
}

/* MUST-64, MUST-69, MUST-4: what stands behind the end of the list says nothing. */
TEST(options_may_begin_at_any_octet_and_end_before_the_header_does)
{
    static const uint8_t octets[] = {2, 4, 2000 >> 8, 2000 & 255, 3, 3, 5, 8, 10, 0, 0, 0,
                                     7, 0, 0,         0,          0, 4, 2, 0, 3,  3, 1};
    listens();
    sends_with_options(octets, SYN, .seq = IRS, .pad = 0xff);
    expects(SYN | ACK, .ack = IRS + 1, .tsecr = 7, .options = "mss 1460,sackOK,TS,nop,wscale 8");
    static const uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0};
    sends_with_options(stamps, ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(snd_wscale), 5); /* not the one behind the end */
}

/* MUST-7 */
TEST(an_illegal_option_length_on_a_syn_does_no_harm)
{
    static const uint8_t bad[][8] = {{2, 4, 3, 232, 99, 0, 0, 0},
                                     {2, 4, 3, 232, 99, 1, 1, 1},
                                     {2, 4, 3, 232, 1, 1, 99, 41},
                                     {2, 4, 3, 232, 2, 3, 9, 0}};
    listens();
    for (int i = 0; i < 4; i++) {
        on(i);
        sends_with_options(bad[i], SYN, .seq = IRS);
        expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        holds_equal(status_of(snd_mss), 1000); /* what stood before it counts */
    }
}

/* MUST-7 */
TEST(an_illegal_option_length_in_an_open_connection_does_no_harm)
{
    static const uint8_t bad[][4] = {{99, 0, 0, 0}, {99, 1, 1, 1}, {1, 1, 99, 41}, {1, 1, 1, 8}};
    establish_active();
    for (int i = 0; i < 4; i++) {
        sends_with_options(bad[i], ACK, .seq = IRS + 1 + 10 * i, .ack = ISS + 1, .text = 10);
        expects(ACK, .ack = IRS + 11 + 10 * i);
    }
    reads(40);
    expects_state(HF_ESTABLISHED);
}

/* */
TEST(reserved_bits_are_not_looked_at)
{
    static const uint8_t none[] = {1, 1, 1, 1};
    listens();
    sends_with_options(none, SYN, .seq = IRS, .reserved = 7);
    expects(SYN | ACK, .ack = IRS + 1);
    sends_with_options(none, ACK, .seq = IRS + 1, .ack = ISS + 1, .reserved = 5, .text = 10);
    expects(ACK, .ack = IRS + 11);
    accepts();
    reads(10);
}

/* MUST-65, RFC7323-6, RFC2018-1 */
TEST(options_of_the_syn_mean_nothing_later)
{
    static const uint8_t octets[] = {2, 4, 0, 250, 1, 3, 3, 0, 1, 1, 4, 2};
    p->with.wscale = SHIFT(7);
    establish_passive();
    sends_with_options(octets, ACK, .seq = IRS + 1, .ack = ISS + 1, .text = 10);
    expects(ACK, .ack = IRS + 11);
    holds_equal(status_of(snd_mss), 1460);
    holds_equal(status_of(snd_wscale), 7);
    holds_equal(status_of(options) & HF_OPT_SACK_OK, 0);
}

/* RFC7323-21: without the ACK bit the echo says nothing, whatever it holds. */
TEST(the_echo_of_a_syn_without_ack_is_not_measured)
{
    opens();
    struct seen *seen = peer_any(p);
    uint32_t stamp = seen->seg.opt.ts_val;
    peer_taken(p, seen);
    after(100);
    uint8_t octets[] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 0};
    put_be32(octets + 8, stamp);
    sends_with_options(octets, SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1, .tsecr = 5);
    holds_equal(status_of(srtt_us), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_window_above_32767_is_used_whole),
        BOTH(an_option_that_nobody_agreed_upon_is_skipped_in_any_segment),
        BOTH(options_may_begin_at_any_octet_and_end_before_the_header_does),
        V4(an_illegal_option_length_on_a_syn_does_no_harm),
        V4(an_illegal_option_length_in_an_open_connection_does_no_harm),
        BOTH(reserved_bits_are_not_looked_at),
        V4(options_of_the_syn_mean_nothing_later),
        V4(the_echo_of_a_syn_without_ack_is_not_measured),
    };
    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
