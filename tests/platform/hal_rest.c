/* What remains of the platform: threads and printing. */

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#include "clock.h"
#include "own.h"
#include "qcloud_iot_import.h"

static void *run_thread(void *argument)
{
    ThreadParams *params = argument;

    params->thread_func(params->user_arg);
    clock_thread_ends();
    return NULL;
}

/* Keeps a pointer to `params` while the thread starts, as the C SDK's does. */
int HAL_ThreadCreate(ThreadParams *params)
{
    pthread_t thread;
    int       rc;

    clock_thread_begins();
    rc = pthread_create(&thread, NULL, run_thread, params);
    if (rc == 0) {
        pthread_detach(thread);
    } else {
        clock_thread_ends();
    }
    return rc;
}

void HAL_Printf(const char *format, ...)
{
    va_list arguments;

    own_calls.print++;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

int HAL_Snprintf(char *text, int len, const char *format, ...)
{
    va_list arguments;
    int     written;

    va_start(arguments, format);
    written = vsnprintf(text, (size_t)len, format, arguments);
    va_end(arguments);
    return written;
}

int HAL_Vsnprintf(char *text, const int len, const char *format, va_list arguments)
{
    return vsnprintf(text, (size_t)len, format, arguments);
}
