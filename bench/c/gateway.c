/*
 * A gateway with many devices behind it: binds all, puts them online, and upgrades all at the same time over its one
 * connection.
 *
 *   gateway COUNT
 *
 * They are the gateway of device_info.json with names that end in 0, 1, ...; the environment is that of fetch.c. The last
 * line of output, sizes in kB of resident memory:
 *   {"devices":..., "bytes":..., "connected_kb":..., "online_kb":..., "peak_kb":...,
 *    "bind_s":..., "online_s":..., "upgrade_s":...}
 * connected_kb: the gateway alone; online_kb: when all are online; peak_kb: the most, all downloads being under way at once.
 */

#define _POSIX_C_SOURCE 200809L

#include "device.h"
#include "devices.h"

#define BLOCK_SIZE 5000
#define YIELD_MS   10

static unsigned acks;

static void on_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    (void)context;
    acks += event->event_type == MQTT_EVENT_PUBLISH_SUCCESS;
}

static void *connect_gateway(DeviceInfo *info)
{
    GatewayInitParam init = DEFAULT_GATEWAY_INIT_PARAMS;
    void            *gateway;

    init.init_param.product_id        = info->product_id;
    init.init_param.device_name       = info->device_name;
    init.init_param.device_secret     = info->device_secret;
    init.init_param.event_handle.h_fp = on_event;

    gateway = IOT_Gateway_Construct(&init);
    if (gateway == NULL) {
        fail("the gateway can't connect: %d", init.init_param.err_code);
    }
    return gateway;
}

static void until_acked(void *gateway, unsigned count, const char *what)
{
    double limit = now_s() + PATIENCE_S;

    while (acks < count) {
        IOT_Gateway_Yield(gateway, YIELD_MS);
        if (now_s() > limit) {
            fail("%s: %u of %u were acknowledged", what, acks, count);
        }
    }
}

/* One after the other: a client keeps so many messages in flight and no more. */
static void report_versions(void *gateway, Device *devices, unsigned count)
{
    double limit = now_s() + PATIENCE_S;

    acks = 0;
    for (unsigned i = 0; i < count; i++) {
        device_report_version(&devices[i], "1.0.0");
        until_acked(gateway, i + 1, "versions");
    }
    for (unsigned i = 0; i < count; i++) {
        while (!IOT_OTA_IsFetching(devices[i].ota)) {
            IOT_Gateway_Yield(gateway, YIELD_MS);
            if (now_s() > limit) {
                fail("device %u: the update command did not come", i);
            }
        }
    }
}

static uint64_t download_all(void *gateway, Device *devices, unsigned count)
{
    static char block[BLOCK_SIZE];
    uint64_t    bytes = 0;
    unsigned    left  = count;

    for (unsigned i = 0; i < count; i++) {
        device_start_download(&devices[i]);
    }
    while (left > 0) {
        left = 0;
        for (unsigned i = 0; i < count; i++) {
            if (!IOT_OTA_IsFetchFinish(devices[i].ota)) {
                bytes += device_fetch(&devices[i], block, sizeof(block), 0);
                left++;
            }
        }
        /* Returns at once while a download runs. */
        if (left > 0) {
            IOT_Gateway_Yield(gateway, YIELD_MS);
        }
    }
    return bytes;
}

static uint64_t upgrade(void *gateway, Device *devices, unsigned count)
{
    uint64_t bytes;

    report_versions(gateway, devices, count);
    bytes = download_all(gateway, devices, count);
    acks  = 0;
    for (unsigned i = 0; i < count; i++) {
        device_check_firmware(&devices[i]);
        device_report_success(&devices[i]);
        until_acked(gateway, i + 1, "results");
    }
    return bytes;
}

int main(int argc, char **argv)
{
    unsigned      count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    GatewayParam  param = DEFAULT_GATEWAY_PARAMS;
    Device       *devices;
    DeviceInfo    info;
    void         *gateway;
    unsigned long connected, online;
    uint64_t      bytes;
    double        start, bound, online_at, upgraded;

    if (count == 0) {
        fail("Usage: %s COUNT", argv[0]);
    }
    devices = calloc(count, sizeof(*devices));
    if (devices == NULL) {
        fail("no memory for %u devices", count);
    }
    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&info) != QCLOUD_RET_SUCCESS) {
        fail("device_info.json can't be read");
    }
    device_name_all(devices, count, &info);
    gateway           = connect_gateway(&info);
    connected         = memory_kb("VmRSS:");
    param.product_id  = info.product_id;
    param.device_name = info.device_name;

    start = now_s();
    for (unsigned i = 0; i < count; i++) {
        int rc = IOT_Gateway_Subdev_Bind(gateway, &param, &devices[i].info);

        if (rc != QCLOUD_RET_SUCCESS) {
            fail("device %u can't be bound: %d", i, rc);
        }
    }
    bound = now_s();
    for (unsigned i = 0; i < count; i++) {
        int rc;

        param.subdev_product_id  = devices[i].info.product_id;
        param.subdev_device_name = devices[i].info.device_name;
        rc                       = IOT_Gateway_Subdev_Online(gateway, &param);
        if (rc != QCLOUD_RET_SUCCESS) {
            fail("device %u can't be put online: %d", i, rc);
        }
    }
    online_at = now_s();
    online    = memory_kb("VmRSS:");
    for (unsigned i = 0; i < count; i++) {
        devices[i].client = IOT_Gateway_Get_Mqtt_Client(gateway);
        devices[i].ota    = IOT_OTA_Init(devices[i].info.product_id, devices[i].info.device_name, devices[i].client);
        if (devices[i].ota == NULL) {
            fail("device %u: OTA can't be initialised", i);
        }
    }
    bytes    = upgrade(gateway, devices, count);
    upgraded = now_s();
    printf("{\"devices\":%u,\"bytes\":%llu,\"connected_kb\":%lu,\"online_kb\":%lu,\"peak_kb\":%lu,"
           "\"bind_s\":%.4f,\"online_s\":%.4f,\"upgrade_s\":%.4f}\n",
           count, (unsigned long long)bytes, connected, online, memory_kb("VmHWM:"), bound - start, online_at - bound,
           upgraded - online_at);
    for (unsigned i = 0; i < count; i++) {
        IOT_OTA_Destroy(devices[i].ota);
    }
    free(devices);
    return IOT_Gateway_Destroy(gateway) == QCLOUD_RET_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
