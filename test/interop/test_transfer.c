/* ctest: timeout=300 serial
 * Transfers with the kernel's TCP as the peer, on a clean wire and through 5 % loss, 5 % reordering
 * and 1 % duplication; each octet is compared on arrival.  HF_LONG=1: the whole gigabyte in every
 * build; without, a sanitizer build takes a fraction of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab.h"

static const uint64_t MB = 1000000;

static bool slow_build(void)
{
    const char *sanitize = getenv("HF_SANITIZE");
    return sanitize != NULL && *sanitize != '\0' && getenv("HF_LONG") == NULL;
}

static void transfer(uint64_t connections, uint32_t at_once, uint64_t bytes, bool loss)
{
    /* One after another, all that are over stand in TIME-WAIT. */
    struct lab *lab = lab_open((uint32_t)connections + 16, loss);
    lab_peer_start(lab, bytes, bytes);
    assert_int_equal(lab_run(lab, connections, at_once, bytes, bytes), 0);
    struct lab_totals totals = lab_peer_stop(lab, connections);
    assert_int_equal(totals.connections, connections);
    assert_int_equal(totals.wrong, 0);
    assert_int_equal(totals.received, connections * bytes);
    assert_int_equal(lab_left_over(lab), 0);
    if (loss) {
        struct hf_impaired_counts counts;
        hf_device_impaired_counts(lab->impaired, &counts);
        assert_true(counts.lost > 0 && counts.reordered > 0 && counts.duplicated > 0);
    }
    lab_close(lab);
}

static void a_gigabyte_each_way_arrives_octet_for_octet(void **state)
{
    (void)state;
    transfer(1, 1, slow_build() ? 50 * MB : 1000 * MB, false);
}

static void twenty_megabytes_each_way_arrive_through_loss_reordering_and_duplicates(void **state)
{
    (void)state;
    transfer(1, 1, slow_build() ? 2 * MB : 20 * MB, true);
}

static void two_hundred_connections_at_once_survive_loss_reordering_and_duplicates(void **state)
{
    (void)state;
    transfer(200, 200, slow_build() ? 5000 : 50000, true);
}

static void ten_thousand_connections_one_after_another_leave_nothing_behind(void **state)
{
    (void)state;
    transfer(slow_build() ? 1000 : 10000, 1, 100, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gigabyte_each_way_arrives_octet_for_octet),
        cmocka_unit_test(twenty_megabytes_each_way_arrive_through_loss_reordering_and_duplicates),
        cmocka_unit_test(two_hundred_connections_at_once_survive_loss_reordering_and_duplicates),
        cmocka_unit_test(ten_thousand_connections_one_after_another_leave_nothing_behind),
    };
    int skip = lab_skip();
    return skip != 0 ? skip : cmocka_run_group_tests_name("interop: transfers", tests, NULL, NULL);
}
