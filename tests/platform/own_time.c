/* Only the time functions are the program's; HAL_GetTimeMs wraps on the way. */

#include "own.h"
#include "scenario.h"
#include "server.h"
#include "utils_timer.h"

static unsigned lines = 0, dated = 0;

static bool on_line(const char *line)
{
    lines++;
    dated += strstr(line, "|1999-12-31 23:59:59|") != NULL;
    return false;
}

int main(void)
{
    DeviceInfo device;
    Scenario   seen;
    Timer      timer;
    uint32_t   begin = HAL_GetTimeMs();
    unsigned   calls;

    scenario_offer_small(NULL);
    scenario_identity(&device);
    IOT_Log_Set_MessageHandler(on_line);
    server_start();
    calls = own_calls.time;
    scenario_run(&seen, &device, true);
    server_stop();

    CHECK(own_calls.time > calls);
    CHECK(lines > 0);
    CHECK_INT(dated, lines);

    calls = own_calls.time;
    countdown(&timer, 3600);
    CHECK(!expired(&timer));
    countdown_ms(&timer, 1);
    HAL_SleepMs(2);
    CHECK(expired(&timer));
    CHECK_INT(own_calls.time, calls + 5);
    CHECK(HAL_GetTimeMs() < begin);
    return check_result();
}
