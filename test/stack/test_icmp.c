/* test_icmp.c - ICMP echo and errors: RFC 792, RFC 1122 3.2.2, RFC 4443. */
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

/* RFC 1122 3.2.2.6, RFC 4443 4.2.  RFC1122-9, RFC4443-5, RFC792-1 */
TEST(an_echo_request_is_answered_with_its_own_octets)
{
    static uint8_t payload[ROOM];
    uint8_t type = p->v6 ? ICMP6_ECHO : ICMP4_ECHO;
    static const uint32_t sizes[] = {0, 1, 56, 1001};
    for (size_t i = 0; i < 4; i++) {
        uint32_t len = make_icmp(p, payload, type, 0, data, sizes[i]);
        peer_ip(p, icmp_proto(p), payload, len);
        expects_echo(p, payload, len);
    }
    static const uint32_t large[] = {3000, 16376, 40001};
    for (size_t i = 0; i < 3; i++) {
        uint32_t len = make_icmp(p, payload, type, 0, data, large[i]);
        for (uint32_t from = 0; from < len; from += 1448)
            sends_fragment(p, icmp_proto(p), payload, from, min_u32(from + 1448, len),
                           from + 1448 < len);
        expects_echo(p, payload, len);
    }
    expects_silence();
    uint32_t len = make_icmp(p, payload, type, 0, data, 100);
    payload[60] ^= 1;
    peer_ip(p, icmp_proto(p), payload, len);
    expects_silence();
}

TEST(echo_replies_are_bounded_in_their_rate)
{
    static uint8_t payload[200];
    uint32_t len = make_icmp(p, payload, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 10);
    unsigned answers = 0;
    for (unsigned i = 0; i < 2000; i++) {
        peer_ip(p, icmp_proto(p), payload, len);
        struct seen *seen = peer_take(p, icmp_proto(p));
        answers += seen != NULL;
        if (seen)
            peer_taken(p, seen);
    }
    holds(answers > 50 && answers < 1000);
    after(1000);
    peer_ip(p, icmp_proto(p), payload, len);
    expects_echo(p, payload, len);
}

/* Takes the ICMP error that the stack sends; it must quote the packet sent. */
static void expects_error(struct peer *p, uint8_t type, uint8_t code, uint8_t proto)
{
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    const uint8_t *icmp = seen->bytes + seen->ip.header_len;
    uint32_t len = seen->ip.total_len - seen->ip.header_len;
    holds_equal(icmp[0], type);
    holds_equal(icmp[1], code);
    holds(wire_icmp_checksum_ok(&seen->ip, icmp, len));
    holds(len >= 8 + (p->v6 ? 48 : 28));
    holds(seen->ip.total_len <= (p->v6 ? 1280 : 576));
    holds_equal(icmp[8 + (p->v6 ? 6 : 9)], proto);
    holds(memcmp(seen->ip.dst, p->peer_ip, 16) == 0);
    peer_taken(p, seen);
}

/* RFC1122-8, RFC1122-11, RFC4443-2 */
TEST(nobody_at_a_udp_port_is_told)
{
    static uint8_t payload[2000];
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 1400));
    expects_error(p, p->v6 ? 1 : 3, p->v6 ? 4 : 3, WIRE_PROTO_UDP);
    expects_silence();
}

/* RFC8200-1 */
TEST(a_protocol_that_nobody_speaks_is_told)
{
    peer_ip(p, 132, data, 100);
    expects_error(p, p->v6 ? 4 : 3, p->v6 ? 1 : 2, 132);
    expects_silence();
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e).  RFC1122-7, RFC4443-3 */
TEST(errors_are_never_answered_with_errors)
{
    static uint8_t payload[200], quoted[100];
    uint32_t len = make_icmp(p, payload, p->v6 ? 1 : 3, 1, quoted, 60);
    peer_ip(p, icmp_proto(p), payload, len);
    expects_silence();
    peer_ip(p, p->v6 ? WIRE_PROTO_ICMP : WIRE_PROTO_ICMPV6, payload, len);
    struct seen *seen = peer_any(p);
    if (seen)
        peer_taken(p, seen);
    sends_fragment(p, 132, data, 800, 808, false);
    sends_fragment(p, 132, data, 1600, 1608, true);
    after(1000);
    expects_silence();
}

/* An IPv6 packet with an option that asks for refusal, and an ICMPv6 message behind it. */
static void sends_behind_an_option(struct peer *p, uint8_t type)
{
    static uint8_t payload[100];
    uint8_t options[8] = {WIRE_PROTO_ICMPV6, 0, 0x85, 4};
    memcpy(payload, options, 8);
    uint32_t len = make_icmp(p, payload + 8, type, 0, data, 48);
    peer_ip(p, 60, payload, 8 + len);
}

/* RFC 4443 2.4 (e.1): also where extension headers stand before it.  RFC4443-3 */
TEST(an_error_behind_an_option_that_asks_for_refusal_is_not_answered)
{
    if (!p->v6)
        return;
    sends_behind_an_option(p, ICMP6_UNREACHABLE);
    expects_silence();
    sends_behind_an_option(p, ICMP6_ECHO);
    expects_error(p, 4, 2, 60);
}

/* RFC1122-7, RFC4443-3: nor when it is the datagram that stays incomplete. */
TEST(an_error_in_fragments_that_stays_incomplete_is_not_answered)
{
    static uint8_t payload[200];
    uint32_t len = make_icmp(p, payload, p->v6 ? 1 : 3, 1, data, 100);
    sends_fragment(p, icmp_proto(p), payload, 0, len / 8 * 8, true);
    after(61000);
    expects_silence();
    len = make_icmp(p, payload, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 100);
    sends_fragment(p, icmp_proto(p), payload, 0, len / 8 * 8, true);
    after(61000);
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    peer_taken(p, seen);
}

/* RFC 4443 2.4 (e.2): a redirect is no error message, but is not answered either.  RFC4443-3 */
TEST(a_redirect_is_not_answered_with_an_error)
{
    static uint8_t payload[200];
    if (!p->v6)
        return;
    sends_behind_an_option(p, ICMP6_REDIRECT);
    expects_silence();
    uint32_t len = make_icmp(p, payload, ICMP6_REDIRECT, 0, data, 100);
    sends_fragment(p, WIRE_PROTO_ICMPV6, payload, 0, len / 8 * 8, true);
    after(61000);
    expects_silence();
}

/* RFC8200-3: a part that is no multiple of eight, wherever it belongs. */
TEST(a_later_fragment_that_cannot_be_is_told_to_its_sender)
{
    if (!p->v6)
        return;
    sends_fragment(p, WIRE_PROTO_UDP, data, 800, 813, true);
    expects_error(p, 4, 0, 44);
}

/* RFC4443-4 */
TEST(errors_are_bounded_in_their_rate)
{
    static uint8_t payload[200];
    uint32_t len = make_datagram(p, payload, 10);
    unsigned errors = 0;
    for (unsigned i = 0; i < 1000; i++) {
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
        struct seen *seen = peer_take(p, icmp_proto(p));
        errors += seen != NULL;
        if (seen)
            peer_taken(p, seen);
    }
    holds(errors >= 10 && errors <= 100);
    after(1000);
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    expects_error(p, p->v6 ? 1 : 3, p->v6 ? 4 : 3, WIRE_PROTO_UDP);
}

/* RFC 792 types 13, 15, 17, 10, 5, 4: neither answered nor followed.  RFC1122-8, RFC4861-7 */
TEST(requests_for_information_and_redirects_are_ignored)
{
    static uint8_t payload[200];
    static const uint8_t types4[] = {4, 5, 9, 10, 13, 15, 17, 40, 255};
    static const uint8_t types6[] = {0, 5, 130, 131, 133, 134, 137, 139, 255};
    for (size_t i = 0; i < sizeof types4; i++) {
        uint32_t len = make_icmp(p, payload, p->v6 ? types6[i] : types4[i], 0, data, 40);
        peer_ip(p, icmp_proto(p), payload, len);
        expects_silence();
    }
}

/* hf_answer; RFC 5927 4: what is quoted must carry the number of the SYN. */
static void refuses_held_syn(struct peer *p, enum hf_answer answer, uint8_t code4, uint8_t code6)
{
    listens_with(4, true);
    sends(SYN, .seq = IRS, .mss = 1460);
    hf_handle held;
    calls(hf_asked(p->stack, &p->env, p->listener, &held, NULL, NULL));
    expects_silence();
    calls(hf_answer(p->stack, &p->env, held, answer));
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    const uint8_t *icmp = seen->bytes + seen->ip.header_len;
    uint32_t len = seen->ip.total_len - seen->ip.header_len;
    holds(icmp[0] == (p->v6 ? 1 : 3) && icmp[1] == (p->v6 ? code6 : code4));
    holds(wire_icmp_checksum_ok(&seen->ip, icmp, len));
    struct wire_quote quote;
    holds(wire_parse_quote(icmp + 8, len - 8, seen->ip.version, &quote) == WIRE_OK);
    holds(quote.has_seq && quote.seq.v == peer_number(p, IRS));
    holds(quote.sport == p->c->peer_port && quote.dport == p->c->stack_port);
    holds(memcmp(quote.src, p->peer_ip, 16) == 0 && memcmp(quote.dst, p->stack_ip, 16) == 0);
    peer_taken(p, seen);
    expects_silence();
}

TEST(a_held_syn_is_answered_with_network_unreachable)
{
    refuses_held_syn(p, HF_ANSWER_UNREACHABLE_NET, 0, 0);
}

TEST(a_held_syn_is_answered_with_host_unreachable)
{
    refuses_held_syn(p, HF_ANSWER_UNREACHABLE_HOST, 1, 3);
}

TEST(a_held_syn_is_answered_with_administratively_prohibited)
{
    refuses_held_syn(p, HF_ANSWER_PROHIBITED, 13, 1);
}

/* The same where who opens is this very stack: it is told, and by default goes on (RFC 5461 4). */
static void refuses_own_syn(struct peer *p, enum hf_answer answer, int error, uint8_t code)
{
    struct hf_icmp_report report;
    struct hf_close_reason reason;
    struct hf_status status = {.struct_size = sizeof status};
    struct hf_endpoint to = peer_here(p, p->c->stack_port);
    hf_handle opener, held;
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &opener));
    peer_pump(p);
    calls(hf_asked(p->stack, &p->env, p->listener, &held, NULL, NULL));
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, opener, &report));
    calls(hf_answer(p->stack, &p->env, held, answer));
    calls(hf_error_report(p->stack, opener, &report));
    holds_equal(report.error, error);
    holds(report.version == (p->v6 ? 6 : 4) && report.type == (p->v6 ? 1 : 3));
    holds(report.code == code && memcmp(report.from, p->stack_ip, 16) == 0);
    holds(report.hard == (p->v6 && code == 1));
    calls(hf_status(p->stack, &p->env, opener, &status));
    bool ends = report.hard || p->config.policy.syn_soft_abort;
    holds_equal(status.state, ends ? HF_CLOSED : HF_SYN_SENT);
    if (ends)
        holds_equal(hf_close_reason(p->stack, opener, &reason), error);
    calls(hf_release(p->stack, &p->env, opener));
}

TEST(who_opens_to_its_own_stack_hears_that_its_syn_was_refused)
{
    p->wild = true;
    listens_with(4, true);
    for (int i = 0; i < 2; i++) {
        struct hf_policy policy = p->config.policy;
        p->config.policy.syn_soft_abort = policy.syn_soft_abort = i != 0;
        calls(hf_set_policy(p->stack, &p->env, &policy));
        refuses_own_syn(p, HF_ANSWER_UNREACHABLE_NET, HF_ERR_NET_UNREACHABLE, 0);
        refuses_own_syn(p, HF_ANSWER_UNREACHABLE_HOST, HF_ERR_HOST_UNREACHABLE, p->v6 ? 3 : 1);
        refuses_own_syn(p, HF_ANSWER_PROHIBITED, HF_ERR_PROHIBITED, p->v6 ? 1 : 13);
    }
    expects_silence();
    nothing_is_held(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_echo_request_is_answered_with_its_own_octets),
        ON_BOTH(echo_replies_are_bounded_in_their_rate),
        ON_BOTH(nobody_at_a_udp_port_is_told),
        ON_BOTH(a_protocol_that_nobody_speaks_is_told),
        ON_BOTH(errors_are_never_answered_with_errors),
        ON_BOTH(an_error_behind_an_option_that_asks_for_refusal_is_not_answered),
        ON_BOTH(an_error_in_fragments_that_stays_incomplete_is_not_answered),
        ON_BOTH(a_redirect_is_not_answered_with_an_error),
        ON_BOTH(a_later_fragment_that_cannot_be_is_told_to_its_sender),
        ON_BOTH(errors_are_bounded_in_their_rate),
        ON_BOTH(requests_for_information_and_redirects_are_ignored),
        ON_BOTH(a_held_syn_is_answered_with_network_unreachable),
        ON_BOTH(a_held_syn_is_answered_with_host_unreachable),
        ON_BOTH(a_held_syn_is_answered_with_administratively_prohibited),
        ON_BOTH(who_opens_to_its_own_stack_hears_that_its_syn_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
