/* RFC 9293 section 3.4: sequence numbers; numbers by byte order; SipHash and random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"
#include "base/seq.h"
#include "base/siphash.h"

/* */
static void sequence_numbers_compare_across_the_wrap(void **state)
{
    (void)state;
    seq_t before = seq(0xfffffff0), after = seq_add(before, 0x20);
    assert_int_equal(after.v, 0x10);
    assert_true(seq_lt(before, after) && seq_leq(before, after) && !seq_eq(before, after));
    assert_true(seq_gt(after, before) && seq_geq(after, before));
    assert_int_equal(seq_diff(before, after), -0x20);
    assert_int_equal(seq_len(before, after), 0x20);
    assert_int_equal(seq_sub(after, 0x20).v, before.v);
    assert_int_equal(seq_max(before, after).v, after.v);
    assert_int_equal(seq_min(before, after).v, before.v);
}

static void a_window_holds_its_left_edge_and_not_its_right_one(void **state)
{
    (void)state;
    seq_t left = seq(0xfffffffe);
    assert_true(seq_in(left, left, 1));
    assert_true(seq_in(seq(1), left, 4));
    assert_false(seq_in(seq(2), left, 4));
    assert_false(seq_in(seq_sub(left, 1), left, 4));
    assert_false(seq_in(left, left, 0));
    assert_true(seq_in(seq_sub(left, 2), left, 0xffffffff));
}

static void numbers_lie_in_memory_as_their_names_say(void **state)
{
    (void)state;
    const uint8_t octets[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t out[8];
    assert_int_equal(get_be16(octets), 0x0102);
    assert_int_equal(get_be32(octets), 0x01020304);
    assert_true(get_be64(octets) == 0x0102030405060708);
    assert_int_equal(get_le16(octets), 0x0201);
    assert_int_equal(get_le32(octets), 0x04030201);
    assert_true(get_le64(octets) == 0x0807060504030201);
    put_be64(out, 0x0102030405060708);
    assert_memory_equal(out, octets, 8);
    put_le64(out, 0x0807060504030201);
    assert_memory_equal(out, octets, 8);
    put_be32(out, 0x01020304);
    put_be16(out + 4, 0x0506);
    put_le16(out + 6, 0x0807);
    assert_memory_equal(out, octets, 8);
    put_le32(out, 0x04030201);
    assert_memory_equal(out, octets, 8);
}

static void siphash_gives_its_authors_vectors(void **state)
{
    (void)state;
    uint8_t message[64];
    for (unsigned i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    uint64_t k0 = get_le64(message), k1 = get_le64(message + 8);
    assert_true(sip24(k0, k1, message, 0) == 0x726fdb47dd0e0e31);
    assert_true(sip24(k0, k1, message, 1) == 0x74f839c593dc67fd);
    assert_true(sip24(k0, k1, message, 8) == 0x93f5f5799a932462);
    assert_true(sip24(k0, k1, message, 15) == 0xa129ca6149be45e5);
    assert_true(sip13(k0, k1, message, 0) == 0xabac0158050fc4dc);
}

static void the_fixed_forms_agree_with_the_general_one(void **state)
{
    (void)state;
    const struct sip_key key = {0x0123456789abcdef, 0xfedcba9876543210};
    uint8_t message[36];
    for (unsigned i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(200 - 7 * i);
    }
    uint64_t w[4];
    for (unsigned i = 0; i < 4; i++) {
        w[i] = get_le64(message + 8 * i);
    }
    uint32_t middle = get_le32(message + 8), last = get_le32(message + 32);
    assert_true(sip13_12(&key, w[0], middle) == sip13(key.k0, key.k1, message, 12));
    assert_true(sip24_12(&key, w[0], middle) == sip24(key.k0, key.k1, message, 12));
    assert_true(sip13_36(&key, w, last) == sip13(key.k0, key.k1, message, 36));
    assert_true(sip24_36(&key, w, last) == sip24(key.k0, key.k1, message, 36));
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    uint8_t seed[16] = {1}, other[16] = {2};
    struct rng a, b, c;
    rng_seed(&a, seed);
    rng_seed(&b, seed);
    rng_seed(&c, other);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        differs = differs || x != rng_u64(&c);
    }
    assert_true(differs);
}

static void rng_below_is_even(void **state)
{
    (void)state;
    enum { KINDS = 6, DRAWS = 60000 };
    uint8_t seed[16] = {3};
    struct rng rng;
    rng_seed(&rng, seed);
    int seen[KINDS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t x = rng_below(&rng, KINDS);
        assert_true(x < KINDS);
        seen[x]++;
    }
    for (int i = 0; i < KINDS; i++) {
        assert_in_range(seen[i], DRAWS / KINDS - 500, DRAWS / KINDS + 500);
    }
    assert_int_equal(rng_below(&rng, 1), 0);
    /* Three quarters of 2^32: without rejection, every third number would come twice as often. */
    int third = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint32_t x = rng_below(&rng, 0xc0000000);
        assert_true(x < 0xc0000000);
        third += x % 3 == 0;
    }
    assert_in_range(third, DRAWS / 3 - 1000, DRAWS / 3 + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_numbers_compare_across_the_wrap),
        cmocka_unit_test(a_window_holds_its_left_edge_and_not_its_right_one),
        cmocka_unit_test(numbers_lie_in_memory_as_their_names_say),
        cmocka_unit_test(siphash_gives_its_authors_vectors),
        cmocka_unit_test(the_fixed_forms_agree_with_the_general_one),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(rng_below_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
