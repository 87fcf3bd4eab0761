/*
 * A program that leaves in the middle of its download has not failed it: the cloud hears of no failure, and the next start
 * goes on from the last byte that the record knows as synced. The device is a process of its own, the server is here.
 *
 *   slots_leaving            every way to leave
 *   slots_leaving device WAY the device, in the current folder; WAY "stay" does not leave
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cloud.h"
#include "device.h"
#include "qcloud_iot_export_upgrade.h"
#include "qcloud_iot_import.h"
#include "server.h"
#include "signed_firmware.h"

#define BLOCK 4096u
/* The device leaves when so much is stored: two blocks, of which one is in the record. */
#define LEAVE_AT 60u
/* Exit codes of the device, and what it is given to come to its end. */
#define RESTART    3
#define SETTLED    4
#define LEFT       5
#define PATIENCE_S 120

/* ---- The device ---- */

static const char *way;
static void       *upgrade;
static int         exit_code;
static atomic_bool is_halfway, is_destroyed;

static void on_event(void *context, const IOT_Upgrade_Event *event)
{
    (void)context;
    if (event->event_type == IOT_UPGRADE_RESTART) {
        exit_code = RESTART;
    } else if (event->event_type == IOT_UPGRADE_TRIAL) {
        IOT_Upgrade_ConfirmRunning(upgrade);
    } else if (event->event_type == IOT_UPGRADE_CONFIRMED) {
        exit_code = SETTLED;
    } else if (event->event_type == IOT_UPGRADE_PROGRESS && event->percent >= LEAVE_AT && strcmp(way, "stay") != 0) {
        is_halfway = true;
        exit_code  = LEFT;
        if (strcmp(way, "exit") == 0) {
            exit(LEFT);
        } else if (strcmp(way, "SIGTERM") == 0) {
            raise(SIGTERM);
        } else if (strcmp(way, "cancelled thread") == 0) {
            pthread_cancel(pthread_self());
        } else if (strcmp(way, "destroy in the handler") == 0) {
            IOT_Upgrade_Destroy(upgrade);
        }
        /* So that the download is still in its middle then. */
        while (strcmp(way, "destroy elsewhere") == 0 && !is_destroyed) {
            HAL_SleepMs(1);
        }
    }
}

/* Yields until the device is to leave, or until another thread has ended it. */
static void *yielding(void *unused)
{
    /* Long enough that what must not be done any more would be done, where it is not the loop here that ends it. */
    bool     is_left_here = strcmp(way, "destroy") == 0 || strcmp(way, "stay") == 0;
    uint32_t timeout_ms   = is_left_here ? 1 : 500;
    bool     is_settled   = false;

    while (!is_settled && IOT_Upgrade_Yield(upgrade, timeout_ms) == QCLOUD_RET_SUCCESS) {
        IOT_Upgrade_Status status = {.state = -1};

        IOT_Upgrade_GetStatus(upgrade, &status);
        /* The cloud has acknowledged the result when nothing is followed any more. */
        is_settled = exit_code == SETTLED ? status.state == IOT_UPGRADE_IDLE
                                          : exit_code != 0 && strcmp(way, "destroy elsewhere") != 0;
    }
    return unused;
}

static int live(void)
{
    IOT_Upgrade_Pair   pair   = {{"a", "b"}, "record", "current", NULL, 0, NULL};
    IOT_Upgrade_Params params = {0};
    char               name[2];
    pthread_t          thread;
    int                error;

    params.client       = device_connect(&error);
    params.version      = readlink("current", name, 1) == 1 && name[0] == 'b' ? CLOUD_VERSION : "1.0.0";
    params.pair         = &pair;
    params.public_keys  = SIGNED_KEY;
    params.is_automatic = 1;
    params.record_every = BLOCK;
    params.on_event     = on_event;
    upgrade             = IOT_Upgrade_Init(&params);
    if (upgrade == NULL || pthread_create(&thread, NULL, yielding, NULL) != 0) {
        return 1;
    }
    if (strcmp(way, "destroy elsewhere") == 0) {
        while (!is_halfway) {
            HAL_SleepMs(1);
        }
        IOT_Upgrade_Destroy(upgrade);
        is_destroyed = true;
    }
    pthread_join(thread, NULL);
    IOT_Upgrade_Destroy(upgrade);
    IOT_MQTT_Destroy(&params.client);
    return exit_code;
}

/* ---- The test ---- */

/* One start of the device; how it has ended, negative for a signal. */
static int start(const char *program, const char *how)
{
    int   status = 0;
    pid_t child  = fork();

    if (child == 0) {
        execl(program, program, "device", how, (char *)NULL);
        _exit(127);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static uint32_t number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What the newer record says: the state, and the bytes that were synced (docs/upgrade.md section 4). */
static void read_record(int *state, uint32_t *synced)
{
    unsigned char places[2][512] = {{0}};
    int           fd             = open("record", O_RDONLY);
    int           newer;

    CHECK(fd >= 0 && pread(fd, places[0], 512, 0) == 512 && pread(fd, places[1], 512, BLOCK) == 512);
    close(fd);
    newer   = number(places[1] + 8) > number(places[0] + 8);
    *state  = places[newer][5];
    *synced = number(places[newer] + 12);
}

static void put_factory(void)
{
    static const char *const names[] = {"a", "b", "record", "current", "current.next"};
    int                      fd;

    for (unsigned i = 0; i < 5; i++) {
        unlink(names[i]);
    }
    fd = open("a", O_WRONLY | O_CREAT, 0700);
    CHECK(fd >= 0 && close(fd) == 0 && symlink("a", "current") == 0);
}

static void leave_and_go_on(const char *program, const char *how, int ends_with)
{
    unsigned requests = cloud_seen.requests, done = cloud_seen.done, failed = cloud_seen.failed;
    int      state;
    uint32_t synced;

    printf("%s\n", how);
    put_factory();
    CHECK_INT(start(program, how), ends_with);
    read_record(&state, &synced);
    CHECK_INT(state, IOT_UPGRADE_FETCHING);
    CHECK(synced >= BLOCK && synced < SIGNED_IMAGE && synced % BLOCK == 0);
    CHECK_INT(cloud_seen.failed, failed);
    CHECK_INT(start(program, "stay"), RESTART);
    CHECK_INT(cloud_seen.requests, requests + 2);
    CHECK_INT(cloud_seen.offsets[requests], 0);
    CHECK_INT(cloud_seen.offsets[requests + 1], SIGNED_HEADER + synced);
    CHECK_INT(start(program, "stay"), SETTLED);
    CHECK_INT(cloud_seen.failed, failed);
    CHECK_INT(cloud_seen.done, done + 1);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/slots_leaving_XXXXXX";
    char program[512];

    alarm(PATIENCE_S);
    IOT_Log_Set_Level(eLOG_DISABLE);
    if (argc == 3) {
        way = argv[2];
        return live();
    }
    CHECK(realpath(argv[0], program) != NULL);
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    server_start();
    signed_firmware_offer();
    leave_and_go_on(program, "destroy", LEFT);
    leave_and_go_on(program, "destroy in the handler", LEFT);
    leave_and_go_on(program, "destroy elsewhere", LEFT);
    leave_and_go_on(program, "exit", LEFT);
    leave_and_go_on(program, "SIGTERM", -SIGTERM);
#ifdef THREADS_UNWIND
    leave_and_go_on(program, "cancelled thread", LEFT);
#endif
    server_stop();
    put_factory();
    unlink("a");
    unlink("current");
    CHECK(chdir("/") == 0 && rmdir(folder) == 0);
    return check_result();
}
