#include "power.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "network.h"

Power *power;

/* Where the power has gone nobody gets any further, in any thread. */
static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER;

void power_end(void)
{
    power->cloud = cloud_seen;
    power->reached += network_body;
}

static void step(void)
{
    if (power->cut_at != 0 && power->hal_calls + power->disk_calls == power->cut_at) {
        power_end();
        _exit(POWER_GONE);
    }
}

void power_hal_call(void)
{
    pthread_mutex_lock(&running);
    power->hal_calls++;
    step();
    /* The device has gone on: what it has saved it relies on. */
    power->promised = power->saved;
    pthread_mutex_unlock(&running);
}

void power_disk_call(void)
{
    pthread_mutex_lock(&running);
    power->disk_calls++;
    step();
}

void power_disk_done(void)
{
    pthread_mutex_unlock(&running);
}

uint32_t power_stored(void)
{
    const Disk *disk  = &power->disk;
    int         state = disk_find(disk, POWER_STATE_FILE);
    int         bin   = disk_find(disk, POWER_BIN_FILE);
    char        text[512];
    char        version[33], md5[33];
    uint32_t    size, downloaded;

    if (state < 0 || bin < 0 || disk->files[state].now.size >= sizeof(text)) {
        return 0;
    }
    memcpy(text, disk->files[state].now.bytes, disk->files[state].now.size);
    text[disk->files[state].now.size] = '\0';
    if (sscanf(text, "{\"version\":\"%32[^\"]\",\"md5\":\"%32[^\"]\",\"size\":%" SCNu32 ",\"downloaded\":%" SCNu32 "}",
               version, md5, &size, &downloaded) != 4 ||
        strcmp(version, CLOUD_VERSION) != 0 || strcmp(md5, cloud_firmware.md5) != 0 || size != cloud_firmware.size ||
        downloaded > size || downloaded > disk->files[bin].now.size) {
        return 0;
    }
    return downloaded;
}
