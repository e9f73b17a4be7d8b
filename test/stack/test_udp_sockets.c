/* test_udp_sockets.c - UDP sockets as the application has them (RFC 768, RFC 1122 4.1): which can
 * be, where their datagrams go, and what comes back. */
#include "common/link.h"
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"
#include "stack/stack.h"

static int64_t sends_to(struct peer *p, hf_handle handle, const struct hf_endpoint *to,
                        uint32_t len)
{
    return hf_udp_send(p->stack, &p->env, handle, NULL, to, data, len);
}

static int64_t receives(struct peer *p, hf_handle handle, uint32_t len)
{
    return hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, len);
}

TEST(a_socket_that_cannot_be_is_refused)
{
    starts();
    hf_handle handle;
    struct hf_endpoint here = peer_here(p, HERE);
    refuses(HF_ERR_INVALID, hf_udp_open(p->stack, &p->env, NULL, &handle));
    refuses(HF_ERR_INVALID, hf_udp_open(p->stack, &p->env, &here, NULL));
    here.iface = 7;
    refuses(HF_ERR_INVALID, hf_udp_open(p->stack, &p->env, &here, &handle));
}

TEST(a_datagram_that_cannot_be_is_refused)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE), bad = to;
    refuses(HF_ERR_INVALID, sends_to(p, handle, NULL, 10));
    refuses(HF_ERR_INVALID, hf_udp_send(p->stack, &p->env, handle, NULL, &to, NULL, 10));
    bad.port = 0;
    refuses(HF_ERR_INVALID, sends_to(p, handle, &bad, 10));
    bad = to;
    bad.iface = 7;
    refuses(HF_ERR_INVALID, sends_to(p, handle, &bad, 10));
    memset(bad.ip, 0, sizeof bad.ip);
    bad.iface = 0;
    refuses(HF_ERR_INVALID, sends_to(p, handle, &bad, 10));
    refuses(HF_ERR_STALE_HANDLE, sends_to(p, p->listener + 99, &to, 10));
    refuses(HF_ERR_STALE_HANDLE, receives(p, p->listener + 99, 10));
    refuses(HF_ERR_INVALID, hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, NULL, 10));
    holds_equal(hf_udp_send(p->stack, &p->env, handle, NULL, &to, NULL, 0), 0); /* empty ones are */
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
    expects_silence();
}

TEST(the_sender_s_address_is_the_one_asked_for_and_must_be_ours)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE), from = peer_here(p, 0);
    calls(hf_udp_send(p->stack, &p->env, handle, &from, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL && memcmp(seen->ip.src, p->stack_ip, 16) == 0);
    peer_taken(p, seen);
    refuses(HF_ERR_NO_ADDRESS, hf_udp_send(p->stack, &p->env, handle, &to, &to, data, 10));
    struct hf_endpoint other = {.ip = {0xfd, [15] = 9}};
    if (p->v6) {
        const uint8_t ip4[16] = {[10] = 255, 255, 10, 0, 0, 9};
        memcpy(other.ip, ip4, 16);
    }
    refuses(HF_ERR_INVALID, hf_udp_send(p->stack, &p->env, handle, &other, &to, data, 10));
    expects_silence();
}

TEST(a_datagram_is_cut_to_the_room_and_tells_its_length_and_both_ends)
{
    static uint8_t payload[2000];
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 1000);
    struct hf_endpoint from, to;
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    memset(got, 0xee, 200);
    holds_equal(hf_udp_recv(p->stack, &p->env, handle, &from, &to, got, 100), 1000);
    holds(memcmp(got, data, 100) == 0 && got[100] == 0xee);
    holds(from.port == THERE && memcmp(from.ip, p->peer_ip, 16) == 0);
    holds(to.port == HERE && memcmp(to.ip, p->stack_ip, 16) == 0);
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    holds_equal(hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, NULL, 0), 1000);
    holds_equal(receives(p, handle, 100), HF_ERR_WOULD_BLOCK); /* the rest is gone */
}

TEST(a_socket_with_an_address_gets_its_datagrams_before_one_without)
{
    static uint8_t payload[200];
    starts();
    hf_handle any, own, other;
    struct hf_endpoint here = peer_here(p, HERE), anywhere = {.port = HERE + 1};
    calls(hf_udp_open(p->stack, &p->env, &here, &own));
    calls(hf_udp_open(p->stack, &p->env, &anywhere, &any));
    anywhere.port = HERE + 2;
    calls(hf_udp_open(p->stack, &p->env, &anywhere, &other));
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 20));
    holds_equal(receives(p, own, 100), 20);
    holds_equal(receives(p, any, 100), HF_ERR_WOULD_BLOCK);
    struct hf_endpoint there = peer_there(p, THERE);
    calls(sends_to(p, own, &there, 20));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL && memcmp(seen->ip.src, p->stack_ip, 16) == 0);
    peer_taken(p, seen);
}

TEST(a_port_that_is_left_to_the_stack_is_in_the_policy_s_range_until_there_is_none)
{
    p->config.policy.port_first = 50000;
    p->config.policy.port_last = 50002;
    starts();
    struct hf_endpoint any = {.port = 0};
    hf_handle handle[3], more;
    struct hf_endpoint to = peer_there(p, THERE);
    uint32_t ports = 0;
    for (int i = 0; i < 3; i++) {
        calls(hf_udp_open(p->stack, &p->env, &any, &handle[i]));
        calls(sends_to(p, handle[i], &to, 1));
        struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
        holds(seen != NULL);
        uint16_t port = get_be16(seen->bytes + seen->ip_offset + seen->ip.header_len);
        holds(port >= 50000 && port <= 50002);
        ports |= 1u << (port - 50000);
        peer_taken(p, seen);
    }
    holds_equal(ports, 7);
    refuses(HF_ERR_NO_PORTS, hf_udp_open(p->stack, &p->env, &any, &more));
    calls(hf_release(p->stack, &p->env, handle[1]));
    calls(hf_udp_open(p->stack, &p->env, &any, &more));
}

/* RFC 1122 4.1.3.1: port unreachable, also where the host is this one. */
TEST(a_datagram_to_ourselves_arrives_or_is_told_to_be_unreachable)
{
    hf_handle one = socket_on(p, HERE), two = socket_on(p, HERE + 1);
    struct hf_endpoint here = peer_here(p, HERE + 1), from;
    struct hf_icmp_report report;
    calls(sends_to(p, one, &here, 300));
    peer_pump(p);
    holds_equal(hf_udp_recv(p->stack, &p->env, two, &from, NULL, got, sizeof got), 300);
    holds(from.port == HERE && memcmp(from.ip, p->stack_ip, 16) == 0);
    holds(memcmp(got, data, 300) == 0);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, one, &report));
    here.port = HERE + 2;
    calls(sends_to(p, one, &here, 300));
    peer_pump(p);
    calls(hf_error_report(p->stack, one, &report));
    holds_equal(report.error, HF_ERR_PORT_UNREACHABLE);
    holds_equal(report.version, p->v6 ? 6 : 4);
    holds(memcmp(report.from, p->stack_ip, 16) == 0);
    calls(sends_to(p, one, &here, 300));
    calls(hf_release(p->stack, &p->env, one)); /* nobody to tell it to */
    peer_pump(p);
    expects_silence();
    nothing_is_held(p);
}

TEST(a_datagram_that_payload_memory_has_no_room_for_is_refused_and_nothing_is_kept)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    int64_t result = 60000;
    uint32_t n = 0;
    while (result == 60000 && n++ < 100000)
        result = sends_to(p, handle, &to, 60000);
    holds(result == HF_ERR_NO_RESOURCES || result == HF_ERR_WOULD_BLOCK);
    struct seen *seen;
    peer_pump(p);
    while ((seen = peer_any(p)) != NULL)
        peer_taken(p, seen);
    nothing_is_held(p);
    holds_equal(sends_to(p, handle, &to, 60000), 60000);
}

/* RFC 768: no checksum with IPv4; RFC 8200 8.1: never with IPv6.  Port 0 is nobody's. */
TEST(a_datagram_without_a_checksum_is_ipv4_s_alone_and_none_is_for_port_0)
{
    static uint8_t payload[ROOM];
    hf_handle handle = socket_on(p, HERE);
    uint32_t len = make_datagram(p, payload, 40000);
    put_be16(payload + 6, 0);
    for (uint32_t from = 0; from < len; from += 1448)
        sends_fragment(p, WIRE_PROTO_UDP, payload, from, min_u32(from + 1448, len),
                       from + 1448 < len);
    holds_equal(receives(p, handle, ROOM), p->v6 ? HF_ERR_WOULD_BLOCK : 40000);
    holds_equal(verdicts(p, HF_V_DROP_UDP_CHECKSUM), p->v6 ? 1 : 0);
    len = make_datagram(p, payload, 20);
    put_be16(payload + 2, 0);
    struct wire_ip ip = ip_in(p, WIRE_PROTO_UDP);
    wire_set_udp_checksum(payload, &ip, csum_add(0, payload + 8, 20), 20);
    peer_ip(p, WIRE_PROTO_UDP, payload, len);
    holds_equal(verdicts(p, HF_V_DROP_PORT_ZERO), 1);
    expects_silence();
}

TEST(a_socket_that_closes_takes_what_waits_in_it_and_around_it_along)
{
    static uint8_t payload[2000];
    hf_handle handle = socket_on(p, HERE), other = socket_on(p, HERE + 1);
    uint32_t len = make_datagram(p, payload, 1000);
    for (int i = 0; i < 5; i++)
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
    struct hf_endpoint to = peer_there(p, THERE);
    while (sends_to(p, handle, &to, 10) == 10) {
    }
    calls(hf_release(p->stack, &p->env, handle)); /* events, datagrams, and a wish to write */
    struct seen *seen;
    peer_pump(p);
    while ((seen = peer_any(p)) != NULL)
        peer_taken(p, seen);
    nothing_is_held(p);
    struct hf_event event[8];
    uint32_t n = hf_events(p->stack, &p->env, event, 8);
    for (uint32_t i = 0; i < n; i++)
        holds(event[i].handle != handle);
    calls(sends_to(p, other, &to, 10));
    seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
}

/* hf_config.max_packets: half is for what is unread, of which nobody may have all. */
TEST(a_socket_that_nobody_reads_takes_no_room_from_others_nor_from_what_is_sent)
{
    static uint8_t payload[200];
    p->config.max_packets = 32;
    hf_handle slow = socket_on(p, HERE), other;
    struct hf_endpoint here = peer_here(p, HERE + 1), there = peer_there(p, THERE);
    uint32_t len = make_datagram(p, payload, 20);
    for (int i = 0; i < 64; i++)
        peer_ip(p, WIRE_PROTO_UDP, payload, len);
    holds_equal(verdicts(p, HF_V_DATAGRAM), 8);
    calls(hf_udp_open(p->stack, &p->env, &here, &other));
    holds_equal(sends_to(p, other, &there, 20), 20);
    peer_taken(p, peer_take(p, WIRE_PROTO_UDP));
    there.port = HERE + 1;
    memcpy(there.ip, p->stack_ip, 16);
    for (int i = 0; i < 5; i++) { /* to ourselves */
        holds_equal(sends_to(p, other, &there, 20), 20);
        peer_pump(p);
    }
    for (int i = 0; i < 4; i++)
        holds_equal(receives(p, other, 100), 20);
    holds_equal(receives(p, other, 100), HF_ERR_WOULD_BLOCK); /* the fifth found no room */
    for (int i = 0; i < 8; i++)
        holds_equal(receives(p, slow, 100), 20);
    calls(hf_release(p->stack, &p->env, slow));
}

/* HF_WRITABLE: "true when read". */
TEST(a_socket_is_writable_once_a_datagram_finds_room_again)
{
    p->config.max_packets = 8; /* two of them for ARP and ND */
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    struct hf_event event;
    struct hf_frame_out frame;
    while (sends_to(p, handle, &to, 10) == 10) {
    }
    hf_events(p->stack, &p->env, &event, 1); /* it could write in the beginning */
    struct stack st;                         /* one more than datagrams may have */
    stack_look(&st, p->stack, &p->env);
    uint32_t more = stack_packet_new(&st, false);
    holds(more != 0);
    holds_equal(hf_output(p->stack, &p->env, &frame, 1), 1); /* its record is free again */
    hf_output_done(p->stack, &p->env, frame.token);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 0);
    holds_equal(sends_to(p, handle, &to, 10), HF_ERR_WOULD_BLOCK);
    stack_packet_free(&st, more);
    holds_equal(hf_events(p->stack, &p->env, &event, 1), 1);
    holds(event.bits & HF_WRITABLE);
    holds_equal(sends_to(p, handle, &to, 10), 10);
    struct seen *seen;
    peer_pump(p);
    while ((seen = peer_any(p)) != NULL)
        peer_taken(p, seen);
}

/* hf_error_report: half as many as connections and sockets, the oldest gives way. */
TEST(four_errors_are_kept_for_three_connections_and_five_sockets)
{
    hf_handle handle[5];
    struct hf_icmp_report report;
    p->config.max_connections = p->config.max_active = 3;
    p->config.max_udp = 5;
    for (int i = 0; i < 5; i++) {
        handle[i] = socket_on(p, (uint16_t)(HERE + i));
        struct hf_endpoint nobody = peer_here(p, HERE + 10);
        calls(sends_to(p, handle[i], &nobody, 1));
        peer_pump(p);
    }
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, handle[0], &report));
    for (int i = 1; i < 5; i++)
        calls(hf_error_report(p->stack, handle[i], &report));
}

/* As with listeners: 0.0.0.0 is of IPv4 alone, and another socket may have the port in IPv6. */
TEST(a_socket_of_any_ipv4_address_has_nothing_of_ipv6)
{
    static uint8_t payload[100];
    starts();
    struct hf_endpoint any4 = {.ip = {[10] = 0xff, 0xff}, .port = HERE}, here = peer_here(p, HERE);
    struct hf_endpoint any = {.port = HERE}, to = peer_there(p, THERE);
    hf_handle handle, other;
    calls(hf_udp_open(p->stack, &p->env, &any4, &handle));
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &any, &other));
    refuses(HF_ERR_EXISTS, hf_udp_open(p->stack, &p->env, &any4, &other));
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 10));
    peer_forget(p); /* nobody is there, in IPv6 */
    int64_t result = hf_udp_recv(p->stack, &p->env, handle, NULL, NULL, got, 100);
    holds_equal(result, p->v6 ? HF_ERR_WOULD_BLOCK : 10);
    result = hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 10);
    holds_equal(result, p->v6 ? HF_ERR_INVALID : 10);
    result = hf_udp_open(p->stack, &p->env, &here, &other);
    holds_equal(result, p->v6 ? HF_OK : HF_ERR_EXISTS);
}

/* RFC 8200 8.1: with IPv6 there must be one, whatever the device says of it. */
TEST(a_datagram_without_a_checksum_is_one_of_ipv4)
{
    static uint8_t udp[100], packet[200];
    (void)socket_on(p, HERE);
    uint32_t len = make_datagram(p, udp, 20);
    memset(udp + 6, 0, 2);
    struct hf_frame_in frame = {.data = packet, .iface = 1, .flags = HF_FRAME_CSUM_OK};
    frame.len = make_packet(p, packet, WIRE_PROTO_UDP, udp, len);
    calls(hf_input(p->stack, &p->env, &frame, 1));
    holds_equal(verdicts(p, p->v6 ? HF_V_DROP_UDP_CHECKSUM : HF_V_DATAGRAM), 1);
}

static void leaves_with_ttl(struct peer *p, hf_handle handle, const uint8_t ip[16], uint8_t ttl)
{
    struct hf_endpoint to = {.port = THERE};
    memcpy(to.ip, ip, 16);
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 10));
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL && seen->ip.ttl == ttl);
    peer_taken(p, seen);
}

/* RFC 1112 6.1, RFC 3493 5.2 */
TEST(a_datagram_to_a_group_stays_on_the_link_unless_it_is_to_go_on)
{
    static const uint8_t group4[16] = {[10] = 0xff, 0xff, 224, 0, 0, 251};
    static const uint8_t group6[16] = {0xff, 2, [15] = 0xfb};
    const uint8_t *group = p->v6 ? group6 : group4;
    p->wild = true;
    hf_handle handle = socket_on(p, HERE);
    calls(hf_set_option(p->stack, &p->env, handle, HF_TOS, 4));
    leaves_with_ttl(p, handle, group, 1);
    leaves_with_ttl(p, handle, p->peer_ip, 64);
    calls(hf_set_option(p->stack, &p->env, handle, HF_TTL, 64));
    leaves_with_ttl(p, handle, group, 64);
}

/* Its datagram was dropped, and by this very host. */
static void hears_of_it(struct peer *p, hf_handle handle)
{
    struct hf_icmp_report report;
    peer_pump(p);
    calls(hf_error_report(p->stack, handle, &report));
    holds_equal(report.error, HF_ERR_HOST_UNREACHABLE);
    holds(report.type == 0 && !report.hard && memcmp(report.from, p->stack_ip, 16) == 0);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, handle, &report));
}

/* RFC 1122 4.1.3.3 */
TEST(a_datagram_without_a_place_for_its_neighbour_is_reported_to_its_socket)
{
    p->wild = p->ethernet = p->ask = true;
    p->config.max_neighbours = 2; /* one of them may be asked for */
    struct hf_icmp_report report;
    hf_handle first = socket_on(p, HERE), second = socket_on(p, HERE + 1);
    struct hf_endpoint to = peer_there(p, THERE);
    calls(sends_to(p, first, &to, 10));
    expects_question(p, false);
    to.ip[15] = 88;
    calls(sends_to(p, second, &to, 10));
    hears_of_it(p, second);
    refuses(HF_ERR_WOULD_BLOCK, hf_error_report(p->stack, first, &report));
    holds_equal(counters_of(p).packets_dropped, 1);
    answers(p, p->peer_mac);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    peer_taken(p, seen);
    nothing_is_held(p);
}

TEST(a_datagram_whose_neighbours_are_never_known_is_reported_to_its_socket)
{
    p->ethernet = p->ask = true;
    p->config.max_neighbours = 0;
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    calls(sends_to(p, handle, &to, 10));
    hears_of_it(p, handle);
    nothing_is_held(p);
}

TEST(a_datagram_whose_route_has_gone_is_reported_to_its_socket)
{
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, THERE);
    to.ip[p->v6 ? 5 : 13] ^= 0x77;
    calls(hf_route_add(p->stack, &p->env, 1, to.ip, p->v6 ? 64 : 24, p->peer_ip));
    p->batching = true; /* nothing leaves yet */
    holds_equal(sends_to(p, handle, &to, 10), 10);
    holds_equal(hf_route_remove(p->stack, &p->env, 1, to.ip, p->v6 ? 64 : 24), HF_OK);
    p->batching = false;
    hears_of_it(p, handle);
    nothing_is_held(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_socket_of_any_ipv4_address_has_nothing_of_ipv6),
        ON_BOTH(a_socket_that_cannot_be_is_refused),
        ON_BOTH(a_socket_that_nobody_reads_takes_no_room_from_others_nor_from_what_is_sent),
        ON_BOTH(a_socket_is_writable_once_a_datagram_finds_room_again),
        ON_BOTH(a_datagram_that_cannot_be_is_refused),
        ON_BOTH(the_sender_s_address_is_the_one_asked_for_and_must_be_ours),
        ON_BOTH(a_datagram_is_cut_to_the_room_and_tells_its_length_and_both_ends),
        ON_BOTH(a_socket_with_an_address_gets_its_datagrams_before_one_without),
        ON_BOTH(a_port_that_is_left_to_the_stack_is_in_the_policy_s_range_until_there_is_none),
        ON_BOTH(four_errors_are_kept_for_three_connections_and_five_sockets),
        BOTH(a_datagram_to_ourselves_arrives_or_is_told_to_be_unreachable),
        ON_BOTH(a_datagram_that_payload_memory_has_no_room_for_is_refused_and_nothing_is_kept),
        ON_BOTH(a_datagram_without_a_checksum_is_ipv4_s_alone_and_none_is_for_port_0),
        ON_BOTH(a_socket_that_closes_takes_what_waits_in_it_and_around_it_along),
        ON_BOTH(a_datagram_without_a_checksum_is_one_of_ipv4),
        ON_BOTH(a_datagram_to_a_group_stays_on_the_link_unless_it_is_to_go_on),
        ON_BOTH(a_datagram_without_a_place_for_its_neighbour_is_reported_to_its_socket),
        ON_BOTH(a_datagram_whose_neighbours_are_never_known_is_reported_to_its_socket),
        ON_BOTH(a_datagram_whose_route_has_gone_is_reported_to_its_socket),
    };
    return cmocka_run_group_tests_name("udp sockets", tests, NULL, NULL);
}
