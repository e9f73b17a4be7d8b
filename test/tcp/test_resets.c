/* RFC 9293 sections 3.5.2, 3.5.3, 3.10.7.4 second and fourth, 3.10.5; RFC 5961: resets and SYNs on
 * connections, challenge ACKs and their limit, ACKs that cannot be. */
#include "common/peer.h"

/* MUST-12, RFC5961-2 */
TEST(an_exact_reset_aborts_an_established_connection)
{
    establish_active();
    sends(ACK, .len = 10);
    expects(ACK);
    sends(RST, .seq = IRS + 11);
    expects_silence();
    expects_closed(HF_ERR_RESET);
    reads(10); /* what was unread is still there, then the error once */
    reads_result(HF_ERR_RESET);
    reads_result(0);
    refuses(HF_ERR_RESET, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
}

/* RFC5961-3, RFC5961-5, RFC5961-15 */
TEST(a_reset_in_the_window_but_not_exact_earns_a_challenge_ack)
{
    establish_active();
    sends(RST, .seq = IRS + 2);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    sends(RST, .seq = IRS + 1); /* the honest peer's answer is exact */
    expects_closed(HF_ERR_RESET);
}

/* RFC5961-1 */
TEST(a_reset_outside_the_window_is_dropped_silently)
{
    establish_active();
    sends(RST, .seq = IRS);
    sends(RST, .seq = IRS - 100);
    sends(RST, .seq = IRS + 1 + 1000000000);
    expects_silence();
    expects_state(HF_ESTABLISHED);
}

/* SHLD-2 */
TEST(a_reset_with_ack_and_text_is_still_a_reset)
{
    establish_active();
    sends(RST | ACK | PSH, .seq = IRS + 1, .ack = ISS + 1, .len = 30);
    expects_silence();
    expects_closed(HF_ERR_RESET);
}

/* RFC5961-12 */
TEST(challenge_acks_come_at_most_once_in_500_ms)
{
    establish_active();
    sends(RST, .seq = IRS + 2);
    expects(ACK);
    after(100);
    sends(RST, .seq = IRS + 2);
    sends(SYN, .seq = IRS + 9);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 500);
    expects_silence();
    after(399);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    after(2);
    sends(RST, .seq = IRS + 2);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
}

/* RFC5961-14 */
TEST(the_challenge_limit_of_one_connection_says_nothing_about_another)
{
    establish_active();
    on(1);
    establish_active();
    on(0);
    sends(RST, .seq = IRS + 2);
    expects(ACK);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    on(1);
    sends(RST, .seq = IRS + 2);
    expects(ACK);
}

/* RFC5961-13: count and interval: how many of a thousand resets in a second are answered. */
TEST(the_interval_of_challenge_acks_is_a_policy)
{
    static const struct {
        uint32_t interval_ms, answers;
    } cases[] = {{500, 2}, {100, 10}, {10, 100}};
    for (int i = 0; i < 3; i++) {
        on(i);
        establish_active();
        struct hf_policy policy = *hf_policy(p->stack);
        policy.challenge_ack_ms = cases[i].interval_ms;
        calls(hf_set_policy(p->stack, &p->env, &policy));
        uint32_t answers = 0;
        for (int n = 0; n < 1000; n++) {
            sends(RST, .seq = IRS + 2);
            struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
            answers += seen != NULL;
            if (seen != NULL)
                peer_taken(p, seen);
            after(1);
        }
        holds_equal(answers, cases[i].answers);
    }
}

/* RFC5961-18 */
TEST(the_limit_does_not_hold_back_answers_to_old_text)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK);
    for (int i = 0; i < 5; i++) {
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
        expects(ACK, .ack = IRS + 101);
        after(10);
    }
    sends(RST, .seq = IRS + 102);
    expects(ACK);
    for (int i = 0; i < 4; i++) {
        after(10);
        sends(RST, .seq = IRS + 102);
        expects_silence();
    }
}

/* RFC5961-16: two ends whose numbers have parted answer each other a bounded number of times. */
TEST(challenge_acks_do_not_answer_each_other_for_ever)
{
    establish_active();
    uint32_t answers = 0;
    for (int n = 0; n < 1000; n++) { /* each ACK of ours earns one of theirs at once */
        sends(ACK, .seq = IRS + 1000000000, .ack = ISS + 1);
        struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
        answers += seen != NULL;
        if (seen != NULL)
            peer_taken(p, seen);
        after(1);
    }
    holds(answers <= 3);
    expects_state(HF_ESTABLISHED);
}

/* RFC5961-12: a half-open record keeps the time of its last one in ticks, of which one is for
 * "none": in that one, too, there is a limit. */
TEST(the_challenge_limit_of_a_half_open_connection_holds_at_any_time)
{
    p->env.now_ns = 1000000;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    for (int tick = 0; tick < 2; tick++) {
        sends(ACK, .seq = IRS - 5000, .ack = ISS + 1);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        sends(ACK, .seq = IRS - 5000, .ack = ISS + 1);
        expects_silence();
        after(600);
    }
}

/* ... at whose end the SYN is repeated, and once more later. */
static void repeats_the_syn(struct peer *p, uint32_t limit_ms, uint32_t later_ms)
{
    p->config.policy.challenge_ack_ms = limit_ms;
    p->env.now_ns = 62000000;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    after(later_ms);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects_silence();
}

/* RFC5961-12: a tick shorter than it says, and no more. */
TEST(the_challenge_limit_of_a_half_open_connection_lasts_as_long_at_any_time)
{
    repeats_the_syn(p, 500, 400);
}

/* RFC5961-12 */
TEST(a_challenge_limit_of_less_than_a_tick_holds_for_segments_of_one_time)
{
    repeats_the_syn(p, 3, 0);
}

/* RFC5961-7: text and FIN of the SYN are not looked at. */
TEST(nothing_of_a_challenged_syn_is_processed)
{
    establish_active();
    sends(SYN | FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 50);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 0);
}

/* RFC5961-8: the peer has rebooted; our challenge ACK means nothing to it, and it says so. */
TEST(the_reset_that_answers_a_challenge_ack_ends_the_connection)
{
    establish_active();
    sends(SYN, .seq = IRS + 5000000, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(RST, .seq = IRS + 1); /* <SEQ=SEG.ACK> */
    expects_closed(HF_ERR_RESET);
}

/* RFC5961-9, RFC5961-11: by the largest window there ever was, not the present one. */
TEST(an_ack_may_lag_by_the_largest_window_and_no_further)
{
    p->c->wnd = 5000;
    establish_active();
    for (int i = 0; i < 20; i++) {
        writes(1000);
        expects(ACK, .len = 1000);
        sends(ACK, .seq = IRS + 1);
    }
    p->c->wnd = 1000;
    sends(ACK, .seq = IRS + 1, .wnd = 1000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 20001 - 5001, .len = 10, .wnd = 1000);
    expects(ACK, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 20001 - 5000, .len = 10, .wnd = 1000);
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

/* RFC5961-10 */
TEST(the_range_of_the_ack_field_is_checked_with_text_fin_or_neither)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10);
    expects(ACK, .ack = IRS + 1);
    after(600);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 0);
}

/* RFC5961-6, RFC5961-7, RFC5961-15 */
TEST(a_syn_on_an_open_connection_earns_a_challenge_ack_whatever_its_number)
{
    static const int64_t numbers[] = {IRS, IRS + 1, IRS + 50, IRS - 1000, IRS + 100000000};
    establish_active();
    for (int i = 0; i < 5; i++) {
        sends(SYN, .seq = numbers[i]);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        sends(SYN | ACK, .seq = numbers[i], .ack = ISS + 1);
        expects_silence();
        after(600);
        sends(SYN | ACK, .seq = numbers[i], .ack = ISS + 1);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        after(600);
    }
    expects_state(HF_ESTABLISHED);
    p->c->nxt = p->c->irs + 1;
    sends(ACK, .len = 10); /* and nothing was harmed */
    expects(ACK, .ack = IRS + 11);
}

/* X-13, RFC5961-10, RFC5681-35 */
TEST(an_ack_of_data_never_sent_is_answered_and_dropped)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10); /* with text it is always answered */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
}

/* MAY-12, RFC5961-10, RFC5961-17 */
TEST(an_ack_below_what_was_ever_sent_is_dropped_though_the_window_is_large)
{
    p->with.wscale = SHIFT(14);
    p->with.wnd = 65535;
    establish_active();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 65535); /* a window of 1 GiB */
    sends(ACK, .seq = IRS + 1, .ack = ISS, .len = 10);        /* RFC 5961 5.2, ghost ACKs */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS - 70000, .len = 10);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    holds_equal(status_of(unread_bytes), 0);
}

TEST(an_old_ack_within_the_largest_window_is_taken_as_a_duplicate)
{
    establish_active();
    for (int i = 0; i < 3; i++) {
        writes(1000);
        expects(ACK, .len = 1000);
        sends(ACK, .seq = IRS + 1);
    }
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK, .seq = ISS + 3001, .ack = IRS + 11);
    reads(10);
}

/* */
TEST(a_segment_without_ack_bit_is_dropped_silently)
{
    establish_active();
    sends(PSH, .seq = IRS + 1, .len = 10);
    sends(FIN, .seq = IRS + 1);
    sends(0, .seq = IRS + 1);
    expects_silence();
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 0);
}

TEST(a_segment_outside_the_window_is_answered_with_the_present_numbers)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 50); /* received before */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 101 + 10000000, .ack = ISS + 1, .len = 50);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 101);
    holds_equal(status_of(unread_bytes), 100);
}

/* */
TEST(no_connection_answers_with_the_numbers_the_rfc_gives)
{
    starts();
    sends(ACK, .seq = 5, .ack = 777);
    expects(RST, .seq = 777, .wnd = ZERO, .options = "");
    sends(SYN, .seq = 5);
    expects(RST | ACK, .seq = ZERO, .ack = 6, .options = "");
    sends(SYN | FIN, .seq = 5, .len = 10);
    expects(RST | ACK, .seq = ZERO, .ack = 17);
    sends(FIN, .seq = 5);
    expects(RST | ACK, .seq = ZERO, .ack = 6);
    sends(SYN | ACK, .seq = 5, .ack = 0xffffffff);
    expects(RST, .seq = 0xffffffff);
    sends(RST, .seq = 5);
    sends(RST | ACK, .seq = 5, .ack = 9);
    expects_silence();
    struct hf_policy policy = *hf_policy(p->stack);
    policy.answer_closed = false;
    calls(hf_set_policy(p->stack, &p->env, &policy));
    sends(SYN, .seq = 5);
    expects_silence();
}

TEST(an_abort_resets_with_the_present_numbers_and_loses_what_is_queued)
{
    establish_active();
    sends(ACK, .len = 10);
    expects(ACK);
    writes(100);
    expects(ACK, .len = 100);
    aborts();
    expects(RST | ACK, .seq = ISS + 101, .ack = IRS + 11);
    expects_state(HF_CLOSED);
    after(10000);
    expects_silence();
    struct hf_close_reason reason;
    holds_equal(hf_close_reason(p->stack, p->c->handle, &reason), HF_ERR_ABORTED);
    holds(reason.rst_sent && !reason.rst_received && !reason.fin_sent);
    holds_equal(reason.cause, HF_CALL_ABORT);
}

/* */
TEST(an_abort_in_the_last_states_is_silent)
{
    establish_active(); /* CLOSING */
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    aborts();
    expects_silence();
    on(1); /* LAST-ACK */
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    closes();
    expects(FIN | ACK);
    aborts();
    expects_silence();
    on(2); /* TIME-WAIT */
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK);
    aborts();
    expects_silence();
    expects_state(HF_CLOSED);
}

/* */
TEST(an_abort_in_fin_wait_1_fin_wait_2_and_close_wait_resets)
{
    for (int i = 0; i < 3; i++) {
        on(i);
        establish_active();
        if (i == 2) {
            sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
            expects(ACK, .ack = IRS + 2);
        } else {
            closes();
            expects(FIN | ACK);
        }
        if (i == 1)
            sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
        aborts();
        expects(RST | ACK, .seq = i == 2 ? ISS + 1 : ISS + 2, .ack = i == 2 ? IRS + 2 : IRS + 1);
        expects_silence();
    }
}

/* RFC5961-2 */
TEST(an_exact_reset_ends_closing_and_last_ack_in_order)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    expects_closed(HF_OK);
    on(1);
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    closes();
    expects(FIN | ACK);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    expects_closed(HF_OK);
}

/* RFC7323-42 */
TEST(a_reset_of_a_connection_with_timestamps_carries_one_and_a_bare_reset_none)
{
    p->with.tsval = 1000;
    establish_active();
    aborts();
    expects(RST | ACK, .options = "nop,nop,TS", .tsecr = 1000);
    sends(ACK, .ack = ISS + 1);
    expects(RST, .options = "");
}

/* RFC7323-43 */
TEST(a_reset_needs_no_timestamp_and_is_not_judged_by_paws)
{
    p->with.tsval = 1000;
    establish_active();
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    on(1);
    establish_active();
    sends(RST, .seq = IRS + 1, .tsval = 10);
    expects_closed(HF_ERR_RESET);
}

TEST(the_close_reason_tells_who_began_and_how_it_ended)
{
    struct hf_close_reason reason;
    establish_active();
    holds_equal(hf_close_reason(p->stack, p->c->handle, &reason), HF_OK);
    holds_equal(reason.first, 0);
    holds_equal(reason.state, HF_ESTABLISHED);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    closes();
    expects(FIN | ACK);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    holds_equal(hf_close_reason(p->stack, p->c->handle, &reason), HF_OK);
    holds_equal(reason.first, 2);
    holds(reason.fin_sent && reason.fin_acked && reason.fin_received);
    holds(!reason.rst_sent && !reason.rst_received);
    holds_equal(reason.state, HF_LAST_ACK);
    holds(reason.text[0] != 0);
    on(1);
    establish_active();
    sends(RST, .seq = IRS + 1);
    holds_equal(hf_close_reason(p->stack, p->c->handle, &reason), HF_ERR_RESET);
    holds(reason.rst_received && !reason.rst_sent);
    holds_equal(reason.verdict, HF_V_RST_CLOSES);
    holds_equal(reason.state, HF_ESTABLISHED);
}

/* RFC5961-12: what earned no answer does not put the next one off. */
TEST(in_time_wait_the_challenge_limit_counts_from_the_last_one_sent)
{
    establish_passive();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    releases();
    sends(ACK, .seq = IRS - 50, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    after(400);
    sends(ACK, .seq = IRS - 50, .ack = ISS + 2);
    expects_silence();
    after(200);
    sends(ACK, .seq = IRS - 50, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
}

/* hf_policy.reset_rate: whatever was spent, a second is enough to be paid for; and so are more. */
TEST(after_a_silence_a_segment_for_no_connection_is_reset)
{
    p->config.policy.reset_rate = 16;
    starts();
    for (int i = 0; i < 100; i++) {
        for (int n = 0; n < 4; n++) {
            sends(ACK, .seq = 1000, .ack = 2000);
            struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
            holds(n > 0 || seen != NULL);
            if (seen)
                peer_taken(p, seen);
        }
        after(10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_exact_reset_aborts_an_established_connection),
        BOTH(a_reset_in_the_window_but_not_exact_earns_a_challenge_ack),
        V4(a_reset_outside_the_window_is_dropped_silently),
        V4(a_reset_with_ack_and_text_is_still_a_reset),
        V4(challenge_acks_come_at_most_once_in_500_ms),
        V4(the_challenge_limit_of_one_connection_says_nothing_about_another),
        V4(the_interval_of_challenge_acks_is_a_policy),
        V4(the_limit_does_not_hold_back_answers_to_old_text),
        V4(challenge_acks_do_not_answer_each_other_for_ever),
        V4(the_challenge_limit_of_a_half_open_connection_holds_at_any_time),
        V4(the_challenge_limit_of_a_half_open_connection_lasts_as_long_at_any_time),
        V4(a_challenge_limit_of_less_than_a_tick_holds_for_segments_of_one_time),
        V4(nothing_of_a_challenged_syn_is_processed),
        V4(the_reset_that_answers_a_challenge_ack_ends_the_connection),
        V4(an_ack_may_lag_by_the_largest_window_and_no_further),
        V4(the_range_of_the_ack_field_is_checked_with_text_fin_or_neither),
        BOTH(a_syn_on_an_open_connection_earns_a_challenge_ack_whatever_its_number),
        V4(an_ack_of_data_never_sent_is_answered_and_dropped),
        V4(an_ack_below_what_was_ever_sent_is_dropped_though_the_window_is_large),
        V4(an_old_ack_within_the_largest_window_is_taken_as_a_duplicate),
        V4(a_segment_without_ack_bit_is_dropped_silently),
        V4(a_segment_outside_the_window_is_answered_with_the_present_numbers),
        BOTH(no_connection_answers_with_the_numbers_the_rfc_gives),
        BOTH(an_abort_resets_with_the_present_numbers_and_loses_what_is_queued),
        V4(an_abort_in_the_last_states_is_silent),
        V4(an_abort_in_fin_wait_1_fin_wait_2_and_close_wait_resets),
        V4(an_exact_reset_ends_closing_and_last_ack_in_order),
        BOTH(a_reset_of_a_connection_with_timestamps_carries_one_and_a_bare_reset_none),
        V4(a_reset_needs_no_timestamp_and_is_not_judged_by_paws),
        V4(the_close_reason_tells_who_began_and_how_it_ended),
        V4(in_time_wait_the_challenge_limit_counts_from_the_last_one_sent),
        BOTH(after_a_silence_a_segment_for_no_connection_is_reset),
    };
    return cmocka_run_group_tests_name("resets", tests, NULL, NULL);
}
