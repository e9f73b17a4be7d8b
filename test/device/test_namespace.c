/* handfast/device.h with the kernel at the other end: TUN, and veth with AF_PACKET, in a namespace
 * made for it.  Skipped where the system allows no namespaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/namespace.h"
#include "frames.h"

static const uint8_t kernel4[4] = {10, 77, 0, 1}, ours4[4] = {10, 77, 0, 2};
static bool can_tun, can_veth;

static const struct dev_namespace_setup usual = {
    .try_tun = true,
    .try_veth = true,
    .offload = true,
    .mtu = 1500,
    .ip4 = {10, 77, 0, 1},
    .ip6 = {0xfd, 0x77, [15] = 1},
    .prefix4 = 24,
    .prefix6 = 64,
};

struct lab {
    struct dev_namespace ns;
    struct hf_device *device;
    uint8_t kernel_mac[6];
};

static void open_lab(struct lab *lab, bool tun)
{
    struct dev_namespace_setup setup = usual;
    char error[HF_ERROR_TEXT] = "";
    setup.try_tun = tun;
    setup.try_veth = !tun;
    if (dev_namespace_make(&lab->ns, &setup, error) < 0) {
        fail_msg("%s", error);
    }
    assert_int_equal(lab->ns.tun, tun);
    if (hf_device_from_fd(&lab->device, lab->ns.device_fd, "hf0", NULL, 1500, 0, error) < 0) {
        fail_msg("%s", error);
    }
    lab->ns.device_fd = -1;
    assert_int_equal(hf_device_interface(lab->device)->mtu, 1500);
    assert_int_equal(hf_device_interface(lab->device)->link, tun ? HF_LINK_IP : HF_LINK_ETHERNET);
}

static void close_lab(struct lab *lab)
{
    hf_device_close(lab->device);
    dev_namespace_close(&lab->ns);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
    assert_int_equal(errno, ECHILD);
}

/* Answers the kernel's question for our address, and learns its MAC. */
static void answer_arp(struct lab *lab, const struct hf_frame_in *in)
{
    struct wire_arp arp;
    struct hf_frame_out out = {0};
    if (wire_parse_arp(in->data + 14, in->len - 14, &arp) != WIRE_OK || arp.op != 1) {
        return;
    }
    const uint8_t *mac = hf_device_interface(lab->device)->mac;
    struct wire_eth eth = {.type = WIRE_ETH_ARP};
    memcpy(lab->kernel_mac, arp.sha, 6);
    memcpy(eth.dst, arp.sha, 6);
    memcpy(eth.src, mac, 6);
    arp = (struct wire_arp){.op = 2};
    memcpy(arp.sha, mac, 6);
    memcpy(arp.spa, ours4, 4);
    memcpy(arp.tha, eth.dst, 6);
    memcpy(arp.tpa, kernel4, 4);
    wire_put_eth(out.header, &eth);
    out.header_len = (uint16_t)(14 + wire_put_arp(out.header + 14, &arp));
    out.len = out.header_len;
    send_one(lab->device, 0, &out);
}

/* Waits for a UDP frame to our port; its text. */
static void expect_udp(struct lab *lab, uint16_t port, const char *text)
{
    struct hf_frame_in in[8];
    bool ethernet = hf_device_interface(lab->device)->link == HF_LINK_ETHERNET;
    for (int turn = 0; turn < 500; turn++) {
        struct pollfd fd = {.fd = hf_device_fd(lab->device), .events = POLLIN};
        (void)poll(&fd, 1, 10);
        int n = hf_device_receive(lab->device, 0, in, 8);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
            uint32_t at = ethernet ? 14 : 0;
            struct wire_ip ip;
            struct wire_udp udp;
            if (ethernet && get_be16(in[i].data + 12) == WIRE_ETH_ARP) {
                answer_arp(lab, &in[i]);
            } else if (wire_parse_ip(in[i].data + at, in[i].len - at, &ip) == WIRE_OK &&
                       ip.proto == WIRE_PROTO_UDP) {
                const uint8_t *p = in[i].data + at + ip.header_len;
                assert_int_equal(wire_parse_udp(p, ip.total_len - ip.header_len, &udp), WIRE_OK);
                assert_int_equal(udp.dport, port);
                assert_int_equal(udp.len, 8 + strlen(text));
                assert_memory_equal(p + 8, text, strlen(text));
                assert_true((in[i].flags & HF_FRAME_CSUM_OK) != 0 ||
                            wire_udp_checksum_ok(&ip, p, udp.len));
                return;
            }
        }
        hf_device_flush(lab->device, 0);
    }
    fail_msg("the kernel's datagram did not come");
}

static void send_udp(struct lab *lab, uint16_t port, const char *text)
{
    struct hf_frame_out out = {0};
    uint16_t at = 0;
    if (hf_device_interface(lab->device)->link == HF_LINK_ETHERNET) {
        struct wire_eth eth = {.type = WIRE_ETH_IPV4};
        memcpy(eth.dst, lab->kernel_mac, 6);
        memcpy(eth.src, hf_device_interface(lab->device)->mac, 6);
        at = (uint16_t)wire_put_eth(out.header, &eth);
    }
    struct wire_ip ip = {.version = 4, .proto = WIRE_PROTO_UDP, .ttl = 64};
    struct wire_udp udp = {.sport = 7, .dport = port, .len = (uint16_t)(8 + strlen(text))};
    ip.total_len = 20u + udp.len;
    wire_from_v4(ip.src, ours4);
    wire_from_v4(ip.dst, kernel4);
    udp.csum = csum_fold(wire_pseudo(&ip, WIRE_PROTO_UDP, udp.len));
    wire_put_ip(out.header + at, &ip);
    wire_put_udp(out.header + at + 20, &udp);
    out.header_len = (uint16_t)(at + 28);
    out.slice[0] = (struct hf_slice){(const uint8_t *)text, (uint32_t)strlen(text)};
    out.n_slices = 1;
    out.len = out.header_len + out.slice[0].len;
    out.flags = HF_FRAME_CSUM_NEEDED;
    out.csum_start = (uint16_t)(at + 20);
    out.csum_offset = 6;
    send_one(lab->device, 0, &out);
}

static void talk(bool tun)
{
    struct lab lab = {0};
    open_lab(&lab, tun);
    int fd = dev_namespace_socket(&lab.ns, AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(7)};
    memcpy(&here.sin_addr, kernel4, 4);
    memcpy(&there.sin_addr, ours4, 4);
    /* A port below 1024: this process rules over the namespace. */
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    assert_int_equal(send(fd, "are you there?", 14, 0), 14);
    expect_udp(&lab, 7, "are you there?");
    char text[64] = "";
    send_udp(&lab, 53, "yes, with a checksum of the device's");
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(recv(fd, text, sizeof text, 0), 36);
    assert_string_equal(text, "yes, with a checksum of the device's");
    close(fd);
    close_lab(&lab);
}

static void the_kernel_and_a_tun_device_exchange_datagrams(void **state)
{
    (void)state;
    const char *ci = getenv("CI");
    if (!can_tun && ci != NULL && strcmp(ci, "true") == 0) {
        fail_msg("/dev/net/tun cannot be opened");
    }
    if (!can_tun) {
        skip();
    }
    talk(true);
}

static void the_kernel_and_a_packet_socket_on_veth_exchange_datagrams(void **state)
{
    (void)state;
    talk(false);
}

static void ipv6_addresses_work_at_once(void **state)
{
    (void)state;
    for (int tun = 0; tun < (can_tun ? 2 : 1); tun++) {
        struct lab lab = {0};
        open_lab(&lab, tun != 0);
        int fd = dev_namespace_socket(&lab.ns, AF_INET6, SOCK_DGRAM, 0);
        struct sockaddr_in6 here = {.sin6_family = AF_INET6};
        memcpy(&here.sin6_addr, usual.ip6, 16);
        assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
        close(fd);
        close_lab(&lab);
    }
}

static int run(const struct dev_namespace *ns, const char *script)
{
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(script), NULL};
    char error[HF_ERROR_TEXT] = "";
    int status = -1;
    pid_t pid = dev_namespace_start(ns, argv, NULL, error);
    if (pid < 0) {
        fail_msg("%s", error);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(argv[2]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_command_runs_inside_and_its_exit_status_is_ours_to_read(void **state)
{
    (void)state;
    struct lab lab = {0};
    open_lab(&lab, false);
    assert_int_equal(run(&lab.ns, "exit 3"), 3);
    assert_int_equal(run(&lab.ns, "grep -q hf0 /proc/net/dev"), 0);
    assert_int_equal(dev_namespace_sysctl(&lab.ns, "net/ipv4/tcp_fin_timeout", "7"), 0);
    assert_int_equal(run(&lab.ns, "test $(cat /proc/sys/net/ipv4/tcp_fin_timeout) = 7"), 0);
    assert_true(dev_namespace_sysctl(&lab.ns, "net/ipv4/no_such_thing", "7") < 0);

    char error[HF_ERROR_TEXT] = "";
    char *argv[] = {(char[]){"no-such-program"}, NULL};
    assert_int_equal(dev_namespace_start(&lab.ns, argv, NULL, error), -ENOENT);
    assert_non_null(strstr(error, "no-such-program"));
    close_lab(&lab);
}

static void a_commands_output_may_go_elsewhere(void **state)
{
    (void)state;
    struct lab lab = {0};
    int ends[2], status;
    char text[64] = "";
    open_lab(&lab, false);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char *argv[] = {(char[]){"echo"}, (char[]){"inside"}, NULL};
    pid_t pid = dev_namespace_start(&lab.ns, argv, (const int[]){-1, ends[1], -1}, NULL);
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof text), 7);
    assert_string_equal(text, "inside\n");
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close_lab(&lab);
}

/* What it says on standard error goes to our standard output, wherever its own output goes. */
static void a_commands_descriptors_may_be_ours_in_another_order(void **state)
{
    (void)state;
    struct lab lab = {0};
    int out[2], other[2], status, ours = dup(STDOUT_FILENO);
    char text[64] = "";
    open_lab(&lab, false);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(other, O_CLOEXEC), 0);
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"echo out; echo error >&2"}, NULL};
    assert_int_equal(dup2(other[1], STDOUT_FILENO), STDOUT_FILENO);
    pid_t pid = dev_namespace_start(&lab.ns, argv, (const int[]){-1, out[1], STDOUT_FILENO}, NULL);
    assert_int_equal(dup2(ours, STDOUT_FILENO), STDOUT_FILENO);
    close(ours);
    close(out[1]);
    close(other[1]);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(read(out[0], text, sizeof text), 4);
    assert_memory_equal(text, "out\n", 4);
    assert_int_equal(read(other[0], text, sizeof text), 6);
    assert_memory_equal(text, "error\n", 6);
    close(out[0]);
    close(other[0]);
    close_lab(&lab);
}

/* Descriptors that start a command are then the first that are free. */
static void a_command_that_cannot_start_is_told_though_standard_files_are_closed(void **state)
{
    (void)state;
    struct lab lab = {0};
    int ours[2], nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(nothing, F_DUPFD_CLOEXEC, 10);
    char *argv[] = {(char[]){"no-such-program"}, NULL};
    open_lab(&lab, false);
    for (int fd = 0; fd < 2; fd++) {
        ours[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        close(fd);
    }
    pid_t pid = dev_namespace_start(&lab.ns, argv, (const int[]){high, high, -1}, NULL);
    for (int fd = 0; fd < 2; fd++) {
        (void)dup2(ours[fd], fd);
        close(ours[fd]);
    }
    close(high);
    close(nothing);
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
    }
    assert_int_equal(pid, -ENOENT);
    close_lab(&lab);
}

static void closing_leaves_no_device_behind_for_a_new_one(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct lab first = {0}, second = {0};
        open_lab(&first, can_tun);
        open_lab(&second, false); /* two at once, with the same names */
        close_lab(&first);
        close_lab(&second);
    }
}

/* As somebody without any privilege; root only can become that. */
static void nobody_needs_a_privilege(void **state)
{
    (void)state;
    /* ThreadSanitizer has a thread of its own, and a process of threads cannot make user
     * namespaces. */
    const char *sanitize = getenv("HF_SANITIZE");
    bool threads = sanitize != NULL && strstr(sanitize, "thread") != NULL;
    if (geteuid() != 0 || threads) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct dev_namespace ns;
        char error[HF_ERROR_TEXT] = "";
        if (setgid(65534) != 0 || setuid(65534) != 0) {
            _exit(2);
        }
        bool tun = access("/dev/net/tun", R_OK | W_OK) == 0;
        int err = dev_namespace_make(&ns, &usual, error);
        if (err < 0) {
            (void)fprintf(stderr, "%s\n", error);
            _exit(err == -EPERM || err == -ENOSPC ? 77 : 1);
        }
        bool right = ns.tun == tun && dev_namespace_socket(&ns, AF_INET, SOCK_STREAM, 0) >= 0;
        dev_namespace_close(&ns);
        _exit(right ? 0 : 3);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77 && getenv("CI") == NULL) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool can(bool tun, char error[HF_ERROR_TEXT])
{
    struct dev_namespace ns;
    struct dev_namespace_setup setup = usual;
    setup.try_tun = tun;
    setup.try_veth = !tun;
    bool made = dev_namespace_make(&ns, &setup, error) == 0;
    dev_namespace_close(&ns);
    return made;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_and_a_tun_device_exchange_datagrams),
        cmocka_unit_test(the_kernel_and_a_packet_socket_on_veth_exchange_datagrams),
        cmocka_unit_test(ipv6_addresses_work_at_once),
        cmocka_unit_test(a_command_runs_inside_and_its_exit_status_is_ours_to_read),
        cmocka_unit_test(a_commands_output_may_go_elsewhere),
        cmocka_unit_test(a_commands_descriptors_may_be_ours_in_another_order),
        cmocka_unit_test(a_command_that_cannot_start_is_told_though_standard_files_are_closed),
        cmocka_unit_test(closing_leaves_no_device_behind_for_a_new_one),
        cmocka_unit_test(nobody_needs_a_privilege),
    };
    char error[HF_ERROR_TEXT] = "";
    (void)setenv("PATH", "/usr/bin:/bin", 1); /* one that everybody may search */
    can_veth = can(false, error);
    if (!can_veth) {
        (void)fprintf(stderr, "skipped: %s\n", error);
        const char *ci = getenv("CI");
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77;
    }
    can_tun = can(true, error);
    if (!can_tun) {
        (void)fprintf(stderr, "without TUN: %s\n", error);
    }
    return cmocka_run_group_tests_name("namespace", tests, NULL, NULL);
}
