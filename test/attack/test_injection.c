/* Forged text, ACKs, windows and timestamps: RFC 5961 5, RFC 9293 3.10.7.4 fifth, RFC 5681 2, RFC
 * 7323 5. */
#include "attack/forge.h"

/* Twenty segments of 1000 octets, each acknowledged: SND.UNA is ISS + 20001, MAX.SND.WND 5000. */
static void has_sent_more_than_a_window(struct peer *p)
{
    p->c->wnd = 5000;
    establish_active();
    for (int i = 0; i < 20; i++) {
        writes(1000);
        expects(ACK, .len = 1000);
        sends(ACK, .seq = IRS + 1);
    }
}

/* BL-04: RFC 5961 5.2 */
TEST(forged_text_with_an_ack_that_cannot_be_is_not_delivered)
{
    has_sent_more_than_a_window(p);
    const int64_t una = ISS + 20001;
    const int64_t acks[] = {una - 5001, una + 1, una + (INT64_C(1) << 31)};
    for (int i = 0; i < 3; i++) {
        forges(ACK, .seq = IRS + 1, .ack = acks[i], .len = 10);
        expects(ACK, .seq = una, .ack = IRS + 1);
        expects_silence();
        expects_no_event(HF_READABLE);
    }
    holds_equal(status_of(unread_bytes), 0);
    for (int i = 0; i < 100; i++) /* without text they are answered within the limit */
        forges(ACK, .seq = IRS + 1, .ack = acks[i % 3]);
    holds_equal(count_sent(p), 1);
    lives(p);
}

/* BL-04: what was overtaken by as much as a window is still the peer's. */
TEST(text_with_an_ack_of_a_window_ago_is_delivered)
{
    has_sent_more_than_a_window(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 20001 - 5000, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
    lives(p);
}

/* BL-05: RFC 5961 5.2, draft-ietf-tcpm-tcp-ghost-acks; the rulings: no lower than ISS + 1 */
TEST(text_that_acknowledges_octets_never_sent_is_not_delivered)
{
    p->with = (struct seg_spec){.mss = 1400, .wnd = 65535, .wscale = SHIFT(14)};
    establish_passive();
    const int64_t ghosts[] = {ISS + 1 - 1073725300, ISS, ISS - 1000};
    for (int i = 0; i < 3; i++) {
        forges(ACK, .seq = IRS + 1, .ack = ghosts[i], .len = 1000);
        expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    }
    holds_equal(status_of(unread_bytes), 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1000);
    expects(ACK, .ack = IRS + 1001);
    reads(1000);
    lives(p);
}

/* BL-10: RFC 9293 3.10.7.4 fifth, SND.WL1 and SND.WL2 */
TEST(a_forged_window_of_nothing_that_is_not_exact_does_not_stop_the_sender)
{
    establish_active();
    lives(p);
    const uint32_t wnd = status_of(snd_wnd);
    const int64_t nxt = IRS + 11, una = ISS + 21;
    const int64_t forged[][2] = {{nxt - 1, una}, {nxt, una - 10}, {nxt + 500, una}};
    for (int i = 0; i < 3; i++) {
        forges(ACK, .seq = forged[i][0], .ack = forged[i][1], .wnd = ZERO);
        count_sent(p);
        holds_equal(status_of(snd_wnd), wnd);
    }
    lives(p);
}

/* BL-10: even when it was exact. */
TEST(a_closed_window_is_probed_and_the_peers_own_update_opens_it_at_once)
{
    establish_active();
    forges(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    holds_equal(status_of(snd_wnd), 0);
    writes(1000);
    holds(hf_deadline(p->stack, &p->env) != INT64_MAX);
    expects_after(150, 1100, ACK, .seq = ISS, .len = 0); /* a probe; SND.NXT has not moved */
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    sends(ACK);
    lives(p);
}

/* What must not have happened: nothing was sent again, and cwnd is what it was. */
static void no_reduction(struct peer *p, uint32_t cwnd)
{
    holds_equal(status_of(cwnd), cwnd);
    holds_equal(status_of(retransmitted_segs), 0);
    holds_equal(status_of(in_recovery), 0);
}

/* Five segments of 1000 octets in flight. */
static uint32_t five_in_flight(struct peer *p)
{
    writes(5000);
    holds_equal(count_sent(p), 5);
    return status_of(cwnd);
}

/* BL-11: RFC 5681 2 (a) to (e) */
TEST(forged_acks_that_are_no_duplicates_shrink_no_window)
{
    p->with.mss = 1000;
    establish_active();
    uint32_t cwnd = status_of(cwnd);
    for (int i = 0; i < 5; i++) /* nothing is outstanding */
        forges(ACK, .seq = IRS + 1, .ack = ISS + 1);
    no_reduction(p, cwnd);
    cwnd = five_in_flight(p);
    for (int i = 0; i < 5; i++) /* outside the window */
        forges(ACK, .seq = IRS + 1 + 1000000000, .ack = ISS + 1);
    count_sent(p);
    no_reduction(p, cwnd);
    for (int i = 0; i < 5; i++) { /* with text */
        sends(ACK, .ack = ISS + 1, .len = 10);
        count_sent(p);
    }
    reads(50);
    no_reduction(p, cwnd);
    for (int i = 0; i < 5; i++) /* with another window */
        forges(ACK, .seq = IRS + 51, .ack = ISS + 1, .wnd = 60000 - i);
    expects_silence();
    no_reduction(p, cwnd);
    holds_equal(status_of(dup_acks), 0);
    for (int i = 0; i < 3; i++) /* three that are */
        sends(ACK, .seq = IRS + 51, .ack = ISS + 1, .wnd = 59996);
    expects(ACK, .seq = ISS + 1, .len = 1000);
    holds_equal(status_of(in_recovery), 1);
}

/* BL-11: RFC 6675 2: with SACK only what tells of newly held octets counts. */
TEST(with_sack_forged_acks_without_news_shrink_no_window)
{
    p->with.mss = 1000;
    p->with.sackok = true;
    establish_active();
    uint32_t cwnd = five_in_flight(p);
    for (int i = 0; i < 5; i++)
        forges(ACK, .seq = IRS + 1, .ack = ISS + 1);
    for (int i = 0; i < 5; i++) /* of what was never sent */
        forges(ACK, .seq = IRS + 1, .ack = ISS + 1, .sack = {{ISS + 9001, ISS + 10001}});
    expects_silence();
    no_reduction(p, cwnd);
    for (int i = 0; i < 3; i++)
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .sack = {{ISS + 1001, ISS + 2001 + 1000 * i}});
    expects(ACK, .seq = ISS + 1, .len = 1000);
}

/* BL-11, BL-14: RFC 7323 5.3 R1 */
TEST(forged_acks_with_old_timestamps_shrink_no_window)
{
    p->with.mss = 1000;
    p->with.tsval = 1000;
    establish_active();
    sends(ACK, .seq = IRS + 1, .len = 10); /* TS.Recent is the peer's present clock */
    expects(ACK);
    reads(10);
    uint32_t n = 0, cwnd = status_of(cwnd);
    writes(4000);
    count_sent(p);
    for (int i = 0; i < 5; i++) {
        forges(ACK, .seq = IRS + 11, .ack = ISS + 1, .tsval = 500);
        n += count_sent(p);
    }
    holds(n <= 1);
    no_reduction(p, cwnd);
    holds_equal(status_of(dup_acks), 0);
}

static uint32_t far_ahead(const struct peer *p)
{
    return (uint32_t)(p->env.now_ns / 1000000) + 1000 + (1u << 30);
}

static void timestamps_begin(struct peer *p)
{
    p->with.tsval = 1000;
    establish_active();
    lives(p);
}

/* BL-14: RFC 7323 5.3 R3, CVE-2005-0356 */
TEST(a_timestamp_of_text_ahead_of_rcv_nxt_poisons_nothing)
{
    timestamps_begin(p);
    forges(ACK, .seq = IRS + 511, .ack = ISS + 21, .len = 10, .tsval = far_ahead(p));
    count_sent(p);
    lives(p);
    lives(p);
}

/* BL-14: TS.Recent is taken behind the check of the ACK field. */
TEST(a_timestamp_of_a_segment_with_an_ack_that_cannot_be_poisons_nothing)
{
    timestamps_begin(p);
    forges(ACK, .seq = IRS + 11, .ack = ISS + 5000, .len = 10, .tsval = far_ahead(p));
    forges(ACK, .seq = IRS + 11, .ack = ISS + 21 - (INT64_C(1) << 30), .tsval = far_ahead(p));
    count_sent(p);
    lives(p);
    lives(p);
}

/* BL-14 */
TEST(a_timestamp_of_an_ack_beyond_last_ack_sent_poisons_nothing)
{
    timestamps_begin(p);
    forges(ACK, .seq = IRS + 12, .ack = ISS + 21, .tsval = far_ahead(p));
    forges(ACK, .seq = IRS + 11 + 50000, .ack = ISS + 21, .tsval = far_ahead(p));
    expects_silence();
    lives(p);
    lives(p);
}

/* BL-14: a reset is not judged by its timestamp. */
TEST(a_reset_with_an_old_timestamp_or_none_counts)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        timestamps_begin(p);
        sends(RST, .seq = IRS + 11, .tsval = i ? 1 : 0);
        expects_closed(HF_ERR_RESET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(forged_text_with_an_ack_that_cannot_be_is_not_delivered),
        V4(text_with_an_ack_of_a_window_ago_is_delivered),
        BOTH(text_that_acknowledges_octets_never_sent_is_not_delivered),
        V4(a_forged_window_of_nothing_that_is_not_exact_does_not_stop_the_sender),
        V4(a_closed_window_is_probed_and_the_peers_own_update_opens_it_at_once),
        V4(forged_acks_that_are_no_duplicates_shrink_no_window),
        V4(with_sack_forged_acks_without_news_shrink_no_window),
        V4(forged_acks_with_old_timestamps_shrink_no_window),
        BOTH(a_timestamp_of_text_ahead_of_rcv_nxt_poisons_nothing),
        V4(a_timestamp_of_a_segment_with_an_ack_that_cannot_be_poisons_nothing),
        V4(a_timestamp_of_an_ack_beyond_last_ack_sent_poisons_nothing),
        V4(a_reset_with_an_old_timestamp_or_none_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
