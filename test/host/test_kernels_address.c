/* handfast/host.h: addresses that the kernel has on the interface, or at the other side of the
 * device, are not ours. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/namespace.h"
#include "handfast/host.h"
#include "host/cable.h"

static void refused(struct hf_host *host, const char *address)
{
    char words[64];
    (void)snprintf(words, sizeof words, "%s: the kernel has this address of hfk0", address);
    assert_int_equal(hf_host_address(host, 1, address), -EADDRINUSE);
    if (strstr(hf_host_error(host), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", hf_host_error(host), words);
    }
}

static void expect_refusals(struct hf_device *device)
{
    struct hf_host *host;
    must(hf_kernel_address("hfk0", "10.9.7.1/24", error));
    must(hf_kernel_address("hfk0", "10.9.7.5/24", error));
    must(hf_kernel_address("hfk0", "fd97::1/64", error));
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    refused(host, "10.9.7.1/24");
    refused(host, "10.9.7.5");
    refused(host, "fd97::1/64");
    assert_int_equal(hf_host_address(host, 1, "10.9.7.2/24"), 0);
    assert_int_equal(hf_host_address(host, 1, "fd97::2/64"), 0);
    hf_host_free(host);
}

static void an_address_of_the_shared_interface_is_refused(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
    const struct hf_impairment none = {.struct_size = sizeof none};
    struct hf_device *device, *inner;
    must(dev_link_veth("hfk0", "hfk1", error));
    must(hf_kernel_address("hfk1", "10.9.7.2/24", error)); /* another interface's are none of it */
    must(hf_device_packet(&device, "hfk0", NULL, 0, error));
    expect_refusals(device);
    must(hf_device_packet(&device, "hfk0", mac, 0, error)); /* both would answer to ARP */
    expect_refusals(device);
    must(hf_device_packet(&inner, "hfk0", NULL, 0, error));
    must(hf_device_impaired(&device, inner, &none, error));
    expect_refusals(device);
}

static void an_address_of_the_kernels_side_is_refused(void **state)
{
    (void)state;
    struct hf_device *device;
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        skip();
    }
    must(hf_device_tun(&device, "hfk0", 0, error));
    expect_refusals(device);
    must(hf_device_tap(&device, "hfk0", NULL, 0, error));
    expect_refusals(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_of_the_kernels_side_is_refused),
        cmocka_unit_test(an_address_of_the_shared_interface_is_refused),
    };
    return enter_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : skipped();
}
