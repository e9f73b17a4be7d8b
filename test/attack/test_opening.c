/* Odd segments and calls while a connection opens: RFC 9293 3.5, 3.10.7.2, 3.10.7.3, 3.10.7.4. */
#include "attack/forge.h"

/* ST-09: Beardsley and Qian's sneak ACK: an ACK alone opens nothing; ST-08: four steps */
TEST(an_ack_before_the_peers_syn_opens_nothing_and_the_syn_behind_it_is_a_simultaneous_open)
{
    opens();
    expects(SYN);
    for (int i = 0; i < 3; i++)
        forges(ACK, .seq = IRS, .ack = ISS + 1);
    expects_silence();
    expects_state(HF_SYN_SENT);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    expects_state(HF_SYN_RECEIVED);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    lives(p);
}

/* ST-08: five steps: the peer answers our SYN with a SYN, and our SYN,ACK with its own. */
TEST(a_syn_and_then_a_syn_ack_for_our_syn_are_one_simultaneous_open)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1000, .wnd = 5000);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1000);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    holds_equal(status_of(snd_mss), 1000);
    holds_equal(status_of(passive), 0);
    lives(p);
}

/* ST-08: who listens does not become the client of somebody who answers it with a SYN,ACK. */
TEST(a_listener_is_never_led_into_opening_a_connection_itself)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    forges(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    peer_events(p);
    holds_equal(p->listener_events, 0);
    holds_equal(counters_of(p).connections, 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    lives(p);
}

/* ST-11: RFC 9293 3.10.7.4 fifth: <SEQ=SEG.ACK><CTL=RST> */
TEST(an_ack_that_cannot_be_is_reset_by_its_own_number_and_the_half_open_connection_stays)
{
    static const int64_t acks[] = {ISS, ISS + 2, ISS - 1, ISS + 987654321};
    listens();
    forges(ACK, .seq = IRS, .ack = 424242); /* at LISTEN */
    expects(RST, .seq = 424242, .options = "");
    holds_equal(counters_of(p).half_open, 0);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    for (int i = 0; i < 4; i++) {
        forges(ACK, .seq = IRS + 1, .ack = acks[i]);
        expects(RST, .seq = acks[i]);
        expects_silence();
        holds_equal(counters_of(p).half_open, 1);
    }
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    lives(p);
}

/* RFC 9293 3.10.7.3 for one segment; ack is relative to ISS. */
static void expects_as_in_syn_sent(struct peer *p, unsigned ctl, uint32_t seq, int ack,
                                   uint32_t len)
{
    bool ack_ok = ack == 1;
    enum hf_state state = HF_SYN_SENT;
    if ((ctl & ACK) && !ack_ok) {
        if (!(ctl & RST))
            expects(RST, .seq = ISS + ack, .options = "");
    } else if ((ctl & RST) && (ctl & ACK)) {
        expects_closed(HF_ERR_REFUSED);
        state = HF_CLOSED;
    } else if ((ctl & SYN) && !(ctl & RST) && (ctl & ACK)) {
        uint32_t end = seq + 1 + len + !!(ctl & FIN);
        expects(ACK, .seq = ISS + 1, .ack = end);
        state = ctl & FIN ? HF_CLOSE_WAIT : HF_ESTABLISHED;
    } else if ((ctl & SYN) && !(ctl & RST)) {
        expects(SYN | ACK, .seq = ISS, .ack = seq + 1);
        state = HF_SYN_RECEIVED;
    }
    expects_silence();
    expects_state(state);
}

/* ST-12: RFC 9293 3.10.7.3, each combination of the six bits */
TEST(in_syn_sent_every_segment_does_what_the_rfc_says)
{
    const unsigned bits[] = {FIN, SYN, RST, PSH, ACK, URG};
    for (unsigned cell = 0; cell < 64 * 2 * 4 * 2; cell++) {
        unsigned ctl = 0;
        for (int i = 0; i < 6; i++)
            ctl |= cell >> i & 1 ? bits[i] : 0;
        uint32_t seq = cell >> 6 & 1 ? 0xdeadbeef : 0;
        int ack = (int)(cell >> 7 & 3) - 1;
        uint32_t len = cell >> 9 & 1 ? 10 : 0;
        opens();
        expects(SYN);
        sends(ctl, .seq = seq ? (int64_t)seq : ZERO, .ack = ISS + ack, .len = len);
        expects_as_in_syn_sent(p, ctl, seq, ack, len);
        if (status_of(state) != HF_CLOSED)
            aborts();
        releases();
        count_sent(p);
        new_incarnation(100);
        p->c->peer_port++;
    }
    holds_equal(counters_of(p).connections, 0);
    holds_equal(counters_of(p).active, 0);
    establish_active();
    lives(p);
}

/* ST-13: CVE-2024-36905; the rulings: FIN at once, with what the SYN has told */
TEST(a_close_in_syn_received_of_a_simultaneous_open_sends_the_fin_and_all_of_it_works)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1000, .wnd = 5000);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(status_of(snd_wnd), 5000);
    holds_equal(status_of(snd_mss), 1000);
    holds(status_of(rcv_wnd) >= 1000);
    closes();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_state(HF_FIN_WAIT_1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 2000, .wnd = 5000);
    expects(ACK, .ack = IRS + 2001);
    expects_state(HF_FIN_WAIT_2);
    reads(2000);
    sends(FIN | ACK, .seq = IRS + 2001, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 2002);
    expects_state(HF_TIME_WAIT);
}

/* ST-13 */
TEST(a_close_behind_text_in_syn_received_of_a_simultaneous_open_waits_for_established)
{
    opens();
    expects(SYN);
    writes(100);
    sends(SYN, .seq = IRS, .mss = 1000, .wnd = 5000);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    closes();
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10, .wnd = 5000);
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 11, .len = 100);
    sends(ACK, .ack = ISS + 102);
    expects_state(HF_FIN_WAIT_2);
    reads(10);
}

/* ST-17: RFC 4987 3.5; the rulings: text on a SYN is not kept */
TEST(text_and_fin_on_a_syn_take_no_memory_and_are_delivered_when_they_come_again)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .len = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(counters_of(p).active, 0);
    holds_equal(counters_of(p).small_chunks + counters_of(p).large_chunks, 0);
    on(1);
    sends(SYN | FIN, .seq = IRS, .mss = 1460, .len = 100);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    holds_equal(counters_of(p).small_chunks + counters_of(p).large_chunks, 0);
    on(0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    accepts();
    holds_equal(status_of(unread_bytes), 0);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 1460);
    expects(ACK, .ack = IRS + 1461);
    reads(1460);
    on(1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    expects_state(HF_ESTABLISHED);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 100);
    expects(ACK, .ack = IRS + 102);
    expects_state(HF_CLOSE_WAIT);
    reads(100);
}

static const char *const first_answer = "mss 1460,nop,wscale 8";

/* A half-open connection: mss 1460, window scale 7. */
static void half_open(struct peer *p)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(7), .wnd = 4096);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = first_answer);
}

static void opens_as_first_agreed(struct peer *p)
{
    p->c->scales = true;
    p->c->wscale = 7;
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 4096);
    accepts();
    holds_equal(status_of(snd_mss), 1460);
    holds_equal(status_of(snd_wnd), 4096 << 7);
    holds(!(status_of(options) & (HF_OPT_TS | HF_OPT_SACK_OK)));
    lives(p);
}

/* ST-19: RFC 9293 3.10.7.4: the first SYN's options stand. */
TEST(a_second_syn_of_the_same_number_with_other_options_changes_nothing)
{
    half_open(p);
    forges(SYN, .seq = IRS, .mss = 48, .wscale = SHIFT(14), .sackok = true, .tsval = 77, .wnd = 1);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = first_answer);
    expects_after(800, 1100, SYN | ACK, .seq = ISS, .ack = IRS + 1, .options = first_answer);
    opens_as_first_agreed(p);
}

/* ST-19 */
TEST(a_second_syn_outside_the_window_is_answered_and_changes_nothing)
{
    half_open(p);
    forges(SYN, .seq = IRS + 1000000000, .mss = 48, .wscale = SHIFT(14), .sackok = true);
    expects(ACK, .seq = ISS + 1, .ack = IRS + 1);
    opens_as_first_agreed(p);
}

/* ST-19: one in the window ends the half-open connection in silence; the peer's next SYN opens. */
TEST(a_second_syn_inside_the_window_withdraws_the_first_and_takes_nothing_from_it)
{
    half_open(p);
    sends(SYN, .seq = IRS + 500, .mss = 1000);
    expects_silence();
    holds_equal(counters_of(p).half_open, 0);
    new_incarnation(600);
    sends(SYN, .seq = IRS, .mss = 1000);
    expects(SYN | ACK, .ack = IRS + 1, .options = "mss 1460");
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(snd_mss), 1000);
    lives(p);
}

/* Port unreachable about the SYN,ACK, and the listener's end meanwhile. */
static void unreachable(struct peer *p)
{
    peer_icmp_error(p, p->peer_ip, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, p->v6 ? 4 : 3, 0,
                    ISS);
    expects_silence();
}

static void icmp_about_a_half_open_connection(struct peer *p, enum hf_cookies cookies)
{
    p->config.policy.syn_cookies = (uint8_t)cookies;
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    unreachable(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects_silence();
    accepts();
    lives(p);
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    calls(hf_release(p->stack, &p->env, p->listener));
    unreachable(p);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    on(0);
    lives(p);
}

/* ST-24: RFC 5927 4 */
TEST(an_icmp_error_about_a_syn_ack_ends_no_half_open_connection)
{
    icmp_about_a_half_open_connection(p, HF_COOKIES_OFF);
}

/* ST-24 */
TEST(an_icmp_error_about_a_cookie_concerns_nothing)
{
    icmp_about_a_half_open_connection(p, HF_COOKIES_ALWAYS);
}

/* ST-25: RFC 9293 3.10.5 */
TEST(an_abort_before_anything_was_sent_or_heard_is_silent)
{
    starts();
    batch_begins();
    opens();
    aborts();
    batch_ends();
    expects_silence();
    releases();
    opens();
    expects(SYN);
    aborts();
    releases();
    expects_silence();
    after(200000);
    expects_silence();
    holds_equal(counters_of(p).connections, 0);
}

/* ST-25: the reset is one that the peer believes. */
TEST(an_abort_in_syn_received_resets_with_numbers_the_peer_expects)
{
    opens();
    expects(SYN);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    aborts();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    releases();
    new_incarnation(7000);
    listens(); /* passive: the listener goes away */
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    calls(hf_release(p->stack, &p->env, p->listener));
    expects_silence();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(RST, .seq = ISS + 1);
    after(200000);
    expects_silence();
}

/* ST-25: a SYN that is held has no ISS yet. */
TEST(an_abort_of_a_held_syn_sends_nothing_with_a_number_of_ours)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    struct hf_endpoint here, there;
    calls(hf_asked(p->stack, &p->env, p->listener, &p->c->handle, &here, &there));
    aborts();
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    if (seen) {
        holds_equal(seen->seg.ctl, RST | ACK);
        holds_equal(seen->seg.seq.v, 0);
        holds_equal(seen->seg.ack.v, p->c->irs + 1);
        peer_taken(p, seen);
    }
    releases();
    expects_silence();
    holds_equal(counters_of(p).connections, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(
            an_ack_before_the_peers_syn_opens_nothing_and_the_syn_behind_it_is_a_simultaneous_open),
        BOTH(a_syn_and_then_a_syn_ack_for_our_syn_are_one_simultaneous_open),
        V4(a_listener_is_never_led_into_opening_a_connection_itself),
        BOTH(an_ack_that_cannot_be_is_reset_by_its_own_number_and_the_half_open_connection_stays),
        BOTH(in_syn_sent_every_segment_does_what_the_rfc_says),
        BOTH(a_close_in_syn_received_of_a_simultaneous_open_sends_the_fin_and_all_of_it_works),
        V4(a_close_behind_text_in_syn_received_of_a_simultaneous_open_waits_for_established),
        BOTH(text_and_fin_on_a_syn_take_no_memory_and_are_delivered_when_they_come_again),
        V4(a_second_syn_of_the_same_number_with_other_options_changes_nothing),
        V4(a_second_syn_outside_the_window_is_answered_and_changes_nothing),
        V4(a_second_syn_inside_the_window_withdraws_the_first_and_takes_nothing_from_it),
        BOTH(an_icmp_error_about_a_syn_ack_ends_no_half_open_connection),
        BOTH(an_icmp_error_about_a_cookie_concerns_nothing),
        V4(an_abort_before_anything_was_sent_or_heard_is_silent),
        V4(an_abort_in_syn_received_resets_with_numbers_the_peer_expects),
        V4(an_abort_of_a_held_syn_sends_nothing_with_a_number_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
