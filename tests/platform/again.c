/*
 * One process takes ten upgrades, each after another failure. None leaves memory, a connection or a value behind.
 */

#include "network.h"
#include "own.h"
#include "scenario.h"

#define WRONG_MD5 "00000000000000000000000000000000"

typedef struct {
    DeviceInfo info;
    Scenario   seen;
    void      *client;
    void      *ota;
} Device;

static void connect_device(Device *device)
{
    MQTTInitParams params = scenario_params(&device->info, &device->seen);

    device->client = IOT_MQTT_Construct(&params);
    CHECK(device->client != NULL);
    device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, device->client);
    CHECK(device->ota != NULL);
}

static void report_version(Device *device)
{
    CHECK(IOT_OTA_ReportVersion(device->ota, "1.0.0") > 0);
    CHECK_INT(IOT_OTA_GetLastError(device->ota), IOT_OTA_ERR_NONE);
}

/* What the update command has brought, and nothing of the upgrade before. */
static void check_command(Device *device)
{
    char     version[33] = "", md5[33] = "";
    uint32_t size = 0, fetched = 1;

    CHECK_INT(IOT_OTA_GetLastError(device->ota), IOT_OTA_ERR_NONE);
    CHECK_INT(IOT_OTA_IsFetchFinish(device->ota), 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)), 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_FETCHED_SIZE, &fetched, sizeof(fetched)), 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_VERSION, version, sizeof(version)), 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_MD5SUM, md5, sizeof(md5)), 0);
    CHECK_INT(size, cloud_firmware.size);
    CHECK_INT(fetched, 0);
    CHECK_STR(version, cloud_firmware.version);
    CHECK_STR(md5, cloud_firmware.md5);
}

static void take_command(Device *device)
{
    report_version(device);
    SCENARIO_UNTIL(device->client, IOT_OTA_IsFetching(device->ota));
    check_command(device);
}

/* 0 when all is there, else what ended it. */
static int fetch(Device *device)
{
    char block[SCENARIO_BLOCK];
    int  count = 0;

    CHECK_INT(IOT_OTA_StartDownload(device->ota, 0, cloud_firmware.size), 0);
    while (count >= 0 && !IOT_OTA_IsFetchFinish(device->ota)) {
        count = IOT_OTA_FetchYield(device->ota, block, sizeof(block), 1);
        IOT_MQTT_Yield(device->client, 100);
    }
    return count < 0 ? count : 0;
}

static void begin_download(Device *device)
{
    char block[SCENARIO_BLOCK];

    take_command(device);
    CHECK_INT(IOT_OTA_StartDownload(device->ota, 0, cloud_firmware.size), 0);
    CHECK(IOT_OTA_FetchYield(device->ota, block, sizeof(block), 1) > 0);
    CHECK_INT(network_open, 2);
}

/* Until everything that was sent is acknowledged. */
static void settle(Device *device)
{
    for (int round = 0; round < 3; round++) {
        CHECK_INT(IOT_MQTT_Yield(device->client, 100), 0);
    }
}

static void upgrade(Device *device)
{
    unsigned done = cloud_seen.done;

    take_command(device);
    device->seen.downloaded = 0;
    scenario_download(&device->seen, device->client, device->ota, true);
    CHECK_INT(IOT_OTA_GetLastError(device->ota), IOT_OTA_ERR_NONE);
    CHECK(IOT_OTA_ReportUpgradeBegin(device->ota) > 0);
    CHECK(IOT_OTA_ReportUpgradeSuccess(device->ota, NULL) > 0);
    SCENARIO_UNTIL(device->client, cloud_seen.done == done + 1);
    settle(device);
}

/* ---- What goes wrong before ---- */

static void fail_to_connect(Device *device)
{
    take_command(device);
    network_refuse = 1;
    /* What may mend is tried again by FetchYield. */
    CHECK_INT(IOT_OTA_StartDownload(device->ota, 0, cloud_firmware.size), 0);
    CHECK_INT(network_refuse, 0);
    CHECK_INT(IOT_OTA_IsFetching(device->ota), 1);
}

static void get_other_content(Device *device)
{
    const char *md5   = cloud_firmware.md5;
    uint32_t    right = 1;

    cloud_firmware.md5 = WRONG_MD5;
    take_command(device);
    CHECK_INT(fetch(device), 0);
    CHECK_INT(IOT_OTA_Ioctl(device->ota, IOT_OTAG_CHECK_FIRMWARE, &right, sizeof(right)), 0);
    CHECK_INT(right, 0);
    cloud_firmware.md5 = md5;
}

static void get_status(Device *device, int status, int code)
{
    cloud_faults.status = status;
    cloud_faults.errors = 100;
    take_command(device);
    CHECK_INT(fetch(device), code);
    CHECK_INT(IOT_OTA_GetLastError(device->ota), code);
    cloud_faults.errors = 0;
}

static void get_not_found(Device *device)
{
    get_status(device, 404, IOT_OTA_ERR_FETCH_NOT_EXIST);
}

static void get_unavailable(Device *device)
{
    get_status(device, 503, IOT_OTA_ERR_FETCH_FAILED);
}

static void plan_cut(Device *device)
{
    (void)device;
    cloud_faults.cut_at = cloud_firmware.size / 2;
}

static void plan_repeat(Device *device)
{
    (void)device;
    cloud_faults.repeated = 1;
}

static void destroy_in_mid_download(Device *device)
{
    begin_download(device);
    CHECK_INT(IOT_OTA_Destroy(device->ota), 0);
    CHECK_INT(network_open, 1);
    device->ota = IOT_OTA_Init(device->info.product_id, device->info.device_name, device->client);
    CHECK(device->ota != NULL);
}

static void destroy_client_first(Device *device)
{
    begin_download(device);
    CHECK_INT(IOT_MQTT_Destroy(&device->client), 0);
    CHECK_INT(IOT_OTA_Destroy(device->ota), 0);
    CHECK_INT(network_open, 0);
    connect_device(device);
}

static void get_bad_command(Device *device)
{
    unsigned failed = cloud_seen.failed;

    cloud_faults.bad_commands = 1;
    report_version(device);
    SCENARIO_UNTIL(device->client, cloud_seen.failed == failed + 1);
    CHECK_INT(IOT_OTA_IsFetching(device->ota), 0);
}

static void get_refused(Device *device)
{
    cloud_faults.refused_reports = 1;
    report_version(device);
    SCENARIO_UNTIL(device->client, IOT_OTA_GetLastError(device->ota) == IOT_OTA_ERR_REPORT_VERSION);
    /* Still ready for a command. */
    CHECK_INT(IOT_OTA_IsFetchFinish(device->ota), 0);
}

/* ---- Ten rounds ---- */

typedef struct {
    const char *name;
    void (*fail)(Device *device);
    unsigned    failures; /* that the cloud hears of */
    unsigned    requests; /* for this round's firmware, the good end included */
    const char *version;
    uint32_t    size;
    const char *md5;
} Round;

static const Round rounds[] = {
    {"no connection for the download", fail_to_connect, 0, 1, "2.0.0", 200003, "921297a439d242c850d3737580fc24d4"},
    {"a wrong MD5", get_other_content, 1, 2, "2.0.1", 5000, "345e04df59f6e2e50de410f5fb71a57e"},
    {"not found", get_not_found, 1, 2, "2.0.2", 65536, "6ddae881989d556c679d301c2cfe4baf"},
    {"a cut in mid-download", plan_cut, 0, 2, "2.0.3", 120001, "10fbe9953983d62a32e495651327a8d6"},
    {"OTA destroyed in mid-download", destroy_in_mid_download, 0, 2, "2.0.4", 33333,
     "e6b2bc861d9cdf008965a118ab268531"},
    {"client destroyed first", destroy_client_first, 0, 2, "2.0.5", 99999, "fed950e68da66e64bcf5a2a57fe00ec7"},
    {"a bad update command", get_bad_command, 1, 1, "2.0.6", 150000, "5a600e73461157df79b6f83f2d024367"},
    {"a refused version report", get_refused, 0, 1, "2.0.7", 4096, "2b6e9f327f32713bff9d289ac0017436"},
    {"a server that is not available", get_unavailable, 1, 7, "2.0.8", 77777, "d066df1f6beb8ef830ad8e68fd0b6731"},
    {"a repeated update command", plan_repeat, 0, 1, "2.0.9", 180180, "c68119239987f871b47452e3026151d7"},
};
#define ROUNDS (sizeof(rounds) / sizeof(rounds[0]))

static void play(Device *device, const Round *round)
{
    unsigned failed   = cloud_seen.failed;
    unsigned requests = cloud_seen.requests;

    cloud_firmware.version = round->version;
    cloud_firmware.size    = round->size;
    cloud_firmware.md5     = round->md5;
    round->fail(device);
    upgrade(device);
    CHECK_INT(cloud_seen.failed, failed + round->failures);
    CHECK_INT(cloud_seen.requests, requests + round->requests);
    CHECK_INT(network_open, 1);
    CHECK_INT(cloud_faults.cut_at, 0);
    CHECK_INT(cloud_faults.repeated, 0);
}

int main(void)
{
    Device device;
    size_t after_second = 0;

    memset(&device, 0, sizeof(device));
    CHECK_INT(HAL_GetDevInfo(&device.info), 0);
#if defined(AUTH_WITH_NOTLS) || !defined(OTA_USE_HTTPS)
    scenario_offer_small("http://firmware.example/firmware.bin?sign=a%00b");
#else
    scenario_offer_small("https://firmware.example/firmware.bin?sign=a%00b");
#endif
    network_link.window       = 65536;
    network_link.bytes_per_ms = 20000;
    connect_device(&device);
    for (size_t i = 0; i < ROUNDS; i++) {
        int failed = check_failed;

        play(&device, &rounds[i]);
        printf("%s, then an upgrade: %u bytes in use\n", rounds[i].name, (unsigned)own_outstanding_bytes());
        if (check_failed > failed) {
            fprintf(stderr, "so it went with: %s\n", rounds[i].name);
        }
        after_second = i == 1 ? own_outstanding_bytes() : after_second;
        if (i > 1) {
            CHECK_INT(own_outstanding_bytes(), after_second);
        }
    }
    CHECK_INT(IOT_OTA_Destroy(device.ota), 0);
    CHECK_INT(IOT_MQTT_Destroy(&device.client), 0);
    CHECK_INT(cloud_seen.done, ROUNDS);
    CHECK_INT(own_outstanding_blocks(), 0);
    CHECK_INT(own_outstanding_bytes(), 0);
    CHECK_INT(own_bad_frees(), 0);
    CHECK_INT(network_open, 0);
    return check_result();
}
