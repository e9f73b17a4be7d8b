/* Memory that the host touches ahead of need (src/host/memory.c): there before it is used, and not
 * much more than that however many connections there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "handfast/device.h"
#include "host/host.h"

enum { CONNECTIONS = 60000, EACH_TURN = 500, AHEAD_LEAST = 1 << 17, AHEAD_MOST = 1 << 20 };

static const struct hf_endpoint there = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 2}, .port = 80};

/* One that is never answered. */
static void open_one(struct hf_host *host, uint16_t port)
{
    struct hf_endpoint from = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .port = port};
    hf_handle handle;
    assert_int_equal(hf_open(host->stack, &host->env, &from, &there, 0, &handle), HF_OK);
}

/* Each part is touched as far as it is used, and a little further. */
static void look(const struct hf_host *host)
{
    struct hf_extent parts[HOST_EXTENTS];
    uint32_t n = hf_extents(host->stack, parts, HOST_EXTENTS);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t used = parts[i].used, touched = host->touched[i];
        if (used == 0) {
            continue;
        }
        if (touched < parts[i].reserved && touched < used + AHEAD_LEAST) {
            fail_msg("%s: %llu octets are used, %llu touched", parts[i].name,
                     (unsigned long long)used, (unsigned long long)touched);
        }
        if (touched > used + AHEAD_MOST) {
            fail_msg("%s: %llu octets are used, and %llu touched", parts[i].name,
                     (unsigned long long)used, (unsigned long long)touched);
        }
    }
}

static void memory_is_touched_ahead_of_need_and_no_further(void **state)
{
    (void)state;
    struct hf_config config;
    struct hf_host_options options = {.struct_size = sizeof options, .config = &config};
    struct hf_host *host;
    struct hf_device *ends[2];
    hf_config_default(&config, CONNECTIONS);
    assert_int_equal(hf_host_new(&host, &options), 0);
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    hf_device_close(ends[1]);
    assert_int_equal(hf_host_attach(host, ends[0]), 1);
    assert_int_equal(hf_host_address(host, 1, "10.0.0.1/24"), 0);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        open_one(host, (uint16_t)(1 + i));
        if (i % EACH_TURN == 0) {
            host->grown_at = INT64_MIN / 2; /* a millisecond has passed */
            hf_host_run_once(host, 0);
            look(host);
        }
    }
    hf_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_touched_ahead_of_need_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
