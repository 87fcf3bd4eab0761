/* A store for upgrades (IOT_Upgrade_Store) in memory: two slots and two places of the record. */
#ifndef TESTS_SUPPORT_SLOT_STORE_H_
#define TESTS_SUPPORT_SLOT_STORE_H_

#include "qcloud_iot_export_upgrade.h"

#define SLOT_STORE_AREA_SIZE 16384u
#define SLOT_STORE_ERASED    4096u

typedef struct {
    unsigned char areas[4][SLOT_STORE_AREA_SIZE];
    int           running, next; /* slots; `next` starts next */
    void (*enter)(void);         /* around each call that reads or changes something, or NULL */
    void (*leave)(void);
} SlotStore;

/* Erased, with slot 0 running. The table of functions works on it. */
IOT_Upgrade_Store slot_store(SlotStore *store);

#endif /* TESTS_SUPPORT_SLOT_STORE_H_ */
