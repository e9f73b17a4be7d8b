/* The secret behind initial sequence numbers, ports and cookies: from the system, or not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "handfast/host.h"

static bool broken, zeros;
static size_t most = SIZE_MAX;
static uint8_t next;

/* In place of the system's, for this program. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    if (broken) {
        errno = ENOSYS;
        return -1;
    }
    length = length < most ? length : most;
    memset(buffer, zeros ? 0 : ++next, length);
    return (ssize_t)length;
}

static void there_is_no_host(void)
{
    struct hf_host *host = NULL;
    assert_true(hf_host_new(&host, NULL) < 0);
    assert_null(host);
}

/* PR-02: CVE-2026-19735: too few octets, or a system that says yes and has written none */
static void a_seed_that_is_not_whole_or_not_filled_in_makes_no_host(void **state)
{
    (void)state;
    for (most = 0; most < sizeof((struct hf_config *)0)->seed; most++)
        there_is_no_host();
    most = SIZE_MAX;
    zeros = true;
    there_is_no_host();
    zeros = false;
    struct hf_host *host = NULL;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    hf_host_free(host);
}

/* PR-02, RFC6528-4 */
static void without_random_octets_from_the_system_there_is_no_host(void **state)
{
    (void)state;
    struct hf_host *host = NULL;
    broken = true;
    there_is_no_host();
    broken = false;
    uint8_t before = next;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_not_equal(next, before);
    hf_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_that_is_not_whole_or_not_filled_in_makes_no_host),
        cmocka_unit_test(without_random_octets_from_the_system_there_is_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
