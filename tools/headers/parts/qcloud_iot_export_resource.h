#ifndef QCLOUD_IOT_EXPORT_RESOURCE_H_
#define QCLOUD_IOT_EXPORT_RESOURCE_H_

#include "qcloud_iot_import.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/resource.rs src/ffi/resource.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_RESOURCE_H_ */
