/* What lib.rs needs of mbedTLS, without the layouts of its structs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#include "mbedtls/platform_util.h"
#include "mbedtls/ssl.h"
#include "ssl_misc.h"

/* The functions in Rust that a session calls; `owner` is handed on to them. */
struct iot_mbedtls_calls {
    void *owner;
    int (*send)(void *owner, const unsigned char *data, size_t len);
    int (*receive)(void *owner, unsigned char *out, size_t len);
    /* Servers only. Returns the length of the key, negative where it has none. */
    int (*find_key)(void *owner, const unsigned char *identity, size_t len, unsigned char key[MBEDTLS_PSK_MAX_LEN]);
};

struct iot_mbedtls_session {
    mbedtls_ssl_context      ssl;
    mbedtls_ssl_config       config;
    struct iot_mbedtls_calls calls;
    /* For client_hello.c. */
    char *host;
};

/* The kernel's random numbers. The file is for kernels older than the call. */
static int random_bytes(void *unused, unsigned char *out, size_t len)
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

static int find_key(void *data, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len)
{
    struct iot_mbedtls_calls *calls = data;
    unsigned char             key[MBEDTLS_PSK_MAX_LEN];
    int                       key_len = calls->find_key(calls->owner, identity, len, key);
    int                       rc      = key_len < 0 ? key_len : mbedtls_ssl_set_hs_psk(ssl, key, (size_t)key_len);
    mbedtls_platform_zeroize(key, sizeof(key));
    return rc;
}

void iot_mbedtls_free(struct iot_mbedtls_session *session)
{
    if (session != NULL) {
        mbedtls_ssl_free(&session->ssl);
        mbedtls_ssl_config_free(&session->config);
        free(session->host);
        free(session);
    }
}

/* `suites` ends with 0 and outlives the session. A client has a key, a server none: it asks calls.find_key. */
int iot_mbedtls_new(struct iot_mbedtls_session **out, const int *suites, const struct iot_mbedtls_calls *calls,
                    const unsigned char *key, size_t key_len, const unsigned char *identity, size_t identity_len,
                    const char *host)
{
    int                         is_client = key != NULL;
    int                         rc;
    struct iot_mbedtls_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    session->calls = *calls;
    mbedtls_ssl_init(&session->ssl);
    mbedtls_ssl_config_init(&session->config);
    rc = mbedtls_ssl_config_defaults(&session->config, is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&session->config, random_bytes, NULL);
    mbedtls_ssl_conf_ciphersuites(&session->config, suites);
    if (!is_client) {
        mbedtls_ssl_conf_psk_cb(&session->config, find_key, &session->calls);
    } else if (rc == 0) {
        rc = mbedtls_ssl_conf_psk(&session->config, key, key_len, identity, identity_len);
    }
    if (rc == 0) {
        rc = mbedtls_ssl_setup(&session->ssl, &session->config);
    }
    if (rc == 0 && host != NULL) {
        session->host = strdup(host);
        rc            = strlen(host) > MBEDTLS_SSL_MAX_HOST_NAME_LEN ? MBEDTLS_ERR_SSL_BAD_INPUT_DATA
                        : session->host == NULL                      ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                                                                     : 0;
        mbedtls_ssl_set_user_data_p(&session->ssl, session->host);
    }
    mbedtls_ssl_set_bio(&session->ssl, session->calls.owner, session->calls.send, session->calls.receive, NULL);
    if (rc != 0) {
        iot_mbedtls_free(session);
        return rc;
    }
    *out = session;
    return 0;
}

int iot_mbedtls_handshake(struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_handshake(&session->ssl);
}

int iot_mbedtls_read(struct iot_mbedtls_session *session, unsigned char *out, size_t len)
{
    return mbedtls_ssl_read(&session->ssl, out, len);
}

int iot_mbedtls_write(struct iot_mbedtls_session *session, const unsigned char *data, size_t len)
{
    return mbedtls_ssl_write(&session->ssl, data, len);
}

int iot_mbedtls_flush(struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_flush_output(&session->ssl);
}

int iot_mbedtls_close(struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_close_notify(&session->ssl);
}
