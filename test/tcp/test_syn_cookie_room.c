/* RFC 4987 section 3.6, listen(2): SYN cookies that come back when there is no room, and those of a
 * listener with options of its own, whose SYNs take another way. */
#include "common/peer.h"

TEST(a_cookie_that_finds_the_accept_queue_full_is_ignored_until_there_is_room)
{
    p->config.max_connections = 8;
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens_with(1, false);
    for (int i = 0; i < 3; i++) {
        on(i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS);
    }
    for (int i = 0; i < 3; i++) {
        on(i);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    }
    expects_silence();
    holds_equal(peer_count(p, HF_V_DROP_ACCEPT_FULL), 1);
    on(3);
    sends(SYN, .seq = IRS, .mss = 1460); /* not even a cookie */
    expects_silence();
    on(0);
    accepts();
    on(1);
    accepts();
    on(2);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 5);
    expects(ACK, .ack = IRS + 6);
    accepts();
    reads(5);
}

/* The first of two peers brings its cookie back, and takes the only record. */
static void two_cookies_and_room_for_one(struct peer *p)
{
    p->config.max_connections = 1;
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS);
    }
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
}

/* FL-03: the first segment of three is ignored, so the others are no reason to reset. */
TEST(text_behind_a_cookie_that_found_no_room_is_not_reset)
{
    two_cookies_and_room_for_one(p);
    accepts();
    on(1);
    for (int i = 0; i < 3; i++)
        sends(ACK, .seq = IRS + 1 + 100 * i, .ack = ISS + 1, .len = 100);
    expects_silence();
    holds_equal(peer_count(p, HF_V_DROP_ACCEPT_FULL), 3);
    holds_equal(peer_count(p, HF_V_DROP_COOKIE), 0);
    on(0);
    aborts();
    expects(RST | ACK);
    releases();
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101);
    accepts();
}

/* RFC 8985 7: the loss probe of a peer whose final ACK, text and FIN were ignored comes first, and
 * there may be room by then. */
TEST(the_last_segment_of_a_peer_that_waits_for_room_is_not_reset)
{
    two_cookies_and_room_for_one(p);
    accepts();
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    on(0);
    aborts();
    expects(RST | ACK);
    releases();
    on(1);
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101);
    accepts();
    reads(100);
}

/* As long as its cookie is good. */
TEST(a_wrong_cookie_is_reset_again_once_nobody_waits_for_room_any_more)
{
    two_cookies_and_room_for_one(p);
    accepts();
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    on(0);
    aborts();
    expects(RST | ACK);
    releases();
    after(2 * 60000);
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460); /* cookies are still given out */
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects_silence();
    after(1);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

TEST(with_abort_on_overflow_a_cookie_that_finds_the_accept_queue_full_is_reset)
{
    p->config.policy.abort_on_overflow = true;
    two_cookies_and_room_for_one(p);
    expects_silence();
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

/* RFC 7323 2.3: it says nothing of the window scale of others. */
TEST(the_first_cookie_is_for_a_syn_without_window_scale_and_others_keep_theirs)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_SEND_LOW_WATER, 1000));
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(7));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(rcv_wscale), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_first_cookie_is_for_a_syn_without_window_scale_and_others_keep_theirs),
        BOTH(a_cookie_that_finds_the_accept_queue_full_is_ignored_until_there_is_room),
        BOTH(text_behind_a_cookie_that_found_no_room_is_not_reset),
        BOTH(the_last_segment_of_a_peer_that_waits_for_room_is_not_reset),
        BOTH(a_wrong_cookie_is_reset_again_once_nobody_waits_for_room_any_more),
        BOTH(with_abort_on_overflow_a_cookie_that_finds_the_accept_queue_full_is_reset),
    };
    return cmocka_run_group_tests_name("syn cookies without room", tests, NULL, NULL);
}
