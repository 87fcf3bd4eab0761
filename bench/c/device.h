/* What the measured programs share: one device's connection, and waiting for what the cloud has to say. */
#ifndef BENCH_DEVICE_H_
#define BENCH_DEVICE_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qcloud_iot_export.h"

#define PATIENCE_S 60.0

typedef struct {
    DeviceInfo info;
    void      *client;
    void      *ota;
    int        acked; /* the packet id that was acknowledged last */
} Device;

static inline double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static inline void device_on_event(void *client, void *context, MQTTEventMsg *event)
{
    Device *device = context;

    (void)client;
    if (event->event_type == MQTT_EVENT_PUBLISH_SUCCESS) {
        device->acked = (int)(uintptr_t)event->msg;
    }
}

/* Connects the device of `device->info`, and subscribes to update commands. */
static inline void device_connect(Device *device)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id           = device->info.product_id;
    params.device_name          = device->info.device_name;
    params.device_secret        = device->info.device_secret;
    params.event_handle.h_fp    = device_on_event;
    params.event_handle.context = device;

    device->client = IOT_MQTT_Construct(&params);
    if (device->client == NULL) {
        fail("%s can't connect: %d", device->info.device_name, params.err_code);
    }
    device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, device->client);
    if (device->ota == NULL) {
        fail("%s: OTA can't be initialised", device->info.device_name);
    }
}

static inline void device_disconnect(Device *device)
{
    IOT_OTA_Destroy(device->ota);
    IOT_MQTT_Destroy(&device->client);
}

static inline void device_report_version(Device *device, const char *version)
{
    int id = IOT_OTA_ReportVersion(device->ota, version);

    if (id < 0) {
        fail("%s: the version can't be reported: %d", device->info.device_name, id);
    }
}

/* The size that the update command announces. */
static inline uint32_t device_file_size(Device *device)
{
    uint32_t size = 0;
    int      rc   = IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size));

    if (rc != QCLOUD_RET_SUCCESS) {
        fail("%s: the update command can't be read: %d", device->info.device_name, rc);
    }
    return size;
}

static inline void device_start_download(Device *device)
{
    int rc = IOT_OTA_StartDownload(device->ota, 0, device_file_size(device));

    if (rc != QCLOUD_RET_SUCCESS) {
        fail("%s: the download can't be started: %d", device->info.device_name, rc);
    }
}

/* One IOT_OTA_FetchYield, which must not fail. */
static inline uint32_t device_fetch(Device *device, char *buffer, uint32_t size, uint32_t timeout_s)
{
    int count = IOT_OTA_FetchYield(device->ota, buffer, size, timeout_s);

    if (count < 0) {
        fail("%s: the download failed: %d", device->info.device_name, count);
    }
    return (uint32_t)count;
}

static inline void device_check_firmware(Device *device)
{
    uint32_t right = 0;
    int      rc    = IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right));

    if (rc != QCLOUD_RET_SUCCESS || !right) {
        fail("%s: the firmware has another MD5 than the update command says", device->info.device_name);
    }
}

/* Reports the upgrade as done. Returns the packet id that is to be acknowledged. */
static inline int device_report_success(Device *device)
{
    int id = IOT_OTA_ReportUpgradeSuccess(device->ota, NULL);

    if (id < 0) {
        fail("%s: the result can't be reported: %d", device->info.device_name, id);
    }
    return id;
}

#endif /* BENCH_DEVICE_H_ */
