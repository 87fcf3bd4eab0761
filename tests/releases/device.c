/*
 * A firmware as it was written for a release before 3.2.3, compiled against what that release had (abi.h, ../abi/releases.py):
 * it reports to its shadow, opens and closes a gateway, and takes an upgrade, on the default platform. Behind each struct that
 * was shorter then lies memory of its own.
 */

#include "checks.h"

#include <stdio.h>
#include <string.h>

#include "abi.h"

#define BLOCK    5000
#define PATIENCE 600 /* rounds of 100 ms until something that must come has come */

static GUARDED(DeviceInfo, device);
static GUARDED(MQTTInitParams, mqtt);
static GUARDED(ShadowInitParams, shadow);
static GUARDED(GatewayInitParam, gateway);

#ifdef AUTH_MODE_CERT
static char cert_file[160], key_file[160];
#endif

static int acknowledged;

static void on_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    CHECK(context == &acknowledged);
    acknowledged += event->event_type == MQTT_EVENT_PUBLISH_SUCCESS;
}

/* What the init params of all services have in common. */
#define IDENTIFY(params)                                          \
    do {                                                          \
        (params).product_id           = device.value.product_id;  \
        (params).device_name          = device.value.device_name; \
        (params).event_handle.h_fp    = on_event;                 \
        (params).event_handle.context = &acknowledged;            \
        PROVE(params);                                            \
    } while (0)
#if !defined(AUTH_MODE_CERT)
#define PROVE(params) ((params).device_secret = device.value.device_secret)
#elif defined(PATHS_ARE_POINTERS)
#define PROVE(params) ((params).cert_file = cert_file, (params).key_file = key_file)
#else
#define PROVE(params) (strcpy((params).cert_file, cert_file), strcpy((params).key_file, key_file))
#endif

static void get_identity(void)
{
    guard(&device, sizeof(device));
    CHECK(HAL_GetDevInfo(&device.value) == QCLOUD_RET_SUCCESS);
    CHECK(strlen(device.value.product_id) == 10 && strlen(device.value.device_name) > 0);
    CHECK(guards_stand(&device, sizeof(device)));
#ifdef AUTH_MODE_CERT
    snprintf(cert_file, sizeof(cert_file), "certs/%s", device.value.dev_cert_file_name);
    snprintf(key_file, sizeof(key_file), "certs/%s", device.value.dev_key_file_name);
#endif
}

static void report_to_the_shadow(void)
{
    ShadowInitParams defaults = DEFAULT_SHAWDOW_INIT_PARAMS;
    DeviceProperty   property;
    char             document[256];
    int              count = 7;
    void            *client;

    guard(&shadow, sizeof(shadow));
    shadow.value = defaults;
    IDENTIFY(shadow.value);
    client = IOT_Shadow_Construct(&shadow.value);
    CHECK(client != NULL && guards_stand(&shadow, sizeof(shadow)));
    if (client == NULL) {
        return;
    }
    memset(&property, 0, sizeof(property));
    property.key  = (char *)"count";
    property.data = &count;
    property.type = JINT32;
    CHECK(IOT_Shadow_JSON_ConstructReport(client, document, sizeof(document), 1, &property) == QCLOUD_RET_SUCCESS);
    CHECK(IOT_Shadow_Update_Sync(client, document, sizeof(document), 10000) == QCLOUD_RET_SUCCESS);
    CHECK(IOT_Shadow_Get_Sync(client, 10000) == QCLOUD_RET_SUCCESS);
    CHECK(IOT_Shadow_Destroy(client) == QCLOUD_RET_SUCCESS);
}

static void open_a_gateway(void)
{
    GatewayInitParam defaults = DEFAULT_GATEWAY_INIT_PARAMS;
    void            *client;

    guard(&gateway, sizeof(gateway));
    gateway.value = defaults;
    IDENTIFY(gateway.value.init_param);
    gateway.value.event_context = &acknowledged;
    client                      = IOT_Gateway_Construct(&gateway.value);
    CHECK(client != NULL && guards_stand(&gateway, sizeof(gateway)));
    if (client != NULL) {
        CHECK(gateway.value.event_context == &acknowledged && gateway.value.event_handler == NULL);
        CHECK(IOT_Gateway_Yield(client, 10) == QCLOUD_RET_SUCCESS);
        CHECK(IOT_Gateway_Destroy(client) == QCLOUD_RET_SUCCESS);
    }
}

static void wait_for(void *client, int count)
{
    for (int round = 0; round < PATIENCE && acknowledged < count; round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(acknowledged >= count);
}

static void take_an_upgrade(void)
{
    MQTTInitParams defaults = DEFAULT_MQTTINIT_PARAMS;
    char           block[BLOCK], version[33] = "";
    uint32_t       size = 0, fetched = 0, right = 0;
    int            count = 0;
    void          *client, *ota;

    guard(&mqtt, sizeof(mqtt));
    mqtt.value = defaults;
    IDENTIFY(mqtt.value);
    client = IOT_MQTT_Construct(&mqtt.value);
    CHECK(client != NULL && guards_stand(&mqtt, sizeof(mqtt)));
    ota = IOT_OTA_Init(device.value.product_id, device.value.device_name, client);
    CHECK(ota != NULL);
    if (ota == NULL) {
        return;
    }
    acknowledged = 0;
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") > 0);
    for (int round = 0; round < PATIENCE && !IOT_OTA_IsFetching(ota); round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_VERSION, version, sizeof(version)) == QCLOUD_RET_SUCCESS);
    CHECK(strcmp(version, "2.0.0") == 0);
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)) == QCLOUD_RET_SUCCESS);
    CHECK(IOT_OTA_StartDownload(ota, 0, size) == QCLOUD_RET_SUCCESS);
    while (count >= 0 && !IOT_OTA_IsFetchFinish(ota)) {
        count = IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
        IOT_MQTT_Yield(client, 1);
    }
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_FETCHED_SIZE, &fetched, sizeof(fetched)) == QCLOUD_RET_SUCCESS &&
          fetched == size);
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)) == QCLOUD_RET_SUCCESS && right == 1);
    wait_for(client, 1);
    /* The hub ends the program once it has heard the result. */
    if (checks_result() == 0) {
        CHECK(IOT_OTA_ReportUpgradeSuccess(ota, NULL) > 0);
    } else {
        CHECK(IOT_OTA_ReportUpgradeFail(ota, NULL) > 0);
    }
    wait_for(client, INT32_MAX);
}

#ifdef PATHS_ARE_POINTERS
static int refusals;

static bool on_line(const char *line)
{
    refusals += strncmp(line, "ERR|", 4) == 0 && strstr(line, "cert_file and key_file are pointers") != NULL;
    return false;
}

/* Structs of 3.1 with certificates are far shorter than today's: each is refused, and nothing is written behind it. */
static int be_refused(void)
{
    struct {
        MQTTInitParams   mqtt;
        ShadowInitParams shadow;
        GatewayInitParam gateway;
        char             behind[1024];
    } params, before;

    memset(&params, 0x5a, sizeof(params));
    IDENTIFY(params.mqtt);
    IDENTIFY(params.shadow);
    IDENTIFY(params.gateway.init_param);
    memcpy(&before, &params, sizeof(params));
    IOT_Log_Set_MessageHandler(on_line);
    CHECK(IOT_MQTT_Construct(&params.mqtt) == NULL);
    CHECK(IOT_Shadow_Construct(&params.shadow) == NULL);
    CHECK(IOT_Gateway_Construct(&params.gateway) == NULL);
    CHECK(refusals == 3);
    CHECK(memcmp(&before, &params, sizeof(params)) == 0);
    return checks_result();
}
#endif

int main(void)
{
    /* The hub ends the program, and what it has said must be out. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    IOT_Log_Set_Level(eLOG_INFO);
    get_identity();
#ifdef PATHS_ARE_POINTERS
    return be_refused();
#endif
    report_to_the_shadow();
    open_a_gateway();
    take_an_upgrade();
    return checks_result();
}
