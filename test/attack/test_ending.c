/* How connections end, and that each of them does: RFC 9293 3.6, RFC 1337, RFC 6191; forged or late
 * segments, peers that go away, applications that do not. */
#include "attack/forge.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

/* ST-01: RFC 1337 F1, where the policy has it: the old duplicate earns an ACK, whoever gets that
 * answers with an exact reset, and TIME-WAIT lasts as long as it would have. */
TEST(with_resets_ignored_time_wait_is_not_assassinated_and_ends_in_its_time)
{
    p->config.policy.tw_ignore_rst = true;
    for (int i = 0; i < 2; i++) { /* the second one in its small record */
        on(i);
        reach(p, HF_TIME_WAIT);
        if (i == 1)
            releases();
        after(10000);
        forges(ACK, .seq = IRS - 50, .ack = ISS + 1, .len = 20);
        expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
        sends(RST, .seq = IRS + 2);
        expects_silence();
        after(49000);
        forges(ACK, .seq = IRS - 50, .ack = ISS + 1, .len = 20); /* still there */
        expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
        after(2000);
        forges(ACK, .seq = IRS - 50, .ack = ISS + 1, .len = 20);
        expects(RST, .seq = ISS + 1); /* gone */
    }
}

/* ST-01: the rulings: without it an exact reset ends TIME-WAIT, and nothing less does. */
TEST(only_the_exact_reset_ends_time_wait)
{
    reach(p, HF_TIME_WAIT);
    forges(RST, .seq = IRS + 1);
    forges(RST, .seq = IRS + 2 + 1000000000);
    expects_silence();
    forges(RST, .seq = IRS + 3);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    expects_state(HF_TIME_WAIT);
    sends(RST, .seq = IRS + 2);
    expects_silence();
    expects_closed(HF_OK);
}

/* ST-05: an orphan whose peer says no more */
TEST(an_orphan_in_fin_wait_2_ends_after_a_minute_of_silence)
{
    reach(p, HF_FIN_WAIT_2);
    releases();
    after(MINUTE_MS - 100);
    holds_equal(counters_of(p).connections, 1);
    after(200);
    holds_equal(counters_of(p).connections, 0);
    expects_silence();
}

/* ST-05: SHLD-3: nobody will read it */
TEST(text_for_an_orphan_in_fin_wait_2_is_answered_with_a_reset)
{
    reach(p, HF_FIN_WAIT_2);
    releases();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10);
    expects(RST, .seq = ISS + 2);
    holds_equal(counters_of(p).connections, 0);
}

/* ST-05: shutdown(WR) is no orphan. */
TEST(a_half_closed_connection_that_somebody_holds_waits_and_reads_for_hours)
{
    reach(p, HF_FIN_WAIT_2);
    after(3 * HOUR_MS);
    expects_state(HF_FIN_WAIT_2);
    for (int i = 0; i < 5; i++) {
        sends(ACK, .ack = ISS + 2, .len = 100);
        expects(ACK, .ack = IRS + 101 + 100 * i);
        reads(100);
        after(MINUTE_MS + 1);
    }
    sends(FIN | ACK, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 502);
    expects_state(HF_TIME_WAIT);
}

/* Until the record is gone, at most so long; some timer runs all the while. */
static void ends_within(struct peer *p, int64_t ms, bool released)
{
    int64_t limit_ns = p->env.now_ns + ms * 1000000;
    while (p->env.now_ns < limit_ns) {
        bool gone = released ? counters_of(p).connections == 0 : p->c->state == HF_CLOSED;
        if (gone)
            return;
        holds(hf_deadline(p->stack, &p->env) != INT64_MAX);
        after(10000);
        count_sent(p);
    }
    peer_fail(p, "the connection is still there after %lld ms", (long long)ms);
}

static void last_ack(struct peer *p, bool released, uint32_t acked, int64_t wnd)
{
    establish_active();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = wnd);
    expects(ACK, .ack = IRS + 2);
    writes(5000);
    count_sent(p);
    if (released)
        releases();
    else
        closes();
    count_sent(p);
    if (acked)
        sends(ACK, .seq = IRS + 2, .ack = ISS + 1 + acked, .wnd = wnd);
    for (int i = 0; i < 5; i++) /* the peer's FIN, again and again */
        forges(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1 + acked, .wnd = wnd);
    count_sent(p);
    ends_within(p, 2 * HOUR_MS, released);
    on(1);
    establish_active();
    lives(p);
}

/* ST-07: CVE-2015-5358: the peer acknowledges a part and goes away. */
TEST(last_ack_with_text_unacknowledged_ends)
{
    last_ack(p, false, 1460, 65535);
}

/* ST-07 */
TEST(last_ack_of_an_orphan_with_text_unacknowledged_ends)
{
    last_ack(p, true, 1460, 65535);
}

/* ST-07: the window is closed, and nobody answers the probes. */
TEST(last_ack_behind_a_closed_window_ends)
{
    last_ack(p, false, 0, ZERO);
}

/* ST-07 */
TEST(last_ack_of_an_orphan_behind_a_closed_window_ends)
{
    last_ack(p, true, 0, ZERO);
}

/* ST-07: every state that waits for the peer, and the peer says nothing more. */
TEST(every_state_between_open_and_closed_ends_by_itself)
{
    static const enum hf_state states[] = {HF_FIN_WAIT_1, HF_FIN_WAIT_2, HF_CLOSING, HF_LAST_ACK,
                                           HF_TIME_WAIT};
    for (int i = 0; i < 5; i++) {
        on(i);
        reach(p, states[i]);
        if (states[i] == HF_FIN_WAIT_2) /* one that the application holds may wait (ST-05) */
            releases();
        ends_within(p, HOUR_MS, states[i] == HF_FIN_WAIT_2);
        if (states[i] != HF_FIN_WAIT_2)
            releases();
    }
    on(5);
    opens();
    expects(SYN);
    ends_within(p, HOUR_MS, false);
    on(6);
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    ends_within(p, HOUR_MS, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(with_resets_ignored_time_wait_is_not_assassinated_and_ends_in_its_time),
        BOTH(only_the_exact_reset_ends_time_wait),
        BOTH(an_orphan_in_fin_wait_2_ends_after_a_minute_of_silence),
        BOTH(text_for_an_orphan_in_fin_wait_2_is_answered_with_a_reset),
        V4(a_half_closed_connection_that_somebody_holds_waits_and_reads_for_hours),
        BOTH(last_ack_with_text_unacknowledged_ends),
        V4(last_ack_of_an_orphan_with_text_unacknowledged_ends),
        BOTH(last_ack_behind_a_closed_window_ends),
        V4(last_ack_of_an_orphan_behind_a_closed_window_ends),
        BOTH(every_state_between_open_and_closed_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
