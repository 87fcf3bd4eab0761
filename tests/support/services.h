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
#define SERVICES_LOG 1
#else
#define SERVICES_LOG 0
#endif
/* FEATURE_UPGRADE, of which config.h knows nothing. */
#ifdef WITH_SLOTS
#define SERVICES_SLOTS 1
#else
#define SERVICES_SLOTS 0
#endif
#define SERVICES (6 + SERVICES_LOG + SERVICES_SLOTS)

extern const Service services[SERVICES];

/* With the port of server_start. */
void services_start(int port);

#endif /* TESTS_SUPPORT_SERVICES_H_ */
