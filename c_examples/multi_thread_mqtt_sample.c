/*
 * One MQTT client that several threads use at once: the library's loop thread serves it, each thread publishes on
 * <product id>/<device name>/data, and one more subscribes to another topic and unsubscribes, again and again. It prints how
 * many messages were published, acknowledged and received.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define WAIT_MS       20
#define WAIT_LIMIT_MS 10000
#define MAX_TOPIC     128
#define MAX_MESSAGE   64
#define MAX_THREADS   10
#define MESSAGES      5 /* of each thread */
#define SUBSCRIPTIONS 3

typedef struct {
    void *client;
    char  topic[MAX_TOPIC + 1];       /* data */
    char  other_topic[MAX_TOPIC + 1]; /* control */

    /* Written by all threads. */
    void    *lock;
    unsigned published;
    unsigned acknowledged;
    unsigned received;
    bool     failed;
} Device;

static void add_one(Device *device, unsigned *counter)
{
    HAL_MutexLock(device->lock);
    ++*counter;
    HAL_MutexUnlock(device->lock);
}

static unsigned value_of(Device *device, const unsigned *counter)
{
    unsigned value;

    HAL_MutexLock(device->lock);
    value = *counter;
    HAL_MutexUnlock(device->lock);
    return value;
}

static void fail(Device *device, const char *what, int code)
{
    Log_e("%s: %d", what, code);
    HAL_MutexLock(device->lock);
    device->failed = true;
    HAL_MutexUnlock(device->lock);
}

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    Device *device = context;

    (void)client;
    if (event->event_type == MQTT_EVENT_PUBLISH_SUCCESS) {
        add_one(device, &device->acknowledged);
    }
}

static void on_message(void *client, MQTTMessage *message, void *context)
{
    Device *device = context;

    (void)client;
    (void)message;
    add_one(device, &device->received);
}

static bool subscribe(Device *device, char *topic)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    uint32_t        start  = HAL_GetTimeMs();
    int             rc;

    params.qos                = QOS1;
    params.on_message_handler = on_message;
    params.user_data          = device;
    rc                        = IOT_MQTT_Subscribe(device->client, topic, &params);
    while (rc >= 0 && !IOT_MQTT_IsSubReady(device->client, topic) && HAL_GetTimeMs() - start < WAIT_LIMIT_MS) {
        HAL_SleepMs(WAIT_MS);
    }
    if (rc < 0 || !IOT_MQTT_IsSubReady(device->client, topic)) {
        fail(device, "no subscription", rc);
        return false;
    }
    return true;
}

static void *publish(void *argument)
{
    Device       *device = argument;
    PublishParams params = DEFAULT_PUB_PARAMS;
    char          message[MAX_MESSAGE];
    unsigned      number;

    params.qos     = QOS1;
    params.payload = message;
    for (number = 1; number <= MESSAGES; number++) {
        int rc;

        params.payload_len = (size_t)snprintf(message, sizeof(message), "{\"count\": \"%u\"}", number);
        rc                 = IOT_MQTT_Publish(device->client, device->topic, &params);
        if (rc < 0) {
            fail(device, "a message could not be published", rc);
            return NULL;
        }
        add_one(device, &device->published);
        HAL_SleepMs(WAIT_MS);
    }
    return NULL;
}

static void *come_and_go(void *argument)
{
    Device  *device = argument;
    unsigned number;

    for (number = 0; number < SUBSCRIPTIONS && subscribe(device, device->other_topic); number++) {
        int rc = IOT_MQTT_Unsubscribe(device->client, device->other_topic);
        if (rc < 0) {
            fail(device, "a subscription could not be ended", rc);
            return NULL;
        }
    }
    return NULL;
}

static bool run(Device *device, unsigned count)
{
    pthread_t threads[MAX_THREADS + 1];
    unsigned  begun = 0;
    unsigned  at;
    uint32_t  start;

    while (begun < count && pthread_create(&threads[begun], NULL, publish, device) == 0) {
        begun++;
    }
    if (begun == count && pthread_create(&threads[begun], NULL, come_and_go, device) == 0) {
        begun++;
    }
    for (at = 0; at < begun; at++) {
        pthread_join(threads[at], NULL);
    }
    if (begun != count + 1) {
        Log_e("a thread could not be made");
        return false;
    }
    start = HAL_GetTimeMs();
    while ((value_of(device, &device->acknowledged) < device->published ||
            value_of(device, &device->received) < device->published) &&
           HAL_GetTimeMs() - start < WAIT_LIMIT_MS) {
        HAL_SleepMs(WAIT_MS);
    }
    Log_i("%u threads: %u published, %u acknowledged, %u received", count, device->published,
          value_of(device, &device->acknowledged), value_of(device, &device->received));
    return !device->failed && value_of(device, &device->acknowledged) == device->published &&
           value_of(device, &device->received) == device->published;
}

static bool connect_device(Device *device, DeviceInfo *dev)
{
    MQTTInitParams init = DEFAULT_MQTTINIT_PARAMS;

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
    init.event_handle.h_fp    = on_mqtt_event;
    init.event_handle.context = device;

    snprintf(device->topic, sizeof(device->topic), "%s/%s/data", dev->product_id, dev->device_name);
    snprintf(device->other_topic, sizeof(device->other_topic), "%s/%s/control", dev->product_id, dev->device_name);
    device->client = IOT_MQTT_Construct(&init);
    if (device->client == NULL) {
        Log_e("the device could not connect: %d", init.err_code);
    }
    return device->client != NULL;
}

static bool serve(Device *device, DeviceInfo *dev, unsigned count)
{
    bool ok;
    int  rc;

    if (!connect_device(device, dev)) {
        return false;
    }
    rc = IOT_MQTT_StartLoop(device->client);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the loop thread could not be started: %d", rc);
    }
    ok = rc == QCLOUD_RET_SUCCESS && subscribe(device, device->topic) && run(device, count);
    IOT_MQTT_StopLoop(device->client);
    return IOT_MQTT_Destroy(&device->client) == QCLOUD_RET_SUCCESS && ok;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
           "  -t COUNT  threads that publish, 1 to %d (default: 3)\n",
           program, MAX_THREADS);
}

int main(int argc, char **argv)
{
    static Device device;
    DeviceInfo    dev;
    unsigned long count = 3;
    int           option;
    int           rc;
    bool          ok;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:t:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 't') {
            count = strtoul(utils_optarg, NULL, 10);
        }
        if ((option != 'c' && option != 't') || count < 1 || count > MAX_THREADS) {
            usage(argv[0]);
            return EXIT_FAILURE;
        }
    }
    rc = HAL_GetDevInfo(&dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    device.lock = HAL_MutexCreate();
    if (device.lock == NULL) {
        Log_e("out of memory");
        return EXIT_FAILURE;
    }
    ok = serve(&device, &dev, (unsigned)count);
    HAL_MutexDestroy(device.lock);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
