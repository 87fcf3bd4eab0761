/*
 * A device whose cloud keeps its state: gets the document, then reports a counter again and again. What somebody wants
 * changed in the cloud ("desired") arrives as a delta; the sample takes it over and says so.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define REQUEST_MS   5000
#define YIELD_MS     200
#define MAX_DOCUMENT 200

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    unsigned count;
    bool     loop_thread; /* a thread of the library drives the connection */
} Options;

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

/* The value is in the property already. */
static void on_delta(void *shadow, const char *state, uint32_t length, DeviceProperty *property)
{
    (void)shadow;
    Log_i("wanted: %.*s", (int)length, state);
    property->delta_arrived = true;
}

static void on_update(void *shadow, Method method, RequestAck ack, const char *reply, void *context)
{
    (void)shadow;
    (void)method;
    Log_i("%s: %s %s", (const char *)context,
          ack == ACK_ACCEPTED   ? "accepted"
          : ack == ACK_REJECTED ? "rejected"
                                : "no reply",
          reply);
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
        Log_e("the shadow could not connect: %d", IOT_MQTT_GetErrCode());
    }
    return shadow;
}

static bool start_loop(void *shadow)
{
#ifdef MULTITHREAD_ENABLED
    int rc = IOT_MQTT_StartLoop(IOT_Shadow_Get_Mqtt_Client(shadow));

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("no loop thread: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
#else
    (void)shadow;
    Log_w("this library has no loop thread");
    return true;
#endif
}

/* What was desired is done: the cloud forgets it. */
static bool clear_desired(void *shadow)
{
    char document[MAX_DOCUMENT];
    int  rc = IOT_Shadow_JSON_ConstructDesireAllNull(shadow, document, sizeof(document));

    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Update(shadow, document, sizeof(document), on_update, "clearing what was desired", REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("what was desired could not be cleared: %d", rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

static bool report(void *shadow, DeviceProperty *property)
{
    char document[MAX_DOCUMENT];
    int  rc = IOT_Shadow_JSON_ConstructReport(shadow, document, sizeof(document), 1, property);

    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_Shadow_Update_Sync(shadow, document, sizeof(document), REQUEST_MS);
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("%s could not be reported: %d", property->key, rc);
    }
    return rc == QCLOUD_RET_SUCCESS;
}

/* The property must live until the shadow has ended: without a link it can't be unregistered. */
static bool run(void *shadow, DeviceProperty *property, unsigned count)
{
    int32_t *updates = property->data;
    unsigned number;
    int      rc = IOT_Shadow_Register_Property(shadow, property, on_delta);

    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("%s could not be registered: %d", property->key, rc);
        return false;
    }
    rc = IOT_Shadow_Get_Sync(shadow, REQUEST_MS);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("no document of the cloud: %d", rc);
        return false;
    }
    for (number = 0; number < count; number++) {
        rc = IOT_Shadow_Yield(shadow, YIELD_MS);
        if (rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT) {
            continue;
        }
        if (rc < 0) {
            Log_e("the connection ended: %d", rc);
            return false;
        }
        if (property->delta_arrived) {
            property->delta_arrived = false;
            if (!clear_desired(shadow)) {
                return false;
            }
        } else {
            (*updates)++;
        }
        if (!report(shadow, property)) {
            return false;
        }
        Log_i("reported: %s is %" PRId32, property->key, *updates);
    }
    rc = IOT_Shadow_UnRegister_Property(shadow, property);
    return rc == QCLOUD_RET_SUCCESS;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
           "  -l COUNT  reports to send (default: 3)\n"
           "  -t        with the loop thread, where the library has it\n",
           program);
}

static bool parse(int argc, char **argv, Options *options)
{
    int option;

    while ((option = utils_getopt(argc, argv, "c:l:t")) != -1) {
        switch (option) {
            case 'c':
                options->dev_info_file = utils_optarg;
                break;
            case 'l':
                options->count = (unsigned)strtoul(utils_optarg, NULL, 10);
                break;
            case 't':
                options->loop_thread = true;
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
    Options        options  = {NULL, 3, false};
    int32_t        updates  = 0;
    DeviceProperty property = {"updateCount", &updates, JINT32, false};
    DeviceInfo     dev;
    void          *shadow;
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
    shadow = connect_shadow(&dev);
    if (shadow == NULL) {
        return EXIT_FAILURE;
    }
    ok = (!options.loop_thread || start_loop(shadow)) && run(shadow, &property, options.count);
    return IOT_Shadow_Destroy(shadow) == QCLOUD_RET_SUCCESS && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
