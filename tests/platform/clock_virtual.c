#include "clock.h"

static uint64_t now_us = 0;

uint64_t clock_us(void)
{
    return now_us;
}

void clock_wait_until(uint64_t us)
{
    if (us > now_us) {
        now_us = us;
    }
}
