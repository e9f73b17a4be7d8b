/* IPv6 extension headers, their options, addresses and lengths: RFC 8200 4, RFC 5095, RFC 8504 5.3,
 * RFC 4291 2.  Every packet ends where readable memory ends.
 */
#include "common/raw.h"

#include <string.h>

#include "base/bytes.h"

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, ESP = 50, AH = 51, DEST_OPTIONS = 60 };

static uint8_t packet[ROOM], chain[ROOM];

static hf_handle socket_here(struct peer *p)
{
    struct hf_endpoint here = {.port = HERE};
    hf_handle handle;
    starts();
    calls(hf_udp_open(p->stack, &p->env, &here, &handle));
    return handle;
}

/* The datagram behind these headers arrives, or it does not. */
static bool arrives(struct peer *p, hf_handle socket, uint8_t first, uint32_t headers)
{
    uint32_t len = headers + make_datagram(p, chain + headers, 50);
    peer_frame_guarded(p, packet, make_packet(p, packet, first, chain, len));
    int64_t n = hf_udp_recv(p->stack, &p->env, socket, NULL, NULL, got, ROOM);
    holds(n == HF_ERR_WOULD_BLOCK || (n == 50 && memcmp(got, data, 50) == 0));
    return n == 50;
}

/* Takes a Parameter Problem, if there is one: its code, or -1; *pointer. */
static int problem(struct peer *p, uint32_t *pointer)
{
    struct seen *seen = peer_any(p);
    if (!seen)
        return -1;
    holds(seen->is_ip && seen->ip.proto == WIRE_PROTO_ICMPV6);
    holds_equal(seen->bytes[40], ICMP6_PARAM_PROBLEM);
    int code = seen->bytes[41];
    *pointer = get_be32(seen->bytes + 44);
    peer_taken(p, seen);
    expects_silence();
    after(20);
    return code;
}

static void expects_problem(struct peer *p, int code, uint32_t pointer)
{
    uint32_t got_pointer = 0;
    holds_equal(problem(p, &got_pointer), code);
    holds_equal(got_pointer, pointer);
}

/* A header of so many octets at `at`, with padding or nothing in it; returns where the next is. */
static uint32_t put_header(uint32_t at, uint8_t kind, uint8_t next, uint32_t len)
{
    memset(chain + at, 0, len);
    chain[at] = next;
    if (kind == FRAGMENT)
        return at + 8;
    chain[at + 1] = (uint8_t)(len / 8 - 1);
    if (kind != ROUTING) {
        for (uint32_t option = at + 2; option < at + len; option += 200) {
            chain[option] = 1;
            chain[option + 1] = (uint8_t)min_u32(198, at + len - option - 2);
        }
    }
    return at + len;
}

static uint32_t put_chain(const uint8_t *kinds, uint32_t n, uint32_t len)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++)
        at = put_header(at, kinds[i], i + 1 < n ? kinds[i + 1] : WIRE_PROTO_UDP, len);
    return at;
}

/* What a chain may be: options for every hop first and once, routing and fragment once, options for
 * the destination twice, eight in all (RFC 8200 4.1, RFC 8504 5.3). */
static bool may_be(const uint8_t *kinds, uint32_t n)
{
    unsigned seen[256] = {0};
    for (uint32_t i = 0; i < n; i++) {
        seen[kinds[i]]++;
        if (kinds[i] == HOP_BY_HOP && i != 0)
            return false;
    }
    return seen[ROUTING] <= 1 && seen[FRAGMENT] <= 1 && seen[DEST_OPTIONS] <= 2 && n <= 8;
}

/* V6-01: all chains of up to five, good ones and bad ones. */
TEST(a_chain_of_headers_has_each_of_them_once)
{
    static const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, FRAGMENT, DEST_OPTIONS};
    hf_handle socket = socket_here(p);
    uint32_t pointer;
    for (uint32_t n = 1; n <= 5; n++) {
        for (uint32_t i = 0; i < 1u << 2 * n; i++) {
            uint8_t these[5];
            for (uint32_t at = 0; at < n; at++)
                these[at] = kinds[i >> 2 * at & 3];
            uint32_t headers = put_chain(these, n, 8);
            holds_equal(arrives(p, socket, these[0], headers), may_be(these, n));
            int code = problem(p, &pointer); /* only: it stands in a wrong place */
            holds(code == -1 || (code == 1 && !may_be(these, n)));
        }
    }
}

/* V6-01: two hundred of them, and the largest that fit into a packet. */
TEST(a_long_chain_of_headers_is_dropped)
{
    uint8_t these[200];
    hf_handle socket = socket_here(p);
    for (uint32_t n = 1; n <= 200; n++) {
        memset(these, DEST_OPTIONS, n);
        uint32_t headers = put_chain(these, n, 8);
        holds_equal(arrives(p, socket, DEST_OPTIONS, headers), n <= 2);
        memset(these, FRAGMENT, n);
        headers = put_chain(these, n, 8);
        holds_equal(arrives(p, socket, FRAGMENT, headers), n <= 1);
    }
    memset(these, DEST_OPTIONS, sizeof these);
    holds(arrives(p, socket, DEST_OPTIONS, put_chain(these, 2, 2048)));
    holds(!arrives(p, socket, DEST_OPTIONS, put_chain(these, 31, 2048)));
    expects_silence();
}

/* V6-01, V6-04: each length of a header, in a packet that ends before it does. */
TEST(a_header_longer_than_the_packet_is_dropped)
{
    static const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, DEST_OPTIONS};
    socket_here(p);
    uint64_t dropped = 0;
    for (unsigned i = 0; i < 3; i++) {
        for (uint32_t len = 0; len < 256; len++) {
            for (uint32_t there = 1; there < 8 + 8 * len; there += there < 9 ? 1 : 1 + len) {
                put_header(0, kinds[i], WIRE_PROTO_UDP, 8 + 8 * len);
                peer_frame_guarded(p, packet, make_packet(p, packet, kinds[i], chain, there));
                holds_equal(verdicts(p, HF_V_DROP_IP_HEADER), ++dropped);
            }
        }
    }
    expects_silence();
}

/* Options ------------------------------------------------------------------------------------- */

static void to_a_group(struct peer *p, uint8_t first, uint32_t len)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    struct wire_ip ip = ip_in(p, first);
    memcpy(ip.dst, all_nodes, 16);
    peer_frame_guarded(p, packet, make_packet_of(packet, ip, chain, len));
}

/* V6-02: RFC 8200 4.2: the two upper bits say what becomes of the packet. */
TEST(an_unknown_option_does_what_its_upper_bits_say)
{
    static const uint8_t kinds[] = {HOP_BY_HOP, DEST_OPTIONS};
    hf_handle socket = socket_here(p);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned type = 2; type < 256; type++) {
            put_header(0, kinds[i], WIRE_PROTO_UDP, 8);
            chain[2] = (uint8_t)type;
            chain[3] = 4;
            unsigned action = type >> 6;
            holds_equal(arrives(p, socket, kinds[i], 8), action == 0);
            if (action >= 2)
                expects_problem(p, 2, 42);
            expects_silence();
            to_a_group(p, kinds[i], 8 + 58);
            if (action == 2)
                expects_problem(p, 2, 42);
            expects_silence();
        }
    }
}

/* V6-02: of each length, past the end of the header too. */
TEST(an_option_longer_than_its_header_is_dropped)
{
    hf_handle socket = socket_here(p);
    for (unsigned len = 0; len < 256; len++) {
        for (unsigned at = 2; at < 24; at++) {
            put_header(0, DEST_OPTIONS, WIRE_PROTO_UDP, 24);
            memset(chain + 2, 0, 22);
            for (unsigned pad = 2; pad < at; pad += 2)
                chain[pad] = 1; /* PadN of none */
            if (at % 2)
                continue;
            chain[at] = 0x1e;
            chain[at + 1] = (uint8_t)len;
            bool fits = at + 2 + len <= 24;
            if (at + 1 < 24)
                holds_equal(arrives(p, socket, DEST_OPTIONS, 24), fits);
        }
    }
    put_header(0, DEST_OPTIONS, WIRE_PROTO_UDP, 24); /* a type in the last octet, and no length */
    memset(chain + 2, 0, 21);
    chain[23] = 0x1e;
    holds(!arrives(p, socket, DEST_OPTIONS, 24));
    expects_silence();
}

/* V6-02: eight are enough, and so is the padding between them (RFC 8504 5.3). */
TEST(a_flood_of_options_is_dropped)
{
    hf_handle socket = socket_here(p);
    for (unsigned n = 1; n < 100; n++) {
        uint32_t len = (2 + 2 * n + 7) / 8 * 8;
        memset(chain, 0, len);
        chain[0] = WIRE_PROTO_UDP;
        chain[1] = (uint8_t)(len / 8 - 1);
        for (unsigned i = 0; i < n; i++)
            chain[2 + 2 * i] = 0x1e;
        holds_equal(arrives(p, socket, DEST_OPTIONS, len), n <= 8);
        memset(chain + 2, 0, len - 2); /* Pad1 */
        holds_equal(arrives(p, socket, DEST_OPTIONS, len), len - 2 <= 32);
        for (unsigned i = 0; i + 3 < len; i += 2)
            chain[2 + i] = 1, chain[3 + i] = 0; /* PadN */
        holds_equal(arrives(p, socket, DEST_OPTIONS, len), (len - 2) / 2 <= 32);
    }
    expects_silence();
}

/* V6-03: RFC 5095 3, RFC 8200 4.4: of any type, with segments left and without. */
TEST(a_routing_header_with_segments_left_is_refused)
{
    static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 253, 255};
    hf_handle socket = socket_here(p);
    for (unsigned i = 0; i < sizeof types; i++) {
        for (uint32_t left = 0; left < 128; left++) {
            uint32_t len = 8 + 16 * (left < 20 ? left : 20);
            put_header(0, ROUTING, WIRE_PROTO_UDP, len);
            chain[2] = types[i];
            chain[3] = (uint8_t)left;
            memcpy(chain + 8, p->peer_ip, len > 8 ? 16 : 0);
            holds_equal(arrives(p, socket, ROUTING, len), left == 0);
            if (left)
                expects_problem(p, 0, 42);
            expects_silence(); /* and goes nowhere else */
        }
    }
}

/* V6-04: the payload length is all there is; larger ones than it can tell are not spoken. */
TEST(a_payload_length_that_lies_is_dropped)
{
    hf_handle socket = socket_here(p);
    put_header(0, DEST_OPTIONS, WIRE_PROTO_UDP, 8);
    uint32_t whole =
        make_packet(p, packet, DEST_OPTIONS, chain, 8 + make_datagram(p, chain + 8, 50));
    static uint8_t copy[200];
    for (uint32_t len = 0; len < 400; len++) {
        memcpy(copy, packet, whole);
        put_be16(copy + 4, (uint16_t)len);
        if (len != whole - 40)
            peer_frame_guarded(p, copy, whole);
    }
    put_be16(copy + 4, 65535);
    peer_frame_guarded(p, copy, whole);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, socket, NULL, NULL, got, 1));
    expects_silence();
    holds(arrives(p, socket, DEST_OPTIONS, 8));
}

/* V6-04: RFC 2675 is not spoken. */
TEST(a_jumbogram_is_refused)
{
    hf_handle socket = socket_here(p);
    put_header(0, HOP_BY_HOP, WIRE_PROTO_UDP, 8);
    memcpy(chain + 2, (const uint8_t[]){0xc2, 4, 0, 1, 0, 0}, 6);
    holds(!arrives(p, socket, HOP_BY_HOP, 8));
    expects_problem(p, 2, 42);
    uint32_t whole = make_packet(p, packet, HOP_BY_HOP, chain, 66);
    put_be16(packet + 4, 0);
    peer_frame_guarded(p, packet, whole);
    expects_silence();
    holds_equal(counters_of(p).verdict[HF_V_DROP_IP_HEADER], 2);
}

/* Addresses ----------------------------------------------------------------------------------- */

static const uint8_t special[][16] = {
    {0},                              /* unspecified  */
    {[15] = 1},                       /* loopback     */
    {[10] = 0xff, 0xff, 10, 0, 0, 2}, /* IPv4 mapped  */
    {0xff, 1, [15] = 1},              /* of the node  */
    {0xff, 2, [15] = 1},              /* all nodes    */
    {0xff, 2, [15] = 2},              /* all routers  */
    {0xff, 5, [15] = 2},
    {0xff, 0x0e, 1},        /* wider        */
    {0xfe, 0x80, [15] = 9}, /* of the link  */
    {0xfd},                 /* of any router of the prefix */
};
enum { SPECIAL = sizeof special / 16, GOOD = SPECIAL };

static void sends_pair(struct peer *p, unsigned src, unsigned dst, uint8_t proto)
{
    uint8_t body[60];
    struct wire_ip ip = ip_in(p, proto);
    uint32_t len = 40;
    if (src < SPECIAL)
        memcpy(ip.src, special[src], 16);
    if (dst < SPECIAL)
        memcpy(ip.dst, special[dst], 16);
    if (proto == WIRE_PROTO_TCP) {
        struct segment syn = {.ctl = SYN, .sport = p->c->peer_port, .dport = p->c->stack_port};
        len = make_segment(&ip, body, &syn, NULL, 0);
    } else {
        memset(body, 0, len);
        body[0] = ICMP6_ECHO;
        wire_set_icmp_checksum(body, len, &ip);
    }
    peer_frame_guarded(p, packet, make_packet_of(packet, ip, body, len));
}

/* V6-05: all pairs; nothing comes of them but where both are hosts that can speak to each other. */
TEST(nothing_is_sent_for_special_addresses)
{
    enum { LINK_LOCAL = 8 };
    p->wild = true;
    listens();
    for (unsigned src = 0; src <= GOOD; src++) {
        for (unsigned dst = 0; dst <= GOOD; dst++) {
            if (dst == GOOD && src >= LINK_LOCAL)
                continue; /* a neighbour, a host named as its prefix, the peer */
            sends_pair(p, src, dst, WIRE_PROTO_TCP);
            expects_silence();
            sends_pair(p, src, dst, WIRE_PROTO_ICMPV6);
            expects_silence();
        }
    }
    holds_equal(counters_of(p).half_open, 0);
    sends_pair(p, GOOD, GOOD, WIRE_PROTO_TCP);
    expects(SYN | ACK);
}

/* What follows -------------------------------------------------------------------------------- */

/* V6-06: RFC 8200 4.7, RFC 4443 3.4: the pointer names the octet that named it. */
TEST(an_unknown_next_header_is_told_and_none_is_not)
{
    static const uint8_t unknown[] = {253, 254, 4, 41, ESP, AH, 255, 99};
    starts();
    memset(chain, 0x41, 100);
    for (unsigned i = 0; i < sizeof unknown; i++) {
        peer_frame_guarded(p, packet, make_packet(p, packet, unknown[i], chain, 60));
        expects_problem(p, 1, 6);
        put_header(0, DEST_OPTIONS, unknown[i], 16);
        peer_frame_guarded(p, packet, make_packet(p, packet, DEST_OPTIONS, chain, 60));
        expects_problem(p, 1, 40);
        put_header(0, HOP_BY_HOP, DEST_OPTIONS, 8);
        put_header(8, DEST_OPTIONS, unknown[i], 8);
        peer_frame_guarded(p, packet, make_packet(p, packet, HOP_BY_HOP, chain, 60));
        expects_problem(p, 1, 48);
    }
    put_header(0, DEST_OPTIONS, HOP_BY_HOP, 8); /* where it may not be */
    put_header(8, HOP_BY_HOP, WIRE_PROTO_UDP, 8);
    peer_frame_guarded(p, packet, make_packet(p, packet, DEST_OPTIONS, chain, 60));
    expects_problem(p, 1, 40);
    for (uint32_t len = 0; len < 60; len++) { /* "no next header": whatever lies behind it */
        peer_frame_guarded(p, packet, make_packet(p, packet, WIRE_PROTO_NONE, chain, len));
        put_header(0, DEST_OPTIONS, WIRE_PROTO_NONE, 8);
        peer_frame_guarded(p, packet, make_packet(p, packet, DEST_OPTIONS, chain, 8 + len));
        expects_silence();
    }
}

/* V6-06 */
TEST(what_is_told_of_unknown_headers_is_bounded)
{
    starts();
    unsigned told = 0;
    for (unsigned i = 0; i < 1000; i++) {
        peer_frame_guarded(p, packet, make_packet(p, packet, 253, chain, 60));
        struct seen *seen = peer_any(p);
        told += seen != NULL;
        if (seen)
            peer_taken(p, seen);
    }
    holds(told >= 5 && told <= 100);
}

#define ON_6(name)                                                                                 \
    {                                                                                              \
#name, name, packets_setup6, peer_teardown, NULL                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_6(a_chain_of_headers_has_each_of_them_once),
        ON_6(a_long_chain_of_headers_is_dropped),
        ON_6(a_header_longer_than_the_packet_is_dropped),
        ON_6(an_unknown_option_does_what_its_upper_bits_say),
        ON_6(an_option_longer_than_its_header_is_dropped),
        ON_6(a_flood_of_options_is_dropped),
        ON_6(a_routing_header_with_segments_left_is_refused),
        ON_6(a_payload_length_that_lies_is_dropped),
        ON_6(a_jumbogram_is_refused),
        ON_6(nothing_is_sent_for_special_addresses),
        ON_6(an_unknown_next_header_is_told_and_none_is_not),
        ON_6(what_is_told_of_unknown_headers_is_bounded),
    };
    return cmocka_run_group_tests_name("ipv6", tests, NULL, NULL);
}
