/* The part of the firmware that is compiled again, against the headers of today. */

#include "checks.h"
#include "qcloud_iot_export.h"

int main(void)
{
    IOT_Log_Set_Level(eLOG_WARN);
    calls();
    platform_part();
    return checks_result();
}
