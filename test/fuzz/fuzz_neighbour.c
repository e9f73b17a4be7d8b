/* fuzz_neighbour.c - ARP, neighbour discovery and ICMP, with checksums and lengths as they should
 * be, about neighbours that are asked for and segments that are in flight.
 */
#include "bench.h"

enum { ETH = 14, ND_NOISE = 64, SOCKETS = 4 };

struct run {
    struct bench b;
    hf_handle handle[SOCKETS]; /* open over IPv4, IPv6, a UDP socket, one more */
    uint8_t quoted[128];       /* the last packet that left with TCP or UDP */
    uint32_t quoted_len;
};

static void sent(void *arg, const uint8_t *frame, uint32_t len, uint32_t iface)
{
    struct run *r = arg;
    uint32_t at = iface == ETHERNET ? ETH : 0;
    bool ip = iface != ETHERNET || get_be16(frame + 12) != WIRE_ETH_ARP;
    if (ip && (frame[at] >> 4 == 4 ? frame[at + 9] : frame[at + 6]) != WIRE_PROTO_ICMPV6) {
        r->quoted_len = len - at < sizeof r->quoted ? len - at : sizeof r->quoted;
        memcpy(r->quoted, frame + at, r->quoted_len);
    }
}

/* A neighbour: one of four, or any. */
static void host(struct run *r, uint8_t which, uint8_t ip[16])
{
    memcpy(ip, which & 1 ? r->b.link6 : r->b.link4, 16);
    ip[15] = (uint8_t)(which & 8 ? take8(&r->b.in) : (which >> 1 & 3) + 1);
}

static void mac_of(struct run *r, uint8_t which, uint8_t mac[6])
{
    const uint8_t usual[6] = {2, 0, 0, 0, 0, (uint8_t)(which & 7)};
    memcpy(mac, usual, 6);
    if (which & 8) {
        mac[0] = take8(&r->b.in);
    }
}

static void deliver(struct run *r, uint16_t type, uint8_t *frame, uint32_t len)
{
    uint8_t which = take8(&r->b.in);
    struct wire_eth eth = {.type = type};
    memcpy(eth.dst, r->b.mac, 6);
    mac_of(r, which, eth.src);
    if (which & 16) {
        memset(eth.dst, 0xff, 6);
    }
    wire_put_eth(frame, &eth);
    bench_deliver(&r->b, frame, ETH + len, ETHERNET, 0);
}

static void arp(struct run *r)
{
    uint8_t frame[ETH + WIRE_ARP_BYTES];
    uint8_t which = take8(&r->b.in), other = take8(&r->b.in);
    uint8_t from[16], to[16];
    host(r, which & 0xfe, from);
    host(r, other & 0xfe, to);
    struct wire_arp a = {.op = which & 64 ? take8(&r->b.in) : 1 + (which >> 5 & 1)};
    mac_of(r, which >> 1, a.sha);
    mac_of(r, other >> 1, a.tha);
    memcpy(a.spa, from + 12, 4);
    memcpy(a.tpa, which & 128 ? r->b.link4 + 12 : to + 12, 4);
    uint32_t len = (uint32_t)wire_put_arp(frame + ETH, &a);
    if (other & 64) {
        frame[ETH + take8(&r->b.in) % 8] = take8(&r->b.in);
    }
    deliver(r, WIRE_ETH_ARP, frame, other & 128 ? len - take8(&r->b.in) % 28 : len);
}

/* An ICMP message of `len` octets behind the headers' places; the checksum is put right. */
static void icmp(struct run *r, uint8_t *frame, uint32_t len, bool v6, bool on_link)
{
    uint8_t which = take8(&r->b.in);
    struct wire_ip ip = {.version = v6 ? 6 : 4, .ttl = 255};
    uint32_t header = v6 ? 40 : 20;
    ip.proto = v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP;
    ip.total_len = header + len;
    host(r, (uint8_t)(which << 1 | v6), ip.src);
    memcpy(ip.dst, v6 ? r->b.link6 : r->b.link4, 16);
    if (!on_link) {
        memcpy(ip.src, v6 ? r->b.own6 : r->b.own4, 15);
        memcpy(ip.dst, v6 ? r->b.own6 : r->b.own4, 16);
    }
    if (which & 16) {
        ip.ttl = take8(&r->b.in);
    }
    if (v6 && (which & 32)) { /* a group of ours, or nobody as the source */
        static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
        memcpy(ip.dst, all_nodes, 16);
        memset(ip.src, 0, which & 64 ? 16 : 0);
    }
    uint8_t *message = frame + ETH + header;
    memmove(message, frame + ETH + 40, len);
    wire_set_icmp_checksum(message, len, &ip);
    wire_put_ip(frame + ETH, &ip);
    if (on_link) {
        deliver(r, v6 ? WIRE_ETH_IPV6 : WIRE_ETH_IPV4, frame, ip.total_len);
    } else {
        bench_deliver(&r->b, frame + ETH, ip.total_len, RAW, 0);
    }
}

static void discovery(struct run *r)
{
    uint8_t frame[ETH + 40 + WIRE_MAX_ND + ND_NOISE];
    uint8_t which = take8(&r->b.in);
    struct wire_nd nd = {.solicitation = which & 1,
                         .router = which & 2,
                         .solicited = which & 4,
                         .override = which & 8,
                         .has_lladdr = which & 16};
    host(r, (uint8_t)(take8(&r->b.in) | 1), nd.target);
    if (which & 32) {
        memcpy(nd.target, r->b.link6, 16);
    }
    mac_of(r, take8(&r->b.in), nd.lladdr);
    uint32_t len = (uint32_t)wire_put_nd(frame + ETH + 40, &nd);
    if (which & 64) {
        uint8_t *message = frame + ETH + 40;
        len += (uint32_t)take_bytes(&r->b.in, message + len, ND_NOISE);
    }
    icmp(r, frame, which & 128 ? len - take8(&r->b.in) % len : len, true, true);
}

/* An error about the last packet that left, or about one a little different. */
static void error(struct run *r)
{
    uint8_t frame[ETH + 40 + WIRE_ICMP_BYTES + sizeof r->quoted + 40];
    uint8_t *message = frame + ETH + 40;
    uint8_t which = take8(&r->b.in);
    bool v6 = r->quoted_len && r->quoted[0] >> 4 == 6;
    struct wire_icmp m = {.version = v6 ? 6 : 4, .code = take8(&r->b.in) % 8};
    m.type = v6 ? 1 + which % 4 : (const uint8_t[4]){3, 11, 12, 4}[which % 4];
    m.rest = which & 4 ? take32(&r->b.in) : take16(&r->b.in);
    uint32_t len = (uint32_t)wire_put_icmp(message, &m);
    memcpy(message + len, r->quoted, r->quoted_len);
    for (int i = which >> 6; i > 0 && r->quoted_len; i--) {
        message[len + take8(&r->b.in) % r->quoted_len] ^= take8(&r->b.in);
    }
    len += r->quoted_len;
    icmp(r, frame, which & 8 ? len - take8(&r->b.in) % len : len, v6, which & 16);
}

static void any_message(struct run *r)
{
    uint8_t frame[ETH + 40 + 600] = {0};
    uint8_t which = take8(&r->b.in);
    uint32_t len = (uint32_t)take_bytes(&r->b.in, frame + ETH + 40, 600);
    if (which & 1) {
        frame[ETH + 40] = which & 2 ? 128 : 8;
    }
    icmp(r, frame, len, which & 2, which & 4);
}

static void call(struct run *r)
{
    struct bench *b = &r->b;
    uint8_t which = take8(&r->b.in);
    uint8_t octets[600] = {0};
    struct hf_endpoint to = {.port = 9, .iface = which & 8 ? 0 : ETHERNET};
    host(r, which, to.ip);
    hf_handle *handle = &r->handle[which >> 6];
    struct hf_icmp_report report;
    switch (which % 6) {
    case 0:
        hf_udp_send(b->stack, &b->env, r->handle[2], NULL, &to, octets, take8(&r->b.in));
        break;
    case 1:
        hf_release(b->stack, &b->env, r->handle[3]);
        hf_open(b->stack, &b->env, NULL, &to, 0, &r->handle[3]);
        break;
    case 2:
        hf_send(b->stack, &b->env, *handle, octets, sizeof octets, 0);
        break;
    case 3:
        hf_error_report(b->stack, *handle, &report);
        break;
    default:
        hf_neighbour_add(b->stack, &b->env, ETHERNET, to.ip, octets);
        break;
    }
}

static void one_step(void *run)
{
    struct run *r = run;
    uint8_t what = take8(&r->b.in);
    switch (what % 8) {
    case 0:
        arp(r);
        break;
    case 1:
    case 2:
        discovery(r);
        break;
    case 3:
    case 4:
        error(r);
        break;
    case 5:
        any_message(r);
        break;
    case 6:
        bench_wait(&r->b, (int64_t)take8(&r->b.in) * 50000000);
        break;
    default:
        call(r);
        break;
    }
    bench_drain(&r->b);
}

static void set_up(void *run)
{
    struct run *r = run;
    struct bench *b = &r->b;
    bench_make(b, 1);
    b->sent = sent;
    b->arg = r;
    struct hf_endpoint local = {.port = 53};
    hf_udp_open(b->stack, &b->env, &local, &r->handle[2]);
    for (int i = 0; i < 2; i++) {
        struct hf_endpoint to = {.port = 7};
        memcpy(to.ip, i ? b->own6 : b->own4, 16);
        to.ip[15] = 2;
        hf_open(b->stack, &b->env, NULL, &to, 0, &r->handle[i]);
    }
    bench_drain(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target target = {sizeof(struct run), set_up, one_step, 100, 40, false};
    bench_play(&target, data, size);
    return 0;
}
