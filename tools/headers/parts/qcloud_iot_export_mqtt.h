/* First, since it defines DeviceInfo and then includes this header. */
#include "qcloud_iot_export.h"

#ifndef QCLOUD_IOT_EXPORT_MQTT_H_
#define QCLOUD_IOT_EXPORT_MQTT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qcloud_iot_export_variables.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/mqtt.rs src/ffi/mqtt.rs@
/** A QOS0 message without topic and payload. */
#define DEFAULT_PUB_PARAMS              \
    {                                   \
        QOS0, 0, 0, 0, NULL, 0, NULL, 0 \
    }

/** A QOS0 subscription without handlers. */
#define DEFAULT_SUB_PARAMS     \
    {                          \
        QOS0, NULL, NULL, NULL \
    }

/** No identity, default times, clean session, automatic reconnection, no event handler. */
@3.2 #ifdef AUTH_MODE_CERT
@3.2 #define DEFAULT_MQTTINIT_PARAMS                                                                                         \
@3.2     {                                                                                                                   \
@3.2         NULL, NULL, {0}, {0}, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL, 1, 1, {NULL, NULL}, \
@3.2             0                                                                                                           \
@3.2     }
@3.2 #else
@3.2 #define DEFAULT_MQTTINIT_PARAMS                                                                                       \
@3.2     {                                                                                                                 \
@3.2         NULL, NULL, NULL, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL, 1, 1, {NULL, NULL}, 0 \
@3.2     }
@3.2 #endif
@3.3 #ifdef AUTH_MODE_CERT
@3.3 #define DEFAULT_MQTTINIT_PARAMS                                                                                 \
@3.3     {                                                                                                           \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, {0}, {0}, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, 240000, 1, 1, \
@3.3             {NULL, NULL}, 0                                                                                     \
@3.3     }
@3.3 #else
@3.3 #define DEFAULT_MQTTINIT_PARAMS                                                                             \
@3.3     {                                                                                                       \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, NULL, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, 240000, 1, 1, \
@3.3             {NULL, NULL}, 0                                                                                 \
@3.3     }
@3.3 #endif

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_MQTT_H_ */
