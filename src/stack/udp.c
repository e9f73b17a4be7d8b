/* udp.c - UDP, RFC 768, RFC 1122 4.1: sockets with bounded queues of whole datagrams. */
#include "stack/stack.h"

enum { QUEUE_MOST = 64, QUEUE_BYTES = 256 * 1024, PORT_TRIES = 64 };
enum { LARGEST4 = 65507, LARGEST6 = 65527 };

static struct links queue_links(const struct stack *st)
{
    return pool_links(&st->s->packets, st->s, offsetof(struct stack_packet, next));
}

/* Are datagrams to ip for this socket?  0.0.0.0 is any address of IPv4, :: of both. */
static bool covers(const struct stack_udp *udp, const uint8_t ip[16])
{
    return udp->any ? !wire_is_v4(udp->local) || wire_is_v4(ip) : memcmp(udp->local, ip, 16) == 0;
}

/* Which socket a datagram to ip and port is for: that of a certain address before any. */
uint32_t stack_find_udp(const struct stack *st, const uint8_t ip[16], uint16_t port, uint8_t zone)
{
    uint32_t any = 0;
    for (uint32_t idx = *stack_udp_bucket(st, port); idx != 0; idx = stack_udp_at(st, idx)->next) {
        const struct stack_udp *udp = stack_udp_at(st, idx);
        if (udp->port != port || (udp->zone != 0 && zone != 0 && udp->zone != zone) ||
            !covers(udp, ip)) {
            continue;
        }
        if (!udp->any) {
            return idx;
        }
        any = idx;
    }
    return any;
}

/* Opening ------------------------------------------------------------------------------------- */

static bool taken(const struct stack *st, const struct stack_udp *wanted, uint16_t port)
{
    for (uint32_t idx = *stack_udp_bucket(st, port); idx != 0; idx = stack_udp_at(st, idx)->next) {
        const struct stack_udp *udp = stack_udp_at(st, idx);
        bool zones_meet = udp->zone == 0 || wanted->zone == 0 || udp->zone == wanted->zone;
        if (udp->port == port && zones_meet &&
            (covers(udp, wanted->local) || covers(wanted, udp->local))) {
            return true;
        }
    }
    return false;
}

/* RFC 6056 3.3.1: at random. */
static uint16_t choose_port(struct stack *st, const struct stack_udp *wanted)
{
    const struct hf_policy *policy = &block_of(st)->policy;
    uint32_t n = (uint32_t)policy->port_last - policy->port_first + 1;
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint32_t at = rng_below(&secret_of(&st->tcp)->rng, n);
        uint16_t port = (uint16_t)(policy->port_first + at);
        if (!taken(st, wanted, port)) {
            return port;
        }
    }
    return 0;
}

static int open_socket(struct stack *st, const struct hf_endpoint *local, hf_handle *handle)
{
    struct stack_udp wanted = {.any = stack_is_any(local->ip), .port = local->port};
    if (local->iface > st->s->interfaces) {
        return HF_ERR_INVALID;
    }
    wanted.zone = (uint8_t)local->iface;
    wanted.ttl = block_of(st)->policy.ttl;
    memcpy(wanted.local, local->ip, 16);
    if (!wanted.any && !stack_is_own(st, local->ip, wanted.zone)) {
        return HF_ERR_NO_ADDRESS;
    }
    if (wanted.port == 0) {
        wanted.port = choose_port(st, &wanted);
    } else if (taken(st, &wanted, wanted.port)) {
        return HF_ERR_EXISTS;
    }
    if (wanted.port == 0) {
        return HF_ERR_NO_PORTS;
    }
    struct pool *pool = &st->s->udps;
    uint32_t top = pool->top;
    uint32_t idx = pool_alloc(pool, st->s);
    if (idx == 0) {
        return HF_ERR_NO_RESOURCES;
    }
    struct stack_udp *udp = stack_udp_at(st, idx);
    wanted.generation = idx > top ? 1 : udp->generation + 1; /* odd: in use */
    uint32_t *bucket = stack_udp_bucket(st, wanted.port);
    wanted.next = *bucket;
    *bucket = idx;
    *udp = wanted;
    *handle = stack_udp_handle(st, idx);
    stack_udp_event(st, idx, HF_WRITABLE);
    return HF_OK;
}

int hf_udp_open(struct hf_stack *stack, const struct hf_env *env, const struct hf_endpoint *local,
                hf_handle *handle)
{
    struct stack st;
    int error = stack_enter(&st, stack, env);
    if (error != HF_OK) {
        return error;
    }
    error = local == NULL || handle == NULL ? HF_ERR_INVALID : open_socket(&st, local, handle);
    stack_leave(&st);
    return error;
}

void stack_udp_close(struct stack *st, uint32_t idx)
{
    struct stack_udp *udp = stack_udp_at(st, idx);
    struct links packets = queue_links(st);
    struct links sockets = pool_links(&st->s->udps, st->s, offsetof(struct stack_udp, event_link));
    uint32_t *link = stack_udp_bucket(st, udp->port);
    while (*link != idx) {
        link = &stack_udp_at(st, *link)->next;
    }
    *link = udp->next;
    if (udp->events != 0) {
        idlist_remove(&st->s->ready_udp, &sockets, idx);
        udp->events = 0;
    }
    if (udp->want_write) {
        udp->want_write = 0;
        st->s->udp_want_write--;
    }
    uint32_t packet;
    while ((packet = ififo_pop(&udp->queue, &packets)) != 0) {
        st->s->udp_unread--;
        stack_packet_free(st, packet);
    }
    udp->generation++;
    pool_free(&st->s->udps, st->s, idx);
}

/* Sending ------------------------------------------------------------------------------------- */

/* Our address for it, and whether it can go at all. */
static int choose_addresses(const struct stack *st, const struct stack_udp *udp,
                            const struct hf_endpoint *from, const struct hf_endpoint *to,
                            struct stack_packet *packet)
{
    if (to->port == 0 || stack_is_any(to->ip) || to->iface > st->s->interfaces) {
        return HF_ERR_INVALID;
    }
    bool local_scope = stack_is_link_local(to->ip) || stack_is_multicast(to->ip);
    packet->iface = local_scope ? (uint8_t)(to->iface ? to->iface : udp->zone) : 0;
    if (local_scope && udp->zone != 0 && udp->zone != packet->iface) {
        return HF_ERR_INVALID; /* another link's: RFC 4007 6 */
    }
    memcpy(packet->remote, to->ip, 16);
    packet->rport = to->port;
    packet->lport = udp->port;
    struct stack_path path;
    int error = stack_route(st, to->ip, packet->iface, &path);
    if (error != HF_OK) {
        return error;
    }
    const uint8_t *local = udp->any ? path.src : udp->local;
    uint32_t zone = udp->zone;
    if (from != NULL && !stack_is_any(from->ip)) {
        local = from->ip;
        zone = from->iface;
    }
    if (wire_is_v4(local) != wire_is_v4(to->ip) || (udp->any && !covers(udp, to->ip))) {
        return HF_ERR_INVALID;
    }
    memcpy(packet->local, local, 16);
    uint8_t link = stack_zone(local, to->ip, path.iface);
    packet->iface = link ? link : packet->iface;
    return stack_source_error(st, &path, local, zone);
}

static void put_header(struct stack_packet *packet, const void *data, uint32_t len)
{
    struct wire_udp header = {
        .sport = packet->lport, .dport = packet->rport, .len = (uint16_t)(WIRE_UDP_BYTES + len)};
    struct wire_ip ip = {.version = wire_is_v4(packet->remote) ? 4 : 6};
    memcpy(ip.src, packet->local, 16);
    memcpy(ip.dst, packet->remote, 16);
    packet->header_len = (uint8_t)wire_put_udp(packet->header, &header);
    wire_set_udp_checksum(packet->header, &ip, len ? csum_add(0, data, len) : 0, len);
}

static int64_t send_datagram(struct stack *st, uint32_t socket, const struct hf_endpoint *from,
                             const struct hf_endpoint *to, const void *data, uint32_t len)
{
    struct stack_udp *udp = stack_udp_at(st, socket);
    struct stack_packet wanted = {0};
    if (len > (wire_is_v4(to->ip) ? LARGEST4 : LARGEST6)) {
        return HF_ERR_TOO_LARGE;
    }
    int error = choose_addresses(st, udp, from, to, &wanted);
    if (error != HF_OK) {
        return error;
    }
    uint32_t idx = stack_packet_new(st, true);
    if (idx == 0) {
        st->s->udp_want_write += !udp->want_write;
        udp->want_write = 1;
        return HF_ERR_WOULD_BLOCK;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    *packet = wanted;
    packet->proto = WIRE_PROTO_UDP;
    bool near = stack_is_multicast(to->ip) && !udp->ttl_set; /* RFC 1112 6.1, RFC 3493 5.2 */
    packet->ttl = near ? 1 : udp->ttl;
    packet->tos = udp->tos;
    packet->ident = (uint32_t)rng_u64(&secret_of(&st->tcp)->rng);
    packet->len = (uint32_t)tcp_chunk_append(&st->tcp, &packet->head, &packet->tail, data, len,
                                             CHUNK_TO_KEEP);
    if (packet->len < len) {
        stack_packet_free(st, idx);
        return HF_ERR_NO_RESOURCES;
    }
    put_header(packet, data, len);
    stack_packet_send(st, idx);
    return len;
}

int64_t hf_udp_send(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    const struct hf_endpoint *from, const struct hf_endpoint *to, const void *data,
                    uint32_t len)
{
    struct stack st;
    int64_t result = stack_enter(&st, stack, env);
    if (result != HF_OK) {
        return result;
    }
    uint32_t socket = stack_udp_of(&st, handle);
    if (socket == 0) {
        result = HF_ERR_STALE_HANDLE;
    } else if (to == NULL || (data == NULL && len != 0)) {
        result = HF_ERR_INVALID;
    } else {
        result = send_datagram(&st, socket, from, to, data, len);
    }
    stack_leave(&st);
    return result;
}

void stack_udp_writable(struct stack *st)
{
    for (uint32_t idx = 1; st->s->udp_want_write != 0 && idx <= st->s->udps.top; idx++) {
        struct stack_udp *udp = stack_udp_at(st, idx);
        if ((udp->generation & 1) && udp->want_write) {
            udp->want_write = 0;
            st->s->udp_want_write--;
            stack_udp_event(st, idx, HF_WRITABLE);
        }
    }
}

/* Receiving ----------------------------------------------------------------------------------- */

/* Checks of RFC 768 and RFC 8200 8.1; *udp: the header. */
static enum hf_verdict parse(const struct stack *st, const struct arrival *a, struct wire_udp *udp)
{
    const uint8_t *p = a->payload ? a->payload : tcp_chunk_data(&st->tcp, a->chain);
    if (wire_parse_udp(p, a->len, udp) != WIRE_OK || (a->payload == NULL && udp->len != a->len)) {
        return HF_V_DROP_UDP_HEADER;
    }
    bool good = a->csum_ok && (a->ip.version == 4 || udp->csum != 0); /* RFC 8200 8.1 */
    if (a->payload != NULL) {
        good = good || wire_udp_checksum_ok(&a->ip, p, udp->len);
    } else if (udp->csum == 0) {
        good = a->ip.version == 4;
    } else {
        csum_t sum = wire_pseudo(&a->ip, WIRE_PROTO_UDP, a->len);
        good = csum_finish(sum + stack_chain_sum(st, a->chain)) == 0;
    }
    if (!good) {
        return HF_V_DROP_UDP_CHECKSUM;
    }
    return udp->dport == 0 ? HF_V_DROP_PORT_ZERO : HF_V_CONTINUE;
}

/* Queues take half of the packets at most, and each as many as that leaves: who does not read stops
 * nobody else, and nothing that is to be sent. */
static bool has_room(const struct stack *st, const struct stack_udp *udp, uint32_t len)
{
    uint32_t half = (st->s->packets.max + 1) / 2;
    uint32_t left = half - min_u32(half, st->s->udp_unread);
    return udp->queued < min_u32(QUEUE_MOST, left) && udp->queued_bytes + len <= QUEUE_BYTES;
}

/* Into the socket's queue. */
static void enqueue(struct stack *st, uint32_t socket, uint32_t idx)
{
    struct stack_udp *udp = stack_udp_at(st, socket);
    struct links links = queue_links(st);
    st->s->udp_unread++;
    udp->queued++;
    udp->queued_bytes += stack_packet_at(st, idx)->len;
    ififo_push(&udp->queue, &links, idx);
    stack_udp_event(st, socket, HF_READABLE);
}

/* Text of the datagram: copied, or the chunks that reassembly has put together. */
static bool take_text(struct stack *st, struct arrival *a, struct stack_packet *packet)
{
    if (a->payload == NULL) {
        struct chunk *first = tcp_chunk(&st->tcp, a->chain);
        first->start += WIRE_UDP_BYTES;
        first->len -= WIRE_UDP_BYTES;
        packet->head = a->chain;
        a->chain = 0;
        return true;
    }
    return tcp_chunk_append(&st->tcp, &packet->head, &packet->tail, a->payload + WIRE_UDP_BYTES,
                            packet->len, CHUNK_TO_KEEP) == packet->len;
}

static enum hf_verdict receive(struct stack *st, uint32_t socket, struct arrival *a,
                               const struct wire_udp *header)
{
    uint32_t len = header->len - WIRE_UDP_BYTES;
    uint32_t idx = has_room(st, stack_udp_at(st, socket), len) ? stack_packet_new(st, true) : 0;
    if (idx == 0) {
        return HF_V_DROP_DATAGRAM_FULL;
    }
    struct stack_packet *packet = stack_packet_at(st, idx);
    memcpy(packet->local, a->ip.dst, 16);
    memcpy(packet->remote, a->ip.src, 16);
    packet->lport = header->dport;
    packet->rport = header->sport;
    packet->iface = a->iface;
    packet->len = len;
    if (!take_text(st, a, packet)) {
        stack_packet_free(st, idx);
        return HF_V_DROP_NO_MEMORY;
    }
    enqueue(st, socket, idx);
    return HF_V_DATAGRAM;
}

void stack_udp_input(struct stack *st, struct arrival *a)
{
    struct wire_udp header;
    enum hf_verdict verdict = parse(st, a, &header);
    if (verdict == HF_V_CONTINUE) {
        uint32_t socket = stack_find_udp(st, a->ip.dst, header.dport, a->iface);
        verdict = socket ? receive(st, socket, a, &header) : HF_V_DROP_NO_PORT;
    }
    stack_verdict(st, a, verdict);
    if (verdict == HF_V_DROP_NO_PORT && block_of(st)->policy.answer_closed) {
        bool v6 = a->ip.version == 6;
        /* RFC1122-11 */
        stack_icmp_error(st, a, v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, v6 ? 4 : 3, 0);
    }
}

void stack_udp_loop(struct stack *st, uint32_t idx)
{
    struct stack_packet *packet = stack_packet_at(st, idx);
    uint32_t socket = stack_find_udp(st, packet->remote, packet->rport, packet->iface);
    if (socket != 0 && has_room(st, stack_udp_at(st, socket), packet->len)) {
        uint8_t ip[16];
        uint16_t port = packet->lport;
        memcpy(ip, packet->local, 16);
        memcpy(packet->local, packet->remote, 16);
        memcpy(packet->remote, ip, 16);
        packet->lport = packet->rport;
        packet->rport = port;
        enqueue(st, socket, idx);
        return;
    }
    if (socket == 0) {
        struct hf_icmp_report report = {.version = wire_is_v4(packet->local) ? 4 : 6, .hard = 1};
        report.type = report.version == 4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE;
        report.code = report.version == 4 ? 3 : 4;
        report.error = HF_ERR_PORT_UNREACHABLE;
        memcpy(report.from, packet->remote, 16);
        uint32_t sender = stack_find_udp(st, packet->local, packet->lport, packet->iface);
        if (sender != 0) {
            stack_udp_note(st, sender, &report);
        }
    }
    stack_packet_free(st, idx);
}

static void fill_endpoint(struct hf_endpoint *end, const uint8_t ip[16], uint16_t port,
                          uint8_t iface)
{
    if (end != NULL) {
        *end = (struct hf_endpoint){.port = port, .iface = stack_scope(ip, iface)};
        memcpy(end->ip, ip, 16);
    }
}

static int64_t read_datagram(struct stack *st, struct stack_udp *udp, struct hf_endpoint *from,
                             struct hf_endpoint *to, uint8_t *data, uint32_t len)
{
    struct links links = queue_links(st);
    uint32_t idx = ififo_pop(&udp->queue, &links);
    if (idx == 0) {
        return HF_ERR_WOULD_BLOCK;
    }
    const struct stack_packet *packet = stack_packet_at(st, idx);
    uint32_t whole = packet->len;
    uint32_t left = min_u32(whole, len);
    fill_endpoint(from, packet->remote, packet->rport, packet->iface);
    fill_endpoint(to, packet->local, packet->lport, packet->iface);
    for (uint32_t chunk = packet->head; chunk != 0 && left != 0;
         chunk = tcp_chunk(&st->tcp, chunk)->next) {
        uint32_t part = min_u32(tcp_chunk(&st->tcp, chunk)->len, left);
        memcpy(data, tcp_chunk_data(&st->tcp, chunk), part);
        HF_COUNT(st->tcp.b->work.copied, part);
        data += part;
        left -= part;
    }
    st->s->udp_unread--;
    udp->queued--;
    udp->queued_bytes -= whole;
    stack_packet_free(st, idx);
    return whole;
}

int64_t hf_udp_recv(struct hf_stack *stack, const struct hf_env *env, hf_handle handle,
                    struct hf_endpoint *from, struct hf_endpoint *to, void *data, uint32_t len)
{
    struct stack st;
    int64_t result = stack_enter(&st, stack, env);
    if (result != HF_OK) {
        return result;
    }
    uint32_t socket = stack_udp_of(&st, handle);
    if (socket == 0) {
        result = HF_ERR_STALE_HANDLE;
    } else if (data == NULL && len != 0) {
        result = HF_ERR_INVALID;
    } else {
        result = read_datagram(&st, stack_udp_at(&st, socket), from, to, data, len);
    }
    stack_leave(&st);
    return result;
}

/* Errors -------------------------------------------------------------------------------------- */

void stack_udp_note(struct stack *st, uint32_t idx, const struct hf_icmp_report *report)
{
    uint32_t note = stack_note_add(st, stack_udp_handle(st, idx), report);
    stack_udp_at(st, idx)->icmp_note = note;
    if (note != 0) {
        stack_udp_event(st, idx, HF_ERROR_REPORT);
    }
}

void stack_udp_unreachable(struct stack *st, const struct stack_packet *packet)
{
    if (packet->proto != WIRE_PROTO_UDP) {
        return;
    }
    struct hf_icmp_report report = {.version = wire_is_v4(packet->remote) ? 4 : 6,
                                    .error = HF_ERR_HOST_UNREACHABLE};
    memcpy(report.from, packet->local, 16);
    uint32_t idx = stack_find_udp(st, packet->local, packet->lport, packet->iface);
    if (idx != 0) {
        stack_udp_note(st, idx, &report);
    }
}
