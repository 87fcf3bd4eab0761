/*
 * A device that takes its product's configuration from the cloud: connects, subscribes, asks once, and again after each
 * minute of driving the client. It prints "subscribed to configurations", and for each one "configuration of 81 bytes: {...}"
 * and those of its values that it knows, such as "baud rate: 9600"; or "no configuration: 1002", the cloud's result.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export.h"
#include "lite-utils.h"
#include "utils_getopt.h"

#define SUBSCRIBE_MS  5000
#define SUBSCRIBE_MAX 3
#define REPLY_MS      5000
#define YIELD_MS      500
#define ASK_ROUNDS    120
#define MAX_QUESTION  32
/* What the longest configuration has, and the room that the library asks for beside it. */
#define MAX_JSON (512 + REMOTE_CONFIG_JSON_BUFFER_MIN_LEN)

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    unsigned rounds;
} Options;

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
        default:
            Log_d("MQTT event %d", (int)event->event_type);
            break;
    }
}

static void print_value(char *key, char *json)
{
    char *value = LITE_json_value_of(key, json);

    if (value != NULL) {
        Log_i("%s: %s", key, value);
        HAL_Free(value);
    }
}

static void on_config(void *client, int result, char *json, int len)
{
    (void)client;
    if (result != REMOTE_CONFIG_ERRCODE_SUCCESS || len == 0) {
        Log_w("no configuration: %d", result);
        return;
    }
    Log_i("configuration of %d bytes: %s", len, json);
    print_value("baud rate", json);
    print_value("data bits", json);
    print_value("stop bit", json);
    print_value("parity", json);
    print_value("thread sleep", json);
}

static void *connect_device(DeviceInfo *dev)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;
    void          *client;

    params.product_id  = dev->product_id;
    params.device_name = dev->device_name;
#ifdef MAX_SIZE_OF_REGION
    params.region = dev->region;
#endif
#ifdef AUTH_MODE_CERT
    snprintf(params.cert_file, sizeof(params.cert_file), "certs/%s", dev->dev_cert_file_name);
    snprintf(params.key_file, sizeof(params.key_file), "certs/%s", dev->dev_key_file_name);
#else
    params.device_secret = dev->device_secret;
#endif
    params.event_handle.h_fp = on_mqtt_event;

    client = IOT_MQTT_Construct(&params);
    if (client == NULL) {
        Log_e("the device could not connect: %d", params.err_code);
    }
    return client;
}

static bool subscribe(void *client, ConfigSubscirbeUserData *data)
{
    int tries;
    int rc = QCLOUD_ERR_FAILURE;

    for (tries = 0; tries < SUBSCRIBE_MAX && rc < 0; tries++) {
        rc = IOT_Subscribe_Config(client, data, SUBSCRIBE_MS);
    }
    if (rc < 0) {
        Log_e("no subscription to configurations: %d", rc);
        return false;
    }
    Log_i("subscribed to configurations");
    return true;
}

static bool ask(void *client)
{
    char question[MAX_QUESTION];
    int  rc = IOT_Get_Config(client, question, sizeof(question), REPLY_MS);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("no reply of the cloud: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static bool run(void *client, const Options *options)
{
    /* In use until the client is destroyed. */
    static char                    json[MAX_JSON];
    static ConfigSubscirbeUserData data = {on_config, sizeof(json), json};
    unsigned                       round;
    bool                           ok = subscribe(client, &data) && ask(client);

    for (round = 1; ok && round <= options->rounds; round++) {
        int rc = IOT_MQTT_Yield(client, YIELD_MS);

        /* While the client connects again by itself, driving it goes on. */
        ok = rc >= 0 || rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT;
        if (ok && round % ASK_ROUNDS == 0) {
            /* Without a reply there will be another minute. */
            ask(client);
        }
    }
    return ok;
}

static bool parse(int argc, char **argv, Options *options)
{
    int option;

    while ((option = utils_getopt(argc, argv, "c:l:")) != -1) {
        switch (option) {
            case 'c':
                options->dev_info_file = utils_optarg;
                break;
            case 'l':
                options->rounds = (unsigned)strtoul(utils_optarg, NULL, 10);
                break;
            default:
                printf("Usage: %s [options]\n"
                       "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
                       "  -l COUNT  rounds of half a second (default: 1)\n",
                       argv[0]);
                return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    Options    options = {NULL, 1};
    DeviceInfo dev;
    void      *client;
    bool       ok;
    int        rc;

    IOT_Log_Set_Level(eLOG_INFO);
    if (!parse(argc, argv, &options)) {
        return EXIT_FAILURE;
    }
    if (options.dev_info_file != NULL) {
        HAL_SetDevInfoFile(options.dev_info_file);
    }
    rc = HAL_GetDevInfo(&dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    client = connect_device(&dev);
    if (client == NULL) {
        return EXIT_FAILURE;
    }
    ok = run(client, &options);
    return IOT_MQTT_Destroy(&client) == QCLOUD_RET_SUCCESS && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
