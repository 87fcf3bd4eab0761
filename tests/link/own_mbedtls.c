/* A firmware with an mbedTLS of its own, of another version than ours. In KEY mode the two speak to each other. */

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "check.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"

/* For a pointer or an array, as the interface has it. */
#define PSK_ID "device"

static const unsigned char psk[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

#if !defined(AUTH_WITH_NOTLS) && !defined(AUTH_MODE_CERT)
static mbedtls_net_context      listener;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_config       config;

/* One connection: answers "ping" with "pong". */
static void *serve(void *unused)
{
    mbedtls_net_context connection;
    mbedtls_ssl_context tls;
    unsigned char       data[4];
    int                 code;

    (void)unused;
    mbedtls_net_init(&connection);
    mbedtls_ssl_init(&tls);
    CHECK_INT(mbedtls_ssl_setup(&tls, &config), 0);
    CHECK_INT(mbedtls_net_accept(&listener, &connection, NULL, 0, NULL), 0);
    mbedtls_ssl_set_bio(&tls, &connection, mbedtls_net_send, mbedtls_net_recv, NULL);
    do {
        code = mbedtls_ssl_handshake(&tls);
    } while (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE);
    CHECK_INT(code, 0);
    if (code == 0) {
        CHECK_INT(mbedtls_ssl_read(&tls, data, sizeof(data)), 4);
        CHECK(memcmp(data, "ping", 4) == 0);
        CHECK_INT(mbedtls_ssl_write(&tls, (const unsigned char *)"pong", 4), 4);
        mbedtls_ssl_close_notify(&tls);
    }
    mbedtls_ssl_free(&tls);
    mbedtls_net_free(&connection);
    return NULL;
}

static void talk(void)
{
    struct sockaddr_in address;
    socklen_t          length = sizeof(address);
    pthread_t          server;
    unsigned char      data[4] = "ping";
    size_t             done    = 0;
    SSLConnectParams   params  = {
           .psk = (const char *)psk, .psk_id = PSK_ID, .psk_length = sizeof(psk), .timeout_ms = 10000};

    mbedtls_net_init(&listener);
    CHECK_INT(mbedtls_net_bind(&listener, "127.0.0.1", "0", MBEDTLS_NET_PROTO_TCP), 0);
    CHECK_INT(getsockname(listener.fd, (struct sockaddr *)&address, &length), 0);
    CHECK_INT(pthread_create(&server, NULL, serve, NULL), 0);

    uintptr_t handle = HAL_TLS_Connect(&params, "127.0.0.1", ntohs(address.sin_port));
    CHECK(handle != 0);
    if (handle != 0) {
        CHECK_INT(HAL_TLS_Write(handle, data, 4, 10000, &done), 0);
        CHECK_INT(done, 4);
        CHECK_INT(HAL_TLS_Read(handle, data, 4, 10000, &done), 0);
        CHECK(done == 4 && memcmp(data, "pong", 4) == 0);
        HAL_TLS_Disconnect(handle);
    } else {
        shutdown(listener.fd, SHUT_RDWR);
    }
    pthread_join(server, NULL);
    mbedtls_net_free(&listener);
}
#endif

int main(void)
{
    static const unsigned char abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    unsigned char              digest[32];

    CHECK_INT(mbedtls_version_get_number(), MBEDTLS_VERSION_NUMBER);
    CHECK_INT(mbedtls_sha256_ret((const unsigned char *)"abc", 3, digest, 0), 0);
    CHECK(memcmp(digest, abc, sizeof(abc)) == 0);
    CHECK(IOT_MQTT_Construct(NULL) == NULL);

#if !defined(AUTH_WITH_NOTLS) && !defined(AUTH_MODE_CERT)
    mbedtls_entropy_context entropy;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_ssl_config_init(&config);
    CHECK_INT(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0), 0);
    CHECK_INT(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT),
              0);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &drbg);
    CHECK_INT(mbedtls_ssl_conf_psk(&config, psk, sizeof(psk), (const unsigned char *)PSK_ID, strlen(PSK_ID)), 0);
    talk();
    mbedtls_ssl_config_free(&config);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
#else
    mbedtls_ssl_context tls;
    mbedtls_ssl_init(&tls);
    mbedtls_ssl_free(&tls);
    (void)psk;
#if defined(AUTH_MODE_CERT)
    CHECK(HAL_TLS_Connect(NULL, "localhost", 1) == 0);
#endif
#endif
    return check_result();
}
