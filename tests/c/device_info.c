/* HAL_GetDevInfo of the default platform: the file, what is missing in it, what is wrong with it. */

#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

#define PRODUCT "\"productId\": \"PRODUCTID0\", "
#define DEVICE  "\"deviceName\": \"device\", "
#ifdef AUTH_MODE_CERT
#define MODE  "\"auth_mode\": \"CERT\", "
#define PROOF "\"cert_deviceinfo\": {\"devCertFile\": \"a.crt\", \"devPrivateKeyFile\": \"a.key\"}"
#define OTHER "\"auth_mode\": \"KEY\", "
#else
#define MODE  "\"auth_mode\": \"KEY\", "
#define PROOF "\"key_deviceinfo\": {\"deviceSecret\": \"MDEyMzQ1Njc4OWFiY2RlZg==\"}"
#define OTHER "\"auth_mode\": \"CERT\", "
#endif

static char path[] = "/tmp/device_info_XXXXXX";

static int read_text(const char *text, DeviceInfo *info)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    memset(info, 0, sizeof(*info));
    return HAL_GetDevInfo(info);
}

static void good(void)
{
    DeviceInfo info;

    CHECK_INT(read_text("{" MODE PRODUCT DEVICE PROOF "}", &info), QCLOUD_RET_SUCCESS);
    CHECK_STR(info.product_id, "PRODUCTID0");
    CHECK_STR(info.device_name, "device");
    CHECK_STR(info.client_id, "PRODUCTID0device");
#ifdef AUTH_MODE_CERT
    CHECK_STR(info.dev_cert_file_name, "a.crt");
    CHECK_STR(info.dev_key_file_name, "a.key");
#else
    CHECK_STR(info.device_secret, "MDEyMzQ1Njc4OWFiY2RlZg==");
#endif
    memset(&info, 0, sizeof(info));
    CHECK_INT(HAL_GetDevInfoFromFile(path, &info), QCLOUD_RET_SUCCESS);
    CHECK_STR(info.device_name, "device");
}

static void bad(void)
{
    DeviceInfo info;

    CHECK(read_text("", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("nonsense", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" MODE DEVICE PROOF "}", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" MODE PRODUCT PROOF "}", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" MODE PRODUCT "\"deviceName\": \"device\"}", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" OTHER PRODUCT DEVICE PROOF "}", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" MODE "\"productId\": \"PRODUCTID01\", " DEVICE PROOF "}", &info) != QCLOUD_RET_SUCCESS);
    CHECK(read_text("{" MODE PRODUCT "\"deviceName\": \"ddddddddddddddddddddddddddddddddddddddddddddddddd\", " PROOF
                    "}",
                    &info) != QCLOUD_RET_SUCCESS);

    CHECK(HAL_GetDevInfo(NULL) != QCLOUD_RET_SUCCESS);
    CHECK(HAL_GetDevInfoFromFile(NULL, &info) != QCLOUD_RET_SUCCESS);
    CHECK(HAL_GetDevInfoFromFile(path, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(HAL_GetDevInfoFromFile("/nonexistent/device_info.json", &info) != QCLOUD_RET_SUCCESS);
    CHECK(HAL_SetDevInfoFile(NULL) != QCLOUD_RET_SUCCESS);
}

int main(void)
{
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    if (fd < 0) {
        return check_result();
    }
    close(fd);
    CHECK_INT(HAL_SetDevInfoFile(path), QCLOUD_RET_SUCCESS);
    good();
    bad();
    unlink(path);
    return check_result();
}
