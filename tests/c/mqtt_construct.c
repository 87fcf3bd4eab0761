/*
 * IOT_MQTT_Construct with what can't work: NULL, a reason in err_code and from IOT_MQTT_GetErrCode, no crash.
 * The endpoint override keeps it on this machine.
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

static char product[] = "PRODUCTID0";
static char device[]  = "device";

/* A loopback port nobody listens on, nor will: the socket that has it stays open. */
static int closed_port(void)
{
    struct sockaddr_in address;
    socklen_t          size = sizeof(address);
    int                fd   = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    return ntohs(address.sin_port);
}

static MQTTInitParams good_params(void)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id  = product;
    params.device_name = device;
#ifdef AUTH_MODE_CERT
    strcpy(params.cert_file, "/nonexistent/device_cert.crt");
    strcpy(params.key_file, "/nonexistent/device_private.key");
#else
    static char secret[]    = "MDEyMzQ1Njc4OWFiY2RlZg==";
    params.device_secret    = secret;
#endif
    return params;
}

/* Returns the error. */
static int construct(MQTTInitParams params)
{
    void *client;

    params.err_code = 7;
    client          = IOT_MQTT_Construct(&params);
    CHECK(client == NULL);
    CHECK(params.err_code < 0);
    CHECK_INT(IOT_MQTT_GetErrCode(), params.err_code);
    if (client != NULL) {
        IOT_MQTT_Destroy(&client);
    }
    return params.err_code;
}

static void names(void)
{
    char           empty[]        = "";
    char           long_product[] = "PRODUCTID01";
    char           long_device[49 + 1];
    MQTTInitParams params;

    memset(long_device, 'd', sizeof(long_device));
    long_device[49] = '\0';

    params            = good_params();
    params.product_id = NULL;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.product_id = empty;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.product_id = long_product;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);

    params             = good_params();
    params.device_name = NULL;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_name = empty;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_name = long_device;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
}

static void credentials(void)
{
    MQTTInitParams params = good_params();

#ifdef AUTH_MODE_CERT
    params.cert_file[0] = '\0';
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params             = good_params();
    params.key_file[0] = '\0';
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
#else
    static char empty[]     = "";
    static char no_base64[] = "this is not base64!";
    static char cut[]       = "MDEyMzQ1Njc4OWFiY2RlZg=";
    static char utf8[]      = "\xc3\xa4\xc3\xb6";
    char        too_long[4 * 100 + 1];

    memset(too_long, 'A', sizeof(too_long));
    too_long[sizeof(too_long) - 1] = '\0';

    params.device_secret = NULL;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_secret = empty;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_secret = no_base64;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_secret = cut;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_secret = utf8;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
    params.device_secret = too_long;
    CHECK_INT(construct(params), QCLOUD_ERR_INVAL);
#endif
}

static void endpoints(void)
{
    static const char *const bad[] = {"127.0.0.1",   "127.0.0.1:",      ":1883",
                                      "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:port"};
    char                     endpoint[64];
    int                      port = closed_port();

    CHECK(port > 0);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", port);
    setenv("QCLOUD_IOT_MQTT_ENDPOINT", endpoint, 1);
    construct(good_params());

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("QCLOUD_IOT_MQTT_ENDPOINT", bad[i], 1);
        CHECK_INT(construct(good_params()), QCLOUD_ERR_INVAL);
    }
}

int main(void)
{
    setenv("QCLOUD_IOT_MQTT_ENDPOINT", "127.0.0.1:1", 1);
    names();
    credentials();
    endpoints();
    CHECK(IOT_MQTT_Construct(NULL) == NULL);
    CHECK_INT(IOT_MQTT_GetErrCode(), QCLOUD_ERR_INVAL);
    return check_result();
}
