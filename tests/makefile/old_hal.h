/* The broker inside old_hal.c. */
#ifndef TESTS_MAKEFILE_OLD_HAL_H
#define TESTS_MAKEFILE_OLD_HAL_H

#include <stdbool.h>

/* What the platform saw of the connection's parameters. */
typedef struct {
    int      connections;
    int      disconnections;
    char     host[128];
    unsigned port;
    char     identity[256]; /* pre-shared key: its name; certificate: its file */
    unsigned secret_length;
    unsigned ca_length;
    unsigned keep_alive_s; /* from CONNECT */
    bool     clean_session;
} Seen;

extern Seen seen;

/* No connection can be made. */
extern bool unreachable;

/* Sent to the device as the answer to what it publishes on $ota/report. */
extern const char *update_command;

#endif
