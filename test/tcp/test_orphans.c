/* Connections whose handle was released, and linger: RFC 9293 3.6, RFC 6429, POSIX SO_LINGER. */
#include "common/peer.h"

TEST(a_released_connection_whose_fin_nobody_acknowledges_is_given_up)
{
    establish_passive();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 2);
    releases();
    expects(FIN | ACK, .seq = ISS + 1);
    expects_state(HF_LAST_ACK);
    int64_t first_ns = p->env.now_ns;
    for (uint32_t i = 0; i < p->config.policy.orphan_retries; i++) {
        expects_after(1, 120000, FIN | ACK, .seq = ISS + 1);
    }
    after(130000);
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 0);
    holds((p->env.now_ns - first_ns) / 1000000000 >= 100); /* SHLD-11 */
}

TEST(a_released_connection_in_fin_wait_2_ends_after_fin_timeout)
{
    establish_active();
    releases();
    expects(FIN | ACK, .seq = ISS + 1);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects_state(HF_FIN_WAIT_2);
    after(p->config.policy.fin_timeout_ms - 1);
    expects_state(HF_FIN_WAIT_2);
    after(2);
    expects_state(HF_CLOSED);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 2);
    expects(RST, .seq = ISS + 2);
}

static void loses_its_way(struct peer *p)
{
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip)); /* and the route with it */
}

/* RFC 9293 3.8.3: nothing was ever sent that a timer could send again.  The other one has an ACK
 * that waits for a way before the FIN does.  MUST-20 */
TEST(a_released_connection_whose_fin_has_no_way_out_is_given_up)
{
    p->config.policy.quick_acks = 0;
    for (int i = 0; i < 2; i++) {
        on(i);
        establish_active();
    }
    sends(PSH | ACK, .len = 10);
    reads(10);
    loses_its_way(p);
    after(1000);
    for (int i = 0; i < 2; i++) {
        on(i);
        releases();
    }
    after(100 * 1000); /* SHLD-11 */
    expects_state(HF_FIN_WAIT_1);
    after(3600 * 1000);
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections + counters.active, 0);
}

/* A few may wait; of more, those go first for whom nothing comes back. */
TEST(of_too_many_released_connections_those_go_whose_fins_have_no_way_out)
{
    p->config.policy.max_orphans = 1;
    for (int i = 0; i < 2; i++) {
        on(i);
        establish_active();
    }
    loses_its_way(p);
    for (int i = 0; i < 2; i++) {
        on(i);
        releases();
    }
    after(3000);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.orphans, 1);
    holds_equal(counters.verdict[HF_V_ORPHAN_RESET], 1);
}

/* The peer answers each probe and never opens its window. */
static void probe(struct peer *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        expects_after(1, 130000, ACK, .seq = ISS, .len = 0);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    }
}

static void close_the_window(struct peer *p)
{
    establish_active();
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    writes(100);
    expects_silence();
}

/* RFC6429-1 */
TEST(a_peer_that_keeps_its_window_closed_and_answers_keeps_the_connection)
{
    close_the_window(p);
    probe(p, 3 * p->config.policy.orphan_probes);
    expects_state(HF_ESTABLISHED);
}

/* RFC6429-2 */
TEST(an_application_may_end_a_connection_whose_window_stays_closed)
{
    close_the_window(p);
    probe(p, 2);
    aborts();
    expects(RST | ACK, .seq = ISS + 1);
    releases();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections + counters.active, 0);
}

/* RFC6429-2 */
TEST(a_closed_window_does_not_hold_a_released_connection_for_ever)
{
    close_the_window(p);
    releases();
    probe(p, p->config.policy.orphan_probes);
    expects_after(1, 130000, RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 0);
}

/* RFC6429-2, SHLD-17: the window shrinks to nothing below what is in flight.  That is what goes
 * again, and each of its answers tells that the window is still closed. */
TEST(a_window_that_shrank_does_not_hold_a_released_connection_for_ever)
{
    establish_active();
    writes(100);
    expects(ACK, .seq = ISS + 1, .len = 100);
    releases();
    expects(FIN | ACK, .seq = ISS + 101);
    p->c->wnd = 0;
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    for (uint32_t i = 0; i < p->config.policy.orphan_probes; i++) {
        expects_after(1, 130000, FIN | ACK, .seq = ISS + 1, .len = 100);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    }
    expects_after(1, 130000, RST | ACK, .seq = ISS + 1, .ack = IRS + 1); /* where it is taken */
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.connections, 0);
}

/* The same, if it opens for a moment each time and takes nothing. */
TEST(a_window_that_opens_for_a_moment_does_not_hold_a_released_connection_either)
{
    close_the_window(p);
    releases();
    for (uint32_t i = 0; i < p->config.policy.orphan_probes; i++) {
        probe(p, 1);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = 1);
        sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    }
    expects_after(1, 130000, RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
}

/* Seven closed windows hold up so many octets each of what is half a payload memory of 876,544:
 * how many connections go when they are released and the first probes are due? */
static uint64_t reset_with(struct peer *p, uint32_t octets)
{
    p->config.max_connections = p->config.max_active = 8;
    p->config.small_chunks = 300;
    p->config.small_chunk_bytes = 2048;
    p->config.large_chunks = 16;
    p->config.policy.max_orphans = 8; /* no other limit */
    for (int i = 0; i < 7; i++) {
        on(i);
        establish_active();
        sends(ACK, .ack = ISS + 1, .wnd = ZERO);
        writes(octets);
        expects_silence();
        releases();
    }
    after(2000);
    peer_forget(p);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.orphans + counters.verdict[HF_V_ORPHAN_RESET], 7);
    return counters.verdict[HF_V_ORPHAN_RESET];
}

/* hf_policy.orphan_share: 50 per cent, counted in hundredths. */
TEST(text_of_released_connections_up_to_their_share_stays)
{
    holds_equal(reset_with(p, 62600), 0); /* 438,200 of 438,250 octets */
}

TEST(of_text_beyond_the_share_of_released_connections_as_much_as_is_too_much_goes)
{
    holds_equal(reset_with(p, 62650), 1);
}

TEST(a_linger_time_of_zero_makes_releasing_a_reset)
{
    establish_active();
    sets(HF_LINGER, 0);
    releases();
    expects(RST | ACK, .seq = ISS + 1, .ack = IRS + 1);
    expects_silence();
}

TEST(with_a_linger_time_all_that_is_acknowledged_within_it_closes_in_order)
{
    establish_active();
    sets(HF_LINGER, 5000);
    writes(100);
    expects(ACK, .len = 100);
    releases();
    expects(FIN | ACK, .seq = ISS + 101);
    after(100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 102);
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 102);
    expects(ACK, .ack = IRS + 2);
    after(6000);
    expects_silence();
}

TEST(what_is_not_acknowledged_in_the_linger_time_is_reset)
{
    establish_active();
    sets(HF_LINGER, 5000);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .wnd = ZERO);
    writes(100);
    releases();
    int64_t released_ns = p->env.now_ns;
    for (;;) {
        after(10);
        struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
        if (seen == NULL) {
            holds(p->env.now_ns - released_ns < 6000000000);
            continue;
        }
        bool reset = seen->seg.ctl & RST;
        peer_taken(p, seen);
        if (reset) {
            break;
        }
    }
    holds((p->env.now_ns - released_ns) / 1000000 >= 5000);
}

/* The time counts from hf_release, whatever the handshake does meanwhile. */
TEST(a_linger_time_that_began_before_the_connection_was_open_goes_on)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    calls(hf_asked(p->stack, &p->env, p->listener, &p->c->handle, NULL, NULL));
    calls(hf_answer(p->stack, &p->env, p->c->handle, HF_ANSWER_ACCEPT));
    expects(SYN | ACK, .seq = ISS, .ack = IRS + 1);
    sets(HF_LINGER, 1500);
    writes(100);
    releases();
    after(500);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    expects(FIN | ACK, .seq = ISS + 1, .len = 100);
    after(999);
    peer_forget(p);
    expects_after(0, 2, RST | ACK, .seq = ISS + 102, .ack = IRS + 1);
}

TEST(linger_is_off_until_it_is_set_and_after)
{
    establish_active();
    int64_t value = 0;
    calls(hf_option(p->stack, p->c->handle, HF_LINGER, &value));
    holds_equal(value, -1);
    sets(HF_LINGER, 0);
    sets(HF_LINGER, -1);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_LINGER, -2));
    releases();
    expects(FIN | ACK, .seq = ISS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_released_connection_whose_fin_nobody_acknowledges_is_given_up),
        BOTH(a_released_connection_whose_fin_has_no_way_out_is_given_up),
        BOTH(of_too_many_released_connections_those_go_whose_fins_have_no_way_out),
        BOTH(a_released_connection_in_fin_wait_2_ends_after_fin_timeout),
        V4(a_peer_that_keeps_its_window_closed_and_answers_keeps_the_connection),
        V4(an_application_may_end_a_connection_whose_window_stays_closed),
        BOTH(a_closed_window_does_not_hold_a_released_connection_for_ever),
        BOTH(a_window_that_shrank_does_not_hold_a_released_connection_for_ever),
        V4(a_window_that_opens_for_a_moment_does_not_hold_a_released_connection_either),
        V4(text_of_released_connections_up_to_their_share_stays),
        V4(of_text_beyond_the_share_of_released_connections_as_much_as_is_too_much_goes),
        BOTH(a_linger_time_of_zero_makes_releasing_a_reset),
        V4(with_a_linger_time_all_that_is_acknowledged_within_it_closes_in_order),
        V4(what_is_not_acknowledged_in_the_linger_time_is_reset),
        BOTH(a_linger_time_that_began_before_the_connection_was_open_goes_on),
        V4(linger_is_off_until_it_is_set_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
