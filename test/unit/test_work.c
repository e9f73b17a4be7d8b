/* The fit of test/common/work.h, on costs that are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/work.h"

static double power(uint32_t n, void *arg)
{
    return 7 * pow(n, *(double *)arg);
}

static double logarithm(uint32_t n, void *arg)
{
    (void)arg;
    return log2(n);
}

static double nearly_flat(uint32_t n, void *arg)
{
    (void)arg;
    return 12 + (n == 1000);
}

static void the_exponent_of_a_power_is_found(void **state)
{
    (void)state;
    for (double e = 0; e <= 2; e += 0.25) {
        double found = work_exponent(power, &e, 100000);
        assert_true(fabs(found - e) < 0.001);
    }
}

static void what_is_flat_passes_and_a_logarithm_is_told_from_it(void **state)
{
    (void)state;
    work_is_flat("nearly flat", nearly_flat, NULL);
    work_is_logarithmic("a logarithm", logarithm, NULL);
    assert_true(work_exponent(logarithm, NULL, 100000) > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exponent_of_a_power_is_found),
        cmocka_unit_test(what_is_flat_passes_and_a_logarithm_is_told_from_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
