/* src/host/calls.c with a clock, a lookup and a loop of the test's: how long hf_host_connect waits
 * where looking up the name took its time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/host.h"
#include "host/host.h"

static int64_t clock_now(struct hf_host *host);
static int look_up(struct hf_host *host, const char *name, const char *port, int version,
                   struct hf_endpoint *endpoints, uint32_t n);
static int wait_for(struct hf_host *host, int64_t timeout_ns);
#define host_now clock_now
#define hf_host_resolve look_up
#define hf_host_run_once wait_for
#include "host/calls.c"
#undef host_now
#undef hf_host_resolve
#undef hf_host_run_once

static const int64_t lookup_ns = INT64_C(5000000000);
static int64_t now_ns;

static int64_t clock_now(struct hf_host *host)
{
    host->env.now_ns = now_ns;
    return now_ns;
}

static int look_up(struct hf_host *host, const char *name, const char *port, int version,
                   struct hf_endpoint *endpoints, uint32_t n)
{
    now_ns += lookup_ns;
    return hf_host_resolve(host, name, port, version, endpoints, n);
}

static int wait_for(struct hf_host *host, int64_t timeout_ns)
{
    (void)host;
    assert_true(timeout_ns >= 0);
    now_ns += timeout_ns;
    return 0;
}

static void the_timeout_of_a_connect_begins_behind_the_lookup(void **state)
{
    (void)state;
    struct hf_host *host;
    struct hf_device *ends[2];
    hf_handle c;
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, ends[0]), 1);
    assert_int_equal(hf_host_address(host, 1, "192.0.2.1/24"), 0);
    now_ns = hf_host_env(host)->now_ns;
    int64_t began_at = now_ns;
    assert_int_equal(hf_host_connect(host, "192.0.2.2", "80", 1000, &c), -ETIMEDOUT);
    assert_true(now_ns == began_at + lookup_ns + INT64_C(1000000000));
    hf_host_free(host);
    hf_device_close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timeout_of_a_connect_begins_behind_the_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
