/* handfast/device.h: TUN and TAP devices that cannot be opened, with what the kernel says or hides
 * of them, and those of a descriptor without a name.  Skipped where there is no /dev/net/tun. */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"
#include "host/cable.h"

/* The soft limit before. */
static struct rlimit leave_descriptors(int n)
{
    struct rlimit before, less;
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = before;
    less.rlim_cur = (rlim_t)(lowest + n);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    return before;
}

static void a_device_whose_mtu_cannot_be_asked_for_is_refused(void **state)
{
    (void)state;
    struct hf_device *device;
    struct rlimit before = leave_descriptors(1);
    int err = hf_device_tun(&device, "hfr0", 0, error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_failure(err, -EMFILE, "hfr0: its MTU cannot be asked for: Too many open files");
    assert_null(device);
    assert_int_equal(if_nametoindex("hfr0"), 0);
}

static void a_name_that_no_interface_can_have_is_told(void **state)
{
    (void)state;
    static const char *const names[] = {"a/b", ".",  "..", "a b",  "a\tb", " ",   "a:b",
                                        "%",   "%s", "a%", "%d%d", "a\n",  "\xa0"};
    struct hf_device *device;
    char sentence[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(sentence, sizeof sentence, "%s: cannot be an interface's name", names[i]);
        expect_failure(hf_device_tun(&device, names[i], 0, error), -EINVAL, sentence);
        expect_failure(hf_device_tap(&device, names[i], NULL, 0, error), -EINVAL, sentence);
    }
    must(hf_device_tun(&device, "hfr%d", 0, error));
    assert_string_equal(hf_device_name(device), "hfr0");
    hf_device_close(device);
    expect_failure(hf_device_tun(&device, "lo", 0, error), -EINVAL, "exists and is not a TUN");
}

static void a_descriptor_without_a_name_has_the_kernels(void **state)
{
    (void)state;
    struct hf_device *device;
    uint8_t mac[6];
    char name[DEV_NAME_BYTES] = "hfr1";
    must(hf_device_tap(&device, name, NULL, 0, error));
    memcpy(mac, hf_device_interface(device)->mac, 6);
    hf_device_close(device);
    for (int kind = IFF_TUN; kind <= IFF_TAP; kind++) {
        int fd = dev_tun_open(name, kind, error);
        must(fd);
        must(hf_device_from_fd(&device, fd, NULL, NULL, 1500, 0, error));
        assert_string_equal(hf_device_name(device), name);
        if (kind == IFF_TAP) {
            assert_memory_equal(hf_device_interface(device)->mac, mac, 6);
        }
        hf_device_close(device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_whose_mtu_cannot_be_asked_for_is_refused),
        cmocka_unit_test(a_descriptor_without_a_name_has_the_kernels),
        cmocka_unit_test(a_name_that_no_interface_can_have_is_told),
    };
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        (void)fprintf(stderr, "skipped: /dev/net/tun cannot be opened\n");
        return skipped();
    }
    return enter_namespace() ? cmocka_run_group_tests(tests, NULL, NULL) : skipped();
}
