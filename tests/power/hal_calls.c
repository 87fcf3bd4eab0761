/* Counts every call of a HAL function; the linker sends them here (--wrap NAME, for each name below). */

#include <stdarg.h>
#include <stdlib.h>

#include "power.h"
#include "qcloud_iot_export.h"

#define COUNTED(result, name, parameters, arguments) \
    result __real_##name parameters;                 \
    result __wrap_##name parameters;                 \
    result __wrap_##name parameters                  \
    {                                                \
        power_hal_call();                            \
        return __real_##name arguments;              \
    }

COUNTED(int, HAL_ThreadCreate, (ThreadParams * params), (params))
COUNTED(void *, HAL_MutexCreate, (void), ())
COUNTED(void, HAL_MutexDestroy, (void *mutex), (mutex))
COUNTED(void, HAL_MutexLock, (void *mutex), (mutex))
COUNTED(int, HAL_MutexTryLock, (void *mutex), (mutex))
COUNTED(void, HAL_MutexUnlock, (void *mutex), (mutex))
COUNTED(void *, HAL_Malloc, (uint32_t size), (size))
COUNTED(void, HAL_Free, (void *pointer), (pointer))
COUNTED(uint32_t, HAL_GetTimeMs, (void), ())
COUNTED(void, HAL_DelayMs, (uint32_t ms), (ms))
COUNTED(void, HAL_SleepMs, (uint32_t ms), (ms))
COUNTED(int, HAL_GetDevInfo, (void *info), (info))
COUNTED(bool, HAL_Timer_expired, (Timer * timer), (timer))
COUNTED(void, HAL_Timer_countdown_ms, (Timer * timer, unsigned int ms), (timer, ms))
COUNTED(void, HAL_Timer_countdown, (Timer * timer, unsigned int s), (timer, s))
COUNTED(int, HAL_Timer_remain, (Timer * timer), (timer))
COUNTED(void, HAL_Timer_init, (Timer * timer), (timer))
COUNTED(char *, HAL_Timer_current, (char *text), (text))
COUNTED(long, HAL_Timer_current_sec, (void), ())
COUNTED(uintptr_t, HAL_TCP_Connect, (const char *host, uint16_t port), (host, port))
COUNTED(int, HAL_TCP_Disconnect, (uintptr_t fd), (fd))
COUNTED(int, HAL_TCP_Write, (uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t ms, size_t *written),
        (fd, data, len, ms, written))
COUNTED(int, HAL_TCP_Read, (uintptr_t fd, unsigned char *data, uint32_t len, uint32_t ms, size_t *count),
        (fd, data, len, ms, count))
COUNTED(int, HAL_Vsnprintf, (char *text, const int len, const char *format, va_list arguments),
        (text, len, format, arguments))
#ifndef AUTH_WITH_NOTLS
COUNTED(uintptr_t, HAL_TLS_Connect, (TLSConnectParams * params, const char *host, int port), (params, host, port))
COUNTED(void, HAL_TLS_Disconnect, (uintptr_t handle), (handle))
COUNTED(int, HAL_TLS_Write, (uintptr_t handle, unsigned char *data, size_t len, uint32_t ms, size_t *written),
        (handle, data, len, ms, written))
COUNTED(int, HAL_TLS_Read, (uintptr_t handle, unsigned char *data, size_t len, uint32_t ms, size_t *count),
        (handle, data, len, ms, count))
#endif

/* The variadic ones have no other function to go on to. */

void __wrap_HAL_Printf(const char *format, ...);
void __wrap_HAL_Printf(const char *format, ...)
{
    va_list arguments;

    power_hal_call();
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

int __wrap_HAL_Snprintf(char *text, int len, const char *format, ...);
int __wrap_HAL_Snprintf(char *text, int len, const char *format, ...)
{
    va_list arguments;
    int     written;

    power_hal_call();
    va_start(arguments, format);
    written = vsnprintf(text, (size_t)len, format, arguments);
    va_end(arguments);
    return written;
}
