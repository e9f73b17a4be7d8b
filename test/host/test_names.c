/* handfast/host.h: errors, addresses and names as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/host.h"

static struct hf_host *host;

static int set_up(void **state)
{
    struct hf_device *ends[2];
    (void)state;
    if (hf_host_new(&host, NULL) != 0 || hf_device_pair(ends, NULL, NULL) != 0) {
        return -1;
    }
    hf_device_close(ends[1]);
    return hf_host_attach(host, ends[0]) == 1 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hf_host_free(host);
    return 0;
}

static void every_error_of_the_core_has_an_errno(void **state)
{
    (void)state;
    assert_int_equal(hf_errno(0), 0);
    for (int error = -1; error >= HF_ERR_PROHIBITED; error--) {
        assert_true(hf_errno(error) > 0);
        assert_true(hf_error_text(error)[0] != 0);
    }
    assert_int_equal(hf_errno(HF_ERR_REFUSED), ECONNREFUSED);
    assert_int_equal(hf_errno(HF_ERR_WOULD_BLOCK), EAGAIN);
    assert_int_equal(hf_errno(-1000), EIO);
    assert_int_equal(hf_errno(1), EIO);
}

static void expect_text(const char *name, const char *port, const char *text)
{
    struct hf_endpoint endpoint;
    char shown[HF_ENDPOINT_TEXT];
    assert_int_equal(hf_host_resolve(host, name, port, 0, &endpoint, 1), 1);
    assert_string_equal(hf_endpoint_text(&endpoint, shown), text);
}

static void endpoints_are_read_and_shown_as_people_write_them(void **state)
{
    (void)state;
    expect_text("10.0.0.2", "80", "10.0.0.2:80");
    expect_text("2001:0db8:0::2", "65535", "[2001:db8::2]:65535");
    expect_text("fe80::1%1", "1", "[fe80::1%1]:1");
    expect_text("fe80::1%pair0", "1", "[fe80::1%1]:1");
    expect_text(NULL, "7", "[::]:7");
}

static void a_version_may_be_asked_for(void **state)
{
    (void)state;
    struct hf_endpoint endpoint;
    assert_int_equal(hf_host_resolve(host, "10.0.0.2", "80", 4, &endpoint, 1), 1);
    assert_int_equal(hf_host_resolve(host, "10.0.0.2", "80", 6, &endpoint, 1), -EHOSTUNREACH);
    assert_int_equal(hf_host_resolve(host, "::1", "80", 4, &endpoint, 1), -EHOSTUNREACH);
}

static void what_is_no_port_address_or_scope_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const ports[] = {
        "",    "65536", "-1",  "80x", "99999999999", "no-such-service", " 99999", "+65616", "\t80",
        "+80", "-80",   "80 ", " "};
    static const char *const addresses[] = {
        "",           "10.0.0.2/33",  "10.0.0.2/-1", "10.0.0.2/",    "10.0.0/8",
        "fd77::/129", "10.0.0.2/24x", "hello/3",     "10.0.0.2 /24", "1:2:3:4:5:6:7:8:9/3",
    };
    struct hf_endpoint endpoint;
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        assert_int_equal(hf_host_resolve(host, "10.0.0.2", ports[i], 0, &endpoint, 1), -EINVAL);
        assert_non_null(strstr(hf_host_error(host), "port"));
    }
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        assert_int_equal(hf_host_address(host, 1, addresses[i]), -EINVAL);
        assert_non_null(strstr(hf_host_error(host), "not an address"));
        assert_int_equal(hf_host_route(host, 1, addresses[i], NULL), -EINVAL);
        assert_int_equal(hf_host_route(host, 1, "default", addresses[i]), -EINVAL);
    }
    assert_int_equal(hf_host_resolve(host, "fe80::1%9", "1", 0, &endpoint, 1), -EINVAL);
    assert_int_equal(hf_host_resolve(host, "fe80::1%eth7", "1", 0, &endpoint, 1), -EINVAL);
    assert_true(hf_host_address(host, 2, "10.0.0.2/24") < 0); /* no such interface */
}

static void no_room_for_an_address_is_told(void **state)
{
    (void)state;
    struct hf_endpoint endpoint;
    assert_int_equal(hf_host_resolve(host, NULL, "80", 0, &endpoint, 0), -EINVAL);
    assert_string_equal(hf_host_error(host), "no room for an address");
    assert_int_equal(hf_host_resolve(host, "10.0.0.2", "80", 0, &endpoint, 0), -EINVAL);
    assert_int_equal(hf_host_resolve(host, "10.0.0.2", "80x", 0, &endpoint, 0), -EINVAL);
    assert_non_null(strstr(hf_host_error(host), "not a port"));
}

static void addresses_and_routes_are_taken(void **state)
{
    (void)state;
    assert_int_equal(hf_host_address(host, 1, "10.0.0.2/24"), 0);
    assert_int_equal(hf_host_address(host, 1, "2001:db8::2"), 0);
    assert_int_equal(hf_host_route(host, 1, "192.0.2.0/24", "10.0.0.1"), 0);
    assert_int_equal(hf_host_route(host, 1, "default", "10.0.0.1"), 0);
    assert_int_equal(hf_host_route(host, 1, "default", "2001:db8::1"), 0);
    assert_non_null(hf_host_device(host, 1));
    assert_null(hf_host_device(host, 0));
    assert_null(hf_host_device(host, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_of_the_core_has_an_errno),
        cmocka_unit_test(endpoints_are_read_and_shown_as_people_write_them),
        cmocka_unit_test(a_version_may_be_asked_for),
        cmocka_unit_test(what_is_no_port_address_or_scope_is_refused_with_a_sentence),
        cmocka_unit_test(no_room_for_an_address_is_told),
        cmocka_unit_test(addresses_and_routes_are_taken),
    };
    return cmocka_run_group_tests_name("names", tests, set_up, tear_down);
}
