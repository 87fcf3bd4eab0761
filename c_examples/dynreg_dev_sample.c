/*
 * A device that gets its own secret, or certificate, at its first start: it knows product id, product secret and device
 * name, and keeps what the cloud gives it in its device_info.json. It prints "the device is registered", or why not. Its
 * exit code is 0 in both cases, as that of the C SDK's sample is.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

/* Whether what the cloud gives is still missing: these stand in a device_info.json that nobody has filled in. */
static bool is_new(const DeviceInfo *dev)
{
#ifdef AUTH_MODE_CERT
    return strcmp(dev->dev_cert_file_name, "YOUR_DEVICE_NAME_cert.crt") == 0 ||
           strcmp(dev->dev_key_file_name, "YOUR_DEVICE_NAME_private.key") == 0;
#else
    return strcmp(dev->device_secret, "YOUR_IOT_PSK") == 0;
#endif
}

static void register_device(DeviceInfo *dev)
{
    /* A positive code is the cloud's own. */
    int rc = IOT_DynReg_Device(dev);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the device was not registered: %d", rc);
        return;
    }
    /* A device that has logged in with it gets no other one: it must be kept before it is used. */
    rc = HAL_SetDevInfo(dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("what the cloud gave can't be kept: %d", rc);
        return;
    }
    Log_i("the device is registered");
}

static bool parse(int argc, char **argv, char **dev_info_file)
{
    int option;

    while ((option = utils_getopt(argc, argv, "c:")) != -1) {
        if (option != 'c') {
            printf("Usage: %s [-c FILE]\n"
                   "  -c FILE   the device's identity (default: the platform's device_info.json)\n",
                   argv[0]);
            return false;
        }
        *dev_info_file = utils_optarg;
    }
    return true;
}

int main(int argc, char **argv)
{
    char      *dev_info_file = NULL;
    DeviceInfo dev;
    int        rc;

    IOT_Log_Set_Level(eLOG_DEBUG);
    if (!parse(argc, argv, &dev_info_file)) {
        return EXIT_FAILURE;
    }
    if (dev_info_file != NULL) {
        HAL_SetDevInfoFile(dev_info_file);
    }
    rc = HAL_GetDevInfo(&dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    if (is_new(&dev)) {
        register_device(&dev);
    } else {
        Log_i("the device has been registered before");
    }
    return EXIT_SUCCESS;
}
