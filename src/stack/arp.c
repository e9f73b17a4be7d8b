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
    /* of this link if we have one there, else what the packet will be from */
    if (!stack_link_source(st, ip, iface, path.src) && stack_route(st, ip, iface, &path) != HF_OK) {
        return; /* no address of ours to ask with: nobody could answer */
    }
    memcpy(arp.spa, path.src + 12, 4);
    send_arp(st, iface, &arp, mac != NULL ? mac : everybody);
}

/* Sender fields that no neighbour of ours can have. */
static enum hf_verdict judge_sender(const struct stack *st, const struct arrival *a,
                                    const struct wire_arp *arp, const uint8_t sender[16])
{
    static const uint8_t no_mac[6];
    bool probe = get_be32(arp->spa) == 0; /* RFC 5227 2.1.1 */
    if ((arp->sha[0] & 1) || memcmp(arp->sha, no_mac, 6) == 0) {
        return HF_V_DROP_NEIGHBOUR;
    }
    if (probe) {
        return arp->op == REQUEST ? HF_V_CONTINUE : HF_V_DROP_NEIGHBOUR;
    }
    if (stack_is_own(st, sender, a->iface)) { /* ours come back, or RFC 5227 2.4 */
        bool reflected = memcmp(arp->sha, stack_interface_at(st, a->iface)->mac, 6) == 0;
        return reflected ? HF_V_DROP_NEIGHBOUR : HF_V_ADDRESS_CONFLICT;
    }
    bool can_be = stack_is_unicast(st, sender) && arp->spa[0] != 127;
    return can_be ? HF_V_CONTINUE : HF_V_DROP_NEIGHBOUR;
}

/* A reply counts only when it was asked for: a fresh entry needs no news, a forged one is none. */
static enum hf_verdict take_reply(struct stack *st, const struct arrival *a,
                                  const struct wire_arp *arp, const uint8_t sender[16])
{
    uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, sender, a->iface) : 0;
    if (n == 0) {
        return HF_V_NEIGHBOUR;
    }
    const struct stack_neighbour *entry = stack_neighbour_at(st, n);
    bool same = memcmp(entry->mac, arp->sha, 6) == 0;
    bool asked = entry->state == NEIGHBOUR_STALE && entry->tries != 0;
    if (entry->state == NEIGHBOUR_INCOMPLETE ||
        (asked && (same || stack_neighbour_may_move(entry)))) {
        stack_neighbour_confirm(st, n, arp->sha, true);
    } else if (!same && stack_neighbour_contest(st, n)) {
        return HF_V_NEIGHBOUR_CONTESTED;
    }
    return HF_V_NEIGHBOUR;
}

/* A question; not for us and about itself, an announcement, in whichever words (RFC 5227 3): at
 * most a reason to ask who it is. */
static enum hf_verdict take_request(struct stack *st, const struct arrival *a,
                                    const struct wire_arp *arp, const uint8_t sender[16],
                                    bool for_us)
{
    if (!for_us) {
        bool announced = memcmp(arp->spa, arp->tpa, 4) == 0;
        uint32_t n =
            announced && st->s->max_neighbours ? stack_find_neighbour(st, sender, a->iface) : 0;
        bool contested = n != 0 && memcmp(stack_neighbour_at(st, n)->mac, arp->sha, 6) != 0 &&
                         stack_neighbour_contest(st, n);
        return contested ? HF_V_NEIGHBOUR_CONTESTED : HF_V_NEIGHBOUR;
    }
    bool good = get_be32(arp->spa) == 0 || stack_neighbour_heard(st, sender, a->iface, arp->sha);
    struct wire_arp reply = {.op = REPLY};
    memcpy(reply.sha, stack_interface_at(st, a->iface)->mac, 6);
    memcpy(reply.spa, arp->tpa, 4);
    memcpy(reply.tha, arp->sha, 6);
    memcpy(reply.tpa, arp->spa, 4);
    send_arp(st, a->iface, &reply, arp->sha);
    return good ? HF_V_NEIGHBOUR : HF_V_NEIGHBOUR_CONTESTED;
}

/* Where this link has no address we have asked as another one (stack_arp_ask). */
static bool is_for_us(const struct stack *st, const struct arrival *a, const uint8_t target[16])
{
    uint8_t here[16];
    bool any = !stack_is_loopback(target) && !stack_link_source(st, target, a->iface, here);
    return stack_is_own(st, target, any ? 0 : a->iface);
}

/* RFC826-1 */
void stack_arp_input(struct stack *st, const struct arrival *a, const uint8_t *p, size_t len)
{
    struct wire_arp arp;
    uint8_t sender[16], target[16];
    enum hf_verdict verdict = HF_V_DROP_NEIGHBOUR;
    if (wire_parse_arp(p, len, &arp) == WIRE_OK && (arp.op == REQUEST || arp.op == REPLY)) {
        wire_from_v4(sender, arp.spa);
        wire_from_v4(target, arp.tpa);
        verdict = judge_sender(st, a, &arp, sender);
    }
    if (verdict == HF_V_CONTINUE) {
        bool for_us = is_for_us(st, a, target);
        verdict = arp.op == REPLY && for_us ? take_reply(st, a, &arp, sender)
                                            : take_request(st, a, &arp, sender, for_us);
    }
    stack_verdict(st, a, verdict);
}
