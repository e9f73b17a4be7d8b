/* RFC 6191: which SYNs end TIME-WAIT early.  RFC 9293 MAY-2, SHLD-4; rulings for SYNs that may be
 * old: silence. */
#include "common/peer.h"
#include "stack/stack.h"

enum { OLD_ISN = 100, NEW_ISN = 90000000 };

/* TIME-WAIT of a passive open whose peer's FIN had number IRS + 1; with timestamps or without. */
static void time_wait(struct peer *p, bool stamps)
{
    p->with.tsval = stamps ? 1000 : 0;
    establish_passive();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    releases();
}

static void ends(struct peer *p)
{
    expects(SYN | ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
}

static void stays(struct peer *p)
{
    expects_silence();
    new_incarnation(OLD_ISN);
    p->c->ts = p->with.tsval != 0;
    sends(FIN | ACK, .seq = IRS + 1, .ack = 1, .tsval = p->with.tsval ? peer_stamp(p) : 0);
    expects(ACK, .ack = IRS + 2); /* TIME-WAIT answers */
}

/* ST-03, RFC6191-1 */
TEST(a_newer_timestamp_ends_it_whatever_the_number)
{
    time_wait(p, true);
    uint32_t ts = peer_stamp(p) + 1;
    new_incarnation(50);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* ST-03, RFC6191-2 */
TEST(an_equal_timestamp_ends_it_with_a_number_above_the_fins)
{
    time_wait(p, true);
    uint32_t ts = peer_stamp(p);
    new_incarnation(OLD_ISN + 1);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts); /* the FIN's own number */
    expects_silence();
    new_incarnation(OLD_ISN + 2);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* ST-03, RFC6191-3: the policy lets us offer none, and the SYN has none. */
TEST(after_timestamps_a_syn_without_them_ends_it_by_its_number)
{
    time_wait(p, true);
    new_incarnation(OLD_ISN + 1);
    sends(SYN, .seq = IRS, .mss = 1460, .no_ts = true);
    expects_silence();
    new_incarnation(NEW_ISN);
    sends(SYN, .seq = IRS, .mss = 1460, .no_ts = true);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* ST-03, RFC6191-4 */
TEST(an_older_timestamp_does_not_end_it_whatever_the_number)
{
    time_wait(p, true);
    uint32_t ts = peer_stamp(p) - 1;
    new_incarnation(NEW_ISN);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = ts);
    stays(p);
}

/* ST-03, RFC6191-5 */
TEST(after_none_a_syn_with_timestamps_ends_it_whatever_its_number)
{
    time_wait(p, false);
    new_incarnation(50);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* ST-03, RFC6191-6 */
TEST(without_timestamps_a_number_above_the_fins_ends_it)
{
    time_wait(p, false);
    new_incarnation(OLD_ISN + 2);
    sends(SYN, .seq = IRS, .mss = 1460);
    ends(p);
}

/* ST-03, RFC6191-7 */
TEST(without_timestamps_a_number_not_above_the_fins_does_not_end_it)
{
    time_wait(p, false);
    new_incarnation(OLD_ISN + 1);
    sends(SYN, .seq = IRS, .mss = 1460);
    stays(p);
}

/* ST-03, RFC6191-8, RFC6528-5: above all that was sent, also when another key of the ISN would give
 * less; and TSval goes on from where it was. */
TEST(the_new_connections_numbers_are_above_the_old_ones)
{
    for (int i = 0; i < 7; i++) {
        on(i);
        time_wait(p, true);
        uint32_t end = p->c->iss + 2, ts = p->c->ts_echo;
        struct sip_key *key =
            &((struct tcp_secret *)((uint8_t *)p->stack + p->stack->tcp.secret_offset))->isn;
        key->k0 += 12345;
        after(1);
        uint32_t tsval = peer_stamp(p);
        new_incarnation(OLD_ISN + 1000);
        sends(SYN, .seq = IRS, .mss = 1460, .tsval = tsval);
        expects(SYN | ACK, .ack = IRS + 1);
        holds((int32_t)(p->c->iss - end) > 0);
        holds((int32_t)(p->c->ts_echo - ts) >= 1);
    }
}

/* TIME-WAIT of one that was held. */
static void time_wait_of_a_held_one(struct peer *p)
{
    listens_with(8, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    closes();
    expects(FIN | ACK);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK);
    releases();
}

/* RFC 6191 2: what TIME-WAIT keeps out takes no place in front of it, either. */
TEST(an_old_syn_does_not_take_the_place_of_the_one_held_before_it)
{
    time_wait_of_a_held_one(p);
    uint32_t old = p->c->irs;
    new_incarnation(p->c->nxt + 1000000);
    sends(SYN, .seq = IRS, .mss = 1460);
    is_asked();
    sends(SYN, .seq = IRS - (p->c->irs - old), .mss = 1460);
    holds_equal(peer_count(p, HF_V_DROP_TIME_WAIT_SYN), 1);
    decides(HF_ANSWER_ACCEPT);
    expects(SYN | ACK, .ack = IRS + 1);
}

/* MAY-2: the same pair of sockets, and two of them in TIME-WAIT, there must not be. */
TEST(one_that_was_held_ends_it_though_it_was_closed_before_it_was_open)
{
    time_wait_of_a_held_one(p);
    new_incarnation(p->c->nxt + NEW_ISN);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    closes();
    expects(SYN | ACK);
    expects(FIN | ACK);
    holds_equal(p->stack->tcp.waits.used, 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
    holds_equal(p->stack->tcp.waits.used, 0);
}

/* RFC1337-1: a late duplicate may be answered; the reset that this earns ends TIME-WAIT unless the
 * policy forbids it. */
TEST(with_resets_ignored_an_old_duplicate_cannot_end_it)
{
    p->config.policy.tw_ignore_rst = true;
    time_wait(p, false);
    sends(ACK, .seq = IRS - 50, .ack = ISS + 1, .len = 20);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
    sends(RST, .seq = IRS + 2); /* who has forgotten the connection answers so */
    expects_silence();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_newer_timestamp_ends_it_whatever_the_number),
        BOTH(an_equal_timestamp_ends_it_with_a_number_above_the_fins),
        BOTH(after_timestamps_a_syn_without_them_ends_it_by_its_number),
        BOTH(an_older_timestamp_does_not_end_it_whatever_the_number),
        BOTH(after_none_a_syn_with_timestamps_ends_it_whatever_its_number),
        BOTH(without_timestamps_a_number_above_the_fins_ends_it),
        BOTH(without_timestamps_a_number_not_above_the_fins_does_not_end_it),
        BOTH(an_old_syn_does_not_take_the_place_of_the_one_held_before_it),
        BOTH(one_that_was_held_ends_it_though_it_was_closed_before_it_was_open),
        BOTH(the_new_connections_numbers_are_above_the_old_ones),
        BOTH(with_resets_ignored_an_old_duplicate_cannot_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
