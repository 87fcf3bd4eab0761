/*
 * A device whose SSH server the cloud may reach (interface of the C SDK 3.3.0): connects, lets the cloud open a tunnel to port
 * 22 of this machine, and drives the client until it is told to stop (SIGINT, SIGTERM), or for some rounds of half a second.
 * It prints "the cloud may open an SSH tunnel"; the library says when there is one.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define YIELD_MS 500

static volatile sig_atomic_t is_to_stop;

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    unsigned rounds;        /* 0: until a signal comes */
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

static void on_signal(int number)
{
    (void)number;
    is_to_stop = 1;
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

static bool run(void *client, const Options *options)
{
    unsigned round;
    int      rc = IOT_Ssh_enable(client);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the cloud may not open an SSH tunnel: %d", rc);
        return false;
    }
    Log_i("the cloud may open an SSH tunnel");
    for (round = 0; !is_to_stop && (options->rounds == 0 || round < options->rounds); round++) {
        rc = IOT_MQTT_Yield(client, YIELD_MS);
        /* While the client connects again by itself, driving it goes on. */
        if (rc < 0 && rc != QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT) {
            Log_e("the client could not be driven: %d", rc);
            return false;
        }
    }
    return true;
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
                       "  -l COUNT  rounds of half a second (default: until a signal comes)\n",
                       argv[0]);
                return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    Options    options = {NULL, 0};
    DeviceInfo dev;
    void      *client;
    bool       ok;
    int        rc;

    IOT_Log_Set_Level(eLOG_INFO);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
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
