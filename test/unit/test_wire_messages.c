/* Ethernet, ARP, UDP, ICMP, quoted packets and neighbour discovery, there and back and cut short.
 */
#include "wire_test.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1}, mac_b[6] = {2, 0, 0, 0, 0, 2};

static void ethernet_comes_back_with_and_without_a_tag(void **state)
{
    (void)state;
    for (int tagged = 0; tagged <= 1; tagged++) {
        struct wire_eth eth = {.type = WIRE_ETH_IPV6, .tagged = tagged != 0, .vlan = 0x2042}, back;
        memcpy(eth.dst, mac_a, 6);
        memcpy(eth.src, mac_b, 6);
        uint8_t out[WIRE_MAX_ETH];
        size_t n = wire_put_eth(out, &eth);
        assert_int_equal(n, tagged ? 18 : 14);
        assert_int_equal(wire_parse_eth(out, n, &back), WIRE_OK);
        assert_memory_equal(back.dst, mac_a, 6);
        assert_memory_equal(back.src, mac_b, 6);
        assert_int_equal(back.type, WIRE_ETH_IPV6);
        assert_int_equal(back.header_len, n);
        assert_int_equal(back.tagged, tagged);
        assert_int_equal(back.vlan, tagged ? 0x2042 : 0);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *copy = guarded(out, cut);
            assert_int_equal(wire_parse_eth(copy, cut, &back), WIRE_SHORT);
            release(copy, cut);
        }
    }
}

/* RFC826-2 */
static void arp_comes_back_and_only_ipv4_over_ethernet_is_taken(void **state)
{
    (void)state;
    struct wire_arp arp = {.op = 2, .spa = {192, 0, 2, 1}, .tpa = {192, 0, 2, 2}}, back;
    memcpy(arp.sha, mac_a, 6);
    memcpy(arp.tha, mac_b, 6);
    uint8_t out[WIRE_ARP_BYTES];
    assert_int_equal(wire_put_arp(out, &arp), WIRE_ARP_BYTES);
    assert_int_equal(wire_parse_arp(out, sizeof out, &back), WIRE_OK);
    assert_int_equal(back.op, 2);
    assert_memory_equal(back.sha, mac_a, 6);
    assert_memory_equal(back.tha, mac_b, 6);
    assert_memory_equal(back.spa, arp.spa, 4);
    assert_memory_equal(back.tpa, arp.tpa, 4);
    for (size_t cut = 0; cut < sizeof out; cut++) {
        uint8_t *copy = guarded(out, cut);
        assert_int_equal(wire_parse_arp(copy, cut, &back), WIRE_SHORT);
        release(copy, cut);
    }
    for (size_t at = 0; at < 6; at++) {
        out[at] ^= 4;
        assert_int_equal(wire_parse_arp(out, sizeof out, &back), WIRE_BAD_FORM);
        out[at] ^= 4;
    }
}

static void udp_comes_back_with_its_checksum(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        struct wire_udp udp = {.sport = 53, .dport = 5353, .len = 8 + 5}, back;
        uint8_t out[13 + 3] = {0};
        wire_put_udp(out, &udp);
        memcpy(out + 8, "hello", 5);
        struct wire_ip ip = test_ip(version, WIRE_PROTO_UDP, 13);
        assert_int_equal(wire_udp_checksum_ok(&ip, out, 13), version == 4);
        wire_set_udp_checksum(out, &ip, csum_add(0, out + 8, 5), 5);
        assert_true(wire_udp_checksum_ok(&ip, out, 13));
        out[9] ^= 1;
        assert_false(wire_udp_checksum_ok(&ip, out, 13));
        assert_int_equal(wire_parse_udp(out, sizeof out, &back), WIRE_OK);
        assert_int_equal(back.len, 13);
        assert_int_equal(back.sport, 53);
        assert_int_equal(back.dport, 5353);
        for (size_t cut = 0; cut < 13; cut++) {
            uint8_t *copy = guarded(out, cut);
            assert_int_equal(wire_parse_udp(copy, cut, &back),
                             cut < 8 ? WIRE_SHORT : WIRE_BAD_TOTAL_LEN);
            release(copy, cut);
        }
        put_be16(out + 4, 7);
        assert_int_equal(wire_parse_udp(out, sizeof out, &back), WIRE_BAD_TOTAL_LEN);
    }
}

static void a_udp_checksum_of_zero_is_sent_as_all_ones(void **state)
{
    (void)state;
    struct wire_ip ip = test_ip(4, WIRE_PROTO_UDP, 10);
    struct wire_udp udp = {.sport = 1, .dport = 2, .len = 10};
    uint8_t out[10] = {0};
    wire_put_udp(out, &udp);
    wire_set_udp_checksum(out, &ip, 0, 2);
    memcpy(out + 8, out + 6, 2); /* this text makes the sum all ones */
    wire_set_udp_checksum(out, &ip, csum_add(0, out + 8, 2), 2);
    assert_int_equal(get_be16(out + 6), 0xffff);
    assert_true(wire_udp_checksum_ok(&ip, out, 10));
}

static void icmp_comes_back_with_its_checksum(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        struct wire_icmp icmp = {.version = version, .type = 8, .code = 1, .rest = 0x12345678},
                         back;
        uint8_t out[11];
        assert_int_equal(wire_put_icmp(out, &icmp), WIRE_ICMP_BYTES);
        memcpy(out + 8, "abc", 3);
        struct wire_ip ip =
            test_ip(version, version == 4 ? WIRE_PROTO_ICMP : WIRE_PROTO_ICMPV6, sizeof out);
        wire_set_icmp_checksum(out, sizeof out, &ip);
        assert_true(wire_icmp_checksum_ok(&ip, out, sizeof out));
        /* Only ICMPv6 covers the addresses. */
        ip.src[15] ^= 1;
        assert_int_equal(wire_icmp_checksum_ok(&ip, out, sizeof out), version == 4);
        assert_int_equal(wire_parse_icmp(out, sizeof out, version, &back), WIRE_OK);
        assert_int_equal(back.type, 8);
        assert_int_equal(back.code, 1);
        assert_int_equal(back.rest, 0x12345678);
        assert_int_equal(back.body_len, 3);
        assert_ptr_equal(back.body, out + 8);
        for (size_t cut = 0; cut < 8; cut++) {
            uint8_t *copy = guarded(out, cut);
            assert_int_equal(wire_parse_icmp(copy, cut, version, &back), WIRE_SHORT);
            assert_false(wire_icmp_checksum_ok(&ip, copy, cut));
            release(copy, cut);
        }
    }
}

static void errors_are_told_from_questions(void **state)
{
    (void)state;
    const uint8_t errors4[] = {3, 4, 5, 11, 12};
    for (unsigned type = 0; type < 256; type++) {
        struct wire_icmp icmp = {.version = 4, .type = (uint8_t)type};
        assert_int_equal(wire_icmp_is_error(&icmp), memchr(errors4, (int)type, 5) != NULL);
        icmp.version = 6;
        assert_int_equal(wire_icmp_is_error(&icmp), type < 128);
    }
}

static void a_quoted_packet_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version = (uint8_t)(version + 2)) {
        struct wire_ip ip = test_ip(version, WIRE_PROTO_TCP, 20);
        struct segment seg = {.seq = {0x89abcdef}, .sport = 1000, .dport = 2000};
        uint8_t out[60];
        size_t header_len = wire_put_ip(out, &ip);
        size_t len = header_len + wire_put_tcp(out + header_len, &seg);
        for (size_t cut = 0; cut <= len; cut++) {
            uint8_t *copy = guarded(out, cut);
            struct wire_quote quote;
            enum wire_status status = wire_parse_quote(copy, cut, version, &quote);
            assert_int_equal(status, cut < header_len ? WIRE_SHORT : WIRE_OK);
            assert_int_equal(quote.has_ports, cut >= header_len + 4);
            assert_int_equal(quote.has_seq, cut >= header_len + 8);
            if (quote.has_seq) {
                assert_int_equal(quote.seq.v, 0x89abcdef);
                assert_true(quote.sport == 1000 && quote.dport == 2000);
                assert_memory_equal(quote.src, ip.src, 16);
                assert_memory_equal(quote.dst, ip.dst, 16);
                assert_int_equal(quote.total_len, len);
            }
            release(copy, cut);
        }
    }
}

static void a_quote_that_lies_is_refused(void **state)
{
    (void)state;
    uint8_t out[60] = {0};
    struct wire_quote quote;
    struct wire_ip ip = test_ip(4, WIRE_PROTO_TCP, 20);
    wire_put_ip(out, &ip);
    assert_int_equal(wire_parse_quote(out, sizeof out, 6, &quote), WIRE_BAD_VERSION);
    out[0] = 0x44;
    assert_int_equal(wire_parse_quote(out, sizeof out, 4, &quote), WIRE_BAD_HEADER_LEN);
    out[0] = 0x4f;
    assert_int_equal(wire_parse_quote(out, 59, 4, &quote), WIRE_BAD_HEADER_LEN);
    assert_int_equal(wire_parse_quote(out, 60, 4, &quote), WIRE_OK);
    out[0] = 0x45;
    out[7] = 1; /* a later fragment has no ports */
    assert_int_equal(wire_parse_quote(out, 60, 4, &quote), WIRE_OK);
    assert_false(quote.has_ports);
}

/* Puts, parses, and returns the length. */
static size_t nd_there_and_back(const struct wire_nd *nd, uint8_t *out, struct wire_nd *back)
{
    struct wire_icmp icmp;
    size_t n = wire_put_nd(out, nd);
    assert_int_equal(wire_parse_icmp(out, n, 6, &icmp), WIRE_OK);
    assert_int_equal(wire_parse_nd(&icmp, back), WIRE_OK);
    return n;
}

static void neighbour_messages_come_back(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 32; bits++) {
        bool advert = (bits & 1) == 0;
        struct wire_nd nd = {.solicitation = !advert,
                             .has_lladdr = (bits & 2) != 0,
                             .router = advert && (bits & 4) != 0,
                             .solicited = advert && (bits & 8) != 0,
                             .override = advert && (bits & 16) != 0};
        struct wire_nd back;
        scramble(nd.target, 16, bits);
        nd.target[0] = 0xfe;
        memcpy(nd.lladdr, mac_a, 6);
        uint8_t out[WIRE_MAX_ND];
        assert_int_equal(nd_there_and_back(&nd, out, &back), nd.has_lladdr ? 32 : 24);
        assert_true(back.solicitation == nd.solicitation && back.router == nd.router);
        assert_true(back.solicited == nd.solicited && back.override == nd.override);
        assert_memory_equal(back.target, nd.target, 16);
        assert_int_equal(back.has_lladdr, nd.has_lladdr);
        assert_memory_equal(back.lladdr, nd.has_lladdr ? mac_a : (const uint8_t[6]){0}, 6);
    }
}

/* RFC4861-1 */
static void neighbour_messages_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct wire_nd nd = {.solicitation = true, .has_lladdr = true, .target = {0xfe, 0x80}}, back;
    uint8_t out[WIRE_MAX_ND];
    size_t len = nd_there_and_back(&nd, out, &back);
    struct wire_icmp icmp;
    for (size_t cut = 8; cut < len; cut++) {
        uint8_t *copy = guarded(out, cut);
        wire_parse_icmp(copy, cut, 6, &icmp);
        enum wire_status expected = cut < 24 ? WIRE_SHORT : cut == 24 ? WIRE_OK : WIRE_BAD_FORM;
        assert_int_equal(wire_parse_nd(&icmp, &back), expected);
        release(copy, cut);
    }
    const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 134}, {1, 1}, {8, 0xff}, {25, 0}, {25, 2}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        nd_there_and_back(&nd, out, &back);
        out[wrong[i].at] = wrong[i].value;
        wire_parse_icmp(out, len, 6, &icmp);
        assert_int_equal(wire_parse_nd(&icmp, &back), WIRE_BAD_FORM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ethernet_comes_back_with_and_without_a_tag),
        cmocka_unit_test(arp_comes_back_and_only_ipv4_over_ethernet_is_taken),
        cmocka_unit_test(udp_comes_back_with_its_checksum),
        cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_all_ones),
        cmocka_unit_test(icmp_comes_back_with_its_checksum),
        cmocka_unit_test(errors_are_told_from_questions),
        cmocka_unit_test(a_quoted_packet_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_quote_that_lies_is_refused),
        cmocka_unit_test(neighbour_messages_come_back),
        cmocka_unit_test(neighbour_messages_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
