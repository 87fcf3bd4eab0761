/* The secrets of scenario.h's device, watched for in freed memory. */
#ifndef TESTS_PLATFORM_WATCH_H_
#define TESTS_PLATFORM_WATCH_H_

#include "own.h"
#include "scenario.h"

/* To be called first. The device secret as it is written and decoded; `more` is another text, or NULL. */
static inline void watch_secrets(const char *more)
{
    own_watch_text("MDEyMzQ1Njc4OWFiY2RlZg==");
    own_watch_text("0123456789abcdef");
    if (more != NULL) {
        own_watch_text(more);
    }
}

/* That the watch sees a secret in `block`, which `release` frees. */
static inline void check_watch(void *block, void (*volatile release)(void *))
{
    size_t before = own_dirty_frees();

    strcpy(block, "<0123456789abcdef>");
    release(block);
    CHECK_INT(own_dirty_frees(), before + 1);
}

#endif /* TESTS_PLATFORM_WATCH_H_ */
