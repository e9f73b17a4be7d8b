/* RFC 3168 section 6.1, RFC 8511: marks instead of losses, as the peer sees them. */
#include "common/peer.h"

#define NO_ECT CODEPOINT(NOT_ECT)

static void asks_for_ecn(struct peer *p)
{
    p->config.policy.ecn = HF_ECN_ASK;
}

/* ESTABLISHED with ECN by active open, a round trip of 100 ms. */
static void agree_active(struct peer *p)
{
    asks_for_ecn(p);
    opens();
    expects(SYN | ECE | CWR, .ip_ecn = NO_ECT);
    after(100);
    struct seg_spec spec = p->with;
    spec.ctl = SYN | ACK | ECE;
    spec.seq = IRS;
    spec.ack = ISS + 1;
    peer_sends(p, &spec);
    expects(ACK, .ip_ecn = NO_ECT);
    expects_event(HF_CONNECTED);
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
}

static void agree_passive(struct peer *p)
{
    listens();
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE, .ip_ecn = NO_ECT);
    sends(ACK);
    accepts();
}

/* Segment n (from 1) of 1000 octets. */
#define SEGMENT(n) (ISS + 1 + 1000 * ((int64_t)(n)-1))

static void sends_ten(struct peer *p, uint32_t queued)
{
    p->with.mss = 1000;
    agree_active(p);
    writes(queued);
    for (int i = 1; i <= 10; i++)
        expects(ACK, .seq = SEGMENT(i), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    expects_silence();
}

/* Negotiation ---------------------------------------------------------------------------------- */

/* RFC3168-1, RFC3168-3, RFC3168-5, RFC3168-13 */
TEST(who_asks_sends_an_ecn_setup_syn_and_once_agreed_its_text_is_ect0)
{
    agree_active(p);
    writes(1000);
    expects(ACK | PSH, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    sends(ACK | PSH, .len = 10);
    expects(ACK, .ack = IRS + 11, .ip_ecn = NO_ECT);
    closes();
    expects(ACK | FIN, .ip_ecn = NO_ECT);
}

/* RFC3168-5, RFC3168-6, SHLD-8 */
TEST(a_listener_agrees_when_it_is_asked_and_says_nothing_when_not)
{
    agree_passive(p);
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
    writes(1000);
    expects(ACK | PSH, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    on(1);
    establish_passive();
    holds_equal(status_of(ecn), HF_ECN_NONE);
    writes(1000);
    expects(ACK | PSH, .len = 1000, .ip_ecn = NO_ECT);
}

/* RFC3168-7, RFC3168-8, RFC3168-12: of all forms of a SYN,ACK only ECE alone agrees. */
TEST(other_forms_of_a_syn_ack_open_a_connection_without_ecn)
{
    static const unsigned forms[] = {0, CWR, CWR | ECE};
    asks_for_ecn(p);
    for (int i = 0; i < 3; i++) {
        on(i);
        opens();
        expects(SYN | ECE | CWR);
        sends(SYN | ACK | forms[i], .seq = IRS, .ack = ISS + 1, .mss = 1460);
        expects(ACK);
        holds_equal(status_of(ecn), HF_ECN_NONE);
        writes(100);
        expects(ACK | PSH, .len = 100, .ip_ecn = NO_ECT);
        sends(ACK | PSH, .len = 10, .ip_ecn = CODEPOINT(CE));
        expects(ACK);
    }
}

/* RFC3168-12 */
TEST(other_forms_of_a_syn_open_a_connection_without_ecn)
{
    static const unsigned forms[] = {ECE, CWR};
    listens();
    for (int i = 0; i < 2; i++) {
        on(i);
        sends(SYN | forms[i], .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        sends(ACK);
        accepts();
        writes(100);
        expects(ACK | PSH, .len = 100, .ip_ecn = NO_ECT);
    }
}

/* RFC3168-11 */
TEST(who_is_not_willing_clears_the_bits)
{
    p->config.policy.ecn = HF_ECN_OFF;
    listens();
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    on(1);
    opens();
    expects(SYN);
}

TEST(the_option_decides_for_one_connection_before_its_syn_and_for_a_listener)
{
    int64_t value;
    starts();
    struct hf_endpoint there = peer_there(p, p->c->peer_port), here = peer_here(p, 80);
    holds_equal(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle), HF_OK);
    holds_equal(hf_option(p->stack, p->c->handle, HF_ECN, &value), HF_OK);
    holds_equal(value, HF_ECN_ACCEPT);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_ECN, 3));
}

TEST(the_option_makes_one_connection_ask)
{
    starts();
    struct hf_endpoint there = peer_there(p, p->c->peer_port), here = peer_here(p, 80);
    holds_equal(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle), HF_OK);
    sets(HF_ECN, HF_ECN_ASK);
    expects(SYN | ECE | CWR);
    refuses(HF_ERR_NOT_CONNECTED,
            hf_set_option(p->stack, &p->env, p->c->handle, HF_ECN, HF_ECN_OFF));
}

TEST(the_option_makes_one_listener_refuse)
{
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ECN, HF_ECN_OFF));
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
}

/* RFC3168-7, RFC3168-15: when the SYN,ACK that comes answers the first SYN, the peer may send ECT,
 * and we may not. */
TEST(a_syn_without_an_answer_is_sent_again_without_the_bits_and_then_no_text_is_ect)
{
    asks_for_ecn(p);
    opens();
    expects(SYN | ECE | CWR);
    expects_after(990, 1100, SYN, .seq = ISS);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
    writes(100);
    expects(ACK | PSH, .len = 100, .ip_ecn = NO_ECT);
    sends(ACK | PSH, .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 11);
}

/* RFC3168-7, RFC3168-6 */
TEST(a_plain_syn_behind_one_that_asked_gets_a_plain_syn_ack_and_no_ect)
{
    listens();
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE);
    after(1);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK, .seq = IRS + 1);
    accepts();
    writes(100);
    expects(ACK | PSH, .len = 100, .ip_ecn = NO_ECT);
    sends(ACK | PSH, .len = 10, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE);
}

TEST(a_held_syn_keeps_what_it_asked_for)
{
    listens_with(8, true);
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects_silence();
    takes_held();
    expects(SYN | ACK | ECE);
    sends(ACK);
    writes(100);
    expects(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
}

/* RFC4987-9: what a cookie keeps of ECN is in its timestamp; without one it does not agree. */
TEST(a_syn_cookie_remembers_ecn_when_it_has_a_timestamp)
{
    p->config.policy.syn_cookies = HF_COOKIES_ALWAYS;
    listens();
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460, .tsval = 77);
    expects(SYN | ACK | ECE);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_CLASSIC);
    writes(100);
    expects(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
    on(1);
    sends(SYN, .seq = IRS, .mss = 1460, .tsval = 77);
    expects(SYN | ACK);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_NONE);
    on(2);
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK);
    accepts();
    holds_equal(status_of(ecn), HF_ECN_NONE);
}

TEST(both_ask_at_once_and_both_agree)
{
    asks_for_ecn(p);
    opens();
    expects(SYN | ECE | CWR);
    sends(SYN | ECE | CWR, .seq = IRS, .mss = 1460);
    expects(SYN | ACK | ECE, .seq = ISS, .ack = IRS + 1);
    sends(SYN | ACK | ECE, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK, .ack = IRS + 1);
    writes(100);
    expects(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
}

/* Receiving ------------------------------------------------------------------------------------ */

/* RFC3168-10, RFC3168-21, RFC3168-23 */
TEST(from_a_mark_on_every_ack_says_ece_until_cwr_comes)
{
    agree_passive(p);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK, .ack = IRS + 101);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 201, .ip_ecn = NO_ECT);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | ECE, .ack = IRS + 301);
    writes(100);
    expects(ACK | PSH | ECE, .len = 100);
    sends(ACK | PSH | CWR, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 401);
    sends(ACK | PSH | CWR, .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK, .ack = IRS + 501);
    holds_equal(status_of(ecn_seen), 1);
}

/* RFC3168-22 */
TEST(a_delayed_ack_of_a_marked_and_an_unmarked_segment_says_ece)
{
    p->config.policy.quick_acks = 0;
    agree_passive(p);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(CE));
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(ECT0));
    expects_after(30, 500, ACK | ECE, .ack = IRS + 201);
}

/* RFC3168-25 */
TEST(a_mark_on_text_outside_the_window_says_nothing)
{
    agree_passive(p);
    sends(ACK | PSH, .len = 100);
    expects(ACK);
    sends(ACK | PSH, .seq = IRS + 1, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK, .ack = IRS + 101);
    sends(ACK | PSH, .seq = IRS + 1000000, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK, .ack = IRS + 101);
    sends(ACK, .seq = IRS + 101, .ip_ecn = CODEPOINT(CE)); /* nor on what has no text */
    writes(10);
    expects(ACK | PSH, .len = 10);
}

TEST(a_mark_on_text_ahead_of_a_gap_counts)
{
    agree_passive(p);
    sends(ACK | PSH, .seq = IRS + 101, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 1);
}

/* RFC3168-27 */
TEST(a_mark_on_a_window_probe_counts)
{
    p->config.policy.receive_window = 1000;
    agree_passive(p);
    sends(ACK | PSH, .len = 1000);
    expects(ACK, .ack = IRS + 1001, .window = ZERO);
    sends(ACK, .len = 1, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 1001, .window = ZERO);
}

TEST(in_time_wait_the_echo_goes_on)
{
    agree_passive(p);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE);
    reads(100);
    closes();
    expects(ACK | FIN | ECE);
    sends(ACK);
    releases();
    sends(ACK | FIN);
    expects(ACK | ECE, .ack = IRS + 102);
    sends(ACK | FIN, .seq = IRS + 101);
    expects(ACK | ECE, .ack = IRS + 102);
}

/* Sending -------------------------------------------------------------------------------------- */

/* TX-21, RFC3168-2, RFC3168-16, RFC3168-9: the window is halved once for what was in flight. */
TEST(ten_echoes_in_one_round_trip_reduce_the_window_once)
{
    p->config.policy.slow_start_after_idle = false;
    sends_ten(p, 10000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(2));
    uint32_t ssthresh = status_of(ssthresh);
    holds(ssthresh < 10000 && ssthresh >= 5000);
    for (int i = 3; i <= 11; i++)
        sends(ACK | ECE, .ack = SEGMENT(i));
    holds_equal(status_of(ssthresh), ssthresh);
    writes(2000);
    expects(ACK | CWR, .seq = SEGMENT(11), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    expects(ACK | PSH, .seq = SEGMENT(12), .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(13)); /* of text sent since: once more */
    holds(status_of(ssthresh) < ssthresh);
    writes(1000);
    expects(ACK | PSH | CWR, .len = 1000);
}

static uint32_t ssthresh_after_an_echo(struct peer *p)
{
    sends_ten(p, 10000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(11));
    return status_of(ssthresh);
}

/* RFC8511-1: by a fifth instead of a half, RFC 8511 3.1; CUBIC by 0.85 instead of 0.7. */
TEST(with_abe_an_echo_reduces_by_less_than_a_loss)
{
    p->config.policy.congestion = HF_NEWRENO;
    holds_equal(ssthresh_after_an_echo(p), 8000);
}

TEST(with_abe_an_echo_reduces_cubic_by_less_than_a_loss)
{
    holds_equal(ssthresh_after_an_echo(p), 8000); /* of 8.5 segments the whole ones */
}

/* RFC3168-2: as a loss would. */
TEST(without_abe_an_echo_reduces_as_a_loss_does)
{
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.abe = false;
    holds_equal(ssthresh_after_an_echo(p), 5000);
}

TEST(without_abe_an_echo_reduces_cubic_as_a_loss_does)
{
    p->config.policy.abe = false;
    holds_equal(ssthresh_after_an_echo(p), 7000);
}

/* RFC3168-17 */
TEST(an_echo_does_not_raise_the_window)
{
    sends_ten(p, 10000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(11));
    holds(status_of(cwnd) < 10000);
}

TEST(an_echo_before_anything_of_ours_was_acknowledged_is_none)
{
    agree_active(p);
    uint32_t cwnd = status_of(cwnd);
    sends(ACK | PSH | ECE, .len = 10);
    expects(ACK);
    writes(100);
    expects(ACK | PSH, .len = 100);
    sends(ACK | ECE, .ack = ISS + 1);
    holds_equal(status_of(cwnd), cwnd);
}

/* TX-21 */
TEST(on_a_connection_without_ecn_ece_means_nothing)
{
    establish_active();
    uint32_t cwnd = status_of(cwnd);
    writes(100);
    expects(ACK | PSH, .len = 100);
    sends(ACK | ECE);
    holds(status_of(cwnd) >= cwnd);
    writes(100);
    expects(ACK | PSH, .len = 100);
}

/* RFC3168-19, RFC3168-20, RFC3168-24 */
TEST(after_a_fast_retransmit_the_next_new_text_says_cwr_and_what_is_sent_again_is_not_ect)
{
    p->with.sackok = true;
    sends_ten(p, 30000);
    after(100);
    for (int i = 2; i <= 4; i++)
        sends(ACK, .ack = SEGMENT(1), .sack = {{SEGMENT(2), SEGMENT(i + 1)}});
    unsigned said = 0;
    unsigned again = 0;
    for (struct seen *seen = peer_take(p, WIRE_PROTO_TCP); seen;
         seen = peer_take(p, WIRE_PROTO_TCP)) {
        bool is_new = (int32_t)(seen->seg.seq.v - peer_number(p, SEGMENT(11))) >= 0;
        holds_equal(seen->ip.tos & 3, is_new ? ECT0 : NOT_ECT);
        said += seen->seg.ctl & CWR ? 1 : 0;
        again += !is_new;
        holds(is_new || !(seen->seg.ctl & CWR));
        peer_taken(p, seen);
    }
    holds_equal(again, 1);
    p->c->acks = peer_number(p, SEGMENT(11));
    sends(ACK);
    for (struct seen *seen = peer_take(p, WIRE_PROTO_TCP); seen;
         seen = peer_take(p, WIRE_PROTO_TCP)) {
        said += seen->seg.ctl & CWR ? 1 : 0;
        peer_taken(p, seen);
    }
    holds_equal(said, 1);
}

/* RFC3168-19, RFC3168-20, RFC3168-24 */
TEST(after_a_timeout_too)
{
    agree_active(p);
    writes(1000);
    expects(ACK | PSH, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    expects_after(250, 400, ACK | PSH, .seq = ISS + 1, .len = 1000, .ip_ecn = NO_ECT);
    sends(ACK);
    writes(1000);
    expects(ACK | PSH | CWR, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    expects_after(150, 3500, ACK | PSH, .len = 1000, .ip_ecn = NO_ECT); /* without CWR */
}

/* RFC3168-26 */
TEST(window_probes_are_neither_ect_nor_say_cwr)
{
    p->config.policy.zwp_octet = true;
    agree_active(p);
    writes(1000);
    expects(ACK | PSH, .len = 1000, .ip_ecn = CODEPOINT(ECT0));
    sends(ACK | ECE, .wnd = ZERO);
    writes(1000);
    expects_after(150, 500, ACK, .len = 1, .ip_ecn = NO_ECT);
    sends(ACK, .ack = ISS + 1001, .wnd = 65535);
    peer_forget(p);
}

/* TX-21, RFC9438-14 */
TEST(an_echo_at_two_segments_leaves_a_window_of_one)
{
    p->config.policy.initial_cwnd = 2;
    agree_active(p);
    writes(9000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    expects(ACK, .seq = ISS + 1461, .len = 1460);
    after(100);
    sends(ACK | ECE, .ack = ISS + 2921);
    expects(ACK | CWR, .seq = ISS + 2921, .len = 1460);
    expects_silence();
    holds_equal(status_of(cwnd), 1460);
}

/* RFC3168-18, RFC9438-15 */
TEST(at_a_window_of_one_segment_an_echo_holds_new_text_until_the_timer)
{
    p->config.policy.initial_cwnd = 1;
    agree_active(p);
    writes(3000);
    expects(ACK, .seq = ISS + 1, .len = 1460);
    after(100);
    sends(ACK | ECE, .ack = ISS + 1461);
    expects_after(290, 420, ACK | CWR, .seq = ISS + 1461, .len = 1460, .ip_ecn = CODEPOINT(ECT0));
    after(50);
    sends(ACK);
    expects(ACK | PSH, .len = 80);
}

/* RFC 3168 6.1.2 and RFC3168-9: who cuts a super-segment would say CWR in the first part only, or
 * in all. */
TEST(text_that_says_cwr_is_a_frame_of_its_own)
{
    p->offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6;
    sends_ten(p, 10000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(11));
    holds(status_of(cwnd) >= 5000);
    writes(4000);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && (seen->seg.ctl & CWR) && seen->super == 0 && seen->seg.text_len == 1000);
    peer_taken(p, seen);
    seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen && !(seen->seg.ctl & CWR) && seen->super != 0);
    peer_taken(p, seen);
    peer_forget(p);
}

TEST(a_mark_on_a_super_segment_counts_as_on_any_other)
{
    agree_passive(p);
    sends(ACK | PSH, .len = 4000, .gso = 1000, .ip_ecn = CODEPOINT(CE));
    expects(ACK | ECE, .ack = IRS + 4001);
}

TEST(the_trace_tells_the_codepoint)
{
    agree_passive(p);
    sends(ACK | PSH, .len = 100, .ip_ecn = CODEPOINT(CE));
    holds_equal(p->last.ecn, NOT_ECT); /* our ACK */
    expects(ACK | ECE);
    writes(100);
    holds_equal(p->last.ecn, ECT0);
    peer_forget(p);
    p->config.policy.quick_acks = 0;
}

/* RFC3168-9: with the last octet of that flight acknowledged, congestion avoidance goes on. */
TEST(the_acknowledgment_of_all_that_was_in_flight_ends_the_reduction)
{
    p->config.policy.congestion = HF_NEWRENO;
    p->config.policy.abe = false;
    p->config.policy.slow_start_after_idle = false;
    sends_ten(p, 30000);
    after(100);
    sends(ACK | ECE, .ack = SEGMENT(2));
    sends(ACK, .ack = SEGMENT(11));
    holds_equal(status_of(cwnd), 5000);
    peer_forget(p); /* five new ones */
    after(100);
    sends(ACK, .ack = SEGMENT(16));
    holds_equal(status_of(cwnd), 6000);
    peer_forget(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(who_asks_sends_an_ecn_setup_syn_and_once_agreed_its_text_is_ect0),
        BOTH(a_listener_agrees_when_it_is_asked_and_says_nothing_when_not),
        BOTH(other_forms_of_a_syn_ack_open_a_connection_without_ecn),
        BOTH(other_forms_of_a_syn_open_a_connection_without_ecn),
        BOTH(who_is_not_willing_clears_the_bits),
        BOTH(the_option_decides_for_one_connection_before_its_syn_and_for_a_listener),
        BOTH(the_option_makes_one_connection_ask),
        BOTH(the_option_makes_one_listener_refuse),
        BOTH(a_syn_without_an_answer_is_sent_again_without_the_bits_and_then_no_text_is_ect),
        BOTH(a_plain_syn_behind_one_that_asked_gets_a_plain_syn_ack_and_no_ect),
        BOTH(a_held_syn_keeps_what_it_asked_for),
        BOTH(a_syn_cookie_remembers_ecn_when_it_has_a_timestamp),
        BOTH(both_ask_at_once_and_both_agree),
        BOTH(from_a_mark_on_every_ack_says_ece_until_cwr_comes),
        BOTH(a_delayed_ack_of_a_marked_and_an_unmarked_segment_says_ece),
        BOTH(a_mark_on_text_outside_the_window_says_nothing),
        BOTH(a_mark_on_text_ahead_of_a_gap_counts),
        BOTH(a_mark_on_a_window_probe_counts),
        BOTH(in_time_wait_the_echo_goes_on),
        BOTH(ten_echoes_in_one_round_trip_reduce_the_window_once),
        BOTH(with_abe_an_echo_reduces_by_less_than_a_loss),
        BOTH(with_abe_an_echo_reduces_cubic_by_less_than_a_loss),
        BOTH(without_abe_an_echo_reduces_as_a_loss_does),
        BOTH(without_abe_an_echo_reduces_cubic_as_a_loss_does),
        BOTH(an_echo_does_not_raise_the_window),
        BOTH(an_echo_before_anything_of_ours_was_acknowledged_is_none),
        BOTH(on_a_connection_without_ecn_ece_means_nothing),
        BOTH(after_a_fast_retransmit_the_next_new_text_says_cwr_and_what_is_sent_again_is_not_ect),
        BOTH(after_a_timeout_too),
        BOTH(window_probes_are_neither_ect_nor_say_cwr),
        V4(an_echo_at_two_segments_leaves_a_window_of_one),
        BOTH(at_a_window_of_one_segment_an_echo_holds_new_text_until_the_timer),
        BOTH(text_that_says_cwr_is_a_frame_of_its_own),
        BOTH(a_mark_on_a_super_segment_counts_as_on_any_other),
        BOTH(the_trace_tells_the_codepoint),
        V4(the_acknowledgment_of_all_that_was_in_flight_ends_the_reduction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
