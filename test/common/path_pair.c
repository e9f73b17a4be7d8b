/* path_pair.c - two stacks and two paths; see path_pair.h. */
#include "common/path_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

enum { BATCH = 64, FRAME_MAX = 16384, CHUNK = 1 << 15, PORT = 80, MTU = 1500, PATTERN = 65521 };
static const int64_t BEGIN_NS = 1000000000;

/* Octets of a stream, the same whoever asks: a pattern, and once more behind it. */
static uint8_t pattern[2 * PATTERN];

static void make_pattern(void)
{
    uint32_t x = 1;
    for (uint32_t i = 0; i < 2 * PATTERN; i++) {
        x = i % PATTERN == 0 ? 1 : x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

static void address(uint8_t ip[16], int side)
{
    static const uint8_t net[16] = {[10] = 0xff, 0xff, 192, 0, 2, 0};
    memcpy(ip, net, 16);
    ip[15] = (uint8_t)(side + 1);
}

static void begin_side(struct path_pair *pair, int side, const struct hf_config *config)
{
    struct hf_config mine = *config;
    memset(mine.seed, side + 1, sizeof mine.seed);
    uint64_t bytes = hf_size(&mine);
    uint8_t ip[16];
    struct hf_interface link = {.struct_size = sizeof link,
                                .link = HF_LINK_IP,
                                .mtu = MTU,
                                .offload = HF_OFFLOAD_CSUM}; /* a path changes nothing */
    struct hf_env *env = &pair->env[side];
    *env = (struct hf_env){.struct_size = sizeof *env, .now_ns = pair->now_ns};
    judge_begin(&pair->judge[side], &mine.policy, 4);
    env->trace = judge_trace;
    env->trace_arg = &pair->judge[side];
    address(ip, side);
    pair->stack[side] = aligned_alloc(64, bytes);
    if (pair->stack[side] == NULL || hf_init(pair->stack[side], bytes, &mine, env) != HF_OK ||
        hf_interface_add(pair->stack[side], env, &link) != 1 ||
        hf_address_add(pair->stack[side], env, 1, ip, 24) != HF_OK) {
        abort();
    }
}

void path_pair_begin(struct path_pair *pair, const struct hf_config *config,
                     const struct path_how *there, const struct path_how *back)
{
    struct hf_config usual;
    hf_config_default(&usual, 4);
    make_pattern();
    *pair = (struct path_pair){.to_send = UINT64_MAX, .now_ns = BEGIN_NS};
    for (int side = 0; side < 2; side++) {
        struct path_how how = side == 0 ? *there : *back;
        how.dead_from_ns += how.dead_until_ns == 0 ? 0 : BEGIN_NS;
        how.dead_until_ns += how.dead_until_ns == 0 ? 0 : BEGIN_NS;
        begin_side(pair, side, config == NULL ? &usual : config);
        path_begin(&pair->path[side], &how);
    }
}

void path_pair_end(struct path_pair *pair)
{
    for (int side = 0; side < 2; side++) {
        free(pair->stack[side]);
        judge_end(&pair->judge[side]);
        path_end(&pair->path[side]);
    }
}

/* Frames -------------------------------------------------------------------------------------- */

static void watch(struct path_pair *pair, const uint8_t *bytes, uint32_t len, bool forwarded)
{
    struct wire_ip ip;
    struct segment seg;
    if (wire_parse_ip(bytes, len, &ip) == WIRE_OK && ip.proto == WIRE_PROTO_TCP &&
        wire_parse_tcp(bytes + ip.header_len, len - ip.header_len, &seg) == WIRE_OK) {
        repeats_segment(&pair->repeats, seg.seq.v, seg.text_len, forwarded);
    }
}

static void offer(struct path_pair *pair, int side, const struct hf_frame_out *frame)
{
    static uint8_t bytes[FRAME_MAX];
    uint32_t len = frame->header_len;
    memcpy(bytes, frame->header, len);
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        if (len + frame->slice[i].len > sizeof bytes) {
            abort();
        }
        memcpy(bytes + len, frame->slice[i].data, frame->slice[i].len);
        len += frame->slice[i].len;
    }
    bool forwarded = path_offer(&pair->path[side], pair->now_ns, bytes, len);
    if (side == 0) {
        watch(pair, bytes, len, forwarded);
    }
}

static void output(struct path_pair *pair, int side)
{
    struct hf_frame_out frames[BATCH];
    uint32_t n;
    while ((n = hf_output(pair->stack[side], &pair->env[side], frames, BATCH)) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            offer(pair, side, &frames[i]);
            hf_output_done(pair->stack[side], &pair->env[side], frames[i].token);
        }
    }
    char text[600];
    if (judge_tell(&pair->judge[side], text, sizeof text)) {
        pair->wrong = true;
        fprintf(stderr, "%s\n", text);
    }
}

/* What has arrived at `side` by now. */
static void input(struct path_pair *pair, int side)
{
    struct path_frame *frame;
    while ((frame = path_take(&pair->path[1 - side], pair->now_ns)) != NULL) {
        struct hf_frame_in in = {
            .data = frame->bytes, .len = frame->len, .iface = 1, .flags = HF_FRAME_CSUM_OK};
        hf_input(pair->stack[side], &pair->env[side], &in, 1);
        free(frame);
    }
}

/* Applications -------------------------------------------------------------------------------- */

static void send_more(struct path_pair *pair)
{
    while (pair->handle[0] != 0 && pair->sent < pair->to_send) {
        uint64_t at = pair->sent % PATTERN, len = pair->to_send - pair->sent;
        len = len > PATTERN ? PATTERN : len;
        int64_t n = hf_send(pair->stack[0], &pair->env[0], pair->handle[0], pattern + at, len, 0);
        if (n < 0) {
            pair->wrong |= n != HF_ERR_WOULD_BLOCK && n != HF_ERR_NOT_CONNECTED;
            return;
        }
        pair->sent += (uint64_t)n;
    }
}

static void receive_more(struct path_pair *pair)
{
    static uint8_t chunk[CHUNK];
    int64_t n = 0;
    if (pair->handle[1] == 0 &&
        hf_accept(pair->stack[1], &pair->env[1], pair->listener, &pair->handle[1], NULL) != HF_OK) {
        return;
    }
    while ((n = hf_recv(pair->stack[1], &pair->env[1], pair->handle[1], chunk, CHUNK)) > 0) {
        pair->wrong |= memcmp(chunk, pattern + pair->received % PATTERN, (size_t)n) != 0;
        pair->received += (uint64_t)n;
    }
    pair->wrong |= n < 0 && n != HF_ERR_WOULD_BLOCK;
}

static void applications(struct path_pair *pair)
{
    struct hf_event events[BATCH];
    send_more(pair);
    receive_more(pair);
    for (int side = 0; side < 2; side++) {
        while (hf_events(pair->stack[side], &pair->env[side], events, BATCH) == BATCH) {
        }
    }
}

/* Time ---------------------------------------------------------------------------------------- */

static int64_t earliest(const struct path_pair *pair)
{
    int64_t next = INT64_MAX;
    for (int side = 0; side < 2; side++) {
        int64_t frame_ns = path_next(&pair->path[side]);
        int64_t timer_ns = hf_deadline(pair->stack[side], &pair->env[side]);
        next = frame_ns < next ? frame_ns : next;
        next = timer_ns < next ? timer_ns : next;
    }
    return next;
}

void path_pair_run(struct path_pair *pair, int64_t for_ns)
{
    int64_t until_ns = pair->now_ns + for_ns;
    for (;;) {
        applications(pair);
        output(pair, 0);
        output(pair, 1);
        int64_t next_ns = earliest(pair);
        if (next_ns >= until_ns) {
            break;
        }
        pair->now_ns = next_ns > pair->now_ns ? next_ns : pair->now_ns;
        pair->env[0].now_ns = pair->env[1].now_ns = pair->now_ns;
        for (int side = 0; side < 2; side++) {
            input(pair, side);
            hf_timeouts(pair->stack[side], &pair->env[side]);
        }
    }
    pair->env[0].now_ns = pair->env[1].now_ns = pair->now_ns = until_ns;
}

void path_pair_connect(struct path_pair *pair)
{
    struct hf_listen listen = {.struct_size = sizeof listen, .local = {.port = PORT}, .backlog = 4};
    struct hf_endpoint remote = {.port = PORT};
    address(remote.ip, 1);
    if (hf_listen(pair->stack[1], &pair->env[1], &listen, &pair->listener) != HF_OK ||
        hf_open(pair->stack[0], &pair->env[0], NULL, &remote, 0, &pair->handle[0]) != HF_OK) {
        abort();
    }
}
