/* arp.c - ARP, RFC 826: questions, answers, and what is believed of either (RFC 5227). */
#include "stack/stack.h"

enum { REQUEST = 1, REPLY = 2 };

static void send_arp(struct stack *st, uint8_t iface, const struct wire_arp *arp,
                     const uint8_t dst_mac[6])
{
    uint32_t idx = stack_packet_new(st, false);
    if (idx == 0) {
        st->s->packets_dropped++;
        return;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    packet->iface = iface;
    packet->mac_known = 1;
    memcpy(packet->dst_mac, dst_mac, 6);
    packet->header_len = (uint8_t)wire_put_arp(packet->header, arp);
    stack_packet_send(st, idx);
}

void stack_arp_ask(struct stack *st, uint8_t iface, const uint8_t ip[16], const uint8_t *mac)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct wire_arp arp = {.op = REQUEST};
    struct stack_path path;
    memcpy(arp.sha, stack_interface_at(st, iface)->mac, 6);
    memcpy(arp.tpa, ip + 12, 4);
    if (stack_route(st, ip, iface, &path) != HF_OK) {
        return; /* no address of ours to ask with: nobody could answer */
    }
    memcpy(arp.spa, path.src + 12, 4);
    send_arp(st, iface, &arp, mac != NULL ? mac : everybody);
}

/* Sender fields that no neighbour of ours can have. */
static bool sender_can_be(const struct stack *st, const struct arrival *a,
                          const struct wire_arp *arp, const uint8_t sender[16])
{
    static const uint8_t no_mac[6];
    bool probe = get_be32(arp->spa) == 0; /* RFC 5227 2.1.1 */
    if ((arp->sha[0] & 1) || memcmp(arp->sha, no_mac, 6) == 0) {
        return false;
    }
    if (probe) {
        return arp->op == REQUEST;
    }
    return stack_is_unicast(st, sender) && arp->spa[0] != 127 &&
           !stack_is_own(st, sender, a->iface);
}

/* A reply counts only when it was asked for: a fresh entry needs no news, a forged one is none. */
static void take_reply(struct stack *st, const struct arrival *a, const struct wire_arp *arp,
                       const uint8_t sender[16])
{
    uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, sender, a->iface) : 0;
    if (n == 0) {
        return;
    }
    const struct stack_neighbour *entry = stack_neighbour_at(st, n);
    if (entry->state == NEIGHBOUR_INCOMPLETE ||
        (entry->state == NEIGHBOUR_STALE && entry->tries != 0)) {
        stack_neighbour_confirm(st, n, arp->sha, true);
    } else if (memcmp(entry->mac, arp->sha, 6) != 0) {
        stack_neighbour_doubt(st, n);
    }
}

/* RFC826-1 */
void stack_arp_input(struct stack *st, const struct arrival *a, const uint8_t *p, size_t len)
{
    struct wire_arp arp;
    uint8_t sender[16], target[16];
    bool good = wire_parse_arp(p, len, &arp) == WIRE_OK && (arp.op == REQUEST || arp.op == REPLY);
    if (good) {
        wire_from_v4(sender, arp.spa);
        wire_from_v4(target, arp.tpa);
        good = sender_can_be(st, a, &arp, sender);
    }
    if (!good) {
        stack_verdict(st, a, HF_V_DROP_NEIGHBOUR);
        return;
    }
    bool ours = stack_is_own(st, target, a->iface);
    if (arp.op == REPLY) {
        if (ours) {
            take_reply(st, a, &arp, sender);
        }
    } else if (ours) {
        if (get_be32(arp.spa) != 0) {
            stack_neighbour_heard(st, sender, a->iface, arp.sha);
        }
        struct wire_arp reply = {.op = REPLY};
        memcpy(reply.sha, stack_interface_at(st, a->iface)->mac, 6);
        memcpy(reply.spa, arp.tpa, 4);
        memcpy(reply.tha, arp.sha, 6);
        memcpy(reply.tpa, arp.spa, 4);
        send_arp(st, a->iface, &reply, arp.sha);
    } else if (memcmp(arp.spa, arp.tpa, 4) == 0) {
        /* Announced, not asked for: at most a reason to ask who it is. */
        uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, sender, a->iface) : 0;
        if (n != 0 && memcmp(stack_neighbour_at(st, n)->mac, arp.sha, 6) != 0) {
            stack_neighbour_doubt(st, n);
        }
    }
    stack_verdict(st, a, HF_V_NEIGHBOUR);
}
