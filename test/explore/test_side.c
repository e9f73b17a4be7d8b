/* Interned endpoints do what real pairs do: random walks, played a second time by two stacks whose
 * frames and numbers are the real ones, come through the same states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

enum { WALKS = 300, STEPS = 60 };

static uint32_t dice(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % n;
}

/* A walk of up to STEPS actions; returns how many. */
static uint32_t walk(struct world *w, const struct explore_config *config, uint64_t *seed,
                     struct action path[STEPS])
{
    struct state now, next;
    uint32_t n = 0;
    state_first(w, config, &now);
    for (uint32_t tries = 0; n < STEPS && tries < 20 * STEPS; tries++) {
        struct action actions[ACTIONS_MOST];
        uint32_t choices = moves(w, &now, actions);
        struct action *a = &actions[dice(seed, choices)];
        struct begun begun;
        if (!move_begin(w, config, &now, a, &begun) ||
            move_end(w, config, &begun, a, &next) != MOVE_DONE)
            continue;
        if (dice(seed, 4) == 0 && next_loss(&begun, a) &&
            move_end(w, config, &begun, a, &next) != MOVE_DONE)
            continue;
        if (config->isn_step == 0)
            assert_int_equal(begun.step.wrong,
                             WRONG_NOTHING); /* else numbers are taken for others */
        path[n++] = *a;
        now = next;
    }
    return n;
}

static void walks_come_to_the_same_states(const struct explore_config *config, uint64_t seed)
{
    struct world *w = world_new(config);
    assert_non_null(w);
    for (int i = 0; i < WALKS; i++) {
        struct action path[STEPS];
        uint64_t before = seed;
        uint32_t n = walk(w, config, &seed, path);
        if (!story_same(w, config, path, n))
            fail_msg("seed %llu", (unsigned long long)before);
    }
    world_free(w);
}

static void pairs_do_what_interned_endpoints_do(void **state)
{
    (void)state;
    struct explore_config config = *explore_find("d");
    config.flight = 4;
    config.losses = config.duplicates = config.repeats = 8;
    config.aborts = config.reboots = 0;
    walks_come_to_the_same_states(&config, 1);
    config.opens[0] = config.opens[1] = 3;
    config.listens[0] = true;
    config.aborts = 2;
    walks_come_to_the_same_states(&config, 2);
    config.reboots = 1;
    walks_come_to_the_same_states(&config, 3);
    config.backs_off = true;
    walks_come_to_the_same_states(&config, 6);
}

/* ... also where the numbers of one incarnation are those of another. */
static void pairs_do_so_where_isns_are_close(void **state)
{
    (void)state;
    struct explore_config config = *explore_find("d");
    config.flight = 4;
    config.losses = config.duplicates = config.repeats = 8;
    config.opens[0] = config.opens[1] = 3;
    config.aborts = 2;
    config.reboots = 0;
    config.isn_step = 1;
    walks_come_to_the_same_states(&config, 4);
    config.listens[0] = true;
    config.reboots = 1;
    config.isn_step = 3;
    config.tw_ignore_rst = true;
    walks_come_to_the_same_states(&config, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_do_what_interned_endpoints_do),
        cmocka_unit_test(pairs_do_so_where_isns_are_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
