/*
 * A device that upgrades its firmware: connects, reports the version it runs, waits for the update command, downloads
 * with resume, checks the MD5 and reports the result.
 *
 * Files, in the current folder:
 *   FW_<client id>_<version>.bin   the firmware, as far as it has come
 *   FW_<client id>.json            how far that is: {"version":..., "md5":..., "size":..., "downloaded":...}
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"

/* Not in the C SDK, with which this file compiles, too. */
#ifdef __has_include
#if __has_include("qcloud_iot_export_ext.h")
#include "qcloud_iot_export_ext.h"
#define CAN_TELL_REASON
#endif
#endif

#define BLOCK_SIZE          5000 /* one IOT_OTA_FetchYield */
#define FETCH_TIMEOUT_S     1
#define YIELD_MS            100
#define SAVE_AFTER_BYTES    (100 * 1024) /* and SAVE_AT_MOST_MS */
#define SAVE_AT_MOST_MS     100          /* writing through to the disk takes its time */
#define SAVE_EVERY_MS       1000
#define ACK_LIMIT_MS        10000
#define CONNECTION_LIMIT_MS 30000
#define RESULT_LIMIT_MS     120000 /* a result can wait: the firmware is there */
#define MAX_RETRY_WAIT_MS   30000
#define MAX_VERSION_LEN     32
#define MD5_HEX_LEN         32
#define MAX_STATE_FILE      512
#define RECENT_ACKS         16
#define MAX_REASON          128
#define MAX_OPTION          1000000 /* attempts or seconds */

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    char    *version;       /* what this device runs */
    bool     use_loop_thread;
    bool     debug_log;
    unsigned attempts;     /* 0: for ever */
    unsigned keep_alive_s; /* 0: the library's default */
} Options;

/* What became of a QoS 1 publish. */
typedef struct {
    int  packet_id;
    bool delivered;
} Ack;

typedef struct {
    Options    options;
    DeviceInfo dev;
    void      *client;
    void      *ota;

    /* Written by the event handler, which runs in the loop thread when there is one. */
    void    *lock;
    Ack      acks[RECENT_ACKS];
    unsigned ack_count;
    bool     reconnected;

    int version_report; /* packet id of the last one */
} Device;

/* What the update command said, and how far the download has come. */
typedef struct {
    char     version[MAX_VERSION_LEN + 1];
    char     file_version[MAX_VERSION_LEN + 1]; /* the same, fit for a file name */
    char     md5[MD5_HEX_LEN + 1];
    uint32_t size;
    uint32_t downloaded;
    char     bin_path[256];
    char     state_path[256];
    FILE    *bin;
    uint32_t saved;    /* bytes the state file speaks of */
    uint32_t saved_ms; /* and when it was written */
    uint32_t shown;    /* bytes when progress was last shown */
    uint32_t shown_ms; /* and when that was */
} Firmware;

typedef enum {
    RESULT_DONE,
    RESULT_STOPPED, /* by a signal */
    RESULT_FAILED,  /* worth another attempt */
} Result;

static volatile sig_atomic_t g_stop = 0;

/* Why this program, and not the library, had to give up. Empty: the library knows better. */
static char g_reason[MAX_REASON];

static void on_signal(int number)
{
    (void)number;
    g_stop = 1;
}

/* Logs why an upgrade fails, and keeps it for the cloud. */
static void give_reason(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(g_reason, sizeof(g_reason), format, arguments);
    va_end(arguments);
    Log_e("%s", g_reason);
}

static uint32_t ms_since(uint32_t start)
{
    return HAL_GetTimeMs() - start; /* unsigned: right across the wrap */
}

/* ---- MQTT ---- */

static void remember_ack(Device *device, int packet_id, bool delivered)
{
    HAL_MutexLock(device->lock);
    Ack *ack       = &device->acks[device->ack_count++ % RECENT_ACKS];
    ack->packet_id = packet_id;
    ack->delivered = delivered;
    HAL_MutexUnlock(device->lock);
}

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    Device      *device    = context;
    unsigned     packet_id = (unsigned)(uintptr_t)event->msg;
    MQTTMessage *message   = event->msg;

    (void)client;
    switch (event->event_type) {
        case MQTT_EVENT_DISCONNECT:
            Log_w("MQTT connection lost");
            break;
        case MQTT_EVENT_RECONNECT:
            Log_i("MQTT connection is back");
            HAL_MutexLock(device->lock);
            device->reconnected = true;
            HAL_MutexUnlock(device->lock);
            break;
        case MQTT_EVENT_SUBCRIBE_SUCCESS:
            Log_d("subscription %u is ready", packet_id);
            break;
        case MQTT_EVENT_SUBCRIBE_TIMEOUT:
        case MQTT_EVENT_SUBCRIBE_NACK:
            Log_e("subscription %u failed", packet_id);
            break;
        case MQTT_EVENT_PUBLISH_SUCCESS:
            Log_d("publish %u was acknowledged", packet_id);
            remember_ack(device, (int)packet_id, true);
            break;
        case MQTT_EVENT_PUBLISH_TIMEOUT:
        case MQTT_EVENT_PUBLISH_NACK:
            Log_w("publish %u was not acknowledged", packet_id);
            remember_ack(device, (int)packet_id, false);
            break;
        case MQTT_EVENT_PUBLISH_RECVEIVED:
            Log_i("message nobody asked for, topic %.*s", (int)message->topic_len, message->ptopic);
            break;
        default:
            Log_d("MQTT event %d", (int)event->event_type);
            break;
    }
}

static bool take_reconnected(Device *device)
{
    HAL_MutexLock(device->lock);
    bool reconnected    = device->reconnected;
    device->reconnected = false;
    HAL_MutexUnlock(device->lock);
    return reconnected;
}

/* Lets MQTT work for `ms`. False when the client has given up and a new one is needed. */
static bool run_mqtt(Device *device, uint32_t ms)
{
    int rc;

#ifdef MULTITHREAD_ENABLED
    if (device->options.use_loop_thread) {
        int exit_code = 0;
        HAL_SleepMs(ms);
        if (!IOT_MQTT_GetLoopStatus(device->client, &exit_code)) {
            Log_e("MQTT loop thread has ended: %d", exit_code);
            return false;
        }
        return true;
    }
#endif
    rc = IOT_MQTT_Yield(device->client, ms);
    if (rc >= 0 || rc == QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT) {
        return true;
    }
    Log_e("MQTT client gave up: %d", rc);
    return false;
}

/* Waits until the connection is up, so that what is published next goes out. */
static bool wait_connected(Device *device)
{
    uint32_t start = HAL_GetTimeMs();

    while (!IOT_MQTT_IsConnected(device->client)) {
        if (g_stop || ms_since(start) > CONNECTION_LIMIT_MS || !run_mqtt(device, YIELD_MS)) {
            return false;
        }
    }
    return true;
}

/* What is known of a QoS 1 publish: true once it has an end, which is then in *delivered. */
static bool find_ack(Device *device, int packet_id, bool *delivered)
{
    bool found = false;

    *delivered = false;
    HAL_MutexLock(device->lock);
    unsigned kept = Min(device->ack_count, RECENT_ACKS);
    for (unsigned i = 0; i < kept; i++) {
        if (device->acks[i].packet_id == packet_id) {
            found      = true;
            *delivered = *delivered || device->acks[i].delivered;
        }
    }
    HAL_MutexUnlock(device->lock);
    return found;
}

/* Waits for the acknowledgement of a result. The library keeps it until it is acknowledged and sends it again after each reconnect, so the
 * time while the connection is down does not count, nor does a publish that timed out. */
static bool wait_result_ack(Device *device, const char *what, int packet_id)
{
    uint32_t start = HAL_GetTimeMs();
    uint32_t up    = start;
    bool     delivered;

    if (packet_id < 0) {
        Log_e("%s could not be published: %d", what, packet_id);
        return false;
    }
    while (!find_ack(device, packet_id, &delivered) || !delivered) {
        if (!IOT_MQTT_IsConnected(device->client)) {
            up = HAL_GetTimeMs();
        }
        if (ms_since(up) > ACK_LIMIT_MS || ms_since(start) > RESULT_LIMIT_MS) {
            Log_e("%s: no acknowledgement", what);
            return false;
        }
        if (g_stop || !run_mqtt(device, YIELD_MS)) {
            return false;
        }
    }
    return true;
}

/* Packet ids come round again: what is remembered from before must not answer for the next publish. */
static void forget_acks(Device *device)
{
    HAL_MutexLock(device->lock);
    device->ack_count = 0;
    HAL_MutexUnlock(device->lock);
}

static void disconnect_device(Device *device)
{
    if (device->client != NULL) {
#ifdef MULTITHREAD_ENABLED
        if (device->options.use_loop_thread) {
            IOT_MQTT_StopLoop(device->client);
        }
#endif
        int rc = IOT_MQTT_Destroy(&device->client);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("MQTT client could not be destroyed: %d", rc);
        }
        device->client = NULL;
    }
    if (device->ota != NULL) {
        int rc = IOT_OTA_Destroy(device->ota);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("OTA handle could not be destroyed: %d", rc);
        }
        device->ota = NULL;
    }
}

#ifdef AUTH_MODE_CERT
/* Where a file named in device_info.json is: as named when absolute or found so, else in ./certs. */
static bool cert_path(char *path, size_t size, const char *name)
{
    char cwd[PATH_MAX];
    int  len;

    if (name[0] == '/' || access(name, R_OK) == 0) {
        len = snprintf(path, size, "%s", name);
    } else if (getcwd(cwd, sizeof(cwd)) != NULL) {
        len = snprintf(path, size, "%s/certs/%s", cwd, name);
    } else {
        Log_e("current folder unknown: %s", strerror(errno));
        return false;
    }
    if (len < 0 || (size_t)len >= size) {
        Log_e("path of %s is longer than %u characters", name, (unsigned)size - 1);
        return false;
    }
    return true;
}
#endif

static bool set_identity(Device *device, MQTTInitParams *params)
{
    params->product_id  = device->dev.product_id;
    params->device_name = device->dev.device_name;
#ifdef MAX_SIZE_OF_REGION
    params->region = device->dev.region;
#endif
#ifdef AUTH_MODE_CERT
    return cert_path(params->cert_file, sizeof(params->cert_file), device->dev.dev_cert_file_name) &&
           cert_path(params->key_file, sizeof(params->key_file), device->dev.dev_key_file_name);
#else
    params->device_secret = device->dev.device_secret;
    return true;
#endif
}

/* Connects and subscribes to update commands, unless that is so already. */
static bool connect_device(Device *device)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    if (device->client != NULL) {
        return true;
    }
    if (!set_identity(device, &params)) {
        return false;
    }
    params.event_handle.h_fp    = on_mqtt_event;
    params.event_handle.context = device;
    if (device->options.keep_alive_s != 0) {
        params.keep_alive_interval_ms = device->options.keep_alive_s * 1000;
    }

    Log_i("connecting as %s", device->dev.client_id);
    device->client = IOT_MQTT_Construct(&params);
    if (device->client == NULL) {
        Log_e("MQTT connection failed: %d", params.err_code);
        return false;
    }
    Log_i("connected");

#ifdef MULTITHREAD_ENABLED
    if (device->options.use_loop_thread) {
        int rc = IOT_MQTT_StartLoop(device->client);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("MQTT loop thread could not be started: %d", rc);
            disconnect_device(device);
            return false;
        }
    }
#endif
    device->ota = IOT_OTA_Init(device->dev.product_id, device->dev.device_name, device->client);
    if (device->ota == NULL) {
        Log_e("OTA could not be initialised");
        disconnect_device(device);
        return false;
    }
    return true;
}

/* ---- Files ---- */

/* Copies a name that came from outside so that it can't leave the folder. */
static void file_name_from(char *out, size_t size, const char *text)
{
    size_t i;

    for (i = 0; text[i] != '\0' && i + 1 < size; i++) {
        bool plain = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
                     (text[i] >= 'a' && text[i] <= 'z') || strchr("._-:", text[i]) != NULL;
        out[i] = plain ? text[i] : '_';
    }
    out[i] = '\0';
}

static bool close_file(FILE *file, const char *path)
{
    if (fclose(file) != 0) {
        give_reason("closing %s failed: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool to_disk(FILE *file, const char *path)
{
    if (fflush(file) != 0 || fsync(fileno(file)) != 0) {
        give_reason("writing %s failed: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* A file that was made, renamed or removed is so for good once its folder is on the disk, too. */
static bool folder_to_disk(void)
{
    int  folder = open(".", O_RDONLY | O_DIRECTORY);
    bool ok     = folder >= 0 && (fsync(folder) == 0 || errno == EINVAL); /* EINVAL: not needed on this file system */

    if (!ok) {
        give_reason("writing the folder's entries failed: %s", strerror(errno));
    }
    if (folder >= 0) {
        close(folder);
    }
    return ok;
}

/* From here on the next start begins at 0. To be called before the data that the state file speaks of goes. */
static bool forget_state(Firmware *fw)
{
    if (remove(fw->state_path) == 0) {
        return folder_to_disk();
    }
    if (errno == ENOENT) {
        return true;
    }
    give_reason("%s can't be removed: %s", fw->state_path, strerror(errno));
    return false;
}

/* Writes the state file in one step, after the data it speaks of: a crash leaves the old state or the new one. */
static bool save_state(Firmware *fw)
{
    char  temp_path[sizeof(fw->state_path) + 4];
    FILE *file;
    bool  ok;

    if (!to_disk(fw->bin, fw->bin_path)) {
        return false;
    }
    snprintf(temp_path, sizeof(temp_path), "%s.tmp", fw->state_path);
    file = fopen(temp_path, "w");
    if (file == NULL) {
        give_reason("%s can't be written: %s", temp_path, strerror(errno));
        return false;
    }
    ok = fprintf(file, "{\"version\":\"%s\",\"md5\":\"%s\",\"size\":%" PRIu32 ",\"downloaded\":%" PRIu32 "}\n",
                 fw->file_version, fw->md5, fw->size, fw->downloaded) > 0 &&
         to_disk(file, temp_path);
    ok = close_file(file, temp_path) && ok;
    if (ok && rename(temp_path, fw->state_path) != 0) {
        give_reason("%s can't be replaced: %s", fw->state_path, strerror(errno));
        ok = false;
    }
    if (!ok) {
        remove(temp_path);
        return false;
    }
    if (!folder_to_disk()) {
        return false;
    }
    fw->saved    = fw->downloaded;
    fw->saved_ms = HAL_GetTimeMs();
    return true;
}

static bool state_text_is(char *state, char *key, const char *expected)
{
    char *value = LITE_json_value_of(key, state);
    bool  same  = value != NULL && strcmp(value, expected) == 0;

    HAL_Free(value);
    return same;
}

static bool state_number(char *state, char *key, uint32_t *number)
{
    char *value = LITE_json_value_of(key, state);
    bool  ok    = value != NULL && LITE_get_uint32(number, value) == QCLOUD_RET_SUCCESS;

    HAL_Free(value);
    return ok;
}

/* How much of this very firmware is in the .bin file, by the state file. 0 when there is none or it is another one. */
static uint32_t stored_bytes(const Firmware *fw)
{
    char        state[MAX_STATE_FILE];
    uint32_t    size       = 0;
    uint32_t    downloaded = 0;
    struct stat bin;
    FILE       *file = fopen(fw->state_path, "r");

    if (file == NULL) {
        return 0;
    }
    size_t len = fread(state, 1, sizeof(state) - 1, file);
    state[len] = '\0';
    fclose(file);

    if (!state_text_is(state, "version", fw->file_version) || !state_text_is(state, "md5", fw->md5) ||
        !state_number(state, "size", &size) || size != fw->size || !state_number(state, "downloaded", &downloaded) ||
        downloaded > fw->size) {
        Log_i("%s is about another firmware, starting from 0", fw->state_path);
        return 0;
    }
    if (stat(fw->bin_path, &bin) != 0 || bin.st_size < (off_t)downloaded) {
        Log_w("%s is missing or shorter than %" PRIu32 " bytes, starting from 0", fw->bin_path, downloaded);
        return 0;
    }
    return downloaded;
}

/* The next attempt starts from 0. */
static void discard_firmware(Firmware *fw)
{
    if (!forget_state(fw)) {
        return;
    }
    if (remove(fw->bin_path) != 0 && errno != ENOENT) {
        Log_e("%s can't be removed: %s", fw->bin_path, strerror(errno));
    }
}

/* Feeds the first `size` bytes of the .bin file to the MD5, block by block. */
static bool hash_stored(Device *device, Firmware *fw, uint32_t size)
{
    char block[BLOCK_SIZE];

    while (size > 0) {
        size_t wanted = Min(size, (uint32_t)sizeof(block));
        if (fread(block, 1, wanted, fw->bin) != wanted) {
            give_reason("reading %s failed", fw->bin_path);
            return false;
        }
        IOT_OTA_UpdateClientMd5(device->ota, block, (uint32_t)wanted);
        size -= (uint32_t)wanted;
    }
    return true;
}

/* Opens the .bin file at the place the download goes on from, and brings the MD5 there. */
static bool open_firmware(Device *device, Firmware *fw)
{
    int rc = IOT_OTA_ResetClientMD5(device->ota);
    if (rc != QCLOUD_RET_SUCCESS) {
        give_reason("MD5 could not be reset: %d", rc);
        return false;
    }

    fw->downloaded = stored_bytes(fw);
    /* A state file that was no good must not become so by what is written now. */
    if (fw->downloaded == 0 && !forget_state(fw)) {
        return false;
    }
    fw->bin = fopen(fw->bin_path, fw->downloaded > 0 ? "r+b" : "w+b");
    if (fw->bin == NULL) {
        give_reason("%s can't be opened: %s", fw->bin_path, strerror(errno));
        return false;
    }
    /* What lies past the stored offset may be a block that was cut in the middle. */
    if (ftruncate(fileno(fw->bin), (off_t)fw->downloaded) != 0) {
        give_reason("%s can't be cut to %" PRIu32 " bytes: %s", fw->bin_path, fw->downloaded, strerror(errno));
        return false;
    }
    if (!hash_stored(device, fw, fw->downloaded)) {
        discard_firmware(fw);
        return false;
    }
    if (fseek(fw->bin, 0, SEEK_END) != 0) {
        give_reason("%s: %s", fw->bin_path, strerror(errno));
        return false;
    }
    if (fw->downloaded > 0) {
        Log_i("resuming at %" PRIu32 " of %" PRIu32 " bytes", fw->downloaded, fw->size);
    }
    fw->saved    = fw->downloaded;
    fw->shown    = fw->downloaded;
    fw->saved_ms = HAL_GetTimeMs();
    fw->shown_ms = fw->saved_ms;
    return true;
}

/* ---- The upgrade ---- */

/* A bar where somebody is watching, a log line a second elsewhere. */
static void show_progress(Firmware *fw, bool last)
{
    bool     bar     = isatty(STDOUT_FILENO);
    uint32_t elapsed = ms_since(fw->shown_ms);

    if (!last && elapsed < (bar ? 100u : 1000u)) {
        return;
    }
    unsigned percent  = fw->size > 0 ? (unsigned)((uint64_t)fw->downloaded * 100 / fw->size) : 100;
    uint64_t kb_per_s = elapsed > 0 ? (uint64_t)(fw->downloaded - fw->shown) / elapsed : 0;
    if (bar) {
        static const char full[] = "########################################";
        printf("\r[%-40.*s] %3u%%  %" PRIu32 "/%" PRIu32 " bytes  %" PRIu64 " kB/s   %s", (int)(percent * 40 / 100),
               full, percent, fw->downloaded, fw->size, kb_per_s, last ? "\n" : "");
        fflush(stdout);
    } else {
        Log_i("downloaded %" PRIu32 " of %" PRIu32 " bytes, %u%%, %" PRIu64 " kB/s", fw->downloaded, fw->size, percent,
              kb_per_s);
    }
    fw->shown_ms = HAL_GetTimeMs();
    fw->shown    = fw->downloaded;
}

/* Tells the cloud about a failure the library can't know of. */
static void report_failure(Device *device)
{
#ifdef CAN_TELL_REASON
    if (g_reason[0] != '\0') {
        IOT_Ext_OTA_SetFailReason(device->ota, g_reason);
    }
#endif
    forget_acks(device);
    wait_result_ack(device, "failure report", IOT_OTA_ReportUpgradeFail(device->ota, NULL));
}

/* False where the version could not be published. Nobody waits for its acknowledgement: the update command may come
 * before it, and says as well that the report has arrived. */
static bool report_version(Device *device)
{
    Log_i("reporting version %s", device->options.version);
    forget_acks(device);
    take_reconnected(device);
    if (!wait_connected(device)) {
        return false;
    }
    device->version_report = IOT_OTA_ReportVersion(device->ota, device->options.version);
    if (device->version_report < 0) {
        Log_e("version report could not be published: %d", device->version_report);
    }
    return device->version_report >= 0;
}

/* Whether the version has to be reported once more: its report may be lost, or the command that answered it. */
static bool is_report_lost(Device *device)
{
    bool delivered;

    return take_reconnected(device) || (find_ack(device, device->version_report, &delivered) && !delivered);
}

/* Reports the version and waits for as long as it takes until the cloud sends an update command. */
static Result wait_for_command(Device *device)
{
    int refusal = QCLOUD_RET_SUCCESS;

    if (!report_version(device)) {
        return g_stop ? RESULT_STOPPED : RESULT_FAILED;
    }
    Log_i("waiting for an update command");
    while (!IOT_OTA_IsFetching(device->ota)) {
        if (g_stop) {
            return RESULT_STOPPED;
        }
        /* A command that comes all the same is followed. */
        if (IOT_OTA_GetLastError(device->ota) != refusal) {
            refusal = IOT_OTA_GetLastError(device->ota);
            if (refusal == IOT_OTA_ERR_REPORT_VERSION) {
                Log_w("the cloud refused the version report");
            }
        }
        if (is_report_lost(device) && !IOT_OTA_IsFetching(device->ota) && !report_version(device)) {
            return g_stop ? RESULT_STOPPED : RESULT_FAILED;
        }
        if (!run_mqtt(device, 200)) {
            disconnect_device(device);
            return RESULT_FAILED;
        }
    }
    return RESULT_DONE;
}

static bool read_command(Device *device, Firmware *fw)
{
    char client_id[sizeof(device->dev.client_id)];
    int  rc;

    memset(fw, 0, sizeof(*fw));
    rc = IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &fw->size, sizeof(fw->size));
    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_OTA_Ioctl(device->ota, IOT_OTAG_VERSION, fw->version, sizeof(fw->version));
    }
    if (rc == QCLOUD_RET_SUCCESS) {
        rc = IOT_OTA_Ioctl(device->ota, IOT_OTAG_MD5SUM, fw->md5, sizeof(fw->md5));
    }
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("update command can't be read: %d, last error %d", rc, IOT_OTA_GetLastError(device->ota));
        return false;
    }
    Log_i("update command: version %s, %" PRIu32 " bytes, md5 %s", fw->version, fw->size, fw->md5);

    file_name_from(fw->file_version, sizeof(fw->file_version), fw->version);
    file_name_from(client_id, sizeof(client_id), device->dev.client_id);
    snprintf(fw->bin_path, sizeof(fw->bin_path), "./FW_%s_%s.bin", client_id, fw->file_version);
    snprintf(fw->state_path, sizeof(fw->state_path), "./FW_%s.json", client_id);
    return true;
}

static bool is_save_due(const Firmware *fw)
{
    uint32_t bytes   = fw->downloaded - fw->saved;
    uint32_t elapsed = ms_since(fw->saved_ms);

    return (bytes >= SAVE_AFTER_BYTES && elapsed >= SAVE_AT_MOST_MS) || (bytes > 0 && elapsed >= SAVE_EVERY_MS);
}

/* Fetches what is missing. The state on disk is right at every moment, whatever the result. */
static Result fetch(Device *device, Firmware *fw)
{
    char block[BLOCK_SIZE];

    while (!IOT_OTA_IsFetchFinish(device->ota)) {
        if (g_stop) {
            Log_i("stopped at %" PRIu32 " of %" PRIu32 " bytes", fw->downloaded, fw->size);
            return save_state(fw) ? RESULT_STOPPED : RESULT_FAILED;
        }
        int len = IOT_OTA_FetchYield(device->ota, block, sizeof(block), FETCH_TIMEOUT_S);
        if (len < 0) {
            Log_e("download failed at %" PRIu32 " bytes: %d, last error %d", fw->downloaded, len,
                  IOT_OTA_GetLastError(device->ota));
            save_state(fw);
            return RESULT_FAILED; /* the library has reported it */
        }
        if (len > 0) {
            if (fwrite(block, 1, (size_t)len, fw->bin) != (size_t)len) {
                give_reason("writing the firmware failed after %" PRIu32 " bytes: %s", fw->downloaded, strerror(errno));
                report_failure(device);
                return RESULT_FAILED;
            }
            fw->downloaded += (uint32_t)len;
        }
        if (is_save_due(fw) && !save_state(fw)) {
            report_failure(device);
            return RESULT_FAILED;
        }
        show_progress(fw, false);

#ifdef MULTITHREAD_ENABLED
        if (device->options.use_loop_thread) {
            continue;
        }
#endif
        /* The download needs no MQTT; what the connection has to say shows after it. */
        (void)IOT_MQTT_Yield(device->client, YIELD_MS);
    }
    show_progress(fw, true);
    if (!save_state(fw)) {
        report_failure(device);
        return RESULT_FAILED;
    }
    return RESULT_DONE;
}

/* Checks what was fetched, installs it and tells the cloud. */
static Result install(Device *device, Firmware *fw)
{
    uint32_t matches = 0;
    int      rc      = IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &matches, sizeof(matches));

    if (rc != QCLOUD_RET_SUCCESS) {
        give_reason("firmware could not be checked: %d, last error %d", rc, IOT_OTA_GetLastError(device->ota));
        report_failure(device);
        return RESULT_FAILED;
    }
    if (!matches) {
        Log_e("MD5 does not match %s, %s is deleted", fw->md5, fw->bin_path);
        discard_firmware(fw);
        return RESULT_FAILED; /* the library has reported it */
    }
    Log_i("MD5 matches: %s", fw->md5);

    forget_acks(device);
    if (!wait_result_ack(device, "upgrade begin", IOT_OTA_ReportUpgradeBegin(device->ota))) {
        return RESULT_FAILED;
    }

    /* A device would now burn fw->bin_path to its flash. */

    forget_acks(device);
    if (!wait_result_ack(device, "upgrade success", IOT_OTA_ReportUpgradeSuccess(device->ota, NULL))) {
        return RESULT_FAILED;
    }
    forget_state(fw); /* where that fails, the next upgrade does it */
    Log_i("upgrade to version %s succeeded, firmware in %s", fw->version, fw->bin_path);
    return RESULT_DONE;
}

static Result download(Device *device, Firmware *fw)
{
    int rc;

    if (!open_firmware(device, fw)) {
        report_failure(device);
        return RESULT_FAILED;
    }
    rc = IOT_OTA_StartDownload(device->ota, fw->downloaded, fw->size);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("download could not be started: %d, last error %d", rc, IOT_OTA_GetLastError(device->ota));
        report_failure(device);
        return RESULT_FAILED;
    }
    return fetch(device, fw);
}

static Result upgrade_once(Device *device)
{
    Firmware fw;
    Result   result;

    g_reason[0] = '\0';
    if (!connect_device(device)) {
        return RESULT_FAILED;
    }
    result = wait_for_command(device);
    if (result != RESULT_DONE) {
        return result;
    }
    if (!read_command(device, &fw)) {
        report_failure(device);
        return RESULT_FAILED;
    }
    result = download(device, &fw);
    if (fw.bin != NULL && !close_file(fw.bin, fw.bin_path) && result == RESULT_DONE) {
        report_failure(device);
        result = RESULT_FAILED;
    }
    return result == RESULT_DONE ? install(device, &fw) : result;
}

/* Waits before the next attempt, longer each time, with the connection kept alive. */
static void wait_before_retry(Device *device, unsigned failures)
{
    uint32_t start = HAL_GetTimeMs();
    uint32_t wait  = failures > 5 ? MAX_RETRY_WAIT_MS : Min(1000u << (failures - 1), MAX_RETRY_WAIT_MS);

    Log_i("next attempt in %" PRIu32 " s", wait / 1000);
    while (!g_stop && ms_since(start) < wait) {
        if (device->client == NULL) {
            HAL_SleepMs(YIELD_MS);
        } else if (!run_mqtt(device, YIELD_MS)) {
            disconnect_device(device);
        }
    }
}

/* The library sends a result that it could not report as soon as the connection is back. */
static void deliver_results(Device *device)
{
    if (device->client != NULL && !IOT_MQTT_IsConnected(device->client)) {
        Log_i("waiting for the connection, to report the result");
        wait_connected(device);
    }
}

static int run(Device *device)
{
    Result   result   = RESULT_FAILED;
    unsigned failures = 0;

    while (!g_stop) {
        result = upgrade_once(device);
        if (result != RESULT_FAILED) {
            break;
        }
        failures++;
        if (device->options.attempts != 0 && failures >= device->options.attempts) {
            Log_e("upgrade failed, no attempt left");
            deliver_results(device);
            break;
        }
        wait_before_retry(device, failures);
    }
    disconnect_device(device);
    if (g_stop && result != RESULT_DONE) {
        Log_i("stopped");
    }
    return result == RESULT_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Start ---- */

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE     device information, default ./device_info.json\n"
           "  -v VERSION  version this device runs, default 1.0.0\n"
           "  -l          let a thread of the library serve MQTT\n"
           "  -n COUNT    give up after so many failed attempts, default 0: never\n"
           "  -k SECONDS  MQTT keep-alive, default 240\n"
           "  -d          debug log\n"
           "  -h          this help\n",
           program);
}

/* True to go on; else *exit_code is set. */
static bool parse_options(int argc, char **argv, Options *options, int *exit_code)
{
    int           option;
    char         *end;
    unsigned long number;

    *exit_code = EXIT_FAILURE;
    while ((option = utils_getopt(argc, argv, "c:v:ln:k:dh")) != -1) {
        switch (option) {
            case 'c':
                options->dev_info_file = utils_optarg;
                break;
            case 'v':
                options->version = utils_optarg;
                break;
            case 'l':
#ifdef MULTITHREAD_ENABLED
                options->use_loop_thread = true;
                break;
#else
                fprintf(stderr, "-l needs a library built with FEATURE_MULTITHREAD_ENABLED ON\n");
                return false;
#endif
            case 'n':
            case 'k':
                number = strtoul(utils_optarg, &end, 10);
                if (*utils_optarg < '0' || *utils_optarg > '9' || *end != '\0' || number > MAX_OPTION) {
                    fprintf(stderr, "-%c needs a number up to %d, not %s\n", option, MAX_OPTION, utils_optarg);
                    return false;
                }
                *(option == 'n' ? &options->attempts : &options->keep_alive_s) = (unsigned)number;
                break;
            case 'd':
                options->debug_log = true;
                break;
            case 'h':
                usage(argv[0]);
                *exit_code = EXIT_SUCCESS;
                return false;
            default:
                usage(argv[0]);
                return false;
        }
    }
    if (options->version[0] == '\0' || strlen(options->version) > MAX_VERSION_LEN) {
        fprintf(stderr, "-v needs 1 to %d characters\n", MAX_VERSION_LEN);
        return false;
    }
    return true;
}

static bool read_identity(Device *device)
{
    int rc;

    if (device->options.dev_info_file != NULL) {
        rc = HAL_SetDevInfoFile(device->options.dev_info_file);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("%s can't be used: %d", device->options.dev_info_file, rc);
            return false;
        }
    }
    rc = HAL_GetDevInfo(&device->dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device information can't be read: %d", rc);
        return false;
    }
    /* Not every platform fills it in. */
    snprintf(device->dev.client_id, sizeof(device->dev.client_id), "%s%s", device->dev.product_id,
             device->dev.device_name);
    return true;
}

/* A daemon may have closed descriptors 0 to 2. The next files opened would get them, and what is printed would end up in
 * the firmware. */
static bool fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    static Device    device = {.options = {.version = "1.0.0"}};
    struct sigaction action;
    int              exit_code;

    if (!fill_standard_descriptors()) {
        return EXIT_FAILURE;
    }
    if (!parse_options(argc, argv, &device.options, &exit_code)) {
        return exit_code;
    }
    IOT_Log_Set_Level(device.options.debug_log ? eLOG_DEBUG : eLOG_INFO);

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0) {
        Log_e("signal handler: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (!read_identity(&device)) {
        return EXIT_FAILURE;
    }
    device.lock = HAL_MutexCreate();
    if (device.lock == NULL) {
        Log_e("out of memory");
        return EXIT_FAILURE;
    }
    exit_code = run(&device);
    HAL_MutexDestroy(device.lock);
    return exit_code;
}
