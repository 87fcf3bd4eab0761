/* First, since it defines DeviceInfo and then includes this header. */
#include "qcloud_iot_export.h"

#ifndef QCLOUD_IOT_EXPORT_GATEWAY_H_
#define QCLOUD_IOT_EXPORT_GATEWAY_H_

#include "qcloud_iot_export_mqtt.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/gateway.rs src/ffi/gateway.rs@
/** No identity. */
#define DEFAULT_GATEWAY_PARAMS \
    {                          \
        NULL, NULL, NULL, NULL \
    }

/** Default MQTT connection, no event handler. */
#define DEFAULT_GATEWAY_INIT_PARAMS         \
    {                                       \
        DEFAULT_MQTTINIT_PARAMS, NULL, NULL \
    }

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_GATEWAY_H_ */
