/* Two stacks with a wire between them, twice: what both pairs live through, and the wire's dice. */
#ifndef STACK_TWINS_H
#define STACK_TWINS_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "handfast/handfast.h"
#include "wire/wire.h"

enum {
    FRAME_MOST = 9300,
    QUEUE = 512,
    PAST = 32, /* frames that may be repeated */
    WORLDS = 2,
    SIDES = 2
};

struct frame {
    uint32_t len;
    uint16_t flags;
    uint8_t bytes[FRAME_MOST];
};

struct wire {
    struct frame *frame[QUEUE];
    uint32_t n;
    struct frame *past[PAST];
    uint32_t gone; /* frames that were among the past */
};

struct side {
    struct hf_stack *stack[WORLDS];
    struct hf_env env[WORLDS];
    hf_handle handle[WORLDS], listener[WORLDS];
    uint64_t bytes;
    struct wire in; /* frames to it */
    uint8_t ip[16];
};

struct twins {
    struct side side[SIDES];
    uint64_t dice;
    uint32_t seed;
    int64_t now_ns;
    bool ethernet, v6;
    uint32_t lose, damage, overtake; /* each: one frame of so many, 0: none */
    uint32_t lie;                    /* ... promises a window that the receiver does not have */
    uint32_t repeat, forge;          /* ... comes again later; has something else in its header */
    uint32_t aged, age;              /* so many of the next are older than they are, in its clock */
    uint64_t texts[SIDES], received;
};

static inline uint32_t below(struct twins *t, uint32_t n)
{
    t->dice += 0x9e3779b97f4a7c15u;
    uint64_t x = t->dice;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((x ^ (x >> 31)) >> 32) * n >> 32);
}

static inline bool one_in(struct twins *t, uint32_t n)
{
    return n != 0 && below(t, n) == 0;
}

static inline uint32_t tcp_at(const struct twins *t)
{
    return (t->ethernet ? 14 : 0) + (t->v6 ? 40 : 20);
}

/* NULL: it has none. */
static inline uint8_t *timestamps_of(struct twins *t, struct frame *frame)
{
    uint8_t *tcp = frame->bytes + tcp_at(t);
    if (frame->len < tcp_at(t) + 20) {
        return NULL; /* ARP */
    }
    uint32_t room = min_u32((tcp[12] >> 4) * 4u, frame->len - tcp_at(t));
    for (uint32_t i = 20; i + 10 <= room; i++) {
        if (tcp[i] == 8 && tcp[i + 1] == 10) {
            return tcp + i;
        }
    }
    return NULL;
}

static inline void older(struct twins *t, struct frame *frame, uint32_t age)
{
    uint8_t *option = timestamps_of(t, frame);
    if (option) {
        put_be32(option + 2, get_be32(option + 2) - age);
        frame->flags = HF_FRAME_CSUM_OK;
    }
}

static inline void other_timestamps(struct twins *t, struct frame *frame)
{
    uint8_t *option = timestamps_of(t, frame);
    if (option == NULL) {
        return;
    }
    if (one_in(t, 2)) {
        memset(option, 1, 10); /* none */
    } else {
        put_be32(option + 6, get_be32(option + 6) + below(t, 6000) - 3000);
    }
}

/* One that says something else, with a checksum that is right. */
static inline void forge(struct twins *t, struct frame *frame)
{
    uint8_t *tcp = frame->bytes + tcp_at(t);
    if (frame->len < tcp_at(t) + 20) {
        return; /* ARP */
    }
    frame->flags = HF_FRAME_CSUM_OK;
    switch (below(t, 6)) {
    case 0:
        put_be32(tcp + 4, get_be32(tcp + 4) + below(t, 6000) - 3000);
        break;
    case 1:
        put_be32(tcp + 8, get_be32(tcp + 8) + below(t, 6000) - 3000);
        break;
    case 2:
        tcp[13] ^= (uint8_t)(1u << below(t, 8));
        break;
    case 3:
        put_be16(tcp + 14, (uint16_t)below(t, 3));
        break;
    default:
        other_timestamps(t, frame);
    }
}

static inline struct frame *copy_of(const struct frame *frame)
{
    struct frame *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    copy->len = frame->len;
    copy->flags = frame->flags;
    memcpy(copy->bytes, frame->bytes, frame->len);
    return copy;
}

static inline void append(struct twins *t, struct wire *wire, struct frame *frame)
{
    if (wire->n == QUEUE) {
        free(frame);
        return;
    }
    wire->frame[wire->n++] = frame;
    if (wire->n > 1 && one_in(t, t->overtake)) {
        uint32_t other = below(t, wire->n - 1);
        wire->frame[wire->n - 1] = wire->frame[other];
        wire->frame[other] = frame;
    }
}

/* What went over the wire comes once more, among what comes now. */
static inline void repeat(struct twins *t, struct wire *wire, const struct frame *now)
{
    uint32_t since = below(t, one_in(t, 2) ? 3 : PAST);
    const struct frame *old = wire->past[(wire->gone - 1 - since) % PAST];
    if (old && one_in(t, t->repeat)) {
        struct frame *again = copy_of(old);
        t->aged = below(t, 6);
        t->age = 1 + below(t, 3000);
        if (t->aged) {
            older(t, again, t->age);
        }
        append(t, wire, again);
    }
    struct frame **place = &wire->past[wire->gone++ % PAST];
    free(*place);
    *place = copy_of(now);
}

static inline void put_on_wire(struct twins *t, struct wire *wire, const uint8_t *bytes,
                               uint32_t len, bool checked)
{
    if (wire->n == QUEUE || one_in(t, t->lose)) {
        return;
    }
    struct frame *frame = malloc(sizeof *frame);
    assert_non_null(frame);
    frame->len = len;
    frame->flags = checked ? HF_FRAME_CSUM_OK : 0;
    memcpy(frame->bytes, bytes, len);
    if (!checked && one_in(t, t->damage)) {
        frame->bytes[below(t, len)] ^= (uint8_t)(1u << below(t, 8));
    }
    if (one_in(t, t->damage)) { /* the IP header: no device checks it for us */
        uint32_t at = (t->ethernet ? 14 : 0) + below(t, t->v6 ? 40 : 20);
        frame->bytes[at] ^= (uint8_t)(1u << below(t, 8));
    }
    if (one_in(t, t->lie)) {
        put_be16(frame->bytes + tcp_at(t) + 14, UINT16_MAX);
        frame->flags = HF_FRAME_CSUM_OK;
    }
    if (t->repeat) {
        repeat(t, wire, frame);
    }
    if (t->aged) {
        t->aged--;
        older(t, frame, t->age);
    }
    if (one_in(t, t->forge)) {
        forge(t, frame);
    }
    append(t, wire, frame);
}

#endif
