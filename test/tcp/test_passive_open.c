/* RFC 9293 sections 3.5, 3.10.7.2, 3.10.7.4: a passive OPEN, SYN-RECEIVED, the backlog, held SYNs.
 */
#include "common/peer.h"

#include <string.h>

static hf_handle asked(struct peer *p)
{
    struct hf_endpoint local, from;
    calls(hf_asked(p->stack, &p->env, p->listener, &p->c->handle, &local, &from));
    holds_equal(local.port, 80);
    holds_equal(from.port, p->c->peer_port);
    holds(memcmp(from.ip, p->peer_ip, 16) == 0);
    return p->c->handle;
}

/* The third segment, for connection i. */
static void completes(struct peer *p, int i)
{
    on(i);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
}

static void begins(struct peer *p, int i)
{
    on(i);
    sends(SYN, .seq = IRS, .mss = 1460);
}

/* MUST-14, SHLD-5, MUST-67, RFC7323-5 */
TEST(a_syn_ack_has_all_options_that_the_syn_offered)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true, .tsval = 77, .wscale = SHIFT(7));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .wnd = 65535, .tsecr = 77,
            .options = "mss 1460,sackOK,TS,nop,wscale 8");
}

/* RFC7323-4, RFC7323-22 */
TEST(a_syn_ack_has_no_option_but_the_mss_that_the_syn_did_not_offer)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .options = "mss 1460");
    on(1);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .options = "mss 1460");
    on(2);
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true);
    expects(SYN | ACK, .options = "mss 1460,nop,nop,sackOK");
    on(3);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 5);
    expects(SYN | ACK, .options = "mss 1460,nop,nop,TS", .tsecr = 5);
    on(4);
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(0));
    expects(SYN | ACK, .options = "mss 1460,nop,wscale 8");
}

/* RFC4987-2 */
TEST(a_syn_ack_is_repeated_after_1_3_7_15_and_31_seconds_then_forgotten)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    for (int64_t gap = 1000; gap <= 16000; gap *= 2)
        expects_after(gap - 10, gap + 50, SYN | ACK, .seq = ISS, .ack = IRS + 1,
                      .options = "mss 1460");
    after(33000);
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1); /* too late: the listener resets it */
    expects(RST, .seq = ISS + 1);
}

/* */
TEST(a_repeated_syn_gets_the_same_syn_ack_once_in_500_ms)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    begins(p, 0);
    expects_silence();
    expects_after(950, 1050, SYN | ACK, .seq = ISS); /* the timer is untouched */
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
}

TEST(a_syn_in_the_window_ends_a_half_open_connection_and_the_listener_stays)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK);
    sends(SYN, .seq = IRS + 10);
    expects_silence();
    after(2000);
    expects_silence();
    new_incarnation(900);
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
}

TEST(a_syn_outside_the_window_of_a_half_open_connection_gets_an_ack)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    sends(SYN, .seq = IRS + 100000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    p->c->nxt = p->c->irs + 1;
    completes(p, 0);
    accepts();
}

/* */
TEST(an_ack_that_does_not_fit_is_reset_and_the_half_open_connection_stays)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS);
    expects(RST, .seq = ISS);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
    completes(p, 0);
    expects_silence();
    accepts();
    expects_state(HF_ESTABLISHED);
}

TEST(a_syn_ack_never_completes_a_passive_open)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1); /* a split handshake */
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
}

TEST(an_inexact_reset_does_not_withdraw_a_half_open_connection)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    sends(RST, .seq = IRS + 2);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    sends(RST, .seq = IRS);
    expects_silence();
    completes(p, 0);
    accepts();
}

TEST(the_third_segment_may_carry_text_and_fin)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 30);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 32);
    accepts();
    expects_state(HF_CLOSE_WAIT);
    reads(30);
    reads_result(0);
}

/* RFC4987-5, X-26 */
TEST(text_on_a_syn_is_left_to_be_sent_again)
{
    listens();
    sends(SYN, .seq = IRS, .len = 20);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 20);
    expects(ACK, .ack = IRS + 21);
    accepts();
    reads(20);
}

TEST(a_syn_with_fin_is_taken_as_a_syn_unless_the_policy_drops_it)
{
    listens();
    sends(SYN | FIN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1);
    struct hf_policy policy = *hf_policy(p->stack);
    policy.drop_synfin = true;
    calls(hf_set_policy(p->stack, &p->env, &policy));
    on(1);
    sends(SYN | FIN, .seq = IRS);
    expects_silence();
}

/* */
TEST(a_listener_ignores_resets_and_segments_with_neither_syn_nor_ack)
{
    listens();
    sends(RST, .seq = IRS);
    sends(RST | ACK, .seq = IRS, .ack = 5);
    sends(SYN | RST, .seq = IRS);
    sends(FIN, .seq = IRS);
    sends(PSH | URG, .seq = IRS, .len = 4);
    expects_silence();
    sends(FIN | ACK, .seq = IRS, .ack = 9);
    expects(RST, .seq = 9);
}

TEST(without_syn_cookies_a_full_backlog_drops_syns_silently_and_recovers)
{
    p->config.max_connections = 8;
    p->config.policy.syn_cookies = HF_COOKIES_OFF;
    listens_with(1, false);
    begins(p, 0);
    expects(SYN | ACK);
    begins(p, 1);
    expects_silence(); /* as many half-open ones as the backlog */
    completes(p, 0);
    begins(p, 1);
    expects(SYN | ACK);
    completes(p, 1); /* listen(2): one more than the backlog is queued */
    begins(p, 2);
    expects_silence();
    on(0);
    accepts();
    on(1);
    accepts();
    begins(p, 2);
    expects(SYN | ACK);
}

TEST(a_third_segment_that_finds_the_accept_queue_full_is_ignored_until_there_is_room)
{
    p->config.max_connections = 8;
    listens_with(2, false);
    for (int i = 0; i < 2; i++) {
        begins(p, i);
        expects(SYN | ACK);
    }
    completes(p, 0);
    begins(p, 2);
    expects(SYN | ACK);
    completes(p, 1);
    begins(p, 3);
    expects(SYN | ACK);
    completes(p, 2); /* three: the queue of a backlog of 2 is full */
    completes(p, 3);
    expects_silence();
    on(0);
    accepts();
    on(3);
    expects_after(900, 1100, SYN | ACK, .seq = ISS); /* its timer runs on */
    completes(p, 3);
    on(1);
    accepts();
    on(2);
    accepts();
    on(3);
    accepts();
    expects_state(HF_ESTABLISHED);
}

/* listen(2): what is gone takes no place in the queue. */
TEST(who_is_reset_before_it_is_accepted_leaves_its_place_in_the_queue)
{
    struct hf_status queue = {.struct_size = sizeof queue};
    listens_with(2, false);
    for (int i = 0; i < 6; i++) {
        begins(p, i);
        expects(SYN | ACK);
        completes(p, i);
        calls(hf_status(p->stack, &p->env, p->listener, &queue));
        holds_equal(queue.waiting, i < 3 ? i + 1 : i - 2);
        if (i == 2) { /* full */
            for (int gone = 0; gone < 3; gone++) {
                on(gone);
                sends(RST, .seq = IRS + 1);
            }
        }
    }
    for (int i = 3; i < 6; i++) {
        on(i);
        accepts();
        expects_state(HF_ESTABLISHED);
    }
    calls(hf_status(p->stack, &p->env, p->listener, &queue));
    holds_equal(queue.waiting, 0);
}

TEST(abort_on_overflow_resets_what_the_accept_queue_cannot_take)
{
    p->config.max_connections = 8;
    p->config.policy.abort_on_overflow = true;
    listens_with(2, false);
    begins(p, 0);
    begins(p, 1);
    completes(p, 0);
    begins(p, 2);
    completes(p, 1);
    begins(p, 3);
    completes(p, 2); /* three: the queue of a backlog of 2 is full */
    for (int i = 0; i < 4; i++) {
        on(i);
        expects(SYN | ACK);
    }
    completes(p, 3);
    expects(RST, .seq = ISS + 1);
    after(5000);
    expects_silence();
}

/* The half-open record knows its listener by its place and eight bits of a count. */
TEST(a_half_open_connection_goes_to_no_other_port_s_listener)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    calls(hf_close(p->stack, &p->env, p->listener));
    struct hf_listen other = {
        .struct_size = sizeof other, .local = {.port = 81}, .backlog = 8, .version = p->v6 ? 6 : 4};
    for (int i = 0; i < 128; i++) {
        calls(hf_listen(p->stack, &p->env, &other, &p->listener));
        if (i < 127)
            calls(hf_close(p->stack, &p->env, p->listener));
    }
    completes(p, 0);
    expects(RST, .seq = ISS + 1);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL));
}

TEST(a_closed_listener_resets_its_unaccepted_connections_and_answers_no_more)
{
    listens();
    begins(p, 0);
    expects(SYN | ACK);
    begins(p, 1);
    expects(SYN | ACK);
    completes(p, 0);
    calls(hf_close(p->stack, &p->env, p->listener));
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    completes(p, 1); /* forgotten */
    expects(RST, .seq = ISS + 1);
    begins(p, 2);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1);
}

TEST(a_held_syn_waits_for_the_answer_and_then_the_handshake_goes_on)
{
    listens_with(4, true);
    begins(p, 0);
    expects_silence();
    after(900);
    begins(p, 0); /* the peer repeats it */
    expects_silence();
    asked(p);
    refuses(HF_ERR_WOULD_BLOCK,
            hf_asked(p->stack, &p->env, p->listener, &(hf_handle){0}, NULL, NULL));
    decides(HF_ANSWER_ACCEPT);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = "mss 1460");
    expects_state(HF_SYN_RECEIVED);
    completes(p, 0);
    expects_event(HF_CONNECTED);
    expects_state(HF_ESTABLISHED);
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

TEST(a_held_syn_can_be_reset)
{
    listens_with(4, true);
    begins(p, 0);
    asked(p);
    decides(HF_ANSWER_RESET);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1, .options = "");
    expects_silence();
}

TEST(a_held_syn_can_be_answered_with_an_icmp_error)
{
    static const struct {
        enum hf_answer answer;
        uint8_t code4, code6;
    } all[] = {{HF_ANSWER_UNREACHABLE_NET, 0, 0},
               {HF_ANSWER_UNREACHABLE_HOST, 1, 3},
               {HF_ANSWER_PROHIBITED, 13, 1}};
    listens_with(4, true);
    for (int i = 0; i < 3; i++) {
        begins(p, i);
        asked(p);
        decides(all[i].answer);
        struct seen *seen = peer_take(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP);
        holds(seen != NULL);
        struct wire_icmp icmp;
        const uint8_t *message = seen->bytes + seen->ip.header_len;
        uint32_t len = seen->len - seen->ip.header_len;
        holds_equal(wire_parse_icmp(message, len, seen->ip.version, &icmp), WIRE_OK);
        holds(wire_icmp_checksum_ok(&seen->ip, message, len));
        holds_equal(icmp.type, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE);
        holds_equal(icmp.code, p->v6 ? all[i].code6 : all[i].code4);
        struct wire_quote quote; /* the SYN that was held */
        holds_equal(wire_parse_quote(icmp.body, icmp.body_len, seen->ip.version, &quote), WIRE_OK);
        holds_equal(quote.sport, p->c->peer_port);
        holds_equal(quote.dport, 80);
        holds(quote.has_seq);
        holds_equal(quote.seq.v, p->c->irs);
        peer_taken(p, seen);
        expects_silence();
    }
}

TEST(a_held_syn_that_its_peer_withdraws_is_gone)
{
    listens_with(4, true);
    begins(p, 0);
    asked(p);
    sends(RST, .seq = IRS + 1);
    expects_silence();
    expects_closed(HF_ERR_RESET);
    refuses(HF_ERR_NOT_CONNECTED, hf_answer(p->stack, &p->env, p->c->handle, HF_ANSWER_ACCEPT));
}

TEST(a_held_syn_is_forgotten_after_130_seconds)
{
    listens_with(4, true);
    begins(p, 0);
    asked(p);
    after(129000);
    expects_no_event(HF_CLOSED_EVENT);
    after(2000);
    expects_silence();
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(a_held_syn_is_answered_once)
{
    listens_with(4, true);
    begins(p, 0);
    asked(p);
    decides(HF_ANSWER_ACCEPT);
    expects(SYN | ACK);
    refuses(HF_ERR_NOT_CONNECTED, hf_answer(p->stack, &p->env, p->c->handle, HF_ANSWER_RESET));
    expects_silence();
}

/* Networks are counted where a hash of sixteen values leads: some of a hundred meet the one that
 * has its whole share.  Where the application decides about each SYN, that is nothing to them. */
TEST(a_held_syn_is_not_counted_against_the_share_of_a_network)
{
    enum { NETWORKS = 100 };
    uint8_t prefix[16];
    p->config.max_connections = p->config.max_active = NETWORKS;
    p->config.max_half_open = 16;
    p->config.policy.syn_cookies = HF_COOKIES_OFF;
    listens();
    for (uint16_t i = 0; i < 8; i++) {
        new_incarnation(100);
        p->c->peer_port = (uint16_t)(5000 + i);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
    }
    memcpy(prefix, p->stack_ip, 16);
    calls(hf_route_add(p->stack, &p->env, 1, prefix, 8, NULL));
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = 81}, .backlog = NETWORKS, .hold = true};
    calls(hf_listen(p->stack, &p->env, &listen, &p->listener));
    on(1);
    p->c->stack_port = 81;
    for (int i = 0; i < NETWORKS; i++) {
        new_incarnation(100);
        p->peer_ip[14] = (uint8_t)i;
        sends(SYN, .seq = IRS, .mss = 1460);
        expects_silence();
        is_asked();
    }
}

/* the timer is untouched there, too: else SYNs alone would keep the record for ever. */
TEST(a_held_syn_that_was_answered_and_comes_again_puts_off_no_timeout)
{
    p->config.policy.synack_retries = 1;
    listens_with(4, true);
    begins(p, 0);
    takes_held();
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    for (int i = 0; i < 4; i++) {
        after(600);
        peer_forget(p);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    }
    after(700); /* one second, and two */
    expects_closed(HF_ERR_TIMED_OUT);
}

TEST(two_listeners_cannot_have_the_same_port)
{
    listens();
    struct hf_listen same = {.struct_size = sizeof same, .local = {.port = 80}, .backlog = 1};
    hf_handle other;
    refuses(HF_ERR_EXISTS, hf_listen(p->stack, &p->env, &same, &other));
    same.local = peer_there(p, 81);
    refuses(HF_ERR_NO_ADDRESS, hf_listen(p->stack, &p->env, &same, &other));
    same.local = (struct hf_endpoint){.port = 81};
    calls(hf_listen(p->stack, &p->env, &same, &other));
}

TEST(a_listener_on_one_address_goes_before_one_on_any_and_a_range_of_ports_works)
{
    starts();
    hf_handle any, one, range;
    struct hf_listen listen = {.struct_size = sizeof listen, .local = {.port = 80}, .backlog = 2};
    calls(hf_listen(p->stack, &p->env, &listen, &any));
    listen.local = peer_here(p, 80);
    calls(hf_listen(p->stack, &p->env, &listen, &one));
    listen = (struct hf_listen){
        .struct_size = sizeof listen, .local = {.port = 100}, .port_last = 200, .backlog = 2};
    calls(hf_listen(p->stack, &p->env, &listen, &range));
    p->listener = one;
    begins(p, 0);
    expects(SYN | ACK);
    completes(p, 0);
    accepts();
    p->listener = range;
    p->conn[1].stack_port = 150;
    begins(p, 1);
    expects(SYN | ACK);
    completes(p, 1);
    accepts();
    holds_equal(status_of(local.port), 150);
    p->conn[2].stack_port = 201;
    begins(p, 2);
    expects(RST | ACK);
}

/* The state machine's row: WL1 is RCV.NXT then, not the later SEG.SEQ.  X-11 */
TEST(a_third_segment_ahead_of_a_gap_does_not_keep_out_the_windows_of_what_fills_it)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100, .wnd = 3000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    accepts();
    expects_state(HF_ESTABLISHED);
    holds_equal(status_of(snd_wnd), 3000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 50, .wnd = 1000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 51);
    holds_equal(status_of(snd_wnd), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_held_syn_that_was_answered_and_comes_again_puts_off_no_timeout),
        BOTH(a_syn_ack_has_all_options_that_the_syn_offered),
        V4(a_syn_ack_has_no_option_but_the_mss_that_the_syn_did_not_offer),
        BOTH(a_syn_ack_is_repeated_after_1_3_7_15_and_31_seconds_then_forgotten),
        V4(a_repeated_syn_gets_the_same_syn_ack_once_in_500_ms),
        V4(a_syn_in_the_window_ends_a_half_open_connection_and_the_listener_stays),
        BOTH(a_syn_outside_the_window_of_a_half_open_connection_gets_an_ack),
        V4(an_ack_that_does_not_fit_is_reset_and_the_half_open_connection_stays),
        V4(a_syn_ack_never_completes_a_passive_open),
        V4(an_inexact_reset_does_not_withdraw_a_half_open_connection),
        BOTH(a_third_segment_ahead_of_a_gap_does_not_keep_out_the_windows_of_what_fills_it),
        BOTH(the_third_segment_may_carry_text_and_fin),
        V4(text_on_a_syn_is_left_to_be_sent_again),
        V4(a_syn_with_fin_is_taken_as_a_syn_unless_the_policy_drops_it),
        V4(a_listener_ignores_resets_and_segments_with_neither_syn_nor_ack),
        BOTH(without_syn_cookies_a_full_backlog_drops_syns_silently_and_recovers),
        V4(a_third_segment_that_finds_the_accept_queue_full_is_ignored_until_there_is_room),
        V4(who_is_reset_before_it_is_accepted_leaves_its_place_in_the_queue),
        V4(abort_on_overflow_resets_what_the_accept_queue_cannot_take),
        V4(a_half_open_connection_goes_to_no_other_port_s_listener),
        BOTH(a_closed_listener_resets_its_unaccepted_connections_and_answers_no_more),
        BOTH(a_held_syn_waits_for_the_answer_and_then_the_handshake_goes_on),
        BOTH(a_held_syn_can_be_reset),
        BOTH(a_held_syn_can_be_answered_with_an_icmp_error),
        V4(a_held_syn_that_its_peer_withdraws_is_gone),
        V4(a_held_syn_is_forgotten_after_130_seconds),
        V4(a_held_syn_is_answered_once),
        V4(a_held_syn_is_not_counted_against_the_share_of_a_network),
        BOTH(two_listeners_cannot_have_the_same_port),
        BOTH(a_listener_on_one_address_goes_before_one_on_any_and_a_range_of_ports_works),
    };
    return cmocka_run_group_tests_name("passive open", tests, NULL, NULL);
}
