/* The simulator: a fixed number of worlds in which no property may be broken; the same seed is the
 * same world; what goes wrong is found and shrunk.
 *
 * ctest: timeout=300
 * ctest: native
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum { SEEDS = 1500, SEEDS_SANITIZED = 200, SEEDS_LONG = 10000 };

static void no_property_is_broken_in_so_many_worlds(void **state)
{
    struct sim_run run = {.first = 1, .seeds = SEEDS, .jobs = 2};
    struct sim_counts counts;
    struct sim_wrong wrong;
    (void)state;
    const char *sanitize = getenv("HF_SANITIZE");
    if (getenv("HF_LONG") != NULL) {
        run.seeds = SEEDS_LONG;
    } else if (sanitize != NULL && *sanitize != '\0') {
        run.seeds = SEEDS_SANITIZED;
    }
    assert_int_equal(sim_run(&run, &counts, &wrong), 0);
    if (wrong.rule[0] != '\0') {
        print_message("handfast sim --replay %llu: \"%s\": %s\n", (unsigned long long)wrong.seed,
                      wrong.rule, wrong.detail);
    }
    assert_int_equal(counts.violations, 0);
    assert_int_equal(counts.seeds, run.seeds);
    assert_true(counts.segments > 500 * run.seeds);
    assert_true(counts.faults > 10 * run.seeds);
    assert_true(counts.connections > 10 * run.seeds);
}

static void the_last_seed_there_is_is_run_like_any_other(void **state)
{
    struct sim_run run = {.first = UINT64_MAX, .seeds = 1, .jobs = 2};
    struct sim_counts counts;
    struct sim_wrong wrong;
    (void)state;
    assert_int_equal(sim_run(&run, &counts, &wrong), 0);
    assert_int_equal(counts.seeds, 1);
}

static void the_same_seed_is_the_same_world(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sim_world_result first = {.max_fate = 0}, second = {.max_fate = 0};
        assert_int_equal(sim_one(seed, NULL, &first), 0);
        struct world *world = sim_world_new();
        assert_non_null(world);
        sim_world_run(world, seed + 1, NULL, NULL, &second); /* another one leaves no trace */
        sim_world_run(world, seed, NULL, NULL, &second);
        sim_world_free(world);
        assert_memory_equal(&first.counts, &second.counts, sizeof first.counts);
    }
}

/* What no record tells, and no stack can mend: a reset ends TIME-WAIT, and a FIN of the connection
 * before comes into the next one (RFC 1337); an answer of a small record finds no room, which the
 * counters tell; a SYN with text gets TIME-WAIT's ACK of a number of that text, which no reset
 * answers; SEND is told of a reset, so RECEIVE is not.  Two copies of a SYN where a challenge ACK
 * may be sent each 3 ms (RFC 5961 7).  One that is released has all its tries behind it.  Where
 * nobody traces a connection begins 0.2 s earlier, before its cookie was seen in the other run. */
static void worlds_that_were_called_broken_are_whole(void **state)
{
    static const uint64_t seeds[] = {8421963, 8464908,  8857543, 9508018,
                                     8412470, 30182702, 31427554};
    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct sim_world_result result = {.max_fate = 0};
        assert_int_equal(sim_one(seeds[i], NULL, &result), 0);
        assert_string_equal(result.wrong.rule, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_property_is_broken_in_so_many_worlds),
        cmocka_unit_test(the_last_seed_there_is_is_run_like_any_other),
        cmocka_unit_test(the_same_seed_is_the_same_world),
        cmocka_unit_test(worlds_that_were_called_broken_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
