/* Compiled against the contract's data (abi.h): MQTT and OTA through the structs of an old object, on old_hal.c. */

#include "checks.h"

#include <stdio.h>
#include <string.h>

#include "abi.h"
#include "old_hal.h"

static struct {
    int      acknowledged; /* packet id of the last */
    int      subscribed;
    int      messages;
    QoS      qos;
    uint16_t id;
    char     topic[32];
    char     payload[32];
    void    *user_data;
    void    *context;
} got;

static void on_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    got.context = context;
    if (event->event_type == MQTT_EVENT_PUBLISH_SUCCESS) {
        got.acknowledged = (int)(uintptr_t)event->msg;
    } else if (event->event_type == MQTT_EVENT_SUBCRIBE_SUCCESS) {
        got.subscribed = (int)(uintptr_t)event->msg;
    }
}

static void on_message(void *client, MQTTMessage *message, void *user_data)
{
    (void)client;
    got.messages++;
    got.qos       = message->qos;
    got.id        = message->id;
    got.user_data = user_data;
    snprintf(got.topic, sizeof(got.topic), "%.*s", (int)message->topic_len, message->ptopic);
    snprintf(got.payload, sizeof(got.payload), "%.*s", (int)message->payload_len, (const char *)message->payload);
}

/* Yields until *flag is set, at most so often that a broken build ends. */
static bool until(void *client, const int *flag)
{
    for (int i = 0; i < 2000 && *flag == 0; i++) {
        IOT_MQTT_Yield(client, 10);
    }
    return *flag != 0;
}

static MQTTInitParams old_device(void)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id  = (char *)"PRODUCTID0";
    params.device_name = (char *)"old-device";
#ifdef AUTH_MODE_CERT
    strcpy(params.cert_file, "old.crt");
    strcpy(params.key_file, "old.key");
#else
    params.device_secret = (char *)"MDEyMzQ1Njc4OWFiY2RlZg==";
#endif
    return params;
}

static void *construct(void *context)
{
    GUARDED(MQTTInitParams, params);
    void *client;

    guard(&params, sizeof(params));
    params.value                        = old_device();
    params.value.event_handle.h_fp      = on_event;
    params.value.event_handle.context   = context;
    params.value.command_timeout        = 4000;
    params.value.keep_alive_interval_ms = 77000;
    params.value.clean_session          = 0;
    params.value.auto_connect_enable    = 1;
    params.value.err_code               = 7;
#ifdef MAX_SIZE_OF_REGION
    params.value.region = (char *)"us-east";
#endif
    client = IOT_MQTT_Construct(&params.value);
    CHECK(client != NULL);
    CHECK(guards_stand(&params, sizeof(params)));

    CHECK(seen.connections == 1 && seen.keep_alive_s == 77 && !seen.clean_session);
    /* In the struct of 3.2.0 somebody else's memory lies there. */
    CHECK(params.value.err_code == 7);
#ifdef MAX_SIZE_OF_REGION
    CHECK(strcmp(seen.host, "PRODUCTID0.us-east.iotcloud.tencentdevices.com") == 0);
#else
    CHECK(strcmp(seen.host, "PRODUCTID0.iotcloud.tencentdevices.com") == 0);
#endif
#ifdef AUTH_WITH_NOTLS
    CHECK(seen.port == 1883);
#else
    CHECK(seen.port == 8883);
#ifdef AUTH_MODE_CERT
    CHECK(strcmp(seen.identity, "old.crt") == 0 && seen.secret_length == strlen("old.key") && seen.ca_length > 0);
#else
    CHECK(strcmp(seen.identity, "PRODUCTID0old-device") == 0 && seen.secret_length == 16);
#endif
#endif
    return client;
}

static void messages(void *client, int *context)
{
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;
    PublishParams   publish   = DEFAULT_PUB_PARAMS;
    DeviceInfo     *device    = IOT_MQTT_GetDeviceInfo(client);
    int             user_data = 0;
    int             id;

    CHECK(device != NULL && strcmp(device->product_id, "PRODUCTID0") == 0);
    CHECK(device != NULL && strcmp(device->device_name, "old-device") == 0);
    CHECK(device != NULL && strcmp(device->client_id, "PRODUCTID0old-device") == 0);

    subscribe.qos                = QOS1;
    subscribe.on_message_handler = on_message;
    subscribe.user_data          = &user_data;
    id                           = IOT_MQTT_Subscribe(client, (char *)"echo", &subscribe);
    CHECK(id > 0 && until(client, &got.subscribed) && got.subscribed == id);
    CHECK(got.context == context);
    CHECK(IOT_MQTT_IsSubReady(client, (char *)"echo"));

    publish.qos         = QOS1;
    publish.payload     = (void *)"to the broker";
    publish.payload_len = strlen("to the broker");
    id                  = IOT_MQTT_Publish(client, (char *)"echo", &publish);
    CHECK(id > 0 && publish.id == id);
    CHECK(until(client, &got.acknowledged) && got.acknowledged == id);
    CHECK(until(client, &got.messages) && got.qos == QOS1 && got.id == 0x1234);
    CHECK(strcmp(got.topic, "echo") == 0 && strcmp(got.payload, "old payload") == 0);
    CHECK(got.user_data == &user_data);
    CHECK(IOT_MQTT_Unsubscribe(client, (char *)"echo") > 0);
}

static void upgrade(void *client)
{
    void    *ota         = IOT_OTA_Init("PRODUCTID0", "old-device", client);
    char     version[33] = "", md5[33] = "";
    uint32_t size = 0;

    CHECK(ota != NULL);
    update_command = "{\"type\":\"update_firmware\",\"version\":\"2.0.0\",\"file_size\":175436,"
                     "\"md5sum\":\"ad4615b866c13afb8b293a679bfa5dc4\",\"url\":\"http://127.0.0.1/firmware\"}";
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") > 0);
    for (int i = 0; i < 2000 && !IOT_OTA_IsFetching(ota); i++) {
        IOT_MQTT_Yield(client, 10);
    }
    CHECK(IOT_OTA_IsFetching(ota) == 1);
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, 4) == QCLOUD_RET_SUCCESS && size == 175436);
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_VERSION, version, sizeof(version)) == QCLOUD_RET_SUCCESS);
    CHECK(IOT_OTA_Ioctl(ota, IOT_OTAG_MD5SUM, md5, sizeof(md5)) == QCLOUD_RET_SUCCESS);
    CHECK(strcmp(version, "2.0.0") == 0 && strcmp(md5, "ad4615b866c13afb8b293a679bfa5dc4") == 0);
    CHECK(IOT_OTA_Destroy(ota) == QCLOUD_RET_SUCCESS);
}

/* Names as long as they may be, and the keep-alive that the headers offer. */
static void longest_names(void)
{
    MQTTInitParams params = old_device();
    char           device[49], identity[59];
    void          *client;

    memset(device, 'd', sizeof(device) - 1);
    device[sizeof(device) - 1] = '\0';
    snprintf(identity, sizeof(identity), "PRODUCTID0%s", device);
    params.device_name            = device;
    params.keep_alive_interval_ms = QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL;
#ifdef AUTH_MODE_CERT
    memset(params.cert_file, 'c', sizeof(params.cert_file) - 1);
    memset(params.key_file, 'k', sizeof(params.key_file) - 1);
    params.cert_file[sizeof(params.cert_file) - 1] = params.key_file[sizeof(params.key_file) - 1] = '\0';
#endif
    client = IOT_MQTT_Construct(&params);
    CHECK(client != NULL);
#ifdef AUTH_MODE_CERT
    CHECK(strcmp(seen.identity, params.cert_file) == 0 && strlen(seen.identity) == 255 && seen.secret_length == 255);
#elif !defined(AUTH_WITH_NOTLS)
    CHECK(strcmp(seen.identity, identity) == 0);
#endif
    CHECK(strcmp(IOT_MQTT_GetDeviceInfo(client)->client_id, identity) == 0);
#ifdef MAX_SIZE_OF_REGION
    CHECK(seen.keep_alive_s == 120);
#else
    CHECK(seen.keep_alive_s == 240);
#endif
    CHECK(IOT_MQTT_Destroy(&client) == QCLOUD_RET_SUCCESS);
}

/* The struct of 3.2.0 has somebody else's memory behind it, but for the reason of a failure. */
static void no_connection(void)
{
    GUARDED(MQTTInitParams, params);
    MQTTInitParams before;

    guard(&params, sizeof(params));
    params.value = old_device();
    memcpy(&before, &params.value, sizeof(before));
    unreachable = true;
    CHECK(IOT_MQTT_Construct(&params.value) == NULL);
    unreachable = false;
    CHECK(params.value.err_code < 0);
    params.value.err_code = before.err_code;
    CHECK(memcmp(&before, &params.value, sizeof(before)) == 0 && guards_stand(&params, sizeof(params)));
}

void platform_part(void)
{
    int   context = 0;
    void *client  = construct(&context);

    if (client != NULL) {
        messages(client, &context);
        upgrade(client);
        CHECK(IOT_MQTT_Destroy(&client) == QCLOUD_RET_SUCCESS && client == NULL);
    }
    CHECK(seen.disconnections == 1);
    longest_names();
    no_connection();
}
