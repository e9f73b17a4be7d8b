/* pair_scale.c - 10^2 to 10^7 connections between two stacks of ours: opened, one octet echoed on a
 * random one at a time, closed. */
#include "figures.h"
#include "scale.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; where it is missing pages come when touched */
#endif

enum { EVENTS = 16, TEXT = 64, REST_NS = 300000000, PARTS = 64, TOUCHED_LEAST = 4 << 20 };

static struct pair *pair;
static hf_handle *clients;
static uint32_t answers; /* octets that have come back */

static void serve(struct pair_end *b)
{
    struct hf_event events[EVENTS];
    uint32_t n = hf_events(b->stack, &b->env, events, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        hf_handle c = events[i].handle;
        char text[TEXT];
        if (events[i].bits & HF_ACCEPTED) {
            bench_must(hf_accept(b->stack, &b->env, c, &c, NULL), "hf_accept");
            continue;
        }
        int64_t got = hf_recv(b->stack, &b->env, c, text, TEXT);
        if (got > 0) {
            bench_must(hf_send(b->stack, &b->env, c, text, (uint64_t)got, 0), "hf_send");
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
        char text[TEXT];
        if (events[i].bits & HF_READABLE) {
            int64_t got = hf_recv(a->stack, &a->env, events[i].handle, text, TEXT);
            answers += got > 0 ? (uint32_t)got : 0;
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

/* Many at a time, so that frames come in batches; nanoseconds for a segment. */
static double echo_many(uint32_t n)
{
    enum { AT_A_TIME = 16, TURNS = 5000 };
    struct pair_end *a = &pair->a;
    uint32_t segments = 0;
    double begin = bench_cpu_seconds();
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        pair_tick(pair);
        for (uint32_t i = 0; i < AT_A_TIME; i++) {
            char octet = 1;
            bench_must(hf_send(a->stack, &a->env, clients[scale_random_below(n)], &octet, 1, 0),
                       "hf_send");
        }
        segments += talk();
    }
    return (bench_cpu_seconds() - begin) / segments * 1e9;
}

static uint32_t close_one(uint32_t i)
{
    pair_tick(pair);
    bench_must(hf_release(pair->a.stack, &pair->a.env, clients[i]), "hf_release");
    return talk();
}

/* Memory is touched before it is needed, as a host does it (src/host/memory.c), to `times` as far
 * as it is used now. */
static void touch(const struct pair_end *end, uint32_t times)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct hf_extent parts[PARTS];
    uint32_t n = hf_extents(end->stack, parts, PARTS);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t wanted = parts[i].used * times + TOUCHED_LEAST;
        wanted = wanted < parts[i].reserved ? wanted : parts[i].reserved;
        uint64_t from = parts[i].offset / page * page,
                 to = (parts[i].offset + wanted) / page * page;
        if (to > from) {
            (void)madvise((uint8_t *)end->stack + from, to - from, MADV_POPULATE_WRITE);
        }
    }
}

/* Connections `from` to `to`; nanoseconds for a segment, of the processor. */
static double each(uint32_t (*one)(uint32_t i), uint32_t from, uint32_t to)
{
    uint32_t segments = 0;
    double begin = bench_cpu_seconds();
    for (uint32_t i = from; i < to; i++) {
        segments += one(i);
    }
    double took = bench_cpu_seconds() - begin;
    bench_must(segments == 3 * (to - from) ? 0 : -1, "three segments to open, three to close");
    return took / segments * 1e9;
}

/* The same, the median of so many rounds. */
static double timed(uint32_t (*one)(uint32_t i), uint32_t from, uint32_t to)
{
    enum { ROUNDS = 20 };
    double rounds[ROUNDS];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t begin = from + (uint32_t)((uint64_t)(to - from) * round / ROUNDS);
        rounds[round] =
            each(one, begin, from + (uint32_t)((uint64_t)(to - from) * (round + 1) / ROUNDS));
    }
    return bench_median(rounds, ROUNDS);
}

/* Where cost grows with size, it is the memory's: a load of a random line of the flow table, each
 * after the one before it. */
static double load_ns(const struct pair_end *end)
{
    enum { LOADS = 100000, LINE = 64 };
    struct hf_extent parts[PARTS];
    uint32_t n = hf_extents(end->stack, parts, PARTS), i = 0;
    while (i < n && strcmp(parts[i].name, "flow buckets") != 0) {
        i++;
    }
    bench_must(i < n ? 0 : -1, "the flow table's extent");
    const uint8_t *lines = (const uint8_t *)end->stack + parts[i].offset;
    uint64_t used = parts[i].used / LINE, at = 1;
    double begin = bench_seconds();
    for (uint32_t load = 0; load < LOADS; load++) {
        at = at * 6364136223846793005 + 1442695040888963407; /* Knuth 3.3.4 */
        at += lines[((at >> 32) * used >> 32) * LINE];
    }
    double took = bench_seconds() - begin;
    __asm__ volatile("" : : "r"(at));
    return took / LOADS * 1e9;
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
        uint32_t warm = n > 1000 ? n / 10 * 9 : n / 10; /* the last tenth is timed */
        double begin = bench_cpu_seconds();
        touch(&pair->a, open ? n / open : 1);
        touch(&pair->b, open ? n / open : 1);
        bench_point("touch-ns", n, (bench_cpu_seconds() - begin) / (n - open) * 1e9);
        each(open_one, open, warm);
        bench_point("open-segment-ns", n, timed(open_one, warm, n));
        open = n;
        p99 = scale_echoes(echo_one, n);
        bench_point("echo-16-segment-ns", n, echo_many(n));
        rest();
        bench_point("load-ns", n, load_ns(&pair->b));
        bench_point("private-MiB", n, bench_private_bytes() / (1 << 20));
    }
    for (uint32_t n = most; n >= 100; n /= 10) {
        uint32_t left = n > 1000 ? n / 10 * 9 : n / 10;
        bench_point("close-segment-ns", n, timed(close_one, left, n)); /* the first tenth */
        each(close_one, n / 10, left);
    }
    each(close_one, 0, 10);
    bench_must(connections(&pair->a) + connections(&pair->b) == 0 ? 0 : -1, "all are closed");
    pair_free(pair);
    free(clients);
    return p99;
}
