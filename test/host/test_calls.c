/* handfast/host.h: two hosts on one cable, in one thread and in two. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "handfast/host.h"

enum { LONG_MS = 20000 };

static struct hf_host *client, *server;

static int set_up_link(uint32_t link, uint32_t frames)
{
    struct hf_pair config = {.struct_size = sizeof config,
                             .link = (uint8_t)link,
                             .frames = frames,
                             .offload = HF_OFFLOAD_CSUM | HF_OFFLOAD_TSO4 | HF_OFFLOAD_TSO6};
    struct hf_device *ends[2];
    assert_int_equal(hf_device_pair(ends, &config, NULL), 0);
    assert_int_equal(hf_host_new(&client, NULL), 0);
    assert_int_equal(hf_host_new(&server, NULL), 0);
    assert_int_equal(hf_host_attach(client, ends[0]), 1);
    assert_int_equal(hf_host_attach(server, ends[1]), 1);
    assert_int_equal(hf_host_address(client, 1, "192.0.2.1/24"), 0);
    assert_int_equal(hf_host_address(server, 1, "192.0.2.2/24"), 0);
    assert_int_equal(hf_host_address(client, 1, "2001:db8::1/64"), 0);
    assert_int_equal(hf_host_address(server, 1, "2001:db8::2/64"), 0);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    set_up_link(HF_LINK_IP, 0);
    hf_host_join(client, server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hf_host_free(client);
    hf_host_free(server);
    return 0;
}

static void open_both(const char *name, hf_handle *c, hf_handle *s)
{
    hf_handle listener;
    struct hf_endpoint peer;
    assert_int_equal(hf_host_listen(server, NULL, "80", 5, &listener), 0);
    assert_int_equal(hf_host_connect(client, name, "80", LONG_MS, c), 0);
    assert_int_equal(hf_host_accept(server, listener, LONG_MS, s, &peer), 0);
    assert_int_equal(hf_host_release(server, listener), 0);
}

/* Opened by the core's call, with an option that goes with the SYN. */
static void an_open_in_two_steps_waits_for_the_second(void **state)
{
    (void)state;
    hf_handle listener, c, s;
    struct hf_endpoint peer, remote;
    int64_t mss;
    assert_int_equal(hf_host_listen(server, NULL, "80", 5, &listener), 0);
    assert_int_equal(hf_host_resolve(client, "192.0.2.2", "80", 4, &remote, 1), 1);
    assert_int_equal(hf_open(hf_host_stack(client), hf_host_env(client), NULL, &remote, 0, &c), 0);
    assert_int_equal(
        hf_set_option(hf_host_stack(client), hf_host_env(client), c, HF_MAX_SEGMENT, 700), 0);
    assert_int_equal(hf_host_wait_open(client, c, 0), -EAGAIN);
    assert_int_equal(hf_host_wait_open(client, c, LONG_MS), 0);
    assert_int_equal(hf_host_accept(server, listener, LONG_MS, &s, &peer), 0);
    assert_int_equal(hf_option(hf_host_stack(server), s, HF_MAX_SEGMENT, &mss), 0);
    assert_in_range(mss, 600, 700);
    /* Nobody listens. */
    remote.port = 81;
    assert_int_equal(hf_open(hf_host_stack(client), hf_host_env(client), NULL, &remote, 0, &c), 0);
    assert_int_equal(hf_host_wait_open(client, c, LONG_MS), -ECONNREFUSED);
    assert_int_equal(hf_host_release(client, c), 0);
}

/* Nobody can send while hf_host_wait_open waits. */
static void a_syn_that_waits_for_text_goes_when_its_connection_is_waited_for(void **state)
{
    (void)state;
    hf_handle listener, c, s;
    struct hf_endpoint peer, remote;
    struct hf_stack *stack = hf_host_stack(client);
    struct hf_policy policy = *hf_policy(stack);
    policy.fast_open = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_CLIENT_NO_COOKIE;
    assert_int_equal(hf_set_policy(stack, hf_host_env(client), &policy), 0);
    assert_int_equal(hf_host_listen(server, NULL, "80", 5, &listener), 0);
    assert_int_equal(hf_host_resolve(client, "192.0.2.2", "80", 4, &remote, 1), 1);
    assert_int_equal(hf_open(stack, hf_host_env(client), NULL, &remote, 0, &c), 0);
    assert_int_equal(hf_set_option(stack, hf_host_env(client), c, HF_FAST_OPEN, HF_FAST_OPEN_DEFER),
                     0);
    assert_int_equal(hf_host_run_once(client, 0), 0);
    assert_int_equal(hf_host_accept(server, listener, 0, &s, &peer), -EAGAIN);
    assert_int_equal(hf_host_wait_open(client, c, LONG_MS / 10), 0);
    assert_int_equal(hf_host_accept(server, listener, LONG_MS, &s, &peer), 0);
}

static void speak(const char *name)
{
    hf_handle c, s;
    char text[100] = "";
    open_both(name, &c, &s);
    assert_int_equal(hf_host_send(client, c, "question", 8, LONG_MS), 0);
    assert_int_equal(hf_host_close(client, c), 0);
    assert_int_equal(hf_host_recv(server, s, text, sizeof text, LONG_MS), 8);
    assert_string_equal(text, "question");
    assert_int_equal(hf_host_recv(server, s, text, sizeof text, LONG_MS), 0);
    /* Half-closed: the other way is open. */
    assert_int_equal(hf_host_send(server, s, "answer", 6, LONG_MS), 0);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, LONG_MS), 6);
    assert_memory_equal(text, "answer", 6);
    assert_int_equal(hf_host_close(server, s), 0);
    assert_int_equal(hf_host_wait_closed(server, s, false, LONG_MS), 0);
    assert_int_equal(hf_host_wait_closed(client, c, false, LONG_MS), 0);
    assert_int_equal(hf_host_release(server, s), 0);
    assert_int_equal(hf_host_release(client, c), 0);
}

static void a_connection_opens_carries_half_closes_and_closes(void **state)
{
    (void)state;
    speak("192.0.2.2");
    speak("2001:db8::2");
}

static void on_ethernet_neighbours_find_each_other(void **state)
{
    (void)state;
    set_up_link(HF_LINK_ETHERNET, 0);
    hf_host_join(client, server);
    speak("192.0.2.2");
    speak("2001:db8::2");
    speak("fe80::ff:fe00:2%pair0"); /* RFC 4291 A: from 02:00:00:00:00:02 */
    tear_down(NULL);
}

static void says(int result, int expected, const char *words)
{
    assert_int_equal(result, expected);
    if (strstr(hf_host_error(client), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", hf_host_error(client), words);
    }
}

/* One sentence that names what is wrong once, not the stack's word for all of it. */
static void an_address_that_cannot_be_is_named_with_the_reason(void **state)
{
    (void)state;
    hf_handle c;
    struct hf_endpoint remote, local;
    says(hf_host_address(client, 1, "224.0.0.1/24"), -EINVAL, "224.0.0.1/24: no interface can");
    says(hf_host_address(client, 1, "192.0.2.255/24"), -EINVAL, "broadcast");
    says(hf_host_address(client, 1, "192.0.2.1/24"), -EADDRINUSE, "is an address of this stack");
    says(hf_host_route(client, 1, "default", "224.0.0.1"), -EINVAL, "the gateway");
    says(hf_host_connect(client, "224.0.0.1", "80", 0, &c), -EINVAL, "not the address of one host");
    says(hf_host_connect(client, "192.0.2.255", "80", 0, &c), -EINVAL, "192.0.2.255:80: not");
    says(hf_host_connect(client, "192.0.2.2", "0", 0, &c), -EINVAL, "there is no port 0");
    says(hf_host_listen(client, "192.0.2.1", "0", 1, &c), -EINVAL,
         "192.0.2.1:0: there is no port 0");
    says(hf_host_listen(client, NULL, "0", 1, &c), -EINVAL, "there is no port 0");
    assert_int_equal(hf_host_resolve(client, "192.0.2.2", "80", 0, &remote, 1), 1);
    assert_int_equal(hf_host_resolve(client, "192.0.2.9", "0", 0, &local, 1), 1);
    says(hf_host_open(client, &local, &remote, 0, &c), -EADDRNOTAVAIL, "192.0.2.9: not an address");
    assert_int_equal(hf_host_resolve(client, "2001:db8::1", "0", 0, &local, 1), 1);
    says(hf_host_open(client, &local, &remote, 0, &c), -EINVAL, "two versions of IP");
}

static void a_port_that_nobody_listens_on_refuses(void **state)
{
    (void)state;
    hf_handle c;
    assert_int_equal(hf_host_connect(client, "192.0.2.2", "81", LONG_MS, &c), -ECONNREFUSED);
    assert_true(c == 0 && hf_host_error(client)[0] != 0);
    assert_int_equal(hf_host_connect(client, "198.51.100.1", "81", LONG_MS, &c), -ENETUNREACH);
}

static void what_does_not_happen_in_time_is_told(void **state)
{
    (void)state;
    hf_handle c, s, listener;
    char text[10];
    open_both("192.0.2.2", &c, &s);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, 0), -EAGAIN);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, 5), -EAGAIN);
    assert_int_equal(hf_host_wait_closed(client, c, false, 5), -EAGAIN);
    assert_int_equal(hf_host_listen(server, "192.0.2.2", "82", 5, &listener), 0);
    assert_int_equal(hf_host_accept(server, listener, 0, &s, NULL), -EAGAIN);
    /* Nobody there: an address of the prefix that no stack has. */
    assert_int_equal(hf_host_connect(client, "192.0.2.77", "80", 20, &c), -ETIMEDOUT);
}

static void no_octets_are_refused_where_one_would_be(void **state)
{
    (void)state;
    hf_handle c, s;
    open_both("192.0.2.2", &c, &s);
    assert_int_equal(hf_host_send(client, c, NULL, 0, 0), 0);
    assert_int_equal(hf_host_close(client, c), 0);
    says(hf_host_send(client, c, NULL, 0, 0), -EPIPE, "send");
    says(hf_host_send(client, c, "x", 1, 0), -EPIPE, "send");
    assert_int_equal(hf_host_release(client, c), 0);
    says(hf_host_send(client, c, NULL, 0, 0), -EBADF, "send");
    says(hf_host_send(client, c, "x", 1, 0), -EBADF, "send");
}

static void a_reset_is_the_error_of_the_next_call(void **state)
{
    (void)state;
    hf_handle c, s;
    char text[10];
    open_both("192.0.2.2", &c, &s);
    assert_int_equal(hf_host_abort(server, s), 0);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, LONG_MS), -ECONNRESET);
    assert_int_equal(hf_host_wait_closed(client, c, true, LONG_MS), -ECONNRESET);
    assert_true(hf_host_send(client, c, "x", 1, LONG_MS) < 0);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void a_signal_ends_the_wait_and_nothing_is_lost(void **state)
{
    (void)state;
    hf_handle c, s;
    char text[10];
    struct sigaction action = {.sa_handler = on_alarm}, before;
    /* Again and again, since the first may come before the wait. */
    const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    open_both("192.0.2.2", &c, &s);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, -1), -EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_int_equal(hf_host_send(server, s, "x", 1, LONG_MS), 0);
    assert_int_equal(hf_host_recv(client, c, text, sizeof text, LONG_MS), 1);
}

/* Another descriptor ----------------------------------------------------------------------------
 */

struct seen {
    int calls, fd, revents;
};

static void note(struct hf_host *host, void *arg, int fd, int revents)
{
    struct seen *seen = arg;
    seen->calls++;
    seen->fd = fd;
    seen->revents = revents;
    assert_int_equal(hf_host_unwatch(host, fd), 0);
}

static void a_watched_descriptor_wakes_the_loop(void **state)
{
    (void)state;
    struct seen seen = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(hf_host_watch(client, ends[0], POLLIN, note, &seen), 0);
    assert_int_equal(hf_host_run_once(client, 0), 0);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    for (int i = 0; i < 100 && seen.calls == 0; i++) {
        assert_int_equal(hf_host_run_once(client, 1000000000), 0);
    }
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.fd, ends[0]);
    assert_true((seen.revents & POLLIN) != 0);
    says(hf_host_unwatch(client, ends[0]), -ENOENT, "is not watched");
    close(ends[0]);
    close(ends[1]);
}

/* Threads ---------------------------------------------------------------------------------------
 */

struct tally {
    int posted[2]; /* how many of each poster ran */
    pthread_t runner;
    struct hf_host *host;
};

struct parcel {
    struct tally *tally;
    int poster, number;
};

static void count(struct hf_host *host, void *arg)
{
    struct parcel *parcel = arg;
    assert_ptr_equal(host, parcel->tally->host);
    assert_true(pthread_equal(pthread_self(), parcel->tally->runner));
    assert_int_equal(parcel->tally->posted[parcel->poster]++, parcel->number);
    free(parcel);
}

struct poster {
    struct tally *tally;
    int number;
};

enum { POSTS = 2000 };

static void *post_many(void *arg)
{
    const struct poster *poster = arg;
    for (int i = 0; i < POSTS; i++) {
        struct parcel *parcel = malloc(sizeof *parcel);
        if (parcel == NULL) {
            return NULL;
        }
        *parcel = (struct parcel){poster->tally, poster->number, i};
        (void)hf_host_post(poster->tally->host, count, parcel);
    }
    return NULL;
}

static void posts_of_other_threads_run_in_the_hosts_in_order(void **state)
{
    (void)state;
    struct tally tally = {.runner = pthread_self(), .host = client};
    struct poster posters[2] = {{&tally, 0}, {&tally, 1}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    while (tally.posted[0] < POSTS || tally.posted[1] < POSTS) {
        assert_int_equal(hf_host_run_once(client, -1), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

enum { MANY = 3000000 };

static uint8_t octet(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) + (i >> 16));
}

static void *serve(void *arg)
{
    hf_handle listener, s;
    static uint8_t data[65536];
    size_t got = 0;
    ssize_t n;
    (void)arg;
    if (hf_host_listen(server, NULL, "80", 5, &listener) < 0 ||
        hf_host_accept(server, listener, LONG_MS, &s, NULL) < 0) {
        return NULL;
    }
    while ((n = hf_host_recv(server, s, data, sizeof data, LONG_MS)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            if (data[i] != octet(got)) {
                return NULL;
            }
        }
        if (hf_host_send(server, s, data, (size_t)n, LONG_MS) < 0) {
            return NULL;
        }
    }
    (void)hf_host_close(server, s);
    bool good = got == MANY && hf_host_wait_closed(server, s, false, LONG_MS) == 0;
    return good ? server : NULL;
}

/* A client that sends all of it before it reads would block for ever on an echo: it takes turns. */
static void two_hosts_in_two_threads_echo_three_megabytes_over_a_short_cable(void **state)
{
    (void)state;
    pthread_t thread;
    hf_handle c = 0;
    static uint8_t data[50000], back[50000];
    void *result = NULL;
    set_up_link(HF_LINK_IP, 4); /* four frames: often full */
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    int err = -ECONNREFUSED;
    for (int i = 0; i < 1000 && err == -ECONNREFUSED; i++) { /* until it listens */
        err = hf_host_connect(client, "2001:db8::2", "80", LONG_MS, &c);
    }
    assert_int_equal(err, 0);
    for (size_t sent = 0; sent < MANY;) {
        size_t len = sizeof data < MANY - sent ? sizeof data : MANY - sent;
        for (size_t i = 0; i < len; i++) {
            data[i] = octet(sent + i);
        }
        assert_int_equal(hf_host_send(client, c, data, len, LONG_MS), 0);
        for (size_t got = 0; got < len;) {
            ssize_t n = hf_host_recv(client, c, back + got, len - got, LONG_MS);
            assert_true(n > 0);
            got += (size_t)n;
        }
        assert_memory_equal(data, back, len);
        sent += len;
    }
    assert_int_equal(hf_host_close(client, c), 0);
    assert_int_equal(hf_host_recv(client, c, back, 1, LONG_MS), 0);
    assert_int_equal(hf_host_wait_closed(client, c, false, LONG_MS), 0);
    /* It may have to answer the other's FIN again. */
    while (pthread_tryjoin_np(thread, &result) == EBUSY) {
        assert_int_equal(hf_host_run_once(client, 1000000), 0);
    }
    assert_ptr_equal(result, server);
    tear_down(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_open_in_two_steps_waits_for_the_second, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_syn_that_waits_for_text_goes_when_its_connection_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_opens_carries_half_closes_and_closes, set_up,
                                        tear_down),
        cmocka_unit_test(on_ethernet_neighbours_find_each_other),
        cmocka_unit_test_setup_teardown(an_address_that_cannot_be_is_named_with_the_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_port_that_nobody_listens_on_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_happen_in_time_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_octets_are_refused_where_one_would_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reset_is_the_error_of_the_next_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_ends_the_wait_and_nothing_is_lost, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_watched_descriptor_wakes_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posts_of_other_threads_run_in_the_hosts_in_order, set_up,
                                        tear_down),
        cmocka_unit_test(two_hosts_in_two_threads_echo_three_megabytes_over_a_short_cable),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
