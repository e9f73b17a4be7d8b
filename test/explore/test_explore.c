/* The explorer: its configuration (a) whole, what it counts, and what it does not miss.
 * ctest: plain timeout=300 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "explore.h"

static struct explore_result run(const struct explore_config *config)
{
    struct explore_result result;
    assert_int_equal(explore_run(config, stdout, &result, NULL), 0);
    printf("(%s) %llu states, %llu transitions, %.1f s\n", config->name,
           (unsigned long long)result.states, (unsigned long long)result.transitions,
           result.seconds);
    return result;
}

static void assert_whole(const struct explore_result *result)
{
    assert_int_equal(result->violations, 0);
    assert_true(result->complete);
    assert_null(result->cut);
}

/* Without ABORT and reboot, with which there are twenty times as many states. */
static struct explore_config plain(const char *name)
{
    struct explore_config config = *explore_find(name);
    config.aborts = config.reboots = 0;
    return config;
}

static void configuration_a_is_explored_whole_and_nothing_is_wrong(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    struct explore_result result = run(&config);
    assert_whole(&result);
    assert_in_range(result.states, 1000000, 3000000);
}

/* Two ends that open at once, and nobody listens (RFC 9293 Figures 7 and 8). */
static void a_simultaneous_open_is_explored_whole_and_nothing_is_wrong(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.name = "simultaneous";
    config.listens[1] = false;
    config.opens[1] = 1;
    config.flight = 2;
    config.losses = config.duplicates = config.repeats = 1;
    struct explore_result result = run(&config);
    assert_whole(&result);
    assert_true(result.states > 10000);
}

static void text_is_delivered_whatever_the_schedule(void **state)
{
    (void)state;
    struct explore_config config = plain("c");
    config.name = "text";
    config.flight = 2;
    config.losses = config.duplicates = config.repeats = 1;
    config.sends[1] = 0;
    struct explore_result result = run(&config);
    assert_whole(&result);
}

/* How they begin with and without ABORT and reboot; they take longer than tests may. */
static void the_other_configurations_begin_without_anything_wrong(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "c", "d", "a", "d"};
    for (int i = 0; i < 5; i++) {
        struct explore_config config = i < 3 ? plain(names[i]) : *explore_find(names[i]);
        config.most = i < 3 ? 300000 : 100000;
        struct explore_result result = run(&config);
        assert_int_equal(result.violations, 0);
        assert_in_range(result.states, config.most, config.most + 1000);
    }
}

/* 38,400 kinds of segments to each class of endpoint, judged by the oracle. */
static void one_forged_segment_of_each_kind_does_no_harm(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.name = "attack";
    config.flight = 1;
    config.losses = config.duplicates = config.repeats = 0;
    config.attack = true;
    struct explore_result result = run(&config);
    assert_whole(&result);
    assert_true(result.classes > 30);
    assert_true(result.attacks == result.classes * 38400);
}

static void aborts_and_reboots_leave_nothing_behind(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.name = "reboot";
    config.flight = 2;
    config.losses = config.duplicates = 0;
    config.repeats = config.aborts = config.reboots = 1;
    struct explore_result result = run(&config);
    assert_whole(&result);
    config.name = "reboot, text";
    config.repeats = 0;
    config.sends[0] = config.sends[1] = 1;
    result = run(&config);
    assert_whole(&result);
    assert_in_range(result.states, 200000, 400000);
}

/* Where every timeout is one second the oracle cannot see that they double. */
static void back_off_is_kept_whatever_the_schedule(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.name = "back-off";
    config.backs_off = true;
    config.flight = 1;
    config.duplicates = 0;
    config.repeats = 3;
    config.sends[0] = 1;
    struct explore_result result = run(&config);
    assert_whole(&result);
    assert_in_range(result.states, 20000, 200000);
}

/* Endpoints come to the same states where resets that nobody will heed stay on the channel, as they
 * do for a stack that lacks a rule. */
static void resets_that_nobody_heeds_are_missed_by_nobody(void **state)
{
    (void)state;
    struct explore_config config = *explore_find("a");
    config.name = "resets";
    config.flight = 2;
    config.losses = config.duplicates = 0;
    config.repeats = 1;
    struct explore_result one = run(&config);
    config.unjudged = true;
    struct explore_result two = run(&config);
    assert_whole(&one);
    assert_whole(&two);
    assert_true(one.endpoints[0] == two.endpoints[0] && one.endpoints[1] == two.endpoints[1]);
    assert_true(one.messages == two.messages);
    assert_true(one.states < two.states);
}

/* What `handfast why` finds without a rule is not there with it. */
static void with_every_rule_in_place_nothing_that_why_tells_of_is_wrong(void **state)
{
    (void)state;
    const struct explore_why *why;
    for (uint32_t i = 0; (why = explore_why(i)) != NULL; i++) {
        struct explore_config config = why->config;
        config.unjudged = false;
        struct explore_result result = run(&config);
        assert_whole(&result);
    }
}

/* RFC 1337 2, H1: where a reset ends TIME-WAIT, an old duplicate brings it about, and another one
 * enters the next connection. */
static void time_wait_can_be_assassinated_where_resets_end_it(void **state)
{
    (void)state;
    struct explore_config config = explore_why_of("2msl")->config;
    config.name = "assassination";
    config.unjudged = config.tw_ignore_rst = false;
    struct explore_result result = run(&config);
    assert_int_equal(result.violations, 1);
    assert_int_equal(result.events, 17);
}

static void what_cut_it_is_said(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.most = 1000;
    struct explore_result result = run(&config);
    assert_false(result.complete);
    assert_string_equal(result.cut, "the number of states that was allowed");
    assert_in_range(result.states, 1000, 2000);
    assert_null(explore_find("x"));
}

/* The same states however often it runs. */
static void a_run_can_be_repeated(void **state)
{
    (void)state;
    struct explore_config config = plain("a");
    config.most = 20000;
    struct explore_result one = run(&config), two = run(&config);
    assert_true(one.states == two.states && one.transitions == two.transitions);
    assert_true(one.steps == two.steps && one.messages == two.messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cut_it_is_said),
        cmocka_unit_test(with_every_rule_in_place_nothing_that_why_tells_of_is_wrong),
        cmocka_unit_test(time_wait_can_be_assassinated_where_resets_end_it),
        cmocka_unit_test(a_run_can_be_repeated),
        cmocka_unit_test(the_other_configurations_begin_without_anything_wrong),
        cmocka_unit_test(text_is_delivered_whatever_the_schedule),
        cmocka_unit_test(one_forged_segment_of_each_kind_does_no_harm),
        cmocka_unit_test(aborts_and_reboots_leave_nothing_behind),
        cmocka_unit_test(back_off_is_kept_whatever_the_schedule),
        cmocka_unit_test(resets_that_nobody_heeds_are_missed_by_nobody),
        cmocka_unit_test(a_simultaneous_open_is_explored_whole_and_nothing_is_wrong),
        cmocka_unit_test(configuration_a_is_explored_whole_and_nothing_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
