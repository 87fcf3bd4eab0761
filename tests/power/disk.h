/*
 * A disk that has only promised to keep what was synced: the content of a file once the file was, a name once its folder
 * was. Of the rest it may have written any part when the power goes.
 *
 * The disk has one folder. It lives in shared memory, so there are no pointers in it.
 */
#ifndef TESTS_POWER_DISK_H_
#define TESTS_POWER_DISK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_FILES     8
#define DISK_FILE_SIZE 16384
#define DISK_NAME_SIZE 96
/* Changes of names between two syncs of the folder. */
#define DISK_CHANGES 4

typedef struct {
    uint32_t      size;
    unsigned char bytes[DISK_FILE_SIZE];
} DiskContent;

typedef struct {
    DiskContent now;
    DiskContent kept;         /* as of the last sync */
    uint32_t    changed_from; /* the first byte that differs since; meaningless unless `changed` */
    bool        changed;
} DiskFile;

/* The name of each file; empty: it has none. */
typedef struct {
    char names[DISK_FILES][DISK_NAME_SIZE];
} DiskFolder;

typedef struct {
    DiskFile files[DISK_FILES];
    /* The folder as of its last sync, then after each change. */
    DiskFolder folders[1 + DISK_CHANGES];
    unsigned   changes;
} Disk;

/* The file of that name, -1 when there is none. */
int disk_find(const Disk *disk, const char *name);

/* A new, empty file of that name, instead of the one that has it. */
int disk_create(Disk *disk, const char *name);

/* False when there is no such name. */
bool disk_rename(Disk *disk, const char *from, const char *to);
bool disk_remove(Disk *disk, const char *name);

void disk_write(Disk *disk, int file, uint32_t offset, const void *bytes, size_t len);
void disk_truncate(Disk *disk, int file, uint32_t size);
void disk_sync_file(Disk *disk, int file);
void disk_sync_folder(Disk *disk);

/* In how many ways the disk may come out of a loss of power now. */
unsigned disk_outcomes(const Disk *disk);

/* Makes the disk what it is after a loss of power; outcome 0: nothing is left of what was not synced. */
void disk_lose_power(Disk *disk, unsigned outcome);

/* What happened to the disk in this outcome, for a message. */
void disk_describe(const Disk *disk, unsigned outcome, char *text, size_t size);

#endif /* TESTS_POWER_DISK_H_ */
