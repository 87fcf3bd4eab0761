/*
 * A firmware's own HAL_Malloc has nothing: at each allocation of a whole upgrade in turn, once and for a while, and for all
 * that goes beyond a pool. Nothing ends the process, what fails says so, and afterwards the same client works (case
 * out_of_memory).
 *
 *   memory each|while|rest|pool
 */

#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <string.h>

#include "check.h"
#include "cloud.h"
#include "device.h"
#include "memory_pool.h"
#include "server.h"

static char echo[] = DEVICE_PRODUCT "/" DEVICE_NAME CLOUD_ECHO;

static unsigned messages;
static size_t   in_use_before;

static void on_message(void *client, MQTTMessage *message, void *context)
{
    (void)client;
    (void)context;
    messages += message->payload_len == 5;
}

/* What must work where there is memory, and may fail where there is none. True: all of it worked. */
static bool talk(void *client)
{
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;
    PublishParams   publish   = DEFAULT_PUB_PARAMS;
    char            payload[] = "hello";
    unsigned        before    = messages;

    subscribe.on_message_handler = on_message;
    publish.payload              = payload;
    publish.payload_len          = 5;
    if (!IOT_MQTT_IsSubReady(client, echo) && IOT_MQTT_Subscribe(client, echo, &subscribe) < 0) {
        return false;
    }
    for (int round = 0; round < 100 && !IOT_MQTT_IsSubReady(client, echo); round++) {
        IOT_MQTT_Yield(client, 20);
    }
    if (IOT_MQTT_Publish(client, echo, &publish) < 0) {
        return false;
    }
    for (int round = 0; round < 100 && messages == before; round++) {
        IOT_MQTT_Yield(client, 20);
    }
    return messages > before;
}

static bool upgrade(void *client, void *ota)
{
    char     block[2000];
    uint32_t size = 0, fetched = 0, right = 0;

    if (IOT_OTA_ReportVersion(ota, "1.0.0") < 0) {
        return false;
    }
    for (int round = 0; round < 100 && !IOT_OTA_IsFetching(ota); round++) {
        IOT_MQTT_Yield(client, 20);
    }
    if (IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)) != 0 || IOT_OTA_StartDownload(ota, 0, size) != 0) {
        return false;
    }
    for (int round = 0; round < 1000 && !IOT_OTA_IsFetchFinish(ota); round++) {
        int got = IOT_OTA_FetchYield(ota, block, sizeof(block), 2);

        if (got < 0) {
            return false;
        }
        fetched += (uint32_t)got;
        IOT_MQTT_Yield(client, 10);
    }
    return fetched == size && IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)) == 0 && right == 1 &&
           IOT_OTA_ReportUpgradeSuccess(ota, NULL) >= 0;
}

/* A whole life, in which memory may be short. What fails is tried again with memory, by the same objects. */
static void live(const char *what, unsigned which)
{
    int   error  = 0;
    void *client = device_connect(&error);
    void *ota;

    if (client == NULL) {
        if (error != QCLOUD_ERR_MALLOC) {
            fprintf(stderr, "%s %u: ", what, which);
        }
        CHECK_INT(error, QCLOUD_ERR_MALLOC);
        memory_pool_fail(0, 0);
        client = device_connect(&error);
    }
    CHECK(client != NULL);
    if (!talk(client)) {
        memory_pool_fail(0, 0);
        CHECK(talk(client));
    }
    ota = IOT_OTA_Init(product, device, client);
    if (ota == NULL) {
        memory_pool_fail(0, 0);
        ota = IOT_OTA_Init(product, device, client);
    }
    CHECK(ota != NULL);
    if (!upgrade(client, ota)) {
        bool again;

        memory_pool_fail(0, 0);
        again = upgrade(client, ota);
        if (!again) {
            fprintf(stderr, "%s %u: ", what, which);
        }
        CHECK(again);
    }
    CHECK_INT(IOT_OTA_Destroy(ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
}

/* Nothing of a life stays behind. */
static void nothing_is_left(void)
{
    CHECK_INT(memory_pool.in_use, in_use_before);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "each";
    unsigned    all;

    IOT_Log_Set_Level(eLOG_DISABLE);
    server_start();
    cloud_firmware.size = 5000;
    cloud_firmware.md5  = "345e04df59f6e2e50de410f5fb71a57e";
    live("without faults", 0);
    memory_pool_fail(0, 0);
    memory_pool.peak = 0;
    in_use_before    = memory_pool.in_use;
    live("without faults", 0);
    all = memory_pool.count;
    printf("%u allocations, %zu bytes at most\n", all, memory_pool.peak);
    if (strcmp(mode, "pool") == 0) {
        for (size_t size = 1000; size < memory_pool.peak + 2000; size += 1000) {
            int   error;
            void *client;

            memory_pool.limit = size;
            client            = device_connect(&error);
            CHECK(client != NULL || error == QCLOUD_ERR_MALLOC);
            if (client != NULL) {
                talk(client);
                CHECK_INT(IOT_MQTT_Destroy(&client), 0);
            }
            memory_pool.limit = 0;
            live("pool", (unsigned)size);
            nothing_is_left();
        }
    } else {
        unsigned many = strcmp(mode, "each") == 0 ? 1 : strcmp(mode, "while") == 0 ? 60 : UINT_MAX;

        for (unsigned k = 1; k <= all; k++) {
            memory_pool_fail(k, many);
            live(mode, k);
            nothing_is_left();
        }
    }
    server_stop();
    return check_result();
}
