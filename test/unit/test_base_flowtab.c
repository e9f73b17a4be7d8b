/* The flow table against a plain array, with many equal hashes, up and down again; its vector and
 * its scalar compare side by side. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/flowtab.h"
#include "base/random.h"

/* The same source once more, without SSE2, under other names. */
#ifdef __SSE2__
#undef __SSE2__
#define WITHOUT_SSE2
#endif
#define flowtab_bytes scalar_flowtab_bytes
#define flowtab_init scalar_flowtab_init
#define flowtab_insert scalar_flowtab_insert
#define flowtab_remove scalar_flowtab_remove
#define flowtab_replace scalar_flowtab_replace
#define flowtab_first scalar_flowtab_first
#define flowtab_next scalar_flowtab_next
#define flowtab_prefetch scalar_flowtab_prefetch
#define flowtab_glance scalar_flowtab_glance
#define flowtab_sound scalar_flowtab_sound
#define flowtab_holds scalar_flowtab_holds
#include "base/flowtab.c"
#undef flowtab_bytes
#undef flowtab_init
#undef flowtab_insert
#undef flowtab_remove
#undef flowtab_replace
#undef flowtab_first
#undef flowtab_next
#undef flowtab_prefetch
#undef flowtab_glance
#undef flowtab_sound
#undef flowtab_holds
#ifdef WITHOUT_SSE2
#define __SSE2__ 1
#endif

enum { MAX = 3000, OPERATIONS = 100000, LINES_EACH = 4 };

struct pair {
    uint32_t hash, value; /* value 0: free */
};

struct fixture {
    struct flowtab t, twin;
    void *block, *twin_block;
    struct pair in[MAX]; /* the model; value = place + 1 (+ MAX once replaced) */
    uint32_t count;
    struct rng rng;
};

static struct fixture *set_up(uint32_t max, uint8_t seed)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->block = malloc((size_t)flowtab_bytes(max));
    f->twin_block = malloc((size_t)flowtab_bytes(max));
    assert_non_null(f->block);
    assert_non_null(f->twin_block);
    flowtab_init(&f->t, f->block, 0, max);
    scalar_flowtab_init(&f->twin, f->twin_block, 0, max);
    uint8_t key[16] = {seed};
    rng_seed(&f->rng, key);
    return f;
}

static void tear_down(struct fixture *f)
{
    free(f->block);
    free(f->twin_block);
    free(f);
}

/* Half of the hashes come from a few, so that chains and equal hashes are common. */
static uint32_t some_hash(struct fixture *f)
{
    uint32_t hash = (uint32_t)rng_u64(&f->rng);
    return hash % 2 == 0 ? hash : hash % 64 * 0x01000193;
}

static void insert(struct fixture *f, uint32_t place)
{
    f->in[place] = (struct pair){some_hash(f), place + 1};
    assert_true(flowtab_insert(&f->t, f->block, f->in[place].hash, place + 1));
    assert_true(scalar_flowtab_insert(&f->twin, f->twin_block, f->in[place].hash, place + 1));
    f->count++;
}

static void take_out(struct fixture *f, uint32_t place)
{
    struct pair p = f->in[place];
    assert_true(flowtab_remove(&f->t, f->block, p.hash, p.value));
    assert_true(scalar_flowtab_remove(&f->twin, f->twin_block, p.hash, p.value));
    assert_false(flowtab_remove(&f->t, f->block, p.hash, p.value));
    f->in[place].value = 0;
    f->count--;
}

static void replace(struct fixture *f, uint32_t place)
{
    struct pair p = f->in[place];
    uint32_t value = p.value > MAX ? place + 1 : place + 1 + MAX;
    assert_true(flowtab_replace(&f->t, f->block, p.hash, p.value, value));
    assert_true(scalar_flowtab_replace(&f->twin, f->twin_block, p.hash, p.value, value));
    assert_false(flowtab_replace(&f->t, f->block, p.hash, p.value, value));
    f->in[place].value = value;
}

/* All values of one hash come, each once, and the twin gives the same in the same order. */
static void check_hash(struct fixture *f, uint32_t hash)
{
    uint32_t expected = 0, found = 0;
    for (uint32_t i = 0; i < MAX; i++) {
        expected += f->in[i].value != 0 && f->in[i].hash == hash;
    }
    struct flow_probe probe, twin_probe;
    uint32_t value = flowtab_first(&f->t, f->block, hash, &probe);
    uint32_t twin_value = scalar_flowtab_first(&f->twin, f->twin_block, hash, &twin_probe);
    while (value != 0) {
        struct pair p = f->in[(value - 1) % MAX];
        assert_int_equal(p.value, value);
        assert_int_equal(p.hash, hash);
        assert_int_equal(twin_value, value);
        found++;
        value = flowtab_next(&f->t, f->block, &probe);
        twin_value = scalar_flowtab_next(&f->twin, f->twin_block, &twin_probe);
    }
    assert_int_equal(twin_value, 0);
    assert_int_equal(found, expected);
}

static void it_holds_what_a_plain_array_holds(void **state)
{
    (void)state;
    struct fixture *f = set_up(MAX, 1);
    /* Waves: mostly filling, then mostly emptying. */
    for (uint32_t op = 0; op < OPERATIONS; op++) {
        uint32_t place = rng_below(&f->rng, MAX);
        bool filling = op / 10000 % 2 == 0;
        bool is_in = f->in[place].value != 0;
        if (is_in && rng_below(&f->rng, 8) == 0) {
            replace(f, place);
        } else if (!is_in && (filling || rng_below(&f->rng, 16) == 0)) {
            insert(f, place);
        } else if (is_in && (!filling || rng_below(&f->rng, 16) == 0)) {
            take_out(f, place);
        }
        flowtab_prefetch(&f->t, f->block, f->in[place].hash);
        if (op % 64 == 0) {
            check_hash(f, f->in[place].hash);
        }
    }
    assert_int_equal(f->t.count, f->count);
    assert_true(f->t.buckets == f->twin.buckets && f->t.over_used == f->twin.over_used);
    for (uint32_t place = 0; place < MAX; place++) {
        if (f->in[place].value != 0) {
            take_out(f, place);
        }
    }
    assert_int_equal(f->t.count, 0);
    assert_int_equal(f->t.buckets, 1);
    assert_int_equal(f->t.over_used, 0);
    tear_down(f);
}

static void equal_hashes_never_make_an_insert_fail(void **state)
{
    (void)state;
    for (uint32_t max = 1; max <= 120; max++) {
        struct fixture *f = set_up(max, 2);
        for (uint32_t value = 1; value <= max; value++) {
            assert_true(flowtab_insert(&f->t, f->block, 0xdeadbeef, value));
        }
        assert_false(flowtab_insert(&f->t, f->block, 1, 1));
        for (uint32_t value = 1; value <= max; value++) {
            assert_true(flowtab_remove(&f->t, f->block, 0xdeadbeef, value));
        }
        assert_int_equal(f->t.over_used, 0);
        tear_down(f);
    }
}

static void random_hashes_fill_five_and_a_half_to_the_bucket(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct fixture *f = set_up(MANY, 3);
    for (uint32_t value = 1; value <= MANY; value++) {
        assert_true(flowtab_insert(&f->t, f->block, (uint32_t)rng_u64(&f->rng), value));
    }
    assert_in_range(f->t.buckets, MANY / 5.6, MANY / 5.4);
    /* The budget of ~14.5 octets an entry: overflow lines about a quarter of the buckets. */
    assert_true((f->t.buckets + f->t.over_used) * 64.0 / MANY < 15.5);
    tear_down(f);
}

static void a_table_of_four_takes_two_lines_at_most(void **state)
{
    (void)state;
    for (uint32_t max = 1; max <= 4; max++) {
        assert_true(flowtab_bytes(max) <= 128);
    }
}

#ifdef HF_ASSERTIONS /* else nothing is counted */
/* Up and back: a call reads or writes no more lines than a long chain's pairs, put in again, need;
 * the longest of n grows with the logarithm of n.  HF_LONG: to 10^7. */
static void no_call_pauses_while_the_table_grows_or_shrinks(void **state)
{
    (void)state;
    const uint32_t many = getenv("HF_LONG") ? 10000000 : 1000000;
    uint8_t key[16] = {7};
    struct flowtab t;
    struct rng rng;
    void *block = malloc((size_t)flowtab_bytes(many));
    assert_non_null(block);
    flowtab_init(&t, block, 0, many);
    rng_seed(&rng, key);
    uint64_t before = 0, worst = 0, worst_back = 0;
    for (uint32_t value = 1, decade = 100; value <= many; value++) {
        assert_true(flowtab_insert(&t, block, (uint32_t)rng_u64(&rng), value));
        worst = t.probed - before > worst ? t.probed - before : worst;
        before = t.probed;
        if (value == decade) {
            printf("    n = %8u: %u lines at most, %.1f on the average\n", value, (unsigned)worst,
                   (double)t.probed / value);
            assert_true((double)worst <= LINES_EACH * log2(value));
            decade *= 10;
        }
    }
    rng_seed(&rng, key);
    for (uint32_t value = 1; value <= many; value++) {
        assert_true(flowtab_remove(&t, block, (uint32_t)rng_u64(&rng), value));
        worst_back = t.probed - before > worst_back ? t.probed - before : worst_back;
        before = t.probed;
    }
    printf("    and back: %u lines at most\n", (unsigned)worst_back);
    assert_true((double)worst_back <= LINES_EACH * log2(many));
    free(block);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_a_plain_array_holds),
        cmocka_unit_test(equal_hashes_never_make_an_insert_fail),
        cmocka_unit_test(random_hashes_fill_five_and_a_half_to_the_bucket),
#ifdef HF_ASSERTIONS
        cmocka_unit_test(no_call_pauses_while_the_table_grows_or_shrinks),
#endif
        cmocka_unit_test(a_table_of_four_takes_two_lines_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
