/* packet_storm_in.c - what arrives: ARP, neighbour discovery, ICMP errors about what has left, echo
 * requests, datagrams, segments, whatever else IP may carry; with headers in between, in parts, and
 * damaged.  See packet_storm.h. */
#include "attack/packet_storm.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS = 32, PARTS_MOST = 40, HOP_LIMIT = 255 };

static uint8_t payload[PS_ROOM], packet[PS_ROOM + 200];

/* A packet being drawn; what it carries lies in payload. */
struct draft {
    struct wire_ip ip;
    uint32_t iface, len, gso_size;
    bool plain; /* nothing in between, not in parts: neighbour discovery */
};

static void fill(struct packet_storm *s, uint8_t *octets, uint32_t len)
{
    memset(octets, (int)ps_below(s, 256), len);
    for (uint32_t i = 0; i < len && i < 40; i++) {
        octets[i] = (uint8_t)ps_below(s, 256);
    }
}

static uint32_t draw_len(struct packet_storm *s)
{
    return ps_one_in(s, 25) ? ps_below(s, 65500) : ps_below(s, ps_one_in(s, 3) ? 3000 : 100);
}

static bool is_v6(const struct draft *d)
{
    return d->ip.version == 6;
}

/* Between somebody on this link and the stack. */
static struct draft begin(struct packet_storm *s, uint8_t proto4, uint8_t proto6)
{
    bool v6 = ps_one_in(s, 2);
    const struct ps_own *own = ps_own(s, v6);
    struct draft d = {.iface = ps_one_in(s, 10) ? 1 + ps_below(s, s->links) : own->iface};
    d.ip = (struct wire_ip){.version = v6 ? 6 : 4,
                            .proto = v6 ? proto6 : proto4,
                            .ttl = ps_one_in(s, 10) ? (uint8_t)ps_below(s, 256) : 64,
                            .ident = (uint16_t)ps_below(s, 8),
                            .ident32 = ps_below(s, 8),
                            .df = ps_one_in(s, 2)};
    d.ip.tos = ps_one_in(s, 4) ? (uint8_t)ps_below(s, 256) : 0;
    ps_remote(s, d.iface, v6, d.ip.src);
    memcpy(d.ip.dst, own->ip, 16);
    if (ps_one_in(s, 20)) {
        ps_remote(s, d.iface, v6, d.ip.dst);
    }
    return d;
}

/* What IP carries is complete -------------------------------------------------------------------
 */

static void set_checksum(const struct draft *d)
{
    uint32_t len = d->len;
    uint32_t at = d->ip.proto == WIRE_PROTO_TCP ? 16 : d->ip.proto == WIRE_PROTO_UDP ? 6 : 2;
    bool has_one = d->ip.proto == WIRE_PROTO_TCP || d->ip.proto == WIRE_PROTO_UDP ||
                   d->ip.proto == WIRE_PROTO_ICMP || d->ip.proto == WIRE_PROTO_ICMPV6;
    if (has_one && len >= at + 2) {
        uint32_t counted = d->ip.proto == WIRE_PROTO_UDP ? get_be16(payload + 4) : len;
        put_be16(payload + at, 0);
        csum_t sum = wire_pseudo(&d->ip, d->ip.proto, counted);
        put_be16(payload + at, csum_finish(csum_add(sum, payload, min_u32(counted, len))));
    }
}

/* An extension header for what follows; returns its octets. */
static uint32_t put_extension(struct packet_storm *s, uint8_t *out, uint8_t *next)
{
    static const uint8_t kinds[] = {0, 60, 60, 43, 43, 51, 135, 44};
    uint8_t kind = kinds[ps_below(s, ps_one_in(s, 3) ? ARRAY_LEN(kinds) : 4)];
    uint32_t len = 8 * (1 + ps_below(s, ps_one_in(s, 6) ? 20 : 2));
    memset(out, 0, len);
    out[0] = *next;
    out[1] = (uint8_t)(kind == 51 ? len / 4 - 2 : kind == 44 ? 0 : len / 8 - 1);
    if (kind == 43) {
        out[2] = (uint8_t)ps_below(s, 5);
        out[3] = (uint8_t)ps_below(s, 2);
    } else if (kind == 0 || kind == 60) {
        out[2] = ps_one_in(s, 3) ? (uint8_t)ps_below(s, 256) : 1;
        out[3] = (uint8_t)(len - 4 < 256 ? len - 4 : 0);
    }
    if (ps_one_in(s, 12)) {
        out[ps_below(s, 8)] = (uint8_t)ps_below(s, 256);
    }
    *next = kind;
    return kind == 44 ? 8 : len;
}

/* Extension headers in front of the payload, which stays where it is in `out` behind them. */
static uint32_t put_extensions(struct packet_storm *s, struct draft *d, uint8_t *out)
{
    static uint8_t behind[PS_ROOM];
    uint32_t n = is_v6(d) && !d->plain && ps_one_in(s, 6) ? 1 + ps_below(s, 3) : 0;
    uint32_t len = d->len;
    memcpy(out, payload, len);
    while (n-- > 0 && len < 60000) {
        uint8_t header[200];
        uint32_t more = put_extension(s, header, &d->ip.proto);
        memcpy(behind, out, len);
        memcpy(out, header, more);
        memcpy(out + more, behind, len);
        len += more;
    }
    return len;
}

/* IPv4 options of whole words, behind the header. */
static uint32_t put_options(struct packet_storm *s, uint8_t *header)
{
    static const uint8_t kinds[] = {0, 1, 7, 68, 131, 137, 148, 130, 136, 200};
    uint32_t len = 4 * (1 + ps_below(s, 10));
    memset(header + 20, ps_one_in(s, 2), len);
    header[20] = kinds[ps_below(s, ARRAY_LEN(kinds))];
    if (header[20] > 1) {
        header[21] = (uint8_t)(ps_one_in(s, 4) ? ps_below(s, 256) : 3 + ps_below(s, len - 2));
        header[22] = 4;
    }
    header[0] = (uint8_t)(0x45 + len / 4);
    return len;
}

static void mend_header(struct packet_storm *s, uint8_t *header)
{
    put_be16(header + 10, 0);
    if (!ps_one_in(s, 50)) {
        put_be16(header + 10, csum_finish(csum_add(0, header, (size_t)(header[0] & 15) * 4)));
    }
}

/* Octets from..to of what IP carries, as a packet or a part of one; the header before it. */
static void sends_part(struct packet_storm *s, const struct draft *d, const uint8_t *carried,
                       uint32_t from, uint32_t to, bool more, bool part)
{
    struct wire_ip ip = d->ip;
    uint32_t extra = part && is_v6(d) ? 8 : 0;
    ip.frag_offset = part ? (uint16_t)from : 0;
    ip.mf = part && more;
    ip.df = ip.df && !part;
    ip.proto = extra ? WIRE_PROTO_FRAGMENT : ip.proto;
    uint32_t at = (is_v6(d) ? 40 : 20) + extra;
    ip.total_len = at + to - from;
    wire_put_ip(packet, &ip);
    if (extra) {
        packet[40] = d->ip.proto;
        packet[41] = 0;
        put_be16(packet + 42, (uint16_t)((from & 0xfff8) | (more ? 1 : 0)));
        put_be32(packet + 44, ip.ident32);
    }
    if (!is_v6(d)) {
        at += ps_one_in(s, 15) ? put_options(s, packet) : 0;
        put_be16(packet + 2, (uint16_t)(at + to - from));
    }
    memcpy(packet + at, carried + from, to - from);
    if (ps_one_in(s, 40)) { /* says another length */
        put_be16(packet + (is_v6(d) ? 4 : 2), (uint16_t)ps_below(s, to - from + 100));
    }
    if (!is_v6(d)) {
        mend_header(s, packet);
    }
    ps_deliver(s, d->iface, is_v6(d) ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4, packet, at + to - from,
               part ? 0 : d->gso_size);
}

/* In any order, some of it twice, some of it a little different or not at all. */
static void sends_parts(struct packet_storm *s, const struct draft *d, const uint8_t *carried,
                        uint32_t len)
{
    static const uint32_t sizes[] = {8, 16, 24, 64, 512, 1232, 1480, 8000};
    uint32_t size = sizes[ps_below(s, ARRAY_LEN(sizes))];
    while (len / size >= PARTS_MOST) {
        size *= 2;
    }
    uint32_t n = (len + size - 1) / size, start = ps_one_in(s, 2) ? 0 : ps_below(s, n);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = ps_one_in(s, 20) ? ps_below(s, n) : (start + k) % n;
        uint32_t from = i * size, to = min_u32(from + size, len);
        bool more = to < len;
        if (ps_one_in(s, 60)) {
            from -= min_u32(from, 8 * ps_below(s, 3));
            to -= min_u32(to - from, ps_below(s, 12));
            more ^= ps_one_in(s, 4);
        }
        if (!ps_one_in(s, 40)) {
            sends_part(s, d, carried, from, to, more, true);
        }
    }
}

static void leaves(struct packet_storm *s, struct draft *d)
{
    static uint8_t carried[PS_ROOM + 1000];
    if (ps_one_in(s, 12) && d->len) { /* before its checksum is made */
        payload[ps_below(s, min_u32(d->len, 64))] ^= (uint8_t)(1u << ps_below(s, 8));
        d->len -= ps_one_in(s, 3) ? ps_below(s, d->len) : 0;
    }
    if (!ps_one_in(s, 40)) {
        set_checksum(d);
    }
    uint32_t len = put_extensions(s, d, carried);
    uint32_t most = 65535 - 20;
    bool large = len > 9000 && d->gso_size == 0;
    if (!d->plain && len > 8 && ps_one_in(s, large ? 1 : 5)) {
        sends_parts(s, d, carried, min_u32(len, 65528));
    } else {
        sends_part(s, d, carried, 0, min_u32(len, most), false, false);
    }
}

/* Messages --------------------------------------------------------------------------------------
 */

static void draws_datagram(struct packet_storm *s)
{
    static const uint16_t ports[] = {53, 7000, 7001, 7000, 7001, 0, 9999};
    struct draft d = begin(s, WIRE_PROTO_UDP, WIRE_PROTO_UDP);
    uint32_t len = draw_len(s);
    struct wire_udp udp = {.sport = (uint16_t)(9000 + ps_below(s, 3)),
                           .dport = ports[ps_below(s, ps_one_in(s, 4) ? ARRAY_LEN(ports) : 5)],
                           .len = (uint16_t)(8 + len)};
    wire_put_udp(payload, &udp);
    fill(s, payload + 8, len);
    d.len = 8 + len;
    if (ps_one_in(s, 30)) {
        put_be16(payload + 4, (uint16_t)ps_below(s, len + 20));
    }
    leaves(s, &d);
}

static void draws_echo(struct packet_storm *s)
{
    struct draft d = begin(s, WIRE_PROTO_ICMP, WIRE_PROTO_ICMPV6);
    uint32_t len = draw_len(s);
    struct wire_icmp icmp = {.version = d.ip.version, .code = ps_one_in(s, 20), .rest = 7};
    bool reply = ps_one_in(s, 8);
    icmp.type = is_v6(&d) ? ICMP6_ECHO + reply : reply ? ICMP4_ECHO_REPLY : ICMP4_ECHO;
    if (ps_one_in(s, 20)) {
        icmp.type = (uint8_t)ps_below(s, 256);
    }
    wire_put_icmp(payload, &icmp);
    fill(s, payload + 8, len);
    d.len = 8 + len;
    leaves(s, &d);
}

static const struct ps_kept *draw_kept(struct packet_storm *s)
{
    const struct ps_kept *kept = &s->kept[ps_below(s, PS_KEPT)];
    return kept->len != 0 ? kept : NULL;
}

static void kept_addresses(const struct ps_kept *kept, uint8_t src[16], uint8_t dst[16])
{
    if (kept->octets[0] >> 4 == 6) {
        memcpy(src, kept->octets + 8, 16);
        memcpy(dst, kept->octets + 24, 16);
    } else {
        wire_from_v4(src, kept->octets + 12);
        wire_from_v4(dst, kept->octets + 16);
    }
}

/* About a packet that has left. */
static void draws_error(struct packet_storm *s)
{
    static const uint8_t types4[] = {3, 3, 3, 4, 5, 11, 12}, types6[] = {1, 1, 2, 2, 3, 4, 100};
    static const uint32_t mtus[] = {0, 1, 68, 296, 576, 1000, 1279, 1280, 1400, 1500, 70000};
    const struct ps_kept *kept = draw_kept(s);
    if (kept == NULL) {
        return;
    }
    bool v6 = kept->octets[0] >> 4 == 6;
    struct draft d = begin(s, WIRE_PROTO_ICMP, WIRE_PROTO_ICMPV6);
    d.ip.version = v6 ? 6 : 4;
    d.ip.proto = v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP;
    d.iface = ps_one_in(s, 8) ? d.iface : kept->iface;
    kept_addresses(kept, d.ip.dst, d.ip.src);
    if (ps_one_in(s, 2)) {
        ps_remote(s, d.iface, v6, d.ip.src);
    }
    struct wire_icmp icmp = {.version = d.ip.version,
                             .code = (uint8_t)ps_below(s, ps_one_in(s, 3) ? 18 : 6),
                             .rest = mtus[ps_below(s, ARRAY_LEN(mtus))]};
    icmp.type =
        v6 ? types6[ps_below(s, ARRAY_LEN(types6))] : types4[ps_below(s, ARRAY_LEN(types4))];
    wire_put_icmp(payload, &icmp);
    uint32_t len = ps_one_in(s, 5) ? ps_below(s, kept->len + 1) : min_u32(kept->len, 548);
    memcpy(payload + 8, kept->octets, len);
    if (ps_one_in(s, 5) && len) {
        payload[8 + ps_below(s, min_u32(len, 60))] ^= (uint8_t)(1u << ps_below(s, 8));
    }
    d.len = 8 + len;
    leaves(s, &d);
}

/* A packet that has left comes back, as it was or as an answer. */
static void draws_reflection(struct packet_storm *s)
{
    const struct ps_kept *kept = draw_kept(s);
    if (kept == NULL) {
        return;
    }
    bool v6 = kept->octets[0] >> 4 == 6;
    uint8_t half = v6 ? 16 : 4, at = v6 ? 8 : 12, proto = kept->octets[v6 ? 6 : 9];
    memcpy(packet, kept->octets, kept->len);
    if (!ps_one_in(s, 3)) {
        memcpy(packet + at, kept->octets + at + half, half);
        memcpy(packet + at + half, kept->octets + at, half);
        if (proto == WIRE_PROTO_TCP || proto == WIRE_PROTO_UDP) {
            uint32_t header = v6 ? 40 : 20;
            memcpy(packet + header, kept->octets + header + 2, 2);
            memcpy(packet + header + 2, kept->octets + header, 2);
        }
    }
    ps_deliver(s, ps_one_in(s, 8) ? 1 + ps_below(s, s->links) : kept->iface,
               v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4, packet, kept->len, 0);
}

static void draws_anything(struct packet_storm *s)
{
    static const uint8_t protos[] = {0, 2, 4, 41, 43, 44, 50, 51, 59, 60, 132, 255, 1, 6, 17, 58};
    uint8_t proto = protos[ps_below(s, ARRAY_LEN(protos))];
    struct draft d = begin(s, proto, proto);
    d.len = draw_len(s);
    fill(s, payload, d.len);
    leaves(s, &d);
}

/* Segments
 * ---------------------------------------------------------------------------------------*/

/* Of a connection that there is, its numbers known; false: there is none. */
static bool known_segment(struct packet_storm *s, struct draft *d, struct segment *seg)
{
    struct hf_record records[RECORDS];
    uint32_t n = min_u32(hf_records(s->stack, &s->env, records, RECORDS), RECORDS);
    if (n == 0) {
        return false;
    }
    const struct hf_record *r = &records[ps_below(s, n)];
    bool opening = r->state == HF_SYN_SENT;
    d->ip.version = wire_is_v4(r->remote_ip) ? 4 : 6;
    memcpy(d->ip.src, r->remote_ip, 16);
    memcpy(d->ip.dst, r->local_ip, 16);
    d->iface = ps_link_of(s, r->remote_ip);
    *seg = (struct segment){
        .sport = r->remote_port,
        .dport = r->local_port,
        .seq = seq(opening ? 100 : r->rcv_nxt + (ps_one_in(s, 8) ? ps_below(s, 2000) - 200 : 0)),
        .ack = seq(r->snd_nxt - (ps_one_in(s, 3) ? ps_below(s, r->snd_nxt - r->snd_una + 1) : 0)),
        .wnd = ps_one_in(s, 8) ? ps_below(s, 100) : 60000,
        .ctl = opening ? SYN | ACK : ACK};
    return true;
}

static void new_segment(struct packet_storm *s, struct segment *seg)
{
    *seg = (struct segment){.sport = (uint16_t)(5000 + ps_below(s, 4)),
                            .dport = (uint16_t)(80 + ps_below(s, 3)),
                            .seq = seq(100),
                            .wnd = 60000,
                            .ctl = ps_one_in(s, 6) ? ACK : SYN};
    seg->opt.present = OPT_MSS | (ps_one_in(s, 2) ? OPT_SACK_OK | OPT_WSCALE : 0);
    seg->opt.mss = (uint16_t)(ps_one_in(s, 5) ? ps_below(s, 600) : 1440);
}

static void draws_segment(struct packet_storm *s)
{
    struct draft d = begin(s, WIRE_PROTO_TCP, WIRE_PROTO_TCP);
    struct segment seg;
    uint32_t len = ps_one_in(s, 3) ? ps_below(s, 1400) : 0;
    if (ps_one_in(s, 5) || !known_segment(s, &d, &seg)) {
        new_segment(s, &seg);
        len = 0;
    } else if (ps_one_in(s, 8)) {
        static const uint16_t bits[] = {FIN, FIN, RST, SYN, PSH, URG, ECE, CWR};
        seg.ctl |= bits[ps_below(s, ARRAY_LEN(bits))];
    }
    if (len != 0 && ps_one_in(s, 6)) {
        len = 1 + ps_below(s, 30000);
        d.gso_size = 1 + ps_below(s, 1460);
    }
    uint32_t header = (uint32_t)wire_put_tcp(payload, &seg);
    fill(s, payload + header, len);
    d.len = header + len;
    leaves(s, &d);
}

/* Neighbours ------------------------------------------------------------------------------------
 */

static void draws_arp(struct packet_storm *s)
{
    uint32_t iface = 1 + ps_below(s, s->links);
    uint8_t from[16], to[16];
    struct wire_arp arp = {.op = (uint16_t)(1 + ps_below(s, ps_one_in(s, 10) ? 4 : 2))};
    ps_remote(s, iface, false, from);
    ps_remote(s, iface, false, to);
    memcpy(to, ps_one_in(s, 3) ? to : ps_own(s, false)->ip, 16);
    ps_mac(s, iface, arp.sha);
    memcpy(arp.tha, s->link[iface - 1].mac, 6);
    memcpy(arp.spa, from + 12, 4);
    memcpy(arp.tpa, to + 12, 4);
    wire_put_arp(packet, &arp);
    ps_deliver(s, iface, WIRE_ETH_ARP, packet, WIRE_ARP_BYTES, 0);
}

/* A neighbour discovery message of this type with options of any kind; returns its length. */
static uint32_t put_discovery(struct packet_storm *s, uint8_t type, const struct wire_nd *nd)
{
    uint32_t len = (uint32_t)wire_put_nd(payload, nd);
    payload[0] = type;
    if (type == ICMP6_ROUTER_ADVERT || type == ICMP6_ROUTER_SOLICIT) {
        len = type == ICMP6_ROUTER_ADVERT ? 16 : 8;
        fill(s, payload + 4, len - 4);
    } else if (type == ICMP6_REDIRECT) {
        memmove(payload + 40, payload + 24, len - 24);
        ps_remote(s, 1, true, payload + 24);
        len += 16;
    }
    while (ps_one_in(s, 5)) {
        uint32_t more = 8 * (1 + ps_below(s, 4));
        fill(s, payload + len, more);
        payload[len] = (uint8_t)ps_below(s, 16);
        payload[len + 1] = (uint8_t)(ps_one_in(s, 8) ? ps_below(s, 256) : more / 8);
        len += more;
    }
    return len;
}

static void draws_discovery(struct packet_storm *s)
{
    static const uint8_t types[] = {135, 135, 136, 136, 133, 134, 137};
    struct draft d = begin(s, 0, WIRE_PROTO_ICMPV6);
    d.ip.version = 6;
    d.ip.proto = WIRE_PROTO_ICMPV6;
    d.plain = !ps_one_in(s, 10);
    d.ip.ttl = ps_one_in(s, 15) ? 254 : HOP_LIMIT;
    d.ip.tos = 0;
    const struct ps_own *own = ps_own(s, true);
    ps_remote(s, d.iface, true, d.ip.src);
    memcpy(d.ip.dst, own->ip, 16);
    uint8_t type = types[ps_below(s, ARRAY_LEN(types))];
    struct wire_nd nd = {.solicitation = type == 135,
                         .router = ps_one_in(s, 4),
                         .solicited = ps_one_in(s, 2),
                         .override = ps_one_in(s, 2),
                         .has_lladdr = !ps_one_in(s, 3)};
    ps_mac(s, d.iface, nd.lladdr);
    memcpy(nd.target, type == 136 && !ps_one_in(s, 6) ? d.ip.src : own->ip, 16);
    if (type == 135 && ps_one_in(s, 2)) { /* to its group, or from nobody */
        static const uint8_t group[13] = {0xff, 2, [11] = 1, [12] = 0xff};
        memcpy(d.ip.dst, group, 13);
        memset(d.ip.src, 0, ps_one_in(s, 4) ? 16 : 0);
    }
    d.len = put_discovery(s, type, &nd);
    leaves(s, &d);
}

/* Whom the stack has asked for is there, and says so. */
static void answers_question(struct packet_storm *s)
{
    if (s->n_asked == 0) {
        return;
    }
    const struct ps_question *q = &s->asked[--s->n_asked];
    if (wire_is_v4(q->ip)) {
        struct wire_arp arp = {.op = 2};
        ps_mac(s, q->iface, arp.sha);
        memcpy(arp.tha, s->link[q->iface - 1].mac, 6);
        memcpy(arp.spa, q->ip + 12, 4);
        memcpy(arp.tpa, q->from + 12, 4);
        wire_put_arp(packet, &arp);
        ps_deliver(s, q->iface, WIRE_ETH_ARP, packet, WIRE_ARP_BYTES, 0);
        return;
    }
    struct draft d = {.iface = q->iface, .plain = true};
    struct wire_nd nd = {.solicited = true, .override = ps_one_in(s, 2), .has_lladdr = true};
    d.ip = (struct wire_ip){.version = 6, .proto = WIRE_PROTO_ICMPV6, .ttl = HOP_LIMIT};
    memcpy(d.ip.src, q->ip, 16);
    memcpy(d.ip.dst, q->from, 16);
    memcpy(nd.target, q->ip, 16);
    ps_mac(s, q->iface, nd.lladdr);
    d.len = (uint32_t)wire_put_nd(payload, &nd);
    leaves(s, &d);
}

void ps_draws(struct packet_storm *s)
{
    static void (*const kinds[])(struct packet_storm *) = {
        draws_datagram,   draws_datagram,   draws_datagram,  draws_echo,       draws_echo,
        draws_error,      draws_error,      draws_error,     draws_reflection, draws_anything,
        draws_segment,    draws_segment,    draws_segment,   draws_segment,    draws_arp,
        draws_arp,        draws_discovery,  draws_discovery, answers_question, answers_question,
        answers_question, answers_question, answers_question};
    kinds[ps_below(s, ARRAY_LEN(kinds))](s);
}
