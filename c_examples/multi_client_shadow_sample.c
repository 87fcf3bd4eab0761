/*
 * Several devices in one program: a thread and a shadow for each. A device reports a counter, again and again.
 *
 * The arguments are the devices' identities, a file each.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export.h"

#define REQUEST_MS   5000
#define YIELD_MS     200
#define MAX_DOCUMENT 200
#define MAX_DEVICES  5
#define REPORTS      3

typedef struct {
    pthread_t  thread;
    DeviceInfo info;
    bool       ok;
} Device;

static void *connect_shadow(DeviceInfo *dev)
{
    ShadowInitParams init = DEFAULT_SHAWDOW_INIT_PARAMS;
    void            *shadow;

    init.product_id  = dev->product_id;
    init.device_name = dev->device_name;
#ifdef MAX_SIZE_OF_REGION
    init.region = dev->region;
#endif
#ifdef AUTH_MODE_CERT
    snprintf(init.cert_file, sizeof(init.cert_file), "certs/%s", dev->dev_cert_file_name);
    snprintf(init.key_file, sizeof(init.key_file), "certs/%s", dev->dev_key_file_name);
#else
    init.device_secret = dev->device_secret;
#endif
    shadow = IOT_Shadow_Construct(&init);
    if (shadow == NULL) {
        Log_e("%s could not connect: %d", dev->device_name, IOT_MQTT_GetErrCode());
    }
    return shadow;
}

static bool report(void *shadow, DeviceProperty *property)
{
    char document[MAX_DOCUMENT];
    int  rc = IOT_Shadow_JSON_ConstructReport(shadow, document, sizeof(document), 1, property);

    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Update_Sync(shadow, document, sizeof(document), REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("%s could not be reported: %d", property->key, rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static void *serve(void *argument)
{
    Device        *device   = argument;
    int32_t        updates  = 0;
    DeviceProperty property = {"updateCount", &updates, JINT32, false};
    void          *shadow   = connect_shadow(&device->info);
    int            rc;

    if (shadow == NULL) {
        return NULL;
    }
    rc = IOT_Shadow_Get_Sync(shadow, REQUEST_MS);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("%s: no document of the cloud: %d", device->info.device_name, rc);
    }
    device->ok = rc == QCLOUD_RET_SUCCESS;
    while (device->ok && updates < REPORTS) {
        updates++;
        device->ok = report(shadow, &property);
        Log_i("%s reported %" PRId32, device->info.device_name, updates);
        IOT_Shadow_Yield(shadow, YIELD_MS);
    }
    device->ok = IOT_Shadow_Destroy(shadow) == QCLOUD_RET_SUCCESS && device->ok;
    return NULL;
}

static bool begin(Device *device, char *file)
{
    device->ok = false;
    if (HAL_GetDevInfoFromFile(file, &device->info) != QCLOUD_RET_SUCCESS) {
        Log_e("%s can't be read", file);
        return false;
    }
    if (pthread_create(&device->thread, NULL, serve, device) != 0) {
        Log_e("no thread for %s", file);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    Device devices[MAX_DEVICES];
    int    count = argc - 1;
    int    begun = 0;
    int    at;
    bool   ok;

    IOT_Log_Set_Level(eLOG_INFO);
    if (count < 1 || count > MAX_DEVICES) {
        printf("Usage: %s FILE...\n  up to %d files, each with the identity of a device\n", argv[0], MAX_DEVICES);
        return EXIT_FAILURE;
    }
    while (begun < count && begin(&devices[begun], argv[begun + 1])) {
        begun++;
    }
    ok = begun == count;
    for (at = 0; at < begun; at++) {
        pthread_join(devices[at].thread, NULL);
        ok = devices[at].ok && ok;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
