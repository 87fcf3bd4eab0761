/* A user's own HAL_DTLS_X replaces ours in a static link because ours is weak. */
#include "../../posix/weak/hal_weak.h"

uintptr_t iot_platform_dtls_connect(void *params, const char *host, int port);
void      iot_platform_dtls_disconnect(uintptr_t handle);
int       iot_platform_dtls_write(uintptr_t handle, const unsigned char *data, size_t len, size_t *written_len);
int iot_platform_dtls_read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len);

HAL_WEAK uintptr_t HAL_DTLS_Connect(void *pConnectParams, const char *host, int port)
{
    HAL_WHOLE(uintptr_t, iot_platform_dtls_connect(pConnectParams, host, port));
}

HAL_WEAK void HAL_DTLS_Disconnect(uintptr_t handle)
{
    int before = hal_enter();

    iot_platform_dtls_disconnect(handle);
    hal_leave(before);
}

HAL_WEAK int HAL_DTLS_Write(uintptr_t handle, const unsigned char *data, size_t datalen, size_t *written_len)
{
    HAL_WHOLE(int, iot_platform_dtls_write(handle, data, datalen, written_len));
}

HAL_WEAK int HAL_DTLS_Read(uintptr_t handle, unsigned char *data, size_t datalen, uint32_t timeout_ms, size_t *read_len)
{
    HAL_WHOLE(int, iot_platform_dtls_read(handle, data, datalen, timeout_ms, read_len));
}
