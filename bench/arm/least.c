/*
 * The least that a device must do, in C: one request, the answer read from the socket, decrypted by mbedTLS, and its MD5.
 *
 *   least HOST PORT PATH [ROOTS]      over TLS where ROOTS names the file of trusted certificates
 *
 * Its last line of output is the number of bytes behind the answer's head, and their MD5.
 */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/md5.h"
#include "mbedtls/net_sockets.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

#define BUFFER 65536

static mbedtls_net_context      net;
static mbedtls_ssl_context      ssl;
static mbedtls_ssl_config       config;
static mbedtls_x509_crt         roots;
static mbedtls_entropy_context  entropy;
static mbedtls_ctr_drbg_context random_numbers;
static int                      has_tls;

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* The cipher that this library agrees on with the same server; mbedTLS would rather have ChaCha20. */
static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                             MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 0};

static void begin_tls(const char *host, const char *file)
{
    has_tls = 1;
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&roots);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_numbers);
    check(mbedtls_x509_crt_parse_file(&roots, file) == 0, "the roots can't be read");
    check(mbedtls_ctr_drbg_seed(&random_numbers, mbedtls_entropy_func, &entropy, NULL, 0) == 0, "no random numbers");
    check(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0,
          "no configuration");
    mbedtls_ssl_conf_ca_chain(&config, &roots, NULL);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_numbers);
    check(mbedtls_ssl_setup(&ssl, &config) == 0 && mbedtls_ssl_set_hostname(&ssl, host) == 0, "no session");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    check(mbedtls_ssl_handshake(&ssl) == 0, "no handshake");
}

static int read_some(unsigned char *buffer, size_t size)
{
    return has_tls ? mbedtls_ssl_read(&ssl, buffer, size) : mbedtls_net_recv(&net, buffer, size);
}

int main(int argc, char **argv)
{
    static unsigned char buffer[BUFFER + 1];
    mbedtls_md5_context  md5;
    unsigned char        digest[16];
    char                 request[1024];
    unsigned long        total = 0;
    int                  length, count;
    size_t               held = 0;
    char                *end;

    check(argc == 4 || argc == 5, "Usage: least HOST PORT PATH [ROOTS]");
    mbedtls_net_init(&net);
    check(mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_TCP) == 0, "no connection");
    if (argc == 5) {
        begin_tls(argv[1], argv[4]);
    }
    length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", argv[3],
                      argv[1], argv[2]);
    check(length > 0 && (size_t)length < sizeof(request), "the path is too long");
    count = has_tls ? mbedtls_ssl_write(&ssl, (unsigned char *)request, (size_t)length)
                    : mbedtls_net_send(&net, (unsigned char *)request, (size_t)length);
    check(count == length, "the request was not sent");

    mbedtls_md5_init(&md5);
    check(mbedtls_md5_starts_ret(&md5) == 0, "no MD5");
    do {
        check(held < BUFFER && (count = read_some(buffer + held, BUFFER - held)) > 0, "no head in the answer");
        held += (size_t)count;
        buffer[held] = '\0';
        end          = strstr((char *)buffer, "\r\n\r\n");
    } while (end == NULL);
    check(strncmp((char *)buffer, "HTTP/1.1 200 ", 13) == 0, "not 200");
    held -= (size_t)(end + 4 - (char *)buffer);
    memmove(buffer, end + 4, held);
    count = (int)held;
    do {
        total += (unsigned long)count;
        check(mbedtls_md5_update_ret(&md5, buffer, (size_t)count) == 0, "no MD5");
        count = read_some(buffer, BUFFER);
    } while (count > 0);
    check(mbedtls_md5_finish_ret(&md5, digest) == 0, "no MD5");
    printf("%lu ", total);
    for (count = 0; count < 16; count++) {
        printf("%02x", digest[count]);
    }
    putchar('\n');
    return EXIT_SUCCESS;
}
