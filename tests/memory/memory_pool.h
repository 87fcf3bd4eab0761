/* A HAL_Malloc that has nothing when it is told so. */
#ifndef TESTS_MEMORY_POOL_H_
#define TESTS_MEMORY_POOL_H_

#include <stddef.h>

typedef struct {
    unsigned count;  /* allocations since memory_pool_fail */
    unsigned failed; /* of them */
    size_t   in_use;
    size_t   peak;
    size_t   limit; /* bytes that may be in use; 0: any number */
} MemoryPool;

extern MemoryPool memory_pool;

/* Lets `many` allocations fail, from the one with the number `from` on, counted from 1; 0: none. */
void memory_pool_fail(unsigned from, unsigned many);

#endif /* TESTS_MEMORY_POOL_H_ */
