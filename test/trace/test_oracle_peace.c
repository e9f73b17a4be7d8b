/* What a stack rightly does in bad schedules, and the oracle once took for wrong: found by the
 * simulator.  Each record of a peer's test is judged.
 */
#include "common/peer.h"
#include "common/refuse.h"

static void waits_small(struct peer *p)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK);
    accepts();
    writes(3000);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    expects(ACK | PSH, .len = 80);
    closes();
    expects(FIN | ACK);
    sends(ACK, .ack = ISS + 3002);
    sends(FIN | ACK);
    expects(ACK);
    releases();
}

/* A small record of TIME-WAIT does not keep ISS: the next one is compared with that of the SYN. */
TEST(the_iss_behind_a_reset_time_wait_may_be_below_the_numbers_that_were_sent)
{
    p->config.policy.tw_ignore_rst = false;
    waits_small(p);
    sends(FIN | ACK, .seq = IRS + 1);
    expects(ACK);
    sends(RST, .seq = IRS + 2);
    new_incarnation(7000);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
}

/* 9,000 s are 2^31 ticks of the clock of ISNs, and more. */
TEST(the_iss_behind_a_connection_of_hours_may_look_older_than_its_own)
{
    establish_active();
    after(9000000);
    sends(RST, .seq = IRS + 1);
    expects_closed(HF_ERR_RESET);
    releases();
    new_incarnation(7000);
    opens();
    expects(SYN);
}

/* The SYN,ACK for a repeated SYN has the echo of when it was asked for. */
TEST(an_answer_of_a_half_open_record_may_leave_behind_what_opens_the_connection)
{
    p->with.tsval = 1000;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    expects(SYN | ACK, .tsecr = 1000);
    after(500);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1500);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .tsval = 1501);
    batch_ends();
    expects(SYN | ACK, .tsecr = 1000);
    expects(ACK, .ack = IRS + 2, .tsecr = 1501);
    sends(ACK, .seq = IRS + 2, .ack = ISS + 1, .tsval = 1502);
    expects_silence();
}

static void no_room_is_left_for_half_open_ones(struct peer *p)
{
    p->config.policy.syn_cookies = HF_COOKIES_FULL;
    p->config.max_half_open = 1;
    listens();
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    on(0);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    expects(SYN | ACK, .seq = ISS);
    holds_equal(p->last.state_after, HF_LISTEN);
}

/* Two SYNs earn two cookies, whatever has come meanwhile. */
TEST(the_cookie_of_a_repeated_syn_may_leave_behind_the_ack_that_brings_the_first_one_back)
{
    no_room_is_left_for_half_open_ones(p);
    after(1000);
    batch_begins();
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 2000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10, .tsval = 2001);
    batch_ends();
    expects(SYN | ACK, .seq = ISS);
    accepts();
    reads(10);
}

/* The SYN again finds room: then there are two ISS, and the peer knows the first. */
TEST(a_cookie_may_come_back_where_a_half_open_record_stands_though_its_text_finds_no_room)
{
    no_room_is_left_for_half_open_ones(p);
    on(1);
    sends(RST, .seq = IRS + 1);
    on(0);
    after(1000);
    uint32_t iss = p->c->iss;
    p->c->has_iss = false;
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 2000);
    expects(SYN | ACK);
    holds(p->c->iss != iss);
    holds_equal(p->last.state_after, HF_SYN_RECEIVED);
    p->c->iss = iss;
    refuse_begin(p->stack, REFUSE_PAYLOAD, 1, 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10, .tsval = 2001);
#ifdef HF_ASSERTIONS
    holds_equal(p->last.verdict, HF_V_DROP_NO_MEMORY);
#endif
    refuse_end(p->stack);
    holds_equal(p->last.state_after, HF_ESTABLISHED);
    accepts();
}

static void finds_no_payload_once(struct peer *p)
{
    refuse_begin(p->stack, REFUSE_PAYLOAD, 1, 1);
}

static void holds_text_and_finds_no_payload_once(struct peer *p)
{
    p->config.policy.quick_acks = 0;
    establish_passive();
    sends(ACK, .seq = IRS + 201, .len = 100);
    expects(ACK, .ack = IRS + 1);
    finds_no_payload_once(p);
}

/* RFC 2018 8: what was held made room for text in order, so the text behind fills nothing. */
TEST(where_memory_was_out_an_ack_of_what_would_have_filled_a_gap_may_be_a_delayed_one)
{
#ifndef HF_ASSERTIONS
    skip();
#endif
    holds_text_and_finds_no_payload_once(p);
    sends(ACK, .seq = IRS + 401, .len = 100);
    expects(ACK, .ack = IRS + 1);
    holds_equal(peer_count(p, HF_V_DROP_NO_MEMORY), 1);
    finds_no_payload_once(p);
    sends(ACK, .seq = IRS + 1, .len = 100);
    refuse_end(p->stack);
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 101, .len = 100);
    expects_after(10, 500, ACK, .ack = IRS + 201);
}

/* ... and of what came ahead of a gap, a part may have found memory: where RCV.NXT stops short of
 * what has come, the rest is not held, and what comes there fills nothing. */
TEST(behind_text_that_was_held_in_part_an_ack_may_be_a_delayed_one)
{
#ifndef HF_ASSERTIONS
    skip();
#endif
    holds_text_and_finds_no_payload_once(p);
    sends(ACK, .seq = IRS + 301, .len = 4000);
    refuse_end(p->stack);
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .len = 200);
    uint32_t end = p->last.rcv_nxt - p->c->irs; /* as far as the chunk of the first octets goes */
    holds(end > 301 && end < 4301);
    expects(ACK, .ack = IRS + end);
    sends(ACK, .seq = IRS + end, .len = 100);
    expects_after(10, 500, ACK, .ack = IRS + end + 100);
    sends(ACK, .seq = IRS + end + 100, .len = 4301 - end - 100);
    sends(ACK, .seq = IRS + 4401, .len = 100);
    peer_forget(p);
    sends(ACK, .seq = IRS + 4301, .len = 100); /* nothing more is missing: it fills */
    expects(ACK, .ack = IRS + 4501);
}

/* One that was to take its place was reset before it was open: it had agreed on timestamps. */
TEST(an_ack_that_waited_in_time_wait_is_of_the_connection_that_a_reset_ended)
{
    p->config.policy.tw_ignore_rst = false;
    listens_with(8, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    takes_held();
    expects(SYN | ACK);
    sends(ACK);
    closes();
    expects(FIN | ACK);
    sends(ACK, .ack = ISS + 2);
    sends(FIN | ACK);
    expects(ACK);
    releases();
    struct peer_conn first = *p->c;
    new_incarnation(p->c->nxt + 100000);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 1000);
    takes_held();
    expects(SYN | ACK);
    sends(RST, .seq = IRS + 1);
    releases();
    *p->c = first;
    batch_begins();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 1);
    sends(RST, .seq = IRS + 2);
    batch_ends();
    expects(ACK, .ack = IRS + 2);
}

static const uint32_t days26_ms = 26u * 24 * 3600 * 1000;

/* Longer than TS.Recent is worth something (RFC 7323 5.5). */
static void begins_and_rests(struct peer *p)
{
    p->with.tsval = 1000;
    establish_passive();
    after(days26_ms);
}

/* What an echo tells of TS.Recent is not its age: behind 24 days of rest old stamps are taken until
 * it moves. */
TEST(what_comes_behind_another_rest_of_weeks_may_be_old_twice)
{
    begins_and_rests(p);
    sends(ACK, .tsval = 1000 + days26_ms);
    after(days26_ms);
    sends(ACK, .seq = IRS + 101, .len = 100, .tsval = 1000 + 2 * days26_ms); /* ahead of a gap */
    expects(ACK, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .len = 100, .tsval = 1000 + 2 * days26_ms);
    expects(ACK, .ack = IRS + 201);
}

/* There the oracle takes a stamp for whatever the stack takes it for; what was joined by the device
 * is answered segment by segment all the same. */
TEST(each_segment_of_a_joined_frame_behind_weeks_of_rest_is_answered)
{
    begins_and_rests(p);
    sends(ACK, .seq = IRS + 1001, .len = 2500, .gso = 1000, .tsval = 1000 + days26_ms);
    for (int i = 0; i < 3; i++)
        expects(ACK, .ack = IRS + 1);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_iss_behind_a_reset_time_wait_may_be_below_the_numbers_that_were_sent),
        BOTH(the_iss_behind_a_connection_of_hours_may_look_older_than_its_own),
        BOTH(an_answer_of_a_half_open_record_may_leave_behind_what_opens_the_connection),
        BOTH(the_cookie_of_a_repeated_syn_may_leave_behind_the_ack_that_brings_the_first_one_back),
        BOTH(a_cookie_may_come_back_where_a_half_open_record_stands_though_its_text_finds_no_room),
        BOTH(where_memory_was_out_an_ack_of_what_would_have_filled_a_gap_may_be_a_delayed_one),
        BOTH(behind_text_that_was_held_in_part_an_ack_may_be_a_delayed_one),
        BOTH(an_ack_that_waited_in_time_wait_is_of_the_connection_that_a_reset_ended),
        V4(each_segment_of_a_joined_frame_behind_weeks_of_rest_is_answered),
        BOTH(what_comes_behind_another_rest_of_weeks_may_be_old_twice),
    };
    return cmocka_run_group_tests_name("oracle_peace", tests, NULL, NULL);
}
