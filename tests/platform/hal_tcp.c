/* HAL_TCP_* over the network in memory. */

#include <stdlib.h>

#include "network.h"
#include "own.h"
#include "qcloud_iot_export.h"

uintptr_t HAL_TCP_Connect(const char *host, uint16_t port)
{
    own_calls.tcp++;
    return network_connect(host, port, false);
}

int HAL_TCP_Disconnect(uintptr_t fd)
{
    own_calls.tcp++;
    network_close(fd);
    return 0;
}

int HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *written_len)
{
    (void)timeout_ms;
    own_calls.tcp++;
    if (!network_write(fd, data, len, written_len)) {
        return QCLOUD_ERR_TCP_WRITE_FAIL;
    }
    return QCLOUD_RET_SUCCESS;
}

int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
{
    own_calls.tcp++;
    switch (network_read(fd, data, len, timeout_ms, read_len)) {
        case NETWORK_FULL:
            return QCLOUD_RET_SUCCESS;
        case NETWORK_CLOSED:
            return QCLOUD_ERR_TCP_PEER_SHUTDOWN;
        default:
            return *read_len == 0 ? QCLOUD_ERR_TCP_NOTHING_TO_READ : QCLOUD_ERR_TCP_READ_TIMEOUT;
    }
}
