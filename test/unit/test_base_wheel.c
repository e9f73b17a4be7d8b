/* The timing wheel against a plain array of deadlines: nothing early, nothing late, nothing lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/wheel.h"

enum { RECORDS = 200, OPERATIONS = 60000 };

struct record {
    uint32_t other;
    struct wheel_link link;
};

/* The block. */
struct memory {
    struct record records[RECORDS];
    uint32_t slots[WHEEL_LEVELS << WHEEL_BITS_MAX];
};

struct fixture {
    struct wheel w;
    struct memory memory;
    struct links links;
    bool set[RECORDS + 1];
    uint32_t at_ms[RECORDS + 1];
    uint32_t armed;
    struct rng rng;
};

static void set_up(struct fixture *f, uint32_t bits, uint32_t now_ms)
{
    memset(f, 0, sizeof *f);
    f->links = (struct links){&f->memory, 0, sizeof(struct record), offsetof(struct record, link)};
    uint8_t seed[16] = {9};
    rng_seed(&f->rng, seed);
    wheel_init(&f->w, &f->memory, offsetof(struct memory, slots), bits, now_ms);
}

static bool is_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void set(struct fixture *f, uint32_t idx, uint32_t at_ms)
{
    f->armed += !f->set[idx];
    f->set[idx] = true;
    f->at_ms[idx] = is_after(at_ms, f->w.now_ms) ? at_ms : f->w.now_ms + 1;
    wheel_set(&f->w, &f->links, idx, at_ms);
    assert_true(wheel_is_set(&f->links, idx));
}

static void clear(struct fixture *f, uint32_t idx)
{
    f->armed -= f->set[idx];
    f->set[idx] = false;
    wheel_clear(&f->w, &f->links, idx);
    assert_false(wheel_is_set(&f->links, idx));
}

/* Takes out up to `most` due entries; returns how many there were. */
static uint32_t expire(struct fixture *f, uint32_t now_ms, uint32_t most)
{
    for (uint32_t n = 0; n < most; n++) {
        uint32_t idx = wheel_expired(&f->w, &f->links, now_ms);
        if (idx == 0) {
            return n;
        }
        assert_true(f->set[idx]);
        assert_false(is_after(f->at_ms[idx], now_ms));
        assert_int_equal(f->memory.records[idx - 1].link.at_ms, f->at_ms[idx]);
        assert_false(wheel_is_set(&f->links, idx));
        f->set[idx] = false;
        f->armed--;
    }
    return most;
}

static void check_next(const struct fixture *f)
{
    uint32_t next_ms = 0, first_ms = 0;
    bool any = false;
    for (uint32_t idx = 1; idx <= RECORDS; idx++) {
        if (f->set[idx] && (!any || is_after(first_ms, f->at_ms[idx]))) {
            first_ms = f->at_ms[idx];
            any = true;
        }
    }
    assert_int_equal(wheel_next(&f->w, &f->links, &next_ms), any);
    assert_int_equal(f->w.armed, f->armed);
    if (!any) {
        return;
    }
    assert_false(is_after(next_ms, first_ms));
    assert_false(is_after(f->w.now_ms, next_ms));
    if (first_ms >> f->w.bits == f->w.now_ms >> f->w.bits) {
        assert_int_equal(next_ms, first_ms);
    }
}

static uint32_t some_delay(struct fixture *f)
{
    static const uint32_t spans[] = {2, 64, 100, 4096, 300000, 1 << 24, 20 << 24};
    /* Few slots do not reach far: each turn of the top level files everything again. */
    uint32_t n = f->w.bits == WHEEL_BITS_MAX ? 7 : 5;
    return rng_below(&f->rng, spans[rng_below(&f->rng, n)]);
}

static void play_at_random(uint32_t bits)
{
    struct fixture f;
    set_up(&f, bits, 0xfff00000);
    uint32_t now_ms = f.w.now_ms;
    for (int op = 0; op < OPERATIONS; op++) {
        uint32_t idx = 1 + rng_below(&f.rng, RECORDS);
        switch (rng_below(&f.rng, 8)) {
        case 0:
            clear(&f, idx);
            break;
        case 1:
            now_ms += some_delay(&f);
            expire(&f, now_ms, 1 + rng_below(&f.rng, 3));
            break;
        case 2:
            now_ms += rng_below(&f.rng, 100);
            while (expire(&f, now_ms, 1) != 0) {
            }
            for (uint32_t i = 1; i <= RECORDS; i++) {
                assert_true(!f.set[i] || is_after(f.at_ms[i], now_ms));
            }
            break;
        default:
            set(&f, idx, now_ms + some_delay(&f) - rng_below(&f.rng, 3));
        }
        check_next(&f);
    }
}

static void random_deadlines_expire_when_due(void **state)
{
    (void)state;
    play_at_random(WHEEL_BITS_MAX);
}

static void random_deadlines_expire_when_due_with_fewer_slots(void **state)
{
    (void)state;
    for (uint32_t bits = 3; bits < WHEEL_BITS_MAX; bits++) {
        play_at_random(bits);
    }
}

static void every_delay_of_the_first_levels_is_exact(void **state)
{
    (void)state;
    struct fixture f;
    for (uint32_t delay_ms = 1; delay_ms < 300000; delay_ms += 1 + delay_ms / 37) {
        for (uint32_t start_ms = 0xffffffc0 - 3; start_ms != 70; start_ms++) {
            set_up(&f, WHEEL_BITS_MAX, start_ms);
            set(&f, 1, start_ms + delay_ms);
            assert_int_equal(expire(&f, start_ms + delay_ms - 1, 1), 0);
            assert_int_equal(expire(&f, start_ms + delay_ms, 1), 1);
            assert_int_equal(expire(&f, start_ms + delay_ms, 1), 0);
        }
    }
}

/* A host that always sleeps until wheel_next: it arrives in a few steps, however far. */
static void a_sleeper_wakes_few_times(void **state)
{
    (void)state;
    struct fixture f;
    const uint32_t delay_ms = 20u * 24 * 3600 * 1000;
    set_up(&f, WHEEL_BITS_MAX, 12345);
    set(&f, 1, 12345 + delay_ms);
    uint32_t next_ms, wakes = 0;
    while (f.armed != 0) {
        assert_true(wheel_next(&f.w, &f.links, &next_ms));
        expire(&f, next_ms, 1);
        wakes++;
    }
    assert_int_equal(next_ms, 12345 + delay_ms);
    assert_in_range(wakes, 1, 120);
}

static void a_past_deadline_means_the_next_tick(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, WHEEL_BITS_MAX, 1000);
    set(&f, 1, 1000);
    set(&f, 2, 500);
    assert_int_equal(expire(&f, 1000, 2), 0);
    assert_int_equal(expire(&f, 1001, 3), 2);
}

static void what_is_set_while_expiring_does_not_expire_at_once(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, WHEEL_BITS_MAX, 0);
    set(&f, 1, 10);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(expire(&f, 10 + i, 1), 1);
        set(&f, 1, 0);
        assert_int_equal(expire(&f, 10 + i, 1), 0);
    }
}

static void an_empty_wheel_follows_any_jump_of_time(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, WHEEL_BITS_MAX, 5);
    assert_int_equal(expire(&f, 0x90000000, 1), 0);
    set(&f, 1, 0x90000064);
    assert_int_equal(expire(&f, 0x90000063, 1), 0);
    assert_int_equal(expire(&f, 0x90000064, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_deadlines_expire_when_due),
        cmocka_unit_test(random_deadlines_expire_when_due_with_fewer_slots),
        cmocka_unit_test(every_delay_of_the_first_levels_is_exact),
        cmocka_unit_test(a_sleeper_wakes_few_times),
        cmocka_unit_test(a_past_deadline_means_the_next_tick),
        cmocka_unit_test(what_is_set_while_expiring_does_not_expire_at_once),
        cmocka_unit_test(an_empty_wheel_follows_any_jump_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
