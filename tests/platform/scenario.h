/*
 * What a device does in its life: connects, subscribes, publishes, reports its version, takes an upgrade and ends. The
 * download loop is the one of the C SDK's sample: 5,000 bytes, then IOT_MQTT_Yield(100).
 */
#ifndef TESTS_PLATFORM_SCENARIO_H_
#define TESTS_PLATFORM_SCENARIO_H_

#include <stdlib.h>

#include "check.h"
#include "clock.h"
#include "cloud.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

#define SCENARIO_BLOCK 5000
/* Rounds of Yield(100) until something that must come has come. */
#define SCENARIO_PATIENCE 100

typedef struct {
    unsigned acks;
    unsigned echoes;
    uint32_t downloaded;
    uint32_t wrong;       /* bytes that are not the firmware's */
    uint64_t download_us; /* from StartDownload until all is there */
} Scenario;

static inline void scenario_on_event(void *client, void *context, MQTTEventMsg *event)
{
    Scenario *seen = context;

    (void)client;
    seen->acks += event->event_type == MQTT_EVENT_PUBLISH_SUCCESS;
}

static inline void scenario_on_message(void *client, MQTTMessage *message, void *context)
{
    Scenario *seen = context;

    (void)client;
    seen->echoes += message->payload_len == 5 && memcmp(message->payload, "hello", 5) == 0;
}

/* The identity that programs without a HAL_GetDevInfo of their own use. */
static inline void scenario_identity(DeviceInfo *device)
{
    memset(device, 0, sizeof(*device));
    strcpy(device->product_id, "PRODUCTID0");
    strcpy(device->device_name, "device");
#ifdef AUTH_MODE_CERT
    strcpy(device->dev_cert_file_name, "/nonexistent/cert.crt");
    strcpy(device->dev_key_file_name, "/nonexistent/private.key");
#else
    strcpy(device->device_secret, "MDEyMzQ1Njc4OWFiY2RlZg==");
#endif
}

/* A firmware of 200,003 bytes. `url` NULL: server_start sets it. */
static inline void scenario_offer_small(const char *url)
{
    cloud_firmware.size = 200003;
    cloud_firmware.md5  = "921297a439d242c850d3737580fc24d4";
    if (url != NULL) {
        snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "%s", url);
    }
}

#define SCENARIO_UNTIL(client, condition)                                         \
    do {                                                                          \
        for (int round = 0; round < SCENARIO_PATIENCE && !(condition); round++) { \
            IOT_MQTT_Yield((client), 100);                                        \
        }                                                                         \
        CHECK(condition);                                                         \
    } while (0)

static inline void scenario_download(Scenario *seen, void *client, void *ota, bool know_content)
{
    char     block[SCENARIO_BLOCK];
    uint32_t size = 0, fetched = 0, right = 0;
    uint64_t begin = clock_us();

    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)), 0);
    CHECK_INT(IOT_OTA_StartDownload(ota, 0, size), 0);
    while (!IOT_OTA_IsFetchFinish(ota)) {
        int count = IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
        if (count < 0) {
            CHECK_INT(count, 0);
            return;
        }
        for (int i = 0; know_content && i < count; i++) {
            seen->wrong += (unsigned char)block[i] != cloud_firmware_byte(seen->downloaded + (uint32_t)i);
        }
        seen->downloaded += (uint32_t)count;
        IOT_MQTT_Yield(client, 100);
    }
    seen->download_us = clock_us() - begin;
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FETCHED_SIZE, &fetched, sizeof(fetched)), 0);
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)), 0);
    CHECK_INT(fetched, size);
    CHECK_INT(seen->downloaded, size);
    CHECK_INT(seen->wrong, 0);
    CHECK_INT(right, 1);
}

static inline MQTTInitParams scenario_params(DeviceInfo *device, Scenario *seen)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id  = device->product_id;
    params.device_name = device->device_name;
#ifdef AUTH_MODE_CERT
    strcpy(params.cert_file, device->dev_cert_file_name);
    strcpy(params.key_file, device->dev_key_file_name);
#else
    params.device_secret = device->device_secret;
#endif
    params.event_handle.h_fp    = scenario_on_event;
    params.event_handle.context = seen;
    return params;
}

/* `own_cloud`: the peer is cloud.h's, which echoes, and whose firmware is known. */
static inline void scenario_run(Scenario *seen, DeviceInfo *device, bool own_cloud)
{
    MQTTInitParams  params    = scenario_params(device, seen);
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;
    PublishParams   publish   = DEFAULT_PUB_PARAMS;
    char            topic[128];
    char            text[] = "hello";
    void           *client;
    void           *ota;

    memset(seen, 0, sizeof(*seen));
    client = IOT_MQTT_Construct(&params);
    CHECK_INT(params.err_code, 0);
    CHECK(client != NULL);
    if (client == NULL) {
        return;
    }
    if (own_cloud) {
        snprintf(topic, sizeof(topic), "%s/%s" CLOUD_ECHO, device->product_id, device->device_name);
        subscribe.qos                = QOS1;
        subscribe.on_message_handler = scenario_on_message;
        subscribe.user_data          = seen;
        CHECK(IOT_MQTT_Subscribe(client, topic, &subscribe) > 0);
        SCENARIO_UNTIL(client, IOT_MQTT_IsSubReady(client, topic));
        publish.qos         = QOS1;
        publish.payload     = text;
        publish.payload_len = strlen(text);
        CHECK(IOT_MQTT_Publish(client, topic, &publish) > 0);
        SCENARIO_UNTIL(client, seen->acks == 1 && seen->echoes == 1);
    }

    ota = IOT_OTA_Init(device->product_id, device->device_name, client);
    CHECK(ota != NULL);
    if (ota != NULL) {
        CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") > 0);
        SCENARIO_UNTIL(client, IOT_OTA_IsFetching(ota));
        if (IOT_OTA_IsFetching(ota)) {
            unsigned acks;

            scenario_download(seen, client, ota, own_cloud);
            /* The version report's; it may well have come before. */
            SCENARIO_UNTIL(client, seen->acks == (own_cloud ? 2 : 1));
            acks = seen->acks;
            CHECK(IOT_OTA_ReportUpgradeBegin(ota) > 0);
            CHECK(IOT_OTA_ReportUpgradeSuccess(ota, NULL) > 0);
            SCENARIO_UNTIL(client, seen->acks == acks + 2);
        }
        CHECK_INT(IOT_OTA_Destroy(ota), 0);
    }
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    CHECK(client == NULL);
    if (own_cloud) {
        CHECK_INT(cloud_seen.done, 1);
        CHECK_INT(cloud_seen.failed, 0);
    }
}

#endif /* TESTS_PLATFORM_SCENARIO_H_ */
