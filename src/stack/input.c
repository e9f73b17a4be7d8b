/* input.c - frames in: link header, IP (RFC 1122 3.2.1, RFC 8200), and who takes what IP carries.
 *
 * A frame is processed to its end before the next one is looked at; nothing is sent.  Whatever
 * goes no further has a verdict, which is counted and traced.
 */
#include "stack/stack.h"

static bool is_drop(enum hf_verdict verdict)
{
    switch (verdict) {
    case HF_V_FRAGMENT_HELD:
    case HF_V_ICMP_TAKEN:
    case HF_V_ECHO_ANSWERED:
    case HF_V_NEIGHBOUR:
    case HF_V_NEIGHBOUR_CONTESTED:
    case HF_V_DATAGRAM:
        return false;
    default:
        return true;
    }
}

/* Ports and the like, as far as the packet has them. */
static void trace_payload(const struct arrival *a, struct hf_trace *t)
{
    const uint8_t *p = a->payload;
    bool icmp = a->ip.proto == WIRE_PROTO_ICMP || a->ip.proto == WIRE_PROTO_ICMPV6;
    t->ecn = a->ip.tos & 3;
    t->marks |= icmp ? HF_MARK_ICMP : a->ip.proto == WIRE_PROTO_UDP ? HF_MARK_UDP : 0;
    if (p == NULL || a->len < 4 || a->ip.frag_offset != 0) {
        return;
    }
    if (icmp) {
        t->seq = get_be16(p);
        return;
    }
    if (a->ip.proto != WIRE_PROTO_TCP && a->ip.proto != WIRE_PROTO_UDP) {
        return;
    }
    t->remote_port = get_be16(p);
    t->local_port = get_be16(p + 2);
    if (a->ip.proto == WIRE_PROTO_TCP && a->len >= 16) {
        t->seq = get_be32(p + 4);
        t->ack = get_be32(p + 8);
        t->ctl = get_be16(p + 12) & 0x1ff;
        t->wnd = get_be16(p + 14);
    }
}

void stack_verdict(struct stack *st, const struct arrival *a, enum hf_verdict verdict)
{
    block_of(st)->verdicts[verdict]++;
    if (st->env->trace == NULL) {
        return;
    }
    struct hf_trace t = {
        .version = HF_TRACE_VERSION,
        .kind = is_drop(verdict) ? HF_TRACE_DROP : HF_TRACE_IN,
        .verdict = (uint16_t)verdict,
        .time_ns = st->env->now_ns,
        .iface = a->iface,
        .marks = HF_MARK_NO_CONNECTION | (a->ip.version == 6 ? HF_MARK_IPV6 : 0),
    };
    if (a->ip.version != 0) {
        memcpy(t.local_ip, a->ip.dst, 16);
        memcpy(t.remote_ip, a->ip.src, 16);
        trace_payload(a, &t);
    }
    tcp_trace_record(&st->tcp, &t);
}

/* Where in its region a lent frame's octet lies. */
static uint64_t region_offset(const struct stack *st, const struct hf_frame_in *frame,
                              const uint8_t *p)
{
    return (uint64_t)((uintptr_t)p - (uintptr_t)st->env->regions[frame->region - 1].base);
}

/* MTU of the way back, for a connection that may begin. */
static uint16_t mtu_back(const struct stack *st, const struct conn_id *id, uint8_t iface)
{
    struct stack_path path;
    if (stack_find_hop(st, id->remote, id->zone, &path) == HF_OK) {
        return (uint16_t)path.mtu;
    }
    return (uint16_t)stack_interface_at(st, iface)->mtu;
}

/* Can a full record begin with it?  Not with a plain SYN, but one that is held or opens fast; nor
 * with what no listener takes. */
static bool mtu_matters(const struct stack *st, uint32_t value, bool waits, uint32_t listener,
                        const struct segment *seg)
{
    if (value != 0) {
        return waits || FLOW_KIND(value) == KIND_HALF_OPEN;
    }
    return listener != 0 && ((seg->ctl & ACK) || (seg->opt.present & OPT_FASTOPEN) ||
                             seg->text_len != 0 || listener_at(&st->tcp, listener)->hold);
}

struct conn_id stack_conn_id(const uint8_t local[16], const uint8_t remote[16], uint8_t iface,
                             const struct segment *seg)
{
    struct conn_id id = {.lport = seg->dport, .rport = seg->sport, .v4 = wire_is_v4(remote)};
    memcpy(id.local, local, 16);
    memcpy(id.remote, remote, 16);
    id.zone = stack_zone(local, remote, iface);
    return id;
}

uint32_t stack_find_connection(struct stack *st, const struct conn_id *id)
{
    uint32_t value = tcp_find(&st->tcp, id);
    if (value != 0 && FLOW_KIND(value) == KIND_HALF_OPEN &&
        tcp_forget_half_open(&st->tcp, FLOW_IDX(value))) {
        value = tcp_find(&st->tcp, id); /* it may have stood before one in TIME-WAIT */
    }
    return value;
}

enum hf_verdict stack_segment(struct stack *st, const uint8_t local[16], const uint8_t remote[16],
                              uint8_t iface, struct segment *seg)
{
    struct conn_id id = stack_conn_id(local, remote, iface, seg);
    tcp_hash(&st->tcp, &id);
    uint32_t value = stack_find_connection(st, &id);
    uint32_t listener = 0;
    bool waits = value != 0 && (FLOW_KIND(value) == KIND_TIME_WAIT ||
                                (FLOW_KIND(value) == KIND_TCB &&
                                 tcb_at(&st->tcp, FLOW_IDX(value))->state == HF_TIME_WAIT));
    if (value == 0 || waits) {
        listener = stack_find_listener(st, &id, iface);
    }
    id.mtu = mtu_matters(st, value, waits, listener, seg)
                 ? mtu_back(st, &id, iface)
                 : (uint16_t)stack_interface_at(st, iface)->mtu;
    st->tcp.iface = iface;
    return tcp_input(&st->tcp, &id, value, listener, seg);
}

/* RFC 9293 3.1; MUST-3; port 0 is reserved (RFC 6335 6): no reset for it. */
static enum hf_verdict parse_segment(const struct arrival *a, struct segment *seg)
{
    if (a->payload == NULL || wire_parse_tcp(a->payload, a->len, seg) != WIRE_OK) {
        return HF_V_DROP_TCP_HEADER;
    }
    if (!a->csum_ok && !wire_tcp_checksum_ok(&a->ip, a->payload, a->len)) {
        return HF_V_DROP_TCP_CHECKSUM;
    }
    if (seg->sport == 0 || seg->dport == 0) {
        return HF_V_DROP_PORT_ZERO;
    }
    return HF_V_CONTINUE;
}

/* What IP says of the packets that the segment came in. */
static void note_ecn(const struct arrival *a, struct segment *seg)
{
    const struct hf_frame_in *frame = a->frame;
    bool super = frame && (frame->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)) && frame->gso_size;
    seg->ecn = a->ip.tos & 3;
    if (super && seg->text_len > frame->gso_size) {
        seg->packets = (uint16_t)((seg->text_len + frame->gso_size - 1) / frame->gso_size);
    }
}

void stack_tcp_input(struct stack *st, const struct arrival *a)
{
    struct segment seg;
    HF_COUNT(st->s->tcp.work.summed, a->csum_ok ? 0 : a->len);
    enum hf_verdict verdict = parse_segment(a, &seg);
    if (verdict == HF_V_CONTINUE && a->to_group) {
        verdict = HF_V_DROP_IP_NOT_OURS; /* MUST-57 */
    }
    if (verdict != HF_V_CONTINUE) {
        stack_verdict(st, a, verdict);
        return;
    }
    note_ecn(a, &seg);
    if (a->lent != 0 && seg.text_len != 0) {
        st->tcp.lent.lent = a->lent;
        st->tcp.lent.offset = region_offset(st, a->frame, seg.text);
    }
    verdict = stack_segment(st, a->ip.dst, a->ip.src, a->iface, &seg);
    st->tcp.lent = (struct lent_text){0, 0};
    if (verdict == HF_V_ACCEPTED) {
        stack_train_lead(st, a, &seg);
    }
}

void stack_deliver(struct stack *st, struct arrival *a)
{
    bool v6 = a->ip.version == 6;
    if (a->ip.proto == WIRE_PROTO_TCP) {
        stack_tcp_input(st, a);
    } else if (a->ip.proto == WIRE_PROTO_UDP) {
        stack_udp_input(st, a);
    } else if (a->ip.proto == (v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP)) {
        stack_icmp_input(st, a);
    } else {
        stack_verdict(st, a, HF_V_DROP_IP_PROTOCOL);
        if (v6 && a->ip.proto != WIRE_PROTO_NONE) {
            stack_icmp_error(st, a, ICMP6_PARAM_PROBLEM, 1, a->ip.unknown_at);
        } else if (!v6) {
            stack_icmp_error(st, a, ICMP4_UNREACHABLE, 2, 0);
        }
    }
}

/* RFC 1122 3.2.1.3, RFC 4291 2.5, RFC 9293 MUST-63: who cannot have sent anything to us.
 * RFC1122-3 */
static bool source_can_be(const struct stack *st, const struct arrival *a)
{
    const uint8_t *src = a->ip.src;
    if (stack_is_loopback(src)) {
        return false;
    }
    if (a->ip.version == 4) {
        return stack_is_unicast(st, src) && !stack_is_own(st, src, 0);
    }
    if (wire_is_v4(src) || stack_is_multicast(src)) {
        return false;
    }
    if (stack_is_any(src)) {
        return a->ip.proto == WIRE_PROTO_ICMPV6; /* duplicate address detection */
    }
    return !stack_is_own(st, src, stack_is_link_local(src) ? a->iface : 0);
}

/* RFC 4291 2.8: the groups that every node is a member of.  RFC4861-9 */
static bool group6_is_ours(const struct stack *st, const uint8_t dst[16], uint8_t iface)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    static const uint8_t solicited[13] = {0xff, 2, [11] = 1, [12] = 0xff};
    if (memcmp(dst, all_nodes, 16) == 0) {
        return true;
    }
    if (memcmp(dst, solicited, 13) != 0) {
        return false;
    }
    for (uint32_t n = 1; n <= st->s->addresses; n++) {
        const struct stack_address *addr = stack_address_at(st, n);
        if (addr->iface == iface && !wire_is_v4(addr->ip) &&
            memcmp(addr->ip + 13, dst + 13, 3) == 0) {
            return true;
        }
    }
    return false;
}

/* Sets a->to_group.  A unicast packet in a broadcast frame is refused (RFC 1122 3.3.6).
 * RFC1122-3, RFC1122-16 */
static bool destination_is_ours(const struct stack *st, struct arrival *a, bool link_group)
{
    static const uint8_t all_hosts[4] = {224, 0, 0, 1};
    const uint8_t *dst = a->ip.dst;
    if (a->ip.version == 6 && wire_is_v4(dst)) {
        return false;
    }
    if (stack_is_multicast(dst)) {
        a->to_group = true;
        return a->ip.version == 6 ? group6_is_ours(st, dst, a->iface)
                                  : memcmp(dst + 12, all_hosts, 4) == 0;
    }
    a->own = stack_find_address(st, dst, stack_is_link_local(dst) ? a->iface : 0);
    if (a->own != NULL) {
        return !link_group && !stack_is_loopback(dst);
    }
    a->to_group = stack_is_broadcast(st, dst, a->iface);
    return a->to_group;
}

static bool as_before(const struct stack *st, const struct arrival *a)
{
    const struct stack_memo *memo = &st->s->memo;
    return memo->address != 0 && memo->iface == a->iface && memo->version == a->ip.version &&
           memcmp(memo->peer, a->ip.src, 16) == 0 &&
           memcmp(stack_address_at(st, memo->address)->ip, a->ip.dst, 16) == 0;
}

static void note_peer(struct stack *st, const struct arrival *a)
{
    ptrdiff_t number = a->own - stack_address_at(st, 1) + 1;
    struct stack_memo *memo = &st->s->memo;
    *memo = (struct stack_memo){.iface = a->iface, .version = a->ip.version};
    memo->address = number <= UINT8_MAX ? (uint8_t)number : 0;
    memcpy(memo->peer, a->ip.src, 16);
}

/* Where it comes from and goes to: what the packet before it has shown is not looked at again. */
static enum hf_verdict address_verdict(struct stack *st, struct arrival *a, bool link_group)
{
    if (!link_group && as_before(st, a)) {
        return HF_V_CONTINUE;
    }
    if (!source_can_be(st, a)) {
        return HF_V_DROP_IP_SOURCE;
    }
    if (!destination_is_ours(st, a, link_group)) {
        return HF_V_DROP_IP_NOT_OURS;
    }
    if (!a->to_group && !stack_is_any(a->ip.src)) {
        note_peer(st, a);
    }
    return HF_V_CONTINUE;
}

static enum hf_verdict header_verdict(const struct arrival *a)
{
    switch (a->ip.status) {
    case WIRE_OK:
        if (a->ip.source_route) {
            return HF_V_DROP_IP_OPTIONS;
        }
        return a->ip.bad_options ? HF_V_DROP_IP_HEADER : HF_V_CONTINUE;
    case WIRE_BAD_CHECKSUM:
        return HF_V_DROP_IP_CHECKSUM;
    case WIRE_PARAM_PROBLEM:
        return HF_V_CONTINUE; /* answered once we know from and to whom it is */
    default:
        return HF_V_DROP_IP_HEADER;
    }
}

static void ip_input(struct stack *st, struct arrival *a, uint32_t len, bool link_group)
{
    wire_parse_ip(a->packet, len, &a->ip);
    enum hf_verdict verdict = header_verdict(a);
    if (verdict != HF_V_CONTINUE) {
        stack_verdict(st, a, verdict);
        return;
    }
    a->payload = a->packet + a->ip.header_len;
    a->len = a->ip.total_len - a->ip.header_len;
    verdict = address_verdict(st, a, link_group);
    if (verdict != HF_V_CONTINUE) {
        stack_verdict(st, a, verdict);
    } else if (a->ip.status == WIRE_PARAM_PROBLEM) {
        stack_verdict(st, a, HF_V_DROP_IP_HEADER);
        stack_icmp_error(st, a, ICMP6_PARAM_PROBLEM, a->ip.param_code, a->ip.unknown_at);
    } else if (a->ip.fragment) {
        stack_fragment_input(st, a);
    } else {
        stack_deliver(st, a);
    }
}

/* RFC 894: our own address, or a group's; no VLANs.  RFC1122-15 */
static void ethernet_input(struct stack *st, struct arrival *a, const uint8_t *p, uint32_t len)
{
    const struct stack_interface *iface = stack_interface_at(st, a->iface);
    struct wire_eth eth;
    bool whole = wire_parse_eth(p, len, &eth) == WIRE_OK;
    bool group = whole && (eth.dst[0] & 1);
    if (!whole || eth.tagged || (eth.src[0] & 1) ||
        (!group && memcmp(eth.dst, iface->mac, 6) != 0)) {
        stack_verdict(st, a, HF_V_DROP_LINK);
        return;
    }
    memcpy(a->mac, eth.src, 6);
    p += eth.header_len;
    len -= eth.header_len;
    bool v4 = eth.type == WIRE_ETH_IPV4, v6 = eth.type == WIRE_ETH_IPV6;
    if (eth.type == WIRE_ETH_ARP) {
        stack_arp_input(st, a, p, len);
    } else if ((v4 || v6) && len > 0 && p[0] >> 4 == (v4 ? 4 : 6)) {
        a->packet = p;
        ip_input(st, a, len, group);
    } else {
        stack_verdict(st, a, HF_V_DROP_LINK);
    }
}

static void frame_input(struct stack *st, const struct hf_frame_in *frame)
{
    struct arrival a = {.frame = frame, .csum_ok = frame->flags & HF_FRAME_CSUM_OK};
    st->s->frames_in++;
    if (frame->iface == 0 || frame->iface > st->s->interfaces || frame->data == NULL) {
        stack_verdict(st, &a, HF_V_DROP_LINK);
        return;
    }
    a.iface = (uint8_t)frame->iface;
    if (frame->region != 0) {
        a.lent = tcp_lent_new(&st->tcp, frame->region, frame->token, NULL);
    }
    if (stack_interface_at(st, a.iface)->link == HF_LINK_ETHERNET) {
        ethernet_input(st, &a, frame->data, frame->len);
    } else {
        a.packet = frame->data;
        ip_input(st, &a, frame->len, false);
    }
    if (a.lent != 0) {
        tcp_lent_unref(&st->tcp, a.lent); /* what was kept of it has references of its own */
    }
}

/* Lent frames: all of them must lie in their regions, and there must be a record for each. */
static int check_lent(const struct stack *st, const struct hf_frame_in *frames, uint32_t n)
{
    const struct pool *lents = &block_of(st)->lents;
    uint32_t lent = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_frame_in *frame = &frames[i];
        if (frame->region == 0) {
            continue;
        }
        if (frame->region > st->env->n_regions || st->env->regions == NULL || frame->iface == 0 ||
            frame->iface > st->s->interfaces) {
            return HF_ERR_INVALID;
        }
        uint64_t offset = region_offset(st, frame, frame->data);
        if (frame->data == NULL ||
            stack_region(st, frame->region, offset, frame->len) != frame->data) {
            return HF_ERR_INVALID;
        }
        lent++;
    }
    return lent <= lents->max - lents->used ? HF_OK : HF_ERR_NO_RESOURCES;
}

int hf_input(struct hf_stack *stack, const struct hf_env *env, const struct hf_frame_in *frames,
             uint32_t n)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    error = frames == NULL && n != 0 ? HF_ERR_INVALID : check_lent(&st, frames, n);
    struct stack_train train;
    train.last = NULL;
    st.train = &train;
    for (uint32_t i = 0; error == HF_OK && i < n; i++) {
        if (i % STACK_AHEAD == 0) {
            stack_fetch_ahead(&st, frames + i, n - i);
        }
        if (!stack_train_takes(&st, &frames[i])) {
            stack_train_ends(&st);
            frame_input(&st, &frames[i]);
        }
    }
    stack_train_ends(&st);
    stack_leave(&st);
    return error;
}
