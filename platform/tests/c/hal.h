/* The calls the link tests make, as qcloud_iot_import.h declares them. */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void    *HAL_Malloc(uint32_t size);
void     HAL_Free(void *ptr);
void     HAL_Printf(const char *fmt, ...);
int      HAL_Snprintf(char *str, const int len, const char *fmt, ...);
int      HAL_Vsnprintf(char *str, const int len, const char *fmt, va_list ap);
uint32_t HAL_GetTimeMs(void);
void     HAL_DelayMs(uint32_t ms);
void     HAL_SleepMs(uint32_t ms);

int   HAL_ThreadCreate(void *params);
void *HAL_SemaphoreCreate(void);
void  HAL_SemaphoreDestroy(void *sem);
void  HAL_SemaphorePost(void *sem);
int   HAL_SemaphoreWait(void *sem, uint32_t timeout_ms);
void *HAL_MutexCreate(void);
void  HAL_MutexDestroy(void *mutex);
void  HAL_MutexLock(void *mutex);
int   HAL_MutexTryLock(void *mutex);
void  HAL_MutexUnlock(void *mutex);

int HAL_SetDevInfo(void *info);
int HAL_GetDevInfo(void *info);
int HAL_GetDevInfoFromFile(const char *file_name, void *info);
int HAL_GetGwDevInfo(void *info);
int HAL_SetDevInfoFile(const char *file_name);

bool  HAL_Timer_expired(void *timer);
void  HAL_Timer_countdown_ms(void *timer, unsigned int timeout_ms);
void  HAL_Timer_countdown(void *timer, unsigned int timeout);
int   HAL_Timer_remain(void *timer);
void  HAL_Timer_init(void *timer);
char *HAL_Timer_current(char *time_str);
long  HAL_Timer_current_sec(void);
int   HAL_Timer_set_systime_sec(size_t timestamp_sec);
int   HAL_Timer_set_systime_ms(size_t timestamp_ms);

uintptr_t HAL_TCP_Connect(const char *host, uint16_t port);
int       HAL_TCP_Disconnect(uintptr_t fd);
int       HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *n);
int       HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *n);
uintptr_t HAL_TLS_Connect(void *params, const char *host, int port);
void      HAL_TLS_Disconnect(uintptr_t handle);
int       HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n);
int       HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n);

uintptr_t HAL_UDP_Connect(const char *host, unsigned short port);
void      HAL_UDP_Disconnect(uintptr_t fd);
int       HAL_UDP_Write(uintptr_t fd, const unsigned char *data, unsigned int len);
int       HAL_UDP_Read(uintptr_t fd, unsigned char *data, unsigned int len);
int       HAL_UDP_ReadTimeout(uintptr_t fd, unsigned char *p_data, unsigned int datalen, unsigned int timeout_ms);
uintptr_t HAL_DTLS_Connect(void *params, const char *host, int port);
void      HAL_DTLS_Disconnect(uintptr_t handle);
int       HAL_DTLS_Write(uintptr_t handle, const unsigned char *data, size_t len, size_t *n);
int       HAL_DTLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n);

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

/* The library's part: counts the lines. */
static int sg_log_lines;

void IOT_Log_Gen(const char *file, const char *func, const int line, const int level, const char *fmt, ...)
{
    va_list args;

    (void)file;
    (void)line;
    sg_log_lines++;
    fprintf(stderr, "%d %s: ", level, func);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}
