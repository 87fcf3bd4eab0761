/* First, since it defines DeviceInfo and then includes this header. */
#include "qcloud_iot_export.h"

#ifndef QCLOUD_IOT_EXPORT_SHADOW_H_
#define QCLOUD_IOT_EXPORT_SHADOW_H_

#include "qcloud_iot_export_mqtt.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/shadow.rs src/ffi/shadow.rs@
/* These take count pointers to DeviceProperty after count. */
/** Writes the text of a report of some properties into jsonBuffer. Returns 0 or an error code. */
extern int IOT_Shadow_JSON_ConstructReport(void *pClient, char *jsonBuffer, size_t sizeOfBuffer, uint8_t count, ...);

/** As IOT_Shadow_JSON_ConstructReport, and what was reported before is replaced. */
extern int IOT_Shadow_JSON_Construct_OverwriteReport(void *pClient, char *jsonBuffer, size_t sizeOfBuffer,
                                                     uint8_t count, ...);

/** As IOT_Shadow_JSON_ConstructReport, and what was desired is cleared. */
extern int IOT_Shadow_JSON_ConstructReportAndDesireAllNull(void *pClient, char *jsonBuffer, size_t sizeOfBuffer,
                                                           uint8_t count, ...);

/* The data type behind each TYPE_DEF_TEMPLATE_ type. */
#define TYPE_TEMPLATE_INT     JINT32
#define TYPE_TEMPLATEENUM     JINT32
#define TYPE_TEMPLATE_FLOAT   JFLOAT
#define TYPE_TEMPLATE_BOOL    JINT8
#define TYPE_TEMPLATE_STRING  JSTRING
#define TYPE_TEMPLATE_TIME    JUINT32
#define TYPE_TEMPLATE_JOBJECT JOBJECT

/** No identity, default times, clean session, automatic reconnection, no event handler, a device shadow. */
@3.2 #ifdef AUTH_MODE_CERT
@3.2 #define DEFAULT_SHAWDOW_INIT_PARAMS                                                                                     \
@3.2     {                                                                                                                   \
@3.2         NULL, NULL, {0}, {0}, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL, 1, 1, {NULL, NULL}, \
@3.2             eSHADOW                                                                                                     \
@3.2     }
@3.2 #else
@3.2 #define DEFAULT_SHAWDOW_INIT_PARAMS                                                                                 \
@3.2     {                                                                                                               \
@3.2         NULL, NULL, NULL, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, QCLOUD_IOT_MQTT_KEEP_ALIVE_INTERNAL, 1, 1, {NULL, NULL}, \
@3.2             eSHADOW                                                                                                 \
@3.2     }
@3.2 #endif
@3.3 #ifdef AUTH_MODE_CERT
@3.3 #define DEFAULT_SHAWDOW_INIT_PARAMS                                                                             \
@3.3     {                                                                                                           \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, {0}, {0}, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, 240000, 1, 1, \
@3.3             {NULL, NULL}, eSHADOW                                                                               \
@3.3     }
@3.3 #else
@3.3 #define DEFAULT_SHAWDOW_INIT_PARAMS                                                                         \
@3.3     {                                                                                                       \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, NULL, QCLOUD_IOT_MQTT_COMMAND_TIMEOUT, 240000, 1, 1, \
@3.3             {NULL, NULL}, eSHADOW                                                                           \
@3.3     }
@3.3 #endif

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_SHADOW_H_ */
