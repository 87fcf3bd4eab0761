#ifndef QCLOUD_IOT_UTILS_TIMER_H_
#define QCLOUD_IOT_UTILS_TIMER_H_

#include "qcloud_iot_import.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/timer.rs src/ffi/timer.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_UTILS_TIMER_H_ */
