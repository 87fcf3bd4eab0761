#ifndef QCLOUD_IOT_COMMON_H_
#define QCLOUD_IOT_COMMON_H_

@rust abi/src/common.rs@

#endif /* QCLOUD_IOT_COMMON_H_ */
