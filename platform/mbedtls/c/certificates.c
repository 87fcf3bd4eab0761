/* Clients of TLS 1.2 and 1.3 with certificates. mbedTLS verifies the chain; who else is refused, and what is said about
 * it, is decided by the caller. */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#include "mbedtls/oid.h"
#include "mbedtls/pk.h"
#include "mbedtls/x509_crt.h"
#include "ssl_misc.h"
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
#include "psa/crypto.h"
#endif

struct iot_mbedtls_trust {
    mbedtls_x509_crt roots;
    /* The device's own, where it has one. */
    mbedtls_x509_crt   chain;
    mbedtls_pk_context key;
    int                has_key;
};

#ifdef MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *unused, uint8_t *out, size_t size,
                                             size_t *len)
{
    (void)unused;
    if (iot_mbedtls_random(NULL, out, size) != 0) {
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    }
    *len = size;
    return PSA_SUCCESS;
}
#endif

void iot_mbedtls_trust_free(struct iot_mbedtls_trust *trust)
{
    if (trust != NULL) {
        mbedtls_x509_crt_free(&trust->roots);
        mbedtls_x509_crt_free(&trust->chain);
        mbedtls_pk_free(&trust->key);
        free(trust);
    }
}

int iot_mbedtls_trust_new(struct iot_mbedtls_trust **out)
{
    struct iot_mbedtls_trust *trust;
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    /* The first call sets up, all others do nothing. */
    if (psa_crypto_init() != PSA_SUCCESS) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
#endif
    if ((trust = calloc(1, sizeof(*trust))) == NULL) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    mbedtls_x509_crt_init(&trust->roots);
    mbedtls_x509_crt_init(&trust->chain);
    mbedtls_pk_init(&trust->key);
    *out = trust;
    return 0;
}

int iot_mbedtls_trust_root(struct iot_mbedtls_trust *trust, const unsigned char *der, size_t len)
{
    return mbedtls_x509_crt_parse_der(&trust->roots, der, len);
}

/* The device's own certificate first, then those between it and the root. */
int iot_mbedtls_trust_chain(struct iot_mbedtls_trust *trust, const unsigned char *der, size_t len)
{
    return mbedtls_x509_crt_parse_der(&trust->chain, der, len);
}

int iot_mbedtls_trust_key(struct iot_mbedtls_trust *trust, const unsigned char *der, size_t len)
{
    int rc         = mbedtls_pk_parse_key(&trust->key, der, len, NULL, 0, iot_mbedtls_random, NULL);
    trust->has_key = rc == 0;
    return rc;
}

/* Whether the key is that of the chain's first certificate. */
int iot_mbedtls_trust_check(const struct iot_mbedtls_trust *trust)
{
    return mbedtls_pk_check_pair(&trust->chain.pk, &trust->key, iot_mbedtls_random, NULL);
}

static int is_same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* mbedTLS calls it for each certificate of the chain, the server's last. Nothing is refused before that. */
static int verify(void *data, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct iot_mbedtls_session *session = data;
    struct iot_mbedtls_peer    *peer    = &session->peer;
    const mbedtls_x509_crt     *root;
    /* The caller compares names: mbedTLS would take a common name beside alternative names of others. */
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!session->has_peer) {
        session->has_peer = 1;
        memset(peer, 0, sizeof(*peer));
        for (root = &session->trust->roots; root != NULL && root->raw.p != NULL; root = root->next) {
            peer->names_a_root |= is_same(&root->subject_raw, &certificate->issuer_raw);
        }
    }
    if (depth > 0) {
        peer->chain_flags |= *flags;
        if (*flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
            peer->dated     = certificate->raw.p;
            peer->dated_len = certificate->raw.len;
        }
        *flags = 0;
        return 0;
    }
    for (root = &session->trust->roots; root != NULL && root->raw.p != NULL; root = root->next) {
        peer->is_trusted_itself |= is_same(&root->raw, &certificate->raw);
    }
    peer->der            = certificate->raw.p;
    peer->der_len        = certificate->raw.len;
    peer->flags          = *flags;
    peer->is_authority   = certificate->ca_istrue;
    peer->is_for_servers = mbedtls_x509_crt_check_extended_key_usage(certificate, MBEDTLS_OID_SERVER_AUTH,
                                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
    if (session->calls.judge(session->calls.owner, peer)) {
        *flags = 0;
    } else if ((*flags |= peer->chain_flags) == 0) {
        *flags = MBEDTLS_X509_BADCERT_OTHER;
    }
    session->has_peer = 0;
    return 0;
}

static int make(struct iot_mbedtls_session **out, int is_client, const int *suites,
                const struct iot_mbedtls_calls *calls, struct iot_mbedtls_trust *trust, const char *host)
{
    struct iot_mbedtls_session *session = NULL;
    int                         rc      = iot_mbedtls_begin(&session, is_client, suites, calls);
    if (session == NULL) {
        return rc;
    }
    session->trust = trust;
    mbedtls_ssl_conf_authmode(&session->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&session->config, &trust->roots, NULL);
    mbedtls_ssl_conf_verify(&session->config, verify, session);
    if (rc == 0 && trust->has_key) {
        rc = mbedtls_ssl_conf_own_cert(&session->config, &trust->chain, &trust->key);
    }
    rc = iot_mbedtls_finish(session, rc, host, &session);
    if (rc == 0) {
        *out = session;
    }
    return rc;
}

/* `trust` outlives the session. */
int iot_mbedtls_new_certificates(struct iot_mbedtls_session **out, const int *suites,
                                 const struct iot_mbedtls_calls *calls, struct iot_mbedtls_trust *trust,
                                 const char *host)
{
    return make(out, 1, suites, calls, trust, host);
}

#if defined(IOT_MBEDTLS_SERVER) && defined(IOT_MBEDTLS_DTLS)
/* The same. Clients have to show a certificate. */
int iot_mbedtls_new_certificates_server(struct iot_mbedtls_session **out, const int *suites,
                                        const struct iot_mbedtls_calls *calls, struct iot_mbedtls_trust *trust)
{
    return make(out, 0, suites, calls, trust, NULL);
}
#endif

/* MBEDTLS_X509_BADCERT_* of the certificate that ended the handshake. */
uint32_t iot_mbedtls_verify_result(const struct iot_mbedtls_session *session)
{
    return mbedtls_ssl_get_verify_result(&session->ssl);
}
