#ifndef QLCOUD_IOT_EXPORT_DYNREG_H_
#define QLCOUD_IOT_EXPORT_DYNREG_H_

#include "qcloud_iot_export.h"

#ifdef __cplusplus
extern "C" {
#endif

@rust src/ffi/dynreg.rs@
#ifdef __cplusplus
}
#endif

#endif /* QLCOUD_IOT_EXPORT_DYNREG_H_ */
