#ifndef QCLOUD_IOT_EXPORT_OTA_H_
#define QCLOUD_IOT_EXPORT_OTA_H_

#include "qcloud_iot_import.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/ota.rs src/ffi/ota.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_OTA_H_ */
