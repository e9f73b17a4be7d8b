/* worst.c - the dearest packets there are: what one of them touches beside n of something, counted
 * by the stack itself (hf_work), and how many instructions that takes (bench_steps).
 *
 * One packet goes in, and a frame that it owes out.  All is at b of a pair, from clients that are
 * none.  What n packets have made and one frees, record by record, is paid by these: then it is the
 * records for each that is freed.
 */
#include <handfast/check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "figures.h"
#include "forge.h"

enum {
    MOST = 100000,
    CLIENTS = 50000, /* of one address */
    GAP_NS = 2000,   /* between what leaves by itself */
    WARM = 300,
    HELD = 250,    /* stretches, a chunk each, that a receive buffer has room for */
    STEPPED = 100, /* of what frees all: it takes a while to count the rest */
    TRIES = 3
};

struct client {
    uint32_t from;
    uint16_t port;
    uint32_t seq, ack; /* what it sends next, and acknowledges */
    hf_handle handle;
};

static const struct pair_setup setup = {.connections = 1 << 17, .mtu = 1500, .msl_ms = 1};
static struct pair *pair;
static struct client client[MOST];
static uint8_t frame[FORGE_MAX];
static uint32_t frame_len;
static uint8_t sack[4 + 3 * 8] = {1, 1, 5, 2 + 3 * 8};

static uint32_t draw(uint32_t below)
{
    static uint64_t seed = 11479;
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((seed >> 33) * below >> 31);
}

static void put_in(void)
{
    struct pair_end *b = &pair->b;
    struct hf_frame_in in = {.data = frame, .len = frame_len, .iface = 1};
    bench_must(hf_input(b->stack, &b->env, &in, 1), "hf_input");
}

/* At most `most` frames; the first one is in pair->out[0]. */
static uint32_t take_out(uint32_t most)
{
    struct pair_end *b = &pair->b;
    uint32_t n = hf_output(b->stack, &b->env, pair->out, most);
    for (uint32_t i = 0; i < n; i++) {
        bench_must(hf_output_done(b->stack, &b->env, pair->out[i].token), "hf_output_done");
    }
    return n;
}

static void play(const struct forged *what)
{
    frame_len = bench_forge(frame, what);
    put_in();
}

static struct forged from(const struct client *c)
{
    return (struct forged){.from = c->from,
                           .port = c->port,
                           .seq = c->seq,
                           .ack = c->ack,
                           .ctl = FORGE_ACK,
                           .wnd = 65535};
}

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void open_client(uint32_t n)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 14};
    struct client *c = &client[n];
    *c = (struct client){.from = 0x0a000003 + n / CLIENTS,
                         .port = (uint16_t)(10000 + n % CLIENTS),
                         .seq = draw(UINT32_MAX)};
    struct forged syn = from(c);
    syn.ctl = FORGE_SYN;
    syn.options = options;
    syn.n_options = sizeof options;
    play(&syn);
    bench_must(take_out(PAIR_FRAMES) == 1 ? 0 : -1, "a SYN,ACK");
    c->ack = number_at(pair->out[0].header + 24) + 1;
    c->seq++;
    struct forged ack = from(c);
    play(&ack);
    bench_must(hf_accept(pair->b.stack, &pair->b.env, pair->b.listener, &c->handle, NULL),
               "hf_accept");
}

/* An octet leaves by itself, and is lost. */
static void say(struct client *c)
{
    struct pair_end *b = &pair->b;
    b->env.now_ns += GAP_NS;
    bench_must(hf_send(b->stack, &b->env, c->handle, "o", 1, 0), "hf_send");
    bench_must(take_out(PAIR_FRAMES) == 1 ? 0 : -1, "a segment for each octet");
}

/* What there is ------------------------------------------------------------------------------- */

static void begin(void)
{
    pair = pair_new(&setup);
    struct hf_policy policy = *hf_policy(pair->b.stack);
    policy.initial_cwnd = UINT16_MAX;
    bench_must(hf_set_policy(pair->b.stack, &pair->b.env, &policy), "hf_set_policy");
    pair->b.env.now_ns = 1000000000;
}

static void make_open(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        open_client(i);
    }
}

/* So many of n can have text in flight: an eighth of these records is kept for receiving. */
static uint32_t speakers(uint32_t n)
{
    uint32_t most = pair->b.config.max_active / 8 * 7;
    return n < most ? n : most;
}

/* Each with a retransmission timer of its own. */
static void make_timers(uint32_t n)
{
    for (uint32_t i = 0; i < speakers(n); i++) {
        open_client(i);
        say(&client[i]);
    }
}

static void make_sent(uint32_t n)
{
    open_client(0);
    bench_must(hf_set_option(pair->b.stack, &pair->b.env, client[0].handle, HF_NODELAY, 1),
               "HF_NODELAY");
    for (uint32_t i = 0; i < n; i++) {
        say(&client[0]);
    }
}

/* Blocks of one segment each, every second one, anywhere. */
static struct forged sack_of(uint32_t n)
{
    struct forged what = from(&client[0]);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t at = client[0].ack + 2 * draw(n / 2) + 1;
        for (uint32_t k = 0; k < 4; k++) {
            sack[4 + 8 * i + k] = (uint8_t)(at >> (24 - 8 * k));
            sack[8 + 8 * i + k] = (uint8_t)((at + 1) >> (24 - 8 * k));
        }
    }
    what.options = sack;
    what.n_options = sizeof sack;
    return what;
}

static void make_sacked(uint32_t n)
{
    make_sent(n);
    pair->b.env.now_ns += 100000000;
    for (uint32_t i = 0; i < WARM; i++) {
        struct forged what = sack_of(n);
        play(&what);
        take_out(1);
    }
}

static struct forged held_at(uint32_t offset)
{
    struct forged what = from(&client[0]);
    what.seq += offset;
    what.text = 1;
    return what;
}

/* Octets ahead of gaps of one octet each. */
static void make_held(uint32_t n)
{
    open_client(0);
    for (uint32_t i = 0; i < n; i++) {
        struct forged what = held_at(2 * i + 1);
        play(&what);
        take_out(1);
    }
}

/* Who comes ----------------------------------------------------------------------------------- */

static struct forged aim_text(uint32_t n)
{
    struct forged what = from(&client[draw(n)]);
    what.text = 1;
    return what;
}

static struct forged aim_nobody(uint32_t n)
{
    struct forged what = from(&client[0]);
    what.from = 0x0a0000f0;
    what.port = (uint16_t)(1024 + draw(n));
    return what;
}

static struct forged aim_ack(uint32_t n)
{
    struct forged what = from(&client[draw(speakers(n))]);
    what.ack++;
    return what;
}

static struct forged aim_held(uint32_t n)
{
    return held_at(2 * draw(n < HELD ? n : HELD) + 2); /* fills a gap: two stretches become one */
}

static struct forged aim_reset(uint32_t n)
{
    (void)n;
    struct forged what = from(&client[0]);
    what.ctl = FORGE_RST;
    return what;
}

static struct forged aim_all(uint32_t n)
{
    struct forged what = from(&client[0]);
    what.ack += n;
    return what;
}

/* What it costs ------------------------------------------------------------------------------- */

static const struct worst {
    const char *name;
    void (*make)(uint32_t n);
    struct forged (*aim)(uint32_t n);
    uint32_t tries, most;
    bool frees; /* n of them */
} worst[] = {
    {"lookup", make_open, aim_text, TRIES, MOST, false},
    {"lookup of none", make_open, aim_nobody, TRIES, MOST, false},
    {"timers", make_timers, aim_ack, TRIES, MOST, false},
    {"SACK", make_sacked, sack_of, TRIES, MOST, false},
    {"reassembly", make_held, aim_held, TRIES, MOST, false},
    {"freeing sent", make_sent, aim_reset, 1, MOST, false},
    {"freeing held", make_held, aim_reset, 1, MOST, true},
    {"ACK of all", make_sent, aim_all, 1, MOST, true},
};

static double touched(void)
{
    struct hf_work work = {.struct_size = sizeof work};
    bench_must(hf_work(pair->b.stack, &work), "hf_work");
    return (double)(work.records + work.lines + work.timers + work.entries + work.hashes);
}

static double kept(void)
{
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(pair->b.stack, &now);
    return (double)now.sent + now.ranges;
}

static void the_packet(void *unused)
{
    (void)unused;
    put_in();
    take_out(1);
}

/* The dearest of some tries beside n: instructions for each record, at most. */
static double measure(const struct worst *w, uint32_t n)
{
    char series[BENCH_SERIES_NAME];
    double records = 0, each = 0;
    begin();
    w->make(n);
    for (uint32_t i = 0; i < w->tries; i++) {
        struct forged what = w->aim(n);
        frame_len = bench_forge(frame, &what);
        double sent = kept(), before = touched(), steps = 0;
        if (w->frees && n > STEPPED) {
            the_packet(NULL);
        } else {
            steps = bench_steps(the_packet, NULL);
        }
        double now = touched() - before;
        each = fmax(each, steps / now);
        records = fmax(records, w->frees ? now / (sent - kept()) : now);
    }
    snprintf(series, sizeof series, "%s: records", w->name);
    bench_point(series, n, records);
    snprintf(series, sizeof series, "%s: instructions", w->name);
    if (each > 0) {
        bench_point(series, n, each);
    }
    return each;
}

bool worst_open(const void *arg)
{
    (void)arg;
    begin();
    struct hf_work work = {.struct_size = sizeof work};
    if (hf_work(pair->b.stack, &work) != HF_OK) {
        bench_note("built without assertions", "build/release/handfast counts");
        return false;
    }
    make_open(1); /* a first packet: functions of other libraries are looked for only once */
    struct forged first = aim_text(1);
    frame_len = bench_forge(frame, &first);
    bench_steps(the_packet, NULL);
    return true;
}

double worst_round(const void *arg)
{
    double most = 0;
    (void)arg;
    for (uint32_t i = 0; i < sizeof worst / sizeof worst[0]; i++) {
        for (uint32_t n = 10; n <= worst[i].most; n *= 10) {
            most = fmax(most, measure(&worst[i], n));
        }
    }
    return most;
}
