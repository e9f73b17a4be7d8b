/* icmp_out.c - ICMP that we send: errors (RFC 1122 3.2.2, RFC 4443 2.4) and echo replies; and notes
 * of errors received, for hf_error_report.
 *
 * Both kinds have a budget of their own.  What an error costs is random, and each of sixteen groups
 * of addresses has a share that leaves the others theirs: nobody can count by his own errors what
 * others were sent, nor use up what they are to be told (CVE-2020-25705).
 */
#include "stack/stack.h"

enum { ERRORS, ECHOES };
enum { TICK_MS = 10, ERRORS_A_TICK = 2, ERRORS_MOST = 100, ECHOES_A_TICK = 10, ECHOES_MOST = 256 };
enum { GROUP_MOST = 30, GROUP_A_TICK = 1 }; /* errors to one group */
enum { QUOTE4 = 576 - 20 - 8, QUOTE6 = 1280 - 40 - 8 };

/* Which one an address is of, only the stack knows. */
static uint8_t *group_of(const struct stack *st, const uint8_t ip[16])
{
    uint64_t prefix = wire_is_v4(ip) ? get_be32(ip + 12) >> 8 : get_be64(ip);
    HF_COUNT(block_of(st)->work.hashed, 1);
    return &st->s->icmp_spent[sip13_12(&secret_of(&st->tcp)->reset, prefix, UINT32_MAX) %
                              ICMP_GROUPS];
}

/* RFC4443-4.  spent: by the group, NULL: none is looked at. */
static bool pay(struct stack *st, int kind, uint32_t cost, uint8_t *spent)
{
    struct hf_stack *s = st->s;
    uint32_t ticks = min_u32((st->tcp.now_ms - s->icmp_at_ms) / TICK_MS, ERRORS_MOST);
    if (ticks != 0) {
        s->icmp_at_ms = st->tcp.now_ms;
        s->icmp_credit[ERRORS] =
            min_u32(s->icmp_credit[ERRORS] + ticks * ERRORS_A_TICK, ERRORS_MOST);
        s->icmp_credit[ECHOES] =
            min_u32(s->icmp_credit[ECHOES] + ticks * ECHOES_A_TICK, ECHOES_MOST);
        for (size_t i = 0; i < ICMP_GROUPS; i++) {
            s->icmp_spent[i] -= (uint8_t)min_u32(s->icmp_spent[i], ticks * GROUP_A_TICK);
        }
    }
    if (s->icmp_credit[kind] < cost || (spent && *spent >= GROUP_MOST)) {
        return false;
    }
    s->icmp_credit[kind] -= cost;
    if (spent) {
        *spent += (uint8_t)cost;
    }
    return true;
}

/* A packet back to where `a` came from; 0: none is free. */
static uint32_t new_answer(struct stack *st, const uint8_t local[16], const uint8_t remote[16],
                           uint8_t iface)
{
    uint32_t idx = stack_packet_new(st, true);
    if (idx == 0) {
        st->s->packets_dropped++;
        return 0;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    memcpy(packet->local, local, 16);
    memcpy(packet->remote, remote, 16);
    packet->proto = wire_is_v4(remote) ? WIRE_PROTO_ICMP : WIRE_PROTO_ICMPV6;
    packet->iface = stack_zone(local, remote, iface);
    packet->ident = (uint32_t)rng_u64(&secret_of(&st->tcp)->rng);
    return idx;
}

csum_t stack_chain_sum(const struct stack *st, uint32_t chain)
{
    const struct tcp *tcp = &st->tcp;
    csum_t sum = 0;
    unsigned odd = 0;
    for (uint32_t idx = chain; idx != 0; idx = tcp_chunk(tcp, idx)->next) {
        uint32_t len = tcp_chunk(tcp, idx)->len;
        sum = csum_add_at(sum, tcp_chunk_data(tcp, idx), len, odd);
        HF_COUNT(tcp->b->work.summed, len);
        odd ^= len & 1;
    }
    return sum;
}

/* Header and checksum in front of the body, and off it goes.  RFC792-1 */
static void send_icmp(struct stack *st, uint32_t idx, const struct wire_icmp *icmp)
{
    struct stack_packet *packet = stack_packet_at(st, idx);
    struct wire_ip ip = {.version = icmp->version};
    memcpy(ip.src, packet->local, 16);
    memcpy(ip.dst, packet->remote, 16);
    packet->header_len = (uint8_t)wire_put_icmp(packet->header, icmp);
    csum_t sum = wire_pseudo(&ip, packet->proto, packet->header_len + packet->len);
    sum = csum_add(sum, packet->header, packet->header_len);
    sum += stack_chain_sum(st, packet->head);
    put_be16(packet->header + 2, csum_finish(sum));
    stack_packet_send(st, idx);
}

static bool append(struct stack *st, struct stack_packet *packet, const uint8_t *p, uint32_t len)
{
    uint64_t done = tcp_chunk_append(&st->tcp, &packet->head, &packet->tail, p, len, CHUNK_TO_KEEP);
    packet->len += (uint32_t)done;
    return done == len;
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e): about what no error may be sent.  RFC1122-7, RFC4443-3 */
static bool may_answer(const struct stack *st, const struct arrival *a, uint8_t type, uint8_t code)
{
    bool v6 = a->ip.version == 6;
    bool group_too = v6 && type == ICMP6_PARAM_PROBLEM && code == 2;
    if ((a->to_group && !group_too) || !stack_is_unicast(st, a->ip.src)) {
        return false;
    }
    const uint8_t *payload = a->payload;
    uint32_t len = a->len;
    if (v6 && type == ICMP6_PARAM_PROBLEM && a->packet != NULL) { /* what came behind the problem */
        size_t at = a->ip.total_len;
        if (wire_last_header6(a->packet, a->ip.total_len, &at) != WIRE_PROTO_ICMPV6) {
            return true;
        }
        payload = a->packet + at;
        len = (uint32_t)(a->ip.total_len - at);
    } else if (a->ip.proto != (v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP)) {
        return true;
    }
    struct wire_icmp icmp;
    return payload != NULL && wire_parse_icmp(payload, len, a->ip.version, &icmp) == WIRE_OK &&
           !wire_icmp_is_error(&icmp) && !(v6 && icmp.type == ICMP6_REDIRECT); /* (e.2) */
}

/* As much of the packet as may be quoted; the IP header is written anew when it is not here.
 * RFC1122-8, RFC4443-2 */
static bool quote(struct stack *st, struct stack_packet *packet, const struct arrival *a)
{
    uint32_t most = a->ip.version == 6 ? QUOTE6 : QUOTE4;
    if (a->packet != NULL) {
        return append(st, packet, a->packet, min_u32(a->ip.total_len, most));
    }
    uint8_t header[WIRE_MAX_IP];
    uint32_t len = (uint32_t)wire_put_ip(header, &a->ip);
    const uint8_t *payload = a->payload;
    uint32_t payload_len = a->len;
    if (payload == NULL && a->chain != 0) {
        payload = tcp_chunk_data(&st->tcp, a->chain);
        payload_len = tcp_chunk(&st->tcp, a->chain)->len;
    }
    return append(st, packet, header, len) &&
           append(st, packet, payload, min_u32(payload_len, most - len));
}

/* RFC6633-1, RFC4861-7 */
void stack_icmp_error(struct stack *st, const struct arrival *a, uint8_t type, uint8_t code,
                      uint32_t rest)
{
    uint32_t cost = 1 + rng_below(&secret_of(&st->tcp)->rng, 2);
    if (!may_answer(st, a, type, code) || !pay(st, ERRORS, cost, group_of(st, a->ip.src))) {
        return;
    }
    uint8_t zone = stack_is_link_local(a->ip.src) ? a->iface : 0;
    struct stack_path path;
    if (a->to_group && stack_route(st, a->ip.src, zone, &path) != HF_OK) {
        return;
    }
    uint32_t idx = a->to_group ? new_answer(st, path.src, a->ip.src, (uint8_t)path.iface)
                               : new_answer(st, a->ip.dst, a->ip.src, a->iface);
    if (idx == 0) {
        return;
    }
    if (!quote(st, stack_packet_at(st, idx), a)) {
        stack_packet_free(st, idx);
        return;
    }
    struct wire_icmp icmp = {.version = a->ip.version, .type = type, .code = code, .rest = rest};
    send_icmp(st, idx, &icmp);
}

void stack_icmp_refuse(struct stack *st, const struct conn_id *id, seq_t irs, enum hf_answer answer)
{
    static const uint8_t codes[][2] = {/* IPv4, IPv6: RFC 792, RFC 1812 5.2.7.1; RFC 4443 3.1 */
                                       [HF_ANSWER_UNREACHABLE_NET] = {0, 0},
                                       [HF_ANSWER_UNREACHABLE_HOST] = {1, 3},
                                       [HF_ANSWER_PROHIBITED] = {13, 1}};
    if (answer < HF_ANSWER_UNREACHABLE_NET || answer > HF_ANSWER_PROHIBITED) {
        return;
    }
    struct wire_icmp icmp = {.version = id->v4 ? 4 : 6, .code = codes[answer][id->v4 ? 0 : 1]};
    icmp.type = id->v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE;
    if (stack_is_own(st, id->remote, id->zone)) {
        stack_icmp_own(st, id, irs, &icmp);
        return;
    }
    uint8_t header[WIRE_MAX_TCP];
    struct segment syn = {.seq = irs, .ctl = SYN, .sport = id->rport, .dport = id->lport};
    struct arrival a = {.payload = header, .iface = id->zone};
    a.len = (uint32_t)wire_put_tcp(header, &syn);
    a.ip = (struct wire_ip){.version = icmp.version,
                            .proto = WIRE_PROTO_TCP,
                            .ttl = block_of(st)->policy.ttl,
                            .total_len = (id->v4 ? 20 : 40) + a.len};
    memcpy(a.ip.src, id->remote, 16);
    memcpy(a.ip.dst, id->local, 16);
    stack_icmp_error(st, &a, icmp.type, icmp.code, 0);
}

/* RFC1122-9, RFC4443-5 */
enum hf_verdict stack_echo_reply(struct stack *st, struct arrival *a, const struct wire_icmp *icmp)
{
    if (!block_of(st)->policy.answer_echo || a->to_group || stack_is_any(a->ip.src) ||
        !pay(st, ECHOES, 1, NULL)) {
        return HF_V_DROP_ICMP;
    }
    uint32_t idx = new_answer(st, a->ip.dst, a->ip.src, a->iface);
    if (idx == 0) {
        return HF_V_DROP_NO_MEMORY;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    packet->tos = a->ip.tos & 0xfc;
    if (a->chain != 0) { /* the request's own chunks, without its header */
        struct chunk *first = tcp_chunk(&st->tcp, a->chain);
        first->start += WIRE_ICMP_BYTES;
        first->len -= WIRE_ICMP_BYTES;
        packet->head = a->chain;
        packet->len = a->len - WIRE_ICMP_BYTES;
        a->chain = 0;
    } else if (!append(st, packet, icmp->body, icmp->body_len)) {
        stack_packet_free(st, idx);
        return HF_V_DROP_NO_MEMORY;
    }
    struct wire_icmp reply = {.version = icmp->version, .rest = icmp->rest};
    reply.type = icmp->version == 6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
    send_icmp(st, idx, &reply);
    return HF_V_ECHO_ANSWERED;
}

/* What gives way is no report any more: its event must not be told. */
static void forget_note(struct stack *st, uint32_t n)
{
    hf_handle handle = stack_note_at(st, n)->handle;
    const struct tcb *tcb = stack_tcb_of(st, handle);
    uint32_t udp = stack_udp_of(st, handle);
    if (tcb != NULL && tally_of(&st->tcp, tcb)->icmp_note == n) {
        tally_of(&st->tcp, tcb)->icmp_note = 0;
    }
    if (udp != 0 && stack_udp_at(st, udp)->icmp_note == n) {
        stack_udp_at(st, udp)->icmp_note = 0;
    }
}

uint32_t stack_note_add(struct stack *st, hf_handle handle, const struct hf_icmp_report *report)
{
    struct hf_stack *s = st->s;
    if (s->max_notes == 0 || handle == 0) {
        return 0;
    }
    uint32_t n = s->note_next + 1;
    s->note_next = n % s->max_notes;
    forget_note(st, n);
    *stack_note_at(st, n) = (struct stack_note){handle, *report};
    return n;
}
