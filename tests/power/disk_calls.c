/*
 * The C library's file functions for the sample, over the disk in memory. The linker sends its calls here (--wrap); what
 * is not about that disk goes on to the C library.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "power.h"

/* What a file system does at a time. */
#define BLOCK 4096
/* The folder's descriptor, and that of its first file: out of the way of real ones. */
#define FOLDER_FD 10000
#define FILE_FD   10001

typedef struct {
    FILE    *stream;
    int      file;
    uint32_t position;
} Open;

static Open open_files[DISK_FILES];

static const char *base_name(const char *path)
{
    return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

static ssize_t read_file(void *cookie, char *bytes, size_t len)
{
    Open              *open    = cookie;
    const DiskContent *content = &power->disk.files[open->file].now;
    size_t             left;

    power_disk_call();
    left = content->size - open->position;
    len  = len < left ? len : left;
    memcpy(bytes, content->bytes + open->position, len);
    open->position += (uint32_t)len;
    power_disk_done();
    return (ssize_t)len;
}

/* In two halves, so that the power can go between them. */
static ssize_t write_file(void *cookie, const char *bytes, size_t len)
{
    Open  *open     = cookie;
    size_t parts[2] = {len / 2, len - len / 2};

    for (int i = 0; i < 2; i++) {
        power_disk_call();
        disk_write(&power->disk, open->file, open->position, bytes, parts[i]);
        open->position += (uint32_t)parts[i];
        bytes += parts[i];
        power_disk_done();
    }
    return (ssize_t)len;
}

static int seek_file(void *cookie, off64_t *position, int whence)
{
    Open   *open = cookie;
    off64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? open->position
                                        : power->disk.files[open->file].now.size;

    if (base + *position < 0 || base + *position > DISK_FILE_SIZE) {
        errno = EINVAL;
        return -1;
    }
    open->position = (uint32_t)(base + *position);
    *position      = open->position;
    return 0;
}

static int close_file(void *cookie)
{
    ((Open *)cookie)->stream = NULL;
    return 0;
}

static Open *open_of(FILE *stream)
{
    for (int i = 0; i < DISK_FILES; i++) {
        if (open_files[i].stream == stream) {
            return &open_files[i];
        }
    }
    abort();
}

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    static const cookie_io_functions_t functions = {read_file, write_file, seek_file, close_file};
    const char                        *name      = base_name(path);
    Open                              *open      = open_of(NULL);
    int                                file;

    power_disk_call();
    file = disk_find(&power->disk, name);
    if (mode[0] == 'w' && file < 0) {
        file = disk_create(&power->disk, name);
    } else if (mode[0] == 'w') {
        disk_truncate(&power->disk, file, 0);
    }
    power_disk_done();
    if (file < 0) {
        errno = ENOENT;
        return NULL;
    }
    open->file     = file;
    open->position = 0;
    open->stream   = fopencookie(open, mode, functions);
    if (open->stream == NULL || setvbuf(open->stream, NULL, _IOFBF, BLOCK) != 0) {
        abort();
    }
    return open->stream;
}

int __wrap_fileno(FILE *stream);
int __wrap_fileno(FILE *stream)
{
    return FILE_FD + open_of(stream)->file;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    if (fd < FOLDER_FD) {
        return __real_fsync(fd);
    }
    power_disk_call();
    if (fd == FOLDER_FD) {
        disk_sync_folder(&power->disk);
    } else {
        disk_sync_file(&power->disk, fd - FILE_FD);
    }
    power_disk_done();
    return 0;
}

int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
    if (fd < FILE_FD) {
        return __real_ftruncate(fd, size);
    }
    power_disk_call();
    disk_truncate(&power->disk, fd - FILE_FD, (uint32_t)size);
    power_disk_done();
    return 0;
}

static int done_or_missing(bool done)
{
    power_disk_done();
    if (!done) {
        errno = ENOENT;
    }
    return done ? 0 : -1;
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    bool done;

    power_disk_call();
    done         = disk_rename(&power->disk, base_name(from), base_name(to));
    power->saved = power_stored();
    return done_or_missing(done);
}

int __wrap_remove(const char *path);
int __wrap_remove(const char *path)
{
    bool done;

    power_disk_call();
    done = disk_remove(&power->disk, base_name(path));
    /* What is given up by removing it may come back. */
    power->saved    = power_stored();
    power->promised = power->saved;
    return done_or_missing(done);
}

int __wrap_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status)
{
    int file;

    power_disk_call();
    file = disk_find(&power->disk, base_name(path));
    memset(status, 0, sizeof(*status));
    if (file >= 0) {
        status->st_size = power->disk.files[file].now.size;
    }
    return done_or_missing(file >= 0);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    int     mode;

    if (strcmp(path, ".") == 0) {
        power_disk_call();
        power_disk_done();
        return FOLDER_FD;
    }
    va_start(arguments, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return __real_open(path, flags, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    return fd == FOLDER_FD ? 0 : __real_close(fd);
}
