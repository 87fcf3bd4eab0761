/* A firmware that replaces one function; everything else is ours. Each HAL_* is named once, so all of them link. */
#include "hal.h"

struct thread_params {
    char    *thread_name;
    uint32_t thread_id;
    void (*thread_func)(void *arg);
    void    *user_arg;
    uint16_t priority;
    uint32_t stack_size;
};

static int sg_sleeps;

void HAL_SleepMs(uint32_t ms)
{
    (void)ms;
    sg_sleeps++;
}

static void _thread(void *sem)
{
    HAL_SemaphorePost(sem);
    pthread_exit(NULL);
}

static int _format(char *str, int len, const char *fmt, ...)
{
    va_list args;
    int     rc;

    va_start(args, fmt);
    rc = HAL_Vsnprintf(str, len, fmt, args);
    va_end(args);
    return rc;
}

int main(void)
{
    long                 timer[2];
    char                 text[20];
    unsigned char        byte = 0;
    size_t               n    = 0;
    void                *mutex, *sem;
    struct thread_params params = {"thread", 0, _thread, NULL, 0, 4096};

    HAL_SleepMs(60000);
    CHECK(sg_sleeps == 1);
    HAL_DelayMs(1);
    CHECK(sg_sleeps == 1);

    HAL_Printf("%s %d\n", "printed", 1);
    CHECK(HAL_Snprintf(text, 4, "%d", 12345) == 5 && !strcmp(text, "123"));
    CHECK(HAL_Snprintf(text, -1, "%d", 1) < 0);
    CHECK(_format(text, sizeof(text), "%s-%d", "a", 2) == 3 && !strcmp(text, "a-2"));
    HAL_Free(NULL);
    HAL_Free(HAL_Malloc(0));
    HAL_GetTimeMs();

    HAL_Timer_init(timer);
    CHECK(HAL_Timer_expired(timer));
    HAL_Timer_countdown(timer, 100);
    CHECK(HAL_Timer_remain(timer) > 0);
    HAL_Timer_countdown_ms(timer, 0);
    CHECK(HAL_Timer_expired(timer));
    CHECK(HAL_Timer_current(text) == text && strlen(text) == 19);
    CHECK(HAL_Timer_current_sec() > 0);
    /* Refused: a test must not set the clock. */
    CHECK(HAL_Timer_set_systime_sec((size_t)-1) == -1001);
    CHECK(&HAL_Timer_set_systime_ms != NULL);

    mutex = HAL_MutexCreate();
    HAL_MutexLock(mutex);
    CHECK(HAL_MutexTryLock(mutex) != 0);
    HAL_MutexUnlock(mutex);
    HAL_MutexDestroy(mutex);
    sem             = HAL_SemaphoreCreate();
    params.user_arg = sem;
    CHECK(HAL_ThreadCreate(&params) == 0);
    CHECK(HAL_SemaphoreWait(sem, 60000) == 0);

    CHECK(HAL_SetDevInfoFile("/nonexistent/device_info.json") == 0);
    CHECK(HAL_GetDevInfo(timer) == -1003);
    CHECK(HAL_GetDevInfoFromFile(NULL, NULL) == -1002);
    CHECK(HAL_SetDevInfo(NULL) == -1002);
    CHECK(HAL_GetGwDevInfo(NULL) == -1003);

    CHECK(HAL_TCP_Connect("", 1) == 0);
    CHECK(HAL_TCP_Read(0, &byte, 1, 0, &n) == -1002);
    CHECK(HAL_TCP_Write(0, &byte, 1, 0, &n) == -1002);
    CHECK(HAL_TCP_Disconnect(0) == -1002);
    CHECK(HAL_TLS_Connect(NULL, "host", 1) == 0);
    CHECK(HAL_TLS_Read(0, &byte, 1, 0, &n) == -1002);
    CHECK(HAL_TLS_Write(0, &byte, 1, 0, &n) == -1002);
    HAL_TLS_Disconnect(0);
    CHECK(HAL_UDP_Connect("", 1) == 0);
    CHECK(HAL_UDP_Read(0, &byte, 1) == -1002);
    CHECK(HAL_UDP_ReadTimeout(0, &byte, 1, 1) == -1002);
    CHECK(HAL_UDP_Write(0, &byte, 1) == -1002);
    HAL_UDP_Disconnect(0);
    CHECK(HAL_DTLS_Connect(NULL, "host", 1) == 0);
    CHECK(HAL_DTLS_Read(0, &byte, 1, 1, &n) == -1002);
    CHECK(HAL_DTLS_Write(0, &byte, 1, &n) == -1002);
    HAL_DTLS_Disconnect(0);
    return 0;
}
