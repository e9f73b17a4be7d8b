/* What other threads post to a host: in order, whatever its functions do, and up to the end of the
 * host. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"

enum { LONG_MS = 20000 };

static struct hf_host *host;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hf_host_free(host);
    return 0;
}

/* Which of them ran, in order. */
static char ran[8];
static size_t n_ran;

static void note(struct hf_host *at, void *arg)
{
    assert_ptr_equal(at, host);
    assert_true(n_ran < sizeof ran);
    ran[n_ran++] = *(const char *)arg;
}

static void post(hf_post_fn *fn, const char *name)
{
    assert_int_equal(hf_host_post(host, fn, (void *)(uintptr_t)name), 0);
}

static void wait_within(struct hf_host *at, void *arg)
{
    note(at, arg);
    post(note, "c");
    assert_int_equal(hf_host_run_once(at, 0), 0);
    note(at, arg);
}

static void who_waits_within_a_post_has_those_behind_it_run_in_order(void **state)
{
    (void)state;
    n_ran = 0;
    post(wait_within, "a");
    post(note, "b");
    assert_int_equal(hf_host_run_once(host, 0), 0);
    assert_int_equal(n_ran, 4);
    assert_memory_equal(ran, "abca", 4);
    assert_int_equal(hf_host_run_once(host, 0), 0);
    assert_int_equal(n_ran, 4);
}

static void again(struct hf_host *at, void *arg)
{
    note(at, arg);
    post(again, arg);
}

static void what_posts_itself_again_runs_once_a_turn(void **state)
{
    (void)state;
    n_ran = 0;
    post(again, "a");
    for (size_t turn = 1; turn <= 5; turn++) {
        assert_int_equal(hf_host_run_once(host, 0), 0);
        assert_int_equal(n_ran, turn);
    }
}

static void nothing(struct hf_host *at, void *arg)
{
    (void)at;
    (void)arg;
}

static void *post_nothing(void *arg)
{
    assert_int_equal(hf_host_post(arg, nothing, NULL), 0);
    return NULL;
}

/* A bell that takes no more: who rings it waits, until it is emptied. */
static void fill(int fd)
{
    static const char octets[4096];
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, octets, sizeof octets) > 0) {
    }
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

/* The function may end the host, so nobody runs it before hf_host_post has done with the host. */
static void a_post_is_taken_when_whoever_posts_has_done_with_the_host(void **state)
{
    (void)state;
    int bell[2], own = host->post_fd;
    char octets[4096];
    pthread_t poster;
    assert_int_equal(pipe2(bell, O_CLOEXEC), 0);
    fill(bell[1]);
    host->post_fd = bell[1];
    assert_int_equal(pthread_create(&poster, NULL, post_nothing, host), 0);
    while (!atomic_load(&host->rung)) {
        (void)sched_yield();
    }
    bool locked = pthread_mutex_trylock(&host->lock) != 0;
    if (!locked) {
        pthread_mutex_unlock(&host->lock);
    }
    assert_true(read(bell[0], octets, sizeof octets) > 0);
    assert_int_equal(pthread_join(poster, NULL), 0);
    host->post_fd = own;
    close(bell[0]);
    close(bell[1]);
    assert_true(locked);
}

static void interrupt(int number)
{
    (void)number;
    hf_host_interrupt(host);
}

static void be_signalled(struct hf_host *at, void *arg)
{
    (void)at;
    (void)arg;
    assert_int_equal(raise(SIGUSR1), 0);
}

static void a_signal_that_comes_while_the_host_works_ends_the_wait(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = interrupt};
    hf_handle listener, connection;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &listener), 0);
    post(be_signalled, NULL);
    assert_int_equal(hf_host_accept(host, listener, LONG_MS, &connection, NULL), -EINTR);
    assert_int_equal(hf_host_accept(host, listener, 0, &connection, NULL), -EAGAIN);
}

static void an_interrupt_ends_the_next_wait_where_none_is_under_way(void **state)
{
    (void)state;
    struct hf_host *other;
    assert_int_equal(hf_host_new(&other, NULL), 0);
    hf_host_join(host, other);
    for (int i = 0; i < 2; i++) {
        hf_host_interrupt(i == 0 ? host : other);
        hf_host_interrupt(host);
        assert_int_equal(hf_host_run_once(host, INT64_C(1000000) * LONG_MS), -EINTR);
        assert_int_equal(hf_host_run_once(host, 0), 0);
    }
    hf_host_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_within_a_post_has_those_behind_it_run_in_order,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_posts_itself_again_runs_once_a_turn, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_post_is_taken_when_whoever_posts_has_done_with_the_host,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_that_comes_while_the_host_works_ends_the_wait,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupt_ends_the_next_wait_where_none_is_under_way,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("posts", tests, NULL, NULL);
}
