/* A C++ firmware includes the headers as they are and links the same line. */

#include "check.h"

#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"
#include "utils_timer.h"

int main()
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;
    char           json[] = "{\"key\":\"value\"}";
    char           key[]  = "key";
    char          *value  = LITE_json_value_of(key, json);
    Timer          timer;

    CHECK_STR(value, "value");
    HAL_Free(value);
    InitTimer(&timer);
    CHECK(expired(&timer));
    CHECK(IOT_MQTT_Construct(&params) == NULL);
    CHECK_INT(params.err_code, QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_OTA_GetLastError(NULL), IOT_OTA_ERR_INVALID_PARAM);
    Log_i("from C++: %d", 1);
    return check_result();
}
