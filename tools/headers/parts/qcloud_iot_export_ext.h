#ifndef QCLOUD_IOT_EXPORT_EXT_H_
#define QCLOUD_IOT_EXPORT_EXT_H_

/* What this library offers besides the C SDK's functions. qcloud_iot_export.h does not include it: a program that does
 * will not build with the C SDK. */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

@rust src/ffi/ext.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_EXT_H_ */
