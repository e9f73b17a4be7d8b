/* Payload memory: chunks, lent pieces, frames that are not done. */
#include "tcp_block.h"

static const struct block_size usual = {
    .small = 16, .small_bytes = 64, .large = 4, .pieces = 8, .ranges = 4, .tokens = 11};

static void fill(uint8_t *p, uint32_t n, uint32_t from)
{
    for (uint32_t i = 0; i < n; i++) {
        p[i] = (uint8_t)((from + i) * 7 + (from + i) / 256);
    }
}

static uint32_t in_use(const struct bench *t)
{
    return t->b->small.used + t->b->large.used + t->b->pieces.used;
}

static void appended_text_comes_back_in_order(void **state)
{
    (void)state;
    struct bench t;
    uint8_t text[40000], back[40000];
    bench_begin(&t, &usual);
    fill(text, sizeof text, 0);
    uint32_t head = 0, tail = 0, seed = 1;
    uint64_t n = 0;
    while (n < sizeof text) {
        uint64_t some = min_u64(1 + bench_random(&seed, 3000), sizeof text - n);
        assert_int_equal(tcp_chunk_append(&t.tcp, &head, &tail, text + n, some, CHUNK_TO_READ),
                         some);
        n += some;
    }
    struct cursor from = {seq(0), head, 0};
    n = 0;
    while (n < sizeof text) {
        struct hf_slice slices[2];
        uint32_t used = 2;
        uint32_t got =
            tcp_chunk_slices(&t.tcp, &from, 1 + bench_random(&seed, 5000), slices, &used);
        assert_true(got > 0);
        uint32_t sum = 0;
        for (uint32_t i = 0; i < used; i++) {
            memcpy(back + n + sum, slices[i].data, slices[i].len);
            sum += slices[i].len;
        }
        assert_int_equal(sum, got);
        tcp_cursor_advance(&t.tcp, &from, got);
        n += got;
        assert_int_equal(from.at.v, n);
    }
    assert_memory_equal(text, back, sizeof text);
    tcp_chunk_free_chain(&t.tcp, head);
    assert_int_equal(in_use(&t), 0);
    bench_end(&t);
}

static void a_cursor_at_the_end_finds_what_is_appended_later(void **state)
{
    (void)state;
    struct bench t;
    uint8_t text[200];
    bench_begin(&t, &usual);
    fill(text, sizeof text, 0);
    uint32_t head = 0, tail = 0;
    tcp_chunk_append(&t.tcp, &head, &tail, text, 64, CHUNK_TO_READ); /* exactly one small chunk */
    struct cursor at = {seq(0), head, 0};
    tcp_cursor_advance(&t.tcp, &at, 64);
    struct hf_slice slice;
    uint32_t n = 1;
    assert_int_equal(tcp_chunk_slices(&t.tcp, &at, 10, &slice, &n), 0);
    tcp_chunk_append(&t.tcp, &head, &tail, text + 64, 10, CHUNK_TO_READ);
    n = 1;
    assert_int_equal(tcp_chunk_slices(&t.tcp, &at, 10, &slice, &n), 10);
    assert_memory_equal(slice.data, text + 64, 10);
    tcp_cursor_advance(&t.tcp, &at, 10);
    tcp_chunk_append(&t.tcp, &head, &tail, text + 74, 10, CHUNK_TO_READ); /* in the same chunk */
    n = 1;
    assert_int_equal(tcp_chunk_slices(&t.tcp, &at, 10, &slice, &n), 10);
    assert_memory_equal(slice.data, text + 74, 10);
    bench_end(&t);
}

static void a_cursor_is_found_again_from_the_head_of_the_queue(void **state)
{
    (void)state;
    struct bench t;
    uint8_t text[3000];
    bench_begin(&t, &usual);
    fill(text, sizeof text, 0);
    struct active active = {0};
    tcp_chunk_append(&t.tcp, &active.sq_head, &active.sq_tail, text, 64, CHUNK_TO_READ);
    tcp_chunk_append(&t.tcp, &active.sq_head, &active.sq_tail, text + 64, 2936, CHUNK_TO_READ);
    active.sq_skip = 10;
    struct cursor at;
    for (uint32_t n = 0; n < 2990; n += 13) {
        tcp_cursor_set(&t.tcp, &active, seq(100), &at, seq(100 + n));
        struct hf_slice slice;
        uint32_t one = 1;
        assert_int_equal(tcp_chunk_slices(&t.tcp, &at, 1, &slice, &one), 1);
        assert_int_equal(slice.data[0], text[10 + n]);
        assert_int_equal(at.at.v, 100 + n);
    }
    /* A FIN behind the text has a number and no octet. */
    tcp_cursor_set(&t.tcp, &active, seq(100), &at, seq(100 + 2991));
    assert_int_equal(at.at.v, 100 + 2991);
    bench_end(&t);
}

static void little_text_takes_a_small_chunk_and_much_a_large_one(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, &usual);
    assert_true(tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ) <= 16);
    assert_true(tcp_chunk_new(&t.tcp, 64, CHUNK_TO_READ) <= 16);
    assert_true(tcp_chunk_new(&t.tcp, 65, CHUNK_TO_READ) > 16);
    while (t.b->large.used < 4) {
        assert_true(tcp_chunk_new(&t.tcp, 10000, CHUNK_TO_READ) > 16);
    }
    uint32_t instead = tcp_chunk_new(&t.tcp, 10000, CHUNK_TO_READ);
    assert_true(instead >= 1 && instead <= 16);
    bench_end(&t);
}

static void sending_leaves_an_eighth_to_receiving(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, &usual);
    uint32_t n = 0;
    while (tcp_chunk_new(&t.tcp, 1, CHUNK_TO_KEEP)) {
        n++;
    }
    assert_true(n >= 16 && n < 20);
    uint32_t left = 0;
    while (tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ)) {
        left++;
    }
    assert_int_equal(n + left, 20);
    assert_true(left >= 20 / 8);
    bench_end(&t);
    bench_begin(&t, &(struct block_size){.small = 2, .small_bytes = 64, .tokens = 1});
    assert_int_not_equal(tcp_chunk_new(&t.tcp, 1, CHUNK_TO_KEEP), 0);
    assert_int_equal(tcp_chunk_new(&t.tcp, 1, CHUNK_TO_KEEP), 0);
    assert_int_not_equal(tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ), 0);
    bench_end(&t);
    bench_begin(&t, &(struct block_size){.small = 1, .small_bytes = 64, .tokens = 1});
    assert_int_not_equal(tcp_chunk_new(&t.tcp, 1, CHUNK_TO_KEEP), 0);
    bench_end(&t);
}

static void lent_memory_comes_back_when_its_last_piece_is_freed(void **state)
{
    (void)state;
    struct bench t;
    uint8_t memory[1000];
    uint64_t tokens[4];
    bench_begin(&t, &usual);
    bench_region(&t, memory, sizeof memory);
    uint32_t lent = tcp_lent_new(&t.tcp, 1, 4711, NULL);
    uint32_t one = tcp_chunk_new_lent(&t.tcp, lent, 100, 50);
    uint32_t two = tcp_chunk_new_lent(&t.tcp, lent, 300, 50);
    assert_ptr_equal(tcp_chunk_data(&t.tcp, one), memory + 100);
    assert_ptr_equal(tcp_chunk_data(&t.tcp, two), memory + 300);
    assert_int_equal(tcp_chunk_room(&t.tcp, one), 0);
    tcp_lent_unref(&t.tcp, lent);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 0);
    tcp_chunk_free_now(&t.tcp, one);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 0);
    tcp_chunk_free_now(&t.tcp, two);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 1);
    assert_int_equal(tokens[0], 4711);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 0);
    assert_int_equal(t.b->lents.used, 0);
    assert_int_equal(t.b->pieces.used, 0);
    bench_end(&t);
}

static void borrowed_octets_wait_for_the_frames_that_point_to_them(void **state)
{
    (void)state;
    struct bench t;
    uint8_t memory[1000];
    uint64_t tokens[4];
    bench_begin(&t, &usual);
    bench_region(&t, memory, sizeof memory);
    struct tcb *owner = bench_connection(&t, 0, 5000, 1000);
    uint32_t lent = tcp_lent_new(&t.tcp, 1, 9, owner);
    uint32_t piece = tcp_chunk_new_lent(&t.tcp, lent, 0, 1000);
    tcp_lent_unref(&t.tcp, lent);
    uint64_t frame = tcp_take_token(&t.tcp);
    tcp_chunk_free_chain(&t.tcp, piece);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 0);
    assert_int_equal(owner->events & HF_SENT, 0); /* not before the token is there */
    assert_true(tcp_token_done(&t.tcp, frame));
    assert_true(owner->events & HF_SENT);
    assert_int_equal(tcp_returned(&t.tcp, tokens, 4), 1);
    assert_int_equal(tokens[0], 9);
    bench_end(&t);
}

static void a_lent_record_that_was_not_used_goes_without_a_token(void **state)
{
    (void)state;
    struct bench t;
    uint64_t token;
    bench_begin(&t, &usual);
    tcp_lent_drop(&t.tcp, tcp_lent_new(&t.tcp, 1, 9, NULL));
    assert_int_equal(tcp_returned(&t.tcp, &token, 1), 0);
    assert_int_equal(t.b->lents.used, 0);
    bench_end(&t);
}

static void each_token_is_done_once_and_none_before_it_was_given(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, &usual);
    assert_false(tcp_token_done(&t.tcp, 0));
    assert_false(tcp_token_done(&t.tcp, 1));
    for (uint64_t i = 1; i <= 11; i++) {
        assert_int_equal(tcp_take_token(&t.tcp), i);
    }
    assert_int_equal(tcp_take_token(&t.tcp), 0); /* max_tokens are out */
    assert_true(tcp_token_done(&t.tcp, 2));
    assert_false(tcp_token_done(&t.tcp, 2));
    assert_int_equal(tcp_take_token(&t.tcp), 0); /* the oldest is still out */
    assert_true(tcp_token_done(&t.tcp, 1));
    assert_int_equal(tcp_take_token(&t.tcp), 12);
    assert_int_equal(tcp_take_token(&t.tcp), 13);
    assert_int_equal(tcp_take_token(&t.tcp), 0);
    assert_false(tcp_token_done(&t.tcp, 1));
    assert_false(tcp_token_done(&t.tcp, 14));
    bench_end(&t);
}

/* Against a model: a freed chunk may be used again when the frames that were out then are done. */
static void a_chunk_in_limbo_is_free_when_the_frames_of_its_time_are_done(void **state)
{
    (void)state;
    struct bench t;
    enum { STEPS = 20000 };
    bench_begin(&t, &usual);
    t.b->next_token = t.b->done_token = 0xfffffff0u; /* the tag is 32 bits of it */
    uint64_t out[11];
    uint32_t n_out = 0, seed = 3;
    uint64_t freed_at[STEPS]; /* next token when freed */
    uint32_t first_waiting = 0, freed = 0, held = 0;
    uint32_t chunk[20];
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t what = bench_random(&seed, 4);
        if (what == 0 && n_out < 11) {
            uint64_t token = tcp_take_token(&t.tcp);
            out[n_out] = token;
            n_out += token != 0;
        } else if (what == 1 && n_out) {
            uint32_t i = bench_random(&seed, n_out);
            assert_true(tcp_token_done(&t.tcp, out[i]));
            out[i] = out[--n_out];
        } else if (what == 2) {
            uint32_t idx = tcp_chunk_new(&t.tcp, 1, CHUNK_TO_READ);
            if (idx) {
                chunk[held++] = idx;
            }
        } else if (held) {
            tcp_chunk_free_chain(&t.tcp, chunk[--held]);
            freed_at[freed++] = t.b->next_token;
        }
        uint64_t oldest = t.b->next_token;
        for (uint32_t i = 0; i < n_out; i++) {
            oldest = min_u64(oldest, out[i]);
        }
        while (first_waiting < freed && freed_at[first_waiting] <= oldest) {
            first_waiting++;
        }
        assert_int_equal(in_use(&t), held + freed - first_waiting);
    }
    assert_true(t.b->next_token > 0x100000000u);
    bench_end(&t);
}

/* 64 octets that no mark ends, then 20 that one does; 40 of the first are sent. */
static struct cursor begins_in_the_first(struct bench *t)
{
    uint8_t text[64];
    uint32_t head = 0, tail = 0;
    fill(text, sizeof text, 0);
    tcp_chunk_append(&t->tcp, &head, &tail, text, 64, CHUNK_TO_READ);
    tcp_chunk_append(&t->tcp, &head, &tail, text, 20, CHUNK_TO_READ);
    assert_int_not_equal(head, tail);
    tcp_chunk(&t->tcp, tail)->push = true;
    return (struct cursor){seq(40), head, 40};
}

/* RFC 9293 3.9.1.2: the mark stands at the last octet of a SEND. */
static void a_segment_pushes_if_it_holds_the_marked_octet_of_a_later_chunk(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, &usual);
    struct cursor from = begins_in_the_first(&t);
    assert_true(tcp_chunk_pushes(&t.tcp, &from, 24 + 20));
    bench_end(&t);
}

static void a_segment_that_ends_before_the_marked_octet_does_not_push(void **state)
{
    (void)state;
    struct bench t;
    bench_begin(&t, &usual);
    struct cursor from = begins_in_the_first(&t);
    assert_false(tcp_chunk_pushes(&t.tcp, &from, 24));
    assert_false(tcp_chunk_pushes(&t.tcp, &from, 24 + 19));
    bench_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_text_comes_back_in_order),
        cmocka_unit_test(a_cursor_at_the_end_finds_what_is_appended_later),
        cmocka_unit_test(a_cursor_is_found_again_from_the_head_of_the_queue),
        cmocka_unit_test(little_text_takes_a_small_chunk_and_much_a_large_one),
        cmocka_unit_test(sending_leaves_an_eighth_to_receiving),
        cmocka_unit_test(lent_memory_comes_back_when_its_last_piece_is_freed),
        cmocka_unit_test(borrowed_octets_wait_for_the_frames_that_point_to_them),
        cmocka_unit_test(a_lent_record_that_was_not_used_goes_without_a_token),
        cmocka_unit_test(each_token_is_done_once_and_none_before_it_was_given),
        cmocka_unit_test(a_chunk_in_limbo_is_free_when_the_frames_of_its_time_are_done),
        cmocka_unit_test(a_segment_pushes_if_it_holds_the_marked_octet_of_a_later_chunk),
        cmocka_unit_test(a_segment_that_ends_before_the_marked_octet_does_not_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
