/*
 * A gateway that upgrades the firmware of the devices behind it: puts each online, reports the version it runs, waits for
 * update commands, and downloads one firmware after the other to FW_<product id><device name>_<version>.bin.
 *
 * It prints each device that comes online, each update command, and how each upgrade ended.
 *
 * device_info.json names the gateway and, in "subDev", the first device; more of that product are named with -s. Every
 * download begins at its start; ota_mqtt_sample.c shows how one is resumed.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define BLOCK_SIZE      5000
#define FETCH_TIMEOUT_S 1
#define YIELD_MS        200
#define BLOCK_YIELD_MS  100
#define ACK_LIMIT_MS    10000
#define MAX_DEVICES     8
#define MAX_VERSION_LEN 32

typedef struct {
    const char *name;
    void       *ota;
} Device;

typedef struct {
    void             *handle;
    GatewayDeviceInfo info;
    Device            devices[MAX_DEVICES];
    int               count;
    volatile int      acked; /* the packet that was acknowledged last */
} Gateway;

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    Gateway *gateway = context;

    (void)client;
    switch (event->event_type) {
        case MQTT_EVENT_DISCONNECT:
            Log_w("MQTT connection lost");
            break;
        case MQTT_EVENT_RECONNECT:
            Log_i("MQTT connection is back");
            break;
        case MQTT_EVENT_PUBLISH_SUCCESS:
            gateway->acked = (int)(uintptr_t)event->msg;
            break;
        default:
            break;
    }
}

static bool connect_gateway(Gateway *gateway)
{
    GatewayInitParam init   = DEFAULT_GATEWAY_INIT_PARAMS;
    MQTTInitParams  *params = &init.init_param;
    DeviceInfo      *dev    = &gateway->info.gw_info;

    params->product_id  = dev->product_id;
    params->device_name = dev->device_name;
#ifdef MAX_SIZE_OF_REGION
    params->region = dev->region;
#endif
#ifdef AUTH_MODE_CERT
    snprintf(params->cert_file, sizeof(params->cert_file), "certs/%s", dev->dev_cert_file_name);
    snprintf(params->key_file, sizeof(params->key_file), "certs/%s", dev->dev_key_file_name);
#else
    params->device_secret = dev->device_secret;
#endif
    params->event_handle.h_fp    = on_mqtt_event;
    params->event_handle.context = gateway;

    gateway->handle = IOT_Gateway_Construct(&init);
    if (gateway->handle == NULL) {
        Log_e("the gateway could not connect: %d", params->err_code);
    }
    return gateway->handle != NULL;
}

static bool begin(Gateway *gateway, Device *device, const char *version)
{
    char        *product_id = gateway->info.sub_dev_info->product_id;
    GatewayParam param      = DEFAULT_GATEWAY_PARAMS;
    int          rc;

    param.product_id         = gateway->info.gw_info.product_id;
    param.device_name        = gateway->info.gw_info.device_name;
    param.subdev_product_id  = product_id;
    param.subdev_device_name = (char *)device->name;

    rc = IOT_Gateway_Subdev_Online(gateway->handle, &param);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("%s could not be put online: %d", device->name, rc);
        return false;
    }
    device->ota = IOT_OTA_Init(product_id, device->name, IOT_Gateway_Get_Mqtt_Client(gateway->handle));
    if (device->ota == NULL) {
        Log_e("%s: no upgrades", device->name);
        return false;
    }
    rc = IOT_OTA_ReportVersion(device->ota, version);
    if (rc < 0) {
        Log_e("%s: version could not be reported: %d", device->name, rc);
        return false;
    }
    Log_i("online: %s, version %s", device->name, version);
    return true;
}

/* The newest device with an update command. */
static Device *find_fetching(Gateway *gateway)
{
    int at = gateway->count;

    while (at > 0) {
        at--;
        if (IOT_OTA_IsFetching(gateway->devices[at].ota)) {
            return &gateway->devices[at];
        }
    }
    return NULL;
}

static bool fetch(Gateway *gateway, Device *device, uint32_t size, FILE *file)
{
    char     block[BLOCK_SIZE];
    uint32_t matches = 0;

    if (IOT_OTA_StartDownload(device->ota, 0, size) != QCLOUD_RET_SUCCESS) {
        return false;
    }
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        int len = IOT_OTA_FetchYield(device->ota, block, sizeof(block), FETCH_TIMEOUT_S);
        if (len < 0 || (len > 0 && fwrite(block, 1, (size_t)len, file) != (size_t)len)) {
            return false;
        }
        IOT_Gateway_Yield(gateway->handle, BLOCK_YIELD_MS);
    }
    return IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &matches, sizeof(matches)) == QCLOUD_RET_SUCCESS &&
           matches != 0;
}

/* Whether the cloud has it. */
static bool is_acked(Gateway *gateway, int packet_id)
{
    uint32_t start = HAL_GetTimeMs();

    while (packet_id > 0 && gateway->acked != packet_id && HAL_GetTimeMs() - start < ACK_LIMIT_MS) {
        IOT_Gateway_Yield(gateway->handle, YIELD_MS);
    }
    return packet_id > 0 && gateway->acked == packet_id;
}

static bool upgrade(Gateway *gateway, Device *device)
{
    uint32_t size = 0;
    char     version[MAX_VERSION_LEN + 1];
    char     path[256];
    FILE    *file;
    bool     ok;

    if (IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)) != QCLOUD_RET_SUCCESS ||
        IOT_OTA_Ioctl(device->ota, IOT_OTAG_VERSION, version, sizeof(version)) != QCLOUD_RET_SUCCESS) {
        return false;
    }
    Log_i("update command for %s: version %s, %" PRIu32 " bytes", device->name, version, size);
    /* The cloud chooses the version: no path of its own. */
    version[strcspn(version, "/\\")] = '\0';
    snprintf(path, sizeof(path), "./FW_%s%s_%s.bin", gateway->info.sub_dev_info->product_id, device->name, version);
    file = fopen(path, "wb");
    ok   = file != NULL && fetch(gateway, device, size, file);
    ok   = file != NULL && fclose(file) == 0 && ok;
    if (!ok) {
        Log_e("upgrade of %s failed: last error %d", device->name, IOT_OTA_GetLastError(device->ota));
        is_acked(gateway, IOT_OTA_ReportUpgradeFail(device->ota, NULL));
        return false;
    }
    /* A gateway would now hand the file on to the device, which burns it. */
    ok = is_acked(gateway, IOT_OTA_ReportUpgradeBegin(device->ota)) &&
         is_acked(gateway, IOT_OTA_ReportUpgradeSuccess(device->ota, NULL));
    if (!ok) {
        Log_e("upgrade of %s: the result was not acknowledged", device->name);
        return false;
    }
    Log_i("upgrade of %s succeeded, firmware in %s", device->name, path);
    return true;
}

/* `upgrades` of them, 0: for ever. */
static bool serve(Gateway *gateway, unsigned upgrades)
{
    unsigned done = 0;

    while (upgrades == 0 || done < upgrades) {
        int     rc     = IOT_Gateway_Yield(gateway->handle, YIELD_MS);
        Device *device = find_fetching(gateway);
        if (rc < 0 && rc != QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT) {
            Log_e("the gateway has no connection any more: %d", rc);
            return false;
        }
        if (device != NULL) {
            if (!upgrade(gateway, device)) {
                return false;
            }
            done++;
        }
    }
    return true;
}

static bool run(Gateway *gateway, const char *version, unsigned upgrades)
{
    bool ok = connect_gateway(gateway);
    int  at;

    if (!ok) {
        return false;
    }
#ifdef MULTITHREAD_ENABLED
    ok = IOT_MQTT_StartLoop(IOT_Gateway_Get_Mqtt_Client(gateway->handle)) == QCLOUD_RET_SUCCESS;
#endif
    for (at = 0; ok && at < gateway->count; at++) {
        ok = begin(gateway, &gateway->devices[at], version);
    }
    ok = ok && serve(gateway, upgrades);
    for (at = 0; at < gateway->count; at++) {
        if (gateway->devices[at].ota != NULL) {
            IOT_OTA_Destroy(gateway->devices[at].ota);
        }
    }
#ifdef MULTITHREAD_ENABLED
    IOT_MQTT_StopLoop(IOT_Gateway_Get_Mqtt_Client(gateway->handle));
#endif
    return IOT_Gateway_Destroy(gateway->handle) == QCLOUD_RET_SUCCESS && ok;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE     the gateway's and the first device's identity (default: the platform's device_info.json)\n"
           "  -s NAME     one more device of that product; up to %d in all\n"
           "  -v VERSION  what the devices run (default: 0.1)\n"
           "  -l COUNT    ends after so many upgrades (default: never)\n",
           program, MAX_DEVICES);
}

int main(int argc, char **argv)
{
    static Gateway gateway  = {.count = 1}; /* the first device is the file's */
    const char    *version  = "0.1";
    unsigned       upgrades = 0;
    int            option;
    int            rc;
    bool           ok;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:s:v:l:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 's' && gateway.count < MAX_DEVICES) {
            gateway.devices[gateway.count++].name = utils_optarg;
        } else if (option == 'v') {
            version = utils_optarg;
        } else if (option == 'l') {
            upgrades = (unsigned)strtoul(utils_optarg, NULL, 10);
        } else {
            usage(argv[0]);
            return EXIT_FAILURE;
        }
    }
    rc = HAL_GetGwDevInfo(&gateway.info);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        HAL_Free(gateway.info.sub_dev_info);
        return EXIT_FAILURE;
    }
    gateway.devices[0].name = gateway.info.sub_dev_info->device_name;
    ok                      = run(&gateway, version, upgrades);
    HAL_Free(gateway.info.sub_dev_info);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
