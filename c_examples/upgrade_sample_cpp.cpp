/*
 * The signed upgrade of upgrade_sample.c in C++17: the same arguments, the same folder, the same lines. Handles are owned by
 * objects, the event handler is a lambda, errors are exceptions.
 *
 *   upgrade_sample_cpp VERSION PUBLIC_KEYS [-]
 */

#include <cstdio>
#include <memory>
#include <stdexcept>

#include "qcloud_iot_export.h"
#include "qcloud_iot_export_upgrade.h"

namespace
{

/* Stays where it was made: the library holds a pointer to it for its events. */
class Firmware
{
  public:
    Firmware(DeviceInfo &device, const char *version, const char *public_keys, bool works)
        : works_(works), client_(connect(device))
    {
        IOT_Upgrade_Pair pair{};
        pair.slot[0] = "a";
        pair.slot[1] = "b";
        pair.record  = "record";
        pair.link    = "current";
        IOT_Upgrade_Params params{};
        params.client      = client_.get();
        params.version     = version;
        params.public_keys = public_keys;
        params.pair        = &pair;
        params.context     = this;
        /* A lambda that captures nothing is a C function pointer. */
        params.on_event = [](void *context, const IOT_Upgrade_Event *event) {
            static_cast<Firmware *>(context)->on_event(*event);
        };
        upgrade_.reset(IOT_Upgrade_Init(&params));
        if (!upgrade_) {
            throw std::runtime_error("no upgrades; the log says why");
        }
    }
    Firmware(const Firmware &)            = delete;
    Firmware &operator=(const Firmware &) = delete;

    /* Runs until the device is to be started again, or the firmware fails. Returns the exit code. */
    int run()
    {
        while (exit_code_ == 0) {
            IOT_Upgrade_Yield(upgrade_.get(), 500);
        }
        return exit_code_;
    }

  private:
    struct Destroy {
        void operator()(void *upgrade) const { IOT_Upgrade_Destroy(upgrade); }
    };
    struct Disconnect {
        void operator()(void *client) const { IOT_MQTT_Destroy(&client); }
    };

    static void *connect(DeviceInfo &device)
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
        return IOT_MQTT_Construct(&params);
    }

    void on_event(const IOT_Upgrade_Event &event)
    {
        constexpr const char *names[] = {"found", "stored", "verified", "restart", "on trial", "failed", "confirmed"};
        std::printf("%-9s  cause %2d  %3u %%  %s\n", names[event.event_type], event.cause, event.percent,
                    event.version);
        if (event.event_type == IOT_UPGRADE_FOUND) {
            IOT_Upgrade_Accept(upgrade_.get());
        } else if (event.event_type == IOT_UPGRADE_RESTART) {
            exit_code_ = 3;
        } else if (event.event_type == IOT_UPGRADE_TRIAL) {
            /* A device would look first whether all it is there for works. */
            exit_code_ = works_ && IOT_Upgrade_ConfirmRunning(upgrade_.get()) == 0 ? 0 : 1;
        }
    }

    bool                              works_;
    int                               exit_code_ = 0;
    std::unique_ptr<void, Disconnect> client_;
    std::unique_ptr<void, Destroy>    upgrade_; /* ends before its client */
};

} // namespace

int main(int argc, char **argv)
{
    DeviceInfo device{};

    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    if (argc < 3 || HAL_GetDevInfo(&device) != QCLOUD_RET_SUCCESS) {
        std::printf("Usage: %s VERSION PUBLIC_KEYS [-], with a device_info.json in the folder\n", argv[0]);
        return 1;
    }
    try {
        return Firmware(device, argv[1], argv[2], argc == 3).run();
    } catch (const std::exception &error) {
        Log_e("%s", error.what());
        return 1;
    }
}
