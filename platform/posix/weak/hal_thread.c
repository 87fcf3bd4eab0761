#include "hal_weak.h"

int iot_platform_thread_create(void *params);

HAL_WEAK int HAL_ThreadCreate(void *params)
{
    HAL_WHOLE(int, iot_platform_thread_create(params));
}
