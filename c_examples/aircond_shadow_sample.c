/*
 * An air conditioner. The cloud says which temperature is desired, in its shadow; the device reports it as taken over, cools
 * or heats the room by one degree a step, and reports the room's temperature. Messages on <product id>/<device name>/control
 * switch it on and off.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define REQUEST_MS   5000
#define YIELD_MS     200
#define STEP_DEGREES 1.0f
#define MAX_DOCUMENT 256
#define MAX_TOPIC    128

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    unsigned count;
} Options;

typedef struct {
    void          *shadow;
    bool           is_on;
    bool           is_known; /* the cloud's document has come */
    bool           failed;
    float          room;
    float          wanted;
    DeviceProperty desire; /* of wanted */
    DeviceProperty report; /* of room */
} AirCond;

static void on_mqtt_event(void *shadow, void *context, MQTTEventMsg *event)
{
    (void)shadow;
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

static void on_control(void *client, MQTTMessage *message, void *context)
{
    AirCond *aircond = context;
    char    *action  = LITE_json_value_of("action", (char *)message->payload);

    (void)client;
    if (action == NULL) {
        Log_w("a control message without action");
        return;
    }
    aircond->is_on = strcmp(action, "off") != 0;
    Log_i("switched %s", aircond->is_on ? "on" : "off");
    HAL_Free(action);
}

/* The value is in the property already. */
static void on_desire(void *shadow, const char *state, uint32_t length, DeviceProperty *property)
{
    (void)shadow;
    Log_i("desired: %.*s", (int)length, state);
    property->delta_arrived = true;
}

static void on_get(void *shadow, Method method, RequestAck ack, const char *reply, void *context)
{
    AirCond *aircond = context;

    (void)shadow;
    (void)method;
    aircond->is_known = ack == ACK_ACCEPTED;
    aircond->failed   = ack != ACK_ACCEPTED;
    Log_i("the cloud's document: %s", ack == ACK_ACCEPTED ? reply : "none");
}

static void on_update(void *shadow, Method method, RequestAck ack, const char *reply, void *context)
{
    AirCond *aircond = context;

    (void)shadow;
    (void)method;
    if (ack != ACK_ACCEPTED) {
        Log_e("a report was not taken (%d): %s", (int)ack, reply);
        aircond->failed = true;
    }
}

static void *connect_shadow(DeviceInfo *dev)
{
    ShadowInitParams init = DEFAULT_SHAWDOW_INIT_PARAMS;
    void            *shadow;

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

    shadow = IOT_Shadow_Construct(&init);
    if (shadow == NULL) {
        Log_e("the air conditioner could not connect: %d", IOT_MQTT_GetErrCode());
    }
    return shadow;
}

/* Watches the desired temperature and the control messages, and asks for what was desired before. */
static bool begin(AirCond *aircond, DeviceInfo *dev)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    char            topic[MAX_TOPIC + 1];
    int             rc;

    snprintf(topic, sizeof(topic), "%s/%s/control", dev->product_id, dev->device_name);
    params.qos                = QOS1;
    params.on_message_handler = on_control;
    params.user_data          = aircond;
    rc                        = IOT_Shadow_Subscribe(aircond->shadow, topic, &params);
    if (rc < 0) {
        Log_e("subscription to %s could not be sent: %d", topic, rc);
        return false;
    }
    rc = IOT_Shadow_Register_Property(aircond->shadow, &aircond->desire, on_desire);
    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Get(aircond->shadow, on_get, aircond, REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the cloud's document could not be asked for: %d", rc);
        return false;
    }
    while (!aircond->is_known && !aircond->failed) {
        IOT_Shadow_Yield(aircond->shadow, YIELD_MS);
    }
    return aircond->is_known;
}

static bool report(AirCond *aircond)
{
    char document[MAX_DOCUMENT];
    int  rc;

    if (aircond->desire.delta_arrived) {
        aircond->desire.delta_arrived = false;
        rc = IOT_Shadow_JSON_ConstructReportAndDesireAllNull(aircond->shadow, document, sizeof(document), 2,
                                                             &aircond->desire, &aircond->report);
    } else {
        rc = IOT_Shadow_JSON_ConstructReport(aircond->shadow, document, sizeof(document), 1, &aircond->report);
    }
    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Update(aircond->shadow, document, sizeof(document), on_update, aircond, REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the temperature could not be reported: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static void step(AirCond *aircond)
{
    if (aircond->is_on && aircond->room < aircond->wanted) {
        aircond->room += STEP_DEGREES;
    } else if (aircond->is_on && aircond->room > aircond->wanted) {
        aircond->room -= STEP_DEGREES;
    }
    Log_i("room %.1f, wanted %.1f", (double)aircond->room, (double)aircond->wanted);
}

static bool run(AirCond *aircond, unsigned count)
{
    unsigned number;

    for (number = 0; number < count; number++) {
        int rc;

        step(aircond);
        if (IOT_Shadow_IsConnected(aircond->shadow) && !report(aircond)) {
            return false;
        }
        rc = IOT_Shadow_Yield(aircond->shadow, YIELD_MS);
        if (aircond->failed || (rc < 0 && rc != QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT)) {
            return false;
        }
    }
    return true;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
           "  -l COUNT  steps (default: 5)\n",
           program);
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
    Options        options      = {NULL, 5};
    AirCond        aircond      = {NULL, true, false, false, 20.0f, 20.0f, {0}, {0}};
    DeviceProperty desire       = {"temperatureDesire", &aircond.wanted, JFLOAT, false};
    DeviceProperty room_reports = {"temperature", &aircond.room, JFLOAT, false};
    DeviceInfo     dev;
    bool           ok;
    int            rc;

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
    aircond.desire = desire;
    aircond.report = room_reports;
    aircond.shadow = connect_shadow(&dev);
    if (aircond.shadow == NULL) {
        return EXIT_FAILURE;
    }
    ok = begin(&aircond, &dev) && run(&aircond, options.count);
    return IOT_Shadow_Destroy(aircond.shadow) == QCLOUD_RET_SUCCESS && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
