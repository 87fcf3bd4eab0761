/* A user's own HAL_X replaces ours in a static link because ours is weak. Structs are passed through untouched, so they
 * are void pointers here; the layouts are the iot-abi crate's. */
#ifndef IOT_PLATFORM_HAL_WEAK_H
#define IOT_PLATFORM_HAL_WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAL_WEAK __attribute__((weak, visibility("default")))

#endif
