/*
 * Takes the power from the OTA sample at every step of an upgrade, one after the other, and starts it again with each
 * disk that the loss may have left.
 *
 *   cuts               all cases
 *   cuts CASE STEP     one cut, with what the device said
 *
 * The device's start after the cut must end with exit code 0, the right firmware synced to the disk, no other file left
 * and "done" reported. It must go on from what the state file says, which is at least what the device relied on having
 * saved. Where the device had reported "done" before, the firmware must have been on the disk.
 */

#define _GNU_SOURCE

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "network.h"
#include "power.h"

#define SIZE      12007u
#define MD5       "b26ee3400b4d76b54fb88c85d12e164b"
#define OTHER_MD5 "00000000000000000000000000000000"
#define HALF      (SIZE / 2)
#define WORKERS   2
/* What the link brings in the second between two saves and in one fetch, which may last another one. */
#define MOST_AGAIN 8500u
/* Real time after which a device is stuck; it needs milliseconds. */
#define STUCK_S   20
#define MAX_SHOWN 10
/* About as many as an upgrade has: where to look for a second cut. */
#define MOST_STEPS 3000u

int sample_main(int argc, char **argv);

/* ---- What the device starts from ---- */

typedef struct {
    const char *name;
    const char *text;
    void (*prepare)(void);
    bool with_loop; /* MQTT is served by a thread, so the number of steps is not always the same */
    bool rotten;    /* the data is not what the state file says, which only the MD5 shows */
} Case;

static void put_file(const char *name, const void *bytes, uint32_t size)
{
    disk_write(&power->disk, disk_create(&power->disk, name), 0, bytes, size);
}

static void put_state(const char *md5, uint32_t downloaded)
{
    char text[256];
    int  len = snprintf(text, sizeof(text),
                        "{\"version\":\"" CLOUD_VERSION "\",\"md5\":\"%s\",\"size\":%u,\"downloaded\":%" PRIu32 "}\n",
                        md5, SIZE, downloaded);

    put_file(POWER_STATE_FILE, text, (uint32_t)len);
}

/* `right` bytes of the firmware, then `wrong` others. */
static void put_bin(uint32_t right, uint32_t wrong)
{
    static unsigned char bytes[DISK_FILE_SIZE];

    for (uint32_t i = 0; i < right + wrong; i++) {
        bytes[i] = i < right ? cloud_firmware_byte(i) : 0x77;
    }
    put_file(POWER_BIN_FILE, bytes, right + wrong);
}

static void prepare_nothing(void) {}

static void prepare_half(void)
{
    put_bin(HALF, 1500);
    put_state(MD5, HALF);
    put_file(POWER_STATE_FILE ".tmp", "{\"version\":", 11);
}

static void prepare_all(void)
{
    put_bin(SIZE, 0);
    put_state(MD5, SIZE);
}

static void prepare_other(void)
{
    put_bin(0, SIZE);
    put_state(OTHER_MD5, HALF);
}

static void prepare_ahead(void)
{
    put_bin(100, 0);
    put_state(MD5, 3000);
}

static void prepare_rotten(void)
{
    put_bin(100, HALF - 100);
    put_state(MD5, HALF);
}

static const Case cases[] = {
    {"nothing", "an empty disk", prepare_nothing, false, false},
    {"half", "half of the firmware, garbage behind it, half a state file", prepare_half, false, false},
    {"all", "all of the firmware, not reported yet", prepare_all, false, false},
    {"other", "a firmware of the same version with another MD5", prepare_other, false, false},
    {"ahead", "a state file that speaks of more than there is", prepare_ahead, false, false},
    {"rotten", "half of the firmware, but wrong", prepare_rotten, false, true},
#ifdef MULTITHREAD_ENABLED
    {"loop", "an empty disk, and a thread that serves MQTT", prepare_nothing, true, false},
#endif
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

/* ---- The device ---- */

static int said; /* what the device says goes into this file */

/* Its exit code; -1 where a signal ended it. */
static int run_device(const Case *the_case, uint32_t cut_at)
{
    char *arguments[] = {"ota_mqtt_sample", "-n", "3", "-l", NULL};
    pid_t child;
    int   status;

    power->cut_at     = cut_at;
    power->hal_calls  = 0;
    power->disk_calls = 0;
    power->saved      = power_stored();
    power->promised   = power->saved;
    power->reached    = power->saved;
    memset(&power->cloud, 0, sizeof(power->cloud));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        int code;

        if (ftruncate(said, 0) != 0 || lseek(said, 0, SEEK_SET) != 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0) {
            _exit(2);
        }
        alarm(STUCK_S);
        code = sample_main(the_case->with_loop ? 4 : 3, arguments);
        power_end();
        fflush(NULL);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("cuts: device");
        exit(2);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void show_said(void)
{
    char    block[4096];
    ssize_t count;

    for (off_t at = 0; (count = pread(said, block, sizeof(block), at)) > 0; at += count) {
        fwrite(block, 1, (size_t)count, stderr);
    }
}

/* ---- The checks ---- */

typedef struct {
    uint64_t cuts;
    uint64_t failed;
    uint64_t second_cuts;   /* in the start after one of those */
    uint64_t starts;        /* after a cut: one for each disk it may have left */
    uint64_t went_on;       /* those that found data to go on from */
    uint64_t again;         /* bytes fetched again, in all of them */
    uint64_t again_at_most; /* and in one */
} Totals;

static bool has_firmware(uint32_t len)
{
    int file = disk_find(&power->disk, POWER_BIN_FILE);

    if (file < 0 || power->disk.files[file].now.size < len) {
        return len == 0;
    }
    for (uint32_t i = 0; i < len; i++) {
        if (power->disk.files[file].now.bytes[i] != cloud_firmware_byte(i)) {
            return false;
        }
    }
    return true;
}

/* The disk that the device of this case starts from. */
static void prepare_disk(const Case *the_case)
{
    memset(&power->disk, 0, sizeof(power->disk));
    the_case->prepare();
    for (int file = 0; file < DISK_FILES; file++) {
        disk_sync_file(&power->disk, file);
    }
    disk_sync_folder(&power->disk);
}

/* What is wrong with what the loss has left of the device `at_cut`; NULL: nothing. */
static const char *wrong_disk(const Case *the_case, const Power *at_cut, uint32_t stored)
{
    if (!the_case->rotten && !has_firmware(stored)) {
        return "the state file speaks of data that is not there";
    }
    if (stored < at_cut->promised) {
        return "the device relied on having saved more";
    }
    if (at_cut->cloud.done > 0 && !has_firmware(SIZE)) {
        return "done was reported, but the firmware is not on the disk";
    }
    return NULL;
}

/* What is wrong with the end of an upgrade that had `stored` bytes to go on from; NULL: nothing. */
static const char *wrong_end(const Case *the_case, int code, uint32_t stored)
{
    const CloudSeen *cloud = &power->cloud;
    uint32_t         asked;

    if (code != 0) {
        return code < 0 ? "the device was ended by a signal" : "the device gave up";
    }
    if (cloud->done != 1) {
        return "done was not reported once";
    }
    if (!the_case->rotten && cloud->failed != 0) {
        return "a failure was reported";
    }
    /* Where all was there, but wrong, there was nothing to ask for before it was thrown away. */
    asked = stored != SIZE ? stored : cloud->failed > 0 ? 0 : SIZE;
    if ((cloud->requests == 0 ? SIZE : cloud->offsets[0]) != asked) {
        return "the device did not go on from what the state file says";
    }
    if (cloud->requests > 1 + cloud->failed) {
        return "the device asked more often than it had to";
    }
    /* From here on in the worst case. */
    disk_lose_power(&power->disk, 0);
    if (!has_firmware(SIZE)) {
        return "the firmware is not on the disk";
    }
    for (int file = 0; file < DISK_FILES; file++) {
        const char *name = power->disk.folders[0].names[file];

        if (name[0] != '\0' && (strcmp(name, POWER_BIN_FILE) != 0 || power->disk.files[file].now.size != SIZE)) {
            return "something is left over";
        }
    }
    return NULL;
}

static void complain(const Case *the_case, uint32_t step, const Power *at_cut, unsigned outcome, const char *wrong)
{
    char text[512];

    disk_describe(&at_cut->disk, outcome, text, sizeof(text));
    fprintf(stderr, "cuts %s %" PRIu32 ": after step %" PRIu32 ": %s. The disk had, of what was not synced: %s\n",
            the_case->name, step, at_cut->cut_at, wrong, text);
}

/* Bytes that come through the network a second time. What was thrown away for good reason does not count. */
static uint64_t fetched_again(const Case *the_case, const Power *at_cut, uint32_t stored)
{
    return the_case->rotten || at_cut->cloud.done > 0 ? 0 : at_cut->reached - stored;
}

/* Starts the device again with one of the disks that the loss may have left. `step` is to be given to try it again. */
static bool start_again(const Case *the_case, uint32_t step, const Power *at_cut, unsigned outcome, bool talkative,
                        Totals *totals)
{
    uint32_t    stored;
    uint64_t    again;
    const char *wrong;

    power->disk = at_cut->disk;
    disk_lose_power(&power->disk, outcome);
    stored = power_stored();
    again  = fetched_again(the_case, at_cut, stored);
    wrong  = wrong_disk(the_case, at_cut, stored);
    if (wrong == NULL && again > MOST_AGAIN) {
        wrong = "too much was not saved";
    }
    if (wrong == NULL) {
        wrong = wrong_end(the_case, run_device(the_case, 0), stored);
    }
    if (wrong != NULL && totals->failed < MAX_SHOWN) {
        complain(the_case, step, at_cut, outcome, wrong);
    }
    if (talkative) {
        show_said();
    }
    totals->starts++;
    totals->went_on += stored > 0;
    totals->again += again;
    totals->again_at_most = again > totals->again_at_most ? again : totals->again_at_most;
    return wrong == NULL;
}

/* Lets the power go once more, at some step of the start after the cut at `step`. */
static bool cut_again(const Case *the_case, uint32_t step, const Power *at_cut, bool talkative, Totals *totals)
{
    static Power at_second;
    uint32_t     mixed = step * 2654435761u;
    int          code;

    power->disk = at_cut->disk;
    disk_lose_power(&power->disk, mixed % disk_outcomes(&at_cut->disk));
    code = run_device(the_case, 1 + mixed / 7 % MOST_STEPS);
    if (code == 0) {
        return true; /* over before */
    }
    if (code != POWER_GONE) {
        fprintf(stderr, "cuts %s %" PRIu32 ": the second start ended with %d\n", the_case->name, step, code);
        return false;
    }
    at_second = *power;
    totals->second_cuts++;
    return start_again(the_case, step, &at_second, mixed / 3 % disk_outcomes(&at_second.disk), talkative, totals);
}

/* Lets the power go at `step`. False: the device came to its end before. */
static bool cut(const Case *the_case, uint32_t step, bool talkative, Totals *totals)
{
    static Power at_cut;
    bool         good = true;
    int          code;

    prepare_disk(the_case);
    code = run_device(the_case, step);
    if (code == 0 && power->hal_calls + power->disk_calls < step) {
        return false;
    }
    if (code != POWER_GONE) {
        fprintf(stderr, "cuts %s %" PRIu32 ": the device ended before with %d\n", the_case->name, step, code);
        totals->cuts++;
        totals->failed++;
        return true;
    }
    if (talkative) {
        show_said();
        fprintf(stderr, "---- the power goes ----\n");
    }
    at_cut = *power;
    for (unsigned outcome = 0; good && outcome < disk_outcomes(&at_cut.disk); outcome++) {
        good = start_again(the_case, step, &at_cut, outcome, talkative, totals);
    }
    good = good && cut_again(the_case, step, &at_cut, talkative, totals);
    totals->cuts++;
    totals->failed += !good;
    return true;
}

/* ---- All of it ---- */

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("cuts: memory");
        exit(2);
    }
    return memory;
}

/* What one process of its own needs; every WORKERS-th step is its. */
static void prepare_worker(void)
{
    power = shared(sizeof(*power));
    said  = memfd_create("said", 0);
    if (said < 0) {
        perror("cuts: what the device says");
        exit(2);
    }
}

/* The upgrade without a cut: the case itself must be sound, and the cuts must have something to hit. */
static bool uncut(const Case *the_case)
{
    const char *wrong;
    uint32_t    stored;

    prepare_disk(the_case);
    stored = power_stored();
    wrong  = wrong_end(the_case, run_device(the_case, 0), stored);
    if (wrong != NULL) {
        show_said();
        fprintf(stderr, "cuts %s: without a cut: %s\n", the_case->name, wrong);
        return false;
    }
    printf("%-8s %6" PRIu32 " HAL calls, %3" PRIu32 " disk operations: %s\n", the_case->name, power->hal_calls,
           power->disk_calls, the_case->text);
    return true;
}

static void add(Totals *sum, const Totals *part)
{
    sum->cuts += part->cuts;
    sum->failed += part->failed;
    sum->second_cuts += part->second_cuts;
    sum->starts += part->starts;
    sum->went_on += part->went_on;
    sum->again += part->again;
    sum->again_at_most = part->again_at_most > sum->again_at_most ? part->again_at_most : sum->again_at_most;
}

/* After uncut(), which knows about how many steps there are. */
static bool cut_everywhere(const Case *the_case, Totals *sum)
{
    uint32_t steps  = power->hal_calls + power->disk_calls;
    Totals  *totals = shared(WORKERS * sizeof(*totals));
    Totals   all    = {0};
    bool     good   = true;

    fflush(NULL);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        pid_t child = fork();

        if (child == 0) {
            prepare_worker();
            /* Where threads race, one run ends before a step that another one has. */
            for (uint32_t step = worker + 1; cut(the_case, step, false, &totals[worker]) || step < steps;
                 step += WORKERS) {
            }
            exit(0);
        }
        if (child < 0) {
            perror("cuts: worker");
            exit(2);
        }
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        int status;

        good = wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && good;
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        add(&all, &totals[worker]);
    }
    printf("%-8s %6" PRIu64 " cuts, %" PRIu64 " more in the start after one; %" PRIu64 " starts, %" PRIu64
           " went on from saved data\n",
           "", all.cuts, all.second_cuts, all.starts, all.went_on);
    add(sum, &all);
    return good;
}

int main(int argc, char **argv)
{
    Totals   totals       = {0};
    uint64_t cases_failed = 0;

    cloud_firmware.size = SIZE;
    cloud_firmware.md5  = MD5;
#if defined(AUTH_WITH_NOTLS) || !defined(OTA_USE_HTTPS)
    strcpy(cloud_firmware.url, "http://firmware.example/firmware.bin");
#else
    strcpy(cloud_firmware.url, "https://firmware.example/firmware.bin");
#endif
    /* Three seconds for the device, which saves every second. */
    network_link.bytes_per_ms = 4;
    network_link.window       = SIZE;
    network_link.record       = 500;
    prepare_worker();
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "usage: cuts [CASE STEP]\n");
        return 2;
    }
    for (size_t i = 0; i < CASES; i++) {
        if (argc == 3) {
            if (strcmp(argv[1], cases[i].name) == 0) {
                cut(&cases[i], (uint32_t)strtoul(argv[2], NULL, 10), true, &totals);
            }
        } else if (!uncut(&cases[i]) || !cut_everywhere(&cases[i], &totals)) {
            cases_failed++;
        }
    }
    printf("%" PRIu64 " starts after a cut fetched %" PRIu64 " bytes again, none of them more than %" PRIu64 "\n",
           totals.starts, totals.again, totals.again_at_most);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", totals.cuts - totals.failed, totals.failed + cases_failed);
    return totals.failed + cases_failed > 0 || totals.cuts == 0;
}
