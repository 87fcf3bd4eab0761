/*
 * How often each family of the test's own HAL functions was called. A program links the families it replaces; the
 * counters of the others stand at 0.
 */
#ifndef TESTS_PLATFORM_OWN_H_
#define TESTS_PLATFORM_OWN_H_

#include <stddef.h>

typedef struct {
    unsigned tcp;
    unsigned tls;
    unsigned time;
    unsigned devinfo;
    unsigned lock;
    unsigned print;
} OwnCalls;

extern OwnCalls own_calls;

/* hal_alloc.c: what has been allocated in all, and what has not been freed. */
size_t own_allocations(void);
size_t own_outstanding_blocks(void);
size_t own_outstanding_bytes(void);
/* Frees of what was not allocated, or no more. */
size_t own_bad_frees(void);

/* Secrets that no block may hold when it is freed: a text, or bytes. Kept until the end of the program; at most 8. */
void own_watch(const void *secret, size_t len);
void own_watch_text(const char *secret);
/* Blocks that held one when they were freed. */
size_t own_dirty_frees(void);
/* Looks at a block that is about to be freed. */
void own_look(const void *block, size_t len);

#endif /* TESTS_PLATFORM_OWN_H_ */
