/* RFC 9293 section 3.8.4: keep-alives. */
#include "common/peer.h"

enum { HOUR_MS = 3600 * 1000, IDLE_MS = 10000, INTERVAL_MS = 2000 };

static void keep_alive(struct peer *p, int count)
{
    sets(HF_KEEPALIVE_IDLE, IDLE_MS);
    sets(HF_KEEPALIVE_INTERVAL, INTERVAL_MS);
    sets(HF_KEEPALIVE_COUNT, count);
    sets(HF_KEEPALIVE, 1);
}

/* MUST-25 */
TEST(without_being_asked_for_there_are_no_keep_alives)
{
    establish_active();
    after(24 * HOUR_MS);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* MUST-28, MAY-5 */
TEST(the_first_keep_alive_comes_after_two_idle_hours)
{
    establish_active();
    sets(HF_KEEPALIVE, 1);
    after(2 * HOUR_MS - 10);
    expects_silence();
    expects_after(5, 15, ACK, .seq = ISS, .ack = IRS + 1);
}

/* MUST-27, SHLD-12: empty, one octet too old. */
TEST(an_idle_peer_is_asked_with_an_empty_segment_after_the_time_that_was_set)
{
    establish_active();
    keep_alive(p, 9);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS, .ack = IRS + 1, .len = 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS, .ack = IRS + 1);
}

/* MUST-26 */
TEST(whatever_comes_from_the_peer_begins_the_idle_time_anew)
{
    establish_active();
    keep_alive(p, 9);
    after(IDLE_MS - 1000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
}

/* MUST-26 */
TEST(while_text_is_on_its_way_only_retransmissions_ask_the_peer)
{
    establish_active();
    keep_alive(p, 1);
    sets(HF_KEEPALIVE_IDLE, 50);
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    for (int i = 0; i < 6; i++) { /* far beyond the idle time, and the count */
        expects_after(1, 60000, ACK, .seq = ISS + 1, .len = 100);
    }
    expects_state(HF_ESTABLISHED);
}

/* MUST-29 */
TEST(one_keep_alive_without_an_answer_says_nothing)
{
    establish_active();
    keep_alive(p, 3);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    for (int i = 0; i < 3; i++) { /* all three are due again */
        int wait = i == 0 ? IDLE_MS : INTERVAL_MS;
        expects_after(wait - 5, wait + 5, ACK, .seq = ISS);
    }
    expects_state(HF_ESTABLISHED);
}

TEST(a_peer_that_answers_no_keep_alive_is_reset_after_the_count)
{
    establish_active();
    keep_alive(p, 2);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* MUST-24 */
TEST(keep_alives_are_switched_for_one_connection_and_off_again)
{
    establish_active();
    keep_alive(p, 9);
    on(1);
    establish_active();
    after(IDLE_MS - 100);
    expects_silence();
    on(0);
    expects_after(50, 150, ACK, .seq = ISS); /* of the first alone */
    expects_silence();
    sets(HF_KEEPALIVE, 0);
    after(HOUR_MS);
    expects_silence();
}

TEST(a_listener_hands_keep_alives_down)
{
    listens();
    hf_handle listener = p->listener;
    calls(hf_set_option(p->stack, &p->env, listener, HF_KEEPALIVE, 1));
    calls(hf_set_option(p->stack, &p->env, listener, HF_KEEPALIVE_IDLE, IDLE_MS));
    int64_t value = 0;
    calls(hf_option(p->stack, listener, HF_KEEPALIVE, &value));
    holds_equal(value, 1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    calls(hf_option(p->stack, p->c->handle, HF_KEEPALIVE_IDLE, &value));
    holds_equal(value, IDLE_MS);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS, .ack = IRS + 1);
}

TEST(a_half_closed_peer_that_went_away_is_noticed)
{
    establish_active();
    keep_alive(p, 1);
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 2);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(the_user_timeout_counts_instead_of_the_number_of_keep_alives)
{
    establish_active();
    keep_alive(p, 1);
    sets(HF_USER_TIMEOUT, IDLE_MS + 3 * INTERVAL_MS);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* Silence longer than the user's patience is not the peer's: nothing has been asked yet. */
TEST(a_user_timeout_shorter_than_the_idle_time_ends_nothing_unasked)
{
    establish_active();
    keep_alive(p, 1);
    sets(HF_USER_TIMEOUT, 1000);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* Two keep-alives have no answer; then there is text. */
static void text_comes_after_keep_alives(struct peer *p)
{
    establish_active();
    keep_alive(p, 60);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
}

/* R1 and R2 count how often one segment went again (MUST-20, SHLD-9, SHLD-11), no keep-alives. */
TEST(text_has_all_its_repetitions_after_keep_alives_without_an_answer)
{
    p->config.policy.data_retries = 4;
    text_comes_after_keep_alives(p);
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    for (uint32_t i = 1; i <= 4; i++) {
        expects_after(100, 60000, ACK, .seq = ISS + 1, .len = 100);
        if (i == p->config.policy.warn_retries) {
            expects_event(HF_TROUBLE);
        } else {
            expects_no_event(HF_TROUBLE);
        }
    }
    after(60000);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* RFC 4821 7.7: two timeouts in a row point to a black hole, one behind a keep-alive does not. */
TEST(keep_alives_without_an_answer_are_no_sign_of_a_black_hole)
{
    p->config.policy.mtu_probing = HF_MTU_PROBING_BLACK_HOLE;
    text_comes_after_keep_alives(p);
    writes(1460);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects_after(100, 3000, ACK, .seq = ISS + 1, .len = 1460);
    holds_equal(status_of(snd_mss), 1460);
}

/* MUST-20: nor does switching them, with text on its way, count as an answer. */
TEST(switching_keep_alives_gives_text_no_more_repetitions)
{
    p->config.policy.data_retries = 4;
    text_comes_after_keep_alives(p);
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    for (uint32_t i = 1; i <= 4; i++) {
        expects_after(100, 60000, ACK, .seq = ISS + 1, .len = 100);
        sets(HF_KEEPALIVE, 0);
        sets(HF_KEEPALIVE, 1);
    }
    after(60000);
    expects_closed(HF_ERR_TIMED_OUT);
}

/* MUST-29: the interval between two is for an answer; what is set meanwhile does not shorten it. */
TEST(options_set_between_keep_alives_do_not_hurry_them)
{
    establish_active();
    keep_alive(p, 2);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    for (int i = 0; i < 9; i++) {
        sets(HF_SEND_LOW_WATER, 2 + i);
        sets(HF_KEEPALIVE_IDLE, IDLE_MS - i);
        sets(HF_KEEPALIVE, 1);
        after(2);
    }
    expects_silence();
    expects_after(INTERVAL_MS - 25, INTERVAL_MS + 5, ACK, .seq = ISS);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1);
}

/* What has been asked under a long interval has the shorter one to answer, counted from then. */
TEST(a_shorter_interval_counts_also_for_a_keep_alive_that_is_out)
{
    establish_active();
    keep_alive(p, 2);
    sets(HF_KEEPALIVE_INTERVAL, HOUR_MS);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    sets(HF_KEEPALIVE_INTERVAL, INTERVAL_MS);
    after(INTERVAL_MS / 2);
    sets(HF_KEEPALIVE_INTERVAL,
         INTERVAL_MS); /* the same again, and a longer one, put nothing off */
    sets(HF_KEEPALIVE_INTERVAL, 2 * INTERVAL_MS);
    expects_after(INTERVAL_MS / 2 - 5, INTERVAL_MS / 2 + 5, ACK, .seq = ISS);
    expects_after(2 * INTERVAL_MS - 5, 2 * INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1);
}

/* The user timeout ends it, however often the peer was asked: here with the 256th answer missing.
 */
TEST(many_keep_alives_without_an_answer_are_not_taken_for_none)
{
    establish_active();
    keep_alive(p, 9);
    sets(HF_USER_TIMEOUT, IDLE_MS + 256 * INTERVAL_MS - 1000);
    expects_after(IDLE_MS - 5, IDLE_MS + 5, ACK, .seq = ISS);
    for (int i = 1; i < 256; i++) {
        expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, ACK, .seq = ISS);
    }
    holds_equal(status_of(retries), 255);
    holds_equal(info_of(probes), 255);
    expects_after(INTERVAL_MS - 5, INTERVAL_MS + 5, RST | ACK, .seq = ISS + 1);
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(keep_alive_times_that_cannot_be_are_refused)
{
    establish_active();
    const enum hf_option options[] = {HF_KEEPALIVE_IDLE, HF_KEEPALIVE_INTERVAL, HF_KEEPALIVE_COUNT};
    for (size_t i = 0; i < 3; i++) {
        refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, options[i], 0));
        refuses(HF_ERR_INVALID,
                hf_set_option(p->stack, &p->env, p->c->handle, options[i], (int64_t)1 << 31));
    }
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_KEEPALIVE, 2));
}

TEST(who_may_have_no_record_for_options_is_told)
{
    p->config.max_extras = 1;
    establish_active();
    sets(HF_KEEPALIVE_IDLE, 5000);
    on(1);
    establish_active();
    refuses(HF_ERR_NO_RESOURCES,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_KEEPALIVE_IDLE, 5000));
    on(0);
    aborts();
    expects(RST | ACK);
    releases();
    on(1);
    sets(HF_KEEPALIVE_IDLE, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(without_being_asked_for_there_are_no_keep_alives),
        BOTH(the_first_keep_alive_comes_after_two_idle_hours),
        BOTH(an_idle_peer_is_asked_with_an_empty_segment_after_the_time_that_was_set),
        BOTH(whatever_comes_from_the_peer_begins_the_idle_time_anew),
        V4(while_text_is_on_its_way_only_retransmissions_ask_the_peer),
        V4(one_keep_alive_without_an_answer_says_nothing),
        BOTH(a_peer_that_answers_no_keep_alive_is_reset_after_the_count),
        V4(keep_alives_are_switched_for_one_connection_and_off_again),
        BOTH(a_listener_hands_keep_alives_down),
        V4(a_half_closed_peer_that_went_away_is_noticed),
        V4(the_user_timeout_counts_instead_of_the_number_of_keep_alives),
        V4(a_user_timeout_shorter_than_the_idle_time_ends_nothing_unasked),
        BOTH(text_has_all_its_repetitions_after_keep_alives_without_an_answer),
        V4(keep_alives_without_an_answer_are_no_sign_of_a_black_hole),
        V4(switching_keep_alives_gives_text_no_more_repetitions),
        V4(options_set_between_keep_alives_do_not_hurry_them),
        V4(a_shorter_interval_counts_also_for_a_keep_alive_that_is_out),
        V4(many_keep_alives_without_an_answer_are_not_taken_for_none),
        V4(keep_alive_times_that_cannot_be_are_refused),
        V4(who_may_have_no_record_for_options_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
