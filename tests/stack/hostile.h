/* A server on loopback that answers as the test says: MQTT whose messages, and HTTP whose answers, are given whole. */
#ifndef TESTS_STACK_HOSTILE_H_
#define TESTS_STACK_HOSTILE_H_

#include <stddef.h>

/* Sent to the device's update topic after each version report. */
extern const char *hostile_message;
extern size_t      hostile_message_len;
/* Sent in answer to each HTTP request; then the connection is closed. */
extern const char *hostile_answer;
extern size_t      hostile_answer_len;

/* Starts it, points QCLOUD_IOT_MQTT_ENDPOINT at it and returns its port. Ends the program when that fails. */
int hostile_start(void);

#endif /* TESTS_STACK_HOSTILE_H_ */
