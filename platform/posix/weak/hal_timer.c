#include "hal_weak.h"

bool  iot_platform_timer_expired(void *timer);
void  iot_platform_timer_countdown_ms(void *timer, unsigned int timeout_ms);
void  iot_platform_timer_countdown(void *timer, unsigned int timeout);
int   iot_platform_timer_remain(void *timer);
void  iot_platform_timer_init(void *timer);
char *iot_platform_timer_current(char *time_str);
long  iot_platform_timer_current_sec(void);
int   iot_platform_timer_set_systime_sec(size_t timestamp_sec);
int   iot_platform_timer_set_systime_ms(size_t timestamp_ms);

HAL_WEAK bool HAL_Timer_expired(void *timer)
{
    return iot_platform_timer_expired(timer);
}

HAL_WEAK void HAL_Timer_countdown_ms(void *timer, unsigned int timeout_ms)
{
    iot_platform_timer_countdown_ms(timer, timeout_ms);
}

HAL_WEAK void HAL_Timer_countdown(void *timer, unsigned int timeout)
{
    iot_platform_timer_countdown(timer, timeout);
}

HAL_WEAK int HAL_Timer_remain(void *timer)
{
    return iot_platform_timer_remain(timer);
}

HAL_WEAK void HAL_Timer_init(void *timer)
{
    iot_platform_timer_init(timer);
}

HAL_WEAK char *HAL_Timer_current(char *time_str)
{
    HAL_WHOLE(char *, iot_platform_timer_current(time_str));
}

HAL_WEAK long HAL_Timer_current_sec(void)
{
    return iot_platform_timer_current_sec();
}

HAL_WEAK int HAL_Timer_set_systime_sec(size_t timestamp_sec)
{
    HAL_WHOLE(int, iot_platform_timer_set_systime_sec(timestamp_sec));
}

HAL_WEAK int HAL_Timer_set_systime_ms(size_t timestamp_ms)
{
    HAL_WHOLE(int, iot_platform_timer_set_systime_ms(timestamp_ms));
}
