#include "hal_weak.h"

uintptr_t iot_platform_udp_connect(const char *host, uint16_t port);
void      iot_platform_udp_disconnect(uintptr_t fd);
int       iot_platform_udp_write(uintptr_t fd, const unsigned char *data, unsigned int len);
int       iot_platform_udp_read(uintptr_t fd, unsigned char *data, unsigned int len);
int       iot_platform_udp_read_timeout(uintptr_t fd, unsigned char *data, unsigned int len, unsigned int timeout_ms);

HAL_WEAK uintptr_t HAL_UDP_Connect(const char *host, unsigned short port)
{
    HAL_WHOLE(uintptr_t, iot_platform_udp_connect(host, port));
}

HAL_WEAK void HAL_UDP_Disconnect(uintptr_t fd)
{
    int before = hal_enter();

    iot_platform_udp_disconnect(fd);
    hal_leave(before);
}

HAL_WEAK int HAL_UDP_Write(uintptr_t fd, const unsigned char *data, unsigned int len)
{
    HAL_WHOLE(int, iot_platform_udp_write(fd, data, len));
}

HAL_WEAK int HAL_UDP_Read(uintptr_t fd, unsigned char *data, unsigned int len)
{
    HAL_WHOLE(int, iot_platform_udp_read(fd, data, len));
}

HAL_WEAK int HAL_UDP_ReadTimeout(uintptr_t fd, unsigned char *p_data, unsigned int datalen, unsigned int timeout_ms)
{
    HAL_WHOLE(int, iot_platform_udp_read_timeout(fd, p_data, datalen, timeout_ms));
}
