/* settings.h - the table of settings by name, which tools/settings makes from handfast.h. */
#ifndef HOST_SETTINGS_H
#define HOST_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "handfast/host.h"

enum setting_kind { SETTING_U32, SETTING_U16, SETTING_U8, SETTING_BOOL, SETTING_OPTION };

struct host_setting {
    const char *name, *what;
    const char *values; /* names of 0, 1, ..., or NAME=BIT, with commas between; "": none */
    enum setting_kind kind;
    size_t where; /* offset in struct hf_policy, or the enum hf_option   */
};

/* The last one's name is NULL. */
extern const struct host_setting host_settings[];

/* settings.c: by name, dashes as good as underscores; NULL: there is none. */
const struct host_setting *host_setting_find(const char *name, size_t len);

/* settings_values.c */
struct setting_range {
    int64_t least, most, step;
    bool or_zero; /* besides */
};
/* Beside the other settings of the policy, which must be possible without this one. */
struct setting_range host_setting_range(const struct host_setting *setting,
                                        const struct hf_policy *policy);
bool host_setting_in(const struct setting_range *range, int64_t value);
/* The same in words. */
void host_setting_allowed(const struct host_setting *setting, const struct hf_policy *policy,
                          char text[HF_SETTING_TEXT]);
/* false: neither a number of the setting's kind nor one of its words. */
bool host_setting_read(const struct host_setting *setting, const char *text, size_t len,
                       int64_t *value);
/* Of a policy; nothing for an option. */
void host_setting_put(const struct host_setting *setting, struct hf_policy *policy, int64_t value);

#endif
