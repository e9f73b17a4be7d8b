/* stack_pair.h - two stacks joined by an IP link in memory, with a clock that the test moves. */
#ifndef STACK_PAIR_H
#define STACK_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "handfast/handfast.h"

enum { PAIR_PORT = 80, PAIR_FRAME_MAX = 4096, PAIR_BATCH = 8 };

struct side {
    struct hf_stack *stack;
    struct hf_env env;
    uint64_t bytes;
    uint8_t ip[16];
};

struct pair {
    struct side a, b;
    hf_handle listener, client, server; /* a listens, b connects */
};

static inline void pair_address(uint8_t ip[16], uint8_t host)
{
    static const uint8_t net[16] = {[10] = 0xff, 0xff, 192, 0, 2, 0};
    memcpy(ip, net, 16);
    ip[15] = host;
}

static inline void side_begin(struct side *s, const struct hf_config *config, uint8_t host,
                              int64_t now_ns)
{
    memset(s, 0, sizeof *s);
    s->bytes = hf_size(config);
    assert_true(s->bytes != 0);
    s->stack = aligned_alloc(64, s->bytes);
    assert_non_null(s->stack);
    if (s->bytes < 1 << 24) {
        memset(s->stack, 0xa5, s->bytes); /* nothing may rely on a block of zeros */
    }
    s->env = (struct hf_env){.struct_size = sizeof s->env, .now_ns = now_ns};
    struct hf_config seeded = *config;
    seeded.seed[15] |= 1; /* a seed of nothing is refused */
    assert_int_equal(hf_init(s->stack, s->bytes, &seeded, &s->env), HF_OK);
    struct hf_interface link = {.struct_size = sizeof link, .link = HF_LINK_IP, .mtu = 1500};
    assert_int_equal(hf_interface_add(s->stack, &s->env, &link), 1);
    pair_address(s->ip, host);
    assert_int_equal(hf_address_add(s->stack, &s->env, 1, s->ip, 24), HF_OK);
}

static inline void pair_begin_with(struct pair *p, const struct hf_config *config, uint8_t seed,
                                   int64_t now_ns)
{
    struct hf_config mine = *config;
    memset(p, 0, sizeof *p);
    memset(mine.seed, seed, sizeof mine.seed);
    side_begin(&p->a, &mine, 1, now_ns);
    memset(mine.seed, seed + 1, sizeof mine.seed);
    side_begin(&p->b, &mine, 2, now_ns);
}

static inline void pair_begin(struct pair *p)
{
    struct hf_config config;
    hf_config_default(&config, 2);
    pair_begin_with(p, &config, 7, 1000000000);
}

static inline void pair_end(struct pair *p)
{
    assert_int_equal(hf_attach(p->a.stack, p->a.bytes), HF_OK);
    assert_int_equal(hf_attach(p->b.stack, p->b.bytes), HF_OK);
    free(p->a.stack);
    free(p->b.stack);
}

static inline uint32_t flat(const struct hf_frame_out *frame, uint8_t *bytes)
{
    uint32_t len = frame->header_len;
    memcpy(bytes, frame->header, len);
    for (uint32_t i = 0; i < frame->n_slices; i++) {
        assert_true(len + frame->slice[i].len <= PAIR_FRAME_MAX);
        memcpy(bytes + len, frame->slice[i].data, frame->slice[i].len);
        len += frame->slice[i].len;
    }
    assert_int_equal(len, frame->len);
    return len;
}

/* What `from` owes goes to `to` (NULL: is lost); how many frames that was. */
static inline uint32_t carry(struct side *from, struct side *to)
{
    struct hf_frame_out frames[PAIR_BATCH];
    uint32_t total = 0, n;
    while ((n = hf_output(from->stack, &from->env, frames, PAIR_BATCH)) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            uint8_t bytes[PAIR_FRAME_MAX];
            struct hf_frame_in in = {.data = bytes, .len = flat(&frames[i], bytes), .iface = 1};
            assert_int_equal(hf_output_done(from->stack, &from->env, frames[i].token), HF_OK);
            if (to != NULL) {
                assert_int_equal(hf_input(to->stack, &to->env, &in, 1), 0);
            }
        }
        total += n;
    }
    return total;
}

static inline void exchange(struct pair *p)
{
    while (carry(&p->a, &p->b) + carry(&p->b, &p->a) != 0) {
    }
}

/* Time passes, timers fire, frames cross. */
static inline void after(struct pair *p, uint32_t ms)
{
    int64_t until_ns = p->a.env.now_ns + (int64_t)ms * 1000000;
    for (;;) {
        exchange(p);
        int64_t next_ns = hf_deadline(p->a.stack, &p->a.env);
        int64_t other_ns = hf_deadline(p->b.stack, &p->b.env);
        next_ns = next_ns < other_ns ? next_ns : other_ns;
        bool last = next_ns >= until_ns;
        p->a.env.now_ns = p->b.env.now_ns = last ? until_ns : next_ns;
        hf_timeouts(p->a.stack, &p->a.env);
        hf_timeouts(p->b.stack, &p->b.env);
        if (last) {
            exchange(p);
            return;
        }
    }
}

static inline hf_handle listen_on(struct side *s, uint16_t port)
{
    struct hf_listen listen = {.struct_size = sizeof listen, .local = {.port = port}, .backlog = 4};
    hf_handle handle = 0;
    assert_int_equal(hf_listen(s->stack, &s->env, &listen, &handle), HF_OK);
    assert_true(handle != 0);
    return handle;
}

static inline hf_handle open_to(struct side *from, const struct side *to, uint16_t port)
{
    struct hf_endpoint remote = {.port = port};
    memcpy(remote.ip, to->ip, 16);
    hf_handle handle = 0;
    assert_int_equal(hf_open(from->stack, &from->env, NULL, &remote, 0, &handle), HF_OK);
    assert_true(handle != 0);
    return handle;
}

static inline void connect_pair(struct pair *p)
{
    p->listener = listen_on(&p->a, PAIR_PORT);
    p->client = open_to(&p->b, &p->a, PAIR_PORT);
    exchange(p);
    assert_int_equal(hf_accept(p->a.stack, &p->a.env, p->listener, &p->server, NULL), HF_OK);
}

static inline void send_all(struct side *s, hf_handle handle, const void *data, uint64_t len)
{
    assert_int_equal(hf_send(s->stack, &s->env, handle, data, len, 0), len);
}

static inline void receives(struct side *s, hf_handle handle, const void *data, uint64_t len)
{
    uint8_t got[PAIR_FRAME_MAX];
    assert_true(len <= sizeof got);
    assert_int_equal(hf_recv(s->stack, &s->env, handle, got, sizeof got), len);
    assert_memory_equal(got, data, len);
}

static inline int state_of(const struct side *s, hf_handle handle)
{
    struct hf_status status = {.struct_size = sizeof status};
    int error = hf_status(s->stack, &s->env, handle, &status);
    return error == HF_OK ? status.state : error;
}

/* The bits of all events of a handle that are there now; those of others are lost. */
static inline uint32_t events_of(struct side *s, hf_handle handle)
{
    struct hf_event event;
    uint32_t bits = 0;
    while (hf_events(s->stack, &s->env, &event, 1) == 1) {
        bits |= event.handle == handle ? event.bits : 0;
    }
    return bits;
}

#endif
