/* The cloud of cloud.h behind a socket on loopback, in a thread: for programs that keep the default HAL_TCP_*. */
#ifndef TESTS_PLATFORM_SERVER_H_
#define TESTS_PLATFORM_SERVER_H_

/* Starts it, points QCLOUD_IOT_MQTT_ENDPOINT at it and sets cloud_firmware.url. Ends the program when that fails. */
void server_start(void);

/* Ends it; then cloud_seen may be read. */
void server_stop(void);

#endif /* TESTS_PLATFORM_SERVER_H_ */
