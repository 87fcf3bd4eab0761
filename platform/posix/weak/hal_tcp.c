#include "hal_weak.h"

uintptr_t iot_platform_tcp_connect(const char *host, uint16_t port);
int       iot_platform_tcp_disconnect(uintptr_t fd);
int       iot_platform_tcp_write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms,
                                 size_t *written_len);
int       iot_platform_tcp_read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len);

static uintptr_t own_connect(const char *host, uint16_t port)
{
    HAL_WHOLE(uintptr_t, iot_platform_tcp_connect(host, port));
}

HAL_WEAK uintptr_t HAL_TCP_Connect(const char *host, uint16_t port) HAL_IS(own_connect);

HAL_WEAK int HAL_TCP_Disconnect(uintptr_t fd)
{
    HAL_WHOLE(int, iot_platform_tcp_disconnect(fd));
}

HAL_WEAK int HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms,
                           size_t *written_len)
{
    HAL_WHOLE(int, iot_platform_tcp_write(fd, data, len, timeout_ms, written_len));
}

static int own_read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
{
    HAL_WHOLE(int, iot_platform_tcp_read(fd, data, len, timeout_ms, read_len));
}

HAL_WEAK int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
    HAL_IS(own_read);

const struct iot_platform_tcp_table iot_platform_tcp_table = {own_connect, own_read};
