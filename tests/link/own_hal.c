/* A program's own HAL_* win at run time over the shared library's defaults, one function at a time. */

#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"
#include "utils_timer.h"

static int      blocks = 0;
static unsigned frees  = 0;

void *HAL_Malloc(uint32_t size)
{
    blocks++;
    return malloc(size);
}

void HAL_Free(void *pointer)
{
    if (pointer != NULL) {
        blocks--;
        frees++;
    }
    free(pointer);
}

bool HAL_Timer_expired(Timer *timer)
{
    (void)timer;
    return true;
}

int main(void)
{
    Timer timer;
    int   before = blocks;

    char *copy = LITE_strdup("text");
    CHECK_STR(copy, "text");
    CHECK_INT(blocks, before + 1);
    HAL_Free(copy);
    CHECK_INT(blocks, before);
    CHECK(frees > 0);

    /* The default HAL_Timer_countdown and HAL_Timer_remain are still there. */
    InitTimer(&timer);
    countdown(&timer, 3600);
    CHECK(left_ms(&timer) > 0);
    CHECK(expired(&timer));
    return check_result();
}
