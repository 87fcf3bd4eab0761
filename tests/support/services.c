#define _POSIX_C_SOURCE 200809L

#include "services.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud.h"
#include "device.h"
#ifdef WITH_SLOTS
#include "qcloud_iot_export_upgrade.h"
#include "signed_firmware.h"
#include "slot_store.h"
#endif

#define SUB_DEVICE "behind"
/* A publish to it brings a broadcast and a request. */
#define ASK DEVICE_PRODUCT "/" DEVICE_NAME "/ask"
/* Turns of Yield until something that must come has come. */
#define TURNS   25
#define TURN_MS 20
#define WAIT_MS 1000

/* ---- The cloud ---- */

static bool is_topic(const char *topic, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(topic, name, len) == 0;
}

static bool answer_shadow(CloudPeer *peer, const char *payload)
{
    const char *token = strstr(payload, "\"clientToken\":\"");
    char        answer[512];
    int         len;

    if (token == NULL) {
        return true;
    }
    token += strlen("\"clientToken\":\"");
    len = snprintf(answer, sizeof(answer),
                   "{\"clientToken\":\"%.*s\",\"payload\":{\"state\":{\"reported\":{\"count\":1}},\"timestamp\":1,"
                   "\"version\":1},\"result\":0,\"timestamp\":1,\"type\":\"%s\"}",
                   (int)strcspn(token, "\""), token, strstr(payload, "\"get\"") != NULL ? "get" : "update");
    return cloud_say(peer, "$shadow/operation/result/" DEVICE_PRODUCT "/" DEVICE_NAME, answer, (size_t)len);
}

static bool answer_gateway(CloudPeer *peer, const char *payload)
{
    static const char list[] = "{\"type\":\"describe_sub_devices\",\"payload\":{\"devices\":["
                               "{\"product_id\":\"" DEVICE_PRODUCT "\",\"device_name\":\"" SUB_DEVICE "\"},"
                               "{\"product_id\":\"" DEVICE_PRODUCT "\",\"device_name\":\"other\"}]}}";
    const char       *end    = strstr(payload, "}]}}");
    char              answer[1024];
    int               len;

    len = end == NULL ? snprintf(answer, sizeof(answer), "%s", list)
                      : snprintf(answer, sizeof(answer), "%.*s,\"result\":0}]}}", (int)(end - payload), payload);
    return cloud_say(peer, "$gateway/operation/result/" DEVICE_PRODUCT "/" DEVICE_NAME, answer, (size_t)len);
}

static bool answer(CloudPeer *peer, const char *topic, size_t topic_len, const char *payload, size_t len)
{
    static const char config[] = "{\"type\":\"reply\",\"result\":0,\"payload\":{\"parity\":\"NONE\"}}";
    static const char level[]  = "{\"type\":\"get_log_level\",\"clientToken\":\"x\",\"log_level\":1,\"result\":0}";
    static const char now[]    = "{\"type\":\"get\",\"time\":1700000000}";
    char              text[1024];

    snprintf(text, sizeof(text), "%.*s", (int)len, payload);
    if (is_topic(topic, topic_len, "$shadow/operation/" DEVICE_PRODUCT "/" DEVICE_NAME)) {
        return answer_shadow(peer, text);
    }
    if (is_topic(topic, topic_len, "$gateway/operation/" DEVICE_PRODUCT "/" DEVICE_NAME)) {
        return answer_gateway(peer, text);
    }
    if (is_topic(topic, topic_len, "$config/operation/" DEVICE_PRODUCT "/" DEVICE_NAME)) {
        return cloud_say(peer, "$config/operation/result/" DEVICE_PRODUCT "/" DEVICE_NAME, config, strlen(config));
    }
    if (is_topic(topic, topic_len, "$log/operation/" DEVICE_PRODUCT "/" DEVICE_NAME)) {
        return cloud_say(peer, "$log/operation/result/" DEVICE_PRODUCT "/" DEVICE_NAME, level, strlen(level));
    }
    if (is_topic(topic, topic_len, "$sys/operation/" DEVICE_PRODUCT "/" DEVICE_NAME)) {
        return cloud_say(peer, "$sys/operation/result/" DEVICE_PRODUCT "/" DEVICE_NAME, now, strlen(now));
    }
    if (is_topic(topic, topic_len, ASK)) {
        return strcmp(text, "broadcast") == 0
                   ? cloud_say(peer, "$broadcast/rxd/" DEVICE_PRODUCT "/" DEVICE_NAME, "closed", 6)
                   : cloud_say(peer, "$rrpc/rxd/" DEVICE_PRODUCT "/" DEVICE_NAME "/7", "closed", 6);
    }
    return true;
}

/* What the cloud answers over HTTP, unless a test has it say something else. True: `answer_end` ends it. */
static bool answer_begin(const char *body)
{
    static char text[512];

    if (cloud_script.answer.data != NULL) {
        return false;
    }
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %u\r\n\r\n%s",
             (unsigned)strlen(body), body);
    cloud_script.answer.len  = strlen(text);
    cloud_script.answer.data = text;
    return true;
}

static void answer_end(bool is_ours)
{
    if (is_ours) {
        cloud_script.answer.data = NULL;
    }
}

/* ---- One client for those that have none of their own ---- */

static void    *client;
static unsigned heard;
static bool     is_begun; /* this service's subscription is there */

static void client_start(void)
{
    int error;

    client = device_connect(&error);
}

static bool client_end(void)
{
    is_begun = false;
    return client != NULL && IOT_MQTT_Destroy(&client) == 0;
}

/* Whether what the cloud is asked for has come. */
static bool ask(char *what)
{
    static char   topic[] = ASK;
    PublishParams params  = DEFAULT_PUB_PARAMS;
    unsigned      before  = heard;

    params.payload     = what;
    params.payload_len = strlen(what);
    if (IOT_MQTT_Publish(client, topic, &params) < 0) {
        return false;
    }
    for (int turn = 0; turn < TURNS && heard == before; turn++) {
        IOT_MQTT_Yield(client, TURN_MS);
    }
    return heard > before;
}

/* ---- Broadcast, RRPC, remote configuration ---- */

static void on_text(void *handle, const char *text, uint32_t len)
{
    (void)handle;
    (void)text;
    heard += len == 6;
}

static bool use_broadcast(void)
{
    static char what[] = "broadcast";

    is_begun = is_begun || IOT_Broadcast_Subscribe(client, on_text) == QCLOUD_RET_SUCCESS;
    return is_begun && ask(what);
}

static void on_request(void *handle, const char *text, uint32_t len)
{
    sRRPCReplyPara para   = {eRRPC_SUCCESS, "", NULL, 0};
    char           said[] = "ok";

    (void)text;
    heard += IOT_RRPC_Reply(handle, said, sizeof(said), &para) == QCLOUD_RET_SUCCESS && len == 6;
}

static bool use_rrpc(void)
{
    static char what[] = "request";

    is_begun = is_begun || IOT_RRPC_Init(client, on_request) == QCLOUD_RET_SUCCESS;
    return is_begun && ask(what);
}

static void on_config(void *handle, int result, char *json, int len)
{
    (void)handle;
    heard += result == 0 && len > 0 && json != NULL;
}

static bool use_configuration(void)
{
    static char                    json[600 + REMOTE_CONFIG_JSON_BUFFER_MIN_LEN];
    static ConfigSubscirbeUserData data = {on_config, sizeof(json), json};
    char                           question[32];
    unsigned                       before = heard;

    is_begun = is_begun || IOT_Subscribe_Config(client, &data, WAIT_MS) >= 0;
    return is_begun && IOT_Get_Config(client, question, sizeof(question), WAIT_MS) == QCLOUD_RET_SUCCESS &&
           heard > before;
}

/* ---- Shadow ---- */

static void          *shadow;
static int32_t        count;
static char           count_key[] = "count";
static DeviceProperty property    = {count_key, &count, JINT32, false};

static void on_delta(void *handle, const char *state, uint32_t len, DeviceProperty *changed)
{
    (void)handle;
    (void)state;
    (void)len;
    (void)changed;
}

static bool use_shadow(void)
{
    ShadowInitParams params  = DEFAULT_SHAWDOW_INIT_PARAMS;
    MQTTInitParams   of_mqtt = device_params();
    char             document[200];

    params.product_id  = of_mqtt.product_id;
    params.device_name = of_mqtt.device_name;
#ifndef AUTH_MODE_CERT
    params.device_secret = of_mqtt.device_secret;
#endif
    shadow   = shadow != NULL ? shadow : IOT_Shadow_Construct(&params);
    is_begun = is_begun || (shadow != NULL && IOT_Shadow_Register_Property(shadow, &property, on_delta) == 0);
    return is_begun && IOT_Shadow_Get_Sync(shadow, WAIT_MS) == 0 &&
           IOT_Shadow_JSON_ConstructReport(shadow, document, sizeof(document), 1, &property) == 0 &&
           IOT_Shadow_Update_Sync(shadow, document, sizeof(document), WAIT_MS) == 0 &&
           IOT_Shadow_JSON_ConstructDesireAllNull(shadow, document, sizeof(document)) == 0 &&
           IOT_Shadow_Update_Sync(shadow, document, sizeof(document), WAIT_MS) == 0;
}

static bool end_shadow(void)
{
    void *ending = shadow;

    is_begun = false;
    shadow   = NULL;
    return ending != NULL && IOT_Shadow_Destroy(ending) == 0;
}

/* ---- Gateway ---- */

static void *gateway;
static int   gateway_context;

static void on_gateway_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    (void)context;
    (void)event;
}

/* gateway.md section 8, cases 1 and 3: Construct leaves the event handler in the program's struct alone. */
static bool is_untouched(const GatewayInitParam *init)
{
    const MQTTEventHandler *handler = &init->init_param.event_handle;

    return handler->h_fp == on_gateway_event && handler->context == &gateway_context && init->event_handler == NULL &&
           init->event_context == NULL;
}

static bool use_gateway(void)
{
    static char      name[] = SUB_DEVICE;
    GatewayInitParam init   = DEFAULT_GATEWAY_INIT_PARAMS;
    GatewayParam     param  = DEFAULT_GATEWAY_PARAMS;
    SubdevBindList   list   = {NULL, 0};
    DeviceInfo       behind;
    int              online, bound;

    memset(&behind, 0, sizeof(behind));
    strcpy(behind.product_id, DEVICE_PRODUCT);
    strcpy(behind.device_name, SUB_DEVICE);
#ifndef AUTH_MODE_CERT
    strcpy(behind.device_secret, "c2VjcmV0c2VjcmV0MTIzNA==");
#endif
    init.init_param                      = device_params();
    init.init_param.event_handle.h_fp    = on_gateway_event;
    init.init_param.event_handle.context = &gateway_context;

    gateway                  = gateway != NULL ? gateway : IOT_Gateway_Construct(&init);
    param.product_id         = product;
    param.device_name        = device;
    param.subdev_product_id  = product;
    param.subdev_device_name = name;
    if (!is_untouched(&init) || gateway == NULL || IOT_Gateway_Subdev_Bind(gateway, &param, &behind) != 0) {
        return false;
    }
    if (IOT_Gateway_Subdev_GetBindList(gateway, &param, &list) != 0) {
        return false;
    }
    bound = list.bind_num;
    IOT_Gateway_Subdev_DestoryBindList(&list);
    online = IOT_Gateway_Subdev_Online(gateway, &param);
    return bound == 2 && (online == 0 || online == QCLOUD_ERR_GATEWAY_SUBDEV_ONLINE) &&
           IOT_Gateway_Subdev_Offline(gateway, &param) == 0 && IOT_Gateway_Subdev_Unbind(gateway, &param, &behind) == 0;
}

static bool end_gateway(void)
{
    void *ending = gateway;

    gateway = NULL;
    return ending != NULL && IOT_Gateway_Destroy(ending) == 0;
}

/* ---- Dynamic registration ---- */

static bool use_registration(void)
{
    /* The vector of dynreg.md section 3, in the form of this interface's cloud. */
#define SEALED "utkU+JMoQ9Xlnldd66IE8jX1ThSWJUimWVzONyOmip6Mckx123WzeEnaD4ekkPo5IdsAgQlPgZ8kEfMyXdkcRQ=="
#ifdef MAX_SIZE_OF_REGION
    static const char reply[] = "{\"Response\":{\"Len\":53,\"Payload\":\"" SEALED "\",\"RequestId\":\"r\"}}";
#else
    static const char reply[] = "{\"code\":0,\"message\":\"\",\"len\":53,\"payload\":\"" SEALED "\"}";
#endif
    DeviceInfo info;
    bool       is_ours;
    int        rc;

    memset(&info, 0, sizeof(info));
    strcpy(info.product_id, DEVICE_PRODUCT);
    strcpy(info.device_name, DEVICE_NAME);
    strcpy(info.product_secret, "0123456789abcdef01234567");
    is_ours = answer_begin(reply);
    rc      = IOT_DynReg_Device(&info);
    answer_end(is_ours);
#ifndef AUTH_MODE_CERT
    return rc == 0 && strcmp(info.device_secret, "MTIzNDU2Nzg5MGFiY2RlZg==") == 0;
#else
    return rc == 0;
#endif
}

/* ---- Log upload, over a shadow's client ---- */

#ifdef LOG_UPLOAD
#if defined(MAX_SIZE_OF_REGION) && defined(AUTH_MODE_KEY)
#define LOG_TAKEN "{\"Response\":{\"RequestId\":\"r\"}}"
#else
#define LOG_TAKEN "{\"Retcode\":0}"
#endif
static char     saved[20000];
static size_t   saved_len;
static unsigned early_events; /* of a client that the program does not have yet */

static size_t save(const char *text, size_t len)
{
    if (len > sizeof(saved) - saved_len) {
        return 0;
    }
    memcpy(saved + saved_len, text, len);
    saved_len += len;
    return len;
}

static size_t read_saved(char *buffer, size_t len)
{
    size_t count = len < saved_len ? len : saved_len;

    memcpy(buffer, saved, count);
    return count;
}

static int delete_saved(void)
{
    saved_len = 0;
    return 0;
}

static size_t saved_size(void)
{
    return saved_len;
}

static void on_event(void *handle, void *context, MQTTEventMsg *event)
{
    (void)context;
    (void)event;
    early_events += handle == NULL;
}

/* log_upload.md section 10, cases 17 and 19: Init succeeds or says that it has not, and one after it does. */
static bool use_log_upload(void)
{
    ShadowInitParams    params  = DEFAULT_SHAWDOW_INIT_PARAMS;
    MQTTInitParams      of_mqtt = device_params();
    LogUploadInitParams upload  = {product, device, "key", save, read_saved, delete_saved, saved_size};
    unsigned            before  = cloud_seen.requests;
    bool                is_ours;

    if (IOT_Log_Init_Uploader(&upload) != QCLOUD_RET_SUCCESS) {
        return false;
    }
    params.product_id  = of_mqtt.product_id;
    params.device_name = of_mqtt.device_name;
#ifndef AUTH_MODE_CERT
    params.device_secret = of_mqtt.device_secret;
#endif
    params.event_handle.h_fp = on_event;
    is_ours                  = answer_begin(LOG_TAKEN);
    shadow                   = shadow != NULL ? shadow : IOT_Shadow_Construct(&params);
    if (shadow != NULL) {
        IOT_Log_Gen("services.c", "use_log_upload", __LINE__, eLOG_ERROR, "%s", "a line");
        IOT_Log_Upload(true);
    }
    answer_end(is_ours);
    return shadow != NULL && cloud_seen.requests > before && saved_len == 0 && early_events == 0 &&
           IOT_Shadow_Yield(shadow, 1) == 0;
}

static bool end_log_upload(void)
{
    bool is_ended = end_shadow();

    IOT_Log_Fini_Uploader();
    saved_len = 0;
    return is_ended;
}
#endif

/* ---- Upgrades into the other slot ---- */

#ifdef WITH_SLOTS
/* Also with a fast clock long enough for the server to answer. */
#define UPGRADE_TURNS 200

static SlotStore slots;

static int last_event;

static void on_upgrade(void *context, const IOT_Upgrade_Event *event)
{
    (void)context;
    last_event = event->event_type;
}

/* One start of the program: true where it comes to `wanted`. */
static bool start_upgrade(IOT_Upgrade_Params *params, int wanted)
{
    unsigned done    = cloud_seen.done;
    void    *upgrade = IOT_Upgrade_Init(params);
    bool     came    = false;

    last_event = IOT_UPGRADE_FOUND;
    for (int turn = 0; turn < UPGRADE_TURNS && upgrade != NULL && !came && last_event != IOT_UPGRADE_FAILED; turn++) {
        IOT_Upgrade_Yield(upgrade, TURN_MS);
        if (last_event == IOT_UPGRADE_TRIAL) {
            IOT_Upgrade_ConfirmRunning(upgrade);
        }
        came = last_event == wanted && (wanted != IOT_UPGRADE_CONFIRMED || cloud_seen.done > done);
    }
    return upgrade != NULL && IOT_Upgrade_Destroy(upgrade) == 0 && came;
}

static bool use_slots(void)
{
    IOT_Upgrade_Store  store = slot_store(&slots);
    IOT_Upgrade_Params params;

    memset(&params, 0, sizeof(params));
    params.client       = client;
    params.version      = "1.0.0";
    params.store        = &store;
    params.public_keys  = SIGNED_KEY;
    params.is_automatic = 1;
    params.record_every = SLOT_STORE_ERASED;
    params.on_event     = on_upgrade;
    signed_firmware_offer();
    if (client == NULL || !start_upgrade(&params, IOT_UPGRADE_RESTART) || slots.next != 1) {
        return false;
    }
    slots.running  = 1;
    params.version = CLOUD_VERSION;
    return start_upgrade(&params, IOT_UPGRADE_CONFIRMED);
}
#endif

static void no_start(void) {}

static bool no_end(void)
{
    return true;
}

const Service services[SERVICES] = {
    {"broadcast", client_start, use_broadcast, client_end},
    {"RRPC", client_start, use_rrpc, client_end},
    {"remote configuration", client_start, use_configuration, client_end},
    {"shadow", no_start, use_shadow, end_shadow},
    {"gateway", no_start, use_gateway, end_gateway},
    {"dynamic registration", no_start, use_registration, no_end},
#ifdef LOG_UPLOAD
    {"log upload", no_start, use_log_upload, end_log_upload},
#endif
#ifdef WITH_SLOTS
    {"upgrades into the other slot", client_start, use_slots, client_end},
#endif
};

void services_start(int port)
{
    char address[64];
    char url[128];

    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    setenv("QCLOUD_IOT_REGISTRATION_ENDPOINT", address, 1);
    snprintf(url, sizeof(url), "http://%s/cgi-bin/report-log", address);
    setenv("QCLOUD_IOT_LOG_ENDPOINT", url, 1);
    cloud_others = answer;
    snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "http://%s/firmware.bin", address);
}
