#include "hal_weak.h"

void *HAL_Malloc(uint32_t size);

int iot_platform_set_dev_info(void *dev_info);
int iot_platform_get_dev_info(void *dev_info);
int iot_platform_get_dev_info_from_file(const char *file_name, void *dev_info);
int iot_platform_get_gw_dev_info(void *gw_dev_info, void *(*allocate)(uint32_t));
int iot_platform_set_dev_info_file(const char *file_name);

HAL_WEAK int HAL_SetDevInfo(void *pdevInfo)
{
    HAL_WHOLE(int, iot_platform_set_dev_info(pdevInfo));
}

HAL_WEAK int HAL_GetDevInfo(void *pdevInfo)
{
    HAL_WHOLE(int, iot_platform_get_dev_info(pdevInfo));
}

HAL_WEAK int HAL_GetDevInfoFromFile(const char *file_name, void *dev_info)
{
    HAL_WHOLE(int, iot_platform_get_dev_info_from_file(file_name, dev_info));
}

HAL_WEAK int HAL_GetGwDevInfo(void *pgwDeviceInfo)
{
    HAL_WHOLE(int, iot_platform_get_gw_dev_info(pgwDeviceInfo, HAL_Malloc));
}

HAL_WEAK int HAL_SetDevInfoFile(const char *file_name)
{
    HAL_WHOLE(int, iot_platform_set_dev_info_file(file_name));
}
