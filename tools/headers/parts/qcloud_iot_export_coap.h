/* First, since it defines DeviceInfo and then includes this header. */
#include "qcloud_iot_export.h"

#ifndef QCLOUD_IOT_EXPORT_COAP_H_
#define QCLOUD_IOT_EXPORT_COAP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@rust abi/src/coap.rs src/ffi/coap.rs@
/** An empty message that needs no answer. */
#define DEFAULT_SENDMSG_PARAMS     \
    {                              \
        false, NULL, 0, NULL, NULL \
    }

/** No identity, 2 s for an acknowledgement, 5 retries, no event handler. */
@3.2 #ifdef AUTH_MODE_CERT
@3.2 #define DEFAULT_COAPINIT_PARAMS                       \
@3.2     {                                                 \
@3.2         NULL, NULL, {0}, {0}, 2000, 5, { NULL, NULL } \
@3.2     }
@3.2 #else
@3.2 #define DEFAULT_COAPINIT_PARAMS                   \
@3.2     {                                             \
@3.2         NULL, NULL, NULL, 2000, 5, { NULL, NULL } \
@3.2     }
@3.2 #endif
@3.3 #ifdef AUTH_MODE_CERT
@3.3 #define DEFAULT_COAPINIT_PARAMS                                                          \
@3.3     {                                                                                    \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, {0}, {0}, 2000, 5, { NULL, NULL } \
@3.3     }
@3.3 #else
@3.3 #define DEFAULT_COAPINIT_PARAMS                                                      \
@3.3     {                                                                                \
@3.3         (char *)QCLOUD_IOT_DEFAULT_REGION, NULL, NULL, NULL, 2000, 5, { NULL, NULL } \
@3.3     }
@3.3 #endif

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_EXPORT_COAP_H_ */
