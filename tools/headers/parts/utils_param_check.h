#ifndef _UTILS_PARAM_CHECK_H_
#define _UTILS_PARAM_CHECK_H_

#include "qcloud_iot_export_log.h"

/* Checks at the beginning of a function: they log what is wrong and return from it. */

/** Returns err when num is 0. */
#define NUMBERIC_SANITY_CHECK(num, err)               \
    do {                                              \
        if (0 == (num)) {                             \
            Log_e("Invalid argument, %s is 0", #num); \
            return (err);                             \
        }                                             \
    } while (0)

/** Returns when num is 0. */
#define NUMBERIC_SANITY_CHECK_RTN(num)                \
    do {                                              \
        if (0 == (num)) {                             \
            Log_e("Invalid argument, %s is 0", #num); \
            return;                                   \
        }                                             \
    } while (0)

/** Returns err when ptr is NULL. */
#define POINTER_SANITY_CHECK(ptr, err)                   \
    do {                                                 \
        if (NULL == (ptr)) {                             \
            Log_e("Invalid argument, %s is NULL", #ptr); \
            return (err);                                \
        }                                                \
    } while (0)

/** Returns when ptr is NULL. */
#define POINTER_SANITY_CHECK_RTN(ptr)                    \
    do {                                                 \
        if (NULL == (ptr)) {                             \
            Log_e("Invalid argument, %s is NULL", #ptr); \
            return;                                      \
        }                                                \
    } while (0)

/** Returns err when the text ptr is NULL or empty. */
#define STRING_PTR_SANITY_CHECK(ptr, err)                         \
    do {                                                          \
        if (NULL == (ptr)) {                                      \
            Log_e("Invalid argument, %s is NULL", #ptr);          \
            return (err);                                         \
        }                                                         \
        if ('\0' == *(const char *)(ptr)) {                       \
            Log_e("Invalid argument, %s is an empty text", #ptr); \
            return (err);                                         \
        }                                                         \
    } while (0)

/** Returns when the text ptr is NULL or empty. */
#define STRING_PTR_SANITY_CHECK_RTN(ptr)                          \
    do {                                                          \
        if (NULL == (ptr)) {                                      \
            Log_e("Invalid argument, %s is NULL", #ptr);          \
            return;                                               \
        }                                                         \
        if ('\0' == *(const char *)(ptr)) {                       \
            Log_e("Invalid argument, %s is an empty text", #ptr); \
            return;                                               \
        }                                                         \
    } while (0)

#endif /* _UTILS_PARAM_CHECK_H_ */
