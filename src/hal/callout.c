/* Calls out of this library: to HAL_* and to the program's callbacks.
 *
 * A callee may leave in another way than by returning: its thread is cancelled or calls pthread_exit (forced unwinding),
 * or it throws a C++ exception. Unwinding must not meet the library's frames: they hold locks, and Rust ends the
 * process where it meets one. Each call out therefore has a frame here whose personality routine ends the unwinding:
 * the call returns `failed` instead, and the exception waits in `waiting`. The library's frames return as ever, and
 * qcloud_leave, called at the outermost edge, goes on with the unwinding.
 *
 * The personality routine changes two registers and nothing else, so a call that returns costs nothing more.
 *
 * Where the routine can't be had (ARM EHABI, unknown processors, other compilers), unwinding out of a callee ends the
 * process, as it does in a C program whose frames have no tables. So it is with FEATURE_PANIC=abort (QCLOUD_PANIC_ABORT),
 * where the library's frames have none. Cancellation is put off everywhere. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(QCLOUD_PANIC_ABORT)
#define CATCHES 0
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__)) && defined(__ELF__)
#define CATCHES 1
#include <unwind.h>
#else
#define CATCHES 0
#endif

#define HIDDEN __attribute__((visibility("hidden")))

enum { KIND_NONE, KIND_THREAD_END, KIND_EXCEPTION };

#if CATCHES

/* What the calling thread was left by, until its edge is reached. */
static __thread struct _Unwind_Exception *waiting;
static __thread int                       waiting_kind;
/* Where the frame of the thread's outermost call is, since the program's code ran last; 0 for none. Stacks grow down. */
static __thread uintptr_t outermost;

/* C++ counts exceptions that are on their way; one that ends here must be counted as caught. */
__attribute__((weak)) void *__cxa_begin_catch(void *exception);
__attribute__((weak)) void  __cxa_end_catch(void);

/* "GNUCC++\0" and "CLNGC++\0", without the last byte: it is 1 for a dependent exception. */
static bool is_cxx(const struct _Unwind_Exception *exception)
{
    uint64_t class = exception->exception_class >> 8;

    return class == (UINT64_C(0x474e5543432b2b00) >> 8) || class == (UINT64_C(0x434c4e47432b2b00) >> 8);
}

static void discard(struct _Unwind_Exception *exception)
{
    if (is_cxx(exception) && __cxa_begin_catch && __cxa_end_catch) {
        __cxa_begin_catch(exception);
        __cxa_end_catch();
    } else {
        _Unwind_DeleteException(exception);
    }
}

/* The end of a thread comes before everything; of two exceptions the first counts. */
static void keep(struct _Unwind_Exception *exception, int kind)
{
    if (waiting_kind == KIND_NONE) {
        waiting      = exception;
        waiting_kind = kind;
    } else if (kind == KIND_THREAD_END) {
        if (waiting_kind == KIND_EXCEPTION) {
            discard(waiting);
        }
        waiting      = exception;
        waiting_kind = kind;
    } else {
        discard(exception);
    }
}

/* The number of the register that a function's result is in. The same register carries the exception to a landing pad,
 * so the unwinder lets us set it. */
#define RESULT_REGISTER __builtin_eh_return_data_regno(0)

HIDDEN _Unwind_Reason_Code qcloud_callout_personality(int version, _Unwind_Action actions, uint64_t class,
                                                      struct _Unwind_Exception *exception,
                                                      struct _Unwind_Context   *context)
{
    const intptr_t *failed = (const intptr_t *)_Unwind_GetLanguageSpecificData(context);

    (void)class;
    if (version != 1) {
        return _URC_FATAL_PHASE1_ERROR;
    }
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        return _URC_HANDLER_FOUND;
    }
    keep(exception, (actions & _UA_FORCE_UNWIND) != 0 ? KIND_THREAD_END : KIND_EXCEPTION);
    /* Go on right behind the call, as if it had returned. */
    _Unwind_SetGR(context, RESULT_REGISTER, (_Unwind_Word)*failed);
    return _URC_INSTALL_CONTEXT;
}

/* Put first into a function: its frame then has the personality routine above, which makes it return what
 * qcloud_callout_failed_<failed> holds. (clang-format takes the colons for something else.) */
/* clang-format off */
#define CATCH(failed)                                                        \
    __asm__ volatile(".cfi_personality 0x1b, qcloud_callout_personality\n\t" \
                     ".cfi_lsda 0x1b, qcloud_callout_failed_" #failed ::: "memory")
/* clang-format on */

#else

#define CATCH(failed)

#endif

/* What a call returns that was left. */
HIDDEN const intptr_t qcloud_callout_failed_zero  = 0;
HIDDEN const intptr_t qcloud_callout_failed_minus = -1;
HIDDEN const intptr_t qcloud_callout_failed_one   = 1;

/* The frame must stay while the callee runs: no jump in place of the call. */
#define STAY __asm__ volatile("" ::: "memory")

HIDDEN int qcloud_enter(void);
HIDDEN int qcloud_is_leaving(void);
HIDDEN int qcloud_look_for_cancel(void);
HIDDEN int qcloud_leave(int before);

/* Whether the calling thread could be cancelled when it called in. */
static __thread int callers_state = PTHREAD_CANCEL_DISABLE;

#if CATCHES
static void put_off(void)
{
    int ignored;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored);
}
#endif

/* The program's callbacks run as cancellable as the thread was when it called in, where that is safe. */
static void __attribute__((noinline)) permit(void)
{
#if CATCHES
    int ignored;

    /* A thread that can be cancelled at any moment may be so right here. */
    CATCH(zero);
    pthread_setcancelstate(callers_state, &ignored);
    STAY;
#endif
}

/* In what qcloud_enter returns, besides the thread's state: the call is the outermost one. */
#define OUTERMOST 0x10000

/* Puts cancellation off when the program calls in. Returns what is to be given to qcloud_leave. */
HIDDEN int __attribute__((noinline)) qcloud_enter(void)
{
    int  before       = PTHREAD_CANCEL_DISABLE;
    bool is_outermost = true;

#if CATCHES
    /* A frame at or above that of the outermost call: that one does not exist any more (longjmp). */
    is_outermost = (uintptr_t)__builtin_dwarf_cfa() >= outermost;
    if (is_outermost) {
        outermost = (uintptr_t)__builtin_dwarf_cfa();
    }
#endif

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    if (is_outermost) {
        callers_state = before;
    }
    return before | (is_outermost ? OUTERMOST : 0);
}

/* Whether the calling thread is to end, or an exception is to go on: the call that runs must return soon. */
HIDDEN int qcloud_is_leaving(void)
{
#if CATCHES
    return waiting_kind;
#else
    return KIND_NONE;
#endif
}

#if CATCHES
static void __attribute__((noinline)) test_cancel(void)
{
    CATCH(zero);
    pthread_testcancel();
    STAY;
}
#endif

/* Looks whether somebody has cancelled the calling thread, where it was cancellable when it called in. */
HIDDEN int qcloud_look_for_cancel(void)
{
#if CATCHES
    if (waiting_kind == KIND_NONE && callers_state == PTHREAD_CANCEL_ENABLE) {
        permit();
        test_cancel();
        put_off();
    }
#endif
    return qcloud_is_leaving();
}

/* The last thing before a call returns to the program: sets back what qcloud_enter changed and goes on with what waits,
 * where this call is the outermost one of its thread, or the outermost inside a callback. (A platform's own functions call
 * this library to log; their frames must not be unwound.) Returns KIND_EXCEPTION where an exception met no handler and
 * was dropped. */
HIDDEN int qcloud_leave(int before)
{
    int ignored;

#if CATCHES
    bool is_outermost = (before & OUTERMOST) != 0;

    before &= ~OUTERMOST;
    if (is_outermost) {
        outermost = 0;
    }
    if (waiting_kind != KIND_NONE && is_outermost) {
        struct _Unwind_Exception *exception = waiting;
        int                       kind      = waiting_kind;

        waiting       = NULL;
        waiting_kind  = KIND_NONE;
        callers_state = before;
        pthread_setcancelstate(before, &ignored);
        if (kind == KIND_THREAD_END) {
            _Unwind_Resume(exception);
        }
        /* Comes back where the program has no handler for it. */
        _Unwind_RaiseException(exception);
        discard(exception);
        return KIND_EXCEPTION;
    }
#else
    before &= ~OUTERMOST;
#endif
    pthread_setcancelstate(before, &ignored);
    return KIND_NONE;
}

/* FUNCTION(type, failed, name, (parameters), (arguments)): qcloud_call_NAME calls NAME. */
#define FUNCTION(type, failed, name, parameters, arguments) \
    type name   parameters;                                 \
    HIDDEN type qcloud_call_##name parameters;              \
    HIDDEN type qcloud_call_##name parameters               \
    {                                                       \
        type result;                                        \
                                                            \
        CATCH(failed);                                      \
        result = name arguments;                            \
        STAY;                                               \
        return result;                                      \
    }

#define PROCEDURE(name, parameters, arguments) \
    void name   parameters;                    \
    HIDDEN void qcloud_call_##name parameters; \
    HIDDEN void qcloud_call_##name parameters  \
    {                                          \
        CATCH(zero);                           \
        name arguments;                        \
        STAY;                                  \
    }

/* A weak reference draws no archive's member into a program, so alone it would miss libiot_platform.a's function beside a
 * program's own platform code. A common symbol does: a linker takes the member that defines it (weak/hal_optional.c) where
 * there is one, which asks for the functions, and goes without where there is none. */
char __attribute__((common)) qcloud_default_platform;

/* As FUNCTION, for a function that platform code of older releases lacks (versions.md section 5, rule 4): to be called only
 * where qcloud_has_NAME says that the program has one. What nobody reads is no symbol any more in the archive. */
#define OPTIONAL(type, failed, name, parameters, arguments)  \
    __attribute__((weak)) type name parameters;              \
    HIDDEN bool                     qcloud_has_##name(void); \
    HIDDEN bool                     qcloud_has_##name(void)  \
    {                                                        \
        (void)*(volatile char *)&qcloud_default_platform;    \
        return name != NULL;                                 \
    }                                                        \
    FUNCTION(type, failed, name, parameters, arguments)

/* Structs are passed through untouched, so they are void pointers here; the layouts are the iot-abi crate's. */
#ifdef QCLOUD_THREADS
OPTIONAL(int, minus, HAL_ThreadCreate, (void *params), (params))
#endif
FUNCTION(void *, zero, HAL_MutexCreate, (void), ())
PROCEDURE(HAL_MutexDestroy, (void *mutex), (mutex))
PROCEDURE(HAL_MutexLock, (void *mutex), (mutex))
PROCEDURE(HAL_MutexUnlock, (void *mutex), (mutex))
FUNCTION(void *, zero, HAL_Malloc, (uint32_t size), (size))

HIDDEN void *qcloud_allocate(uint32_t size);
HIDDEN void *qcloud_allocate(uint32_t size)
{
    return qcloud_call_HAL_Malloc(size);
}

PROCEDURE(HAL_Free, (void *memory), (memory))
FUNCTION(uint32_t, zero, HAL_GetTimeMs, (void), ())
PROCEDURE(HAL_SleepMs, (uint32_t ms), (ms))
FUNCTION(bool, one, HAL_Timer_expired, (void *timer), (timer))
PROCEDURE(HAL_Timer_countdown_ms, (void *timer, unsigned int timeout_ms), (timer, timeout_ms))
PROCEDURE(HAL_Timer_countdown, (void *timer, unsigned int timeout), (timer, timeout))
FUNCTION(int, zero, HAL_Timer_remain, (void *timer), (timer))
PROCEDURE(HAL_Timer_init, (void *timer), (timer))
FUNCTION(char *, zero, HAL_Timer_current, (char *text), (text))
#ifdef QCLOUD_GATEWAY
FUNCTION(long, zero, HAL_Timer_current_sec, (void), ())
#endif
OPTIONAL(int, minus, HAL_Timer_set_systime_sec, (size_t seconds), (seconds))
OPTIONAL(int, minus, HAL_Timer_set_systime_ms, (size_t ms), (ms))
FUNCTION(uintptr_t, zero, HAL_TCP_Connect, (const char *host, uint16_t port), (host, port))
FUNCTION(int, minus, HAL_TCP_Disconnect, (uintptr_t fd), (fd))
FUNCTION(int, minus, HAL_TCP_Write,
         (uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *count),
         (fd, data, len, timeout_ms, count))
FUNCTION(int, minus, HAL_TCP_Read,
         (uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *count),
         (fd, data, len, timeout_ms, count))
#ifndef QCLOUD_NO_TLS
FUNCTION(uintptr_t, zero, HAL_TLS_Connect, (void *params, const char *host, int port), (params, host, port))
PROCEDURE(HAL_TLS_Disconnect, (uintptr_t handle), (handle))
FUNCTION(int, minus, HAL_TLS_Write,
         (uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count),
         (handle, data, len, timeout_ms, count))
FUNCTION(int, minus, HAL_TLS_Read,
         (uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count),
         (handle, data, len, timeout_ms, count))
#endif

#ifdef QCLOUD_SIGNATURE
FUNCTION(void *, zero, HAL_TLS_Get_PrivateKey_FromFile, (const char *path), (path))
PROCEDURE(HAL_TLS_Destory_PrivateKey, (void *key), (key))
FUNCTION(int, zero, HAL_TLS_Get_RSASHA256_Result_Len, (void *key), (key))
FUNCTION(int, minus, HAL_TLS_Calc_Sign_RSASHA256, (void *key, char *data, int len, char *out), (key, data, len, out))
#endif
#ifdef QCLOUD_SHA256
PROCEDURE(HAL_TLS_Calc_SHA256, (unsigned char *data, size_t len, unsigned char *digest), (data, len, digest))
#endif

#ifdef QCLOUD_COAP
FUNCTION(uintptr_t, zero, HAL_UDP_Connect, (const char *host, unsigned short port), (host, port))
PROCEDURE(HAL_UDP_Disconnect, (uintptr_t fd), (fd))
FUNCTION(int, minus, HAL_UDP_Write, (uintptr_t fd, const unsigned char *data, unsigned int len), (fd, data, len))
FUNCTION(int, minus, HAL_UDP_ReadTimeout,
         (uintptr_t fd, unsigned char *data, unsigned int len, unsigned int timeout_ms), (fd, data, len, timeout_ms))
#ifndef QCLOUD_NO_TLS
FUNCTION(uintptr_t, zero, HAL_DTLS_Connect, (void *params, const char *host, int port), (params, host, port))
PROCEDURE(HAL_DTLS_Disconnect, (uintptr_t handle), (handle))
FUNCTION(int, minus, HAL_DTLS_Write, (uintptr_t handle, const unsigned char *data, size_t len, size_t *count),
         (handle, data, len, count))
FUNCTION(int, minus, HAL_DTLS_Read,
         (uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count),
         (handle, data, len, timeout_ms, count))
#endif
#endif

void        HAL_Printf(const char *format, ...);
HIDDEN void qcloud_call_print(const char *line);
HIDDEN void qcloud_call_print(const char *line)
{
    CATCH(zero);
    HAL_Printf("%s", line);
    STAY;
}

/* The program's callbacks: calls from inside them are outermost ones again. */
#if CATCHES
#define LEND_BEGIN                    \
    uintptr_t before = outermost;     \
    int       state  = callers_state; \
                                      \
    outermost = 0
#define LEND_END            \
    outermost     = before; \
    callers_state = state;  \
    put_off()
#else
#define LEND_BEGIN
#define LEND_END
#endif

/* A wait of our own platform. Unlike HAL_* it is no place of the program's where cancellation could be met, so it is lent
 * the thread as callbacks are. */
HIDDEN void qcloud_call_wait(void (*wait)(int, int, int, uint32_t), int descriptor, int is_writing, int waker,
                             uint32_t timeout_ms);
HIDDEN void qcloud_call_wait(void (*wait)(int, int, int, uint32_t), int descriptor, int is_writing, int waker,
                             uint32_t timeout_ms)
{
    CATCH(zero);
    permit();
    wait(descriptor, is_writing, waker, timeout_ms);
    STAY;
#if CATCHES
    put_off();
#endif
}

/* MQTTEventHandlerFun and OnMessageHandler. */
HIDDEN void qcloud_call_three_pointers(void (*callback)(void *, void *, void *), void *a, void *b, void *c);
HIDDEN void qcloud_call_three_pointers(void (*callback)(void *, void *, void *), void *a, void *b, void *c)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(a, b, c);
    STAY;
    LEND_END;
}

#if defined(QCLOUD_COAP) || defined(QCLOUD_UPGRADE)
/* OnRespCallback, CoAPEventHandleFunc and IOT_Upgrade_OnEvent. */
HIDDEN void qcloud_call_two_pointers(void (*callback)(void *, void *), void *a, void *b);
HIDDEN void qcloud_call_two_pointers(void (*callback)(void *, void *), void *a, void *b)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(a, b);
    STAY;
    LEND_END;
}
#endif

/* OnSubEventHandler. */
HIDDEN void qcloud_call_on_event(void (*callback)(void *, unsigned int, void *), void *client, unsigned int event,
                                 void *data);
HIDDEN void qcloud_call_on_event(void (*callback)(void *, unsigned int, void *), void *client, unsigned int event,
                                 void *data)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(client, event, data);
    STAY;
    LEND_END;
}

#ifdef QCLOUD_MESSAGES
/* OnBroadcastMessageCallback and OnRRPCMessageCallback. */
HIDDEN void qcloud_call_on_bytes(void (*callback)(void *, const char *, uint32_t), void *client, const char *bytes,
                                 uint32_t len);
HIDDEN void qcloud_call_on_bytes(void (*callback)(void *, const char *, uint32_t), void *client, const char *bytes,
                                 uint32_t len)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(client, bytes, len);
    STAY;
    LEND_END;
}
#endif

#ifdef QCLOUD_SHADOW
/* OnRequestCallback. */
HIDDEN void qcloud_call_on_request(void (*callback)(void *, unsigned int, int, const char *, void *), void *client,
                                   unsigned int method, int ack, const char *document, void *context);
HIDDEN void qcloud_call_on_request(void (*callback)(void *, unsigned int, int, const char *, void *), void *client,
                                   unsigned int method, int ack, const char *document, void *context)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(client, method, ack, document, context);
    STAY;
    LEND_END;
}

/* OnPropRegCallback. */
HIDDEN void qcloud_call_on_property(void (*callback)(void *, const char *, uint32_t, void *), void *client,
                                    const char *text, uint32_t length, void *property);
HIDDEN void qcloud_call_on_property(void (*callback)(void *, const char *, uint32_t, void *), void *client,
                                    const char *text, uint32_t length, void *property)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(client, text, length, property);
    STAY;
    LEND_END;
}
#endif

#ifdef QCLOUD_REMOTE_CONFIG
/* OnConfigProcHandler. */
HIDDEN void qcloud_call_on_config(void (*callback)(void *, int, char *, int), void *client, int result, char *json,
                                  int len);
HIDDEN void qcloud_call_on_config(void (*callback)(void *, int, char *, int), void *client, int result, char *json,
                                  int len)
{
    LEND_BEGIN;
    CATCH(zero);
    permit();
    callback(client, result, json, len);
    STAY;
    LEND_END;
}
#endif

#ifdef QCLOUD_LOG_UPLOAD
/* LogSaveFunc and LogReadFunc. */
HIDDEN size_t qcloud_call_on_text(size_t (*callback)(char *, size_t), char *text, size_t size);
HIDDEN size_t qcloud_call_on_text(size_t (*callback)(char *, size_t), char *text, size_t size)
{
    size_t result;

    LEND_BEGIN;
    CATCH(zero);
    permit();
    result = callback(text, size);
    STAY;
    LEND_END;
    return result;
}

/* LogDelFunc. */
HIDDEN int qcloud_call_on_delete(int (*callback)(void));
HIDDEN int qcloud_call_on_delete(int (*callback)(void))
{
    int result;

    LEND_BEGIN;
    CATCH(minus);
    permit();
    result = callback();
    STAY;
    LEND_END;
    return result;
}

/* LogGetSizeFunc. */
HIDDEN size_t qcloud_call_on_size(size_t (*callback)(void));
HIDDEN size_t qcloud_call_on_size(size_t (*callback)(void))
{
    size_t result;

    LEND_BEGIN;
    CATCH(zero);
    permit();
    result = callback();
    STAY;
    LEND_END;
    return result;
}
#endif

/* LogMessageHandler. One that was left counts as one that printed the line. */
HIDDEN int qcloud_call_on_line(bool (*callback)(const char *), const char *line);
HIDDEN int qcloud_call_on_line(bool (*callback)(const char *), const char *line)
{
    int result;

    LEND_BEGIN;
    CATCH(one);
    permit();
    result = callback(line);
    STAY;
    LEND_END;
    return result;
}
