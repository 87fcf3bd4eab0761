/* A HAL_GetTimeMs that goes faster when it is told so, for tests that would wait for answers which don't come. */
#ifndef TESTS_SUPPORT_FAST_CLOCK_H_
#define TESTS_SUPPORT_FAST_CLOCK_H_

#include <stdint.h>

/* Before anything asks for the time; then it goes as time does. */
void fast_clock_start(void);

/* So many times as fast from now on. */
void fast_clock_speed(uint32_t speed);

#endif /* TESTS_SUPPORT_FAST_CLOCK_H_ */
