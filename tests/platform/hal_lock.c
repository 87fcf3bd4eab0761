/* Locks over pthread. */

#include <pthread.h>
#include <stdlib.h>

#include "own.h"
#include "qcloud_iot_import.h"

void *HAL_MutexCreate(void)
{
    pthread_mutex_t *mutex = malloc(sizeof(*mutex));

    own_calls.lock++;
    if (mutex != NULL) {
        pthread_mutex_init(mutex, NULL);
    }
    return mutex;
}

void HAL_MutexDestroy(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
}

void HAL_MutexLock(void *mutex)
{
    pthread_mutex_lock(mutex);
}

int HAL_MutexTryLock(void *mutex)
{
    return pthread_mutex_trylock(mutex);
}

void HAL_MutexUnlock(void *mutex)
{
    pthread_mutex_unlock(mutex);
}
