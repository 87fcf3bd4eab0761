/* Only HAL_Malloc and HAL_Free are the program's: every byte goes through them, and each one is given back, without a
 * secret in it. */

#include "own.h"
#include "scenario.h"
#include "server.h"
#include "watch.h"

static void everything_was_freed(void)
{
    CHECK_INT(own_outstanding_blocks(), 0);
    CHECK_INT(own_outstanding_bytes(), 0);
    CHECK_INT(own_bad_frees(), 0);
    CHECK_INT(own_dirty_frees(), 0);
}

#ifdef MULTITHREAD_ENABLED
static void loop_thread(DeviceInfo *device)
{
    Scenario        seen;
    MQTTInitParams  params    = scenario_params(device, &seen);
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;
    char            topic[]   = "PRODUCTID0/device/data";
    void           *client    = IOT_MQTT_Construct(&params);

    CHECK(client != NULL);
    subscribe.qos = QOS1;
    CHECK_INT(IOT_MQTT_StartLoop(client), 0);
    CHECK(IOT_MQTT_Subscribe(client, topic, &subscribe) > 0);
    SCENARIO_UNTIL(client, IOT_MQTT_IsSubReady(client, topic));
    IOT_MQTT_StopLoop(client);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
}
#endif

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    scenario_offer_small(NULL);
    scenario_identity(&device);
    server_start();
    /* The end of the MQTT password. */
    watch_secrets(";hmacsha1");
    scenario_run(&seen, &device, true);
    printf("%u allocations in the scenario\n", (unsigned)own_allocations());
    /* More than the C surface hands out: the inside allocates here, too. */
    CHECK(own_allocations() > 100);
    everything_was_freed();

#ifdef MULTITHREAD_ENABLED
    loop_thread(&device);
    /* A thread that has ended its work still puts away what it was started with. */
    for (int round = 0; round < SCENARIO_PATIENCE && own_outstanding_blocks() > 0; round++) {
        HAL_SleepMs(10);
    }
    everything_was_freed();
#endif
    check_watch(HAL_Malloc(32), HAL_Free);
    server_stop();
    return check_result();
}
