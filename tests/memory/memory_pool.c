#include "memory_pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "qcloud_iot_import.h"

/* The size, in front of each block; as large as what malloc aligns to. */
typedef union {
    size_t      size;
    long double alignment;
} Head;

MemoryPool memory_pool;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned        fail_from, fail_many;

void *HAL_Malloc(uint32_t size)
{
    Head *head = NULL;
    bool  fails;

    pthread_mutex_lock(&lock);
    memory_pool.count++;
    fails = (fail_from != 0 && memory_pool.count >= fail_from && memory_pool.count - fail_from < fail_many) ||
            (memory_pool.limit != 0 && memory_pool.in_use + size > memory_pool.limit);
    memory_pool.failed += fails;
    if (!fails) {
        head       = malloc(sizeof(*head) + size);
        head->size = size;
        memory_pool.in_use += size;
        memory_pool.peak = memory_pool.in_use > memory_pool.peak ? memory_pool.in_use : memory_pool.peak;
    }
    pthread_mutex_unlock(&lock);
    return head == NULL ? NULL : head + 1;
}

void HAL_Free(void *memory)
{
    if (memory != NULL) {
        Head *head = (Head *)memory - 1;

        pthread_mutex_lock(&lock);
        memory_pool.in_use -= head->size;
        pthread_mutex_unlock(&lock);
        free(head);
    }
}

void memory_pool_fail(unsigned from, unsigned many)
{
    pthread_mutex_lock(&lock);
    memory_pool.count  = 0;
    memory_pool.failed = 0;
    fail_from          = from;
    fail_many          = many;
    pthread_mutex_unlock(&lock);
}
