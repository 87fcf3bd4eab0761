#ifndef QCLOUD_IOT_EXPORT_BROADCAST_H_
#define QCLOUD_IOT_EXPORT_BROADCAST_H_

#include <stdint.h>

#include "config.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef BROADCAST_ENABLED
@rust abi/src/broadcast.rs src/ffi/broadcast.rs@
#endif /* BROADCAST_ENABLED */

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_BROADCAST_H_ */
