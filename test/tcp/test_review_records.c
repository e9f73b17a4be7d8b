/* What the small records of SYN-RECEIVED and TIME-WAIT must not lose, and what a handle leaves when
 * it is released late, or with octets unread. */
#include "common/peer.h"
#include "stack/stack.h"

enum { GTSM = 255 }; /* RFC 5082 */

/* TIME-WAIT, or CLOSING, with so much of the peer's text unread. */
static void closes_both_ways(struct peer *p, uint32_t unread)
{
    establish_passive();
    closes();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2, .len = unread);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 2 + unread);
}

static void set_policy(struct peer *p)
{
    calls(hf_set_policy(p->stack, &p->env, &p->config.policy));
}

/* MUST-13; ruling 24: nothing is reset where both have closed. */
TEST(time_wait_waits_2_msl_though_octets_were_left_unread)
{
    closes_both_ways(p, 10);
    expects_state(HF_TIME_WAIT);
    releases();
    expects_silence();
    sends(FIN | ACK, .seq = IRS + 11, .ack = ISS + 2);
    expects(ACK, .seq = ISS + 2, .ack = IRS + 12);
    holds_equal(p->stack->tcp.waits.used, 1);
}

/* 3.6: what was sent before CLOSE is delivered. */
TEST(in_last_ack_a_release_with_octets_unread_loses_nothing_that_was_sent)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK, .ack = IRS + 12);
    writes(100);
    closes();
    expects(ACK, .seq = ISS + 1, .len = 100);
    expects(FIN | ACK, .seq = ISS + 101);
    releases();
    expects_silence();
    after(300); /* both were lost */
    expects(FIN | ACK, .seq = ISS + 1, .len = 100);
    sends(ACK, .seq = IRS + 12, .ack = ISS + 102);
    expects_silence();
    holds_equal(p->stack->tcp.tcbs.used, 0);
}

TEST(a_fin_that_has_not_left_leaves_though_octets_are_unread_when_the_handle_goes)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK, .ack = IRS + 12);
    calls(hf_close(p->stack, &p->env, p->c->handle));
    releases();
    expects(FIN | ACK, .seq = ISS + 1, .ack = IRS + 12);
    sends(ACK, .seq = IRS + 12, .ack = ISS + 2);
    holds_equal(p->stack->tcp.tcbs.used, 0);
}

TEST(in_closing_a_release_with_octets_unread_repeats_what_was_lost)
{
    establish_passive();
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    closes();
    expects(FIN | ACK, .seq = ISS + 101);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 10);
    expects(ACK, .ack = IRS + 12);
    expects_state(HF_CLOSING);
    releases();
    expects_silence();
    after(300);
    expects(FIN | ACK, .seq = ISS + 1, .len = 100);
    sends(ACK, .seq = IRS + 12, .ack = ISS + 102);
    expects_silence();
    holds_equal(p->stack->tcp.waits.used, 1);
}

/* ST-02: what waits takes a small record, whatever the peer points at, ... */
TEST(an_urgent_pointer_behind_the_fin_does_not_keep_the_large_record)
{
    establish_passive();
    sends(ACK | URG, .seq = IRS + 1, .ack = ISS + 1, .len = 10, .up = 1000);
    expects(ACK, .ack = IRS + 11);
    reads(10);
    releases();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 11, .ack = ISS + 2);
    holds_equal(p->stack->tcp.actives.used, 0); /* FIN-WAIT-2, and nobody reads */
    sends(FIN | ACK, .seq = IRS + 11, .ack = ISS + 2);
    expects(ACK, .ack = IRS + 12);
    holds_equal(p->stack->tcp.tcbs.used, 0);
    holds_equal(p->stack->tcp.waits.used, 1);
}

/* ... and however late its handle goes. */
TEST(a_handle_that_is_released_late_leaves_a_small_record_too)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        closes_both_ways(p, 0);
        after(2);
    }
    releases();
    on(0);
    releases();
    holds_equal(p->stack->tcp.tcbs.used, 0);
    holds_equal(p->stack->tcp.waits.used, 2);
    after(2 * p->config.policy.msl_ms - 10);
    holds_equal(p->stack->tcp.waits.used, 2);
    after(10);
    holds_equal(p->stack->tcp.waits.used, 0);
}

/* A FIN that comes again begins 2MSL anew, and ends behind those that wait for longer. */
TEST(time_wait_keeps_the_order_of_time_when_policy_shortens_the_msl)
{
    for (int i = 0; i < 2; i++) {
        on(i);
        closes_both_ways(p, 0);
        releases();
    }
    p->config.policy.msl_ms = 1000;
    set_policy(p);
    on(0);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(ACK);
    on(2);
    closes_both_ways(p, 0);
    releases();
    holds_equal(p->stack->tcp.waits.used, 3); /* hf_check looks at the order after each call */
}

/* HF_TTL: a peer behind RFC 5082 hears nothing else. */
TEST(the_last_acks_leave_with_the_ttl_that_was_set)
{
    p->wild = true;
    closes_both_ways(p, 0);
    sets(HF_TTL, GTSM);
    releases();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    holds_equal(seen->ip.ttl, GTSM);
    peer_taken(p, seen);
}

/* RFC 6298 3: an ACK that may be of either copy of the SYN,ACK is no sample, ... */
TEST(a_syn_ack_that_went_twice_gives_no_sample_of_the_rtt)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    after(950);
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    after(10);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    holds_equal(status_of(srtt_us), 0);
}

/* ... nor is one of a SYN,ACK that left at a time nobody knows any more. */
TEST(another_policy_of_timeouts_gives_no_wrong_sample_of_the_rtt)
{
    static const uint32_t change[2][2] = {{3000, 1000}, {1000, 3000}};
    for (int i = 0; i < 2; i++) {
        on(i);
        p->config.policy.rto_initial_ms = change[i][0];
        if (i == 0) {
            listens();
        }
        set_policy(p);
        sends(SYN, .seq = IRS, .mss = 1460);
        expects(SYN | ACK);
        p->config.policy.rto_initial_ms = change[i][1];
        set_policy(p);
        after(50);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
        accepts();
        holds_equal(status_of(srtt_us), 0);
    }
}

/* RFC 7323 2.2: the shift is the one that our SYN has told. */
TEST(the_window_scale_of_our_syn_stays_when_policy_has_another)
{
    p->with.wscale = SHIFT(3);
    starts();
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    calls(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle));
    expects(SYN, .wscale = SHIFT(8));
    p->config.policy.max_receive_window = 1 << 30;
    set_policy(p);
    after(1000);
    expects(SYN, .wscale = SHIFT(8));
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460, .wscale = SHIFT(3));
    expects(ACK);
    holds_equal(status_of(rcv_wscale), 8);
}

TEST(a_held_syn_is_answered_with_the_window_scale_that_is_kept)
{
    listens_with(8, true);
    sends(SYN, .seq = IRS, .mss = 1460, .wscale = SHIFT(3));
    p->config.policy.max_receive_window = 1 << 30;
    set_policy(p);
    takes_held();
    expects(SYN | ACK, .wscale = SHIFT(8));
    holds_equal(status_of(rcv_wscale), 8);
}

/* 3.10.1: the half-open connection of a listener that is closed is none. */
TEST(a_pair_of_sockets_can_be_opened_when_its_listener_is_gone)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    calls(hf_close(p->stack, &p->env, p->listener));
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    p->c->has_iss = false;
    calls(hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle));
    expects(SYN, .seq = ISS);
}

/* RFC 4987 3: nor does it count in the backlog of the next listener. */
TEST(a_network_has_its_whole_share_of_a_new_listener)
{
    enum { SHARE = 8 };
    p->config.max_half_open = 64;
    p->config.policy.syn_cookies = HF_COOKIES_OFF;
    p->config.policy.backlog_share = 50;
    for (int turn = 0; turn < 2; turn++) {
        listens_with(2 * SHARE, false);
        for (int i = 0; i < SHARE; i++) {
            on(0);
            new_incarnation(100);
            p->c->peer_port = (uint16_t)(6000 + 100 * turn + i);
            sends(SYN, .seq = IRS, .mss = 1460);
            expects(SYN | ACK);
        }
        calls(hf_close(p->stack, &p->env, p->listener));
    }
}

/* Ruling 23: a reset of a connection has its timestamp. */
TEST(the_reset_that_late_text_earns_has_a_timestamp)
{
    p->with.tsval = 1000;
    establish_passive();
    releases();
    expects(FIN | ACK);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2, .len = 10);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && (seen->seg.ctl & RST));
    holds(seen->seg.opt.present & OPT_TS);
    peer_taken(p, seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(time_wait_waits_2_msl_though_octets_were_left_unread),
        BOTH(in_last_ack_a_release_with_octets_unread_loses_nothing_that_was_sent),
        BOTH(a_fin_that_has_not_left_leaves_though_octets_are_unread_when_the_handle_goes),
        BOTH(in_closing_a_release_with_octets_unread_repeats_what_was_lost),
        BOTH(an_urgent_pointer_behind_the_fin_does_not_keep_the_large_record),
        BOTH(a_handle_that_is_released_late_leaves_a_small_record_too),
        BOTH(time_wait_keeps_the_order_of_time_when_policy_shortens_the_msl),
        BOTH(the_last_acks_leave_with_the_ttl_that_was_set),
        BOTH(a_syn_ack_that_went_twice_gives_no_sample_of_the_rtt),
        BOTH(another_policy_of_timeouts_gives_no_wrong_sample_of_the_rtt),
        BOTH(the_window_scale_of_our_syn_stays_when_policy_has_another),
        BOTH(a_held_syn_is_answered_with_the_window_scale_that_is_kept),
        BOTH(a_pair_of_sockets_can_be_opened_when_its_listener_is_gone),
        BOTH(a_network_has_its_whole_share_of_a_new_listener),
        BOTH(the_reset_that_late_text_earns_has_a_timestamp),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
