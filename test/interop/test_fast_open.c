/* ctest: timeout=60
 * RFC 7413 with the kernel's TCP as the server: the first connection brings a cookie, the second
 * puts text on its SYN, which is acknowledged with it and read before the handshake ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab.h"

enum { LONG_MS = 20000, QUEUE = 16 };

static int kernel_listener(const struct lab *lab)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(LAB_PORT)};
    int s = hf_private_socket(lab->net, AF_INET6, SOCK_STREAM, 0); /* IPv4 as well */
    int no = 0, queue = QUEUE;
    assert_true(s >= 0);
    assert_int_equal(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue), 0);
    assert_int_equal(listen(s, QUEUE), 0);
    return s;
}

/* One question and its end; returns the octets that went with the SYN. */
static int64_t ask(struct lab *lab, int listener, int version)
{
    static const char question[] = "what is the time?";
    struct hf_stack *stack = hf_host_stack(lab->host);
    struct hf_endpoint peer = lab_peer_endpoint(version);
    struct hf_status status = {.struct_size = sizeof status};
    hf_handle c;
    char text[sizeof question];
    assert_int_equal(hf_open(stack, hf_host_env(lab->host), NULL, &peer, 0, &c), 0);
    assert_int_equal(hf_set_option(stack, hf_host_env(lab->host), c, HF_FAST_OPEN, HF_FAST_OPEN_ON),
                     0);
    int64_t room = hf_fast_open_room(stack, hf_host_env(lab->host), c);
    assert_int_equal(hf_send(stack, hf_host_env(lab->host), c, question, sizeof question, 0),
                     sizeof question);
    assert_int_equal(hf_host_wait_open(lab->host, c, LONG_MS), 0);
    assert_int_equal(hf_status(stack, hf_host_env(lab->host), c, &status), 0);
    assert_int_equal((status.fast_open & HF_FO_SYN_DATA) != 0, room > 0);
    int s = accept(listener, NULL, NULL);
    assert_true(s >= 0);
    for (size_t got = 0; got < sizeof question;) {
        hf_host_run_once(lab->host, 1000000);
        ssize_t n = recv(s, text + got, sizeof text - got, MSG_DONTWAIT);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        got += n > 0 ? (size_t)n : 0;
    }
    assert_memory_equal(text, question, sizeof question);
    close(s);
    assert_int_equal(hf_host_recv(lab->host, c, text, sizeof text, LONG_MS), 0);
    assert_int_equal(hf_host_release(lab->host, c), 0);
    return room;
}

static void with_the_kernels_cookie_text_goes_on_the_syn(void **state)
{
    (void)state;
    struct lab *lab = lab_open(16, false);
    assert_int_equal(hf_private_sysctl(lab->net, "net/ipv4/tcp_fastopen", "3"), 0);
    int listener = kernel_listener(lab);
    for (int version = 4; version <= 6; version += 2) {
        assert_int_equal(ask(lab, listener, version), 0);
        assert_true(ask(lab, listener, version) > 17);
        assert_int_equal(hf_fast_open_forget(hf_host_stack(lab->host), hf_host_env(lab->host)), 0);
        assert_int_equal(ask(lab, listener, version), 0);
    }
    close(listener);
    assert_int_equal(lab_left_over(lab), 0);
    lab_close(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_kernels_cookie_text_goes_on_the_syn),
    };
    int skip = lab_skip();
    return skip != 0 ? skip : cmocka_run_group_tests_name("interop: Fast Open", tests, NULL, NULL);
}
