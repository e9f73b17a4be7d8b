/* raw.c - segments of the peer of any form: see raw.h. */
#include "common/raw.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void sends_raw(struct peer *p, const struct raw *raw)
{
    starts();
    uint8_t bytes[60 + 1460] = {0};
    struct segment seg = {.ctl = (uint16_t)raw->ctl,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port,
                          .seq = seq(peer_number(p, raw->seq)),
                          .ack = seq(raw->ctl & ACK ? peer_number(p, raw->ack) : 0),
                          .wnd = 65535};
    wire_put_tcp(bytes, &seg);
    uint32_t header = 20 + (raw->len + 3) / 4 * 4;
    memset(bytes + 20, raw->pad, header - 20);
    memcpy(bytes + 20, raw->options, raw->len);
    bytes[12] = (uint8_t)(header / 4 << 4 | raw->reserved << 1 | (bytes[12] & 1));
    uint32_t first = seg.seq.v - p->c->irs - 1;
    for (uint32_t i = 0; i < raw->text; i++)
        bytes[header + i] = peer_octet(false, first + i);
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    wire_set_tcp_checksum(bytes, header, &ip, csum_add(0, bytes + header, raw->text), raw->text);
    static uint8_t packet[2000];
    sends_packet(p, packet, make_packet(p, packet, WIRE_PROTO_TCP, bytes, header + raw->text));
}

uint32_t make_tcp(struct peer *p, uint8_t *packet, unsigned ctl, int64_t number, int64_t ack,
                  uint32_t text_len)
{
    starts();
    static uint8_t segment[WIRE_MAX_TCP + 65536];
    uint8_t *text = segment + WIRE_MAX_TCP;
    struct wire_ip ip = ip_in(p, WIRE_PROTO_TCP);
    struct segment seg = {.ctl = (uint16_t)ctl,
                          .sport = p->c->peer_port,
                          .dport = p->c->stack_port,
                          .seq = seq(peer_number(p, number)),
                          .ack = seq(ctl & ACK ? peer_number(p, ack) : 0),
                          .wnd = 65535};
    uint32_t first = seg.seq.v - p->c->irs - 1 + !!(ctl & SYN);
    for (uint32_t i = 0; i < text_len; i++)
        text[i] = peer_octet(false, first + i);
    uint32_t at = p->v6 ? 40 : 20;
    ip.total_len = at + make_segment(&ip, packet + at, &seg, text, text_len);
    wire_put_ip(packet, &ip);
    return ip.total_len;
}

void mend_tcp(uint8_t *packet, uint32_t at, uint32_t len)
{
    struct wire_ip ip = {.version = packet[0] >> 4};
    if (ip.version == 6) {
        memcpy(ip.src, packet + 8, 16);
        memcpy(ip.dst, packet + 24, 16);
    } else {
        wire_from_v4(ip.src, packet + 12);
        wire_from_v4(ip.dst, packet + 16);
    }
    put_be16(packet + at + 16, 0);
    csum_t sum = csum_add(wire_pseudo(&ip, WIRE_PROTO_TCP, len), packet + at, len);
    put_be16(packet + at + 16, csum_finish(sum));
}

void sends_packet(struct peer *p, const uint8_t *packet, uint32_t len)
{
    static uint8_t frame[WIRE_MAX_ETH + 70000];
    size_t at = 0;
    if (p->ethernet) {
        struct wire_eth eth = {.type = p->v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4};
        memcpy(eth.dst, p->stack_mac, 6);
        memcpy(eth.src, p->peer_mac, 6);
        at = wire_put_eth(frame, &eth);
    }
    memcpy(frame + at, packet, len);
    peer_frame_guarded(p, frame, (uint32_t)at + len);
}
