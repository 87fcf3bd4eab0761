/* The device's identity, from the program itself. */

#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "qcloud_iot_export.h"

int HAL_GetDevInfo(void *info)
{
    DeviceInfo *device = info;

    own_calls.devinfo++;
    memset(device, 0, sizeof(*device));
    strcpy(device->product_id, "OWNPRODUCT");
    strcpy(device->device_name, "own-device");
    strcpy(device->client_id, "OWNPRODUCTown-device");
#ifdef AUTH_MODE_CERT
    strcpy(device->dev_cert_file_name, "own_cert.crt");
    strcpy(device->dev_key_file_name, "own_private.key");
#else
    strcpy(device->device_secret, "MDEyMzQ1Njc4OWFiY2RlZg==");
#endif
    return QCLOUD_RET_SUCCESS;
}
