/* The locks of a platform without threads: a dummy value that is no pointer. One thread does everything. */

#include "own.h"
#include "scenario.h"
#include "server.h"

int main(void)
{
    DeviceInfo device;
    Scenario   seen;

    scenario_offer_small(NULL);
    scenario_identity(&device);
    server_start();
    scenario_run(&seen, &device, true);
    server_stop();

    CHECK(own_calls.lock > 0);
    return check_result();
}
