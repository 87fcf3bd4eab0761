#include "hal_weak.h"

void *iot_platform_mutex_create(void);
void  iot_platform_mutex_destroy(void *mutex);
void  iot_platform_mutex_lock(void *mutex);
int   iot_platform_mutex_try_lock(void *mutex);
void  iot_platform_mutex_unlock(void *mutex);

HAL_WEAK void *HAL_MutexCreate(void)
{
    return iot_platform_mutex_create();
}

HAL_WEAK void HAL_MutexDestroy(void *mutex)
{
    iot_platform_mutex_destroy(mutex);
}

HAL_WEAK void HAL_MutexLock(void *mutex)
{
    iot_platform_mutex_lock(mutex);
}

HAL_WEAK int HAL_MutexTryLock(void *mutex)
{
    return iot_platform_mutex_try_lock(mutex);
}

HAL_WEAK void HAL_MutexUnlock(void *mutex)
{
    iot_platform_mutex_unlock(mutex);
}
