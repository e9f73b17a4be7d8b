/* packets.c - packets of the peer: see packets.h. */
#include "stack/packets.h"

#include <string.h>

#include "base/bytes.h"

uint8_t data[ROOM], got[ROOM];
uint16_t fragment_ident = 77;

static void fill_data(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
}

struct wire_ip ip_in(const struct peer *p, uint8_t proto)
{
    struct wire_ip ip = {.version = p->v6 ? 6 : 4, .proto = proto, .ttl = 64, .tos = p->tos};
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    return ip;
}

uint32_t make_datagram(const struct peer *p, uint8_t *out, uint32_t len)
{
    struct wire_ip ip = ip_in(p, WIRE_PROTO_UDP);
    struct wire_udp udp = {.sport = THERE, .dport = HERE, .len = (uint16_t)(8 + len)};
    wire_put_udp(out, &udp);
    memcpy(out + 8, data, len);
    wire_set_udp_checksum(out, &ip, csum_add(0, data, len), len);
    return 8 + len;
}

uint32_t make_icmp(const struct peer *p, uint8_t *out, uint8_t type, uint8_t code, const void *body,
                   uint32_t len)
{
    struct wire_ip ip = ip_in(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP);
    struct wire_icmp icmp = {.version = ip.version, .type = type, .code = code, .rest = 0x12345678};
    wire_put_icmp(out, &icmp);
    memcpy(out + 8, body, len);
    wire_set_icmp_checksum(out, 8 + len, &ip);
    return 8 + len;
}

uint8_t icmp_proto(const struct peer *p)
{
    return p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP;
}

void sends_fragment(struct peer *p, uint8_t proto, const uint8_t *payload, uint32_t from,
                    uint32_t to, bool more)
{
    static uint8_t packet[ROOM];
    struct wire_ip ip = ip_in(p, proto);
    uint32_t extra = p->v6 ? 8 : 0;
    ip.ident = fragment_ident;
    ip.mf = more;
    ip.frag_offset = (uint16_t)from;
    ip.total_len = (p->v6 ? 40 : 20) + extra + to - from;
    ip.proto = p->v6 ? 44 : proto;
    size_t at = wire_put_ip(packet, &ip);
    if (p->v6) {
        packet[at] = proto;
        packet[at + 1] = 0;
        put_be16(packet + at + 2, (uint16_t)(from | (more ? 1 : 0)));
        put_be32(packet + at + 4, fragment_ident);
        at += 8;
    }
    memcpy(packet + at, payload + from, to - from);
    peer_frame(p, packet, (uint32_t)at + to - from);
}

int packets_setup4(void **state)
{
    fill_data();
    return peer_setup4(state);
}

int packets_setup6(void **state)
{
    fill_data();
    return peer_setup6(state);
}
