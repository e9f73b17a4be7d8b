/* pair_memory.c - octets a record takes, its entry in the flow table included: by how much the
 * private memory of the process grows with it. */
#include "figures.h"

#include <sys/prctl.h>

enum { EVENTS = 64, HALF_PORTS = 60000, HALF_FIRST = 1000, HALF_LISTENERS = 5000 };

static struct pair *pair;
static uint32_t syns; /* that the half-open connections began with */

/* Memory of 2 MiB a page would round each pool. */
static void small_pages(void)
{
    bench_must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "PR_SET_THP_DISABLE");
}

static double slope(const struct memory_setup *setup, void (*add)(uint32_t n), unsigned records)
{
    add(setup->few);
    double few = bench_private_bytes();
    add(setup->many - setup->few);
    return (bench_private_bytes() - few) / (setup->many - setup->few) / records;
}

static void forget_events(struct pair_end *end)
{
    struct hf_event events[EVENTS];
    while (hf_events(end->stack, &end->env, events, EVENTS) > 0) {
    }
}

static void add_established(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        hf_handle a, b;
        pair_connect(pair, (uint16_t)(PAIR_PORT + i % pair->setup.ports), &a, &b);
    }
    forget_events(&pair->a);
    forget_events(&pair->b);
}

double memory_established(const void *arg)
{
    const struct memory_setup *setup = arg;
    small_pages();
    pair = pair_new(&setup->pair);
    double octets = slope(setup, add_established, 2); /* one record at either end */
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(pair->b.stack, &counters);
    bench_must(counters.connections == setup->many ? 0 : -1, "connections that stand");
    pair_free(pair);
    return octets;
}

/* SYNs whose sender is gone: SYN-SENT ends without a word. */
static void add_half_open(uint32_t n)
{
    struct pair_end *a = &pair->a, *b = &pair->b;
    for (uint32_t i = 0; i < n; i++, syns++) {
        struct hf_endpoint from = a->at, to = b->at;
        hf_handle c;
        from.port = (uint16_t)(HALF_FIRST + syns % HALF_PORTS);
        to.port = (uint16_t)(HALF_LISTENERS + syns / HALF_PORTS);
        bench_must(hf_open(a->stack, &a->env, &from, &to, 0, &c), "hf_open");
        pair_carry(pair, a, b);
        bench_must(hf_abort(a->stack, &a->env, c), "hf_abort");
        bench_must(hf_release(a->stack, &a->env, c), "hf_release");
        pair_lose(pair, b);
    }
}

double memory_syn_received(const void *arg)
{
    const struct memory_setup *setup = arg;
    small_pages();
    pair = pair_new(&setup->pair);
    struct pair_end *b = &pair->b;
    struct hf_policy policy = *hf_policy(b->stack);
    syns = 0;
    policy.backlog_share = 100; /* all are of one network */
    bench_must(hf_set_policy(b->stack, &b->env, &policy), "hf_set_policy");
    for (uint32_t i = 0; i <= setup->many / HALF_PORTS; i++) {
        struct hf_listen listen = {.struct_size = sizeof listen,
                                   .local = {.port = (uint16_t)(HALF_LISTENERS + i)},
                                   .backlog = UINT16_MAX};
        hf_handle handle;
        bench_must(hf_listen(b->stack, &b->env, &listen, &handle), "hf_listen");
    }
    double octets = slope(setup, add_half_open, 1);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(b->stack, &counters);
    bench_must(counters.half_open == setup->many ? 0 : -1, "half-open connections that stand");
    pair_free(pair);
    return octets;
}

static void add_waiting(uint32_t n)
{
    while (n-- > 0) {
        lives_one(NULL);
    }
}

double memory_time_wait(const void *arg)
{
    const struct memory_setup *setup = arg;
    small_pages();
    lives_open(&setup->pair);
    pair = lives_pair();
    double octets = slope(setup, add_waiting, 1);
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_counters(pair->a.stack, &counters);
    bench_must(counters.time_wait == setup->many ? 0 : -1, "connections in TIME-WAIT");
    pair_free(pair);
    return octets;
}
