#ifndef QCLOUD_IOT_EXPORT_SYSTEM_H_
#define QCLOUD_IOT_EXPORT_SYSTEM_H_

#ifdef __cplusplus
extern "C" {
#endif

@rust src/ffi/system.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_SYSTEM_H_ */
