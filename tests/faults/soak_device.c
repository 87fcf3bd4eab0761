/*
 * A device that takes upgrades again and again in one process, whatever happens: `cargo run -p faults -- soak` runs it against
 * a hub that misbehaves, and watches its memory. It keeps no firmware; each download begins at 0.
 *
 * Before each attempt it reads a line, after it it prints one:
 *   attempt <number> <ok|failed|cancelled> heap <bytes in use>
 * and now and then, when it has destroyed its client: idle heap <bytes in use>
 */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "qcloud_iot_export.h"

#define BLOCK_SIZE         5000
#define CONSTRUCT_LIMIT_MS 10000 /* a broker that is away comes back */
#define COMMAND_LIMIT_MS   90000 /* waits between connections that break again and again grow to a minute */
#define ACK_LIMIT_MS       30000
#define KEEP_ALIVE_MS      4000
#define NEW_CLIENT_AFTER   25 /* attempts */
#define CANCEL_EVERY       10 /* attempts */
#define CANCEL_AT_PERCENT  30

typedef enum {
    ATTEMPT_OK,
    ATTEMPT_FAILED,
    ATTEMPT_CANCELLED,
} Attempt;

typedef struct {
    DeviceInfo info;
    void      *client;
    void      *ota;
    unsigned   acknowledged; /* packet id of the last publish that was */
} Device;

static volatile sig_atomic_t g_stop = 0;

static void on_signal(int number)
{
    (void)number;
    g_stop = 1;
}

static uint32_t ms_since(uint32_t start)
{
    return HAL_GetTimeMs() - start;
}

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    Device *device = context;

    (void)client;
    if (event->event_type == MQTT_EVENT_PUBLISH_SUCCESS) {
        device->acknowledged = (unsigned)(uintptr_t)event->msg;
    }
}

static void disconnect_device(Device *device)
{
    if (device->ota != NULL) {
        IOT_OTA_Destroy(device->ota);
        device->ota = NULL;
    }
    if (device->client != NULL) {
        IOT_MQTT_Destroy(&device->client);
        device->client = NULL;
    }
}

/* False when a new client is needed. */
static bool run_mqtt(Device *device, uint32_t ms)
{
    int rc = IOT_MQTT_Yield(device->client, ms);

    return rc >= 0 || rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT;
}

/* A connection may be on its way back. */
static bool wait_connected(Device *device)
{
    uint32_t start = HAL_GetTimeMs();

    while (!IOT_MQTT_IsConnected(device->client)) {
        if (g_stop || ms_since(start) > COMMAND_LIMIT_MS || !run_mqtt(device, 50)) {
            return false;
        }
    }
    return true;
}

static bool connect_device(Device *device)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;
    uint32_t       start  = HAL_GetTimeMs();

    if (device->client == NULL) {
        params.product_id             = device->info.product_id;
        params.device_name            = device->info.device_name;
        params.device_secret          = device->info.device_secret;
        params.keep_alive_interval_ms = KEEP_ALIVE_MS;
        params.event_handle.h_fp      = on_mqtt_event;
        params.event_handle.context   = device;
        while (!g_stop && (device->client = IOT_MQTT_Construct(&params)) == NULL &&
               ms_since(start) < CONSTRUCT_LIMIT_MS) {
            HAL_SleepMs(500);
        }
    }
    if (device->client != NULL && device->ota == NULL && wait_connected(device)) {
        device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, device->client);
    }
    if (device->ota == NULL) {
        disconnect_device(device);
        return false;
    }
    return true;
}

static bool wait_ack(Device *device, int packet_id)
{
    uint32_t start = HAL_GetTimeMs();

    while (packet_id > 0 && device->acknowledged != (unsigned)packet_id) {
        if (g_stop || ms_since(start) > ACK_LIMIT_MS || !run_mqtt(device, 50)) {
            return false;
        }
    }
    return packet_id > 0;
}

/* Asks until an update command comes: reports and commands get lost with a connection. */
static bool wait_command(Device *device)
{
    uint32_t start    = HAL_GetTimeMs();
    uint32_t reported = start;
    bool     first    = true;

    while (!IOT_OTA_IsFetching(device->ota)) {
        if (g_stop || ms_since(start) > COMMAND_LIMIT_MS) {
            return false;
        }
        if ((first || ms_since(reported) > 2000) && IOT_MQTT_IsConnected(device->client)) {
            IOT_OTA_ReportVersion(device->ota, "1.0.0");
            reported = HAL_GetTimeMs();
            first    = false;
        }
        if (!run_mqtt(device, 50)) {
            return false;
        }
    }
    return true;
}

static Attempt fetch(Device *device, bool cancel)
{
    char     block[BLOCK_SIZE];
    uint32_t size    = 0;
    uint32_t fetched = 0;
    uint32_t matches = 0;

    if (IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)) != QCLOUD_RET_SUCCESS ||
        IOT_OTA_StartDownload(device->ota, 0, size) != QCLOUD_RET_SUCCESS) {
        return ATTEMPT_FAILED;
    }
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        int len = IOT_OTA_FetchYield(device->ota, block, sizeof(block), 1);
        if (len < 0 || g_stop) {
            return ATTEMPT_FAILED;
        }
        fetched += (uint32_t)len;
        if (cancel && fetched >= size / 100 * CANCEL_AT_PERCENT) {
            IOT_OTA_Destroy(device->ota);
            device->ota = NULL;
            return ATTEMPT_CANCELLED;
        }
        (void)IOT_MQTT_Yield(device->client, 20);
    }
    if (IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &matches, sizeof(matches)) != QCLOUD_RET_SUCCESS ||
        !matches) {
        return ATTEMPT_FAILED;
    }
    return wait_ack(device, IOT_OTA_ReportUpgradeBegin(device->ota)) &&
                   wait_ack(device, IOT_OTA_ReportUpgradeSuccess(device->ota, NULL))
               ? ATTEMPT_OK
               : ATTEMPT_FAILED;
}

/* Waits until it is told to go on. */
static bool go_on(void)
{
    char line[80];

    return fgets(line, sizeof(line), stdin) != NULL && !g_stop;
}

static size_t heap_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

int main(void)
{
    static const char *const names[] = {"ok", "failed", "cancelled"};
    static Device            device;
    struct sigaction         action;
    unsigned                 number;

    /* All threads on one heap: mallinfo2 tells of no other. */
    mallopt(M_ARENA_MAX, 1);
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    if (sigaction(SIGTERM, &action, NULL) != 0 || HAL_GetDevInfo(&device.info) != QCLOUD_RET_SUCCESS) {
        return 1;
    }
    for (number = 1; go_on(); number++) {
        Attempt result = ATTEMPT_FAILED;

        if (number % NEW_CLIENT_AFTER == 0) {
            disconnect_device(&device);
            printf("idle heap %zu\n", heap_in_use());
        }
        /* A connection that has died without a word shows only now: the second try is on a new one. */
        bool connected = connect_device(&device) || connect_device(&device);
        if (connected && wait_command(&device)) {
            result = fetch(&device, number % CANCEL_EVERY == 0);
        }
        if (device.client != NULL && !run_mqtt(&device, 1)) {
            disconnect_device(&device);
        }
        printf("attempt %u %s heap %zu\n", number, names[result], heap_in_use());
        fflush(stdout);
    }
    disconnect_device(&device);
    return 0;
}
