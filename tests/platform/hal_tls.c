/* HAL_TLS_* over the network in memory: no encryption, but a look at what the library wants verified. */

#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "own.h"
#include "qcloud_iot_export.h"

/* Whether the library says enough for a handshake. */
static bool can_shake_hands(const TLSConnectParams *params)
{
    bool roots = params->ca_crt != NULL && params->ca_crt_len > 0 && params->ca_crt[params->ca_crt_len] == '\0' &&
                 strstr(params->ca_crt, "-----BEGIN CERTIFICATE-----") != NULL;
#ifndef AUTH_MODE_CERT
    /* A pointer or an array, as the interface has it. */
    const char *psk_id = params->psk_id;
    bool        psk    = params->psk != NULL && params->psk_length > 0 && psk_id != NULL && psk_id[0] != '\0';

    return psk != roots && params->timeout_ms > 0;
#else
    return roots && params->timeout_ms > 0;
#endif
}

uintptr_t HAL_TLS_Connect(TLSConnectParams *params, const char *host, int port)
{
    own_calls.tls++;
    return can_shake_hands(params) ? network_connect(host, port, true) : 0;
}

void HAL_TLS_Disconnect(uintptr_t handle)
{
    own_calls.tls++;
    network_close(handle);
}

int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *written_len)
{
    (void)timeout_ms;
    own_calls.tls++;
    return network_write(handle, data, len, written_len) ? QCLOUD_RET_SUCCESS : QCLOUD_ERR_SSL_WRITE;
}

int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len)
{
    own_calls.tls++;
    switch (network_read(handle, data, len, timeout_ms, read_len)) {
        case NETWORK_FULL:
            return QCLOUD_RET_SUCCESS;
        case NETWORK_CLOSED:
            return QCLOUD_ERR_SSL_READ;
        default:
            return *read_len == 0 ? QCLOUD_ERR_SSL_NOTHING_TO_READ : QCLOUD_ERR_SSL_READ_TIMEOUT;
    }
}
