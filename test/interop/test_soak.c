/* ctest: timeout=7200 serial long
 * One connection after another with the kernel's TCP through 5 % loss, 5 % reordering and 1 %
 * duplication: each comes to its end, octet for octet.  HF_SOAK=1 (`make soak`): ten thousand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab.h"

static void connections_one_after_another_through_loss_all_come_to_their_end(void **state)
{
    (void)state;
    enum { OCTETS = 100 };
    uint64_t n = getenv("HF_SOAK") != NULL ? 10000 : 500;
    struct lab *lab = lab_open((uint32_t)n + 16, true);
    lab_peer_start(lab, OCTETS, OCTETS);
    assert_int_equal(lab_run(lab, n, 1, OCTETS, OCTETS), 0);
    struct lab_totals totals = lab_peer_stop(lab, n);
    assert_int_equal(totals.connections, n);
    assert_int_equal(totals.wrong, 0);
    assert_int_equal(totals.received, n * OCTETS);
    assert_int_equal(lab_left_over(lab), 0);
    lab_close(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_one_after_another_through_loss_all_come_to_their_end),
    };
    int skip = lab_skip();
    return skip != 0 ? skip : cmocka_run_group_tests_name("interop: soak", tests, NULL, NULL);
}
