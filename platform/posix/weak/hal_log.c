#include "hal_weak.h"

size_t iot_platform_log_save(const char *msg, size_t len);
size_t iot_platform_log_read(char *buff, size_t len);
int    iot_platform_log_del(void);
size_t iot_platform_log_get_size(void);

HAL_WEAK size_t HAL_Log_Save(const char *msg, size_t wLen)
{
    HAL_WHOLE(size_t, iot_platform_log_save(msg, wLen));
}

HAL_WEAK size_t HAL_Log_Read(char *buff, size_t rLen)
{
    HAL_WHOLE(size_t, iot_platform_log_read(buff, rLen));
}

HAL_WEAK int HAL_Log_Del(void)
{
    HAL_WHOLE(int, iot_platform_log_del());
}

HAL_WEAK size_t HAL_Log_Get_Size(void)
{
    HAL_WHOLE(size_t, iot_platform_log_get_size());
}
