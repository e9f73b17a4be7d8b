/* fuzz_input.c - any frames, at any time, between any user calls: hf_input must stand them all.
 *
 * The input is a list of steps, each behind its length: an octet that says what, then what it
 * needs.  Frames come as they are, or with checksums put right, or as segments of the open
 * connection with numbers relative to its own, so that the fuzzer reaches what lies behind the
 * checks.  Each run starts from the same stack: a raw IP and an Ethernet interface, where whoever
 * is asked for answers, both IP versions, listeners (one of them holding), a UDP socket, one
 * connection established and one in SYN-SENT.
 */
#include "bench.h"

enum { HANDLES = 6 };

struct run {
    struct bench b;
    hf_handle handle[HANDLES]; /* established, opening, listener, holding, udp, accepted */
};

static const uint8_t peer4[16] = {[10] = 255, 255, BENCH_PEER4};

/* An IPv4 or IPv6 packet to us, lengths and the header's checksum put right. */
static void packet(struct run *r)
{
    uint8_t frame[FRAME_MAX] = {0};
    size_t n = take_bytes(&r->b.in, frame, sizeof frame);
    if (n < 40) {
        return;
    }
    if (frame[0] & 1) {
        frame[0] = 0x60;
        put_be16(frame + 4, (uint16_t)(n - 40));
        memcpy(frame + 24, r->b.own6, 16);
    } else {
        frame[0] = 0x45;
        put_be16(frame + 2, (uint16_t)n);
        memcpy(frame + 16, r->b.own4 + 12, 4);
        put_be16(frame + 10, 0);
        put_be16(frame + 10, csum_finish(csum_add(0, frame, 20)));
        if (frame[9] == WIRE_PROTO_ICMP) {
            put_be16(frame + 22, 0);
            put_be16(frame + 22, csum_finish(csum_add(0, frame + 20, n - 20)));
        }
    }
    bench_deliver(&r->b, frame, n, RAW, HF_FRAME_CSUM_OK);
}

/* A segment of one of our connections; numbers relative to what it expects. */
static void segment(struct run *r)
{
    struct hf_status status = {.struct_size = sizeof status};
    if (hf_status(r->b.stack, &r->b.env, r->handle[take8(&r->b.in) % HANDLES], &status) < 0) {
        return;
    }
    uint8_t frame[FRAME_MAX] = {0};
    uint8_t *tcp = frame + 20;
    uint16_t options = take8(&r->b.in) % 11 * 4u;
    put_be16(tcp, status.remote.port);
    put_be16(tcp + 2, status.local.port);
    put_be32(tcp + 4, status.rcv_nxt + (uint32_t)(int16_t)take16(&r->b.in));
    put_be32(tcp + 8, status.snd_nxt + (uint32_t)(int16_t)take16(&r->b.in));
    put_be16(tcp + 12, (uint16_t)((20u + options) / 4 << 12 | (take16(&r->b.in) & 0x1ff)));
    put_be16(tcp + 14, take16(&r->b.in));
    put_be16(tcp + 18, take16(&r->b.in));
    for (uint16_t i = 0; i < options; i++) {
        tcp[20 + i] = take8(&r->b.in);
    }
    size_t text = take16(&r->b.in) % 3000;
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    ip.total_len = (uint32_t)(40u + options + text);
    memcpy(ip.src, status.remote.ip, 16);
    memcpy(ip.dst, status.local.ip, 16);
    wire_put_ip(frame, &ip);
    bench_deliver(&r->b, frame, ip.total_len, RAW, HF_FRAME_CSUM_OK);
}

static void ethernet(struct run *r)
{
    uint8_t frame[FRAME_MAX];
    size_t n = take_bytes(&r->b.in, frame, sizeof frame);
    if (n >= 14 && (frame[0] & 2)) {
        memcpy(frame, "\x02\x00\x00\x00\x00\x01", 6);
    }
    bench_deliver(&r->b, frame, n, ETHERNET, take8(&r->b.in) & HF_FRAME_CSUM_OK);
}

static void call(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    hf_handle handle = r->handle[take8(&r->b.in) % HANDLES];
    uint8_t data[512] = {0};
    uint32_t n = take16(&r->b.in) % sizeof data;
    switch (what % 12) {
    case 0:
        hf_send(r->b.stack, &r->b.env, handle, data, n, what >> 6);
        break;
    case 1:
        hf_recv(r->b.stack, &r->b.env, handle, data, n);
        break;
    case 2:
        hf_close(r->b.stack, &r->b.env, handle);
        break;
    case 3:
        hf_abort(r->b.stack, &r->b.env, handle);
        break;
    case 4:
        hf_release(r->b.stack, &r->b.env, handle);
        break;
    case 5:
        hf_accept(r->b.stack, &r->b.env, r->handle[2], &r->handle[5], NULL);
        break;
    case 6:
        hf_asked(r->b.stack, &r->b.env, r->handle[3], &r->handle[5], NULL, NULL);
        break;
    case 7:
        hf_answer(r->b.stack, &r->b.env, handle, (enum hf_answer)(n % 5));
        break;
    case 8:
        hf_set_option(r->b.stack, &r->b.env, handle, (enum hf_option)(n % HF_OPTIONS), what);
        break;
    case 9:
        hf_udp_recv(r->b.stack, &r->b.env, r->handle[4], NULL, NULL, data, n);
        break;
    default: {
        struct hf_endpoint to = {.port = 9};
        memcpy(to.ip, peer4, 16);
        hf_udp_send(r->b.stack, &r->b.env, r->handle[4], NULL, &to, data, n);
        break;
    }
    }
}

static void take_one(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint8_t raw[FRAME_MAX];
    size_t n;
    switch (what % 8) {
    case 0:
        n = take_bytes(&r->b.in, raw, sizeof raw);
        bench_deliver(&r->b, raw, n, RAW, 0);
        break;
    case 1:
        packet(r);
        break;
    case 2:
    case 3:
        segment(r);
        break;
    case 4:
        ethernet(r);
        break;
    case 5:
        bench_wait(&r->b, (int64_t)take16(&r->b.in) * (what & 8 ? 1000000 : 1000));
        break;
    case 6:
        call(r);
        break;
    default:
        bench_drain(&r->b);
        break;
    }
}

static void one_step(void *run)
{
    struct run *r = run;
    struct hf_event events[8];
    take_one(r);
    hf_events(r->b.stack, &r->b.env, events, 8);
}

static void establish(struct run *r)
{
    struct bench *b = &r->b;
    struct hf_endpoint to = {.port = 7};
    memcpy(to.ip, peer4, 16);
    hf_open(b->stack, &b->env, NULL, &to, 0, &r->handle[0]);
    bench_drain(b);
    struct hf_status status = {.struct_size = sizeof status};
    hf_status(b->stack, &b->env, r->handle[0], &status);
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
    memcpy(ip.dst, b->own4, 16);
    wire_put_ip(frame, &ip);
    wire_put_tcp(frame + 20, &seg);
    bench_deliver(b, frame, ip.total_len, RAW, HF_FRAME_CSUM_OK);
    bench_drain(b);
    to.port = 8;
    hf_open(b->stack, &b->env, NULL, &to, 0, &r->handle[1]);
    bench_drain(b);
}

static void set_up(void *run)
{
    struct run *r = run;
    struct bench *b = &r->b;
    bench_make(b, 1);
    b->lan = true;
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = 80}, .backlog = 4, .cookie = 1};
    hf_listen(b->stack, &b->env, &listen, &r->handle[2]);
    listen.local.port = 81;
    listen.port_last = 90;
    listen.hold = true;
    hf_listen(b->stack, &b->env, &listen, &r->handle[3]);
    struct hf_endpoint local = {.port = 53};
    hf_udp_open(b->stack, &b->env, &local, &r->handle[4]);
    establish(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target target = {sizeof(struct run), set_up, one_step, 200, 40, true};
    bench_play(&target, data, size);
    return 0;
}
