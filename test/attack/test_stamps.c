/* Timestamps that are missing, stale or too large a header (RFC 7323 3.2, 5.5; ruling 22). */
#include "common/peer.h"

#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static void establish_stamped(struct peer *p)
{
    p->with.tsval = 1000;
    p->with.sackok = true;
    p->config.policy.quick_acks = 255;
    establish_active();
}

/* OP-08: text, a FIN, a probe without the option: nothing at all comes of them. */
TEST(whatever_lacks_the_timestamp_agreed_upon_is_dropped_but_for_a_reset)
{
    establish_stamped(p);
    sends(PSH | ACK, .no_ts = true, .seq = IRS + 1, .len = 10);
    sends(FIN | ACK, .no_ts = true, .seq = IRS + 1);
    sends(ACK, .no_ts = true, .seq = IRS); /* a keep-alive */
    sends(ACK, .no_ts = true, .seq = IRS, .len = 1);
    expects_silence();
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(unread_bytes), 0);
    p->c->nxt = p->c->irs + 1;
    sends(ACK, .seq = IRS, .tsval = 1001); /* with it, it is answered */
    expects(ACK, .ack = IRS + 1);
    sends(PSH | ACK, .seq = IRS + 1, .len = 10, .tsval = 1002);
    expects(ACK, .ack = IRS + 11);
    sends(RST | ACK, .seq = IRS + 11, .no_ts = true);
    expects_closed(HF_ERR_RESET);
}

/* OP-08: a reset is judged by its number, whatever its timestamp. */
TEST(a_reset_with_a_timestamp_counts_however_old_that_is)
{
    establish_stamped(p);
    sends(PSH | ACK, .seq = IRS + 1, .len = 10, .tsval = 2000);
    expects(ACK, .ack = IRS + 11);
    sends(RST, .seq = IRS + 11, .tsval = 1);
    expects_closed(HF_ERR_RESET);
}

/* OP-08: for peers that leave it out there is a switch. */
TEST(the_switch_lets_a_segment_without_the_timestamp_in)
{
    p->config.policy.ts_tolerate_missing = true;
    establish_stamped(p);
    sends(PSH | ACK, .no_ts = true, .seq = IRS + 1, .len = 10);
    expects(ACK, .ack = IRS + 11);
}

/* OP-09: after 24 days an old timestamp says nothing; before, it does.  Our own clock wraps once
 * within the longest of these. */
TEST(a_connection_goes_on_after_weeks_of_silence)
{
    static const int64_t idle_ms[] = {
        INT64_C(23) * DAY_MS, INT64_C(2143700000),  INT64_C(25) * DAY_MS, INT64_C(31) * DAY_MS,
        INT64_C(4295000000),  INT64_C(50) * DAY_MS, INT64_C(60) * DAY_MS, INT64_C(75) * DAY_MS};
    for (int i = 0; i < 8; i++) {
        on(i);
        establish_stamped(p);
        sends(PSH | ACK, .seq = IRS + 1, .len = 10, .tsval = 2000000000);
        expects(ACK, .ack = IRS + 11);
        after(idle_ms[i]);
        sends(PSH | ACK, .seq = IRS + 11, .len = 10, .tsval = 1000000000);
        bool stale = idle_ms[i] > INT64_C(24) * DAY_MS;
        expects(ACK, .ack = stale ? IRS + 21 : IRS + 11);
        if (!stale) {
            sends(PSH | ACK, .seq = IRS + 11, .len = 10, .tsval = 2000000001);
            expects(ACK, .ack = IRS + 21);
        }
        reads(20);
        writes(10);
        expects(ACK, .len = 10);
        sends(ACK, .ack = ISS + 11, .tsval = stale ? 1000000001 : 2000000002);
        holds_equal(status_of(queued_bytes), 0);
        sends(RST, .seq = IRS + 21);
        releases();
    }
}

/* OP-10: SACK blocks and timestamps beside text for a peer of the smallest MSS. */
static void text_beside_options(struct peer *p, int mss, bool floor)
{
    p->with.mss = mss;
    p->with.tsval = 1000;
    p->with.sackok = true;
    if (floor)
        p->config.policy.min_mss = 1;
    establish_active();
    for (int i = 1; i < 6; i++) {
        sends(ACK, .seq = IRS + 1 + 20 * i, .len = 10, .tsval = 1001);
        expects(ACK, .ack = IRS + 1);
    }
    writes(100);
    uint32_t got = 0;
    for (int i = 0; i < 400 && got < 100; i++) {
        struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
        if (seen) {
            holds(seen->seg.text_len >= 1 && seen->seg.header_len <= 60);
            got += seen->seg.text_len;
            p->c->acks = p->c->iss + 1 + got;
            peer_taken(p, seen);
            sends(ACK, .seq = IRS + 1, .tsval = 1002);
        } else {
            after(50);
        }
    }
    holds_equal(got, 100);
}

/* OP-10 */
TEST(there_is_room_for_text_beside_the_options)
{
    static const int sizes[] = {1, 12, 13, 40, 48, 52, 53, 215, 216, 217};
    for (int i = 0; i < 8; i++) {
        on(i);
        text_beside_options(p, sizes[i], true);
        aborts();
        releases();
        peer_forget(p);
    }
}

/* OP-10 */
TEST(there_is_room_for_text_beside_the_options_at_the_default_floor)
{
    static const int sizes[] = {1, 12, 40, 216};
    for (int i = 0; i < 4; i++) {
        on(i);
        text_beside_options(p, sizes[i], false);
        aborts();
        releases();
        peer_forget(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(whatever_lacks_the_timestamp_agreed_upon_is_dropped_but_for_a_reset),
        BOTH(a_reset_with_a_timestamp_counts_however_old_that_is),
        V4(the_switch_lets_a_segment_without_the_timestamp_in),
        V4(a_connection_goes_on_after_weeks_of_silence),
        BOTH(there_is_room_for_text_beside_the_options),
        BOTH(there_is_room_for_text_beside_the_options_at_the_default_floor),
    };
    return cmocka_run_group_tests_name("stamps", tests, NULL, NULL);
}
