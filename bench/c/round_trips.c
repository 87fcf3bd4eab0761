/*
 * A device on loopback: how long a message takes that it sends to itself, and an update of its shadow. Then it answers
 * requests of the cloud (RRPC) until its input ends.
 *
 *   round_trips COUNT
 *
 * The environment is that of fetch.c. Its line of output, milliseconds each:
 *   {"messages":[...], "updates":[...]}
 */

#define _POSIX_C_SOURCE 200809L

#include "device.h"

#define MAX_COUNT 10000
#define WAIT_MS   1000

static unsigned received;

static void on_message(void *client, MQTTMessage *message, void *context)
{
    (void)client;
    (void)message;
    (void)context;
    received++;
}

static void on_request(void *client, const char *text, uint32_t len)
{
    sRRPCReplyPara para     = {eRRPC_SUCCESS, "", NULL, 0};
    char           answer[] = "ok";

    (void)text;
    (void)len;
    if (IOT_RRPC_Reply(client, answer, sizeof(answer), &para) != QCLOUD_RET_SUCCESS) {
        fail("a request can't be answered");
    }
}

static void subscribe(void *shadow, char *topic)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    double          limit  = now_s() + PATIENCE_S;

    params.on_message_handler = on_message;
    if (IOT_Shadow_Subscribe(shadow, topic, &params) < 0) {
        fail("%s can't be subscribed to", topic);
    }
    while (!IOT_MQTT_IsSubReady(IOT_Shadow_Get_Mqtt_Client(shadow), topic)) {
        IOT_Shadow_Yield(shadow, 10);
        if (now_s() > limit) {
            fail("%s: no subscription", topic);
        }
    }
}

static void send_and_receive(void *shadow, char *topic, char *text)
{
    PublishParams params = DEFAULT_PUB_PARAMS;
    unsigned      before = received;
    double        limit  = now_s() + PATIENCE_S;

    params.payload     = text;
    params.payload_len = strlen(text);
    if (IOT_Shadow_Publish(shadow, topic, &params) < 0) {
        fail("a message can't be sent");
    }
    while (received == before) {
        /* The smallest: it returns with the message, but not before its time. */
        IOT_Shadow_Yield(shadow, 1);
        if (now_s() > limit) {
            fail("a message did not come back");
        }
    }
}

static void update(void *shadow, DeviceProperty *property)
{
    char document[200];

    ++*(int32_t *)property->data;
    if (IOT_Shadow_JSON_ConstructReport(shadow, document, sizeof(document), 1, property) != QCLOUD_RET_SUCCESS ||
        IOT_Shadow_Update_Sync(shadow, document, sizeof(document), WAIT_MS) != QCLOUD_RET_SUCCESS) {
        fail("the shadow can't be updated");
    }
}

static void print(const char *name, const double *ms, unsigned count)
{
    printf("\"%s\":[", name);
    for (unsigned i = 0; i < count; i++) {
        printf("%s%.4f", i == 0 ? "" : ",", ms[i]);
    }
    printf("]");
}

int main(int argc, char **argv)
{
    static double    messages[MAX_COUNT], updates[MAX_COUNT];
    unsigned         count    = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    ShadowInitParams params   = DEFAULT_SHAWDOW_INIT_PARAMS;
    int32_t          value    = 0;
    DeviceProperty   property = {"updateCount", &value, JINT32, false};
    DeviceInfo       info;
    char             topic[128];
    char             text[] = "{\"updateCount\":1}";
    void            *shadow;

    if (count == 0 || count > MAX_COUNT) {
        fail("Usage: %s COUNT (at most %d)", argv[0], MAX_COUNT);
    }
    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&info) != QCLOUD_RET_SUCCESS) {
        fail("device_info.json can't be read");
    }
    params.product_id    = info.product_id;
    params.device_name   = info.device_name;
    params.device_secret = info.device_secret;
    shadow               = IOT_Shadow_Construct(&params);
    if (shadow == NULL) {
        fail("%s can't connect: %d", info.device_name, IOT_MQTT_GetErrCode());
    }
    snprintf(topic, sizeof(topic), "%s/%s/data", info.product_id, info.device_name);
    subscribe(shadow, topic);
    /* The first of each also finds its way. */
    send_and_receive(shadow, topic, text);
    update(shadow, &property);
    for (unsigned i = 0; i < count; i++) {
        double start = now_s();

        send_and_receive(shadow, topic, text);
        messages[i] = (now_s() - start) * 1e3;
        start       = now_s();
        update(shadow, &property);
        updates[i] = (now_s() - start) * 1e3;
    }
    if (IOT_RRPC_Init(IOT_Shadow_Get_Mqtt_Client(shadow), on_request) != QCLOUD_RET_SUCCESS ||
        IOT_MQTT_StartLoop(IOT_Shadow_Get_Mqtt_Client(shadow)) != QCLOUD_RET_SUCCESS) {
        fail("requests can't be answered");
    }
    printf("{");
    print("messages", messages, count);
    printf(",");
    print("updates", updates, count);
    printf("}\n");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    IOT_MQTT_StopLoop(IOT_Shadow_Get_Mqtt_Client(shadow));
    return IOT_Shadow_Destroy(shadow) == QCLOUD_RET_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
