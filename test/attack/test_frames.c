/* Frames of no use, addresses that cannot be, checksums that somebody would like to bypass (RFC
 * 894, RFC 1122 3.2.1.3, RFC 4291 2, RFC 9293 3.1).  Every frame ends where readable memory ends.
 */
#include "common/link.h"
#include "common/raw.h"

#include <string.h>

#include "base/bytes.h"

static uint8_t packet[10000], frame[10100];

static uint32_t ip_len(const struct peer *p)
{
    return p->v6 ? 40 : 20;
}

static uint32_t behind_ethernet(struct peer *p, const uint8_t src_mac[6], uint16_t type,
                                const uint8_t *payload, uint32_t len)
{
    struct wire_eth eth = {.type = type};
    memcpy(eth.dst, p->stack_mac, 6);
    memcpy(eth.src, src_mac, 6);
    uint32_t at = (uint32_t)wire_put_eth(frame, &eth);
    memcpy(frame + at, payload, len);
    return at + len;
}

static uint16_t ether_type(const struct peer *p)
{
    return p->v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4;
}

/* Checksums ----------------------------------------------------------------------------------- */

/* A packet of each protocol with a checksum that is wrong; returns its length. */
static uint32_t make_bad(struct peer *p, unsigned which)
{
    uint8_t payload[200];
    uint32_t len;
    switch (which) {
    case 0:
        len = make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 10);
        packet[ip_len(p) + 16] ^= 1;
        return len;
    case 1:
        len = make_datagram(p, payload, 10);
        payload[6] ^= 1;
        return make_packet(p, packet, WIRE_PROTO_UDP, payload, len);
    case 2:
        len = make_icmp(p, payload, p->v6 ? ICMP6_ECHO : ICMP4_ECHO, 0, data, 10);
        payload[2] ^= 1;
        return make_packet(p, packet, icmp_proto(p), payload, len);
    default:
        len = make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 10);
        packet[p->v6 ? ip_len(p) + 16 : 10] ^= 1; /* of the IP header, where it has one */
        return len;
    }
}

/* HD-06: whatever link address a frame says it is from, our own too. */
TEST(no_link_address_makes_a_bad_checksum_good)
{
    p->ethernet = true;
    establish_passive();
    const uint8_t *from[] = {p->stack_mac, p->peer_mac, other_mac};
    for (unsigned i = 0; i < 12; i++) {
        uint32_t len = make_bad(p, i % 4);
        peer_frame_guarded(p, frame, behind_ethernet(p, from[i / 4], ether_type(p), packet, len));
        expects_silence();
    }
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.verdict[HF_V_DROP_TCP_CHECKSUM], p->v6 ? 6 : 3);
    holds_equal(counters.verdict[HF_V_DROP_UDP_CHECKSUM], 3);
    holds_equal(counters.verdict[HF_V_DROP_ICMP], 3);
    holds_equal(counters.verdict[HF_V_DROP_IP_CHECKSUM], p->v6 ? 0 : 3);
    holds_equal(status_of(unread_bytes), 0);
    sends(PSH | ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

/* HD-06: nor in fragments. */
TEST(a_bad_checksum_is_found_in_what_came_in_fragments)
{
    establish_passive();
    uint32_t len = make_bad(p, 0);
    sends_fragment(p, WIRE_PROTO_TCP, packet + ip_len(p), 0, 24, true);
    sends_fragment(p, WIRE_PROTO_TCP, packet + ip_len(p), 24, len - ip_len(p), false);
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_TCP_CHECKSUM), 1);
}

/* HD-06: the word of the driver, and nothing else. */
TEST(a_driver_may_say_that_it_has_checked)
{
    establish_passive();
    uint32_t len = make_bad(p, 0);
    struct hf_frame_in in = {.data = packet, .len = len, .iface = 1, .flags = HF_FRAME_CSUM_OK};
    calls(hf_input(p->stack, &p->env, &in, 1));
    expects(ACK, .ack = IRS + 11);
    reads(10);
}

/* HD-06: in ones' complement 0xffff is 0 (RFC 1071 2). */
TEST(both_zeros_are_the_same_checksum)
{
    static const uint16_t zeros[2] = {0, 0xffff};
    listens();
    for (int i = 0; i < 2; i++) {
        on(i);
        uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 0);
        uint8_t *tcp = packet + ip_len(p);
        memcpy(tcp + 18, tcp + 16, 2); /* an urgent pointer that makes the sum all ones */
        mend_tcp(packet, ip_len(p), 20);
        holds_equal(get_be16(tcp + 16), 0);
        put_be16(tcp + 16, zeros[i]);
        sends_packet(p, packet, len);
        expects(SYN | ACK, .ack = IRS + 1);
    }
}

/* Padding ------------------------------------------------------------------------------------- */

/* HD-08: what fills a frame up is no text, and what leaves has nothing to fill it. */
TEST(padding_of_a_frame_is_no_text)
{
    p->ethernet = true;
    establish_passive();
    for (uint32_t pad = 1; pad < 400; pad++) {
        uint32_t len = make_tcp(p, packet, ACK, IRS + 1, ISS + 1, 0);
        memset(packet + len, 0x41, pad);
        sends_packet(p, packet, len + pad);
        expects_silence();
        holds_equal(status_of(unread_bytes), 0);
    }
    uint32_t len = make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 5);
    sends_packet(p, packet, len + 1);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && seen->len == ETH + ip_len(p) + 20);
    peer_taken(p, seen);
    reads(5);
    reads_result(HF_ERR_WOULD_BLOCK);
}

/* Addresses ----------------------------------------------------------------------------------- */

static const uint8_t odd4[][4] = {{127, 0, 0, 1},  {127, 255, 0, 1}, {0, 0, 0, 0},
                                  {0, 1, 2, 3},    {240, 0, 0, 1},   {255, 255, 255, 255},
                                  {10, 0, 0, 255}, {224, 0, 0, 1},   {239, 1, 2, 3},
                                  {10, 0, 0, 1}}; /* the last: the stack's own */
static const uint8_t odd6[][16] = {{0},
                                   {[15] = 1},
                                   {[10] = 0xff, 0xff, 10, 0, 0, 2},
                                   {[10] = 0xff, 0xff, 127, 0, 0, 1},
                                   {0xff, 1, [15] = 1},
                                   {0xff, 2, [15] = 1},
                                   {0xff, 5, [15] = 2},
                                   {0xff, 0x0e, [15] = 9},
                                   {0xfd, [15] = 1}};

static unsigned n_odd(const struct peer *p)
{
    return p->v6 ? sizeof odd6 / 16 : sizeof odd4 / 4;
}

static void odd_address(const struct peer *p, unsigned i, uint8_t ip[16])
{
    if (p->v6)
        memcpy(ip, odd6[i], 16);
    else
        wire_from_v4(ip, odd4[i]);
}

/* A segment, or an echo request, between these addresses. */
static void sends_between(struct peer *p, const uint8_t src[16], const uint8_t dst[16],
                          unsigned ctl)
{
    uint8_t payload[100];
    uint32_t len = 16;
    struct wire_ip ip = ip_in(p, ctl ? WIRE_PROTO_TCP : icmp_proto(p));
    memcpy(ip.src, src, 16);
    memcpy(ip.dst, dst, 16);
    struct segment seg = {.ctl = (uint16_t)ctl,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port,
                          .seq = seq(p->c->nxt),
                          .ack = seq(ctl & ACK ? p->c->acks : 0),
                          .wnd = 65535};
    if (ctl) {
        len = make_segment(&ip, payload, &seg, NULL, 0);
    } else {
        memset(payload, 0, 16);
        payload[0] = p->v6 ? ICMP6_ECHO : ICMP4_ECHO;
        wire_set_icmp_checksum(payload, 16, &ip);
    }
    sends_packet(p, packet, make_packet_of(packet, ip, payload, len));
}

static const unsigned controls[] = {SYN, ACK, RST, FIN | ACK, SYN | ACK, 0};

/* HD-11: RFC 1122 3.2.1.3, RFC 4291 2.5.3, RFC 4291 2.7, MUST-63. */
TEST(nothing_is_taken_from_an_address_that_cannot_send)
{
    uint64_t dropped = 0;
    listens();
    for (unsigned i = 0; i < n_odd(p) * 6; i++) {
        uint8_t src[16];
        unsigned ctl = controls[i % 6];
        odd_address(p, i / 6, src);
        if (p->v6 && i / 6 == 0 && !ctl)
            continue; /* from nobody ICMPv6 may come: RFC 4862 5.4 */
        sends_between(p, src, p->stack_ip, ctl);
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_IP_SOURCE), ++dropped);
    }
    holds_equal(counters_of(p).half_open, 0);
    sends_between(p, p->peer_ip, p->stack_ip, SYN);
    expects(SYN | ACK);
    sends_between(p, p->peer_ip, p->stack_ip, 0);
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    peer_taken(p, seen);
}

/* HD-11: nor is the loopback address reached from outside, even where it is one of ours. */
TEST(the_loopback_address_is_not_reached_from_a_link)
{
    static const uint8_t four[4] = {127, 0, 0, 1};
    uint8_t loopback[16] = {[15] = 1};
    if (!p->v6)
        wire_from_v4(loopback, four);
    listens();
    sends_between(p, p->peer_ip, loopback, SYN);
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_IP_NOT_OURS), 1);
    calls(hf_address_add(p->stack, &p->env, 1, loopback, p->v6 ? 128 : 32));
    sends_between(p, p->peer_ip, loopback, SYN);
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_IP_NOT_OURS), 2);
}

/* HD-12: RFC 1122 4.2.3.10, MUST-57. */
TEST(a_segment_to_a_group_is_dropped_in_silence)
{
    establish_passive();
    for (unsigned i = 0; i < n_odd(p) * 5; i++) {
        uint8_t dst[16];
        odd_address(p, i / 5, dst);
        if (memcmp(dst, p->stack_ip, 16) == 0)
            continue;
        for (int known = 0; known < 2; known++) {
            p->c = &p->conn[known ? 0 : 1];
            sends_between(p, p->peer_ip, dst, controls[i % 5]);
            expects_silence();
        }
    }
    holds_equal(counters_of(p).half_open, 0);
    on(0);
    expects_state(HF_ESTABLISHED);
}

/* HD-12: RFC 1122 3.3.6: a packet for us in a frame for everybody. */
TEST(a_segment_in_a_frame_to_a_group_is_dropped_in_silence)
{
    static const uint8_t groups[2][6] = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                         {1, 0, 0x5e, 0, 0, 1}};
    p->ethernet = true;
    establish_passive();
    for (unsigned i = 0; i < 20; i++) {
        p->c = &p->conn[i % 2];
        uint32_t len = make_tcp(p, packet, controls[i / 4], IRS + 1, IRS, 0);
        sends_frame(p, groups[i / 2 % 2], ether_type(p), packet, len);
        expects_silence();
    }
    holds_equal(verdicts(p, HF_V_DROP_IP_NOT_OURS), 20);
    on(0);
    expects_state(HF_ESTABLISHED);
    sends(PSH | ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
}

/* Versions, types, lengths -------------------------------------------------------------------- */

/* HD-13: the type says one version, the packet another. */
TEST(a_version_that_is_not_the_type_is_dropped)
{
    p->ethernet = true;
    listens();
    for (unsigned version = 0; version < 16; version++) {
        uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 0);
        packet[0] = (uint8_t)(version << 4 | (packet[0] & 15));
        if (!p->v6)
            mend_ip4(packet);
        if (version != (p->v6 ? 6 : 4)) {
            peer_frame_guarded(p, frame,
                               behind_ethernet(p, p->peer_mac, ether_type(p), packet, len));
            expects_silence();
        }
        uint16_t other = p->v6 ? WIRE_ETH_IPV4 : WIRE_ETH_IPV6;
        peer_frame_guarded(p, frame, behind_ethernet(p, p->peer_mac, other, packet, len));
        expects_silence();
    }
    holds_equal(verdicts(p, HF_V_DROP_LINK) + verdicts(p, HF_V_DROP_IP_HEADER), 31);
    sends(SYN, .seq = IRS);
    expects(SYN | ACK);
}

/* HD-13: nothing behind the type; nothing at all, or one octet, of a raw packet. */
TEST(an_empty_packet_is_dropped)
{
    listens();
    peer_frame_guarded(p, packet, 0);
    for (unsigned octet = 0; octet < 256; octet++) {
        packet[0] = (uint8_t)octet;
        peer_frame_guarded(p, packet, 1);
    }
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_IP_HEADER), 257);
}

/* HD-13 */
TEST(an_empty_frame_is_dropped)
{
    static const uint16_t types[] = {WIRE_ETH_IPV4, WIRE_ETH_IPV6, WIRE_ETH_ARP};
    p->ethernet = true;
    listens();
    for (unsigned i = 0; i < 3; i++)
        peer_frame_guarded(p, frame, behind_ethernet(p, p->peer_mac, types[i], packet, 0));
    expects_silence();
    holds_equal(verdicts(p, HF_V_DROP_LINK) + verdicts(p, HF_V_DROP_NEIGHBOUR), 3);
}

/* HD-15: tags, and frames that end in them. */
TEST(a_frame_too_short_for_its_headers_is_dropped)
{
    static const uint16_t types[] = {0x8100,        0x88a8,        0x9100,
                                     WIRE_ETH_IPV4, WIRE_ETH_IPV6, WIRE_ETH_ARP};
    unsigned dropped = 0;
    p->ethernet = true;
    listens();
    for (unsigned i = 0; i < 6; i++) {
        for (uint32_t len = 0; len < 18; len++) {
            memset(packet, (int)len, 4);
            behind_ethernet(p, p->peer_mac, types[i], packet, 4);
            peer_frame_guarded(p, frame, len);
            expects_silence();
            holds_equal(verdicts(p, HF_V_DROP_LINK) + verdicts(p, HF_V_DROP_NEIGHBOUR) +
                            verdicts(p, HF_V_DROP_IP_HEADER),
                        ++dropped);
        }
    }
}

/* HD-15: none of it is spoken here. */
TEST(tags_lengths_and_types_that_nobody_handles_are_dropped)
{
    static const uint16_t types[] = {0,      38,     46,     1500,   1501,   1535,   0x88cc,
                                     0x2000, 0x88e5, 0x8863, 0x8864, 0x8847, 0x88a8, 0x9100};
    uint8_t tagged[200];
    unsigned dropped = 0;
    p->ethernet = true;
    listens();
    uint32_t len = make_tcp(p, packet, SYN, IRS, ZERO, 0);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        peer_frame_guarded(p, frame, behind_ethernet(p, p->peer_mac, types[i], packet, len));
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_LINK), ++dropped);
    }
    for (unsigned tags = 1; tags < 4; tags++) {
        for (unsigned i = 0; i < tags; i++) {
            put_be16(tagged + 4 * i, 7);
            put_be16(tagged + 4 * i + 2, i + 1 < tags ? 0x8100 : ether_type(p));
        }
        memcpy(tagged + 4 * (size_t)tags, packet, len);
        peer_frame_guarded(p, frame,
                           behind_ethernet(p, p->peer_mac, 0x8100, tagged, len + 4 * tags));
        expects_silence();
        holds_equal(verdicts(p, HF_V_DROP_LINK), ++dropped);
    }
}

/* HD-15: larger than the MTU that we send by: its packet is what its header says. */
TEST(a_frame_larger_than_the_mtu_does_no_harm)
{
    p->ethernet = true;
    establish_passive();
    uint32_t len = make_tcp(p, packet, PSH | ACK, IRS + 1, ISS + 1, 100);
    sends_packet(p, packet, 9000);
    expects(ACK, .ack = IRS + 101);
    reads(100);
    len = make_tcp(p, packet, PSH | ACK, IRS + 101, ISS + 1, 8900);
    sends_packet(p, packet, len);
    expects(ACK, .ack = IRS + 9001);
    reads(8900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(no_link_address_makes_a_bad_checksum_good),
        BOTH(a_bad_checksum_is_found_in_what_came_in_fragments),
        BOTH(a_driver_may_say_that_it_has_checked),
        BOTH(both_zeros_are_the_same_checksum),
        BOTH(padding_of_a_frame_is_no_text),
        BOTH(nothing_is_taken_from_an_address_that_cannot_send),
        BOTH(the_loopback_address_is_not_reached_from_a_link),
        BOTH(a_segment_to_a_group_is_dropped_in_silence),
        BOTH(a_segment_in_a_frame_to_a_group_is_dropped_in_silence),
        BOTH(a_version_that_is_not_the_type_is_dropped),
        V4(an_empty_packet_is_dropped),
        V4(an_empty_frame_is_dropped),
        V4(a_frame_too_short_for_its_headers_is_dropped),
        BOTH(tags_lengths_and_types_that_nobody_handles_are_dropped),
        BOTH(a_frame_larger_than_the_mtu_does_no_harm),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
