/* Who cannot see a connection's packets forges resets, SYNs and FINs for it: RFC 5961 3 and 4, RFC
 * 9293 3.10.7.3 and 3.10.7.4. */
#include "attack/forge.h"

enum { MIB = 1 << 20 };

/* BL-01: RFC 5961 3.2 */
TEST(resets_in_a_window_of_a_mebibyte_but_not_exact_end_nothing)
{
    p->config.policy.receive_window = MIB;
    p->with.wscale = SHIFT(7);
    establish_active();
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
    uint32_t wnd = status_of(rcv_wnd);
    holds(wnd >= MIB - 1000);
    const uint32_t inside[] = {1, wnd / 2, wnd - 1};
    for (int i = 0; i < 3; i++) {
        forges(RST, .seq = IRS + 11 + inside[i]);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 11);
        expects_silence();
        after(600);
    }
    forges(RST, .seq = IRS + 10);
    forges(RST, .seq = IRS + 11 + (int64_t)wnd);
    expects_silence();
    lives(p);
}

static void exact_reset_ends(struct peer *p, unsigned ctl)
{
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2,
                                           HF_CLOSE_WAIT,  HF_CLOSING,    HF_LAST_ACK,
                                           HF_TIME_WAIT};
    p->config.max_connections = p->config.max_active = 8;
    for (int i = 0; i < 7; i++) {
        on(i);
        int64_t nxt = reach(p, states[i]);
        bool open = states[i] == HF_ESTABLISHED || states[i] == HF_CLOSE_WAIT;
        if (open) {
            writes(5000);
            holds(count_sent(p) >= 3);
        }
        bool told = open || states[i] == HF_FIN_WAIT_1 || states[i] == HF_FIN_WAIT_2;
        sends(ctl, .seq = nxt, .ack = ctl & ACK ? ISS + 77777 : 0);
        expects_silence();
        expects_closed(told ? HF_ERR_RESET : HF_OK);
        holds_equal(status_of(queued_bytes), 0);
    }
    after(200000);
    expects_silence();
    holds_equal(counters_of(p).active, 0);
    holds_equal(counters_of(p).small_chunks + counters_of(p).large_chunks, 0);
}

/* BL-02: RFC 5961 3.2; the peer's own reset must count. */
TEST(an_exact_reset_ends_a_connection_in_every_synchronized_state)
{
    exact_reset_ends(p, RST);
}

/* BL-02 */
TEST(an_exact_reset_counts_whatever_it_acknowledges)
{
    exact_reset_ends(p, RST | ACK);
}

/* BL-03: RFC 5961 4.2 */
TEST(no_syn_ends_an_open_connection_whatever_its_number_and_what_comes_with_it)
{
    static const int64_t numbers[] = {IRS,        IRS + 1,   IRS + 50,
                                      IRS - 1000, IRS + 999, IRS + 1000000000};
    static const struct seg_spec kinds[] = {{.ctl = SYN},
                                            {.ctl = SYN | ACK, .ack = ISS + 1},
                                            {.ctl = SYN | FIN},
                                            {.ctl = SYN, .len = 20}};
    establish_active();
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 4; k++) {
            struct seg_spec spec = kinds[k];
            spec.seq = numbers[i];
            forge(PEER_HERE(p), &spec);
            expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
            expects_silence();
            after(600);
        }
    for (int i = 0; i < 100; i++)
        forges(SYN, .seq = IRS + 9);
    holds_equal(count_sent(p), 1);
    lives(p);
}

/* BL-03: the peer has rebooted indeed, and says so. */
TEST(who_was_sent_the_challenge_and_knows_no_connection_ends_it)
{
    establish_active();
    forges(SYN, .seq = IRS + 5000000, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    new_incarnation(5000100);
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* BL-06: RFC 5961 3.2; the rulings: RCV.NXT alone. */
TEST(a_reset_at_the_end_of_text_that_is_held_is_challenged)
{
    p->with.sackok = true;
    establish_active();
    sends(ACK, .seq = IRS + 1001, .len = 1000);
    expects(ACK, .ack = IRS + 1, .sack = {{IRS + 1001, IRS + 2001}});
    sends(RST, .seq = IRS + 2001);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 2001);
    reads(2000);
    lives(p);
}

/* BL-07: RFC 9293 3.10.7.3 second */
TEST(in_syn_sent_no_reset_counts_that_does_not_acknowledge_the_syn)
{
    opens();
    expects(SYN);
    forges(RST, .seq = IRS);
    forges(RST, .seq = IRS, .ack = ISS + 1);
    forges(RST | ACK, .seq = IRS, .ack = ISS);
    forges(RST | ACK, .seq = IRS, .ack = ISS + 2);
    forges(RST | ACK, .seq = IRS, .ack = ISS + 123456789);
    expects_silence();
    expects_state(HF_SYN_SENT);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .ack = IRS + 1);
    lives(p);
}

/* BL-07 */
TEST(in_syn_sent_a_reset_that_acknowledges_the_syn_means_refused)
{
    opens();
    expects(SYN);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
    expects_silence();
    expects_closed(HF_ERR_REFUSED);
}

/* BL-13: the SYN that goes again behind a reset is no lever. */
TEST(forged_acks_in_syn_sent_make_no_flood_of_syns_and_end_no_attempt)
{
    opens();
    expects(SYN);
    uint32_t syns = 0;
    for (int ms = 0; ms < 4000; ms += 12) {
        forges(ACK, .seq = IRS, .ack = ISS + 500);
        expects(RST, .seq = ISS + 500);
        after(12);
        syns += count_sent(p);
    }
    holds(syns <= 4000 / 500 + 2);
    after(60000); /* as many SYNs as without them: 7, 15, 31, 63 s */
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    count_sent(p);
    lives(p);
}

/* BL-08: MUST-11, RFC 5961 3.2 */
TEST(in_syn_received_of_a_passive_open_the_exact_reset_counts_with_or_without_ack)
{
    listens();
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        forges(RST, .seq = IRS + 2);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        holds_equal(counters_of(p).half_open, 1);
        sends(i ? RST | ACK : RST, .seq = IRS + 1, .ack = i ? ISS + 1 : 0);
        expects_silence();
        holds_equal(counters_of(p).half_open, 0);
        peer_events(p);
        holds_equal(p->listener_events, 0);
    }
    new_incarnation(9000);
    establish_passive(); /* the listener is as it was */
    lives(p);
}

/* BL-08 */
TEST(in_syn_received_of_an_active_open_the_exact_reset_means_refused)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        opens();
        expects(SYN);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .ack = IRS + 1);
        forges(RST, .seq = IRS + 2);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        expects_state(HF_SYN_RECEIVED);
        sends(i ? RST | ACK : RST, .seq = IRS + 1, .ack = i ? ISS + 1 : 0);
        expects_silence();
        expects_closed(HF_ERR_REFUSED);
    }
}

/* BL-09: RFC 5961 5.2 */
TEST(a_fin_with_an_ack_that_cannot_be_closes_nothing)
{
    static const int64_t acks[] = {ISS + 2, ISS - 1, ISS + 1 + (INT64_C(1) << 31)};
    establish_active();
    for (int i = 0; i < 3; i++) {
        forges(FIN | ACK, .seq = IRS + 1, .ack = acks[i]);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
        expects_no_event(HF_PEER_CLOSED);
    }
    lives(p);
}

/* BL-09: one place is kept for a FIN, however many are forged. */
TEST(a_fin_ahead_of_rcv_nxt_waits_for_the_text_before_it)
{
    establish_active();
    for (int i = 0; i < 1000; i++) {
        forges(FIN | ACK, .seq = IRS + 10000 + i, .ack = ISS + 1);
        expects(ACK, .ack = IRS + 1);
    }
    expects_no_event(HF_PEER_CLOSED);
    holds_equal(counters_of(p).active, 1);
    holds_equal(counters_of(p).ranges, 0);
    holds_equal(counters_of(p).small_chunks, 0);
    lives(p);
    sends(FIN | ACK, .seq = IRS + 31); /* the peer's own, 20 octets ahead */
    expects(ACK, .ack = IRS + 11);
    expects_state(HF_ESTABLISHED);
    sends(ACK, .seq = IRS + 11, .len = 20);
    expects(ACK, .ack = IRS + 32);
    expects_state(HF_CLOSE_WAIT);
    expects_event(HF_PEER_CLOSED);
    reads(20);
    reads_result(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(resets_in_a_window_of_a_mebibyte_but_not_exact_end_nothing),
        BOTH(an_exact_reset_ends_a_connection_in_every_synchronized_state),
        V4(an_exact_reset_counts_whatever_it_acknowledges),
        BOTH(no_syn_ends_an_open_connection_whatever_its_number_and_what_comes_with_it),
        V4(who_was_sent_the_challenge_and_knows_no_connection_ends_it),
        V4(a_reset_at_the_end_of_text_that_is_held_is_challenged),
        BOTH(in_syn_sent_no_reset_counts_that_does_not_acknowledge_the_syn),
        V4(in_syn_sent_a_reset_that_acknowledges_the_syn_means_refused),
        V4(forged_acks_in_syn_sent_make_no_flood_of_syns_and_end_no_attempt),
        BOTH(in_syn_received_of_a_passive_open_the_exact_reset_counts_with_or_without_ack),
        BOTH(in_syn_received_of_an_active_open_the_exact_reset_means_refused),
        BOTH(a_fin_with_an_ack_that_cannot_be_closes_nothing),
        V4(a_fin_ahead_of_rcv_nxt_waits_for_the_text_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
