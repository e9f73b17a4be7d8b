/* test_scopes.c - addresses that mean something on this host or on one link only: loopback (RFC
 * 1122 3.2.1.3 (g), RFC 4291 2.5.3), link-local (RFC 4007), the limited broadcast.
 */
#include "common/link.h"
#include "common/packets.h"

#include <string.h>

enum { PORT = 99 };

/* 127.0.0.1, ::1 */
static void loopback(const struct peer *p, uint8_t ip[16])
{
    memset(ip, 0, 16);
    ip[15] = 1;
    if (!p->v6)
        wire_from_v4(ip, (const uint8_t[4]){127, 0, 0, 1});
}

#define ON_6(name)                                                                                 \
    {                                                                                              \
#name ", IPv6", name, packets_setup6, peer_teardown, NULL                                  \
    }

#define ON_4(name)                                                                                 \
    {                                                                                              \
#name, name, packets_setup4, peer_teardown, NULL                                           \
    }

static uint32_t host_bits(const struct peer *p)
{
    return p->v6 ? 128 : 32;
}

static uint32_t link_bits(const struct peer *p)
{
    return p->v6 ? 64 : 24;
}

static struct hf_endpoint end_of(const uint8_t ip[16], uint16_t port, uint16_t iface)
{
    struct hf_endpoint end = {.port = port, .iface = iface};
    memcpy(end.ip, ip, 16);
    return end;
}

static int opens_from(struct peer *p, struct hf_endpoint from, struct hf_endpoint to)
{
    hf_handle handle;
    return hf_open(p->stack, &p->env, &from, &to, 0, &handle);
}

/* RFC1122-4, RFC 4291 2.5.3 */
TEST(nothing_leaves_from_a_loopback_address)
{
    uint8_t ours[16];
    starts();
    loopback(p, ours);
    struct hf_endpoint from = end_of(ours, 777, 0), to = peer_there(p, PORT);
    calls(hf_address_add(p->stack, &p->env, 1, ours, host_bits(p)));
    refuses(HF_ERR_NET_UNREACHABLE, opens_from(p, from, to));
    hf_handle bound, any = socket_on(p, HERE);
    calls(hf_udp_open(p->stack, &p->env, &from, &bound));
    refuses(HF_ERR_NET_UNREACHABLE, hf_udp_send(p->stack, &p->env, bound, NULL, &to, data, 1));
    refuses(HF_ERR_NET_UNREACHABLE, hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1));
    expects_silence();
    to = peer_here(p, HERE); /* this host */
    calls(hf_udp_send(p->stack, &p->env, bound, NULL, &to, data, 1));
    holds_equal(hf_udp_recv(p->stack, &p->env, any, NULL, NULL, got, ROOM), 1);
}

/* RFC1122-4: an address that is ours no more is on a link again. */
TEST(nothing_leaves_from_a_loopback_address_when_the_other_end_is_ours_no_more)
{
    uint8_t ours[16], second[16];
    starts();
    loopback(p, ours);
    memcpy(second, p->stack_ip, 16);
    second[15] = 77;
    calls(hf_address_add(p->stack, &p->env, 1, ours, host_bits(p)));
    calls(hf_address_add(p->stack, &p->env, 1, second, link_bits(p)));
    struct hf_endpoint from = end_of(ours, 777, 0), to = end_of(second, PORT, 0);
    hf_handle handle, socket;
    calls(hf_udp_open(p->stack, &p->env, &from, &socket));
    p->batching = true; /* nothing leaves yet */
    holds_equal(hf_open(p->stack, &p->env, &from, &to, 0, &handle), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, socket, NULL, &to, data, 1), 1);
    holds_equal(hf_address_remove(p->stack, &p->env, 1, second), HF_OK);
    p->batching = false;
    expects_silence();
}

/* Nor from an address to itself: on a link that would be somebody else's (RFC 1122 3.2.1.3). */
TEST(nothing_leaves_for_its_own_source_once_that_is_ours_no_more)
{
    starts();
    hf_handle handle, socket = socket_on(p, HERE);
    struct hf_endpoint to = peer_here(p, HERE), from = peer_here(p, 778);
    uint8_t second[16];
    memcpy(second, p->stack_ip, 16);
    second[15] = 77; /* the link's route stays */
    calls(hf_address_add(p->stack, &p->env, 1, second, link_bits(p)));
    p->batching = true; /* nothing leaves yet */
    holds_equal(hf_open(p->stack, &p->env, &from, &to, 0, &handle), HF_OK);
    holds_equal(hf_udp_send(p->stack, &p->env, socket, &from, &to, data, 1), 1);
    holds_equal(hf_address_remove(p->stack, &p->env, 1, p->stack_ip), HF_OK);
    p->batching = false;
    expects_silence();
}

/* RFC6724-1: rule 1 of RFC 6724 5 has no exception, and there may be no other address. */
TEST(from_this_host_to_a_loopback_address_of_ours_the_source_is_that_address)
{
    uint8_t ours[16];
    hf_handle handle;
    struct hf_status status = {.struct_size = sizeof status};
    starts();
    loopback(p, ours);
    struct hf_endpoint to = end_of(ours, PORT, 0);
    calls(hf_address_add(p->stack, &p->env, 1, ours, host_bits(p)));
    for (int i = 0; i < 2; i++) {
        p->batching = true; /* or it would be refused */
        holds_equal(hf_open(p->stack, &p->env, NULL, &to, 0, &handle), HF_OK);
        holds_equal(hf_status(p->stack, &p->env, handle, &status), HF_OK);
        p->batching = false;
        holds(memcmp(status.local.ip, ours, 16) == 0);
        if (i == 0)
            calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip));
    }
}

/* Two links on which the stack is fe80::1, and fe80::7 on the second alone. */
static const uint8_t both[16] = {0xfe, 0x80, [15] = 1}, second[16] = {0xfe, 0x80, [15] = 7};
static const uint8_t theirs[16] = {0xfe, 0x80, [15] = 9};

static void two_links(struct peer *p)
{
    struct hf_interface more = {.struct_size = sizeof more, .link = HF_LINK_IP, .mtu = 1500};
    p->wild = true;
    starts();
    holds_equal(hf_interface_add(p->stack, &p->env, &more), 2);
    calls(hf_address_add(p->stack, &p->env, 1, both, 64));
    calls(hf_address_add(p->stack, &p->env, 2, both, 64));
    calls(hf_address_add(p->stack, &p->env, 2, second, 64));
}

/* Where the only packet left by. */
static void expects_by(struct peer *p, uint16_t iface, const uint8_t src[16])
{
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->iface == iface && memcmp(seen->ip.src, src, 16) == 0);
    peer_taken(p, seen);
    expects_silence();
}

/* RFC 4007 6: an address of one link and one of another are no pair. */
TEST(a_connection_is_between_two_addresses_of_one_link)
{
    two_links(p);
    refuses(HF_ERR_INVALID, opens_from(p, end_of(both, 0, 2), end_of(theirs, PORT, 1)));
    refuses(HF_ERR_INVALID, opens_from(p, end_of((uint8_t[16]){0}, 0, 2), end_of(theirs, PORT, 1)));
    refuses(HF_ERR_INVALID, opens_from(p, end_of(second, 0, 2), peer_there(p, PORT)));
    refuses(HF_ERR_NO_ADDRESS, opens_from(p, end_of(second, 0, 0), end_of(theirs, PORT, 1)));
    expects_silence();
    calls(opens_from(p, end_of(second, 0, 0), end_of(theirs, PORT, 2)));
    expects_by(p, 2, second);
    calls(opens_from(p, end_of(both, 0, 1), end_of(theirs, PORT, 0)));
    expects_by(p, 1, both);
}

/* RFC 4007 6 */
TEST(a_datagram_is_between_two_addresses_of_one_link)
{
    two_links(p);
    struct hf_endpoint from = end_of(both, 0, 2), to = end_of(theirs, PORT, 1);
    hf_handle bound, any = socket_on(p, HERE);
    refuses(HF_ERR_INVALID, hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1));
    from = end_of(second, 0, 0);
    refuses(HF_ERR_NO_ADDRESS, hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1));
    from = end_of(second, PORT, 2);
    calls(hf_udp_open(p->stack, &p->env, &from, &bound));
    refuses(HF_ERR_INVALID, hf_udp_send(p->stack, &p->env, bound, NULL, &to, data, 1));
    from = end_of(both, 0, 1);
    refuses(HF_ERR_INVALID, hf_udp_send(p->stack, &p->env, bound, &from, &to, data, 1));
    expects_silence();
    from = end_of(both, 0, 1);
    calls(hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1));
    expects_by(p, 1, both);
    to.iface = 0; /* the socket's */
    calls(hf_udp_send(p->stack, &p->env, bound, NULL, &to, data, 1));
    expects_by(p, 2, second);
}

/* Somebody far away, whose way back is by the first link; sometimes by the second one, too. */
static const uint8_t far[16] = {0x20, 1, 0x0d, 0xb8, 9, [15] = 9};

static void two_links_and_ways(struct peer *p, bool second_too)
{
    static const uint8_t anywhere[16];
    two_links(p);
    calls(hf_route_add(p->stack, &p->env, 1, anywhere, 0, p->peer_ip));
    if (second_too)
        calls(hf_route_add(p->stack, &p->env, 2, anywhere, 0, theirs));
}

/* From far away to the address of the second link alone, by it. */
static void comes_from_far(struct peer *p, uint8_t proto, const uint8_t *payload, uint32_t len)
{
    static uint8_t packet[200];
    struct wire_ip ip = ip_in(p, proto);
    memcpy(ip.src, far, 16);
    memcpy(ip.dst, second, 16);
    struct hf_frame_in frame = {.data = packet, .iface = 2};
    frame.len = make_packet_of(packet, ip, payload, len);
    calls(hf_input(p->stack, &p->env, &frame, 1));
    peer_pump(p);
}

static void icmp_from_far(struct peer *p, uint8_t type, const void *body, uint32_t len)
{
    uint8_t message[100];
    struct wire_ip ip = {.version = 6};
    struct wire_icmp icmp = {.version = 6, .type = type};
    memcpy(ip.src, far, 16);
    memcpy(ip.dst, second, 16);
    wire_put_icmp(message, &icmp);
    memcpy(message + 8, body, len);
    wire_set_icmp_checksum(message, 8 + len, &ip);
    comes_from_far(p, WIRE_PROTO_ICMPV6, message, 8 + len);
}

static void segment_from_far(struct peer *p, struct segment seg)
{
    uint8_t tcp[60];
    struct wire_ip ip = {.version = 6};
    memcpy(ip.src, far, 16);
    memcpy(ip.dst, second, 16);
    seg.sport = PORT;
    seg.dport = p->c->stack_port;
    seg.wnd = 1000;
    comes_from_far(p, WIRE_PROTO_TCP, tcp, make_segment(&ip, tcp, &seg, NULL, 0));
}

/* RFC 4007 6, 9 */
TEST(what_is_from_a_link_local_address_leaves_by_no_other_link)
{
    two_links_and_ways(p, false);
    icmp_from_far(p, ICMP6_ECHO, data, 8);
    expects_silence();
    segment_from_far(p, (struct segment){.seq = seq(1000), .ctl = SYN}); /* no reset */
    expects_silence();
    listens();
    segment_from_far(p, (struct segment){.seq = seq(1000), .ctl = SYN});
    expects_silence();
}

TEST(what_came_to_a_link_local_address_is_answered_by_its_link)
{
    hf_handle child;
    two_links_and_ways(p, true);
    icmp_from_far(p, ICMP6_ECHO, data, 8);
    expects_by(p, 2, second);
    segment_from_far(p, (struct segment){.seq = seq(1000), .ctl = SYN});
    expects_by(p, 2, second); /* a reset */
    listens();
    segment_from_far(p, (struct segment){.seq = seq(1000), .ctl = SYN});
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->iface == 2 && memcmp(seen->ip.src, second, 16) == 0);
    seq_t iss = seen->seg.seq;
    peer_taken(p, seen);
    segment_from_far(p, (struct segment){.seq = seq(1001), .ack = seq_add(iss, 1), .ctl = ACK});
    calls(hf_accept(p->stack, &p->env, p->listener, &child, NULL));
}

/* The way there changes to the other link while it waits to be sent. */
static void way_changes(struct peer *p)
{
    static const uint8_t anywhere[16];
    calls(hf_route_remove(p->stack, &p->env, 2, anywhere, 0));
    calls(hf_route_add(p->stack, &p->env, 1, anywhere, 0, p->peer_ip));
}

/* RFC 4007 6 */
TEST(a_connection_from_a_link_local_address_leaves_by_no_other_link)
{
    static const uint8_t anywhere[16];
    two_links(p);
    calls(hf_route_add(p->stack, &p->env, 2, anywhere, 0, theirs));
    calls(opens_from(p, end_of(second, 0, 0), end_of(far, PORT, 0)));
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->iface == 2 && memcmp(seen->ip.src, second, 16) == 0);
    icmp_from_far(p, ICMP6_UNREACHABLE, seen->bytes, 60);
    holds_equal(verdicts(p, HF_V_ICMP_TAKEN), 1);
    peer_taken(p, seen);
    way_changes(p);
    after(10000);
    expects_silence();
}

TEST(a_datagram_from_a_link_local_address_leaves_by_no_other_link)
{
    static const uint8_t anywhere[16];
    two_links(p);
    hf_handle any = socket_on(p, HERE);
    struct hf_endpoint from = end_of(second, 0, 0), to = end_of(far, PORT, 0);
    calls(hf_route_add(p->stack, &p->env, 2, anywhere, 0, theirs));
    calls(hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1));
    expects_by(p, 2, second);
    p->batching = true;
    holds_equal(hf_udp_send(p->stack, &p->env, any, &from, &to, data, 1), 1);
    p->batching = false;
    way_changes(p);
    expects_silence();
}

/* RFC 4007 9: an error about what came to a group is from an address of the link it leaves by. */
TEST(an_error_about_a_packet_to_a_group_leaves_by_the_link_of_its_source)
{
    static const uint8_t anywhere[16], one[16] = {0xfe, 0x80, [15] = 0x11};
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    static const uint8_t option[8] = {59, 0, 0x9e, 4}; /* unknown: tell, also of a group */
    static uint8_t packet[200];
    two_links(p);
    calls(hf_route_add(p->stack, &p->env, 1, anywhere, 0, p->peer_ip));
    calls(hf_address_remove(p->stack, &p->env, 1, p->stack_ip));
    calls(hf_address_remove(p->stack, &p->env, 1, both));
    calls(hf_address_add(p->stack, &p->env, 1, one, 64));
    struct wire_ip ip = ip_in(p, 60);
    memcpy(ip.src, far, 16);
    memcpy(ip.dst, all_nodes, 16);
    struct hf_frame_in frame = {.data = packet, .iface = 2};
    frame.len = make_packet_of(packet, ip, option, sizeof option);
    calls(hf_input(p->stack, &p->env, &frame, 1));
    peer_pump(p);
    expects_by(p, 1, one);
}

/* hf_endpoint.iface: of a link-local address alone. */
TEST(the_endpoint_of_a_global_peer_has_no_interface)
{
    static const uint8_t anywhere[16];
    two_links(p);
    calls(hf_route_add(p->stack, &p->env, 2, anywhere, 0, theirs));
    struct hf_endpoint from = end_of(second, 0, 0), to = end_of(far, PORT, 0);
    calls(hf_open(p->stack, &p->env, &from, &to, 0, &p->c->handle));
    holds_equal(status_of(local.iface), 2);
    holds_equal(status_of(remote.iface), 0);
    peer_forget(p);
}

/* RFC 919 7, RFC 1122 3.3.6: to everybody on the link, by whatever route it is chosen. */
TEST(the_limited_broadcast_goes_to_no_gateway)
{
    static const uint8_t anywhere[16] = {[10] = 0xff, 0xff},
                         all[16] = {[10] = 255, 255, 255, 255, 255, 255};
    p->ethernet = true;
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = end_of(all, PORT, 0);
    calls(hf_route_add(p->stack, &p->env, 1, anywhere, 0, p->peer_ip));
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1));
    struct seen *seen = peer_any(p);
    holds(seen != NULL && memcmp(seen->bytes, everybody, 6) == 0);
    peer_taken(p, seen);
}

/* Another network is on the link of the second interface, as which the stack has this address. */
static void asks_there(struct peer *p, const uint8_t ours[16])
{
    struct hf_interface more = {.struct_size = sizeof more,
                                .link = HF_LINK_ETHERNET,
                                .mtu = 1500,
                                .mac = {2, 9, 9, 9, 9, 9}};
    p->ethernet = p->wild = true;
    hf_handle handle = socket_on(p, HERE);
    struct hf_endpoint to = peer_there(p, PORT);
    to.ip[p->v6 ? 5 : 13] ^= 0x77;
    holds_equal(hf_interface_add(p->stack, &p->env, &more), 2);
    if (ours)
        calls(hf_address_add(p->stack, &p->env, 2, ours, link_bits(p)));
    calls(hf_route_add(p->stack, &p->env, 2, to.ip, link_bits(p), NULL));
    calls(hf_udp_send(p->stack, &p->env, handle, NULL, &to, data, 1));
}

/* RFC 4861 4.3: an address of the interface by which it leaves. */
TEST(a_solicitation_is_from_an_address_of_its_link)
{
    asks_there(p, second);
    struct seen *seen = peer_take(p, WIRE_PROTO_ICMPV6);
    holds(seen != NULL && seen->iface == 2 && memcmp(seen->ip.src, second, 16) == 0);
    peer_taken(p, seen);
}

TEST(where_the_stack_has_no_address_nobody_is_solicited)
{
    asks_there(p, NULL);
    expects_silence();
}

static void expects_arp_from(struct peer *p, const uint8_t ours[16])
{
    struct seen *seen = peer_take(p, 0);
    holds(seen != NULL && seen->iface == 2 && memcmp(seen->bytes + ETH + 14, ours + 12, 4) == 0);
    peer_taken(p, seen);
}

/* RFC 826: who is asked learns the asker's address, which should be one of that link. */
TEST(an_arp_question_is_from_an_address_of_its_link)
{
    static const uint8_t ours[16] = {[10] = 0xff, 0xff, 169, 254, 3, 7};
    asks_there(p, ours);
    expects_arp_from(p, ours);
}

/* A link without an address of its own: the question is from the one that the packet is from. */
TEST(an_arp_question_is_from_another_address_where_there_is_none)
{
    asks_there(p, NULL);
    expects_arp_from(p, p->stack_ip);
}

/* ARP of other_mac, as which the address of asks_there() is known, comes in at the second link. */
static void comes_in_there(struct peer *p, uint16_t op)
{
    static const uint8_t there_mac[6] = {2, 9, 9, 9, 9, 9};
    uint8_t bytes[ETH + WIRE_ARP_BYTES];
    struct wire_eth eth = {.type = WIRE_ETH_ARP};
    struct wire_arp arp = {.op = op};
    memcpy(eth.dst, op == 1 ? everybody : there_mac, 6);
    memcpy(eth.src, other_mac, 6);
    memcpy(arp.sha, other_mac, 6);
    memcpy(arp.spa, p->peer_ip + 12, 4);
    arp.spa[1] ^= 0x77;
    memcpy(arp.tha, there_mac, 6);
    memcpy(arp.tpa, p->stack_ip + 12, 4);
    wire_put_eth(bytes, &eth);
    wire_put_arp(bytes + ETH, &arp);
    struct hf_frame_in frame = {.data = bytes, .len = sizeof bytes, .iface = 2};
    calls(hf_input(p->stack, &p->env, &frame, 1));
    peer_pump(p);
}

static void expects_for_other(struct peer *p, int proto)
{
    struct seen *seen = peer_take(p, proto);
    holds(seen != NULL && seen->iface == 2 && memcmp(seen->bytes, other_mac, 6) == 0);
    peer_taken(p, seen);
    expects_silence();
}

/* RFC826-1: to the address that asked, which is none of that link. */
TEST(an_arp_answer_is_taken_on_a_link_without_an_address)
{
    asks_there(p, NULL);
    expects_arp_from(p, p->stack_ip);
    comes_in_there(p, 2);
    expects_for_other(p, WIRE_PROTO_UDP);
    comes_in_there(p, 1); /* and it finds us, too */
    expects_for_other(p, 0);
}

/* RFC 1122 3.3.4.2: where there is one, no other one is told. */
TEST(an_arp_question_for_an_address_of_another_link_is_not_answered)
{
    static const uint8_t ours[16] = {[10] = 0xff, 0xff, 169, 254, 3, 7};
    asks_there(p, ours);
    expects_arp_from(p, ours);
    comes_in_there(p, 1);
    expects_silence();
}

/* Of two listeners with any address, each of an interface, the one of that by which the SYN came.
 */
TEST(a_listener_of_one_interface_takes_what_comes_in_there)
{
    starts();
    struct hf_interface more = {.struct_size = sizeof more, .link = HF_LINK_IP, .mtu = 1500};
    holds_equal(hf_interface_add(p->stack, &p->env, &more), 2);
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4};
    hf_handle handle[2], child;
    listen.local.port = p->c->stack_port;
    for (uint16_t i = 0; i < 2; i++) {
        listen.local.iface = i + 1;
        calls(hf_listen(p->stack, &p->env, &listen, &handle[i]));
    }
    sends(SYN, .seq = IRS, .mss = 1460);
    expects(SYN | ACK);
    sends(ACK);
    refuses(HF_ERR_WOULD_BLOCK, hf_accept(p->stack, &p->env, handle[1], &child, NULL));
    calls(hf_accept(p->stack, &p->env, handle[0], &child, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(nothing_leaves_from_a_loopback_address),
        ON_BOTH(nothing_leaves_from_a_loopback_address_when_the_other_end_is_ours_no_more),
        ON_BOTH(nothing_leaves_for_its_own_source_once_that_is_ours_no_more),
        ON_BOTH(from_this_host_to_a_loopback_address_of_ours_the_source_is_that_address),
        ON_6(a_connection_is_between_two_addresses_of_one_link),
        ON_6(a_datagram_is_between_two_addresses_of_one_link),
        ON_6(what_is_from_a_link_local_address_leaves_by_no_other_link),
        ON_6(what_came_to_a_link_local_address_is_answered_by_its_link),
        ON_6(a_connection_from_a_link_local_address_leaves_by_no_other_link),
        ON_6(a_datagram_from_a_link_local_address_leaves_by_no_other_link),
        ON_6(an_error_about_a_packet_to_a_group_leaves_by_the_link_of_its_source),
        ON_6(the_endpoint_of_a_global_peer_has_no_interface),
        ON_4(the_limited_broadcast_goes_to_no_gateway),
        ON_BOTH(a_listener_of_one_interface_takes_what_comes_in_there),
        ON_6(a_solicitation_is_from_an_address_of_its_link),
        ON_6(where_the_stack_has_no_address_nobody_is_solicited),
        ON_4(an_arp_question_is_from_an_address_of_its_link),
        ON_4(an_arp_question_is_from_another_address_where_there_is_none),
        ON_4(an_arp_answer_is_taken_on_a_link_without_an_address),
        ON_4(an_arp_question_for_an_address_of_another_link_is_not_answered),
    };
    return cmocka_run_group_tests_name("scopes", tests, NULL, NULL);
}
