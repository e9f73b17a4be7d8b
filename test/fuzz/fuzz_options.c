/* fuzz_options.c - option lists: read from memory that ends where they do, written and read again,
 * and on a SYN and an open connection's segment.
 */
#include <stdlib.h>

#include "bench.h"

enum { OPTIONS_MAX = 40 };

/* A header of its very length with these options behind it. */
static uint8_t *header_of(const uint8_t *options, size_t n, uint16_t ctl, size_t *len)
{
    size_t padded = (n + 3) / 4 * 4;
    *len = 20 + padded;
    uint8_t *tcp = calloc(1, *len);
    put_be16(tcp, 7);
    put_be16(tcp + 2, 80);
    put_be32(tcp + 4, 1000);
    put_be16(tcp + 12, (uint16_t)(*len / 4 << 12 | ctl));
    put_be16(tcp + 14, 65535);
    memcpy(tcp + 20, options, n);
    return tcp;
}

/* What is written of them is read as it was, but for what has no room. */
static void write_and_read(const struct segment *seg)
{
    struct segment copy = *seg, again;
    uint8_t out[WIRE_MAX_TCP];
    copy.opt.present &= ~(uint32_t)(OPT_BAD | OPT_MD5 | OPT_AO);
    size_t len = wire_put_tcp(out, &copy);
    must(len == wire_tcp_header_len(&copy.opt) && len <= sizeof out, "a header of another length");
    must(wire_parse_tcp(out, len, &again) == WIRE_OK, "an own header cannot be read");
    must((again.opt.present & ~copy.opt.present) == 0, "an option is read that was not written");
    const uint32_t always = OPT_MSS | OPT_TS | OPT_WSCALE | OPT_SACK_OK;
    must((again.opt.present & always) == (copy.opt.present & always),
         "an option is not read again");
    if (copy.opt.present & OPT_TS) {
        must(again.opt.ts_val == copy.opt.ts_val && again.opt.ts_ecr == copy.opt.ts_ecr,
             "other timestamps are read");
    }
    for (unsigned i = 0; (again.opt.present & OPT_SACK) && i < again.opt.n_sack; i++) {
        must(seq_eq(again.opt.sack[i].left, copy.opt.sack[i].left) &&
                 seq_eq(again.opt.sack[i].right, copy.opt.sack[i].right),
             "other SACK blocks are read");
    }
}

static void parse(const uint8_t *options, size_t n, uint16_t ctl)
{
    size_t len;
    uint8_t *tcp = header_of(options, n, ctl, &len);
    struct segment seg;
    if (wire_parse_tcp(tcp, len, &seg) == WIRE_OK) {
        must(seg.opt.n_sack <= TCP_MAX_SACK && seg.opt.fo_len <= TCP_MAX_COOKIE &&
                 seg.opt.n_accecn <= 3,
             "more is read than there is room for");
        write_and_read(&seg);
    }
    free(tcp);
    uint8_t *bare = malloc(n ? n : 1);
    struct tcp_options opt;
    memcpy(bare, options, n);
    wire_parse_tcp_options(bare, n, &opt);
    free(bare);
}

static void to_listener(struct bench *b, const uint8_t *options, size_t n, uint16_t ctl)
{
    uint8_t packet[20 + WIRE_MAX_TCP];
    size_t len;
    uint8_t *tcp = header_of(options, n, ctl, &len);
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    ip.total_len = (uint32_t)(20 + len);
    memcpy(ip.src, b->own4, 16);
    memcpy(ip.dst, b->own4, 16);
    ip.src[15] = 2;
    wire_put_ip(packet, &ip);
    memcpy(packet + 20, tcp, len);
    free(tcp);
    bench_deliver(b, packet, ip.total_len, RAW, HF_FRAME_CSUM_OK);
    bench_drain(b);
}

/* The listener's answer is acknowledged, with options too. */
static void answered(void *arg, const uint8_t *frame, uint32_t len, uint32_t iface)
{
    struct segment *seg = arg;
    (void)iface;
    wire_parse_tcp(frame + 20, len - 20, seg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench first;
    static struct start start;
    if (start.stack == NULL) {
        struct hf_listen listen = {
            .struct_size = sizeof listen, .local = {.port = 80}, .backlog = 4};
        hf_handle handle;
        bench_make(&first, 1);
        hf_listen(first.stack, &first.env, &listen, &handle);
        hf_set_option(first.stack, &first.env, handle, HF_FAST_OPEN, 4);
        start = bench_start(&first);
    }
    size_t n = size < OPTIONS_MAX ? size : OPTIONS_MAX;
    parse(data, n, SYN);
    parse(data, n, ACK);
    struct bench b;
    struct segment answer = {0};
    bench_begin(&b, &start);
    b.sent = answered;
    b.arg = &answer;
    to_listener(&b, data, n, SYN);
    if (answer.ctl != (SYN | ACK)) {
        return 0;
    }
    uint8_t packet[20 + WIRE_MAX_TCP];
    struct segment ack = {.seq = seq(1001), .ack = seq_add(answer.seq, 1), .ctl = ACK, .wnd = 9000};
    ack.sport = 7;
    ack.dport = 80;
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    memcpy(ip.src, b.own4, 16);
    memcpy(ip.dst, b.own4, 16);
    ip.src[15] = 2;
    n = size - n < OPTIONS_MAX ? size - n : OPTIONS_MAX;
    size_t padded = (n + 3) / 4 * 4;
    ip.total_len = (uint32_t)(40 + padded);
    memset(packet, 0, sizeof packet);
    wire_put_ip(packet, &ip);
    wire_put_tcp(packet + 20, &ack);
    packet[32] = (uint8_t)((20 + padded) / 4 << 4);
    memcpy(packet + 40, data + size - n, n);
    bench_deliver(&b, packet, ip.total_len, RAW, HF_FRAME_CSUM_OK);
    bench_finish(&b, 10);
    return 0;
}
