/* pair_scale.c - 10^2 to 10^7 connections between two stacks of ours: opened, one octet echoed on a
 * random one at a time, closed. */
#include "figures.h"
#include "scale.h"

#include <stdlib.h>

enum { EVENTS = 16, REST_NS = 300000000 };

static struct pair *pair;
static hf_handle *clients;
static uint32_t answers; /* octets that have come back */

static void serve(struct pair_end *b)
{
    struct hf_event events[EVENTS];
    uint32_t n = hf_events(b->stack, &b->env, events, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        hf_handle c = events[i].handle;
        char octet;
        if (events[i].bits & HF_ACCEPTED) {
            bench_must(hf_accept(b->stack, &b->env, c, &c, NULL), "hf_accept");
            continue;
        }
        int64_t got = hf_recv(b->stack, &b->env, c, &octet, 1);
        if (got > 0) {
            bench_must(hf_send(b->stack, &b->env, c, &octet, 1, 0), "hf_send");
        } else if (got == 0) {
            bench_must(hf_release(b->stack, &b->env, c), "hf_release");
        }
    }
}

static void hear(struct pair_end *a)
{
    struct hf_event events[EVENTS];
    uint32_t n = hf_events(a->stack, &a->env, events, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        char octet;
        if (events[i].bits & HF_READABLE) {
            answers += hf_recv(a->stack, &a->env, events[i].handle, &octet, 1) == 1;
        }
    }
}

/* Until nobody has anything to say; how many segments that were. */
static uint32_t talk(void)
{
    struct pair_end *a = &pair->a, *b = &pair->b;
    uint32_t segments = 0, n;
    do {
        n = pair_carry(pair, a, b);
        serve(b);
        n += pair_carry(pair, b, a);
        hear(a);
        segments += n;
    } while (n > 0);
    hf_timeouts(a->stack, &a->env);
    hf_timeouts(b->stack, &b->env);
    return segments;
}

/* ACKs that were delayed leave. */
static void rest(void)
{
    pair->a.env.now_ns = pair->b.env.now_ns += REST_NS;
    hf_timeouts(pair->a.stack, &pair->a.env);
    hf_timeouts(pair->b.stack, &pair->b.env);
    talk();
}

static uint32_t open_one(uint32_t i)
{
    struct pair_end *a = &pair->a;
    struct hf_endpoint to = pair->b.at;
    to.port = (uint16_t)(PAIR_PORT + i % pair->setup.ports);
    pair_tick(pair);
    bench_must(hf_open(a->stack, &a->env, NULL, &to, 0, &clients[i]), "hf_open");
    return talk();
}

static uint32_t echo_one(uint32_t i)
{
    struct pair_end *a = &pair->a;
    char octet = 1;
    uint32_t before = answers;
    pair_tick(pair);
    bench_must(hf_send(a->stack, &a->env, clients[i], &octet, 1, 0), "hf_send");
    uint32_t segments = talk();
    bench_must(answers == before + 1 ? 0 : -1, "an echo");
    return segments;
}

static uint32_t close_one(uint32_t i)
{
    pair_tick(pair);
    bench_must(hf_release(pair->a.stack, &pair->a.env, clients[i]), "hf_release");
    return talk();
}

/* Connections `from` to `to`; nanoseconds for a segment. */
static double each(uint32_t (*one)(uint32_t i), uint32_t from, uint32_t to)
{
    uint32_t segments = 0;
    double begin = bench_seconds();
    for (uint32_t i = from; i < to; i++) {
        segments += one(i);
    }
    double took = bench_seconds() - begin;
    bench_must(segments == 3 * (to - from) ? 0 : -1, "three segments to open, three to close");
    return took / segments * 1e9;
}

static uint32_t connections(struct pair_end *end)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(end->stack, &counters);
    return counters.connections;
}

double scale_round(const void *arg)
{
    const struct pair_setup *setup = arg;
    uint32_t most = setup->connections, open = 0;
    double p99 = 0;
    pair = pair_new(setup);
    clients = calloc(most, sizeof *clients);
    bench_must(clients ? 0 : -1, "memory for handles");
    for (uint32_t n = 100; n <= most; n *= 10) {
        uint32_t timed = n > 1000 ? n / 10 * 9 : open; /* the last tenth */
        each(open_one, open, timed);
        bench_point("open-segment-ns", n, each(open_one, timed, n));
        open = n;
        p99 = scale_echoes(echo_one, n);
        rest();
        bench_point("private-MiB", n, bench_private_bytes() / (1 << 20));
    }
    for (uint32_t n = most; n >= 100; n /= 10) {
        uint32_t left = n > 1000 ? n / 10 * 9 : n / 10;
        bench_point("close-segment-ns", n, each(close_one, left, n)); /* the first tenth */
        each(close_one, n / 10, left);
    }
    each(close_one, 0, 10);
    bench_must(connections(&pair->a) + connections(&pair->b) == 0 ? 0 : -1, "all are closed");
    return p99;
}
