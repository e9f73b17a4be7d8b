/* icmp.c - what a router says whose next link is too small: RFC 1191 (ICMP 3, 4), RFC 8201
 * (ICMPv6 2).  It comes from an address of nobody's, and at once. */
#include "world.h"

#include <string.h>

enum { ROUTER = 254, QUOTED4 = 28, QUOTED6 = 512 };

uint32_t wire_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    return len % 2 ? sum + ((uint32_t)p[len - 1] << 8) : sum;
}

void wire_put_sum(uint8_t *at, uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    at[0] = (uint8_t)(sum >> 8);
    at[1] = (uint8_t)sum;
}

static uint32_t put_v4(uint8_t *p, const uint8_t *packet, uint32_t mtu)
{
    enum { ALL = 20 + 8 + QUOTED4 };
    memset(p, 0, 28);
    p[0] = 0x45;
    p[3] = ALL;
    p[8] = 64;
    p[9] = 1;
    memcpy(p + 12, packet + 12, 4);
    p[15] = ROUTER;
    memcpy(p + 16, packet + 12, 4);
    wire_put_sum(p + 10, wire_sum(p, 20, 0));
    p[20] = 3;
    p[21] = 4;
    p[26] = (uint8_t)(mtu >> 8);
    p[27] = (uint8_t)mtu;
    memcpy(p + 28, packet, QUOTED4);
    wire_put_sum(p + 22, wire_sum(p + 20, 8 + QUOTED4, 0));
    return ALL;
}

static uint32_t put_v6(uint8_t *p, const uint8_t *packet, uint32_t len, uint32_t mtu)
{
    uint32_t quoted = len < QUOTED6 ? len : QUOTED6, payload = 8 + quoted;
    memset(p, 0, 48);
    p[0] = 0x60;
    p[4] = (uint8_t)(payload >> 8);
    p[5] = (uint8_t)payload;
    p[6] = 58;
    p[7] = 64;
    memcpy(p + 8, packet + 8, 16);
    p[23] = ROUTER;
    memcpy(p + 24, packet + 8, 16);
    p[40] = 2;
    p[46] = (uint8_t)(mtu >> 8);
    p[47] = (uint8_t)mtu;
    memcpy(p + 48, packet, quoted);
    wire_put_sum(p + 42, wire_sum(p + 40, payload, wire_sum(p + 8, 32, payload + 58)));
    return 40 + payload;
}

void wire_tell_too_big(struct world *world, const struct slot *slot, uint32_t from, uint32_t mtu)
{
    uint32_t link = world->plan.ethernet ? 14 : 0;
    const uint8_t *packet = slot->data + link;
    bool v4 = packet[0] >> 4 == 4;
    uint32_t answer = wire_slot(world, SMALL_BYTES);
    if (answer == UINT32_MAX || slot->len < link + QUOTED4) {
        return;
    }
    struct slot *to = &world->wire.slot[answer];
    if (link) {
        memcpy(to->data, slot->data + 6, 6);
        memcpy(to->data + 6, (const uint8_t[6]){2, 0, 0, 0, 0, ROUTER}, 6);
        memcpy(to->data + 12, slot->data + 12, 2);
    }
    uint32_t len = slot->len - link;
    to->len = link + (v4 ? put_v4(to->data + link, packet, mtu)
                         : put_v6(to->data + link, packet, len,
                                  mtu > HF_IPV6_MTU_MIN ? mtu : HF_IPV6_MTU_MIN));
    to->flags = 0;
    to->gso_size = 0;
    to->to = (uint8_t)from;
    if (!agenda_put(
            &world->agenda,
            (struct due){.at_ns = world->now_ns + 100000, .kind = DUE_FRAME, .which = answer})) {
        wire_free(world, answer);
    }
}
