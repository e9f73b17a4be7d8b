/* fuzz_calls.c - user calls in any order, on two stacks whose frames a bad wire carries.
 *
 * The n-th octet of each stream is a function of n, whoever sends it: what is read must be that.
 * Along the way a stack may be frozen and go on from its snapshot, at another address.
 */
#include <stdlib.h>

#include "bench.h"

enum { HANDLES = 6, ON_WIRE = 32, WIRE_FRAME = 2048, SNAPSHOT_MAX = 1 << 19 };

struct side {
    struct bench b;
    hf_handle handle[HANDLES];
    uint32_t written[HANDLES];
};

struct frame {
    uint32_t len;
    uint8_t octets[WIRE_FRAME];
};

struct run {
    struct input in;
    struct side side[2];
    struct frame wire[2][ON_WIRE]; /* to side 0, to side 1 */
    uint32_t n[2];
};

static void sent(void *arg, const uint8_t *octets, uint32_t len, uint32_t iface)
{
    struct run *r = arg;
    uint32_t to = octets[0] >> 4 == 4 ? octets[19] : octets[39];
    if (iface != RAW || len > WIRE_FRAME || (to != 1 && to != 2) || r->n[to - 1] == ON_WIRE) {
        return;
    }
    struct frame *frame = &r->wire[to - 1][r->n[to - 1]++];
    frame->len = len;
    memcpy(frame->octets, octets, len);
}

/* One frame of the wire to a side, which stays on it when `again`. */
static void carry(struct run *r, int to, uint32_t which, bool lose, bool again)
{
    uint32_t n = r->n[to];
    if (n == 0) {
        return;
    }
    which %= n;
    if (!lose) {
        struct frame *frame = &r->wire[to][which];
        bench_deliver(&r->side[to].b, frame->octets, frame->len, RAW, 0);
    }
    if (!again) {
        memmove(&r->wire[to][which], &r->wire[to][which + 1],
                (n - which - 1) * sizeof(struct frame));
        r->n[to]--;
    }
}

static void carry_all(struct run *r)
{
    for (int i = 0; i < 100 && (r->n[0] || r->n[1]); i++) {
        for (int to = 0; to < 2; to++) {
            carry(r, to, 0, false, false);
            bench_drain(&r->side[to].b);
        }
    }
}

static void read_and_check(struct run *r, struct side *s, hf_handle handle)
{
    struct hf_status status = {.struct_size = sizeof status};
    uint8_t data[3000];
    if (hf_status(s->b.stack, &s->b.env, handle, &status) != HF_OK) {
        return;
    }
    uint32_t at = (uint32_t)status.bytes_received - status.unread_bytes;
    int64_t n = hf_recv(s->b.stack, &s->b.env, handle, data, 1 + take16(&r->in) % sizeof data);
    for (int64_t i = 0; i < n; i++) {
        must(data[i] == octet_at(at + (uint32_t)i), "an octet is read that was not sent there");
    }
}

static void write_some(struct run *r, struct side *s, int which)
{
    uint8_t data[5000];
    uint32_t n = take16(&r->in) % sizeof data;
    for (uint32_t i = 0; i < n; i++) {
        data[i] = octet_at(s->written[which] + i);
    }
    int64_t done = hf_send(s->b.stack, &s->b.env, s->handle[which], data, n, take8(&r->in) & 7);
    must(done <= (int64_t)n, "more octets are taken than given");
    s->written[which] += done > 0 ? (uint32_t)done : 0;
}

static void open_one(struct run *r, struct side *s, int which, uint8_t how)
{
    const struct bench *other = &r->side[s == &r->side[0]].b;
    struct hf_endpoint to = {.port = 80};
    struct hf_endpoint local = {.port = how & 8 ? 80 : 0};
    memcpy(to.ip, how & 1 ? other->own6 : other->own4, 16);
    if (how & 2) { /* to itself */
        memcpy(to.ip, s->b.own4, 16);
    }
    if (hf_open(s->b.stack, &s->b.env, how & 8 ? &local : NULL, &to, how & 4 ? take16(&r->in) : 0,
                &s->handle[which]) == HF_OK) {
        s->written[which] = 0;
    }
}

/* Frozen, and gone on with from a copy. */
static void freeze(struct side *s)
{
    static uint8_t snapshot[SNAPSHOT_MAX];
    int64_t len = hf_snapshot(s->b.stack, snapshot, sizeof snapshot);
    must(len > 0, "a stack cannot be frozen");
    static void *spare;
    uint64_t bytes = bench_bytes();
    spare = spare ? spare : aligned_alloc(64, bytes);
    must(hf_restore(spare, bytes, snapshot, (uint64_t)len) == HF_OK, "a snapshot cannot be read");
    must(hf_attach(spare, bytes) == HF_OK, "what was restored is no stack");
    memcpy(s->b.stack, spare, bytes);
}

static void accept_one(struct side *s, int which, bool held)
{
    struct bench *b = &s->b;
    hf_handle handle;
    if (held && hf_asked(b->stack, &b->env, s->handle[1], &handle, NULL, NULL) == HF_OK) {
        hf_answer(b->stack, &b->env, handle, HF_ANSWER_ACCEPT);
        s->handle[which] = handle;
        s->written[which] = 0;
    } else if (hf_accept(b->stack, &b->env, s->handle[0], &handle, NULL) == HF_OK) {
        s->handle[which] = handle;
        s->written[which] = 0;
    }
}

static void listen_again(struct side *s, uint8_t how)
{
    struct hf_listen listen = {.struct_size = sizeof listen,
                               .local = {.port = how & 1 ? 81 : 80},
                               .backlog = 1 + (how >> 1) % 4,
                               .hold = how & 1};
    hf_listen(s->b.stack, &s->b.env, &listen, &s->handle[how & 1]);
}

static void ask_about(struct side *s, hf_handle handle)
{
    struct hf_close_reason reason;
    struct hf_trace records[16];
    struct hf_event events[8];
    static uint8_t canonical[1 << 16];
    hf_close_reason(s->b.stack, handle, &reason);
    hf_history(s->b.stack, handle, records, 16);
    hf_events(s->b.stack, &s->b.env, events, 8);
    hf_canonical(s->b.stack, &s->b.env, canonical, sizeof canonical);
}

/* Not a listener's HF_MAX_SEGMENT: no record tells that its half-open connections, whose SYN,ACK
 * has told another one, go by the new one. */
static void set_option(struct run *r, struct bench *b, hf_handle handle, bool of_listener)
{
    enum hf_option option = (enum hf_option)(take8(&r->in) % HF_OPTIONS);
    int64_t value = (int16_t)take16(&r->in);
    if (!of_listener || option != HF_MAX_SEGMENT) {
        hf_set_option(b->stack, &b->env, handle, option, value);
    }
}

static void call(struct run *r)
{
    uint8_t what = take8(&r->in), how = take8(&r->in);
    struct side *s = &r->side[what >> 7];
    struct bench *b = &s->b;
    int which = 2 + how % (HANDLES - 2);
    hf_handle handle = s->handle[how & 128 ? how % 2 : which];
    switch (what % 16) {
    case 0:
    case 1:
        open_one(r, s, which, how >> 2);
        break;
    case 2:
        accept_one(s, which, how & 64);
        break;
    case 3:
        hf_close(b->stack, &b->env, handle);
        break;
    case 4:
        hf_abort(b->stack, &b->env, handle);
        break;
    case 5:
        hf_release(b->stack, &b->env, handle);
        break;
    case 6:
        set_option(r, b, handle, how & 128);
        break;
    case 7:
        listen_again(s, how >> 2);
        break;
    case 8:
        ask_about(s, handle);
        break;
    case 9:
        freeze(s);
        break;
    case 10:
    case 11:
    case 12:
        read_and_check(r, s, handle);
        break;
    default:
        write_some(r, s, which);
        break;
    }
}

static void one_step(struct run *r)
{
    uint8_t what = take8(&r->in);
    int to = what >> 7;
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        call(r);
        break;
    case 3:
        carry_all(r);
        break;
    case 4:
        carry(r, to, what >> 3, what & 64, false);
        break;
    case 5:
        carry(r, to, what >> 3, false, true);
        break;
    case 6:
        for (int i = 0; i < 2; i++) {
            bench_wait(&r->side[i].b, (int64_t)take8(&r->in) * (what & 8 ? 100000000 : 1000000));
        }
        break;
    default:
        break;
    }
    bench_drain(&r->side[0].b);
    bench_drain(&r->side[1].b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run first;
    static struct start start[2];
    static struct run r;
    for (uint8_t i = 0; i < 2 && start[i].stack == NULL; i++) {
        bench_make(&first.side[i].b, (uint8_t)(i + 1));
        listen_again(&first.side[i], 6);
        listen_again(&first.side[i], 7);
        start[i] = bench_start(&first.side[i].b);
    }
    r = first;
    for (int i = 0; i < 2; i++) {
        bench_begin(&r.side[i].b, &start[i]);
        r.side[i].b.sent = sent;
        r.side[i].b.arg = &r;
    }
    struct input all = {data, size};
    for (int steps = 0; steps < 200 && next_step(&all, &r.in); steps++) {
        one_step(&r);
    }
    for (int i = 0; i < 20; i++) {
        carry_all(&r);
        bench_finish(&r.side[i % 2].b, 3);
    }
    return 0;
}
