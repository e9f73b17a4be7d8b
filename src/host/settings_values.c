/* settings_values.c - which values a setting may have, as it is written and as the stack takes it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/settings.h"

/* The number of a word in "off,on,defer" (its place) or "client=1,server=2"; -1: it is not there.
 */
static int64_t number_of(const char *words, const char *text, size_t len)
{
    for (int64_t at = 0; *words != 0; at++) {
        size_t n = strcspn(words, ",");
        size_t name_len = strcspn(words, ",=");
        if (name_len == len && strncmp(words, text, len) == 0) {
            return name_len < n ? strtoll(words + name_len + 1, NULL, 10) : at;
        }
        words += words[n] == ',' ? n + 1 : n;
    }
    return -1;
}

static bool are_bits(const struct host_setting *setting)
{
    return strchr(setting->values, '=') != NULL;
}

/* "client|server" or "client+server", which needs no quotes. */
static bool read_bits(const char *words, const char *text, size_t len, int64_t *value)
{
    *value = 0;
    for (size_t at = 0; at <= len;) {
        size_t n = 0;
        while (at + n < len && text[at + n] != '|' && text[at + n] != '+') {
            n++;
        }
        int64_t bit = number_of(words, text + at, n);
        if (bit < 0) {
            return false;
        }
        *value |= bit;
        at += n + 1;
    }
    return true;
}

static bool read_number(const char *text, size_t len, int64_t *value)
{
    char number[24];
    char *end;
    if (len == 0 || len >= sizeof number) {
        return false;
    }
    memcpy(number, text, len);
    number[len] = 0;
    errno = 0;
    *value = strtoll(number, &end, 10);
    return *end == 0 && errno == 0;
}

/* Policies --------------------------------------------------------------------------------------
 */

void host_setting_put(const struct host_setting *setting, struct hf_policy *policy, int64_t value)
{
    uint8_t *at = (uint8_t *)policy + setting->where;
    uint32_t u32 = (uint32_t)value;
    uint16_t u16 = (uint16_t)value;
    bool flag = value != 0;
    switch (setting->kind) {
    case SETTING_U32:
        memcpy(at, &u32, sizeof u32);
        break;
    case SETTING_U16:
        memcpy(at, &u16, sizeof u16);
        break;
    case SETTING_U8:
        *at = (uint8_t)value;
        break;
    case SETTING_BOOL:
        memcpy(at, &flag, sizeof flag);
        break;
    default:
        break;
    }
}

static int64_t value_in(const struct host_setting *setting, const struct hf_policy *policy)
{
    const uint8_t *at = (const uint8_t *)policy + setting->where;
    uint32_t u32;
    uint16_t u16;
    switch (setting->kind) {
    case SETTING_U32:
        memcpy(&u32, at, sizeof u32);
        return u32;
    case SETTING_U16:
        memcpy(&u16, at, sizeof u16);
        return u16;
    default:
        return *at;
    }
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
    default:
        return 1;
    }
}

static bool can_be(const struct host_setting *setting, const struct hf_policy *policy,
                   int64_t value)
{
    struct hf_config config;
    hf_config_default(&config, 2);
    config.policy = *policy;
    host_setting_put(setting, &config.policy, value);
    return hf_size(&config) != 0;
}

/* What the core takes beside the other settings is one range around the value that it has. */
static int64_t end_of_range(const struct host_setting *setting, const struct hf_policy *policy,
                            int64_t end)
{
    int64_t good = value_in(setting, policy);
    while (good != end && !can_be(setting, policy, end)) {
        int64_t middle = good + (end - good) / 2; /* nearer to what is good */
        if (middle == good) {
            break;
        }
        if (can_be(setting, policy, middle)) {
            good = middle;
        } else {
            end = middle;
        }
    }
    return can_be(setting, policy, end) ? end : good;
}

/* Options ---------------------------------------------------------------------------------------
 */

/* What a listener's begin with.  0: the others. */
static int64_t begins(enum hf_option option, const struct hf_policy *policy)
{
    switch (option) {
    case HF_RECEIVE_WINDOW:
        return policy->receive_window;
    case HF_SEND_BUFFER:
        return policy->send_buffer;
    case HF_TTL:
        return policy->ttl;
    case HF_ECN:
        return policy->ecn;
    case HF_ACCECN:
        return policy->accecn;
    case HF_CONGESTION_CONTROL:
        return policy->congestion;
    case HF_SEND_LOW_WATER:
    case HF_ERROR_REPORTS:
        return 1;
    case HF_KEEPALIVE_IDLE:
        return 7200000;
    case HF_KEEPALIVE_INTERVAL:
        return 75000;
    case HF_KEEPALIVE_COUNT:
        return 9;
    case HF_LINGER:
        return -1;
    default:
        return 0;
    }
}

static struct setting_range range_of_option(enum hf_option option, const struct hf_policy *policy)
{
    switch (option) {
    case HF_RECEIVE_WINDOW:
        return (struct setting_range){1, policy->max_receive_window, 1, false};
    case HF_SEND_BUFFER:
    case HF_SEND_LOW_WATER:
        return (struct setting_range){1, 1 << 30, 1, false};
    case HF_USER_TIMEOUT:
    case HF_ADVERTISED_TIMEOUT:
        return (struct setting_range){0, INT32_MAX, 1, false};
    case HF_KEEPALIVE_IDLE:
    case HF_KEEPALIVE_INTERVAL:
        return (struct setting_range){1, INT32_MAX, 1, false};
    case HF_KEEPALIVE_COUNT:
        return (struct setting_range){1, 127, 1, false};
    case HF_LINGER:
        return (struct setting_range){-1, INT32_MAX, 1, false};
    case HF_MAX_SEGMENT:
        return (struct setting_range){policy->min_mss, UINT16_MAX, 1, true};
    case HF_TTL:
        return (struct setting_range){1, UINT8_MAX, 1, false};
    case HF_TOS: /* the lower two bits are ECN's */
        return (struct setting_range){0, 252, 4, false};
    case HF_FAST_OPEN:
        return (struct setting_range){0, UINT16_MAX, 1, false};
    case HF_ECN:
        return (struct setting_range){0, HF_ECN_ASK, 1, false};
    case HF_CONGESTION_CONTROL:
        return (struct setting_range){0, HF_CONGESTIONS - 1, 1, false};
    case HF_MAX_PACING_RATE:
        return (struct setting_range){0, UINT32_MAX, 1, false};
    case HF_SYN_RETRIES:
        return (struct setting_range){0, 254, 1, false};
    default:
        return (struct setting_range){0, 1, 1, false};
    }
}

/* Both ------------------------------------------------------------------------------------------
 */

struct setting_range host_setting_range(const struct host_setting *setting,
                                        const struct hf_policy *policy)
{
    if (setting->kind == SETTING_OPTION) {
        return range_of_option((enum hf_option)setting->where, policy);
    }
    return (struct setting_range){end_of_range(setting, policy, 0),
                                  end_of_range(setting, policy, most_of(setting->kind)), 1, false};
}

bool host_setting_in(const struct setting_range *range, int64_t value)
{
    return (range->or_zero && value == 0) ||
           (range->least <= value && value <= range->most && value % range->step == 0);
}

bool host_setting_read(const struct host_setting *setting, const char *text, size_t len,
                       int64_t *value)
{
    static const char no[] = "0,off,no,false", yes[] = "1,on,yes,true";
    bool option = setting->kind == SETTING_OPTION;
    struct hf_config config;
    hf_config_default(&config, 2);
    struct setting_range range = {0, most_of(setting->kind), 1, false};
    if (option) {
        range = range_of_option((enum hf_option)setting->where, &config.policy);
    }
    *value = number_of(setting->values, text, len);
    if (*value >= 0 || (are_bits(setting) && read_bits(setting->values, text, len, value))) {
        return true;
    }
    if (range.least == 0 && number_of(no, text, len) >= 0) { /* of linger, off is not 0 */
        *value = 0;
        return true;
    }
    if (range.most == 1 && number_of(yes, text, len) >= 0) {
        *value = 1;
        return true;
    }
    return read_number(text, len, value) && (option || (*value >= 0 && *value <= range.most));
}

static void add(char text[HF_SETTING_TEXT], const char *between, const char *word, size_t len)
{
    size_t at = strlen(text);
    (void)snprintf(text + at, HF_SETTING_TEXT - at, "%s%.*s", at == 0 ? "" : between, (int)len,
                   word);
}

/* "off, full or always", "off, or of client, server joined by +". */
static void list_words(const struct host_setting *setting, char text[HF_SETTING_TEXT])
{
    const char *words = setting->values;
    bool bits = are_bits(setting);
    while (*words != 0) {
        size_t n = strcspn(words, ",");
        bool last = words[n] == 0;
        add(text, last && !bits ? " or " : ", ", words, strcspn(words, ",="));
        words += last ? n : n + 1;
    }
    if (bits) {
        add(text, " ", "(joined by +) or off", HF_SETTING_TEXT);
    }
}

void host_setting_allowed(const struct host_setting *setting, const struct hf_policy *policy,
                          char text[HF_SETTING_TEXT])
{
    struct setting_range range = host_setting_range(setting, policy);
    text[0] = 0;
    if (*setting->values != 0) {
        list_words(setting, text);
        if (setting->kind == SETTING_OPTION && setting->where == HF_FAST_OPEN) {
            add(text, "; ", "of a listener 0 to 65535", HF_SETTING_TEXT);
        }
    } else if (range.least == 0 && range.most == 1) {
        add(text, "", "off or on", HF_SETTING_TEXT);
    } else {
        (void)snprintf(text, HF_SETTING_TEXT, "%s%lld to %lld%s", range.or_zero ? "0, or " : "",
                       (long long)range.least, (long long)range.most,
                       range.step == 4 ? " by fours" : "");
    }
}

/* The words whose bits the number has, or the word in its place. */
static void words_of(const struct host_setting *setting, int64_t number, char text[HF_SETTING_TEXT])
{
    const char *words = setting->values;
    for (int64_t at = 0; *words != 0; at++) {
        size_t n = strcspn(words, ","), len = strcspn(words, ",=");
        int64_t bit = len < n ? strtoll(words + len + 1, NULL, 10) : 0;
        if (bit != 0 ? (number & bit) != 0 : at == number) {
            add(text, "+", words, len);
        }
        words += words[n] == ',' ? n + 1 : n;
    }
    if (text[0] == 0 && number == 0) {
        add(text, "", "off", HF_SETTING_TEXT);
    }
}

int hf_setting_values(const char *name, const struct hf_policy *policy,
                      char allowed[HF_SETTING_TEXT], char usual[HF_SETTING_TEXT])
{
    const struct host_setting *setting = host_setting_find(name, strlen(name));
    if (setting == NULL) {
        return -EINVAL;
    }
    bool option = setting->kind == SETTING_OPTION;
    int64_t value =
        option ? begins((enum hf_option)setting->where, policy) : value_in(setting, policy);
    struct setting_range range = host_setting_range(setting, policy);
    host_setting_allowed(setting, policy, allowed);
    usual[0] = 0;
    if (*setting->values != 0) {
        words_of(setting, value, usual);
    } else if (range.least == 0 && range.most == 1) {
        add(usual, "", value != 0 ? "on" : "off", HF_SETTING_TEXT);
    } else {
        (void)snprintf(usual, HF_SETTING_TEXT, "%lld", (long long)value);
    }
    return 0;
}
