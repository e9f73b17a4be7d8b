/* RFC 791, RFC 8200: IP headers, good, short, lying; IPv6 extension headers. */
#include "wire_test.h"

/* An IPv6 packet: fixed header, whose next header is `first`, and what follows. */
static size_t ip6_packet(uint8_t *out, uint8_t first, const void *rest, size_t rest_len)
{
    struct wire_ip ip = test_ip(6, first, (uint32_t)rest_len);
    size_t at = wire_put_ip(out, &ip);
    memcpy(out + at, rest, rest_len);
    return at + rest_len;
}

static enum wire_status parse6(uint8_t first, const void *rest, size_t rest_len, struct wire_ip *ip)
{
    uint8_t packet[600];
    size_t len = ip6_packet(packet, first, rest, rest_len);
    uint8_t *copy = guarded(packet, len);
    enum wire_status status = wire_parse_ip(copy, len, ip);
    release(copy, len);
    return status;
}

static void what_is_put_is_parsed_back(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        struct wire_ip ip = test_ip(version, WIRE_PROTO_TCP, 33), back;
        ip.ident = version == 4 ? 0xbeef : 0;
        ip.flow_label = version == 6 ? 0xabcde : 0;
        ip.df = version == 4;
        uint8_t packet[128] = {0};
        size_t header_len = wire_put_ip(packet, &ip);
        assert_int_equal(header_len, version == 4 ? 20 : 40);
        assert_int_equal(wire_parse_ip(packet, sizeof packet, &back), WIRE_OK);
        assert_int_equal(back.header_len, header_len);
        assert_int_equal(back.total_len, header_len + 33);
        assert_int_equal(back.ident, ip.ident);
        assert_int_equal(back.flow_label, ip.flow_label);
        assert_true(back.df == ip.df && !back.fragment && !back.source_route);
        assert_int_equal(back.ttl, 64);
        assert_int_equal(back.tos, 2);
        assert_int_equal(back.proto, WIRE_PROTO_TCP);
        assert_memory_equal(back.src, ip.src, 16);
        assert_memory_equal(back.dst, ip.dst, 16);
        assert_true(wire_is_v4(back.src) == (version == 4));
    }
}

static void a_cut_header_is_never_read_past_its_end(void **state)
{
    (void)state;
    uint8_t packet[200];
    const uint8_t chain[] = {60, 0, 1, 4, 0, 0, 0, 0,        /* hop by hop: PadN     */
                             43, 0, 5, 2, 0, 0, 1, 0,        /* destination: an option */
                             44, 0, 4, 0, 0, 0, 0, 0,        /* routing, none left   */
                             6,  0, 0, 0, 0, 0, 0, 7, 1, 2}; /* atomic fragment     */
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        struct wire_ip ip = test_ip(version, WIRE_PROTO_TCP, 10), back;
        size_t len = wire_put_ip(packet, &ip) + 10;
        if (version == 6) {
            len = ip6_packet(packet, 0, chain, sizeof chain);
        }
        for (size_t n = 0; n < len; n++) {
            uint8_t *copy = guarded(packet, n);
            assert_int_not_equal(wire_parse_ip(copy, n, &back), WIRE_OK);
            /* The same with a total length that agrees with the cut. */
            if (version == 6 && n >= 40) {
                put_be16(copy + 4, (uint16_t)(n - 40));
                bool whole = n >= len - 2;
                assert_true((wire_parse_ip(copy, n, &back) == WIRE_OK) == whole);
            }
            release(copy, n);
        }
        assert_int_equal(wire_parse_ip(packet, len, &back), WIRE_OK);
        assert_int_equal(back.proto, WIRE_PROTO_TCP);
        assert_int_equal(back.header_len, len - (version == 4 ? 10 : 2));
    }
}

static void random_octets_do_no_harm(void **state)
{
    (void)state;
    uint8_t packet[120];
    uint32_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        seed = scramble(packet, sizeof packet, seed);
        size_t len = seed % sizeof packet;
        packet[0] = (uint8_t)((i % 2 == 0 ? 0x60 : 0x40) | (packet[0] & 0x0f));
        packet[4] = i % 2 == 0 ? 0 : packet[4];
        packet[5] = i % 2 == 0 ? (uint8_t)(len - 40) : packet[5];
        packet[6] = i % 4 == 0 ? (const uint8_t[]){0, 43, 44, 60}[packet[6] % 4] : packet[6];
        uint8_t *copy = guarded(packet, len);
        struct wire_ip ip;
        if (wire_parse_ip(copy, len, &ip) == WIRE_OK) {
            assert_true(ip.header_len <= ip.total_len && ip.total_len <= len);
        }
        release(copy, len);
    }
}

/* A wrong octet at `at`, with the header checksum made right again. */
static enum wire_status with_octet(size_t at, uint8_t value)
{
    uint8_t packet[64] = {0};
    struct wire_ip ip = test_ip(4, WIRE_PROTO_UDP, 44);
    wire_put_ip(packet, &ip);
    packet[at] = value;
    put_be16(packet + 10, 0);
    size_t header_len = min_u32((packet[0] & 0x0fu) * 4, sizeof packet);
    put_be16(packet + 10, csum_finish(csum_add(0, packet, header_len)));
    return wire_parse_ip(packet, sizeof packet, &ip);
}

/* RFC791-1, RFC1122-1, RFC1122-2 */
static void ipv4_lengths_and_sums_that_lie_are_refused(void **state)
{
    (void)state;
    assert_int_equal(with_octet(0, 0x45), WIRE_OK);
    assert_int_equal(with_octet(0, 0x55), WIRE_BAD_VERSION);
    for (uint8_t ihl = 0; ihl < 5; ihl++) {
        assert_int_equal(with_octet(0, (uint8_t)(0x40 | ihl)), WIRE_BAD_HEADER_LEN);
    }
    assert_int_equal(with_octet(0, 0x4f), WIRE_OK);
    assert_int_equal(with_octet(3, 65), WIRE_BAD_TOTAL_LEN);
    assert_int_equal(with_octet(3, 19), WIRE_BAD_TOTAL_LEN);
    assert_int_equal(with_octet(3, 0), WIRE_BAD_TOTAL_LEN);
    assert_int_equal(with_octet(3, 20), WIRE_OK);
    struct wire_ip ip = test_ip(4, WIRE_PROTO_UDP, 0);
    uint8_t packet[20];
    wire_put_ip(packet, &ip);
    packet[8] ^= 1;
    assert_int_equal(wire_parse_ip(packet, sizeof packet, &ip), WIRE_BAD_CHECKSUM);
}

static enum wire_status parse_fragment(uint16_t offset, bool mf, uint32_t len, struct wire_ip *back)
{
    static uint8_t packet[2000];
    struct wire_ip ip = test_ip(4, WIRE_PROTO_UDP, len);
    ip.df = false;
    ip.mf = mf;
    ip.frag_offset = offset;
    wire_put_ip(packet, &ip);
    return wire_parse_ip(packet, sizeof packet, back);
}

static void fragments_must_be_able_to_become_a_datagram(void **state)
{
    (void)state;
    struct wire_ip ip;
    assert_int_equal(parse_fragment(0, true, 1480, &ip), WIRE_OK);
    assert_true(ip.fragment && ip.mf && ip.frag_offset == 0);
    assert_int_equal(parse_fragment(1480, false, 3, &ip), WIRE_OK);
    assert_true(ip.fragment && !ip.mf && ip.frag_offset == 1480);
    assert_int_equal(parse_fragment(0, true, 7, &ip), WIRE_BAD_FORM);
    assert_int_equal(parse_fragment(8, false, 0, &ip), WIRE_BAD_FORM);
    assert_int_equal(parse_fragment(65528, false, 1480, &ip), WIRE_BAD_FORM);
}

/* RFC791-3 */
static void ipv4_source_routes_are_seen_behind_other_options(void **state)
{
    (void)state;
    const struct {
        uint8_t options[8];
        bool source_route, bad;
    } cases[] = {
        {{1, 1, 131, 3, 4, 0, 0, 0}, true, false},  {{137, 3, 4, 0, 131, 0, 0, 0}, true, false},
        {{7, 3, 4, 131, 3, 4, 0, 0}, true, false},  {{0, 131, 3, 4, 0, 0, 0, 0}, false, false},
        {{1, 1, 1, 1, 1, 1, 1, 131}, false, true},  {{131, 0, 0, 0, 0, 0, 0, 0}, false, true},
        {{131, 1, 0, 0, 0, 0, 0, 0}, false, true},  {{131, 9, 4, 0, 0, 0, 0, 0}, false, true},
        {{148, 4, 0, 0, 1, 1, 1, 1}, false, false}, {{1, 1, 1, 1, 131, 6, 4, 0}, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t packet[28];
        struct wire_ip ip = test_ip(4, WIRE_PROTO_TCP, 8);
        wire_put_ip(packet, &ip);
        packet[0] = 0x47;
        memcpy(packet + 20, cases[i].options, 8);
        put_be16(packet + 10, 0);
        put_be16(packet + 10, csum_finish(csum_add(0, packet, 28)));
        assert_int_equal(wire_parse_ip(packet, sizeof packet, &ip), WIRE_OK);
        assert_int_equal(ip.source_route, cases[i].source_route);
        assert_int_equal(ip.bad_options, cases[i].bad);
    }
}

/* RFC8200-2 */
static void ipv6_options_say_what_becomes_of_the_packet(void **state)
{
    (void)state;
    struct wire_ip ip;
    uint8_t rest[9] = {6, 0, 0x05, 4, 0, 0, 0, 0, 1};
    assert_int_equal(parse6(60, rest, sizeof rest, &ip), WIRE_OK);
    assert_int_equal(ip.proto, 6);
    assert_int_equal(ip.header_len, 48);
    assert_int_equal(ip.unknown_at, 40);
    rest[2] = 0x45;
    assert_int_equal(parse6(60, rest, sizeof rest, &ip), WIRE_BAD_EXT);
    rest[2] = 0x85;
    assert_int_equal(parse6(0, rest, sizeof rest, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.param_code, 2);
    assert_int_equal(ip.unknown_at, 42);
    rest[2] = 0xc5;
    assert_int_equal(parse6(0, rest, sizeof rest, &ip), WIRE_PARAM_PROBLEM);
    rest[2] = 0x05;
    rest[3] = 5;
    assert_int_equal(parse6(0, rest, sizeof rest, &ip), WIRE_BAD_EXT);
    /* More padding than anyone needs. */
    uint8_t pads[48] = {6, 5};
    assert_int_equal(parse6(60, pads, sizeof pads, &ip), WIRE_BAD_EXT);
}

/* RFC8200-2 */
static void nothing_is_sent_back_to_a_multicast_for_the_gravest_option(void **state)
{
    (void)state;
    uint8_t packet[48];
    struct wire_ip ip = test_ip(6, 60, 8);
    ip.dst[0] = 0xff;
    wire_put_ip(packet, &ip);
    memcpy(packet + 40, (const uint8_t[]){6, 0, 0xc5, 4, 0, 0, 0, 0}, 8);
    assert_int_equal(wire_parse_ip(packet, sizeof packet, &ip), WIRE_BAD_EXT);
    packet[42] = 0x85;
    assert_int_equal(wire_parse_ip(packet, sizeof packet, &ip), WIRE_PARAM_PROBLEM);
}

/* RFC8200-1, RFC5095-1 */
static void ipv6_headers_out_of_place_are_refused(void **state)
{
    (void)state;
    struct wire_ip ip;
    /* Hop-by-hop behind another header. */
    const uint8_t late[16] = {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4};
    assert_int_equal(parse6(60, late, sizeof late, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.param_code, 1);
    assert_int_equal(ip.unknown_at, 40);
    /* A routing header: type 0 with segments left (RFC 5095 3), another type with and without. */
    uint8_t routing[8] = {6, 0, 0, 1};
    assert_int_equal(parse6(43, routing, sizeof routing, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.unknown_at, 42);
    routing[2] = 4;
    assert_int_equal(parse6(43, routing, sizeof routing, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.unknown_at, 42);
    routing[3] = 0;
    assert_int_equal(parse6(43, routing, sizeof routing, &ip), WIRE_OK);
    assert_false(ip.source_route);
    /* More headers than anyone needs. */
    uint8_t many[80];
    for (size_t i = 0; i < sizeof many; i += 8) {
        memcpy(many + i, (const uint8_t[]){60, 0, 1, 4, 0, 0, 0, 0}, 8);
    }
    assert_int_equal(parse6(60, many, sizeof many, &ip), WIRE_BAD_EXT);
    /* What nobody knows is for the caller to refuse. */
    assert_int_equal(parse6(253, many, sizeof many, &ip), WIRE_OK);
    assert_int_equal(ip.unknown_next_header, 253);
    assert_int_equal(ip.unknown_at, 6);
}

/* RFC8200-3, RFC8200-4 */
static void ipv6_fragments_end_the_walk(void **state)
{
    (void)state;
    struct wire_ip ip;
    uint8_t rest[24] = {60, 0, 0, 1, 1, 2, 3, 4, 6, 0, 1, 4, 0, 0, 0, 0};
    assert_int_equal(parse6(44, rest, sizeof rest, &ip), WIRE_OK);
    assert_true(ip.fragment && ip.mf && ip.frag_offset == 0);
    assert_int_equal(ip.proto, 60);
    assert_int_equal(ip.header_len, 48);
    assert_int_equal(ip.fragment_at, 40);
    assert_int_equal(ip.ident32, 0x01020304);
    size_t at;
    assert_int_equal(wire_walk_ip6(rest + 8, 16, &ip, &at), WIRE_OK);
    assert_int_equal(at, 8);
    assert_int_equal(ip.proto, 6);
    /* A second fragment header inside what was reassembled. */
    ip.proto = 44;
    assert_int_equal(wire_walk_ip6(rest + 8, 16, &ip, &at), WIRE_BAD_EXT);
    /* More fragments, but not a multiple of eight. */
    assert_int_equal(parse6(44, rest, sizeof rest - 1, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.unknown_at, 4);
    /* An atomic fragment is a whole packet. */
    rest[3] = 0;
    assert_int_equal(parse6(44, rest, sizeof rest, &ip), WIRE_OK);
    assert_false(ip.fragment);
    assert_int_equal(ip.proto, 6);
    assert_int_equal(ip.header_len, 56);
    /* ... but only once. */
    rest[0] = 44;
    assert_int_equal(parse6(44, rest, sizeof rest, &ip), WIRE_BAD_EXT);
    put_be16(rest + 2, 0xfff8);
    assert_int_equal(parse6(44, rest, sizeof rest, &ip), WIRE_PARAM_PROBLEM);
    assert_int_equal(ip.unknown_at, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_parsed_back),
        cmocka_unit_test(a_cut_header_is_never_read_past_its_end),
        cmocka_unit_test(random_octets_do_no_harm),
        cmocka_unit_test(ipv4_lengths_and_sums_that_lie_are_refused),
        cmocka_unit_test(fragments_must_be_able_to_become_a_datagram),
        cmocka_unit_test(ipv4_source_routes_are_seen_behind_other_options),
        cmocka_unit_test(ipv6_options_say_what_becomes_of_the_packet),
        cmocka_unit_test(nothing_is_sent_back_to_a_multicast_for_the_gravest_option),
        cmocka_unit_test(ipv6_headers_out_of_place_are_refused),
        cmocka_unit_test(ipv6_fragments_end_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
