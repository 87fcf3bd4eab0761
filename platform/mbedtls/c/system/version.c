/* Only preprocessed: which mbedTLS the compiler finds. */
#include "mbedtls/version.h"

iot_mbedtls_version MBEDTLS_VERSION_STRING
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    iot_mbedtls_has_tls_1_3
#endif
