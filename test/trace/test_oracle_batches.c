/* Several segments before any answer leaves, cookies beside half-open connections, ends that no
 * record tells: what the oracle must not take for broken rules.  Each test's records are judged.
 */
#include "batches.h"

static void closes_first(struct peer *p)
{
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_state(HF_TIME_WAIT);
    peer_forget(p);
}

TEST(a_cookie_answers_the_syn_that_it_was_made_for_though_another_has_come_since)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    p->wild = true;
    listens();
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true, .tsval = 1000);
    sends(SYN, .seq = IRS + 5000, .mss = 1460);
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 2);
}

TEST(a_syn_ack_may_leave_after_the_half_open_connection_that_it_belongs_to)
{
    p->wild = true;
    listens();
    batch_begins();
    half_open_and_back(p);
    sends(SYN, .seq = IRS + 5000, .mss = 1460);
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 1);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 2);
}

TEST(an_ack_may_leave_after_the_half_open_connection_that_it_belongs_to)
{
    listens();
    p->wild = true;
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    batch_begins();
    sends(ACK, .seq = IRS + 70000, .ack = ISS + 1);
    sends(SYN, .seq = IRS + 20, .mss = 1460); /* inside the window: back to LISTEN */
    sends(SYN, .seq = IRS + 5000, .mss = 1460);
    sends(FIN, .seq = IRS + 5000); /* ends where the numbers are known */
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 1);
}

TEST(the_ack_of_a_half_open_connection_may_leave_when_it_is_open)
{
    listens();
    p->wild = true;
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    expects(SYN | ACK, .seq = ISS);
    batch_begins();
    sends(ACK, .seq = IRS + 70000, .ack = ISS + 1, .tsval = 1001);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000, .tsval = 1002);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .tsecr = 1000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1002, .tsecr = 1002);
    sends(SYN, .seq = IRS + 2000, .tsval = 1003); /* the limit of challenge ACKs began anew */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1002);
    expects_silence();
}

TEST(each_segment_at_a_half_open_connection_has_an_ack_of_its_own)
{
    listens();
    p->wild = true;
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    batch_begins();
    sends(ACK, .seq = IRS + 70000, .ack = ISS + 1, .len = 100);
    sends(SYN | ACK, .seq = IRS - 90, .ack = ISS + 1);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_silence();
}

TEST(a_segment_without_its_timestamp_may_come_before_the_syn_ack_has_left)
{
    p->wild = true;
    listens();
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    sends(SYN | ACK, .seq = IRS - 500, .ack = ZERO, .tsval = 1001);
    sends(SYN | ACK, .seq = IRS + 90000, .ack = ZERO, .no_ts = true);
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_NO_TIMESTAMP), 1);
}

TEST(what_its_listener_had_not_given_out_ends_with_it_and_the_same_sockets_may_open)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    calls(hf_release(p->stack, &p->env, p->listener));
    expects(RST | ACK, .seq = ISS + 1);
    new_incarnation(7000);
    opens();
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .seq = ISS + 1);
    expects_state(HF_ESTABLISHED);
}

TEST(a_half_open_connection_ends_with_its_listener_and_the_same_syn_gets_another_iss)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    expects_after(990, 1050, SYN | ACK, .seq = ISS);
    after(500);
    calls(hf_release(p->stack, &p->env, p->listener));
    listens();
    new_incarnation(100);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

static void sends_cookies(struct peer *p, uint8_t when)
{
    p->config.policy.syn_cookies = when;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
}

/* RFC 4987 3.6: the accept queue is full when the cookie comes back, and text is behind it. */
TEST(a_cookie_that_finds_no_room_changes_nothing_of_the_half_open_one_beside_it)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens_with(1, false);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    uint32_t cookie = p->c->iss;
    sends_cookies(p, HF_COOKIES_FULL);
    new_incarnation(100);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends_cookies(p, HF_COOKIES_ALWAYS);
    for (int i = 1; i <= 2; i++) {
        on(i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    }
    on(0);
    p->wild = true;
    p->c->iss = cookie;
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    sends(ACK, .seq = IRS + 1001, .ack = ISS + 1, .len = 10);
    after(70000);
    peer_forget(p);
    holds_equal(peer_count(p, HF_V_DROP_ACCEPT_FULL), 2);
}

TEST(the_answers_of_a_half_open_connection_may_leave_when_a_cookie_has_opened_another)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    p->wild = true;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends_cookies(p, HF_COOKIES_FULL);
    batch_begins();
    sends(SYN, .seq = IRS - 1, .mss = 1460);
    sends(ACK, .seq = IRS - 1, .ack = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 1);
    holds_equal(peer_count(p, HF_V_ACK_ONLY_TAKEN), 1);
    holds_equal(peer_count(p, HF_V_COOKIE_ACCEPTED), 1);
}

/* MAY-2, listen(2): what was to take the place of one in TIME-WAIT finds no room, and is reset. */
TEST(a_reset_may_be_of_a_half_open_connection_beside_one_in_time_wait)
{
    p->config.policy.abort_on_overflow = true;
    listens_with(1, false);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    new_incarnation(7000);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    for (int i = 1; i <= 2; i++) {
        on(i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    }
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    after(100);
}

TEST(a_held_syn_that_is_answered_has_variables_of_its_own)
{
    listens_with(4, true);
    p->wild = true;
    for (int i = 0; i < 2; i++) {
        sends(SYN, .seq = IRS + 100 * i, .mss = 1460);
        takes_held();
        peer_forget(p);
        sends(SYN, .seq = IRS + 100 * i + 50); /* inside the window: it ends */
        calls(hf_release(p->stack, &p->env, p->c->handle));
        after(100);
        peer_forget(p);
    }
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 2);
}

/* A SYN that is held, and answered. */
static void answers_held(struct peer *p)
{
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

static void opens_held(struct peer *p)
{
    answers_held(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
}

TEST(the_reset_of_a_silent_peer_is_of_the_newest_of_three_connections_of_its_sockets)
{
    listens_with(4, true);
    for (int i = 0; i < 2; i++) {
        opens_held(p);
        closes_first(p);
        releases();
        new_incarnation(2000 * (uint32_t)(i + 1));
    }
    opens_held(p);
    sets(HF_KEEPALIVE_IDLE, 10000);
    sets(HF_KEEPALIVE_INTERVAL, 1000);
    sets(HF_KEEPALIVE_COUNT, 1);
    sets(HF_KEEPALIVE, 1);
    p->wild = true;
    after(12000);
    peer_forget(p);
    expects_state(HF_CLOSED);
}

TEST(a_syn_that_was_held_twice_is_answered_when_two_of_its_sockets_are_gone)
{
    listens_with(4, true);
    p->wild = true;
    for (int i = 0; i < 2; i++) {
        opens_held(p);
        closes_first(p);
        releases();
        new_incarnation(2000 * (uint32_t)(i + 1));
    }
    for (int i = 0; i < 2; i++)
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1300 + i);
    after(70000);
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .tsecr = 1301);
}

TEST(many_resets_may_be_of_a_held_syn_beside_one_in_time_wait)
{
    listens_with(4, true);
    p->wild = true;
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    closes_first(p);
    batch_begins();
    sends(SYN, .seq = IRS + 2000, .mss = 1460);
    for (int i = 0; i < 6; i++)
        sends(ACK, .seq = IRS + 2001, .ack = ISS + 100 * i);
    batch_ends();
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_LISTEN_ACK), 6);
}

TEST(a_syn_ack_may_leave_after_its_half_open_connection_beside_one_in_time_wait)
{
    p->wild = true;
    establish_passive();
    closes_first(p);
    batch_begins();
    sends(SYN, .seq = IRS + 2000, .mss = 1460);
    sends(SYN, .seq = IRS + 2001, .mss = 1460);
    batch_ends();
    expects(SYN | ACK, .ack = IRS + 2001);
    settles(p);
    holds_equal(peer_count(p, HF_V_TIME_WAIT_REUSED), 1);
    holds_equal(peer_count(p, HF_V_SYN_BACK_TO_LISTEN), 1);
}

/* Its SYN,ACK has promised `before`. */
static void half_open_as_its_listener_grows(struct peer *p, uint16_t before, uint16_t behind)
{
    listens();
    p->c->handle = p->listener;
    sets(HF_RECEIVE_WINDOW, before);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .wnd = before);
    sets(HF_RECEIVE_WINDOW, behind);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000);
}

TEST(the_window_of_a_half_open_connection_grows_with_its_listeners)
{
    half_open_as_its_listener_grows(p, 256, 5000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1001);
}

TEST(text_may_fill_the_window_that_a_half_open_connection_got_with_its_listeners)
{
    half_open_as_its_listener_grows(p, 116, 236);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 237, .wnd = 0);
}

/* RFC 9293 3.10.7.4 eighth: the nearest one that has no text behind it. */
TEST(of_many_fins_ahead_of_a_gap_any_may_be_the_one)
{
    establish_passive();
    for (int i = 0; i < 9; i++) {
        sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 1000 - 100 * i);
        peer_forget(p);
    }
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    peer_forget(p);
    expects_state(HF_CLOSE_WAIT);
}

/* Figure 9: the SYN that goes again a little later counts in the limit from when it was asked for.
 */
TEST(a_challenge_ack_may_follow_the_repeated_syn_by_less_than_the_limit)
{
    opens();
    expects(SYN, .seq = ISS);
    sends(ACK, .seq = IRS, .ack = ISS + 100);
    expects(RST, .seq = ISS + 100);
    expects_after(9, 12, SYN, .seq = ISS);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(491);
    sends(SYN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
}

/* RFC 9293 3.10.7.4 first: the peer's FIN once more with the ACK of ours, and its next SYN. */
static void closes_last_and_opens_again(struct peer *p)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 2);
    batch_begins();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    sends(SYN, .seq = IRS + 5000, .mss = 1460);
    batch_ends();
}

TEST(the_ack_of_a_closed_connection_may_leave_when_a_half_open_one_is_there)
{
    p->wild = true;
    closes_last_and_opens_again(p);
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_AFTER_CLOSE), 1);
    holds_equal(peer_count(p, HF_V_HANDSHAKE), 2);
}

TEST(the_ack_of_a_closed_connection_may_leave_beside_a_cookie_for_the_next)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    p->wild = true;
    closes_last_and_opens_again(p);
    settles(p);
    holds_equal(peer_count(p, HF_V_DROP_AFTER_CLOSE), 1);
    holds_equal(peer_count(p, HF_V_COOKIE_SENT), 2);
}

/* RFC 5961 5.2: SND.UNA - MAX.SND.WND, but nothing below the first number. */
TEST(an_ack_of_the_syn_is_not_too_old_where_it_opened_before_the_syn_ack_had_left)
{
    p->wild = true;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS);
    sends(RST, .seq = IRS + 1);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .wnd = 65535); /* in the same instant: the same ISS */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 65535);
    batch_ends();
    settles(p);
    accepts();
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .wnd = 65535);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 65535);
    expects_silence();
    expects_state(HF_FIN_WAIT_2);
    holds_equal(peer_count(p, HF_V_DROP_ACK_TOO_OLD), 0);
}

TEST(a_window_that_comes_while_our_syn_is_out_is_of_what_follows_it)
{
    p->wild = true;
    opens();
    expects(SYN, .seq = ISS);
    sends(SYN, .seq = IRS, .mss = 1460, .wnd = ZERO);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    closes();
    sends(ACK, .seq = IRS + 1, .ack = ISS, .wnd = 1);
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_FIN_WAIT_1);
}

TEST(an_ack_that_is_due_leaves_where_the_syn_ack_in_its_place_has_no_use_any_more)
{
    listens_with(4, true);
    answers_held(p);
    batch_begins();
    sends(ACK, .seq = IRS - 9, .ack = ISS + 1, .len = 5);
    sends(SYN, .seq = IRS, .mss = 1460);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    batch_ends();
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_silence();
    holds_equal(peer_count(p, HF_V_DROP_OLD_DUPLICATE), 1);
    holds_equal(peer_count(p, HF_V_SYN_AGAIN), 1);
}

TEST(the_acks_of_one_in_time_wait_are_its_own_though_its_syns_had_too_few_answers)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    for (int i = 0; i < 3; i++)
        sends(SYN, .seq = IRS, .mss = 1460); /* under the limit: no answer */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    releases();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    after(60000);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(a_cookie_answers_the_syn_that_it_was_made_for_though_another_has_come_since),
        V4(a_syn_ack_may_leave_after_the_half_open_connection_that_it_belongs_to),
        V4(an_ack_may_leave_after_the_half_open_connection_that_it_belongs_to),
        V4(the_ack_of_a_half_open_connection_may_leave_when_it_is_open),
        V4(each_segment_at_a_half_open_connection_has_an_ack_of_its_own),
        V4(a_segment_without_its_timestamp_may_come_before_the_syn_ack_has_left),
        V4(what_its_listener_had_not_given_out_ends_with_it_and_the_same_sockets_may_open),
        V4(a_half_open_connection_ends_with_its_listener_and_the_same_syn_gets_another_iss),
        V4(a_reset_may_be_of_a_half_open_connection_beside_one_in_time_wait),
        V4(a_held_syn_that_is_answered_has_variables_of_its_own),
        V4(the_reset_of_a_silent_peer_is_of_the_newest_of_three_connections_of_its_sockets),
        V4(a_syn_that_was_held_twice_is_answered_when_two_of_its_sockets_are_gone),
        V4(many_resets_may_be_of_a_held_syn_beside_one_in_time_wait),
        V4(a_syn_ack_may_leave_after_its_half_open_connection_beside_one_in_time_wait),
        V4(a_cookie_that_finds_no_room_changes_nothing_of_the_half_open_one_beside_it),
        V4(the_answers_of_a_half_open_connection_may_leave_when_a_cookie_has_opened_another),
        V4(the_window_of_a_half_open_connection_grows_with_its_listeners),
        V4(text_may_fill_the_window_that_a_half_open_connection_got_with_its_listeners),
        V4(of_many_fins_ahead_of_a_gap_any_may_be_the_one),
        V4(a_challenge_ack_may_follow_the_repeated_syn_by_less_than_the_limit),
        V4(the_ack_of_a_closed_connection_may_leave_when_a_half_open_one_is_there),
        V4(the_ack_of_a_closed_connection_may_leave_beside_a_cookie_for_the_next),
        V4(an_ack_of_the_syn_is_not_too_old_where_it_opened_before_the_syn_ack_had_left),
        V4(a_window_that_comes_while_our_syn_is_out_is_of_what_follows_it),
        V4(the_acks_of_one_in_time_wait_are_its_own_though_its_syns_had_too_few_answers),
        V4(an_ack_that_is_due_leaves_where_the_syn_ack_in_its_place_has_no_use_any_more),
    };
    return cmocka_run_group_tests_name("oracle batches", tests, NULL, NULL);
}
