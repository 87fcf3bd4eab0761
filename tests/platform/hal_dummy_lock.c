/* Locks of a platform whose threads are off: a value that is no pointer, and functions that do nothing. */

#include <stdlib.h>

#include "own.h"
#include "qcloud_iot_import.h"

#define DUMMY ((void *)1)

static void expect_dummy(const void *mutex)
{
    if (mutex != DUMMY) {
        abort();
    }
    own_calls.lock++;
}

void *HAL_MutexCreate(void)
{
    own_calls.lock++;
    return DUMMY;
}

void HAL_MutexDestroy(void *mutex)
{
    expect_dummy(mutex);
}

void HAL_MutexLock(void *mutex)
{
    expect_dummy(mutex);
}

int HAL_MutexTryLock(void *mutex)
{
    expect_dummy(mutex);
    return 0;
}

void HAL_MutexUnlock(void *mutex)
{
    expect_dummy(mutex);
}
