/* What the measuring of recovery stands on: the path's model, and the watch over repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/path.h"
#include "common/repeats.h"

enum { MS = 1000000, FRAME = 1250 }; /* at 10 Mbit/s a frame takes 1 ms */
static const uint64_t RATE_BPS = 10000000;

static int64_t next_after(struct path *path)
{
    int64_t at_ns = path_next(path);
    struct path_frame *frame = path_take(path, at_ns);
    assert_non_null(frame);
    assert_int_equal(frame->len, FRAME);
    free(frame);
    return at_ns;
}

static void frames_leave_the_bottleneck_at_its_rate_and_arrive_after_the_delay(void **state)
{
    (void)state;
    static const uint8_t bytes[FRAME];
    struct path path;
    path_begin(&path, &(struct path_how){.rate_bps = RATE_BPS, .delay_ns = 50 * MS});
    assert_true(path_offer(&path, 0, bytes, FRAME));
    assert_true(path_offer(&path, 0, bytes, FRAME));
    assert_null(path_take(&path, 51 * MS - 1));
    assert_int_equal(next_after(&path), 51 * MS);
    assert_int_equal(next_after(&path), 52 * MS);
    assert_true(path_offer(&path, 100 * MS, bytes, FRAME)); /* it was idle meanwhile */
    assert_int_equal(next_after(&path), 151 * MS);
    assert_int_equal(path_next(&path), INT64_MAX);
    path_end(&path);
}

static void what_finds_the_queue_full_is_dropped(void **state)
{
    (void)state;
    static const uint8_t bytes[FRAME];
    struct path path;
    path_begin(&path, &(struct path_how){.rate_bps = RATE_BPS, .queue_bytes = 3 * FRAME});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(path_offer(&path, 0, bytes, FRAME), i < 3);
    }
    assert_true(path_offer(&path, MS, bytes, FRAME)); /* one has left */
    assert_false(path_offer(&path, MS, bytes, FRAME));
    assert_int_equal(path.counts.dropped, 3);
    path_end(&path);
}

/* The header of RFC 1071's kind: its sum stays right. */
static uint16_t header_sum(const uint8_t *ip)
{
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) {
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    }
    return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void a_long_queue_marks_what_may_be_marked(void **state)
{
    (void)state;
    uint8_t v4[FRAME] = {0x45, 2}, v6[FRAME] = {0x60, 0x10}, not_ect[FRAME] = {0x45, 0};
    struct path path;
    uint16_t sum = header_sum(v4);
    v4[10] = (uint8_t)(sum >> 8);
    v4[11] = (uint8_t)sum;
    path_begin(&path, &(struct path_how){.rate_bps = RATE_BPS, .mark_bytes = FRAME});
    const uint8_t *offered[] = {v4, v4, v4, v6, not_ect};
    for (int i = 0; i < 5; i++) {
        path_offer(&path, 0, offered[i], FRAME);
    }
    static const uint8_t expected[] = {2, 2, 3, 0x30, 0};
    for (int i = 0; i < 5; i++) {
        struct path_frame *frame = path_take(&path, INT64_MAX);
        assert_int_equal(frame->bytes[1], expected[i]);
        assert_true(frame->bytes[0] != 0x45 || i == 4 || header_sum(frame->bytes) == 0);
        free(frame);
    }
    assert_int_equal(path.counts.marked, 2);
    path_end(&path);
}

static void late_frames_are_overtaken(void **state)
{
    (void)state;
    static const uint8_t bytes[FRAME];
    struct path path;
    path_begin(&path, &(struct path_how){.delay_ns = MS, .late = 1000000, .late_ns = 20 * MS});
    path_offer(&path, 0, bytes, FRAME);
    path.how.late = 0;
    path_offer(&path, 5 * MS, bytes, FRAME);
    assert_int_equal(next_after(&path), 6 * MS);
    assert_int_equal(next_after(&path), 21 * MS);
    path_end(&path);
}

static void a_dead_path_takes_nothing(void **state)
{
    (void)state;
    static const uint8_t bytes[FRAME];
    struct path path;
    path_begin(&path, &(struct path_how){.dead_from_ns = 10 * MS, .dead_until_ns = 20 * MS});
    assert_true(path_offer(&path, 10 * MS - 1, bytes, FRAME));
    assert_false(path_offer(&path, 10 * MS, bytes, FRAME));
    assert_true(path_offer(&path, 20 * MS, bytes, FRAME));
    assert_int_equal(path.counts.dead, 1);
    path_end(&path);
}

static void the_dice_fall_as_often_as_they_are_to(void **state)
{
    (void)state;
    enum { N = 200000 };
    static const uint8_t bytes[1];
    struct path path;
    uint32_t bursts = 0, lost = 0;
    bool before = true;
    path_begin(&path, &(struct path_how){.burst_from = 1000, .burst_end = 100000, .seed = 7});
    for (int i = 0; i < N; i++) {
        bool arrives = path_offer(&path, i, bytes, 1);
        lost += !arrives;
        bursts += before && !arrives;
        before = arrives;
        free(path_take(&path, INT64_MAX));
    }
    assert_in_range(bursts, N / 1000 * 8 / 10, N / 1000 * 12 / 10); /* one in a thousand ... */
    assert_in_range(lost / bursts, 8, 12);                          /* ... of ten            */
    path_end(&path);
    path_begin(&path, &(struct path_how){.lose = 30000, .seed = 7});
    for (int i = 0; i < N; i++) {
        path_offer(&path, i, bytes, 1);
        free(path_take(&path, INT64_MAX));
    }
    assert_in_range(path.counts.lost, N * 3 / 100 * 95 / 100, N * 3 / 100 * 105 / 100);
    path_end(&path);
}

static void a_repeat_is_spurious_when_all_of_it_was_forwarded(void **state)
{
    (void)state;
    static struct repeats r;
    uint32_t first = 0xffffff00; /* numbers wrap */
    repeats_segment(&r, first, 100, true);
    repeats_segment(&r, first + 100, 100, false);
    repeats_segment(&r, first + 200, 100, true);
    repeats_segment(&r, first + 300, 100, true);
    assert_int_equal(r.again, 0);
    repeats_segment(&r, first + 100, 100, false); /* needed, and lost again */
    repeats_segment(&r, first + 50, 100, true);   /* half of it was needed  */
    assert_int_equal(r.again, 2);
    assert_int_equal(r.spurious, 0);
    assert_int_equal(r.spurious_octets, 50);
    repeats_segment(&r, first + 200, 200, true);
    assert_int_equal(r.spurious, 1);
    repeats_segment(&r, first + 150, 50, true); /* the last gap is filled */
    assert_int_equal(r.spurious, 1);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.forwarded, 400);
    repeats_segment(&r, first + 10, 300, true);
    assert_int_equal(r.spurious, 2);
    assert_int_equal(r.again, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_the_bottleneck_at_its_rate_and_arrive_after_the_delay),
        cmocka_unit_test(what_finds_the_queue_full_is_dropped),
        cmocka_unit_test(a_long_queue_marks_what_may_be_marked),
        cmocka_unit_test(late_frames_are_overtaken),
        cmocka_unit_test(a_dead_path_takes_nothing),
        cmocka_unit_test(the_dice_fall_as_often_as_they_are_to),
        cmocka_unit_test(a_repeat_is_spurious_when_all_of_it_was_forwarded),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
