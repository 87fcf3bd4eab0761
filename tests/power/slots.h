/* What a device with two slots has its firmware and its record on, and what a loss of power leaves of it (slots.c). */
#ifndef TESTS_POWER_SLOTS_H_
#define TESTS_POWER_SLOTS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qcloud_iot_export_upgrade.h"
#include "signed_firmware.h"

#define AREA_SIZE  16384u
#define AREAS      4
#define MOST_STEPS 60000u

/* Of what nobody has waited for. */
typedef enum { LOST, KEPT, TORN, OUTCOMES } Outcome;

extern const char *const slots_outcomes[OUTCOMES];

typedef struct {
    unsigned char now[AREA_SIZE];
    unsigned char kept[AREA_SIZE]; /* as of the last sync */
    uint32_t      size, kept_size;
    bool          is_there, is_kept; /* files have names */
} Area;

/* What outlives a start. */
typedef struct {
    Area     areas[AREAS];
    int      next, kept_next; /* the slot that starts */
    bool     is_once;         /* and only once */
    int      running;
    unsigned told; /* how often the cloud was told how it ended */
    char     result[600];
    bool     has_two;              /* those were not all the same */
    bool     is_store[MOST_STEPS]; /* this step is a call of the store */
} World;

extern World *world;

/* The stores: the program's own, over the areas, and the provided one, over files in a folder of this process. */
extern const IOT_Upgrade_Store slots_flash;
extern const IOT_Upgrade_Pair  slots_pair;

/* The calls of this process on files are those of the provided store. */
extern bool slots_is_watched;

void slots_make_folder(void);
void slots_remove_folder(void);

/* As the device left the factory. */
void slots_factory(bool is_pair);

/* Who runs now. */
void slots_boot(bool is_pair, bool starts_once);

int  slots_next(bool is_pair);
void slots_lose_power(bool is_pair, Outcome outcome);

/* Whether the factory's firmware is in that slot, or all of the cloud's. */
bool slots_is_whole(int slot);

#endif /* TESTS_POWER_SLOTS_H_ */
