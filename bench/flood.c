/* flood.c - a SYN flood at b of a pair: ever new addresses, as RFC 4987 section 2 has it.
 *
 * What is timed is the stack alone: a batch of SYNs in, timers, their SYN,ACKs out.  Making the
 * SYNs and throwing the answers away is not.
 */
#include <stdlib.h>

#include "figures.h"
#include "forge.h"

enum {
    BATCH = PAIR_FRAMES,
    SYNS_PER_SECOND = 1000000,
    SPACING_NS = 1000000000 / SYNS_PER_SECOND,
    WARM_BATCHES = 2000,
    ROUND_BATCHES = 8000,
    LIVES = 16,
};

/* As Linux has them: mss 1460, sackOK, timestamps, nop, wscale 7. */
static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7};

static uint8_t frames[BATCH][FORGE_MAX];
static struct hf_frame_in in[BATCH];
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
static uint32_t put_syn(uint8_t *frame)
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
    return bench_forge(frame, &syn);
}

static uint32_t throw_answers_away(struct pair_end *b)
{
    uint32_t n, answers = 0;
    while ((n = hf_output(b->stack, &b->env, pair->out, BATCH)) > 0) {
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
        in[i] = (struct hf_frame_in){.data = frames[i], .len = put_syn(frames[i]), .iface = 1};
    }
    double begin = bench_seconds();
    bench_must(hf_input(b->stack, &b->env, in, n), "hf_input");
    hf_timeouts(b->stack, &b->env);
    uint32_t answers = throw_answers_away(b);
    double took = bench_seconds() - begin;
    bench_must(answers >= n ? 0 : -1, "an answer for each SYN");
    return took;
}

static double take_batches(uint32_t batches)
{
    double took = 0;
    for (uint32_t i = 0; i < batches; i++) {
        pair->b.env.now_ns += BATCH * SPACING_NS;
        took += take(BATCH);
    }
    return took;
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
    take_batches(WARM_BATCHES);
    hf_counters(pair->b.stack, &counters);
    uint64_t cookies = counters.verdict[HF_V_COOKIE_SENT];
    bench_must(cookies * 100 > (uint64_t)WARM_BATCHES * BATCH * 99 ? 0 : -1, "cookies");
}

bool flood_open(const void *arg)
{
    pair = pair_new(arg);
    begin_flood();
    return true;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The middle one of many batches: others run on this processor, too. */
double flood_round(const void *arg)
{
    static double took[ROUND_BATCHES];
    (void)arg;
    for (uint32_t i = 0; i < ROUND_BATCHES; i++) {
        took[i] = take_batches(1);
    }
    qsort(took, ROUND_BATCHES, sizeof took[0], by_time);
    return took[ROUND_BATCHES / 2] * 1e9 / BATCH;
}

/* Honest clients ------------------------------------------------------------------------------- */

bool flooded_lives_open(const void *arg)
{
    lives_open(arg);
    pair = lives_pair();
    begin_flood();
    return true;
}

/* A few lives, then the SYNs that have come while these and the SYNs before them were served. */
double flooded_lives_round(const void *arg)
{
    double served = 0, due = 0, lives = 0;
    (void)arg;
    while (served < BENCH_ROUND_MS / 1000.0) {
        double begin = bench_seconds();
        for (uint32_t i = 0; i < LIVES; i++) {
            lives_one(NULL);
            throw_answers_away(&pair->b); /* SYN,ACKs that are sent again */
        }
        double took = bench_seconds() - begin;
        lives += LIVES;
        due += took * SYNS_PER_SECOND;
        while (due >= 1) {
            uint32_t n = due < BATCH ? (uint32_t)due : BATCH;
            double syns = take(n);
            took += syns;
            due += syns * SYNS_PER_SECOND - n;
        }
        served += took;
    }
    return lives / served;
}
