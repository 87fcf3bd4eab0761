#include "checks.h"

#include <stdio.h>
#include <string.h>

#define WALL 0xA5

static int passed, failed;

void check(bool holds, const char *file, int line, const char *what)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("FAIL %s:%d: %s\n", file, line, what);
    }
}

void guard(void *block, size_t size)
{
    memset(block, WALL, size);
}

bool guards_stand(const void *block, size_t size)
{
    const uint8_t *bytes = block;
    for (size_t i = 0; i < 16; i++) {
        if (bytes[i] != WALL || bytes[size - 1 - i] != WALL) {
            return false;
        }
    }
    return true;
}

int checks_result(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
