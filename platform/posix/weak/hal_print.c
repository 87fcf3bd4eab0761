#include <stdarg.h>
#include <stdio.h>

#include "hal_weak.h"

HAL_WEAK void HAL_Printf(const char *fmt, ...)
{
    va_list args;

    if (!fmt) {
        return;
    }
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    fflush(stdout);
}

/* vsnprintf takes a size_t: a negative length must not become a huge one. */
HAL_WEAK int HAL_Vsnprintf(char *str, const int len, const char *fmt, va_list ap)
{
    if (len < 0 || !fmt || (!str && len > 0)) {
        return -1;
    }
    return vsnprintf(str, (size_t)len, fmt, ap);
}

HAL_WEAK int HAL_Snprintf(char *str, const int len, const char *fmt, ...)
{
    va_list args;
    int     rc;

    if (len < 0 || !fmt || (!str && len > 0)) {
        return -1;
    }
    va_start(args, fmt);
    rc = vsnprintf(str, (size_t)len, fmt, args);
    va_end(args);
    return rc;
}
