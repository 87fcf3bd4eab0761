/* Compiled against the contract's data (abi.h), never against our headers: calls that need no server. */

#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define EQUAL(text, expected) ((text) != NULL && strcmp((text), (expected)) == 0)

static char last_line[2048];
static int  lines;

static bool on_line(const char *message)
{
    snprintf(last_line, sizeof(last_line), "%s", message);
    lines++;
    return true;
}

static void logging(void)
{
    CHECK(IOT_Log_Get_Level() == eLOG_WARN && g_log_print_level == eLOG_WARN);
    IOT_Log_Set_Level(eLOG_DEBUG);
    CHECK(IOT_Log_Get_Level() == eLOG_DEBUG && g_log_print_level == eLOG_DEBUG);
    IOT_Log_Set_MessageHandler(on_line);
    IOT_Log_Gen("/some/where/old.c", "logging", 42, eLOG_ERROR, "%s %d %c %.2f", "text", -7, 'x', 1.5);
    CHECK(lines == 1);
    CHECK(strncmp(last_line, "ERR|", 4) == 0);
    CHECK(strstr(last_line, "|old.c|logging(42): text -7 x 1.50\r\n") != NULL);
    IOT_Log_Set_MessageHandler(NULL);
    IOT_Log_Set_Level(eLOG_DISABLE);
}

static void timers(void)
{
    GUARDED(Timer, timer);

    guard(&timer, sizeof(timer));
    HAL_Timer_init(&timer.value);
    HAL_Timer_countdown_ms(&timer.value, 600000);
    CHECK(!HAL_Timer_expired(&timer.value));
    CHECK(HAL_Timer_remain(&timer.value) > 0 && HAL_Timer_remain(&timer.value) <= 600000);
    HAL_Timer_countdown(&timer.value, 0);
    CHECK(HAL_Timer_expired(&timer.value));
    InitTimer(&timer.value);
    countdown(&timer.value, 600);
    CHECK(!expired(&timer.value) && left_ms(&timer.value) > 0 && left_ms(&timer.value) <= 600000);
    CHECK(guards_stand(&timer, sizeof(timer)));
}

static void dates(void)
{
    GUARDED(RTC_DATE_TIME, date);

    guard(&date, sizeof(date));
    timestamp_to_date(1604458421, &date.value, 8);
    CHECK(date.value.year == 2020 && date.value.month == 11 && date.value.day == 4);
    CHECK(date.value.hour == 10 && date.value.minute == 53 && date.value.sec == 41);
    CHECK(guards_stand(&date, sizeof(date)));
}

static void json(void)
{
    char         text[] = "{\"a\":{\"b\":\"c\\\"d\",\"n\":-3},\"e\":[1,2]}";
    char        *value;
    list_head_t *head, *node;
    int          keys = 0;
    int32_t      number;

    value = LITE_json_value_of((char *)"a.b", text);
    CHECK(EQUAL(value, "c\\\"d"));
    HAL_Free(value);
    value = LITE_json_value_of((char *)"e", text);
    CHECK(EQUAL(value, "[1,2]"));
    HAL_Free(value);
    CHECK(LITE_json_value_of((char *)"a.x", text) == NULL);
    value = LITE_json_value_of((char *)"a.n", text);
    CHECK(value != NULL && LITE_get_int32(&number, value) == QCLOUD_RET_SUCCESS && number == -3);
    HAL_Free(value);

    /* The list is walked through the offsets in this object. */
    head = LITE_json_keys_of(text, (char *)"");
    CHECK(head != NULL);
    for (node = head == NULL ? NULL : head->next; node != NULL && node != head; node = node->next) {
        json_key_t *entry = (json_key_t *)((char *)node - offsetof(json_key_t, list));
        keys +=
            EQUAL(entry->key, "a") || EQUAL(entry->key, "a.b") || EQUAL(entry->key, "a.n") || EQUAL(entry->key, "e");
    }
    CHECK(keys >= 2);
    LITE_json_keys_release(head);

    value = LITE_format_string("%s-%d", "x", 5);
    CHECK(EQUAL(value, "x-5"));
    HAL_Free(value);
}

static void options(void)
{
    char *arguments[] = {(char *)"program", (char *)"-c", (char *)"file", (char *)"-d", NULL};

    CHECK(utils_getopt(4, arguments, "c:d") == 'c');
    CHECK(EQUAL(utils_optarg, "file"));
    CHECK(utils_getopt(4, arguments, "c:d") == 'd');
    CHECK(utils_getopt(4, arguments, "c:d") == -1);
}

static void null_handles(void)
{
    MQTTInitParams empty   = DEFAULT_MQTTINIT_PARAMS;
    PublishParams  publish = DEFAULT_PUB_PARAMS;
    void          *client  = NULL;
    uint32_t       size    = 0;

    CHECK(IOT_MQTT_Construct(&empty) == NULL && empty.err_code < 0);
    CHECK(IOT_MQTT_Publish(NULL, (char *)"a", &publish) == QCLOUD_ERR_INVAL);
    CHECK(IOT_MQTT_Destroy(&client) == QCLOUD_ERR_INVAL);
    CHECK(IOT_OTA_Ioctl(NULL, IOT_OTAG_FILE_SIZE, &size, 4) == IOT_OTA_ERR_INVALID_PARAM);
    CHECK(IOT_OTA_ReportVersion(NULL, "1.0") == IOT_OTA_ERR_INVALID_PARAM);
}

#ifdef AUTH_MODE_CERT
#define PROOF \
    "\"auth_mode\":\"CERT\",\"cert_deviceinfo\":{\"devCertFile\":\"dev.crt\",\"devPrivateKeyFile\":\"dev.key\"}"
#else
#define PROOF "\"auth_mode\":\"KEY\",\"key_deviceinfo\":{\"deviceSecret\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}"
#endif

static void device_info(void)
{
    static const char text[] = "{\"productId\":\"PRODUCTID0\",\"productSecret\":\"productSecret000\","
                               "\"deviceName\":\"old-device\"," PROOF "}";
    FILE             *file   = fopen("old_device_info.json", "w");
    GUARDED(DeviceInfo, device);

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    guard(&device, sizeof(device));
    CHECK(HAL_SetDevInfoFile("old_device_info.json") == QCLOUD_RET_SUCCESS);
    CHECK(HAL_GetDevInfo(&device.value) == QCLOUD_RET_SUCCESS);
    CHECK(EQUAL(device.value.product_id, "PRODUCTID0"));
    CHECK(EQUAL(device.value.device_name, "old-device"));
    CHECK(EQUAL(device.value.client_id, "PRODUCTID0old-device"));
#ifdef AUTH_MODE_CERT
    CHECK(EQUAL(device.value.dev_cert_file_name, "dev.crt"));
    CHECK(EQUAL(device.value.dev_key_file_name, "dev.key"));
#else
    CHECK(EQUAL(device.value.device_secret, "MDEyMzQ1Njc4OWFiY2RlZg=="));
#endif
#ifdef DEV_DYN_REG_ENABLED
    CHECK(EQUAL(device.value.product_secret, "productSecret000"));
#endif
    CHECK(guards_stand(&device, sizeof(device)));
}

void calls(void)
{
    logging();
    timers();
    dates();
    json();
    options();
    null_handles();
    device_info();
}
