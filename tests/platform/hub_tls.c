/* An upgrade from the hub over HAL_TLS_* that the program has written on the system's mbedTLS. Run by with_hub.sh. */

#include "own.h"
#include "scenario.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_run(&seen, &device, false);
    CHECK(own_calls.tls > 0);
    return check_result();
}
