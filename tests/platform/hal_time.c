/* The time functions, over clock.h. HAL_GetTimeMs starts shortly before it wraps. */

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "own.h"
#include "qcloud_iot_import.h"

#define START_MS (UINT32_MAX - 10u)

/* From the first call on. */
static uint64_t now_ms(void)
{
    static uint64_t begin_us = 0;

    if (own_calls.time++ == 0) {
        begin_us = clock_us();
    }
    return (clock_us() - begin_us) / 1000;
}

uint32_t HAL_GetTimeMs(void)
{
    return (uint32_t)(START_MS + now_ms());
}

void HAL_SleepMs(uint32_t ms)
{
    now_ms();
    clock_wait_until(clock_us() + (uint64_t)ms * 1000);
}

void HAL_DelayMs(uint32_t ms)
{
    HAL_SleepMs(ms);
}

static uint64_t end_ms(const Timer *timer)
{
    return (uint64_t)timer->end_time.tv_sec * 1000 + (uint64_t)timer->end_time.tv_usec / 1000;
}

bool HAL_Timer_expired(Timer *timer)
{
    return end_ms(timer) <= now_ms();
}

void HAL_Timer_countdown_ms(Timer *timer, unsigned int timeout_ms)
{
    uint64_t end = now_ms() + timeout_ms;

    timer->end_time.tv_sec  = (time_t)(end / 1000);
    timer->end_time.tv_usec = (suseconds_t)(end % 1000) * 1000;
}

void HAL_Timer_countdown(Timer *timer, unsigned int timeout)
{
    HAL_Timer_countdown_ms(timer, timeout * 1000);
}

int HAL_Timer_remain(Timer *timer)
{
    uint64_t now = now_ms();
    uint64_t end = end_ms(timer);

    return end > now ? (int)(end - now) : 0;
}

void HAL_Timer_init(Timer *timer)
{
    now_ms();
    memset(timer, 0, sizeof(*timer));
}

char *HAL_Timer_current(char *text)
{
    now_ms();
    strcpy(text, "1999-12-31 23:59:59");
    return text;
}

long HAL_Timer_current_sec(void)
{
    now_ms();
    return 946684799;
}

int HAL_Timer_set_systime_sec(size_t seconds)
{
    (void)seconds;
    now_ms();
    return -1;
}

int HAL_Timer_set_systime_ms(size_t ms)
{
    (void)ms;
    now_ms();
    return -1;
}
