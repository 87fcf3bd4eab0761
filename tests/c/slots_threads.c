/*
 * IOT_Upgrade_* from several threads at once, over a server on loopback: two yield beside the loop thread, others accept,
 * defer, cancel and look on, and one ends it in the middle.
 *
 * Whatever they do, one thread at a time is in the store and in the event handler, each cancelled order is told as that,
 * and an upgrade that nobody cancels comes to its end.
 */

#define _GNU_SOURCE

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cloud.h"
#include "config.h"
#include "device.h"
#include "qcloud_iot_export_upgrade.h"
#include "qcloud_iot_import.h"
#include "server.h"
#include "signed_firmware.h"
#include "slot_store.h"

#define THREADS 6
/* So many orders are cancelled before one is let through. */
#define CANCELLED 3
/* Reached only where something hangs. */
#define PATIENCE_S 120

static void       *upgrade;
static atomic_int  inside, strangers; /* threads in the store or the handler, and those that met one there */
static atomic_int  cancelled, wrong_codes, restarts;
static atomic_bool is_over;

static void enter(void)
{
    if (atomic_fetch_add(&inside, 1) != 0) {
        strangers++;
    }
}

static void leave(void)
{
    inside--;
}

static SlotStore slots = {.enter = enter, .leave = leave};

/* ---- The threads ---- */

static void on_event(void *context, const IOT_Upgrade_Event *event)
{
    IOT_Upgrade_Status status;

    (void)context;
    enter();
    if (event->event_type == IOT_UPGRADE_RESTART) {
        restarts++;
    }
    if (IOT_Upgrade_GetStatus(upgrade, &status) != QCLOUD_RET_SUCCESS) {
        wrong_codes++;
    }
    leave();
}

/* What a call may return; after Destroy the handle is unknown. */
static void expect(int code)
{
    if (code != QCLOUD_RET_SUCCESS && code != QCLOUD_ERR_FAILURE && (code != QCLOUD_ERR_INVAL || !is_over)) {
        wrong_codes++;
    }
}

static void *yielding(void *unused)
{
    (void)unused;
    while (!is_over) {
        expect(IOT_Upgrade_Yield(upgrade, 20));
    }
    return NULL;
}

static void *accepting(void *unused)
{
    for (unsigned turn = 0; !is_over; turn++) {
        expect(turn % 4 == 0 ? IOT_Upgrade_Defer(upgrade, 0) : IOT_Upgrade_Accept(upgrade));
        HAL_SleepMs(1);
    }
    return unused;
}

static void *cancelling(void *unused)
{
    while (!is_over && cancelled < CANCELLED) {
        int code = IOT_Upgrade_Cancel(upgrade);

        cancelled += code == QCLOUD_RET_SUCCESS;
        expect(code);
        HAL_SleepMs(3);
    }
    return unused;
}

/* Ends all of it once the slot is installed, whatever the others are in. */
static void *looking_on(void *unused)
{
    IOT_Upgrade_Status status;

    while (restarts == 0) {
        memset(&status, 0, sizeof(status));
        expect(IOT_Upgrade_GetStatus(upgrade, &status));
        if (status.stored > SIGNED_IMAGE || IOT_Upgrade_ConfirmRunning(upgrade) != QCLOUD_ERR_FAILURE) {
            wrong_codes++;
        }
        HAL_SleepMs(1);
    }
    is_over = true;
    expect(IOT_Upgrade_Destroy(upgrade));
    return unused;
}

int main(void)
{
    static void *(*const roles[THREADS])(void *) = {yielding, yielding, accepting, accepting, cancelling, looking_on};
    IOT_Upgrade_Store  store                     = slot_store(&slots);
    IOT_Upgrade_Params params;
    pthread_t          threads[THREADS];
    int                error;

    alarm(PATIENCE_S);
    IOT_Log_Set_Level(eLOG_DISABLE);
    server_start();
    signed_firmware_offer();
    memset(&params, 0, sizeof(params));
    params.client       = device_connect(&error);
    params.version      = "1.0.0";
    params.store        = &store;
    params.public_keys  = SIGNED_KEY;
    params.record_every = SLOT_STORE_ERASED;
    params.on_event     = on_event;
    upgrade             = IOT_Upgrade_Init(&params);
    CHECK(upgrade != NULL);
    if (upgrade == NULL) {
        return check_result();
    }
#ifdef MULTITHREAD_ENABLED
    CHECK_INT(IOT_MQTT_StartLoop(params.client), QCLOUD_RET_SUCCESS);
#endif
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, roles[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
#ifdef MULTITHREAD_ENABLED
    IOT_MQTT_StopLoop(params.client);
#endif
    CHECK_INT(IOT_MQTT_Destroy(&params.client), QCLOUD_RET_SUCCESS);
    server_stop();
    CHECK_INT(strangers, 0);
    CHECK_INT(wrong_codes, 0);
    CHECK_INT(cancelled, CANCELLED);
    CHECK_INT(cloud_seen.failed, CANCELLED);
    CHECK_INT(slots.next, 1);
    for (uint32_t at = 0; at < SIGNED_IMAGE; at++) {
        if (slots.areas[1][at] != cloud_firmware_byte(SIGNED_HEADER + at)) {
            CHECK_INT(slots.areas[1][at], cloud_firmware_byte(SIGNED_HEADER + at));
            break;
        }
    }
    return check_result();
}
