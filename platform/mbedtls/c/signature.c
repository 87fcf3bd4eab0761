/* Signatures by an RSA key, and the hash under them. */
#include <stdlib.h>

#include "shim.h"

#include "mbedtls/md.h"
#include "mbedtls/pk.h"

enum { HASH_LEN = 32 };

int iot_mbedtls_hash_sha256(const unsigned char *data, size_t len, unsigned char out[HASH_LEN])
{
    return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, len, out);
}

void iot_mbedtls_signing_key_free(mbedtls_pk_context *key)
{
    mbedtls_pk_free(key);
    free(key);
}

int iot_mbedtls_signing_key_new(mbedtls_pk_context **out, const unsigned char *der, size_t len)
{
    int                 rc;
    mbedtls_pk_context *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return MBEDTLS_ERR_PK_ALLOC_FAILED;
    }
    mbedtls_pk_init(key);
    rc = mbedtls_pk_parse_key(key, der, len, NULL, 0, iot_mbedtls_random, NULL);
    if (rc == 0 && mbedtls_pk_get_type(key) != MBEDTLS_PK_RSA) {
        rc = MBEDTLS_ERR_PK_TYPE_MISMATCH;
    }
    if (rc != 0) {
        iot_mbedtls_signing_key_free(key);
        return rc;
    }
    *out = key;
    return 0;
}

/* Bytes of the modulus, and of a signature. */
size_t iot_mbedtls_signing_key_len(const mbedtls_pk_context *key)
{
    return mbedtls_pk_get_len(key);
}

/* PKCS #1 v1.5 over SHA-256. `out` has as many bytes as the modulus. */
int iot_mbedtls_sign(mbedtls_pk_context *key, const unsigned char *data, size_t len, unsigned char *out)
{
    unsigned char hash[HASH_LEN];
    size_t        out_len = 0;
    int           rc      = iot_mbedtls_hash_sha256(data, len, hash);
    if (rc != 0) {
        return rc;
    }
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof(hash), out, mbedtls_pk_get_len(key), &out_len,
                           iot_mbedtls_random, NULL);
}
