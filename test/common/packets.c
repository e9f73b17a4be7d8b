/* packets.c - packets of the peer: see packets.h. */
#include "common/packets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

uint8_t data[ROOM], got[ROOM];
uint16_t fragment_ident = 77;

static void fill_data(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
}

struct wire_ip ip_in(const struct peer *p, uint8_t proto)
{
    struct wire_ip ip = {.version = p->v6 ? 6 : 4, .proto = proto, .ttl = 64, .tos = p->tos};
    memcpy(ip.src, p->peer_ip, 16);
    memcpy(ip.dst, p->stack_ip, 16);
    return ip;
}

uint32_t make_datagram(const struct peer *p, uint8_t *out, uint32_t len)
{
    struct wire_ip ip = ip_in(p, WIRE_PROTO_UDP);
    struct wire_udp udp = {.sport = THERE, .dport = HERE, .len = (uint16_t)(8 + len)};
    wire_put_udp(out, &udp);
    memcpy(out + 8, data, len);
    wire_set_udp_checksum(out, &ip, csum_add(0, data, len), len);
    return 8 + len;
}

uint32_t make_icmp(const struct peer *p, uint8_t *out, uint8_t type, uint8_t code, const void *body,
                   uint32_t len)
{
    struct wire_ip ip = ip_in(p, p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP);
    struct wire_icmp icmp = {.version = ip.version, .type = type, .code = code, .rest = 0x12345678};
    wire_put_icmp(out, &icmp);
    memcpy(out + 8, body, len);
    wire_set_icmp_checksum(out, 8 + len, &ip);
    return 8 + len;
}

uint8_t icmp_proto(const struct peer *p)
{
    return p->v6 ? WIRE_PROTO_ICMPV6 : WIRE_PROTO_ICMP;
}

void sends_fragment(struct peer *p, uint8_t proto, const uint8_t *payload, uint32_t from,
                    uint32_t to, bool more)
{
    static uint8_t packet[ROOM];
    struct wire_ip ip = ip_in(p, proto);
    uint32_t extra = p->v6 ? 8 : 0;
    ip.ident = fragment_ident;
    ip.mf = more;
    ip.frag_offset = (uint16_t)from;
    ip.total_len = (p->v6 ? 40 : 20) + extra + to - from;
    ip.proto = p->v6 ? 44 : proto;
    size_t at = wire_put_ip(packet, &ip);
    if (p->v6) {
        packet[at] = proto;
        packet[at + 1] = 0;
        put_be16(packet + at + 2, (uint16_t)(from | (more ? 1 : 0)));
        put_be32(packet + at + 4, fragment_ident);
        at += 8;
    }
    memcpy(packet + at, payload + from, to - from);
    peer_frame(p, packet, (uint32_t)at + to - from);
}

uint32_t make_packet_of(uint8_t *out, struct wire_ip ip, const void *payload, uint32_t len)
{
    ip.total_len = (ip.version == 6 ? 40 : 20) + len;
    size_t at = wire_put_ip(out, &ip);
    memcpy(out + at, payload, len);
    return (uint32_t)at + len;
}

uint32_t make_packet(const struct peer *p, uint8_t *out, uint8_t proto, const void *payload,
                     uint32_t len)
{
    return make_packet_of(out, ip_in(p, proto), payload, len);
}

uint32_t make_segment(const struct wire_ip *ip, uint8_t *out, const struct segment *seg,
                      const void *text, uint32_t len)
{
    uint32_t header_len = (uint32_t)wire_put_tcp(out, seg);
    if (len)
        memcpy(out + header_len, text, len);
    wire_set_tcp_checksum(out, header_len, ip, csum_add(0, out + header_len, len), len);
    return header_len + len;
}

void mend_ip4(uint8_t *packet)
{
    put_be16(packet + 10, 0);
    put_be16(packet + 10, csum_finish(csum_add(0, packet, (size_t)(packet[0] & 15) * 4)));
}

uint8_t *at_page_end(uint32_t len)
{
    static uint8_t *end;
    static size_t room;
    if (room < len || end == NULL) { /* grows, is never given back */
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        room = (len + page) / page * page;
        uint8_t *map =
            mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE) != 0)
            abort();
        end = map + room;
    }
    return end - len;
}

void peer_frame_guarded(struct peer *p, const void *bytes, uint32_t len)
{
    uint8_t *copy = at_page_end(len);
    if (len)
        memcpy(copy, bytes, len);
    struct hf_frame_in frame = {.data = copy, .len = len, .iface = 1};
    peer_start(p);
    peer_calls(p, hf_input(p->stack, &p->env, &frame, 1));
    if (len)
        memset(copy, 0xa5, len); /* a device's buffer is its own again */
    peer_pump(p);
}

struct hf_counters counters_of(const struct peer *p)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(p->stack, &counters);
    return counters;
}

uint64_t verdicts(const struct peer *p, enum hf_verdict verdict)
{
    return counters_of(p).verdict[verdict];
}

int packets_setup4(void **state)
{
    fill_data();
    return peer_setup4(state);
}

int packets_setup6(void **state)
{
    fill_data();
    return peer_setup6(state);
}

uint8_t *state_of(struct peer *p, uint64_t *bytes)
{
    peer_start(p);
    *bytes = hf_canonical(p->stack, &p->env, NULL, 0);
    uint8_t *out = malloc(*bytes);
    if (!out || hf_canonical(p->stack, &p->env, out, *bytes) != *bytes)
        abort();
    return out;
}

bool state_is(struct peer *p, uint8_t *before, uint64_t bytes)
{
    uint64_t now_bytes;
    uint8_t *now = state_of(p, &now_bytes);
    bool same = now_bytes == bytes && memcmp(now, before, bytes) == 0;
    free(now);
    free(before);
    return same;
}

void expects_echo(struct peer *p, const uint8_t *request, uint32_t len)
{
    static uint8_t whole[ROOM];
    uint32_t end = 0;
    struct wire_ip ip = {0};
    do {
        struct seen *seen = peer_take(p, icmp_proto(p));
        holds(seen != NULL);
        ip = seen->ip;
        memcpy(whole + end, seen->bytes + ip.header_len, ip.total_len - ip.header_len);
        end += ip.total_len - ip.header_len;
        peer_taken(p, seen);
    } while (ip.mf);
    holds_equal(end, len);
    holds(wire_icmp_checksum_ok(&ip, whole, len));
    holds_equal(whole[0], p->v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY);
    holds(memcmp(whole + 4, request + 4, len - 4) == 0);
}

hf_handle socket_on(struct peer *p, uint16_t port)
{
    struct hf_endpoint here = {.port = port};
    hf_handle handle;
    starts();
    calls(hf_udp_open(p->stack, &p->env, &here, &handle));
    return handle;
}

void nothing_is_held(struct peer *p)
{
    struct hf_counters counters = counters_of(p);
    holds_equal(counters.reassembly, 0);
    holds_equal(counters.ranges, 0);
    holds_equal(counters.packets, 0);
    holds_equal(counters.small_chunks + counters.large_chunks, 0);
}
