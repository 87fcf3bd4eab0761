/* What a firmware does first, in any way of linking: a dozen calls, and the library's variables. */

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"
#include "utils_getopt.h"
#include "utils_timer.h"

static unsigned lines = 0;

static bool count(const char *message)
{
    lines += message != NULL;
    return true;
}

int main(void)
{
    char    json[]    = "{\"version\":\"1.2.3\",\"size\":42}";
    char    key[]     = "version";
    char    number[]  = "42";
    char    program[] = "program", option[] = "-p", argument[] = "8883";
    char   *options[] = {program, option, argument, NULL};
    int32_t value     = 0;
    Timer   timer;

    IOT_Log_Set_MessageHandler(count);
    IOT_Log_Set_Level(eLOG_WARN);
    CHECK_INT(g_log_print_level, eLOG_WARN);
    g_log_print_level = eLOG_INFO;
    CHECK_INT(IOT_Log_Get_Level(), eLOG_INFO);
    Log_d("not to be seen");
    Log_i("%s", "to be seen");
    CHECK_INT(lines, 1);

    char *version = LITE_json_value_of(key, json);
    CHECK_STR(version, "1.2.3");
    HAL_Free(version);
    CHECK_INT(LITE_get_int32(&value, number), 0);
    CHECK_INT(value, 42);
    char *text = LITE_format_string("%s:%d", "host", 8883);
    CHECK_STR(text, "host:8883");
    HAL_Free(text);

    CHECK_INT(utils_getopt(3, options, "p:"), 'p');
    CHECK_STR(utils_optarg, "8883");

    InitTimer(&timer);
    CHECK(expired(&timer));
    countdown(&timer, 3600);
    CHECK(!expired(&timer));
    CHECK(left_ms(&timer) > 0);

    void *mutex = HAL_MutexCreate();
    CHECK(mutex != NULL);
    HAL_MutexLock(mutex);
    HAL_MutexUnlock(mutex);
    HAL_MutexDestroy(mutex);

    CHECK(IOT_MQTT_Construct(NULL) == NULL);
    CHECK(!IOT_MQTT_IsConnected(NULL));
    CHECK(IOT_OTA_Init(NULL, NULL, NULL) == NULL);
    CHECK(lines > 1);
#ifndef AUTH_WITH_NOTLS
    /* Draws the TLS stack into the program. */
    CHECK(HAL_TLS_Connect(NULL, "localhost", 1) == 0);
#endif
    return check_result();
}
