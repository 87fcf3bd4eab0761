/* DTLS 1.2: what a session needs besides where datagrams take the place of a stream. It has no clock: the time comes in
 * with each call. */
#include <string.h>

#include "shim.h"

#include "mbedtls/constant_time.h"
#include "mbedtls/md.h"
#include "ssl_misc.h"

/* Milliseconds until a flight is sent again, the first time and the last: at 0, 2 and 6 s, given up at 14 s (coap.md, 1). */
enum { FIRST_TIMEOUT = 2000, LAST_TIMEOUT = 8000 };

void iot_mbedtls_datagrams_begin(struct iot_mbedtls_session *session)
{
    mbedtls_ssl_conf_transport(&session->config, MBEDTLS_SSL_TRANSPORT_DATAGRAM);
    mbedtls_ssl_conf_max_tls_version(&session->config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_handshake_timeout(&session->config, FIRST_TIMEOUT, LAST_TIMEOUT);
}

static void set_timer(void *data, uint32_t unused, uint32_t milliseconds)
{
    struct iot_mbedtls_session *session = data;
    (void)unused;
    session->timer_end = milliseconds == 0 ? 0 : session->now + milliseconds;
}

/* 2: it has ended, 0: it runs, -1: there is none. */
static int get_timer(void *data)
{
    const struct iot_mbedtls_session *session = data;
    return session->timer_end == 0 ? -1 : session->now >= session->timer_end ? 2 : 0;
}

void iot_mbedtls_datagrams_finish(struct iot_mbedtls_session *session)
{
    mbedtls_ssl_set_timer_cb(&session->ssl, session, set_timer, get_timer);
}

/* Milliseconds since some moment, never less than before. */
void iot_mbedtls_set_now(struct iot_mbedtls_session *session, uint64_t now)
{
    session->now = now;
}

/* When the session is to be called even if nothing has come; 0: never. */
uint64_t iot_mbedtls_timer_end(const struct iot_mbedtls_session *session)
{
    return session->timer_end;
}

/* Whether there is more in what was received. */
int iot_mbedtls_is_pending(const struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_check_pending(&session->ssl);
}

/* Bytes left of the record that was read last. */
size_t iot_mbedtls_left(const struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_get_bytes_avail(&session->ssl);
}

#ifdef IOT_MBEDTLS_SERVER
static int make_cookie(const struct iot_mbedtls_session *session, const unsigned char *peer, size_t len,
                       unsigned char out[IOT_MBEDTLS_COOKIE_LEN])
{
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), session->cookie_key,
                           sizeof(session->cookie_key), peer, len, out);
}

static int write_cookie(void *data, unsigned char **out, unsigned char *end, const unsigned char *peer, size_t len)
{
    MBEDTLS_SSL_CHK_BUF_PTR(*out, end, IOT_MBEDTLS_COOKIE_LEN);
    int rc = make_cookie(data, peer, len, *out);
    if (rc == 0) {
        *out += IOT_MBEDTLS_COOKIE_LEN;
    }
    return rc;
}

static int check_cookie(void *data, const unsigned char *cookie, size_t cookie_len, const unsigned char *peer,
                        size_t len)
{
    unsigned char expected[IOT_MBEDTLS_COOKIE_LEN];
    int           is_right = cookie_len == sizeof(expected) && make_cookie(data, peer, len, expected) == 0 &&
                   mbedtls_ct_memcmp(cookie, expected, sizeof(expected)) == 0;
    return is_right ? 0 : -1;
}

/* Before the handshake. `key` has IOT_MBEDTLS_COOKIE_LEN bytes, or is NULL: no cookie is asked for. */
int iot_mbedtls_set_cookie(struct iot_mbedtls_session *session, const unsigned char *key, const unsigned char *peer,
                           size_t len)
{
    if (key == NULL) {
        mbedtls_ssl_conf_dtls_cookies(&session->config, NULL, NULL, NULL);
        return 0;
    }
    memcpy(session->cookie_key, key, sizeof(session->cookie_key));
    mbedtls_ssl_conf_dtls_cookies(&session->config, write_cookie, check_cookie, session);
    return mbedtls_ssl_set_client_transport_id(&session->ssl, peer, len);
}
#endif
