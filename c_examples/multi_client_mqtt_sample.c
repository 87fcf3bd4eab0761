/*
 * Several devices in one program: a thread and an MQTT client for each. A device subscribes to its topic
 * <product id>/<device name>/data, publishes there and prints how many of its messages have come back.
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

#define YIELD_MS      200
#define WAIT_LIMIT_MS 10000
#define MAX_TOPIC     128
#define MAX_MESSAGE   64
#define MAX_DEVICES   5
#define MESSAGES      3

typedef struct {
    pthread_t  thread;
    DeviceInfo info;
    unsigned   received;
    bool       ok;
} Device;

static void on_message(void *client, MQTTMessage *message, void *context)
{
    Device *device = context;

    (void)client;
    (void)message;
    device->received++;
}

static void *connect_device(DeviceInfo *dev)
{
    MQTTInitParams init = DEFAULT_MQTTINIT_PARAMS;
    void          *client;

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
    client = IOT_MQTT_Construct(&init);
    if (client == NULL) {
        Log_e("%s could not connect: %d", dev->device_name, init.err_code);
    }
    return client;
}

static bool subscribe(void *client, Device *device, char *topic)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    uint32_t        start  = HAL_GetTimeMs();
    int             rc;

    params.qos                = QOS1;
    params.on_message_handler = on_message;
    params.user_data          = device;
    rc                        = IOT_MQTT_Subscribe(client, topic, &params);
    while (rc >= 0 && !IOT_MQTT_IsSubReady(client, topic) && HAL_GetTimeMs() - start < WAIT_LIMIT_MS) {
        IOT_MQTT_Yield(client, YIELD_MS);
    }
    return rc >= 0 && IOT_MQTT_IsSubReady(client, topic);
}

static bool talk(void *client, Device *device, char *topic)
{
    PublishParams params = DEFAULT_PUB_PARAMS;
    char          message[MAX_MESSAGE];
    uint32_t      start = HAL_GetTimeMs();
    unsigned      number;

    params.qos     = QOS1;
    params.payload = message;
    for (number = 1; number <= MESSAGES; number++) {
        params.payload_len = (size_t)snprintf(message, sizeof(message), "{\"count\": \"%u\"}", number);
        if (IOT_MQTT_Publish(client, topic, &params) < 0) {
            return false;
        }
    }
    while (device->received < MESSAGES && HAL_GetTimeMs() - start < WAIT_LIMIT_MS) {
        IOT_MQTT_Yield(client, YIELD_MS);
    }
    return device->received == MESSAGES;
}

static void *serve(void *argument)
{
    Device *device = argument;
    char    topic[MAX_TOPIC + 1];
    void   *client = connect_device(&device->info);

    if (client == NULL) {
        return NULL;
    }
    snprintf(topic, sizeof(topic), "%s/%s/data", device->info.product_id, device->info.device_name);
    device->ok = subscribe(client, device, topic) && talk(client, device, topic);
    Log_i("%s: %u of %u messages came back", device->info.device_name, device->received, MESSAGES);
    device->ok = IOT_MQTT_Destroy(&client) == QCLOUD_RET_SUCCESS && device->ok;
    return NULL;
}

static bool begin(Device *device, char *file)
{
    device->ok       = false;
    device->received = 0;
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
