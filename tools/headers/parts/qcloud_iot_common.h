#ifndef QCLOUD_IOT_COMMON_H_
#define QCLOUD_IOT_COMMON_H_

@rust abi/src/common.rs@
@3.3 /** Length of QCLOUD_IOT_DEVICE_SDK_APPID in characters. */
@3.3 #define QCLOUD_IOT_DEVICE_SDK_APPID_LEN (sizeof(QCLOUD_IOT_DEVICE_SDK_APPID) - 1)
@3.3 

#endif /* QCLOUD_IOT_COMMON_H_ */
