/*
 * Old platform code must not make downloads slow: reads that wait for every byte, and TLS reads that block for 100 ms
 * even when asked for 0 (hal.md, "traps"). With the C SDK's own download loop, in the time of a clock that only
 * waiting moves. The server redirects first, and closes its connections only where that ends the firmware.
 *
 *   habits SCHEME FRAMING LINK
 *     SCHEME   http or https
 *     FRAMING  length, chunked or close: how the server says where the firmware ends
 *     LINK     fast: 10 MB at 20 MB/s, slow: 10 MB at 1 MB/s, thin: 200 kB at 10 kB/s
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

/* What a link can do, and what a download over it may take. */
typedef struct {
    const char *name;
    uint64_t    bytes_per_ms;
    bool        big;
    uint64_t    limit_us;
} Link;

static const Link links[] = {
    /* A fiftieth of what the C SDK's sample needs for 10 MB. */
    {"fast", 20000, true, 4000000},
    /* Looking at MQTT costs under a tenth of the time. */
    {"slow", 1000, true, 11000000},
    /* Nothing is waited for that does not come: 20 s are the link's. */
    {"thin", 10, false, 20500000},
};

static const Link *link_of(const char *name)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (strcmp(links[i].name, name) == 0) {
            return &links[i];
        }
    }
    fprintf(stderr, "habits: no link '%s'\n", name);
    exit(2);
}

static CloudFraming framing_of(const char *name)
{
    return strcmp(name, "chunked") == 0 ? CLOUD_CHUNKED : strcmp(name, "close") == 0 ? CLOUD_UNTIL_CLOSE : CLOUD_LENGTH;
}

int main(int argc, char **argv)
{
    DeviceInfo  device;
    Scenario    seen;
    const Link *link;
    uint64_t    link_us;

    if (argc != 4) {
        fprintf(stderr, "usage: habits SCHEME FRAMING LINK\n");
        return 2;
    }
    link = link_of(argv[3]);
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_offer_small(NULL);
    if (link->big) {
        cloud_firmware.size = 10000000;
        cloud_firmware.md5  = "75886503b6bd4a29831400ddd565b9ab";
    }
    cloud_firmware.framing = framing_of(argv[2]);
    snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "%s://firmware.example/moved/firmware.bin", argv[1]);
    network_link.latency_us   = 20000;
    network_link.bytes_per_ms = link->bytes_per_ms;
    network_link.window       = 65536;
    scenario_run(&seen, &device, true);

    link_us = cloud_firmware.size * (uint64_t)1000 / link->bytes_per_ms;
    printf("%s, %s, %s link: %u bytes in %.3f s of virtual time, %.3f s of them the link's\n", argv[1], argv[2],
           link->name, (unsigned)cloud_firmware.size, (double)seen.download_us / 1e6, (double)link_us / 1e6);
    /* At least what the link needs: otherwise the clock would not measure anything. */
    CHECK(seen.download_us >= link_us);
    CHECK(seen.download_us < link->limit_us);
    return check_result();
}
