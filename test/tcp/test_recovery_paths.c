/* ctest: timeout=240 native
 * RFC 5681, RFC 6675, RFC 8985, RFC 9438 at large: the paths of `make recovery` in virtual time.
 * 100 Mbit/s, 100 ms there and back, a tail-drop queue of one bandwidth-delay product, a minute -
 * or twenty seconds, where the link is full by then and nothing happens after that.
 *
 * The goodput asked for is 90 % of what the kernel's TCP (Linux 6.18, CUBIC) reaches on the same
 * paths in real time, the median of `make recovery`'s runs of 60 s; what may be sent again is what
 * the path loses and little more.
 *
 *     test_recovery_paths SECONDS [SEED]           prints what comes of each case
 *     test_recovery_paths SECONDS SEED CASE        prints what happens, each 50 ms
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/path_pair.h"

enum { SEEDS = 5, FRAME = 1500, RATE_BPS = 100000000, RTT_MS = 100 };
static const int64_t SECOND = 1000000000, MS = 1000000;

struct path_case {
    const char *name;
    struct path_how how;
    int seconds, seeds;
};

static const struct path_case all[] = {
    {"clean", {0}, 20, 1},
    {"loss0.1", {.lose = 1000}, 60, SEEDS},
    {"loss1", {.lose = 10000}, 60, SEEDS},
    {"loss3", {.lose = 30000}, 60, SEEDS},
    {"bursts", {.burst_from = 500, .burst_end = 100000}, 60, SEEDS},
    {"reorder", {.late = 100000, .late_ns = 20000000}, 60, 3}, /* a million frames each */
    {"dead", {.dead_from_ns = 20000000000, .dead_until_ns = 23000000000}, 60, 1},
    {"marks", {.mark_bytes = 600000}, 20, 1},
};
enum { CLEAN, LOSS_01, LOSS_1, LOSS_3, BURSTS, REORDER, DEAD, MARKS, CASES };

struct result {
    double mbit, again, spurious; /* the latter in percent of the segments sent */
};

/* Sanitizers cost a factor of ten, and look for other things than speed. */
static bool sanitized(void)
{
    const char *sanitize = getenv("HF_SANITIZE");
    return sanitize != NULL && *sanitize != '\0';
}

static void begin(struct path_pair *pair, const struct path_case *which, uint64_t seed)
{
    struct path_how there = which->how, back = {.delay_ns = RTT_MS * MS / 2};
    struct hf_config config;
    hf_config_default(&config, 4);
    config.large_chunks = 8192; /* memory is no limit, as at the kernel's */
    config.small_chunks = 65536;
    config.max_ranges = 65536;
    config.policy.ecn = which->how.mark_bytes ? HF_ECN_ASK : HF_ECN_OFF;
    there.rate_bps = RATE_BPS;
    there.delay_ns = RTT_MS * MS / 2;
    there.queue_bytes = RATE_BPS / 8 / 1000 * RTT_MS / FRAME * FRAME;
    there.seed = seed;
    back.dead_from_ns = there.dead_from_ns;
    back.dead_until_ns = there.dead_until_ns;
    path_pair_begin(pair, &config, &there, &back);
    path_pair_connect(pair);
}

static struct result run(const struct path_case *which, int64_t seconds, uint64_t seed)
{
    static struct path_pair pair;
    begin(&pair, which, seed);
    path_pair_run(&pair, seconds * SECOND);
    assert_false(pair.wrong);
    assert_int_equal(pair.repeats.overflows, 0);
    double percent = 100.0 / (double)(pair.repeats.segments + 1);
    struct result result = {.mbit = (double)pair.received * 8 / (double)seconds / 1e6,
                            .again = (double)pair.repeats.again * percent,
                            .spurious = (double)pair.repeats.spurious * percent};
    path_pair_end(&pair);
    return result;
}

static void print_course(const struct path_case *which, int64_t seconds, uint64_t seed)
{
    enum { STEP_MS = 50 };
    static struct path_pair pair;
    struct {
        uint64_t segments, again, spurious;
    } before = {0};
    uint64_t received = 0;
    begin(&pair, which, seed);
    printf("seconds  Mbit/s   sent  again  spurious  lost   cwnd  ssthresh  srtt  rto  flight "
           "recovery "
           "retries\n");
    for (int64_t ms = STEP_MS; ms <= seconds * 1000; ms += STEP_MS) {
        struct hf_status s = {.struct_size = sizeof s};
        path_pair_run(&pair, STEP_MS * MS);
        hf_status(pair.stack[0], &pair.env[0], pair.handle[0], &s);
        const struct repeats *r = &pair.repeats;
        const struct path_counts *c = &pair.path[0].counts;
        uint32_t mss = s.snd_mss ? s.snd_mss : 1;
        printf("%7.2f %7.2f %6llu %6llu %9llu %5llu", (double)ms / 1e3,
               (double)(pair.received - received) * 8 / STEP_MS / 1e3,
               (unsigned long long)(r->segments - before.segments),
               (unsigned long long)(r->again - before.again),
               (unsigned long long)(r->spurious - before.spurious),
               (unsigned long long)(c->lost + c->dropped + c->dead));
        printf(" %6u %9u %5u %4u %7u %8u %7u\n", s.cwnd / mss, s.ssthresh / mss, s.srtt_us / 1000,
               s.rto_ms, (s.snd_nxt - s.snd_una) / mss, s.in_recovery, s.retries);
        before.segments = r->segments;
        before.again = r->again;
        before.spurious = r->spurious;
        received = pair.received;
    }
    path_pair_end(&pair);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

/* Medians of several seeds, where the seed matters. */
static struct result middle(const struct path_case *which)
{
    double mbit[SEEDS], again[SEEDS], spurious[SEEDS];
    int n = which->seeds;
    for (int i = 0; i < n; i++) {
        int64_t seconds = sanitized() ? which->seconds / 6 : which->seconds;
        struct result result = run(which, seconds, (uint64_t)i + 1);
        mbit[i] = result.mbit;
        again[i] = result.again;
        spurious[i] = result.spurious;
    }
    return (struct result){median(mbit, n), median(again, n), median(spurious, n)};
}

static void holds(int which, struct result baseline)
{
    struct result result = middle(&all[which]);
    if (sanitized()) {
        return; /* the baselines are of all the time */
    }
    printf("%-8s %6.2f Mbit/s, at least %.2f; sent again %.3f %%, at most %.3f; spurious %.3f %%, "
           "at most %.3f\n",
           all[which].name, result.mbit, baseline.mbit, result.again, baseline.again,
           result.spurious, baseline.spurious);
    assert_true(result.mbit >= baseline.mbit);
    assert_true(result.again <= baseline.again);
    assert_true(result.spurious <= baseline.spurious);
}

static void a_queue_that_overflows_costs_little_of_the_link(void **state)
{
    (void)state;
    /* kernel 94.2 */
    holds(CLEAN, (struct result){.mbit = 84.8, .again = 0.1, .spurious = 0.01});
}

static void loss_at_random_is_repaired_and_nothing_else_is_sent_again(void **state)
{
    (void)state;
    /* kernel 5.96, 1.24, 0.654 */
    holds(LOSS_01, (struct result){.mbit = 5.36, .again = 0.15, .spurious = 0.01});
    holds(LOSS_1, (struct result){.mbit = 1.11, .again = 1.3, .spurious = 0.1});
    holds(LOSS_3, (struct result){.mbit = 0.589, .again = 4, .spurious = 0.1});
}

static void bursts_of_losses_are_repaired(void **state)
{
    (void)state;
    /* kernel 10.9 */
    holds(BURSTS, (struct result){.mbit = 9.77, .again = 0.8, .spurious = 0.01});
}

/* RFC 8985 3.3.2. */
static void what_is_overtaken_is_hardly_ever_sent_again(void **state)
{
    (void)state;
    /* kernel 36.6, spurious 0.6 % */
    holds(REORDER, (struct result){.mbit = 33, .again = 2, .spurious = 1});
}

static void a_link_that_is_dead_for_three_seconds_is_used_again(void **state)
{
    (void)state;
    /* kernel 89.4 */
    holds(DEAD, (struct result){.mbit = 80.5, .again = 0.5, .spurious = 0.02});
}

/* RFC 3168: once slow start is over (it overshoots before the first echo), nothing is lost any
 * more: what is sent again is what slow start lost. */
static void a_queue_that_marks_keeps_the_link_busy_and_loses_next_to_nothing(void **state)
{
    (void)state;
    holds(MARKS, (struct result){.mbit = 90, .again = 0.05, .spurious = 0.01});
}

static void print(int64_t seconds, uint64_t seed)
{
    for (int i = 0; i < CASES; i++) {
        struct result result = run(&all[i], seconds, seed);
        printf("%-8s %6.2f Mbit/s, sent again %.3f %%, spurious %.3f %%\n", all[i].name,
               result.mbit, result.again, result.spurious);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_that_overflows_costs_little_of_the_link),
        cmocka_unit_test(loss_at_random_is_repaired_and_nothing_else_is_sent_again),
        cmocka_unit_test(bursts_of_losses_are_repaired),
        cmocka_unit_test(what_is_overtaken_is_hardly_ever_sent_again),
        cmocka_unit_test(a_link_that_is_dead_for_three_seconds_is_used_again),
        cmocka_unit_test(a_queue_that_marks_keeps_the_link_busy_and_loses_next_to_nothing),
    };
    for (int i = 0; i < CASES && argc > 3; i++) {
        if (strcmp(argv[3], all[i].name) == 0) {
            print_course(&all[i], atoi(argv[1]), strtoull(argv[2], NULL, 0));
            return 0;
        }
    }
    if (argc > 1) {
        print(atoi(argv[1]), argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
        return 0;
    }
    return cmocka_run_group_tests_name("recovery on paths", tests, NULL, NULL);
}
