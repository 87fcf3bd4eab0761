#ifndef QCLOUD_IOT_EXPORT_VARIABLES_H_
#define QCLOUD_IOT_EXPORT_VARIABLES_H_

@mark@

@rust abi/src/variables.rs@

#endif /* QCLOUD_IOT_EXPORT_VARIABLES_H_ */
