/* A firmware's own HAL functions win over the default platform's, one function at a time. */

#include <stdarg.h>
#include <stdlib.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_timer.h"

static unsigned allocations = 0;
static unsigned prints      = 0;
static char     printed[2048];

void *HAL_Malloc(uint32_t size)
{
    allocations++;
    return malloc(size);
}

void HAL_Free(void *pointer)
{
    if (pointer != NULL) {
        allocations--;
    }
    free(pointer);
}

void HAL_Printf(const char *format, ...)
{
    va_list arguments;

    prints++;
    va_start(arguments, format);
    vsnprintf(printed, sizeof(printed), format, arguments);
    va_end(arguments);
}

char *HAL_Timer_current(char *text)
{
    strcpy(text, "1999-12-31 23:59:59");
    return text;
}

int main(void)
{
    char     json[] = "{\"key\":\"value\"}";
    char     key[]  = "key";
    char    *value;
    Timer    timer;
    unsigned kept;

    /* Where the C library can't end a thread's values (musl), the first call makes a list of them, which stays. */
    HAL_Free(LITE_json_value_of(key, json));
    kept = allocations;
    CHECK(kept <= 1);

    value = LITE_json_value_of(key, json);
    CHECK_STR(value, "value");
    CHECK_INT(allocations, kept + 1);
    HAL_Free(value);
    CHECK_INT(allocations, kept);

    Log_i("through my own printf");
    CHECK_INT(prints, 1);
    CHECK(strncmp(printed, "INF|1999-12-31 23:59:59|own_hal.c|main(", 39) == 0);

    /* Log lines of the library itself take the same way. */
    CHECK(LITE_json_value_of(NULL, json) == NULL);
    CHECK_INT(prints, 2);
    CHECK(strncmp(printed, "ERR|1999-12-31 23:59:59|", 24) == 0);

    /* And the rest of the platform is still the default one. */
    countdown(&timer, 3600);
    CHECK(!expired(&timer));
    return check_result();
}
