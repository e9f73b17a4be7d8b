/* handfast/device.h: TUN, TAP and Ethernet interfaces by name, and what is wrong with them.  The
 * program moves into a network namespace of its own first; skipped where it cannot. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/namespace.h"
#include "handfast/host.h"
#include "wire/wire.h"

enum { LONG_MS = 20000, PORT = 80 };

static char error[HF_ERROR_TEXT];
static bool can_tun;

static void need_tun(void)
{
    const char *ci = getenv("CI");
    if (!can_tun && ci != NULL && strcmp(ci, "true") == 0) {
        fail_msg("/dev/net/tun cannot be opened");
    }
    if (!can_tun) {
        skip();
    }
}

static void must(int result)
{
    if (result < 0) {
        fail_msg("%s", error);
    }
}

/* A connection to a listener of the kernel's on 10.9.0.1, by a host with this device. */
static void connect_over(struct hf_device *device)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct hf_host *host;
    hf_handle c;
    char text[8] = "";
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    (void)inet_pton(AF_INET, "10.9.0.1", &here.sin_addr);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(hf_host_new(&host, NULL), 0);
    int iface = hf_host_attach(host, device);
    assert_int_equal(iface, 1);
    assert_int_equal(hf_host_address(host, iface, "10.9.0.2/24"), 0);
    if (hf_host_connect(host, "10.9.0.1", "80", LONG_MS, &c) < 0) {
        fail_msg("%s", hf_host_error(host));
    }
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(hf_host_recv(host, c, text, sizeof text, LONG_MS), 5);
    assert_string_equal(text, "hello");
    close(fd);
    close(listener);
    hf_host_free(host);
}

static void a_tun_device_is_made_with_its_name_and_gone_with_its_descriptor(void **state)
{
    (void)state;
    struct hf_device *device;
    need_tun();
    must(hf_device_tun(&device, "hft0", 0, error));
    assert_string_equal(hf_device_name(device), "hft0");
    must(hf_kernel_address("hft0", "10.9.0.1/24", error));
    connect_over(device);
    assert_int_equal(if_nametoindex("hft0"), 0);
}

static void a_tap_device_speaks_ethernet(void **state)
{
    (void)state;
    struct hf_device *device;
    static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
    need_tun();
    must(hf_device_tap(&device, "hft1", NULL, 0, error));
    assert_int_equal(hf_device_interface(device)->mac[0] & 3, 2);
    must(hf_kernel_address("hft1", "10.9.0.1/24", error));
    connect_over(device);
    must(hf_device_tap(&device, "hft1", mac, HF_DEVICE_NO_OFFLOAD, error));
    assert_memory_equal(hf_device_interface(device)->mac, mac, 6);
    assert_int_equal(hf_device_interface(device)->offload, 0);
    must(hf_kernel_address("hft1", "10.9.0.1/24", error));
    connect_over(device);
}

static void an_ethernet_interface_is_shared_with_its_mac_or_another(void **state)
{
    (void)state;
    struct hf_device *device;
    static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
    must(dev_link_veth("hfv0", "hfv1", error));
    must(hf_kernel_address("hfv0", "10.9.0.1/24", error));
    must(hf_kernel_address("hfv1", NULL, error));
    must(hf_device_packet(&device, "hfv1", NULL, 0, error));
    connect_over(device);
    must(hf_device_packet(&device, "hfv1", mac, 0, error));
    assert_memory_equal(hf_device_interface(device)->mac, mac, 6);
    connect_over(device);
}

static void the_mtu_is_the_kernels(void **state)
{
    (void)state;
    struct hf_device *device;
    must(dev_link_veth("hfm0", "hfm1", error));
    must(dev_link_set("hfm1", IFF_UP, 1280, error));
    must(hf_device_packet(&device, "hfm1", NULL, 0, error));
    assert_int_equal(hf_device_interface(device)->mtu, 1280);
    hf_device_close(device);
}

enum { FLOWS = 32 };

/* Answers each connection that has come; how many. */
static int answer_all(struct hf_host *host, hf_handle listener)
{
    hf_handle c;
    int n = 0;
    while (hf_host_accept(host, listener, 0, &c, NULL) == 0) {
        assert_int_equal(hf_host_send(host, c, "hello", 5, LONG_MS), 0);
        n++;
    }
    return n;
}

static void each_queue_of_a_tun_device_has_flows_of_its_own(void **state)
{
    (void)state;
    struct hf_device *queue[2], *other;
    struct hf_host *host[2];
    hf_handle listener[2];
    int client[FLOWS], served[2] = {0};
    char text[6] = "";
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    (void)inet_pton(AF_INET, "10.10.0.2", &there.sin_addr);
    need_tun();
    for (int i = 0; i < 2; i++) {
        must(hf_device_tun(&queue[i], "hft4", HF_DEVICE_QUEUE, error));
        assert_int_equal(hf_host_new(&host[i], NULL), 0);
        assert_int_equal(hf_host_attach(host[i], queue[i]), 1);
        assert_int_equal(hf_host_address(host[i], 1, "10.10.0.2/24"), 0);
        assert_int_equal(hf_host_listen(host[i], NULL, "80", FLOWS, &listener[i]), 0);
    }
    assert_int_equal(hf_device_tun(&other, "hft4", 0, error), 0); /* takes one queue more ... */
    hf_device_close(other);                                       /* ... and gives it back */
    must(hf_kernel_address("hft4", "10.10.0.1/24", error));
    hf_host_join(host[0], host[1]);
    for (int i = 0; i < FLOWS; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(client[i], (struct sockaddr *)&there, sizeof there), -1);
        assert_int_equal(errno, EINPROGRESS);
    }
    while (served[0] + served[1] < FLOWS) {
        assert_int_equal(hf_host_run_once(host[0], (int64_t)LONG_MS * 1000000), 0);
        served[0] += answer_all(host[0], listener[0]);
        served[1] += answer_all(host[1], listener[1]);
    }
    assert_true(served[0] > 0 && served[1] > 0);
    for (int i = 0; i < FLOWS; i++) { /* a segment at the wrong queue would have been reset */
        while (recv(client[i], text, 5, 0) != 5) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(hf_host_run_once(host[0], (int64_t)LONG_MS * 1000000), 0);
        }
        assert_string_equal(text, "hello");
        close(client[i]);
    }
    hf_host_free(host[0]);
    hf_host_free(host[1]);
}

static void expect_failure(int result, int expected, const char *words)
{
    assert_int_equal(result, expected);
    if (strstr(error, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error, words);
    }
}

static void what_cannot_be_opened_says_why_and_what_to_do(void **state)
{
    (void)state;
    struct hf_device *device, *again;
    expect_failure(hf_device_packet(&device, "no-such", NULL, 0, error), -ENODEV, "ip link");
    assert_null(device);
    expect_failure(hf_device_packet(&device, "lo", NULL, 0, error), -EPROTONOSUPPORT, "Ethernet");
    expect_failure(hf_kernel_address("no-such", "10.9.0.1/24", error), -ENODEV, "no such");
    expect_failure(hf_kernel_address("lo", "10.9.0/24", error), -EINVAL, "not an address");
    expect_failure(hf_device_tun(&device, "a-name-that-is-too-long", 0, error), -EINVAL, "name");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    expect_failure(hf_device_from_fd(&device, fd, "hfs", NULL, 1500, 0, error), -EINVAL,
                   "hfs: not an Ethernet interface");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    need_tun();
    must(hf_device_tun(&device, "hft2", 0, error));
    expect_failure(hf_device_tun(&again, "hft2", 0, error), -EBUSY, "in use");
    expect_failure(hf_device_tap(&again, "hft2", NULL, 0, error), -EINVAL, "not a TAP");
    expect_failure(hf_device_tun(&again, "hft2", HF_DEVICE_QUEUE, error), -EINVAL, "queues");
    hf_device_close(device);
}

static void a_name_that_is_too_long_is_not_the_one_that_it_begins_with(void **state)
{
    (void)state;
    struct hf_device *device;
    const char *name = "hf-15-character", *longer = "hf-15-characters";
    const char *longest = "a-name-that-is-longer-than-any-that-the-kernel-has";
    must(dev_link_veth(name, "hfn1", error));
    must(hf_kernel_address(name, NULL, error));
    assert_int_equal(hf_device_is_up(name), 1);
    assert_in_range(hf_device_queues(name), 1, 1024);
    assert_int_equal(hf_device_is_up(longer), -ENODEV);
    assert_int_equal(hf_device_queues(longer), -ENODEV);
    assert_int_equal(dev_link_no_offload(longer), -ENODEV);
    expect_failure(hf_device_packet(&device, longer, NULL, 0, error), -ENODEV, longer);
    expect_failure(hf_kernel_address(longer, NULL, error), -ENODEV, longer);
    expect_failure(hf_device_tun(&device, longest, 0, error), -EINVAL, longest);
    expect_failure(hf_device_tap(&device, longest, NULL, 0, error), -EINVAL, longest);
    assert_null(device);
}

static void a_tun_device_with_another_header_is_refused(void **state)
{
    (void)state;
    struct hf_device *device;
    char name[DEV_NAME_BYTES] = "hft5";
    need_tun();
    for (int bytes = 10; bytes <= 20; bytes++) {
        int fd = dev_tun_open(name, IFF_TUN, error);
        must(fd);
        assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &bytes), 0);
        int result = hf_device_from_fd(&device, fd, name, NULL, 1500, 0, error);
        if (bytes == 10 || bytes == 12) {
            must(result);
            hf_device_close(device);
        } else {
            expect_failure(result, -EINVAL, "virtio-net header");
            assert_null(device);
            assert_int_equal(fcntl(fd, F_GETFD), -1);
        }
    }
}

/* The device's kernel side is deleted by the command. */
static void expect_gone(struct hf_device *device, const char *name, const char *command)
{
    struct hf_host *host;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_int_equal(hf_host_attach(host, device), 1);
    if (system(command) != 0) {
        hf_host_free(host);
        skip(); /* no iproute2 here, or it does not let us */
    }
    int err = 0;
    for (int i = 0; i < 100 && err == 0; i++) {
        err = hf_host_run_once(host, 10000000);
    }
    assert_int_equal(err, -ENODEV);
    assert_non_null(strstr(hf_host_error(host), name));
    assert_int_equal(hf_host_run_once(host, 0), 0);
    hf_host_free(host);
}

static void an_interface_that_goes_away_is_told_once(void **state)
{
    (void)state;
    struct hf_device *device;
    must(dev_link_veth("hfg0", "hfg1", error));
    must(hf_kernel_address("hfg0", NULL, error));
    must(hf_kernel_address("hfg1", NULL, error));
    must(hf_device_packet(&device, "hfg1", NULL, 0, error));
    expect_gone(device, "hfg1", "ip link del hfg0");
}

static void run_or_skip(struct hf_device *device, const char *command)
{
    if (system(command) != 0) {
        hf_device_close(device);
        skip(); /* no iproute2 here, or it does not let us */
    }
}

/* An error tells that it is down, none that it is gone: it is looked at from time to time. */
static void an_interface_that_is_down_is_looked_at_until_it_is_up_or_gone(void **state)
{
    (void)state;
    struct hf_device *device;
    struct hf_frame_in in;
    struct hf_frame_out out = {.header_len = 60, .len = 60};
    must(dev_link_veth("hfd0", "hfd1", error));
    must(hf_kernel_address("hfd1", NULL, error));
    must(hf_device_packet(&device, "hfd1", NULL, 0, error));
    run_or_skip(device, "ip link set hfd1 down");
    assert_int_equal(hf_device_receive(device, 7, &in, 1), 0);
    int64_t look_ns = hf_device_deadline(device);
    assert_in_range(look_ns, 8, INT64_MAX - 1);
    run_or_skip(device, "ip link set hfd1 up");
    assert_int_equal(hf_device_receive(device, look_ns - 1, &in, 1), 0);
    assert_int_equal(hf_device_deadline(device), look_ns);
    assert_int_equal(hf_device_receive(device, look_ns, &in, 1), 0);
    assert_int_equal(hf_device_deadline(device), INT64_MAX);
    run_or_skip(device, "ip link set hfd1 down");
    assert_int_equal(hf_device_send(device, 5, &out, 1), 1); /* takes the error, and is lost */
    assert_int_equal(hf_device_deadline(device), 5);
    assert_int_equal(hf_device_receive(device, 5, &in, 1), 0);
    look_ns = hf_device_deadline(device);
    assert_in_range(look_ns, 6, INT64_MAX - 1);
    run_or_skip(device, "ip link del hfd0");
    assert_int_equal(hf_device_receive(device, look_ns, &in, 1), -ENODEV);
    hf_device_close(device);
}

/* A broadcast frame with this number as its text, tagged with tci; -1: without a tag. */
static void send_frame(int fd, int tci, uint8_t number)
{
    uint8_t frame[64] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9}, *at = frame + 12;
    if (tci >= 0) {
        *at++ = 0x81;
        *at++ = 0;
        *at++ = (uint8_t)(tci >> 8);
        *at++ = (uint8_t)tci;
    }
    *at++ = 8;
    *at++ = 0;
    *at = number;
    assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
}

/* The next frame of those; 0: there is none. */
static uint8_t next_number(struct hf_device *device)
{
    struct hf_frame_in frame;
    uint8_t number = 0;
    for (int i = 0; i < 5000 && number == 0; i++) {
        while (number == 0 && hf_device_receive(device, 0, &frame, 1) == 1) {
            number = frame.data[6] == 2 && frame.data[11] == 9 ? frame.data[14] : 0;
        }
        (void)usleep(1000);
    }
    return number;
}

static void what_is_sent_to_a_vlan_does_not_come_to_the_network_without_tags(void **state)
{
    (void)state;
    struct hf_device *device;
    must(dev_link_veth("hfl0", "hfl1", error));
    must(hf_kernel_address("hfl0", NULL, error));
    must(hf_kernel_address("hfl1", NULL, error));
    must(hf_device_packet(&device, "hfl1", NULL, 0, error));
    int fd = dev_packet_open("hfl0", error);
    must(fd);
    send_frame(fd, 5, 1);
    send_frame(fd, 0xe000, 2); /* priority 7 of VLAN 0, which is none */
    send_frame(fd, 0x6fff, 3);
    send_frame(fd, -1, 4);
    assert_int_equal(next_number(device), 2);
    assert_int_equal(next_number(device), 4);
    close(fd);
    hf_device_close(device);
}

/* Looks for n datagrams of the kernel's, gso octets each but for the last one. */
static void expect_datagrams(struct hf_device *device, uint32_t n, uint32_t gso, uint32_t last)
{
    struct hf_frame_in in[2];
    uint32_t seen = 0;
    for (int turn = 0; turn < 5000 && seen < n; turn++) {
        int got = hf_device_receive(device, 0, in, 2);
        for (int i = 0; i < got; i++) {
            struct wire_ip ip;
            struct wire_udp udp;
            if (wire_parse_ip(in[i].data + 14, in[i].len - 14, &ip) != WIRE_OK ||
                ip.proto != WIRE_PROTO_UDP) {
                continue;
            }
            const uint8_t *p = in[i].data + 14 + ip.header_len;
            assert_int_equal(wire_parse_udp(p, ip.total_len - ip.header_len, &udp), WIRE_OK);
            assert_int_equal(udp.len, 8 + (seen + 1 < n ? gso : last));
            assert_int_equal(ip.total_len, ip.header_len + udp.len);
            assert_true(wire_udp_checksum_ok(&ip, p, udp.len));
            for (uint32_t k = 0; k < udp.len - 8u; k++) {
                assert_int_equal(p[8 + k], (uint8_t)((seen * gso + k) % 251));
            }
            seen++;
        }
        hf_device_flush(device, 0);
        (void)usleep(got > 0 ? 0 : 1000);
    }
    assert_int_equal(seen, n);
}

static void udp_that_the_kernel_has_left_in_one_piece_comes_as_datagrams(void **state)
{
    (void)state;
    enum { UDP_SEGMENT_OPTION = 103, GSO = 1000, ALL = 3500 };
    struct hf_device *device;
    struct sockaddr_in all4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 all6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    uint8_t text[ALL];
    int one = 1, gso = GSO;
    for (uint32_t i = 0; i < ALL; i++) {
        text[i] = (uint8_t)(i % 251);
    }
    must(dev_link_veth("hfu0", "hfu1", error));
    must(hf_kernel_address("hfu0", "10.9.8.1/24", error));
    must(hf_kernel_address("hfu0", "fd98::1/64", error));
    must(hf_kernel_address("hfu1", NULL, error));
    must(hf_device_packet(&device, "hfu1", NULL, 0, error));
    assert_int_equal(inet_pton(AF_INET, "10.9.8.255", &all4.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "ff02::1", &all6.sin6_addr), 1);
    all6.sin6_scope_id = if_nametoindex("hfu0");
    for (int version = 4; version <= 6; version += 2) {
        int fd = socket(version == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        must(fd);
        must(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one));
        must(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT_OPTION, &gso, sizeof gso));
        const void *to = version == 4 ? (const void *)&all4 : &all6;
        socklen_t to_len = version == 4 ? sizeof all4 : sizeof all6;
        assert_int_equal(sendto(fd, text, ALL, 0, to, to_len), ALL);
        expect_datagrams(device, 4, GSO, ALL - 3 * GSO);
        close(fd);
    }
    hf_device_close(device);
}

static void a_tun_device_that_goes_away_is_told_once(void **state)
{
    (void)state;
    struct hf_device *device;
    need_tun();
    must(hf_device_tun(&device, "hft3", 0, error));
    must(hf_kernel_address("hft3", NULL, error));
    expect_gone(device, "hft3", "ip link del hft3");
}

static void a_tun_device_whose_mtu_is_too_small_is_refused_and_told(void **state)
{
    (void)state;
    struct hf_device *device, *second;
    need_tun();
    must(hf_device_tun(&device, "hft4", HF_DEVICE_QUEUE, error));
    run_or_skip(device, "ip link set hft4 mtu 500");
    expect_failure(hf_device_tun(&second, "hft4", HF_DEVICE_QUEUE, error), -EINVAL, "MTU of 500");
    assert_null(second);
    hf_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tun_device_is_made_with_its_name_and_gone_with_its_descriptor),
        cmocka_unit_test(a_tap_device_speaks_ethernet),
        cmocka_unit_test(an_ethernet_interface_is_shared_with_its_mac_or_another),
        cmocka_unit_test(the_mtu_is_the_kernels),
        cmocka_unit_test(each_queue_of_a_tun_device_has_flows_of_its_own),
        cmocka_unit_test(what_cannot_be_opened_says_why_and_what_to_do),
        cmocka_unit_test(a_name_that_is_too_long_is_not_the_one_that_it_begins_with),
        cmocka_unit_test(a_tun_device_with_another_header_is_refused),
        cmocka_unit_test(what_is_sent_to_a_vlan_does_not_come_to_the_network_without_tags),
        cmocka_unit_test(an_interface_that_goes_away_is_told_once),
        cmocka_unit_test(an_interface_that_is_down_is_looked_at_until_it_is_up_or_gone),
        cmocka_unit_test(udp_that_the_kernel_has_left_in_one_piece_comes_as_datagrams),
        cmocka_unit_test(a_tun_device_that_goes_away_is_told_once),
        cmocka_unit_test(a_tun_device_whose_mtu_is_too_small_is_refused_and_told),
    };
    bool inside = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    if (!inside || dev_link_set("lo", IFF_UP, 0, error) < 0) {
        (void)fprintf(stderr, "skipped: no network namespace: %s\n", strerror(errno));
        const char *ci = getenv("CI");
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
    }
    can_tun = access("/dev/net/tun", R_OK | W_OK) == 0;
    return cmocka_run_group_tests_name("named", tests, NULL, NULL);
}
