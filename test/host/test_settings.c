/* handfast/host.h: policies and options by name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handfast/host.h"

static struct hf_policy usual(void)
{
    struct hf_config config;
    hf_config_default(&config, 2);
    return config.policy;
}

static void the_named_fields_of_a_policy_change_and_no_other(void **state)
{
    (void)state;
    char error[HF_ERROR_TEXT];
    struct hf_policy policy = usual(), want = usual();
    want.timestamps = false;
    want.sack = false;
    want.msl_ms = 7;
    want.port_last = 50000;
    want.ttl = 9;
    assert_int_equal(hf_settings_policy("timestamps=off, sack=0,msl-ms=7\tport_last=50000\n ttl=9 ",
                                        &policy, error),
                     0);
    assert_memory_equal(&policy, &want, sizeof want);
    assert_int_equal(hf_settings_policy("timestamps=on sack=true", &policy, error), 0);
    want.timestamps = want.sack = true;
    assert_memory_equal(&policy, &want, sizeof want);
    assert_int_equal(hf_settings_policy("", &policy, error), 0);
    assert_int_equal(hf_settings_policy("nodelay=1", &policy, error), 0); /* no policy */
    assert_memory_equal(&policy, &want, sizeof want);
}

static void refuses(const char *text, const char *names)
{
    char error[HF_ERROR_TEXT] = "";
    struct hf_policy policy = usual();
    assert_int_equal(hf_settings_policy(text, &policy, error), -EINVAL);
    assert_non_null(strstr(error, names));
}

static void what_cannot_be_is_refused_with_its_name(void **state)
{
    (void)state;
    refuses("timestamps", "'timestamps'");
    refuses("sack=1 no_such=1", "'no_such'");
    refuses("timestamp=1", "'timestamp'");
    refuses("timestampsx=1", "'timestampsx'");
    refuses("timestamps=2", "timestamps=2");
    refuses("timestamps=", "timestamps=");
    refuses("ttl=256", "ttl=256");
    refuses("port_last=65536", "port_last=65536");
    refuses("msl_ms=4294967296", "msl_ms=4294967296");
    refuses("msl_ms=-1", "msl_ms=-1");
    refuses("msl_ms=7s", "msl_ms=7s");
    refuses("ack_delay_ms=501", "ack_delay_ms=501"); /* RFC 9293 3.8.6.3: the config cannot be */
    refuses("nodelay=perhaps", "nodelay=perhaps");
}

/* Every policy and every option has a name, and a sentence from the header. */
static void every_setting_is_listed(void **state)
{
    (void)state;
    const char *name;
    uint32_t n = 0;
    while ((name = hf_setting_name(n)) != NULL) {
        assert_true(strlen(hf_setting_text(name)) > 0);
        n++;
    }
    assert_true(n > HF_OPTIONS);
    assert_null(hf_setting_name(n + 10));
    assert_null(hf_setting_text("no_such"));
    assert_non_null(hf_setting_text("timestamps"));
    assert_non_null(hf_setting_text("max_segment"));
    assert_non_null(hf_setting_text("ttl"));
    assert_non_null(hf_setting_text("ttl_option"));
}

static struct hf_host *host_with(const char *settings)
{
    struct hf_host *host;
    struct hf_device *ends[2];
    struct hf_host_options options = {.struct_size = sizeof options, .settings = settings};
    assert_int_equal(hf_host_new(&host, &options), 0);
    assert_int_equal(hf_device_pair(ends, NULL, NULL), 0);
    hf_device_close(ends[1]);
    assert_int_equal(hf_host_attach(host, ends[0]), 1);
    assert_int_equal(hf_host_address(host, 1, "10.0.0.2/24"), 0);
    return host;
}

static void a_host_begins_with_its_settings_and_gives_its_handles_theirs(void **state)
{
    (void)state;
    struct hf_host *host = host_with("timestamps=off tos=32 nodelay=on");
    hf_handle listener, handle;
    int64_t value;
    struct hf_endpoint remote = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .port = 80};
    assert_false(hf_policy(hf_host_stack(host))->timestamps);
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &listener), 0);
    assert_int_equal(hf_option(hf_host_stack(host), listener, HF_TOS, &value), 0);
    assert_int_equal(value, 32);
    assert_int_equal(hf_open(hf_host_stack(host), hf_host_env(host), NULL, &remote, 0, &handle), 0);
    assert_int_equal(hf_host_settings(host, handle), 0);
    assert_int_equal(hf_option(hf_host_stack(host), handle, HF_NODELAY, &value), 0);
    assert_int_equal(value, 1);
    hf_host_free(host);
}

static void an_option_that_is_refused_fails_the_call_that_opens(void **state)
{
    (void)state;
    struct hf_host *host = host_with("tos=1"); /* ECN's bits are not an application's */
    hf_handle handle;
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &handle), -EINVAL);
    assert_int_equal(handle, 0);
    assert_non_null(strstr(hf_host_error(host), "tos=1"));
    assert_int_equal(hf_host_connect(host, "10.0.0.1", "80", 1000, &handle), -EINVAL);
    assert_int_equal(handle, 0);
    hf_host_free(host);
}

static void the_environment_has_a_say_where_the_program_has_none(void **state)
{
    (void)state;
    struct hf_host *host;
    setenv("HANDFAST_SET", "sack=off", 1);
    assert_int_equal(hf_host_new(&host, NULL), 0);
    assert_false(hf_policy(hf_host_stack(host))->sack);
    hf_host_free(host);
    host = host_with("");
    assert_true(hf_policy(hf_host_stack(host))->sack);
    hf_host_free(host);
    setenv("HANDFAST_SET", "nonsense", 1);
    assert_int_equal(hf_host_new(&host, NULL), -EINVAL);
    unsetenv("HANDFAST_SET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_fields_of_a_policy_change_and_no_other),
        cmocka_unit_test(what_cannot_be_is_refused_with_its_name),
        cmocka_unit_test(every_setting_is_listed),
        cmocka_unit_test(a_host_begins_with_its_settings_and_gives_its_handles_theirs),
        cmocka_unit_test(an_option_that_is_refused_fails_the_call_that_opens),
        cmocka_unit_test(the_environment_has_a_say_where_the_program_has_none),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
