#define _POSIX_C_SOURCE 200809L

#include "fast_clock.h"

#include <time.h>

#include "qcloud_iot_import.h"

static struct timespec began;
static uint32_t        passed_before;
static uint32_t        speed = 1;

uint32_t HAL_GetTimeMs(void)
{
    struct timespec now;
    int64_t         passed;

    clock_gettime(CLOCK_MONOTONIC, &now);
    passed = (int64_t)(now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
    return passed_before + (uint32_t)passed * speed;
}

void fast_clock_start(void)
{
    clock_gettime(CLOCK_MONOTONIC, &began);
}

void fast_clock_speed(uint32_t to)
{
    passed_before = HAL_GetTimeMs();
    clock_gettime(CLOCK_MONOTONIC, &began);
    speed = to;
}
