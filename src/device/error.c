/* error.c - sentences for people: what is missing, and what to do. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "device/device.h"

int dev_fail(char error[HF_ERROR_TEXT], int err, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(error, HF_ERROR_TEXT, format, args);
        va_end(args);
    }
    return err;
}

bool dev_is_gone(int err)
{
    return err < 0 && err != -ENETDOWN && err != -ENOMEM;
}
