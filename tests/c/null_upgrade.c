/* Every IOT_Upgrade_* function with a NULL handle and with handles that never were: the documented error, no crash. */

#include "check.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_export_upgrade.h"

static void check_handle(void *handle)
{
    IOT_Upgrade_Status status;

    memset(&status, 0x5A, sizeof(status));
    CHECK_INT(IOT_Upgrade_Yield(handle, 1), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_Accept(handle), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_Defer(handle, 1), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_Cancel(handle), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_ConfirmRunning(handle), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_GetStatus(handle, &status), QCLOUD_ERR_INVAL);
    CHECK_INT(status.state, 0x5A5A5A5A);
    CHECK_INT(IOT_Upgrade_GetStatus(handle, NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Upgrade_Destroy(handle), QCLOUD_ERR_INVAL);
}

/* No client makes a handle, whatever else is said. */
static void check_client(void *client)
{
    IOT_Upgrade_Pair   pair;
    IOT_Upgrade_Store  store;
    IOT_Upgrade_Params params;

    memset(&pair, 0, sizeof(pair));
    memset(&store, 0, sizeof(store));
    memset(&params, 0, sizeof(params));
    params.client = client;
    CHECK(IOT_Upgrade_Init(&params) == NULL);
    params.version = "1.0.0";
    CHECK(IOT_Upgrade_Init(&params) == NULL);
    params.pair = &pair;
    CHECK(IOT_Upgrade_Init(&params) == NULL);
    params.store = &store;
    CHECK(IOT_Upgrade_Init(&params) == NULL);
}

int main(void)
{
    char nothing[512];

    memset(nothing, 0, sizeof(nothing));
    IOT_Log_Set_Level(eLOG_DEBUG);

    check_handle(NULL);
    check_handle(nothing);
    check_handle((void *)1);

    CHECK(IOT_Upgrade_Init(NULL) == NULL);
    check_client(NULL);
    check_client(nothing);
    check_client((void *)1);
    return check_result();
}
