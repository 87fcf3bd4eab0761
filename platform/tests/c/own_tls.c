/* A firmware with a TLS stack of its own: ours must stay out of the program. */
#include "hal.h"

uintptr_t HAL_TLS_Connect(void *params, const char *host, int port)
{
    (void)params;
    (void)host;
    return 1000 + (uintptr_t)port;
}

void HAL_TLS_Disconnect(uintptr_t handle)
{
    (void)handle;
}

int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n)
{
    (void)handle;
    (void)data;
    (void)timeout_ms;
    *n = len;
    return 0;
}

int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n)
{
    (void)handle;
    (void)data;
    (void)len;
    (void)timeout_ms;
    *n = 0;
    return -709;
}

uintptr_t HAL_DTLS_Connect(void *params, const char *host, int port)
{
    (void)params;
    (void)host;
    return 2000 + (uintptr_t)port;
}

void HAL_DTLS_Disconnect(uintptr_t handle)
{
    (void)handle;
}

int HAL_DTLS_Write(uintptr_t handle, const unsigned char *data, size_t len, size_t *n)
{
    (void)handle;
    (void)data;
    *n = len;
    return 0;
}

int HAL_DTLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n)
{
    (void)handle;
    (void)data;
    (void)len;
    (void)timeout_ms;
    *n = 0;
    return -707;
}

int main(void)
{
    char *block = HAL_Malloc(16);

    CHECK(block != NULL);
    HAL_Free(block);
    CHECK(HAL_TLS_Connect(NULL, "host", 7) == 1007);
    CHECK(HAL_DTLS_Connect(NULL, "host", 7) == 2007);
    CHECK(HAL_TCP_Connect(NULL, 1) == 0);
    CHECK(HAL_GetDevInfo(NULL) == -1002);
    CHECK(sg_log_lines == 2);
    return 0;
}
