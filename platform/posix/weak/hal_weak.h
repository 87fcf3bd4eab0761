/* A user's own HAL_X replaces ours in a static link because ours is weak. Structs are passed through untouched, so they
 * are void pointers here; the layouts are the iot-abi crate's. */
#ifndef IOT_PLATFORM_HAL_WEAK_H
#define IOT_PLATFORM_HAL_WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../abi/c/platform_wait.h"

#define HAL_WEAK __attribute__((weak, visibility("default")))

/* HAL_X is a second name of a function that no program can replace: by the two addresses the library sees whether HAL_X is
 * ours. */
#define HAL_IS(name) __attribute__((alias(#name)))

/* While a function of ours runs its thread can't be cancelled: unwinding must not meet Rust's frames. What the library has
 * for that is used where it is in the program. HAL_SleepMs and HAL_Printf hold nothing and stay as they are. */
#include <pthread.h>

__attribute__((weak)) int qcloud_enter(void);
__attribute__((weak)) int qcloud_leave(int before);

static inline int hal_enter(void)
{
    int before = PTHREAD_CANCEL_ENABLE;

    if (qcloud_enter && qcloud_leave) {
        return qcloud_enter();
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void hal_leave(int before)
{
    int ignored;

    if (qcloud_enter && qcloud_leave) {
        qcloud_leave(before);
    } else {
        pthread_setcancelstate(before, &ignored);
    }
}

/* Functions that the library asks for by weak references (hal_optional.c): they come with any object of ours. */
struct optional_functions {
    int (*thread_create)(void *);
    int (*set_systime_sec)(size_t);
    int (*set_systime_ms)(size_t);
};
extern const struct optional_functions        qcloud_optional_functions;
static const struct optional_functions *const with_optional __attribute__((used)) = &qcloud_optional_functions;

#define HAL_WHOLE(type, call)  \
    int  before = hal_enter(); \
    type result = call;        \
                               \
    hal_leave(before);         \
    return result

#endif
