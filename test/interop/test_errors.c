/* ctest: timeout=120
 * What goes wrong against the kernel's TCP ends with the right error, in the right time: refused,
 * unreachable, reset in the middle, a peer that vanishes.  The upper bounds of time are generous,
 * the lower ones exact to a tick. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab.h"

/* SOON_MS: by an answer, on a machine however busy, and not by a timeout. */
enum { LONG_MS = 60000, SOON_MS = 20000, TICK_MS = 1 /* the stack counts whole ones */ };

/* Milliseconds of the host's clock since `begin`. */
static int64_t since(const struct lab *lab, int64_t begin)
{
    return (hf_host_env(lab->host)->now_ns - begin) / 1000000;
}

/* Runs a line of shell in the namespace to its end. */
static void in_namespace(const struct lab *lab, const char *line)
{
    char shell[] = "sh", option[] = "-c", command[200];
    char *const argv[] = {shell, option, command, NULL};
    snprintf(command, sizeof command, "%s", line);
    char error[HF_ERROR_TEXT];
    int status;
    pid_t pid = hf_private_start(lab->net, argv, NULL, error);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int kernel_listener(const struct lab *lab)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(LAB_PORT)};
    int s = hf_private_socket(lab->net, AF_INET, SOCK_STREAM, 0);
    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(s, 16), 0);
    return s;
}

static void set_soft_abort(const struct lab *lab)
{
    struct hf_policy policy = *hf_policy(hf_host_stack(lab->host));
    policy.syn_soft_abort = true;
    assert_int_equal(hf_set_policy(hf_host_stack(lab->host), hf_host_env(lab->host), &policy), 0);
}

static void a_port_where_nobody_listens_refuses_at_once(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    for (int version = 4; version <= 6; version += 2) {
        struct hf_endpoint peer = lab_peer_endpoint(version);
        hf_handle c;
        int64_t begin = hf_host_env(lab->host)->now_ns;
        assert_int_equal(hf_host_open(lab->host, NULL, &peer, LONG_MS, &c), -ECONNREFUSED);
        assert_true(since(lab, begin) < SOON_MS);
    }
    assert_int_equal(lab_left_over(lab), 0);
    lab_close(lab);
}

/* The kernel as a router that has no way there (RFC 1812 4.3.3.1, RFC 4443 3.1). */
static void a_host_that_a_router_calls_unreachable_is_so_at_once(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    static const char route4[] = "ip route add unreachable 192.0.2.0/24";
    static const char route6[] = "ip -6 route add unreachable 2001:db8::/32";
    assert_int_equal(hf_private_sysctl(lab->net, "net/ipv4/ip_forward", "1"), 0);
    assert_int_equal(hf_private_sysctl(lab->net, "net/ipv6/conf/all/forwarding", "1"), 0);
    in_namespace(lab, route4);
    in_namespace(lab, route6);
    assert_int_equal(hf_host_route(lab->host, (int)lab->iface, "default", "10.77.0.1"), 0);
    assert_int_equal(hf_host_route(lab->host, (int)lab->iface, "default", "fd77::1"), 0);
    set_soft_abort(lab); /* RFC 5461: a person waits */
    hf_handle c;
    int64_t begin = hf_host_env(lab->host)->now_ns;
    assert_int_equal(hf_host_connect(lab->host, "192.0.2.9", "80", LONG_MS, &c), -EHOSTUNREACH);
    int result = hf_host_connect(lab->host, "2001:db8::9", "80", LONG_MS, &c);
    assert_true(result == -EHOSTUNREACH || result == -ENETUNREACH);
    assert_true(since(lab, begin) < SOON_MS);
    lab_close(lab);
}

/* RFC 9293 3.9.2.2, RFC 5461: without that policy a soft error is noted, and the SYN repeated until
 * the application's patience ends. */
static void a_soft_error_alone_does_not_end_a_connection_attempt(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    static const char route[] = "ip route add unreachable 192.0.2.0/24";
    assert_int_equal(hf_private_sysctl(lab->net, "net/ipv4/ip_forward", "1"), 0);
    in_namespace(lab, route);
    assert_int_equal(hf_host_route(lab->host, (int)lab->iface, "default", "10.77.0.1"), 0);
    hf_handle c;
    int64_t begin = hf_host_env(lab->host)->now_ns;
    int result = hf_host_connect(lab->host, "192.0.2.9", "80", 1500, &c);
    assert_true(result == -EHOSTUNREACH || result == -ETIMEDOUT || result == -EAGAIN);
    assert_true(since(lab, begin) >= 1400);
    lab_close(lab);
}

static void where_there_is_no_route_the_network_is_unreachable(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    hf_handle c;
    assert_int_equal(hf_host_connect(lab->host, "192.0.2.9", "80", LONG_MS, &c), -ENETUNREACH);
    lab_close(lab);
}

/* A socket closed with octets unread, or with no time to linger, sends a reset. */
static void a_reset_in_the_middle_is_heard_once_and_then_the_end(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    int listener = kernel_listener(lab);
    struct hf_endpoint peer = lab_peer_endpoint(4);
    hf_handle c;
    char text[16];
    assert_int_equal(hf_host_open(lab->host, NULL, &peer, LONG_MS, &c), 0);
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);
    struct linger no_time = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(s, SOL_SOCKET, SO_LINGER, &no_time, sizeof no_time), 0);
    close(s);
    assert_int_equal(hf_host_recv(lab->host, c, text, sizeof text, LONG_MS), -ECONNRESET);
    assert_int_equal(hf_host_recv(lab->host, c, text, sizeof text, LONG_MS), 0);
    struct hf_close_reason reason;
    assert_int_equal(hf_close_reason(hf_host_stack(lab->host), c, &reason), HF_ERR_RESET);
    assert_int_equal(reason.rst_received, 1);
    assert_int_equal(reason.rst_sent, 0);
    assert_int_equal(hf_host_release(lab->host, c), 0);
    close(listener);
    assert_int_equal(lab_left_over(lab), 0);
    lab_close(lab);
}

/* RFC 9293 3.9.1.1: the user timeout ends it, not before its time. */
static void a_peer_that_vanishes_times_out_when_the_user_said(void **state)
{
    (void)state;
    enum { PATIENCE_MS = 1500 };
    struct lab *lab = lab_open(16, false);
    int listener = kernel_listener(lab);
    struct hf_endpoint peer = lab_peer_endpoint(4);
    static const char vanish[] = "ip route add blackhole 10.77.0.2/32";
    hf_handle c;
    char text[16];
    assert_int_equal(hf_host_open(lab->host, NULL, &peer, LONG_MS, &c), 0);
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);
    in_namespace(lab, vanish);
    assert_int_equal(hf_set_option(hf_host_stack(lab->host), hf_host_env(lab->host), c,
                                   HF_USER_TIMEOUT, PATIENCE_MS),
                     0);
    int64_t begin = hf_host_env(lab->host)->now_ns;
    assert_int_equal(hf_host_send(lab->host, c, "are you there?", 14, LONG_MS), 0);
    assert_int_equal(hf_host_recv(lab->host, c, text, sizeof text, LONG_MS), -ETIMEDOUT);
    assert_true(since(lab, begin) + TICK_MS >= PATIENCE_MS);
    assert_true(since(lab, begin) < 10 * PATIENCE_MS);
    assert_int_equal(hf_host_release(lab->host, c), 0);
    close(s);
    close(listener);
    lab_close(lab);
}

/* A SYN that nobody answers, RFC 9293 3.8.3: given up in the caller's time. */
static void a_connection_attempt_that_nobody_answers_ends_in_its_time(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    static const char vanish[] = "ip route add blackhole 10.77.0.2/32";
    in_namespace(lab, vanish);
    hf_handle c;
    struct hf_endpoint peer = lab_peer_endpoint(4);
    int64_t begin = hf_host_env(lab->host)->now_ns;
    int result = hf_host_open(lab->host, NULL, &peer, 700, &c);
    assert_true(result == -ETIMEDOUT || result == -EAGAIN);
    assert_true(since(lab, begin) + TICK_MS >= 700);
    assert_true(since(lab, begin) < 7000);
    assert_int_equal(lab_left_over(lab), 0);
    lab_close(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_where_nobody_listens_refuses_at_once),
        cmocka_unit_test(a_host_that_a_router_calls_unreachable_is_so_at_once),
        cmocka_unit_test(a_soft_error_alone_does_not_end_a_connection_attempt),
        cmocka_unit_test(where_there_is_no_route_the_network_is_unreachable),
        cmocka_unit_test(a_reset_in_the_middle_is_heard_once_and_then_the_end),
        cmocka_unit_test(a_peer_that_vanishes_times_out_when_the_user_said),
        cmocka_unit_test(a_connection_attempt_that_nobody_answers_ends_in_its_time),
    };
    int skip = lab_skip();
    return skip != 0 ? skip : cmocka_run_group_tests_name("interop: errors", tests, NULL, NULL);
}
