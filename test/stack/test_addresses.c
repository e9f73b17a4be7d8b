/* RFC 9293 sections 3.9.1.1 and 3.9.2: local addresses of opens and listeners, IP options, and what
 * an interface's MTU makes of the MSS.
 */
#include "common/peer.h"

#include <string.h>

#include "base/bytes.h"

enum { PORT = 8000 };

/* The same network with another host number; another network. */
static void address(const struct peer *p, uint8_t ip[16], uint8_t subnet, uint8_t host)
{
    memcpy(ip, p->stack_ip, 16);
    if (subnet)
        ip[p->v6 ? 7 : 13] = subnet;
    ip[15] = host;
}

/* A second interface, with this address of the stack. */
static void second_interface(struct peer *p, uint32_t mtu, uint8_t ours[16])
{
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = mtu};
    address(p, ours, 7, 1);
    holds_equal(hf_interface_add(p->stack, &p->env, &iface), 2);
    calls(hf_address_add(p->stack, &p->env, 2, ours, p->v6 ? 64 : 24));
}

static hf_handle open_to(struct peer *p, const struct hf_endpoint *local, const uint8_t to[16])
{
    hf_handle handle;
    struct hf_endpoint remote = {.port = 4000};
    memcpy(remote.ip, to, 16);
    calls(hf_open(p->stack, &p->env, local, &remote, 0, &handle));
    peer_pump(p);
    return handle;
}

/* The SYN that left: by which interface, from which address, with which MSS. */
static void expects_syn_by(struct peer *p, int iface, const uint8_t from[16], int mss)
{
    struct seen *seen = peer_any(p);
    holds(seen != NULL && seen->is_tcp);
    holds_equal(seen->seg.ctl, SYN);
    holds_equal(seen->iface, iface);
    holds(memcmp(seen->ip.src, from, 16) == 0);
    holds_equal(seen->seg.opt.mss, mss);
    peer_taken(p, seen);
}

/* MUST-44, MUST-67, SHLD-6: each interface has one MTU, and the MSS is made of it.  RFC1191-8 */
TEST(an_open_takes_address_and_mss_from_the_interface_that_the_route_names)
{
    uint8_t ours[16], there[16];
    p->wild = true;
    starts();
    second_interface(p, 1400, ours);
    address(p, there, 7, 2);
    open_to(p, NULL, p->peer_ip);
    expects_syn_by(p, 1, p->stack_ip, 1460);
    open_to(p, NULL, there);
    expects_syn_by(p, 2, ours, p->v6 ? 1340 : 1360);
}

/* MUST-43 */
TEST(an_open_from_an_address_of_the_callers_leaves_with_it)
{
    uint8_t ours[16], wrong[16];
    struct hf_endpoint local = {.port = PORT};
    hf_handle handle;
    p->wild = true;
    starts();
    second_interface(p, 1500, ours);
    memcpy(local.ip, ours, 16);
    open_to(p, &local, p->peer_ip);
    expects_syn_by(p, 1, ours, 1460);
    address(p, wrong, 9, 9);
    memcpy(local.ip, wrong, 16);
    struct hf_endpoint remote = peer_there(p, 4000);
    refuses(HF_ERR_NO_ADDRESS, hf_open(p->stack, &p->env, &local, &remote, 0, &handle));
}

/* MUST-43 */
TEST(a_listener_of_one_address_is_not_found_at_another)
{
    uint8_t ours[16];
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    hf_handle listener;
    starts();
    second_interface(p, 1500, ours);
    memcpy(listen.local.ip, ours, 16);
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    p->c->stack_port = PORT;
    sends(SYN, .seq = IRS);
    expects(RST | ACK, .seq = ZERO, .ack = IRS + 1);
}

/* MUST-45: the route changes, the address stays. */
TEST(a_connection_keeps_its_address_when_its_route_changes)
{
    uint8_t ours[16];
    p->wild = true;
    establish_active();
    second_interface(p, 1500, ours);
    writes(100);
    expects(ACK, .len = 100);
    sends(ACK);
    calls(hf_route_add(p->stack, &p->env, 2, p->peer_ip, p->v6 ? 128 : 32, NULL));
    writes(100);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL);
    holds_equal(seen->iface, 2);
    holds_equal(seen->seg.text_len, 100);
    holds(memcmp(seen->ip.src, p->stack_ip, 16) == 0);
    peer_taken(p, seen);
}

/* MUST-41, MUST-42 */
TEST(listening_on_a_port_changes_nothing_for_connections_of_that_port)
{
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4, .local.port = PORT};
    struct hf_endpoint local = {.port = PORT};
    hf_handle listener;
    starts();
    p->c->stack_port = PORT;
    p->c->peer_port = 4000;
    open_to(p, &local, p->peer_ip); /* SYN-SENT */
    expects(SYN);
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    on(1); /* another peer's SYN, SYN-RECEIVED */
    p->c->stack_port = PORT;
    sends(SYN, .seq = IRS);
    expects(SYN | ACK, .ack = IRS + 1);
    calls(hf_close(p->stack, &p->env, listener));
    on(0);
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1);
    expects(ACK, .ack = IRS + 1);
    calls(hf_close(p->stack, &p->env, listener));
    calls(hf_listen(p->stack, &p->env, &listen, &listener));
    sends(ACK, .len = 10);
    expects(ACK, .ack = IRS + 11);
}

/* IPv4 options ----------------------------------------------------------------------------------
 */

static void sends_syn_with_ip_options(struct peer *p, const uint8_t options[8])
{
    uint8_t packet[28 + 20] = {0x47, 0, 0, sizeof packet, 0, 1, 0x40, 0, 64, WIRE_PROTO_TCP};
    struct segment seg = {.ctl = SYN,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port,
                          .seq = seq(p->c->irs),
                          .wnd = 65535};
    struct wire_ip ip = {.version = 4};
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    memcpy(packet + 12, p->peer_ip + 12, 4);
    memcpy(packet + 16, p->stack_ip + 12, 4);
    memcpy(packet + 20, options, 8);
    put_be16(packet + 10, csum_finish(csum_add(0, packet, 28)));
    wire_put_tcp(packet + 28, &seg);
    wire_set_tcp_checksum(packet + 28, 20, &ip, 0, 0);
    peer_frame(p, packet, sizeof packet);
}

/* MUST-50; MAY-10, MAY-11: timestamps and record route are let be, like any other. */
TEST(ip_options_that_say_nothing_to_tcp_are_ignored)
{
    static const uint8_t options[][8] = {
        {148, 4, 0, 0, 30, 4, 1, 2},       /* router alert, an unknown one */
        {7, 7, 4, 0, 0, 0, 0, 0},          /* record route                 */
        {68, 8, 5, 0, 0, 0, 0, 0},         /* timestamp                    */
        {1, 1, 1, 0, 0xff, 0xff, 0xff, 0}, /* what stands behind the end   */
    };
    listens();
    for (int i = 0; i < 4; i++) {
        on(i);
        sends_syn_with_ip_options(p, options[i]);
        expects(SYN | ACK, .ack = IRS + 1);
    }
}

/* MUST-53, SHLD-24 as ruled (RFC 7126 4.3, 4.4): a source route is no way back to follow. */
TEST(a_packet_with_a_source_route_is_dropped)
{
    static const uint8_t loose[8] = {131, 7, 8, 10, 0, 0, 9, 0};
    static const uint8_t strict[8] = {137, 7, 8, 10, 0, 0, 9, 0};
    listens();
    sends_syn_with_ip_options(p, loose);
    sends_syn_with_ip_options(p, strict);
    expects_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_open_takes_address_and_mss_from_the_interface_that_the_route_names),
        BOTH(an_open_from_an_address_of_the_callers_leaves_with_it),
        BOTH(a_listener_of_one_address_is_not_found_at_another),
        BOTH(a_connection_keeps_its_address_when_its_route_changes),
        BOTH(listening_on_a_port_changes_nothing_for_connections_of_that_port),
        V4(ip_options_that_say_nothing_to_tcp_are_ignored),
        V4(a_packet_with_a_source_route_is_dropped),
    };
    return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
