/* The public decoder (packet.h): every layer, and what is wrong with damaged packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "handfast/packet.h"
#include "wire/wire.h"

static struct wire_ip ip_header(uint8_t version, uint8_t proto, size_t payload)
{
    struct wire_ip ip = {.version = version, .proto = proto, .ttl = 64, .df = true};
    if (version == 4) {
        wire_from_v4(ip.src, (const uint8_t[]){192, 0, 2, 1});
        wire_from_v4(ip.dst, (const uint8_t[]){198, 51, 100, 2});
    } else {
        memcpy(ip.src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        memcpy(ip.dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    }
    ip.total_len = (uint32_t)((version == 4 ? 20 : 40) + payload);
    return ip;
}

/* A SYN,ACK with options and `text` octets behind it. */
static size_t tcp_packet(uint8_t *out, uint8_t version, size_t text)
{
    struct segment seg = {.seq = seq(300),
                          .ack = seq(101),
                          .ctl = SYN | ACK,
                          .wnd = 65000,
                          .sport = 80,
                          .dport = 40000,
                          .opt = {.present = OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TS,
                                  .mss = 1460,
                                  .wscale = 7,
                                  .ts_val = 11,
                                  .ts_ecr = 22}};
    size_t tcp = wire_tcp_header_len(&seg.opt);
    struct wire_ip ip = ip_header(version, WIRE_PROTO_TCP, tcp + text);
    size_t at = wire_put_ip(out, &ip);
    wire_put_tcp(out + at, &seg);
    memset(out + at + tcp, 'x', text);
    csum_t sum = csum_add(0, out + at + tcp, text);
    wire_set_tcp_checksum(out + at, tcp, &ip, sum, (uint32_t)text);
    return at + tcp + text;
}

static struct hf_packet decoded(const uint8_t *frame, size_t len, enum hf_link link, int outcome)
{
    struct hf_packet packet = {.struct_size = sizeof packet};
    uint8_t *exact = malloc(len + 1); /* the sanitizer sees a step too far */
    assert_non_null(exact);
    memcpy(exact + 1, frame, len);
    assert_int_equal(hf_packet_decode(exact + 1, len, link, &packet), outcome);
    free(exact);
    return packet;
}

static void a_tcp_segment_is_decoded_over_both_ip_versions(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        uint8_t frame[256];
        size_t len = tcp_packet(frame, version, 5);
        struct hf_packet p = decoded(frame, len, HF_LINK_IP, HF_OK);
        assert_int_equal(p.layers, HF_LAYER_IP | HF_LAYER_TCP);
        assert_int_equal(p.wrong, 0);
        assert_int_equal(p.version, version);
        assert_int_equal(p.protocol, 6);
        assert_int_equal(p.src_port, 80);
        assert_int_equal(p.dst_port, 40000);
        assert_int_equal(p.seq, 300);
        assert_int_equal(p.ack, 101);
        assert_int_equal(p.len, 6);
        assert_int_equal(p.ctl, HF_SYN | HF_ACK);
        assert_int_equal(p.wnd, 65000);
        assert_int_equal(p.options, HF_OPT_MSS | HF_OPT_WSCALE | HF_OPT_SACK_OK | HF_OPT_TS);
        assert_int_equal(p.mss, 1460);
        assert_int_equal(p.wscale, 7);
        assert_int_equal(p.ts_val, 11);
        assert_int_equal(p.ts_ecr, 22);
        assert_int_equal(p.header_offset, version == 4 ? 20 : 40);
        assert_int_equal(p.text_bytes, 5);
        assert_int_equal(p.text_offset, len - 5);
        assert_int_equal(p.ip_bytes, len);
    }
}

/* IEEE 802.1ad: a provider's tag, and the customer's behind it. */
static void several_vlan_tags_are_looked_through(void **state)
{
    (void)state;
    for (int outer = 0; outer < 2; outer++) {
        uint8_t frame[128] = {0}, ip[128];
        size_t len = tcp_packet(ip, 4, 3);
        put_be16(frame + 12, outer ? 0x88a8 : 0x8100);
        put_be16(frame + 14, 5);
        put_be16(frame + 16, 0x8100);
        put_be16(frame + 18, 6);
        put_be16(frame + 20, 0x0800);
        memcpy(frame + 22, ip, len);
        struct hf_packet p = decoded(frame, 22 + len, HF_LINK_ETHERNET, HF_OK);
        assert_int_equal(p.layers, HF_LAYER_ETHERNET | HF_LAYER_VLAN | HF_LAYER_IP | HF_LAYER_TCP);
        assert_int_equal(p.ether_type, 0x0800);
        assert_int_equal(p.vlan, 5);
        assert_int_equal(p.ip_offset, 22);
        assert_int_equal(p.text_bytes, 3);
        for (size_t cut = 0; cut < 22; cut++) {
            hf_packet_decode(frame, cut, HF_LINK_ETHERNET, &p);
            assert_int_equal(p.layers & HF_LAYER_IP, 0);
        }
    }
}

static void ethernet_with_a_vlan_tag_is_looked_through(void **state)
{
    (void)state;
    uint8_t frame[256];
    struct wire_eth eth = {.dst = {2, 0, 0, 0, 0, 2},
                           .src = {2, 0, 0, 0, 0, 1},
                           .type = WIRE_ETH_IPV4,
                           .vlan = 0x2005,
                           .tagged = true};
    size_t at = wire_put_eth(frame, &eth);
    size_t len = at + tcp_packet(frame + at, 4, 0);
    struct hf_packet p = decoded(frame, len, HF_LINK_ETHERNET, HF_OK);
    assert_int_equal(p.layers, HF_LAYER_ETHERNET | HF_LAYER_VLAN | HF_LAYER_IP | HF_LAYER_TCP);
    assert_memory_equal(p.mac_src, eth.src, 6);
    assert_memory_equal(p.mac_dst, eth.dst, 6);
    assert_int_equal(p.vlan, 0x2005);
    assert_int_equal(p.ip_offset, 18);
    assert_int_equal(p.seq, 300);
}

static void a_wrong_checksum_is_told_and_the_fields_are_still_there(void **state)
{
    (void)state;
    uint8_t frame[256];
    size_t len = tcp_packet(frame, 4, 5);
    frame[len - 1] ^= 1;
    struct hf_packet p = decoded(frame, len, HF_LINK_IP, HF_ERR_INVALID);
    assert_int_equal(p.wrong, HF_WRONG_CHECKSUM);
    assert_int_equal(p.seq, 300);
    frame[len - 1] ^= 1;
    frame[8] ^= 1; /* TTL */
    p = decoded(frame, len, HF_LINK_IP, HF_ERR_INVALID);
    assert_int_equal(p.wrong, HF_WRONG_IP_CHECKSUM);
    assert_int_equal(p.layers, HF_LAYER_IP | HF_LAYER_TCP);
}

static void a_packet_cut_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t frame[256];
    for (uint8_t version = 4; version <= 6; version += 2) {
        size_t len = tcp_packet(frame, version, 5);
        for (size_t cut = 0; cut < len; cut++) {
            struct hf_packet p = decoded(frame, cut, HF_LINK_IP, HF_ERR_INVALID);
            assert_int_not_equal(p.wrong, 0);
        }
    }
}

static void an_icmp_error_shows_what_it_quotes(void **state)
{
    (void)state;
    uint8_t frame[512], quoted[256];
    size_t quoted_len = tcp_packet(quoted, 4, 0);
    struct wire_ip ip = ip_header(4, WIRE_PROTO_ICMP, WIRE_ICMP_BYTES + quoted_len);
    struct wire_icmp icmp = {.version = 4, .type = ICMP4_UNREACHABLE, .code = 4, .rest = 1400};
    size_t at = wire_put_ip(frame, &ip);
    wire_put_icmp(frame + at, &icmp);
    memcpy(frame + at + WIRE_ICMP_BYTES, quoted, quoted_len);
    wire_set_icmp_checksum(frame + at, WIRE_ICMP_BYTES + quoted_len, &ip);
    struct hf_packet p = decoded(frame, at + WIRE_ICMP_BYTES + quoted_len, HF_LINK_IP, HF_OK);
    assert_int_equal(p.layers, HF_LAYER_IP | HF_LAYER_ICMP | HF_LAYER_QUOTE);
    assert_int_equal(p.icmp_type, 3);
    assert_int_equal(p.icmp_code, 4);
    assert_int_equal(p.icmp_rest, 1400);
    assert_int_equal(p.quote_protocol, 6);
    assert_int_equal(p.quote_src_port, 80);
    assert_int_equal(p.quote_dst_port, 40000);
    assert_int_equal(p.quote_seq, 300);
}

static void udp_arp_and_foreign_protocols_are_told_apart(void **state)
{
    (void)state;
    uint8_t frame[256] = {0};
    struct wire_ip ip = ip_header(6, WIRE_PROTO_UDP, 12);
    struct wire_udp udp = {.sport = 53, .dport = 1000, .len = 12};
    size_t at = wire_put_ip(frame, &ip);
    wire_put_udp(frame + at, &udp);
    memset(frame + at + 8, 'u', 4);
    wire_set_udp_checksum(frame + at, &ip, csum_add(0, frame + at + 8, 4), 4);
    struct hf_packet p = decoded(frame, at + 12, HF_LINK_IP, HF_OK);
    assert_int_equal(p.layers, HF_LAYER_IP | HF_LAYER_UDP);
    assert_int_equal(p.src_port, 53);
    assert_int_equal(p.text_bytes, 4);

    struct wire_eth eth = {.type = WIRE_ETH_ARP};
    struct wire_arp arp = {.op = 1, .spa = {192, 0, 2, 1}, .tpa = {192, 0, 2, 9}};
    at = wire_put_eth(frame, &eth);
    p = decoded(frame, at + wire_put_arp(frame + at, &arp), HF_LINK_ETHERNET, HF_OK);
    assert_int_equal(p.layers, HF_LAYER_ETHERNET | HF_LAYER_ARP);
    assert_int_equal(p.dst[15], 9);

    ip = ip_header(4, 47, 4);
    at = wire_put_ip(frame, &ip);
    p = decoded(frame, at + 4, HF_LINK_IP, HF_ERR_UNSUPPORTED);
    assert_int_equal(p.layers, HF_LAYER_IP);
    assert_int_equal(p.text_bytes, 4);
}

static void a_packet_reads_as_one_line(void **state)
{
    (void)state;
    uint8_t frame[256];
    char line[200];
    size_t len = tcp_packet(frame, 4, 5);
    struct hf_packet p = decoded(frame, len, HF_LINK_IP, HF_OK);
    assert_string_equal(hf_packet_text(&p, line, sizeof line),
                        "192.0.2.1:80 > 198.51.100.2:40000 "
                        "<SEQ=300><ACK=101><CTL=SYN,ACK><DATA=5>");
    len = tcp_packet(frame, 6, 0);
    frame[len - 1] ^= 1;
    p = decoded(frame, len, HF_LINK_IP, HF_ERR_INVALID);
    assert_string_equal(hf_packet_text(&p, line, sizeof line),
                        "[2001:db8::1]:80 > [2001:db8::2]:40000 "
                        "<SEQ=300><ACK=101><CTL=SYN,ACK>, bad checksum");
    assert_string_equal(hf_packet_text(&p, line, 10), "[2001:db8");
}

static void a_struct_of_another_size_is_filled_as_far_as_it_goes(void **state)
{
    (void)state;
    uint8_t frame[256];
    size_t len = tcp_packet(frame, 4, 0);
    struct hf_packet packet;
    memset(&packet, 0xee, sizeof packet);
    packet.struct_size = offsetof(struct hf_packet, src_port);
    assert_int_equal(hf_packet_decode(frame, len, HF_LINK_IP, &packet), HF_OK);
    assert_int_equal(packet.version, 4);
    assert_int_equal(packet.src_port, 0xeeee);
    packet.struct_size = 4;
    assert_int_equal(hf_packet_decode(frame, len, HF_LINK_IP, &packet), HF_ERR_INVALID);
}

static void any_bytes_are_safe(void **state)
{
    (void)state;
    uint8_t frame[160];
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t len = tcp_packet(frame, round & 1 ? 4 : 6, 20);
        for (int i = 0; i < 6; i++) {
            seed = seed * 1664525 + 1013904223;
            frame[(seed >> 8) % len] = (uint8_t)(seed >> 24);
        }
        struct hf_packet p = {.struct_size = sizeof p};
        char line[300];
        hf_packet_decode(frame, len, round & 2 ? HF_LINK_ETHERNET : HF_LINK_IP, &p);
        hf_packet_text(&p, line, sizeof line);
        assert_true(p.text_offset + p.text_bytes <= len || p.layers == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_segment_is_decoded_over_both_ip_versions),
        cmocka_unit_test(several_vlan_tags_are_looked_through),
        cmocka_unit_test(ethernet_with_a_vlan_tag_is_looked_through),
        cmocka_unit_test(a_wrong_checksum_is_told_and_the_fields_are_still_there),
        cmocka_unit_test(a_packet_cut_anywhere_is_refused),
        cmocka_unit_test(an_icmp_error_shows_what_it_quotes),
        cmocka_unit_test(udp_arp_and_foreign_protocols_are_told_apart),
        cmocka_unit_test(a_packet_reads_as_one_line),
        cmocka_unit_test(a_struct_of_another_size_is_filled_as_far_as_it_goes),
        cmocka_unit_test(any_bytes_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
