/* mbedTLS includes this for MBEDTLS_GCM_ALT: the context of c/gcm.c. */
#ifndef IOT_MBEDTLS_GCM_ALT_H
#define IOT_MBEDTLS_GCM_ALT_H

typedef struct mbedtls_gcm_context {
    /* Of gcm.rs; NULL before mbedtls_gcm_setkey. */
    void *key;
} mbedtls_gcm_context;

#endif
