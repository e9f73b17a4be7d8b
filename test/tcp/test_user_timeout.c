/* RFC 5482: the TCP user timeout option; RFC 9293 section 3.8.3: R1, R2 and the user timeout. */
#include "common/peer.h"
#include "handfast/check.h"

enum { SECOND_MS = 1000, MINUTES = 0x8000, HOUR_MS = 3600 * 1000 };

static int64_t user_timeout(struct peer *p)
{
    int64_t value = -1;
    calls(hf_option(p->stack, p->c->handle, HF_USER_TIMEOUT, &value));
    return value;
}

/* An ACK of the peer with the option. */
static void tells(struct peer *p, int64_t option)
{
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .uto = option);
}

/* An active OPEN with the option set before the SYN leaves; own_ms: USER_TIMEOUT, 0: not set. */
static void opens_with(struct peer *p, uint32_t own_ms, int64_t adv_ms)
{
    starts();
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    int error = hf_open(p->stack, &p->env, &here, &there, own_ms, &p->c->handle);
    holds_equal(error, HF_OK);
    sets(HF_ADVERTISED_TIMEOUT, adv_ms);
}

static void establish_with(struct peer *p, int64_t adv_ms)
{
    opens_with(p, 0, adv_ms);
    expects(SYN, .uto = adv_ms / 1000);
    sends(SYN | ACK, .seq = IRS, .mss = 1460);
    expects(ACK, .uto = adv_ms / 1000); /* RFC5482-3 */
    expects_event(HF_CONNECTED);
}

/* RFC5482-5, RFC5482-2 */
TEST(without_an_advertised_timeout_the_option_is_neither_sent_nor_heeded)
{
    opens();
    expects(SYN, .uto = ZERO);
    sends(SYN | ACK, .seq = IRS, .mss = 1460, .uto = 300);
    expects(ACK, .uto = ZERO);
    tells(p, 300);
    expects_silence();
    expects_state(HF_ESTABLISHED);
    holds_equal(user_timeout(p), 0);
    holds_equal(status_of(peer_user_timeout_ms), 0);
}

/* RFC5482-3, RFC5482-12: the SYN and the first segment behind it, no others. */
TEST(the_option_goes_with_the_syn_and_the_first_segment_after_it)
{
    establish_with(p, 200 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = ZERO);
}

/* RFC5482-3 */
TEST(a_listeners_syn_ack_carries_the_option_too)
{
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ADVERTISED_TIMEOUT, 200 * SECOND_MS));
    sends(SYN, .seq = IRS, .mss = 1460, .uto = 400);
    expects(SYN | ACK, .uto = 200);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .uto = 400);
    accepts();
    holds_equal(user_timeout(p), 400 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = 400);
}

/* RFC5482-4: what was adopted, and what is advertised anew, goes with the next segment. */
TEST(a_change_is_told_with_the_next_segment)
{
    establish_with(p, 200 * SECOND_MS);
    sets(HF_ADVERTISED_TIMEOUT, 250 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = 250);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 11, .uto = 600);
    writes(10);
    expects(ACK, .len = 10, .uto = 600);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 21, .uto = 600);
    writes(10);
    expects(ACK, .len = 10, .uto = ZERO);
}

/* RFC5482-4: what was owed and found no window has told nothing. */
TEST(a_change_is_told_although_the_window_closes_before_the_next_segment)
{
    static const uint8_t text[10];
    p->wild = true;
    establish_active();
    holds_equal(hf_send(p->stack, &p->env, p->c->handle, text, 10, 0), 10);
    int error =
        hf_set_option(p->stack, &p->env, p->c->handle, HF_ADVERTISED_TIMEOUT, 250 * SECOND_MS);
    holds_equal(error, HF_OK);
    sends(ACK, .wnd = ZERO);
    expects_silence();
    sends(ACK, .wnd = 1000);
    expects(ACK, .seq = ISS + 1, .len = 10, .uto = 250);
    sends(ACK, .ack = ISS + 11);
    writes(10);
    expects(ACK, .len = 10, .uto = ZERO);
}

/* RFC5482-9: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)). */
TEST(the_largest_of_what_both_say_and_the_lower_limit_is_adopted)
{
    p->config.policy.user_timeout_most_ms = 600 * SECOND_MS;
    establish_with(p, 150 * SECOND_MS);
    tells(p, 120);
    holds_equal(user_timeout(p), 150 * SECOND_MS);
    tells(p, 200);
    holds_equal(user_timeout(p), 200 * SECOND_MS);
}

/* RFC5482-6, RFC5482-10, RFC5482-17 */
TEST(what_the_peer_asks_for_stays_within_limits)
{
    establish_with(p, 1 * SECOND_MS);
    tells(p, 1);
    holds_equal(user_timeout(p), 100 * SECOND_MS);
    tells(p, MINUTES | 0x7fff); /* 22 days */
    holds_equal(user_timeout(p), p->config.policy.user_timeout_most_ms);
}

/* RFC5482-11 */
TEST(the_lower_limit_is_above_the_retransmission_timeout)
{
    p->config.policy.user_timeout_least_ms = 1;
    establish_with(p, 1 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10);
    for (int i = 0; i < 5; i++) {
        expects_after(1, 60000, ACK, .len = 10);
    }
    uint32_t rto_ms = status_of(rto_ms);
    holds(rto_ms > 2 * SECOND_MS);
    tells(p, 1);
    holds(user_timeout(p) > rto_ms);
}

/* RFC5482-1, RFC5482-7, RFC5482-8 */
TEST(what_the_application_set_itself_is_not_changed_but_the_peers_wish_is_told)
{
    establish_with(p, 200 * SECOND_MS);
    sets(HF_USER_TIMEOUT, 30 * SECOND_MS);
    tells(p, 300);
    holds_equal(user_timeout(p), 30 * SECOND_MS);
    holds_equal(status_of(peer_user_timeout_ms), 300 * SECOND_MS);
}

/* RFC5482-1, RFC5482-7: CHANGEABLE again. */
TEST(the_peers_wish_counts_again_when_the_application_takes_its_own_timeout_back)
{
    establish_with(p, 200 * SECOND_MS);
    tells(p, 300);
    writes(10);
    expects(ACK, .len = 10, .uto = 300);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 11);
    sets(HF_USER_TIMEOUT, 5 * SECOND_MS);
    sets(HF_USER_TIMEOUT, 0);
    holds_equal(user_timeout(p), 300 * SECOND_MS);
    sets(HF_USER_TIMEOUT, 5 * SECOND_MS);
    sets(HF_ADVERTISED_TIMEOUT, 0);
    sets(HF_USER_TIMEOUT, 0);
    holds_equal(user_timeout(p), 0);
}

/* Section 3: ADV_UTO is told, whatever USER_TIMEOUT the application has set. */
TEST(the_peer_is_told_the_advertised_timeout_not_the_applications_own)
{
    opens_with(p, 5 * SECOND_MS, 600 * SECOND_MS);
    expects(SYN, .uto = 600);
    sends(SYN | ACK, .seq = IRS, .mss = 1460, .uto = 900);
    expects(ACK, .uto = 600);
    holds_equal(user_timeout(p), 5 * SECOND_MS);
    sets(HF_ADVERTISED_TIMEOUT, 100 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = 100);
    holds_equal(user_timeout(p), 5 * SECOND_MS);
    sets(HF_ADVERTISED_TIMEOUT, 0);
    holds_equal(user_timeout(p), 5 * SECOND_MS);
}

TEST(a_listeners_own_timeout_is_not_told_in_place_of_the_advertised_one)
{
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_USER_TIMEOUT, 300 * SECOND_MS));
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ADVERTISED_TIMEOUT, 200 * SECOND_MS));
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .uto = 200);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    writes(10);
    expects(ACK, .len = 10, .uto = 200);
}

/* RFC5482-4, RFC5482-9: ADV_UTO is one of those whose largest counts, also when it changes after
 * the peer's option has come. */
TEST(what_is_advertised_anew_changes_the_adopted_timeout)
{
    establish_with(p, 120 * SECOND_MS);
    tells(p, 300);
    holds_equal(user_timeout(p), 300 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = 300);
    sets(HF_ADVERTISED_TIMEOUT, 1800 * SECOND_MS);
    holds_equal(user_timeout(p), 1800 * SECOND_MS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 11);
    writes(10);
    expects(ACK, .len = 10, .uto = 1800);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 21);
    sets(HF_ADVERTISED_TIMEOUT, 150 * SECOND_MS);
    holds_equal(user_timeout(p), 300 * SECOND_MS);
    writes(10);
    expects(ACK, .len = 10, .uto = 300);
}

/* RFC5482-2, RFC5482-5: without ADV_UTO the peer's wish has no effect, nor has one of before. */
TEST(without_an_advertised_timeout_none_stays_adopted)
{
    establish_with(p, 120 * SECOND_MS);
    tells(p, 300);
    sets(HF_ADVERTISED_TIMEOUT, 0);
    holds_equal(user_timeout(p), 0);
    writes(10);
    expects(ACK, .len = 10, .uto = ZERO);
    after(310 * SECOND_MS);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
}

/* RFC5482-14: a granularity bit and fifteen bits; RFC5482-15: 0 says nothing. */
TEST(the_option_counts_seconds_or_minutes_and_zero_is_reserved)
{
    establish_with(p, 110 * SECOND_MS);
    tells(p, MINUTES | 3);
    holds_equal(user_timeout(p), 180 * SECOND_MS);
    tells(p, 200);
    holds_equal(user_timeout(p), 200 * SECOND_MS);
    tells(p, MINUTES);
    holds_equal(user_timeout(p), 200 * SECOND_MS);
    sets(HF_ADVERTISED_TIMEOUT, 40000 * SECOND_MS);
    sets(HF_USER_TIMEOUT, 0);
    writes(10);
    expects(ACK, .len = 10, .uto = MINUTES | 666);
}

/* RFC5482-13: an attempt to open keeps its own timeout, until it is open. */
TEST(the_peers_syn_changes_the_timeout_of_an_open_connection_only)
{
    opens_with(p, 0, 110 * SECOND_MS);
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460, .uto = 300); /* simultaneous: SYN-RECEIVED */
    expects(SYN | ACK);
    holds_equal(user_timeout(p), 0);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .uto = 300);
    expects_state(HF_ESTABLISHED);
}

/* RFC5482-16 */
TEST(keep_alives_come_later_than_an_adopted_timeout)
{
    establish_with(p, 110 * SECOND_MS);
    sets(HF_KEEPALIVE_IDLE, 60 * SECOND_MS);
    sets(HF_KEEPALIVE, 1);
    tells(p, 300);
    after(300 * SECOND_MS);
    expects_silence();
    expects_after(900, 1100, ACK, .seq = ISS);
}

/* MUST-21 */
TEST(the_user_timeout_decides_alone_how_long_is_too_long)
{
    establish_active();
    sets(HF_USER_TIMEOUT, 10 * SECOND_MS);
    on(1);
    establish_active();
    sets(HF_USER_TIMEOUT, 5 * HOUR_MS);
    writes(10);
    expects(ACK, .len = 10);
    on(0);
    writes(10);
    expects(ACK, .len = 10);
    after(9900);
    expects_state(HF_ESTABLISHED);
    after(200);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
    on(1);
    for (int i = 0; i < 20; i++) {
        after(300 * SECOND_MS);
        peer_forget(p);
    }
    expects_state(HF_ESTABLISHED);
    after(4 * HOUR_MS);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* Without letting anything out. */
static void sets_fast_open(struct peer *p, int64_t how)
{
    holds_equal(hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, how), HF_OK);
}

/* An active OPEN with this user timeout, whose SYN waits for text. */
static void opens_deferred(struct peer *p, uint32_t timeout_ms)
{
    p->config.policy.fast_open = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_CLIENT_NO_COOKIE;
    starts();
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    int error = hf_open(p->stack, &p->env, &here, &there, timeout_ms, &p->c->handle);
    holds_equal(error, HF_OK);
    sets_fast_open(p, HF_FAST_OPEN_DEFER);
}

/* RFC 9293 3.9.1.1: it is the time of what was submitted.  A SYN that waits for text is not. */
TEST(the_user_timeout_does_not_run_while_the_syn_waits_for_text)
{
    opens_deferred(p, 5 * SECOND_MS);
    after(60 * SECOND_MS);
    expects_state(HF_SYN_SENT);
    writes(10);
    expects(SYN, .seq = ISS, .len = 10);
    after(4900);
    peer_forget(p);
    expects_state(HF_SYN_SENT);
    after(200);
    expects_closed(HF_ERR_TIMED_OUT);
    on(1); /* ... it begins when the SYN leaves without text, too */
    opens_deferred(p, 5 * SECOND_MS);
    after(60 * SECOND_MS);
    sets(HF_FAST_OPEN, HF_FAST_OPEN_ON);
    peer_pump(p);
    after(4900);
    peer_forget(p);
    expects_state(HF_SYN_SENT);
    after(200);
    expects_closed(HF_ERR_TIMED_OUT);
    on(2); /* ... and when it answers the peer's */
    opens_deferred(p, 5 * SECOND_MS);
    after(60 * SECOND_MS);
    sends(SYN, .seq = IRS, .mss = 1460);
    after(4900);
    peer_forget(p);
    expects_state(HF_SYN_RECEIVED);
    after(200);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* There is what it would wait for. */
TEST(a_syn_does_not_wait_for_text_that_has_come_before)
{
    static const uint8_t text[100];
    p->wild = true;
    opens_deferred(p, 0);
    sets_fast_open(p, HF_FAST_OPEN_ON);
    holds_equal(hf_send(p->stack, &p->env, p->c->handle, text, 100, 0), 100);
    sets_fast_open(p, HF_FAST_OPEN_DEFER);
    expects(SYN, .seq = ISS, .len = 100);
    int64_t how;
    calls(hf_option(p->stack, p->c->handle, HF_FAST_OPEN, &how));
    holds_equal(how, HF_FAST_OPEN_ON);
}

/* RFC 5482 2: "how long transmitted data may remain unacknowledged". */
TEST(text_that_waits_for_its_time_is_not_the_peers_to_acknowledge)
{
    establish_active();
    sets(HF_MAX_PACING_RATE, 100);
    sets(HF_USER_TIMEOUT, 10 * SECOND_MS);
    writes(8000);
    closes();
    for (int i = 0; i < 1000 && status_of(state) == HF_FIN_WAIT_1; i++) {
        peer_forget(p);
        if (status_of(snd_nxt) != status_of(snd_una)) { /* all that has come is acknowledged */
            sends(ACK, .ack = ISS + (int64_t)(status_of(snd_nxt) - p->c->iss));
        }
        after(100);
    }
    expects_state(HF_FIN_WAIT_2);
    holds_equal(status_of(bytes_acked), 8000);
}

/* It has the whole time from when it leaves, or from when the peer's window keeps it back. */
TEST(text_that_this_side_holds_has_its_time_from_when_it_leaves)
{
    establish_active();
    sets(HF_MAX_PACING_RATE, 100);
    sets(HF_USER_TIMEOUT, 10 * SECOND_MS);
    writes(1460);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    sends(ACK, .ack = ISS + 1461);
    writes(1460);
    expects_after(14000, 15000, ACK, .seq = ISS + 1461, .len = 1460);
    after(9900);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    after(200);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
    on(1);
    establish_active();
    sets(HF_MAX_PACING_RATE, 100);
    sets(HF_USER_TIMEOUT, 10 * SECOND_MS);
    writes(1460);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    sends(ACK, .ack = ISS + 1461);
    writes(1460);
    after(12 * SECOND_MS);
    sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
    for (int i = 0; i < 98; i++) {
        after(100);
        peer_forget(p);
        sends(ACK, .ack = ISS + 1461, .wnd = ZERO);
    }
    expects_state(HF_ESTABLISHED);
    after(300);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

static void corked_text_leaves(struct peer *p, uint32_t flags)
{
    sets(HF_USER_TIMEOUT, 100);
    writes_with(10, flags);
    after(150); /* less than an RTO */
    expects_state(HF_ESTABLISHED);
    expects_silence();
    sets(HF_CORK, 0);
    if (flags) {
        writes(10);
    }
    expects(ACK, .len = flags ? 20 : 10);
    after(90);
    peer_forget(p);
    expects_state(HF_ESTABLISHED);
    after(20);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(text_that_the_application_corks_is_not_the_peers_to_acknowledge)
{
    establish_active();
    sets(HF_CORK, 1);
    corked_text_leaves(p, 0);
    on(1);
    establish_active();
    corked_text_leaves(p, HF_SEND_MORE);
}

/* Text that has waited longer than half a round of 32 bits of milliseconds. */
TEST(a_user_timeout_that_is_set_when_text_has_waited_for_weeks_is_due_at_once)
{
    establish_active();
    p->c->wnd = 0;
    sends(ACK);
    writes(10);
    for (int i = 0; i < 25 * 24 * 20; i++) { /* 25 days; probes are answered */
        after(180 * SECOND_MS);
        peer_forget(p);
        sends(ACK);
    }
    expects_state(HF_ESTABLISHED);
    sets(HF_USER_TIMEOUT, 60 * SECOND_MS);
    after(1000);
    peer_forget(p);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* Neither text nor a FIN: nothing has left that the peer could acknowledge. */
TEST(text_that_has_no_way_out_waits_no_longer_than_the_user_timeout)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        establish_active();
        sets(HF_USER_TIMEOUT, 20 * SECOND_MS);
    }
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip)); /* and the route with it */
    on(0);
    writes(10);
    on(1);
    closes();
    after(19 * SECOND_MS);
    expects_state(HF_FIN_WAIT_1);
    after(1100);
    expects_closed(HF_ERR_TIMED_OUT);
    on(0);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* MUST-20, SHLD-9, SHLD-10 */
/* hf_check finds nothing late in that. */
TEST(a_user_timeout_that_is_over_when_it_is_set_ends_the_connection_at_the_next_timers)
{
    opens();
    expects(SYN);
    p->env.now_ns += 150 * INT64_C(1000000); /* and no timer was looked at since */
    sets(HF_USER_TIMEOUT, 100);
    static uint64_t marks[1024];
    holds_equal(hf_check(p->stack, p->bytes, marks, sizeof marks, NULL), HF_OK);
    hf_timeouts(p->stack, &p->env);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(after_three_retransmissions_the_application_is_told_once_of_trouble)
{
    establish_active();
    writes(10);
    expects(ACK, .len = 10);
    while (status_of(retries) < 3) {
        expects_no_event(HF_TROUBLE);
        after(10);
    }
    expects_event(HF_TROUBLE);
    after(300 * SECOND_MS);
    peer_forget(p);
    expects_no_event(HF_TROUBLE);
    expects_state(HF_ESTABLISHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(without_an_advertised_timeout_the_option_is_neither_sent_nor_heeded),
        BOTH(the_option_goes_with_the_syn_and_the_first_segment_after_it),
        BOTH(a_listeners_syn_ack_carries_the_option_too),
        V4(a_change_is_told_with_the_next_segment),
        V4(a_change_is_told_although_the_window_closes_before_the_next_segment),
        V4(the_largest_of_what_both_say_and_the_lower_limit_is_adopted),
        V4(what_the_peer_asks_for_stays_within_limits),
        V4(the_lower_limit_is_above_the_retransmission_timeout),
        V4(what_the_application_set_itself_is_not_changed_but_the_peers_wish_is_told),
        V4(the_peers_wish_counts_again_when_the_application_takes_its_own_timeout_back),
        BOTH(the_peer_is_told_the_advertised_timeout_not_the_applications_own),
        BOTH(a_listeners_own_timeout_is_not_told_in_place_of_the_advertised_one),
        V4(what_is_advertised_anew_changes_the_adopted_timeout),
        V4(without_an_advertised_timeout_none_stays_adopted),
        V4(the_option_counts_seconds_or_minutes_and_zero_is_reserved),
        V4(the_peers_syn_changes_the_timeout_of_an_open_connection_only),
        V4(keep_alives_come_later_than_an_adopted_timeout),
        V4(the_user_timeout_decides_alone_how_long_is_too_long),
        V4(a_user_timeout_that_is_set_when_text_has_waited_for_weeks_is_due_at_once),
        BOTH(text_that_waits_for_its_time_is_not_the_peers_to_acknowledge),
        V4(text_that_this_side_holds_has_its_time_from_when_it_leaves),
        V4(text_that_the_application_corks_is_not_the_peers_to_acknowledge),
        BOTH(the_user_timeout_does_not_run_while_the_syn_waits_for_text),
        BOTH(a_syn_does_not_wait_for_text_that_has_come_before),
        BOTH(text_that_has_no_way_out_waits_no_longer_than_the_user_timeout),
        BOTH(a_user_timeout_that_is_over_when_it_is_set_ends_the_connection_at_the_next_timers),
        V4(after_three_retransmissions_the_application_is_told_once_of_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
