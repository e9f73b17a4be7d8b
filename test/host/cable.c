/* cable.c - a veth pair in a network namespace of the program's own. */
#include "host/cable.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/namespace.h"
#include "handfast/host.h"

char error[HF_ERROR_TEXT];

bool enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) == 0) {
        return true;
    }
    (void)fprintf(stderr, "skipped: no network namespace: %s\n", strerror(errno));
    return false;
}

int skipped(void)
{
    const char *ci = getenv("CI");
    return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
}

void must(int result)
{
    if (result < 0) {
        fail_msg("%s", error);
    }
}

void expect_failure(int result, int expected, const char *words)
{
    assert_int_equal(result, expected);
    if (strstr(error, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error, words);
    }
}

void lay_cable(int queues)
{
    char command[300]; /* what is there is of a test that failed */
    (void)snprintf(command, sizeof command,
                   "ip link del ours 2>/dev/null; ip link add ours numrxqueues %d numtxqueues %d "
                   "type veth peer name peer numrxqueues %d numtxqueues %d",
                   queues, queues, queues, queues);
    if (system(command) != 0) {
        skip(); /* no iproute2 here, or it does not let us */
    }
    must(hf_kernel_address("peer", "10.9.0.1/24", error));
    must(hf_kernel_address("peer", "fd09::1/64", error));
    must(hf_kernel_address("ours", NULL, error));
    assert_int_equal(dev_link_no_offload("peer"), 0);
}

void need_xdp(void)
{
    struct hf_device *device;
    int err = hf_device_xdp(&device, "ours", 0, NULL, HF_DEVICE_XDP_GENERIC, error);
    if (err == -EPERM || err == -EACCES || err == -EAFNOSUPPORT || err == -ENOTSUP ||
        err == -ENOBUFS) {
        (void)fprintf(stderr, "skipped: %s\n", error);
        take_up_cable();
        if (skipped() != 77) {
            fail();
        }
        skip();
    }
    must(err);
    hf_device_close(device);
}

void take_up_cable(void)
{
    assert_int_equal(system("ip link del ours"), 0);
}

/* After a timeout the kernel draws a new hash for its socket, and with it another queue of a veth
 * (net.core.txrehash): that segment would come to a shard that does not know the connection. */
static void keep_queue(int fd)
{
    enum { TXREHASH = 74 }; /* SO_TXREHASH, since Linux 5.18 */
    int off = 0;
    if (setsockopt(fd, SOL_SOCKET, TXREHASH, &off, sizeof off) != 0) {
        assert_int_equal(errno, ENOPROTOOPT);
    }
}

int connect_to(int version, uint16_t port)
{
    struct sockaddr_in6 there = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in there4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = LONG_MS / 1000};
    (void)inet_pton(AF_INET6, "fd09::2", &there.sin6_addr);
    (void)inet_pton(AF_INET, "10.9.0.2", &there4.sin_addr);
    bool v4 = version == 4;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const void *at = v4 ? (const void *)&there4 : &there;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    keep_queue(fd);
    if (connect(fd, at, v4 ? sizeof there4 : sizeof there) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}
