/*
 * Platform code as that of 3.1 and 3.2.0 (versions.md section 5, rules 4 and 5): a HAL_Timer_current that keeps its text
 * itself, no HAL_ThreadCreate, no HAL_Timer_set_systime_*. ../link/run.sh links it. Argument: "alone" where the program has
 * no other platform, "beside" where the default one is behind.
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

#define OLDER_TIME "3.1's own time"

static bool     stands_alone;
static unsigned names_thread, names_clock, other_times;

char *HAL_Timer_current(char *ignored)
{
    static char text[] = OLDER_TIME;

    (void)ignored;
    return text;
}

static bool on_line(const char *line)
{
    names_thread += strncmp(line, "ERR|", 4) == 0 && strstr(line, "HAL_ThreadCreate") != NULL;
    names_clock += strncmp(line, "ERR|", 4) == 0 && strstr(line, "HAL_Timer_set_systime_") != NULL;
    other_times += strncmp(line + 3, "|" OLDER_TIME "|", strlen("|" OLDER_TIME "|")) != 0;
    return false;
}

static bool tell_time(CloudPeer *peer, const char *topic, size_t topic_len, const char *payload, size_t len)
{
    static const char now[] = "{\"type\":\"get\",\"time\":1700000000}";

    (void)payload;
    (void)len;
    if (topic_len < 4 || memcmp(topic, "$sys", 4) != 0) {
        return true;
    }
    return cloud_say(peer, "$sys/operation/result/PRODUCTID0/device", now, strlen(now));
}

static void ask_for_what_is_missing(DeviceInfo *device)
{
    Scenario       seen   = {0};
    MQTTInitParams params = scenario_params(device, &seen);
    void          *client = IOT_MQTT_Construct(&params);

    CHECK(client != NULL);
    if (stands_alone) {
        CHECK_INT(IOT_MQTT_StartLoop(client), QCLOUD_ERR_FAILURE);
        CHECK_INT(names_thread, 1);
        /* The program may go on without the thread. */
        CHECK_INT(IOT_MQTT_Yield(client, 10), QCLOUD_RET_SUCCESS);
        CHECK_INT(IOT_Sync_NTPTime(client), QCLOUD_ERR_FAILURE);
        CHECK_INT(names_clock, 1);
    } else {
        /* The default one's would set this machine's clock. */
        CHECK_INT(IOT_MQTT_StartLoop(client), QCLOUD_RET_SUCCESS);
        IOT_MQTT_StopLoop(client);
        CHECK_INT(names_thread, 0);
    }
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
}

int main(int argc, char **argv)
{
    DeviceInfo device;
    Scenario   seen;

    stands_alone = argc > 1 && strcmp(argv[1], "alone") == 0;
    IOT_Log_Set_MessageHandler(on_line);
    scenario_identity(&device);
    scenario_offer_small("http://firmware.example/firmware.bin");
    network_link.window       = 65536;
    network_link.bytes_per_ms = 20000;
    scenario_run(&seen, &device, true);
    cloud_others = tell_time;
    ask_for_what_is_missing(&device);
    CHECK_INT(other_times, 0);
    CHECK(own_calls.time > 0);
    CHECK_INT(network_open, 0);
    return check_result();
}
