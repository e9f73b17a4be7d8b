/* src/device/namespace.c where this process can open no more descriptors than so many when those of
 * the namespace come, or no more processes can be had.  Skipped where the system allows no
 * namespaces. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static ssize_t receive_few(int fd, struct msghdr *header, int flags);
static pid_t fork_or_not(void);
#define recvmsg receive_few
#define fork fork_or_not
#include "device/namespace.c"
#undef recvmsg
#undef fork

static bool no_processes;

static pid_t fork_or_not(void)
{
    errno = EAGAIN;
    return no_processes ? -1 : fork();
}

static int room; /* for so many; negative: as many as come */

static ssize_t receive_few(int fd, struct msghdr *header, int flags)
{
    struct rlimit before, less;
    int lowest = dup(fd);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = before;
    less.rlim_cur = room < 0 ? before.rlim_cur : (rlim_t)(lowest + room);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    ssize_t n = recvmsg(fd, header, flags);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return n;
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *all = opendir("/proc/self/fd");
    assert_non_null(all);
    while (readdir(all) != NULL) {
        n++;
    }
    closedir(all);
    return n;
}

static const struct dev_namespace_setup setup = {
    .try_veth = true, .mtu = 1500, .ip4 = {10, 77, 0, 1}, .prefix4 = 24};

static void a_namespace_whose_descriptors_do_not_all_come_is_none(void **state)
{
    (void)state;
    struct dev_namespace ns;
    int before = count_descriptors();
    for (room = 0; room < (geteuid() == 0 ? 2 : 3); room++) {
        char error[HF_ERROR_TEXT] = "";
        assert_int_equal(dev_namespace_make(&ns, &setup, error), -EMFILE);
        assert_non_null(strstr(error, "Too many open files"));
        assert_int_equal(ns.device_fd, -1);
        assert_int_equal(count_descriptors(), before);
    }
}

static void a_socket_that_does_not_come_is_an_error(void **state)
{
    (void)state;
    struct dev_namespace ns;
    room = -1;
    assert_int_equal(dev_namespace_make(&ns, &setup, NULL), 0);
    int before = count_descriptors();
    room = 0;
    assert_int_equal(dev_namespace_socket(&ns, AF_INET, SOCK_STREAM, 0), -EMFILE);
    room = 1;
    int fd = dev_namespace_socket(&ns, AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(count_descriptors(), before);
    dev_namespace_close(&ns);
}

static void a_process_that_cannot_be_had_is_told_with_the_reason(void **state)
{
    (void)state;
    const struct dev_namespace here = {-1, -1, -1, false};
    char program[] = "true", *argv[] = {program, NULL};
    char error[HF_ERROR_TEXT] = "";
    struct dev_namespace ns;
    int before = count_descriptors();
    no_processes = true;
    assert_int_equal(dev_namespace_make(&ns, &setup, error), -EAGAIN);
    assert_non_null(strstr(error, "no process to make it: Resource temporarily unavailable"));
    assert_int_equal(dev_namespace_start(&here, argv, NULL, error), -EAGAIN);
    assert_string_equal(error, "true: Resource temporarily unavailable");
    assert_int_equal(dev_namespace_socket(&here, AF_INET, SOCK_STREAM, 0), -EAGAIN);
    assert_int_equal(dev_namespace_sysctl(&here, "net/ipv4/tcp_sack", "1"), -EAGAIN);
    no_processes = false;
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_cannot_be_had_is_told_with_the_reason),
        cmocka_unit_test(a_namespace_whose_descriptors_do_not_all_come_is_none),
        cmocka_unit_test(a_socket_that_does_not_come_is_an_error),
    };
    struct dev_namespace ns;
    char error[HF_ERROR_TEXT] = "";
    room = -1;
    if (dev_namespace_make(&ns, &setup, error) < 0) {
        (void)fprintf(stderr, "skipped: %s\n", error);
        const char *ci = getenv("CI");
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
    }
    dev_namespace_close(&ns);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
