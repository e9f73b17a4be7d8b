/* RFC 7413 section 4.2: TCP Fast Open, the client. */
#include "tcp/fast_open_client.h"

#include <stdio.h>
#include <string.h>

#define COOKIE "0123456789abcdef"
#define WITH_COOKIE "mss 1460,nop,nop,sackOK,nop,wscale 8,FO " COOKIE ",nop,nop"
#define ASKING "mss 1460,nop,nop,sackOK,nop,wscale 8,FO,nop,nop"
#define PLAIN "mss 1460,nop,nop,sackOK,nop,wscale 8"

static int64_t room(struct peer *p)
{
    return hf_fast_open_room(p->stack, &p->env, p->c->handle);
}

/* From CLOSED to a cookie in the cache, on connection 7. */
static void learns(struct peer *p, const char *cookie, int mss)
{
    struct peer_conn *c = p->c;
    on(7);
    new_incarnation(300);
    p->c->peer_port++;
    opens_fast(p, HF_FAST_OPEN_ON);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = mss, .sackok = true, .fo = cookie);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    aborts();
    expects(RST | ACK);
    releases();
    p->c = c;
}

/* A SYN with n octets of text, of n that were given. */
static void begins_with(struct peer *p, uint32_t n)
{
    opens_fast(p, HF_FAST_OPEN_ON);
    queues(p, n);
    expects(SYN, .seq = ISS, .len = n, .options = WITH_COOKIE);
}

/* RFC6298-9: of which SYN?  What it waited to go again is no round trip. */
TEST(text_of_a_syn_that_went_again_measures_nothing)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    expects_after(900, 1100, SYN, .len = 0);
    after(50);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1001, .mss = 1460, .sackok = true);
    expects(ACK, .seq = ISS + 1001);
    holds_equal(status_of(srtt_us), 0);
    holds_equal(info_of(min_rtt_us), 0);
}

/* RFC7413-12, RFC7413-15 */
TEST(without_a_cookie_the_syn_asks_for_one_and_carries_no_text)
{
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 0);
    queues(p, 500);
    expects(SYN, .seq = ISS, .options = ASKING);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .fo = COOKIE);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 500);
    expects_event(HF_CONNECTED);
    holds_equal(status_of(fast_open), 0);
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_NO_COOKIE);
    on(1);
    opens_fast(p, HF_FAST_OPEN_OFF); /* who does not ask for it */
    queues(p, 500);
    expects(SYN, .seq = ISS, .options = PLAIN);
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_NO_FAIL);
}

/* RFC7413-5, RFC7413-23 */
TEST(with_a_cookie_the_syn_carries_text)
{
    learns(p, COOKIE, 1460);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), ROOM);
    queues(p, 5000);
    expects(SYN, .seq = ISS, .len = ROOM, .options = WITH_COOKIE);
    holds_equal(room(p), 0);
    refuses(HF_ERR_NOT_CONNECTED,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, HF_FAST_OPEN_ON));
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1421, .mss = 1460, .sackok = true);
    holds_equal(status_of(fast_open), HF_FO_SYN_DATA);
    expects(ACK, .seq = ISS + 1421, .ack = IRS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 2881, .len = 1460);
    expects(ACK, .seq = ISS + 4341, .len = 660);
    expects_event(HF_CONNECTED);
    sends(ACK, .ack = ISS + 5001, .len = 10);
    expects_after(38, 43, ACK, .seq = ISS + 5001, .ack = IRS + 11);
    holds_equal(info_of(delivered), 4); /* the SYN with its text, and three segments */
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_NO_FAIL);
    reads(10);
}

/* RFC 9293 3.8.5: a SYN cannot tell of it. */
TEST(urgent_text_waits_until_the_syn_is_answered)
{
    learns(p, COOKIE, 1460);
    opens_fast(p, HF_FAST_OPEN_DEFER);
    writes_with(500, HF_SEND_URGENT);
    expects(SYN, .seq = ISS, .len = 0, .options = WITH_COOKIE);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(ACK | URG, .seq = ISS + 1, .len = 500, .up = 500);
}

/* X-9, RFC7413-23, RFC7413-24 */
TEST(text_that_the_syn_ack_leaves_goes_again_at_once)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(PSH | ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 1000);
    expects_silence();
    holds_equal(status_of(fast_open), 0);
    holds_equal(status_of(cwnd) / 1460, 10); /* nothing says that it was lost */
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_DATA_NOT_ACKED);
    sends(ACK, .ack = ISS + 1001);
    on(1);
    begins_with(p, 18);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 10, .mss = 1460, .sackok = true);
    expects(PSH | ACK, .seq = ISS + 10, .ack = IRS + 1, .len = 9);
    holds_equal(status_of(fast_open), 0);
    sends(ACK, .ack = ISS + 19);
    after(2000);
    expects_silence();
}

/* What a SYN carried is a transmit chunk of its own, as deployed stacks have it. */
TEST(text_of_a_syn_that_goes_again_is_pushed_though_more_follows)
{
    learns(p, COOKIE, 1460);
    opens_fast(p, HF_FAST_OPEN_ON);
    queues(p, 3000);
    expects(SYN, .seq = ISS, .len = 1420, .options = WITH_COOKIE);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(PSH | ACK, .seq = ISS + 1, .len = 1420);
}

/* RFC7413-14, RFC7413-17 */
TEST(a_syn_that_is_sent_again_has_neither_option_nor_text)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    expects_after(950, 1050, SYN, .seq = ISS, .options = PLAIN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(PSH | ACK, .seq = ISS + 1, .ack = IRS + 1, .len = 1000);
    holds_equal(info_of(fastopen_client_fail), HF_FAST_OPEN_SYN_RETRANSMITTED);
    sends(ACK, .ack = ISS + 1001);
    on(1); /* the same of one that asks; a cookie that comes late is kept */
    calls(hf_fast_open_forget(p->stack, &p->env));
    opens_fast(p, HF_FAST_OPEN_ON);
    expects(SYN, .seq = ISS, .options = ASKING);
    expects_after(950, 1050, SYN, .seq = ISS, .options = PLAIN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1240, .fo = "aaaabbbbcccc");
    expects(ACK);
    on(2);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 1200);
    queues(p, 1300);
    expects(SYN, .len = 1200, .options = PLAIN ",FO aaaabbbbcccc");
}

/* RFC7413-5: the newest, with the MSS that came with it. */
TEST(a_new_cookie_and_a_new_mss_replace_the_old_ones)
{
    learns(p, COOKIE, 940);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 900);
    queues(p, 900);
    expects(SYN, .seq = ISS, .len = 900, .options = WITH_COOKIE);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 901, .mss = 1340, .fo = "00112233");
    expects(ACK);
    on(1);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 1300);
    queues(p, 10);
    expects(SYN, .seq = ISS, .len = 10, .options = PLAIN ",FO 00112233,nop,nop");
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 11, .mss = 10000, .fo = "0011"); /* too short */
    expects(ACK);
    on(2);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), ROOM); /* RFC7413-6: never more than the path takes */
    calls(hf_set_option(p->stack, &p->env, p->c->handle, HF_MAX_SEGMENT, 1040));
    expects(SYN, .options = "mss 1040,nop,nop,sackOK,nop,wscale 8,FO 00112233,nop,nop");
}

/* RFC7413-16 */
TEST(the_largest_cookie_has_room_beside_all_other_options)
{
    p->config.policy.fast_open |= HF_FAST_OPEN_KIND_254;
    learns(p, "EXP" COOKIE COOKIE, 1460);
    p->config.policy.timestamps = true;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    struct hf_endpoint here = peer_here(p, 80), there = peer_there(p, 4000);
    hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle);
    hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, HF_FAST_OPEN_ON);
    queues(p, 2000);
    expects(SYN, .len = ROOM, .options = "mss 1460,sackOK,TS,nop,wscale 8,FOEXP " COOKIE COOKIE);
}

/* RFC7413-7 */
TEST(a_server_that_told_no_mss_gets_the_default_ones_text)
{
    learns(p, COOKIE, 0);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), (p->v6 ? 1220 : 536) - 40);
}

/* RFC7413-3, RFC7413-13: a cookie stays although a SYN,ACK brings none. */
TEST(cookies_that_cannot_be_or_were_not_asked_for_are_not_kept)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 11, .mss = 1460, .fo = "001122");
    expects(ACK);
    sends(ACK, .len = 10, .fo = "ffffffffffffffff");
    expects(ACK);
    on(1);
    begins_with(p, 10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 11, .mss = 1460);
    expects(ACK);
    on(2);
    opens_fast(p, HF_FAST_OPEN_OFF);
    expects(SYN, .options = PLAIN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .fo = "ffffffffffffffff");
    expects(ACK);
    on(3);
    begins_with(p, 10);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 100001, .mss = 1460, .fo = "ffffffffffffffff");
    expects(RST, .seq = ISS + 100001);
    on(4);
    begins_with(p, 10);
}

static void loses_text_twice(struct peer *p)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        begins_with(p, 100);
        expects_after(950, 1050, SYN, .seq = ISS, .options = PLAIN);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK, .len = 100);
        sends(ACK, .ack = ISS + 101);
    }
}

/* A SYN without text and without the option, and text once it is open. */
static void opens_plainly(struct peer *p, int64_t way)
{
    opens_fast(p, way);
    holds_equal(room(p), 0);
    queues(p, 100);
    expects(SYN, .seq = ISS, .options = PLAIN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .len = 100);
    sends(ACK, .ack = ISS + 101);
}

/* RFC7413-8, RFC7413-9 */
TEST(a_server_whose_path_loses_text_twice_is_not_tried_for_a_while)
{
    learns(p, COOKIE, 1460);
    loses_text_twice(p);
    on(2);
    opens_plainly(p, HF_FAST_OPEN_ON);
    after(240000);
    on(3);
    begins_with(p, 100);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 101, .mss = 1460); /* well again */
    expects(ACK);
    on(4);
    begins_with(p, 100);
}

/* RFC7413-8: nobody answers at all. */
TEST(a_server_that_does_not_answer_counts_as_one_that_lost_the_text)
{
    p->config.policy.syn_retries = 1;
    learns(p, COOKIE, 1460);
    for (int i = 0; i < 2; i++) {
        on(i);
        begins_with(p, 100);
        expects_after(950, 1050, SYN, .options = PLAIN);
        after(3000);
        expects_closed(HF_ERR_TIMED_OUT);
    }
    on(2);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 0);
}

/* RFC7413-27 */
TEST(kind_254_is_tried_once_where_the_policy_allows_it)
{
    static const char *const expected[] = {ASKING, "mss 1460,nop,nop,sackOK,nop,wscale 8,FOEXP",
                                           ASKING, ASKING};
    p->config.policy.fast_open |= HF_FAST_OPEN_KIND_254;
    for (int i = 0; i < 4; i++) {
        on(i);
        opens_fast(p, HF_FAST_OPEN_ON);
        expects(SYN, .seq = ISS, .options = expected[i]);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK);
    }
    calls(hf_fast_open_forget(p->stack, &p->env));
    for (int i = 0; i < 2; i++) {
        on(4 + i);
        opens_fast(p, HF_FAST_OPEN_ON);
        expects(SYN, .seq = ISS, .options = expected[i]);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .fo = i ? "EXP1234abcd" : NULL);
        expects(ACK);
    }
    on(6);
    opens_fast(p, HF_FAST_OPEN_ON);
    queues(p, 10);
    expects(SYN, .len = 10, .options = PLAIN ",FOEXP 1234abcd");
}

TEST(without_that_policy_kind_34_is_all_there_is)
{
    for (int i = 0; i < 3; i++) {
        on(i);
        opens_fast(p, HF_FAST_OPEN_ON);
        expects(SYN, .seq = ISS, .options = ASKING);
        sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK);
    }
}

/* RFC7413-15: but for a policy that says so. */
TEST(a_policy_without_cookies_puts_text_on_the_first_syn)
{
    p->config.policy.fast_open |= HF_FAST_OPEN_CLIENT_NO_COOKIE;
    opens_fast(p, HF_FAST_OPEN_ON);
    queues(p, 1000);
    expects(SYN, .seq = ISS, .len = 1000, .options = PLAIN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1001, .mss = 940, .fo = COOKIE);
    expects(ACK, .seq = ISS + 1001);
    holds_equal(status_of(fast_open), HF_FO_SYN_DATA);
    on(1);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 900); /* the MSS is kept, the cookie not */
    p->config.policy.fast_open = HF_FAST_OPEN_CLIENT;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    on(2);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 0);
}

TEST(a_syn_may_wait_for_text)
{
    opens_fast(p, HF_FAST_OPEN_DEFER); /* not without a cookie */
    expects(SYN, .options = ASKING);
    learns(p, COOKIE, 1460);
    on(1);
    opens_fast(p, HF_FAST_OPEN_DEFER);
    int64_t how;
    calls(hf_option(p->stack, p->c->handle, HF_FAST_OPEN, &how));
    holds_equal(how, HF_FAST_OPEN_DEFER);
    after(900);
    on(2);
    opens_fast(p, HF_FAST_OPEN_DEFER);
    on(0);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
    after(60000);
    expects_silence();
    on(1);
    writes(200);
    expects(SYN, .seq = ISS, .len = 200, .options = WITH_COOKIE);
    expects_after(950, 1050, SYN, .seq = ISS, .options = PLAIN);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 201);
    expects_closed(HF_ERR_REFUSED);
    on(2);
    calls(hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, HF_FAST_OPEN_ON));
    expects(SYN, .seq = ISS, .options = WITH_COOKIE);
}

/* RFC 7413 4.2.2: text of a simultaneous open's SYN is not taken. */
TEST(both_sides_may_put_text_on_their_syns)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    sends(SYN, .seq = IRS, .mss = 1040, .sackok = true, .len = 500, .fo = "87654321");
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1001, .mss = 940, .sackok = true);
    expects(ACK, .seq = ISS + 1001, .ack = IRS + 1, .sack = {{IRS, IRS + 1}});
    expects_state(HF_ESTABLISHED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1001, .len = 500);
    expects(ACK, .ack = IRS + 501);
    reads(500);
}

TEST(text_on_the_syn_ack_is_taken_with_it)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1001, .mss = 1040, .sackok = true, .len = 1400);
    expects(ACK, .seq = ISS + 1001, .ack = IRS + 1401);
    reads(1400);
}

/* RFC 1191 6.3: the next SYN is small, and says what the path takes. */
TEST(a_syn_that_is_too_large_for_the_path_goes_again_at_once_without_text)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1400);
    uint32_t mtu = p->v6 ? 1400 : 840;
    peer_icmp_error(p, p->peer_ip, p->v6 ? 2 : 3, p->v6 ? 0 : 4, mtu, ISS);
    int mss = (int)mtu - (p->v6 ? 60 : 40);
    expects(SYN, .seq = ISS, .mss = mss, .no_ts = true);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    expects(ACK, .seq = ISS + 1, .len = mss);
    expects(PSH | ACK, .seq = ISS + 1 + mss, .len = 1400 - mss);
}

TEST(a_reset_refuses_a_syn_with_text_too)
{
    learns(p, COOKIE, 1460);
    begins_with(p, 1000);
    sends(RST | ACK, .seq = ZERO, .ack = ISS + 1);
    expects_closed(HF_ERR_REFUSED);
    on(1);
    begins_with(p, 1000);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1001, .mss = 1460);
    expects(ACK);
    sends(RST | ACK, .seq = IRS + 1, .ack = ISS + 1001);
    expects_closed(HF_ERR_RESET);
    holds_equal(status_of(fast_open), HF_FO_SYN_DATA);
}

/* RFC 7323 3.2: it answers another SYN. */
TEST(a_syn_ack_that_echoes_what_was_not_sent_is_reset)
{
    opens();
    expects(SYN, .seq = ISS);
    uint32_t echo = p->c->ts_echo;
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .tsval = 7, .tsecr = echo + 9);
    expects(RST, .seq = ISS + 1);
    after(20);
    expects_silence(); /* no old connection is in the way: the SYN is in no haste */
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .tsval = 7, .tsecr = echo);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_ESTABLISHED);
}

/* RFC7413-10 */
TEST(the_policy_can_forbid_it)
{
    p->config.policy.fast_open = HF_FAST_OPEN_SERVER;
    starts();
    struct hf_endpoint here = peer_here(p, 80), there = peer_there(p, 4000);
    calls(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle) == HF_OK
              ? hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, HF_FAST_OPEN_OFF)
              : -1);
    on(1);
    there.port = 4001;
    hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle);
    refuses(HF_ERR_UNSUPPORTED,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, HF_FAST_OPEN_ON));
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_FAST_OPEN, 3));
}

TEST(the_table_of_servers_keeps_those_that_are_used)
{
    p->config.max_fast_open_peers = 4;
    learns(p, COOKIE, 1460);
    for (int i = 0; i < 8; i++) {
        p->peer_ip[15] = (uint8_t)(20 + i);
        after(10);
        learns(p, "ffff0000ffff0000", 1460);
        p->peer_ip[15] = 2;
        on(i % 7);
        new_incarnation(100);
        p->c->peer_port = (uint16_t)(6000 + i);
        begins_with(p, 10); /* still there: it is used each time */
        sends(RST | ACK, .seq = ZERO, .ack = ISS + 11);
        releases();
    }
    p->peer_ip[15] = 20;
    on(0);
    new_incarnation(100);
    p->c->peer_port = 7000;
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 0);
}

/* RFC7413-9: the handshake of a SYN without text says nothing of text on a SYN, whether it was
 * asked for and held back or not. */
TEST(an_ordinary_open_does_not_end_the_time_in_which_a_server_is_not_tried)
{
    static const int64_t ways[] = {HF_FAST_OPEN_OFF, HF_FAST_OPEN_ON};
    learns(p, COOKIE, 1460);
    loses_text_twice(p);
    for (int i = 0; i < 2; i++) {
        on(2 + i);
        opens_plainly(p, ways[i]);
    }
    on(4);
    opens_fast(p, HF_FAST_OPEN_ON);
    holds_equal(room(p), 0);
    expects(SYN, .seq = ISS, .options = PLAIN);
}

/* 3.5: the peer's SYN comes before there is text: ours is out, and text is no reason for another.
 */
TEST(a_syn_that_waits_for_text_waits_no_more_when_the_peers_has_come)
{
    learns(p, COOKIE, 1460);
    on(0);
    opens_fast(p, HF_FAST_OPEN_DEFER);
    expects_silence();
    sends(SYN, .seq = IRS, .mss = 1040, .sackok = true);
    expects(SYN | ACK, .ack = IRS + 1);
    writes(20);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .seq = ISS + 1, .len = 20);
}

/* hf_send: "HF_WRITABLE will tell".  Nothing else would: no SYN is out that anybody could answer.
 */
TEST(who_finds_no_memory_for_the_text_of_a_syn_that_waits_for_it_is_told_when_there_is_some)
{
    static const uint8_t text[20000];
    p->config.small_chunks = 4;
    p->config.small_chunk_bytes = 2048;
    p->config.large_chunks = 0;
    learns(p, COOKIE, 1460);
    p->wild = true;
    on(0);
    establish_active();
    holds(hf_send(p->stack, &p->env, p->c->handle, text, sizeof text, 0) > 0);
    on(1);
    opens_fast(p, HF_FAST_OPEN_DEFER);
    refuses(HF_ERR_WOULD_BLOCK, hf_send(p->stack, &p->env, p->c->handle, text, 20, 0));
    peer_events(p);
    expects_no_event(HF_WRITABLE);
    on(0);
    peer_pump(p);
    peer_forget(p);
    int64_t out = status_of(queued_bytes);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1 + out);
    after(1);
    on(1);
    expects_event(HF_WRITABLE);
    writes(20);
    expects(SYN, .seq = ISS, .len = 20, .options = WITH_COOKIE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        V4(text_of_a_syn_that_went_again_measures_nothing),
        V4(urgent_text_waits_until_the_syn_is_answered),
        BOTH(
            who_finds_no_memory_for_the_text_of_a_syn_that_waits_for_it_is_told_when_there_is_some),
        BOTH(without_a_cookie_the_syn_asks_for_one_and_carries_no_text),
        BOTH(with_a_cookie_the_syn_carries_text),
        BOTH(text_that_the_syn_ack_leaves_goes_again_at_once),
        BOTH(text_of_a_syn_that_goes_again_is_pushed_though_more_follows),
        BOTH(a_syn_that_is_sent_again_has_neither_option_nor_text),
        BOTH(a_new_cookie_and_a_new_mss_replace_the_old_ones),
        BOTH(the_largest_cookie_has_room_beside_all_other_options),
        BOTH(a_server_that_told_no_mss_gets_the_default_ones_text),
        BOTH(cookies_that_cannot_be_or_were_not_asked_for_are_not_kept),
        BOTH(a_server_whose_path_loses_text_twice_is_not_tried_for_a_while),
        BOTH(a_server_that_does_not_answer_counts_as_one_that_lost_the_text),
        BOTH(kind_254_is_tried_once_where_the_policy_allows_it),
        BOTH(without_that_policy_kind_34_is_all_there_is),
        BOTH(a_policy_without_cookies_puts_text_on_the_first_syn),
        BOTH(a_syn_may_wait_for_text),
        BOTH(both_sides_may_put_text_on_their_syns),
        BOTH(text_on_the_syn_ack_is_taken_with_it),
        BOTH(a_syn_that_is_too_large_for_the_path_goes_again_at_once_without_text),
        BOTH(a_reset_refuses_a_syn_with_text_too),
        BOTH(a_syn_ack_that_echoes_what_was_not_sent_is_reset),
        BOTH(the_policy_can_forbid_it),
        BOTH(the_table_of_servers_keeps_those_that_are_used),
        BOTH(an_ordinary_open_does_not_end_the_time_in_which_a_server_is_not_tried),
        BOTH(a_syn_that_waits_for_text_waits_no_more_when_the_peers_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
