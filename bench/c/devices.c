/*
 * Many devices in one process, all of which take an upgrade at the same time.
 *
 *   devices COUNT
 *
 * They are the device of device_info.json with names that end in 0, 1, ...; the environment is that of fetch.c. The last
 * line of output, sizes in kB of resident memory:
 *   {"devices":..., "bytes":..., "before_kb":..., "connected_kb":..., "peak_kb":..., "seconds":...}
 * connected_kb: when all have connected and nothing is going on; peak_kb: the most, all downloads being under way at once.
 */

#define _POSIX_C_SOURCE 200809L

#include "devices.h"

#define BLOCK_SIZE 5000
/* After every block, as in the C SDK's sample; returns at once while a download runs. */
#define YIELD_MS 100
/* Each device waits so long before the next one has its turn. */
#define TURN_MS 1

/* Gives each device its turn until `done` says so of all of them. */
static void take_turns(Device *devices, unsigned count, const char *what, bool (*done)(Device *))
{
    double   limit = now_s() + PATIENCE_S;
    unsigned left  = count;

    while (left > 0) {
        left = 0;
        for (unsigned i = 0; i < count; i++) {
            if (!done(&devices[i])) {
                IOT_MQTT_Yield(devices[i].client, TURN_MS);
                left += !done(&devices[i]);
            }
        }
        if (left > 0 && now_s() > limit) {
            fail("%u of %u devices: %s did not come", left, count, what);
        }
    }
}

static bool has_command(Device *device)
{
    return IOT_OTA_IsFetching(device->ota);
}

/* Since `acked` was 0. Reports of progress are QoS 0. */
static bool is_acked(Device *device)
{
    return device->acked != 0;
}

static uint64_t download_all(Device *devices, unsigned count)
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
            if (IOT_OTA_IsFetching(devices[i].ota)) {
                IOT_MQTT_Yield(devices[i].client, YIELD_MS);
            }
        }
    }
    return bytes;
}

int main(int argc, char **argv)
{
    unsigned      count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    Device       *devices;
    DeviceInfo    info;
    unsigned long before, connected;
    uint64_t      bytes;
    double        start;

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
    before = memory_kb("VmRSS:");
    start  = now_s();

    for (unsigned i = 0; i < count; i++) {
        device_connect(&devices[i]);
    }
    connected = memory_kb("VmRSS:");
    for (unsigned i = 0; i < count; i++) {
        device_report_version(&devices[i], "1.0.0");
    }
    take_turns(devices, count, "the update command", has_command);
    take_turns(devices, count, "the acknowledgement of the version", is_acked);
    bytes = download_all(devices, count);
    for (unsigned i = 0; i < count; i++) {
        device_check_firmware(&devices[i]);
        devices[i].acked = 0;
        device_report_success(&devices[i]);
    }
    take_turns(devices, count, "the acknowledgement of the result", is_acked);
    printf("{\"devices\":%u,\"bytes\":%llu,\"before_kb\":%lu,\"connected_kb\":%lu,\"peak_kb\":%lu,\"seconds\":%.3f}\n",
           count, (unsigned long long)bytes, before, connected, memory_kb("VmHWM:"), now_s() - start);
    for (unsigned i = 0; i < count; i++) {
        device_disconnect(&devices[i]);
    }
    free(devices);
    return EXIT_SUCCESS;
}
