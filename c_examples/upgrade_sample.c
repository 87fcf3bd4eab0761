/*
 * A signed upgrade into the other of two slots, which takes itself back unless the new firmware says that it works
 * (docs/upgrade.md section 8). Built with FEATURE_UPGRADE.
 *
 *   upgrade_sample VERSION PUBLIC_KEYS [-]
 *
 * VERSION is the one that runs, PUBLIC_KEYS are 64 hex digits each, a comma between them. The current folder has
 * device_info.json, the slots a and b, and the link current to the one that runs and starts next; the file record keeps how
 * far an upgrade is. Who starts ./current again each time it has ended is the boot loader. The sample ends with 3 where the
 * device is to be started again, with 1 where it can't go on. On trial it confirms itself: it has reached the cloud. With -
 * it ends instead, as firmware that does not work.
 *
 * Prints a line for each event: what it is, the cause (an IOT_Upgrade_Cause), how much is stored, the ordered version.
 *
 *   found      cause  0    0 %  2.0.0      the cloud has ordered it; it is accepted
 *   stored     cause  0   50 %
 *   verified   cause  0    0 %             signature, product, version and image are right
 *   restart    cause  0    0 %             the other slot starts next; with a cause, the former one
 *   on trial   cause  0    0 %
 *   confirmed  cause  0    0 %             or failed, with the cause
 */

#include <stdio.h>

#include "qcloud_iot_export.h"
#include "qcloud_iot_export_upgrade.h"

/* What the firmware is and does. */
typedef struct {
    void *upgrade;
    bool  works;
    int   exit_code; /* 0: goes on */
} Firmware;

static void on_event(void *context, const IOT_Upgrade_Event *event)
{
    static const char *const names[]  = {"found", "stored", "verified", "restart", "on trial", "failed", "confirmed"};
    Firmware                *firmware = context;

    printf("%-9s  cause %2d  %3u %%  %s\n", names[event->event_type], event->cause, event->percent, event->version);
    if (event->event_type == IOT_UPGRADE_FOUND) {
        IOT_Upgrade_Accept(firmware->upgrade);
    } else if (event->event_type == IOT_UPGRADE_RESTART) {
        firmware->exit_code = 3;
    } else if (event->event_type == IOT_UPGRADE_TRIAL) {
        /* A device would look first whether all it is there for works. */
        firmware->exit_code = !firmware->works || IOT_Upgrade_ConfirmRunning(firmware->upgrade) != 0;
    }
}

int main(int argc, char **argv)
{
    Firmware           firmware = {NULL, argc == 3, 0};
    IOT_Upgrade_Pair   pair     = {{"a", "b"}, "record", "current", NULL, 0, NULL};
    IOT_Upgrade_Params params   = {0};
    MQTTInitParams     mqtt     = DEFAULT_MQTTINIT_PARAMS;
    DeviceInfo         device;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (argc < 3 || HAL_GetDevInfo(&device) != QCLOUD_RET_SUCCESS) {
        printf("Usage: %s VERSION PUBLIC_KEYS [-], with a device_info.json in the folder\n", argv[0]);
        return 1;
    }
    mqtt.product_id  = device.product_id;
    mqtt.device_name = device.device_name;
#ifdef MAX_SIZE_OF_REGION
    mqtt.region = device.region;
#endif
#ifdef AUTH_MODE_CERT
    snprintf(mqtt.cert_file, sizeof(mqtt.cert_file), "certs/%s", device.dev_cert_file_name);
    snprintf(mqtt.key_file, sizeof(mqtt.key_file), "certs/%s", device.dev_key_file_name);
#else
    mqtt.device_secret = device.device_secret;
#endif
    params.client      = IOT_MQTT_Construct(&mqtt);
    params.version     = argv[1];
    params.public_keys = argv[2];
    params.pair        = &pair;
    params.on_event    = on_event;
    params.context     = &firmware;
    firmware.upgrade   = IOT_Upgrade_Init(&params);
    firmware.exit_code = firmware.upgrade == NULL;
    while (firmware.exit_code == 0) {
        IOT_Upgrade_Yield(firmware.upgrade, 500);
    }
    IOT_Upgrade_Destroy(firmware.upgrade);
    IOT_MQTT_Destroy(&params.client);
    return firmware.exit_code;
}
