/* gso.c - super-segments cut into wire segments, and checksums finished: what a NIC does with the
 * virtio-net header's GSO and NEEDS_CSUM (virtio 1.2, section 5.1.6.2).
 *
 *     | IP | TCP | text ..................... |      gso_size octets of text each:
 *     | IP | TCP | text ... |                        CWR only here (RFC 3168 section 6.1.2)
 *     | IP | TCP | text ... |                        SEG.SEQ + gso_size, ident + 1
 *     | IP | TCP | text . |                          FIN and PSH only here
 *
 * Checksums are computed anew, whatever the super-segment's field holds.
 */
#include "base/bytes.h"
#include "wire/wire.h"

/* A super-segment taken apart. */
struct super {
    struct wire_ip ip;
    struct segment seg;
    size_t headers_len; /* IP and TCP */
};

/* A wrong IPv4 header checksum does not matter: every piece gets its own. */
static bool parse_ip(const uint8_t *packet, size_t len, struct wire_ip *ip)
{
    enum wire_status status = wire_parse_ip(packet, len, ip);
    bool whole = status == WIRE_OK || (status == WIRE_BAD_CHECKSUM && ip->version == 4);
    return whole && !ip->fragment && ip->proto == WIRE_PROTO_TCP;
}

static bool parse(const uint8_t *packet, size_t len, struct super *super)
{
    if (!parse_ip(packet, len, &super->ip)) {
        return false;
    }
    size_t tcp_at = super->ip.header_len;
    if (wire_parse_tcp(packet + tcp_at, super->ip.total_len - tcp_at, &super->seg) != WIRE_OK) {
        return false;
    }
    super->headers_len = tcp_at + super->seg.header_len;
    return true;
}

static uint32_t count_of(const struct super *super, uint32_t gso_size)
{
    if (gso_size == 0 || super->seg.text_len <= gso_size) {
        return 1;
    }
    return (super->seg.text_len - 1) / gso_size + 1;
}

uint32_t wire_gso_count(const uint8_t *packet, size_t len, uint32_t gso_size)
{
    struct super super;
    return parse(packet, len, &super) ? count_of(&super, gso_size) : 0;
}

static void fix_ip(uint8_t *out, const struct wire_ip *ip, size_t total_len, uint32_t index)
{
    if (ip->version == 6) {
        put_be16(out + 4, (uint16_t)(total_len - 40));
        return;
    }
    put_be16(out + 2, (uint16_t)total_len);
    put_be16(out + 4, (uint16_t)(ip->ident + index));
    put_be16(out + 10, 0);
    put_be16(out + 10, csum_finish(csum_add(0, out, ip->header_len)));
}

static void fix_tcp(uint8_t *tcp, const struct super *super, uint32_t at, bool first, bool last,
                    uint32_t text_len)
{
    const struct segment *seg = &super->seg;
    uint16_t ctl = seg->ctl;
    if (!first) {
        ctl &= (uint16_t)~CTL_CWR;
    }
    if (!last) {
        ctl &= (uint16_t) ~(CTL_FIN | CTL_PSH);
    }
    put_be32(tcp + 4, seq_add(seg->seq, at).v);
    put_be16(tcp + 12, (uint16_t)((get_be16(tcp + 12) & ~0x1ff) | ctl));
    csum_t text_sum = csum_add(0, tcp + seg->header_len, text_len);
    wire_set_tcp_checksum(tcp, seg->header_len, &super->ip, text_sum, text_len);
}

size_t wire_gso_split(const uint8_t *packet, size_t len, uint32_t gso_size, uint32_t index,
                      uint8_t *out, size_t room)
{
    struct super super;
    if (!parse(packet, len, &super)) {
        return 0;
    }
    uint32_t count = count_of(&super, gso_size);
    if (index >= count) {
        return 0;
    }
    uint32_t at = count == 1 ? 0 : index * gso_size;
    bool last = index == count - 1;
    uint32_t text_len = last ? super.seg.text_len - at : gso_size;
    size_t total_len = super.headers_len + text_len;
    if (total_len > room) {
        return 0;
    }
    memcpy(out, packet, super.headers_len);
    memcpy(out + super.headers_len, super.seg.text + at, text_len);
    fix_ip(out, &super.ip, total_len, index);
    fix_tcp(out + super.ip.header_len, &super, at, index == 0, last, text_len);
    return total_len;
}

bool wire_fill_checksum(uint8_t *packet, size_t len, uint32_t csum_start, uint32_t csum_offset)
{
    if (csum_start > len || len - csum_start < 2 || csum_offset > len - csum_start - 2) {
        return false;
    }
    uint16_t csum = csum_finish(csum_add(0, packet + csum_start, len - csum_start));
    /* 0 would say "none" to UDP, and is the same number to TCP. */
    put_be16(packet + csum_start + csum_offset, csum == 0 ? 0xffff : csum);
    return true;
}
