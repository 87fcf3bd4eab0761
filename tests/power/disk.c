#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may be left of a file's changes. */
typedef enum {
    LEFT_NOTHING,
    LEFT_ALL,
    LEFT_ZEROS,      /* its size, but zeros instead of data */
    LEFT_FIRST_HALF, /* as far as the disk had come */
    LEFT_LAST_HALF,  /* with zeros before it: a disk need not write in order */
    LEFT_WAYS,
} Left;

static const char *const left_names[LEFT_WAYS] = {"old", "new", "zeros", "first half", "last half"};

static DiskFolder *newest(Disk *disk)
{
    return &disk->folders[disk->changes];
}

int disk_find(const Disk *disk, const char *name)
{
    for (int file = 0; file < DISK_FILES; file++) {
        if (strcmp(disk->folders[disk->changes].names[file], name) == 0) {
            return file;
        }
    }
    return -1;
}

/* To be called before a change of names: keeps what was, as one more version. */
static void new_version(Disk *disk)
{
    if (disk->changes == DISK_CHANGES) {
        /* The oldest change has reached the disk by itself. */
        memmove(&disk->folders[0], &disk->folders[1], DISK_CHANGES * sizeof(disk->folders[0]));
        disk->changes--;
    }
    disk->folders[disk->changes + 1] = disk->folders[disk->changes];
    disk->changes++;
}

static bool is_named(const Disk *disk, int file)
{
    for (unsigned version = 0; version <= disk->changes; version++) {
        if (disk->folders[version].names[file][0] != '\0') {
            return true;
        }
    }
    return false;
}

int disk_create(Disk *disk, const char *name)
{
    int old  = disk_find(disk, name);
    int file = 0;

    while (file < DISK_FILES && is_named(disk, file)) {
        file++;
    }
    if (file == DISK_FILES || strlen(name) >= DISK_NAME_SIZE) {
        abort();
    }
    new_version(disk);
    if (old >= 0) {
        newest(disk)->names[old][0] = '\0';
    }
    strcpy(newest(disk)->names[file], name);
    memset(&disk->files[file], 0, sizeof(disk->files[file]));
    return file;
}

bool disk_rename(Disk *disk, const char *from, const char *to)
{
    int file = disk_find(disk, from);
    int old  = disk_find(disk, to);

    if (file < 0) {
        return false;
    }
    new_version(disk);
    if (old >= 0) {
        newest(disk)->names[old][0] = '\0';
    }
    strcpy(newest(disk)->names[file], to);
    return true;
}

bool disk_remove(Disk *disk, const char *name)
{
    int file = disk_find(disk, name);

    if (file < 0) {
        return false;
    }
    new_version(disk);
    newest(disk)->names[file][0] = '\0';
    return true;
}

static void change_from(DiskFile *file, uint32_t offset)
{
    if (!file->changed || offset < file->changed_from) {
        file->changed_from = offset;
    }
    file->changed = true;
}

void disk_write(Disk *disk, int number, uint32_t offset, const void *bytes, size_t len)
{
    DiskFile *file = &disk->files[number];

    if (offset > file->now.size || len > DISK_FILE_SIZE - offset) {
        abort();
    }
    memcpy(file->now.bytes + offset, bytes, len);
    if (offset + len > file->now.size) {
        file->now.size = offset + (uint32_t)len;
    }
    change_from(file, offset);
}

void disk_truncate(Disk *disk, int number, uint32_t size)
{
    DiskFile *file = &disk->files[number];

    if (size > file->now.size) {
        abort();
    }
    if (size < file->now.size) {
        file->now.size = size;
        change_from(file, size);
    }
}

static void copy_content(DiskContent *to, const DiskContent *from)
{
    to->size = from->size;
    memcpy(to->bytes, from->bytes, from->size);
}

void disk_sync_file(Disk *disk, int number)
{
    DiskFile *file = &disk->files[number];

    copy_content(&file->kept, &file->now);
    file->changed = false;
}

void disk_sync_folder(Disk *disk)
{
    disk->folders[0] = *newest(disk);
    disk->changes    = 0;
}

/* ---- Loss of power ---- */

static bool is_open_question(const Disk *disk, int file)
{
    return disk->files[file].changed && is_named(disk, file);
}

unsigned disk_outcomes(const Disk *disk)
{
    unsigned outcomes = disk->changes + 1;

    for (int file = 0; file < DISK_FILES; file++) {
        outcomes *= is_open_question(disk, file) ? LEFT_WAYS : 1;
    }
    return outcomes;
}

static void leave(DiskFile *file, Left left)
{
    uint32_t from   = file->changed_from < file->now.size ? file->changed_from : file->now.size;
    uint32_t middle = from + (file->now.size - from) / 2;

    switch (left) {
        case LEFT_NOTHING:
            copy_content(&file->now, &file->kept);
            break;
        case LEFT_ZEROS:
            memset(file->now.bytes + from, 0, file->now.size - from);
            break;
        case LEFT_FIRST_HALF:
            file->now.size = middle;
            break;
        case LEFT_LAST_HALF:
            memset(file->now.bytes + from, 0, middle - from);
            break;
        default:
            break;
    }
}

void disk_lose_power(Disk *disk, unsigned outcome)
{
    unsigned names = outcome % (disk->changes + 1);

    outcome /= disk->changes + 1;
    for (int file = 0; file < DISK_FILES; file++) {
        if (is_open_question(disk, file)) {
            leave(&disk->files[file], outcome % LEFT_WAYS);
            outcome /= LEFT_WAYS;
        }
        disk_sync_file(disk, file);
    }
    disk->changes = names;
    disk_sync_folder(disk);
}

void disk_describe(const Disk *disk, unsigned outcome, char *text, size_t size)
{
    unsigned names = outcome % (disk->changes + 1);
    size_t   used  = (size_t)snprintf(text, size, "%u of %u changes of names", names, disk->changes);

    outcome /= disk->changes + 1;
    for (int file = 0; file < DISK_FILES; file++) {
        if (is_open_question(disk, file)) {
            const char *name = disk->folders[disk->changes].names[file];

            used += (size_t)snprintf(text + used, used < size ? size - used : 0, ", %s %s",
                                     name[0] != '\0' ? name : "a removed file", left_names[outcome % LEFT_WAYS]);
            used = used < size ? used : size;
            outcome /= LEFT_WAYS;
        }
    }
}
