/* Compiled against the contract's data (abi.h): the default platform through the structs of an old object. */

#define _POSIX_C_SOURCE 200809L

#include "checks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi.h"

static void *done;
static int   answer;

static void thread(void *user_arg)
{
    *(int *)user_arg = 42;
    HAL_SemaphorePost(done);
}

static void threads(void)
{
    static ThreadParams params;

    done               = HAL_SemaphoreCreate();
    params.thread_name = (char *)"old";
    params.thread_func = thread;
    params.user_arg    = &answer;
    params.stack_size  = 65536;
    params.priority    = 0;
    CHECK(done != NULL && HAL_ThreadCreate(&params) == QCLOUD_RET_SUCCESS);
    CHECK(HAL_SemaphoreWait(done, 60000) == QCLOUD_RET_SUCCESS);
    CHECK(answer == 42);
    HAL_SemaphoreDestroy(done);
}

/* A port of this machine that refuses connections for as long as the socket is open. */
static int refusing_socket(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          length  = sizeof(address);
    int                fd      = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static char log_text[8192];

static bool on_line(const char *message)
{
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof(log_text) - used, "%s", message);
    return true;
}

static void refused(void)
{
    GUARDED(MQTTInitParams, params);
    MQTTInitParams defaults = DEFAULT_MQTTINIT_PARAMS;
    uint16_t       port;
    int            fd = refusing_socket(&port);
    char           endpoint[32];

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
    CHECK(setenv("QCLOUD_IOT_MQTT_ENDPOINT", endpoint, 1) == 0);
    guard(&params, sizeof(params));
    params.value             = defaults;
    params.value.product_id  = (char *)"PRODUCTID0";
    params.value.device_name = (char *)"old-device";
#ifdef AUTH_MODE_CERT
    strcpy(params.value.cert_file, "/nonexistent/old.crt");
    strcpy(params.value.key_file, "/nonexistent/old.key");
#else
    params.value.device_secret = (char *)"MDEyMzQ1Njc4OWFiY2RlZg==";
#endif
    params.value.command_timeout = 5000;
    params.value.err_code        = 1;

    IOT_Log_Set_Level(eLOG_DEBUG);
    IOT_Log_Set_MessageHandler(on_line);
    CHECK(IOT_MQTT_Construct(&params.value) == NULL);
    IOT_Log_Set_MessageHandler(NULL);
    IOT_Log_Set_Level(eLOG_DISABLE);
#ifdef AUTH_MODE_CERT
    CHECK(params.value.err_code < 0);
    CHECK(strstr(log_text, "/nonexistent/old.crt") != NULL || strstr(log_text, "/nonexistent/old.key") != NULL);
#else
    CHECK(params.value.err_code == QCLOUD_ERR_TCP_CONNECT || params.value.err_code == QCLOUD_ERR_SSL_CONNECT);
    CHECK(strstr(log_text, endpoint) != NULL);
#endif
    CHECK(IOT_MQTT_GetErrCode() == params.value.err_code);
    CHECK(params.value.command_timeout == 5000);
    CHECK(params.value.keep_alive_interval_ms == defaults.keep_alive_interval_ms);
    CHECK(guards_stand(&params, sizeof(params)));
    close(fd);
}

void platform_part(void)
{
    threads();
    refused();
}
