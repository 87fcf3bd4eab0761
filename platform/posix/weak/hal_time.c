#include "hal_weak.h"

uint32_t iot_platform_get_time_ms(void);
void     iot_platform_sleep_ms(uint32_t ms);

static uint32_t own_get_time_ms(void)
{
    return iot_platform_get_time_ms();
}

HAL_WEAK uint32_t HAL_GetTimeMs(void) HAL_IS(own_get_time_ms);

int  iot_platform_waker_create(void);
void iot_platform_waker_wake(int waker);
void iot_platform_waker_destroy(int waker);
void iot_platform_wait(int descriptor, int is_writing, int waker, uint32_t timeout_ms);

const struct iot_platform_wait_table iot_platform_wait_table = {
    own_get_time_ms, iot_platform_waker_create, iot_platform_waker_wake, iot_platform_waker_destroy, iot_platform_wait,
};

HAL_WEAK void HAL_SleepMs(uint32_t ms)
{
    iot_platform_sleep_ms(ms);
}

HAL_WEAK void HAL_DelayMs(uint32_t ms)
{
    iot_platform_sleep_ms(ms);
}
