/* ip6.c - IPv6 and its extension headers, RFC 8200.
 *
 * Hop-by-hop and destination options are looked through for options that ask to be refused,
 * routing headers for segments left; none of them does anything.  Everything else - upper layers,
 * ESP, AH, "no next header" - ends the chain and is handed up as the protocol.  Chains and options
 * that only serve to burn time are refused (RFC 8504 section 5.3 allows limits).
 */
#include "base/bytes.h"
#include "wire/ip_parts.h"
#include "wire/wire.h"

enum { HOP_BY_HOP = 0, ROUTING = 43, DESTINATION = 60 };
/* Of options: those that are no padding, and all together.  RFC 8200 4.1: a routing header once,
 * one of destination options twice. */
enum {
    MAX_HEADERS = 8,
    MAX_OPTIONS = 8,
    MAX_WITH_PADDING = 32,
    MAX_ROUTING = 1,
    MAX_DESTINATION = 2
};
/* RFC 4443 section 3.4: codes of a Parameter Problem. */
enum { BAD_FIELD = 0, BAD_NEXT_HEADER = 1, BAD_OPTION = 2 };

/* A walk under way.  `base` is where offset 0 of the packet would be, so that pointers of
 * Parameter Problems are right; offsets are into the packet. */
struct walk {
    const uint8_t *base;
    size_t at, end;
    size_t next_at; /* offset of the octet that named the header at `at` */
    struct wire_ip *ip;
};

static enum wire_status problem(struct wire_ip *ip, uint8_t code, size_t at)
{
    ip->param_code = code;
    ip->unknown_at = (uint16_t)at;
    return WIRE_PARAM_PROBLEM;
}

/* Section 4.2: the two highest bits of an unknown option say what to do with the packet.
 * RFC8200-2 */
static enum wire_status unknown_option(const struct walk *w, size_t at)
{
    bool multicast = w->ip->dst[0] == 0xff;
    switch (w->base[at] >> 6) {
    case 0:
        return WIRE_OK;
    case 1:
        return WIRE_BAD_EXT;
    case 2:
        return problem(w->ip, BAD_OPTION, at);
    default:
        return multicast ? WIRE_BAD_EXT : problem(w->ip, BAD_OPTION, at);
    }
}

/* The options of the header at w->at, which ends at `end`. */
static enum wire_status walk_options(const struct walk *w, size_t end)
{
    size_t at = w->at + 2;
    unsigned options = 0;
    for (unsigned seen = 0; at < end; seen++) {
        if (seen == MAX_WITH_PADDING) {
            return WIRE_BAD_EXT;
        }
        if (w->base[at] == 0) {
            at++; /* Pad1 */
            continue;
        }
        if (end - at < 2 || w->base[at + 1] > end - at - 2) {
            return WIRE_BAD_EXT;
        }
        if (w->base[at] != 1) { /* PadN */
            enum wire_status status = unknown_option(w, at);
            if (status != WIRE_OK || options++ == MAX_OPTIONS) {
                return status != WIRE_OK ? status : WIRE_BAD_EXT;
            }
        }
        at += 2u + w->base[at + 1];
    }
    return WIRE_OK;
}

/* Section 4.4: a routing header of any type, 0 too (RFC 5095 3), is passed over only when no
 * segments are left.  RFC5095-1 */
static enum wire_status walk_routing(const struct walk *w)
{
    const uint8_t *header = w->base + w->at;
    return header[3] == 0 ? WIRE_OK : problem(w->ip, BAD_FIELD, w->at + 2);
}

/* Section 4.5.  Sets ip->fragment unless it is a whole packet in one ("atomic", RFC 6946).
 * RFC8200-3, RFC8200-4 */
static enum wire_status walk_fragment(const struct walk *w)
{
    struct wire_ip *ip = w->ip;
    const uint8_t *header = w->base + w->at;
    uint16_t word = get_be16(header + 2);
    ip->frag_offset = (uint16_t)(word & 0xfff8);
    ip->mf = (word & 1) != 0;
    ip->ident32 = get_be32(header + 4);
    ip->fragment = ip->mf || ip->frag_offset != 0;
    if (!ip->fragment) {
        return WIRE_OK;
    }
    ip->fragment_at = (uint16_t)w->at;
    size_t payload_len = w->end - w->at - 8;
    if (payload_len == 0) {
        return WIRE_BAD_FORM;
    }
    if (ip->mf && payload_len % 8 != 0) {
        return problem(ip, BAD_FIELD, 4); /* the payload length field */
    }
    if (ip->frag_offset + payload_len > 65535) {
        return problem(ip, BAD_FIELD, w->at + 2);
    }
    return WIRE_OK;
}

static enum wire_status walk_header(const struct walk *w, size_t header_len)
{
    switch (w->ip->proto) {
    case ROUTING:
        return walk_routing(w);
    case WIRE_PROTO_FRAGMENT:
        return walk_fragment(w);
    default:
        return walk_options(w, w->at + header_len);
    }
}

static bool is_extension(uint8_t proto)
{
    return proto == HOP_BY_HOP || proto == ROUTING || proto == WIRE_PROTO_FRAGMENT ||
           proto == DESTINATION;
}

/* Walks from ip->proto at w->at to the upper layer, or to behind the header of a fragment.
 * RFC8200-1 */
static enum wire_status walk(struct walk *w, bool hop_by_hop_allowed, bool fragment_allowed)
{
    struct wire_ip *ip = w->ip;
    unsigned routing = 0, destination = 0;
    for (unsigned headers = 0; is_extension(ip->proto); headers++) {
        routing += ip->proto == ROUTING;
        destination += ip->proto == DESTINATION;
        if (ip->proto == HOP_BY_HOP && !(hop_by_hop_allowed && headers == 0)) {
            return problem(ip, BAD_NEXT_HEADER, w->next_at);
        }
        if (headers == MAX_HEADERS || routing > MAX_ROUTING || destination > MAX_DESTINATION ||
            (ip->proto == WIRE_PROTO_FRAGMENT && !fragment_allowed)) {
            return WIRE_BAD_EXT;
        }
        if (w->end - w->at < 8) {
            return WIRE_SHORT;
        }
        size_t header_len = ip->proto == WIRE_PROTO_FRAGMENT ? 8 : 8u + 8u * w->base[w->at + 1];
        if (header_len > w->end - w->at) {
            return WIRE_SHORT;
        }
        enum wire_status status = walk_header(w, header_len);
        if (status != WIRE_OK) {
            return status;
        }
        if (ip->proto == WIRE_PROTO_FRAGMENT) {
            fragment_allowed = false;
        }
        ip->proto = w->base[w->at];
        w->next_at = w->at;
        w->at += header_len;
        if (ip->fragment) {
            break;
        }
    }
    ip->unknown_next_header = ip->proto;
    ip->unknown_at = (uint16_t)w->next_at;
    return WIRE_OK;
}

enum wire_status wire_parse_ip6(const uint8_t *p, size_t len, struct wire_ip *ip)
{
    if (len < 40) {
        return WIRE_SHORT;
    }
    uint32_t first = get_be32(p);
    ip->tos = (uint8_t)(first >> 20);
    ip->flow_label = first & 0xfffff;
    ip->total_len = 40u + get_be16(p + 4);
    ip->proto = p[6];
    ip->ttl = p[7];
    ip->header_len = 40;
    memcpy(ip->src, p + 8, 16);
    memcpy(ip->dst, p + 24, 16);
    if (ip->total_len > len) {
        return WIRE_BAD_TOTAL_LEN;
    }
    struct walk w = {.base = p, .at = 40, .end = ip->total_len, .next_at = 6, .ip = ip};
    enum wire_status status = walk(&w, true, true);
    ip->header_len = (uint16_t)w.at;
    return status;
}

/* Passes over headers that have the usual form, whatever is in them; a few are enough. */
uint8_t wire_last_header6(const uint8_t *p, size_t len, size_t *at)
{
    uint8_t proto = p[6];
    size_t next = 40;
    for (unsigned seen = 0; seen < MAX_HEADERS && is_extension(proto) && len - next >= 8; seen++) {
        size_t header_len = proto == WIRE_PROTO_FRAGMENT ? 8 : 8u + 8u * p[next + 1];
        bool later = proto == WIRE_PROTO_FRAGMENT && (get_be16(p + next + 2) & 0xfff8) != 0;
        if (later || header_len > len - next) {
            return proto; /* what is behind it is not there */
        }
        proto = p[next];
        next += header_len;
    }
    *at = next;
    return proto;
}

enum wire_status wire_walk_ip6(const uint8_t *p, size_t len, struct wire_ip *ip, size_t *at)
{
    ip->fragment = false;
    struct walk w = {.base = p, .end = len, .ip = ip};
    w.next_at = (uint16_t)(ip->unknown_at - ip->header_len);
    enum wire_status status = walk(&w, false, false);
    *at = w.at;
    return status;
}

size_t wire_put_ip6(uint8_t *out, const struct wire_ip *ip)
{
    put_be32(out, 6u << 28 | (uint32_t)ip->tos << 20 | (ip->flow_label & 0xfffff));
    put_be16(out + 4, (uint16_t)(ip->total_len - 40));
    out[6] = ip->proto;
    out[7] = ip->ttl;
    memcpy(out + 8, ip->src, 16);
    memcpy(out + 24, ip->dst, 16);
    return 40;
}
