/* ethernet.c - Ethernet II (RFC 894) with at most one VLAN tag (IEEE 802.1Q), and ARP (RFC 826).
 *
 * IEEE 802.3 length fields need no special case: a type below 0x600 is one that nobody handles.
 */
#include "base/bytes.h"
#include "wire/wire.h"

enum wire_status wire_parse_eth(const uint8_t *p, size_t len, struct wire_eth *eth)
{
    *eth = (struct wire_eth){0};
    if (len < 14) {
        return WIRE_SHORT;
    }
    memcpy(eth->dst, p, 6);
    memcpy(eth->src, p + 6, 6);
    eth->type = get_be16(p + 12);
    eth->header_len = 14;
    if (eth->type == WIRE_ETH_VLAN) {
        if (len < 18) {
            return WIRE_SHORT;
        }
        eth->tagged = true;
        eth->vlan = get_be16(p + 14);
        eth->type = get_be16(p + 16);
        eth->header_len = 18;
    }
    return WIRE_OK;
}

size_t wire_put_eth(uint8_t *out, const struct wire_eth *eth)
{
    memcpy(out, eth->dst, 6);
    memcpy(out + 6, eth->src, 6);
    if (!eth->tagged) {
        put_be16(out + 12, eth->type);
        return 14;
    }
    put_be16(out + 12, WIRE_ETH_VLAN);
    put_be16(out + 14, eth->vlan);
    put_be16(out + 16, eth->type);
    return 18;
}

/* RFC826-2 */
enum wire_status wire_parse_arp(const uint8_t *p, size_t len, struct wire_arp *arp)
{
    *arp = (struct wire_arp){0};
    if (len < WIRE_ARP_BYTES) {
        return WIRE_SHORT;
    }
    bool ethernet = get_be16(p) == 1 && p[4] == 6;
    bool ipv4 = get_be16(p + 2) == WIRE_ETH_IPV4 && p[5] == 4;
    if (!ethernet || !ipv4) {
        return WIRE_BAD_FORM;
    }
    arp->op = get_be16(p + 6);
    memcpy(arp->sha, p + 8, 6);
    memcpy(arp->spa, p + 14, 4);
    memcpy(arp->tha, p + 18, 6);
    memcpy(arp->tpa, p + 24, 4);
    return WIRE_OK;
}

size_t wire_put_arp(uint8_t *out, const struct wire_arp *arp)
{
    put_be16(out, 1);
    put_be16(out + 2, WIRE_ETH_IPV4);
    out[4] = 6;
    out[5] = 4;
    put_be16(out + 6, arp->op);
    memcpy(out + 8, arp->sha, 6);
    memcpy(out + 14, arp->spa, 4);
    memcpy(out + 18, arp->tha, 6);
    memcpy(out + 24, arp->tpa, 4);
    return WIRE_ARP_BYTES;
}
