#include "hal_weak.h"

uint32_t iot_platform_get_time_ms(void);
void     iot_platform_sleep_ms(uint32_t ms);

HAL_WEAK uint32_t HAL_GetTimeMs(void)
{
    return iot_platform_get_time_ms();
}

HAL_WEAK void HAL_SleepMs(uint32_t ms)
{
    iot_platform_sleep_ms(ms);
}

HAL_WEAK void HAL_DelayMs(uint32_t ms)
{
    iot_platform_sleep_ms(ms);
}
