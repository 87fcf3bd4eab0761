#ifndef QCLOUD_IOT_EXPORT_UPGRADE_H_
#define QCLOUD_IOT_EXPORT_UPGRADE_H_

/* Signed upgrades into the other of two slots. The C SDK has nothing like it: qcloud_iot_export.h does not include this header,
 * and a program that does will not build with the C SDK. Option FEATURE_UPGRADE; docs/upgrade.md explains it. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/upgrade.rs src/ffi/upgrade.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_UPGRADE_H_ */
