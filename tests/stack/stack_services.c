/*
 * How much stack the services use, whatever the cloud says: each runs on a thread whose stack was painted before, with good
 * answers and with hostile ones. Prints the bytes; more than the bound fails.
 *
 *   stack_services [BOUND]      (bytes; default 49152)
 */

#define _DEFAULT_SOURCE

#include <stdlib.h>

#include "check.h"
#include "cloud.h"
#include "fast_clock.h"
#include "painted.h"
#include "qcloud_iot_export.h"
#include "server.h"
#include "services.h"

/* While the cloud is hostile, so that nobody waits 20 s for an answer of use. */
#define FAST 40

static size_t bound = 48 * 1024;
static size_t base; /* what a thread uses that does nothing */
static size_t largest;
static bool   worked;

static void *nothing(void *unused)
{
    return unused;
}

static void *use(void *service)
{
    worked = ((const Service *)service)->use();
    return NULL;
}

static size_t used_by(void *(*body)(void *), const Service *service)
{
    Painted painted;

    painted_start(&painted, body, (void *)(uintptr_t)service);
    return painted_join(&painted);
}

static void measure(const Service *service, const char *what)
{
    size_t used = used_by(use, service);

    used = used > base ? used - base : 0;
    printf("%6zu  %s, %s\n", used, service->name, what);
    largest = used > largest ? used : largest;
    if (used > bound) {
        fprintf(stderr, "%s, %s: %zu bytes of stack, more than %zu\n", service->name, what, used, bound);
    }
    CHECK(used <= bound);
}

/* With this as every message of the cloud, and as its answer over HTTP behind `head`. */
static void measure_hostile(const Service *service, const char *what, const char *part, size_t times, const char *head)
{
    size_t len    = strlen(part);
    size_t before = strlen(head);
    char  *text   = malloc(before + len * times);

    memcpy(text, head, before);
    for (size_t i = 0; i < times; i++) {
        memcpy(text + before + i * len, part, len);
    }
    cloud_script.message.data = text + before;
    cloud_script.message.len  = len * times;
    cloud_script.answer.data  = text;
    cloud_script.answer.len   = before + len * times;
    fast_clock_speed(FAST);
    measure(service, what);
    fast_clock_speed(1);
    cloud_script.message.data = NULL;
    cloud_script.answer.data  = NULL;
    free(text);
}

int main(int argc, char **argv)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    if (argc > 1) {
        bound = strtoul(argv[1], NULL, 10);
    }
    IOT_Log_Set_Level(eLOG_DISABLE);
    fast_clock_start();
    services_start(server_start());
    used_by(nothing, NULL);
    base = used_by(nothing, NULL);
    printf("bytes of stack, besides the %zu of a thread that does nothing\n", base);
    for (unsigned i = 0; i < SERVICES; i++) {
        const Service *service = &services[i];

        service->start();
        measure(service, "good answers");
        CHECK(worked);
        measure_hostile(service, "16 kB of arrays", "[", 15000, head);
        measure_hostile(service, "16 kB of objects", "{\"payload\":", 1400, head);
        measure_hostile(service, "100 kB that are no JSON", "x", 100000, head);
        CHECK(service->end());
    }
    server_stop();
    printf("%6zu  at most, of %zu\n", largest, bound);
    return check_result();
}
