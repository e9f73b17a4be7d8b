/* pair_lives.c - connections that open, say one octet each way and close, one after another. */
#include <handfast/shards.h>

#include "figures.h"

enum { EVENTS = 16 };

static _Thread_local struct pair *pair;

/* The server: an echo that closes when its peer does. */
static void serve(struct pair_end *b)
{
    struct hf_event events[EVENTS];
    uint32_t n = hf_events(b->stack, &b->env, events, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        hf_handle c = events[i].handle;
        if (events[i].bits & HF_ACCEPTED) {
            bench_must(hf_accept(b->stack, &b->env, c, &c, NULL), "hf_accept");
        }
        char octet;
        int64_t got = hf_recv(b->stack, &b->env, c, &octet, 1);
        if (got > 0) {
            bench_must(hf_send(b->stack, &b->env, c, &octet, 1, 0), "hf_send");
        } else if (got == 0) {
            bench_must(hf_release(b->stack, &b->env, c), "hf_release");
        }
    }
}

/* Its client: sends when it is open, closes once it has the answer. */
static void ask(struct pair_end *a)
{
    struct hf_event events[EVENTS];
    uint32_t n = hf_events(a->stack, &a->env, events, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        char octet = 1;
        if (events[i].bits & HF_CONNECTED) {
            bench_must(hf_send(a->stack, &a->env, events[i].handle, &octet, 1, 0), "hf_send");
        } else if (hf_recv(a->stack, &a->env, events[i].handle, &octet, 1) == 1) {
            bench_must(hf_release(a->stack, &a->env, events[i].handle), "hf_release");
        }
    }
}

/* Destinations in turn. */
static uint16_t next_port(void)
{
    static _Thread_local uint32_t turn;
    uint32_t ports = pair->setup.ports ? pair->setup.ports : 1;
    return (uint16_t)(PAIR_PORT + turn++ % ports);
}

/* Where a connects from: what a device would bring to this shard. */
static const struct hf_endpoint *from_here(const struct hf_endpoint *to)
{
    enum { FIRST = 1024, PORTS = 60000 };
    static _Thread_local struct hf_endpoint from;
    static _Thread_local uint32_t turn;
    if (pair->setup.shards == 0) {
        return NULL;
    }
    do {
        from = pair->a.at;
        from.port = (uint16_t)(FIRST + turn++ % PORTS);
    } while (hf_flow_shard(hf_flow_hash(&from, to, NULL), pair->setup.shards) != pair->setup.shard);
    return &from;
}

/* Seven segments: SYN, SYN and ACK, octet, octet, FIN, FIN, ACK. */
void lives_one(void *unused)
{
    (void)unused;
    struct pair_end *a = &pair->a, *b = &pair->b;
    struct hf_endpoint to = b->at;
    hf_handle c;
    to.port = next_port();
    pair_tick(pair);
    bench_must(hf_open(a->stack, &a->env, from_here(&to), &to, 0, &c), "hf_open");
    uint32_t segments = 0, n;
    do {
        n = pair_carry(pair, a, b);
        serve(b);
        n += pair_carry(pair, b, a);
        ask(a);
        segments += n;
    } while (n > 0);
    bench_must(segments == 7 ? 0 : -1, "seven segments a connection");
    hf_timeouts(a->stack, &a->env);
    hf_timeouts(b->stack, &b->env);
}

struct pair *lives_pair(void)
{
    return pair;
}

bool lives_open(const void *arg)
{
    pair = pair_new(arg);
    const struct pair_setup *setup = &pair->setup;
    for (uint32_t i = 0; i < setup->idle; i++) {
        hf_handle a, b;
        pair_connect(pair, next_port(), &a, &b);
    }
    struct hf_event events[EVENTS];
    while (hf_events(pair->a.stack, &pair->a.env, events, EVENTS) +
               hf_events(pair->b.stack, &pair->b.env, events, EVENTS) >
           0) {
    }
    for (uint32_t i = 0; i < setup->waiting; i++) {
        lives_one(NULL);
    }
    return true;
}

double lives_round(const void *arg)
{
    (void)arg;
    return bench_rate(lives_one, NULL, BENCH_ROUND_MS / 1000.0);
}

double counted_lives_round(const void *arg)
{
    double rate = lives_round(arg);
    bench_also_steps(0, lives_one, NULL);
    return rate;
}
