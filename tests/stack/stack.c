/*
 * How much stack each entry point uses, whatever comes from outside: each runs on a thread whose stack was painted before.
 * Prints the bytes; more than the bound for input from outside fails. The platform's name look-up and TLS handshake are
 * told apart: connections here go to an address, over HAL_TLS_* of the program's own without TLS
 * (stack_tls.c measures the handshake).
 *
 *   stack [BOUND]      (bytes; default 49152)
 */

#define _DEFAULT_SOURCE

#include <stdlib.h>

#include "check.h"
#include "cloud.h"
#include "device.h"
#include "lite-utils.h"
#include "painted.h"
#include "qcloud_iot_import.h"
#include "server.h"
#include "utils_getopt.h"
#include "utils_timer.h"

static char topic[] = DEVICE_PRODUCT "/" DEVICE_NAME "/data";

static size_t bound = 48 * 1024;
static size_t base; /* what a thread uses that does nothing */
static size_t largest;

static void *client, *ota;
static char *text; /* what the calls below are given */
static char  key[] = "a.b.c";

static size_t used_by(void *(*body)(void *))
{
    Painted painted;

    painted_start(&painted, body, NULL);
    return painted_join(&painted);
}

static void measure(const char *name, void *(*body)(void *))
{
    size_t used = used_by(body);

    used = used > base ? used - base : 0;
    printf("%6zu  %s\n", used, name);
    largest = used > largest ? used : largest;
    if (used > bound) {
        fprintf(stderr, "%s uses %zu bytes of stack, more than %zu\n", name, used, bound);
    }
    CHECK(used <= bound);
}

/* A text of `count` times `part`, between `begin` and `end`. */
static char *repeat(const char *begin, const char *part, size_t count, const char *end)
{
    size_t len    = strlen(part);
    char  *result = malloc(strlen(begin) + len * count + strlen(end) + 1);
    char  *next   = result + strlen(begin);

    strcpy(result, begin);
    for (size_t i = 0; i < count; i++, next += len) {
        memcpy(next, part, len);
    }
    strcpy(next, end);
    return result;
}

static void *nothing(void *unused)
{
    return unused;
}

static void *construct(void *unused)
{
    int error;

    client = device_connect(&error);
    CHECK(client != NULL);
    return unused;
}

static void *yield(void *unused)
{
    IOT_MQTT_Yield(client, 200);
    return unused;
}

static void on_message(void *handle, MQTTMessage *message, void *context)
{
    (void)handle;
    (void)message;
    (void)context;
}

static void *subscribe(void *unused)
{
    SubscribeParams params = DEFAULT_SUB_PARAMS;

    params.on_message_handler = on_message;
    CHECK(IOT_MQTT_Subscribe(client, topic, &params) >= 0);
    return unused;
}

static void *unsubscribe(void *unused)
{
    CHECK(IOT_MQTT_Unsubscribe(client, topic) >= 0);
    return unused;
}

static void *publish(void *unused)
{
    PublishParams params = DEFAULT_PUB_PARAMS;

    params.payload     = text;
    params.payload_len = strlen(text);
    IOT_MQTT_Publish(client, topic, &params);
    return unused;
}

static void *init(void *unused)
{
    ota = IOT_OTA_Init(product, device, client);
    CHECK(ota != NULL);
    return unused;
}

static void *report_version(void *unused)
{
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") >= 0);
    return unused;
}

static void *start_download(void *unused)
{
    IOT_OTA_StartDownload(ota, 0, 1000000);
    return unused;
}

static void *fetch(void *unused)
{
    static char block[4096];

    IOT_OTA_FetchYield(ota, block, sizeof(block), 1);
    return unused;
}

static void *others(void *unused)
{
    char     buf[64];
    uint32_t number;

    IOT_OTA_Ioctl(ota, IOT_OTAG_VERSION, buf, sizeof(buf));
    IOT_OTA_Ioctl(ota, IOT_OTAG_CHECK_FIRMWARE, &number, sizeof(number));
    IOT_OTA_UpdateClientMd5(ota, buf, sizeof(buf));
    IOT_OTA_ResetClientMD5(ota);
    IOT_OTA_ReportUpgradeBegin(ota);
    IOT_OTA_ReportUpgradeFail(ota, NULL);
    IOT_OTA_GetLastError(ota);
    return unused;
}

static void *system_time(void *unused)
{
    long seconds;

    IOT_Get_SysTime(client, &seconds);
    return unused;
}

static void *destroy(void *unused)
{
    CHECK_INT(IOT_OTA_Destroy(ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&client), 0);
    return unused;
}

static void *json_value(void *unused)
{
    HAL_Free(LITE_json_value_of(key, text));
    HAL_Free(LITE_json_string_value_strip_transfer(key, text));
    return unused;
}

static void *json_keys(void *unused)
{
    LITE_json_keys_release(LITE_json_keys_of(text, NULL));
    return unused;
}

static void *numbers(void *unused)
{
    int32_t integer;
    double  real;

    LITE_get_int32(&integer, text);
    LITE_get_double(&real, text);
    return unused;
}

static void *log_line(void *unused)
{
    Log_e("%s", text);
    return unused;
}

static void *format(void *unused)
{
    HAL_Free(LITE_format_nstring(1 << 20, "%s", text));
    return unused;
}

static void on_json(const char *name, char *json)
{
    char line[128];

    text = json;
    snprintf(line, sizeof(line), "LITE_json_value_of, %s", name);
    measure(line, json_value);
    snprintf(line, sizeof(line), "LITE_json_keys_of, %s", name);
    measure(line, json_keys);
    free(text);
}

/* A version report that is answered with this message. */
static void on_update(const char *name, char *message)
{
    char line[128];

    cloud_script.message.data = message;
    cloud_script.message.len  = strlen(message);
    report_version(NULL);
    snprintf(line, sizeof(line), "IOT_MQTT_Yield, %s", name);
    measure(line, yield);
    cloud_script.message.len = 0;
    free(message);
}

static int port;

static char *command(const char *url)
{
    static char buffer[512];

    snprintf(buffer, sizeof(buffer),
             "{\"type\":\"update_firmware\",\"file_size\":1000000,\"md5sum\":\"00000000000000000000000000000000\","
             "\"version\":\"2.0.0\",\"url\":\"http://127.0.0.1:%d%s\"}",
             port, url);
    return repeat(buffer, "", 0, "");
}

/* A download that is answered with this. */
static void on_download(const char *name, char *answer)
{
    char line[128];

    cloud_script.answer.data = answer;
    cloud_script.answer.len  = strlen(answer);
    on_update("an update command", command("/f"));
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    snprintf(line, sizeof(line), "IOT_OTA_StartDownload, %s", name);
    measure(line, start_download);
    snprintf(line, sizeof(line), "IOT_OTA_FetchYield, %s", name);
    measure(line, fetch);
    measure(line, fetch);
    free(answer);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        bound = strtoul(argv[1], NULL, 10);
    }
    IOT_Log_Set_Level(eLOG_ERROR);
    port                      = server_start();
    cloud_script.message.data = "";
    used_by(nothing);
    base = used_by(nothing);
    printf("bytes of stack, besides the %zu of a thread that does nothing\n", base);

    measure("IOT_MQTT_Construct", construct);
    measure("IOT_MQTT_Subscribe", subscribe);
    measure("IOT_MQTT_Yield", yield);
    text = repeat("", "x", 100, "");
    measure("IOT_MQTT_Publish", publish);
    free(text);
    text = repeat("", "x", 100000, "");
    measure("IOT_MQTT_Publish, 100,000 bytes", publish);
    measure("Log_e, 100,000 bytes", log_line);
    measure("LITE_format_nstring, 100,000 bytes", format);
    measure("LITE_get_*, 100,000 bytes", numbers);
    free(text);
    measure("IOT_MQTT_Unsubscribe", unsubscribe);
    measure("IOT_Get_SysTime", system_time);
    measure("IOT_OTA_Init", init);
    measure("IOT_OTA_ReportVersion", report_version);

    on_json("100,000 arrays", repeat("", "[", 100000, ""));
    on_json("100,000 objects", repeat("{\"a\":", "{\"b\":", 100000, ""));
    on_json("a text of 100,000 bytes", repeat("{\"a\":\"", "\\u4e2d", 20000, "\"}"));
    on_json("100,000 keys", repeat("{", "\"k\":1,", 100000, "\"a\":2}"));

    on_update("16 kB of arrays", repeat("", "[", 16000, ""));
    on_update("16 kB of objects", repeat("{\"a\":", "{\"a\":", 3000, ""));
    on_update("arrays inside a command", repeat("{\"type\":\"update_firmware\",\"x\":", "[", 15000, ""));
    on_update("4 MB that are too long", repeat("", "x", 4000000, ""));
    on_update("a URL of 10,000 bytes",
              repeat("{\"type\":\"update_firmware\",\"file_size\":1,\"md5sum\":\"00000000000000000000000000000000\","
                     "\"version\":\"2\",\"url\":\"http://h/",
                     "x", 10000, "\"}"));
    on_download("a head of 60,000 bytes",
                repeat("HTTP/1.1 200 OK\r\n", "X-Line: abcdefghijklmnopqrstuvwxyz\r\n", 1700, "\r\n"));
    on_download("one header line of 60,000 bytes", repeat("HTTP/1.1 200 OK\r\nX: ", "y", 60000, "\r\n\r\n"));
    on_download("a redirect to itself",
                repeat("HTTP/1.1 302 Found\r\nLocation: /", "f", 1, "\r\nContent-Length: 0\r\n\r\n"));
    on_download("no HTTP", repeat("", "\x01", 70000, ""));
    on_download("small chunks", repeat("HTTP/1.1 206 X\r\nContent-Range: bytes 0-999999/1000000\r\n"
                                       "Transfer-Encoding: chunked\r\n\r\n",
                                       "1\r\nx\r\n", 10000, ""));
    measure("IOT_OTA_Ioctl, reports", others);
    measure("IOT_OTA_Destroy, IOT_MQTT_Destroy", destroy);
    server_stop();
    printf("%6zu  at most, of %zu\n", largest, bound);
    return check_result();
}
