/* AF_XDP on a veth pair, with the kernel's TCP at the other end: both modes, several queues, and
 * the interface as it was afterwards.  The program moves into a network namespace of its own first;
 * skipped where it cannot, or may attach no program. */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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

#include "device/namespace.h"
#include "handfast/host.h"
#include "host/cable.h"

enum { BYTES = 4000000 }; /* more than there are chunks of memory for, each way */

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
    size_t bytes;
    bool good;
};

static void *client_side(void *arg)
{
    struct client *client = arg;
    uint8_t *data = malloc(client->bytes);
    int fd = connect_to(4, PORT);
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
    struct client client = {.bytes = BYTES};
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
    lay_cable(1);
    need_xdp();
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
    lay_cable(2);
    need_xdp();
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
    lay_cable(1);
    need_xdp();
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
    lay_cable(1);
    need_xdp();
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

static void what_a_killed_program_leaves_serves_the_next_one(void **state)
{
    (void)state;
    struct hf_device *device;
    lay_cable(1);
    need_xdp();
    pid_t child = fork();
    if (child == 0) {
        (void)hf_device_xdp(&device, "ours", 0, NULL, HF_DEVICE_XDP_NATIVE, error);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(attached_as("xdp"));
    expect_failure(hf_device_xdp(&device, "ours", 0, NULL, HF_DEVICE_XDP_GENERIC, error), -EBUSY,
                   "`ip link set dev ours xdp off`");
    must(hf_device_xdp(&device, "ours", 0, NULL, 0, error));
    carry_both_ways(device);
    assert_int_equal(system("ip link set dev ours xdp off"), 0);
    must(hf_device_xdp(&device, "ours", 0, NULL, HF_DEVICE_XDP_GENERIC, error));
    hf_device_close(device);
    assert_false(attached_as("xdp") || attached_as("xdpgeneric"));
    take_up_cable();
}

/* XDP has no word for a checksum that the sender has left to a network card, and a veth is none. */
static void a_checksum_that_the_other_end_left_out_is_a_wrong_one(void **state)
{
    (void)state;
    struct client client = {.bytes = BYTES};
    struct hf_device *device;
    struct hf_counters counters = {.struct_size = sizeof counters};
    hf_handle listener;
    lay_cable(1);
    need_xdp();
    if (system("ethtool -K peer tx on >/dev/null") != 0) {
        skip(); /* no ethtool here */
    }
    must(hf_device_xdp(&device, "ours", 0, NULL, 0, error));
    struct hf_host *host = server_at(device, &listener);
    assert_int_equal(pthread_create(&client.thread, NULL, client_side, &client), 0);
    while (counters.verdict[HF_V_DROP_TCP_CHECKSUM] == 0) {
        assert_int_equal(hf_host_run_once(host, (int64_t)LONG_MS * 1000000), 0);
        hf_counters(hf_host_stack(host), &counters);
    }
    assert_int_equal(counters.verdict[HF_V_HANDSHAKE], 0);
    (void)dev_link_no_offload("peer"); /* some of it a program at our end has switched off */
    serve_one(host, listener);
    assert_int_equal(pthread_join(client.thread, NULL), 0);
    assert_true(client.good);
    hf_host_free(host);
    take_up_cable();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_one_sockets_and_an_interface_has_one_mode),
        cmocka_unit_test(what_cannot_be_opened_says_why_and_what_to_do),
        cmocka_unit_test(an_interface_that_goes_away_is_told_once),
        cmocka_unit_test(the_kernel_is_a_peer_in_generic_mode),
        cmocka_unit_test(the_kernel_is_a_peer_in_native_mode),
        cmocka_unit_test(what_a_killed_program_leaves_serves_the_next_one),
        cmocka_unit_test(a_checksum_that_the_other_end_left_out_is_a_wrong_one),
    };
    return enter_namespace() ? cmocka_run_group_tests_name("xdp", tests, NULL, NULL) : skipped();
}
