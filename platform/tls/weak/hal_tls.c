/* A user's own HAL_TLS_X replaces ours in a static link because ours is weak. */
#include "../../posix/weak/hal_weak.h"

uintptr_t iot_platform_tls_connect(void *params, const char *host, int port);
void      iot_platform_tls_disconnect(uintptr_t handle);
int iot_platform_tls_write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *written_len);
int iot_platform_tls_read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len);

int iot_platform_tls_descriptor(uintptr_t handle, int *is_writing);

static uintptr_t own_connect(void *pConnectParams, const char *host, int port)
{
    HAL_WHOLE(uintptr_t, iot_platform_tls_connect(pConnectParams, host, port));
}

HAL_WEAK uintptr_t HAL_TLS_Connect(void *pConnectParams, const char *host, int port) HAL_IS(own_connect);

HAL_WEAK void HAL_TLS_Disconnect(uintptr_t handle)
{
    int before = hal_enter();

    iot_platform_tls_disconnect(handle);
    hal_leave(before);
}

HAL_WEAK int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t totalLen, uint32_t timeout_ms,
                           size_t *written_len)
{
    HAL_WHOLE(int, iot_platform_tls_write(handle, data, totalLen, timeout_ms, written_len));
}

static int own_read(uintptr_t handle, unsigned char *data, size_t totalLen, uint32_t timeout_ms, size_t *read_len)
{
    HAL_WHOLE(int, iot_platform_tls_read(handle, data, totalLen, timeout_ms, read_len));
}

HAL_WEAK int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t totalLen, uint32_t timeout_ms, size_t *read_len)
    HAL_IS(own_read);

const struct iot_platform_tls_table iot_platform_tls_table = {own_connect, own_read, iot_platform_tls_descriptor};
