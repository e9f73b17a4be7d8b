/* What goes wrong in a world is found, is the same when its seed runs again, and is shrunk and
 * drawn: with a stack that lacks the sequence check (explore/without).
 *
 * ctest: native own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sim.h"

enum { ENOUGH = 300, TRIES = 300 };

static struct sim_wrong found;

static void it_is_found(void **state)
{
    struct sim_run run = {.first = 1, .seeds = ENOUGH, .jobs = 2};
    struct sim_counts counts;
    (void)state;
    assert_int_equal(sim_run(&run, &counts, &found), 0);
    assert_true(counts.violations > 0);
    assert_true(found.rule[0] != '\0' && found.detail[0] != '\0');
}

static void the_seed_alone_shows_it_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sim_world_result result = {.max_fate = 0};
        assert_int_equal(sim_one(found.seed, NULL, &result), 0);
        assert_memory_equal(&result.wrong, &found, sizeof found);
    }
}

struct text {
    size_t len;
    char text[1 << 16];
};

static void keep(void *arg, const char *text, size_t len)
{
    struct text *kept = arg;
    size_t room = sizeof kept->text - 1 - kept->len;
    len = len < room ? len : room;
    memcpy(kept->text + kept->len, text, len);
    kept->len += len;
}

/* The shrunk world fails by the same rule, with less in it; its ladder has the handshake. */
static void it_is_shrunk_and_drawn(void **state)
{
    static struct text ladder;
    struct sim_shrunk shrunk;
    struct sim_world_result whole = {.max_fate = 0}, less = {.max_fate = 0};
    (void)state;
    assert_true(sim_shrink(found.seed, TRIES, &shrunk));
    assert_true(shrunk.tries > 1 && shrunk.tries <= TRIES && shrunk.text[0] != '\0');
    assert_string_equal(shrunk.wrong.rule, found.rule);
    assert_int_equal(sim_one(found.seed, NULL, &whole), 0);
    assert_int_equal(sim_one(found.seed, &shrunk.less, &less), 0);
    assert_string_equal(less.wrong.rule, found.rule);
    assert_true(less.counts.segments < whole.counts.segments);
    assert_int_equal(sim_draw(found.seed, &shrunk.less, &shrunk.wrong, false, false, keep, &ladder),
                     0);
    assert_non_null(strstr(ladder.text, "SYN-SENT"));
    assert_non_null(strstr(ladder.text, "ESTABLISHED"));
    sim_shrunk_free(&shrunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found),
        cmocka_unit_test(the_seed_alone_shows_it_again),
        cmocka_unit_test(it_is_shrunk_and_drawn),
    };
    return cmocka_run_group_tests_name("what goes wrong", tests, NULL, NULL);
}
