/* What is compiled of mbedTLS: clients of TLS 1.2 with a plain pre-shared key. Feature `server` of the crate adds
 * servers; feature `certificates` clients of TLS 1.2 and 1.3 with certificates, and with them big numbers and curves;
 * feature `dtls` datagrams in place of a stream. */
#ifndef IOT_MBEDTLS_CONFIG_H
#define IOT_MBEDTLS_CONFIG_H

/* Made by build.rs. */
#include "names.h"

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C

#define MBEDTLS_AES_C
/* Tables that are made at run time are made without a lock. */
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AESNI_C
#ifdef __aarch64__
#define MBEDTLS_AESCE_C
#endif
#define MBEDTLS_CIPHER_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_GCM_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C

#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#ifdef IOT_MBEDTLS_SERVER
#define MBEDTLS_SSL_SRV_C
#endif
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_ENCRYPT_THEN_MAC
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
/* The server name extension: client_hello.c. */

#ifdef IOT_MBEDTLS_DTLS
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#ifdef IOT_MBEDTLS_SERVER
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#endif
#endif

#ifdef IOT_MBEDTLS_GCM_BY_RING
/* gcm.c */
#define MBEDTLS_GCM_ALT
#endif

#ifdef IOT_MBEDTLS_CERTIFICATES
/* The clock, for certificates. */
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
/* TLS 1.3 keeps its keys in tables of the process. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_HKDF_C
#define MBEDTLS_OID_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_PSA_CRYPTO_C
/* shim.c has it. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_RSA_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_X509_USE_C

#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#endif

/* Bytes: the longest key. lib.rs knows it as MAX_KEY. */
#define MBEDTLS_PSK_MAX_LEN 64

#endif
