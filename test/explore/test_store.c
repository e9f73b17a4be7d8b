/* The explorer's store: states come back as they went in, and which of them are new, whoever keeps
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper.h"

enum { MANY = 300000 };

static enum store_new put(struct store *store, const struct state *state)
{
    assert_true(store_room(store, 1));
    struct packed packed = store_pack(store, state);
    return store_add(store, &packed, store_hash(store, &packed), 7);
}

/* Different numbers of everything, from one. */
static struct state state_of(uint32_t i)
{
    return (struct state){.side = {i, i / 3},
                          .channel = {{(uint16_t)(i % 100 + 1)}, {1, (uint16_t)(i % 50 + 2)}},
                          .budget = {.losses = i % 3, .sends = 2, .aborts = i % 2}};
}

static void states_come_back_as_they_went_in(void **state)
{
    (void)state;
    struct store *store = store_new(1 << 24);
    assert_non_null(store);
    for (uint32_t i = 0; i < MANY; i++) {
        struct state s = state_of(i);
        assert_int_equal(put(store, &s), STORE_PAIR);
    }
    assert_int_equal(store_count(store), MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        struct state want = state_of(i), is = store_state(store, i);
        assert_true(state_same(&want, &is));
        assert_int_equal(store_parent(store, i), 7);
        assert_int_equal(put(store, &want), STORE_KNOWN);
    }
    store_free(store);
}

/* With less of one budget, and no more of any, nothing can happen that could not before. */
static void a_state_with_less_left_is_known(void **state)
{
    (void)state;
    struct store *store = store_new(1 << 24);
    assert_non_null(store);
    struct state s = {.side = {1, 2}, .budget = {.losses = 1, .duplicates = 1}};
    assert_int_equal(put(store, &s), STORE_PAIR);
    s.budget.losses = 0;
    assert_int_equal(put(store, &s), STORE_KNOWN);
    s.budget.opens_b = 1;
    assert_int_equal(put(store, &s), STORE_BUDGET);
    s.budget = (struct budget){.losses = 2, .duplicates = 1};
    assert_int_equal(put(store, &s), STORE_BUDGET);
    s.channel[0][0] = 1;
    assert_int_equal(put(store, &s), STORE_PAIR);
    s.side[1] = 3;
    assert_int_equal(put(store, &s), STORE_PAIR);
    assert_int_equal(store_count(store), 5);
    store_free(store);
}

static void it_says_when_it_is_full(void **state)
{
    (void)state;
    struct store *store = store_new(1 << 20);
    assert_non_null(store);
    uint32_t n = 0;
    for (; store_room(store, 1); n++) {
        struct state s = state_of(n);
        assert_int_equal(put(store, &s), STORE_PAIR);
    }
    assert_in_range(n, 20000, (1 << 20) / 16);
    store_free(store);

    store = store_new(1 << 24);
    assert_non_null(store);
    struct state s = {.side = {1u << 22, 0}};
    struct packed packed = store_pack(store, &s);
    assert_int_equal(store_add(store, &packed, store_hash(store, &packed), 0), STORE_KNOWN);
    assert_true(store_full(store));
    store_free(store);
}

static void look_through(const struct store *store, const struct batch *b, uint32_t *next)
{
    for (uint32_t i = 0; b != NULL && i < b->n_pairs; i++) {
        struct state want = state_of(*next);
        struct state is = store_unpack(store, &b->fresh[b->pairs[i].fresh].packed);
        assert_int_equal(b->pairs[i].number, (*next)++);
        assert_true(state_same(&want, &is));
    }
}

/* Each state twice; as many as are allowed, and then others. */
static void fill(bool alone)
{
    struct store *store = store_new(1 << 24);
    struct keeper *keeper = store ? keeper_new(store, MANY, alone) : NULL;
    const struct batch *back;
    uint32_t next = 0;
    assert_non_null(keeper);
    for (uint32_t i = 0; i < 2 * (MANY + FRESH); i++) {
        struct batch *b = keeper_batch(keeper);
        struct state s = state_of(i / 2);
        b->fresh[b->n++] = (struct fresh){store_pack(store, &s), 0};
        if (b->n == FRESH) {
            look_through(store, keeper_give(keeper), &next);
            keeper_batch(keeper)->n = 0;
        }
    }
    look_through(store, keeper_give(keeper), &next);
    while ((back = keeper_take(keeper)) != NULL)
        look_through(store, back, &next);
    assert_int_equal(next, MANY);
    keeper_free(keeper);
    assert_int_equal(store_count(store), MANY);
    store_free(store);
}

static void batches_come_back_in_order_whoever_keeps_them(void **state)
{
    (void)state;
    fill(true);
    fill(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_as_they_went_in),
        cmocka_unit_test(a_state_with_less_left_is_known),
        cmocka_unit_test(it_says_when_it_is_full),
        cmocka_unit_test(batches_come_back_in_order_whoever_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
