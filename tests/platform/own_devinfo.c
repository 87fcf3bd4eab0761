/* Only HAL_GetDevInfo is the program's; its neighbours are the default platform's. */

#include "check.h"
#include "own.h"
#include "qcloud_iot_export.h"

int main(void)
{
    static const char missing[] = "/nonexistent/device_info.json";
    DeviceInfo        device;

    CHECK_INT(HAL_GetDevInfo(&device), 0);
    CHECK_INT(own_calls.devinfo, 1);
    CHECK_STR(device.product_id, "OWNPRODUCT");

    /* These say that the file is not there, which this program's could not know. */
    CHECK(HAL_GetDevInfoFromFile(missing, &device) < 0);
    CHECK_INT(HAL_SetDevInfoFile(missing), 0);
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    CHECK_STR(device.device_name, "own-device");
    CHECK_INT(own_calls.devinfo, 2);
    return check_result();
}
