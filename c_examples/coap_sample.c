/*
 * A message to the cloud over CoAP: posts {"action":"hello world"} to <product id>/<device name>/data and prints when the cloud
 * has it. With "loop" it goes on, a message every five seconds.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "qcloud_iot_export_coap.h"
#include "utils_getopt.h"

#define YIELD_MS     200
#define ACK_LIMIT_MS 20000
#define PAUSE_MS     5000
#define MAX_TOPIC    128

static int g_ended; /* the message that ended last */
static int g_event; /* and how */

static void on_coap_event(void *context, CoAPEventMessage *event)
{
    (void)context;
    g_event = event->event_type;
    /* With content comes the message itself, else its id. */
    g_ended = event->event_type == COAP_EVENT_RECEIVE_RESPCONTENT ? IOT_COAP_GetMessageId(event->message)
                                                                  : (int)(uintptr_t)event->message;
}

static void *connect_device(DeviceInfo *dev)
{
    CoAPInitParams init = DEFAULT_COAPINIT_PARAMS;

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
    init.command_timeout   = 5000;
    init.max_retry_count   = 3;
    init.event_handle.h_fp = on_coap_event;
    return IOT_COAP_Construct(&init);
}

/* Whether the cloud has it. */
static bool post(void *client, DeviceInfo *dev)
{
    SendMsgParams params    = DEFAULT_SENDMSG_PARAMS;
    char          message[] = "{\"action\":\"hello world\"}";
    char          topic[MAX_TOPIC + 1];
    uint32_t      start;
    int           id;

    snprintf(topic, sizeof(topic), "%s/%s/data", dev->product_id, dev->device_name);
    params.pay_load     = message;
    params.pay_load_len = strlen(message);
    id                  = IOT_COAP_SendMessage(client, topic, &params);
    if (id < 0) {
        Log_e("the message could not be sent: %d", id);
        return false;
    }
    start = HAL_GetTimeMs();
    while (g_ended != id && HAL_GetTimeMs() - start < ACK_LIMIT_MS) {
        if (IOT_COAP_Yield(client, YIELD_MS) != QCLOUD_RET_SUCCESS) {
            break;
        }
    }
    if (g_ended != id || g_event < 0) {
        Log_e("message %d did not arrive: event %d", id, g_ended == id ? g_event : COAP_EVENT_ACK_TIMEOUT);
        return false;
    }
    Log_i("message %d arrived", id);
    return true;
}

int main(int argc, char **argv)
{
    DeviceInfo dev;
    void      *client;
    bool       ok;
    int        option;
    int        rc;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:")) != -1) {
        if (option != 'c') {
            printf("Usage: %s [-c FILE] [loop]\n"
                   "  -c FILE  the device's identity (default: the platform's device_info.json)\n",
                   argv[0]);
            return EXIT_FAILURE;
        }
        HAL_SetDevInfoFile(utils_optarg);
    }
    rc = HAL_GetDevInfo(&dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    client = connect_device(&dev);
    if (client == NULL) {
        Log_e("the device could not connect");
        return EXIT_FAILURE;
    }
    ok = post(client, &dev);
    while (ok && argc > 1 && strcmp(argv[argc - 1], "loop") == 0) {
        HAL_SleepMs(PAUSE_MS);
        ok = post(client, &dev);
    }
    IOT_COAP_Destroy(&client);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
