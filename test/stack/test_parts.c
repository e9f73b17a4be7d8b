/* test_parts.c - datagrams that leave and come in parts: how large a part is (RFC 8200 5), what
 * belongs together (RFC 791 3.2), which headers are answered (RFC 8200 4), how long it waits
 * (RFC 1122 3.3.2). */
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

enum { NOBODY = 253 }; /* a protocol that nobody speaks */

/* Parts of one message that leave; none of them is longer than `most`.  Returns how many. */
static unsigned leaves_in(struct peer *p, uint8_t proto, uint32_t most)
{
    unsigned n = 0;
    bool more = true;
    while (more) {
        struct seen *seen = peer_take(p, proto);
        holds(seen != NULL);
        holds(seen->ip.total_len <= most);
        more = seen->ip.mf;
        n++;
        peer_taken(p, seen);
    }
    expects_silence();
    return n;
}

static void sends_datagram(struct peer *p, hf_handle handle, struct hf_endpoint to, uint32_t len)
{
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, len), len);
}

/* RFC 8200 5, RFC 8201 4: what no path learns of is never larger than every path takes.  RFC8201-1
 */
TEST(a_datagram_of_ipv6_leaves_in_packets_that_every_path_takes)
{
    static const uint32_t lens[] = {1232, 1233, 1400, 1472, 2456, 2457, 65000};
    static const unsigned parts[] = {1, 2, 2, 2, 2, 3, 53};
    hf_handle handle = socket_on(p, HERE);
    for (int i = 0; i < 7; i++) {
        sends_datagram(p, handle, peer_there(p, THERE), lens[i]);
        holds_equal(leaves_in(p, WIRE_PROTO_UDP, 1280), parts[i]);
    }
}

/* The whole of a packet that leads no further than the link may be as large as that allows. */
TEST(a_datagram_to_a_neighbour_on_the_link_may_fill_a_packet)
{
    static const uint8_t here[16] = {0xfe, 0x80, [15] = 1};
    struct hf_endpoint to = {.ip = {0xfe, 0x80, [15] = 2}, .port = THERE, .iface = 1};
    hf_handle handle = socket_on(p, HERE);
    p->wild = true; /* from another address than the script's */
    calls(hf_address_add(p->stack, &p->env, 1, here, 64));
    sends_datagram(p, handle, to, 1472);
    holds_equal(leaves_in(p, WIRE_PROTO_UDP, p->mtu), 1);
    sends_datagram(p, handle, to, 1473);
    holds_equal(leaves_in(p, WIRE_PROTO_UDP, p->mtu), 2);
}

/* RFC 791 3.2: routers cut what is too large for the next link. */
TEST(a_datagram_of_ipv4_fills_a_packet_of_the_link)
{
    hf_handle handle = socket_on(p, HERE);
    sends_datagram(p, handle, peer_there(p, THERE), 1472);
    holds_equal(leaves_in(p, WIRE_PROTO_UDP, p->mtu), 1);
}

/* RFC 8200 5: a reply as large as the request, over whatever path.  RFC8201-1 */
TEST(an_echo_reply_of_ipv6_leaves_in_packets_that_every_path_takes)
{
    static uint8_t payload[2000];
    starts();
    for (uint32_t len = 1232; len <= 1400; len += 168) {
        peer_ip(p, WIRE_PROTO_ICMPV6, payload, make_icmp(p, payload, ICMP6_ECHO, 0, data, len));
        holds_equal(leaves_in(p, WIRE_PROTO_ICMPV6, 1280), len == 1232 ? 1 : 2);
    }
}

/* The Parameter Problem that quotes a packet of ours; code -1: nothing is said. */
static void expects_problem(struct peer *p, int code, uint32_t pointer)
{
    struct seen *seen = code < 0 ? NULL : peer_take(p, WIRE_PROTO_ICMPV6);
    holds((seen != NULL) == (code >= 0));
    if (seen != NULL) {
        holds_equal(seen->bytes[40], ICMP6_PARAM_PROBLEM);
        holds_equal(seen->bytes[41], code);
        holds_equal(get_be32(seen->bytes + 44), pointer);
        peer_taken(p, seen);
    }
    expects_silence();
    after(100); /* errors have a limit */
}

/* RFC 8200 4.2, 4.4, 4.5: behind a fragment header as anywhere else.  RFC8200-2, RFC8200-3 */
TEST(a_first_fragment_whose_headers_ask_for_refusal_is_refused_as_they_say)
{
    enum { HOP_BY_HOP = 0, ROUTING = 43, OPTIONS = 60, AT = 48 };
    static const struct {
        uint8_t proto, headers[16];
        int code;
        uint32_t pointer;
    } cases[] = {
        {OPTIONS, {WIRE_PROTO_UDP, 0, 0x05, 4}, -2, 0}, /* to be skipped */
        {OPTIONS, {WIRE_PROTO_UDP, 0, 0x45, 4}, -1, 0},
        {OPTIONS, {WIRE_PROTO_UDP, 0, 0x85, 4}, 2, AT + 2},
        {OPTIONS, {WIRE_PROTO_UDP, 0, 1, 0, 0xc5, 2}, 2, AT + 4},
        {OPTIONS, {WIRE_PROTO_UDP, 0, 0x85, 9}, -1, 0}, /* reaches beyond its header */
        {ROUTING, {WIRE_PROTO_UDP, 0, 0, 0}, -2, 0},
        {ROUTING, {WIRE_PROTO_UDP, 0, 0, 1}, 0, AT + 2},
        {HOP_BY_HOP, {WIRE_PROTO_UDP, 0, 1, 4}, 1, 40},
        {OPTIONS, {HOP_BY_HOP, 0, 1, 4}, 1, AT},
        {OPTIONS, {WIRE_PROTO_UDP, 200, 1, 4}, 3, 0}, /* goes on behind this fragment */
    };
    socket_on(p, HERE);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t payload[200];
        uint64_t held = verdicts(p, HF_V_FRAGMENT_HELD);
        memcpy(payload, cases[i].headers, 8);
        make_datagram(p, payload + 8, 184);
        fragment_ident++;
        sends_fragment(p, cases[i].proto, payload, 0, 96, true);
        holds_equal(verdicts(p, HF_V_FRAGMENT_HELD) - held, cases[i].code == -2);
        expects_problem(p, cases[i].code, cases[i].pointer);
    }
}

/* RFC 4443 3.4: the pointer is into the packet that is quoted, which has no fragment header. */
TEST(a_protocol_that_nobody_speaks_in_parts_is_told_where_it_stands)
{
    uint8_t payload[200] = {NOBODY, 0, 1, 4};
    starts();
    sends_fragment(p, NOBODY, payload, 0, 96, true);
    sends_fragment(p, NOBODY, payload, 96, 200, false);
    expects_problem(p, 1, 6);
    fragment_ident++;
    sends_fragment(p, 60, payload, 0, 96, true);
    sends_fragment(p, 60, payload, 96, 200, false);
    expects_problem(p, 1, 40);
}

/* Half a datagram of 1992 octets from the host whose address ends so. */
static void sends_half(struct peer *p, uint8_t host, uint16_t ident, bool first)
{
    static uint8_t payload[2000];
    uint8_t mine = p->peer_ip[15];
    p->peer_ip[15] = host;
    make_datagram(p, payload, 1992);
    fragment_ident = ident;
    sends_fragment(p, WIRE_PROTO_UDP, payload, first ? 0 : 800, first ? 800 : 2000, first);
    p->peer_ip[15] = mine;
}

static bool reads_datagram(struct peer *p, hf_handle handle)
{
    int64_t n = hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, ROOM);
    holds(n == HF_ERR_WOULD_BLOCK || (n == 1992 && memcmp(got, data, 1992) == 0));
    return n == 1992;
}

/* RFC 791 3.2: two on their way at a time, where few records are. */
TEST(two_datagrams_of_one_host_that_come_in_turn_are_both_received)
{
    p->config.max_reassembly = 4;
    hf_handle handle = socket_on(p, HERE);
    for (uint16_t ident = 100; ident < 120; ident += 2) {
        sends_half(p, 9, ident, true);
        sends_half(p, 9, ident + 1, true);
        sends_half(p, 9, ident, false);
        holds(reads_datagram(p, handle));
        sends_half(p, 9, ident + 1, false);
        holds(reads_datagram(p, handle));
    }
    nothing_is_held(p);
}

TEST(one_host_has_a_quarter_of_the_records)
{
    p->config.max_reassembly = 12;
    hf_handle handle = socket_on(p, HERE);
    for (uint16_t i = 0; i < 6; i++) {
        sends_half(p, 9, (uint16_t)(100 + i % 3), i < 3);
        holds(i < 3 || reads_datagram(p, handle));
    }
    nothing_is_held(p);
}

/* PR-05, FR-01: a second record is for one that is free. */
TEST(who_floods_with_fragments_takes_no_record_from_others)
{
    p->config.max_reassembly = 4;
    hf_handle handle = socket_on(p, HERE);
    for (uint8_t host = 10; host < 13; host++)
        sends_half(p, host, 100, true);
    for (uint16_t ident = 200; ident < 300; ident++)
        sends_half(p, 99, ident, true);
    for (uint8_t host = 10; host < 13; host++) {
        sends_half(p, host, 100, false);
        holds(reads_datagram(p, handle));
    }
}

/* PR-05, FR-01: nor all that are free. */
TEST(who_floods_with_fragments_leaves_half_of_the_records_to_others)
{
    p->config.max_reassembly = 4;
    hf_handle handle = socket_on(p, HERE);
    for (uint16_t ident = 200; ident < 300; ident++)
        sends_half(p, 99, ident, true);
    holds_equal(counters_of(p).reassembly, 2);
    for (uint8_t host = 10; host < 12; host++)
        sends_half(p, host, 100, true);
    for (uint8_t host = 10; host < 12; host++) {
        sends_half(p, host, 100, false);
        holds(reads_datagram(p, handle));
    }
}

/* The halves of a datagram come by two interfaces. */
static bool arrives_by_two(struct peer *p, hf_handle handle)
{
    struct hf_interface second = {.struct_size = sizeof second, .link = HF_LINK_IP, .mtu = 1500};
    holds_equal(hf_interface_add(p->stack, &p->env, &second), 2);
    sends_half(p, 9, 100, true);
    p->iface = 2;
    sends_half(p, 9, 100, false);
    p->iface = 1;
    return reads_datagram(p, handle);
}

/* RFC 791 3.2, RFC 8200 4.5: source, destination, protocol and number say what belongs together.
 * RFC791-2 */
TEST(fragments_that_come_by_two_interfaces_are_put_together)
{
    hf_handle handle = socket_on(p, HERE);
    holds(arrives_by_two(p, handle));
    nothing_is_held(p);
}

/* RFC 4007 6: a link-local address is another host on each link. */
TEST(fragments_of_two_links_from_one_link_local_address_are_two_datagrams)
{
    hf_handle handle = socket_on(p, HERE);
    memset(p->peer_ip, 0, 16);
    p->peer_ip[0] = 0xfe;
    p->peer_ip[1] = 0x80;
    holds(!arrives_by_two(p, handle));
    p->iface = 2;
    sends_half(p, 9, 100, true);
    holds(reads_datagram(p, handle));
    p->iface = 1;
    sends_half(p, 9, 100, false);
    holds(reads_datagram(p, handle));
    nothing_is_held(p);
}

#define ON_V6(name)                                                                                \
    {                                                                                              \
#name ", IPv6", name, packets_setup6, peer_teardown, NULL                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_V6(a_datagram_of_ipv6_leaves_in_packets_that_every_path_takes),
        ON_V6(a_datagram_to_a_neighbour_on_the_link_may_fill_a_packet),
        V4(a_datagram_of_ipv4_fills_a_packet_of_the_link),
        ON_V6(an_echo_reply_of_ipv6_leaves_in_packets_that_every_path_takes),
        ON_V6(a_first_fragment_whose_headers_ask_for_refusal_is_refused_as_they_say),
        ON_V6(a_protocol_that_nobody_speaks_in_parts_is_told_where_it_stands),
        ON_BOTH(two_datagrams_of_one_host_that_come_in_turn_are_both_received),
        ON_BOTH(one_host_has_a_quarter_of_the_records),
        ON_BOTH(who_floods_with_fragments_takes_no_record_from_others),
        ON_BOTH(who_floods_with_fragments_leaves_half_of_the_records_to_others),
        ON_BOTH(fragments_that_come_by_two_interfaces_are_put_together),
        ON_V6(fragments_of_two_links_from_one_link_local_address_are_two_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
