/*
 * One upgrade by a bare download loop, without a disk. It uses only the public interface of the C SDK, so that a build of
 * it against the C SDK can be measured beside ours: ./bench.sh --peer DIR, where DIR holds that program as `fetch`.
 *
 *   fetch [-b BYTES] [-y MS]
 *     -b BYTES   the buffer that IOT_OTA_FetchYield fills; default 65536
 *     -y MS      IOT_MQTT_Yield(MS) after every block, as the C SDK's sample does; default: none
 *
 * It runs in a folder with device_info.json. The environment says where the servers are: QCLOUD_IOT_MQTT_ENDPOINT
 * (host:port, MQTT over TLS with a pre-shared key), QCLOUD_IOT_CA_FILE (the roots for HTTPS). A library that knows neither
 * these nor ports in URLs needs HAL_TCP_Connect and HAL_TLS_Connect that do.
 *
 * Its last line of output:
 *   {"bytes":..., "connect_s":..., "first_byte_s":..., "download_s":...}
 * connect_s: from the start to the connection with its subscription; first_byte_s: from the moment IOT_OTA_IsFetching shows
 * the update command to the return of the first block; download_s: the same to the last block.
 */

#define _POSIX_C_SOURCE 200809L

#include "device.h"
#include "utils_getopt.h"

#define FETCH_TIMEOUT_S 5
/* How long an update command may wait unseen before first_byte_s begins. */
#define WAIT_MS 1

static void wait_until_fetching(Device *device)
{
    double limit = now_s() + PATIENCE_S;

    while (!IOT_OTA_IsFetching(device->ota)) {
        IOT_MQTT_Yield(device->client, WAIT_MS);
        if (now_s() > limit) {
            fail("no update command came");
        }
    }
}

static void wait_until_acked(Device *device, int id)
{
    double limit = now_s() + PATIENCE_S;

    while (device->acked != id) {
        IOT_MQTT_Yield(device->client, WAIT_MS);
        if (now_s() > limit) {
            fail("the result was not acknowledged");
        }
    }
}

static unsigned long number(const char *option, const char *text)
{
    char         *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0') {
        fail("%s needs a number, not %s", option, text);
    }
    return value;
}

int main(int argc, char **argv)
{
    static Device device;
    uint32_t      size     = 65536;
    uint32_t      yield_ms = 0;
    uint64_t      bytes    = 0;
    double        start, connected, ordered, first = 0, end;
    char         *buffer;
    int           option;

    while ((option = utils_getopt(argc, argv, "b:y:")) != -1) {
        switch (option) {
            case 'b':
                size = (uint32_t)number("-b", utils_optarg);
                break;
            case 'y':
                yield_ms = (uint32_t)number("-y", utils_optarg);
                break;
            default:
                fail("Usage: %s [-b BYTES] [-y MS]", argv[0]);
        }
    }
    buffer = malloc(size);
    if (size == 0 || buffer == NULL) {
        fail("-b needs a size that fits into memory, not %u", (unsigned)size);
    }
    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&device.info) != QCLOUD_RET_SUCCESS) {
        fail("device_info.json can't be read");
    }

    start = now_s();
    device_connect(&device);
    connected = now_s();
    device_report_version(&device, "1.0.0");
    wait_until_fetching(&device);

    ordered = now_s();
    device_start_download(&device);
    while (!IOT_OTA_IsFetchFinish(device.ota)) {
        bytes += device_fetch(&device, buffer, size, FETCH_TIMEOUT_S);
        if (first == 0 && bytes > 0) {
            first = now_s();
        }
        if (yield_ms > 0) {
            IOT_MQTT_Yield(device.client, yield_ms);
        }
    }
    end = now_s();

    device_check_firmware(&device);
    wait_until_acked(&device, device_report_success(&device));
    device_disconnect(&device);
    free(buffer);
    printf("{\"bytes\":%llu,\"connect_s\":%.6f,\"first_byte_s\":%.6f,\"download_s\":%.6f}\n", (unsigned long long)bytes,
           connected - start, first - ordered, end - ordered);
    return EXIT_SUCCESS;
}
