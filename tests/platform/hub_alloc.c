/* An upgrade from the hub over our TLS; only HAL_Malloc and HAL_Free are the program's. Run by with_hub.sh. */

#include "own.h"
#include "scenario.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_run(&seen, &device, false);

    printf("%u allocations in the scenario, %u bytes left\n", (unsigned)own_allocations(),
           (unsigned)own_outstanding_bytes());
    CHECK(own_allocations() > 100);
    CHECK_INT(own_outstanding_blocks(), 0);
    CHECK_INT(own_outstanding_bytes(), 0);
    CHECK_INT(own_bad_frees(), 0);
    return check_result();
}
