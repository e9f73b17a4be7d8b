/* Octets a record takes, as the process's own memory grows: what `handfast bench memory-*` measures
 * from 10^5 records on, from fewer. */
/* ctest: plain native */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "figures.h"

/* The history's ring is full with FEW. */
enum { FEW = 40000, MANY = 120000 };

static void takes_at_most(const char *what, double (*octets)(const void *arg), unsigned v4,
                          unsigned v6)
{
    for (unsigned six = 0; six < 2; six++) {
        struct memory_setup setup = {.pair = {.connections = MANY,
                                              .mtu = 1500,
                                              .msl_ms = 30000,
                                              .step_ns = 1000,
                                              .ports = 256,
                                              .v6 = six},
                                     .few = FEW,
                                     .many = MANY};
        unsigned most = six ? v6 : v4;
        double taken = octets(&setup);
        printf("%s, %s: %.1f octets of %u\n", what, six ? "IPv6" : "IPv4", taken, most);
        assert_true(taken > 32 && taken <= most);
    }
}

static void an_idle_connection_takes_no_more_memory_than_promised(void **state)
{
    (void)state;
    takes_at_most("ESTABLISHED", memory_established, 256, 288);
}

static void a_half_open_connection_takes_no_more_memory_than_promised(void **state)
{
    (void)state;
    takes_at_most("SYN-RECEIVED", memory_syn_received, 64, 96);
}

static void a_waiting_connection_takes_no_more_memory_than_promised(void **state)
{
    (void)state;
    takes_at_most("TIME-WAIT", memory_time_wait, 64, 96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_takes_no_more_memory_than_promised),
        cmocka_unit_test(a_half_open_connection_takes_no_more_memory_than_promised),
        cmocka_unit_test(a_waiting_connection_takes_no_more_memory_than_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
