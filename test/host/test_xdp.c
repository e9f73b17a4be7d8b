/* AF_XDP on a veth pair, with the kernel's TCP at the other end: both modes, several queues, and
 * the interface as it was afterwards.  The program moves into a network namespace of its own first;
 * skipped where it cannot, or may attach no program. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/namespace.h"
#include "handfast/host.h"

enum { LONG_MS = 60000, PORT = 80, BYTES = 400000 };

static char error[HF_ERROR_TEXT];

static void must(int result)
{
    if (result < 0) {
        fail_msg("%s", error);
    }
}

static void expect_failure(int result, int expected, const char *words)
{
    assert_int_equal(result, expected);
    if (strstr(error, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error, words);
    }
}

/* The kernel's end is "peer" with 10.9.0.1, ours "ours". */
static void lay_cable(const char *queues)
{
    char command[200]; /* what is there is of a test that failed */
    (void)snprintf(command, sizeof command,
                   "ip link del ours 2>/dev/null; "
                   "ip link add ours %s type veth peer name peer %s",
                   queues, queues);
    if (system(command) != 0) {
        skip(); /* no iproute2 here, or it does not let us */
    }
    must(hf_kernel_address("peer", "10.9.0.1/24", error));
    must(hf_kernel_address("ours", NULL, error));
    assert_int_equal(dev_link_no_offload("peer"), 0);
}

static void take_up_cable(void)
{
    assert_int_equal(system("ip link del ours"), 0);
}

/* "xdp" or "xdpgeneric", as `ip link show` says when a program is attached to our end. */
static bool attached_as(const char *mode)
{
    char command[200];
    (void)snprintf(command, sizeof command, "ip link show dev ours | grep -q ' %s '", mode);
    return system(command) == 0;
}

static uint8_t octet(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) + (i >> 16));
}

/* The kernel's side: connects, sends, half-closes, and gets back what it has sent. */
struct client {
    pthread_t thread;
    uint16_t port;
    size_t bytes;
    bool good;
};

static int connect_to(uint16_t port)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = LONG_MS / 1000};
    (void)inet_pton(AF_INET, "10.9.0.2", &there.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&there, sizeof there) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void *client_side(void *arg)
{
    struct client *client = arg;
    uint8_t *data = malloc(client->bytes);
    int fd = connect_to(client->port);
    for (size_t i = 0; i < client->bytes; i++) {
        data[i] = octet(i);
    }
    client->good = send(fd, data, client->bytes, MSG_NOSIGNAL) == (ssize_t)client->bytes &&
                   shutdown(fd, SHUT_WR) == 0;
    size_t got = 0;
    ssize_t n = 0;
    while (client->good && (n = recv(fd, data, client->bytes, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            client->good = client->good && data[i] == octet(got);
        }
    }
    client->good = client->good && n == 0 && got == client->bytes;
    close(fd);
    free(data);
    return NULL;
}

static struct hf_host *server_at(struct hf_device *device, hf_handle *listener)
{
    struct hf_host *host;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    assert_int_equal(hf_host_address(host, 1, "10.9.0.2/24"), 0);
    assert_int_equal(hf_host_listen(host, NULL, "80", 64, listener), 0);
    return host;
}

/* Takes all, sends it back, closes. */
static void serve_one(struct hf_host *host, hf_handle listener)
{
    hf_handle c;
    uint8_t *data = malloc(BYTES + 1);
    size_t got = 0;
    ssize_t n;
    assert_int_equal(hf_host_accept(host, listener, LONG_MS, &c, NULL), 0);
    while ((n = hf_host_recv(host, c, data + got, BYTES + 1 - got, LONG_MS)) > 0) {
        got += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(got, BYTES);
    assert_int_equal(hf_host_send(host, c, data, got, LONG_MS), 0);
    assert_int_equal(hf_host_close(host, c), 0);
    assert_int_equal(hf_host_wait_closed(host, c, false, LONG_MS), 0);
    assert_int_equal(hf_host_release(host, c), 0);
    free(data);
}

static void carry_both_ways(struct hf_device *device)
{
    struct client client = {.port = PORT, .bytes = BYTES};
    hf_handle listener;
    struct hf_host *host = server_at(device, &listener);
    assert_int_equal(pthread_create(&client.thread, NULL, client_side, &client), 0);
    serve_one(host, listener);
    assert_int_equal(pthread_join(client.thread, NULL), 0);
    assert_true(client.good);
    hf_host_free(host);
}

static void in_mode(uint32_t mode, const char *shown)
{
    struct hf_device *device;
    lay_cable("");
    must(hf_device_xdp(&device, "ours", 0, NULL, mode, error));
    assert_int_equal(hf_device_interface(device)->offload, 0);
    assert_true(attached_as(shown));
    carry_both_ways(device);
    assert_false(attached_as("xdp") || attached_as("xdpgeneric"));
    take_up_cable();
}

static void the_kernel_is_a_peer_in_generic_mode(void **state)
{
    (void)state;
    in_mode(HF_DEVICE_XDP_GENERIC, "xdpgeneric");
}

static void the_kernel_is_a_peer_in_native_mode(void **state)
{
    (void)state;
    in_mode(HF_DEVICE_XDP_NATIVE, "xdp");
}

static void a_queue_is_one_sockets_and_an_interface_has_one_mode(void **state)
{
    (void)state;
    struct hf_device *first, *second;
    lay_cable("numrxqueues 2 numtxqueues 2");
    assert_int_equal(hf_device_queues("ours"), 2);
    must(hf_device_xdp(&first, "ours", 0, NULL, HF_DEVICE_XDP_GENERIC, error));
    expect_failure(hf_device_xdp(&second, "ours", 0, NULL, 0, error), -EBUSY, "queue 0");
    assert_null(second);
    expect_failure(hf_device_xdp(&second, "ours", 1, NULL, HF_DEVICE_XDP_NATIVE, error), -EBUSY,
                   "generic mode");
    must(hf_device_xdp(&second, "ours", 1, NULL, 0, error));
    hf_device_close(first);
    assert_true(attached_as("xdpgeneric")); /* the other queue needs it */
    must(hf_device_xdp(&first, "ours", 0, NULL, 0, error));
    hf_device_close(second);
    hf_device_close(first);
    assert_false(attached_as("xdpgeneric"));
    take_up_cable();
}

static void what_cannot_be_opened_says_why_and_what_to_do(void **state)
{
    (void)state;
    struct hf_device *device;
    lay_cable("");
    expect_failure(hf_device_xdp(&device, "no-such", 0, NULL, 0, error), -ENODEV, "ip link");
    assert_null(device);
    assert_int_equal(hf_device_queues("no-such"), -ENODEV);
    expect_failure(hf_device_xdp(&device, "lo", 0, NULL, 0, error), -EPROTONOSUPPORT, "Ethernet");
    expect_failure(hf_device_xdp(&device, "ours", 1, NULL, 0, error), -EINVAL, "no queue 1");
    expect_failure(hf_device_xdp(&device, "ours", 0, NULL,
                                 HF_DEVICE_XDP_NATIVE | HF_DEVICE_XDP_GENERIC, error),
                   -EINVAL, "not both");
    must(dev_link_set("ours", IFF_UP, 9000, error));
    expect_failure(hf_device_xdp(&device, "ours", 0, NULL, 0, error), -EMSGSIZE, "mtu 3822");
    take_up_cable();
}

static void an_interface_that_goes_away_is_told_once(void **state)
{
    (void)state;
    struct hf_device *device;
    hf_handle listener;
    lay_cable("");
    must(hf_device_xdp(&device, "ours", 0, NULL, 0, error));
    struct hf_host *host = server_at(device, &listener);
    take_up_cable();
    int err = 0;
    for (int i = 0; i < 100 && err == 0; i++) {
        err = hf_host_run_once(host, 10000000);
    }
    assert_int_equal(err, -ENODEV);
    assert_int_equal(hf_host_run_once(host, 0), 0);
    hf_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_one_sockets_and_an_interface_has_one_mode),
        cmocka_unit_test(what_cannot_be_opened_says_why_and_what_to_do),
        cmocka_unit_test(an_interface_that_goes_away_is_told_once),
        cmocka_unit_test(the_kernel_is_a_peer_in_generic_mode),
        cmocka_unit_test(the_kernel_is_a_peer_in_native_mode),
    };
    if (unshare(CLONE_NEWNET) != 0) {
        (void)fprintf(stderr, "skipped: no network namespace: %s\n", strerror(errno));
        const char *ci = getenv("CI");
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
    }
    return cmocka_run_group_tests_name("xdp", tests, NULL, NULL);
}
