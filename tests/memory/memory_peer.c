/*
 * A server decides how much memory a device needs, and there is not so much: answers with long heads and long messages,
 * with pools that an upgrade fits in. Nothing ends the process, and afterwards the same handles upgrade (case
 * out_of_memory).
 */

#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cloud.h"
#include "device.h"
#include "memory_pool.h"
#include "server.h"

static char  command[512];
static char *large;

static void report_and_take_command(void *client, void *ota)
{
    cloud_script.message.data = command;
    cloud_script.message.len  = strlen(command);
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") >= 0);
    for (int round = 0; round < 100 && !IOT_OTA_IsFetching(ota); round++) {
        IOT_MQTT_Yield(client, 20);
    }
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    cloud_script.message.len = 0;
}

static void upgrade(void *client, void *ota)
{
    static const char answer[] = "HTTP/1.1 206 X\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nhello";
    char              block[100];
    uint32_t          right = 0;

    report_and_take_command(client, ota);
    cloud_script.answer.data = answer;
    cloud_script.answer.len  = strlen(answer);
    CHECK_INT(IOT_OTA_StartDownload(ota, 0, 5), 0);
    for (int round = 0; round < 100 && !IOT_OTA_IsFetchFinish(ota); round++) {
        IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
    }
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)), 0);
    CHECK_INT(right, 1);
}

/* A head of `len` bytes, while a pool has `room` bytes more than are in use now. */
static void long_head(void *client, void *ota, size_t len, size_t room)
{
    char block[100];

    report_and_take_command(client, ota);
    memset(large, 'y', len);
    memcpy(large, "HTTP/1.1 206 X\r\n", 16);
    for (size_t at = 16; at + 80 < len; at += 80) {
        memcpy(large + at, "X-Line: ", 8);
        memcpy(large + at + 78, "\r\n", 2);
    }
    memcpy(large + len - 4, "\r\n\r\n", 4);
    cloud_script.answer.data = large;
    cloud_script.answer.len  = len;
    memory_pool.limit        = memory_pool.in_use + room;
    IOT_OTA_StartDownload(ota, 0, 5);
    for (int round = 0; round < 2; round++) {
        IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
    }
    memory_pool.limit = 0;
    upgrade(client, ota);
}

/* A message of `len` bytes, likewise. */
static void long_message(void *client, void *ota, size_t len, size_t room)
{
    memset(large, 'y', len);
    cloud_script.message.data = large;
    cloud_script.message.len  = len;
    memory_pool.limit         = memory_pool.in_use + room;
    IOT_OTA_ReportVersion(ota, "1.0.0");
    for (int round = 0; round < 5; round++) {
        IOT_MQTT_Yield(client, 50);
    }
    memory_pool.limit        = 0;
    cloud_script.message.len = 0;
    CHECK(IOT_MQTT_IsConnected(client));
    upgrade(client, ota);
}

int main(void)
{
    static const size_t rooms[] = {500, 2000, 8000, 20000, 32000, 64000, 100000};
    int                 port    = server_start();
    int                 error;
    void               *client, *ota;

    IOT_Log_Set_Level(eLOG_DISABLE);
    large = malloc(100000);
    snprintf(command, sizeof(command),
             "{\"type\":\"update_firmware\",\"file_size\":5,\"md5sum\":\"5d41402abc4b2a76b9719d911017c592\","
             "\"version\":\"2.0.0\",\"url\":\"http://127.0.0.1:%d/f\"}",
             port);
    client = device_connect(&error);
    ota    = IOT_OTA_Init(product, device, client);
    CHECK(ota != NULL);
    upgrade(client, ota);
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        long_head(client, ota, 55000, rooms[i]);
        long_head(client, ota, 15000, rooms[i]);
        long_message(client, ota, 15000, rooms[i]);
        long_message(client, ota, 60000, rooms[i]);
    }
    CHECK_INT(IOT_OTA_Destroy(ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    server_stop();
    return check_result();
}
