/* RFC 9293 section 3.6: half-close, lost FINs, CLOSING, TIME-WAIT and its reuse, releasing. */
#include "common/peer.h"

/* To FIN-WAIT-2, to TIME-WAIT. */
static void half_close(struct peer *p)
{
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_silence();
    expects_state(HF_FIN_WAIT_2);
}

static void to_time_wait(struct peer *p)
{
    half_close(p);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT);
}

/* MAY-1 */
TEST(after_our_close_the_peer_goes_on_sending_and_is_read)
{
    establish_active();
    half_close(p);
    for (int i = 0; i < 5; i++) {
        sends(ACK, .len = 1000);
        expects(ACK, .seq = ISS + 2, .ack = IRS + 1 + 1000 * (i + 1));
        reads(1000);
    }
    expects_state(HF_FIN_WAIT_2);
    sends(FIN | ACK, .len = 10);
    expects(ACK, .ack = IRS + 5012);
    expects_state(HF_TIME_WAIT);
    reads(10);
    reads_result(0);
}

/* */
TEST(after_the_peers_close_we_go_on_sending_and_it_acknowledges)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    for (int i = 0; i < 5; i++) {
        writes(1000);
        expects(ACK, .seq = ISS + 1 + 1000 * i, .ack = IRS + 2, .len = 1000);
        sends(ACK, .seq = IRS + 2);
    }
    expects_state(HF_CLOSE_WAIT);
    writes(10);
    closes();
    expects(ACK, .len = 10);
    expects(FIN | ACK, .seq = ISS + 5011);
    expects_state(HF_LAST_ACK);
    sends(ACK, .seq = IRS + 2);
    expects_closed(HF_OK);
}

TEST(a_fin_queued_behind_text_rides_on_the_last_segment)
{
    establish_active();
    p->c->wnd = 1000; /* holds half of the text back */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 1000);
    writes(1000);
    expects(ACK, .len = 1000);
    writes(500);
    closes();
    expects_silence();
    expects_state(HF_FIN_WAIT_1);
    refuses(HF_ERR_CLOSING, hf_send(p->stack, &p->env, p->c->handle, "x", 1, 0));
    sends(ACK, .ack = ISS + 1001);
    expects(FIN | ACK, .seq = ISS + 1001, .len = 500);
    sends(ACK, .ack = ISS + 1502);
    expects_state(HF_FIN_WAIT_2);
}

TEST(an_ack_of_the_text_before_the_fin_does_not_acknowledge_the_fin)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    sends(ACK, .ack = ISS + 101);
    expects_silence();
    expects_state(HF_FIN_WAIT_1);
    sends(ACK, .ack = ISS + 102);
    expects_state(HF_FIN_WAIT_2);
}

/* */
TEST(a_lost_fin_is_sent_again)
{
    establish_active();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    expects_after(190, 1100, FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
    after(5000);
    expects_silence();
}

/* */
TEST(a_repeated_fin_is_acknowledged_again_in_close_wait)
{
    establish_passive();
    for (int i = 0; i < 3; i++) { /* our ACKs are lost: each FIN gets one */
        sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 2);
        expects_state(HF_CLOSE_WAIT);
    }
    sends(FIN | ACK, .seq = IRS + 2, .ack = ISS + 1); /* a second FIN, beyond the first */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 2);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 1, .len = 10); /* text behind the FIN */
    expects_state(HF_CLOSE_WAIT);
    holds_equal(status_of(rcv_nxt), peer_number(p, IRS + 2));
    holds_equal(status_of(unread_bytes), 0);
}

/* */
TEST(fin_and_its_ack_in_one_segment_lead_from_fin_wait_1_to_time_wait)
{
    establish_active();
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT);
}

TEST(text_in_fin_wait_1_is_taken_and_acknowledged)
{
    establish_active();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 101);
    reads(100);
    expects_state(HF_FIN_WAIT_1);
}

/* SHLD-31, X-17 */
TEST(a_fin_ahead_of_a_gap_waits_for_the_gap)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 50);
    expects(ACK, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
    expects_no_event(HF_PEER_CLOSED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 152);
    expects_state(HF_CLOSE_WAIT);
    expects_event(HF_PEER_CLOSED);
    reads(150);
    reads_result(0);
}

/* The peer's ACKs come from behind its FIN; were they answered, two ends that wait for each other's
 * text would answer each other until a timer repeats it. */
TEST(an_ack_from_behind_a_fin_that_waits_for_a_gap_is_not_answered)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 102, .ack = ISS + 1);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_CLOSE_WAIT);
}

/* MUST-13 */
TEST(a_lost_last_ack_is_made_good_by_time_wait_which_starts_anew)
{
    establish_active();
    to_time_wait(p);
    after(50000);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    after(59000);
    expects_state(HF_TIME_WAIT); /* 2 MSL from the repeated FIN */
    after(1500);
    expects_state(HF_CLOSED);
}

/* */
TEST(a_bare_ack_in_time_wait_is_ignored_and_changes_no_timer)
{
    establish_active();
    to_time_wait(p);
    after(30000);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 2);
    expects_silence();
    after(29000);
    expects_state(HF_TIME_WAIT);
    after(1500);
    expects_state(HF_CLOSED);
}

TEST(time_wait_lasts_twice_the_msl_of_the_policy)
{
    p->config.policy.msl_ms = 500;
    establish_active();
    to_time_wait(p);
    after(980);
    expects_state(HF_TIME_WAIT);
    after(40);
    expects_closed(HF_OK);
}

TEST(time_wait_of_a_released_handle_still_answers_a_repeated_fin)
{
    establish_active();
    to_time_wait(p);
    hf_handle old = p->c->handle;
    releases();
    struct hf_status status = {.struct_size = sizeof status};
    refuses(HF_ERR_STALE_HANDLE, hf_status(p->stack, &p->env, old, &status));
    after(20000);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    after(59000);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    after(61000);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
}

/* RFC1337-2 */
TEST(an_exact_reset_ends_time_wait_and_the_policy_can_forbid_it)
{
    establish_active();
    to_time_wait(p);
    sends(RST, .seq = IRS + 3); /* not exact */
    expects(ACK, .ack = IRS + 2);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    expects_closed(HF_OK);
    releases();
    struct hf_policy policy = *hf_policy(p->stack);
    policy.tw_ignore_rst = true; /* RFC 1337 */
    calls(hf_set_policy(p->stack, &p->env, &policy));
    new_incarnation(100);
    establish_active();
    to_time_wait(p);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    expects_state(HF_TIME_WAIT);
}

static void reuse(struct peer *p, bool released)
{
    establish_passive();
    to_time_wait(p);
    uint32_t old_end = p->c->iss + 2;
    if (released)
        releases();
    hf_handle old = p->c->handle;
    sends(SYN, .seq = IRS + 1); /* not above the FIN's number: may be old */
    expects_silence();
    new_incarnation(500);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds((int32_t)(p->c->iss - old_end) > 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    if (!released) { /* the old handle learns that it is over */
        p->c->handle = old;
        expects_closed(HF_OK);
    }
    accepts();
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

/* MAY-2 */
TEST(a_syn_above_the_old_numbers_ends_time_wait_early)
{
    reuse(p, true);
}

TEST(a_syn_above_the_old_numbers_ends_time_wait_of_a_kept_handle_early)
{
    reuse(p, false);
}

/* SHLD-4, RFC6191-1 */
TEST(a_syn_with_a_newer_timestamp_ends_time_wait_whatever_its_number)
{
    p->with.tsval = 1000;
    establish_passive();
    to_time_wait(p);
    uint32_t ts = peer_stamp(p);
    releases();
    new_incarnation(50);                                  /* below the old numbers */
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts - 1); /* older */
    expects_silence();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts); /* equal, and the number is not above */
    expects_silence();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts + 1);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

/* ST-03, X-39 */
TEST(a_reused_time_wait_comes_back_when_the_new_connection_is_reset)
{
    establish_passive();
    to_time_wait(p);
    struct peer_conn old = *p->c;
    releases();
    new_incarnation(500);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .seq = ISS);
    sends(RST, .seq = IRS + 1);
    expects_silence();
    *p->c = old; /* MAY-2 (2) */
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
}

/* ST-03 */
TEST(nobody_listens_so_a_syn_in_time_wait_is_ignored)
{
    establish_active();
    to_time_wait(p);
    sends(SYN, .seq = IRS + 5000);
    expects_silence();
    expects_state(HF_TIME_WAIT);
}

TEST(text_before_the_fin_may_still_be_acknowledged_in_last_ack_and_closing)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK);
    writes(100);
    expects(ACK, .len = 100);
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 101);
    expects_state(HF_LAST_ACK);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 102);
    expects_closed(HF_OK);
    on(1);
    establish_active();
    writes(100);
    closes();
    expects(ACK, .len = 100);
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    expects_state(HF_CLOSING);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 101);
    expects_state(HF_CLOSING);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 102);
    expects_state(HF_TIME_WAIT);
}

/* SHLD-3 */
TEST(releasing_with_unread_octets_resets)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    releases();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 101); /* RFC 2525 2.17 */
    sends(ACK, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
}

/* hf_release: "unless both sides have closed"; our FIN waits behind text. */
TEST(releasing_with_unread_octets_behind_both_closes_loses_no_queued_text)
{
    establish_active();
    sends(FIN | ACK, .len = 50, .wnd = 1460);
    expects(ACK, .ack = IRS + 52);
    writes(1500);
    expects(ACK, .len = 1460);
    closes();
    expects_state(HF_CLOSE_WAIT);
    releases();
    expects_silence();
    sends(ACK, .seq = IRS + 52, .ack = ISS + 1461, .wnd = 1000);
    expects(FIN | PSH | ACK, .seq = ISS + 1461, .len = 40);
    sends(ACK, .seq = IRS + 52, .ack = ISS + 1502);
    after(1000);
    expects_silence();
}

TEST(releasing_with_all_read_closes_in_order_and_the_stack_finishes_alone)
{
    establish_active();
    sends(ACK, .len = 100);
    expects(ACK, .ack = IRS + 101);
    reads(100);
    writes(50);
    releases();
    expects(ACK, .len = 50);
    expects(FIN | ACK, .seq = ISS + 51);
    sends(ACK, .ack = ISS + 52);
    sends(FIN | ACK, .ack = ISS + 52);
    expects(ACK, .seq = ISS + 52, .ack = IRS + 102);
    after(61000);
    sends(FIN | ACK, .seq = IRS + 101, .ack = ISS + 52);
    expects(RST);
}

TEST(data_that_arrives_after_the_release_is_answered_with_a_reset)
{
    for (int acked = 0; acked < 2; acked++) {
        on(acked);
        establish_active();
        releases();
        expects(FIN | ACK);
        if (acked)
            sends(ACK, .seq = IRS + 1, .ack = ISS + 2); /* FIN-WAIT-2 */
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1 + acked, .len = 10);
        expects(RST, .seq = ISS + 1 + acked); /* SHLD-3 */
        sends(ACK, .seq = IRS + 11, .ack = ISS + 2);
        expects(RST, .seq = ISS + 2); /* it is gone */
    }
}

TEST(a_released_fin_wait_2_ends_after_60_seconds_and_a_kept_one_does_not)
{
    establish_active();
    half_close(p);
    on(1);
    establish_active();
    half_close(p);
    releases();
    after(59000);
    on(0);
    expects_state(HF_FIN_WAIT_2);
    after(2000);
    expects_silence();
    expects_state(HF_FIN_WAIT_2);
    on(1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(after_our_close_the_peer_goes_on_sending_and_is_read),
        BOTH(after_the_peers_close_we_go_on_sending_and_it_acknowledges),
        V4(a_fin_queued_behind_text_rides_on_the_last_segment),
        V4(an_ack_of_the_text_before_the_fin_does_not_acknowledge_the_fin),
        BOTH(a_lost_fin_is_sent_again),
        V4(a_repeated_fin_is_acknowledged_again_in_close_wait),
        V4(fin_and_its_ack_in_one_segment_lead_from_fin_wait_1_to_time_wait),
        V4(text_in_fin_wait_1_is_taken_and_acknowledged),
        V4(a_fin_ahead_of_a_gap_waits_for_the_gap),
        V4(an_ack_from_behind_a_fin_that_waits_for_a_gap_is_not_answered),
        BOTH(a_lost_last_ack_is_made_good_by_time_wait_which_starts_anew),
        V4(a_bare_ack_in_time_wait_is_ignored_and_changes_no_timer),
        V4(time_wait_lasts_twice_the_msl_of_the_policy),
        BOTH(time_wait_of_a_released_handle_still_answers_a_repeated_fin),
        V4(an_exact_reset_ends_time_wait_and_the_policy_can_forbid_it),
        BOTH(a_syn_above_the_old_numbers_ends_time_wait_early),
        V4(a_syn_above_the_old_numbers_ends_time_wait_of_a_kept_handle_early),
        BOTH(a_syn_with_a_newer_timestamp_ends_time_wait_whatever_its_number),
        V4(a_reused_time_wait_comes_back_when_the_new_connection_is_reset),
        V4(nobody_listens_so_a_syn_in_time_wait_is_ignored),
        V4(text_before_the_fin_may_still_be_acknowledged_in_last_ack_and_closing),
        BOTH(releasing_with_unread_octets_resets),
        BOTH(releasing_with_unread_octets_behind_both_closes_loses_no_queued_text),
        V4(releasing_with_all_read_closes_in_order_and_the_stack_finishes_alone),
        V4(data_that_arrives_after_the_release_is_answered_with_a_reset),
        V4(a_released_fin_wait_2_ends_after_60_seconds_and_a_kept_one_does_not),
    };
    return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
