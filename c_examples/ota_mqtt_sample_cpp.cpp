/*
 * The upgrade of ota_mqtt_sample.c in C++17: connects, reports the version it runs, waits for the update command,
 * downloads, checks the MD5 and reports the result. Handles are owned by objects, callbacks are lambdas, errors are
 * exceptions. Shorter than the C sample, for it starts each download at 0 and gives up at the first failure.
 *
 *   ota_mqtt_sample_cpp [-c device_info.json] [-v version]
 *
 * The firmware goes to ./FW_<client id>_<version>.bin.
 */

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include "qcloud_iot_export.h"
#include "utils_getopt.h"

namespace
{

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto     ack_limit   = 10s;
constexpr uint32_t yield_ms    = 200;
constexpr uint32_t fetch_s     = 1;
constexpr size_t   block_size  = 5000;
constexpr size_t   max_version = 32;

/* A failure that the library doesn't report to the cloud by itself. */
struct Unreported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::runtime_error failure(const std::string &what, int code)
{
    return std::runtime_error(what + ": error " + std::to_string(code));
}

/* An MQTT connection. Stays where it was made: the library holds a pointer to it for its events. */
class Mqtt
{
  public:
    explicit Mqtt(DeviceInfo &device)
    {
        MQTTInitParams params = DEFAULT_MQTTINIT_PARAMS;
        params.product_id     = device.product_id;
        params.device_name    = device.device_name;
#ifdef MAX_SIZE_OF_REGION
        params.region = device.region;
#endif
#ifdef AUTH_MODE_CERT
        std::snprintf(params.cert_file, sizeof(params.cert_file), "certs/%s", device.dev_cert_file_name);
        std::snprintf(params.key_file, sizeof(params.key_file), "certs/%s", device.dev_key_file_name);
#else
        params.device_secret = device.device_secret;
#endif
        params.event_handle.context = this;
        /* A lambda that captures nothing is a C function pointer. */
        params.event_handle.h_fp = [](void *, void *context, MQTTEventMsg *event) {
            static_cast<Mqtt *>(context)->on_event(*event);
        };
        client_.reset(IOT_MQTT_Construct(&params));
        if (!client_) {
            throw failure("no MQTT connection", params.err_code);
        }
    }
    Mqtt(const Mqtt &)            = delete;
    Mqtt &operator=(const Mqtt &) = delete;

    void *get() const
    {
        return client_.get();
    }

    /* Serves the connection for up to `ms`; the library reconnects on its own. */
    void run(uint32_t ms)
    {
        int rc = IOT_MQTT_Yield(get(), ms);
        if (rc < 0 && rc != QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT) {
            throw failure("MQTT connection lost", rc);
        }
    }

    /* Waits until the cloud has acknowledged a QoS 1 publish; `packet_id` may be the error it ended with. */
    void wait_ack(const char *what, int packet_id)
    {
        if (packet_id < 0) {
            throw failure(what, packet_id);
        }
        for (auto end = Clock::now() + ack_limit; acks_.count(packet_id) == 0;) {
            if (Clock::now() >= end) {
                throw std::runtime_error(std::string(what) + " was not acknowledged in time");
            }
            run(yield_ms);
        }
        bool delivered = acks_[packet_id];
        acks_.clear();
        if (!delivered) {
            throw std::runtime_error(std::string(what) + " was not acknowledged");
        }
    }

  private:
    struct Destroy {
        void operator()(void *client) const { IOT_MQTT_Destroy(&client); }
    };

    void on_event(const MQTTEventMsg &event)
    {
        /* For publishes `msg` is the packet id. */
        int packet_id = static_cast<int>(reinterpret_cast<uintptr_t>(event.msg));
        switch (event.event_type) {
            case MQTT_EVENT_PUBLISH_SUCCESS:
                acks_[packet_id] = true;
                break;
            case MQTT_EVENT_PUBLISH_TIMEOUT:
            case MQTT_EVENT_PUBLISH_NACK:
                acks_[packet_id] = false;
                break;
            case MQTT_EVENT_DISCONNECT:
                Log_w("MQTT connection lost");
                break;
            case MQTT_EVENT_RECONNECT:
                Log_i("MQTT connection is back");
                break;
            default:
                break;
        }
    }

    std::map<int, bool>            acks_; /* packet id: delivered? Outlives the client, whose end may bring events. */
    std::unique_ptr<void, Destroy> client_;
};

/* What the update command said. */
struct Command {
    std::string version;
    std::string md5;
    uint32_t    size;
};

class Ota
{
  public:
    Ota(Mqtt &mqtt, const DeviceInfo &device)
        : mqtt_(mqtt), ota_(IOT_OTA_Init(device.product_id, device.device_name, mqtt.get()))
    {
        if (!ota_) {
            throw std::runtime_error("the OTA session could not be started");
        }
    }

    /* Reports the running version and waits for as long as it takes. */
    Command wait_for_command(const std::string &running)
    {
        /* Its acknowledgement is not waited for: the command may come before it. */
        int packet_id = IOT_OTA_ReportVersion(ota_.get(), running.c_str());
        if (packet_id < 0) {
            throw failure("version report", packet_id);
        }
        Log_i("version %s is reported, waiting for an update command", running.c_str());
        while (!IOT_OTA_IsFetching(ota_.get())) {
            mqtt_.run(yield_ms);
        }
        Command command{text(IOT_OTAG_VERSION), text(IOT_OTAG_MD5SUM), 0};
        ioctl(IOT_OTAG_FILE_SIZE, &command.size, sizeof(command.size));
        return command;
    }

    /* Hands every block to `sink`. */
    template <typename Sink> void download(const Command &command, Sink &&sink)
    {
        std::array<char, block_size> block;
        int                          rc = IOT_OTA_StartDownload(ota_.get(), 0, command.size);
        if (rc != QCLOUD_RET_SUCCESS) {
            throw Unreported(failure("the download could not be started", rc).what());
        }
        while (!IOT_OTA_IsFetchFinish(ota_.get())) {
            int length = IOT_OTA_FetchYield(ota_.get(), block.data(), block.size(), fetch_s);
            if (length < 0) {
                throw failure("the download failed", IOT_OTA_GetLastError(ota_.get()));
            }
            sink(block.data(), static_cast<size_t>(length));
            mqtt_.run(yield_ms);
        }
    }

    bool md5_matches()
    {
        uint32_t matches = 0;
        ioctl(IOT_OTAG_CHECK_FIRMWARE, &matches, sizeof(matches));
        return matches != 0;
    }

    void report_begin() { mqtt_.wait_ack("upgrade begin", IOT_OTA_ReportUpgradeBegin(ota_.get())); }
    void report_success() { mqtt_.wait_ack("upgrade success", IOT_OTA_ReportUpgradeSuccess(ota_.get(), nullptr)); }
    void report_failure() { mqtt_.wait_ack("upgrade failure", IOT_OTA_ReportUpgradeFail(ota_.get(), nullptr)); }

  private:
    struct Destroy {
        void operator()(void *ota) const { IOT_OTA_Destroy(ota); }
    };

    void ioctl(IOT_OTA_CmdType type, void *buffer, size_t size)
    {
        if (IOT_OTA_Ioctl(ota_.get(), type, buffer, size) != QCLOUD_RET_SUCCESS) {
            throw failure("the update command can't be read", IOT_OTA_GetLastError(ota_.get()));
        }
    }

    std::string text(IOT_OTA_CmdType type)
    {
        std::array<char, max_version + 1> buffer{}; /* an MD5 has 32 digits, too */
        ioctl(type, buffer.data(), buffer.size());
        return buffer.data();
    }

    Mqtt                          &mqtt_;
    std::unique_ptr<void, Destroy> ota_;
};

class File
{
  public:
    explicit File(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb"))
    {
        check(file_ != nullptr);
    }
    void write(const char *data, size_t length) { check(std::fwrite(data, 1, length, file_.get()) == length); }

    /* Afterwards the file is on the disk, and its name, whatever becomes of the power. */
    void close()
    {
        check(std::fflush(file_.get()) == 0 && fsync(fileno(file_.get())) == 0);
        check(std::fclose(file_.release()) == 0);
        sync();
    }

  private:
    struct Close {
        void operator()(std::FILE *file) const { std::fclose(file); }
    };

    void check(bool done) const
    {
        if (!done) {
            throw Unreported(path_ + ": " + std::strerror(errno));
        }
    }

    std::string                       path_;
    std::unique_ptr<std::FILE, Close> file_;
};

/* Part of a file name: the cloud chooses the version, and must not choose the folder. */
std::string file_name(std::string text)
{
    const std::string fit = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    std::replace_if(
        text.begin(), text.end(), [&](char c) { return fit.find(c) == std::string::npos; }, '_');
    return text;
}

void upgrade(DeviceInfo &device, const std::string &running)
{
    Mqtt    mqtt(device);
    Ota     ota(mqtt, device);
    Command command = ota.wait_for_command(running);
    auto    client  = std::string(device.product_id) + device.device_name;
    auto    path    = "./FW_" + file_name(client) + "_" + file_name(command.version) + ".bin";

    Log_i("update command: version %s, %u bytes, md5 %s", command.version.c_str(), command.size, command.md5.c_str());
    try {
        File     file(path);
        uint64_t done  = 0;
        auto     shown = Clock::now();
        ota.download(command, [&](const char *data, size_t length) {
            file.write(data, length);
            done += length;
            if (Clock::now() - shown >= 1s) {
                shown = Clock::now();
                Log_i("downloaded %u %%", static_cast<unsigned>(done * 100 / command.size));
            }
        });
        file.close();
    } catch (const Unreported &) {
        ota.report_failure();
        throw;
    }
    if (!ota.md5_matches()) { /* the library has reported it */
        std::remove(path.c_str());
        throw std::runtime_error("MD5 does not match " + command.md5 + ", the file is deleted");
    }
    Log_i("MD5 matches: %s", command.md5.c_str());
    ota.report_begin();
    /* A device would now burn the file to its flash. */
    ota.report_success();
    Log_i("upgrade to version %s succeeded, firmware in %s", command.version.c_str(), path.c_str());
}

} // namespace

int main(int argc, char **argv)
{
    std::string running = "1.0.0";
    DeviceInfo  device{};

    IOT_Log_Set_Level(eLOG_INFO);
    for (int option; (option = utils_getopt(argc, argv, "c:v:h")) != -1;) {
        if (option == 'c' && HAL_SetDevInfoFile(utils_optarg) == QCLOUD_RET_SUCCESS) {
            continue;
        }
        if (option == 'v' && std::strlen(utils_optarg) >= 1 && std::strlen(utils_optarg) <= max_version) {
            running = utils_optarg;
            continue;
        }
        std::printf("Usage: %s [-c device_info.json] [-v version of 1 to %zu characters]\n", argv[0], max_version);
        return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    try {
        int rc = HAL_GetDevInfo(&device);
        if (rc != QCLOUD_RET_SUCCESS) {
            throw failure("device information can't be read", rc);
        }
        upgrade(device, running);
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        Log_e("%s", error.what());
        return EXIT_FAILURE;
    }
}
