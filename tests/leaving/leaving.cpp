/*
 * A firmware's threads and callbacks leave this library's calls in other ways than by returning: a thread is cancelled or
 * ends itself in a callback, a callback throws or jumps out. The process lives, and another thread can use the client (case
 * thread_cancelled).
 *
 *   leaving CASE
 */

#include <pthread.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <string>

extern "C" {
#include "cloud.h"
#include "device.h"
#include "plain_tls.h"
#include "server.h"
}
#include "check.h"

namespace
{

char topic[] = DEVICE_PRODUCT "/" DEVICE_NAME CLOUD_ECHO;

/* What the message handler does besides counting; back to nothing after it was done once. */
std::atomic<void (*)()> misdeed;
std::atomic<unsigned>   messages;
std::atomic<unsigned>   cleanups;

double now()
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void do_once()
{
    void (*deed)() = misdeed.exchange(nullptr);
    if (deed != nullptr) {
        deed();
    }
}

void on_message(void *, MQTTMessage *, void *)
{
    messages++;
    do_once();
}

void *connect_client()
{
    MQTTInitParams  params    = device_params();
    void           *client    = IOT_MQTT_Construct(&params);
    SubscribeParams subscribe = DEFAULT_SUB_PARAMS;

    CHECK(client != nullptr);
    subscribe.on_message_handler = on_message;
    CHECK(IOT_MQTT_Subscribe(client, topic, &subscribe) >= 0);
    for (int round = 0; round < 100 && !IOT_MQTT_IsSubReady(client, topic); round++) {
        IOT_MQTT_Yield(client, 20);
    }
    return client;
}

void publish(void *client)
{
    PublishParams params    = DEFAULT_PUB_PARAMS;
    char          payload[] = "hello";

    params.payload     = payload;
    params.payload_len = 5;
    CHECK(IOT_MQTT_Publish(client, topic, &params) >= 0);
}

/* The client works on this thread, and can be destroyed. */
void use_and_destroy(void *client)
{
    unsigned before = messages;

    CHECK(IOT_MQTT_IsConnected(client));
    publish(client);
    for (int round = 0; round < 100 && messages == before; round++) {
        IOT_MQTT_Yield(client, 50);
    }
    CHECK_INT(messages, before + 1);
    CHECK_INT(IOT_MQTT_Destroy(&client), QCLOUD_RET_SUCCESS);
}

void on_cleanup(void *)
{
    cleanups++;
}

void *yield_for_ever(void *client)
{
    pthread_cleanup_push(on_cleanup, nullptr);
    for (;;) {
        IOT_MQTT_Yield(client, 60000);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return nullptr;
}

/* Runs `body` on a thread, cancels it after a while, and returns how long it took to end. */
double cancel(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    void     *result = nullptr;
    double    begin;

    CHECK_INT(pthread_create(&thread, nullptr, body, argument), 0);
    usleep(300000);
    begin = now();
    CHECK_INT(pthread_cancel(thread), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    return now() - begin;
}

void cancelled_in_yield()
{
    void *client = connect_client();

    CHECK(cancel(yield_for_ever, client) < 5);
    CHECK_INT(cleanups, 1);
    use_and_destroy(client);
}

/* A port that takes connections and says nothing. */
int silent_port(int *fd)
{
    struct sockaddr_in address = {};
    socklen_t          size    = sizeof(address);

    *fd                     = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(*fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(*fd, 8), 0);
    CHECK_INT(getsockname(*fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

void *construct_for_ever(void *)
{
    MQTTInitParams params = device_params();

    params.command_timeout = 20000;
    for (;;) {
        CHECK(IOT_MQTT_Construct(&params) == nullptr);
        pthread_testcancel();
    }
}

void cancelled_in_construct()
{
    int         fd;
    std::string endpoint = "127.0.0.1:" + std::to_string(silent_port(&fd));
    std::string before   = getenv("QCLOUD_IOT_MQTT_ENDPOINT");

    setenv("QCLOUD_IOT_MQTT_ENDPOINT", endpoint.c_str(), 1);
    CHECK(cancel(construct_for_ever, nullptr) < 10);
    setenv("QCLOUD_IOT_MQTT_ENDPOINT", before.c_str(), 1);
    close(fd);
    use_and_destroy(connect_client());
}

void *fetch_for_ever(void *ota)
{
    char block[1000];

    for (;;) {
        IOT_OTA_FetchYield(ota, block, sizeof(block), 60);
        pthread_testcancel();
    }
}

void cancelled_in_fetch()
{
    int      fd;
    void    *client = connect_client();
    void    *ota;
    uint32_t size = 0;

    cloud_firmware.size = 200003;
    cloud_firmware.md5  = "921297a439d242c850d3737580fc24d4";
    snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "http://127.0.0.1:%d/f", silent_port(&fd));
    ota = IOT_OTA_Init(product, device, client);
    CHECK(ota != nullptr);
    CHECK(IOT_OTA_ReportVersion(ota, "1.0.0") >= 0);
    for (int round = 0; round < 100 && !IOT_OTA_IsFetching(ota); round++) {
        IOT_MQTT_Yield(client, 50);
    }
    CHECK_INT(IOT_OTA_Ioctl(ota, IOT_OTAG_FILE_SIZE, &size, sizeof(size)), 0);
    CHECK_INT(IOT_OTA_StartDownload(ota, 0, size), 0);
    CHECK(cancel(fetch_for_ever, ota) < 10);
    CHECK_INT(IOT_OTA_IsFetching(ota), 1);
    CHECK_INT(IOT_OTA_Destroy(ota), 0);
    use_and_destroy(client);
    close(fd);
}

/* Yields until the misdeed was done, and a little more. */
void *yield_until_done(void *client)
{
    publish(client);
    for (int round = 0; round < 100 && misdeed != nullptr; round++) {
        IOT_MQTT_Yield(client, 50);
    }
    IOT_MQTT_Yield(client, 50);
    return (void *)1;
}

void end_thread()
{
    pthread_exit((void *)7);
}

void thread_ended_in_callback()
{
    void     *client = connect_client();
    void     *result = nullptr;
    pthread_t thread;

    misdeed = end_thread;
    CHECK_INT(pthread_create(&thread, nullptr, yield_until_done, client), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == (void *)7);
    use_and_destroy(client);
}

void throw_seven()
{
    throw 7;
}

void exception_that_is_caught()
{
    void *client = connect_client();
    int   caught = 0;

    misdeed = throw_seven;
    try {
        yield_until_done(client);
    } catch (int number) {
        caught = number;
    }
    CHECK_INT(caught, 7);
    CHECK_INT(std::uncaught_exceptions(), 0);
    use_and_destroy(client);
}

void exception_that_nobody_catches()
{
    void     *client = connect_client();
    void     *result = nullptr;
    pthread_t thread;

    misdeed = throw_seven;
    CHECK_INT(pthread_create(&thread, nullptr, yield_until_done, client), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == (void *)1);
    use_and_destroy(client);
}

void exception_in_hal()
{
    void *client = connect_client();
    int   caught = 0;

    plain_tls_in_read = throw_seven;
    try {
        IOT_MQTT_Yield(client, 500);
    } catch (int number) {
        caught = number;
    }
#ifdef AUTH_WITH_NOTLS
    CHECK_INT(caught, 0); /* nothing is read by HAL_TLS_* */
#else
    CHECK_INT(caught, 7);
#endif
    /* What the failed read had to say is an error of the connection. */
    for (int round = 0; round < 200 && !IOT_MQTT_IsConnected(client); round++) {
        IOT_MQTT_Yield(client, 50);
    }
    for (int round = 0; round < 200 && !IOT_MQTT_IsSubReady(client, topic); round++) {
        IOT_MQTT_Yield(client, 50);
    }
    use_and_destroy(client);
}

thread_local jmp_buf way_out;

void jump()
{
    longjmp(way_out, 1);
}

void *jump_and_stay(void *client)
{
    misdeed = jump;
    if (setjmp(way_out) == 0) {
        yield_until_done(client);
        CHECK(!"jumped");
    }
    return nullptr;
}

void jump_out_of_callback()
{
    void *client = connect_client();

    jump_and_stay(client);
    use_and_destroy(client);
}

/* The thread that jumped never calls again. */
void thread_that_jumped_ends()
{
    void     *client = connect_client();
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, nullptr, jump_and_stay, client), 0);
    CHECK_INT(pthread_join(thread, nullptr), 0);
    use_and_destroy(client);
}

bool on_line(const char *)
{
    do_once();
    return false;
}

void log_handler_leaves()
{
    void     *client = connect_client();
    void     *result = nullptr;
    int       caught = 0;
    pthread_t thread;

    IOT_Log_Set_MessageHandler(on_line);
    misdeed = throw_seven;
    try {
        IOT_MQTT_Yield(nullptr, 1);
    } catch (int number) {
        caught = number;
    }
    CHECK_INT(caught, 7);
    misdeed = jump;
    if (setjmp(way_out) == 0) {
        IOT_MQTT_Yield(nullptr, 1);
        CHECK(!"jumped");
    }
    misdeed = throw_seven;
    caught  = 0;
    try {
        IOT_MQTT_Yield(nullptr, 1);
    } catch (int number) {
        caught = number;
    }
    CHECK_INT(caught, 7);
    misdeed = end_thread;
    CHECK_INT(pthread_create(
                  &thread, nullptr,
                  [](void *) -> void * {
                      IOT_MQTT_Yield(nullptr, 1);
                      return nullptr;
                  },
                  nullptr),
              0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == (void *)7);
    IOT_Log_Set_MessageHandler(nullptr);
    use_and_destroy(client);
}

#ifdef MULTITHREAD_ENABLED
/* A loop thread that a callback ends. */
void loop_thread_ends()
{
    void *client = connect_client();

    misdeed = end_thread;
    CHECK_INT(IOT_MQTT_StartLoop(client), 0);
    publish(client);
    for (int round = 0; round < 100 && misdeed != nullptr; round++) {
        usleep(50000);
    }
    IOT_MQTT_StopLoop(client);
    use_and_destroy(client);
}
#endif

/* A thread in the platform's own functions, which the program calls itself. */
void *sleep_for_ever(void *)
{
    pthread_cleanup_push(on_cleanup, nullptr);
    for (;;) {
        HAL_SleepMs(60000);
    }
    pthread_cleanup_pop(0);
    return nullptr;
}

void cancelled_in_sleep()
{
    CHECK(cancel(sleep_for_ever, nullptr) < 5);
    CHECK_INT(cleanups, 1);
}

void *read_for_ever(void *argument)
{
    unsigned char byte;
    size_t        count;

    for (;;) {
        HAL_TCP_Read(*(uintptr_t *)argument, &byte, 1, 1000, &count);
        pthread_testcancel();
    }
}

void cancelled_in_tcp_read()
{
    int       fd;
    int       port       = silent_port(&fd);
    uintptr_t connection = HAL_TCP_Connect("127.0.0.1", (uint16_t)port);

    CHECK(connection != 0);
    CHECK(cancel(read_for_ever, &connection) < 5);
    HAL_TCP_Disconnect(connection);
    close(fd);
}

struct Case {
    const char *name;
    void (*run)();
};

const Case cases[] = {
    {"cancelled_in_yield", cancelled_in_yield},
    {"cancelled_in_construct", cancelled_in_construct},
    {"cancelled_in_fetch", cancelled_in_fetch},
    {"cancelled_in_sleep", cancelled_in_sleep},
    {"cancelled_in_tcp_read", cancelled_in_tcp_read},
    {"thread_ended_in_callback", thread_ended_in_callback},
    {"exception_that_is_caught", exception_that_is_caught},
    {"exception_that_nobody_catches", exception_that_nobody_catches},
    {"exception_in_hal", exception_in_hal},
    {"jump_out_of_callback", jump_out_of_callback},
    {"thread_that_jumped_ends", thread_that_jumped_ends},
    {"log_handler_leaves", log_handler_leaves},
#ifdef MULTITHREAD_ENABLED
    {"loop_thread_ends", loop_thread_ends},
#endif
};

} // namespace

int main(int argc, char **argv)
{
    bool found = false;

    server_start();
    for (const Case &one : cases) {
        if (argc == 1 || one.name == std::string(argv[1])) {
            found    = true;
            cleanups = 0;
            printf("== %s\n", one.name);
            fflush(stdout);
            one.run();
        }
    }
    server_stop();
    CHECK(found);
    return check_result();
}
