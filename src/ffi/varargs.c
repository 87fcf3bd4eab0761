/* The functions of the C surface that take a variable number of arguments: they format, Rust does the rest. */

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __GNUC__
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#else
#define PRINTF_LIKE(fmt_at, args_at)
#endif

/* MAX_LOG_MSG_LEN with its NUL: no text of a log line is longer. */
#ifdef __linux__
#define LOG_TEXT_SIZE 1024
#else
#define LOG_TEXT_SIZE 512
#endif

/* Longest result of LITE_format_string in bytes, without the NUL. */
#define FORMAT_STRING_MAX 512

/* src/hal/callout.c */
void *qcloud_allocate(uint32_t size);
int   qcloud_enter(void);
int   qcloud_leave(int before);

/* src/ffi/log.rs */
int  qcloud_log_wanted(int level);
void qcloud_log_line(const char *file, const char *func, int line, int level, const char *text);
/* src/ffi/json.rs */
void qcloud_format_failed(const char *func, const char *reason);

#ifdef QCLOUD_SHADOW
/* src/ffi/shadow.rs */
struct property;
int qcloud_shadow_document(int form, void *client, char *buffer, size_t size, uint8_t count,
                           struct property **properties);

/* Which document: as src/ffi/shadow.rs has them. */
enum { FORM_REPORT, FORM_OVERWRITE_REPORT, FORM_REPORT_AND_DESIRE_NULL, FORM_DESIRE };

int IOT_Shadow_JSON_ConstructReport(void *client, char *buffer, size_t size, uint8_t count, ...);
int IOT_Shadow_JSON_Construct_OverwriteReport(void *client, char *buffer, size_t size, uint8_t count, ...);
int IOT_Shadow_JSON_ConstructReportAndDesireAllNull(void *client, char *buffer, size_t size, uint8_t count, ...);
int IOT_Shadow_JSON_ConstructDesirePropNull(void *client, char *buffer, size_t size, uint8_t count, ...);
#endif

void IOT_Log_Gen(const char *file, const char *func, const int line, const int level, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
char *LITE_format_string(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *LITE_format_nstring(const int len, const char *fmt, ...) PRINTF_LIKE(2, 3);

void IOT_Log_Gen(const char *file, const char *func, const int line, const int level, const char *fmt, ...)
{
    char    text[LOG_TEXT_SIZE];
    va_list args;
    int     length;

    if (fmt == NULL || !qcloud_log_wanted(level)) {
        return;
    }
    va_start(args, fmt);
    length = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    /* Where an argument can't be formatted, the format alone still says what happened. */
    qcloud_log_line(file, func, line, level, length < 0 ? fmt : text);
}

/* The formatted text in memory of its own; NULL when it is longer than `max` bytes or can't be made. */
static char *format(const char *func, size_t max, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

static char *format(const char *func, size_t max, const char *fmt, va_list args)
{
    va_list again;
    int     length;
    char   *text;

    if (fmt == NULL) {
        qcloud_format_failed(func, "fmt is NULL");
        return NULL;
    }
    va_copy(again, args);
    length = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (length < 0) {
        qcloud_format_failed(func, "the arguments can't be formatted");
        return NULL;
    }
    if ((size_t)length > max) {
        qcloud_format_failed(func, "the text is too long");
        return NULL;
    }
    text = qcloud_allocate((uint32_t)length + 1);
    if (text == NULL) {
        qcloud_format_failed(func, "out of memory");
        return NULL;
    }
    /* A string argument may have become shorter or longer since: the first length is the room there is. */
    if (vsnprintf(text, (size_t)length + 1, fmt, args) < 0) {
        text[0] = '\0';
    }
    return text;
}

char *LITE_format_string(const char *fmt, ...)
{
    int     before = qcloud_enter();
    va_list args;
    char   *text;

    va_start(args, fmt);
    text = format("LITE_format_string", FORMAT_STRING_MAX, fmt, args);
    va_end(args);
    qcloud_leave(before);
    return text;
}

char *LITE_format_nstring(const int len, const char *fmt, ...)
{
    int     before = qcloud_enter();
    va_list args;
    char   *text = NULL;

    va_start(args, fmt);
    if (len < 0) {
        qcloud_format_failed("LITE_format_nstring", "len is negative");
    } else {
        text = format("LITE_format_nstring", (size_t)len, fmt, args);
    }
    va_end(args);
    qcloud_leave(before);
    return text;
}

#ifdef QCLOUD_SHADOW
static int document(int form, void *client, char *buffer, size_t size, uint8_t count, va_list args)
{
    struct property *properties[UINT8_MAX];
    int              at;

    for (at = 0; at < count; at++) {
        properties[at] = va_arg(args, struct property *);
    }
    return qcloud_shadow_document(form, client, buffer, size, count, properties);
}

/* All that the functions below do. */
#define WRITE_DOCUMENT(FORM)                                    \
    va_list args;                                               \
    int     result;                                             \
                                                                \
    va_start(args, count);                                      \
    result = document(FORM, client, buffer, size, count, args); \
    va_end(args);                                               \
    return result

int IOT_Shadow_JSON_ConstructReport(void *client, char *buffer, size_t size, uint8_t count, ...)
{
    WRITE_DOCUMENT(FORM_REPORT);
}

int IOT_Shadow_JSON_Construct_OverwriteReport(void *client, char *buffer, size_t size, uint8_t count, ...)
{
    WRITE_DOCUMENT(FORM_OVERWRITE_REPORT);
}

int IOT_Shadow_JSON_ConstructReportAndDesireAllNull(void *client, char *buffer, size_t size, uint8_t count, ...)
{
    WRITE_DOCUMENT(FORM_REPORT_AND_DESIRE_NULL);
}

/* In the C SDK's library, and in no header. */
int IOT_Shadow_JSON_ConstructDesirePropNull(void *client, char *buffer, size_t size, uint8_t count, ...)
{
    WRITE_DOCUMENT(FORM_DESIRE);
}
#endif
