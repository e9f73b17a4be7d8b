/* src/host/names.c with a getaddrinfo that fails as it is told to. */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int look_up(const char *name, const char *port, const struct addrinfo *hints,
                   struct addrinfo **list);
#define getaddrinfo look_up
#include "host/names.c"
#undef getaddrinfo

static struct hf_host *host;
static int failed, reason;

static int look_up(const char *name, const char *port, const struct addrinfo *hints,
                   struct addrinfo **list)
{
    (void)name;
    (void)port;
    (void)hints;
    (void)list;
    errno = reason;
    return failed;
}

static void expect(int how, int err, const char *name, int expected, const char *words)
{
    struct hf_endpoint endpoint;
    failed = how;
    reason = err;
    assert_int_equal(hf_host_resolve(host, name, "http", 0, &endpoint, 1), expected);
    if (strstr(hf_host_error(host), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", hf_host_error(host), words);
    }
}

static void a_lookup_that_the_system_refuses_is_told_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(hf_host_new(&host, NULL), 0);
    expect(EAI_SYSTEM, EACCES, "one", -EACCES, "one, port http: not looked up: Permission denied");
    expect(EAI_SERVICE, EMFILE, "one", -EMFILE,
           "one, port http: not looked up: Too many open files");
    expect(EAI_NONAME, ENFILE, NULL, -ENFILE,
           "any address, port http: not looked up: Too many open files in system");
    expect(EAI_SERVICE, ENOENT, "one", -EINVAL,
           "http: not a port: a number up to 65535, or a service's name");
    expect(EAI_NONAME, ENOENT, "one", -EHOSTUNREACH, "one: ");
    expect(EAI_MEMORY, ENOMEM, NULL, -ENOMEM, "any address: no memory to look the name up");
    hf_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lookup_that_the_system_refuses_is_told_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
