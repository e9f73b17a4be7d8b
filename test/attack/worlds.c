/* worlds.c - two worlds that differ in a secret: see worlds.h. */
#include "attack/worlds.h"

#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, FRAMES = 8, HOST_STACK = 1, HOST_HONEST = 3, HOST_ATTACKER = 66 };

static void address(uint8_t ip[16], uint8_t host)
{
    static const uint8_t net[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    memcpy(ip, net, 16);
    ip[13] = host == HOST_ATTACKER ? 9 : 0; /* in another network */
    ip[15] = host;
}

uint32_t world_draw(uint64_t *random, uint32_t below)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*random >> 33) * below >> 31);
}

/* In ------------------------------------------------------------------------------------------- */

static void run(struct world *w);

static void arrives(struct world *w, uint8_t host, uint8_t proto, const void *payload, size_t len)
{
    uint8_t packet[2000];
    struct wire_ip ip = {.version = 4, .proto = proto, .ttl = 64, .df = true};
    address(ip.src, host);
    address(ip.dst, HOST_STACK);
    ip.total_len = (uint32_t)(20 + len);
    size_t at = wire_put_ip(packet, &ip);
    memcpy(packet + at, payload, len);
    struct hf_frame_in frame = {
        .data = packet, .len = (uint32_t)(at + len), .iface = 1, .flags = HF_FRAME_CSUM_OK};
    if (hf_input(w->stack, &w->env, &frame, 1) != 0)
        abort();
    run(w);
}

static void segment(struct world *w, uint8_t host, const struct segment *seg, uint32_t len)
{
    uint8_t octets[1600] = {0};
    size_t header = wire_put_tcp(octets, seg);
    arrives(w, host, WIRE_PROTO_TCP, octets, header + len);
}

static void datagram(struct world *w, uint8_t host, uint16_t port)
{
    uint8_t octets[16] = {0};
    struct wire_udp udp = {.sport = 999, .dport = port, .len = sizeof octets};
    wire_put_udp(octets, &udp);
    arrives(w, host, WIRE_PROTO_UDP, octets, sizeof octets);
}

static void icmp(struct world *w, uint8_t host, const struct wire_icmp *header, const void *body,
                 size_t len)
{
    uint8_t octets[200];
    struct wire_ip ip = {.version = 4};
    address(ip.src, host);
    address(ip.dst, HOST_STACK);
    size_t at = wire_put_icmp(octets, header);
    memcpy(octets + at, body, len);
    wire_set_icmp_checksum(octets, at + len, &ip);
    arrives(w, host, WIRE_PROTO_ICMP, octets, at + len);
}

static void forged_error(struct world *w, const struct op *op)
{
    uint8_t quote[40];
    struct wire_icmp header = {
        .version = 4, .type = (uint8_t)(op->ctl >> 8), .code = (uint8_t)op->ctl, .rest = op->len};
    struct wire_ip ip = {
        .version = 4, .proto = WIRE_PROTO_TCP, .ttl = 60, .df = true, .total_len = 1500};
    address(ip.src, HOST_STACK);
    address(ip.dst, HOST_HONEST);
    struct segment seg = {.ctl = ACK, .sport = WORLD_PORT, .dport = op->port, .seq = seq(op->seq)};
    size_t at = wire_put_ip(quote, &ip);
    at += wire_put_tcp(quote + at, &seg);
    icmp(w, 77, &header, quote, at); /* some router */
}

/* Out ------------------------------------------------------------------------------------------ */

static void note(struct world *w, const void *octets, uint32_t len)
{
    if (w->len + len > w->room) {
        w->room = 2 * (w->len + len);
        w->transcript = realloc(w->transcript, w->room);
        if (!w->transcript)
            abort();
    }
    memcpy(w->transcript + w->len, octets, len);
    w->len += len;
}

/* His end of his own connections: it answers the SYN,ACK, and follows the numbers. */
static void own_end(struct world *w, const struct segment *seg)
{
    for (int i = 0; i < WORLD_OWN; i++) {
        struct own *own = &w->own[i];
        if (own->port != seg->dport || seg->sport != WORLD_PORT)
            continue;
        bool opens = (seg->ctl & (SYN | ACK)) == (SYN | ACK) && !own->open;
        uint32_t end = seg->seq.v + seg->text_len + !!(seg->ctl & SYN) + !!(seg->ctl & FIN);
        own->ack = opens || (int32_t)(end - own->ack) > 0 ? end : own->ack;
        if (opens) {
            own->open = true;
            own->nxt++;
        }
        own->open = own->open && !(seg->ctl & RST);
    }
}

static void seen_by_attacker(struct world *w, uint8_t *packet, uint32_t len,
                             const struct wire_ip *ip)
{
    struct segment seg;
    if (w->mask_ident && !ip->df)
        memset(packet + 4, 0, 2), memset(packet + 10, 0, 2); /* and the checksum over it */
    note(w, &w->env.now_ns, sizeof w->env.now_ns);
    note(w, packet, len);
    w->seen++;
    if (ip->proto == WIRE_PROTO_TCP &&
        wire_parse_tcp(packet + ip->header_len, len - ip->header_len, &seg) == WIRE_OK) {
        w->answers += seg.ctl == ACK;
        own_end(w, &seg);
    }
}

/* What the honest peer gets: it answers our SYN,ACK and text (true), and is silent else. */
static bool seen_by_honest(struct world *w, const uint8_t *packet, uint32_t len,
                           const struct wire_ip *ip)
{
    struct segment seg;
    if (ip->proto != WIRE_PROTO_TCP ||
        wire_parse_tcp(packet + ip->header_len, len - ip->header_len, &seg) != WIRE_OK ||
        seg.dport != w->secret.port)
        return false;
    bool opens = w->victim == 0 && (seg.ctl & SYN);
    uint32_t end = seg.seq.v + seg.text_len + (opens ? 1 : 0);
    if (opens || (int32_t)(end - w->victim_ack) > 0)
        w->victim_ack = end;
    return opens || seg.text_len != 0;
}

static void take_events(struct world *w)
{
    struct hf_event event;
    uint8_t text[4096];
    while (hf_events(w->stack, &w->env, &event, 1) == 1) {
        hf_handle handle;
        while (event.handle == w->listener &&
               hf_accept(w->stack, &w->env, w->listener, &handle, NULL) == HF_OK)
            w->victim = w->victim ? w->victim : handle;
        if (event.handle == w->listener || event.handle == w->udp)
            continue;
        while ((event.bits & HF_READABLE) &&
               hf_recv(w->stack, &w->env, event.handle, text, sizeof text) > 0) {
        }
        if (event.handle != w->victim && (event.bits & (HF_CLOSED_EVENT | HF_PEER_CLOSED)))
            hf_release(w->stack, &w->env, event.handle);
    }
}

/* All that is owed leaves. */
static void run(struct world *w)
{
    struct hf_frame_out out[FRAMES];
    bool acks = false;
    for (uint32_t n = FRAMES; n == FRAMES;) {
        take_events(w);
        n = hf_output(w->stack, &w->env, out, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t packet[2000];
            struct wire_ip ip;
            uint32_t len = out[i].header_len;
            memcpy(packet, out[i].header, len);
            for (uint32_t s = 0; s < out[i].n_slices; s++) {
                memcpy(packet + len, out[i].slice[s].data, out[i].slice[s].len);
                len += out[i].slice[s].len;
            }
            hf_output_done(w->stack, &w->env, out[i].token);
            if (wire_parse_ip(packet, len, &ip) != WIRE_OK)
                abort();
            if (ip.dst[15] == HOST_ATTACKER)
                seen_by_attacker(w, packet, len, &ip);
            else
                acks |= seen_by_honest(w, packet, len, &ip);
        }
    }
    if (acks) {
        struct segment seg = {.ctl = ACK,
                              .sport = w->secret.port,
                              .dport = WORLD_PORT,
                              .seq = seq(w->victim_nxt),
                              .ack = seq(w->victim_ack),
                              .wnd = 60000};
        segment(w, HOST_HONEST, &seg, 0);
    }
}

/* Doing ---------------------------------------------------------------------------------------- */

static void own_syn(struct world *w, const struct op *op)
{
    struct own *own = &w->own[op->n];
    struct segment rst = {
        .ctl = RST, .sport = own->port, .dport = WORLD_PORT, .seq = seq(own->nxt)};
    if (own->open) /* he fills no pool: that would be another attack (FL-02, FL-09) */
        segment(w, HOST_ATTACKER, &rst, 0);
    *own = (struct own){.port = op->port, .nxt = op->seq};
    struct segment seg = {.ctl = SYN,
                          .sport = op->port,
                          .dport = WORLD_PORT,
                          .seq = seq(op->seq),
                          .wnd = 60000,
                          .opt = {.present = OPT_MSS | OPT_SACK_OK, .mss = 1460}};
    segment(w, HOST_ATTACKER, &seg, 0);
    if (!own->open)
        return;
    seg = (struct segment){.ctl = ACK,
                           .sport = op->port,
                           .dport = WORLD_PORT,
                           .seq = seq(own->nxt),
                           .ack = seq(own->ack),
                           .wnd = 60000};
    segment(w, HOST_ATTACKER, &seg, 0);
}

static void waits(struct world *w, uint32_t ms)
{
    int64_t limit = w->env.now_ns + (int64_t)ms * MS;
    while (w->env.now_ns < limit) {
        int64_t next = hf_deadline(w->stack, &w->env);
        next = next < limit ? next : limit;
        w->env.now_ns = next > w->env.now_ns ? next : w->env.now_ns;
        hf_timeouts(w->stack, &w->env);
        run(w);
    }
}

static void tcp_op(struct world *w, const struct op *op)
{
    struct segment seg = {.ctl = (uint16_t)op->ctl,
                          .sport = op->port,
                          .dport = WORLD_PORT,
                          .seq = seq(op->seq),
                          .ack = seq(op->ack),
                          .wnd = 50000};
    uint32_t len = op->len;
    if (op->kind == WORLD_OWN_SEGMENT) {
        struct own *own = &w->own[op->n];
        seg.sport = own->port;
        seg.seq = seq(own->nxt + op->seq);
        seg.ack = seq(own->ack + op->ack);
        if (op->seq == 0 && op->ack == 0 && !(op->ctl & (RST | SYN)))
            own->nxt += len + !!(op->ctl & FIN);
    } else if (op->kind == WORLD_OWN_ELSEWHERE) {
        seg.dport = 81;
    }
    segment(w, op->kind == WORLD_FORGED ? HOST_HONEST : HOST_ATTACKER, &seg, len);
}

void world_do(struct world *w, const struct op *op)
{
    static const uint8_t text[1000];
    struct wire_icmp echo = {.version = 4, .type = ICMP4_ECHO, .rest = op->seq};
    switch (op->kind) {
    case WORLD_OWN_SYN:
        own_syn(w, op);
        break;
    case WORLD_OWN_ECHO:
        icmp(w, HOST_ATTACKER, &echo, text, 8);
        break;
    case WORLD_OWN_UDP:
        datagram(w, HOST_ATTACKER, op->port);
        break;
    case WORLD_FORGED_UDP:
        datagram(w, HOST_HONEST, op->port);
        break;
    case WORLD_FORGED_ICMP:
        forged_error(w, op);
        break;
    case WORLD_WRITES:
        if (w->secret.writes)
            (void)hf_send(w->stack, &w->env, w->victim, text, op->len, 0);
        run(w);
        break;
    case WORLD_WAITS:
        waits(w, op->len);
        break;
    default:
        tcp_op(w, op);
        break;
    }
}

/* Beginning and end ---------------------------------------------------------------------------- */

static void must(int64_t result)
{
    if (result < 0)
        abort();
}

void world_begin(struct world *w, const struct secret *secret, const struct hf_config *config)
{
    struct hf_config own;
    hf_config_default(&own, 256);
    own = config ? *config : own;
    memset(own.seed, 7, sizeof own.seed);
    *w = (struct world){.secret = *secret, .victim_nxt = secret->irs};
    w->env = (struct hf_env){.struct_size = sizeof w->env, .now_ns = INT64_C(9000000) * MS};
    uint64_t bytes = hf_size(&own);
    w->stack = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!w->stack)
        abort();
    must(hf_init(w->stack, bytes, &own, &w->env));
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1500};
    uint8_t ip[16];
    address(ip, HOST_STACK);
    must(hf_interface_add(w->stack, &w->env, &iface));
    must(hf_address_add(w->stack, &w->env, 1, ip, 24));
    address(ip, 0);
    must(hf_route_add(w->stack, &w->env, 1, ip, 8, NULL));
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = WORLD_PORT}, .backlog = 128};
    must(hf_listen(w->stack, &w->env, &listen, &w->listener));
    struct hf_endpoint udp = {.port = secret->udp_port};
    if (secret->udp_port)
        must(hf_udp_open(w->stack, &w->env, &udp, &w->udp));
    struct segment syn = {.ctl = SYN,
                          .sport = secret->port,
                          .dport = WORLD_PORT,
                          .seq = seq(w->victim_nxt++),
                          .wnd = 60000,
                          .opt = {.present = OPT_MSS, .mss = 1460}};
    segment(w, HOST_HONEST, &syn, 0);
    if (w->victim == 0)
        abort();
    w->mask_ident = true;
}

void world_end(struct world *w)
{
    free(w->stack);
    free(w->transcript);
}

bool worlds_agree(struct world *a, struct world *b)
{
    bool equal =
        a->len == b->len && (a->len == 0 || memcmp(a->transcript, b->transcript, a->len) == 0);
    a->len = b->len = 0;
    return equal;
}

/* A number near one of the two, the very edges among them, or any. */
static uint32_t near(uint64_t *random, uint32_t a, uint32_t b)
{
    static const int32_t offsets[] = {-1, 0, 1, 2, 1000, 65534, 65535, -65536, 1 << 20, -(1 << 20)};
    uint32_t from = world_draw(random, 2) ? a : b;
    switch (world_draw(random, 3)) {
    case 0:
        return from + (uint32_t)offsets[world_draw(random, 10)];
    case 1:
        return from + world_draw(random, 70000);
    default:
        return world_draw(random, 65536) << 16 | world_draw(random, 65536);
    }
}

struct op world_any_op(uint64_t *random, const struct world *a, const struct world *b)
{
    static const unsigned kinds[] = {RST,       RST | ACK, SYN, SYN | ACK, ACK,
                                     ACK | PSH, FIN | ACK, 0,   FIN};
    static const uint16_t errors[] = {3 << 8 | 4, 3 << 8 | 3, 3 << 8 | 1, 11 << 8, 4 << 8};
    struct op op = {.kind = world_draw(random, 3) ? WORLD_FORGED
                                                  : (enum op_kind)world_draw(random, WORLD_KINDS)};
    op.ctl = kinds[world_draw(random, 9)];
    op.len = world_draw(random, 3) ? 0 : world_draw(random, 200);
    op.n = world_draw(random, WORLD_OWN);
    op.port = world_draw(random, 2) ? a->secret.port : b->secret.port;
    op.seq = near(random, a->victim_nxt, b->victim_nxt);
    op.ack = near(random, a->victim_ack, b->victim_ack);
    switch (op.kind) {
    case WORLD_OWN_SYN:
        op.port = (uint16_t)(2000 + world_draw(random, 50000));
        break;
    case WORLD_OWN_SEGMENT: {
        static const int32_t offsets[] = {0, 0, 1, -1, 500, -70000};
        op.seq = (uint32_t)offsets[world_draw(random, 6)];
        op.ack = (uint32_t)offsets[world_draw(random, 6)];
        break;
    }
    case WORLD_OWN_UDP:
        op.port = 6999;
        break;
    case WORLD_FORGED_UDP:
        op.port = 6998;
        break;
    case WORLD_FORGED_ICMP:
        op.ctl = errors[world_draw(random, 5)];
        op.seq = near(random, a->victim_ack, b->victim_ack);
        op.len = 600 + world_draw(random, 900);
        break;
    case WORLD_WAITS:
        op.len = world_draw(random, 4) ? world_draw(random, 20) : world_draw(random, 3000);
        break;
    case WORLD_WRITES:
        op.len = 1 + world_draw(random, 999);
        break;
    default:
        break;
    }
    return op;
}
