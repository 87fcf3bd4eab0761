#define _POSIX_C_SOURCE 200809L

#include "clock.h"

#include <time.h>

uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void clock_wait_until(uint64_t us)
{
    for (uint64_t now = clock_us(); now < us; now = clock_us()) {
        struct timespec rest;

        rest.tv_sec  = (time_t)((us - now) / 1000000u);
        rest.tv_nsec = (long)((us - now) % 1000000u) * 1000;
        nanosleep(&rest, NULL);
    }
}

void clock_thread_begins(void) {}

void clock_thread_ends(void) {}
