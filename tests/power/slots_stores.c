/*
 * The stores of slots.c. Their calls are steps, a write two of them; the provided store's calls of the C library come here by
 * the linker (--wrap).
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud.h"
#include "power.h"
#include "slots.h"

#define BLOCK 4096u
/* Exit code of a device that has done to its flash what can't be. */
#define BROKEN 9

const char *const slots_outcomes[OUTCOMES] = {"what is not synced is lost", "all is kept", "half is kept"};

bool slots_is_watched;

static void step(void)
{
    uint32_t number;

    power_disk_call();
    number = power->hal_calls + power->disk_calls;
    if (number < MOST_STEPS) {
        world->is_store[number] = true;
    }
}

/* ---- Flash ---- */

static int flash_running(void *context)
{
    (void)context;
    return world->running;
}

static int flash_open(void *context, int slot, uint32_t size)
{
    (void)context;
    (void)slot;
    step();
    power_disk_done();
    return size <= AREA_SIZE ? 0 : -1;
}

static int flash_read(void *context, int area, uint32_t offset, void *data, uint32_t size)
{
    (void)context;
    step();
    memcpy(data, world->areas[area].now + offset, size);
    power_disk_done();
    return 0;
}

static void program(unsigned char *flash, const unsigned char *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (flash[i] != 0xff) {
            fprintf(stderr, "slots: written without erasing\n");
            _exit(BROKEN);
        }
        flash[i] = data[i];
    }
}

static int flash_write(void *context, int area, uint32_t offset, const void *data, uint32_t size)
{
    unsigned char *flash = world->areas[area].now + offset;
    uint32_t       half  = size / 2;

    (void)context;
    step();
    program(flash, data, half);
    power_disk_done();
    step();
    program(flash + half, (const unsigned char *)data + half, size - half);
    power_disk_done();
    return 0;
}

static int flash_sync(void *context, int area)
{
    (void)context;
    step();
    memcpy(world->areas[area].kept, world->areas[area].now, AREA_SIZE);
    power_disk_done();
    return 0;
}

static int flash_erase(void *context, int area, uint32_t offset)
{
    (void)context;
    step();
    if (offset % BLOCK != 0 || offset >= AREA_SIZE || area == world->running) {
        fprintf(stderr, "slots: area %d erased at %u\n", area, (unsigned)offset);
        _exit(BROKEN);
    }
    memset(world->areas[area].now + offset, 0xff, BLOCK);
    power_disk_done();
    return 0;
}

static int flash_commit(void *context, int slot, int is_trial)
{
    (void)context;
    step();
    world->next    = slot;
    world->is_once = is_trial != 0;
    power_disk_done();
    return 0;
}

const IOT_Upgrade_Store slots_flash = {flash_running, flash_open,   flash_read, flash_write, flash_sync,
                                       flash_erase,   flash_commit, NULL,       BLOCK};

/* ---- Files ---- */

#define LINK     "current"
#define RECORD   2
#define FILES    3
#define FOLDER   3
#define NONE     (-1)
#define MOST_FDS 1024

static const char *const names[FILES] = {"a", "b", "record"};
static char              folder[32];
static int               area_of[MOST_FDS]; /* of a descriptor, plus 1 */

const IOT_Upgrade_Pair slots_pair = {.slot = {"a", "b"}, .record = "record", .link = LINK};

/* The platform's functions call those with 64 on machines of 32 bits only, Rust's library everywhere. */
int     __real_open(const char *path, int flags, ...);
int     __real_open64(const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __real_pwrite64(int fd, const void *data, size_t len, off64_t offset);
int     __real_fsync(int fd);
int     __real_ftruncate(int fd, off_t size);
int     __real_ftruncate64(int fd, off64_t size);
int     __real_rename(const char *from, const char *to);
int     __real_symlink(const char *target, const char *path);
int     __real_unlink(const char *path);

static int linked(void)
{
    char    target[8];
    ssize_t len = readlink(LINK, target, sizeof(target));

    return len == 1 && target[0] == 'b' ? 1 : 0;
}

static void put_link(int slot)
{
    __real_unlink(LINK);
    if (__real_symlink(names[slot], LINK) != 0) {
        abort();
    }
}

/* The file as it is now, into its area. */
static void load(int number)
{
    Area   *area = &world->areas[number];
    int     fd   = __real_open64(names[number], O_RDONLY);
    ssize_t len;

    area->is_there = fd >= 0;
    len            = fd >= 0 ? pread(fd, area->now, AREA_SIZE, 0) : 0;
    if (len < 0) {
        abort();
    }
    area->size = (uint32_t)len;
    memset(area->now + len, 0, AREA_SIZE - (size_t)len);
    if (fd >= 0) {
        close(fd);
    }
}

static void store(int number)
{
    const Area *area = &world->areas[number];
    int         fd;

    __real_unlink(names[number]);
    if (!area->is_there) {
        return;
    }
    fd = __real_open64(names[number], O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || __real_pwrite64(fd, area->now, area->size, 0) != (ssize_t)area->size) {
        abort();
    }
    close(fd);
}

static int watched(int fd)
{
    return slots_is_watched && fd >= 0 && fd < MOST_FDS ? area_of[fd] - 1 : NONE;
}

static int open_watched(int (*real)(const char *path, int flags, ...), const char *path, int flags, mode_t mode)
{
    int fd, area = NONE;

    for (int i = 0; i < FILES; i++) {
        area = strcmp(path, names[i]) == 0 ? i : area;
    }
    area = strcmp(path, ".") == 0 ? FOLDER : area;
    if (!slots_is_watched || area == NONE) {
        return real(path, flags, mode);
    }
    step();
    fd = real(path, flags, mode);
    if (fd >= 0 && fd < MOST_FDS) {
        area_of[fd] = area + 1;
    }
    power_disk_done();
    return fd;
}

#define OPEN_CALL(real)                                            \
    va_list arguments;                                             \
    mode_t  mode;                                                  \
    va_start(arguments, flags);                                    \
    mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0; \
    va_end(arguments);                                             \
    return open_watched(real, path, flags, mode)

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    OPEN_CALL(__real_open);
}

int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    OPEN_CALL(__real_open64);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    if (fd >= 0 && fd < MOST_FDS) {
        area_of[fd] = 0;
    }
    return __real_close(fd);
}

#define WRITE_CALL(real, offset_type)                                                                  \
    ssize_t written;                                                                                   \
    if (watched(fd) == NONE) {                                                                         \
        return real(fd, data, len, offset);                                                            \
    }                                                                                                  \
    step();                                                                                            \
    written = real(fd, data, len / 2, offset);                                                         \
    power_disk_done();                                                                                 \
    step();                                                                                            \
    written += real(fd, (const char *)data + len / 2, len - len / 2, offset + (offset_type)(len / 2)); \
    power_disk_done();                                                                                 \
    return written

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    WRITE_CALL(__real_pwrite, off_t);
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off64_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    WRITE_CALL(__real_pwrite64, off64_t);
}

static void keep_names(void)
{
    for (int i = 0; i < FILES; i++) {
        world->areas[i].is_kept = access(names[i], F_OK) == 0;
    }
    world->kept_next = linked();
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    int   number = watched(fd);
    Area *area   = &world->areas[number == NONE ? 0 : number];

    if (number == NONE) {
        return __real_fsync(fd);
    }
    step();
    if (number == FOLDER) {
        keep_names();
    } else {
        load(number);
        memcpy(area->kept, area->now, AREA_SIZE);
        area->kept_size = area->size;
    }
    power_disk_done();
    return 0;
}

#define TRUNCATE_CALL(real)    \
    int rc;                    \
    if (watched(fd) == NONE) { \
        return real(fd, size); \
    }                          \
    step();                    \
    rc = real(fd, size);       \
    power_disk_done();         \
    return rc

int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
    TRUNCATE_CALL(__real_ftruncate);
}

int __wrap_ftruncate64(int fd, off64_t size);
int __wrap_ftruncate64(int fd, off64_t size)
{
    TRUNCATE_CALL(__real_ftruncate64);
}

#define NAME_CALL(call)      \
    int rc;                  \
    if (!slots_is_watched) { \
        return call;         \
    }                        \
    step();                  \
    rc = call;               \
    power_disk_done();       \
    return rc

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    NAME_CALL(__real_rename(from, to));
}

int __wrap_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path)
{
    NAME_CALL(__real_symlink(target, path));
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    NAME_CALL(__real_unlink(path));
}

void slots_make_folder(void)
{
    strcpy(folder, "/tmp/power_slots_XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        perror("slots: folder");
        exit(2);
    }
}

void slots_remove_folder(void)
{
    for (int i = 0; i < FILES; i++) {
        __real_unlink(names[i]);
    }
    __real_unlink(LINK);
    __real_unlink(LINK ".next");
    if (chdir("/") != 0 || rmdir(folder) != 0) {
        perror("slots: folder");
        exit(2);
    }
}

/* ---- What outlives a start ---- */

static unsigned char factory_byte(uint32_t at)
{
    return (unsigned char)(at * 7 + 1);
}

void slots_factory(bool is_pair)
{
    memset(world, 0, sizeof(*world));
    for (int i = 0; i < AREAS; i++) {
        Area *area = &world->areas[i];

        for (uint32_t at = 0; at < AREA_SIZE; at++) {
            area->now[at] = i == 0 ? factory_byte(at) : i == 1 ? 0xee : 0xff;
        }
        memcpy(area->kept, area->now, AREA_SIZE);
        /* There is no record. */
        area->is_there = area->is_kept = i != RECORD;
        area->size = area->kept_size = area->is_there ? AREA_SIZE : 0;
        if (is_pair && i < FILES) {
            store(i);
        }
    }
    if (is_pair) {
        put_link(0);
        __real_unlink(LINK ".next");
    }
}

void slots_boot(bool is_pair, bool starts_once)
{
    world->running = slots_next(is_pair);
    if (!is_pair && starts_once && world->is_once) {
        world->next    = 1 - world->running;
        world->is_once = false;
    }
}

int slots_next(bool is_pair)
{
    return is_pair ? linked() : world->next;
}

static void lose(Area *area, Outcome outcome)
{
    uint32_t changed = 0, seen = 0;

    if (outcome == LOST) {
        memcpy(area->now, area->kept, AREA_SIZE);
        area->size     = area->kept_size;
        area->is_there = area->is_there && area->is_kept;
    }
    if (outcome == TORN) {
        for (uint32_t at = 0; at < AREA_SIZE; at++) {
            changed += area->now[at] != area->kept[at];
        }
        for (uint32_t at = 0; at < AREA_SIZE; at++) {
            if (area->now[at] != area->kept[at] && seen++ >= changed / 2) {
                area->now[at] = area->kept[at];
            }
        }
    }
    memcpy(area->kept, area->now, AREA_SIZE);
    area->kept_size = area->size;
    area->is_kept   = area->is_there;
}

void slots_lose_power(bool is_pair, Outcome outcome)
{
    for (int i = 0; i < AREAS; i++) {
        if (is_pair && i < FILES) {
            load(i);
        }
        lose(&world->areas[i], outcome);
        if (is_pair && i < FILES) {
            store(i);
        }
    }
    if (is_pair && outcome == LOST) {
        put_link(world->kept_next);
    }
    world->kept_next = is_pair ? linked() : 0;
}

bool slots_is_whole(int slot)
{
    const unsigned char *bytes      = world->areas[slot].now;
    bool                 is_factory = true, is_new = true;

    for (uint32_t at = 0; at < SIGNED_IMAGE; at++) {
        is_factory = is_factory && bytes[at] == factory_byte(at);
        is_new     = is_new && bytes[at] == cloud_firmware_byte(SIGNED_HEADER + at);
    }
    return is_factory || (is_new && cloud_firmware.wrong_at == 0);
}
