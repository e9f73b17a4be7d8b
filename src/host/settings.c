/* settings.c - policies and options by name, as a person writes them: "timestamps=off, nodelay=1".
 */
#include "host/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "host/host.h"

static const char between[] = " \t\n,";

/* One NAME=VALUE of a longer text. */
struct assignment {
    const struct host_setting *setting;
    int64_t value;
    const char *text;
    int len;
};

static bool equal(const char *name, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i] == '-' ? '_' : text[i];
        if (name[i] != c) {
            return false;
        }
    }
    return name[len] == 0;
}

const struct host_setting *host_setting_find(const char *text, size_t len)
{
    for (const struct host_setting *s = host_settings; s->name != NULL; s++) {
        if (equal(s->name, text, len)) {
            return s;
        }
    }
    return NULL;
}

/* Takes the first assignment off *text; 0: there is none left. */
static int next_assignment(const char **text, struct assignment *found, char error[HF_ERROR_TEXT])
{
    const char *begin = *text;
    const char *at = begin + strspn(begin, between);
    size_t len = strcspn(at, between);
    *text = at + len;
    if (len == 0) {
        return 0;
    }
    const char *equals = memchr(at, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - at);
    *found = (struct assignment){
        .setting = host_setting_find(at, name_len), .text = at, .len = (int)len};
    bool behind_comma = equals == NULL && at > begin && at[-1] == ',';
    if (behind_comma && strspn(at, "0123456789") == len) {
        return dev_fail(error, -EINVAL, "',%.*s': numbers are written without separators", (int)len,
                        at);
    }
    if (equals == NULL) {
        return dev_fail(error, -EINVAL, "'%.*s': a setting is NAME=VALUE", (int)len, at);
    }
    if (found->setting == NULL) {
        return dev_fail(error, -EINVAL, "there is no setting '%.*s'", (int)name_len, at);
    }
    if (host_setting_read(found->setting, equals + 1, len - name_len - 1, &found->value)) {
        return 1;
    }
    struct hf_config config;
    char allowed[HF_SETTING_TEXT];
    hf_config_default(&config, 2);
    host_setting_allowed(found->setting, &config.policy, allowed);
    return dev_fail(error, -EINVAL, "'%.*s': it may be %s", (int)len, at, allowed);
}

/* A policy that the core does not take beside the others: names what it would take. */
static int refuse(const struct assignment *found, const struct hf_policy *policy,
                  char error[HF_ERROR_TEXT])
{
    char allowed[HF_SETTING_TEXT];
    host_setting_allowed(found->setting, policy, allowed);
    return dev_fail(error, -EINVAL, "'%.*s': it may be %s, as the other settings are", found->len,
                    found->text, allowed);
}

static int put_policies(const char *text, struct hf_policy *policy, char error[HF_ERROR_TEXT])
{
    struct assignment found;
    struct hf_config config;
    int more;
    hf_config_default(&config, 2);
    while ((more = next_assignment(&text, &found, error)) > 0) {
        config.policy = *policy;
        host_setting_put(found.setting, &config.policy, found.value);
        if (found.setting->kind != SETTING_OPTION && hf_size(&config) == 0) {
            return refuse(&found, policy, error);
        }
        *policy = config.policy;
    }
    return more;
}

/* Some options have limits that are policies, which may stand behind them. */
int hf_settings_policy(const char *text, struct hf_policy *policy, char error[HF_ERROR_TEXT])
{
    struct assignment found;
    int more = put_policies(text, policy, error);
    while (more == 0 && next_assignment(&text, &found, error) > 0) {
        if (found.setting->kind == SETTING_OPTION) {
            struct setting_range range = host_setting_range(found.setting, policy);
            more = host_setting_in(&range, found.value) ? 0 : refuse(&found, policy, error);
        }
    }
    return more;
}

int host_apply_settings(struct hf_host *host, hf_handle handle)
{
    const char *text = host->settings;
    struct assignment found;
    while (text != NULL && next_assignment(&text, &found, NULL) > 0) {
        if (found.setting->kind != SETTING_OPTION) {
            continue;
        }
        int error = hf_set_option(host->stack, &host->env, handle,
                                  (enum hf_option)found.setting->where, found.value);
        bool of_opens = found.setting->where == HF_SYN_RETRIES && error == HF_ERR_UNSUPPORTED;
        if (error < 0 && !of_opens) { /* a listener sends no SYN: that one is of the others */
            return host_fail(host, -hf_errno(error), "setting %.*s: %s", found.len, found.text,
                             hf_error_text(error));
        }
    }
    return 0;
}

int hf_host_settings(struct hf_host *host, hf_handle handle)
{
    host_now(host);
    return host_apply_settings(host, handle);
}

const char *hf_setting_name(uint32_t number)
{
    uint32_t n = 0;
    while (n < number && host_settings[n].name != NULL) {
        n++;
    }
    return host_settings[n].name;
}

const char *hf_setting_text(const char *name)
{
    const struct host_setting *setting = host_setting_find(name, strlen(name));
    return setting == NULL ? NULL : setting->what;
}
