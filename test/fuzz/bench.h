/* bench.h - what the fuzz targets share: stacks to start from, the input's octets, frames in and
 * out, and what must hold after each of them.
 *
 * Each run begins with a copy of the same stack.  All trace records go to the oracle, all frames
 * that leave are read back: a broken rule or a frame that nobody could read ends the process.
 */
#ifndef FUZZ_BENCH_H
#define FUZZ_BENCH_H

#include "base/bytes.h"
#include "handfast/handfast.h"
#include "handfast/oracle.h"
#include "wire/wire.h"

enum { FRAME_MAX = 4096, RAW = 1, ETHERNET = 2 }; /* the two interfaces */
#define BENCH_PEER4 10, 0, 0, 2                   /* a host of RAW's network */
enum { ASKED_MAX = 8 }; /* frames that are taken at once: each may ask for somebody */

struct input {
    const uint8_t *p;
    size_t left;
};

struct bench {
    struct input in;
    struct hf_stack *stack;
    struct hf_oracle *oracle;
    struct hf_env env;
    uint8_t own4[16], own6[16];   /* on RAW: 10.0.0.n/24, fd00::n/64      */
    uint8_t link4[16], link6[16]; /* on ETHERNET: 10.9.0.n/24, fe80::n/64 */
    uint8_t mac[6];
    void (*sent)(void *arg, const uint8_t *frame, uint32_t len, uint32_t iface); /* or NULL */
    void *arg;
    uint32_t arrived; /* frames since what is owed was sent last */
    uint64_t missed;  /* resets that were due and did not come   */
    bool lan;         /* who is asked for on ETHERNET answers, so that connections open there */
    uint32_t n_asked;
    uint8_t asked[ASKED_MAX][16]; /* whom the frames of this batch ask for */
};

/* What a bench is at the start of each run. */
struct start {
    struct bench bench;
    void *stack, *oracle;
};

/* What a target does with an input; the first member of its run is a struct bench. */
struct target {
    size_t bytes;              /* of a run                                                   */
    void (*set_up)(void *run); /* once: each run begins as a copy of that                    */
    void (*step)(void *run);   /* one thing that the input asks for                          */
    int steps, timers;         /* how many at most; how many timers fire after the last step */
    bool framed;               /* each step has its length before it: steps.c moves them     */
};

uint8_t take8(struct input *in); /* 0 when nothing is left */
uint16_t take16(struct input *in);
uint32_t take32(struct input *in);
/* The octets of the next step, behind their length; false: there is none. */
bool next_step(struct input *in, struct input *step);
/* A length of two octets, and as many as that says and are there. */
size_t take_bytes(struct input *in, uint8_t *out, size_t room);

/* Another policy for each number. */
void draw_policy(struct hf_policy *policy, uint32_t number);
/* A stack as the n-th host, with both interfaces, for a few connections; HF_FUZZ_POLICY=N: its
 * policy is the N-th. */
void bench_make(struct bench *b, uint8_t n);
uint64_t bench_bytes(void); /* of its stack */
/* Its state of now is what runs begin with. */
struct start bench_start(const struct bench *b);
void bench_begin(struct bench *b, const struct start *start);

/* After a batch of them sends what is owed: more answers than there are places for would be
 * dropped, of which the oracle does not know. */
void bench_deliver(struct bench *b, const uint8_t *frame, size_t len, uint32_t iface,
                   uint16_t flags);
/* Sends all that is owed. */
void bench_drain(struct bench *b);
/* Plays an input; returns the run, which lasts until the next. */
void *bench_play(const struct target *target, const uint8_t *data, size_t size);
/* Goes from timer to timer, and sends what each owes. */
void bench_wait(struct bench *b, int64_t ns);
/* Sends, and goes from timer to timer, `most` of them. */
void bench_finish(struct bench *b, int most);

/* The octet of any stream at this number, so that what is read can be checked. */
uint8_t octet_at(uint32_t number);
/* Ends the process with a sentence. */
void must(bool holds, const char *what);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
