/* pair_bulk.c - one connection of ours that carries as much as it can. */
#include "figures.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = PAIR_TEXT, SLICES = 64, SUMMED = 1460, ROOF_BYTES = CHUNK };

static struct pair *pair;
static hf_handle sender, receiver;
static char chunk[CHUNK];

bool bulk_open(const void *arg)
{
    pair = pair_new(arg);
    pair_connect(pair, PAIR_PORT, &sender, &receiver);
    return true;
}

/* A chunk, or what of it the send buffer takes: what was just copied is still in the cache when it
 * is copied on.  What is not copied may as well fill the buffer. */
static void send_some(void)
{
    struct pair_end *a = &pair->a;
    if (!pair->setup.lent) {
        hf_send(a->stack, &a->env, sender, chunk, CHUNK, 0);
        return;
    }
    uint64_t tokens[PAIR_FRAMES];
    while (hf_returned(a->stack, &a->env, tokens, PAIR_FRAMES) > 0) {
    }
    while (hf_send_borrowed(a->stack, &a->env, sender, 1, 0, CHUNK, 0, 0) > 0) {
    }
}

/* All that is there; how much it was. */
static int64_t receive_all(void)
{
    struct pair_end *b = &pair->b;
    int64_t all = 0, n;
    if (!pair->setup.lent) {
        while ((n = hf_recv(b->stack, &b->env, receiver, chunk, CHUNK)) > 0) {
            all += n;
        }
        return all;
    }
    struct hf_slice slices[SLICES];
    int got;
    while ((got = hf_recv_slices(b->stack, &b->env, receiver, slices, SLICES)) > 0) {
        uint64_t len = 0;
        for (int i = 0; i < got; i++) {
            len += slices[i].len;
        }
        bench_must(hf_recv_consume(b->stack, &b->env, receiver, len), "hf_recv_consume");
        all += (int64_t)len;
    }
    pair_returned(pair);
    return all;
}

double bulk_round(const void *arg)
{
    (void)arg;
    double begin = bench_seconds(), took, octets = 0;
    do {
        uint32_t frames;
        send_some();
        pair_tick(pair);
        do {
            frames = pair_carry(pair, &pair->a, &pair->b);
            octets += (double)receive_all();
            frames += pair_carry(pair, &pair->b, &pair->a);
        } while (frames > 0);
        hf_timeouts(pair->a.stack, &pair->a.env);
        hf_timeouts(pair->b.stack, &pair->b.env);
        took = bench_seconds() - begin;
    } while (took < BENCH_ROUND_MS / 1000.0);
    return octets / took / 1e9;
}

/* What no stack can beat: each octet of a segment copied in, onto the wire and out, and summed
 * twice, a chunk at a time, by the C library and by a loop that the compiler makes vectors of, as
 * wide as the processor has them. */
#if defined __x86_64__ && !defined __clang__ /* TSan there would watch what chooses the clone */
__attribute__((target_clones("avx2", "default"), optimize("O3")))
#endif
static uint32_t
sum_of(const uint32_t *words, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += words[i];
    }
    return (uint32_t)(sum + (sum >> 32));
}

double roofline_round(const void *arg)
{
    (void)arg;
    static uint32_t memory[4][ROOF_BYTES / 4];
    enum { WORDS = SUMMED / 4, TURNS = ROOF_BYTES / SUMMED };
    double begin = bench_seconds(), took, octets = 0;
    uint32_t sums = 0;
    do {
        for (unsigned i = 0; i < TURNS; i++) {
            size_t at = (size_t)i * WORDS;
            memcpy(memory[1] + at, memory[0] + at, SUMMED);
            sums += sum_of(memory[1] + at, WORDS);
            memcpy(memory[2] + at, memory[1] + at, SUMMED);
            sums += sum_of(memory[2] + at, WORDS);
            memcpy(memory[3] + at, memory[2] + at, SUMMED);
        }
        octets += (double)TURNS * SUMMED;
        took = bench_seconds() - begin;
    } while (took < BENCH_ROUND_MS / 1000.0);
    memory[0][0] = sums & 1; /* they count */
    return octets / took / 1e9;
}
