/* A program with a HAL_TCP_Read of its own: by the platform's tables the library sees that this one isn't the platform's, and
 * that everything else is. */
#include "../../../abi/c/platform_wait.h"
#include "hal.h"

extern const struct iot_platform_wait_table iot_platform_wait_table;
extern const struct iot_platform_tcp_table  iot_platform_tcp_table;
extern const struct iot_platform_tls_table  iot_platform_tls_table;

int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
{
    (void)fd;
    (void)data;
    (void)len;
    (void)timeout_ms;
    *read_len = 0;
    return 0;
}

int main(void)
{
    CHECK(HAL_GetTimeMs == iot_platform_wait_table.get_time_ms);
    CHECK(HAL_TCP_Connect == iot_platform_tcp_table.connect);
    CHECK(HAL_TCP_Read != iot_platform_tcp_table.read);
    CHECK(HAL_TLS_Connect == iot_platform_tls_table.connect);
    CHECK(HAL_TLS_Read == iot_platform_tls_table.read);
    return 0;
}
