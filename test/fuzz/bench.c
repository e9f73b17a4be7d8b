/* bench.c - stacks for fuzz targets, and what must hold of all they do. */
#include "bench.h"
#include "handfast/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 8, FOLLOWED = 64, FLAT = 70000, TIMERS_MOST = 200, MARKS = 1024, BATCH = 16 };

static bool telling;

uint8_t take8(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->p++;
}

uint16_t take16(struct input *in)
{
    uint16_t high = take8(in);
    return (uint16_t)(high << 8 | take8(in));
}

uint32_t take32(struct input *in)
{
    uint32_t high = take16(in);
    return high << 16 | take16(in);
}

bool next_step(struct input *in, struct input *step)
{
    if (in->left == 0) {
        return false;
    }
    size_t n = take16(in);
    *step = (struct input){in->p, n < in->left ? n : in->left};
    in->p += step->left;
    in->left -= step->left;
    return true;
}

size_t take_bytes(struct input *in, uint8_t *out, size_t room)
{
    size_t n = take16(in) % (room + 1);
    n = n < in->left ? n : in->left;
    memcpy(out, in->p, n);
    in->p += n;
    in->left -= n;
    return n;
}

void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

uint8_t octet_at(uint32_t number)
{
    return (uint8_t)(number * 167 >> 3);
}

/* HF_FUZZ_TELL=1: what happens, and what breaks a rule ends nothing. */
static void tell(const struct bench *b, const struct hf_trace *r)
{
    static const char *const kinds[] = {"in", "drop", "out", "call", "timer"};
    fprintf(stderr, "%u %.3f %s %s %u<-%u %03x seq=%u ack=%u len=%u wnd=%u opt=%02x ts=%u,%u ",
            b->own4[15], (double)r->time_ns / 1e6, kinds[r->kind % ARRAY_LEN(kinds)],
            hf_cause_name(r->cause), r->local_port, r->remote_port, r->ctl, r->seq, r->ack, r->len,
            r->wnd, r->options, r->ts_val, r->ts_ecr);
    fprintf(stderr, "%s: %s -> %s una=%u nxt=%u wnd=%u rcv=%u,%u rto=%u h=%llx\n",
            hf_verdict_name(r->verdict), hf_state_name(r->state_before),
            hf_state_name(r->state_after), r->snd_una, r->snd_nxt, r->snd_wnd, r->rcv_nxt,
            r->rcv_wnd, r->rto_ms, (unsigned long long)r->handle);
}

/* A reset that has no way is dropped, which the counters tell, and no record; so is the answer of a
 * connection that is half open. */
static bool was_dropped(struct bench *b, const char *rule, const struct hf_trace *record)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(b->stack, &counters);
    bool answer = record->handle == 0 && strcmp(rule, "ack-time") == 0;
    bool dropped =
        (answer || strcmp(rule, "reset-time") == 0) && b->missed < counters.replies_dropped;
    b->missed += dropped;
    return dropped;
}

static void judge(void *arg, const struct hf_trace *record)
{
    struct hf_violation violation;
    struct bench *b = arg;
    if (telling) {
        tell(b, record);
    }
    if (!hf_oracle_judge(b->oracle, record, &violation) &&
        !was_dropped(b, violation.rule, record)) {
        fprintf(stderr, "fuzz: %s: %s (%s): %s\n", violation.rule, violation.sentence,
                violation.place, violation.detail);
        if (!telling) {
            abort();
        }
    }
}

static void make_oracle(struct bench *b)
{
    const struct hf_oracle_config config = {.struct_size = sizeof config,
                                            .max_connections = FOLLOWED,
                                            .policy = hf_policy(b->stack),
                                            .drops_held = true};
    uint64_t bytes = hf_oracle_size(&config);
    b->oracle = aligned_alloc(64, (bytes + 63) / 64 * 64);
    must(hf_oracle_init(b->oracle, bytes, &config) == HF_OK, "no oracle");
}

static uint64_t oracle_bytes(void)
{
    const struct hf_oracle_config config = {.struct_size = sizeof config,
                                            .max_connections = FOLLOWED};
    return (hf_oracle_size(&config) + 63) / 64 * 64;
}

static void configure(struct hf_config *config, uint8_t n)
{
    config->struct_size = sizeof *config;
    hf_config_default(config, CONNECTIONS);
    config->small_chunks = 32;
    config->small_chunk_bytes = 256;
    config->large_chunks = 4;
    config->max_tokens = 64;
    config->max_sent = 64;
    config->max_ranges = 128;
    config->history_events = 64;
    config->seed[0] = n;
    const char *number = getenv("HF_FUZZ_POLICY");
    if (number != NULL) {
        draw_policy(&config->policy, (uint32_t)strtoul(number, NULL, 10));
    }
}

uint64_t bench_bytes(void)
{
    struct hf_config config = {.struct_size = sizeof config};
    configure(&config, 0);
    return hf_size(&config);
}

static void add_interfaces(struct bench *b)
{
    const struct hf_interface raw = {
        .struct_size = sizeof raw, .link = HF_LINK_IP, .mtu = 1500, .offload = HF_OFFLOAD_TSO4};
    struct hf_interface ether = {
        .struct_size = sizeof ether, .link = HF_LINK_ETHERNET, .mtu = 1500};
    memcpy(ether.mac, b->mac, 6);
    must(hf_interface_add(b->stack, &b->env, &raw) == RAW &&
             hf_interface_add(b->stack, &b->env, &ether) == ETHERNET &&
             hf_address_add(b->stack, &b->env, RAW, b->own4, 24) == HF_OK &&
             hf_address_add(b->stack, &b->env, RAW, b->own6, 64) == HF_OK &&
             hf_address_add(b->stack, &b->env, ETHERNET, b->link4, 24) == HF_OK &&
             hf_address_add(b->stack, &b->env, ETHERNET, b->link6, 64) == HF_OK,
         "no interfaces");
    /* An answer that has no way is dropped, which no record tells. */
    static const uint8_t any4[16] = {[10] = 255, 255}, any6[16] = {0};
    must(hf_route_add(b->stack, &b->env, RAW, any4, 0, NULL) == HF_OK &&
             hf_route_add(b->stack, &b->env, RAW, any6, 0, NULL) == HF_OK,
         "no routes");
}

void bench_make(struct bench *b, uint8_t n)
{
    struct hf_config config = {.struct_size = sizeof config};
    configure(&config, n);
    *b = (struct bench){
        .own4 = {[10] = 255, 255, 10, 0, 0, n},
        .own6 = {0xfd, [15] = n},
        .link4 = {[10] = 255, 255, 10, 9, 0, n},
        .link6 = {0xfe, 0x80, [15] = n},
        .mac = {2, 0, 0, 0, 0, n},
    };
    telling = getenv("HF_FUZZ_TELL") != NULL;
    b->stack = aligned_alloc(64, bench_bytes());
    b->env = (struct hf_env){.struct_size = sizeof b->env, .now_ns = 1000000000, .trace = judge};
    b->env.trace_arg = b;
    struct hf_env quiet = b->env;
    quiet.trace = NULL;
    must(hf_init(b->stack, bench_bytes(), &config, &quiet) == HF_OK, "no stack");
    make_oracle(b);
    add_interfaces(b);
}

struct start bench_start(const struct bench *b)
{
    struct start start = {.bench = *b,
                          .stack = aligned_alloc(64, bench_bytes()),
                          .oracle = aligned_alloc(64, oracle_bytes())};
    memcpy(start.stack, b->stack, bench_bytes());
    memcpy(start.oracle, b->oracle, oracle_bytes());
    return start;
}

void bench_begin(struct bench *b, const struct start *start)
{
    *b = start->bench;
    b->env.trace_arg = b;
    memcpy(b->stack, start->stack, bench_bytes());
    memcpy(b->oracle, start->oracle, oracle_bytes());
}

/* A copy of its very size: reading beyond it is seen. */
void bench_deliver(struct bench *b, const uint8_t *frame, size_t len, uint32_t iface,
                   uint16_t flags)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, frame, len);
    struct hf_frame_in in = {
        .data = copy, .len = (uint32_t)len, .iface = (uint16_t)iface, .flags = flags};
    hf_input(b->stack, &b->env, &in, 1);
    free(copy);
    if (++b->arrived == BATCH) {
        bench_drain(b);
    }
}

/* Whom a frame on ETHERNET asks for, if it does. */
static void note_question(struct bench *b, const uint8_t *frame, uint32_t len)
{
    uint8_t who[16] = {[10] = 255, 255};
    struct wire_arp arp = {0};
    struct wire_icmp icmp;
    struct wire_nd nd = {0};
    bool asks;
    if (get_be16(frame + 12) == WIRE_ETH_ARP) {
        asks = wire_parse_arp(frame + 14, len - 14, &arp) == WIRE_OK && arp.op == 1;
        memcpy(who + 12, arp.tpa, 4);
    } else {
        asks = get_be16(frame + 12) == WIRE_ETH_IPV6 && frame[20] == WIRE_PROTO_ICMPV6 &&
               wire_parse_icmp(frame + 54, len - 54, 6, &icmp) == WIRE_OK &&
               wire_parse_nd(&icmp, &nd) == WIRE_OK && nd.solicitation;
        memcpy(who, nd.target, 16);
    }
    if (asks && b->n_asked < ASKED_MAX) {
        memcpy(b->asked[b->n_asked++], who, 16);
    }
}

/* They are there, and say so. */
static void answer_questions(struct bench *b)
{
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
    uint32_t n = b->n_asked;
    b->n_asked = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t frame[14 + 40 + WIRE_MAX_ND];
        bool v4 = wire_is_v4(b->asked[i]);
        struct wire_eth eth = {.type = v4 ? WIRE_ETH_ARP : WIRE_ETH_IPV6};
        memcpy(eth.dst, b->mac, 6);
        memcpy(eth.src, mac, 6);
        uint8_t *packet = frame + wire_put_eth(frame, &eth);
        struct hf_frame_in in = {.data = frame, .iface = ETHERNET};
        if (v4) {
            struct wire_arp arp = {.op = 2};
            memcpy(arp.sha, mac, 6);
            memcpy(arp.spa, b->asked[i] + 12, 4);
            memcpy(arp.tha, b->mac, 6);
            memcpy(arp.tpa, b->link4 + 12, 4);
            in.len = 14 + (uint32_t)wire_put_arp(packet, &arp);
        } else {
            struct wire_nd nd = {.solicited = true, .override = true, .has_lladdr = true};
            struct wire_ip ip = {.version = 6, .proto = WIRE_PROTO_ICMPV6, .ttl = 255};
            memcpy(nd.target, b->asked[i], 16);
            memcpy(nd.lladdr, mac, 6);
            memcpy(ip.src, b->asked[i], 16);
            memcpy(ip.dst, b->link6, 16);
            uint32_t len = (uint32_t)wire_put_nd(packet + 40, &nd);
            ip.total_len = 40 + len;
            wire_set_icmp_checksum(packet + 40, len, &ip);
            wire_put_ip(packet, &ip);
            in.len = 14 + 40 + len;
        }
        hf_input(b->stack, &b->env, &in, 1);
    }
}

/* What leaves is what the next host can read. */
static void check_frame(const struct hf_frame_out *out, const uint8_t *frame)
{
    const uint8_t *packet = frame + out->ip_offset;
    uint32_t len = out->len - out->ip_offset;
    struct wire_arp arp;
    if (out->ip_offset != 0 && get_be16(frame + 12) == WIRE_ETH_ARP) {
        must(wire_parse_arp(packet, len, &arp) == WIRE_OK, "a bad ARP packet leaves");
        return;
    }
    struct wire_ip ip;
    struct segment seg;
    must(wire_parse_ip(packet, len, &ip) == WIRE_OK, "a bad IP header leaves");
    must(ip.total_len == len, "the length of a packet that leaves is wrong");
    if (ip.fragment) {
        return;
    }
    const uint8_t *payload = packet + ip.header_len;
    len -= ip.header_len;
    if (ip.proto == WIRE_PROTO_TCP) {
        must(wire_parse_tcp(payload, len, &seg) == WIRE_OK, "a bad TCP header leaves");
        must(wire_tcp_checksum_ok(&ip, payload, len), "a wrong TCP checksum leaves");
    } else if (ip.proto == WIRE_PROTO_UDP) {
        must(wire_udp_checksum_ok(&ip, payload, len), "a wrong UDP checksum leaves");
    } else {
        must(wire_icmp_checksum_ok(&ip, payload, len), "a wrong ICMP checksum leaves");
    }
}

static void take_frame(struct bench *b, const struct hf_frame_out *out)
{
    static uint8_t flat[FLAT];
    uint32_t at = out->header_len;
    memcpy(flat, out->header, at);
    for (uint32_t i = 0; i < out->n_slices; i++) {
        must(at + out->slice[i].len <= FLAT, "a frame of more than 64 KiB leaves");
        memcpy(flat + at, out->slice[i].data, out->slice[i].len);
        at += out->slice[i].len;
    }
    must(at == out->len, "a frame is not as long as it says");
    check_frame(out, flat);
    if (b->lan && out->iface == ETHERNET) {
        note_question(b, flat, out->len);
    }
    if (b->sent) {
        b->sent(b->arg, flat, out->len, out->iface);
    }
}

void bench_drain(struct bench *b)
{
    struct hf_frame_out out[ASKED_MAX];
    b->arrived = 0;
    for (int rounds = 0; rounds < 64; rounds++) {
        uint32_t n = hf_output(b->stack, &b->env, out, ASKED_MAX);
        for (uint32_t i = 0; i < n; i++) {
            take_frame(b, &out[i]);
            hf_output_done(b->stack, &b->env, out[i].token);
        }
        answer_questions(b);
        if (n == 0) {
            return;
        }
    }
}

/* Every timer fires when it is due, and what it owes leaves at once; where they are too many, the
 * rest of the time does not pass. */
void bench_wait(struct bench *b, int64_t ns)
{
    int64_t end = b->env.now_ns + ns;
    bench_drain(b);
    int64_t next = 0;
    for (int i = 0; i < TIMERS_MOST && next <= end; i++) {
        next = hf_deadline(b->stack, &b->env);
        int64_t now = next < end ? next : end;
        b->env.now_ns = now > b->env.now_ns ? now : b->env.now_ns;
        hf_timeouts(b->stack, &b->env);
        bench_drain(b);
    }
}

/* Whatever came, the block holds together. */
static void look(const struct bench *b)
{
    static uint8_t marks[MARKS];
    struct hf_flaw flaw = {.struct_size = sizeof flaw};
    char text[300];
    int error = hf_check(b->stack, bench_bytes(), marks, sizeof marks, &flaw);
    must(error == HF_OK, error == HF_ERR_MISMATCH ? hf_flaw_text(&flaw, text, sizeof text)
                                                  : "hf_check has no room for its marks");
}

void bench_finish(struct bench *b, int most)
{
    bench_drain(b);
    look(b);
    for (int i = 0; i < most; i++) {
        int64_t next = hf_deadline(b->stack, &b->env);
        if (next == INT64_MAX) {
            break;
        }
        bench_wait(b, next > b->env.now_ns ? next - b->env.now_ns : 0);
    }
    look(b);
}

void *bench_play(const struct target *target, const uint8_t *data, size_t size)
{
    static void *first, *run;
    static struct start start;
    if (first == NULL) {
        first = calloc(1, target->bytes);
        run = malloc(target->bytes);
        target->set_up(first);
        start = bench_start(first);
    }
    memcpy(run, first, target->bytes);
    struct bench *b = run;
    bench_begin(b, &start);
    b->arg = run;
    struct input all = {data, size};
    b->in = all;
    for (int i = 0;
         i < target->steps && (target->framed ? next_step(&all, &b->in) : b->in.left != 0); i++) {
        target->step(run);
    }
    bench_finish(b, target->timers);
    return run;
}
