#ifndef QCLOUD_IOT_EXPORT_H_
#define QCLOUD_IOT_EXPORT_H_

/* The whole interface: this header includes all others of the library. */

#include "config.h"
#include "platform.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/export.rs@

#ifdef __cplusplus
}
#endif

/* After DeviceInfo, which they use. */
#include "qcloud_iot_export_broadcast.h"
#include "qcloud_iot_export_rrpc.h"
#include "qcloud_iot_export_coap.h"
#include "qcloud_iot_export_dynreg.h"
#include "qcloud_iot_export_error.h"
#include "qcloud_iot_export_log.h"
#include "qcloud_iot_export_mqtt.h"
#include "qcloud_iot_export_gateway.h"
#include "qcloud_iot_export_ota.h"
#include "qcloud_iot_export_remote_config.h"
@3.3 #include "qcloud_iot_export_resource.h"
#include "qcloud_iot_export_shadow.h"
#include "qcloud_iot_export_system.h"
#include "qcloud_iot_export_variables.h"

#endif /* QCLOUD_IOT_EXPORT_H_ */
