/* Every service of the library in turn, with a cloud that answers: cloud.h's, as services.c extends it. */
#ifndef TESTS_SUPPORT_SERVICES_H_
#define TESTS_SUPPORT_SERVICES_H_

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

typedef struct {
    const char *name;
    void (*start)(void); /* what must be there before, such as a connection */
    bool (*use)(void);   /* every call of the service; true: all of them worked. May be tried again after a failure */
    bool (*end)(void);   /* leaves nothing behind; true: that worked */
} Service;

#ifdef LOG_UPLOAD
#define SERVICES 7
#else
#define SERVICES 6
#endif

extern const Service services[SERVICES];

/* With the port of server_start. */
void services_start(int port);

#endif /* TESTS_SUPPORT_SERVICES_H_ */
