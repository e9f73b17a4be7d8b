/* net.c - two stacks, a wire, and applications that check every octet. */
#include "common/net.h"
#include "common/sound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, FRAMES = 16, FRAME_MAX = 66000, PIECE = 8192, MTU = 1500 };

void net_append(struct net_bytes *bytes, const void *data, size_t len)
{
    if (bytes->len + len > bytes->room) {
        bytes->room = 2 * (bytes->len + len) + 4096;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at)
            abort();
    }
    if (len)
        memcpy(bytes->at + bytes->len, data, len);
    bytes->len += len;
}

enum { RUN = 512, STEP = 31, UNSTEP = 223 }; /* STEP * UNSTEP is 1 modulo 256 */

/* The octets of a stream: the same whoever sends them. */
static uint8_t octet(uint64_t offset)
{
    return (uint8_t)(offset * STEP + offset / RUN * 17 + (offset >> 21));
}

/* Those from here on, len at most: up to the next multiple of RUN each is the one before it and
 * STEP. */
static const uint8_t *stretch(uint64_t offset, uint64_t *len)
{
    static uint8_t steps[256 + RUN];
    for (int i = 256 + RUN; steps[1] == 0 && i-- > 0;)
        steps[i] = (uint8_t)(i * STEP);
    *len = *len < RUN - offset % RUN ? *len : RUN - offset % RUN;
    return steps + (uint8_t)(octet(offset) * UNSTEP);
}

/* Doing -----------------------------------------------------------------------------------------*/

static void put_frame(const struct hf_frame_out *out, struct net_bytes *results)
{
    static uint8_t whole[FRAME_MAX], piece[FRAME_MAX];
    uint32_t len = out->header_len;
    memcpy(whole, out->header, len);
    for (uint32_t i = 0; i < out->n_slices; i++) {
        memcpy(whole + len, out->slice[i].data, out->slice[i].len);
        len += out->slice[i].len;
    }
    uint32_t n = out->flags & (HF_FRAME_GSO4 | HF_FRAME_GSO6)
                     ? wire_gso_count(whole, len, out->gso_size)
                     : 1;
    if (n == 1 && (out->flags & HF_FRAME_CSUM_NEEDED))
        wire_fill_checksum(whole, len, out->csum_start, out->csum_offset);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *from = whole;
        if (n > 1) {
            len = (uint32_t)wire_gso_split(whole, out->len, out->gso_size, i, piece, sizeof piece);
            from = piece;
        }
        net_append(results, &len, sizeof len);
        net_append(results, from, len);
    }
}

static int64_t do_output(struct net_stack *s, struct net_bytes *results)
{
    struct hf_frame_out out[FRAMES];
    int64_t total = 0;
    uint32_t n;
    do {
        n = hf_output(s->stack, &s->env, out, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            put_frame(&out[i], results);
            hf_output_done(s->stack, &s->env, out[i].token);
        }
        total += n;
    } while (n == FRAMES);
    return total;
}

static int64_t do_events(struct net_stack *s, struct net_bytes *results)
{
    struct hf_event event;
    int64_t n = 0;
    while (hf_events(s->stack, &s->env, &event, 1) == 1) {
        net_append(results, &event, sizeof event);
        n++;
    }
    return n;
}

static int64_t do_send(struct net_stack *s, const struct net_op *op)
{
    uint8_t text[PIECE];
    uint64_t n = op->b < PIECE ? op->b : PIECE;
    for (uint64_t at = 0, len; at < n; at += len) {
        len = n - at;
        const uint8_t *octets = stretch(op->a + at, &len);
        memcpy(text + at, octets, len);
    }
    return hf_send(s->stack, &s->env, op->handle, text, n, 0);
}

static int64_t do_recv(struct net_stack *s, const struct net_op *op, struct net_bytes *results)
{
    uint8_t text[PIECE];
    int64_t got = hf_recv(s->stack, &s->env, op->handle, text, PIECE);
    if (got > 0)
        net_append(results, text, (size_t)got);
    return got;
}

static struct hf_endpoint end_of(const uint8_t ip[16], uint64_t port)
{
    struct hf_endpoint end = {.port = (uint16_t)port};
    memcpy(end.ip, ip, 16);
    return end;
}

static int64_t do_open(struct net_stack *s, const struct net_op *op, struct net_bytes *results)
{
    hf_handle handle = 0;
    struct hf_endpoint local = end_of(s->ip, op->a), remote = end_of(s->other_ip, op->b);
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = {.port = (uint16_t)op->a},
                               .backlog = (uint16_t)op->b};
    int64_t result = op->kind == NET_OPEN ? hf_open(s->stack, &s->env, &local, &remote, 0, &handle)
                     : op->kind == NET_LISTEN
                         ? hf_listen(s->stack, &s->env, &listen, &handle)
                         : hf_accept(s->stack, &s->env, op->handle, &handle, &remote);
    net_append(results, &handle, sizeof handle);
    net_append(results, &remote.port, sizeof remote.port);
    return result;
}

int64_t net_do(struct net_stack *s, const struct net_op *op, struct net_bytes *results)
{
    struct hf_frame_in frame = {.data = op->bytes, .len = op->len, .iface = 1};
    s->env.now_ns = op->now_ns;
    switch (op->kind) {
    case NET_INPUT:
        return hf_input(s->stack, &s->env, &frame, 1);
    case NET_TIMEOUTS:
        hf_timeouts(s->stack, &s->env);
        return hf_deadline(s->stack, &s->env);
    case NET_OUTPUT:
        return do_output(s, results);
    case NET_EVENTS:
        return do_events(s, results);
    case NET_SEND:
        return do_send(s, op);
    case NET_RECV:
        return do_recv(s, op, results);
    case NET_CLOSE:
        return hf_close(s->stack, &s->env, op->handle);
    case NET_RELEASE:
        return hf_release(s->stack, &s->env, op->handle);
    default:
        return do_open(s, op, results);
    }
}

/* Does it, and records it when asked to.  what: gets what came out. */
static int64_t act(struct net *net, int who, struct net_op op, struct net_bytes *what)
{
    struct net_side *side = &net->side[who];
    what->len = 0;
    op.now_ns = net->now_ns;
    int64_t result = net_do(&side->s, &op, what);
    static char text[600];
    if (judge_tell(&side->judge, text, sizeof text) ||
        sound_tell(side->s.stack, side->s.bytes, text, sizeof text)) {
        net->wrong = true;
        net->what = text;
        fprintf(stderr, "%s\n", text);
    }
    if (!side->recording)
        return result;
    if (side->n_ops == side->ops_room) {
        side->ops_room = 2 * side->ops_room + 64;
        side->ops = realloc(side->ops, side->ops_room * sizeof *side->ops);
        if (!side->ops)
            abort();
    }
    if (op.len) {
        uint8_t *copy = malloc(op.len);
        if (!copy)
            abort();
        memcpy(copy, op.bytes, op.len);
        op.bytes = copy;
    }
    side->ops[side->n_ops++] = op;
    net_append(&side->results, &result, sizeof result);
    net_append(&side->results, what->at, what->len);
    return result;
}

/* The wire ------------------------------------------------------------------------------------- */

static uint32_t draw(struct net *net, uint32_t below)
{
    net->random = net->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(net->random >> 33) % below;
}

static bool is_lost(struct net *net, int from, const uint8_t *bytes, uint32_t len)
{
    struct wire_ip ip;
    struct segment seg;
    if (draw(net, 1000) < net->loss)
        return true;
    return net->lose && wire_parse_ip(bytes, len, &ip) == WIRE_OK && ip.proto == WIRE_PROTO_TCP &&
           wire_parse_tcp(bytes + ip.header_len, len - ip.header_len, &seg) == WIRE_OK &&
           net->lose(net, from, &seg);
}

static void carry(struct net *net, int to, const uint8_t *bytes, uint32_t len)
{
    int64_t extra =
        draw(net, 1000) < net->late ? (int64_t)draw(net, 3000) * net->delay_ns / 1000 : 0;
    if (net->n_frames == net->frames_room) {
        net->frames_room = 2 * net->frames_room + 64;
        net->frames = realloc(net->frames, net->frames_room * sizeof *net->frames);
    }
    uint8_t *copy = malloc(len);
    if (!net->frames || !copy)
        abort();
    memcpy(copy, bytes, len);
    net->frames[net->n_frames++] = (struct net_frame){.at_ns = net->now_ns + net->delay_ns + extra,
                                                      .order = net->order++,
                                                      .to = to,
                                                      .len = len,
                                                      .bytes = copy};
    net->carried++;
}

static void send_all(struct net *net, int from)
{
    static struct net_bytes out;
    act(net, from, (struct net_op){.kind = NET_OUTPUT}, &out);
    for (size_t at = 0; at < out.len;) {
        uint32_t len;
        memcpy(&len, out.at + at, sizeof len);
        at += sizeof len;
        if (is_lost(net, from, out.at + at, len)) {
            net->lost++;
        } else {
            carry(net, 1 - from, out.at + at, len);
            if (draw(net, 1000) < net->twice)
                carry(net, 1 - from, out.at + at, len);
        }
        at += len;
    }
}

/* The frame that arrives next; NULL: none is under way. */
static struct net_frame *next_frame(struct net *net)
{
    struct net_frame *next = NULL;
    for (uint32_t i = 0; i < net->n_frames; i++) {
        struct net_frame *f = &net->frames[i];
        if (!next || f->at_ns < next->at_ns || (f->at_ns == next->at_ns && f->order < next->order))
            next = f;
    }
    return next;
}

/* Applications --------------------------------------------------------------------------------- */

static void fault(struct net *net, const char *what)
{
    net->wrong = true;
    if (!net->what)
        net->what = what;
}

static struct net_flow *new_flow(struct net *net, int who, hf_handle handle, uint64_t to_send)
{
    for (int i = 0; i < NET_FLOWS; i++) {
        struct net_flow *flow = &net->side[who].flow[i];
        if (!flow->used) {
            *flow = (struct net_flow){.used = true, .handle = handle, .to_send = to_send};
            return flow;
        }
    }
    fault(net, "too many flows");
    return NULL;
}

static void accept_all(struct net *net, int who)
{
    static struct net_bytes out;
    struct net_side *side = &net->side[who];
    struct net_op op = {.kind = NET_ACCEPT, .handle = side->listener};
    while (act(net, who, op, &out) == HF_OK) {
        hf_handle handle;
        memcpy(&handle, out.at, sizeof handle);
        struct net_flow *flow = new_flow(net, who, handle, side->answer);
        if (flow) {
            memcpy(&flow->remote_port, out.at + sizeof handle, sizeof flow->remote_port);
            flow->open = true;
            flow->keep = side->keep;
        }
    }
}

static void take_events(struct net *net, int who)
{
    static struct net_bytes out;
    struct net_side *side = &net->side[who];
    act(net, who, (struct net_op){.kind = NET_EVENTS}, &out);
    for (size_t at = 0; at < out.len; at += sizeof(struct hf_event)) {
        struct hf_event event;
        memcpy(&event, out.at + at, sizeof event);
        for (int i = 0; i < NET_FLOWS; i++) {
            struct net_flow *flow = &side->flow[i];
            if (!flow->used || flow->handle != event.handle)
                continue;
            flow->open |= (event.bits & HF_CONNECTED) != 0;
            if (event.bits & HF_CLOSED_EVENT) {
                flow->closed = true;
                flow->error = event.error;
            }
        }
        if (event.handle == side->listener && (event.bits & HF_ACCEPTED))
            accept_all(net, who);
    }
}

static void read_flow(struct net *net, int who, struct net_flow *flow)
{
    static struct net_bytes out;
    struct net_op op = {.kind = NET_RECV, .handle = flow->handle, .b = PIECE};
    int64_t got;
    while ((got = act(net, who, op, &out)) > 0) {
        for (uint64_t at = 0, len; at < (uint64_t)got; at += len) {
            len = (uint64_t)got - at;
            const uint8_t *octets = stretch(flow->received + at, &len);
            if (memcmp(out.at + at, octets, len) != 0)
                fault(net, "an octet that was not sent");
        }
        flow->received += (uint64_t)got;
    }
    if (got == 0)
        flow->end_seen = true;
    else if (got != HF_ERR_WOULD_BLOCK)
        fault(net, hf_error_text((int)got));
}

static void write_flow(struct net *net, int who, struct net_flow *flow)
{
    static struct net_bytes out;
    while (flow->open && !flow->close_called && flow->sent < flow->to_send) {
        struct net_op op = {.kind = NET_SEND,
                            .handle = flow->handle,
                            .a = flow->sent,
                            .b = flow->to_send - flow->sent};
        int64_t took = act(net, who, op, &out);
        if (took == HF_ERR_WOULD_BLOCK)
            return;
        if (took <= 0) {
            fault(net, hf_error_text((int)took));
            return;
        }
        flow->sent += (uint64_t)took;
    }
    if (flow->open && !flow->close_called && !flow->keep && flow->sent == flow->to_send) {
        struct net_op op = {.kind = NET_CLOSE, .handle = flow->handle};
        int64_t result = act(net, who, op, &out);
        flow->close_called = !net->scarce || result != HF_ERR_NO_RESOURCES;
        if (flow->close_called && result != 0)
            fault(net, "hf_close fails");
    }
}

static void run_applications(struct net *net, int who)
{
    take_events(net, who);
    for (int i = 0; i < NET_FLOWS; i++) {
        struct net_flow *flow = &net->side[who].flow[i];
        if (!flow->used || flow->closed)
            continue;
        if (flow->open)
            read_flow(net, who, flow);
        write_flow(net, who, flow);
    }
    send_all(net, who);
}

/* Running -------------------------------------------------------------------------------------- */

bool net_all_closed(struct net *net)
{
    for (int who = 0; who < 2; who++)
        for (int i = 0; i < NET_FLOWS; i++)
            if (net->side[who].flow[i].used && !net->side[who].flow[i].closed)
                return false;
    return true;
}

static int64_t deadline_of(const struct net *net, int who)
{
    const struct net_stack *s = &net->side[who].s;
    return hf_deadline(s->stack, &s->env);
}

bool net_run(struct net *net, int64_t limit_ms, net_done_fn *done)
{
    static struct net_bytes out;
    int64_t limit = net->now_ns + limit_ms * MS;
    done = done ? done : net_all_closed;
    for (int who = 0; who < 2; who++)
        run_applications(net, who);
    while (!done(net)) {
        struct net_frame *frame = next_frame(net);
        int64_t next = frame ? frame->at_ns : INT64_MAX;
        for (int who = 0; who < 2; who++)
            if (deadline_of(net, who) < next)
                next = deadline_of(net, who);
        if (next > limit || net->wrong) {
            net->now_ns = limit;
            return false;
        }
        net->now_ns = next > net->now_ns ? next : net->now_ns;
        if (frame && frame->at_ns <= net->now_ns) {
            struct net_frame now = *frame;
            *frame = net->frames[--net->n_frames];
            struct net_op op = {.kind = NET_INPUT, .len = now.len, .bytes = now.bytes};
            act(net, now.to, op, &out);
            free(now.bytes);
            run_applications(net, now.to);
            continue;
        }
        for (int who = 0; who < 2; who++) {
            act(net, who, (struct net_op){.kind = NET_TIMEOUTS}, &out);
            run_applications(net, who);
        }
    }
    return !net->wrong;
}

/* Beginning and end ---------------------------------------------------------------------------- */

static void start(struct net *net, int who, const struct hf_config *config, uint32_t offload)
{
    struct net_stack *s = &net->side[who].s;
    struct hf_config own;
    if (config)
        own = *config;
    else
        hf_config_default(&own, 8);
    memset(own.seed, who + 1, sizeof own.seed);
    s->env = (struct hf_env){.struct_size = sizeof s->env, .now_ns = net->now_ns};
    s->bytes = (hf_size(&own) + 63) / 64 * 64;
    s->stack = aligned_alloc(64, s->bytes);
    if (!s->stack || hf_init(s->stack, s->bytes, &own, &s->env) != HF_OK)
        abort();
    struct judge *judge = &net->side[who].judge;
    judge_begin(judge, &own.policy, 2 * NET_FLOWS);
    judge->stack = s->stack;
    s->env.trace = judge_trace;
    s->env.trace_arg = judge;
    struct hf_interface iface = {
        .struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = MTU, .offload = offload};
    for (int i = 0; i < 2; i++) {
        uint8_t *ip = i ? s->other_ip : s->ip;
        if (net->v6)
            ip[0] = 0xfd;
        else
            ip[10] = ip[11] = 0xff, ip[12] = 10;
        ip[15] = (uint8_t)((who ^ i) + 1);
    }
    if (hf_interface_add(s->stack, &s->env, &iface) != 1 ||
        hf_address_add(s->stack, &s->env, 1, s->ip, net->v6 ? 64 : 24) != HF_OK)
        abort();
}

struct net *net_new(bool v6, const struct hf_config *config, uint32_t offload)
{
    struct net *net = calloc(1, sizeof *net);
    if (!net)
        abort();
    net->v6 = v6;
    net->now_ns = INT64_C(5000000) * MS;
    net->delay_ns = 10 * MS;
    net->random = 1;
    start(net, 0, config, offload);
    start(net, 1, config, offload);
    return net;
}

void net_free(struct net *net)
{
    for (int who = 0; who < 2; who++) {
        struct net_side *side = &net->side[who];
        for (uint32_t i = 0; i < side->n_ops; i++)
            free(side->ops[i].len ? side->ops[i].bytes : NULL);
        free(side->ops);
        free(side->results.at);
        free(side->s.stack);
        judge_end(&side->judge);
    }
    for (uint32_t i = 0; i < net->n_frames; i++)
        free(net->frames[i].bytes);
    free(net->frames);
    free(net);
}

void net_listen(struct net *net, int who, uint16_t port, uint16_t backlog)
{
    static struct net_bytes out;
    struct net_op op = {.kind = NET_LISTEN, .a = port, .b = backlog};
    if (act(net, who, op, &out) != HF_OK)
        fault(net, "hf_listen fails");
    memcpy(&net->side[who].listener, out.at, sizeof net->side[who].listener);
}

struct net_flow *net_open(struct net *net, int who, uint16_t local, uint16_t remote,
                          uint64_t to_send)
{
    static struct net_bytes out;
    struct net_op op = {.kind = NET_OPEN, .a = local, .b = remote};
    hf_handle handle;
    int64_t result = act(net, who, op, &out);
    if (net->scarce && result == HF_ERR_NO_RESOURCES)
        return NULL;
    if (result != HF_OK)
        fault(net, "hf_open fails");
    memcpy(&handle, out.at, sizeof handle);
    struct net_flow *flow = new_flow(net, who, handle, to_send);
    flow->remote_port = remote;
    return flow;
}
