/*
 * The power goes while log lines that no server took are kept, and while they are sent: before each call of the network and
 * each operation on the disk, with everything kept that was written, without what was not synced, and with half of each
 * write. Lines that IOT_Log_Upload has returned for are at the server in the end, some of them twice, and nothing is kept any
 * more.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../c/check.h"
#include "qcloud_iot_export.h"

#define NAME   "upload-fail-save.log"
#define BEFORE "before_it_was_removed"
#define LINES  3
/* What a child process ends with. */
#define CUT    40
#define ENDED  41
#define FAILED 42

typedef enum { ALL_IS_KEPT, UNSYNCED_IS_LOST, WRITES_ARE_TORN, OUTCOMES } Outcome;

int     __real_open64(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t len);
int     __real_fdatasync(int fd);
int     __real_fsync(int fd);
int     __real_unlink(const char *path);

/* What outlives a device: the server, and what the program was promised. */
static struct {
    char   taken[100000]; /* all requests, one behind the other */
    size_t taken_len;
    bool   promised[LINES + 1]; /* the line of that number */
} * world;

static Outcome outcome;
static int     is_watched, steps, cut_before, is_server_there;
/* The disk: a descriptor of our own for the file, and how much of it is safe. */
static int   file        = -1;
static off_t synced_size = 0;
static int   is_name_synced, is_removed;

/* What a disk may do to that for which nobody has waited. */
static void lose(void)
{
    if (is_removed && link(BEFORE, NAME) != 0) {
        _exit(FAILED);
    }
    if (file >= 0 && ftruncate(file, synced_size) != 0) {
        _exit(FAILED);
    }
    if (file >= 0 && !is_removed && !is_name_synced) {
        __real_unlink(NAME);
    }
}

static void cut(void)
{
    if (outcome == UNSYNCED_IS_LOST) {
        lose();
    }
    _exit(CUT);
}

static int is_step(void)
{
    return is_watched && ++steps == cut_before;
}

static void step(void)
{
    if (is_step()) {
        cut();
    }
}

/* ---- The disk ---- */

int __wrap_open64(const char *path, int flags, ...)
{
    va_list     arguments;
    mode_t      mode;
    struct stat about;
    int         fd, is_there = stat(path, &about) == 0;

    step();
    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    fd = __real_open64(path, flags, mode);
    if (is_watched && fd >= 0 && strcmp(path, NAME) == 0 && (flags & O_ACCMODE) != O_RDONLY && file < 0) {
        file           = __real_open64(path, O_RDWR);
        synced_size    = is_there ? about.st_size : 0;
        is_name_synced = is_there;
    }
    return fd;
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (is_step()) {
        if (outcome == WRITES_ARE_TORN && __real_write(fd, data, len / 2) < 0) {
            _exit(FAILED);
        }
        cut();
    }
    return __real_write(fd, data, len);
}

int __wrap_fdatasync(int fd)
{
    struct stat about;
    int         rc;

    step();
    rc = __real_fdatasync(fd);
    if (rc == 0 && fstat(fd, &about) == 0) {
        synced_size = about.st_size;
    }
    return rc;
}

int __wrap_fsync(int fd)
{
    struct stat about;

    step();
    if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        is_name_synced = 1;
    }
    return __real_fsync(fd);
}

int __wrap_unlink(const char *path)
{
    step();
    if (is_watched && strcmp(path, NAME) == 0) {
        struct stat about;

        __real_unlink(BEFORE);
        if (stat(NAME, &about) == 0 && link(NAME, BEFORE) != 0) {
            _exit(FAILED);
        }
        is_removed = 1;
    }
    return __real_unlink(path);
}

/* ---- The network: a server that takes everything, or none ---- */

static const char  answer[]  = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{\"Retcode\":0}";
static const char *to_answer = ""; /* what was not read of it */

uintptr_t HAL_TCP_Connect(const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    step();
    return is_server_there ? 1 : 0;
}

int HAL_TCP_Disconnect(uintptr_t fd)
{
    (void)fd;
    return 0;
}

int HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *written_len)
{
    (void)fd;
    (void)timeout_ms;
    step();
    if (len >= sizeof(world->taken) - world->taken_len) {
        return QCLOUD_ERR_TCP_WRITE_FAIL;
    }
    memcpy(world->taken + world->taken_len, data, len);
    world->taken_len += len;
    *written_len = len;
    to_answer    = answer;
    return QCLOUD_RET_SUCCESS;
}

int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
{
    size_t left = strlen(to_answer);

    (void)fd;
    (void)timeout_ms;
    step();
    *read_len = len < left ? len : left;
    if (*read_len == 0) {
        return QCLOUD_ERR_TCP_PEER_SHUTDOWN;
    }
    memcpy(data, to_answer, *read_len);
    to_answer += *read_len;
    return *read_len == len ? QCLOUD_RET_SUCCESS : QCLOUD_ERR_TCP_READ_TIMEOUT;
}

/* ---- The device ---- */

static void begin_to_collect(void)
{
    LogUploadInitParams params = {"PRODUCTID0", "device",    "key",           HAL_Log_Save,
                                  HAL_Log_Read, HAL_Log_Del, HAL_Log_Get_Size};

    if (IOT_Log_Init_Uploader(&params) != QCLOUD_RET_SUCCESS) {
        _exit(FAILED);
    }
}

static void log_and_upload(unsigned line)
{
    IOT_Log_Gen("power.c", "device", __LINE__, eLOG_ERROR, "line %u of the device", line);
    IOT_Log_Upload(true);
    world->promised[line] = true;
}

/* Nobody takes its lines. */
static void live_alone(void)
{
    begin_to_collect();
    for (unsigned line = 0; line < LINES; line++) {
        log_and_upload(line);
    }
}

/* What it has kept goes out, and a further line. */
static void live_with_server(void)
{
    is_server_there = 1;
    begin_to_collect();
    log_and_upload(LINES);
}

/* What the process ended with whose power goes before that step; 0: it does not. */
static int run(void (*life)(void), int before)
{
    int   status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        cut_before = before;
        is_watched = 1;
        life();
        is_watched = 0;
        if (outcome == UNSYNCED_IS_LOST && before != 0) {
            lose();
        }
        _exit(ENDED);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void check_promised(void)
{
    char line[64];

    for (unsigned i = 0; i <= LINES; i++) {
        bool is_there;

        snprintf(line, sizeof(line), "line %u of the device\n\f", i);
        is_there = strstr(world->taken, line) != NULL;
        if (world->promised[i] && !is_there) {
            fprintf(stderr, "outcome %d, before step %d: line %u is lost\n", (int)outcome, cut_before, i);
        }
        CHECK(is_there || !world->promised[i]);
    }
    CHECK_INT(HAL_Log_Get_Size(), 0);
}

/* Cuts that life at each step. Returns how many there were. */
static int cut_everywhere(void (*life)(void))
{
    int cuts = 0, end;

    do {
        memset(world, 0, sizeof(*world));
        if (life == live_with_server) {
            CHECK_INT(run(live_alone, 0), ENDED);
            CHECK(access(NAME, F_OK) == 0);
        }
        cut_before = ++cuts;
        end        = run(life, cuts);
        CHECK(end == CUT || end == ENDED);
        CHECK_INT(run(live_with_server, 0), ENDED);
        check_promised();
    } while (end == CUT);
    return cuts - 1;
}

int main(void)
{
    static const char *const texts[OUTCOMES] = {"all is kept", "what is not synced is lost", "writes are torn"};
    char                     folder[]        = "/tmp/power_saved_lines_XXXXXX";

    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(world != MAP_FAILED);
    IOT_Log_Set_Level(eLOG_DISABLE);
    for (int i = 0; i < OUTCOMES; i++) {
        int keeping, sending;

        outcome = (Outcome)i;
        keeping = cut_everywhere(live_alone);
        sending = cut_everywhere(live_with_server);
        printf("%s: %d cuts while lines are kept, %d while they are sent\n", texts[i], keeping, sending);
        /* Each save is opened, written and synced, the first one's name, too; each part is connected for, written and its answer read. */
        CHECK(keeping >= 3 * LINES + 2);
        CHECK(sending >= 2 * 3 + 2);
    }
    remove(BEFORE);
    CHECK(chdir("/") == 0 && rmdir(folder) == 0);
    return check_result();
}
