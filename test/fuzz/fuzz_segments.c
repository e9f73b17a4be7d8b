/* fuzz_segments.c - sequences of segments that stay valid: their numbers are read back from what
 * the stack sends, so that they reach deep into connections that live.
 *
 * Four peers: one whose connection is open, one whose SYN,ACK is awaited, and two that open
 * connections to listeners.  Each text octet is a function of its sequence number; whatever the
 * application reads must be that, whatever came in which order.
 */
#include "bench.h"

enum { PEERS = 4, HANDLES = 12, TEXT_MAX = 3000 };

struct peer {
    uint16_t port, to;       /* the peer's, ours; to 0: not known yet               */
    uint32_t nxt;            /* what it sends next: as the stack's last ACK has it   */
    uint32_t una, ack;       /* what it acknowledged last; what it could acknowledge */
    uint32_t ts_val, ts_ecr; /* its clock; the stack's last timestamp                */
    bool ts, v6;
};

struct run {
    struct bench b;
    struct peer peer[PEERS];
    hf_handle handle[HANDLES];
    hf_handle listener[2];
};

static void host(const struct run *r, const struct peer *peer, uint8_t ip[16])
{
    memcpy(ip, peer->v6 ? r->b.own6 : r->b.own4, 16);
    ip[15] = 2;
}

/* Learns from each segment that leaves. */
static void sent(void *arg, const uint8_t *frame, uint32_t len, uint32_t iface)
{
    struct run *r = arg;
    struct wire_ip ip;
    struct segment seg;
    (void)iface;
    if (wire_parse_ip(frame, len, &ip) != WIRE_OK || ip.proto != WIRE_PROTO_TCP ||
        wire_parse_tcp(frame + ip.header_len, len - ip.header_len, &seg) != WIRE_OK) {
        return;
    }
    for (int i = 0; i < PEERS; i++) {
        struct peer *peer = &r->peer[i];
        if (peer->port != seg.dport || (seg.ctl & RST)) {
            continue;
        }
        uint32_t end = seg.seq.v + seg.len;
        peer->to = seg.sport;
        if (seg.ctl & SYN) {
            peer->una = seg.seq.v;
            peer->ts = seg.opt.present & OPT_TS;
        }
        if ((seg.ctl & SYN) || seq_gt(seq(end), seq(peer->ack))) {
            peer->ack = end;
        }
        peer->nxt = seg.ctl & ACK ? seg.ack.v : peer->nxt;
        peer->ts_ecr = seg.opt.ts_val;
    }
}

static void deliver(struct run *r, const struct peer *peer, struct segment *seg, uint32_t text)
{
    uint8_t packet[WIRE_MAX_IP + WIRE_MAX_TCP + TEXT_MAX];
    struct wire_ip ip = {
        .version = peer->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    uint32_t header = (uint32_t)wire_tcp_header_len(&seg->opt);
    ip.total_len = (peer->v6 ? 40 : 20) + header + text;
    host(r, peer, ip.src);
    memcpy(ip.dst, peer->v6 ? r->b.own6 : r->b.own4, 16);
    ip.tos = seg->ecn;
    uint8_t *tcp = packet + wire_put_ip(packet, &ip);
    seg->sport = peer->port;
    seg->dport = peer->to;
    wire_put_tcp(tcp, seg);
    uint32_t first = seg->seq.v + (seg->ctl & SYN ? 1 : 0);
    for (uint32_t i = 0; i < text; i++) {
        tcp[header + i] = octet_at(first + i);
    }
    bench_deliver(&r->b, packet, ip.total_len, RAW, HF_FRAME_CSUM_OK);
}

static uint32_t near(struct input *in, uint32_t number, uint32_t other)
{
    switch (take8(in) % 8) {
    case 4:
        return number + take16(in);
    case 5:
        return number - take8(in);
    case 6:
        return other + (uint32_t)(int8_t)take8(in);
    case 7:
        return take8(in) & 1 ? take32(in) : number + take16(in) * 64u;
    default:
        return number;
    }
}

static uint16_t control(struct input *in)
{
    static const uint16_t usual[8] = {ACK,       ACK,       ACK | PSH, ACK | PSH,
                                      ACK | FIN, RST | ACK, ACK | URG, SYN | ACK};
    uint8_t which = take8(in);
    return which < 224 ? usual[which % 8] : take16(in) & 0x1ff;
}

static void options(struct run *r, struct peer *peer, struct segment *seg)
{
    uint8_t which = take8(&r->b.in);
    struct tcp_options *opt = &seg->opt;
    if (seg->ctl & SYN) {
        opt->present |= OPT_MSS | (which & 1 ? OPT_TS : 0) | (which & 2 ? OPT_SACK_OK : 0) |
                        (which & 4 ? OPT_WSCALE : 0);
        opt->mss = which & 8 ? take16(&r->b.in) : 1460;
        opt->wscale = which >> 4;
    } else if (which & 8) {
        opt->present |= OPT_SACK;
        opt->n_sack = 1 + which % 3;
        for (unsigned i = 0; i < opt->n_sack; i++) {
            opt->sack[i].left = seq(near(&r->b.in, peer->una + take16(&r->b.in), peer->ack));
            opt->sack[i].right = seq_add(opt->sack[i].left, take16(&r->b.in));
        }
    }
    if (peer->ts && (which & 16) == 0) {
        opt->present |= OPT_TS;
    }
    peer->ts_val += which & 32 ? (uint32_t)(int8_t)take8(&r->b.in) : 1;
    opt->ts_val = peer->ts_val;
    opt->ts_ecr = which & 64 ? peer->ts_ecr - take16(&r->b.in) : peer->ts_ecr;
    seg->ecn = which & 128 ? take8(&r->b.in) & 3 : 0;
}

static uint32_t text_length(struct input *in)
{
    switch (take8(in) % 4) {
    case 0:
        return 0;
    case 1:
        return take8(in);
    case 2:
        return 1460;
    default:
        return take16(in) % (TEXT_MAX + 1);
    }
}

static void segment(struct run *r)
{
    struct peer *peer = &r->peer[take8(&r->b.in) % PEERS];
    struct segment seg = {.ctl = control(&r->b.in)};
    seg.seq = seq(near(&r->b.in, peer->nxt, peer->nxt + 65535));
    seg.ack = seq(near(&r->b.in, peer->ack, peer->una));
    seg.wnd = take8(&r->b.in) & 7 ? 65535 : take16(&r->b.in);
    seg.up = seg.ctl & URG ? take16(&r->b.in) : 0;
    options(r, peer, &seg);
    uint32_t text = text_length(&r->b.in);
    if (peer->to == 0) {
        return;
    }
    if (seg.ctl & ACK) {
        peer->una = seg.ack.v;
    }
    deliver(r, peer, &seg, text);
}

/* A peer opens a connection, from its port again or from another one. */
static void open_from(struct run *r)
{
    uint8_t which = take8(&r->b.in);
    struct peer *peer = &r->peer[2 + (which & 1)];
    struct segment seg = {.ctl = SYN | (which & 2 ? FIN : 0), .wnd = 65535};
    peer->port = (uint16_t)(which & 4 ? peer->port : peer->port + 2);
    peer->to = which & 8 ? 81 : 80;
    peer->v6 = which & 16;
    seg.seq = seq(which & 32 ? take32(&r->b.in) : peer->nxt + take16(&r->b.in));
    peer->nxt = seg.seq.v + 1;
    options(r, peer, &seg);
    deliver(r, peer, &seg, which & 64 ? take8(&r->b.in) : 0);
}

/* Whatever was read is what those numbers stand for. */
static void read_and_check(struct run *r, hf_handle handle)
{
    struct bench *b = &r->b;
    struct hf_status status = {.struct_size = sizeof status};
    uint8_t data[1024];
    if (hf_status(b->stack, &b->env, handle, &status) != HF_OK) {
        return;
    }
    uint32_t at = status.irs + 1 + (uint32_t)status.bytes_received - status.unread_bytes;
    int64_t n = hf_recv(b->stack, &b->env, handle, data, 1 + take16(&r->b.in) % sizeof data);
    for (int64_t i = 0; i < n; i++) {
        must(data[i] == octet_at(at + (uint32_t)i), "an octet is read that was not sent there");
    }
}

static void call(struct run *r)
{
    struct bench *b = &r->b;
    uint8_t what = take8(&r->b.in);
    hf_handle *handle = &r->handle[take8(&r->b.in) % HANDLES];
    uint8_t data[2000] = {0};
    switch (what % 8) {
    case 0:
    case 1:
        hf_send(b->stack, &b->env, *handle, data, take16(&r->b.in) % sizeof data, what >> 5);
        break;
    case 2:
        hf_close(b->stack, &b->env, *handle);
        break;
    case 3:
        hf_accept(b->stack, &b->env, r->listener[what >> 3 & 1], handle, NULL);
        break;
    case 4:
        hf_asked(b->stack, &b->env, r->listener[1], handle, NULL, NULL);
        hf_answer(b->stack, &b->env, *handle, (enum hf_answer)((what >> 3) % 8 ? 0 : 1));
        break;
    case 5:
        hf_set_option(b->stack, &b->env, *handle, (enum hf_option)(take8(&r->b.in) % HF_OPTIONS),
                      take16(&r->b.in));
        break;
    case 6:
        (what & 8 ? hf_abort : hf_release)(b->stack, &b->env, *handle);
        break;
    default:
        read_and_check(r, *handle);
        break;
    }
}

static void one_step(void *run)
{
    struct run *r = run;
    uint8_t what = take8(&r->b.in);
    switch (what % 8) {
    case 0:
        open_from(r);
        break;
    case 1:
        bench_wait(&r->b, (int64_t)take16(&r->b.in) * (what & 8 ? 1000000 : 1000));
        break;
    case 2:
    case 3:
        call(r);
        break;
    default:
        segment(r);
        break;
    }
    if (!(what & 16)) {
        bench_drain(&r->b);
    }
}

static void set_up(void *run)
{
    struct run *r = run;
    struct bench *b = &r->b;
    bench_make(b, 1);
    b->sent = sent;
    b->arg = r;
    struct hf_listen listen = {.struct_size = sizeof listen, .local = {.port = 80}, .backlog = 2};
    hf_listen(b->stack, &b->env, &listen, &r->listener[0]);
    listen.local.port = 81;
    listen.hold = true;
    hf_listen(b->stack, &b->env, &listen, &r->listener[1]);
    for (uint16_t i = 0; i < PEERS; i++) {
        r->peer[i] = (struct peer){.port = 7 + i, .nxt = 0xfffffff0u + i};
    }
    for (int i = 0; i < 2; i++) {
        struct hf_endpoint to = {.port = r->peer[i].port};
        host(r, &r->peer[i], to.ip);
        hf_open(b->stack, &b->env, NULL, &to, 0, &r->handle[i]);
        bench_drain(b);
    }
    struct peer *open = &r->peer[0];
    struct segment seg = {.seq = seq(open->nxt), .ack = seq(open->ack), .ctl = SYN | ACK};
    seg.wnd = 65535;
    seg.opt = (struct tcp_options){.present = OPT_MSS | OPT_SACK_OK | OPT_WSCALE | OPT_TS,
                                   .mss = 1460,
                                   .wscale = 7,
                                   .ts_ecr = open->ts_ecr};
    deliver(r, open, &seg, 0);
    bench_drain(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target target = {sizeof(struct run), set_up, one_step, 200, 60, true};
    struct run *r = bench_play(&target, data, size);
    for (int i = 0; i < HANDLES; i++) {
        read_and_check(r, r->handle[i]);
    }
    return 0;
}
