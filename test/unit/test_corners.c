/* Corners of the base and wire rooms that seeded bugs showed to be unwatched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/pool.h"
#include "wire/wire.h"

static void a_pool_remembers_its_peak_when_use_goes_down_and_up_again(void **state)
{
    (void)state;
    uint8_t block[4 * 8];
    struct pool pool;
    pool_init(&pool, 0, 8, 4);
    uint32_t first = pool_alloc(&pool, block);
    uint32_t second = pool_alloc(&pool, block);
    pool_free(&pool, block, first);
    pool_free(&pool, block, second);
    assert_int_not_equal(pool_alloc(&pool, block), 0);
    assert_int_equal(pool.used, 1);
    assert_int_equal(pool.peak, 2);
}

/* A first IPv4 fragment (more to come) with so many octets of payload. */
static enum wire_status parse_fragment(uint32_t payload_len)
{
    uint8_t packet[20 + 64] = {0x45, 0, 0, 0, 0, 7, 0x20, 0, 64, 17};
    put_be16(packet + 2, (uint16_t)(20 + payload_len));
    put_be16(packet + 10, csum_finish(csum_add(0, packet, 20)));
    struct wire_ip ip;
    return wire_parse_ip(packet, 20 + payload_len, &ip);
}

static void a_fragment_before_the_last_is_a_multiple_of_eight_octets(void **state)
{
    (void)state;
    for (uint32_t len = 1; len <= 64; len++) {
        assert_int_equal(parse_fragment(len), len % 8 == 0 ? WIRE_OK : WIRE_BAD_FORM);
    }
}

static void a_filled_checksum_of_nought_is_written_as_all_ones(void **state)
{
    (void)state;
    uint8_t packet[4] = {0xff, 0xff, 0, 0};
    assert_true(wire_fill_checksum(packet, sizeof packet, 0, 2));
    assert_int_equal(get_be16(packet + 2), 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_remembers_its_peak_when_use_goes_down_and_up_again),
        cmocka_unit_test(a_fragment_before_the_last_is_a_multiple_of_eight_octets),
        cmocka_unit_test(a_filled_checksum_of_nought_is_written_as_all_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
