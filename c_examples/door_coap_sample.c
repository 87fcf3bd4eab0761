/*
 * A door that tells the air conditioner who comes, over CoAP: posts {"action": "come_home", "targetDevice": NAME} to
 * <product id>/<device name>/event, from where a rule of the cloud takes it on, waits for 200 ms and ends.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "qcloud_iot_export_coap.h"
#include "utils_getopt.h"

#define YIELD_MS    200
#define MAX_TOPIC   128
#define MAX_MESSAGE 128

static void on_coap_event(void *context, CoAPEventMessage *event)
{
    (void)context;
    if (event->event_type < 0) {
        Log_e("the message did not arrive: event %d", event->event_type);
    } else {
        Log_i("the message arrived");
    }
}

static void *connect_door(DeviceInfo *dev)
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

int main(int argc, char **argv)
{
    const char   *target = "air_conditioner";
    SendMsgParams params = DEFAULT_SENDMSG_PARAMS;
    char          topic[MAX_TOPIC + 1];
    char          message[MAX_MESSAGE];
    DeviceInfo    dev;
    void         *client;
    int           option;
    int           rc;
    int           id;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:t:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 't' && strlen(utils_optarg) <= MAX_SIZE_OF_DEVICE_NAME) {
            target = utils_optarg;
        } else {
            printf("Usage: %s [-c FILE] [-t NAME]\n"
                   "  -c FILE  the door's identity (default: the platform's device_info.json)\n"
                   "  -t NAME  the air conditioner (default: air_conditioner)\n",
                   argv[0]);
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
        Log_e("the door could not connect");
        return EXIT_FAILURE;
    }
    snprintf(topic, sizeof(topic), "%s/%s/event", dev.product_id, dev.device_name);
    snprintf(message, sizeof(message), "{\"action\": \"come_home\", \"targetDevice\": \"%s\"}", target);
    params.pay_load     = message;
    params.pay_load_len = strlen(message);
    id                  = IOT_COAP_SendMessage(client, topic, &params);
    if (id < 0) {
        Log_e("come_home could not be sent: %d", id);
    } else {
        IOT_COAP_Yield(client, YIELD_MS);
    }
    IOT_COAP_Destroy(&client);
    return id < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
