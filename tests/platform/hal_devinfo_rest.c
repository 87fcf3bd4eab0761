/* The functions around HAL_GetDevInfo, for a platform without files. */

#include <stdlib.h>

#include "own.h"
#include "qcloud_iot_export.h"

int HAL_SetDevInfo(void *info)
{
    (void)info;
    own_calls.devinfo++;
    return QCLOUD_ERR_DEV_INFO;
}

int HAL_SetDevInfoFile(const char *file_name)
{
    (void)file_name;
    own_calls.devinfo++;
    return QCLOUD_ERR_DEV_INFO;
}

int HAL_GetDevInfoFromFile(const char *file_name, void *info)
{
    (void)file_name;
    (void)info;
    own_calls.devinfo++;
    return QCLOUD_ERR_DEV_INFO;
}

#ifdef GATEWAY_ENABLED
int HAL_GetGwDevInfo(void *info)
{
    (void)info;
    own_calls.devinfo++;
    return QCLOUD_ERR_DEV_INFO;
}
#endif
