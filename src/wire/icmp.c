/* icmp.c - ICMP (RFC 792, RFC 1122 section 3.2.2), ICMPv6 (RFC 4443), and the packets they quote.
 */
#include "base/bytes.h"
#include "wire/wire.h"

enum wire_status wire_parse_icmp(const uint8_t *p, size_t len, uint8_t version,
                                 struct wire_icmp *icmp)
{
    *icmp = (struct wire_icmp){.version = version};
    if (len < WIRE_ICMP_BYTES) {
        return WIRE_SHORT;
    }
    icmp->type = p[0];
    icmp->code = p[1];
    icmp->csum = get_be16(p + 2);
    icmp->rest = get_be32(p + 4);
    icmp->body = p + WIRE_ICMP_BYTES;
    icmp->body_len = (uint32_t)(len - WIRE_ICMP_BYTES);
    return WIRE_OK;
}

size_t wire_put_icmp(uint8_t *out, const struct wire_icmp *icmp)
{
    out[0] = icmp->type;
    out[1] = icmp->code;
    put_be16(out + 2, 0);
    put_be32(out + 4, icmp->rest);
    return WIRE_ICMP_BYTES;
}

static csum_t pseudo_of(const struct wire_ip *ip, size_t len)
{
    return ip->version == 4 ? 0 : wire_pseudo(ip, WIRE_PROTO_ICMPV6, (uint32_t)len);
}

bool wire_icmp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len)
{
    return len >= WIRE_ICMP_BYTES && csum_finish(csum_add(pseudo_of(ip, len), p, len)) == 0;
}

void wire_set_icmp_checksum(uint8_t *p, size_t len, const struct wire_ip *ip)
{
    put_be16(p + 2, 0);
    put_be16(p + 2, csum_finish(csum_add(pseudo_of(ip, len), p, len)));
}

bool wire_icmp_is_error(const struct wire_icmp *icmp)
{
    if (icmp->version == 6) {
        return icmp->type < 128; /* RFC 4443 section 2.1 */
    }
    switch (icmp->type) {
    case ICMP4_UNREACHABLE:
    case ICMP4_SOURCE_QUENCH:
    case ICMP4_REDIRECT:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAM_PROBLEM:
        return true;
    default:
        return false;
    }
}

/* The ports and the sequence number behind the quoted IP header, as far as they are there. */
static void parse_quoted_ports(const uint8_t *p, size_t len, struct wire_quote *quote)
{
    bool tcp = quote->proto == WIRE_PROTO_TCP;
    if (len < 4 || (!tcp && quote->proto != WIRE_PROTO_UDP)) {
        return;
    }
    quote->sport = get_be16(p);
    quote->dport = get_be16(p + 2);
    quote->has_ports = true;
    if (tcp && len >= 8) {
        quote->seq = seq(get_be32(p + 4));
        quote->has_seq = true;
    }
}

static enum wire_status parse_quote4(const uint8_t *body, size_t len, struct wire_quote *quote)
{
    if (len < 20) {
        return WIRE_SHORT;
    }
    size_t header_len = (size_t)(body[0] & 0x0f) * 4;
    if (body[0] >> 4 != 4) {
        return WIRE_BAD_VERSION;
    }
    if (header_len < 20 || header_len > len) {
        return WIRE_BAD_HEADER_LEN;
    }
    quote->total_len = get_be16(body + 2);
    quote->proto = body[9];
    wire_from_v4(quote->src, body + 12);
    wire_from_v4(quote->dst, body + 16);
    bool later_fragment = (get_be16(body + 6) & 0x1fff) != 0;
    if (!later_fragment) {
        parse_quoted_ports(body + header_len, len - header_len, quote);
    }
    return WIRE_OK;
}

/* Of extension headers Handfast sends the fragment header alone, of datagrams: a quote with another
 * one concerns nothing of ours, and its protocol is the extension header's. */
static enum wire_status parse_quote6(const uint8_t *body, size_t len, struct wire_quote *quote)
{
    if (len < 40) {
        return WIRE_SHORT;
    }
    if (body[0] >> 4 != 6) {
        return WIRE_BAD_VERSION;
    }
    quote->total_len = 40u + get_be16(body + 4);
    quote->proto = body[6];
    memcpy(quote->src, body + 8, 16);
    memcpy(quote->dst, body + 24, 16);
    size_t at = 40;
    if (quote->proto == WIRE_PROTO_FRAGMENT) {
        bool first = len >= 48 && (get_be16(body + 42) & 0xfff8) == 0;
        quote->proto = first ? body[40] : WIRE_PROTO_FRAGMENT;
        at = first ? 48 : len;
    }
    parse_quoted_ports(body + at, len - at, quote);
    return WIRE_OK;
}

enum wire_status wire_parse_quote(const uint8_t *body, size_t len, uint8_t version,
                                  struct wire_quote *quote)
{
    *quote = (struct wire_quote){.version = version};
    return version == 4 ? parse_quote4(body, len, quote) : parse_quote6(body, len, quote);
}
