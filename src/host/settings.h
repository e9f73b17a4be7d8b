/* settings.h - the table of settings by name, which tools/settings makes from handfast.h. */
#ifndef HOST_SETTINGS_H
#define HOST_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "handfast/handfast.h"

enum setting_kind { SETTING_U32, SETTING_U16, SETTING_U8, SETTING_BOOL, SETTING_OPTION };

struct host_setting {
    const char *name, *what;
    const char *values; /* names of 0, 1, ... with commas between; "": none    */
    enum setting_kind kind;
    size_t where; /* offset in struct hf_policy, or the enum hf_option   */
};

/* The last one's name is NULL. */
extern const struct host_setting host_settings[];

#endif
