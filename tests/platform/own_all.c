/* The whole platform is the program's. */

#include "network.h"
#include "own.h"
#include "scenario.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    CHECK_INT(HAL_GetDevInfo(&device), 0);
#if defined(AUTH_WITH_NOTLS) || !defined(OTA_USE_HTTPS)
    scenario_offer_small("http://firmware.example/firmware.bin?sign=a%00b");
#else
    scenario_offer_small("https://firmware.example/firmware.bin?sign=a%00b");
#endif
    network_link.window       = 65536;
    network_link.bytes_per_ms = 20000;
    scenario_run(&seen, &device, true);

#ifdef AUTH_WITH_NOTLS
    CHECK(own_calls.tcp > 0);
#else
    CHECK(own_calls.tls > 0);
#endif
    CHECK(own_calls.time > 0);
    CHECK(own_calls.lock > 0);
    CHECK(own_calls.print > 0);
    CHECK_INT(own_calls.devinfo, 1);
    CHECK(own_allocations() > 100);
    CHECK_INT(own_outstanding_blocks(), 0);
    CHECK_INT(own_outstanding_bytes(), 0);
    CHECK_INT(own_bad_frees(), 0);
    CHECK_INT(network_open, 0);
    return check_result();
}
