/* places.c - how each state of the grid is reached; and the segments of a cell. */
#include "grid/places.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STACK_PORT = 80,
    PEER_PORT = 4000,
    PEER_WINDOW = 200,
    PEER_MSS = 1460,
    TEXT = 100,     /* octets of one SEND                                   */
    FAR = 1u << 30, /* beyond any window there is (RFC 7323 section 2.3)    */
};

static const uint8_t stack_ip[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1};
static const uint8_t peer_ip[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2};

/* What the grid's numbers are counted from where the state has none; the receive window then
 * crosses 2^32. */
enum { NO_ISS = 5000, NO_WINDOW = 1000 };
#define PEER_ISS 0xffffff9cu

#define ACTIVE (WHERE_ACTIVE | WHERE_KEPT | WHERE_ALONE)
#define ACTIVE_RELEASED (WHERE_ACTIVE | WHERE_RELEASED | WHERE_ALONE)
#define PASSIVE (WHERE_PASSIVE | WHERE_KEPT | WHERE_LISTENER)
#define PASSIVE_RELEASED (WHERE_PASSIVE | WHERE_RELEASED | WHERE_LISTENER)

/* Without timestamps and with them. */
#define BOTH(who, what, how)                                                                       \
    {who, what, how, .ts = false},                                                                 \
    {                                                                                              \
        who ", timestamps", what, how, .ts = true                                                  \
    }

const struct place places[] = {
    {"CLOSED", HF_CLOSED, WHERE_ALONE, .ts = false},
    {"LISTEN", HF_LISTEN, WHERE_LISTENER, .ts = false},
    {"SYN-SENT", HF_SYN_SENT, ACTIVE, .ts = false},
    BOTH("SYN-RECEIVED, passive", HF_SYN_RECEIVED, WHERE_PASSIVE | WHERE_LISTENER),
    BOTH("SYN-RECEIVED, simultaneous open", HF_SYN_RECEIVED, ACTIVE),
    BOTH("ESTABLISHED", HF_ESTABLISHED, ACTIVE),
    {"ESTABLISHED, young", HF_ESTABLISHED, PASSIVE, .young = true},
    BOTH("FIN-WAIT-1, half-closed", HF_FIN_WAIT_1, ACTIVE),
    BOTH("FIN-WAIT-1, released", HF_FIN_WAIT_1, PASSIVE_RELEASED),
    BOTH("FIN-WAIT-2, half-closed", HF_FIN_WAIT_2, PASSIVE),
    BOTH("FIN-WAIT-2, released", HF_FIN_WAIT_2, ACTIVE_RELEASED),
    BOTH("CLOSE-WAIT", HF_CLOSE_WAIT, PASSIVE),
    BOTH("CLOSING", HF_CLOSING, ACTIVE),
    BOTH("CLOSING, released", HF_CLOSING, PASSIVE_RELEASED),
    BOTH("LAST-ACK", HF_LAST_ACK, PASSIVE),
    BOTH("LAST-ACK, released", HF_LAST_ACK, ACTIVE_RELEASED),
    BOTH("TIME-WAIT", HF_TIME_WAIT, ACTIVE),
    BOTH("TIME-WAIT, released", HF_TIME_WAIT, ACTIVE_RELEASED),
    BOTH("TIME-WAIT, a listener on the port", HF_TIME_WAIT, PASSIVE),
    BOTH("TIME-WAIT, released, a listener on the port", HF_TIME_WAIT, PASSIVE_RELEASED),
};
const unsigned n_places = sizeof places / sizeof *places;

/* One prelude under way. */
struct walk {
    struct place *p;
    struct hf_stack *stack;
    struct hf_env env;
    char *why;
    size_t room;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void fail(struct walk *w, const char *format, ...)
{
    va_list args;
    if (!w->failed) {
        w->failed = true;
        va_start(args, format);
        vsnprintf(w->why, w->room, format, args);
        va_end(args);
    }
}

static void need(struct walk *w, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted) {
        fail(w, "%s: %lld instead of %lld", what, (long long)got, (long long)wanted);
    }
}

struct hf_stack *grid_block(uint64_t bytes)
{
    void *block = NULL;
    if (posix_memalign(&block, 64, bytes) != 0) {
        abort();
    }
    memset(block, 0, bytes);
    return block;
}

bool place_parse(const struct hf_frame_out *out, struct segment *seg)
{
    static uint8_t whole[2048];
    struct wire_ip ip;
    uint32_t at = out->header_len;
    if (out->len > sizeof whole) {
        return false;
    }
    memcpy(whole, out->header, at);
    for (unsigned i = 0; i < out->n_slices; i++) {
        memcpy(whole + at, out->slice[i].data, out->slice[i].len);
        at += out->slice[i].len;
    }
    return at == out->len && wire_parse_ip(whole, at, &ip) == WIRE_OK &&
           ip.proto == WIRE_PROTO_TCP &&
           wire_tcp_checksum_ok(&ip, whole + ip.header_len, ip.total_len - ip.header_len) &&
           wire_parse_tcp(whole + ip.header_len, ip.total_len - ip.header_len, seg) == WIRE_OK;
}

uint32_t place_frame(const struct segment *seg, uint8_t frame[GRID_FRAME_BYTES])
{
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_TCP, .ttl = 64, .df = true};
    uint32_t header_len = (uint32_t)wire_tcp_header_len(&seg->opt);
    memcpy(ip.src, peer_ip, sizeof ip.src);
    memcpy(ip.dst, stack_ip, sizeof ip.dst);
    ip.total_len = 20 + header_len + seg->text_len;
    size_t at = wire_put_ip(frame, &ip);
    at += wire_put_tcp(frame + at, seg);
    memset(frame + at, 'x', seg->text_len);
    return (uint32_t)at + seg->text_len;
}

static struct hf_frame_in frame_in(const uint8_t *data, uint32_t len)
{
    return (struct hf_frame_in){.data = data, .len = len, .iface = 1, .flags = HF_FRAME_CSUM_OK};
}

/* Takes what the stack has to say, at most one segment; its control bits, 0: nothing. */
static unsigned hear(struct walk *w)
{
    struct hf_frame_out out[2];
    struct segment seg;
    struct place *p = w->p;
    uint32_t n = hf_output(w->stack, &w->env, out, 2);
    if (n == 0 || w->failed) {
        return 0;
    }
    need(w, "frames at once", n, 1);
    if (!place_parse(&out[0], &seg)) {
        fail(w, "a frame that is no TCP segment");
        return 0;
    }
    hf_output_done(w->stack, &w->env, out[0].token);
    if ((seg.ctl & SYN) && !p->has_iss) {
        p->has_iss = true;
        p->iss = p->snd_una = p->snd_nxt = seg.seq;
    }
    seq_t end = seq_add(seg.seq, seg.len);
    p->snd_nxt = seq_gt(end, p->snd_nxt) ? end : p->snd_nxt;
    if (seg.ctl & ACK) {
        p->rcv_nxt = seg.ack;
        p->rcv_wnd = seg.wnd;
    }
    if (seg.opt.present & OPT_TS) {
        p->ts_ecr = seg.opt.ts_val;
    }
    return seg.ctl;
}

/* Says one segment at RCV.NXT without text. */
static void say(struct walk *w, unsigned ctl, seq_t ack)
{
    uint8_t frame[GRID_FRAME_BYTES];
    struct place *p = w->p;
    struct segment seg = {.seq = p->rcv_nxt, .ctl = (uint16_t)ctl, .wnd = PEER_WINDOW};
    seg.ack = ctl & ACK ? ack : seq(0);
    seg.sport = PEER_PORT;
    seg.dport = STACK_PORT;
    if (ctl & SYN) {
        seg.seq = seq(PEER_ISS);
        seg.opt.present = OPT_MSS;
        seg.opt.mss = PEER_MSS;
        p->max_snd_wnd = PEER_WINDOW;
    }
    if (p->ts) {
        seg.opt.present |= OPT_TS;
        seg.opt.ts_val = ++p->ts_recent;
        seg.opt.ts_ecr = p->ts_ecr;
    }
    if (ctl & ACK) {
        p->snd_una = ack;
    }
    w->env.now_ns += 1000000;
    struct hf_frame_in in = frame_in(frame, place_frame(&seg, frame));
    need(w, "hf_input", hf_input(w->stack, &w->env, &in, 1), HF_OK);
}

/* The stack's next segment has exactly these control bits, PSH aside. */
static void hears(struct walk *w, unsigned ctl)
{
    need(w, "control bits heard", hear(w) & ~(unsigned)PSH, ctl);
}

/* A block of few KiB: it is copied for each cell. */
static void small_config(struct hf_config *config)
{
    hf_config_default(config, 2);
    config->max_half_open = config->max_time_wait = 2;
    config->max_listeners = config->max_interfaces = config->max_addresses = 1;
    config->max_routes = 2;
    config->max_udp = config->max_neighbours = config->max_packets = config->max_reassembly = 0;
    config->max_replies = 4;
    config->max_ranges = 8;
    config->max_sent = 16;
    config->small_chunks = 32;
    config->small_chunk_bytes = 64;
    config->large_chunks = config->lent_chunks = config->max_regions = 0;
    config->history_events = 0;
    config->max_tokens = 64;
    config->policy.receive_window = 1000;
    memset(config->seed, 0x5a, sizeof config->seed);
}

static void make_stack(struct walk *w)
{
    struct hf_config config;
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = 1500};
    small_config(&config);
    w->p->bytes = hf_size(&config);
    if (w->p->bytes == 0) {
        fail(w, "hf_size refuses the config");
        return;
    }
    w->stack = grid_block(w->p->bytes);
    judge_begin(&w->p->judge, &config.policy, 4);
    w->env.trace = judge_trace;
    w->env.trace_arg = &w->p->judge;
    need(w, "hf_init", hf_init(w->stack, w->p->bytes, &config, &w->env), HF_OK);
    need(w, "interface", hf_interface_add(w->stack, &w->env, &iface), 1);
    need(w, "address", hf_address_add(w->stack, &w->env, 1, stack_ip, 24), HF_OK);
}

static void listen_on_port(struct walk *w)
{
    struct hf_listen listen = {.struct_size = sizeof listen, .backlog = 4};
    listen.local.port = STACK_PORT;
    need(w, "hf_listen", hf_listen(w->stack, &w->env, &listen, &w->p->listener), HF_OK);
}

static void open_active(struct walk *w)
{
    struct hf_endpoint local = {.port = STACK_PORT}, remote = {.port = PEER_PORT};
    memcpy(local.ip, stack_ip, sizeof local.ip);
    memcpy(remote.ip, peer_ip, sizeof remote.ip);
    need(w, "hf_open", hf_open(w->stack, &w->env, &local, &remote, 0, &w->p->handle), HF_OK);
    hears(w, SYN);
}

/* To ESTABLISHED, with text of ours acknowledged (unless young) and more in flight. */
static void establish(struct walk *w)
{
    static const char text[TEXT] = "text";
    struct place *p = w->p;
    if (p->where & WHERE_ACTIVE) {
        open_active(w);
        say(w, SYN | ACK, p->snd_nxt);
        hears(w, ACK);
    } else {
        say(w, SYN, seq(0));
        hears(w, SYN | ACK);
        say(w, ACK, p->snd_nxt);
        need(w, "hf_accept", hf_accept(w->stack, &w->env, p->listener, &p->handle, NULL), HF_OK);
    }
    for (int i = p->young ? 3 : 0; i < 4; i++) {
        need(w, "hf_send", hf_send(w->stack, &w->env, p->handle, text, TEXT, 0), TEXT);
        hears(w, ACK);
        if (i < 3) {
            say(w, ACK, p->snd_nxt);
        }
    }
}

static void close_ours(struct walk *w)
{
    if (w->p->where & WHERE_RELEASED) {
        need(w, "hf_release", hf_release(w->stack, &w->env, w->p->handle), HF_OK);
        w->p->handle = 0;
    } else {
        need(w, "hf_close", hf_close(w->stack, &w->env, w->p->handle), HF_OK);
    }
    hears(w, FIN | ACK);
}

static void walk_on(struct walk *w)
{
    struct place *p = w->p;
    establish(w);
    if (p->state == HF_ESTABLISHED) {
        return;
    }
    if (p->state == HF_CLOSE_WAIT || p->state == HF_LAST_ACK) {
        say(w, FIN | ACK, p->snd_una);
        hears(w, ACK);
        if (p->state == HF_LAST_ACK) {
            close_ours(w);
        }
        return;
    }
    close_ours(w);
    if (p->state == HF_CLOSING) {
        say(w, FIN | ACK, p->snd_una);
        hears(w, ACK);
    } else if (p->state != HF_FIN_WAIT_1) {
        say(w, ACK, p->snd_nxt);
        if (p->state == HF_TIME_WAIT) {
            say(w, FIN | ACK, p->snd_nxt);
            hears(w, ACK);
        }
    }
}

static void walk(struct walk *w)
{
    struct place *p = w->p;
    if (p->where & WHERE_LISTENER) {
        listen_on_port(w);
    }
    switch (p->state) {
    case HF_CLOSED:
    case HF_LISTEN:
        break;
    case HF_SYN_SENT:
        open_active(w);
        break;
    case HF_SYN_RECEIVED:
        if (p->where & WHERE_ACTIVE) {
            open_active(w);
        }
        say(w, SYN, seq(0));
        hears(w, SYN | ACK);
        break;
    default:
        walk_on(w);
    }
    need(w, "something more to say", hear(w), 0);
}

bool place_reach(struct place *place, char *why, size_t room)
{
    struct walk w = {.p = place, .why = why, .room = room};
    w.env.struct_size = sizeof w.env;
    w.env.now_ns = 1000000000;
    place->rcv_nxt = seq(PEER_ISS + 1);
    place->ts_recent = 1000;
    place->iss = place->snd_una = place->snd_nxt = seq(NO_ISS);
    place->rcv_wnd = NO_WINDOW;
    make_stack(&w);
    if (!w.failed) {
        walk(&w);
    }
    place->image = (uint8_t *)w.stack;
    place->now_ns = w.env.now_ns;
    return !w.failed && !judge_tell(&place->judge, why, room);
}

void place_leave(struct place *place)
{
    free(place->image);
    judge_end(&place->judge);
}

/* RFC 5961 section 5.2, and never below ISS+1.  A TIME-WAIT may have forgotten MAX.SND.WND. */
static seq_t lowest_ack(const struct place *p)
{
    if (p->state == HF_TIME_WAIT) {
        return seq_sub(p->snd_una, FAR);
    }
    if (p->state <= HF_SYN_RECEIVED) {
        return seq_sub(p->iss, NO_WINDOW);
    }
    seq_t first = seq_add(p->iss, 1), by_window = seq_sub(p->snd_una, p->max_snd_wnd);
    return seq_gt(by_window, first) ? by_window : first;
}

bool place_has(const struct place *place, const struct cell *cell)
{
    bool flight = place->state >= HF_ESTABLISHED && place->state != HF_FIN_WAIT_2 &&
                  place->state != HF_TIME_WAIT;
    if (cell->ack == ACK_FLIGHT && place->state > HF_LISTEN && !flight) {
        return false;
    }
    if (cell->ack == ACK_DUP && place->young) {
        return false;
    }
    if (place->ts) {
        return cell->ts >= TS_NEWER;
    }
    return cell->ts == TS_NONE || (cell->ts == TS_EXTRA && place->state >= HF_ESTABLISHED);
}

static seq_t seq_of(const struct place *p, enum seq_class class)
{
    switch (class) {
    case SEQ_OLD:
        return seq_sub(p->rcv_nxt, 100);
    case SEQ_LEFT_1:
        return seq_sub(p->rcv_nxt, 1);
    case SEQ_IN:
        return seq_add(p->rcv_nxt, 50);
    case SEQ_RIGHT:
        return seq_add(p->rcv_nxt, p->rcv_wnd - 1);
    case SEQ_OUT:
        return seq_add(p->rcv_nxt, p->rcv_wnd + 1); /* at the edge: test_windows.c */
    default:
        return p->rcv_nxt;
    }
}

static seq_t ack_of(const struct place *p, enum ack_class class)
{
    switch (class) {
    case ACK_LOW:
        return seq_sub(lowest_ack(p), 1);
    case ACK_DUP:
        return seq_sub(p->snd_una, 1);
    case ACK_FLIGHT:
        return seq_sub(p->snd_nxt, 1);
    case ACK_NXT:
        return p->snd_nxt;
    case ACK_UNSENT:
        return seq_add(p->snd_nxt, 1);
    default:
        return p->snd_una;
    }
}

void place_segment(const struct place *place, const struct cell *cell, struct segment *seg)
{
    memset(seg, 0, sizeof *seg);
    seg->seq = seq_of(place, cell->seq);
    seg->ack = ack_of(place, cell->ack);
    seg->ctl = (uint16_t)cell->ctl;
    seg->wnd = PEER_WINDOW;
    seg->up = 5;
    seg->sport = PEER_PORT;
    seg->dport = STACK_PORT;
    seg->text_len = cell_text_bytes(cell);
    seg->len = cell_len(cell);
    if (cell->ctl & SYN) {
        seg->opt.present = OPT_MSS;
        seg->opt.mss = PEER_MSS;
    }
    if (cell->ts != TS_NONE && cell->ts != TS_MISSING) {
        seg->opt.present |= OPT_TS;
        seg->opt.ts_val = place->ts_recent + (cell->ts == TS_NEWER) - (cell->ts == TS_OLDER);
        seg->opt.ts_ecr = place->ts_ecr;
    }
}
