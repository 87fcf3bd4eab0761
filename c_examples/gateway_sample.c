/*
 * A gateway that brings one device to the cloud: [binds it,] lists what is bound, puts the device online, publishes for it on
 * its topic <product id>/<device name>/data and prints what comes back, puts it offline [and unbinds it]. With IOT_ABI=3.3 it
 * says when the cloud wants a search for devices, and ends when the cloud has unbound all of them.
 *
 * device_info.json names the gateway and, in "subDev", the device behind it.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define YIELD_MS      200
#define READY_MS      1000
#define READY_TRIES   10
#define MAX_TOPIC     128
#define MAX_MESSAGE   128
#define BOUND_ALREADY 809

typedef struct {
    char    *dev_info_file;  /* NULL: the platform's default */
    char    *bind_info_file; /* the device to bind and to unbind again; NULL: neither */
    unsigned count;
} Options;

/* By the cloud. */
static bool all_unbound;

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    (void)context;
    switch (event->event_type) {
        case MQTT_EVENT_DISCONNECT:
            Log_w("MQTT connection lost");
            break;
        case MQTT_EVENT_RECONNECT:
            Log_i("MQTT connection is back");
            break;
        case MQTT_EVENT_PUBLISH_SUCCESS:
            Log_i("publish %u was acknowledged", (unsigned)(uintptr_t)event->msg);
            break;
#ifdef MAX_SIZE_OF_REGION
        case MQTT_EVENT_GATEWAY_SEARCH:
            Log_i("the cloud wants a search for devices to %s", *(int32_t *)event->msg == 1 ? "begin" : "end");
            break;
        case MQTT_EVENT_GATEWAY_UNBIND_ALL:
            Log_i("the cloud has unbound every device");
            all_unbound = true;
            break;
#endif
        default:
            Log_d("MQTT event %d", (int)event->event_type);
            break;
    }
}

static void on_message(void *client, MQTTMessage *message, void *context)
{
    (void)client;
    (void)context;
    Log_i("received on %.*s: %.*s", (int)message->topic_len, message->ptopic, (int)message->payload_len,
          (const char *)message->payload);
}

static void *connect_gateway(DeviceInfo *dev)
{
    GatewayInitParam init   = DEFAULT_GATEWAY_INIT_PARAMS;
    MQTTInitParams  *params = &init.init_param;
    void            *gateway;

    params->product_id  = dev->product_id;
    params->device_name = dev->device_name;
#ifdef MAX_SIZE_OF_REGION
    params->region = dev->region;
#endif
#ifdef AUTH_MODE_CERT
    snprintf(params->cert_file, sizeof(params->cert_file), "certs/%s", dev->dev_cert_file_name);
    snprintf(params->key_file, sizeof(params->key_file), "certs/%s", dev->dev_key_file_name);
#else
    params->device_secret = dev->device_secret;
#endif
    params->event_handle.h_fp = on_mqtt_event;

    gateway = IOT_Gateway_Construct(&init);
    if (gateway == NULL) {
        Log_e("the gateway could not connect: %d", params->err_code);
    }
    return gateway;
}

static bool list_bound(void *gateway, GatewayParam *param)
{
    SubdevBindList  list = {NULL, 0};
    SubdevBindInfo *device;
    int             rc = IOT_Gateway_Subdev_GetBindList(gateway, param, &list);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("no list of bound devices: %d", rc);
        return false;
    }
    Log_i("%d bound devices", list.bind_num);
    for (device = list.bindlist_head; device != NULL; device = device->next) {
        Log_i("bound: %s %s", device->product_id, device->device_name);
    }
    IOT_Gateway_Subdev_DestoryBindList(&list);
    return true;
}

static bool subscribe(void *gateway, char *topic)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    int             tries;
    int             rc;

    params.on_message_handler = on_message;
    rc                        = IOT_Gateway_Subscribe(gateway, topic, &params);
    if (rc < 0) {
        Log_e("subscription to %s could not be sent: %d", topic, rc);
        return false;
    }
    for (tries = 0; tries < READY_TRIES && !IOT_Gateway_IsSubReady(gateway, topic); tries++) {
        IOT_Gateway_Yield(gateway, READY_MS);
    }
    return IOT_Gateway_IsSubReady(gateway, topic) != 0;
}

static bool publish(void *gateway, char *topic, unsigned number)
{
    PublishParams params = DEFAULT_PUB_PARAMS;
    char          message[MAX_MESSAGE];
    int           len = snprintf(message, sizeof(message), "{\"action\": \"gateway_test\", \"count\": \"%u\"}", number);
    int           rc;

    params.qos         = QOS1;
    params.payload     = message;
    params.payload_len = (size_t)len;
    rc                 = IOT_Gateway_Publish(gateway, topic, &params);
    if (rc < 0) {
        Log_e("message %u could not be published: %d", number, rc);
        return false;
    }
    Log_i("published message %u as packet %d", number, rc);
    return true;
}

/* Online, some messages, offline. */
static bool serve(void *gateway, GatewayParam *param, unsigned count)
{
    char     topic[MAX_TOPIC + 1];
    bool     ok;
    unsigned number;
    int      rc = IOT_Gateway_Subdev_Online(gateway, param);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the device could not be put online: %d", rc);
        return false;
    }
    Log_i("online: %s %s", param->subdev_product_id, param->subdev_device_name);
    snprintf(topic, sizeof(topic), "%s/%s/data", param->subdev_product_id, param->subdev_device_name);
    ok = subscribe(gateway, topic);
    for (number = 1; ok && !all_unbound && number <= count; number++) {
        ok = publish(gateway, topic, number);
        IOT_Gateway_Yield(gateway, YIELD_MS);
    }
    if (all_unbound) {
        return ok;
    }
    rc = IOT_Gateway_Subdev_Offline(gateway, param);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the device could not be put offline: %d", rc);
        return false;
    }
    Log_i("offline: %s %s", param->subdev_product_id, param->subdev_device_name);
    return ok;
}

static bool run(void *gateway, GatewayDeviceInfo *info, const Options *options)
{
    GatewayParam param = DEFAULT_GATEWAY_PARAMS;
    DeviceInfo   bind_info;
    bool         ok;
    int          rc;

    param.product_id         = info->gw_info.product_id;
    param.device_name        = info->gw_info.device_name;
    param.subdev_product_id  = info->sub_dev_info->product_id;
    param.subdev_device_name = info->sub_dev_info->device_name;

    if (options->bind_info_file != NULL) {
        rc = HAL_GetDevInfoFromFile(options->bind_info_file, &bind_info);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("%s can't be read: %d", options->bind_info_file, rc);
            return false;
        }
        rc = IOT_Gateway_Subdev_Bind(gateway, &param, &bind_info);
        if (rc != QCLOUD_RET_SUCCESS && rc != BOUND_ALREADY) {
            Log_e("the device could not be bound: %d", rc);
            return false;
        }
        Log_i("bind: %d", rc);
    }
    ok = list_bound(gateway, &param) && serve(gateway, &param, options->count);
    if (options->bind_info_file != NULL && !all_unbound) {
        rc = IOT_Gateway_Subdev_Unbind(gateway, &param, &bind_info);
        Log_i("unbind: %d", rc);
        ok = ok && rc == QCLOUD_RET_SUCCESS;
    }
    return ok;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   the gateway's and the device's identity (default: the platform's device_info.json)\n"
           "  -b FILE   binds the device of this file first, and unbinds it at the end\n"
           "  -l COUNT  messages to publish for the device (default: 1)\n",
           program);
}

static bool parse(int argc, char **argv, Options *options)
{
    int option;

    while ((option = utils_getopt(argc, argv, "c:b:l:")) != -1) {
        switch (option) {
            case 'c':
                options->dev_info_file = utils_optarg;
                break;
            case 'b':
                options->bind_info_file = utils_optarg;
                break;
            case 'l':
                options->count = (unsigned)strtoul(utils_optarg, NULL, 10);
                break;
            default:
                usage(argv[0]);
                return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    Options           options = {NULL, NULL, 1};
    GatewayDeviceInfo info;
    void             *gateway;
    bool              ok;
    int               rc;

    IOT_Log_Set_Level(eLOG_INFO);
    if (!parse(argc, argv, &options)) {
        return EXIT_FAILURE;
    }
    if (options.dev_info_file != NULL) {
        HAL_SetDevInfoFile(options.dev_info_file);
    }
    memset(&info, 0, sizeof(info));
    rc = HAL_GetGwDevInfo(&info);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        HAL_Free(info.sub_dev_info);
        return EXIT_FAILURE;
    }
    gateway = connect_gateway(&info.gw_info);
    ok      = gateway != NULL && run(gateway, &info, &options);
    if (gateway != NULL) {
        ok = IOT_Gateway_Destroy(gateway) == QCLOUD_RET_SUCCESS && ok;
    }
    HAL_Free(info.sub_dev_info);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
