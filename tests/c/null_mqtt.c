/* Every IOT_MQTT_* function and IOT_Get_SysTime with NULL and with handles that never were. */

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

static char topic[] = "PRODUCTID0/device/data";

static void check_handle(void *client)
{
    PublishParams   publish   = DEFAULT_PUB_PARAMS;
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;
    long            seconds   = 7;

    CHECK_INT(IOT_MQTT_Yield(client, 100), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Publish(client, topic, &publish), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Publish(client, NULL, NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Subscribe(client, topic, &subscribe), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Subscribe(client, NULL, NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Unsubscribe(client, topic), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Unsubscribe(client, NULL), QCLOUD_ERR_INVAL);
    CHECK(!IOT_MQTT_IsSubReady(client, topic));
    CHECK(!IOT_MQTT_IsSubReady(client, NULL));
    CHECK(!IOT_MQTT_IsConnected(client));
    CHECK(IOT_MQTT_GetDeviceInfo(client) == NULL);
#ifdef MULTITHREAD_ENABLED
    int exit_code = 7;
    CHECK_INT(IOT_MQTT_StartLoop(client), QCLOUD_ERR_INVAL);
    IOT_MQTT_StopLoop(client);
    CHECK(!IOT_MQTT_GetLoopStatus(client, &exit_code));
    CHECK(!IOT_MQTT_GetLoopStatus(client, NULL));
    IOT_MQTT_SetLoopStatus(client, true);
#endif
    CHECK(IOT_Get_SysTime(client, &seconds) < 0);
    CHECK(IOT_Get_SysTime(client, NULL) < 0);
    CHECK(IOT_Sync_NTPTime(client) < 0);
}

int main(void)
{
    char  nothing[512];
    void *handle = NULL;

    memset(nothing, 0, sizeof(nothing));
    IOT_Log_Set_Level(eLOG_DEBUG);

    check_handle(NULL);
    check_handle(nothing);
    check_handle((void *)1);

    CHECK(IOT_MQTT_Construct(NULL) == NULL);
    CHECK_INT(IOT_MQTT_Destroy(NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_MQTT_Destroy(&handle), QCLOUD_ERR_INVAL);
    handle = nothing;
    CHECK_INT(IOT_MQTT_Destroy(&handle), QCLOUD_ERR_INVAL);
    return check_result();
}
