/* Threads on a painted stack, which tells afterwards how much of it was used. */
#ifndef TESTS_STACK_PAINTED_H_
#define TESTS_STACK_PAINTED_H_

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"

#define PAINTED_STACK (1024 * 1024)
#define PAINTED_BYTE  0xa5

typedef struct {
    unsigned char *stack;
    pthread_t      thread;
} Painted;

static inline void painted_start(Painted *painted, void *(*body)(void *), void *argument)
{
    pthread_attr_t attr;

    painted->stack = mmap(NULL, PAINTED_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(painted->stack, PAINTED_BYTE, PAINTED_STACK);
    CHECK_INT(pthread_attr_init(&attr), 0);
    CHECK_INT(pthread_attr_setstack(&attr, painted->stack, PAINTED_STACK), 0);
    CHECK_INT(pthread_create(&painted->thread, &attr, body, argument), 0);
}

/* Waits for the thread's end; the bytes of stack that it used. */
static inline size_t painted_join(Painted *painted)
{
    size_t untouched = 0;

    CHECK_INT(pthread_join(painted->thread, NULL), 0);
    while (untouched < PAINTED_STACK && painted->stack[untouched] == PAINTED_BYTE) {
        untouched++;
    }
    munmap(painted->stack, PAINTED_STACK);
    return PAINTED_STACK - untouched;
}

#endif /* TESTS_STACK_PAINTED_H_ */
