#ifndef QCLOUD_IOT_EXPORT_SYSTEM_H_
#define QCLOUD_IOT_EXPORT_SYSTEM_H_

#ifdef __cplusplus
extern "C" {
#endif

@rust src/ffi/system.rs@
@3.3 /** Lets the cloud open a tunnel to this machine's SSH server. Returns 0 or an error code. */
@3.3 extern int IOT_Ssh_enable(void *pClient);
@3.3 
#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_SYSTEM_H_ */
