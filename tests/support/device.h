/* The device of these tests, and how it connects. In KEY mode its secret is of no use to anybody. */
#ifndef TESTS_SUPPORT_DEVICE_H_
#define TESTS_SUPPORT_DEVICE_H_

#include "qcloud_iot_export.h"

#define DEVICE_PRODUCT "PRODUCTID0"
#define DEVICE_NAME    "device"

static char product[] = DEVICE_PRODUCT;
static char device[]  = DEVICE_NAME;

static inline MQTTInitParams device_params(void)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;
#ifndef AUTH_MODE_CERT
    static char secret[] = "MDEyMzQ1Njc4OWFiY2RlZg==";

    params.device_secret = secret;
#endif
    params.product_id  = product;
    params.device_name = device;
    return params;
}

/* A client, or NULL and why not. */
static inline void *device_connect(int *error)
{
    MQTTInitParams params = device_params();
    void          *client = IOT_MQTT_Construct(&params);

    *error = params.err_code;
    return client;
}

#endif /* TESTS_SUPPORT_DEVICE_H_ */
