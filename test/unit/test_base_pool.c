/* Pools and lists of records by index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/pool.h"

enum { RECORDS = 5, OFFSET = 64 };

struct record {
    uint32_t number;
    uint32_t fifo_next;
    struct idlist_link link;
};

struct fixture {
    struct pool pool;
    uint8_t block[OFFSET + RECORDS * sizeof(struct record)];
    struct links fifo_links, list_links;
};

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    pool_init(&f->pool, OFFSET, sizeof(struct record), RECORDS);
    f->fifo_links = pool_links(&f->pool, f->block, offsetof(struct record, fifo_next));
    f->list_links = pool_links(&f->pool, f->block, offsetof(struct record, link));
    for (uint32_t i = 1; i <= RECORDS; i++) {
        assert_int_equal(pool_alloc(&f->pool, f->block), i);
    }
}

static void a_pool_gives_each_record_once_and_then_none(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(pool_alloc(&f.pool, f.block), 0);
    assert_int_equal(f.pool.used, RECORDS);
    assert_int_equal(pool_bytes(&f.pool), RECORDS * sizeof(struct record));
    assert_ptr_equal(pool_at(&f.pool, f.block, 1), f.block + OFFSET);
    const uint8_t *last = pool_at_const(&f.pool, f.block, RECORDS);
    assert_ptr_equal(last + sizeof(struct record), f.block + sizeof f.block);
}

static void the_record_freed_last_is_used_first(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    ((struct record *)pool_at(&f.pool, f.block, 4))->fifo_next = 77;
    pool_free(&f.pool, f.block, 2);
    pool_free(&f.pool, f.block, 4);
    assert_int_equal(f.pool.used, RECORDS - 2);
    assert_int_equal(pool_alloc(&f.pool, f.block), 4);
    assert_int_equal(((struct record *)pool_at(&f.pool, f.block, 4))->fifo_next, 77);
    assert_int_equal(pool_alloc(&f.pool, f.block), 2);
    assert_int_equal(pool_alloc(&f.pool, f.block), 0);
    assert_int_equal(f.pool.peak, RECORDS);
}

static void an_unused_record_is_never_touched(void **state)
{
    (void)state;
    uint8_t block[64], untouched[64];
    memset(block, 0xee, sizeof block);
    memset(untouched, 0xee, sizeof untouched);
    struct pool pool;
    pool_init(&pool, 0, 16, 4);
    assert_int_equal(pool_alloc(&pool, block), 1);
    pool_free(&pool, block, 1);
    assert_memory_equal(block + 4, untouched, sizeof block - 4);
    assert_int_equal(pool.top, 1);
}

static void a_fifo_gives_back_in_order(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct ififo list = {0};
    assert_true(ififo_empty(&list));
    assert_int_equal(ififo_pop(&list, &f.fifo_links), 0);
    for (int round = 0; round < 2; round++) {
        ififo_push(&list, &f.fifo_links, 3);
        ififo_push(&list, &f.fifo_links, 1);
        assert_int_equal(ififo_pop(&list, &f.fifo_links), 3);
        ififo_push(&list, &f.fifo_links, 5);
        assert_false(ififo_empty(&list));
        assert_int_equal(ififo_pop(&list, &f.fifo_links), 1);
        assert_int_equal(ififo_pop(&list, &f.fifo_links), 5);
        assert_true(ififo_empty(&list));
    }
}

static void any_record_can_leave_a_doubly_linked_list(void **state)
{
    (void)state;
    struct fixture f;
    /* Each of 1..3 leaves first, second or third: all six orders. */
    const uint32_t orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                   {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    for (int o = 0; o < 6; o++) {
        set_up(&f);
        struct idlist list = {0};
        for (uint32_t i = 1; i <= 3; i++) {
            idlist_push_tail(&list, &f.list_links, i);
        }
        bool in[4] = {false, true, true, true};
        for (int step = 0; step < 3; step++) {
            idlist_remove(&list, &f.list_links, orders[o][step]);
            in[orders[o][step]] = false;
            uint32_t at = idlist_head(&list);
            for (uint32_t i = 1; i <= 3; i++) {
                if (in[i]) {
                    assert_int_equal(at, i);
                    at = idlist_next(&f.list_links, at);
                }
            }
            assert_int_equal(at, 0);
        }
        assert_true(idlist_empty(&list));
        assert_int_equal(list.tail, 0);
    }
}

static void a_record_that_left_can_go_to_the_tail_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct idlist list = {0};
    for (uint32_t i = 1; i <= 3; i++) {
        idlist_push_tail(&list, &f.list_links, i);
    }
    idlist_remove(&list, &f.list_links, 1);
    idlist_push_tail(&list, &f.list_links, 1);
    assert_int_equal(idlist_pop_head(&list, &f.list_links), 2);
    assert_int_equal(idlist_pop_head(&list, &f.list_links), 3);
    assert_int_equal(idlist_pop_head(&list, &f.list_links), 1);
    assert_int_equal(idlist_pop_head(&list, &f.list_links), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_gives_each_record_once_and_then_none),
        cmocka_unit_test(the_record_freed_last_is_used_first),
        cmocka_unit_test(an_unused_record_is_never_touched),
        cmocka_unit_test(a_fifo_gives_back_in_order),
        cmocka_unit_test(any_record_can_leave_a_doubly_linked_list),
        cmocka_unit_test(a_record_that_left_can_go_to_the_tail_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
