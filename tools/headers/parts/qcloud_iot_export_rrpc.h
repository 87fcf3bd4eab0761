#ifndef QCLOUD_IOT_EXPORT_RRPC_H_
#define QCLOUD_IOT_EXPORT_RRPC_H_

#include <stdint.h>

#include "qcloud_iot_import.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef RRPC_ENABLED
@rust abi/src/rrpc.rs src/ffi/rrpc.rs@
#endif /* RRPC_ENABLED */

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_RRPC_H_ */
