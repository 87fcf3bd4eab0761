/* Counting checks, for the old objects and for what is compiled today: names no header of the library. */
#ifndef TESTS_MAKEFILE_CHECKS_H
#define TESTS_MAKEFILE_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void check(bool holds, const char *file, int line, const char *what);

#define CHECK(condition) check(condition, __FILE__, __LINE__, #condition)

/* A struct between two walls: what is written next to it shows. */
#define GUARDED(type, name) \
    struct {                \
        uint8_t before[16]; \
        type    value;      \
        uint8_t after[16];  \
    } name
void guard(void *block, size_t size);
bool guards_stand(const void *block, size_t size);

/* Waits for nothing, tells how many checks failed, and prints `N passed, N failed`. */
int checks_result(void);

/* The parts of the firmware; each program has calls() and one of the two others. */
void calls(void);
void platform_part(void);

#endif
