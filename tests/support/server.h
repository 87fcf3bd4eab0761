/* The cloud of cloud.h behind a socket on loopback, in a thread: for programs that keep the default HAL_TCP_*. */
#ifndef TESTS_SUPPORT_SERVER_H_
#define TESTS_SUPPORT_SERVER_H_

/* Starts it, points QCLOUD_IOT_MQTT_ENDPOINT at it and sets cloud_firmware.url. Returns its port. Ends the program when that
 * fails. */
int server_start(void);

/* Ends it; then cloud_seen may be read. */
void server_stop(void);

#endif /* TESTS_SUPPORT_SERVER_H_ */
