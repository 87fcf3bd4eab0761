#include "clock.h"

#include <stdbool.h>

/* Any thread may wait. */
static uint64_t now_us = 0;

uint64_t clock_us(void)
{
    return __atomic_load_n(&now_us, __ATOMIC_ACQUIRE);
}

void clock_wait_until(uint64_t us)
{
    uint64_t now = clock_us();

    while (now < us && !__atomic_compare_exchange_n(&now_us, &now, us, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}
