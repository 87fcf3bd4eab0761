/*
 * How much stack the TLS handshakes of our platform use: MQTT by pre-shared key, and a download by HTTPS whose chain of
 * certificates is verified. Each call runs on a thread whose stack was painted before. The name look-up is not measured:
 * the hub is at an address. A whole upgrade; run by tests/platform/with_hub.sh.
 *
 *   stack_tls MQTT_BOUND HTTPS_BOUND      (bytes)
 */

#define _DEFAULT_SOURCE

#include <stdlib.h>

#include "check.h"
#include "painted.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"

#define HANDSHAKE_AT_LEAST 6000
/* Rounds of Yield(100) until something that must come has come. */
#define PATIENCE 200

static size_t base; /* what a thread uses that does nothing */

static DeviceInfo device;
static void      *client, *ota;
static uint32_t   size;
static unsigned   acks;

/* Fails if `body` uses more than `bound`, or less than any handshake needs: then that was elsewhere. */
static void measure(const char *name, void *(*body)(void *), size_t bound)
{
    size_t  used;
    Painted painted;

    painted_start(&painted, body, NULL);
    used = painted_join(&painted);
    used = used > base ? used - base : 0;
    printf("%6zu  %s, of %zu\n", used, name, bound);
    CHECK(used >= HANDSHAKE_AT_LEAST);
    CHECK(used <= bound);
}

static void *nothing(void *unused)
{
    return unused;
}

static void on_event(void *handle, void *context, MQTTEventMsg *event)
{
    (void)handle;
    (void)context;
    acks += event->event_type == MQTT_EVENT_PUBLISH_SUCCESS;
}

static void *construct(void *unused)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id        = device.product_id;
    params.device_name       = device.device_name;
    params.device_secret     = device.device_secret;
    params.event_handle.h_fp = on_event;
    client                   = IOT_MQTT_Construct(&params);
    CHECK(client != NULL);
    return unused;
}

static void *start_download(void *unused)
{
    CHECK_INT(IOT_OTA_StartDownload(ota, 0, size), 0);
    return unused;
}

static void fetch(void)
{
    static char block[4096];
    int         count = 0;

    while (count >= 0 && !IOT_OTA_IsFetchFinish(ota)) {
        count = IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
    }
    CHECK(count >= 0);
}

#define UNTIL(condition)                                                 \
    do {                                                                 \
        for (int round = 0; round < PATIENCE && !(condition); round++) { \
            IOT_MQTT_Yield(client, 100);                                 \
        }                                                                \
        CHECK(condition);                                                \
    } while (0)

int main(int argc, char **argv)
{
    size_t  mqtt_bound  = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    size_t  https_bound = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    Painted idle;

    if (mqtt_bound == 0 || https_bound == 0) {
        fprintf(stderr, "usage: stack_tls MQTT_BOUND HTTPS_BOUND\n");
        return 2;
    }
    IOT_Log_Set_Level(eLOG_ERROR);
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    painted_start(&idle, nothing, NULL);
    painted_join(&idle);
    painted_start(&idle, nothing, NULL);
    base = painted_join(&idle);
    printf("bytes of stack, besides the %zu of a thread that does nothing\n", base);

    measure("IOT_MQTT_Construct, by pre-shared key", construct, mqtt_bound);
    if (client == NULL) {
        return check_result();
    }
    ota = IOT_OTA_Init(device.product_id, device.device_name, client);
    CHECK(ota != NULL);
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") >= 0);
    UNTIL(IOT_OTA_IsFetching(ota));
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)), 0);
    measure("IOT_OTA_StartDownload, HTTPS", start_download, https_bound);
    fetch();
    UNTIL(acks >= 1);
    acks = 0;
    CHECK(IOT_OTA_ReportUpgradeBegin(ota) >= 0);
    CHECK(IOT_OTA_ReportUpgradeSuccess(ota, NULL) >= 0);
    UNTIL(acks == 2);
    CHECK_INT(IOT_OTA_Destroy(ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    return check_result();
}
