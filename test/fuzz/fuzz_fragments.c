/* fuzz_fragments.c - fragments of UDP datagrams, IPv4 and IPv6, in any order, size and number.
 *
 * The octets of a datagram are a function of its number, so that one that is delivered can be told
 * from one with a hole, or with octets of another.  And what comes in whole, without an overlap,
 * must be delivered.
 */
#include "bench.h"

enum { DATAGRAMS = 4, LONGEST = 6000, FRAGMENT = 44, UDP_PORT = 53, FRAGMENT_BYTES = 8 };

struct run {
    struct bench b;
    hf_handle udp;
    uint8_t datagram[DATAGRAMS][LONGEST]; /* UDP header and all; odd ones of IPv6 */
    uint32_t len[DATAGRAMS];
    uint8_t covered[DATAGRAMS][LONGEST / 8 + 1];
    bool clean[DATAGRAMS]; /* nothing came of it that could spoil it */
    bool alone;            /* only one datagram came, and no time passed */
    int last;
    uint32_t delivered;
};

static struct wire_ip ip_of(const struct run *r, int n)
{
    struct wire_ip ip = {.version = n % 2 ? 6 : 4, .proto = WIRE_PROTO_UDP, .ttl = 64};
    memcpy(ip.src, n % 2 ? r->b.own6 : r->b.own4, 16);
    memcpy(ip.dst, n % 2 ? r->b.own6 : r->b.own4, 16);
    ip.src[15] = 2;
    ip.ident = (uint16_t)(100 + n);
    return ip;
}

static void make_datagrams(struct run *r)
{
    static const uint32_t lengths[DATAGRAMS] = {40, 2008, 6000, 1283};
    for (int n = 0; n < DATAGRAMS; n++) {
        uint8_t *p = r->datagram[n];
        struct wire_ip ip = ip_of(r, n);
        struct wire_udp udp = {.sport = (uint16_t)(1000 + n), .dport = UDP_PORT};
        r->len[n] = lengths[n];
        udp.len = (uint16_t)r->len[n];
        for (uint32_t i = WIRE_UDP_BYTES; i < r->len[n]; i++) {
            p[i] = octet_at(i + (uint32_t)n * 1000);
        }
        wire_put_udp(p, &udp);
        csum_t sum = csum_add(0, p + WIRE_UDP_BYTES, r->len[n] - WIRE_UDP_BYTES);
        wire_set_udp_checksum(p, &ip, sum, r->len[n] - WIRE_UDP_BYTES);
    }
}

static void read_all(struct run *r)
{
    uint8_t data[LONGEST];
    struct hf_endpoint from;
    int64_t len;
    while ((len = hf_udp_recv(r->b.stack, &r->b.env, r->udp, &from, NULL, data, sizeof data)) >=
           0) {
        int n = from.port - 1000;
        must(n >= 0 && n < DATAGRAMS, "a datagram from nobody");
        must((uint32_t)len + WIRE_UDP_BYTES == r->len[n] &&
                 memcmp(data, r->datagram[n] + WIRE_UDP_BYTES, (size_t)len) == 0,
             "a datagram is not what was sent");
        r->delivered |= 1u << n;
    }
}

/* Octets from..to as a fragment; beyond the datagram's end there is noise. */
static void deliver(struct run *r, int n, uint32_t from, uint32_t to, bool more)
{
    static uint8_t packet[WIRE_MAX_IP + FRAGMENT_BYTES + LONGEST];
    struct wire_ip ip = ip_of(r, n);
    uint8_t *p = packet;
    uint32_t octets = to - from;
    if (ip.version == 4) {
        ip.mf = more;
        ip.frag_offset = (uint16_t)from;
        ip.total_len = 20 + octets;
        p += wire_put_ip(packet, &ip);
    } else {
        ip.proto = FRAGMENT;
        ip.total_len = WIRE_MAX_IP + FRAGMENT_BYTES + octets;
        p += wire_put_ip(packet, &ip);
        p[0] = WIRE_PROTO_UDP;
        p[1] = 0;
        put_be16(p + 2, (uint16_t)(from | (more ? 1 : 0)));
        put_be32(p + 4, ip.ident);
        p += FRAGMENT_BYTES;
    }
    for (uint32_t i = 0; i < octets; i++) {
        p[i] = from + i < r->len[n] ? r->datagram[n][from + i] : 0xee;
    }
    bench_deliver(&r->b, packet, ip.total_len, RAW, 0);
}

/* What the fragment covers, and whether it may spoil its datagram. */
static void cover(struct run *r, int n, uint32_t from, uint32_t to, bool more)
{
    bool good = to <= r->len[n] && (to == r->len[n]) == !more && from < to &&
                (from != 0 || to >= WIRE_UDP_BYTES);
    for (uint32_t i = from / 8; i < (to + 7) / 8 && good; i++) {
        good = r->covered[n][i] == 0;
        r->covered[n][i] = 1;
    }
    r->clean[n] = r->clean[n] && good;
    r->alone = r->alone && (r->last < 0 || r->last == n);
    r->last = n;
}

static bool complete(const struct run *r, int n)
{
    uint32_t blocks = (r->len[n] + 7) / 8;
    for (uint32_t i = 0; i < blocks; i++) {
        if (r->covered[n][i] == 0) {
            return false;
        }
    }
    return r->clean[n] && r->alone;
}

static void fragment(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    int n = what % DATAGRAMS;
    uint32_t from = take16(&r->b.in) % (what & 4 ? 8192 : (r->len[n] + 7) / 8) * 8;
    uint32_t octets = what & 8 ? take8(&r->b.in) * 8u : take16(&r->b.in) % 1480;
    uint32_t to = from + octets;
    if (!(what & 16) && to > r->len[n]) {
        to = r->len[n] > from ? r->len[n] : from;
    }
    bool more = what & 32 ? what & 64 : to < r->len[n];
    if (to - from > LONGEST) {
        return;
    }
    deliver(r, n, from, to, more);
    cover(r, n, from, to, more);
    r->clean[n] = r->clean[n] && (!more || (to - from) % 8 == 0);
    read_all(r);
    must(!complete(r, n) || (r->delivered & 1u << n), "a whole datagram is not delivered");
}

/* The rest of the datagram in pieces of `size`, as a router would cut it. */
static void rest(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    int n = what % DATAGRAMS;
    uint32_t size = 8 + take8(&r->b.in) * 8u;
    for (uint32_t from = 0; from < r->len[n]; from += size) {
        uint32_t to = from + size < r->len[n] ? from + size : r->len[n];
        bool more = to < r->len[n];
        if (r->covered[n][from / 8] == 0) {
            deliver(r, n, from, to, more);
            cover(r, n, from, to, more);
        }
    }
    read_all(r);
}

static void set_up(void *run)
{
    struct run *r = run;
    struct hf_endpoint local = {.port = UDP_PORT};
    bench_make(&r->b, 1);
    make_datagrams(r);
    hf_udp_open(r->b.stack, &r->b.env, &local, &r->udp);
    r->alone = true;
    r->last = -1;
    memset(r->clean, true, sizeof r->clean);
}

static void one_step(void *run)
{
    struct run *r = run;
    uint8_t what = take8(&r->b.in);
    if (what < 200) {
        fragment(r);
    } else if (what < 230) {
        rest(r);
    } else {
        bench_wait(&r->b, (int64_t)take8(&r->b.in) * 500000000);
        r->alone = false;
    }
    bench_drain(&r->b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target target = {sizeof(struct run), set_up, one_step, 100, 20, false};
    bench_play(&target, data, size);
    return 0;
}
