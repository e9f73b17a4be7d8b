/* ip.c - IPv4, RFC 791 and RFC 1122 section 3.2.1; what both versions share. */
#include "base/bytes.h"
#include "wire/ip_parts.h"
#include "wire/wire.h"

/* Kinds of IPv4 options that matter here. */
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

/* Looks for source routes; nothing else in the options is of use to a host.  RFC791-3; MUST-50 */
static void scan_options(const uint8_t *p, size_t len, struct wire_ip *ip)
{
    size_t at = 0;
    while (at < len && p[at] != OPTION_END) {
        if (p[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at) {
            ip->bad_options = true;
            return;
        }
        if (p[at] == OPTION_LSRR || p[at] == OPTION_SSRR) {
            ip->source_route = true;
        }
        at += p[at + 1];
    }
}

/* RFC791-1, RFC1122-2 */
static enum wire_status parse_ip4(const uint8_t *p, size_t len, struct wire_ip *ip)
{
    if (len < 20) {
        return WIRE_SHORT;
    }
    ip->header_len = (uint16_t)((p[0] & 0x0f) * 4);
    if (ip->header_len < 20) {
        return WIRE_BAD_HEADER_LEN;
    }
    if (ip->header_len > len) {
        return WIRE_SHORT;
    }
    ip->tos = p[1];
    ip->total_len = get_be16(p + 2);
    ip->ident = get_be16(p + 4);
    uint16_t frag = get_be16(p + 6);
    ip->df = (frag & 0x4000) != 0;
    ip->mf = (frag & 0x2000) != 0;
    ip->frag_offset = (uint16_t)((frag & 0x1fff) * 8);
    ip->fragment = ip->mf || ip->frag_offset != 0;
    ip->ttl = p[8];
    ip->proto = p[9];
    wire_from_v4(ip->src, p + 12);
    wire_from_v4(ip->dst, p + 16);
    if (ip->total_len < ip->header_len || ip->total_len > len) {
        return WIRE_BAD_TOTAL_LEN;
    }
    if (csum_finish(csum_add(0, p, ip->header_len)) != 0) {
        return WIRE_BAD_CHECKSUM;
    }
    /* What no datagram can hold, and what cannot be put together again (RFC 791 section 3.2). */
    uint32_t payload_len = ip->total_len - ip->header_len;
    if (ip->fragment && (payload_len == 0 || (ip->mf && payload_len % 8 != 0) ||
                         ip->header_len + ip->frag_offset + payload_len > 65535)) {
        return WIRE_BAD_FORM;
    }
    scan_options(p + 20, (size_t)ip->header_len - 20, ip);
    return WIRE_OK;
}

/* RFC1122-1 */
enum wire_status wire_parse_ip(const uint8_t *p, size_t len, struct wire_ip *ip)
{
    *ip = (struct wire_ip){0};
    if (len == 0) {
        ip->status = WIRE_SHORT;
        return ip->status;
    }
    ip->version = p[0] >> 4;
    switch (ip->version) {
    case 4:
        ip->status = parse_ip4(p, len, ip);
        break;
    case 6:
        ip->status = wire_parse_ip6(p, len, ip);
        break;
    default:
        ip->status = WIRE_BAD_VERSION;
    }
    return ip->status;
}

static size_t put_ip4(uint8_t *out, const struct wire_ip *ip)
{
    uint32_t frag = (uint32_t)ip->df << 14 | (uint32_t)ip->mf << 13 | ip->frag_offset / 8u;
    out[0] = 0x45;
    out[1] = ip->tos;
    put_be16(out + 2, (uint16_t)ip->total_len);
    put_be16(out + 4, ip->ident);
    put_be16(out + 6, (uint16_t)frag);
    out[8] = ip->ttl;
    out[9] = ip->proto;
    put_be16(out + 10, 0);
    memcpy(out + 12, ip->src + 12, 4);
    memcpy(out + 16, ip->dst + 12, 4);
    put_be16(out + 10, csum_finish(csum_add(0, out, 20)));
    return 20;
}

size_t wire_put_ip(uint8_t *out, const struct wire_ip *ip)
{
    return ip->version == 4 ? put_ip4(out, ip) : wire_put_ip6(out, ip);
}

/* RFC8200-6 */
csum_t wire_pseudo(const struct wire_ip *ip, uint8_t proto, uint32_t len)
{
    if (proto == WIRE_PROTO_ICMP) {
        return 0;
    }
    if (ip->version == 4) {
        return csum_pseudo4(ip->src + 12, ip->dst + 12, proto, len);
    }
    return csum_pseudo6(ip->src, ip->dst, proto, len);
}
