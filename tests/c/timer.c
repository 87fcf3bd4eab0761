/* utils_timer.h. Long and zero times only: no check depends on how fast the machine is. */

#include <sys/time.h>

#include "check.h"
#include "qcloud_iot_export.h"
#include "utils_timer.h"

int main(void)
{
    enum { HOUR_S = 3600, HOUR_MS = HOUR_S * 1000 };
    Timer         timer;
    RTC_DATE_TIME date;

    /* versions.md section 1. */
#if defined(__GLIBC__)
    CHECK_INT(sizeof(timer), sizeof(struct timeval));
#elif defined(MAX_SIZE_OF_REGION)
    CHECK_INT(sizeof(timer), 8);
#else
    CHECK_INT(sizeof(timer), sizeof(void *));
#endif
    InitTimer(&timer);
    CHECK(expired(&timer));
    CHECK_INT(left_ms(&timer), 0);

    countdown_ms(&timer, HOUR_MS);
    CHECK(!expired(&timer));
    CHECK(left_ms(&timer) > 0 && left_ms(&timer) <= HOUR_MS);

    countdown_ms(&timer, 0);
    CHECK(expired(&timer));

    countdown(&timer, HOUR_S);
    CHECK(!expired(&timer));
    CHECK(left_ms(&timer) > HOUR_MS / 2 && left_ms(&timer) <= HOUR_MS);

    /* A timer runs to its end. */
    countdown_ms(&timer, 5);
    while (!expired(&timer)) {
        HAL_SleepMs(1);
    }
    CHECK_INT(left_ms(&timer), 0);

    timestamp_to_date(1604458421, &date, 8);
    CHECK_INT(date.year, 2020);
    CHECK_INT(date.month, 11);
    CHECK_INT(date.day, 4);
    CHECK_INT(date.hour, 10);
    CHECK_INT(date.minute, 53);
    CHECK_INT(date.sec, 41);
    return check_result();
}
