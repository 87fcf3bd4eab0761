/*
 * The time that the test's platform lives in, in microseconds. clock_real.c follows the machine's clock. The clock of
 * clock_virtual.c moves only when everybody waits: what it measures is waiting and nothing else, on any machine.
 */
#ifndef TESTS_PLATFORM_CLOCK_H_
#define TESTS_PLATFORM_CLOCK_H_

#include <stdint.h>

uint64_t clock_us(void);

/* Returns once clock_us() is at least `us`. */
void clock_wait_until(uint64_t us);

/* Besides the main thread one more may wait; to be called before it starts, and last in it. */
void clock_thread_begins(void);
void clock_thread_ends(void);

#endif /* TESTS_PLATFORM_CLOCK_H_ */
