/*
 * Takes the power from a device that upgrades into its other slot, at every HAL call and every call of its store, one after
 * the other, and starts it again with what the loss may have left: nothing of what was not synced, all of it, or half.
 *
 *   slots             every call of the stores with each outcome, and each 23rd HAL call with one
 *   slots all         every HAL call with one
 *   slots CASE STEP   one cut, with what the device said
 *
 * Whenever the power goes, the slot that starts next is whole. In the end the cloud has one result, however often it was
 * told, and it is true: "done" where the new firmware runs and was confirmed, a failure where the former one runs.
 */

#define _GNU_SOURCE

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "device.h"
#include "network.h"
#include "power.h"
#include "qcloud_iot_export_upgrade.h"
#include "slots.h"

/* What a child process ends with, besides POWER_GONE. */
#define RESTART 78
#define SETTLED 79
/* CPU time after which a device runs in circles; it needs milliseconds. */
#define STUCK_S     20
#define MOST_TURNS  1000
#define MOST_STARTS 12
#define WORKERS     2
/* Of the HAL calls each so many-th one is tried, a prime, so that it is not always the same call of a loop. */
#define HAL_STRIDE 23
#define MAX_SHOWN  5

typedef struct {
    const char *name;
    const char *text;
    bool        is_pair;     /* the provided store, on files of its own */
    bool        starts_once; /* the boot loader starts a slot on trial once, then the other one */
    bool        works;       /* the new firmware confirms */
    uint32_t    wrong_at;    /* of the firmware in the cloud */
    int         status;      /* of the web server, 0: it has the firmware */
    const char *result;      /* what the cloud hears where the power stays */
} Case;

static const Case cases[] = {
    {"stays", "flash, and the firmware confirms", false, false, true, 0, 0, "\"done\""},
    {"once", "the same with a boot loader that goes back by itself", false, true, true, 0, 0, "\"done\""},
    {"returns", "flash, and the firmware does not confirm", false, false, false, 0, 0, "did not confirm"},
    {"falls", "the same with a boot loader that goes back by itself", false, true, false, 0, 0, "did not confirm"},
    {"changed", "the image is not the one that was signed", false, false, true, 5000, 0, "not the one that was signed"},
    {"missing", "the web server does not have it", false, false, true, 0, 404, "404"},
    {"pair", "files and a link, and the firmware confirms", true, false, true, 0, 0, "\"done\""},
    {"back", "files and a link, and the firmware does not confirm", true, false, false, 0, 0, "did not confirm"},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

World *world;

/* ---- The cloud ---- */

static bool on_report(const char *payload, size_t len)
{
    char text[sizeof(world->result)];

    snprintf(text, sizeof(text), "%.*s", (int)len, payload);
    if (strstr(text, "\"done\"") != NULL || strstr(text, "\"fail\"") != NULL) {
        world->has_two = world->has_two || (world->told > 0 && strcmp(text, world->result) != 0);
        strcpy(world->result, text);
        world->told++;
    }
    return world->told == 0;
}

/* ---- The device's program ---- */

static bool is_to_restart, is_on_trial;

static void on_event(void *context, const IOT_Upgrade_Event *event)
{
    (void)context;
    is_to_restart = is_to_restart || event->event_type == IOT_UPGRADE_RESTART;
    is_on_trial   = is_on_trial || event->event_type == IOT_UPGRADE_TRIAL;
}

static int end(void *upgrade, void *client, int code)
{
    return IOT_Upgrade_Destroy(upgrade) == 0 && IOT_MQTT_Destroy(&client) == 0 ? code : 5;
}

/* One start of it; what the process is to end with. */
static int live(const Case *the_case)
{
    IOT_Upgrade_Params params;
    IOT_Upgrade_Status status;
    void              *client, *upgrade;
    int                error, idle = 0;

    memset(&params, 0, sizeof(params));
    client = device_connect(&error);
    if (client == NULL) {
        return 2;
    }
    params.client          = client;
    params.version         = world->running == 1 ? CLOUD_VERSION : "1.0.0";
    params.store           = the_case->is_pair ? NULL : &slots_flash;
    params.pair            = &slots_pair;
    params.public_keys     = SIGNED_KEY;
    params.is_automatic    = 1;
    params.record_every    = 4096;
    params.confirm_seconds = 1;
    params.on_event        = on_event;
    upgrade                = IOT_Upgrade_Init(&params);
    if (upgrade == NULL) {
        return 3;
    }
    for (int turn = 0; turn < MOST_TURNS; turn++) {
        if (IOT_Upgrade_Yield(upgrade, 50) != 0 || IOT_Upgrade_GetStatus(upgrade, &status) != 0) {
            return 4;
        }
        if (is_to_restart) {
            return end(upgrade, client, RESTART);
        }
        if (is_on_trial && the_case->works) {
            is_on_trial = IOT_Upgrade_ConfirmRunning(upgrade) != 0;
        }
        /* After another turn the record says so, too. */
        idle = world->told > 0 && status.state == IOT_UPGRADE_IDLE ? idle + 1 : 0;
        if (idle == 2) {
            return end(upgrade, client, SETTLED);
        }
    }
    return 6;
}

static int start(const Case *the_case)
{
    static const struct itimerval stuck = {{0, 0}, {STUCK_S, 0}};
    int                           status;
    pid_t                         child;

    slots_boot(the_case->is_pair, the_case->starts_once);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        int code;

        setitimer(ITIMER_PROF, &stuck, NULL);
        slots_is_watched    = true;
        cloud_faults.status = the_case->status;
        cloud_faults.errors = the_case->status != 0 ? 1000 : 0;
        code                = live(the_case);
        fflush(NULL);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("slots: device");
        exit(2);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- A life, and what must hold in it ---- */

typedef struct {
    uint64_t cuts;
    uint64_t failed;
    uint64_t starts;
    uint64_t done; /* lives that ended with the new firmware */
} Totals;

/* A trial that the power has ended is one that was not confirmed, or not even seen. */
static bool is_by_a_cut(const char *result)
{
    return strstr(result, "did not confirm") != NULL || strstr(result, "did not come up") != NULL ||
           strstr(result, "never came up") != NULL;
}

/* What is wrong with the end of a life; NULL: nothing. */
static const char *wrong_end(const Case *the_case, bool was_cut)
{
    bool is_done = strstr(world->result, "\"done\"") != NULL;

    if (world->has_two) {
        return "the cloud was told two results";
    }
    if (is_done != (world->running == 1) || slots_next(the_case->is_pair) != world->running) {
        return "the report is not true";
    }
    if (is_done && !the_case->works) {
        return "a firmware stays that does not confirm";
    }
    if (strstr(world->result, the_case->result) == NULL && (!was_cut || !is_by_a_cut(world->result))) {
        return "it has ended otherwise than it should";
    }
    return NULL;
}

/* Lives from the factory's firmware on, the power gone at `cut_at`, 0 for never. Returns what was wrong. */
static const char *whole_life(const Case *the_case, uint32_t cut_at, Outcome outcome, Totals *totals)
{
    cloud_firmware.wrong_at = the_case->wrong_at;
    cloud_firmware.md5      = the_case->wrong_at != 0 ? SIGNED_WRONG_MD5 : SIGNED_MD5;
    slots_factory(the_case->is_pair);
    power->cut_at     = cut_at;
    power->hal_calls  = 0;
    power->disk_calls = 0;
    for (unsigned starts = 0; starts < MOST_STARTS; starts++) {
        int code = start(the_case);

        totals->starts++;
        /* Also a program that restarts its device has saved what it has synced, and nothing else. */
        slots_lose_power(the_case->is_pair, outcome);
        if (!slots_is_whole(slots_next(the_case->is_pair))) {
            return "the slot that starts next is not whole";
        }
        if (code == SETTLED) {
            totals->done += world->running == 1;
            return wrong_end(the_case, cut_at != 0);
        }
        if (code != RESTART && code != POWER_GONE) {
            fprintf(stderr, "slots %s: a start ended with %d\n", the_case->name, code);
            return "the program gave up";
        }
        if (code == POWER_GONE) {
            power->cut_at = 0;
        }
    }
    return "it is started again and again";
}

static void cut(const Case *the_case, uint32_t step, Outcome outcome, Totals *totals)
{
    const char *wrong = whole_life(the_case, step, outcome, totals);

    totals->cuts++;
    if (wrong != NULL && totals->failed++ < MAX_SHOWN) {
        fprintf(stderr, "slots %s %" PRIu32 ", %s: %s; the cloud was told %s\n", the_case->name, step,
                slots_outcomes[outcome], wrong, world->result);
    }
}

/* One worker's share of a case's cuts. */
static void cut_share(const Case *the_case, unsigned worker, uint32_t steps, const bool *is_store, bool all,
                      Totals *totals)
{
    unsigned number = 0;

    for (uint32_t step = 1; step <= steps; step++) {
        for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
            bool is_its_turn =
                all ? step % OUTCOMES == outcome : step % (HAL_STRIDE * OUTCOMES) == HAL_STRIDE * outcome;
            bool is_tried = is_store[step] || is_its_turn;

            if (is_tried && number++ % WORKERS == worker) {
                cut(the_case, step, (Outcome)outcome, totals);
            }
        }
    }
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("slots: memory");
        exit(2);
    }
    return memory;
}

static void prepare_worker(void)
{
    power = shared(sizeof(*power));
    world = shared(sizeof(*world));
    slots_make_folder();
}

static bool cut_everywhere(const Case *the_case, bool all, Totals *sum)
{
    static bool is_store[MOST_STEPS];
    Totals     *totals = shared(WORKERS * sizeof(*totals));
    Totals      uncut  = {0};
    const char *wrong  = whole_life(the_case, 0, LOST, &uncut);
    uint32_t    steps  = power->hal_calls + power->disk_calls;
    bool        good   = wrong == NULL;

    if (!good) {
        fprintf(stderr, "slots %s: without a cut: %s; the cloud was told %s\n", the_case->name, wrong, world->result);
        return false;
    }
    printf("%-8s %5" PRIu32 " HAL calls, %3" PRIu32 " of the store: %s\n", the_case->name, power->hal_calls,
           power->disk_calls, the_case->text);
    memcpy(is_store, world->is_store, sizeof(is_store));
    fflush(NULL);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        pid_t child = fork();

        if (child == 0) {
            prepare_worker();
            cut_share(the_case, worker, steps, is_store, all, &totals[worker]);
            slots_remove_folder();
            exit(0);
        }
        if (child < 0) {
            perror("slots: worker");
            exit(2);
        }
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        int status;

        good = wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && good;
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        sum->cuts += totals[worker].cuts;
        sum->failed += totals[worker].failed;
        sum->starts += totals[worker].starts;
        sum->done += totals[worker].done;
    }
    return good;
}

int main(int argc, char **argv)
{
    Totals totals = {0};
    bool   all    = argc == 2 && strcmp(argv[1], "all") == 0;
    bool   good   = true;

    strcpy(cloud_firmware.url, "http://firmware.example/firmware.bin");
    signed_firmware_offer();
    cloud_report = on_report;
    /* Several reads and writes for a block. */
    network_link.bytes_per_ms = 20;
    network_link.window       = 3000;
    IOT_Log_Set_Level(argc == 3 ? eLOG_DEBUG : eLOG_DISABLE);
    prepare_worker();
    if (argc != 1 && argc != 3 && !all) {
        fprintf(stderr, "usage: slots [all | CASE STEP]\n");
        return 2;
    }
    for (size_t i = 0; i < CASES; i++) {
        if (argc == 3 && strcmp(argv[1], cases[i].name) == 0) {
            for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
                cut(&cases[i], (uint32_t)strtoul(argv[2], NULL, 10), (Outcome)outcome, &totals);
            }
        } else if (argc != 3) {
            good = cut_everywhere(&cases[i], all, &totals) && good;
        }
    }
    slots_remove_folder();
    printf("%" PRIu64 " starts; %" PRIu64 " lives ended with the new firmware\n", totals.starts, totals.done);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", totals.cuts - totals.failed, totals.failed);
    return !good || totals.failed > 0 || totals.cuts == 0;
}
