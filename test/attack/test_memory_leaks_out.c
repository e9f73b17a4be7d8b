/* No octet leaves that nobody wrote (CVE-2003-0001, CVE-2020-7451): the same life twice, in memory
 * that held other octets before; all that is sent must be the same.
 */
#include "common/link.h"
#include "common/packets.h"

#include <string.h>

#include "base/bytes.h"

enum { CLOSED_PORT = 4444 };

static uint8_t payload[ROOM];

static void talks_to_datagram_sockets(struct peer *p)
{
    struct hf_endpoint here = {.port = HERE}, there = peer_there(p, THERE);
    hf_handle socket;
    calls(hf_udp_open(p->stack, &p->env, &here, &socket));
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &there, data, 1));
    calls(hf_udp_send(p->stack, &p->env, socket, NULL, &there, data, 5000)); /* in fragments */
    peer_pump(p);
    calls(hf_close(p->stack, &p->env, socket));
    peer_ip(p, WIRE_PROTO_UDP, payload, make_datagram(p, payload, 33)); /* nobody is there */
}

static void is_asked_and_pinged(struct peer *p)
{
    uint8_t type = p->v6 ? ICMP6_ECHO : ICMP4_ECHO;
    asks_as(p, p->peer_ip, p->peer_mac);
    peer_ip(p, icmp_proto(p), payload, make_icmp(p, payload, type, 0, data, 7));
    uint32_t len = make_icmp(p, payload, type, 0, data, 3000);
    for (uint32_t from = 0; from < len; from += 1000)
        sends_fragment(p, icmp_proto(p), payload, from, min_u32(from + 1000, len),
                       from + 1000 < len);
    peer_ip(p, 132, data, 50); /* a protocol that nobody speaks */
    uint8_t strange[16] = {WIRE_PROTO_UDP, 0, 0x85, 4};
    peer_ip(p, 60, strange, sizeof strange); /* IPv6: an option that asks for refusal */
    fragment_ident = 500;
    sends_fragment(p, WIRE_PROTO_UDP, payload, 0, 800, true); /* stays alone */
}

static void opens_and_is_opened(struct peer *p)
{
    listens();
    sends(SYN, .seq = IRS, .mss = 1460, .sackok = true, .wscale = SHIFT(3), .tsval = 7);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1);
    accepts();
    writes(3000);
    sends(ACK, .seq = IRS + 101, .ack = ISS + 1, .len = 100); /* ahead of a gap: SACK */
    sends(ACK, .seq = IRS + 301, .ack = ISS + 1, .len = 100);
    sends(ACK, .seq = IRS + 1, .ack = ISS + 1, .len = 50);
    sends(RST, .seq = IRS + 70, .ack = ISS + 1); /* a challenge */
    sends(SYN, .seq = IRS + 70);
    writes_with(3, HF_SEND_URGENT);
    on(1);
    sends(SYN, .seq = IRS); /* its SYN,ACK goes again */
    on(2);
    p->c->stack_port = CLOSED_PORT;
    sends(SYN, .seq = IRS);
    sends(ACK, .seq = IRS, .ack = 5);
    on(3);
    opens();
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 500);
    writes(10);
    closes();
    sends(FIN | ACK, .seq = IRS + 1, .ack = ISS + 12);
    on(4);
    opens(); /* nobody answers */
    on(0);
}

static void lives(struct peer *p)
{
    p->ethernet = true;
    p->wild = true;
    p->config.policy.ecn = HF_ECN_ASK;
    p->config.policy.accecn = true;
    starts();
    is_asked_and_pinged(p);
    talks_to_datagram_sockets(p);
    opens_and_is_opened(p);
    after(70000);
    aborts();
    after(20000);
}

/* OP-11 */
TEST(what_is_sent_does_not_tell_what_memory_held)
{
    void *state = NULL;
    uint16_t ident = fragment_ident;
    holds((p->v6 ? packets_setup6(&state) : packets_setup4(&state)) == 0);
    struct peer *other = state;
    p->poison = 0xa5;
    other->poison = 0x5a;
    lives(p);
    fragment_ident = ident;
    lives(other);
    holds(p->n_seen > 40);
    holds_equal(p->n_seen, other->n_seen);
    for (uint32_t i = 0; i < p->n_seen; i++) {
        holds_equal(p->seen[i]->len, other->seen[i]->len);
        holds(memcmp(p->seen[i]->bytes, other->seen[i]->bytes, p->seen[i]->len) == 0);
    }
    peer_teardown(&state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_BOTH(what_is_sent_does_not_tell_what_memory_held)};
    return cmocka_run_group_tests_name("leaks", tests, NULL, NULL);
}
