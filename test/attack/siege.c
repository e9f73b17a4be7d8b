/* siege.c - see siege.h. */
#include "attack/siege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { GUARD = 4096, GUARD_OCTET = 0x5a, FRAMES = 64, FRAME_MAX = 66000, MTU = 1500 };

static uint8_t octet(uint32_t round, uint32_t at)
{
    return (uint8_t)(round * 7 + at * 31 + (at >> 8));
}

uint32_t siege_draw(struct siege *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (uint32_t)(s->random >> 16);
}

/* The wire ------------------------------------------------------------------------------------ */

static void append(struct siege_frames *f, const void *bytes, uint32_t len)
{
    if (f->len + sizeof len + len > f->room) {
        f->room = 2 * (f->len + len) + 65536;
        f->at = realloc(f->at, f->room);
        assert_non_null(f->at);
    }
    memcpy(f->at + f->len, &len, sizeof len);
    memcpy(f->at + f->len + sizeof len, bytes, len);
    f->len += sizeof len + len;
}

static void leaves_server(struct siege *s, const uint8_t *bytes, uint32_t len)
{
    struct wire_ip ip;
    struct segment seg;
    assert_int_equal(wire_parse_ip(bytes, len, &ip), WIRE_OK);
    if (memcmp(ip.dst, s->clients_ip, 16) == 0) {
        append(&s->to_clients, bytes, len);
        return;
    }
    bool tcp = ip.proto == WIRE_PROTO_TCP;
    if (tcp)
        assert_int_equal(wire_parse_tcp(bytes + ip.header_len, len - ip.header_len, &seg), WIRE_OK);
    s->others++;
    s->resets += tcp && (seg.ctl & RST);
    if (tcp && (seg.ctl & SYN))
        s->last_iss = seg.seq;
    if (s->seen)
        s->seen(s, &ip, tcp ? &seg : NULL, len);
}

static void drain(struct siege *s, struct hf_stack *stack, struct hf_env *env)
{
    static uint8_t whole[FRAME_MAX];
    struct hf_frame_out out[FRAMES];
    uint32_t n;
    do {
        n = hf_output(stack, env, out, FRAMES);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len = out[i].header_len;
            memcpy(whole, out[i].header, len);
            for (uint32_t j = 0; j < out[i].n_slices; j++) {
                memcpy(whole + len, out[i].slice[j].data, out[i].slice[j].len);
                len += out[i].slice[j].len;
            }
            hf_output_done(stack, env, out[i].token);
            if (out[i].iface != 1)
                s->others++;
            else if (stack == s->server)
                leaves_server(s, whole, len);
            else
                append(&s->to_server, whole, len);
        }
    } while (n == FRAMES);
}

void siege_flush(struct siege *s)
{
    hf_input(s->server, &s->server_env, s->batch, s->n_batch);
    s->n_batch = 0;
    drain(s, s->server, &s->server_env);
    struct hf_counters c = siege_counters(s);
    s->half_most = max_u32(s->half_most, c.half_open);
    s->conns_most = max_u32(s->conns_most, c.connections);
}

static void deliver(struct siege *s, struct siege_frames *frames, struct hf_stack *to,
                    struct hf_env *env)
{
    for (uint64_t at = 0; at < frames->len;) {
        struct hf_frame_in in = {.iface = 1};
        memcpy(&in.len, frames->at + at, sizeof in.len);
        in.data = frames->at + at + sizeof in.len;
        hf_input(to, env, &in, 1);
        at += sizeof in.len + in.len;
    }
    frames->len = 0;
    drain(s, to, env);
}

/* Applications --------------------------------------------------------------------------------- */

/* Sends back what has come, as much as fits; at the end of the stream closes. */
static void serve(struct siege *s, hf_handle handle)
{
    struct hf_slice slice;
    uint8_t text[SIEGE_ROUND];
    int n;
    while ((n = hf_recv_slices(s->server, &s->server_env, handle, &slice, 1)) == 1) {
        uint32_t len = min_u32(slice.len, sizeof text);
        memcpy(text, slice.data, len);
        int64_t took = hf_send(s->server, &s->server_env, handle, text, len, 0);
        if (took == HF_ERR_WOULD_BLOCK)
            return; /* HF_WRITABLE comes */
        if (took < 0)
            break;
        hf_recv_consume(s->server, &s->server_env, handle, (uint64_t)took);
    }
    if (n != HF_ERR_WOULD_BLOCK) /* the end, or an error */
        hf_release(s->server, &s->server_env, handle);
}

static void run_server(struct siege *s)
{
    struct hf_event event;
    hf_handle handle;
    if (s->deaf)
        return;
    while (hf_events(s->server, &s->server_env, &event, 1) == 1) {
        if (event.handle != s->listener) {
            serve(s, event.handle);
            continue;
        }
        while (!s->shy && hf_accept(s->server, &s->server_env, s->listener, &handle, NULL) == HF_OK)
            serve(s, handle);
    }
}

static void client_sends(struct siege *s, struct siege_client *c)
{
    uint8_t text[SIEGE_ROUND];
    bool rests = s->quiet && c->wanted == SIEGE_ENDLESS;
    if (c->connect_ns < 0 || c->closing || c->done || rests)
        return;
    if (c->rounds == c->wanted) {
        c->closing = true;
        hf_close(s->clients, &s->clients_env, c->handle);
        return;
    }
    for (uint32_t i = 0; i < SIEGE_ROUND; i++)
        text[i] = octet(c->rounds, i);
    int64_t took =
        hf_send(s->clients, &s->clients_env, c->handle, text + c->sent, SIEGE_ROUND - c->sent, 0);
    c->sent += took > 0 ? (uint32_t)took : 0;
}

static void client_ends(struct siege *s, struct siege_client *c, int error)
{
    c->done = true;
    c->error = error;
    hf_release(s->clients, &s->clients_env, c->handle);
}

static void client_reads(struct siege *s, struct siege_client *c)
{
    uint8_t text[SIEGE_ROUND];
    int64_t got;
    while ((got = hf_recv(s->clients, &s->clients_env, c->handle, text,
                          SIEGE_ROUND - c->received)) > 0) {
        for (int64_t i = 0; i < got; i++)
            s->wrong += text[i] != octet(c->rounds, c->received + (uint32_t)i);
        c->received += (uint32_t)got;
        if (c->received == SIEGE_ROUND) {
            c->rounds++;
            c->sent = c->received = 0;
            break; /* the next one is asked for first */
        }
    }
    if (got == 0 || (got < 0 && got != HF_ERR_WOULD_BLOCK))
        client_ends(s, c, c->closing ? (int)got : got ? (int)got : HF_ERR_RESET);
}

static void run_clients(struct siege *s)
{
    struct hf_event event;
    while (hf_events(s->clients, &s->clients_env, &event, 1) == 1) {
        struct siege_client *c = &s->client[event.cookie];
        if (c->done)
            continue;
        if ((event.bits & HF_CONNECTED) && c->connect_ns < 0)
            c->connect_ns = s->now_ns - c->opened_ns;
        if (event.bits & HF_CLOSED_EVENT && event.error)
            client_ends(s, c, event.error);
        else if (c->connect_ns >= 0)
            client_reads(s, c);
        client_sends(s, c);
    }
}

static void step(struct siege *s, int64_t ns)
{
    s->now_ns += ns;
    s->server_env.now_ns = s->clients_env.now_ns = s->now_ns;
    struct siege_frames to_server = s->to_server, to_clients = s->to_clients;
    s->to_server = s->to_clients = (struct siege_frames){0};
    deliver(s, &to_server, s->server, &s->server_env);
    deliver(s, &to_clients, s->clients, &s->clients_env);
    free(to_server.at);
    free(to_clients.at);
    if (s->attack)
        s->attack(s);
    hf_timeouts(s->server, &s->server_env);
    hf_timeouts(s->clients, &s->clients_env);
    run_server(s);
    run_clients(s);
    siege_flush(s);
    drain(s, s->clients, &s->clients_env);
}

void siege_run(struct siege *s, uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++)
        step(s, SIEGE_MS);
}

void siege_rest(struct siege *s, uint32_t ms)
{
    int64_t end_ns = s->now_ns + (int64_t)ms * SIEGE_MS;
    siege_flush(s);
    s->quiet = true;
    while (s->now_ns < end_ns) {
        int64_t next_ns = hf_deadline(s->server, &s->server_env);
        int64_t other_ns = hf_deadline(s->clients, &s->clients_env);
        next_ns = next_ns < other_ns ? next_ns : other_ns;
        next_ns = next_ns < end_ns ? next_ns : end_ns;
        bool idle = s->to_server.len + s->to_clients.len == 0 && next_ns > s->now_ns;
        step(s, idle ? next_ns - s->now_ns : SIEGE_MS);
    }
    s->quiet = false;
    for (uint32_t i = 0; i < s->n_clients; i++)
        client_sends(s, &s->client[i]);
}

struct siege_client *siege_open(struct siege *s, uint32_t rounds)
{
    assert_true(s->n_clients < SIEGE_CLIENTS);
    struct siege_client *c = &s->client[s->n_clients];
    *c = (struct siege_client){.opened_ns = s->now_ns, .connect_ns = -1, .wanted = rounds};
    struct hf_endpoint remote = {.port = SIEGE_PORT};
    memcpy(remote.ip, s->server_ip, 16);
    assert_int_equal(hf_open(s->clients, &s->clients_env, NULL, &remote, 0, &c->handle), HF_OK);
    hf_set_cookie(s->clients, c->handle, s->n_clients++);
    return c;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct siege_sum siege_sum(const struct siege *s)
{
    static int64_t times[SIEGE_CLIENTS];
    struct siege_sum sum = {.opened = s->n_clients};
    for (uint32_t i = 0; i < s->n_clients; i++) {
        const struct siege_client *c = &s->client[i];
        if (c->connect_ns >= 0)
            times[sum.connected++] = c->connect_ns;
        sum.done += c->done && c->error == HF_OK && c->rounds == c->wanted;
        sum.failed += c->done && c->error != HF_OK;
        sum.rounds += c->rounds;
    }
    qsort(times, sum.connected, sizeof *times, by_size);
    sum.p99_connect_ns = sum.connected ? times[(sum.connected - 1) * 99 / 100] : 0;
    return sum;
}

struct hf_counters siege_counters(const struct siege *s)
{
    struct hf_counters c = {.struct_size = sizeof c};
    hf_counters(s->server, &c);
    return c;
}

/* Attacks -------------------------------------------------------------------------------------- */

void siege_stranger(struct siege *s, uint8_t ip[16])
{
    memset(ip, 0, 16);
    uint32_t low = siege_draw(s);
    if (s->v6) {
        memcpy(ip, "\x20\x01\x0d\xb8", 4);
        ip[7] = (uint8_t)siege_draw(s);
        put_be32(ip + 8, siege_draw(s));
        put_be32(ip + 12, low | 1);
        return;
    }
    ip[10] = ip[11] = 0xff;
    put_be32(ip + 12, low);
    ip[12] = (uint8_t)(11 + ip[12] % 100); /* 11 .. 110: all of these can be a host's */
}

void siege_packet(struct siege *s, const void *packet, uint32_t len)
{
    siege_frame(s, 1, packet, len);
}

void siege_frame(struct siege *s, uint16_t iface, const void *frame, uint32_t len)
{
    assert_true(len <= sizeof s->batch_bytes[0]);
    memcpy(s->batch_bytes[s->n_batch], frame, len);
    s->batch[s->n_batch] =
        (struct hf_frame_in){.data = s->batch_bytes[s->n_batch], .len = len, .iface = iface};
    s->n_batch++;
    s->hits++;
    if (s->n_batch == ARRAY_LEN(s->batch))
        siege_flush(s);
}

void siege_hit(struct siege *s, const uint8_t src[16], const struct segment *seg, uint32_t len)
{
    uint8_t packet[1600] = {0};
    struct wire_ip ip = {.version = s->v6 ? 6 : 4, .proto = WIRE_PROTO_TCP, .ttl = 64};
    memcpy(ip.src, src, 16);
    memcpy(ip.dst, s->server_ip, 16);
    uint32_t header_len = (uint32_t)wire_tcp_header_len(&seg->opt);
    ip.total_len = (s->v6 ? 40 : 20) + header_len + len;
    uint8_t *tcp = packet + wire_put_ip(packet, &ip);
    wire_put_tcp(tcp, seg);
    wire_set_tcp_checksum(tcp, header_len, &ip, csum_add(0, tcp + header_len, len), len);
    siege_packet(s, packet, ip.total_len);
}

bool siege_connects(struct siege *s, const uint8_t ip[16], uint16_t port, uint32_t isn)
{
    uint64_t before = s->others;
    struct segment seg = {.seq = seq(isn),
                          .ctl = SYN,
                          .wnd = 64240,
                          .sport = port,
                          .dport = SIEGE_PORT,
                          .opt = {.present = OPT_MSS, .mss = 1460}};
    siege_hit(s, ip, &seg, 0);
    siege_flush(s);
    if (s->others != before + 1)
        return false;
    seg.ctl = ACK;
    seg.seq = seq_add(seg.seq, 1);
    seg.ack = seq_add(s->last_iss, 1);
    seg.opt.present = 0;
    siege_hit(s, ip, &seg, 0);
    siege_flush(s);
    return true;
}

void siege_stranger_of(uint32_t n, uint8_t ip[16], uint16_t *port)
{
    memset(ip, 0, 16);
    ip[10] = ip[11] = 0xff;
    put_be32(ip + 12, 0x14000000 + n / 40000);
    *port = (uint16_t)(1024 + n % 40000);
}

bool siege_stranger_connects(struct siege *s, uint32_t n)
{
    uint8_t ip[16];
    uint16_t port;
    siege_stranger_of(n, ip, &port);
    return siege_connects(s, ip, port, n * 7919);
}

struct segment siege_syn(struct siege *s)
{
    uint32_t r = siege_draw(s);
    static const uint32_t kinds[4] = {OPT_MSS, OPT_MSS | OPT_SACK_OK | OPT_WSCALE,
                                      OPT_MSS | OPT_SACK_OK | OPT_TS | OPT_WSCALE,
                                      OPT_MSS | OPT_TS};
    return (struct segment){
        .seq = seq(siege_draw(s)),
        .ctl = SYN,
        .wnd = 64240,
        .sport = (uint16_t)(r >> 16 | 1024),
        .dport = SIEGE_PORT,
        .opt = {.present = kinds[r & 3], .mss = 1460, .wscale = 7, .ts_val = siege_draw(s)}};
}

/* Beginning and end ---------------------------------------------------------------------------- */

void siege_config(struct siege *s, uint32_t n)
{
    memset(s, 0, sizeof *s);
    hf_config_default(&s->config, n);
    memset(s->config.seed, 0x17, sizeof s->config.seed);
    s->backlog = 128;
}

static struct hf_stack *begin_stack(struct siege *s, const struct hf_config *config,
                                    struct hf_env *env, const uint8_t ip[16], uint64_t *bytes)
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff}, any6[16] = {0};
    *env = (struct hf_env){.struct_size = sizeof *env, .now_ns = s->now_ns};
    *bytes = hf_size(config);
    struct hf_stack *stack = aligned_alloc(64, *bytes + GUARD);
    assert_non_null(stack);
    memset((uint8_t *)stack + *bytes, GUARD_OCTET, GUARD);
    struct hf_interface iface = {.struct_size = sizeof iface, .link = HF_LINK_IP, .mtu = MTU};
    assert_int_equal(hf_init(stack, *bytes, config, env), HF_OK);
    assert_int_equal(hf_interface_add(stack, env, &iface), 1);
    assert_int_equal(hf_address_add(stack, env, 1, ip, s->v6 ? 64 : 24), HF_OK);
    assert_int_equal(hf_route_add(stack, env, 1, s->v6 ? any6 : any4, 0, NULL), HF_OK);
    return stack;
}

void siege_begin(struct siege *s)
{
    struct hf_config own;
    uint64_t bytes;
    hf_config_default(&own, 2 * SIEGE_CLIENTS);
    own.max_half_open = 16;
    own.small_chunks = 16384; /* so that 32 bits can address all of it */
    own.large_chunks = 640;
    memset(own.seed, 0x71, sizeof own.seed);
    s->now_ns = INT64_C(5000000) * SIEGE_MS;
    s->random = 88172645463325252u;
    for (int i = 0; i < 2; i++) {
        uint8_t *ip = i ? s->clients_ip : s->server_ip;
        memset(ip, 0, 16);
        memcpy(ip + (s->v6 ? 0 : 10), s->v6 ? "\xfd\0" : "\xff\xff", 2);
        ip[12] = s->v6 ? 0 : 10;
        ip[15] = (uint8_t)(i + 1);
    }
    s->clients = begin_stack(s, &own, &s->clients_env, s->clients_ip, &bytes);
    s->server = begin_stack(s, &s->config, &s->server_env, s->server_ip, &s->server_bytes);
    struct hf_listen listen = {
        .struct_size = sizeof listen, .local = {.port = SIEGE_PORT}, .backlog = s->backlog};
    assert_int_equal(hf_listen(s->server, &s->server_env, &listen, &s->listener), HF_OK);
}

void siege_end(struct siege *s)
{
    assert_int_equal(hf_attach(s->server, s->server_bytes), HF_OK);
    for (uint32_t i = 0; i < GUARD; i++)
        assert_int_equal(((uint8_t *)s->server)[s->server_bytes + i], GUARD_OCTET);
    assert_int_equal(s->wrong, 0);
    free(s->server);
    free(s->clients);
    free(s->to_server.at);
    free(s->to_clients.at);
}

/* Calm and attack ----------------------------------------------------------------------------- */

void siege_begin_with_flows(struct siege *s)
{
    siege_begin(s);
    for (int i = 0; i < SIEGE_FLOWS; i++)
        siege_open(s, SIEGE_ENDLESS);
    siege_run(s, 200);
}

static uint64_t flow_rounds(const struct siege *s)
{
    uint64_t rounds = 0;
    for (int i = 0; i < SIEGE_FLOWS; i++)
        rounds += s->client[i].rounds;
    return rounds;
}

uint64_t siege_play(struct siege *s, const struct siege_scale *scale, siege_attack_fn *attack)
{
    uint64_t before = flow_rounds(s);
    s->attack = attack;
    for (uint32_t ms = 0; ms < scale->ms; ms += scale->open_every_ms) {
        siege_open(s, 1);
        siege_run(s, scale->open_every_ms);
    }
    uint64_t rounds = flow_rounds(s) - before;
    s->attack = NULL;
    siege_rest(s, 10000);
    return rounds;
}

/* The same without an attack: what was to be expected. */
static uint64_t calm_rounds(const struct siege *like, const struct siege_scale *scale,
                            struct siege_sum *sum)
{
    static struct siege calm;
    siege_config(&calm, 256);
    calm.config = like->config;
    calm.v6 = like->v6;
    calm.backlog = like->backlog;
    siege_begin_with_flows(&calm);
    uint64_t rounds = siege_play(&calm, scale, NULL);
    *sum = siege_sum(&calm);
    siege_end(&calm);
    return rounds;
}

void siege_clients_are_served(struct siege *s, const struct siege_scale *scale, uint64_t rounds,
                              uint32_t percent)
{
    struct siege_sum calm, sum = siege_sum(s);
    uint64_t calm_flow_rounds = calm_rounds(s, scale, &calm);
    uint32_t wanted = sum.opened - SIEGE_FLOWS;
    printf("%u of %u clients served, %u failed; 99 %% connected in %lld ms (calm: %lld); %llu of "
           "%llu rounds; %llu hits; %u half-open at most; %llu packets to others, %llu resets\n",
           sum.done, wanted, sum.failed, (long long)sum.p99_connect_ns / SIEGE_MS,
           (long long)calm.p99_connect_ns / SIEGE_MS, (unsigned long long)rounds,
           (unsigned long long)calm_flow_rounds, (unsigned long long)s->hits, s->half_most,
           (unsigned long long)s->others, (unsigned long long)s->resets);
    assert_int_equal(calm.done, wanted);
    assert_true((uint64_t)sum.done * 1000 >= (uint64_t)wanted * 999);
    assert_true(sum.p99_connect_ns <= 2 * calm.p99_connect_ns);
    assert_true(rounds * 100 >= calm_flow_rounds * percent);
}
