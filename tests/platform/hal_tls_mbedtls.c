/*
 * HAL_TLS_* over the system's mbedTLS 2.28, as a firmware has them: a pre-shared key for MQTT, certificates for HTTPS.
 * With the old habits: reads wait for every byte asked for, and look for up to 100 ms even when asked for 0.
 */

#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "own.h"
#include "qcloud_iot_export.h"
#include "utils_timer.h"

#define LOOK_MS 100

typedef struct {
    mbedtls_net_context      socket;
    mbedtls_ssl_context      ssl;
    mbedtls_ssl_config       config;
    mbedtls_entropy_context  entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt         roots;
} Connection;

static void release(Connection *c)
{
    mbedtls_net_free(&c->socket);
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    mbedtls_x509_crt_free(&c->roots);
    mbedtls_ctr_drbg_free(&c->random);
    mbedtls_entropy_free(&c->entropy);
    HAL_Free(c);
}

static int set_credentials(Connection *c, const TLSConnectParams *params)
{
    /* A pointer or an array, as the interface has it. */
    const char *psk_id = params->psk_id;
    int         rc     = 0;

    if (params->ca_crt != NULL) {
        rc = mbedtls_x509_crt_parse(&c->roots, (const unsigned char *)params->ca_crt, (size_t)params->ca_crt_len + 1);
        mbedtls_ssl_conf_ca_chain(&c->config, &c->roots, NULL);
    }
    if (rc == 0 && params->psk != NULL && psk_id != NULL) {
        rc = mbedtls_ssl_conf_psk(&c->config, (const unsigned char *)params->psk, params->psk_length,
                                  (const unsigned char *)psk_id, strlen(psk_id));
    }
    return rc;
}

static int shake_hands(Connection *c, const TLSConnectParams *params, const char *host, int port)
{
    char text[8];
    int  rc;

    snprintf(text, sizeof(text), "%d", port);
    if ((rc = mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, NULL, 0)) != 0 ||
        (rc = mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT)) != 0 ||
        (rc = set_credentials(c, params)) != 0) {
        return rc;
    }
    mbedtls_ssl_conf_authmode(&c->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(&c->config, mbedtls_ctr_drbg_random, &c->random);
    mbedtls_ssl_conf_read_timeout(&c->config, params->timeout_ms);
    if ((rc = mbedtls_ssl_setup(&c->ssl, &c->config)) != 0 || (rc = mbedtls_ssl_set_hostname(&c->ssl, host)) != 0 ||
        (rc = mbedtls_net_connect(&c->socket, host, text, MBEDTLS_NET_PROTO_TCP)) != 0) {
        return rc;
    }
    mbedtls_ssl_set_bio(&c->ssl, &c->socket, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
    do {
        rc = mbedtls_ssl_handshake(&c->ssl);
    } while (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE);
    mbedtls_ssl_conf_read_timeout(&c->config, LOOK_MS);
    return rc;
}

uintptr_t HAL_TLS_Connect(TLSConnectParams *params, const char *host, int port)
{
    Connection *c = HAL_Malloc(sizeof(*c));
    int         rc;

    own_calls.tls++;
    if (c == NULL) {
        return 0;
    }
    mbedtls_net_init(&c->socket);
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->config);
    mbedtls_x509_crt_init(&c->roots);
    mbedtls_ctr_drbg_init(&c->random);
    mbedtls_entropy_init(&c->entropy);
    rc = shake_hands(c, params, host, port);
    if (rc != 0) {
        Log_e("TLS to %s:%d failed: -0x%04x", host, port, (unsigned)-rc);
        release(c);
        return 0;
    }
    return (uintptr_t)c;
}

void HAL_TLS_Disconnect(uintptr_t handle)
{
    Connection *c = (Connection *)handle;

    own_calls.tls++;
    mbedtls_ssl_close_notify(&c->ssl);
    release(c);
}

int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *written_len)
{
    Connection *c = (Connection *)handle;
    Timer       timer;

    own_calls.tls++;
    InitTimer(&timer);
    countdown_ms(&timer, timeout_ms);
    *written_len = 0;
    while (*written_len < len && !expired(&timer)) {
        int rc = mbedtls_ssl_write(&c->ssl, data + *written_len, len - *written_len);
        if (rc > 0) {
            *written_len += (size_t)rc;
        } else if (rc != MBEDTLS_ERR_SSL_WANT_READ && rc != MBEDTLS_ERR_SSL_WANT_WRITE) {
            return QCLOUD_ERR_SSL_WRITE;
        }
    }
    return *written_len < len ? QCLOUD_ERR_SSL_WRITE_TIMEOUT : QCLOUD_RET_SUCCESS;
}

int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len)
{
    Connection *c = (Connection *)handle;
    Timer       timer;

    own_calls.tls++;
    InitTimer(&timer);
    countdown_ms(&timer, timeout_ms);
    *read_len = 0;
    do {
        int rc = mbedtls_ssl_read(&c->ssl, data + *read_len, len - *read_len);
        if (rc > 0) {
            *read_len += (size_t)rc;
        } else if (rc != MBEDTLS_ERR_SSL_WANT_READ && rc != MBEDTLS_ERR_SSL_WANT_WRITE &&
                   rc != MBEDTLS_ERR_SSL_TIMEOUT) {
            return QCLOUD_ERR_SSL_READ;
        }
    } while (*read_len < len && !expired(&timer));
    if (*read_len == len) {
        return QCLOUD_RET_SUCCESS;
    }
    return *read_len == 0 ? QCLOUD_ERR_SSL_NOTHING_TO_READ : QCLOUD_ERR_SSL_READ_TIMEOUT;
}
