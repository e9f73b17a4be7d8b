/* tcp_loss.h - for tests of loss: segments of one size, sent, acknowledged, sent again. */
#ifndef TCP_LOSS_H
#define TCP_LOSS_H

#include "tcp_block.h"

static const struct block_size usual = {
    .small = 4, .small_bytes = 64, .large = 20, .pieces = 4, .ranges = 300, .tokens = 4};

enum { FIRST = BENCH_ISS + 1, M = BENCH_MSS };

/* The number of the first octet of segment n = 1, 2, ... */
static inline uint32_t segment(uint32_t n)
{
    return FIRST + (n - 1) * M;
}

static inline struct active *queue_of(struct bench *t)
{
    return active_of(&t->tcp, t->tcb);
}

static inline void begin(struct bench *t, uint32_t flags)
{
    bench_begin(t, &usual);
    bench_connection(t, flags, 1, 60000);
    tcp_attach(&t->tcp, t->tcb);
}

static inline void queues(struct bench *t, uint32_t n)
{
    static const uint8_t text[100 * M];
    struct active *active = queue_of(t);
    assert_int_equal(
        tcp_chunk_append(&t->tcp, &active->sq_head, &active->sq_tail, text, n, CHUNK_TO_READ), n);
    active->sq_bytes += n;
}

/* n segments of new text, as output.c does it. */
static inline void sends(struct bench *t, uint32_t n)
{
    struct active *active = queue_of(t);
    queues(t, n * M);
    if (active->send.chunk == 0) {
        active->send.chunk = active->sq_head;
        active->send.skip = active->sq_skip;
    }
    seq_t left = t->tcb->snd.nxt;
    t->tcb->snd.nxt = seq_add(left, n * M);
    tcp_cursor_advance(&t->tcp, &active->send, n * M);
    tcp_sent_new(&t->tcp, t->tcb, left, M);
}

/* An ACK of all before segment `ack`; SACK blocks first .. last (segments), newest first. */
static inline void acks(struct bench *t, uint32_t ack, uint32_t n, const uint32_t blocks[][2])
{
    struct segment seg = {.seq = t->tcb->rcv.nxt,
                          .ack = seq(segment(ack)),
                          .ctl = ACK,
                          .wnd = t->tcb->snd.wnd,
                          .opt.n_sack = (uint8_t)n,
                          .opt.present = n ? OPT_SACK : 0};
    for (uint32_t i = 0; i < n; i++) {
        seg.opt.sack[i].left = seq(segment(blocks[i][0]));
        seg.opt.sack[i].right = seq(segment(blocks[i][1] + 1));
    }
    tcp_take_ack(&t->tcp, t->tcb, &seg, true);
}

static inline void acks_block(struct bench *t, uint32_t ack, uint32_t first, uint32_t last)
{
    acks(t, ack, 1, (const uint32_t[][2]){{first, last}});
}

/* Recovery sends segment n again, and only one segment. */
static inline void repeats(struct bench *t, uint32_t n)
{
    assert_int_equal(tcp_recovery_next(&t->tcp, t->tcb), M);
    assert_int_equal(queue_of(t)->rxt.at.v, segment(n));
    tcp_recovery_sent(&t->tcp, t->tcb, M);
}

static inline void repeats_nothing(struct bench *t)
{
    assert_int_equal(tcp_recovery_next(&t->tcp, t->tcb), 0);
}

static inline uint32_t allows(struct bench *t)
{
    return tcp_recovery_allows(&t->tcp, t->tcb);
}

#endif
