/* RFC 7413 sections 4.1, 5.1: whose SYNs TCP Fast Open believes, and how many. */
#include "tcp/fast_open.h"

/* ST-18, RFC7413-1, RFC7413-10 */
TEST(a_listener_takes_no_text_on_a_syn_and_gives_no_cookie_unless_it_was_asked_to)
{
    listens();
    int64_t limit = 1;
    calls(hf_option(p->stack, p->listener, HF_FAST_OPEN, &limit));
    holds_equal(limit, 0);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = "");
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = "0011223344556677");
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    reads_result(HF_ERR_WOULD_BLOCK);
    holds_equal(status_of(fast_open), 0);
}

/* RFC7413-18 */

/* RFC7413-18: a cookie without text opens as well. */

/* RFC7413-20, RFC7413-21 */

/* The window of the peer's SYN is what there is. */

/* RFC 7323 2.4: what the SYN,ACK has promised is not taken back by rounding. */

/* ST-18, RFC7413-19, RFC7413-4 */
TEST(a_cookie_that_is_not_ours_gets_a_new_one_and_the_text_is_left)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    char wanted[60];
    snprintf(wanted, sizeof wanted, "mss 1460,FO %s,nop,nop", cookie);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = "0123456789abcdef");
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = wanted);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 101);
    accepts();
    reads(100);
    holds_equal(status_of(fast_open), 0);
    p->peer_ip[15] = 9; /* the same cookie in another's hands */
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds_equal(seen->seg.ack.v, p->c->irs + 1);
    holds_equal(seen->seg.opt.fo_len, 8);
    peer_taken(p, seen);
}

/* ST-18, RFC7413-2, RFC7413-3 */
TEST(cookies_of_a_length_that_cannot_be_are_as_good_as_none)
{
    static const char *const cookies[] = {"01", "0123", "012345", "0123456789",
                                          "0123456789abcd01ab"};
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < 5; i++) {
        bool odd = strlen(cookies[i]) / 2 % 2 != 0 || strlen(cookies[i]) < 8;
        on(0);
        new_incarnation(100);
        p->c->peer_port = (uint16_t)(5000 + i);
        sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = cookies[i]);
        char wanted[60];
        snprintf(wanted, sizeof wanted, "mss 1460,FO %s,nop,nop", cookie);
        expects(SYN | ACK, .ack = IRS + 1, .options = odd ? "mss 1460" : wanted);
        sends(RST, .seq = IRS + 1);
    }
    on(1); /* and on what is no SYN it means nothing */
    opens_fast(p, cookie);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 10, .fo = "");
    expects(ACK, .ack = IRS + 111);
}

/* ST-18: neither the beginning of a right one nor a right one and more */
TEST(a_cookie_is_right_as_a_whole_or_not_at_all)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int octets = 4; octets <= 16; octets += 2) {
        char wrong[40];
        if (octets == 8)
            continue;
        snprintf(wrong, sizeof wrong, "%.*s%.*s", 2 * octets, cookie,
                 octets > 8 ? 2 * octets - 16 : 0, "0000000000000000");
        on(0);
        new_incarnation(100);
        p->c->peer_port = (uint16_t)(5000 + octets);
        sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = wrong);
        expects(SYN | ACK, .ack = IRS + 1);
        sends(RST, .seq = IRS + 1);
    }
    on(1);
    opens_fast(p, cookie);
}

/* RFC7413-27 */

TEST(the_experimental_option_is_understood_only_where_the_policy_says_so)
{
    p->config.policy.fast_open = OLD_KIND;
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .fo = "EXP");
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds_equal(seen->seg.opt.present & OPT_FASTOPEN_EXP, OPT_FASTOPEN_EXP);
    char cookie[24] = "EXP";
    for (int i = 0; i < 8; i++)
        sprintf(cookie + 3 + 2 * i, "%02x", seen->seg.opt.fo_cookie[i]);
    peer_taken(p, seen);
    on(1);
    opens_fast(p, cookie);
    p->config.policy.fast_open = HF_FAST_OPEN_SERVER;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 10, .fo = cookie);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
}

/* ST-18, RFC7413-11 */
TEST(above_the_limit_of_pending_requests_a_syn_is_as_any_other)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < LIMIT; i++) {
        on(i);
        opens_fast(p, cookie);
    }
    on(LIMIT);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    on(0);
    accepts(); /* it pends although it was accepted */
    on(LIMIT + 1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    on(0);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1);
    on(LIMIT + 2);
    opens_fast(p, cookie);
}

/* ST-18, RFC7413-25 */
TEST(a_pending_request_that_is_reset_counts_for_a_minute_longer)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < LIMIT; i++) {
        on(i);
        opens_fast(p, cookie);
        sends(RST, .seq = IRS + 101);
        accepts();
        releases();
    }
    on(5);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    sends(RST, .seq = IRS + 1);
    after(59900);
    new_incarnation(900);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    sends(RST, .seq = IRS + 1);
    after(200);
    new_incarnation(1900);
    opens_fast(p, cookie);
}

/* ST-18 */
TEST(a_pending_request_that_times_out_counts_no_more)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    for (int i = 0; i < LIMIT; i++) {
        on(i);
        opens_fast(p, cookie);
        accepts();
        reads(100);
    }
    after(70000);
    peer_forget(p);
    for (int i = 0; i < LIMIT; i++) {
        on(i);
        expects_closed(HF_ERR_TIMED_OUT);
    }
    on(6);
    opens_fast(p, cookie);
}

/* RFC7413-22 */

/* RFC 5681 3.1 */

/* ST-18, RFC7413-4 */
TEST(cookies_of_the_backup_key_are_taken_until_it_goes)
{
    static const uint8_t old_key[16] = "an old key......", new_key[16] = "a new key.......";
    listens_fast(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, old_key, NULL));
    char old_cookie[40];
    snprintf(old_cookie, sizeof old_cookie, "%s", cookie_of(p));
    calls(hf_fast_open_keys(p->stack, &p->env, 0, new_key, old_key));
    char wanted[60];
    const char *cookie = cookie_of(p);
    holds(strcmp(cookie, old_cookie) != 0);
    snprintf(wanted, sizeof wanted, "mss 1460,FO %s,nop,nop", cookie);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = old_cookie);
    expects(SYN | ACK, .ack = IRS + 101, .options = wanted);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, new_key, NULL));
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = old_cookie);
    expects(SYN | ACK, .ack = IRS + 1, .options = wanted);
    refuses(HF_ERR_INVALID, hf_fast_open_keys(p->stack, &p->env, 0, NULL, NULL));
    refuses(HF_ERR_STALE_HANDLE, hf_fast_open_keys(p->stack, &p->env, 77, new_key, NULL));
}

/* RFC 7413 4.1.2: in one batch, a SYN that gets its connection and a new cookie, and the SYN of
 * another one, which asks for none. */
TEST(a_cookie_goes_to_who_has_asked_for_one_and_to_no_other)
{
    static const uint8_t old_key[16] = "an old key......", new_key[16] = "a new key.......";
    listens_fast(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, old_key, NULL));
    const char *cookie = cookie_of(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, new_key, old_key));
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    batch_begins();
    on(0);
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    batch_ends();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    on(0);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds_equal(seen->seg.ack.v, p->c->irs + 101);
    holds_equal(seen->seg.opt.fo_len, 8);
    peer_taken(p, seen);
}

TEST(a_listener_may_have_a_key_of_its_own)
{
    static const uint8_t all[16] = "for all........", own[16] = "of its own.....";
    listens_fast(p);
    calls(hf_fast_open_keys(p->stack, &p->env, 0, all, NULL));
    char common[40];
    snprintf(common, sizeof common, "%s", cookie_of(p));
    calls(hf_fast_open_keys(p->stack, &p->env, p->listener, own, NULL));
    const char *cookie = cookie_of(p);
    holds(strcmp(cookie, common) != 0);
    opens_fast(p, cookie);
    calls(hf_close(p->stack, &p->env, p->listener)); /* the next one has the common key again */
    expects(RST | ACK);
    p->listener = 0;
    listens_fast(p);
    holds(strcmp(cookie_of(p), common) == 0);
}

static void knows(struct peer *p, const char *key, const char *client, const char *server,
                  const char *cookie)
{
    uint8_t octets[16];
    uint32_t a, b, c, d;
    sscanf(key, "%x-%x-%x-%x", &a, &b, &c, &d);
    const uint32_t words[4] = {a, b, c, d};
    for (int i = 0; i < 16; i++)
        octets[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
    for (int i = 0; i < 16; i++) {
        unsigned value;
        sscanf(client + 2 * i, "%2x", &value);
        p->peer_ip[i] = (uint8_t)value;
        sscanf(server + 2 * i, "%2x", &value);
        p->stack_ip[i] = (uint8_t)value;
    }
    listens_fast(p);
    calls(hf_route_add(p->stack, &p->env, 1, p->peer_ip, p->v6 ? 128 : 32, NULL));
    calls(hf_fast_open_keys(p->stack, &p->env, 0, octets, NULL));
    holds(strcmp(cookie_of(p), cookie) == 0);
}

/* RFC7413-4: SipHash-2-4 of both addresses, known answers of Linux. */

TEST(a_cookie_of_ipv4_is_what_linux_makes_with_the_same_key)
{
    knows(p, "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "00000000000000000000ffffc0000201",
          "00000000000000000000ffffc0a80001", "3021b9d889017eeb");
}

TEST(a_cookie_of_ipv4_under_another_key_is_what_linux_makes)
{
    knows(p, "a0bf63f7-ed803d81-cd641d30-cebc4a90", "00000000000000000000ffff0af80002",
          "00000000000000000000ffffc0a80002", "00abaaabe8e954c2");
}

TEST(a_cookie_of_ipv6_is_what_linux_makes_with_the_same_key)
{
    knows(p, "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "fd3dfa7bd17d00000000000000000001",
          "fd3d0a0b17d600000000000000000001", "c1d1e9742a47a9bc");
}

/* ST-18, RFC7413-26: after the connection is gone, the network's copy of the SYN is a new request.
 */
TEST(a_flood_of_syns_with_text_takes_no_more_than_the_limit)
{
    listens_with(8, false);
    p->config.max_connections = 16;
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, LIMIT));
    const char *cookie = cookie_of(p);
    for (int i = 0; i < 1000; i++) {
        on(0);
        new_incarnation(100);
        p->c->peer_port = (uint16_t)(10000 + i);
        sends(SYN, .seq = IRS, .mss = 1460, .len = 1000, .fo = i % 3 ? cookie : "0123456789abcdef");
        peer_forget(p);
    }
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, LIMIT);
    holds_equal(counters.verdict[HF_V_FAST_OPEN], LIMIT);
}

/* RFC7413-10 */

TEST(the_policy_can_forbid_it)
{
    listens_fast(p);
    const char *cookie = cookie_of(p);
    p->config.policy.fast_open = HF_FAST_OPEN_CLIENT;
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
    sends(SYN, .seq = IRS, .mss = 1460, .len = 100, .fo = cookie);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
    refuses(HF_ERR_UNSUPPORTED, hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, 1));
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, 0));
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, 65536));
    p->config.policy.fast_open = 1u << 10;
    refuses(HF_ERR_INVALID, hf_set_policy(p->stack, &p->env, &p->config.policy));
}

TEST(the_policy_can_do_without_cookies)
{
    p->config.policy.fast_open = HF_FAST_OPEN_SERVER | HF_FAST_OPEN_SERVER_NO_COOKIE;
    listens_fast(p);
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true, .len = 1000);
    expects(SYN | ACK, .ack = IRS + 1001, .options = "mss 1460,nop,nop,sackOK");
    accepts();
    reads(1000);
    on(1); /* without text there is nothing to gain */
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .ack = IRS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
}

/* RFC 7413 4.2.1: who asks for a cookie, and brings no text, gets one. */
TEST(a_policy_without_cookies_gives_one_to_who_asks_for_it)
{
    p->config.policy.fast_open = HF_FAST_OPEN_SERVER | HF_FAST_OPEN_SERVER_NO_COOKIE;
    listens_fast(p);
    const char *cookie = cookie_of(p);
    sends(SYN, .seq = IRS, .mss = 1460, .fo = "0123456789abcdef"); /* RFC7413-19: nor is it ours */
    char wanted[60];
    snprintf(wanted, sizeof wanted, "mss 1460,FO %s,nop,nop", cookie);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = wanted);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
    on(1);
    opens_fast(p, "0123456789abcdef"); /* with text that does not matter */
    on(2);
    opens_fast(p, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_listener_takes_no_text_on_a_syn_and_gives_no_cookie_unless_it_was_asked_to),
        BOTH(a_cookie_that_is_not_ours_gets_a_new_one_and_the_text_is_left),
        BOTH(cookies_of_a_length_that_cannot_be_are_as_good_as_none),
        BOTH(the_experimental_option_is_understood_only_where_the_policy_says_so),
        BOTH(above_the_limit_of_pending_requests_a_syn_is_as_any_other),
        BOTH(a_pending_request_that_is_reset_counts_for_a_minute_longer),
        BOTH(a_pending_request_that_times_out_counts_no_more),
        BOTH(cookies_of_the_backup_key_are_taken_until_it_goes),
        BOTH(a_cookie_goes_to_who_has_asked_for_one_and_to_no_other),
        BOTH(a_listener_may_have_a_key_of_its_own),
        V4(a_cookie_of_ipv4_is_what_linux_makes_with_the_same_key),
        V4(a_cookie_of_ipv4_under_another_key_is_what_linux_makes),
        V6(a_cookie_of_ipv6_is_what_linux_makes_with_the_same_key),
        BOTH(a_cookie_is_right_as_a_whole_or_not_at_all),
        BOTH(a_flood_of_syns_with_text_takes_no_more_than_the_limit),
        BOTH(the_policy_can_forbid_it),
        BOTH(the_policy_can_do_without_cookies),
        BOTH(a_policy_without_cookies_gives_one_to_who_asks_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
