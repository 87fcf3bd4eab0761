#define _POSIX_C_SOURCE 200809L

#include "clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define MAX_THREADS 16
/* A thread that stands before a lock does not wait here, so whoever holds the lock goes on after so much real time. */
#define PATIENCE_NS 100000000

typedef struct {
    bool     active;
    uint64_t until_us;
} Wait;

static pthread_mutex_t lock    = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static uint64_t        now_us  = 0;
static unsigned        threads = 1;
static unsigned        waiting = 0;
static Wait            waits[MAX_THREADS];

uint64_t clock_us(void)
{
    uint64_t now;

    pthread_mutex_lock(&lock);
    now = now_us;
    pthread_mutex_unlock(&lock);
    return now;
}

/* Moves to the end of the shortest wait. Those whose wait is over run again, even if they are not awake yet. */
static void move(void)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < MAX_THREADS; i++) {
        next = waits[i].active && waits[i].until_us < next ? waits[i].until_us : next;
    }
    now_us = next;
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        if (waits[i].active && waits[i].until_us <= now_us) {
            waits[i].active = false;
            waiting--;
        }
    }
    pthread_cond_broadcast(&changed);
}

/* False: nothing has changed for a while. */
static bool wait_for_others(void)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += PATIENCE_NS;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&changed, &lock, &limit) == 0;
}

void clock_wait_until(uint64_t us)
{
    unsigned own = 0;

    pthread_mutex_lock(&lock);
    if (us > now_us) {
        while (own < MAX_THREADS && waits[own].active) {
            own++;
        }
        if (own == MAX_THREADS) {
            abort();
        }
        waits[own] = (Wait){true, us};
        waiting++;
        while (now_us < us) {
            bool stuck = waiting < threads && !wait_for_others();

            if (now_us < us && (stuck || waiting == threads)) {
                move();
            }
        }
    }
    pthread_mutex_unlock(&lock);
}

void clock_thread_begins(void)
{
    pthread_mutex_lock(&lock);
    threads++;
    pthread_mutex_unlock(&lock);
}

void clock_thread_ends(void)
{
    pthread_mutex_lock(&lock);
    threads--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
