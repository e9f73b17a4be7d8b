/* src/device/xdp.c at a queue that somebody else has, with a libxdp that takes its time to find
 * that out, and a clock of the test's.  Skipped where this build has no libxdp. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#ifdef HF_WITH_LIBXDP
#include <xdp/xsk.h>

static int create(struct xsk_umem **memory, void *area, __u64 size, struct xsk_ring_prod *fill,
                  struct xsk_ring_cons *completion, const struct xsk_umem_config *config);
static int read_clock(clockid_t which, struct timespec *now);
static int sleep_for(const struct timespec *how_long, struct timespec *left);
#define xsk_umem__create create
#define clock_gettime read_clock
#define nanosleep sleep_for
#include "device/xdp.c"
#undef xsk_umem__create
#undef clock_gettime
#undef nanosleep

enum { A_TRY_NS = 80000000, SECOND_NS = 1000000000 };

static int64_t clock_ns;
static int tries, busy; /* busy: so many tries find it so */

static int create(struct xsk_umem **memory, void *area, __u64 size, struct xsk_ring_prod *fill,
                  struct xsk_ring_cons *completion, const struct xsk_umem_config *config)
{
    (void)memory;
    (void)area;
    (void)size;
    (void)fill;
    (void)completion;
    (void)config;
    clock_ns += A_TRY_NS;
    return tries++ < busy ? -EBUSY : -EPERM;
}

static int read_clock(clockid_t which, struct timespec *now)
{
    assert_int_equal(which, CLOCK_MONOTONIC);
    now->tv_sec = clock_ns / SECOND_NS;
    now->tv_nsec = clock_ns % SECOND_NS;
    return 0;
}

static int sleep_for(const struct timespec *how_long, struct timespec *left)
{
    (void)left;
    clock_ns += how_long->tv_nsec;
    return 0;
}

static void a_queue_in_use_is_waited_for_a_second(void **state)
{
    (void)state;
    struct xdp xdp = {0};
    busy = INT32_MAX;
    assert_int_equal(open_patiently(&xdp, "hfx", 0, HF_DEVICE_XDP_GENERIC), -EBUSY);
    assert_in_range(clock_ns, SECOND_NS, SECOND_NS + A_TRY_NS);
}

static void a_queue_that_is_free_again_is_waited_for_no_longer(void **state)
{
    (void)state;
    struct xdp xdp = {0};
    tries = 0;
    busy = 3;
    assert_int_equal(open_patiently(&xdp, "hfx", 0, HF_DEVICE_XDP_GENERIC), -EPERM);
    assert_int_equal(tries, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_in_use_is_waited_for_a_second),
        cmocka_unit_test(a_queue_that_is_free_again_is_waited_for_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    (void)fprintf(stderr, "skipped: built without libxdp\n");
    return 77;
}
#endif
