/*
 * HAL_Malloc has nothing at each allocation of each service in turn, once and for a while. Nothing ends the process, what
 * fails says so, and afterwards the same objects work.
 *
 *   memory_services each|while
 */

#include <string.h>

#include "check.h"
#include "fast_clock.h"
#include "memory_pool.h"
#include "qcloud_iot_export.h"
#include "server.h"
#include "services.h"

/* While memory is short, so that nobody waits 20 s for an answer that there was no memory for. */
#define FAST 40

/* One life of a service, in which `many` allocations fail from the one numbered `from` on. Returns how many there were. */
static unsigned live(const Service *service, unsigned from, unsigned many)
{
    unsigned count, failed;
    bool     worked;

    service->start();
    memory_pool_fail(from, many);
    fast_clock_speed(from == 0 ? 1 : FAST);
    worked = service->use();
    count  = memory_pool.count;
    failed = memory_pool.failed;
    memory_pool_fail(0, 0);
    fast_clock_speed(1);
    if (!worked) {
        /* With the fast clock an answer may be too late only because the machine has other work. */
        bool may_fail = failed > 0 || from > 0;
        bool again    = service->use();

        if (!may_fail || !again) {
            fprintf(stderr, "%s, allocation %u, %u failed: ", service->name, from, failed);
        }
        CHECK(may_fail);
        CHECK(again);
    }
    CHECK(service->end());
    return count;
}

int main(int argc, char **argv)
{
    unsigned many = argc > 1 && strcmp(argv[1], "while") == 0 ? 60 : 1;

    fast_clock_start();
    IOT_Log_Set_Level(eLOG_DISABLE);
    services_start(server_start());
    for (unsigned i = 0; i < SERVICES; i++) {
        const Service *service = &services[i];
        unsigned       all;
        size_t         in_use_before;

        live(service, 0, 0);
        in_use_before    = memory_pool.in_use;
        memory_pool.peak = in_use_before;
        all              = live(service, 0, 0);
        printf("%s: %u allocations, %zu bytes at most\n", service->name, all, memory_pool.peak - in_use_before);
        CHECK(all > 0);
        for (unsigned k = 1; k <= all; k++) {
            live(service, k, many);
            CHECK_INT(memory_pool.in_use, in_use_before);
        }
    }
    server_stop();
    return check_result();
}
