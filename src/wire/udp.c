/* udp.c - UDP, RFC 768; over IPv6, RFC 8200 section 8.1. */
#include "base/bytes.h"
#include "wire/wire.h"

enum wire_status wire_parse_udp(const uint8_t *p, size_t len, struct wire_udp *udp)
{
    *udp = (struct wire_udp){0};
    if (len < WIRE_UDP_BYTES) {
        return WIRE_SHORT;
    }
    udp->sport = get_be16(p);
    udp->dport = get_be16(p + 2);
    udp->len = get_be16(p + 4);
    udp->csum = get_be16(p + 6);
    return udp->len < WIRE_UDP_BYTES || udp->len > len ? WIRE_BAD_TOTAL_LEN : WIRE_OK;
}

size_t wire_put_udp(uint8_t *out, const struct wire_udp *udp)
{
    put_be16(out, udp->sport);
    put_be16(out + 2, udp->dport);
    put_be16(out + 4, udp->len);
    put_be16(out + 6, udp->csum);
    return WIRE_UDP_BYTES;
}

bool wire_udp_checksum_ok(const struct wire_ip *ip, const uint8_t *p, size_t len)
{
    if (len < WIRE_UDP_BYTES) {
        return false;
    }
    if (get_be16(p + 6) == 0) {
        return ip->version == 4;
    }
    csum_t sum = wire_pseudo(ip, WIRE_PROTO_UDP, (uint32_t)len);
    return csum_finish(csum_add(sum, p, len)) == 0;
}

void wire_set_udp_checksum(uint8_t *header, const struct wire_ip *ip, csum_t text_sum,
                           uint32_t text_len)
{
    put_be16(header + 6, 0);
    csum_t sum = wire_pseudo(ip, WIRE_PROTO_UDP, WIRE_UDP_BYTES + text_len);
    uint16_t csum = csum_finish(csum_add(sum + text_sum, header, WIRE_UDP_BYTES));
    put_be16(header + 6, csum == 0 ? 0xffff : csum); /* 0 would say that there is none */
}
