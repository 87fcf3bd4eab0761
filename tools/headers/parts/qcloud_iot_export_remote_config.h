#ifndef QCLOUD_IOT_EXPORT_REMOTE_CONFIG_H_
#define QCLOUD_IOT_EXPORT_REMOTE_CONFIG_H_

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/remote_config.rs src/ffi/remote_config.rs@
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_REMOTE_CONFIG_H_ */
