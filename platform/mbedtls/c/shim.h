/* What the files of this folder know of each other, and lib.rs of them. */
#ifndef IOT_MBEDTLS_SHIM_H
#define IOT_MBEDTLS_SHIM_H

#include <stddef.h>

#include "common.h"

#include "mbedtls/ssl.h"

/* Bytes: a cookie, and the key that it is made with. lib.rs knows it as dtls::COOKIE_LEN. */
#define IOT_MBEDTLS_COOKIE_LEN 32

#ifdef IOT_MBEDTLS_CERTIFICATES
/* What a server shows, at the end of mbedTLS's own look at it. */
struct iot_mbedtls_peer {
    /* Its certificate, DER. */
    const unsigned char *der;
    size_t               der_len;
    /* The certificate above it whose time is over or has not begun, DER. NULL: none. */
    const unsigned char *dated;
    size_t               dated_len;
    /* MBEDTLS_X509_BADCERT_*: of itself, and of those above it. */
    uint32_t flags;
    uint32_t chain_flags;
    int      is_trusted_itself;
    int      is_authority;
    /* Whether the topmost names a trusted one as its issuer. */
    int names_a_root;
    /* Whether its extended key usage, where it has one, is for servers. */
    int is_for_servers;
};
#endif

/* The functions in Rust that a session calls; `owner` is handed on to them. */
struct iot_mbedtls_calls {
    void *owner;
    int (*send)(void *owner, const unsigned char *data, size_t len);
    int (*receive)(void *owner, unsigned char *out, size_t len);
    /* Servers only. Returns the length of the key, negative where it has none. */
    int (*find_key)(void *owner, const unsigned char *identity, size_t len, unsigned char key[MBEDTLS_PSK_MAX_LEN]);
#ifdef IOT_MBEDTLS_CERTIFICATES
    /* With certificates only. Returns whether it is the right server, or client. */
    int (*judge)(void *owner, const struct iot_mbedtls_peer *peer);
#endif
#ifdef IOT_MBEDTLS_DTLS
    /* Whether each call of send and receive is a datagram. */
    int is_datagram;
#endif
};

struct iot_mbedtls_session {
    mbedtls_ssl_context      ssl;
    mbedtls_ssl_config       config;
    struct iot_mbedtls_calls calls;
    /* For client_hello.c. */
    char *host;
#ifdef IOT_MBEDTLS_CERTIFICATES
    const struct iot_mbedtls_trust *trust;
    struct iot_mbedtls_peer         peer;
    int                             has_peer;
#endif
#ifdef IOT_MBEDTLS_DTLS
    /* Milliseconds. */
    uint64_t      now;
    uint64_t      timer_end;
    unsigned char cookie_key[IOT_MBEDTLS_COOKIE_LEN];
#endif
};

/* The kernel's random numbers. */
int iot_mbedtls_random(void *unused, unsigned char *out, size_t len);

/* A session without keys. `suites` ends with 0 and outlives it. */
int iot_mbedtls_begin(struct iot_mbedtls_session **out, int is_client, const int *suites,
                      const struct iot_mbedtls_calls *calls);

/* Goes on where `rc` is 0: takes what the configuration says. Frees the session where that fails. */
int iot_mbedtls_finish(struct iot_mbedtls_session *session, int rc, const char *host, struct iot_mbedtls_session **out);

#ifdef IOT_MBEDTLS_DTLS
/* For a session of datagrams: before mbedTLS takes the configuration, and after. */
void iot_mbedtls_datagrams_begin(struct iot_mbedtls_session *session);
void iot_mbedtls_datagrams_finish(struct iot_mbedtls_session *session);
#endif

#endif
