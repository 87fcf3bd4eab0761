/*
 * A device that talks to itself: subscribes to its topic <product id>/<device name>/data, publishes a JSON message
 * there every second and prints what comes back. The topic must allow both (it does in the console's defaults).
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"

#define YIELD_MS      200
#define PUBLISH_EVERY 1000 /* ms */
#define WAIT_LIMIT_MS 10000
#define MAX_TOPIC     128
#define MAX_MESSAGE   128

typedef struct {
    char    *dev_info_file; /* NULL: the platform's default */
    unsigned count;         /* 0: for ever */
    bool     use_loop_thread;
    bool     debug_log;
} Options;

typedef struct {
    Options    options;
    DeviceInfo dev;
    void      *client;
    char       topic[MAX_TOPIC + 1];

    /* Written by the handlers, which run in the loop thread when there is one. */
    void    *lock;
    unsigned acknowledged;
    unsigned lost;
    unsigned received;
    bool     subscribe_failed;
} Device;

static volatile sig_atomic_t g_stop = 0;

static void on_signal(int number)
{
    (void)number;
    g_stop = 1;
}

static void add_one(Device *device, unsigned *counter)
{
    HAL_MutexLock(device->lock);
    ++*counter;
    HAL_MutexUnlock(device->lock);
}

static unsigned value_of(Device *device, const unsigned *counter)
{
    HAL_MutexLock(device->lock);
    unsigned value = *counter;
    HAL_MutexUnlock(device->lock);
    return value;
}

static void on_mqtt_event(void *client, void *context, MQTTEventMsg *event)
{
    Device  *device    = context;
    unsigned packet_id = (unsigned)(uintptr_t)event->msg;

    (void)client;
    switch (event->event_type) {
        case MQTT_EVENT_DISCONNECT:
            Log_w("MQTT connection lost");
            break;
        case MQTT_EVENT_RECONNECT:
            Log_i("MQTT connection is back");
            break;
        case MQTT_EVENT_PUBLISH_SUCCESS:
            Log_i("publish %u was acknowledged", packet_id);
            add_one(device, &device->acknowledged);
            break;
        case MQTT_EVENT_PUBLISH_TIMEOUT:
        case MQTT_EVENT_PUBLISH_NACK:
            Log_e("publish %u was not acknowledged", packet_id);
            add_one(device, &device->lost);
            break;
        default:
            Log_d("MQTT event %d", (int)event->event_type);
            break;
    }
}

static void on_subscription_event(void *client, MQTTEventType event, void *context)
{
    Device *device = context;

    (void)client;
    switch (event) {
        case MQTT_EVENT_SUBCRIBE_SUCCESS:
            Log_i("subscribed to %s", device->topic);
            break;
        case MQTT_EVENT_SUBCRIBE_TIMEOUT:
        case MQTT_EVENT_SUBCRIBE_NACK:
            Log_e("subscription to %s failed", device->topic);
            HAL_MutexLock(device->lock);
            device->subscribe_failed = true;
            HAL_MutexUnlock(device->lock);
            break;
        case MQTT_EVENT_UNSUBSCRIBE:
            Log_i("unsubscribed from %s", device->topic);
            break;
        default:
            break;
    }
}

static void on_message(void *client, MQTTMessage *message, void *context)
{
    Device *device = context;

    (void)client;
    Log_i("received on %.*s: %.*s", (int)message->topic_len, message->ptopic, (int)message->payload_len,
          (const char *)message->payload);
    add_one(device, &device->received);
}

/* Lets MQTT work for `ms`. False when the client has given up. */
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

static bool subscribe(Device *device)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;
    uint32_t        start  = HAL_GetTimeMs();
    int             rc;

    params.qos                  = QOS1;
    params.on_message_handler   = on_message;
    params.on_sub_event_handler = on_subscription_event;
    params.user_data            = device;
    rc                          = IOT_MQTT_Subscribe(device->client, device->topic, &params);
    if (rc < 0) {
        Log_e("subscription to %s could not be sent: %d", device->topic, rc);
        return false;
    }
    while (!IOT_MQTT_IsSubReady(device->client, device->topic)) {
        HAL_MutexLock(device->lock);
        bool failed = device->subscribe_failed;
        HAL_MutexUnlock(device->lock);
        if (failed || g_stop || HAL_GetTimeMs() - start > WAIT_LIMIT_MS || !run_mqtt(device, YIELD_MS)) {
            return false;
        }
    }
    return true;
}

static bool publish(Device *device, unsigned number)
{
    PublishParams params = DEFAULT_PUB_PARAMS;
    char          message[MAX_MESSAGE];
    int           len = snprintf(message, sizeof(message), "{\"action\": \"publish_test\", \"count\": \"%u\"}", number);
    int           rc;

    params.qos         = QOS1;
    params.payload     = message;
    params.payload_len = (size_t)len;
    rc                 = IOT_MQTT_Publish(device->client, device->topic, &params);
    if (rc < 0) {
        Log_e("message %u could not be published: %d", number, rc);
        return false;
    }
    Log_i("published message %u as packet %d", number, rc);
    return true;
}

/* Publishes `count` messages a second apart and waits until each has been acknowledged and has come back. */
static bool talk(Device *device)
{
    unsigned count = device->options.count;
    unsigned sent  = 0;
    unsigned tried = 0;
    uint32_t start;

    while (!g_stop && (count == 0 || tried < count)) {
        start = HAL_GetTimeMs();
        if (publish(device, ++tried)) {
            sent++;
        }
        while (!g_stop && HAL_GetTimeMs() - start < PUBLISH_EVERY) {
            /* After the last message there is nothing to be late for. */
            if (tried == count && value_of(device, &device->received) >= sent) {
                break;
            }
            if (!run_mqtt(device, YIELD_MS)) {
                return false;
            }
        }
    }
    start = HAL_GetTimeMs();
    while (!g_stop && HAL_GetTimeMs() - start < WAIT_LIMIT_MS &&
           (value_of(device, &device->acknowledged) + value_of(device, &device->lost) < sent ||
            value_of(device, &device->received) < sent)) {
        if (!run_mqtt(device, YIELD_MS)) {
            return false;
        }
    }
    unsigned acknowledged = value_of(device, &device->acknowledged);
    unsigned received     = value_of(device, &device->received);
    Log_i("%u published, %u acknowledged, %u received", sent, acknowledged, received);
    return g_stop || (sent == tried && acknowledged == sent && received >= sent);
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

static bool connect_device(Device *device)
{
    MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;

    params.product_id  = device->dev.product_id;
    params.device_name = device->dev.device_name;
#ifdef MAX_SIZE_OF_REGION
    params.region = device->dev.region;
#endif
#ifdef AUTH_MODE_CERT
    if (!cert_path(params.cert_file, sizeof(params.cert_file), device->dev.dev_cert_file_name) ||
        !cert_path(params.key_file, sizeof(params.key_file), device->dev.dev_key_file_name)) {
        return false;
    }
#else
    params.device_secret = device->dev.device_secret;
#endif
    params.event_handle.h_fp    = on_mqtt_event;
    params.event_handle.context = device;

    device->client = IOT_MQTT_Construct(&params);
    if (device->client == NULL) {
        Log_e("MQTT connection failed: %d", params.err_code);
        return false;
    }
    Log_i("connected");
    return true;
}

#ifdef LOG_UPLOAD
/* Before the client is made: the cloud is asked which lines it wants as soon as it is connected. */
static void begin_log_upload(Device *device)
{
    LogUploadInitParams params = {0};
    int                 rc;

    params.product_id  = device->dev.product_id;
    params.device_name = device->dev.device_name;
#ifdef MAX_SIZE_OF_REGION
    params.region = device->dev.region;
#endif
#ifdef AUTH_MODE_CERT
    char path[PATH_MAX];
#ifdef MAX_SIZE_OF_REGION
    /* 3.3.0 signs with the private key. */
    const char *file = device->dev.dev_key_file_name;
#else
    const char *file = device->dev.dev_cert_file_name;
#endif
    if (!cert_path(path, sizeof(path), file)) {
        return;
    }
    params.sign_key = path;
#else
    params.sign_key = device->dev.device_secret;
#endif
    params.save_func     = HAL_Log_Save;
    params.read_func     = HAL_Log_Read;
    params.del_func      = HAL_Log_Del;
    params.get_size_func = HAL_Log_Get_Size;
    rc                   = IOT_Log_Init_Uploader(&params);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("lines of the log will not be uploaded: %d", rc);
    }
}
#endif

static int run(Device *device)
{
    bool ok;
    int  rc;

#ifdef LOG_UPLOAD
    begin_log_upload(device);
#endif
    if (!connect_device(device)) {
        IOT_Log_Upload(true);
        return EXIT_FAILURE;
    }
#ifdef MULTITHREAD_ENABLED
    if (device->options.use_loop_thread) {
        rc = IOT_MQTT_StartLoop(device->client);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("MQTT loop thread could not be started: %d", rc);
            device->options.use_loop_thread = false;
        }
    }
#endif
    ok = subscribe(device) && talk(device);

    rc = IOT_MQTT_Unsubscribe(device->client, device->topic);
    if (rc < 0) {
        Log_e("unsubscribing failed: %d", rc);
        ok = false;
    } else {
        run_mqtt(device, YIELD_MS);
    }
#ifdef MULTITHREAD_ENABLED
    if (device->options.use_loop_thread) {
        IOT_MQTT_StopLoop(device->client);
    }
#endif
    rc = IOT_MQTT_Destroy(&device->client);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("MQTT client could not be destroyed: %d", rc);
        ok = false;
    }
    /* What the end has said. Does nothing in a library without LOG_UPLOAD. */
    IOT_Log_Upload(true);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void usage(const char *program)
{
    printf("Usage: %s [options]\n"
           "  -c FILE   device information, default ./device_info.json\n"
           "  -n COUNT  messages to publish, default 0: until stopped\n"
           "  -l        let a thread of the library serve MQTT\n"
           "  -d        debug log\n"
           "  -h        this help\n",
           program);
}

/* True to go on; else *exit_code is set. */
static bool parse_options(int argc, char **argv, Options *options, int *exit_code)
{
    int   option;
    char *end;

    *exit_code = EXIT_FAILURE;
    while ((option = utils_getopt(argc, argv, "c:n:ldh")) != -1) {
        switch (option) {
            case 'c':
                options->dev_info_file = utils_optarg;
                break;
            case 'n':
                options->count = (unsigned)strtoul(utils_optarg, &end, 10);
                if (*utils_optarg < '0' || *utils_optarg > '9' || *end != '\0') {
                    fprintf(stderr, "-n needs a number, not %s\n", utils_optarg);
                    return false;
                }
                break;
            case 'l':
#ifdef MULTITHREAD_ENABLED
                options->use_loop_thread = true;
                break;
#else
                fprintf(stderr, "-l needs a library built with FEATURE_MULTITHREAD_ENABLED ON\n");
                return false;
#endif
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
    return true;
}

int main(int argc, char **argv)
{
    static Device    device;
    struct sigaction action;
    int              exit_code;
    int              rc;

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
    if (device.options.dev_info_file != NULL) {
        rc = HAL_SetDevInfoFile(device.options.dev_info_file);
        if (rc != QCLOUD_RET_SUCCESS) {
            Log_e("%s can't be used: %d", device.options.dev_info_file, rc);
            return EXIT_FAILURE;
        }
    }
    rc = HAL_GetDevInfo(&device.dev);
    if (rc != QCLOUD_RET_SUCCESS) {
        Log_e("device information can't be read: %d", rc);
        return EXIT_FAILURE;
    }
    snprintf(device.topic, sizeof(device.topic), "%s/%s/data", device.dev.product_id, device.dev.device_name);

    device.lock = HAL_MutexCreate();
    if (device.lock == NULL) {
        Log_e("out of memory");
        return EXIT_FAILURE;
    }
    exit_code = run(&device);
    HAL_MutexDestroy(device.lock);
    return exit_code;
}
