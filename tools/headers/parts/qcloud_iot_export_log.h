#ifndef QCLOUD_IOT_EXPORT_LOG_H_
#define QCLOUD_IOT_EXPORT_LOG_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "qcloud_iot_export_variables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Without a prototype, as existing code defines such functions with and without parameters in C. */
/** Deletes the stored log text; returns 0 on success. */
typedef int (*LogDelFunc)();
/** Returns the size of the stored log text in bytes. */
typedef size_t (*LogGetSizeFunc)();

@rust abi/src/log.rs src/ffi/log.rs@
/** Print level: read it freely, set it with IOT_Log_Set_Level. */
extern LOG_LEVEL g_log_print_level;

/** Upload level: read it freely, set it with IOT_Log_Set_Upload_Level. */
extern LOG_LEVEL g_log_upload_level;

/** Logs a line with a text made as by printf. Log_e and friends fill in the first arguments. */
extern void IOT_Log_Gen(const char *file, const char *func, const int line, const int level, const char *fmt, ...);

/* Each takes a format and its arguments. */
/** Logs at eLOG_DEBUG. */
#define Log_d(...) IOT_Log_Gen(__FILE__, __func__, __LINE__, eLOG_DEBUG, __VA_ARGS__)
/** Logs at eLOG_INFO. */
#define Log_i(...) IOT_Log_Gen(__FILE__, __func__, __LINE__, eLOG_INFO, __VA_ARGS__)
/** Logs at eLOG_WARN. */
#define Log_w(...) IOT_Log_Gen(__FILE__, __func__, __LINE__, eLOG_WARN, __VA_ARGS__)
/** Logs at eLOG_ERROR. */
#define Log_e(...) IOT_Log_Gen(__FILE__, __func__, __LINE__, eLOG_ERROR, __VA_ARGS__)

/** s, or "null" for a NULL pointer. */
#define STRING_PTR_PRINT_SANITY_CHECK(s) ((s) ? (s) : "null")

/* Traces of functions. */
#ifdef IOT_DEBUG
#define IOT_FUNC_ENTRY                                 \
    {                                                  \
        Log_d("enter %s line %d", __func__, __LINE__); \
    }
#define IOT_FUNC_EXIT                                  \
    {                                                  \
        Log_d("leave %s line %d", __func__, __LINE__); \
        return;                                        \
    }
#define IOT_FUNC_EXIT_RC(x)                                                \
    {                                                                      \
        Log_d("leave %s line %d with %ld", __func__, __LINE__, (long)(x)); \
        return x;                                                          \
    }
#else
#define IOT_FUNC_ENTRY
#define IOT_FUNC_EXIT \
    {                 \
        return;       \
    }
#define IOT_FUNC_EXIT_RC(x) \
    {                       \
        return x;           \
    }
#endif

/* Messages of the log uploader itself, which must not go through the log. They need qcloud_iot_import.h. */
#ifdef LOG_UPLOAD_DEBUG
#define UPLOAD_DBG(...)                                    \
    do {                                                   \
        HAL_Printf("UPLOAD %s(%d): ", __func__, __LINE__); \
        HAL_Printf(__VA_ARGS__);                           \
        HAL_Printf("\r\n");                                \
    } while (0)
#else
#define UPLOAD_DBG(...)
#endif

#define UPLOAD_ERR(...)                                        \
    do {                                                       \
        HAL_Printf("UPLOAD ERR %s(%d): ", __func__, __LINE__); \
        HAL_Printf(__VA_ARGS__);                               \
        HAL_Printf("\r\n");                                    \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_LOG_H_ */
