/* flood.c - a SYN flood at b of a pair: ever new addresses, as RFC 4987 section 2 has it.
 *
 * What is timed is the stack alone: a batch of SYNs in, timers, their SYN,ACKs out.  Making the
 * SYNs and throwing the answers away is not.
 */
#include <stdlib.h>

#include "figures.h"
#include "flood.h"

enum {
    SPACING_NS = 1000000000 / FLOOD_SYNS_PER_SECOND,
    ROUND_BATCHES = 8000,
    LIVES = 16,
    PATIENCE = 20,
};
_Static_assert((int)FLOOD_BATCH <= (int)PAIR_FRAMES, "what answers a batch is taken in one piece");

/* As Linux has them: mss 1460, sackOK, timestamps, nop, wscale 7. */
static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7};

static uint8_t frames[FLOOD_BATCH][FORGE_MAX];
static struct hf_frame_in in[FLOOD_BATCH];
static struct pair *pair;
static uint64_t seed = 88172645463325252u;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

/* From a public address: 1.0.0.0 and up, but 10, 127 and those from 224 on. */
uint32_t flood_syn(uint8_t *packet)
{
    struct forged syn = {.ctl = FORGE_SYN,
                         .wnd = 64240,
                         .port = (uint16_t)(1024 + draw() % 60000),
                         .seq = draw(),
                         .options = options,
                         .n_options = sizeof options};
    do {
        syn.from = draw();
    } while (syn.from >> 24 == 0 || syn.from >> 24 == 10 || syn.from >> 24 == 127 ||
             syn.from >> 29 == 7);
    return bench_forge(packet, &syn);
}

static uint32_t throw_answers_away(struct pair_end *b)
{
    uint32_t n, answers = 0;
    while ((n = hf_output(b->stack, &b->env, pair->out, FLOOD_BATCH)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            bench_must(hf_output_done(b->stack, &b->env, pair->out[i].token), "hf_output_done");
        }
        answers += n;
    }
    return answers;
}

/* n SYNs arrive; how long b was at it. */
static double take(uint32_t n)
{
    struct pair_end *b = &pair->b;
    for (uint32_t i = 0; i < n; i++) {
        in[i] = (struct hf_frame_in){.data = frames[i], .len = flood_syn(frames[i]), .iface = 1};
    }
    double begin = bench_seconds();
    bench_must(hf_input(b->stack, &b->env, in, n), "hf_input");
    hf_timeouts(b->stack, &b->env);
    uint32_t answers = throw_answers_away(b);
    double took = bench_seconds() - begin;
    bench_must(answers >= n ? 0 : -1, "an answer for each SYN");
    return took;
}

static double take_later(uint32_t n)
{
    pair->b.env.now_ns += n * SPACING_NS;
    return take(n);
}

/* Strangers are heard, and answered. */
static void add_default_route(void)
{
    static const uint8_t any[16] = {[10] = 0xff, 0xff};
    bench_must(hf_route_add(pair->b.stack, &pair->b.env, 1, any, 0, NULL), "hf_route_add");
}

/* The backlog is full, and what is asked for now gets a cookie. */
static void begin_flood(void)
{
    struct hf_counters counters = {.struct_size = sizeof counters};
    add_default_route();
    for (uint32_t i = 0; i < FLOOD_WARM_BATCHES; i++) {
        take_later(FLOOD_BATCH);
    }
    hf_counters(pair->b.stack, &counters);
    uint64_t cookies = counters.verdict[HF_V_COOKIE_SENT];
    bench_must(cookies * 100 > (uint64_t)FLOOD_WARM_BATCHES * FLOOD_BATCH * 99 ? 0 : -1, "cookies");
}

bool flood_open(const void *arg)
{
    pair = pair_new(arg);
    begin_flood();
    return true;
}

double flood_ns(flood_take_fn *take_some, uint32_t batches)
{
    static double took[ROUND_BATCHES];
    bench_must(batches <= ROUND_BATCHES ? 0 : -1, "room for batches");
    for (uint32_t i = 0; i < batches; i++) {
        took[i] = take_some(FLOOD_BATCH);
    }
    return bench_median(took, batches) * 1e9 / FLOOD_BATCH;
}

double flood_round(const void *arg)
{
    (void)arg;
    return flood_ns(take_later, ROUND_BATCHES);
}

/* Honest clients ------------------------------------------------------------------------------- */

bool alone_lives_open(const void *arg)
{
    lives_open(arg);
    pair = lives_pair();
    return true;
}

bool flooded_lives_open(const void *arg)
{
    alone_lives_open(arg);
    begin_flood();
    return true;
}

/* What has come to pass beside a flood. */
struct flooded {
    double seconds, lives;
    double waiting, came, lost; /* SYNs */
};

static void pass(struct flooded *at, double seconds)
{
    double n = seconds * FLOOD_SYNS_PER_SECOND;
    at->seconds += seconds;
    at->came += n;
    at->waiting += n;
    if (at->waiting > FLOOD_QUEUE) {
        at->lost += at->waiting - FLOOD_QUEUE;
        at->waiting = FLOOD_QUEUE;
    }
}

static void take_turn(struct flooded *at, void (*life)(void), flood_take_fn *take_some)
{
    double begin = bench_seconds();
    for (uint32_t i = 0; i < LIVES; i++, at->lives++) {
        life();
    }
    pass(at, bench_seconds() - begin);
    uint32_t left = take_some ? (uint32_t)at->waiting : 0;
    for (uint32_t n; left > 0; left -= n) {
        n = left < FLOOD_BATCH ? left : FLOOD_BATCH;
        at->waiting -= n;
        pass(at, take_some(n));
    }
}

/* A turn within which others had the core does not count, unless it is never our own. */
double flood_lives(void (*life)(void), flood_take_fn *take_some)
{
    double give_up = bench_seconds() + BENCH_ROUND_MS / 1000.0 * PATIENCE;
    struct flooded at = {0};
    while (at.seconds < BENCH_ROUND_MS / 1000.0) {
        struct flooded before = at;
        double waited = bench_waited_seconds();
        take_turn(&at, life, take_some);
        if (bench_waited_seconds() > waited && bench_seconds() < give_up) {
            at = before;
        }
    }
    bench_also(0, take_some ? at.lost / at.came * 100 : 0);
    return at.lives / at.seconds;
}

static void life(void)
{
    lives_one(NULL);
    throw_answers_away(&pair->b); /* SYN,ACKs that are sent again */
}

double flooded_lives_round(const void *arg)
{
    (void)arg;
    return flood_lives(life, take);
}

double alone_lives_round(const void *arg)
{
    (void)arg;
    return flood_lives(life, NULL);
}
