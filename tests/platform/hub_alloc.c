/* An upgrade from the hub over our TLS; only HAL_Malloc and HAL_Free are the program's. What is freed, by C code too, holds
 * no secret. Run by with_hub.sh. */

#include "own.h"
#include "scenario.h"
#include "watch.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    /* Part of the firmware's URL. */
    watch_secrets("q-signature");
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_run(&seen, &device, false);

    printf("%u allocations in the scenario, %u bytes left\n", (unsigned)own_allocations(),
           (unsigned)own_outstanding_bytes());
    CHECK(own_allocations() > 100);
    CHECK_INT(own_outstanding_blocks(), 0);
    CHECK_INT(own_outstanding_bytes(), 0);
    CHECK_INT(own_bad_frees(), 0);
    CHECK_INT(own_dirty_frees(), 0);
    check_watch(HAL_Malloc(32), HAL_Free);
    check_watch(malloc(32), free);
    return check_result();
}
