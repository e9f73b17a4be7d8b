/* handfast/host.h: policies and options by name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* Options, too, which the core sees only once there is a connection. */
static void what_is_refused_is_told_with_what_may_be(void **state)
{
    (void)state;
    refuses("keepalive_count=500", "1 to 127");
    refuses("tos=256", "0 to 252");
    refuses("tos=1", "by fours"); /* ECN's bits are not an application's */
    refuses("receive_window_option=-5", "1 to 15728640");
    refuses("max_segment=65536", "0, or 216 to 65535");
    refuses("linger=off", "-1 to"); /* -1 is off, and 0 is not */
    refuses("mtu_probing=HF_MTU_PROBING_OFF", "off, black_hole or always");
    refuses("fast_open=CLIENT", "client, server, ");
    refuses("ack_delay_ms=501", "1 to 500");
    refuses("ttl=on", "1 to 255");
    refuses("backlog_share=accept", "0 to 100");
    refuses("rto_min_ms=5,000", "without separators");
}

static void bits_are_joined_by_name(void **state)
{
    (void)state;
    struct hf_policy policy = usual();
    assert_int_equal(hf_settings_policy("fast_open=client", &policy, NULL), 0);
    assert_int_equal(policy.fast_open, HF_FAST_OPEN_CLIENT);
    assert_int_equal(hf_settings_policy("fast_open=server|kind_254", &policy, NULL), 0);
    assert_int_equal(policy.fast_open, HF_FAST_OPEN_SERVER | HF_FAST_OPEN_KIND_254);
    assert_int_equal(hf_settings_policy("fast_open=client+server_no_cookie", &policy, NULL), 0);
    assert_int_equal(policy.fast_open, HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER_NO_COOKIE);
    assert_int_equal(hf_settings_policy("fast_open=off", &policy, NULL), 0);
    assert_int_equal(policy.fast_open, 0);
    assert_int_equal(hf_settings_policy("fast_open=3", &policy, NULL), 0);
    assert_int_equal(policy.fast_open, 3);
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

/* One that opens, with the host's settings. */
static hf_handle opening(struct hf_host *host)
{
    const struct hf_endpoint remote = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .port = 80};
    hf_handle handle;
    assert_int_equal(hf_open(hf_host_stack(host), hf_host_env(host), NULL, &remote, 0, &handle), 0);
    assert_int_equal(hf_host_settings(host, handle), 0);
    return handle;
}

static void assert_option(struct hf_host *host, hf_handle handle, enum hf_option option,
                          int64_t expected)
{
    int64_t value;
    assert_int_equal(hf_option(hf_host_stack(host), handle, option, &value), 0);
    assert_int_equal(value, expected);
}

static void a_host_begins_with_its_settings_and_gives_its_handles_theirs(void **state)
{
    (void)state;
    struct hf_host *host = host_with("timestamps=off tos=32 nodelay=on");
    hf_handle listener;
    assert_false(hf_policy(hf_host_stack(host))->timestamps);
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &listener), 0);
    assert_option(host, listener, HF_TOS, 32);
    assert_option(host, opening(host), HF_NODELAY, 1);
    hf_host_free(host);
}

static void an_option_of_opens_alone_passes_listeners_by(void **state)
{
    (void)state;
    struct hf_host *host = host_with("syn_retries_option=2 error_reports=0");
    hf_handle listener;
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &listener), 0);
    assert_option(host, listener, HF_ERROR_REPORTS, 0);
    assert_option(host, opening(host), HF_SYN_RETRIES, 2);
    hf_host_free(host);
}

static void an_option_that_is_refused_fails_the_call_that_opens(void **state)
{
    (void)state;
    struct hf_host *host = host_with("send_low_water=1000000000"); /* above the buffer */
    hf_handle handle;
    assert_int_equal(hf_host_listen(host, NULL, "80", 1, &handle), -EINVAL);
    assert_int_equal(handle, 0);
    assert_non_null(strstr(hf_host_error(host), "send_low_water=1000000000"));
    assert_int_equal(hf_host_connect(host, "10.0.0.1", "80", 1000, &handle), -EINVAL);
    assert_int_equal(handle, 0);
    hf_host_free(host);
}

static bool takes(const char *name, long long number)
{
    char text[96];
    struct hf_policy policy = usual();
    (void)snprintf(text, sizeof text, "%s=%lld", name, number);
    return hf_settings_policy(text, &policy, NULL) == 0;
}

/* Each word, and of numbers the first and the last, but none beyond them. */
static void takes_what_may_be(const char *name, const char *allowed)
{
    char text[HF_SETTING_TEXT + 64];
    long long least, most;
    const char *numbers = strncmp(allowed, "0, or ", 6) == 0 ? allowed + 6 : allowed;
    if (sscanf(numbers, "%lld to %lld", &least, &most) == 2) {
        assert_true(takes(name, least) && takes(name, most));
        assert_false(takes(name, most + 1));
        assert_false(takes(name, least - 1));
        return;
    }
    while (*allowed != 0 && *allowed != ';') {
        size_t n = strcspn(allowed, ", ;");
        struct hf_policy policy = usual();
        (void)snprintf(text, sizeof text, "%s=%.*s", name, (int)n, allowed);
        bool between = (n == 2 && strncmp(allowed, "or", n) == 0) || *allowed == '(' ||
                       strncmp(allowed, "by ", 3) == 0 || strncmp(allowed, "+)", 2) == 0;
        if (n != 0 && !between && hf_settings_policy(text, &policy, NULL) < 0) {
            fail_msg("%s is refused", text);
        }
        allowed += n + (allowed[n] != 0 && allowed[n] != ';');
    }
}

static void what_a_setting_may_be_is_taken_and_what_it_is_without_changes_nothing(void **state)
{
    (void)state;
    const char *name;
    char allowed[HF_SETTING_TEXT], without[HF_SETTING_TEXT], text[HF_SETTING_TEXT + 64];
    struct hf_policy before = usual(), policy = usual();
    for (uint32_t n = 0; (name = hf_setting_name(n)) != NULL; n++) {
        assert_int_equal(hf_setting_values(name, &before, allowed, without), 0);
        takes_what_may_be(name, allowed);
        (void)snprintf(text, sizeof text, "%s=%s", name, without);
        assert_int_equal(hf_settings_policy(text, &policy, NULL), 0);
        assert_memory_equal(&policy, &before, sizeof policy);
    }
    assert_int_equal(hf_setting_values("no_such", &before, allowed, without), -EINVAL);
    before.syn_soft_abort = true;
    assert_int_equal(hf_setting_values("syn-soft-abort", &before, allowed, without), 0);
    assert_string_equal(without, "on");
}

/* What is said of options is what the core does with them. */
static void an_option_begins_and_ends_where_its_setting_says(void **state)
{
    (void)state;
    struct hf_policy policy = usual();
    char allowed[HF_SETTING_TEXT], without[HF_SETTING_TEXT];
    uint32_t first = 0;
    while (strcmp(hf_setting_name(first), "nodelay") != 0) {
        first++;
    }
    for (uint32_t option = 0; option < HF_OPTIONS; option++) {
        struct hf_host *host = host_with("");
        struct hf_stack *stack = hf_host_stack(host);
        hf_handle listener;
        int64_t value = 0;
        long long least, most;
        assert_int_equal(hf_host_listen(host, NULL, "80", 1, &listener), 0);
        assert_int_equal(
            hf_setting_values(hf_setting_name(first + option), &policy, allowed, without), 0);
        int known = hf_option(stack, listener, (enum hf_option)option, &value);
        if (known == HF_OK && without[0] < 'a') {
            assert_int_equal(value, strtoll(without, NULL, 10));
        }
        const char *numbers = strncmp(allowed, "0, or ", 6) == 0 ? allowed + 6 : allowed;
        if (known == HF_OK && option != HF_SEND_LOW_WATER &&
            sscanf(numbers, "%lld to %lld", &least, &most) == 2) {
            const struct hf_env *env = hf_host_env(host);
            enum hf_option set = (enum hf_option)option;
            assert_int_equal(hf_set_option(stack, env, listener, set, least), HF_OK);
            assert_int_equal(hf_set_option(stack, env, listener, set, most), HF_OK);
            assert_int_equal(hf_set_option(stack, env, listener, set, most + 1), HF_ERR_INVALID);
            assert_int_equal(hf_set_option(stack, env, listener, set, least - 1), HF_ERR_INVALID);
        }
        hf_host_free(host);
    }
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
        cmocka_unit_test(what_is_refused_is_told_with_what_may_be),
        cmocka_unit_test(bits_are_joined_by_name),
        cmocka_unit_test(every_setting_is_listed),
        cmocka_unit_test(what_a_setting_may_be_is_taken_and_what_it_is_without_changes_nothing),
        cmocka_unit_test(an_option_begins_and_ends_where_its_setting_says),
        cmocka_unit_test(a_host_begins_with_its_settings_and_gives_its_handles_theirs),
        cmocka_unit_test(an_option_of_opens_alone_passes_listeners_by),
        cmocka_unit_test(an_option_that_is_refused_fails_the_call_that_opens),
        cmocka_unit_test(the_environment_has_a_say_where_the_program_has_none),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
