/* Only HAL_TLS_* are the program's: MQTT and HTTPS go through them. */

#include "network.h"
#include "own.h"
#include "scenario.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    scenario_offer_small("https://firmware.example/firmware.bin?sign=a%00b");
    scenario_identity(&device);
    network_link.window = 65536;
    scenario_run(&seen, &device, true);

    CHECK(own_calls.tls > 0);
    CHECK_INT(network_secure, 2);
    CHECK_INT(network_open, 0);
    CHECK_INT(cloud_seen.connects, 1);
    CHECK_INT(cloud_seen.requests, 1);
    return check_result();
}
