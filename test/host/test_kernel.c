/* ctest: timeout=180
 * handfast/host.h with the kernel's TCP as the peer, in a private network: TUN, and veth with
 * AF_PACKET.  Skipped where the system allows no namespaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "handfast/host.h"

enum { LONG_MS = 60000, PORT = 4000 };

static const struct variant {
    const char *name;
    uint32_t flags; /* HF_PRIVATE_* */
} variants[] = {
    {"tun", HF_PRIVATE_TUN},
    {"tun without offload", HF_PRIVATE_TUN | HF_PRIVATE_NO_OFFLOAD},
    {"veth", HF_PRIVATE_VETH},
    {"veth without offload", HF_PRIVATE_VETH | HF_PRIVATE_NO_OFFLOAD},
};

struct lab {
    struct hf_private *net;
    struct hf_host *host;
    uint32_t largest_in, largest_out; /* frames seen by the trace: octets of text */
};

static bool offered(const struct variant *variant)
{
    struct hf_private *net;
    struct hf_private_options options = {.struct_size = sizeof options, .flags = variant->flags};
    bool made = hf_private_open(&net, &options, NULL) == 0;
    hf_private_close(net);
    return made;
}

static void note_sizes(void *arg, const struct hf_trace *record)
{
    struct lab *lab = arg;
    if (record->kind == HF_TRACE_IN && record->text_bytes > lab->largest_in) {
        lab->largest_in = record->text_bytes;
    }
    if (record->kind == HF_TRACE_OUT && record->text_bytes > lab->largest_out) {
        lab->largest_out = record->text_bytes;
    }
}

static void open_lab(struct lab *lab, const struct variant *variant,
                     const struct hf_impairment *impairment)
{
    struct hf_private_options options = {.struct_size = sizeof options, .flags = variant->flags};
    char error[HF_ERROR_TEXT] = "";
    memset(lab, 0, sizeof *lab);
    if (hf_private_open(&lab->net, &options, error) < 0) {
        fail_msg("%s", error);
    }
    assert_int_equal(hf_host_new(&lab->host, NULL), 0);
    struct hf_device *device = hf_private_device(lab->net);
    if (impairment != NULL && hf_device_impaired(&device, device, impairment, error) < 0) {
        fail_msg("%s", error);
    }
    int iface = hf_host_attach(lab->host, device);
    assert_int_equal(iface, 1);
    assert_int_equal(hf_private_address(lab->net, lab->host, iface), 0);
    hf_host_set_trace(lab->host, note_sizes, lab);
}

static void close_lab(struct lab *lab)
{
    hf_host_free(lab->host);
    hf_private_close(lab->net);
}

/* The kernel's side: a thread with blocking sockets. */
struct kernel {
    pthread_t thread;
    int fd;
    size_t bytes; /* to be echoed */
    bool good;
};

static uint8_t octet(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) + (i >> 16));
}

/* Receives `bytes`, then sends as many, then closes. */
static void *kernel_side(void *arg)
{
    struct kernel *kernel = arg;
    uint8_t *data = malloc(1 << 18);
    size_t got = 0;
    ssize_t n = 0;
    while (data != NULL && (n = recv(kernel->fd, data, 1 << 18, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            if (data[i] != octet(got)) {
                n = -1;
            }
        }
    }
    kernel->good = data != NULL && n == 0 && got == kernel->bytes;
    for (size_t sent = 0; kernel->good && sent < kernel->bytes;) {
        size_t len = kernel->bytes - sent < (1 << 18) ? kernel->bytes - sent : 1 << 18;
        for (size_t i = 0; i < len; i++) {
            data[i] = octet(sent + i);
        }
        n = send(kernel->fd, data, len, MSG_NOSIGNAL);
        kernel->good = n > 0;
        sent += n > 0 ? (size_t)n : 0;
    }
    (void)shutdown(kernel->fd, SHUT_WR);
    free(data);
    return NULL;
}

static socklen_t kernel_address(int version, const char *v4, const char *v6,
                                struct sockaddr_storage *at)
{
    memset(at, 0, sizeof *at);
    if (version == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        (void)inet_pton(AF_INET, v4, &in.sin_addr);
        memcpy(at, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    (void)inet_pton(AF_INET6, v6, &in.sin6_addr);
    memcpy(at, &in, sizeof in);
    return sizeof in;
}

/* Sends all, half-closes, receives as much, until the peer's end. */
static void our_side(struct lab *lab, hf_handle c, size_t bytes)
{
    uint8_t *data = malloc(1 << 18);
    assert_non_null(data);
    for (size_t sent = 0; sent < bytes;) {
        size_t len = bytes - sent < (1 << 18) ? bytes - sent : 1 << 18;
        for (size_t i = 0; i < len; i++) {
            data[i] = octet(sent + i);
        }
        assert_int_equal(hf_host_send(lab->host, c, data, len, LONG_MS), 0);
        sent += len;
    }
    assert_int_equal(hf_host_close(lab->host, c), 0);
    size_t got = 0;
    ssize_t n;
    while ((n = hf_host_recv(lab->host, c, data, 1 << 18, LONG_MS)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            if (data[i] != octet(got)) {
                fail_msg("octet %zu is wrong", got);
            }
        }
    }
    assert_int_equal(n, 0);
    assert_int_equal(got, bytes);
    assert_int_equal(hf_host_wait_closed(lab->host, c, false, LONG_MS), 0);
    assert_int_equal(hf_host_release(lab->host, c), 0);
    free(data);
}

static void be_patient(int fd)
{
    struct timeval patience = {.tv_sec = LONG_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* We open, the kernel listens. */
static void active(struct lab *lab, int version, size_t bytes)
{
    struct kernel kernel = {.bytes = bytes};
    struct sockaddr_storage at;
    int one = 1;
    hf_handle c;
    socklen_t len = kernel_address(version, "10.77.0.1", "fd77::1", &at);
    int listener = hf_private_socket(lab->net, at.ss_family, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    const char *name = version == 4 ? "10.77.0.1" : "fd77::1";
    if (hf_host_connect(lab->host, name, "4000", LONG_MS, &c) < 0) {
        fail_msg("%s", hf_host_error(lab->host));
    }
    be_patient(listener);
    kernel.fd = accept(listener, NULL, NULL);
    assert_true(kernel.fd >= 0);
    close(listener);
    be_patient(kernel.fd);
    assert_int_equal(pthread_create(&kernel.thread, NULL, kernel_side, &kernel), 0);
    our_side(lab, c, bytes);
    assert_int_equal(pthread_join(kernel.thread, NULL), 0);
    assert_true(kernel.good);
    close(kernel.fd);
}

/* We listen, the kernel opens. */
static void passive(struct lab *lab, int version, size_t bytes)
{
    struct kernel kernel = {.bytes = bytes};
    struct sockaddr_storage to;
    hf_handle listener, c;
    socklen_t len = kernel_address(version, "10.77.0.2", "fd77::2", &to);
    assert_int_equal(hf_host_listen(lab->host, NULL, "4000", 5, &listener), 0);
    kernel.fd = hf_private_socket(lab->net, to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(kernel.fd >= 0);
    assert_int_equal(connect(kernel.fd, (struct sockaddr *)&to, len), -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(hf_host_accept(lab->host, listener, LONG_MS, &c, NULL), 0);
    assert_int_equal(hf_host_release(lab->host, listener), 0);
    assert_int_equal(fcntl(kernel.fd, F_SETFL, 0), 0);
    be_patient(kernel.fd);
    assert_int_equal(pthread_create(&kernel.thread, NULL, kernel_side, &kernel), 0);
    our_side(lab, c, bytes);
    assert_int_equal(pthread_join(kernel.thread, NULL), 0);
    assert_true(kernel.good);
    close(kernel.fd);
}

static void over(const struct variant *variant)
{
    struct lab lab;
    if (!offered(variant)) {
        const char *ci = getenv("CI");
        if (ci != NULL && strcmp(ci, "true") == 0) {
            fail_msg("%s cannot be had", variant->name);
        }
        skip();
    }
    open_lab(&lab, variant, NULL);
    for (int version = 4; version <= 6; version += 2) {
        active(&lab, version, 5000000);
        passive(&lab, version, 5000000);
    }
    bool offload = (variant->flags & HF_PRIVATE_NO_OFFLOAD) == 0;
    if (offload) { /* super-segments crossed as one frame, both ways */
        assert_true(lab.largest_in > 15000 && lab.largest_out > 15000);
    } else {
        assert_true(lab.largest_in <= 1460 && lab.largest_out <= 1460);
    }
    close_lab(&lab);
}

static void the_kernel_is_a_peer_over_tun(void **state)
{
    (void)state;
    over(&variants[0]);
}

static void the_kernel_is_a_peer_over_tun_without_offload(void **state)
{
    (void)state;
    over(&variants[1]);
}

static void the_kernel_is_a_peer_over_veth(void **state)
{
    (void)state;
    over(&variants[2]);
}

static void the_kernel_is_a_peer_over_veth_without_offload(void **state)
{
    (void)state;
    over(&variants[3]);
}

static void a_lossy_network_loses_no_octet(void **state)
{
    (void)state;
    struct lab lab;
    struct hf_impairment impairment = {.struct_size = sizeof impairment,
                                       .lose = 20000,
                                       .duplicate = 10000,
                                       .reorder = 30000,
                                       .corrupt = 5000,
                                       .seed = "kernel"};
    open_lab(&lab, &variants[2], &impairment);
    active(&lab, 4, 1000000);
    passive(&lab, 6, 1000000);
    close_lab(&lab);
}

static void the_kernel_answers_nothing_for_our_addresses(void **state)
{
    (void)state;
    struct lab lab;
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_handle c;
    open_lab(&lab, &variants[2], NULL);
    active(&lab, 4, 1000);
    active(&lab, 6, 1000);
    hf_counters(hf_host_stack(lab.host), &counters);
    assert_int_equal(counters.verdict[HF_V_RST_CLOSES] + counters.verdict[HF_V_RST_REFUSED], 0);
    assert_int_equal(hf_host_connect(lab.host, "10.77.0.1", "9", LONG_MS, &c), -ECONNREFUSED);
    assert_int_equal(hf_host_connect(lab.host, "fd77::1", "9", LONG_MS, &c), -ECONNREFUSED);
    close_lab(&lab);
}

static void two_private_networks_do_not_know_each_other(void **state)
{
    (void)state;
    struct lab first, second;
    open_lab(&first, &variants[2], NULL);
    open_lab(&second, &variants[2], NULL);
    active(&first, 4, 1000);
    active(&second, 4, 1000);
    close_lab(&first);
    active(&second, 6, 1000);
    close_lab(&second);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void ours_is_the_address_above_the_kernels(void **state)
{
    (void)state;
    struct hf_private_options options = {.struct_size = sizeof options,
                                         .flags = HF_PRIVATE_VETH,
                                         .kernel4 = "10.77.255.255/8",
                                         .kernel6 = "fd77::ffff:ffff:ffff:ffff/60"};
    struct lab lab = {0};
    char error[HF_ERROR_TEXT] = "";
    hf_handle c;
    if (hf_private_open(&lab.net, &options, error) < 0) {
        fail_msg("%s", error);
    }
    assert_int_equal(hf_host_new(&lab.host, NULL), 0);
    assert_int_equal(hf_private_attach(lab.net, lab.host), 1);
    assert_int_equal(hf_host_address(lab.host, 1, "10.78.0.0/8"), -EADDRINUSE);
    assert_int_equal(hf_host_address(lab.host, 1, "fd77:0:0:1::/60"), -EADDRINUSE);
    assert_int_equal(hf_host_connect(lab.host, "10.77.255.255", "9", LONG_MS, &c), -ECONNREFUSED);
    close_lab(&lab);
}

static void of_two_addresses_of_ours_there_are_both_or_none(void **state)
{
    (void)state;
    struct hf_private_options options = {.struct_size = sizeof options, .flags = HF_PRIVATE_VETH};
    struct hf_private *net;
    struct hf_device *ends[2];
    struct hf_host *host;
    assert_int_equal(hf_private_open(&net, &options, NULL), 0);
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, ends[0]), 1);
    assert_int_equal(hf_host_address(host, 1, "fd77::2/64"), 0);
    assert_int_equal(hf_private_address(net, host, 1), -EADDRINUSE);
    assert_int_equal(hf_host_address(host, 1, "10.77.0.2/24"), 0); /* is not there */
    hf_host_free(host);
    hf_device_close(ends[1]);
    hf_private_close(net);
}

static void a_network_whose_addresses_are_taken_is_not_attached(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        if (!offered(&variants[i])) {
            continue;
        }
        struct lab lab;
        struct hf_private_options other = {
            .struct_size = sizeof other, .flags = variants[i].flags, .kernel6 = ""};
        struct hf_private *second, *third;
        open_lab(&lab, &variants[i], NULL);
        other.kernel4 = NULL;
        assert_int_equal(hf_private_open(&second, &other, NULL), 0);
        assert_int_equal(hf_private_attach(second, lab.host), -EADDRINUSE);
        assert_non_null(strstr(hf_host_error(lab.host), "10.77.0.2/24: is an address"));
        assert_null(hf_host_device(lab.host, 2));
        other.kernel4 = "10.78.0.1/24";
        assert_int_equal(hf_private_open(&third, &other, NULL), 0);
        assert_int_equal(hf_private_attach(third, lab.host), 3);
        hf_handle c;
        assert_int_equal(hf_host_connect(lab.host, "10.78.0.1", "9", LONG_MS, &c), -ECONNREFUSED);
        active(&lab, 4, 1000000);
        close_lab(&lab);
        hf_private_close(second);
        hf_private_close(third);
    }
}

static void above_the_kernels_address_there_must_be_another(void **state)
{
    (void)state;
    static const struct {
        const char *kernel4, *kernel6, *named;
    } none[] = {{"10.77.0.254/24", "", "10.77.0.254/24: the address above"},
                {"10.77.0.255/24", "", "10.77.0.255/24: the address above"},
                {"255.255.255.255/1", "", "255.255.255.255/1: the address above"},
                {"", "fd77::3/126", "fd77::3/126: the address above"},
                {"", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/1", "ffff/1: the address above"},
                {"", "::ffff:10.77.0.1/96", "::ffff:10.77.0.1/96: not an IPv6 address"}};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct hf_private_options options = {
            .struct_size = sizeof options, .kernel4 = none[i].kernel4, .kernel6 = none[i].kernel6};
        struct hf_private *net;
        char error[HF_ERROR_TEXT] = "";
        assert_int_equal(hf_private_open(&net, &options, error), -EINVAL);
        assert_null(net);
        assert_non_null(strstr(error, none[i].named));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_is_a_peer_over_tun),
        cmocka_unit_test(the_kernel_is_a_peer_over_tun_without_offload),
        cmocka_unit_test(the_kernel_is_a_peer_over_veth),
        cmocka_unit_test(the_kernel_is_a_peer_over_veth_without_offload),
        cmocka_unit_test(a_lossy_network_loses_no_octet),
        cmocka_unit_test(the_kernel_answers_nothing_for_our_addresses),
        cmocka_unit_test(two_private_networks_do_not_know_each_other),
        cmocka_unit_test(ours_is_the_address_above_the_kernels),
        cmocka_unit_test(of_two_addresses_of_ours_there_are_both_or_none),
        cmocka_unit_test(a_network_whose_addresses_are_taken_is_not_attached),
        cmocka_unit_test(above_the_kernels_address_there_must_be_another),
    };
    struct hf_private *net;
    struct hf_private_options options = {.struct_size = sizeof options, .flags = HF_PRIVATE_VETH};
    char error[HF_ERROR_TEXT] = "";
    if (hf_private_open(&net, &options, error) < 0) {
        (void)fprintf(stderr, "skipped: %s\n", error);
        const char *ci = getenv("CI");
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
    }
    hf_private_close(net);
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
