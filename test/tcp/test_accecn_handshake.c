/* RFC 9768 section 3.1: how accurate ECN feedback is agreed upon.  Numbers in brackets are its
 * sections. */
#include "tcp/accecn.h"

/* Negotiation [3.1] ---------------------------------------------------------------------------- */

/* RFC9768-1, RFC9768-4, RFC9768-6, RFC9768-7 [Table 2] */
TEST(a_client_takes_the_mode_that_the_syn_ack_tells)
{
    static const uint8_t modes[8] = {HF_ECN_NONE,     HF_ECN_CLASSIC,  HF_ECN_ACCURATE,
                                     HF_ECN_ACCURATE, HF_ECN_ACCURATE, HF_ECN_ACCURATE,
                                     HF_ECN_ACCURATE, HF_ECN_NONE};
    for (int bits = 0; bits < 8; bits++) {
        on(bits);
        open_with(p, ACE(bits), NOT_ECT);
        bool accurate = modes[bits] == HF_ECN_ACCURATE;
        expects(ACK | (accurate ? ACE(2) : 0));
        holds_equal(status_of(ecn), modes[bits]);
        writes(100);
        /* [3.2.2.3]: the SYN went as Not-ECT; 011, 100 and 110 say that it came as something else.
         */
        bool mangled = bits == 3 || bits == 4 || bits == 6;
        bool ect = modes[bits] != HF_ECN_NONE && !mangled;
        expects(ACK | PSH | (accurate ? ACE(5) : 0), .len = 100,
                .ip_ecn = CODEPOINT(ect ? ECT0 : NOT_ECT));
        holds_equal(status_of(ecn_idle), mangled);
    }
}

/* RFC9768-2, RFC9768-6, RFC9768-7 */
TEST(a_server_takes_the_mode_that_the_syn_asks_for)
{
    static const uint8_t modes[8] = {HF_ECN_NONE,     HF_ECN_ACCURATE, HF_ECN_ACCURATE,
                                     HF_ECN_CLASSIC,  HF_ECN_ACCURATE, HF_ECN_ACCURATE,
                                     HF_ECN_ACCURATE, HF_ECN_ACCURATE};
    willing(p);
    listens();
    for (int bits = 0; bits < 8; bits++) {
        on(bits);
        bool accurate = modes[bits] == HF_ECN_ACCURATE;
        bool classic = modes[bits] == HF_ECN_CLASSIC;
        sends(SYN | ACE(bits), .seq = IRS, .mss = 1460);
        expects(SYN | ACK | (accurate ? ACE(2) : classic ? ECE : 0));
        sends(ACK | (accurate ? ACE(2) : 0));
        accepts();
        holds_equal(status_of(ecn), modes[bits]);
    }
}

/* RFC9768-2 [Table 2]: the SYN,ACK tells as what the SYN came, the latest one; a mark on it is not
 * counted [3.2.2.2]. */
TEST(a_server_tells_what_had_become_of_the_syn)
{
    static const unsigned told[4] = {[NOT_ECT] = 2, [ECT1] = 3, [ECT0] = 4, [CE] = 6};
    willing(p);
    listens();
    for (int codepoint = 0; codepoint < 4; codepoint++) {
        on(codepoint);
        sends(SYN | ASKS, .seq = IRS, .mss = 1460, .ip_ecn = CODEPOINT(codepoint));
        expects(SYN | ACK | ACE(told[codepoint]));
        after(1);
        sends(SYN | ASKS, .seq = IRS, .mss = 1460, .ip_ecn = CODEPOINT(3 - codepoint));
        expects(SYN | ACK | ACE(told[3 - codepoint]), .accecn = NO_ACCECN);
        sends(ACK | ACE(2), .seq = IRS + 1);
        accepts();
        writes(10);
        expects(ACK | PSH | ACE(5), .len = 10);
    }
}

/* RFC9768-3: a server that is not willing answers as one of RFC 3168. */
TEST(a_server_that_has_it_off_agrees_to_classic_ecn)
{
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE, .accecn = NO_ACCECN);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
}

TEST(the_option_decides_for_one_connection_or_listener)
{
    int64_t value = 7;
    starts();
    struct hf_endpoint there = peer_there(p, p->c->peer_port), here = peer_here(p, 80);
    holds_equal(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle), HF_OK);
    holds_equal(hf_option(p->stack, p->c->handle, HF_ACCECN, &value), HF_OK);
    holds_equal(value, 0);
    holds_equal(hf_set_option(p->stack, &p->env, p->c->handle, HF_ACCECN, 2), HF_ERR_INVALID);
    holds_equal(hf_set_option(p->stack, &p->env, p->c->handle, HF_ACCECN, 1), HF_OK);
    holds_equal(hf_set_option(p->stack, &p->env, p->c->handle, HF_ECN, HF_ECN_ASK), HF_OK);
    expects(SYN | ASKS);
    refuses(HF_ERR_NOT_CONNECTED, hf_set_option(p->stack, &p->env, p->c->handle, HF_ACCECN, 0));
    on(1);
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ACCECN, 1));
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2));
}

/* RFC9768-8, and [3.1.5]: that binds a server's ECT, not a client's. */
TEST(the_second_repeat_of_a_syn_asks_for_nothing)
{
    willing(p);
    opens();
    expects(SYN | ASKS, .seq = ISS);
    expects_after(990, 1100, SYN | ASKS, .seq = ISS);
    expects_after(1990, 2200, SYN, .seq = ISS);
    sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK | ACE(2));
    writes(100);
    expects(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(ECT0));
}

/* RFC9768-22, and [3.1.5]: no ECT from a server that has sent a plain SYN,ACK. */
TEST(a_syn_ack_is_repeated_without_the_option_then_without_the_bits)
{
    willing(p);
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2), .accecn = 172, .n_accecn = 3, .counts = {1, 0, 1});
    expects_after(990, 1100, SYN | ACK | ACE(2), .accecn = NO_ACCECN);
    expects_after(1990, 2200, SYN | ACK, .accecn = NO_ACCECN);
    sends(ACK | ACE(2));
    accepts();
    writes(100);
    expects(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(NOT_ECT));
}

/* RFC9768-9 [3.1.5] */
TEST(two_syns_that_ask_for_two_kinds_are_reset)
{
    willing(p);
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2));
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(RST | ACK, .ack = IRS + 1);
    on(1);
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(RST | ACK, .ack = IRS + 1);
    after(200000);
    expects_silence();
}

/* RFC9768-9 [3.1.5]: a plain one changes no mode, but ends ECT. */
TEST(a_plain_syn_behind_one_that_asked_changes_no_mode)
{
    willing(p);
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2));
    after(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2));
    sends(ACK | ACE(2), .seq = IRS + 1);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_ACCURATE);
    writes(100);
    expects(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(NOT_ECT));
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460); /* and from none there is no way back either */
    expects(SYN | ACK);
    after(1);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
}

/* RFC9768-6 [3.1.2] */
TEST(two_syns_that_cross_are_answered_as_a_server_would)
{
    willing(p);
    opens();
    expects(SYN | ASKS);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460, .ip_ecn = CODEPOINT(ECT0));
    expects(SYN | ACK | ACE(4));
    sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK | ACE(5), .ack = IRS + 1);
}

/* [3.2.2.2]: that our SYN came as CE, a SYN,ACK tells; no packet is counted for it. */
TEST(a_mark_on_our_syn_is_not_counted_where_two_cross)
{
    willing(p);
    opens();
    expects(SYN | ASKS);
    sends(SYN | ASKS, .seq = IRS, .mss = 1000);
    expects(SYN | ACK | ACE(2));
    after(50);
    sends(SYN | ACK | ACE(6), .seq = IRS, .ack = ISS + 1, .mss = 1000);
    expects(ACK | ACE(5), .ack = IRS + 1);
    writes(100);
    expects(ACK | PSH | ACE(5), .len = 100, .ip_ecn = CODEPOINT(NOT_ECT));
    sends(ACK | ACE(5), .seq = IRS + 1);
    holds_equal(status_of(ce_delivered), 0);
}

TEST(a_held_syn_is_agreed_with_when_it_is_answered)
{
    willing(p);
    listens_with(8, true);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460, .ip_ecn = CODEPOINT(CE));
    is_asked();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460, .ip_ecn = CODEPOINT(ECT0));
    decides(HF_ANSWER_ACCEPT);
    expects(SYN | ACK | ACE(4), .accecn = 172, .n_accecn = 3, .counts = {1, 0, 1});
    sends(ACK | ACE(2));
    writes(10);
    expects(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(ECT0));
}

TEST(a_held_syn_that_asks_for_another_kind_is_reset)
{
    willing(p);
    listens_with(8, true);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    is_asked();
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(RST | ACK, .ack = IRS + 1);
    expects_closed(HF_ERR_RESET);
}

/* RFC9768-9: of one initial sequence number are those that ask for two kinds. */
TEST(another_syn_that_takes_the_place_of_a_held_one_asks_for_itself)
{
    static const uint8_t modes[] = {HF_ECN_NONE, HF_ECN_CLASSIC, HF_ECN_ACCURATE};
    static const unsigned asks[] = {0, CWR | ECE, ASKS}, answers[] = {0, ECE, ACE(2)};
    willing(p);
    listens_with(8, true);
    for (int i = 0; i < 8; i++) {
        int second = i % 3;
        on(i);
        sends(SYN | asks[i / 3], .seq = IRS - 100000, .mss = 1460);
        is_asked();
        sends(SYN | asks[second], .seq = IRS, .mss = 1460);
        expects_silence();
        decides(HF_ANSWER_ACCEPT);
        expects(SYN | ACK | answers[second], .ack = IRS + 1);
        sends(ACK | (second == 2 ? ACE(2) : 0), .seq = IRS + 1);
        holds_equal(status_of(ecn), modes[second]);
        writes(10);
        expects(ACK | PSH | (second == 2 ? ACE(5) : 0), .len = 10,
                .ip_ecn = CODEPOINT(second ? ECT0 : NOT_ECT));
    }
}

/* [5.1] */
TEST(a_syn_cookie_learns_the_mode_from_the_ack)
{
    willing(p);
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ACE(2));
    sends(ACK | ACE(2));
    accepts();
    holds_equal(status_of(ecn), HF_ECN_ACCURATE);
    writes(10);
    expects(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(ECT0));
    on(1);
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460, .tsval = 77);
    expects(SYN | ACK | ECE);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_NONE);
}

TEST(without_a_record_for_the_counters_the_feedback_is_classic)
{
    p->config.max_extras = 0;
    willing(p);
    opens();
    expects(SYN | CWR | ECE);
    on(1);
    listens();
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
}

/* The handshake's ACK [3.2.2.1] ---------------------------------------------------------------- */

/* RFC9768-13 [Table 3] */
TEST(the_first_ack_tells_what_had_become_of_the_syn_ack)
{
    static const unsigned told[4] = {[NOT_ECT] = 2, [ECT1] = 3, [ECT0] = 4, [CE] = 6};
    for (int codepoint = 0; codepoint < 4; codepoint++) {
        on(codepoint);
        open_with(p, ACE(2), codepoint);
        expects(ACK | ACE(told[codepoint]), .accecn = 172, .n_accecn = 1, .counts = {1});
        writes(10);
        expects(ACK | PSH | ACE(codepoint == CE ? 6 : 5), .len = 10, .accecn = 172, .n_accecn = 1,
                .counts = {1}); /* RFC9768-21 */
        sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1, .ip_ecn = CODEPOINT(CE));
        expects(ACK | ACE(6), .ack = IRS + 1);
        sends(ACK);
        writes(10);
        expects(ACK | PSH | ACE(6), .len = 10, .accecn = NO_ACCECN);
    }
}

/* RFC9768-13, RFC 5961 7: what gets no answer leaves the next ACK what it is. */
TEST(a_syn_ack_again_that_is_not_answered_changes_no_ack_of_text)
{
    open_with(p, ACE(2), NOT_ECT);
    expects(ACK | ACE(2));
    for (int i = 0; i < 2; i++) {
        sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1);
        if (i == 0)
            expects(ACK | ACE(2));
        expects_silence();
        after(10);
    }
    sends(ACK | ACE(5), .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ACE(5), .ack = IRS + 101);
    after(1000);
    sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1);
    expects(ACK | ACE(2));
}

/* RFC9768-13: also when there is text to go with it. */
TEST(the_first_ack_goes_by_itself_before_text)
{
    willing(p);
    opens();
    expects(SYN | ASKS);
    writes(10);
    sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK | ACE(2));
    expects(ACK | PSH | ACE(5), .len = 10);
}

/* RFC9768-13: where text has overtaken the SYN,ACK the first ACK has SACK blocks, and the count. */
TEST(behind_a_first_ack_with_sack_blocks_acks_have_the_count)
{
    willing(p);
    opens();
    expects(SYN | ASKS);
    after(100);
    batch_begins();
    sends(SYN | ACK | ACE(2), .seq = IRS, .ack = ISS + 1, .mss = 1460, .sackok = true);
    sends(ACK | PSH | ACE(5), .seq = IRS + 101, .ack = ISS + 1, .len = 100);
    batch_ends();
    expects(ACK | ACE(5), .ack = IRS + 1, .sack = {{IRS + 101, IRS + 201}});
    sends(ACK | PSH | ACE(5), .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK | ACE(5), .ack = IRS + 201);
}

/* RFC9768-14 [Table 4] */
TEST(a_server_learns_from_the_first_ack)
{
    willing(p);
    listens();
    for (int ace = 0; ace < 8; ace++) {
        on(ace);
        sends(SYN | ASKS, .seq = IRS, .mss = 1000);
        expects(SYN | ACK | ACE(2));
        sends(ACK | ACE(ace));
        accepts();
        writes(1000);
        bool ect = ace != 0 && ace != 3 && ace != 4 && ace != 6;
        expects(ACK | PSH | ACE(5), .len = 1000, .ip_ecn = CODEPOINT(ect ? ECT0 : NOT_ECT));
        holds_equal(info_of(accecn_fail_mode), ect ? 0 : HF_ACCECN_ACE_FAIL_RECV);
        uint32_t before = status_of(cwnd);
        holds_equal(before, ace == 6 ? 1000 : 10000); /* CE: as if it had been lost */
        sends(ACK | ACE(ace == 6 ? 6 : 5));           /* no mark since */
        holds(status_of(cwnd) >= before && status_of(ssthresh) == UINT32_MAX);
        writes(1000);
        expects(ACK | PSH | ACE(5), .len = 1000);
        sends(ACK | ACE(ace == 6 ? 7 : 6)); /* one, believed unless ACE was nought */
        holds_equal(status_of(ssthresh) < UINT32_MAX, ace != 0);
        sends(ACK | PSH | ACE(5), .len = 10, .ip_ecn = CODEPOINT(CE)); /* feedback goes on */
        expects(ACK | ACE(6));
    }
}

/* RFC 9768 3.1.5: no second kind of request, only no room to count what it asks for. */
TEST(without_a_record_the_same_syn_again_is_answered_as_before)
{
    p->config.max_extras = 0;
    p->config.policy.accecn = true;
    listens();
    sends(SYN | AE | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    after(200);
    sends(SYN | AE | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
}

/* RFC 9768 3.1.5: nor has the peer changed its mind when there is room, or the listener willing, by
 * the time that its SYN comes again; but a classic one is another kind.  RFC9768-9 */
TEST(a_syn_that_was_answered_as_a_classic_one_has_asked_for_accurate_feedback_all_the_same)
{
    p->config.max_extras = 2;
    p->config.policy.ecn = HF_ECN_ACCEPT;
    p->config.policy.accecn = true;
    listens();
    for (int i = 0; i < 4; i++) { /* the last two find no room */
        on(i);
        sends(SYN | ASKS, .seq = IRS, .mss = 1460);
        expects(SYN | ACK | (i < 2 ? ACE(2) : ECE));
    }
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(RST, .seq = IRS + 1);
    }
    on(3);
    sends(SYN | CWR | ECE, .seq = IRS, .mss = 1460);
    expects(RST | ACK, .ack = IRS + 1);
    on(2);
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
    on(4);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ACCECN, 0));
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ACCECN, 1));
    sends(SYN | ASKS, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_client_takes_the_mode_that_the_syn_ack_tells),
        BOTH(a_server_takes_the_mode_that_the_syn_asks_for),
        BOTH(a_server_tells_what_had_become_of_the_syn),
        BOTH(a_server_that_has_it_off_agrees_to_classic_ecn),
        BOTH(the_option_decides_for_one_connection_or_listener),
        BOTH(the_second_repeat_of_a_syn_asks_for_nothing),
        BOTH(a_syn_ack_is_repeated_without_the_option_then_without_the_bits),
        BOTH(two_syns_that_ask_for_two_kinds_are_reset),
        BOTH(a_plain_syn_behind_one_that_asked_changes_no_mode),
        BOTH(two_syns_that_cross_are_answered_as_a_server_would),
        BOTH(a_mark_on_our_syn_is_not_counted_where_two_cross),
        BOTH(a_held_syn_is_agreed_with_when_it_is_answered),
        BOTH(a_held_syn_that_asks_for_another_kind_is_reset),
        BOTH(another_syn_that_takes_the_place_of_a_held_one_asks_for_itself),
        BOTH(a_syn_cookie_learns_the_mode_from_the_ack),
        BOTH(without_a_record_for_the_counters_the_feedback_is_classic),
        BOTH(the_first_ack_tells_what_had_become_of_the_syn_ack),
        BOTH(the_first_ack_goes_by_itself_before_text),
        BOTH(behind_a_first_ack_with_sack_blocks_acks_have_the_count),
        V4(a_syn_ack_again_that_is_not_answered_changes_no_ack_of_text),
        BOTH(a_server_learns_from_the_first_ack),
        V4(without_a_record_the_same_syn_again_is_answered_as_before),
        BOTH(a_syn_that_was_answered_as_a_classic_one_has_asked_for_accurate_feedback_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
