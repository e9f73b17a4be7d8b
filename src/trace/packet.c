/* packet.c - the decoder of packet.h: any frame, layer by layer, over the wire room. */
#include "handfast/packet.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "trace/text.h"
#include "wire/wire.h"

enum { SERVICE_VLAN = 0x88a8 };

struct cursor {
    const uint8_t *frame;
    size_t len, at;
    struct hf_packet *packet;
};

static void take_options(struct hf_packet *packet, const struct tcp_options *opt)
{
    packet->options = (uint8_t)(opt->present & (HF_OPT_MSS | HF_OPT_WSCALE | HF_OPT_SACK_OK |
                                                HF_OPT_SACK | HF_OPT_TS));
    packet->mss = opt->mss;
    packet->wscale = opt->wscale;
    packet->n_sack = opt->n_sack;
    for (unsigned i = 0; i < opt->n_sack; i++) {
        packet->sack[i][0] = opt->sack[i].left.v;
        packet->sack[i][1] = opt->sack[i].right.v;
    }
    packet->ts_val = opt->ts_val;
    packet->ts_ecr = opt->ts_ecr;
    if (opt->present & OPT_BAD) {
        packet->wrong |= HF_WRONG_TCP_OPTIONS;
    }
}

static uint16_t wrong_of(enum wire_status status)
{
    switch (status) {
    case WIRE_OK:
        return 0;
    case WIRE_SHORT:
        return HF_WRONG_SHORT;
    case WIRE_BAD_CHECKSUM:
        return HF_WRONG_IP_CHECKSUM;
    default:
        return HF_WRONG_FORM;
    }
}

static void take_text(struct cursor *c, size_t header_len, size_t payload_len)
{
    c->packet->text_offset = (uint32_t)(c->at + header_len);
    c->packet->text_bytes = (uint32_t)(payload_len - header_len);
}

static void decode_tcp(struct cursor *c, const struct wire_ip *ip, size_t len)
{
    struct hf_packet *packet = c->packet;
    const uint8_t *p = c->frame + c->at;
    struct segment seg;
    uint16_t wrong = wrong_of(wire_parse_tcp(p, len, &seg));
    packet->wrong |= wrong;
    if (wrong != 0) {
        return;
    }
    packet->layers |= HF_LAYER_TCP;
    packet->src_port = seg.sport;
    packet->dst_port = seg.dport;
    packet->seq = seg.seq.v;
    packet->ack = seg.ack.v;
    packet->len = seg.len;
    packet->ctl = seg.ctl;
    packet->wnd = (uint16_t)seg.wnd;
    packet->up = seg.up;
    take_options(packet, &seg.opt);
    take_text(c, seg.header_len, len);
    if (!wire_tcp_checksum_ok(ip, p, len)) {
        packet->wrong |= HF_WRONG_CHECKSUM;
    }
}

static void decode_udp(struct cursor *c, const struct wire_ip *ip, size_t len)
{
    struct hf_packet *packet = c->packet;
    const uint8_t *p = c->frame + c->at;
    struct wire_udp udp;
    uint16_t wrong = wrong_of(wire_parse_udp(p, len, &udp));
    packet->wrong |= wrong;
    if (wrong != 0) {
        return;
    }
    packet->layers |= HF_LAYER_UDP;
    packet->src_port = udp.sport;
    packet->dst_port = udp.dport;
    take_text(c, WIRE_UDP_BYTES, udp.len);
    if (!wire_udp_checksum_ok(ip, p, udp.len)) {
        packet->wrong |= HF_WRONG_CHECKSUM;
    }
}

static void decode_quote(struct hf_packet *packet, const struct wire_icmp *icmp)
{
    struct wire_quote quote;
    if (!wire_icmp_is_error(icmp) ||
        wire_parse_quote(icmp->body, icmp->body_len, icmp->version, &quote) != WIRE_OK) {
        return;
    }
    packet->layers |= HF_LAYER_QUOTE;
    packet->quote_protocol = quote.proto;
    memcpy(packet->quote_src, quote.src, 16);
    memcpy(packet->quote_dst, quote.dst, 16);
    packet->quote_src_port = quote.has_ports ? quote.sport : 0;
    packet->quote_dst_port = quote.has_ports ? quote.dport : 0;
    packet->quote_seq = quote.has_seq ? quote.seq.v : 0;
}

static void decode_icmp(struct cursor *c, const struct wire_ip *ip, size_t len)
{
    struct hf_packet *packet = c->packet;
    const uint8_t *p = c->frame + c->at;
    struct wire_icmp icmp;
    uint16_t wrong = wrong_of(wire_parse_icmp(p, len, ip->version, &icmp));
    packet->wrong |= wrong;
    if (wrong != 0) {
        return;
    }
    packet->layers |= HF_LAYER_ICMP;
    packet->icmp_type = icmp.type;
    packet->icmp_code = icmp.code;
    packet->icmp_rest = icmp.rest;
    take_text(c, WIRE_ICMP_BYTES, len);
    if (!wire_icmp_checksum_ok(ip, p, len)) {
        packet->wrong |= HF_WRONG_CHECKSUM;
    }
    decode_quote(packet, &icmp);
}

static void take_ip(struct hf_packet *packet, const struct wire_ip *ip, size_t at)
{
    packet->layers |= HF_LAYER_IP;
    packet->version = ip->version;
    packet->protocol = ip->proto;
    packet->ttl = ip->ttl;
    packet->tos = ip->tos;
    packet->dont_fragment = ip->df;
    packet->more_fragments = ip->mf;
    packet->frag_offset = ip->frag_offset;
    packet->ip_offset = (uint32_t)at;
    packet->ip_bytes = ip->total_len;
    memcpy(packet->src, ip->src, 16);
    memcpy(packet->dst, ip->dst, 16);
    if (ip->fragment) {
        packet->layers |= HF_LAYER_FRAGMENT;
    }
    if (ip->source_route) {
        packet->wrong |= HF_WRONG_SOURCE_ROUTE;
    }
    if (ip->bad_options) {
        packet->wrong |= HF_WRONG_FORM;
    }
}

static int decode_ip(struct cursor *c)
{
    struct hf_packet *packet = c->packet;
    struct wire_ip ip;
    packet->ip_offset = (uint32_t)c->at;
    enum wire_status status = wire_parse_ip(c->frame + c->at, c->len - c->at, &ip);
    packet->wrong |= wrong_of(status);
    if (status != WIRE_OK && status != WIRE_BAD_CHECKSUM) {
        return HF_ERR_INVALID;
    }
    take_ip(packet, &ip, c->at);
    if (ip.fragment) {
        return HF_OK;
    }
    size_t len = ip.total_len - ip.header_len;
    c->at += ip.header_len;
    packet->header_offset = (uint32_t)c->at;
    packet->text_offset = (uint32_t)c->at;
    packet->text_bytes = (uint32_t)len;
    if (ip.proto == WIRE_PROTO_TCP) {
        decode_tcp(c, &ip, len);
    } else if (ip.proto == WIRE_PROTO_UDP) {
        decode_udp(c, &ip, len);
    } else if (ip.proto == (ip.version == 4 ? WIRE_PROTO_ICMP : WIRE_PROTO_ICMPV6)) {
        decode_icmp(c, &ip, len);
    } else {
        return HF_ERR_UNSUPPORTED;
    }
    return HF_OK;
}

static int decode_arp(struct cursor *c)
{
    struct hf_packet *packet = c->packet;
    struct wire_arp arp;
    uint16_t wrong = wrong_of(wire_parse_arp(c->frame + c->at, c->len - c->at, &arp));
    packet->wrong |= wrong;
    if (wrong == 0) {
        packet->layers |= HF_LAYER_ARP;
        packet->arp_op = arp.op;
        wire_from_v4(packet->src, arp.spa);
        wire_from_v4(packet->dst, arp.tpa);
    }
    return HF_OK;
}

/* One more VLAN tag (IEEE 802.1ad, or two of 802.1Q); the stack itself takes one. */
static bool skip_tag(struct cursor *c, struct wire_eth *eth)
{
    if ((eth->type != WIRE_ETH_VLAN && eth->type != SERVICE_VLAN) || c->len - eth->header_len < 4) {
        return false;
    }
    const uint8_t *tag = c->frame + eth->header_len;
    eth->vlan = eth->tagged ? eth->vlan : get_be16(tag);
    eth->tagged = true;
    eth->type = get_be16(tag + 2);
    eth->header_len = (uint16_t)(eth->header_len + 4);
    return true;
}

static int decode_ethernet(struct cursor *c)
{
    enum { TAGS_MOST = 8 };
    struct hf_packet *packet = c->packet;
    struct wire_eth eth;
    packet->wrong |= wrong_of(wire_parse_eth(c->frame, c->len, &eth));
    if (packet->wrong != 0) {
        return HF_ERR_INVALID;
    }
    for (int i = 0; i < TAGS_MOST && skip_tag(c, &eth); i++) {
    }
    packet->layers |= HF_LAYER_ETHERNET | (eth.tagged ? HF_LAYER_VLAN : 0);
    memcpy(packet->mac_src, eth.src, 6);
    memcpy(packet->mac_dst, eth.dst, 6);
    packet->ether_type = eth.type;
    packet->vlan = eth.vlan;
    c->at = eth.header_len;
    switch (eth.type) {
    case WIRE_ETH_ARP:
        return decode_arp(c);
    case WIRE_ETH_IPV4:
    case WIRE_ETH_IPV6:
        return decode_ip(c);
    default:
        return HF_ERR_UNSUPPORTED;
    }
}

int hf_packet_decode(const uint8_t *frame, size_t len, enum hf_link link, struct hf_packet *packet)
{
    uint32_t known = packet->struct_size;
    if (known < offsetof(struct hf_packet, mac_src)) {
        return HF_ERR_INVALID;
    }
    struct hf_packet found = {.struct_size = known};
    struct cursor c = {.frame = frame, .len = len, .packet = &found};
    int outcome = link == HF_LINK_ETHERNET ? decode_ethernet(&c) : decode_ip(&c);
    if (found.wrong != 0) {
        outcome = HF_ERR_INVALID;
    }
    memcpy(packet, &found, known < sizeof found ? known : sizeof found);
    return outcome;
}

const char *hf_address_text(const uint8_t ip[16], char text[HF_ADDRESS_TEXT])
{
    const char *done = wire_is_v4(ip) ? inet_ntop(AF_INET, ip + 12, text, HF_ADDRESS_TEXT)
                                      : inet_ntop(AF_INET6, ip, text, HF_ADDRESS_TEXT);
    return done != NULL ? done : "?";
}

static void add_endpoints(struct text *text, const struct hf_packet *packet)
{
    char from[HF_ADDRESS_TEXT], to[HF_ADDRESS_TEXT];
    hf_address_text(packet->src, from);
    hf_address_text(packet->dst, to);
    if (packet->layers & (HF_LAYER_TCP | HF_LAYER_UDP)) {
        if (packet->version == 6) {
            trace_add(text, "[%s]:%u > [%s]:%u ", from, packet->src_port, to, packet->dst_port);
        } else {
            trace_add(text, "%s:%u > %s:%u ", from, packet->src_port, to, packet->dst_port);
        }
    } else if (packet->layers & (HF_LAYER_IP | HF_LAYER_ARP)) {
        trace_add(text, "%s > %s ", from, to);
    }
}

static void add_tcp(struct text *text, const struct hf_packet *packet)
{
    trace_add(text, "<SEQ=%u>", packet->seq);
    if (packet->ctl & HF_ACK) {
        trace_add(text, "<ACK=%u>", packet->ack);
    }
    trace_add(text, "<CTL=");
    trace_add_ctl(text, packet->ctl);
    trace_add(text, ">");
    if (packet->text_bytes > 0) {
        trace_add(text, "<DATA=%u>", packet->text_bytes);
    }
    trace_add_ecn(text, packet->tos);
}

const char *hf_packet_text(const struct hf_packet *packet, char *at, size_t room)
{
    static const char *const wrongs[] = {"short",        "malformed",   "bad IP checksum",
                                         "bad checksum", "bad options", "source route"};
    struct text text = trace_text(at, room);
    add_endpoints(&text, packet);
    if (packet->layers & HF_LAYER_TCP) {
        add_tcp(&text, packet);
    } else if (packet->layers & HF_LAYER_UDP) {
        trace_add(&text, "UDP, %u octets", packet->text_bytes);
    } else if (packet->layers & HF_LAYER_ICMP) {
        trace_add(&text, "ICMP%s type %u code %u", packet->version == 6 ? "v6" : "",
                  packet->icmp_type, packet->icmp_code);
    } else if (packet->layers & HF_LAYER_ARP) {
        trace_add(&text, "ARP %s", packet->arp_op == 1 ? "request" : "reply");
    } else if (packet->layers & HF_LAYER_FRAGMENT) {
        trace_add(&text, "a fragment at %u", packet->frag_offset);
    } else if (packet->layers & HF_LAYER_IP) {
        trace_add(&text, "protocol %u, %u octets", packet->protocol, packet->text_bytes);
    } else {
        trace_add(&text, "no IP packet");
    }
    for (unsigned i = 0; i < ARRAY_LEN(wrongs); i++) {
        if (packet->wrong >> i & 1) {
            trace_add(&text, ", %s", wrongs[i]);
        }
    }
    return at;
}
