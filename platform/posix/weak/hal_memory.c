#include <stdlib.h>

#include "hal_weak.h"

HAL_WEAK void *HAL_Malloc(uint32_t size)
{
    return malloc(size);
}

HAL_WEAK void HAL_Free(void *ptr)
{
    free(ptr);
}
