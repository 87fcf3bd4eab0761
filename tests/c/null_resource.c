/* Every IOT_Resource_* function with a NULL handle and with handles that never were: the documented error, no crash. */

#include "check.h"
#include "qcloud_iot_export.h"

/* The library has it, and no header. */
int IOT_Resource_UploadRecvResult(void *handle, char *buf, uint32_t buf_len);

#define INVALID QCLOUD_RESOURCE_ERRCODE_INVALID_PARAM_E

static void check_handle(void *handle)
{
    char     buffer[64] = {0};
    char     name[]     = "file";
    uint32_t number     = 7;

    CHECK_INT(IOT_Resource_GetDownloadTask(handle), INVALID);
    CHECK_INT(IOT_Resource_IsStartDownload(handle), 0);
    CHECK_INT(IOT_Resource_StartDownload(handle, 0, 100), INVALID);
    CHECK_INT(IOT_Resource_DownloadYield(handle, buffer, sizeof(buffer), 1), INVALID);
    CHECK_INT(IOT_Resource_DownloadYield(handle, NULL, sizeof(buffer), 1), INVALID);
    CHECK_INT(IOT_Resource_IsDownloadFinish(handle), INVALID);
    CHECK_INT(IOT_Resource_DownloadResetClientMD5(handle), INVALID);
    CHECK_INT(IOT_Resource_DownloadIoctl(handle, QCLOUD_IOT_RESOURCE_SIZE_E, &number, sizeof(number)), INVALID);
    CHECK_INT(IOT_Resource_DownloadIoctl(handle, QCLOUD_IOT_RESOURCE_SIZE_E, NULL, 0), INVALID);
    CHECK_INT(IOT_Resource_ReportDownloadSuccess(handle, name), INVALID);
    CHECK_INT(IOT_Resource_ReportDownloadSuccess(handle, NULL), INVALID);
    CHECK_INT(IOT_Resource_ReportDownloadFail(handle, name), INVALID);
    /* The header's name, and the one that the C SDK's library has. */
    CHECK_INT(QCLOUD_IOT_RESOURCE_DownloadGetLastError(handle), INVALID);
    CHECK_INT(IOT_Resource_DownloadGetLastError(handle), INVALID);
    IOT_Resource_UpdateDownloadClientMd5(handle, buffer, sizeof(buffer));
    IOT_Resource_UpdateDownloadClientMd5(handle, NULL, 0);

    CHECK_INT(IOT_Resource_Upload_Request(handle, name, 7, buffer), INVALID);
    CHECK_INT(IOT_Resource_Upload_Request(handle, NULL, 7, NULL), INVALID);
    CHECK_INT(IOT_Resource_IsStartUpload(handle), 0);
    CHECK_INT(IOT_Resource_StartUpload(handle, buffer), INVALID);
    CHECK_INT(IOT_Resource_StartUpload(handle, NULL), INVALID);
    CHECK_INT(IOT_Resource_UploadYield(handle, buffer, sizeof(buffer), 1), INVALID);
    CHECK_INT(IOT_Resource_UploadYield(handle, NULL, 0, 1), INVALID);
    CHECK_INT(IOT_Resource_IsUploadFinish(handle), INVALID);
    CHECK_INT(IOT_Resource_UploadRecvResult(handle, buffer, sizeof(buffer)), INVALID);
    CHECK_INT(IOT_Resource_UploadResetClientMD5(handle), INVALID);
    CHECK_INT(IOT_Resource_UploadIoctl(handle, QCLOUD_IOT_RESOURCE_SIZE_E, &number, sizeof(number)), INVALID);
    CHECK_INT(IOT_Resource_UploadIoctl(handle, QCLOUD_IOT_RESOURCE_SIZE_E, NULL, 0), INVALID);
    CHECK_INT(IOT_Resource_ReportUploadSuccess(handle, name), INVALID);
    CHECK_INT(IOT_Resource_ReportUploadFail(handle, NULL), INVALID);
    CHECK_INT(IOT_Resource_UploadGetLastError(handle), INVALID);
    IOT_Resource_UploadMd5Update(handle, buffer, sizeof(buffer));
    IOT_Resource_UploadMd5Update(handle, NULL, -1);
    IOT_Resource_Upload_Md5_Finish(handle, buffer);
    IOT_Resource_Upload_Md5_Finish(handle, NULL);

    CHECK_INT(IOT_Resource_DeInit(handle), INVALID);
    CHECK_INT(number, 7);
    CHECK_STR(buffer, "");
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

    CHECK(IOT_Resource_Init(NULL, "device", client) == NULL);
    CHECK(IOT_Resource_Init("PRODUCTID0", NULL, client) == NULL);
    CHECK(IOT_Resource_Init("PRODUCTID0", "device", NULL) == NULL);
    CHECK(IOT_Resource_Init("PRODUCTID0", "device", client) == NULL);
    return check_result();
}
