/* fuzz_input.c - any frames, at any time, between any user calls: hf_input must stand them all.
 *
 * The input is a list of steps: an octet that says what, then what it needs.  Frames come as they
 * are, or with checksums put right, or as segments of the open connection with numbers relative to
 * its own, so that the fuzzer reaches what lies behind the checks.  Each run starts from the same
 * stack: a raw IP and an Ethernet interface, both IP versions, listeners (one of them holding), a
 * UDP socket, one connection established and one in SYN-SENT.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

enum { ROOM = 1 << 18, FRAME_MAX = 4096, HANDLES = 6 };

struct bench {
    struct hf_stack *stack;
    struct hf_env env;
    hf_handle handle[HANDLES]; /* established, opening, listener, holding, udp, accepted */
    const uint8_t *p;
    size_t left;
};

static uint8_t *first_block; /* the stack each run starts from */
static uint64_t block_bytes;
static struct bench start;

static const uint8_t own4[16] = {[10] = 255, 255, 10, 0, 0, 1};
static const uint8_t peer4[16] = {[10] = 255, 255, 10, 0, 0, 2};
static const uint8_t link4[16] = {[10] = 255, 255, 10, 9, 0, 1};
static const uint8_t own6[16] = {0xfd, [15] = 1};
static const uint8_t link6[16] = {0xfe, 0x80, [15] = 1};

static uint8_t take8(struct bench *b)
{
    if (b->left == 0) {
        return 0;
    }
    b->left--;
    return *b->p++;
}

static uint16_t take16(struct bench *b)
{
    uint16_t high = take8(b);
    return (uint16_t)(high << 8 | take8(b));
}

static size_t take_bytes(struct bench *b, uint8_t *out, size_t room)
{
    size_t n = take16(b) % (room + 1);
    n = n < b->left ? n : b->left;
    memcpy(out, b->p, n);
    b->p += n;
    b->left -= n;
    return n;
}

static void drain(struct bench *b)
{
    struct hf_frame_out out[8];
    uint32_t n;
    for (int rounds = 0; rounds < 64; rounds++) {
        n = hf_output(b->stack, &b->env, out, 8);
        for (uint32_t i = 0; i < n; i++) {
            hf_output_done(b->stack, &b->env, out[i].token);
        }
        if (n == 0) {
            return;
        }
    }
}

static void deliver(struct bench *b, const uint8_t *frame, size_t len, uint16_t iface,
                    uint16_t flags)
{
    /* A copy of its very size: reading beyond it is seen. */
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, frame, len);
    struct hf_frame_in in = {.data = copy, .len = (uint32_t)len, .iface = iface, .flags = flags};
    hf_input(b->stack, &b->env, &in, 1);
    free(copy);
}

/* An IPv4 or IPv6 packet to us, lengths and the header's checksum put right. */
static void packet(struct bench *b)
{
    uint8_t frame[FRAME_MAX] = {0};
    size_t n = take_bytes(b, frame, sizeof frame);
    if (n < 40) {
        return;
    }
    if (frame[0] & 1) {
        frame[0] = 0x60;
        put_be16(frame + 4, (uint16_t)(n - 40));
        memcpy(frame + 24, own6, 16);
    } else {
        frame[0] = 0x45;
        put_be16(frame + 2, (uint16_t)n);
        memcpy(frame + 16, own4 + 12, 4);
        put_be16(frame + 10, 0);
        put_be16(frame + 10, csum_finish(csum_add(0, frame, 20)));
        if (frame[9] == WIRE_PROTO_ICMP) {
            put_be16(frame + 22, 0);
            put_be16(frame + 22, csum_finish(csum_add(0, frame + 20, n - 20)));
        }
    }
    deliver(b, frame, n, 1, HF_FRAME_CSUM_OK);
}

/* A segment of one of our connections; numbers relative to what it expects. */
static void segment(struct bench *b)
{
    struct hf_status status = {.struct_size = sizeof status};
    if (hf_status(b->stack, &b->env, b->handle[take8(b) % HANDLES], &status) < 0) {
        return;
    }
    uint8_t frame[FRAME_MAX] = {0};
    uint8_t *tcp = frame + 20;
    uint16_t options = take8(b) % 11 * 4u;
    put_be16(tcp, status.remote.port);
    put_be16(tcp + 2, status.local.port);
    put_be32(tcp + 4, status.rcv_nxt + (uint32_t)(int16_t)take16(b));
    put_be32(tcp + 8, status.snd_nxt + (uint32_t)(int16_t)take16(b));
    put_be16(tcp + 12, (uint16_t)((20u + options) / 4 << 12 | (take16(b) & 0x1ff)));
    put_be16(tcp + 14, take16(b));
    put_be16(tcp + 18, take16(b));
    for (uint16_t i = 0; i < options; i++) {
        tcp[20 + i] = take8(b);
    }
    size_t text = take16(b) % 3000;
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    ip.total_len = (uint32_t)(40u + options + text);
    memcpy(ip.src, status.remote.ip, 16);
    memcpy(ip.dst, status.local.ip, 16);
    wire_put_ip(frame, &ip);
    deliver(b, frame, ip.total_len, 1, HF_FRAME_CSUM_OK);
}

static void ethernet(struct bench *b)
{
    uint8_t frame[FRAME_MAX];
    size_t n = take_bytes(b, frame, sizeof frame);
    if (n >= 14 && (frame[0] & 2)) {
        memcpy(frame, "\x02\x00\x00\x00\x00\x01", 6);
    }
    deliver(b, frame, n, 2, take8(b) & HF_FRAME_CSUM_OK);
}

static void call(struct bench *b)
{
    uint8_t what = take8(b);
    hf_handle handle = b->handle[take8(b) % HANDLES];
    uint8_t data[512] = {0};
    uint32_t n = take16(b) % sizeof data;
    switch (what % 12) {
    case 0:
        hf_send(b->stack, &b->env, handle, data, n, what >> 6);
        break;
    case 1:
        hf_recv(b->stack, &b->env, handle, data, n);
        break;
    case 2:
        hf_close(b->stack, &b->env, handle);
        break;
    case 3:
        hf_abort(b->stack, &b->env, handle);
        break;
    case 4:
        hf_release(b->stack, &b->env, handle);
        break;
    case 5:
        hf_accept(b->stack, &b->env, b->handle[2], &b->handle[5], NULL);
        break;
    case 6:
        hf_asked(b->stack, &b->env, b->handle[3], &b->handle[5], NULL, NULL);
        break;
    case 7:
        hf_answer(b->stack, &b->env, handle, (enum hf_answer)(n % 5));
        break;
    case 8:
        hf_set_option(b->stack, &b->env, handle, (enum hf_option)(n % HF_OPTIONS), what);
        break;
    case 9:
        hf_udp_recv(b->stack, &b->env, b->handle[4], NULL, NULL, data, n);
        break;
    default: {
        struct hf_endpoint to = {.port = 9};
        memcpy(to.ip, peer4, 16);
        hf_udp_send(b->stack, &b->env, b->handle[4], NULL, &to, data, n);
        break;
    }
    }
}

static void one_step(struct bench *b)
{
    uint8_t what = take8(b);
    uint8_t raw[FRAME_MAX];
    size_t n;
    switch (what % 8) {
    case 0:
        n = take_bytes(b, raw, sizeof raw);
        deliver(b, raw, n, 1, 0);
        break;
    case 1:
        packet(b);
        break;
    case 2:
    case 3:
        segment(b);
        break;
    case 4:
        ethernet(b);
        break;
    case 5:
        b->env.now_ns += (int64_t)take16(b) * (what & 8 ? 1000000 : 1000);
        hf_timeouts(b->stack, &b->env);
        break;
    case 6:
        call(b);
        break;
    default:
        drain(b);
        break;
    }
}

static void establish(struct bench *b)
{
    struct hf_endpoint to = {.port = 7};
    memcpy(to.ip, peer4, 16);
    hf_open(b->stack, &b->env, NULL, &to, 0, &b->handle[0]);
    drain(b);
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(b->stack, &b->env, b->handle[0], &status);
    uint8_t frame[40 + 20] = {0};
    struct segment seg = {.seq = seq(1000),
                          .ack = seq(status.iss + 1),
                          .ctl = SYN | ACK,
                          .wnd = 65535,
                          .sport = 7,
                          .dport = status.local.port,
                          .opt = {.present = OPT_MSS | OPT_SACK_OK | OPT_WSCALE, .mss = 1460}};
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    ip.total_len = (uint32_t)(20 + wire_tcp_header_len(&seg.opt));
    memcpy(ip.src, peer4, 16);
    memcpy(ip.dst, own4, 16);
    wire_put_ip(frame, &ip);
    wire_put_tcp(frame + 20, &seg);
    deliver(b, frame, ip.total_len, 1, HF_FRAME_CSUM_OK);
    drain(b);
    to.port = 8;
    hf_open(b->stack, &b->env, NULL, &to, 0, &b->handle[1]);
    drain(b);
}

static void set_up(void)
{
    struct hf_config config = {.struct_size = sizeof config};
    hf_config_default(&config, 8);
    config.seed[0] = 1;
    config.small_chunks = 32;
    config.small_chunk_bytes = 256;
    config.large_chunks = 4;
    config.max_tokens = 64;
    config.max_sent = 64;
    config.max_ranges = 128;
    config.history_events = 64;
    block_bytes = hf_size(&config);
    if (block_bytes == 0 || block_bytes > ROOM) {
        abort();
    }
    first_block = aligned_alloc(64, block_bytes);
    struct bench *b = &start;
    b->stack = (struct hf_stack *)first_block;
    b->env = (struct hf_env){.struct_size = sizeof b->env, .now_ns = 1000000000};
    struct hf_interface raw = {
        .struct_size = sizeof raw, .link = HF_LINK_IP, .mtu = 1500, .offload = HF_OFFLOAD_TSO4};
    struct hf_interface ether = {.struct_size = sizeof ether,
                                 .link = HF_LINK_ETHERNET,
                                 .mac = {2, 0, 0, 0, 0, 1},
                                 .mtu = 1500};
    if (hf_init(b->stack, block_bytes, &config, &b->env) < 0 ||
        hf_interface_add(b->stack, &b->env, &raw) != 1 ||
        hf_interface_add(b->stack, &b->env, &ether) != 2 ||
        hf_address_add(b->stack, &b->env, 1, own4, 24) < 0 ||
        hf_address_add(b->stack, &b->env, 1, own6, 64) < 0 ||
        hf_address_add(b->stack, &b->env, 2, link4, 24) < 0 ||
        hf_address_add(b->stack, &b->env, 2, link6, 64) < 0) {
        abort();
    }
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = 80}, .backlog = 4, .cookie = 1};
    hf_listen(b->stack, &b->env, &listen, &b->handle[2]);
    listen.local.port = 81;
    listen.port_last = 90;
    listen.hold = true;
    hf_listen(b->stack, &b->env, &listen, &b->handle[3]);
    struct hf_endpoint local = {.port = 53};
    hf_udp_open(b->stack, &b->env, &local, &b->handle[4]);
    establish(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *block;
    if (first_block == NULL) {
        set_up();
        block = aligned_alloc(64, block_bytes);
    }
    memcpy(block, first_block, block_bytes);
    struct bench b = start;
    b.stack = (struct hf_stack *)block;
    b.p = data;
    b.left = size;
    for (int steps = 0; b.left && steps < 200; steps++) {
        one_step(&b);
        struct hf_event events[8];
        hf_events(b.stack, &b.env, events, 8);
    }
    drain(&b);
    for (int i = 0; i < 40; i++) { /* and on to the end of every timer */
        int64_t next = hf_deadline(b.stack, &b.env);
        if (next == INT64_MAX) {
            break;
        }
        b.env.now_ns = next > b.env.now_ns ? next : b.env.now_ns;
        hf_timeouts(b.stack, &b.env);
        drain(&b);
    }
    return 0;
}
