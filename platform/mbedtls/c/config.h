/* What is compiled of mbedTLS: TLS 1.2, both sides, with a plain pre-shared key. No certificates, no big numbers. */
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
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_ENCRYPT_THEN_MAC
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
/* The server name extension: client_hello.c. */

/* Bytes: the longest key. lib.rs knows it as MAX_KEY. */
#define MBEDTLS_PSK_MAX_LEN 64

#endif
