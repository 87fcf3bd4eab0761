/* Every IOT_OTA_* function with a NULL handle and with handles that never were: the documented error, no crash. */

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

static void check_handle(void *handle)
{
    char     buffer[64];
    uint32_t number = 7;

    CHECK_INT(IOT_OTA_ReportVersion(handle, "1.0.0"), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportVersion(handle, NULL), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportUpgradeBegin(handle), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportUpgradeSuccess(handle, "1.0.0"), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportUpgradeSuccess(handle, NULL), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportUpgradeFail(handle, "1.0.0"), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ReportUpgradeFail(handle, NULL), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_IsFetching(handle), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_IsFetchFinish(handle), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_StartDownload(handle, 0, 100), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_ResetClientMD5(handle), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(handle, buffer, sizeof(buffer), 1), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_FetchYield(handle, NULL, sizeof(buffer), 1), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Ioctl(handle, IOT_OTAG_FILE_SIZE, &number, sizeof(number)), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(IOT_OTA_Ioctl(handle, IOT_OTAG_FILE_SIZE, NULL, 0), IOT_OTA_ERR_INVALID_PARAM);
    CHECK_INT(number, 7);
    CHECK_INT(IOT_OTA_GetLastError(handle), IOT_OTA_ERR_INVALID_PARAM);
    IOT_OTA_UpdateClientMd5(handle, buffer, sizeof(buffer));
    IOT_OTA_UpdateClientMd5(handle, NULL, 0);
    CHECK_INT(IOT_OTA_Destroy(handle), IOT_OTA_ERR_INVALID_PARAM);
}

int main(void)
{
    char nothing[512];
    char client[512];

    memset(nothing, 0, sizeof(nothing));
    memset(client, 0xA5, sizeof(client));
    IOT_Log_Set_Level(eLOG_DEBUG);

    check_handle(NULL);
    check_handle(nothing);
    check_handle((void *)1);

    CHECK(IOT_OTA_Init(NULL, "device", client) == NULL);
    CHECK(IOT_OTA_Init("PRODUCTID0", NULL, client) == NULL);
    CHECK(IOT_OTA_Init("PRODUCTID0", "device", NULL) == NULL);
    CHECK(IOT_OTA_Init("PRODUCTID0", "device", client) == NULL);
    return check_result();
}
