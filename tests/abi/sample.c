/* What existing samples use although they include these two headers only. */
#include "qcloud_iot_export.h"
#include "lite-utils.h"

static bool sg_is_done;

static bool log_handler(const char *message)
{
    printf("%s", message);
    return true;
}

static void on_message(void *pClient, MQTTMessage *message, void *pUserData)
{
    IOT_FUNC_ENTRY;
    (void)pClient;
    Log_i("topic %.*s", (int)message->topic_len, message->ptopic);
    *(bool *)pUserData = true;
    IOT_FUNC_EXIT;
}

static void on_event(void *pclient, void *context, MQTTEventMsg *msg)
{
    uintptr_t packet_id = (uintptr_t)msg->msg;
    (void)pclient;
    (void)context;
    switch (msg->event_type) {
        case MQTT_EVENT_SUBCRIBE_SUCCESS:
            Log_d("subscribed, packet id %u", (unsigned int)packet_id);
            break;
        default:
            Log_w("nothing special");
            break;
    }
}

int sample(char *topic);

int sample(char *topic)
{
    char             path[PATH_MAX];
    char             name[FILE_PATH_MAX_LEN];
    uint8_t          buffer[64] = {0};
    uint32_t         size       = 0;
    struct timeval   now;
    DeviceInfo       device;
    MQTTInitParams   init    = DEFAULT_MQTTINIT_PARAMS;
    PublishParams    publish = DEFAULT_PUB_PARAMS;
    SubscribeParams  sub     = DEFAULT_SUB_PARAMS;
    void            *client, *ota;
    char            *value;
    int              rc;

    IOT_Log_Set_Level(eLOG_DEBUG);
    IOT_Log_Set_MessageHandler(log_handler);
    if (g_log_print_level == eLOG_DISABLE || HAL_GetDevInfo((void *)&device) != QCLOUD_RET_SUCCESS) {
        return QCLOUD_ERR_DEV_INFO;
    }
    if (NULL == getcwd(path, sizeof(path)) || access(path, F_OK) != 0 || gettimeofday(&now, NULL) != 0) {
        return QCLOUD_ERR_FAILURE;
    }
    memset(name, 0, sizeof(name));
    HAL_Snprintf(name, sizeof(name), "%s/%s", path, STRING_PTR_PRINT_SANITY_CHECK(topic));

    init.product_id  = device.product_id;
    init.device_name = device.device_name;
#ifdef AUTH_MODE_CERT
    strncpy(init.cert_file, device.dev_cert_file_name, sizeof(init.cert_file) - 1);
    strncpy(init.key_file, device.dev_key_file_name, sizeof(init.key_file) - 1);
#else
    init.device_secret = device.device_secret;
#endif
    init.event_handle.h_fp = on_event;
    client                 = IOT_MQTT_Construct(&init);
    if (client == NULL) {
        Log_e("MQTT Construct failed, rc = %d, %d", IOT_MQTT_GetErrCode(), init.err_code);
        return QCLOUD_ERR_FAILURE;
    }
#ifdef MULTITHREAD_ENABLED
    rc = IOT_MQTT_StartLoop(client);
#endif
    sub.on_message_handler = on_message;
    sub.user_data          = &sg_is_done;
    rc                     = IOT_MQTT_Subscribe(client, topic, &sub);
    publish.qos            = QOS1;
    publish.payload        = buffer;
    publish.payload_len    = sizeof(buffer);
    rc                     = IOT_MQTT_Publish(client, topic, &publish);

    ota = IOT_OTA_Init(device.product_id, device.device_name, client);
    IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, 4);
    do {
        rc = IOT_OTA_FetchYield(ota, (char *)buffer, sizeof(buffer), 1);
        HAL_SleepMs(Min(100, 1000));
    } while (rc > 0 && !IOT_OTA_IsFetchFinish(ota));
    value = LITE_json_value_of((char *)"a.b", (char *)buffer);
    HAL_Free(value);
    IOT_OTA_Destroy(ota);
    rc = IOT_MQTT_Destroy(&client);
    IOT_FUNC_EXIT_RC(rc);
}
