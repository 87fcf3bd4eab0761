/*
 * A device that hands the cloud a file and takes one from it (interface of the C SDK 3.3.0): uploads ./uploadtest, then asks
 * for a download until there is one, stores it in ./download_<client id>_<name> and checks its MD5. It goes on where it
 * stopped: ./download_<client id>.json holds how far it was. It prints "uploaded uploadtest" and "downloaded <name>", and
 * ends with 0 when both are done.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define BLOCK_SIZE  5000 /* one UploadYield or DownloadYield */
#define TRANSFER_S  5
#define YIELD_MS    200
#define LOOK_ROUNDS 5   /* of YIELD_MS between two looks at what the cloud says */
#define ASK_ROUNDS  60  /* looks until the cloud is asked once more */
#define LINK_ROUNDS 300 /* of YIELD_MS for a reconnect */
#define ACK_ROUNDS  50  /* of YIELD_MS for an acknowledgement */
#define MAX_NAME    64
#define MAX_PATH    256
#define MD5_TEXT    33
#define UPLOAD_FILE "./uploadtest"
#define UPLOAD_NAME "uploadtest"

typedef struct {
    void *mqtt;
    void *resource;
    char  client_id[MAX_SIZE_OF_PRODUCT_ID + MAX_SIZE_OF_DEVICE_NAME + 1];
} Device;

/* The packet id that the server has acknowledged last. */
static volatile uintptr_t acknowledged;

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    (void)client;
    (void)context;
    switch (event->event_type) {
        case MQTT_EVENT_DISCONNECT:
            Log_w("MQTT connection lost");
            break;
        case MQTT_EVENT_RECONNECT:
            Log_i("MQTT connection is back");
            break;
        case MQTT_EVENT_PUBLISH_SUCCESS:
            acknowledged = (uintptr_t)event->msg;
            break;
        default:
            break;
    }
}

static bool drive(Device *device)
{
    int rc = IOT_MQTT_Yield(device->mqtt, YIELD_MS);

    /* While the client connects again by itself, driving it goes on. */
    return rc >= 0 || rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT;
}

/* What was transferred while the link was down is reported when it is back. */
static void wait_for_link(Device *device)
{
    int round;

    for (round = 0; round < LINK_ROUNDS && !IOT_MQTT_IsConnected(device->mqtt) && drive(device); round++) {
    }
}

/* Whether a message that was published under this id has arrived. */
static bool is_acknowledged(Device *device, int packet_id)
{
    int round;

    for (round = 0; packet_id > 0 && round < ACK_ROUNDS && acknowledged != (uintptr_t)packet_id; round++) {
        if (!drive(device)) {
            return false;
        }
    }
    return packet_id > 0 && acknowledged == (uintptr_t)packet_id;
}

static long file_md5(Device *device, FILE *file, char *md5)
{
    char   block[BLOCK_SIZE];
    size_t count;
    long   size = 0;

    IOT_Resource_UploadResetClientMD5(device->resource);
    while ((count = fread(block, 1, sizeof(block), file)) > 0) {
        IOT_Resource_UploadMd5Update(device->resource, block, (int)count);
        size += (long)count;
    }
    IOT_Resource_Upload_Md5_Finish(device->resource, md5);
    rewind(file);
    return size;
}

/* Sends the file, piece by piece. */
static bool send_file(Device *device, FILE *file)
{
    char   block[BLOCK_SIZE];
    size_t count = 0;

    if (IOT_Resource_StartUpload(device->resource, NULL) != QCLOUD_RET_SUCCESS) {
        return false;
    }
    while (IOT_Resource_IsUploadFinish(device->resource) == 0) {
        int sent;

        if (count == 0) {
            count = fread(block, 1, sizeof(block), file);
        }
        sent = IOT_Resource_UploadYield(device->resource, block, (uint32_t)count, TRANSFER_S);
        if (sent < 0) {
            Log_e("the upload failed: %d", sent);
            return false;
        }
        /* 0 before the end: none of the piece went, so it goes again. */
        if (sent > 0) {
            count = 0;
        }
        if (!drive(device)) {
            return false;
        }
    }
    return true;
}

static bool is_md5_right(Device *device, bool is_upload)
{
    uint32_t matches = 0;
    int      rc;

    if (is_upload) {
        rc = IOT_Resource_UploadIoctl(device->resource, QCLOUD_IOT_RESOURCE_MD5CHECK_E, &matches, sizeof(matches));
    } else {
        rc = IOT_Resource_DownloadIoctl(device->resource, QCLOUD_IOT_RESOURCE_MD5CHECK_E, &matches, sizeof(matches));
    }
    return rc == QCLOUD_RET_SUCCESS && matches == 1;
}

static bool upload(Device *device)
{
    char  md5[MD5_TEXT];
    char  name[] = UPLOAD_NAME;
    FILE *file   = fopen(UPLOAD_FILE, "rb");
    long  size;
    bool  ok;

    if (file == NULL) {
        Log_e("%s can't be read", UPLOAD_FILE);
        return false;
    }
    size = file_md5(device, file, md5);
    ok   = is_acknowledged(device, IOT_Resource_Upload_Request(device->resource, name, (int)size, md5));
    while (ok && IOT_Resource_IsStartUpload(device->resource) == 0) {
        ok = drive(device) && IOT_Resource_UploadGetLastError(device->resource) == 0;
    }
    ok = ok && send_file(device, file) && is_md5_right(device, true);
    fclose(file);
    wait_for_link(device);
    if (ok) {
        int result = IOT_Resource_ReportUploadSuccess(device->resource, NULL);

        ok = result == 0;
        if (!ok) {
            Log_e("the cloud does not take the upload: %d", result);
        }
    } else {
        Log_e("not uploaded: %d", IOT_Resource_UploadGetLastError(device->resource));
        IOT_Resource_ReportUploadFail(device->resource, name);
    }
    if (ok) {
        Log_i("uploaded %s", UPLOAD_NAME);
    }
    return ok;
}

static void state_path(const Device *device, char *path, size_t size)
{
    snprintf(path, size, "./download_%s.json", device->client_id);
}

static void save_state(const Device *device, uint32_t downloaded)
{
    char  path[MAX_PATH];
    FILE *file;

    state_path(device, path, sizeof(path));
    file = fopen(path, "w");
    if (file != NULL) {
        fprintf(file, "{\"downloaded_size\":%u}", (unsigned)downloaded);
        fclose(file);
    }
}

static uint32_t read_state(const Device *device)
{
    char     path[MAX_PATH];
    char     text[MAX_PATH] = {0};
    char     key[]          = "downloaded_size";
    uint32_t downloaded     = 0;
    FILE    *file;

    state_path(device, path, sizeof(path));
    file = fopen(path, "r");
    if (file != NULL) {
        if (fread(text, 1, sizeof(text) - 1, file) > 0) {
            char *value = LITE_json_value_of(key, text);

            downloaded = value != NULL ? (uint32_t)strtoul(value, NULL, 10) : 0;
            HAL_Free(value);
        }
        fclose(file);
    }
    return downloaded;
}

/* Feeds the MD5 with what is there; returns how much that is. */
static uint32_t resume(Device *device, FILE *file, uint32_t wanted)
{
    char     block[BLOCK_SIZE];
    uint32_t there = 0;

    IOT_Resource_DownloadResetClientMD5(device->resource);
    while (there < wanted) {
        size_t room  = wanted - there < sizeof(block) ? wanted - there : sizeof(block);
        size_t count = fread(block, 1, room, file);

        if (count == 0) {
            break;
        }
        IOT_Resource_UpdateDownloadClientMd5(device->resource, block, (uint32_t)count);
        there += (uint32_t)count;
    }
    return there;
}

static bool fetch_file(Device *device, FILE *file, uint32_t size)
{
    char     block[BLOCK_SIZE];
    uint32_t wanted     = read_state(device);
    uint32_t downloaded = resume(device, file, wanted < size ? wanted : 0);

    if (IOT_Resource_StartDownload(device->resource, downloaded, size) != QCLOUD_RET_SUCCESS ||
        fseek(file, (long)downloaded, SEEK_SET) != 0) {
        return false;
    }
    while (IOT_Resource_IsDownloadFinish(device->resource) == 0) {
        int count = IOT_Resource_DownloadYield(device->resource, block, sizeof(block), TRANSFER_S);

        if (count < 0) {
            Log_e("the download failed: %d", count);
            return false;
        }
        if (fwrite(block, 1, (size_t)count, file) != (size_t)count || fflush(file) != 0) {
            Log_e("the file can't be written");
            return false;
        }
        downloaded += (uint32_t)count;
        save_state(device, downloaded);
        if (!drive(device)) {
            return false;
        }
    }
    return true;
}

/* Where a name of the cloud leads to must be this folder. */
static bool is_plain(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL;
}

static bool download(Device *device)
{
    char     name[MAX_NAME + 1] = {0};
    char     path[MAX_PATH];
    uint32_t size = 0;
    FILE    *file = NULL;
    unsigned look;
    unsigned round;
    bool     ok = true;

    for (look = 0; ok && IOT_Resource_IsStartDownload(device->resource) == 0; look++) {
        /* A message that was lost with the connection does not come again by itself. */
        if (look % ASK_ROUNDS == 0) {
            is_acknowledged(device, IOT_Resource_GetDownloadTask(device->resource));
        }
        for (round = 0; ok && round < LOOK_ROUNDS && IOT_Resource_IsStartDownload(device->resource) == 0; round++) {
            ok = drive(device);
        }
    }
    ok = ok && IOT_Resource_DownloadIoctl(device->resource, QCLOUD_IOT_RESOURCE_NAME_E, name, sizeof(name)) == 0 &&
         IOT_Resource_DownloadIoctl(device->resource, QCLOUD_IOT_RESOURCE_SIZE_E, &size, sizeof(size)) == 0;
    if (ok && is_plain(name)) {
        snprintf(path, sizeof(path), "./download_%s_%s", device->client_id, name);
        file = fopen(path, "r+b");
        file = file != NULL ? file : fopen(path, "w+b");
    }
    ok = file != NULL && fetch_file(device, file, size) && is_md5_right(device, false);
    if (file != NULL) {
        fclose(file);
    }
    wait_for_link(device);
    if (!ok) {
        Log_e("not downloaded: %d", IOT_Resource_DownloadGetLastError(device->resource));
        save_state(device, 0);
        is_acknowledged(device, IOT_Resource_ReportDownloadFail(device->resource, name));
        return false;
    }
    save_state(device, 0);
    if (!is_acknowledged(device, IOT_Resource_ReportDownloadSuccess(device->resource, NULL))) {
        Log_e("the result was not taken");
        return false;
    }
    Log_i("downloaded %s", name);
    return true;
}

static bool open_device(Device *device, DeviceInfo *dev)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.region      = dev->region;
    params.product_id  = dev->product_id;
    params.device_name = dev->device_name;
#ifdef AUTH_MODE_CERT
    snprintf(params.cert_file, sizeof(params.cert_file), "certs/%s", dev->dev_cert_file_name);
    snprintf(params.key_file, sizeof(params.key_file), "certs/%s", dev->dev_key_file_name);
#else
    params.device_secret = dev->device_secret;
#endif
    params.event_handle.h_fp = on_mqtt_event;

    snprintf(device->client_id, sizeof(device->client_id), "%s%s", dev->product_id, dev->device_name);
    device->mqtt = IOT_MQTT_Construct(&params);
    if (device->mqtt == NULL) {
        Log_e("the device could not connect: %d", params.err_code);
        return false;
    }
    device->resource = IOT_Resource_Init(dev->product_id, dev->device_name, device->mqtt);
    if (device->resource == NULL) {
        Log_e("the resource service is not there");
        IOT_MQTT_Destroy(&device->mqtt);
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, unsigned *attempts)
{
    int option;

    while ((option = utils_getopt(argc, argv, "c:l:")) != -1) {
        switch (option) {
            case 'c':
                HAL_SetDevInfoFile(utils_optarg);
                break;
            case 'l':
                *attempts = (unsigned)strtoul(utils_optarg, NULL, 10);
                break;
            default:
                printf("Usage: %s [options]\n"
                       "  -c FILE   the device's identity (default: the platform's device_info.json)\n"
                       "  -l COUNT  attempts (default: until both worked)\n",
                       argv[0]);
                return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned   attempts = 0;
    unsigned   attempt;
    Device     device = {NULL, NULL, {0}};
    DeviceInfo dev;
    bool       is_uploaded   = false;
    bool       is_downloaded = false;

    IOT_Log_Set_Level(eLOG_INFO);
    if (!parse(argc, argv, &attempts)) {
        return EXIT_FAILURE;
    }
    if (HAL_GetDevInfo(&dev) != QCLOUD_RET_SUCCESS) {
        Log_e("device info can't be read");
        return EXIT_FAILURE;
    }
    if (!open_device(&device, &dev)) {
        return EXIT_FAILURE;
    }
    for (attempt = 0; !(is_uploaded && is_downloaded) && (attempts == 0 || attempt < attempts); attempt++) {
        is_uploaded   = is_uploaded || upload(&device);
        is_downloaded = is_downloaded || download(&device);
    }
    IOT_Resource_DeInit(device.resource);
    IOT_MQTT_Destroy(&device.mqtt);
    return is_uploaded && is_downloaded ? EXIT_SUCCESS : EXIT_FAILURE;
}
