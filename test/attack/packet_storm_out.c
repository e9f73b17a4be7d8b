/* packet_storm_out.c - what leaves is well-formed, no longer than the link takes, from an address
 * of the stack, and to no group where it answers somebody: see packet_storm.h. */
#include "attack/packet_storm.h"

#include <stdlib.h>
#include <string.h>

enum { FRAMES = 8, ROUNDS = 4000 };

static uint8_t flat[PS_ROOM + 200];

static uint32_t flatten(struct packet_storm *s, const struct hf_frame_out *out)
{
    uint32_t at = out->header_len;
    if (at > HF_HEADER_MAX || out->n_slices > HF_SLICES_MAX) {
        ps_fail(s, "a header of %u octets, %u slices leave", at, out->n_slices);
    }
    memcpy(flat, out->header, at);
    for (uint32_t i = 0; i < out->n_slices; i++) {
        if (at + out->slice[i].len > PS_ROOM) {
            ps_fail(s, "a frame of more than 64 KiB leaves");
        }
        memcpy(flat + at, out->slice[i].data, out->slice[i].len);
        at += out->slice[i].len;
    }
    if (at != out->len) {
        ps_fail(s, "a frame of %u octets says %u", at, out->len);
    }
    return at;
}

static uint64_t sum_of(const uint8_t *octets, uint32_t len)
{
    uint64_t sum = len;
    for (uint32_t i = 0; i < len; i++) {
        sum = (sum ^ octets[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

/* Where it comes from and goes to -------------------------------------------------------------- */

static bool was_own(const struct packet_storm *s, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < PS_OWN; i++) {
        if (s->own[i].ever && memcmp(s->own[i].ip, ip, 16) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_group(const struct packet_storm *s, const uint8_t ip[16])
{
    if (!wire_is_v4(ip)) {
        return ip[0] == 0xff;
    }
    bool subnet = ip[12] == 10 && ip[13] == 0 && (ip[14] == 1 || ip[14] == 2) && !s->lost &&
                  (ip[15] == 255 || ip[15] == 0);
    return ip[12] >= 224 || subnet;
}

static void check_addresses(struct packet_storm *s, const struct wire_ip *ip)
{
    bool any = get_be64(ip->dst) == 0 && (get_be64(ip->dst + 8) == 0 || get_be64(ip->dst + 8) == 1);
    bool any4 = wire_is_v4(ip->dst) && (get_be32(ip->dst + 12) == 0 || ip->dst[12] == 127);
    if (!was_own(s, ip->src)) {
        ps_fail(s, "a packet leaves from an address that is not the stack's");
    }
    bool probe = ip->proto == WIRE_PROTO_ICMPV6 && ip->ttl == 255; /* whose address became ours */
    if (any || any4 || (memcmp(ip->dst, ip->src, 16) == 0 && !probe)) {
        ps_fail(s, "a packet leaves that is for nobody, or for its sender");
    }
    if (ip->version != (wire_is_v4(ip->src) ? 4 : 6) ||
        wire_is_v4(ip->src) != wire_is_v4(ip->dst)) {
        ps_fail(s, "the addresses are of two versions");
    }
    bool group = is_group(s, ip->dst);
    bool discovery = ip->proto == WIRE_PROTO_ICMPV6 && ip->ttl == 255;
    if (group && ip->proto != WIRE_PROTO_UDP && !discovery) {
        ps_fail(s, "protocol %u goes to a group", ip->proto);
    }
    if (ip->ttl == 0) {
        ps_fail(s, "a packet leaves without time to live");
    }
}

/* What it carries ------------------------------------------------------------------------------ */

static void note_question(struct packet_storm *s, uint32_t iface, const uint8_t ip[16],
                          const uint8_t from[16])
{
    uint32_t n = s->n_asked < PS_ASKED ? s->n_asked++ : ps_below(s, PS_ASKED);
    s->asked[n].iface = (uint8_t)iface;
    memcpy(s->asked[n].ip, ip, 16);
    memcpy(s->asked[n].from, from, 16);
}

static void check_discovery(struct packet_storm *s, uint32_t iface, const struct wire_ip *ip,
                            const struct wire_icmp *icmp)
{
    static const uint8_t group[13] = {0xff, 2, [11] = 1, [12] = 0xff};
    struct wire_nd nd;
    if (ip->ttl != 255 || wire_parse_nd(icmp, &nd) != WIRE_OK) {
        ps_fail(s, "a bad neighbour discovery message leaves");
    }
    bool mac_right = memcmp(nd.lladdr, s->link[iface - 1].mac, 6) == 0;
    if (!nd.has_lladdr || !mac_right) {
        ps_fail(s, "neighbour discovery tells another link address than the link's");
    }
    if (nd.solicitation) {
        bool to_group =
            memcmp(ip->dst, group, 13) == 0 && memcmp(ip->dst + 13, nd.target + 13, 3) == 0;
        if (!to_group && memcmp(ip->dst, nd.target, 16) != 0) {
            ps_fail(s, "a solicitation goes to somebody else");
        }
        note_question(s, iface, nd.target, ip->src);
    } else if (!was_own(s, nd.target) || (nd.solicited && ip->dst[0] == 0xff)) {
        ps_fail(s, "an advertisement that must not be leaves");
    }
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e): of the packet that an error is about. */
static void check_error(struct packet_storm *s, const struct wire_ip *ip,
                        const struct wire_icmp *icmp)
{
    struct wire_ip about;
    uint32_t least = ip->version == 6 ? 40 : 20;
    const uint8_t *p = icmp->body;
    if (icmp->body_len < least || p[0] >> 4 != ip->version) {
        ps_fail(s, "an error quotes no packet");
    }
    (void)wire_parse_ip(p, icmp->body_len, &about);
    uint8_t proto = p[ip->version == 6 ? 6 : 9], src[16], dst[16];
    if (ip->version == 6) {
        memcpy(src, p + 8, 16);
        memcpy(dst, p + 24, 16);
    } else {
        wire_from_v4(src, p + 12);
        wire_from_v4(dst, p + 16);
        least = (uint32_t)(p[0] & 15) * 4;
    }
    if (memcmp(src, ip->dst, 16) != 0) {
        ps_fail(s, "an error goes to somebody else than its cause's sender");
    }
    bool unknown_option = ip->version == 6 && icmp->type == ICMP6_PARAM_PROBLEM && icmp->code == 2;
    if (is_group(s, dst) && !unknown_option) {
        ps_fail(s, "an error answers what went to a group");
    }
    bool later = ip->version == 4 && (get_be16(p + 6) & 0x1fff) != 0;
    struct wire_icmp quoted;
    if (!later && proto == (ip->version == 6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP) &&
        wire_parse_icmp(p + least, icmp->body_len - least, ip->version, &quoted) == WIRE_OK &&
        wire_icmp_is_error(&quoted)) {
        ps_fail(s, "an error answers an error");
    }
}

static void check_icmp(struct packet_storm *s, uint32_t iface, const struct wire_ip *ip,
                       const uint8_t *p, uint32_t len)
{
    struct wire_icmp icmp;
    if (!wire_icmp_checksum_ok(ip, p, len) ||
        wire_parse_icmp(p, len, ip->version, &icmp) != WIRE_OK) {
        ps_fail(s, "a bad ICMP message leaves");
    }
    if (wire_icmp_is_error(&icmp)) {
        if (ip->total_len > (ip->version == 6 ? 1280u : 576u)) {
            ps_fail(s, "an error of %u octets leaves", ip->total_len);
        }
        check_error(s, ip, &icmp);
    } else if (ip->version == 6 &&
               (icmp.type == ICMP6_NEIGHBOUR_SOLICIT || icmp.type == ICMP6_NEIGHBOUR_ADVERT)) {
        check_discovery(s, iface, ip, &icmp);
    } else if (icmp.type != (ip->version == 6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY) ||
               is_group(s, ip->dst)) {
        ps_fail(s, "an ICMP message of type %u leaves", icmp.type);
    }
}

static void check_carried(struct packet_storm *s, uint32_t iface, const struct wire_ip *ip,
                          const uint8_t *p, uint32_t len)
{
    struct segment seg;
    struct wire_udp udp;
    bool good = true;
    if (ip->proto == WIRE_PROTO_TCP) {
        good = wire_parse_tcp(p, len, &seg) == WIRE_OK && wire_tcp_checksum_ok(ip, p, len) &&
               !(seg.opt.present & OPT_BAD) && seg.sport != 0 && seg.dport != 0;
    } else if (ip->proto == WIRE_PROTO_UDP) {
        good = wire_parse_udp(p, len, &udp) == WIRE_OK && udp.len == len && udp.csum != 0 &&
               wire_udp_checksum_ok(ip, p, len);
    } else if (ip->proto == (ip->version == 6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP)) {
        check_icmp(s, iface, ip, p, len);
    } else {
        ps_fail(s, "protocol %u leaves", ip->proto);
    }
    if (!good) {
        ps_fail(s, "protocol %u: a bad header or checksum leaves", ip->proto);
    }
}

/* Parts leave one behind the other; what something else came in between of is not looked at. */
static void check_part(struct packet_storm *s, uint32_t iface, const struct wire_ip *ip,
                       const uint8_t *p, uint32_t len)
{
    uint8_t key[sizeof s->parts.key] = {ip->version};
    memcpy(key + 1, ip->src, 16);
    memcpy(key + 17, ip->dst, 16);
    put_be32(key + 33, ip->version == 6 ? ip->ident32 : ip->ident);
    if (ip->df || (ip->mf && (len % 8 != 0 || len == 0)) || ip->frag_offset + len > 65535) {
        ps_fail(s, "a part of %u octets at %u leaves", len, ip->frag_offset);
    }
    if (ip->frag_offset == 0) {
        memcpy(s->parts.key, key, sizeof key);
        s->parts.len = 0;
    }
    if (memcmp(s->parts.key, key, sizeof key) != 0) {
        return;
    }
    if (ip->frag_offset != s->parts.len) {
        ps_fail(s, "a part at %u follows one that ends at %u", ip->frag_offset, s->parts.len);
    }
    memcpy(s->parts.octets + s->parts.len, p, len);
    s->parts.len += len;
    if (!ip->mf) {
        struct wire_ip whole = *ip;
        whole.total_len = (ip->version == 6 ? 40 : 20) + s->parts.len;
        check_carried(s, iface, &whole, s->parts.octets, s->parts.len);
    }
}

static void check_packet(struct packet_storm *s, uint32_t iface, const uint8_t *p, uint32_t len)
{
    struct wire_ip ip;
    const struct hf_interface *link = &s->link[iface - 1];
    if (wire_parse_ip(p, len, &ip) != WIRE_OK || ip.total_len != len) {
        ps_fail(s, "a bad IP header leaves");
    }
    bool any_path = ip.version == 6 && (ip.dst[0] & 0xfe) != 0xfe && ip.proto != WIRE_PROTO_TCP;
    if (len > (any_path ? min_u32(link->mtu, HF_IPV6_MTU_MIN) : link->mtu)) {
        ps_fail(s, "a packet of %u octets, protocol %u, leaves by an MTU of %u", len, ip.proto,
                link->mtu);
    }
    check_addresses(s, &ip);
    if (ip.fragment) {
        check_part(s, iface, &ip, p + ip.header_len, len - ip.header_len);
    } else {
        check_carried(s, iface, &ip, p + ip.header_len, len - ip.header_len);
    }
}

/* The link's header, and what goes by the link alone; false: there is no packet. */
static bool check_link(struct packet_storm *s, const struct hf_frame_out *out)
{
    const struct hf_interface *link = &s->link[out->iface - 1];
    if (out->ip_offset != (link->link == HF_LINK_ETHERNET ? PS_ETH : 0)) {
        ps_fail(s, "a frame's IP header is at %u", out->ip_offset);
    }
    if (out->ip_offset == 0) {
        return true;
    }
    if (memcmp(flat + 6, link->mac, 6) != 0) {
        ps_fail(s, "a frame leaves from another link address");
    }
    uint16_t type = get_be16(flat + 12);
    if (type == WIRE_ETH_ARP) {
        struct wire_arp arp;
        uint8_t from[16], to[16];
        if (wire_parse_arp(flat + PS_ETH, out->len - PS_ETH, &arp) != WIRE_OK ||
            memcmp(arp.sha, link->mac, 6) != 0 || arp.op < 1 || arp.op > 2) {
            ps_fail(s, "a bad ARP packet leaves");
        }
        wire_from_v4(from, arp.spa);
        wire_from_v4(to, arp.tpa);
        if (!was_own(s, from)) {
            ps_fail(s, "ARP speaks for an address that is not the stack's");
        }
        if (arp.op == 1) {
            note_question(s, out->iface, to, from);
        }
        return false;
    }
    if (type != (flat[PS_ETH] >> 4 == 4 ? WIRE_ETH_IPV4 : WIRE_ETH_IPV6)) {
        ps_fail(s, "a frame of type %04x leaves", type);
    }
    bool v4 = type == WIRE_ETH_IPV4;
    uint8_t first = flat[PS_ETH + (v4 ? 16 : 24)];
    bool to_group = v4 ? first == 255 || (first & 0xf0) == 224 : first == 255;
    if (to_group && !(flat[0] & 1)) {
        ps_fail(s, "what is for a group goes to one host");
    }
    return true;
}

static void keep(struct packet_storm *s, uint32_t iface, const uint8_t *p, uint32_t len)
{
    struct ps_kept *kept = &s->kept[ps_below(s, PS_KEPT)];
    kept->iface = (uint8_t)iface;
    kept->len = min_u32(len, PS_KEPT_BYTES);
    memcpy(kept->octets, p, kept->len);
}

static void check_frame(struct packet_storm *s, const struct hf_frame_out *out)
{
    static uint8_t part[PS_ROOM];
    if (out->iface == 0 || out->iface > s->links) {
        ps_fail(s, "a frame leaves by interface %u", out->iface);
    }
    if (!check_link(s, out)) {
        return;
    }
    uint8_t *p = flat + out->ip_offset;
    uint32_t len = out->len - out->ip_offset;
    if ((out->flags & HF_FRAME_CSUM_NEEDED) &&
        !wire_fill_checksum(flat, out->len, out->csum_start, out->csum_offset)) {
        ps_fail(s, "a checksum is to be filled in outside of the frame");
    }
    if (out->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) {
        uint32_t n = wire_gso_count(p, len, out->gso_size);
        for (uint32_t i = 0; i < n; i++) {
            size_t one = wire_gso_split(p, len, out->gso_size, i, part, sizeof part);
            check_packet(s, out->iface, part, (uint32_t)one);
        }
        if (n < 2) {
            ps_fail(s, "a frame of several segments is none");
        }
    } else {
        check_packet(s, out->iface, p, len);
    }
    keep(s, out->iface, p, len);
}

static void is_done(struct packet_storm *s, uint64_t token)
{
    if (hf_output_done(s->stack, &s->env, token) != HF_OK) {
        ps_fail(s, "hf_output_done refuses a token");
    }
}

static void gives_back(struct packet_storm *s, struct ps_out *out)
{
    if (out->frame.len == 0) {
        return;
    }
    if (sum_of(flat, flatten(s, &out->frame)) != out->sum) {
        ps_fail(s, "a frame has changed before it was done");
    }
    is_done(s, out->frame.token);
    out->frame.len = 0;
}

void ps_done(struct packet_storm *s)
{
    for (uint32_t i = 0; i < PS_OUT; i++) {
        gives_back(s, &s->out[i]);
    }
}

void ps_leaves(struct packet_storm *s, bool hold)
{
    struct hf_frame_out out[FRAMES];
    uint32_t rounds = 0, n;
    while ((n = hf_output(s->stack, &s->env, out, 1 + ps_below(s, FRAMES))) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len = flatten(s, &out[i]);
            uint64_t sum = hold ? sum_of(flat, len) : 0;
            check_frame(s, &out[i]);
            if (hold && ps_one_in(s, 3)) {
                struct ps_out *place = &s->out[ps_below(s, PS_OUT)];
                gives_back(s, place);
                *place = (struct ps_out){out[i], sum};
            } else {
                is_done(s, out[i].token);
            }
        }
        if (++rounds == ROUNDS) {
            ps_fail(s, "hf_output does not come to an end");
        }
    }
}
