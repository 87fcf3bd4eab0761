#include "hal_weak.h"

void *iot_platform_semaphore_create(void);
void  iot_platform_semaphore_destroy(void *sem);
void  iot_platform_semaphore_post(void *sem);
int   iot_platform_semaphore_wait(void *sem, uint32_t timeout_ms);

HAL_WEAK void *HAL_SemaphoreCreate(void)
{
    return iot_platform_semaphore_create();
}

HAL_WEAK void HAL_SemaphoreDestroy(void *sem)
{
    iot_platform_semaphore_destroy(sem);
}

HAL_WEAK void HAL_SemaphorePost(void *sem)
{
    iot_platform_semaphore_post(sem);
}

HAL_WEAK int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    return iot_platform_semaphore_wait(sem, timeout_ms);
}
