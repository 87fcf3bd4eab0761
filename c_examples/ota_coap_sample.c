/*
 * A device that upgrades its firmware and talks to the cloud over CoAP: reports the version it runs until the answer is an
 * update command, downloads, checks the MD5 and reports the result. The firmware is then in
 * FW_<product id><device name>_<version>.bin.
 *
 * Every download begins at its start; ota_mqtt_sample.c shows how one is resumed.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcloud_iot_export.h"
#include "qcloud_iot_export_coap.h"
#include "utils_getopt.h"

#define BLOCK_SIZE      5000 /* one IOT_OTA_FetchYield */
#define FETCH_TIMEOUT_S 1
#define YIELD_MS        200
#define ASK_EVERY_MS    5000  /* over CoAP, a device has to ask for its command */
#define ASKS            6     /* over one connection */
#define ANSWER_LIMIT_MS 30000 /* longer than the library repeats a report */
#define TRIES           5
#define PAUSE_MS        1000
#define MAX_VERSION_LEN 32

typedef struct {
    DeviceInfo dev;
    void      *client;
    void      *ota;
    int        ended; /* the report that ended last */
    bool       has_arrived;
} Device;

static void on_coap_event(void *context, CoAPEventMessage *event)
{
    Device *device = context;

    device->has_arrived = event->event_type >= 0;
    /* With content comes the message itself, else its id. */
    device->ended = event->event_type == COAP_EVENT_RECEIVE_RESPCONTENT ? IOT_COAP_GetMessageId(event->message)
                                                                        : (int)(uintptr_t)event->message;
}

static bool connect_device(Device *device)
{
    CoAPInitParams init = DEFAULT_COAPINIT_PARAMS;

    init.product_id  = device->dev.product_id;
    init.device_name = device->dev.device_name;
#ifdef AUTH_MODE_CERT
    snprintf(init.cert_file, sizeof(init.cert_file), "certs/%s", device->dev.dev_cert_file_name);
    snprintf(init.key_file, sizeof(init.key_file), "certs/%s", device->dev.dev_key_file_name);
#else
    init.device_secret = device->dev.device_secret;
#endif
    init.event_handle.h_fp    = on_coap_event;
    init.event_handle.context = device;

    for (int tries = 0; tries < TRIES && device->client == NULL; tries++) {
        HAL_SleepMs(tries * PAUSE_MS);
        device->client = IOT_COAP_Construct(&init);
    }
    if (device->client == NULL) {
        Log_e("the device could not connect");
        return false;
    }
    device->ota = IOT_OTA_Init(device->dev.product_id, device->dev.device_name, device->client);
    if (device->ota == NULL) {
        Log_e("no upgrades");
        return false;
    }
    return true;
}

static void disconnect_device(Device *device)
{
    if (device->ota != NULL) {
        IOT_OTA_Destroy(device->ota);
        device->ota = NULL;
    }
    if (device->client != NULL) {
        IOT_COAP_Destroy(&device->client);
    }
}

/* Whether an update command was the answer to one of some version reports. */
static bool ask_for_command(Device *device, const char *version)
{
    for (int asks = 0; asks < ASKS; asks++) {
        uint32_t asked = HAL_GetTimeMs();
        int      rc    = IOT_OTA_ReportVersion(device->ota, version);
        if (rc < 0) {
            Log_e("version could not be reported: %d", rc);
            return false;
        }
        while (HAL_GetTimeMs() - asked < ASK_EVERY_MS) {
            if (IOT_COAP_Yield(device->client, YIELD_MS) == QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY) {
                Log_e("the cloud has closed the connection");
                return false;
            }
            if (IOT_OTA_IsFetching(device->ota)) {
                return true;
            }
        }
    }
    return false;
}

/* The library does not connect again by itself, and a connection that brings no command may be one that the cloud has
 * forgotten. */
static bool wait_for_command(Device *device, const char *version)
{
    do {
        disconnect_device(device);
        if (!connect_device(device)) {
            return false;
        }
    } while (!ask_for_command(device, version));
    return true;
}

static bool fetch(Device *device, FILE *file)
{
    char     block[BLOCK_SIZE];
    uint32_t matches = 0;

    /* The first IOT_OTA_FetchYield begins the download. */
    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        int len = IOT_OTA_FetchYield(device->ota, block, sizeof(block), FETCH_TIMEOUT_S);
        if (len < 0 || (len > 0 && fwrite(block, 1, (size_t)len, file) != (size_t)len)) {
            return false;
        }
        (void)IOT_COAP_Yield(device->client, YIELD_MS);
    }
    return IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &matches, sizeof(matches)) == QCLOUD_RET_SUCCESS &&
           matches != 0;
}

/* Whether the cloud has the report of this id. */
static bool has_arrived(Device *device, int id)
{
    uint32_t start = HAL_GetTimeMs();

    while (id > 0 && device->ended != id && HAL_GetTimeMs() - start < ANSWER_LIMIT_MS) {
        if (IOT_COAP_Yield(device->client, YIELD_MS) == QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY) {
            return false;
        }
    }
    return id > 0 && device->ended == id && device->has_arrived;
}

/* The library repeats a report a few times and gives up then; what the cloud must know is worth another connection. */
static bool report(Device *device, const char *what, int (*send)(void *ota, const char *version), const char *version)
{
    for (int tries = 0; tries < TRIES; tries++) {
        if (has_arrived(device, send(device->ota, version))) {
            return true;
        }
        Log_w("%s did not arrive", what);
        disconnect_device(device);
        if (!connect_device(device)) {
            return false;
        }
    }
    return false;
}

static bool upgrade(Device *device)
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
    Log_i("update command: version %s, %" PRIu32 " bytes", version, size);
    /* The cloud chooses the version: no path of its own. */
    snprintf(path, sizeof(path), "./FW_%s%s_%.*s.bin", device->dev.product_id, device->dev.device_name,
             (int)strcspn(version, "/\\"), version);
    file = fopen(path, "wb");
    ok   = file != NULL && fetch(device, file);
    ok   = file != NULL && fclose(file) == 0 && ok;
    if (!ok) {
        Log_e("upgrade failed: last error %d", IOT_OTA_GetLastError(device->ota));
        report(device, "upgrade failure", IOT_OTA_ReportUpgradeFail, version);
        return false;
    }
    /* Whoever watches may miss it. */
    if (!has_arrived(device, IOT_OTA_ReportUpgradeBegin(device->ota))) {
        Log_w("upgrade begin did not arrive");
    }
    /* A device would now burn the file to its flash. */
    if (!report(device, "upgrade success", IOT_OTA_ReportUpgradeSuccess, version)) {
        return false;
    }
    Log_i("upgrade succeeded, firmware in %s", path);
    return true;
}

int main(int argc, char **argv)
{
    static Device device;
    const char   *version = "1.0.0";
    int           option;
    int           rc;
    bool          ok;

    IOT_Log_Set_Level(eLOG_INFO);
    while ((option = utils_getopt(argc, argv, "c:v:")) != -1) {
        if (option == 'c') {
            HAL_SetDevInfoFile(utils_optarg);
        } else if (option == 'v') {
            version = utils_optarg;
        } else {
            printf("Usage: %s [-c FILE] [-v VERSION]\n"
                   "  -c FILE     the device's identity (default: the platform's device_info.json)\n"
                   "  -v VERSION  what the device runs (default: 1.0.0)\n",
                   argv[0]);
            return EXIT_FAILURE;
        }
    }
    rc = HAL_GetDevInfo(&device.dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    ok = wait_for_command(&device, version) && upgrade(&device);
    disconnect_device(&device);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
