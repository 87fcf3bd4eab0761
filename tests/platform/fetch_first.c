/*
 * Programs that fetch before they start a download (versions.md case 4): those of 3.0.0 to 3.0.2 know no
 * IOT_OTA_StartDownload, others call it after a first IOT_OTA_FetchYield. Each byte that is asked for comes once.
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

typedef enum { NEVER_STARTED, STARTED_WHERE_IT_WAS, STARTED_AT_0 } Start;

typedef struct {
    DeviceInfo info;
    Scenario   seen;
    void      *client;
    void      *ota;
} Device;

/* Into `at` of the firmware. 0 where nothing came. */
static uint32_t fetch(Device *device, uint32_t at)
{
    char block[SCENARIO_BLOCK];
    int  count = IOT_OTA_FetchYield(device->ota, block, sizeof(block), 1);

    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        device->seen.wrong += (unsigned char)block[i] != cloud_firmware_byte(at + (uint32_t)i);
    }
    IOT_MQTT_Yield(device->client, 100);
    return count > 0 ? (uint32_t)count : 0;
}

static void upgrade(Device *device, Start start)
{
    uint32_t at = 0, first, size = 0, fetched = 0, right = 0;
    unsigned requests = cloud_seen.requests, again = 0;

    CHECK(IOT_OTA_ReportVersion(device->ota, "1.0.0") > 0);
    SCENARIO_UNTIL(device->client, IOT_OTA_IsFetching(device->ota));
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)), 0);
    for (int round = 0; round < SCENARIO_PATIENCE && at == 0; round++) {
        at = fetch(device, at);
    }
    CHECK(at > 0 && at < size);
    CHECK_INT(cloud_seen.requests, requests + 1);
    CHECK_INT(cloud_seen.offsets[requests], 0);
    if (start != NEVER_STARTED) {
        at = start == STARTED_AT_0 ? 0 : at;
        CHECK_INT(IOT_OTA_StartDownload(device->ota, at, size), 0);
        again = 1;
    }
    first = at;
    for (int round = 0; round < SCENARIO_PATIENCE && !IOT_OTA_IsFetchFinish(device->ota); round++) {
        at += fetch(device, at);
        CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_FETCHED_SIZE, &fetched, sizeof(fetched)), 0);
        CHECK_INT(fetched, at);
    }
    CHECK_INT(cloud_seen.requests, requests + 1 + again);
    CHECK_INT(cloud_seen.offsets[requests + again], again ? first : 0);
    CHECK_INT(at, size);
    CHECK_INT(device->seen.wrong, 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)), 0);
    CHECK_INT(right, 1);
    CHECK(IOT_OTA_ReportUpgradeSuccess(device->ota, NULL) > 0);
    SCENARIO_UNTIL(device->client, cloud_seen.done == (unsigned)start + 1);
}

int main(void)
{
    Device         device = {0};
    MQTTInitParams params;

    scenario_identity(&device.info);
    scenario_offer_small("http://firmware.example/firmware.bin");
    network_link.window       = 65536;
    network_link.bytes_per_ms = 20000;
    params                    = scenario_params(&device.info, &device.seen);
    device.client             = IOT_MQTT_Construct(&params);
    CHECK(device.client != NULL);
    device.ota = IOT_OTA_Init(device.info.product_id, device.info.device_name, device.client);
    CHECK(device.ota != NULL);
    if (device.ota != NULL) {
        upgrade(&device, NEVER_STARTED);
        upgrade(&device, STARTED_WHERE_IT_WAS);
        upgrade(&device, STARTED_AT_0);
        CHECK_INT(IOT_OTA_Destroy(device.ota), 0);
    }
    CHECK_INT(IOT_MQTT_Destroy(&device.client), 0);
    CHECK_INT(network_open, 0);
    return check_result();
}
