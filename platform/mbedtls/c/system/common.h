/* Feature `system`: what the files of this folder's parent are compiled with in place of mbedTLS's own common.h. They are
 * written for the mbedTLS 3.6 that this crate compiles otherwise; the system's is 2.28 or 3.6, built by others, and does
 * more than is wanted here. */
#ifndef IOT_MBEDTLS_SYSTEM_COMMON_H
#define IOT_MBEDTLS_SYSTEM_COMMON_H

/* 2.28 has no such rooms; 3.6 has the same fields in all its versions. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <stdlib.h>
#include <string.h>

#include "mbedtls/version.h"

#if MBEDTLS_VERSION_NUMBER < 0x021c0000 ||                                           \
    (MBEDTLS_VERSION_NUMBER >= 0x02ff0000 && MBEDTLS_VERSION_NUMBER < 0x03060000) || \
    MBEDTLS_VERSION_NUMBER >= 0x04000000
#error "FEATURE_TLS=system takes mbedTLS 2.28 or 3.6"
#endif
#define IOT_MBEDTLS_IS_2 (MBEDTLS_VERSION_NUMBER < 0x03000000)

#include "mbedtls/constant_time.h"
#include "mbedtls/pk.h"
#include "mbedtls/platform.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#if IOT_MBEDTLS_IS_2
#include "mbedtls/ssl_internal.h"
#else
/* Not among the public ones, but in every build of the library. */
int mbedtls_ssl_flush_output(mbedtls_ssl_context *ssl);
#define MBEDTLS_SSL_CHK_BUF_PTR(cur, end, need)      \
    do {                                             \
        if ((size_t)((end) - (cur)) < (need)) {      \
            return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL; \
        }                                            \
    } while (0)
#endif

#if !defined(MBEDTLS_SSL_PROTO_TLS1_2) || !defined(MBEDTLS_KEY_EXCHANGE_PSK_ENABLED) || \
    !defined(MBEDTLS_SSL_SERVER_NAME_INDICATION)
#error "the system's mbedTLS is built without TLS 1.2, pre-shared keys or the server name extension"
#endif
#if defined(IOT_MBEDTLS_CERTIFICATES) && !defined(MBEDTLS_THREADING_C)
#error "the system's mbedTLS is built without MBEDTLS_THREADING_C: connections on several threads share keys"
#endif

/* Its longest key may have 32 bytes. That is checked where a key is set, but there is room for more, as here: */
enum { IOT_SYSTEM_KEY_LEN = MBEDTLS_PSK_MAX_LEN };
#undef MBEDTLS_PSK_MAX_LEN
#define MBEDTLS_PSK_MAX_LEN 64
_Static_assert(MBEDTLS_PREMASTER_SIZE >= 4 + 2 * MBEDTLS_PSK_MAX_LEN, "mbedTLS has no room for long keys");

static inline int iot_system_long_key(mbedtls_ssl_config *config, const unsigned char *key, size_t len)
{
    unsigned char *copy = mbedtls_calloc(1, len);
    if (copy == NULL) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    memcpy(copy, key, len);
    if (config->psk != NULL) {
        mbedtls_platform_zeroize(config->psk, config->psk_len);
        mbedtls_free(config->psk);
    }
    /* mbedTLS frees it with the configuration. */
    config->psk     = copy;
    config->psk_len = len;
    return 0;
}

static inline int iot_system_conf_psk(mbedtls_ssl_config *config, const unsigned char *key, size_t len,
                                      const unsigned char *identity, size_t identity_len)
{
    size_t first = len < IOT_SYSTEM_KEY_LEN ? len : IOT_SYSTEM_KEY_LEN;
    int    rc    = len > MBEDTLS_PSK_MAX_LEN ? MBEDTLS_ERR_SSL_BAD_INPUT_DATA
                                             : mbedtls_ssl_conf_psk(config, key, first, identity, identity_len);
    return rc != 0 || first == len ? rc : iot_system_long_key(config, key, len);
}
#define mbedtls_ssl_conf_psk iot_system_conf_psk

/* A session's configuration is its own. */
static inline int iot_system_set_hs_psk(mbedtls_ssl_context *ssl, const unsigned char *key, size_t len)
{
    return len <= IOT_SYSTEM_KEY_LEN ? mbedtls_ssl_set_hs_psk(ssl, key, len)
                                     : iot_system_long_key((mbedtls_ssl_config *)ssl->conf, key, len);
}
#define mbedtls_ssl_set_hs_psk iot_system_set_hs_psk

#if IOT_MBEDTLS_IS_2
#define MBEDTLS_SSL_VERSION_TLS1_2 MBEDTLS_SSL_MINOR_VERSION_3
#define mbedtls_ssl_conf_min_tls_version(config, minor) \
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, minor)
#define mbedtls_ssl_conf_max_tls_version(config, minor) \
    mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, minor)
#define mbedtls_pk_parse_key(key, der, len, password, password_len, random, data) \
    mbedtls_pk_parse_key(key, der, len, password, password_len)
#define mbedtls_pk_check_pair(public, private, random, data) mbedtls_pk_check_pair(public, private)
#define mbedtls_pk_sign(key, kind, hash, hash_len, out, size, out_len, random, data) \
    mbedtls_pk_sign(key, kind, hash, hash_len, out, out_len, random, data)
#endif

/* Takes out what this crate does not compile of mbedTLS. */
static inline int iot_system_defaults(mbedtls_ssl_config *config, int endpoint, int transport, int preset)
{
    /* Those of config.h. */
    static const mbedtls_x509_crt_profile profile = {
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
            MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
        0xfffffff,
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
            MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
        2048,
    };
#if IOT_MBEDTLS_IS_2
    static const mbedtls_ecp_group_id curves[] = {
#ifdef MBEDTLS_ECP_DP_CURVE25519_ENABLED
        MBEDTLS_ECP_DP_CURVE25519,
#endif
#ifdef MBEDTLS_ECP_DP_SECP256R1_ENABLED
        MBEDTLS_ECP_DP_SECP256R1,
#endif
#ifdef MBEDTLS_ECP_DP_SECP384R1_ENABLED
        MBEDTLS_ECP_DP_SECP384R1,
#endif
#ifdef MBEDTLS_ECP_DP_SECP521R1_ENABLED
        MBEDTLS_ECP_DP_SECP521R1,
#endif
        MBEDTLS_ECP_DP_NONE,
    };
    static const int hashes[] = {MBEDTLS_MD_SHA512, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};
#else
    static const uint16_t groups[] = {
#ifdef MBEDTLS_ECP_DP_CURVE25519_ENABLED
        MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
#endif
#ifdef MBEDTLS_ECP_DP_SECP256R1_ENABLED
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
#endif
#ifdef MBEDTLS_ECP_DP_SECP384R1_ENABLED
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
#endif
#ifdef MBEDTLS_ECP_DP_SECP521R1_ENABLED
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
#endif
        MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
    };
#endif
    int rc = mbedtls_ssl_config_defaults(config, endpoint, transport, preset);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_cert_profile(config, &profile);
#if IOT_MBEDTLS_IS_2
    mbedtls_ssl_conf_curves(config, curves);
    mbedtls_ssl_conf_sig_hashes(config, hashes);
#else
    mbedtls_ssl_conf_groups(config, groups);
#endif
#ifdef MBEDTLS_SSL_RENEGOTIATION
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#ifdef MBEDTLS_SSL_SESSION_TICKETS
    if (endpoint == MBEDTLS_SSL_IS_CLIENT) {
        mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    }
#endif
    return rc;
}
#define mbedtls_ssl_config_defaults iot_system_defaults

/* The numbers of 3.6 for those of 2.28 that have another meaning there, or none. */
static inline int iot_system_code(int rc)
{
#if IOT_MBEDTLS_IS_2
    switch (rc) {
        case MBEDTLS_ERR_SSL_BAD_HS_SERVER_HELLO:
            /* ILLEGAL_PARAMETER */
            return -0x6600;
        case MBEDTLS_ERR_SSL_BAD_HS_FINISHED:
        case MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE_VERIFY:
            /* HANDSHAKE_FAILURE */
            return -0x6e00;
        case MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE_REQUEST:
        case MBEDTLS_ERR_SSL_BAD_HS_SERVER_KEY_EXCHANGE:
        case MBEDTLS_ERR_SSL_BAD_HS_SERVER_HELLO_DONE:
        case MBEDTLS_ERR_SSL_BAD_HS_CLIENT_KEY_EXCHANGE:
        case MBEDTLS_ERR_SSL_BAD_HS_CHANGE_CIPHER_SPEC:
        case MBEDTLS_ERR_SSL_BAD_HS_NEW_SESSION_TICKET:
            /* DECODE_ERROR */
            return -0x7300;
        default:
            return rc;
    }
#else
    return rc;
#endif
}
#define mbedtls_ssl_handshake(ssl)        iot_system_code(mbedtls_ssl_handshake(ssl))
#define mbedtls_ssl_write(ssl, data, len) iot_system_code(mbedtls_ssl_write(ssl, data, len))

static inline int iot_system_read(mbedtls_ssl_context *ssl, unsigned char *out, size_t len)
{
    int rc = mbedtls_ssl_read(ssl, out, len);
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    /* Nobody has use for one, but 3.6.0 hands them out. */
    while (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        rc = mbedtls_ssl_read(ssl, out, len);
    }
#endif
    return iot_system_code(rc);
}
#define mbedtls_ssl_read iot_system_read

#endif
