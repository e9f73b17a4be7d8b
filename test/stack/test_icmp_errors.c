/* RFC 5927, RFC 1191, RFC 8201, RFC 9293 section 3.9.2.2: what ICMP errors do to connections. */
#include "common/peer.h"

#include <string.h>

static uint8_t router[16];

/* Destination unreachable with these codes, from a router on the way. */
static void unreachable(struct peer *p, uint8_t code4, uint8_t code6, int64_t number)
{
    memcpy(router, p->peer_ip, 16);
    router[15] = 99;
    peer_icmp_error(p, router, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, p->v6 ? code6 : code4,
                    0, number);
}

static void too_big(struct peer *p, uint32_t mtu, int64_t number)
{
    memcpy(router, p->peer_ip, 16);
    router[15] = 99;
    peer_icmp_error(p, router, p->v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE, p->v6 ? 0 : 4, mtu,
                    number);
}

/* RFC1122-10, RFC4443-6, SHLD-26, X-29 */
TEST(port_unreachable_ends_an_attempt_to_open)
{
    opens();
    expects(SYN);
    unreachable(p, 3, 4, ISS);
    expects_closed(HF_ERR_PORT_UNREACHABLE);
    after(5000);
    expects_silence();
}

/* MUST-54, RFC5927-1, RFC8899-2 */
TEST(an_error_that_quotes_another_number_is_ignored)
{
    opens();
    expects(SYN);
    unreachable(p, 3, 4, ISS + 1);
    unreachable(p, 3, 4, ISS - 1);
    expects_state(HF_SYN_SENT);
    expects_no_event(HF_ERROR_REPORT | HF_CLOSED_EVENT);
}

/* RFC5461-1, MUST-47, SHLD-25 */
TEST(a_soft_error_is_reported_and_the_attempt_goes_on)
{
    struct hf_icmp_report report;
    opens();
    expects(SYN);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, p->c->handle, &report));
    unreachable(p, 1, 3, ISS);
    expects_event(HF_ERROR_REPORT);
    expects_state(HF_SYN_SENT); /* MUST-56 */
    calls(hf_error_report(p->stack, p->c->handle, &report));
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
    holds_equal(report.version, p->v6 ? 6 : 4);
    holds_equal(report.type, p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE);
    holds_equal(report.code, p->v6 ? 3 : 1);
    holds_equal(report.hard, 0);
    holds(memcmp(report.from, router, 16) == 0);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, p->c->handle, &report));
    expects_after(900, 1100, SYN);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK);
}

/* hf_events: "true when read, not stale"; hf_error_report: "the oldest gives way" */
TEST(a_report_that_gave_way_is_not_told)
{
    struct hf_icmp_report report;
    p->config.max_connections = 2;
    p->config.max_udp = 0; /* half as many reports are kept: one */
    for (int i = 0; i < 2; i++) {
        on(i);
        opens();
        expects(SYN);
        unreachable(p, 1, 3, ISS);
    }
    expects_event(HF_ERROR_REPORT);
    calls(hf_error_report(p->stack, p->c->handle, &report));
    on(0);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, p->c->handle, &report));
    expects_no_event(HF_ERROR_REPORT);
}

/* SHLD-20 */
TEST(error_reports_can_be_switched_off_and_on_again)
{
    int64_t value;
    establish_active();
    calls(hf_option(p->stack, p->c->handle, HF_ERROR_REPORTS, &value));
    holds_equal(value, 1);
    refuses(HF_ERR_INVALID, hf_set_option(p->stack, &p->env, p->c->handle, HF_ERROR_REPORTS, 2));
    sets(HF_ERROR_REPORTS, 0);
    calls(hf_option(p->stack, p->c->handle, HF_ERROR_REPORTS, &value));
    holds_equal(value, 0);
    writes(100);
    expects(ACK, .len = 100);
    unreachable(p, 0, 0, ISS + 1);
    for (int i = 0; i < 3; i++)
        expects_after(0, 20000, ACK, .len = 100);
    expects_no_event(HF_ERROR_REPORT | HF_TROUBLE);
    sets(HF_ERROR_REPORTS, 1);
    unreachable(p, 0, 0, ISS + 1);
    expects_event(HF_ERROR_REPORT);
}

/* SHLD-20 */
TEST(a_listener_may_want_no_error_reports_for_what_it_accepts)
{
    int64_t value;
    listens();
    calls(hf_set_option(p->stack, &p->env, p->listener, HF_ERROR_REPORTS, 0));
    establish_passive();
    calls(hf_option(p->stack, p->c->handle, HF_ERROR_REPORTS, &value));
    holds_equal(value, 0);
    writes(100);
    expects(ACK, .len = 100);
    unreachable(p, 0, 0, ISS + 1);
    expects_no_event(HF_ERROR_REPORT);
}

/* RFC5461-1 */
TEST(the_policy_can_let_a_soft_error_end_the_attempt)
{
    p->config.policy.syn_soft_abort = true;
    opens();
    expects(SYN);
    unreachable(p, 0, 0, ISS);
    expects_closed(HF_ERR_NET_UNREACHABLE);
}

/* MUST-47, MUST-56, SHLD-25, RFC5927-2 */
TEST(a_hard_error_does_not_end_an_open_connection)
{
    struct hf_icmp_report report;
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    unreachable(p, 3, 4, ISS + 1);
    expects_event(HF_ERROR_REPORT);
    expects_state(HF_ESTABLISHED); /* SHLD-26 as deployed, RFC 5927 5.2 */
    calls(hf_error_report(p->stack, p->c->handle, &report));
    holds_equal(report.hard, 1);
    holds_equal(report.error, HF_ERR_PORT_UNREACHABLE);
    sends(ACK);
    holds_equal(status_of(queued_bytes), 0);
}

TEST(the_policy_can_let_a_hard_error_end_an_open_connection)
{
    p->config.policy.icmp_hard_abort = true;
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    unreachable(p, 1, 3, ISS + 1); /* soft */
    expects_state(HF_ESTABLISHED);
    unreachable(p, 2, 1, ISS + 1);
    expects_closed(p->v6 ? HF_ERR_PROHIBITED : HF_ERR_PROTO_UNREACHABLE);
}

TEST(an_error_about_what_is_not_in_flight_is_ignored)
{
    establish_active();
    writes(100);
    expects(ACK, .len = 100);
    unreachable(p, 1, 3, ISS + 101);
    unreachable(p, 1, 3, ISS);
    sends(ACK);
    unreachable(p, 1, 3, ISS + 1);
    expects_no_event(HF_ERROR_REPORT);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.verdict[HF_V_DROP_ICMP], 3);
    holds_equal(counters.verdict[HF_V_ICMP_TAKEN], 0);
}

/* MUST-54 */
TEST(an_error_with_a_bad_checksum_or_for_another_connection_is_ignored)
{
    opens();
    expects(SYN);
    p->conn[1] = p->conn[0];
    p->conn[1].peer_port++;
    on(1);
    unreachable(p, 3, 4, ISS);
    on(0);
    expects_state(HF_SYN_SENT);
    uint8_t short_one[8] = {p->v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, 3};
    peer_ip(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP, short_one, sizeof short_one);
    expects_state(HF_SYN_SENT);
    expects_silence();
}

/* RFC7323-48, RFC5681-8 */
TEST(packet_too_big_makes_segments_smaller_and_sends_what_was_lost_again)
{
    p->with.wnd = 65535;
    establish_active();
    writes(2920);
    expects(ACK, .len = 1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS + 1);
    uint32_t text = p->v6 ? 1240 : 1260;
    holds_equal(status_of(snd_mss), text);
    expects(ACK, .seq = ISS + 1, .len = text);
    expects(ACK, .seq = ISS + 1 + text, .len = text);
    expects(ACK, .seq = ISS + 1 + 2 * text, .len = 2920 - 2 * text);
    expects_silence();
    holds_equal(status_of(cwnd), 10 * text); /* as many segments: it is not congestion */
    holds_equal(status_of(ssthresh), UINT32_MAX);
    sends(ACK, .ack = ISS + 2921);
    holds_equal(status_of(queued_bytes), 0);
}

TEST(packet_too_big_is_judged_by_the_quoted_number)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 1300, ISS);
    too_big(p, 1300, ISS + 1461);
    expects_silence();
    holds_equal(status_of(snd_mss), 1460);
}

TEST(an_absurd_path_mtu_is_not_believed)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 68, ISS + 1);
    if (p->v6) { /* RFC 8201 4: below 1280 is discarded */
        holds_equal(status_of(snd_mss), 1460);
        expects_silence();
    } else { /* the floor is 552 */
        holds_equal(status_of(snd_mss), 512);
        expects(ACK, .seq = ISS + 1, .len = 512);
    }
}

TEST(a_path_mtu_that_is_larger_than_ours_changes_nothing)
{
    establish_active();
    writes(1460);
    expects(ACK, .len = 1460);
    too_big(p, 9000, ISS + 1);
    expects_silence();
    holds_equal(status_of(snd_mss), 1460);
}

TEST(fragmentation_needed_never_ends_an_attempt_to_open)
{
    opens();
    expects(SYN);
    too_big(p, 1400, ISS);
    expects_state(HF_SYN_SENT);
    expects_silence();
}

/* Ruling 46, RFC8201-1, RFC1191-4: an MTU of 0 is no other error than any MTU. */
TEST(packet_too_big_with_no_size_ends_no_attempt_to_open)
{
    p->config.policy.syn_soft_abort = true;
    opens();
    expects(SYN, .mss = 1460);
    too_big(p, 0, ISS);
    expects_no_event(HF_ERROR_REPORT);
    expects_state(HF_SYN_SENT);
    if (p->v6)
        holds_equal(peer_count(p, HF_V_ICMP_TAKEN), 0); /* discarded */
}

/* MUST-55, RFC6633-2, RFC5927-3 */
TEST(source_quench_and_redirect_are_ignored)
{
    opens();
    expects(SYN);
    memcpy(router, p->peer_ip, 16);
    peer_icmp_error(p, router, ICMP4_SOURCE_QUENCH, 0, 0, ISS);
    peer_icmp_error(p, router, ICMP4_REDIRECT, 1, 0, ISS);
    expects_no_event(HF_ERROR_REPORT);
    expects_state(HF_SYN_SENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(port_unreachable_ends_an_attempt_to_open),
        BOTH(an_error_that_quotes_another_number_is_ignored),
        BOTH(a_soft_error_is_reported_and_the_attempt_goes_on),
        BOTH(a_report_that_gave_way_is_not_told),
        BOTH(error_reports_can_be_switched_off_and_on_again),
        BOTH(a_listener_may_want_no_error_reports_for_what_it_accepts),
        BOTH(the_policy_can_let_a_soft_error_end_the_attempt),
        BOTH(a_hard_error_does_not_end_an_open_connection),
        BOTH(the_policy_can_let_a_hard_error_end_an_open_connection),
        BOTH(an_error_about_what_is_not_in_flight_is_ignored),
        BOTH(an_error_with_a_bad_checksum_or_for_another_connection_is_ignored),
        BOTH(packet_too_big_makes_segments_smaller_and_sends_what_was_lost_again),
        BOTH(packet_too_big_is_judged_by_the_quoted_number),
        BOTH(an_absurd_path_mtu_is_not_believed),
        BOTH(a_path_mtu_that_is_larger_than_ours_changes_nothing),
        BOTH(fragmentation_needed_never_ends_an_attempt_to_open),
        BOTH(packet_too_big_with_no_size_ends_no_attempt_to_open),
        V4(source_quench_and_redirect_are_ignored),
    };
    return cmocka_run_group_tests_name("icmp errors", tests, NULL, NULL);
}
