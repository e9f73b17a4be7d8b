/* test_datagrams.c - UDP (RFC 768, RFC 1122 4.1) and reassembly (RFC 791, RFC 8200 4.5, RFC 5722),
 * as the other end of a link sees them. */
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

/* A datagram of len octets is read, and no other. */
static void reads_datagram(struct peer *p, hf_handle handle, uint32_t len)
{
    struct hf_endpoint from;
    holds_equal(hf_udp_recv(p->stack, &p->env, handle, &from, NULL, got, sizeof got), len);
    holds(memcmp(got, data, len) == 0);
    holds(memcmp(from.ip, p->peer_ip, 16) == 0 && from.port == THERE);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

TEST(a_datagram_is_received_with_its_sender)
{
    static uint8_t payload[2000];
    hf_handle handle = socket_on(p, HERE);
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 1000));
    reads_datagram(p, handle, 1000);
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 0));
    reads_datagram(p, handle, 0);
    calls(hf_release(p->stack, &p->env, handle));
    refuses(HF_ERR_STALE_HANDLE, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

TEST(a_datagram_with_a_bad_checksum_is_dropped)
{
    static uint8_t payload[200];
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 100);
    payload[50] ^= 1;
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
    holds_equal(verdicts(p, HF_V_DROP_UDP_CHECKSUM), 1);
    expects_silence();
}

TEST(a_datagram_is_sent_with_a_right_checksum)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    calls(hf_set_option(p->stack, &p->env, handle, HF_TOS, 0xb8));
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 501), 501);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    const uint8_t *udp = seen->bytes + seen->ip_offset + seen->ip.header_len;
    holds_equal(seen->ip.total_len - seen->ip.header_len, 509);
    holds(wire_udp_checksum_ok(&seen->ip, udp, 509));
    holds(get_be16(udp) == HERE && get_be16(udp + 2) == THERE);
    holds_equal(seen->ip.tos, 0xb8);
    holds(memcmp(udp + 8, data, 501) == 0);
    peer_taken(p, seen);
    expects_silence();
}

/* RFC 791 3.2, RFC 8200 4.5: every fragment but the last is a multiple of eight octets. */
static void large_datagram_leaves(struct peer *p, uint32_t len)
{
    static uint8_t whole[ROOM];
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, len), len);
    uint32_t end = 0, first_ident = 0, n = 0;
    struct wire_ip ip = {0};
    bool more = true;
    while (more) {
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        holds(seen != NULL);
        ip = seen->ip;
        uint32_t this_ident = p->v6 ? ip.ident32 : ip.ident;
        holds(ip.fragment && ip.total_len <= p->mtu);
        holds(n == 0 || this_ident == first_ident);
        holds_equal(ip.frag_offset, end);
        uint32_t text = ip.total_len - ip.header_len;
        holds(!ip.mf || text % 8 == 0);
        memcpy(whole + end, seen->bytes + ip.header_len, text);
        first_ident = this_ident;
        end += text;
        more = ip.mf;
        n++;
        peer_taken(p, seen);
    }
    holds_equal(end, len + 8);
    holds(wire_udp_checksum_ok(&ip, whole, end));
    holds(memcmp(whole + 8, data, len) == 0);
    expects_silence();
    calls(hf_release(p->stack, &p->env, handle));
}

TEST(a_datagram_larger_than_the_mtu_leaves_in_fragments)
{
    large_datagram_leaves(p, 1473);
    large_datagram_leaves(p, 20001);
    large_datagram_leaves(p, 65507);
}

TEST(small_chunks_are_no_limit_to_what_a_frame_carries)
{
    p->config.small_chunk_bytes = 64;
    p->config.small_chunks = 3000;
    p->config.large_chunks = 0;
    large_datagram_leaves(p, 1480);
    large_datagram_leaves(p, 9999);
}

TEST(a_datagram_too_large_for_udp_is_refused)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    refuses(HF_ERR_TOO_LARGE,
            hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, p->v6 ? 65528 : 65508));
    expects_silence();
}

/* All orders of four fragments.  RFC1122-6, RFC791-2 */
TEST(a_datagram_in_fragments_is_received_whatever_their_order)
{
    static uint8_t payload[3000];
    static const uint32_t edges[5] = {0, 800, 1600, 1608, 2008};
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 2000);
    holds_equal(len, 2008);
    for (unsigned order = 0; order < 256; order++) {
        unsigned at[4], used = 0;
        for (unsigned i = 0; i < 4; i++) {
            at[i] = order >> (2 * i) & 3;
            used |= 1u << at[i];
        }
        if (used != 15)
            continue;
        for (unsigned i = 0; i < 4; i++)
            sends_fragment(p, WIRE_PROTO_UDP, payload, edges[at[i]], edges[at[i] + 1], at[i] < 3);
        reads_datagram(p, handle, 2000);
    }
    expects_silence();
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.reassembly, 0);
    holds_equal(counters.ranges, 0);
    holds_equal(counters.packets, 0);
    holds_equal(counters.small_chunks + counters.large_chunks, 0);
}

/* RFC8200-5 */
TEST(a_datagram_of_the_largest_size_is_put_together)
{
    static uint8_t payload[ROOM];
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 65507);
    for (uint32_t from = 0; from < len; from += 1400)
        sends_fragment(p, WIRE_PROTO_UDP, payload, from, min_u32(from + 1400, len),
                       from + 1400 < len);
    reads_datagram(p, handle, 65507);
}

/* RFC 5722; the same for IPv4.  RFC815/5722-1 */
static void sends_behind_options(struct peer *p, const uint8_t *payload, uint32_t len)
{
    for (uint32_t from = 0; from < len; from += 1400)
        sends_fragment(p, 60, payload, from, len - from < 1400 ? len : from + 1400,
                       len - from > 1400);
}

/* RFC 8200 4, 4.5: extension headers behind the fragment header, of what is put together. */
TEST(a_datagram_behind_extension_headers_is_received_whatever_its_size)
{
    static uint8_t payload[ROOM] = {WIRE_PROTO_UDP, 0, 1, 4}; /* destination options: PadN */
    if (!p->v6)
        return;
    hf_handle handle = socket_on(p, HERE);
    for (uint32_t size = 10000; size <= 60000; size += 10000) {
        sends_behind_options(p, payload, 8 + make_datagram(p, payload + 8, size));
        holds_equal(hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, ROOM), size);
        holds(memcmp(got, data, size) == 0);
    }
    payload[0] = WIRE_PROTO_ICMPV6;
    sends_behind_options(p, payload, 8 + make_icmp(p, payload + 8, ICMP6_ECHO, 0, data, 20000));
    struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
    holds(seen != NULL && seen->bytes[seen->ip.header_len] == ICMP6_ECHO_REPLY);
    peer_taken(p, seen);
    peer_forget(p);
    nothing_is_held(p);
}

/* RFC 8200 4.5: ... and where they fill a chunk of their own. */
TEST(extension_headers_may_fill_the_first_chunk_of_a_datagram)
{
    static uint8_t payload[ROOM] = {WIRE_PROTO_UDP, 7, 1, 60};
    if (!p->v6)
        return;
    p->config.small_chunk_bytes = 64;
    p->config.small_chunks = 2000;
    p->config.large_chunks = 0;
    hf_handle handle = socket_on(p, HERE);
    sends_behind_options(p, payload, 64 + make_datagram(p, payload + 64, 20000));
    holds_equal(hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, ROOM), 20000);
    holds(memcmp(got, data, 20000) == 0);
    nothing_is_held(p);
}

TEST(overlapping_fragments_lose_the_datagram)
{
    static uint8_t payload[3000];
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 792, 1600, true);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.ranges, 0); /* given up at once */
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
    after(61000);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true); /* an exact repetition */
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    reads_datagram(p, handle, 1992);
}

TEST(two_different_ends_lose_the_datagram)
{
    static uint8_t payload[3000];
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 1600, 2000, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1200, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1600, true);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

/* RFC 6864 4: an ident means something only where there are fragments; a TTL of 1 is enough for who
 * has arrived.  RFC6864-1, RFC1122-5 */
TEST(whole_datagrams_of_one_ident_and_a_ttl_of_one_are_all_received)
{
    static uint8_t packet[200];
    hf_handle handle = socket_on(p, HERE);
    struct wire_ip ip = ip_in(p, WIRE_PROTO_UDP);
    ip.ttl = 1;
    ip.df = true;
    ip.ident = 7;
    size_t at = p->v6 ? 40 : 20;
    ip.total_len = (uint32_t)at + make_datagram(p, packet + at, 50);
    wire_put_ip(packet, &ip);
    for (int i = 0; i < 2; i++) {
        peer_frame(p, packet, ip.total_len);
        reads_datagram(p, handle, 50);
    }
}

/* RFC 792, RFC 4443 3.3: only when the first fragment is there.  RFC1122-6, RFC8200-3 */
TEST(a_datagram_that_stays_incomplete_is_given_up_and_its_sender_told)
{
    static uint8_t payload[3000];
    socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    after(59000);
    expects_silence();
    after(2000);
    struct seen *seen = peer_take(p, icmp_proto(p));
    holds(seen != NULL);
    const uint8_t *icmp = seen->bytes + seen->ip.header_len;
    uint32_t len = seen->ip.total_len - seen->ip.header_len;
    holds(icmp[0] == (p->v6 ? 3 : 11) && icmp[1] == 1);
    holds(wire_icmp_checksum_ok(&seen->ip, icmp, len));
    struct wire_quote quote;
    holds(wire_parse_quote(icmp + 8, len - 8, seen->ip.version, &quote) == WIRE_OK);
    holds(quote.sport == THERE && quote.dport == HERE);
    peer_taken(p, seen);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1600, true);
    after(61000);
    expects_silence();
}

/* PR-05, FR-01 */
TEST(fragments_of_one_sender_do_not_use_up_what_others_need)
{
    static uint8_t payload[3000];
    p->config.max_reassembly = 4;
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    uint8_t mine = p->peer_ip[15];
    for (unsigned i = 0; i < 100; i++) {
        p->peer_ip[15] = 99;
        fragment_ident = (uint16_t)(100 + i);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 808, true);
    }
    fragment_ident = 77;
    p->peer_ip[15] = mine;
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    reads_datagram(p, handle, 1992);
}

/* PR-05 */
TEST(a_flood_of_fragments_does_not_stop_a_later_datagram)
{
    static uint8_t payload[3000];
    p->config.max_reassembly = 8;
    p->config.max_ranges = 64;
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    uint8_t mine = p->peer_ip[15];
    for (unsigned i = 0; i < 3000; i++) {
        p->peer_ip[15] = (uint8_t)(10 + i % 200);
        fragment_ident = (uint16_t)(100 + i / 40);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800 + i % 40 * 16, 808 + i % 40 * 16, true);
    }
    fragment_ident = 77;
    p->peer_ip[15] = mine;
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 2000, false);
    reads_datagram(p, handle, 1992);
}

TEST(tcp_in_fragments_is_taken)
{
    listens();
    starts();
    uint8_t segment[60];
    struct segment syn = {.seq = seq(100), .ctl = SYN, .sport = 4000, .dport = 80, .wnd = 65535};
    syn.sport = p->c->peer_port;
    syn.dport = p->c->stack_port;
    syn.opt.present = OPT_MSS;
    syn.opt.mss = 1460;
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    uint32_t len = (uint32_t)wire_put_tcp(segment, &syn);
    wire_set_tcp_checksum(segment, len, &ip, 0, 0);
    if (p->v6) { /* RFC 8200 4.5: all headers in the first fragment */
        sends_fragment(p, WIRE_PROTO_TCP, segment, 0, 8, true);
        struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
        holds(seen != NULL);
        holds(seen->bytes[40] == 4 && seen->bytes[41] == 3);
        peer_taken(p, seen);
        expects_silence();
        return;
    }
    sends_fragment(p, WIRE_PROTO_TCP, segment, 8, len, false);
    sends_fragment(p, WIRE_PROTO_TCP, segment, 0, 8, true);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    holds_equal(seen->seg.ctl, SYN | ACK);
    peer_taken(p, seen);
}

/* RFC 1122 4.1.3.3 */
TEST(an_error_about_a_datagram_is_kept_for_its_socket)
{
    static uint8_t payload[2000];
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    struct hf_icmp_report report;
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, handle, &report));
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    uint32_t len =
        make_icmp(p, payload, p->v6 ? 1 : 3, p->v6 ? 4 : 3, seen->bytes, seen->ip.total_len);
    peer_taken(p, seen);
    peer_ip(p, icmp_proto(p), payload, len);
    calls(hf_error_report(p->stack, handle, &report));
    holds_equal(report.error, HF_ERR_PORT_UNREACHABLE);
    holds(memcmp(report.from, p->peer_ip, 16) == 0);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, handle, &report));
}

/* RFC8201-1: an MTU that no IPv6 link may have is a lie. */
TEST(packet_too_big_below_1280_is_not_reported)
{
    static uint8_t payload[2000];
    static const uint32_t mtus[] = {0, 1279, 1280};
    if (!p->v6)
        return;
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    struct hf_icmp_report report;
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    for (int i = 0; i < 3; i++) {
        struct wire_ip ip = ip_in(p, WIRE_PROTO_ICMPV6);
        uint32_t len = make_icmp(p, payload, ICMP6_TOO_BIG, 0, seen->bytes, seen->ip.total_len);
        put_be32(payload + 4, mtus[i]);
        wire_set_icmp_checksum(payload, len, &ip);
        peer_ip(p, WIRE_PROTO_ICMPV6, payload, len);
        int error = hf_error_report(p->stack, handle, &report);
        holds_equal(error, i == 2 ? HF_OK : HF_ERR_WOULD_BLOCK);
    }
    peer_taken(p, seen);
}

/* RFC 1122 4.1.3.3, RFC 4443 3: also about the first fragment, and only about that. */
TEST(an_error_about_a_fragment_of_a_datagram_is_kept_for_its_socket)
{
    static uint8_t payload[2000], text[4000];
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    struct hf_icmp_report report;
    for (int i = 0; i < 4000; i += 2)
        put_be16(text + i, HERE); /* as the socket's port */
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, text, 4000));
    for (int i = 0; i < 3; i++) {
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        holds(seen != NULL && seen->ip.fragment);
        uint32_t len = make_icmp(p, payload, p->v6 ? 1 : 3, p->v6 ? 3 : 1, seen->bytes, 500);
        peer_taken(p, seen);
        peer_ip(p, icmp_proto(p), payload, len);
        int error = hf_error_report(p->stack, handle, &report);
        holds_equal(error, i == 0 ? HF_OK : HF_ERR_WOULD_BLOCK);
    }
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
}

TEST(the_queue_of_a_socket_is_bounded)
{
    static uint8_t payload[2000];
    p->config.max_packets = 1000;
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 100);
    for (unsigned i = 0; i < 500; i++)
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
    unsigned n = 0;
    while (hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, sizeof got) == 100)
        n++;
    holds(n >= 16 && n < 500);
    holds_equal(verdicts(p, HF_V_DATAGRAM) + verdicts(p, HF_V_DROP_DATAGRAM_FULL), 500);
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    reads_datagram(p, handle, 100);
}

TEST(a_socket_that_was_refused_is_told_when_it_can_send)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    struct hf_event event;
    while (hf_events(p->stack, &p->env, &event, 1) == 1) {
    }
    int64_t result;
    while ((result = hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 10)) == 10) {
    }
    holds_equal(result, HF_ERR_WOULD_BLOCK);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 0);
    peer_pump(p);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 1);
    holds(event.handle == handle && (event.bits & HF_WRITABLE));
}

TEST(one_port_has_one_socket_per_address)
{
    hf_handle first = socket_on(p, HERE), second = 0;
    struct hf_endpoint any = {.port = HERE};
    struct hf_endpoint here = peer_here(p, HERE), there = peer_there(p, HERE + 1);
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &any, &second));
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &here, &second));
    refuses(HF_ERR_NO_ADDRESS, hf_udp_open(p->stack, &p->env, &there, &second));
    any.port = 0;
    calls(hf_udp_open(p->stack, &p->env, &any, &second));
    calls(hf_close(p->stack, &p->env, first));
    calls(hf_udp_open(p->stack, &p->env, &here, &first));
}

TEST(a_datagram_whose_header_says_more_or_less_than_there_is_is_dropped)
{
    static uint8_t payload[200];
    static const uint16_t lengths[] = {0, 7, 109};
    hf_handle handle = socket_on(p, HERE);
    for (uint32_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint32_t len = make_datagram(p, payload, 100);
        put_be16(payload + 4, lengths[i]);
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
        holds_equal(verdicts(p, HF_V_DROP_UDP_HEADER), i + 1);
    }
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

/* RFC 5722: what contradicts itself is lost whole, not only where it overlaps. */
TEST(a_second_end_behind_the_first_loses_the_datagram)
{
    static uint8_t payload[3000];
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1992);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1200, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 1600, 2000, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 1200, 1600, true);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

TEST(a_fragment_behind_the_end_loses_the_datagram)
{
    static uint8_t payload[3000];
    hf_handle handle = socket_on(p, HERE);
    make_datagram(p, payload, 1192);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1200, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 1600, 2000, true);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    holds_equal(counters.ranges, 0); /* given up at once */
    sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1200, false);
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
    refuses(HF_ERR_WOULD_BLOCK, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 1));
}

/* Six ranges are for fragments: those of the older datagram make room, wherever it is noted. */
TEST(the_older_of_two_datagrams_gives_up_its_memory_for_the_newer)
{
    static uint8_t payload[3000];
    p->config.max_reassembly = 2;
    p->config.max_ranges = 8;
    hf_handle handle = socket_on(p, HERE);
    uint8_t mine = p->peer_ip[15];
    make_datagram(p, payload, 1992);
    for (unsigned turns = 0; turns < 2; turns++) {
        p->peer_ip[15] = (uint8_t)(99 + turns);
        for (uint32_t from = 0; from < 64; from += 16)
            sends_fragment(p, WIRE_PROTO_UDP, payload, from, from + 8, true);
        p->peer_ip[15] = mine;
        sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 800, 1600, true);
        sends_fragment(p, WIRE_PROTO_UDP, payload, 1600, 2000, false);
        reads_datagram(p, handle, 1992);
    }
}

/* hf_trace: local_port and remote_port of every packet that has them, the numbers of TCP alone. */
TEST(the_record_of_a_datagram_that_was_dropped_has_its_ports_and_no_numbers)
{
    static uint8_t payload[200];
    socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 100);
    payload[50] ^= 1;
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    holds_equal(p->last.kind, HF_TRACE_DROP);
    holds_equal(p->last.verdict, HF_V_DROP_UDP_CHECKSUM);
    holds_equal(p->last.remote_port, THERE);
    holds_equal(p->last.local_port, HERE);
    holds(p->last.seq == 0 && p->last.ack == 0 && p->last.ctl == 0 && p->last.wnd == 0);
}

/* RFC 1112 4, RFC 5771 3: groups need no route; what follows them is no group. */
TEST(the_groups_of_ipv4_end_with_239)
{
    struct hf_endpoint to = {.port = THERE};
    hf_handle handle = socket_on(p, HERE);
    memcpy(to.ip, p->peer_ip, 12);
    memcpy(to.ip + 12, (const uint8_t[]){239, 255, 255, 255}, 4);
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, "x", 1), 1);
    memcpy(to.ip + 12, (const uint8_t[]){240, 0, 0, 1}, 4);
    refuses(HF_ERR_NET_UNREACHABLE, hf_udp_send(p->stack, &p->env, handle, NULL, &to, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_datagram_is_received_with_its_sender),
        ON_BOTH(a_datagram_with_a_bad_checksum_is_dropped),
        ON_BOTH(a_datagram_is_sent_with_a_right_checksum),
        ON_BOTH(a_datagram_larger_than_the_mtu_leaves_in_fragments),
        ON_BOTH(small_chunks_are_no_limit_to_what_a_frame_carries),
        ON_BOTH(a_datagram_too_large_for_udp_is_refused),
        V4(the_groups_of_ipv4_end_with_239),
        ON_BOTH(a_datagram_in_fragments_is_received_whatever_their_order),
        ON_BOTH(a_datagram_of_the_largest_size_is_put_together),
        ON_BOTH(a_datagram_behind_extension_headers_is_received_whatever_its_size),
        ON_BOTH(extension_headers_may_fill_the_first_chunk_of_a_datagram),
        ON_BOTH(overlapping_fragments_lose_the_datagram),
        ON_BOTH(two_different_ends_lose_the_datagram),
        ON_BOTH(whole_datagrams_of_one_ident_and_a_ttl_of_one_are_all_received),
        ON_BOTH(a_datagram_that_stays_incomplete_is_given_up_and_its_sender_told),
        ON_BOTH(fragments_of_one_sender_do_not_use_up_what_others_need),
        ON_BOTH(a_flood_of_fragments_does_not_stop_a_later_datagram),
        ON_BOTH(tcp_in_fragments_is_taken),
        ON_BOTH(an_error_about_a_datagram_is_kept_for_its_socket),
        ON_BOTH(packet_too_big_below_1280_is_not_reported),
        ON_BOTH(an_error_about_a_fragment_of_a_datagram_is_kept_for_its_socket),
        ON_BOTH(the_queue_of_a_socket_is_bounded),
        ON_BOTH(a_socket_that_was_refused_is_told_when_it_can_send),
        ON_BOTH(one_port_has_one_socket_per_address),
        ON_BOTH(a_datagram_whose_header_says_more_or_less_than_there_is_is_dropped),
        ON_BOTH(a_second_end_behind_the_first_loses_the_datagram),
        ON_BOTH(a_fragment_behind_the_end_loses_the_datagram),
        ON_BOTH(the_older_of_two_datagrams_gives_up_its_memory_for_the_newer),
        ON_BOTH(the_record_of_a_datagram_that_was_dropped_has_its_ports_and_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
