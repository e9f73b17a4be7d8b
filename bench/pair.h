/* pair.h - two stacks of ours joined in memory: both ends of each connection on one core. */
#ifndef HANDFAST_BENCH_PAIR_H
#define HANDFAST_BENCH_PAIR_H

#include <handfast/handfast.h>

enum { PAIR_PORT = 4000, PAIR_FRAMES = 64, PAIR_TEXT = 1 << 16 };

struct pair_setup {
    uint32_t connections; /* room for so many at either end */
    uint32_t mtu, offload;
    uint32_t msl_ms;
    uint16_t ports;         /* that listen, PAIR_PORT and up; 0 as 1 */
    bool plain;             /* without timestamps and SACK */
    bool lent;              /* text is borrowed when sent, frames are lent when received */
    bool v6;                /* addresses of IPv6 */
    bool huge;              /* huge pages, where the system has them */
    int64_t step_ns;        /* the clock goes on by this with each life; 0: it is the real one */
    uint32_t shard, shards; /* each connection's flow belongs to this one of so many; or 0 */
    uint32_t idle, waiting; /* connections that stand beside: ESTABLISHED, TIME-WAIT */
};

struct pair_end {
    struct hf_stack *stack;
    struct hf_env env;
    struct hf_config config;
    struct hf_endpoint at;
    hf_handle listener;
    struct hf_region region; /* a: text to borrow; b: frames lent to it */
    uint8_t *wire;           /* copies of what it sent, frame_max octets each */
    uint32_t frame_max;
};

struct pair {
    struct pair_setup setup;
    struct pair_end a, b; /* a opens, b listens */
    struct hf_frame_out out[PAIR_FRAMES];
    uint32_t slot[PAIR_FRAMES], slots; /* of a's wire that are free, when frames are lent */
};

/* A contender's is never freed: it ends with its process. */
struct pair *pair_new(const struct pair_setup *setup);
void pair_free(struct pair *pair);
/* What `from` owes is copied once, as over a wire, and given to `to`: how many frames. */
uint32_t pair_carry(struct pair *pair, struct pair_end *from, struct pair_end *to);
/* Frames, events left alone, until nobody owes any; then timers. */
void pair_settle(struct pair *pair);
/* What `from` owes is lost. */
void pair_lose(struct pair *pair, struct pair_end *from);
/* An open connection: its two handles. */
void pair_connect(struct pair *pair, uint16_t port, hf_handle *a, hf_handle *b);
/* Frees what b has done with of the frames lent to it. */
void pair_returned(struct pair *pair);
/* Moves the time of both ends. */
void pair_tick(struct pair *pair);

#endif
