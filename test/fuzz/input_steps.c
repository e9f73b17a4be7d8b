/* input_steps.c - steps of fuzz_input as honest peers and applications take them, in its format:
 * octets changed at random seldom are a whole segment that makes sense.
 */
#include <string.h>

#include "bench.h"
#include "steps.h"

enum { SEGMENT = 2, PACKET = 1, WAIT = 5, WAIT_LONG = 13, CALL = 6, DRAIN = 7 }; /* take_one */
enum { SEND = 0, RECV = 1, RELEASE = 4, ASK = 6, SET_OPTION = 8, CALLS = 12 };   /* call */

static const uint8_t opening[] = {2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0};
static const uint8_t user_timeout[] = {28, 4, 0, 0};
static const uint8_t marks[] = {172, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0};
static const uint8_t cookie[] = {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};
static const uint8_t timestamps[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};

static const struct {
    const uint8_t *octets;
    uint8_t len;
} lists[] = {
    {opening, sizeof opening}, {user_timeout, sizeof user_timeout}, {marks, sizeof marks},
    {cookie, sizeof cookie},   {timestamps, sizeof timestamps},
};

static uint16_t one_of(unsigned *seed, const uint16_t *numbers, unsigned n)
{
    return numbers[draw_below(seed, n)];
}

#define ONE_OF(seed, ...)                                                                          \
    one_of(seed, (const uint16_t[]){__VA_ARGS__},                                                  \
           sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

/* Mostly none; else some octets, or segments, before or behind. */
static uint16_t offset(unsigned *seed)
{
    uint16_t by = ONE_OF(seed, 0, 0, 0, 0, 0, 1, 100, 511, 1460, 2920);
    return draw_below(seed, 2) ? by : (uint16_t)-by;
}

static size_t segment(unsigned *seed, uint8_t *step)
{
    uint16_t ctl = ONE_OF(seed, ACK, ACK, ACK | PSH, ACK | PSH, ACK | FIN, SYN | ACK, SYN, RST,
                          ACK | URG, ACK | ECE, ACK | CWR | PSH, SYN | ACK | ECE);
    unsigned list = draw_below(seed, 3 * ARRAY_LEN(lists));
    size_t len = list < ARRAY_LEN(lists) ? lists[list].len : 0;
    step[0] = SEGMENT;
    step[1] = (uint8_t)ONE_OF(seed, 0, 0, 0, 1, 1, 5);
    step[2] = (uint8_t)(len / 4);
    put_be16(step + 3, offset(seed));
    put_be16(step + 5, offset(seed));
    put_be16(step + 7, ctl);
    put_be16(step + 9, ONE_OF(seed, 65535, 65535, 65535, 0, 1, 1000));
    put_be16(step + 11, (uint16_t)draw_below(seed, 3000));
    if (len != 0) {
        memcpy(step + 13, lists[list].octets, len);
    }
    if (len == sizeof user_timeout) {
        step[13 + 3] = (uint8_t)draw_below(seed, 256);
    }
    put_be16(step + 13 + len, ONE_OF(seed, 0, 0, 0, 1, 100, 536, 1460, 2920));
    return 13 + len + 2;
}

static size_t call(unsigned *seed, uint8_t *step)
{
    unsigned what = ONE_OF(seed, SEND, SEND, SEND, RECV, RECV, SET_OPTION, SET_OPTION, CALLS);
    what = what == CALLS ? draw_below(seed, CALLS) : what;
    what = what == RELEASE && draw_below(seed, 2) ? SEND : what;
    step[0] = CALL;
    step[1] = (uint8_t)(what + CALLS * (what == SET_OPTION ? draw_below(seed, 20) : 0));
    step[2] = (uint8_t)ONE_OF(seed, 0, 0, 0, 1, 1, 2, 5);
    uint16_t n =
        what == SET_OPTION ? (uint16_t)draw_below(seed, HF_OPTIONS) : ONE_OF(seed, 511, 511, 1);
    put_be16(step + 3, n);
    return 5;
}

/* A SYN to a listener, from one port or another. */
static size_t opens(unsigned *seed, uint8_t *step)
{
    static const uint8_t from[4] = {BENCH_PEER4};
    uint8_t *frame = step + 3;
    memset(step, 0, LIKELY_MOST);
    step[0] = PACKET;
    put_be16(step + 1, 40);
    frame[8] = 64;
    frame[9] = WIRE_PROTO_TCP;
    memcpy(frame + 12, from, 4);
    struct segment seg = {.ctl = SYN, .wnd = 65535};
    seg.sport = (uint16_t)(2000 + draw_below(seed, 8));
    seg.dport = ONE_OF(seed, 80, 80, 81, 85);
    seg.seq = seq(1000 * draw_below(seed, 4));
    wire_put_tcp(frame + 20, &seg);
    return 3 + 40;
}

static size_t wait(unsigned *seed, uint8_t *step)
{
    step[0] = draw_below(seed, 2) ? WAIT : WAIT_LONG;
    put_be16(step + 1, ONE_OF(seed, 1, 40, 200, 201, 400, 1000, 3000, 60000));
    return 3;
}

size_t likely_step(unsigned *seed, uint8_t step[LIKELY_MOST])
{
    switch (draw_below(seed, 12)) {
    case 0:
    case 1:
    case 2:
        return call(seed, step);
    case 3:
        return wait(seed, step);
    case 4:
        return opens(seed, step);
    case 5:
        step[0] = DRAIN;
        return 1;
    default:
        return segment(seed, step);
    }
}
