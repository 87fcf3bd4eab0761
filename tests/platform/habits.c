/*
 * Old platform code must not make downloads slow: reads that wait for every byte, and TLS reads that block for 100 ms
 * even when asked for 0 (hal.md, "traps"). With the C SDK's own download loop, in the time of a clock that only
 * waiting moves.
 *
 *   habits SCHEME FRAMING LINK
 *     SCHEME   http or https
 *     FRAMING  length, chunked or close: how the server says where the firmware ends
 *     LINK     fast: 10 MB at 20 MB/s, slow: 200 kB at 10 kB/s
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

/* A fiftieth of what the C SDK's sample needs for 10 MB. */
#define FAST_LIMIT_US 4000000u

static CloudFraming framing_of(const char *name)
{
    return strcmp(name, "chunked") == 0 ? CLOUD_CHUNKED : strcmp(name, "close") == 0 ? CLOUD_UNTIL_CLOSE : CLOUD_LENGTH;
}

int main(int argc, char **argv)
{
    DeviceInfo device;
    Scenario   seen;
    uint64_t   link_us;
    bool       fast;

    if (argc != 4) {
        fprintf(stderr, "usage: habits SCHEME FRAMING LINK\n");
        return 2;
    }
    fast = strcmp(argv[3], "fast") == 0;
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_offer_small(NULL);
    if (fast) {
        cloud_firmware.size = 10000000;
        cloud_firmware.md5  = "75886503b6bd4a29831400ddd565b9ab";
    }
    cloud_firmware.framing = framing_of(argv[2]);
    snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "%s://firmware.example/firmware.bin", argv[1]);
    network_link.latency_us   = 20000;
    network_link.bytes_per_ms = fast ? 20000 : 10;
    network_link.window       = 65536;
    scenario_run(&seen, &device, true);

    link_us = cloud_firmware.size * (uint64_t)1000 / network_link.bytes_per_ms;
    printf("%s, %s, %s link: %u bytes in %.3f s of virtual time, %.3f s of them the link's\n", argv[1], argv[2], argv[3],
           (unsigned)cloud_firmware.size, (double)seen.download_us / 1e6, (double)link_us / 1e6);
    /* At least what the link needs: otherwise the clock would not measure anything. */
    CHECK(seen.download_us >= link_us);
    /* On a slow link looking at MQTT costs under a tenth of the time. */
    CHECK(seen.download_us < (fast ? FAST_LIMIT_US : link_us / 10 * 11));
    return check_result();
}
