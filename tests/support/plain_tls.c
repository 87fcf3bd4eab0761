/* HAL_TLS_* over plain sockets, for programs whose server speaks no TLS; and a HAL that leaves where it is told to. */

#define _POSIX_C_SOURCE 200809L

#include "plain_tls.h"

#include "qcloud_iot_export.h"

void (*plain_tls_in_read)(void);

#ifndef AUTH_WITH_NOTLS
uintptr_t HAL_TLS_Connect(TLSConnectParams *params, const char *host, int port)
{
    (void)params;
    return HAL_TCP_Connect(host, (uint16_t)port);
}

void HAL_TLS_Disconnect(uintptr_t handle)
{
    HAL_TCP_Disconnect(handle);
}

int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *written_len)
{
    int code = HAL_TCP_Write(handle, data, (uint32_t)len, timeout_ms, written_len);

    return code == QCLOUD_RET_SUCCESS || code == QCLOUD_ERR_TCP_WRITE_TIMEOUT ? code : QCLOUD_ERR_SSL_WRITE;
}

int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len)
{
    void (*hook)(void) = plain_tls_in_read;

    if (hook != NULL) {
        plain_tls_in_read = NULL;
        *read_len         = 0;
        hook();
    }
    return HAL_TCP_Read(handle, data, (uint32_t)len, timeout_ms, read_len);
}
#endif
