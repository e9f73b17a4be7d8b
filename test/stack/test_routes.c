/* test_routes.c - connections to an address of one's own, routes, source addresses (RFC 1122 3.3.1,
 * RFC 6724 5), lent frames, and frames that are not done. */
#include "common/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { PORT = 5000, TOTAL = 1 << 20 };

static uint8_t text[TOTAL], got[TOTAL];

static void fill_text(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + (i >> 9));
}

static void turn(struct peer *p)
{
    p->env.now_ns += 1000000;
    hf_timeouts(p->stack, &p->env);
    peer_pump(p);
}

/* Writes all of text at one handle and reads it at the other one, half-closes, sees the end. */
static void moves_all(struct peer *p, hf_handle writer, hf_handle reader)
{
    uint64_t sent = 0, read = 0;
    for (int turns = 0; read < sizeof text && turns < 20000; turns++) {
        int64_t n = 0;
        if (sent < sizeof text)
            n = hf_send(p->stack, &p->env, writer, text + sent, sizeof text - sent, 0);
        sent += n > 0 ? (uint64_t)n : 0;
        turn(p);
        while ((n = hf_recv(p->stack, &p->env, reader, got + read, sizeof got - read)) > 0)
            read += (uint64_t)n;
        turn(p);
    }
    holds_equal(read, sizeof text);
    holds(memcmp(text, got, sizeof text) == 0);
}

static enum hf_state state_of(struct peer *p, hf_handle handle)
{
    struct hf_status status = {.struct_size = sizeof status};
    calls(hf_status(p->stack, &p->env, handle, &status));
    return status.state;
}

TEST(a_connection_to_an_address_of_ones_own_makes_no_frame)
{
    starts();
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    hf_handle listener, client, server;
    struct hf_endpoint to = peer_here(p, PORT);
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &client));
    for (int i = 0; i < 10; i++)
        turn(p);
    struct hf_endpoint from;
    calls(hf_accept(p->stack, &p->env, listener, &server, &from));
    holds(memcmp(from.ip, p->stack_ip, 16) == 0);
    holds_equal(state_of(p, client), HF_ESTABLISHED);
    moves_all(p, client, server);
    moves_all(p, server, client);
    calls(hf_close(p->stack, &p->env, client));
    turn(p);
    holds_equal(state_of(p, server), HF_CLOSE_WAIT);
    calls(hf_close(p->stack, &p->env, server));
    for (int i = 0; i < 100; i++)
        turn(p);
    holds_equal(state_of(p, server), HF_CLOSED);
    holds_equal(state_of(p, client), HF_TIME_WAIT);
    expects_silence();
}

/* RFC 9293 3.5, Figure 7, with oneself as the other side. */
TEST(a_connection_with_itself_opens_and_carries_data)
{
    starts();
    hf_handle self;
    struct hf_endpoint here = peer_here(p, PORT);
    calls(hf_open(p->stack, &p->env, &here, &here, 0, &self));
    for (int i = 0; i < 10; i++)
        turn(p);
    holds_equal(state_of(p, self), HF_ESTABLISHED);
    moves_all(p, self, self);
    calls(hf_close(p->stack, &p->env, self));
    for (int i = 0; i < 200; i++)
        turn(p);
    holds_equal(hf_recv(p->stack, &p->env, self, got, 1), 0);
    holds_equal(state_of(p, self), HF_TIME_WAIT);
    expects_silence();
}

TEST(nobody_listening_at_ones_own_address_refuses)
{
    starts();
    hf_handle client;
    struct hf_endpoint to = peer_here(p, PORT);
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &client));
    for (int i = 0; i < 3; i++)
        turn(p);
    struct hf_close_reason reason;
    holds_equal(hf_close_reason(p->stack, client, &reason), HF_ERR_REFUSED);
    expects_silence();
}

TEST(datagrams_reach_a_socket_of_the_same_stack)
{
    starts();
    struct hf_endpoint a = peer_here(p, PORT), b = peer_here(p, PORT + 1), from;
    hf_handle first, second;
    struct hf_icmp_report report;
    calls(hf_udp_open(p->stack, &p->env, &a, &first));
    calls(hf_udp_send(p->stack, &p->env, first, NULL, &b, text, 100));
    turn(p);
    calls(hf_error_report(p->stack, first, &report));
    holds_equal(report.error, HF_ERR_PORT_UNREACHABLE);
    calls(hf_udp_open(p->stack, &p->env, &b, &second));
    calls(hf_udp_send(p->stack, &p->env, first, NULL, &b, text, 60000));
    turn(p);
    holds_equal(hf_udp_recv(p->stack, &p->env, second, &from, NULL, got, sizeof got), 60000);
    holds(memcmp(text, got, 60000) == 0);
    holds(memcmp(&from, &a, sizeof a) == 0);
    expects_silence();
}

/* Routes -------------------------------------------------------------------------------------- */

static void parse(struct peer *p, uint8_t ip[16], uint32_t subnet, uint8_t last)
{
    memcpy(ip, p->peer_ip, 16);
    if (p->v6)
        ip[7] = (uint8_t)subnet;
    else
        ip[13] = (uint8_t)subnet;
    ip[15] = last;
}

/* By which interface, and from which of our addresses, does a datagram to ip leave?  0: none. */
static int leaves_by(struct peer *p, hf_handle socket, const uint8_t ip[16], uint8_t from[16])
{
    struct hf_endpoint to = {.port = 9};
    memcpy(to.ip, ip, 16);
    int64_t result = hf_udp_send(p->stack, &p->env, socket, NULL, &to, text, 1);
    if (result == HF_ERR_NET_UNREACHABLE)
        return 0;
    calls(result);
    struct seen *seen = peer_take(p, WIRE_PROTO_UDP);
    holds(seen != NULL);
    int iface = seen->iface;
    memcpy(from, seen->ip.src, 16);
    peer_taken(p, seen);
    return iface;
}

/* RFC1122-17, RFC6724-1, MUST-44 */
TEST(the_longest_prefix_chooses_interface_and_address)
{
    starts();
    p->wild = true;
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1400};
    struct hf_endpoint any = {.port = PORT};
    uint8_t ours[16], far[16], gateway[16], from[16], nearer[16];
    hf_handle socket;
    uint32_t bits = p->v6 ? 64 : 16;
    parse(p, ours, 7, 1);
    parse(p, far, 9, 9);
    parse(p, nearer, 9, 8);
    parse(p, gateway, 7, 2);
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    calls(hf_address_add(p->stack, &p->env, 2, ours, p->v6 ? 64 : 24));
    refuses(HF_ERR_EXISTS, hf_address_add(p->stack, &p->env, 2, ours, 24));
    holds_equal(leaves_by(p, socket, p->peer_ip, from), 1);
    holds(memcmp(from, p->stack_ip, 16) == 0);
    holds_equal(leaves_by(p, socket, gateway, from), 2);
    holds(memcmp(from, ours, 16) == 0);
    holds_equal(leaves_by(p, socket, far, from), 0);
    calls(hf_route_add(p->stack, &p->env, 1, far, 0, p->peer_ip)); /* the default route */
    refuses(HF_ERR_EXISTS, hf_route_add(p->stack, &p->env, 1, far, 0, p->peer_ip));
    holds_equal(leaves_by(p, socket, far, from), 1);
    calls(hf_route_add(p->stack, &p->env, 2, far, bits, gateway));
    holds_equal(leaves_by(p, socket, far, from), 2);
    holds(memcmp(from, ours, 16) == 0);
    calls(hf_route_add(p->stack, &p->env, 1, nearer, p->v6 ? 128 : 32, p->peer_ip));
    holds_equal(leaves_by(p, socket, nearer, from), 1);
    holds_equal(leaves_by(p, socket, far, from), 2);
    calls(hf_route_remove(p->stack, &p->env, 2, far, bits));
    holds_equal(leaves_by(p, socket, far, from), 1);
    calls(hf_address_remove(p->stack, &p->env, 2, ours));
    refuses(HF_ERR_NO_ADDRESS, hf_address_remove(p->stack, &p->env, 2, ours));
    holds_equal(leaves_by(p, socket, gateway, from), 1);
}

/* RFC1122-4 */
TEST(nothing_leaves_for_the_loopback_network)
{
    starts();
    uint8_t prefix[16] = {0}, loopback[16] = {[15] = 1};
    if (!p->v6) {
        wire_from_v4(prefix, (const uint8_t[4]){0, 0, 0, 0});
        wire_from_v4(loopback, (const uint8_t[4]){127, 0, 0, 1});
    }
    calls(hf_route_add(p->stack, &p->env, 1, prefix, 0, p->peer_ip));
    struct hf_endpoint to = {.port = PORT};
    hf_handle handle;
    memcpy(to.ip, loopback, 16);
    refuses(HF_ERR_NET_UNREACHABLE, hf_open(p->stack, &p->env, NULL, &to, 0, &handle));
    expects_silence();
    to.ip[12] = 9; /* somewhere else */
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, &handle));
}

TEST(arguments_that_cannot_be_are_refused)
{
    starts();
    static const uint8_t group4[16] = {[10] = 0xff, 0xff, 224, 0, 0, 1};
    static const uint8_t group6[16] = {0xff, 2, [15] = 1};
    static const uint8_t any[16];
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 575};
    refuses(HF_ERR_INVALID, hf_interface_add(p->stack, &p->env, &iface));
    iface.mtu = 1000;
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 3, p->peer_ip, 24));
    refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 1, group4, 24));
    refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 1, group6, 64));
    refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 1, any, 64));
    refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 1, p->peer_ip, p->v6 ? 129 : 33));
    refuses(HF_ERR_INVALID, hf_route_add(p->stack, &p->env, 0, p->peer_ip, 8, NULL));
    refuses(HF_ERR_INVALID, hf_route_remove(p->stack, &p->env, 1, p->peer_ip, 8));
    refuses(HF_ERR_INVALID, hf_neighbour_add(p->stack, &p->env, 1, p->peer_ip, p->peer_mac));
    if (p->v6) { /* RFC 8200 5 */
        refuses(HF_ERR_INVALID, hf_address_add(p->stack, &p->env, 2, p->peer_ip, 64));
        refuses(HF_ERR_INVALID, hf_route_add(p->stack, &p->env, 2, p->peer_ip, 128, NULL));
    }
}

/* RFC 4007: the same address means another host on another link. */
TEST(a_link_local_address_needs_its_interface)
{
    starts();
    p->wild = true;
    uint8_t ours[16] = {0xfe, 0x80, [15] = 1}, theirs[16] = {0xfe, 0x80, [15] = 2};
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1400};
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    calls(hf_address_add(p->stack, &p->env, 1, ours, 64));
    calls(hf_address_add(p->stack, &p->env, 2, ours, 64));
    struct hf_endpoint to = {.port = PORT, .iface = 2};
    memcpy(to.ip, theirs, 16);
    hf_handle first, second;
    struct hf_endpoint local = {.port = 4444};
    calls(hf_open(p->stack, &p->env, &local, &to, 0, &first));
    to.iface = 1;
    calls(hf_open(p->stack, &p->env, &local, &to, 0, &second));
    unsigned seen_on = 0;
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL) {
        seen_on |= 1u << seen->iface;
        holds(memcmp(seen->ip.src, ours, 16) == 0 && seen->is_tcp);
        peer_taken(p, seen);
    }
    holds_equal(seen_on, 6);
}

/* Lent frames --------------------------------------------------------------------------------- */

/* A data segment behind the handshake, in lent memory. */
static uint32_t make_segment(struct peer *p, uint8_t *out, uint32_t len)
{
    uint32_t at = p->v6 ? 40 : 20;
    struct wire_ip ip = {.version = p->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    struct segment seg = {.ctl = ACK, .wnd = 65535};
    seg.sport = p->c->peer_port;
    seg.dport = p->c->stack_port;
    seg.seq = seq(peer_number(p, IRS + 1));
    seg.ack = seq(peer_number(p, ISS + 1));
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    ip.total_len = at + 20 + len;
    wire_put_ip(out, &ip);
    wire_put_tcp(out + at, &seg);
    memcpy(out + at + 20, text, len);
    wire_set_tcp_checksum(out + at, 20, &ip, csum_add(0, text, len), len);
    return at + 20 + len;
}

TEST(a_lent_frame_comes_back_when_its_text_has_been_read)
{
    static uint8_t memory[8192];
    struct hf_region region = {memory, sizeof memory};
    p->regions = &region;
    p->n_regions = 1;
    p->wild = true;
    p->with.wscale = 0;
    establish_passive();
    uint64_t tokens[4];
    uint32_t len = make_segment(p, memory + 100, 1000);
    struct hf_frame_in frame = {
        .data = memory + 100, .len = len, .iface = 1, .region = 1, .token = 4711};
    calls(hf_input(p->stack, &p->env, &frame, 1));
    holds_equal(hf_returned(p->stack, &p->env, tokens, 4), 0);
    holds_equal(hf_recv(p->stack, &p->env, p->c->handle, got, sizeof got), 1000);
    holds(memcmp(got, text, 1000) == 0);
    holds_equal(hf_returned(p->stack, &p->env, tokens, 4), 1);
    holds_equal(tokens[0], 4711);
    /* what is of no use comes back at once */
    frame.token = 4712;
    calls(hf_input(p->stack, &p->env, &frame, 1));
    memory[110] ^= 1;
    frame.token = 4713;
    calls(hf_input(p->stack, &p->env, &frame, 1));
    holds_equal(hf_returned(p->stack, &p->env, tokens, 4), 2);
    holds(tokens[0] == 4712 && tokens[1] == 4713);
}

TEST(more_lent_frames_than_can_be_kept_are_all_refused)
{
    static uint8_t memory[8192];
    struct hf_region region = {memory, sizeof memory};
    struct hf_frame_in frames[5];
    p->config.lent_chunks = 4;
    p->regions = &region;
    p->n_regions = 1;
    starts();
    for (int i = 0; i < 5; i++)
        frames[i] = (struct hf_frame_in){
            .data = memory, .len = 60, .iface = 1, .region = 1, .token = (uint64_t)i + 1};
    refuses(HF_ERR_NO_RESOURCES, hf_input(p->stack, &p->env, frames, 5));
    calls(hf_input(p->stack, &p->env, frames, 4));
    uint64_t tokens[8];
    refuses(HF_ERR_NO_RESOURCES, hf_input(p->stack, &p->env, frames, 1));
    holds_equal(hf_returned(p->stack, &p->env, tokens, 8), 4);
    frames[0].data = memory + sizeof memory - 10; /* ends outside */
    refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, frames, 1));
    frames[0].region = 2;
    refuses(HF_ERR_INVALID, hf_input(p->stack, &p->env, frames, 1));
}

/* Frames not done ----------------------------------------------------------------------------- */

TEST(no_more_frames_leave_than_may_be_out)
{
    p->config.max_tokens = 8;
    starts();
    struct hf_endpoint any = {.port = PORT}, to = peer_there(p, PORT);
    struct hf_frame_out out[16];
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    for (int i = 0; i < 12; i++)
        holds_equal(hf_udp_send(p->stack, &p->env, socket, NULL, &to, text + i, 10), 10);
    holds(hf_deadline(p->stack, &p->env) == p->env.now_ns);
    holds_equal(hf_output(p->stack, &p->env, out, 16), 8);
    holds_equal(hf_output(p->stack, &p->env, out + 8, 8), 0);
    holds(hf_deadline(p->stack, &p->env) > p->env.now_ns);
    for (int i = 0; i < 8; i++) {
        holds_equal(out[i].n_slices, 1);
        holds(memcmp(out[i].slice[0].data, text + i, 10) == 0);
    }
    for (int i = 7; i >= 0; i--)
        holds_equal(hf_output_done(p->stack, &p->env, out[i].token), HF_OK);
    holds_equal(hf_output_done(p->stack, &p->env, out[3].token), HF_ERR_INVALID);
    holds(hf_deadline(p->stack, &p->env) == p->env.now_ns);
    holds_equal(hf_output(p->stack, &p->env, out + 8, 8), 4);
    for (int i = 8; i < 12; i++)
        holds_equal(hf_output_done(p->stack, &p->env, out[i].token), HF_OK);
    holds(hf_deadline(p->stack, &p->env) == INT64_MAX);
}

/* RFC 4632 3.1: a prefix may end within an octet; every bit of it counts. */
TEST(a_prefix_that_ends_within_an_octet_counts_to_its_last_bit)
{
    starts();
    p->wild = true;
    struct hf_endpoint any = {.port = PORT};
    uint8_t inside[16], outside[16], from[16];
    hf_handle socket;
    memcpy(inside, p->peer_ip, 16);
    inside[p->v6 ? 7 : 13] = 9;
    inside[14] = 0x85;
    memcpy(outside, inside, 16);
    outside[14] = 0x05;
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    calls(hf_route_add(p->stack, &p->env, 1, inside, p->v6 ? 113 : 17, p->peer_ip));
    holds_equal(leaves_by(p, socket, inside, from), 1);
    holds_equal(leaves_by(p, socket, outside, from), 0);
}

/* RFC 4291 2.3: a prefix may have any length, also that of a site. */
TEST(a_prefix_of_less_than_64_bits_counts_to_its_last_bit)
{
    static const uint32_t lengths[] = {1, 8, 47, 48, 63};
    starts();
    p->wild = true;
    struct hf_endpoint any = {.port = PORT};
    uint8_t inside[16], outside[16], from[16];
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &any, &socket));
    for (unsigned i = 0; i < 5; i++) {
        uint32_t last = lengths[i] - 1;
        memcpy(inside, p->peer_ip, 16);
        inside[7] ^= 1; /* another link */
        memcpy(outside, inside, 16);
        outside[last / 8] ^= (uint8_t)(0x80 >> last % 8);
        calls(hf_route_add(p->stack, &p->env, 1, inside, lengths[i], p->peer_ip));
        holds_equal(leaves_by(p, socket, inside, from), 1);
        holds_equal(leaves_by(p, socket, outside, from), 0);
        calls(hf_route_remove(p->stack, &p->env, 1, inside, lengths[i]));
        holds_equal(leaves_by(p, socket, inside, from), 0);
    }
}

/* A connection from here to here whose text lies in many small chunks. */
static void opens_to_itself(struct peer *p, hf_handle *client, hf_handle *server)
{
    p->config.small_chunk_bytes = 64;
    p->config.small_chunks = 1000;
    p->config.large_chunks = 0;
    starts();
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    hf_handle listener;
    struct hf_endpoint to = peer_here(p, PORT);
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    calls(hf_open(p->stack, &p->env, NULL, &to, 0, client));
    for (int i = 0; i < 10; i++)
        turn(p);
    calls(hf_accept(p->stack, &p->env, listener, server, NULL));
}

/* And the FIN behind it, in the segment that carries both. */
TEST(a_segment_to_oneself_is_whole_however_its_text_lies)
{
    hf_handle client, server;
    opens_to_itself(p, &client, &server);
    holds_equal(hf_send(p->stack, &p->env, client, text, 1000, 0), 1000);
    calls(hf_close(p->stack, &p->env, client));
    turn(p);
    holds_equal(hf_recv(p->stack, &p->env, server, got, sizeof got), 1000);
    holds(memcmp(got, text, 1000) == 0);
    holds_equal(state_of(p, server), HF_CLOSE_WAIT);
    expects_silence();
}

/* RFC 3168 6.1: what is sent as ECT arrives as ECT. */
TEST(a_segment_to_oneself_keeps_its_ecn_codepoint)
{
    hf_handle client, server;
    struct hf_status status = {.struct_size = sizeof status};
    p->config.policy.ecn = HF_ECN_ASK;
    opens_to_itself(p, &client, &server);
    holds_equal(hf_send(p->stack, &p->env, client, text, 1000, 0), 1000);
    turn(p);
    calls(hf_status(p->stack, &p->env, server, &status));
    holds_equal(status.ecn_seen, 1);
}

static int prepare4(void **state)
{
    fill_text();
    return peer_setup4(state);
}

static int prepare6(void **state)
{
    fill_text();
    return peer_setup6(state);
}

#define ON_4(name)                                                                                 \
    {                                                                                              \
#name, name, prepare4, peer_teardown, NULL                                                 \
    }
#define ON_6(name)                                                                                 \
    {                                                                                              \
#name ", IPv6", name, prepare6, peer_teardown, NULL                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_4(a_connection_to_an_address_of_ones_own_makes_no_frame),
        ON_6(a_connection_to_an_address_of_ones_own_makes_no_frame),
        ON_4(a_connection_with_itself_opens_and_carries_data),
        ON_6(a_connection_with_itself_opens_and_carries_data),
        ON_4(nobody_listening_at_ones_own_address_refuses),
        ON_6(nobody_listening_at_ones_own_address_refuses),
        ON_4(datagrams_reach_a_socket_of_the_same_stack),
        ON_6(datagrams_reach_a_socket_of_the_same_stack),
        ON_4(the_longest_prefix_chooses_interface_and_address),
        ON_6(the_longest_prefix_chooses_interface_and_address),
        ON_4(nothing_leaves_for_the_loopback_network),
        ON_6(nothing_leaves_for_the_loopback_network),
        ON_4(arguments_that_cannot_be_are_refused),
        ON_6(arguments_that_cannot_be_are_refused),
        ON_6(a_link_local_address_needs_its_interface),
        ON_4(a_lent_frame_comes_back_when_its_text_has_been_read),
        ON_6(a_lent_frame_comes_back_when_its_text_has_been_read),
        ON_4(more_lent_frames_than_can_be_kept_are_all_refused),
        ON_6(more_lent_frames_than_can_be_kept_are_all_refused),
        ON_4(no_more_frames_leave_than_may_be_out),
        ON_6(no_more_frames_leave_than_may_be_out),
        ON_4(a_prefix_that_ends_within_an_octet_counts_to_its_last_bit),
        ON_6(a_prefix_that_ends_within_an_octet_counts_to_its_last_bit),
        ON_6(a_prefix_of_less_than_64_bits_counts_to_its_last_bit),
        ON_4(a_segment_to_oneself_is_whole_however_its_text_lies),
        ON_6(a_segment_to_oneself_is_whole_however_its_text_lies),
        ON_4(a_segment_to_oneself_keeps_its_ecn_codepoint),
        ON_6(a_segment_to_oneself_keeps_its_ecn_codepoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
