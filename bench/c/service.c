/*
 * A device that uses one service, or none: only its size is measured. SERVICE_<NAME> says which (bench/CMakeLists.txt).
 */

#include "device.h"

#include "qcloud_iot_import.h"
#if defined(SERVICE_COAP) || defined(SERVICE_COAP_UPGRADES)
#include "qcloud_iot_export_coap.h"
#endif
#if defined(SERVICE_SLOTS)
#include "qcloud_iot_export_upgrade.h"
#endif

#if defined(SERVICE_SHADOW)
static void use(Device *device)
{
    ShadowInitParams params = DEFAULT_SHAWDOW_INIT_PARAMS;
    int32_t          value  = 1;
    DeviceProperty   state  = {"state", &value, JINT32, false};
    char             document[200];
    void            *shadow;

    params.product_id    = device->info.product_id;
    params.device_name   = device->info.device_name;
    params.device_secret = device->info.device_secret;
    shadow               = IOT_Shadow_Construct(&params);
    IOT_Shadow_Register_Property(shadow, &state, NULL);
    IOT_Shadow_Get_Sync(shadow, 5000);
    IOT_Shadow_JSON_ConstructReport(shadow, document, sizeof(document), 1, &state);
    IOT_Shadow_Update_Sync(shadow, document, sizeof(document), 5000);
    IOT_Shadow_Yield(shadow, 200);
    IOT_Shadow_Destroy(shadow);
}
#elif defined(SERVICE_GATEWAY) || defined(SERVICE_UPGRADES)
static void use(Device *device)
{
    GatewayInitParam init  = DEFAULT_GATEWAY_INIT_PARAMS;
    GatewayParam     param = DEFAULT_GATEWAY_PARAMS;
    void            *gateway;

    init.init_param.product_id    = device->info.product_id;
    init.init_param.device_name   = device->info.device_name;
    init.init_param.device_secret = device->info.device_secret;
    gateway                       = IOT_Gateway_Construct(&init);
    param.product_id              = device->info.product_id;
    param.device_name             = device->info.device_name;
    param.subdev_product_id       = device->info.product_id;
    param.subdev_device_name      = "sub";
    IOT_Gateway_Subdev_Bind(gateway, &param, &device->info);
    IOT_Gateway_Subdev_Online(gateway, &param);
#if defined(SERVICE_UPGRADES)
    device->client = IOT_Gateway_Get_Mqtt_Client(gateway);
    device->ota    = IOT_OTA_Init(device->info.product_id, "sub", device->client);
    device_report_version(device, "1.0.0");
    device_start_download(device);
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        char block[1000];

        device_fetch(device, block, sizeof(block), 1);
    }
    device_check_firmware(device);
    device_report_success(device);
    IOT_OTA_Destroy(device->ota);
#endif
    IOT_Gateway_Yield(gateway, 200);
    IOT_Gateway_Subdev_Offline(gateway, &param);
    IOT_Gateway_Destroy(gateway);
}
#elif defined(SERVICE_BROADCAST)
static void on_broadcast(void *client, const char *text, uint32_t len)
{
    (void)client;
    printf("%.*s\n", (int)len, text);
}

static void use(Device *device)
{
    IOT_Broadcast_Subscribe(device->client, on_broadcast);
}
#elif defined(SERVICE_RRPC)
static void on_request(void *client, const char *text, uint32_t len)
{
    sRRPCReplyPara para     = {eRRPC_SUCCESS, "", NULL, 0};
    char           answer[] = "ok";

    printf("%.*s\n", (int)len, text);
    IOT_RRPC_Reply(client, answer, sizeof(answer), &para);
}

static void use(Device *device)
{
    IOT_RRPC_Init(device->client, on_request);
}
#elif defined(SERVICE_CONFIGURATION)
static void on_config(void *client, int result, char *json, int len)
{
    (void)client;
    printf("%d %.*s\n", result, len, json);
}

static void use(Device *device)
{
    static char                    json[1024];
    static ConfigSubscirbeUserData data = {on_config, sizeof(json), json};
    char                           question[32];

    IOT_Subscribe_Config(device->client, &data, 5000);
    IOT_Get_Config(device->client, question, sizeof(question), 5000);
}
#elif defined(SERVICE_RESOURCE)
static void use(Device *device)
{
    void    *resource = IOT_Resource_Init(device->info.product_id, device->info.device_name, device->client);
    char     name[] = "file", md5[33], block[1000] = {0};
    uint32_t matches = 0;

    IOT_Resource_UploadMd5Update(resource, block, sizeof(block));
    IOT_Resource_Upload_Md5_Finish(resource, md5);
    IOT_Resource_Upload_Request(resource, name, sizeof(block), md5);
    while (!IOT_Resource_IsStartUpload(resource)) {
        IOT_MQTT_Yield(device->client, 200);
    }
    IOT_Resource_StartUpload(resource, NULL);
    IOT_Resource_UploadYield(resource, block, sizeof(block), 5);
    IOT_Resource_UploadIoctl(resource, QCLOUD_IOT_RESOURCE_MD5CHECK_E, &matches, sizeof(matches));
    IOT_Resource_ReportUploadSuccess(resource, NULL);
    IOT_Resource_GetDownloadTask(resource);
    while (!IOT_Resource_IsStartDownload(resource)) {
        IOT_MQTT_Yield(device->client, 200);
    }
    IOT_Resource_StartDownload(resource, 0, 0);
    while (!IOT_Resource_IsDownloadFinish(resource)) {
        IOT_Resource_DownloadYield(resource, block, sizeof(block), 1);
    }
    IOT_Resource_DownloadIoctl(resource, QCLOUD_IOT_RESOURCE_MD5CHECK_E, &matches, sizeof(matches));
    IOT_Resource_ReportDownloadSuccess(resource, NULL);
    IOT_Resource_DeInit(resource);
}
#elif defined(SERVICE_REGISTRATION)
static void use(Device *device)
{
    if (IOT_DynReg_Device(&device->info) == QCLOUD_RET_SUCCESS) {
        HAL_SetDevInfo(&device->info);
    }
}
#elif defined(SERVICE_LOG)
static void use(Device *device)
{
    LogUploadInitParams params;

    memset(&params, 0, sizeof(params));
    params.product_id  = device->info.product_id;
    params.device_name = device->info.device_name;
    params.sign_key    = device->info.device_secret;
    IOT_Log_Init_Uploader(&params);
    IOT_Log_Upload(true);
    IOT_Log_Fini_Uploader();
}
#elif defined(SERVICE_COAP) || defined(SERVICE_COAP_UPGRADES)
static void use(Device *device)
{
    CoAPInitParams init    = DEFAULT_COAPINIT_PARAMS;
    SendMsgParams  params  = DEFAULT_SENDMSG_PARAMS;
    char           topic[] = "product/device/data", text[] = "hello";
    void          *client;

    init.product_id     = device->info.product_id;
    init.device_name    = device->info.device_name;
    init.device_secret  = device->info.device_secret;
    client              = IOT_COAP_Construct(&init);
    params.pay_load     = text;
    params.pay_load_len = strlen(text);
    IOT_COAP_SendMessage(client, topic, &params);
#if defined(SERVICE_COAP_UPGRADES)
    device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, client);
    IOT_OTA_ReportVersion(device->ota, "1.0.0");
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        char block[1000];

        IOT_COAP_Yield(client, 200);
        device_fetch(device, block, sizeof(block), 1);
    }
    device_check_firmware(device);
    IOT_OTA_ReportUpgradeSuccess(device->ota, NULL);
    IOT_OTA_Destroy(device->ota);
#endif
    IOT_COAP_Yield(client, 200);
    IOT_COAP_Destroy(&client);
}
#elif defined(SERVICE_OTA)
static void use(Device *device)
{
    device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, device->client);
    device_report_version(device, "1.0.0");
    device_start_download(device);
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        char block[1000];

        device_fetch(device, block, sizeof(block), 1);
    }
    device_check_firmware(device);
    device_report_success(device);
    IOT_OTA_Destroy(device->ota);
}
#elif defined(SERVICE_SLOTS)
static void use(Device *device)
{
    IOT_Upgrade_Pair   pair;
    IOT_Upgrade_Params params;
    void              *upgrade;

    memset(&pair, 0, sizeof(pair));
    memset(&params, 0, sizeof(params));
    pair.slot[0]        = "/dev/mmcblk0p2";
    pair.slot[1]        = "/dev/mmcblk0p3";
    pair.record         = "/data/upgrade";
    pair.link           = "/data/current";
    params.client       = device->client;
    params.version      = "1.0.0";
    params.pair         = &pair;
    params.is_automatic = 1;
    params.public_keys  = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";
    upgrade             = IOT_Upgrade_Init(&params);
    IOT_Upgrade_ConfirmRunning(upgrade);
    while (IOT_Upgrade_Yield(upgrade, 200) == 0) {
    }
    IOT_Upgrade_Destroy(upgrade);
}
#else
static void use(Device *device)
{
    (void)device;
}
#endif

int main(void)
{
    static Device  device;
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&device.info) != QCLOUD_RET_SUCCESS) {
        return EXIT_FAILURE;
    }
    params.product_id    = device.info.product_id;
    params.device_name   = device.info.device_name;
    params.device_secret = device.info.device_secret;
    device.client        = IOT_MQTT_Construct(&params);
    use(&device);
    IOT_MQTT_Yield(device.client, 200);
    IOT_MQTT_Destroy(&device.client);
    return EXIT_SUCCESS;
}
