/* cut.c - IPv4 packets without DF on a lane that is too narrow for them: cut in pieces (RFC 791
 * 3.2), each of which has a fate of its own. */
#include "world.h"

#include <string.h>

enum { IP_BYTES = 20, MORE = 0x2000, PLACE = 0x1fff };

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static void put_word(uint8_t *p, uint32_t word)
{
    p[0] = (uint8_t)(word >> 8);
    p[1] = (uint8_t)word;
}

static void finish_header(uint8_t *ip, uint32_t len, uint32_t place)
{
    put_word(ip + 2, len);
    put_word(ip + 6, place);
    put_word(ip + 10, 0);
    wire_put_sum(ip + 10, wire_sum(ip, IP_BYTES, 0));
}

/* The next piece of what slot `whole` holds, `n` octets from `from` on.  UINT32_MAX: no room. */
static uint32_t piece_of(struct world *world, uint32_t whole, uint32_t link, uint32_t from,
                         uint32_t n)
{
    uint32_t piece = wire_slot(world, link + IP_BYTES + n);
    if (piece == UINT32_MAX) {
        return piece;
    }
    const struct slot *s = &world->wire.slot[whole];
    struct slot *to = &world->wire.slot[piece];
    uint32_t place = word_at(s->data + link + 6), all = s->len - link - IP_BYTES;
    bool more = (place & MORE) || from + n < all;
    to->flags = to->gso_size = 0;
    memcpy(to->data, s->data, link + IP_BYTES);
    memcpy(to->data + link + IP_BYTES, s->data + link + IP_BYTES + from, n);
    finish_header(to->data + link, IP_BYTES + n, ((place & PLACE) + from / 8) | (more ? MORE : 0));
    return piece;
}

bool cut_apart(struct world *world, uint32_t from, uint32_t to, uint32_t slot, uint32_t mtu)
{
    const struct slot *s = &world->wire.slot[slot];
    uint32_t link = world->plan.ethernet ? 14 : 0, len = s->len - link;
    const uint8_t *ip = s->data + link;
    bool v4 = ip[0] == (4 << 4 | IP_BYTES / 4) && (link == 0 || word_at(s->data + 12) == 0x0800);
    if (!v4 || (ip[6] & 0x40) || len <= mtu || s->flags != 0) {
        return false;
    }
    uint32_t most = (mtu - IP_BYTES) & ~7u, all = len - IP_BYTES;
    for (uint32_t at = 0; at < all; at += most) {
        uint32_t n = all - at < most ? all - at : most;
        uint32_t piece = piece_of(world, slot, link, at, n);
        if (piece != UINT32_MAX) {
            wire_send(world, from, to, piece);
        }
    }
    wire_free(world, slot);
    return true;
}
