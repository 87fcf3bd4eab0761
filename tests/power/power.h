/*
 * A device whose power goes. What outlives it - its disk, and what the cloud has seen - is in memory that the driver
 * (cuts.c) and the processes it forks share. Every HAL call and every operation on the disk is a step; the power goes
 * at the one that the driver has chosen.
 */
#ifndef TESTS_POWER_POWER_H_
#define TESTS_POWER_POWER_H_

#include <stdbool.h>
#include <stdint.h>

#include "cloud.h"
#include "disk.h"

/* The exit code of a process whose power has gone. */
#define POWER_GONE 77

/* The sample's files, for the device of hal_devinfo.c. */
#define POWER_BIN_FILE   "FW_OWNPRODUCTown-device_" CLOUD_VERSION ".bin"
#define POWER_STATE_FILE "FW_OWNPRODUCTown-device.json"

typedef struct {
    Disk      disk;
    uint32_t  cut_at; /* the step at which the power goes, from 1; 0: it stays */
    uint32_t  hal_calls;
    uint32_t  disk_calls;
    uint32_t  saved;    /* bytes that the last state file written speaks of */
    uint32_t  promised; /* the same, once the device has gone on to something else */
    CloudSeen cloud;    /* as of the end of the process */
    uint64_t  reached;  /* how far the data had come through the network, as of then */
} Power;

/* Shared; set by the driver. */
extern Power *power;

/* Before each HAL call. Does not return when the power goes. */
void power_hal_call(void);

/* Before each part of an operation on the disk, which nobody else then reaches until power_disk_done. */
void power_disk_call(void);
void power_disk_done(void);

/* Before the process ends: leaves what the driver wants to know of it. */
void power_end(void);

/* How much of the cloud's firmware is there by the disk's state file, as far as the file with the data is long enough. */
uint32_t power_stored(void);

#endif /* TESTS_POWER_POWER_H_ */
