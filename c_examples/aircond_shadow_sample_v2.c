/*
 * The air conditioner of aircond_shadow_sample.c, one request after the other: each waits for its reply, and documents are
 * made from an array of properties. It prints what is desired, each step's temperatures, and what was reported.
 *
 * Messages on <product id>/<device name>/control switch it on and off ({"action": "come_home"} or {"action": "leave_home"}).
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

enum { WANTED, ROOM, PROPERTIES };

typedef struct {
    void          *shadow;
    bool           is_on;
    float          degrees[PROPERTIES];
    DeviceProperty properties[PROPERTIES];
} AirCond;

static void on_control(void *client, MQTTMessage *message, void *context)
{
    AirCond *aircond = context;
    char    *action  = LITE_json_value_of("action", (char *)message->payload);

    (void)client;
    if (action != NULL) {
        aircond->is_on = strcmp(action, "come_home") == 0;
        Log_i("%s: switched %s", action, aircond->is_on ? "on" : "off");
        HAL_Free(action);
    }
}

/* The value is in the property already. */
static void on_desire(void *shadow, const char *state, uint32_t length, DeviceProperty *property)
{
    (void)shadow;
    Log_i("desired: %.*s", (int)length, state);
    property->delta_arrived = true;
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
    shadow = IOT_Shadow_Construct(&init);
    if (shadow == NULL) {
        Log_e("the air conditioner could not connect: %d", IOT_MQTT_GetErrCode());
    }
    return shadow;
}

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
    if (rc >= 0) {
        rc = IOT_Shadow_Register_Property(aircond->shadow, &aircond->properties[WANTED], on_desire);
    }
    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Get_Sync(aircond->shadow, REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("no document of the cloud: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static bool update(AirCond *aircond, char *document, size_t size, int built)
{
    int rc = built == QCLOUD_RET_SUCCESS ? IOT_Shadow_Update_Sync(aircond->shadow, document, size, REQUEST_MS) : built;

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("the shadow could not be updated: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static bool report(AirCond *aircond)
{
    DeviceProperty *wanted       = &aircond->properties[WANTED];
    DeviceProperty *properties[] = {wanted, &aircond->properties[ROOM]};
    char            document[MAX_DOCUMENT];

    if (wanted->delta_arrived) {
        wanted->delta_arrived = false;
        if (!update(aircond, document, sizeof(document),
                    IOT_Shadow_JSON_ConstructDesireAllNull(aircond->shadow, document, sizeof(document)))) {
            return false;
        }
    }
    if (!update(aircond, document, sizeof(document),
                IOT_Shadow_JSON_ConstructReportArray(aircond->shadow, document, sizeof(document), PROPERTIES,
                                                     properties))) {
        return false;
    }
    Log_i("reported: wanted %.1f, room %.1f", (double)aircond->degrees[WANTED], (double)aircond->degrees[ROOM]);
    return true;
}

static void step(AirCond *aircond)
{
    float *room = &aircond->degrees[ROOM];

    if (aircond->is_on && *room < aircond->degrees[WANTED]) {
        *room += STEP_DEGREES;
    } else if (aircond->is_on && *room > aircond->degrees[WANTED]) {
        *room -= STEP_DEGREES;
    }
}

static bool run(AirCond *aircond, DeviceInfo *dev, unsigned count)
{
    unsigned number;
    bool     ok = begin(aircond, dev);

    for (number = 0; ok && number < count; number++) {
        int rc;

        step(aircond);
        ok = report(aircond);
        rc = IOT_Shadow_Yield(aircond->shadow, YIELD_MS);
        ok = ok && (rc >= 0 || rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT);
    }
    return ok;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
           "  -l COUNT  steps (default: 5)\n",
           program);
}

int main(int argc, char **argv)
{
    AirCond        aircond = {.is_on = true, .degrees = {20.0f, 20.0f}};
    DeviceProperty wanted  = {"temperatureDesire", &aircond.degrees[WANTED], JFLOAT, false};
    DeviceProperty room    = {"temperature", &aircond.degrees[ROOM], JFLOAT, false};
    DeviceInfo     dev;
    unsigned       count = 5;
    int            option;
    int            rc;
    bool           ok;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:l:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 'l') {
            count = (unsigned)strtoul(utils_optarg, NULL, 10);
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
    aircond.properties[WANTED] = wanted;
    aircond.properties[ROOM]   = room;
    aircond.shadow             = connect_shadow(&dev);
    if (aircond.shadow == NULL) {
        return EXIT_FAILURE;
    }
    ok = run(&aircond, &dev, count);
    return IOT_Shadow_Destroy(aircond.shadow) == QCLOUD_RET_SUCCESS && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
