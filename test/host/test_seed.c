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

static bool broken;
static uint8_t next;

/* In place of the system's, for this program. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    if (broken) {
        errno = ENOSYS;
        return -1;
    }
    memset(buffer, ++next, length);
    return (ssize_t)length;
}

/* RFC6528-4 */
static void without_random_octets_from_the_system_there_is_no_host(void **state)
{
    (void)state;
    struct hf_host *host = NULL;
    broken = true;
    assert_true(hf_host_new(&host, NULL) < 0);
    assert_null(host);
    broken = false;
    uint8_t before = next;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_not_equal(next, before);
    hf_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_random_octets_from_the_system_there_is_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
