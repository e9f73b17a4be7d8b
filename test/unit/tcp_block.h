/* tcp_block.h - what the tests of src/tcp share: a block of a few records, one open connection. */
#ifndef UNIT_TCP_BLOCK_H
#define UNIT_TCP_BLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcp/recovery.h"

struct block_size {
    uint32_t small, small_bytes, large, pieces, ranges, tokens, history, sents;
};

/* One call's view, and all it looks at. */
struct bench {
    struct tcp tcp;
    struct hf_env env;
    struct hf_region region;
    struct tcp_block *b;
    struct tcb *tcb;
};

enum { BENCH_MSS = 1000, BENCH_ISS = 5000, BENCH_RECORDS = 8 };

static inline uint64_t bench_place(uint64_t *at, uint64_t bytes)
{
    uint64_t offset = *at;
    *at += (bytes + 63) / 64 * 64;
    return offset;
}

static inline void bench_pool(struct pool *pool, uint64_t *at, uint32_t size, uint32_t max)
{
    pool_init(pool, bench_place(at, (uint64_t)size * max), size, max);
}

static inline uint64_t bench_lay_out(struct tcp_block *b, const struct block_size *size)
{
    uint64_t at = bench_place(&(uint64_t){0}, 0);
    bench_place(&at, sizeof *b);
    bench_pool(&b->tcbs, &at, sizeof(struct tcb), BENCH_RECORDS);
    bench_pool(&b->actives, &at, sizeof(struct active), BENCH_RECORDS);
    bench_pool(&b->exts, &at, sizeof(struct ext6), BENCH_RECORDS);
    bench_pool(&b->ranges, &at, sizeof(struct range), size->ranges);
    bench_pool(&b->sents, &at, sizeof(struct sent), size->sents ? size->sents : 400);
    bench_pool(&b->small, &at, sizeof(struct chunk), size->small);
    bench_pool(&b->large, &at, sizeof(struct chunk), size->large);
    bench_pool(&b->pieces, &at, sizeof(struct chunk), size->pieces);
    bench_pool(&b->lents, &at, sizeof(struct lent), size->pieces);
    b->tally_offset = bench_place(&at, sizeof(struct tally) * BENCH_RECORDS);
    b->small_bytes = size->small_bytes;
    b->small_offset = bench_place(&at, (uint64_t)size->small * size->small_bytes);
    b->large_offset = bench_place(&at, (uint64_t)size->large * 16384);
    b->max_tokens = size->tokens;
    b->done_offset = bench_place(&at, size->tokens / 8 + 8);
    b->history_size = size->history;
    b->history_offset = bench_place(&at, size->history * sizeof(struct history_event));
    b->secret_offset = bench_place(&at, sizeof(struct tcp_secret));
    b->wheel.slot_offset = bench_place(&at, WHEEL_BYTES(WHEEL_BITS_MAX));
    b->flows.max_entries = BENCH_RECORDS;
    b->flows.bucket_offset = bench_place(&at, flowtab_bytes(BENCH_RECORDS));
    return at;
}

static inline struct hf_policy bench_policy(void)
{
    return (struct hf_policy){
        .rto_min_ms = 200,
        .rto_max_ms = 120000,
        .rto_initial_ms = 1000,
        .ack_delay_ms = 40,
        .initial_cwnd = 10,
        .slow_start_l = 8,
        .port_first = 32768,
        .port_last = 60999,
        .dupthresh = 3,
        .slow_start_after_idle = true,
    };
}

static inline void bench_time(struct bench *t, uint32_t now_ms)
{
    t->env.now_ns = (int64_t)now_ms * 1000000;
    t->tcp.now_ms = now_ms;
    t->tcp.now_us = now_ms * 1000;
}

/* ESTABLISHED, nothing in flight; the peer's first octet has number rcv_nxt. */
static inline struct tcb *bench_connection(struct bench *t, uint32_t flags, uint32_t rcv_nxt,
                                           uint32_t rcv_buf)
{
    struct tcb *tcb = tcb_at(&t->tcp, pool_alloc(&t->b->tcbs, t->tcp.block));
    memset(tcb, 0, sizeof *tcb);
    memset(tally_of(&t->tcp, tcb), 0, sizeof(struct tally));
    tcb->generation = 7;
    tcb->state = HF_ESTABLISHED;
    tcb->flags = flags;
    tcb->iss = seq(BENCH_ISS);
    tcb->snd.una = tcb->snd.nxt = seq(BENCH_ISS + 1);
    tcb->snd.wnd = tcb->max_snd_wnd = 1000000;
    tcb->irs = seq(rcv_nxt - 1);
    tcb->rcv.nxt = tcb->last_ack_sent = seq(rcv_nxt);
    tcb->rcv.wnd = tcb->rcv_buf = rcv_buf;
    tcb->snd_buf = 1000000;
    tcb->pmtu = 1500;
    tcb->snd_mss = tcb->peer_mss = tcb->rcv_mss = BENCH_MSS;
    tcb->cwnd = 10 * BENCH_MSS;
    tcb->ssthresh = UINT32_MAX;
    t->tcb = tcb;
    return tcb;
}

static inline void bench_begin(struct bench *t, const struct block_size *size)
{
    struct tcp_block sketch = {0};
    uint64_t bytes = bench_lay_out(&sketch, size);
    memset(t, 0, sizeof *t);
    t->b = aligned_alloc(64, bytes);
    assert_non_null(t->b);
    memset(t->b, 0xa5, bytes); /* nothing may rely on a block of zeros */
    memset((uint8_t *)t->b + sketch.secret_offset, 0, sizeof(struct tcp_secret));
    *t->b = sketch;
    t->b->policy = bench_policy();
    t->b->next_token = t->b->done_token = 1;
    tcp_look_at(&t->tcp, t->b, t->b);
    t->tcp.env = &t->env;
    t->env.struct_size = sizeof t->env;
    t->env.regions = &t->region;
    flowtab_init(&t->b->flows, t->b, sketch.flows.bucket_offset, BENCH_RECORDS);
    wheel_init(&t->b->wheel, t->b, sketch.wheel.slot_offset, WHEEL_BITS_MAX, 0);
    bench_time(t, 1000);
}

static inline void bench_region(struct bench *t, uint8_t *base, uint64_t bytes)
{
    t->region = (struct hf_region){base, bytes};
    t->env.n_regions = 1;
}

static inline void bench_end(struct bench *t)
{
    free(t->b);
}

static inline uint32_t bench_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(*seed >> 8) * below >> 24);
}

#endif
