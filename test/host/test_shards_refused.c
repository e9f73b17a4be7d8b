/* Shards whose second thread cannot be had: src/host/shards.c with a pthread_create that refuses
 * it. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *arg);
#define pthread_create create
#include "host/shards.c"
#undef pthread_create

static struct {
    uint32_t asked;     /* for threads                                    */
    pid_t first;        /* the first one's number                         */
    bool waits;         /* the refusal comes when the first one has ended */
    bool silent;        /* it refuses without a sentence                  */
    int refuses, ended; /* of the first shard                             */
} test;

/* The kernel's word that a thread of ours has ended. */
static void await_end(pid_t thread)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
    for (int ms = 0; access(path, F_OK) == 0; ms++) {
        assert_true(ms < 5000);
        (void)usleep(1000);
    }
}

static int create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *arg)
{
    if (test.asked++ == 0) {
        return pthread_create(thread, how, body, arg);
    }
    if (test.waits) {
        while (__atomic_load_n(&test.first, __ATOMIC_ACQUIRE) == 0) {
            (void)usleep(1000);
        }
        await_end(test.first);
    }
    return EAGAIN;
}

static int begin_one(struct hf_host *host, uint32_t shard, void *arg)
{
    (void)shard;
    (void)arg;
    __atomic_store_n(&test.first, gettid(), __ATOMIC_RELEASE);
    return test.refuses < 0 && !test.silent ? host_fail(host, test.refuses, "refused")
                                            : test.refuses;
}

static void end_one(struct hf_host *host, uint32_t shard, void *arg)
{
    (void)host;
    (void)shard;
    (void)arg;
    test.ended++;
}

static void start_two(int expected, const char *sentence)
{
    char error[HF_ERROR_TEXT] = "";
    struct hf_shards *shards;
    struct hf_shards_options options = {
        .struct_size = sizeof options, .n = 2, .begin = begin_one, .end = end_one};
    assert_int_equal(hf_shards_start(&shards, &options, error), expected);
    assert_null(shards);
    assert_string_equal(error, sentence);
}

static void a_thread_that_cannot_be_had_ends_those_that_run(void **state)
{
    (void)state;
    memset(&test, 0, sizeof test);
    start_two(-EAGAIN, "a thread: Resource temporarily unavailable");
    assert_int_equal(test.ended, 1);
}

static void what_failed_first_is_told(void **state)
{
    (void)state;
    memset(&test, 0, sizeof test);
    test.refuses = -ENODEV;
    test.waits = true;
    start_two(-ENODEV, "shard 0: refused");
    assert_int_equal(test.ended, 0);
}

static void what_failed_without_a_sentence_is_told_by_its_errno(void **state)
{
    (void)state;
    memset(&test, 0, sizeof test);
    test.refuses = -ENODEV;
    test.waits = test.silent = true;
    start_two(-ENODEV, "shard 0: No such device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_cannot_be_had_ends_those_that_run),
        cmocka_unit_test(what_failed_first_is_told),
        cmocka_unit_test(what_failed_without_a_sentence_is_told_by_its_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
