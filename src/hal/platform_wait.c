/* The wait of our own platform (abi/c/platform_wait.h), where the program has it and all HAL_* that it goes with are ours.
 * Weak references draw no archive's member into a program. */
#include "../../abi/c/platform_wait.h"

uint32_t  HAL_GetTimeMs(void);
uintptr_t HAL_TCP_Connect(const char *host, uint16_t port);
int       HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len);
uintptr_t HAL_TLS_Connect(void *params, const char *host, int port);
int       HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len);

extern const struct iot_platform_wait_table iot_platform_wait_table __attribute__((weak));
extern const struct iot_platform_tcp_table  iot_platform_tcp_table __attribute__((weak));
extern const struct iot_platform_tls_table  iot_platform_tls_table __attribute__((weak));

void qcloud_call_wait(void (*wait)(int, int, int, uint32_t), int descriptor, int is_writing, int waker,
                      uint32_t timeout_ms);

/* A wait lasts as long as the clock says, so the clock has to be ours, too. */
static int has_wait(void)
{
    return &iot_platform_wait_table && HAL_GetTimeMs == iot_platform_wait_table.get_time_ms;
}

int qcloud_wait_is_for_tcp(void)
{
    return has_wait() && &iot_platform_tcp_table && HAL_TCP_Connect == iot_platform_tcp_table.connect &&
           HAL_TCP_Read == iot_platform_tcp_table.read;
}

int qcloud_wait_is_for_tls(void)
{
#ifdef QCLOUD_NO_TLS
    return 0;
#else
    return has_wait() && &iot_platform_tls_table && HAL_TLS_Connect == iot_platform_tls_table.connect &&
           HAL_TLS_Read == iot_platform_tls_table.read;
#endif
}

/* The functions below are called only where one of those above says yes. */
int qcloud_wait_tls_descriptor(uintptr_t handle, int *is_writing)
{
    return iot_platform_tls_table.descriptor(handle, is_writing);
}

int qcloud_wait_waker_create(void)
{
    return iot_platform_wait_table.waker_create();
}

void qcloud_wait_waker_wake(int waker)
{
    iot_platform_wait_table.waker_wake(waker);
}

void qcloud_wait_waker_destroy(int waker)
{
    iot_platform_wait_table.waker_destroy(waker);
}

void qcloud_wait(int descriptor, int is_writing, int waker, uint32_t timeout_ms)
{
    qcloud_call_wait(iot_platform_wait_table.wait, descriptor, is_writing, waker, timeout_ms);
}
