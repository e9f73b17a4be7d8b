/* RFC 1071, RFC 1624: the Internet checksum against a naive one, on every length and alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "handfast/host.h"

enum { ROOM = 300 };

/* The definition, two octets at a time. */
static uint16_t naive(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        p[i] = (uint8_t)(seed >> 24);
    }
}

/* RFC1071-1 */
static void the_example_of_rfc_1071_sums_to_ddf2(void **state)
{
    (void)state;
    const uint8_t octets[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(csum_fold(csum_add(0, octets, sizeof octets)), 0xddf2);
    assert_int_equal(csum_finish(csum_add(0, octets, sizeof octets)), 0x220d);
}

static void every_length_and_alignment_is_summed(void **state)
{
    (void)state;
    uint8_t octets[ROOM];
    fill(octets, sizeof octets, 1);
    for (size_t from = 0; from < 8; from++) {
        for (size_t n = 0; n + from <= ROOM; n++) {
            assert_int_equal(csum_fold(csum_add(0, octets + from, n)), naive(octets + from, n));
        }
    }
}

static void all_ones_do_not_overflow(void **state)
{
    (void)state;
    uint8_t octets[ROOM];
    memset(octets, 0xff, sizeof octets);
    csum_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        sum = csum_add(sum, octets, sizeof octets);
    }
    assert_int_equal(csum_fold(sum), 0xffff);
    assert_int_equal(csum_fold(UINT64_MAX), 0xffff);
}

static void a_sum_may_be_cut_anywhere(void **state)
{
    (void)state;
    uint8_t octets[65];
    fill(octets, sizeof octets, 2);
    uint16_t whole = naive(octets, sizeof octets);
    for (size_t a = 0; a <= sizeof octets; a++) {
        for (size_t b = a; b <= sizeof octets; b++) {
            csum_t sum = csum_add(0, octets, a);
            sum = csum_add_at(sum, octets + a, b - a, a % 2);
            sum = csum_add_at(sum, octets + b, sizeof octets - b, b % 2);
            assert_int_equal(csum_fold(sum), whole);
        }
    }
}

static void copy_and_sum_does_both(void **state)
{
    (void)state;
    uint8_t from[ROOM], to[ROOM + 1];
    fill(from, sizeof from, 3);
    for (size_t n = 0; n < ROOM; n++) {
        memset(to, 0xa5, sizeof to);
        csum_t sum = csum_copy(to, from, n, csum_add(0, "xy", 2));
        assert_memory_equal(to, from, n);
        assert_int_equal(to[n], 0xa5);
        assert_int_equal(csum_fold(sum), csum_fold(csum_add(csum_add(0, "xy", 2), from, n)));
    }
}

/* CSUM_AVX2 is what this processor may have; what it lacks is not tried. */
static void wider_registers_give_the_same_sums_and_copies(void **state)
{
    (void)state;
    uint8_t from[ROOM + 32], to[ROOM + 33];
    uint32_t simd = hf_host_simd();
    fill(from, sizeof from, 5);
    memset(from + ROOM / 2, 0xff, ROOM / 3);
    for (size_t n = 0; n < ROOM; n++) {
        const uint8_t *p = from + n % 32;
        csum_t sum = csum_add(0, "xy", 2);
        assert_int_equal(csum_fold(csum_add_wide(simd, sum, p, n)), csum_fold(csum_add(sum, p, n)));
        assert_int_equal(csum_fold(csum_add_wide(0, sum, p, n)), csum_fold(csum_add(sum, p, n)));
        memset(to, 0xa5, sizeof to);
        csum_t copied = csum_copy_wide(simd, to, p, n, sum);
        assert_memory_equal(to, p, n);
        assert_int_equal(to[n], 0xa5);
        assert_int_equal(csum_fold(copied), csum_fold(csum_add(sum, p, n)));
    }
}

static void sums_of_parts_are_joined_where_the_second_begins(void **state)
{
    (void)state;
    uint8_t octets[ROOM];
    fill(octets, sizeof octets, 6);
    for (size_t n = 0; n < ROOM; n++) {
        csum_t first = csum_add(0, octets, n), rest = csum_add(0, octets + n, ROOM - n);
        assert_int_equal(csum_fold(csum_join(first, rest, n & 1)), naive(octets, ROOM));
    }
}

/* RFC8200-6 */
static void pseudo_headers_are_those_of_the_rfcs(void **state)
{
    (void)state;
    const uint8_t a4[4] = {192, 0, 2, 1}, b4[4] = {198, 51, 100, 2};
    const uint8_t header4[12] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x12, 0x34};
    assert_int_equal(csum_fold(csum_pseudo4(a4, b4, 6, 0x1234)), naive(header4, sizeof header4));
    uint8_t header6[40] = {0};
    fill(header6, 32, 4);
    put_be32(header6 + 32, 0x10005);
    header6[39] = 58;
    csum_t sum = csum_pseudo6(header6, header6 + 16, 58, 0x10005);
    assert_int_equal(csum_fold(sum), naive(header6, sizeof header6));
}

/* RFC1624-1 */
static void the_example_of_rfc_1624_updates_to_zero(void **state)
{
    (void)state;
    assert_int_equal(csum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

static void an_update_equals_a_new_sum(void **state)
{
    (void)state;
    uint8_t octets[20];
    for (uint32_t round = 0; round < 2000; round++) {
        fill(octets, sizeof octets, round);
        uint16_t before = csum_finish(csum_add(0, octets, sizeof octets));
        uint16_t was = get_be16(octets + 8), is = (uint16_t)(round * 257);
        put_be16(octets + 8, is);
        uint16_t after = csum_finish(csum_add(0, octets, sizeof octets));
        assert_int_equal(csum_update(before, was, is), after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071_sums_to_ddf2),
        cmocka_unit_test(every_length_and_alignment_is_summed),
        cmocka_unit_test(all_ones_do_not_overflow),
        cmocka_unit_test(a_sum_may_be_cut_anywhere),
        cmocka_unit_test(copy_and_sum_does_both),
        cmocka_unit_test(wider_registers_give_the_same_sums_and_copies),
        cmocka_unit_test(sums_of_parts_are_joined_where_the_second_begins),
        cmocka_unit_test(pseudo_headers_are_those_of_the_rfcs),
        cmocka_unit_test(the_example_of_rfc_1624_updates_to_zero),
        cmocka_unit_test(an_update_equals_a_new_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
