/* src/device where this process can open no more descriptors: that is what is told. */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "frames.h"

static struct rlimit before;
static char error[HF_ERROR_TEXT];

static int none_left(void **state)
{
    (void)state;
    struct rlimit less;
    int lowest = dup(STDERR_FILENO);
    if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &before) != 0) {
        return -1;
    }
    close(lowest);
    less = before;
    less.rlim_cur = (rlim_t)lowest;
    return setrlimit(RLIMIT_NOFILE, &less);
}

static int some_left(void **state)
{
    (void)state;
    return setrlimit(RLIMIT_NOFILE, &before);
}

static void an_interface_that_cannot_be_looked_up_may_be_there(void **state)
{
    (void)state;
    assert_int_equal(dev_index_of("lo", error), -EMFILE);
    assert_string_equal(error, "lo: cannot be looked up: Too many open files");
}

static void an_interface_that_is_not_there_is_told(void **state)
{
    (void)state;
    assert_int_equal(dev_index_of("no-such", error), -ENODEV);
    assert_non_null(strstr(error, "no-such: no such interface"));
}

static void a_pair_that_finds_no_descriptors_has_memory(void **state)
{
    (void)state;
    struct hf_device *ends[2];
    assert_int_equal(hf_device_pair(ends, NULL, error), -EMFILE);
    assert_non_null(strstr(error, "Too many open files"));
    assert_null(ends[0]);
    assert_null(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_interface_that_cannot_be_looked_up_may_be_there,
                                        none_left, some_left),
        cmocka_unit_test_setup_teardown(a_pair_that_finds_no_descriptors_has_memory, none_left,
                                        some_left),
        cmocka_unit_test(an_interface_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
