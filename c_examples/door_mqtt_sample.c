/*
 * A door that tells the air conditioner who comes and goes: publishes {"action": ACTION, "targetDevice": NAME} on its topic
 * <product id>/<device name>/event, from where a rule of the cloud takes it to <product id>/<NAME>/control
 * (aircond_shadow_sample listens there), and prints when the cloud has it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define YIELD_MS     200
#define ACK_LIMIT_MS 10000
#define MAX_TOPIC    128
#define MAX_MESSAGE  128

static int g_acked; /* the packet that was acknowledged last */

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    (void)context;
    if (event->event_type == MQTT_EVENT_PUBLISH_SUCCESS) {
        g_acked = (int)(uintptr_t)event->msg;
    }
}

static void *connect_door(DeviceInfo *dev)
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
    init.event_handle.h_fp = on_mqtt_event;

    client = IOT_MQTT_Construct(&init);
    if (client == NULL) {
        Log_e("the door could not connect: %d", init.err_code);
    }
    return client;
}

static bool tell(void *client, DeviceInfo *dev, const char *action, const char *target)
{
    PublishParams params = DEFAULT_PUB_PARAMS;
    char          topic[MAX_TOPIC + 1];
    char          message[MAX_MESSAGE];
    uint32_t      start = HAL_GetTimeMs();
    int len = snprintf(message, sizeof(message), "{\"action\": \"%s\", \"targetDevice\": \"%s\"}", action, target);
    int packet_id;

    snprintf(topic, sizeof(topic), "%s/%s/event", dev->product_id, dev->device_name);
    params.qos         = QOS1;
    params.payload     = message;
    params.payload_len = (size_t)len;
    packet_id          = IOT_MQTT_Publish(client, topic, &params);
    if (packet_id < 0) {
        Log_e("%s could not be published: %d", action, packet_id);
        return false;
    }
    while (g_acked != packet_id && HAL_GetTimeMs() - start < ACK_LIMIT_MS) {
        IOT_MQTT_Yield(client, YIELD_MS);
    }
    if (g_acked != packet_id) {
        Log_e("%s was not acknowledged", action);
        return false;
    }
    Log_i("told %s: %s", target, action);
    return true;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE    the door's identity (default: the platform's device_info.json)\n"
           "  -a ACTION  come_home (default) or leave_home\n"
           "  -t NAME    the air conditioner (default: air_conditioner)\n",
           program);
}

int main(int argc, char **argv)
{
    const char *action = "come_home";
    const char *target = "air_conditioner";
    DeviceInfo  dev;
    void       *client;
    int         option;
    int         rc;
    bool        ok;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:a:t:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 'a' &&
                   (strcmp(utils_optarg, "come_home") == 0 || strcmp(utils_optarg, "leave_home") == 0)) {
            action = utils_optarg;
        } else if (option == 't' && strlen(utils_optarg) <= MAX_SIZE_OF_DEVICE_NAME) {
            target = utils_optarg;
        } else {
            usage(argv[0]);
            return EXIT_FAILURE;
        }
    }
    rc = HAL_GetDevInfo(&dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    client = connect_door(&dev);
    if (client == NULL) {
        return EXIT_FAILURE;
    }
    ok = tell(client, &dev, action, target);
    return IOT_MQTT_Destroy(&client) == QCLOUD_RET_SUCCESS && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
