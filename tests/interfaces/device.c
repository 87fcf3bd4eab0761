/* A program of one interface: with the headers of a build, or as an object of the C SDK's days (abi.h, freestanding.py). */
#ifdef OLD_OBJECT
#include "abi.h"
#else
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"
#endif

#include <stdio.h>
#include <string.h>

/* What an init struct ends with. The other interface's library must not write there. */
typedef struct {
    MQTTInitParams params;
    unsigned char  behind[64];
} Guarded;

/* Exit code: 0 where no client came and nothing was written, 1 otherwise. Arguments: the region, "NULL" for none. */
int main(int argc, char **argv)
{
    MQTTInitParams defaults = DEFAULT_MQTTINIT_PARAMS;
    Guarded        mqtt, before;
    void          *client;

    memset(&mqtt, 0x5a, sizeof(mqtt));
    mqtt.params               = defaults;
    mqtt.params.product_id    = "PRODUCTID0";
    mqtt.params.device_name   = "lamp";
    mqtt.params.device_secret = "c2VjcmV0c2VjcmV0";
#ifdef MAX_SIZE_OF_REGION
    if (argc > 1) {
        mqtt.params.region = strcmp(argv[1], "NULL") == 0 ? NULL : argv[1];
    }
#else
    (void)argc;
    (void)argv;
#endif
    memcpy(&before, &mqtt, sizeof(mqtt));
    client = IOT_MQTT_Construct(&mqtt.params);
    printf("\nclient %s, code %d, struct %s\n", client ? "made" : "refused", IOT_MQTT_GetErrCode(),
           memcmp(&before, &mqtt, sizeof(mqtt)) == 0 ? "untouched" : "written to");
    return client == NULL && memcmp(&before, &mqtt, sizeof(mqtt)) == 0 ? 0 : 1;
}
