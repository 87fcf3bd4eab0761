/*
 * A hundred lives of a device, with the loop thread and without, ended in either order: each leaves the heap where it was.
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

#define CYCLES 100

static void live(DeviceInfo *info, bool with_loop, bool stop_loop, bool client_first)
{
    Scenario       seen   = {0};
    MQTTInitParams params = scenario_params(info, &seen);
    void          *client = IOT_MQTT_Construct(&params);
    void          *ota;

    CHECK(client != NULL);
#ifdef MULTITHREAD_ENABLED
    if (with_loop) {
        CHECK_INT(IOT_MQTT_StartLoop(client), 0);
    }
#else
    (void)with_loop;
    (void)stop_loop;
#endif
    ota = IOT_OTA_Init(info->product_id, info->device_name, client);
    CHECK(ota != NULL);
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") > 0);
    SCENARIO_UNTIL(client, IOT_OTA_IsFetching(ota) && seen.acks == 1);
#ifdef MULTITHREAD_ENABLED
    if (with_loop && stop_loop) {
        IOT_MQTT_StopLoop(client);
    }
#endif
    if (!client_first) {
        CHECK_INT(IOT_OTA_Destroy(ota), 0);
    }
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    if (client_first) {
        CHECK_INT(IOT_OTA_Destroy(ota), 0);
    }
}

int main(void)
{
    DeviceInfo info;

    CHECK_INT(HAL_GetDevInfo(&info), 0);
    scenario_offer_small("http://firmware.example/firmware.bin");
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        live(&info, cycle % 2 == 1, cycle % 4 == 1, cycle % 8 >= 4);
        /* A thread that is told to end needs a moment. */
        for (int round = 0; round < SCENARIO_PATIENCE && own_outstanding_blocks() > 0; round++) {
            HAL_SleepMs(10);
        }
        CHECK_INT(own_outstanding_blocks(), 0);
        CHECK_INT(own_outstanding_bytes(), 0);
        CHECK_INT(network_open, 0);
    }
    CHECK_INT(own_bad_frees(), 0);
    printf("%u allocations in %d lives\n", (unsigned)own_allocations(), CYCLES);
    return check_result();
}
