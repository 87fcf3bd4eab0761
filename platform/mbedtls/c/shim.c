/* What lib.rs needs of mbedTLS, without the layouts of its structs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#include "mbedtls/platform_util.h"
#include "ssl_misc.h"

/* The kernel's random numbers. The file is for kernels older than the call. */
int iot_mbedtls_random(void *unused, unsigned char *out, size_t len)
{
    int file = -1;
    (void)unused;
    while (len > 0) {
        ssize_t n = file < 0 ? (ssize_t)syscall(SYS_getrandom, out, len, 0) : read(file, out, len);
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == ENOSYS && file < 0) {
            if ((file = open("/dev/urandom", O_RDONLY | O_CLOEXEC)) < 0) {
                return MBEDTLS_ERR_SSL_NO_RNG;
            }
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    if (file >= 0) {
        close(file);
    }
    return len > 0 ? MBEDTLS_ERR_SSL_NO_RNG : 0;
}

#ifdef IOT_MBEDTLS_SERVER
static int find_key(void *data, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len)
{
    struct iot_mbedtls_calls *calls = data;
    unsigned char             key[MBEDTLS_PSK_MAX_LEN];
    int                       key_len = calls->find_key(calls->owner, identity, len, key);
    int                       rc      = key_len < 0 ? key_len : mbedtls_ssl_set_hs_psk(ssl, key, (size_t)key_len);
    mbedtls_platform_zeroize(key, sizeof(key));
    return rc;
}
#endif

void iot_mbedtls_free(struct iot_mbedtls_session *session)
{
    if (session != NULL) {
        mbedtls_ssl_free(&session->ssl);
        mbedtls_ssl_config_free(&session->config);
#ifdef IOT_MBEDTLS_DTLS
        mbedtls_platform_zeroize(session->cookie_key, sizeof(session->cookie_key));
#endif
        free(session->host);
        free(session);
    }
}

int iot_mbedtls_begin(struct iot_mbedtls_session **out, int is_client, const int *suites,
                      const struct iot_mbedtls_calls *calls)
{
    struct iot_mbedtls_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    *out           = session;
    session->calls = *calls;
    mbedtls_ssl_init(&session->ssl);
    mbedtls_ssl_config_init(&session->config);
    mbedtls_ssl_conf_rng(&session->config, iot_mbedtls_random, NULL);
    int rc = mbedtls_ssl_config_defaults(&session->config, is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_ciphersuites(&session->config, suites);
#ifdef IOT_MBEDTLS_DTLS
    if (calls->is_datagram) {
        iot_mbedtls_datagrams_begin(session);
    }
#endif
    return rc;
}

int iot_mbedtls_finish(struct iot_mbedtls_session *session, int rc, const char *host, struct iot_mbedtls_session **out)
{
    if (rc == 0) {
        rc = mbedtls_ssl_setup(&session->ssl, &session->config);
    }
    if (rc == 0 && host != NULL) {
        session->host = strdup(host);
        rc            = strlen(host) > MBEDTLS_SSL_MAX_HOST_NAME_LEN ? MBEDTLS_ERR_SSL_BAD_INPUT_DATA
                        : session->host == NULL                      ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                                                                     : 0;
#ifndef IOT_MBEDTLS_SYSTEM
        mbedtls_ssl_set_user_data_p(&session->ssl, session->host);
#endif
    }
#ifdef MBEDTLS_X509_CRT_PARSE_C
    if (rc == 0) {
#ifdef IOT_MBEDTLS_SYSTEM
        rc = mbedtls_ssl_set_hostname(&session->ssl, host);
#else
        /* client_hello.c has the name from elsewhere, and nobody compares it here. */
        rc = mbedtls_ssl_set_hostname(&session->ssl, NULL);
#endif
    }
#endif
    if (rc != 0) {
        iot_mbedtls_free(session);
        return rc;
    }
#ifdef IOT_MBEDTLS_DTLS
    if (session->calls.is_datagram) {
        iot_mbedtls_datagrams_finish(session);
    }
#endif
    mbedtls_ssl_set_bio(&session->ssl, session->calls.owner, session->calls.send, session->calls.receive, NULL);
    *out = session;
    return 0;
}

/* A client has a key, a server none: it asks calls.find_key. */
int iot_mbedtls_new(struct iot_mbedtls_session **out, const int *suites, const struct iot_mbedtls_calls *calls,
                    const unsigned char *key, size_t key_len, const unsigned char *identity, size_t identity_len,
                    const char *host)
{
    struct iot_mbedtls_session *session   = NULL;
    int                         is_client = key != NULL;
    int                         rc        = iot_mbedtls_begin(&session, is_client, suites, calls);
    if (session == NULL) {
        return rc;
    }
    /* Plain pre-shared keys are of TLS 1.2. */
    mbedtls_ssl_conf_max_tls_version(&session->config, MBEDTLS_SSL_VERSION_TLS1_2);
#ifdef IOT_MBEDTLS_SERVER
    mbedtls_ssl_conf_psk_cb(&session->config, find_key, &session->calls);
#endif
    if (is_client && rc == 0) {
        rc = mbedtls_ssl_conf_psk(&session->config, key, key_len, identity, identity_len);
    }
    return iot_mbedtls_finish(session, rc, host, out);
}

int iot_mbedtls_handshake(struct iot_mbedtls_session *session)
{
    int rc = mbedtls_ssl_handshake(&session->ssl);
    /* mbedTLS has no error of its own for a message that its buffer does not hold. (2.28 says the second.) */
    if ((rc == MBEDTLS_ERR_SSL_BAD_INPUT_DATA || rc == MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE) &&
        session->ssl.in_hslen > MBEDTLS_SSL_IN_CONTENT_LEN) {
        rc = MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    }
    return rc;
}

int iot_mbedtls_read(struct iot_mbedtls_session *session, unsigned char *out, size_t len)
{
    return mbedtls_ssl_read(&session->ssl, out, len);
}

/* At most one record, so that the caller knows how much was taken where the transport would block. */
int iot_mbedtls_write(struct iot_mbedtls_session *session, const unsigned char *data, size_t len, size_t *taken)
{
    int limit = mbedtls_ssl_get_max_out_record_payload(&session->ssl);
    if (limit < 0) {
        return limit;
    }
    *taken = len < (size_t)limit ? len : (size_t)limit;
    return mbedtls_ssl_write(&session->ssl, data, *taken);
}

int iot_mbedtls_flush(struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_flush_output(&session->ssl);
}

int iot_mbedtls_close(struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_close_notify(&session->ssl);
}

/* The alert that the other side sent last. Call it right after MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE. */
int iot_mbedtls_alert(const struct iot_mbedtls_session *session)
{
    return session->ssl.in_msg[1];
}

/* For errors of which mbedTLS does not tell the other side. */
int iot_mbedtls_send_alert(struct iot_mbedtls_session *session, unsigned char alert)
{
    return mbedtls_ssl_send_alert_message(&session->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}
