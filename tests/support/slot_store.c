#include "slot_store.h"

#include <stdint.h>
#include <string.h>

static SlotStore *enter(void *context)
{
    SlotStore *store = context;

    if (store->enter != NULL) {
        store->enter();
    }
    return store;
}

static int leave(SlotStore *store)
{
    if (store->leave != NULL) {
        store->leave();
    }
    return 0;
}

static int slot_running(void *context)
{
    return ((SlotStore *)context)->running;
}

static int slot_open(void *context, int slot, uint32_t size)
{
    (void)context;
    (void)slot;
    return size <= SLOT_STORE_AREA_SIZE ? 0 : -1;
}

static int slot_read(void *context, int area, uint32_t offset, void *data, uint32_t size)
{
    SlotStore *store = enter(context);

    memcpy(data, store->areas[area] + offset, size);
    return leave(store);
}

static int slot_write(void *context, int area, uint32_t offset, const void *data, uint32_t size)
{
    SlotStore *store = enter(context);

    memcpy(store->areas[area] + offset, data, size);
    return leave(store);
}

static int slot_sync(void *context, int area)
{
    (void)area;
    return leave(enter(context));
}

static int slot_erase(void *context, int area, uint32_t offset)
{
    SlotStore *store = enter(context);

    memset(store->areas[area] + offset, 0xff, SLOT_STORE_ERASED);
    return leave(store);
}

static int slot_commit(void *context, int slot, int is_trial)
{
    SlotStore *store = enter(context);

    (void)is_trial;
    store->next = slot;
    return leave(store);
}

IOT_Upgrade_Store slot_store(SlotStore *store)
{
    IOT_Upgrade_Store table = {slot_running, slot_open,   slot_read, slot_write,       slot_sync,
                               slot_erase,   slot_commit, store,     SLOT_STORE_ERASED};

    memset(store->areas, 0xff, sizeof(store->areas));
    store->running = 0;
    store->next    = 0;
    return table;
}
