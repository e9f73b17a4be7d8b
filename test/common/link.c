/* link.c - the peer on an Ethernet link: see link.h. */
#include "common/link.h"

#include <string.h>

#include "base/bytes.h"
#include "common/packets.h"

const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 9};

/* Frames of the peer -------------------------------------------------------------------------- */

void sends_frame(struct peer *p, const uint8_t dst[6], uint16_t type, const void *payload,
                 uint32_t len)
{
    static uint8_t frame[70000];
    struct wire_eth eth = {.type = type};
    memcpy(eth.dst, dst, 6);
    memcpy(eth.src, p->peer_mac, 6);
    size_t at = wire_put_eth(frame, &eth);
    memcpy(frame + at, payload, len);
    peer_frame_guarded(p, frame, (uint32_t)at + len);
}

void sends_arp(struct peer *p, uint16_t op, const uint8_t sha[6], const uint8_t spa[16],
               const uint8_t tpa[16])
{
    uint8_t out[WIRE_ARP_BYTES];
    struct wire_arp arp = {.op = op};
    memcpy(arp.sha, sha, 6);
    memcpy(arp.spa, spa + 12, 4);
    memcpy(arp.tpa, tpa + 12, 4);
    memcpy(arp.tha, p->stack_mac, 6);
    wire_put_arp(out, &arp);
    sends_frame(p, op == 1 ? everybody : p->stack_mac, WIRE_ETH_ARP, out, sizeof out);
}

/* The message behind its IP header; returns its length. */
static size_t put_message(uint8_t *out, const struct nd_spec *spec)
{
    struct wire_nd nd = {.solicitation = spec->type == NS,
                         .solicited = spec->solicited,
                         .override = spec->override,
                         .router = spec->router};
    memcpy(nd.target, spec->target, 16);
    size_t at = wire_put_nd(out, &nd);
    if (spec->options_len)
        memcpy(out + at, spec->options, spec->options_len);
    at += spec->options_len;
    if (spec->mac != NULL) {
        out[at] = spec->type == NS ? 1 : 2;
        out[at + 1] = 1;
        memcpy(out + at + 2, spec->mac, 6);
        at += 8;
    }
    out[1] = spec->code;
    return at;
}

void sends_nd(struct peer *p, const struct nd_spec *spec)
{
    static uint8_t out[65536];
    size_t len = put_message(out + WIRE_MAX_IP, spec);
    struct wire_ip ip = {.version = 6,
                         .proto = WIRE_PROTO_ICMPV6,
                         .ttl = spec->hop_limit ? spec->hop_limit : 255,
                         .total_len = (uint32_t)(40 + len)};
    memcpy(ip.src, spec->src, 16);
    memcpy(ip.dst, spec->dst, 16);
    wire_put_ip(out, &ip);
    wire_set_icmp_checksum(out + WIRE_MAX_IP, len, &ip);
    out[WIRE_MAX_IP + 2] ^= spec->bad_checksum;
    uint8_t group[6] = {0x33, 0x33};
    memcpy(group + 2, spec->dst + 12, 4);
    sends_frame(p, spec->dst[0] == 0xff ? group : p->stack_mac, WIRE_ETH_IPV6, out,
                (uint32_t)(40 + len));
}

void answers_as(struct peer *p, const uint8_t ip[16], const uint8_t mac[6])
{
    if (!p->v6) {
        sends_arp(p, 2, mac, ip, p->stack_ip);
        return;
    }
    sends_nd(p, &(struct nd_spec){.src = ip,
                                  .dst = p->stack_ip,
                                  .target = ip,
                                  .mac = mac,
                                  .type = NA,
                                  .solicited = true,
                                  .override = true});
}

void answers(struct peer *p, const uint8_t mac[6])
{
    answers_as(p, p->peer_ip, mac);
}

void asks_as(struct peer *p, const uint8_t ip[16], const uint8_t mac[6])
{
    uint8_t group[16];
    if (!p->v6) {
        sends_arp(p, 1, mac, ip, p->stack_ip);
        return;
    }
    solicited_node(p->stack_ip, group);
    sends_nd(p, &(struct nd_spec){
                    .src = ip, .dst = group, .target = p->stack_ip, .mac = mac, .type = NS});
}

/* Frames of the stack ------------------------------------------------------------------------- */

void solicited_node(const uint8_t ip[16], uint8_t group[16])
{
    memset(group, 0, 16);
    group[0] = 0xff, group[1] = 2, group[11] = 1, group[12] = 0xff;
    memcpy(group + 13, ip + 13, 3);
}

static void expects_arp_question(struct peer *p, struct seen *seen, bool unicast)
{
    struct wire_arp arp;
    holds(wire_parse_arp(seen->bytes + ETH, seen->len - ETH, &arp) == WIRE_OK);
    holds_equal(arp.op, 1);
    holds(memcmp(seen->bytes, unicast ? p->peer_mac : everybody, 6) == 0);
    holds(memcmp(arp.sha, p->stack_mac, 6) == 0 && memcmp(seen->bytes + 6, p->stack_mac, 6) == 0);
    holds(memcmp(arp.spa, p->stack_ip + 12, 4) == 0 && memcmp(arp.tpa, p->peer_ip + 12, 4) == 0);
}

static void expects_solicitation(struct peer *p, struct seen *seen, bool unicast)
{
    struct wire_icmp icmp;
    struct wire_nd nd;
    uint8_t group[16];
    uint32_t len = seen->ip.total_len - seen->ip.header_len;
    const uint8_t *at = seen->bytes + ETH + seen->ip.header_len;
    solicited_node(p->peer_ip, group);
    holds(seen->ip.ttl == 255 && wire_icmp_checksum_ok(&seen->ip, at, len));
    holds(wire_parse_icmp(at, len, 6, &icmp) == WIRE_OK && wire_parse_nd(&icmp, &nd) == WIRE_OK);
    holds(nd.solicitation && nd.has_lladdr && memcmp(nd.lladdr, p->stack_mac, 6) == 0);
    holds(memcmp(nd.target, p->peer_ip, 16) == 0);
    holds(memcmp(seen->ip.src, p->stack_ip, 16) == 0);
    holds(memcmp(seen->ip.dst, unicast ? p->peer_ip : group, 16) == 0);
    static const uint8_t prefix[3] = {0x33, 0x33, 0xff};
    holds(unicast ? memcmp(seen->bytes, p->peer_mac, 6) == 0
                  : memcmp(seen->bytes, prefix, 3) == 0 &&
                        memcmp(seen->bytes + 3, p->peer_ip + 13, 3) == 0);
}

/* The stack asks who the peer is. */
void expects_question(struct peer *p, bool unicast)
{
    struct seen *seen = peer_take(p, p->v6 ? WIRE_PROTO_ICMPV6 : 0);
    holds(seen != NULL);
    if (p->v6)
        expects_solicitation(p, seen, unicast);
    else
        expects_arp_question(p, seen, unicast);
    peer_taken(p, seen);
}

void knows_the_peer(struct peer *p)
{
    p->ethernet = p->ask = true;
    opens();
    expects_question(p, false);
    answers(p, p->peer_mac);
    expects(SYN, .seq = ISS);
    sends(SYN | ACK, .seq = IRS, .ack = ISS + 1, .mss = 1460);
    expects(ACK);
}

unsigned takes_questions(struct peer *p)
{
    unsigned n = 0;
    struct seen *seen;
    while ((seen = peer_take(p, p->v6 ? WIRE_PROTO_ICMPV6 : 0)) != NULL) {
        n++;
        peer_taken(p, seen);
    }
    return n;
}

void text_goes_to(struct peer *p, const uint8_t mac[6])
{
    writes(10);
    struct seen *seen = peer_take(p, WIRE_PROTO_TCP);
    holds(seen != NULL && memcmp(seen->bytes, mac, 6) == 0);
    p->c->acks += 10;
    peer_taken(p, seen);
    sends(ACK);
}
