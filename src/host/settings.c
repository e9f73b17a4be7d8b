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

static const struct host_setting *find(const char *text, size_t len)
{
    for (const struct host_setting *s = host_settings; s->name != NULL; s++) {
        if (equal(s->name, text, len)) {
            return s;
        }
    }
    return NULL;
}

/* The place of text in "a,b,c"; -1: it is not there. */
static int place_in(const char *names, const char *text, size_t len)
{
    for (int at = 0; *names != 0; at++) {
        size_t n = strcspn(names, ",");
        if (n == len && strncmp(names, text, len) == 0) {
            return at;
        }
        names += names[n] == ',' ? n + 1 : n;
    }
    return -1;
}

static int64_t most_of(enum setting_kind kind)
{
    switch (kind) {
    case SETTING_U32:
        return UINT32_MAX;
    case SETTING_U16:
        return UINT16_MAX;
    case SETTING_U8:
        return UINT8_MAX;
    case SETTING_BOOL:
        return 1;
    default:
        return INT64_MAX;
    }
}

static bool read_value(const struct host_setting *setting, const char *text, size_t len,
                       int64_t *value)
{
    static const char no[] = "0,off,no,false", yes[] = "1,on,yes,true";
    char number[24];
    char *end;
    int named = place_in(setting->values, text, len);
    if (named >= 0) {
        *value = named;
        return true;
    }
    bool either = setting->kind == SETTING_BOOL || setting->kind == SETTING_OPTION;
    if (either && (place_in(no, text, len) >= 0 || place_in(yes, text, len) >= 0)) {
        *value = place_in(yes, text, len) >= 0;
        return true;
    }
    if (len == 0 || len >= sizeof number) {
        return false;
    }
    memcpy(number, text, len);
    number[len] = 0;
    errno = 0;
    *value = strtoll(number, &end, 10);
    int64_t least = setting->kind == SETTING_OPTION ? INT64_MIN : 0;
    return *end == 0 && errno == 0 && *value >= least && *value <= most_of(setting->kind);
}

/* Takes the first assignment off *text; 0: there is none left. */
static int next_assignment(const char **text, struct assignment *found, char error[HF_ERROR_TEXT])
{
    const char *at = *text + strspn(*text, between);
    size_t len = strcspn(at, between);
    *text = at + len;
    if (len == 0) {
        return 0;
    }
    const char *equals = memchr(at, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - at);
    *found = (struct assignment){.setting = find(at, name_len), .text = at, .len = (int)len};
    if (equals == NULL) {
        return dev_fail(error, -EINVAL, "'%.*s': a setting is NAME=VALUE", (int)len, at);
    }
    if (found->setting == NULL) {
        return dev_fail(error, -EINVAL, "there is no setting '%.*s'", (int)name_len, at);
    }
    if (read_value(found->setting, equals + 1, len - name_len - 1, &found->value)) {
        return 1;
    }
    const char *values = found->setting->values;
    return dev_fail(error, -EINVAL, "'%.*s': %s is not a value of %s%s%s", (int)len, at,
                    len == name_len + 1 ? "nothing" : "this", found->setting->name,
                    *values ? ", which are " : "", values);
}

static void put(struct hf_policy *policy, const struct assignment *found)
{
    uint8_t *at = (uint8_t *)policy + found->setting->where;
    uint32_t u32 = (uint32_t)found->value;
    uint16_t u16 = (uint16_t)found->value;
    bool flag = found->value != 0;
    switch (found->setting->kind) {
    case SETTING_U32:
        memcpy(at, &u32, sizeof u32);
        break;
    case SETTING_U16:
        memcpy(at, &u16, sizeof u16);
        break;
    case SETTING_U8:
        *at = (uint8_t)found->value;
        break;
    case SETTING_BOOL:
        memcpy(at, &flag, sizeof flag);
        break;
    default:
        break;
    }
}

int hf_settings_policy(const char *text, struct hf_policy *policy, char error[HF_ERROR_TEXT])
{
    struct assignment found;
    int more;
    struct hf_config config;
    hf_config_default(&config, 2);
    while ((more = next_assignment(&text, &found, error)) > 0) {
        put(policy, &found);
        config.policy = *policy;
        if (found.setting->kind != SETTING_OPTION && hf_size(&config) == 0) {
            return dev_fail(error, -EINVAL, "'%.*s': out of range, or at odds with another setting",
                            found.len, found.text);
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
        if (error < 0) {
            return host_fail(host, -hf_errno(error), "%.*s: %s", found.len, found.text,
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
    const struct host_setting *setting = find(name, strlen(name));
    return setting == NULL ? NULL : setting->what;
}
