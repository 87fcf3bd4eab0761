#ifndef __LITE_UTILS_H__
#define __LITE_UTILS_H__

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lite-list.h"
#include "qcloud_iot_import.h"

#ifdef _PLATFORM_IS_LINUX_
#include <assert.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LITE_TRUE  1
#define LITE_FALSE 0

#ifndef container_of
/** The object of the given type whose field member is at ptr. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#endif

/** The smaller of two values. May evaluate its arguments twice. */
#define LITE_MINIMUM(a, b) (((a) <= (b)) ? (a) : (b))
/** The larger of two values. May evaluate its arguments twice. */
#define LITE_MAXIMUM(a, b) (((a) >= (b)) ? (a) : (b))
/** Whether a character is one of 0 to 9. May evaluate its argument twice. */
#define LITE_isdigit(c) (((c) >= '0' && (c) <= '9') ? LITE_TRUE : LITE_FALSE)

/** Reports an expression that is false. With _PLATFORM_IS_LINUX_ it is assert(), otherwise the program goes on. */
#ifdef _PLATFORM_IS_LINUX_
#define LITE_ASSERT(expr) assert(expr)
#else
#define LITE_ASSERT(expr)                                                                            \
    do {                                                                                             \
        if (!(expr)) {                                                                               \
            HAL_Printf("%s: %s: %d: assertion failed: %s\r\n", __FILE__, __func__, __LINE__, #expr); \
        }                                                                                            \
    } while (0)
#endif

@rust abi/src/lite_utils.rs src/ffi/json.rs@
/** As printf into memory from HAL_Malloc, which the caller frees with HAL_Free. NULL above 512 bytes. */
extern char *LITE_format_string(const char *fmt, ...);

/** As LITE_format_string, for up to len bytes. */
extern char *LITE_format_nstring(const int len, const char *fmt, ...);

/**
 * for-loop header that visits the keys of a JSON object: iter_key (char *) is the key, keylist and pos (list_head_t *)
 * are its tools. Give keylist to LITE_json_keys_release afterwards.
 */
#define foreach_json_keys_in(src, iter_key, keylist, pos)                                                      \
    for ((keylist) = LITE_json_keys_of((char *)(src), (char *)""), (pos) = (keylist) ? (keylist)->next : NULL; \
         ((iter_key) = (pos) ? list_entry(pos, json_key_t, list)->key : NULL) != NULL; (pos) = (pos)->next)

#ifdef __cplusplus
}
#endif

#endif /* __LITE_UTILS_H__ */
