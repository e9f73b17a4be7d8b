/* nd.c - neighbour discovery, RFC 4861 section 7.2: solicitations and advertisements. */
#include "stack/stack.h"

enum { HOP_LIMIT = 255, NO_EXTENSIONS = 40 };

/* ff02::1:ffXX:XXXX, RFC 4291 2.7.1 */
static void solicited_node(const uint8_t ip[16], uint8_t group[16])
{
    static const uint8_t prefix[13] = {0xff, 2, [11] = 1, [12] = 0xff};
    memcpy(group, prefix, 13);
    memcpy(group + 13, ip + 13, 3);
}

/* from, to: addresses; mac: of to, NULL: as its group's, or to be found. */
static void send_nd(struct stack *st, uint8_t iface, const struct wire_nd *nd,
                    const uint8_t from[16], const uint8_t to[16], const uint8_t *mac)
{
    uint32_t idx = stack_packet_new(st, false);
    if (idx == 0) {
        st->s->packets_dropped++;
        return;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    struct wire_ip ip = {.version = 6};
    memcpy(ip.src, from, 16);
    memcpy(ip.dst, to, 16);
    memcpy(packet->local, from, 16);
    memcpy(packet->remote, to, 16);
    packet->proto = WIRE_PROTO_ICMPV6;
    packet->iface = iface;
    packet->ttl = HOP_LIMIT;
    packet->header_len = (uint8_t)wire_put_nd(packet->header, nd);
    wire_set_icmp_checksum(packet->header, packet->header_len, &ip);
    packet->on_link = mac == NULL;
    if (mac != NULL) {
        packet->mac_known = 1;
        memcpy(packet->dst_mac, mac, 6);
    }
    stack_packet_send(st, idx);
}

void stack_nd_ask(struct stack *st, uint8_t iface, const uint8_t ip[16], const uint8_t *mac)
{
    struct wire_nd nd = {.solicitation = true, .has_lladdr = true};
    uint8_t group[16], src[16];
    memcpy(nd.target, ip, 16);
    memcpy(nd.lladdr, stack_interface_at(st, iface)->mac, 6);
    if (!stack_link_source(st, ip, iface, src)) {
        return; /* RFC 4861 4.3: of this interface */
    }
    solicited_node(ip, group);
    send_nd(st, iface, &nd, src, mac != NULL ? ip : group, mac);
}

/* RFC4861-3 */
static void advertise(struct stack *st, const struct arrival *a, const struct wire_nd *asked)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    bool known = !stack_is_any(a->ip.src);
    struct wire_nd nd = {.solicited = known, .override = true, .has_lladdr = true};
    memcpy(nd.target, asked->target, 16);
    memcpy(nd.lladdr, stack_interface_at(st, a->iface)->mac, 6);
    send_nd(st, a->iface, &nd, asked->target, known ? a->ip.src : all_nodes,
            known && asked->has_lladdr ? asked->lladdr : NULL);
}

/* 7.2.3 */
static enum hf_verdict take_solicitation(struct stack *st, const struct arrival *a,
                                         const struct wire_nd *nd)
{
    uint8_t group[16];
    solicited_node(nd->target, group);
    if (stack_is_any(a->ip.src) && (nd->has_lladdr || memcmp(a->ip.dst, group, 16) != 0)) {
        return HF_V_DROP_NEIGHBOUR; /* 7.1.1 */
    }
    if (!stack_is_own(st, nd->target, a->iface)) {
        return HF_V_NEIGHBOUR;
    }
    bool good = !nd->has_lladdr || stack_neighbour_heard(st, a->ip.src, a->iface, nd->lladdr);
    advertise(st, a, nd);
    return good ? HF_V_NEIGHBOUR : HF_V_NEIGHBOUR_CONTESTED;
}

/* 7.2.5, appendix C.  RFC4861-4 */
static enum hf_verdict take_advertisement(struct stack *st, const struct arrival *a,
                                          const struct wire_nd *nd)
{
    if (stack_is_multicast(a->ip.dst) && nd->solicited) {
        return HF_V_DROP_NEIGHBOUR; /* 7.1.2 */
    }
    if (stack_is_own(st, nd->target, a->iface)) { /* ours come back, or RFC 4862 5.4.4 */
        bool reflected =
            nd->has_lladdr && memcmp(nd->lladdr, stack_interface_at(st, a->iface)->mac, 6) == 0;
        return reflected ? HF_V_NEIGHBOUR : HF_V_ADDRESS_CONFLICT;
    }
    uint32_t n = st->s->max_neighbours ? stack_find_neighbour(st, nd->target, a->iface) : 0;
    if (n == 0) {
        return HF_V_NEIGHBOUR;
    }
    const struct stack_neighbour *entry = stack_neighbour_at(st, n);
    if (entry->state == NEIGHBOUR_INCOMPLETE) {
        if (nd->has_lladdr) {
            stack_neighbour_confirm(st, n, nd->lladdr, nd->solicited);
        }
        return HF_V_NEIGHBOUR;
    }
    uint8_t mac[6];
    memcpy(mac, nd->has_lladdr ? nd->lladdr : entry->mac, 6);
    bool changed = memcmp(mac, entry->mac, 6) != 0;
    if (changed && !nd->override) {
        stack_neighbour_doubt(st, n);
        return HF_V_NEIGHBOUR_CONTESTED;
    }
    if (nd->solicited || changed) {
        stack_neighbour_confirm(st, n, mac, nd->solicited);
    }
    return HF_V_NEIGHBOUR;
}

/* RFC4861-1 */
void stack_nd_input(struct stack *st, const struct arrival *a, const struct wire_icmp *icmp)
{
    struct wire_nd nd;
    bool ethernet = stack_interface_at(st, a->iface)->link == HF_LINK_ETHERNET;
    /* 7.1; and no fragments, nor anything else in between (RFC 6980). */
    bool good = a->ip.ttl == HOP_LIMIT && !a->reassembled && a->ip.header_len == NO_EXTENSIONS &&
                wire_parse_nd(icmp, &nd) == WIRE_OK;
    good = good && ethernet && !(nd.has_lladdr && (nd.lladdr[0] & 1));
    enum hf_verdict verdict = HF_V_DROP_NEIGHBOUR;
    if (good) {
        verdict = nd.solicitation ? take_solicitation(st, a, &nd) : take_advertisement(st, a, &nd);
    }
    stack_verdict(st, a, verdict);
}
