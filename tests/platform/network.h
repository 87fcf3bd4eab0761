/*
 * The device's network, in memory: every connection leads to the cloud of cloud.h, over a link with a latency, a rate
 * and a window. Reading has the habits of the C SDK's own Linux platform code (hal.md, "traps").
 */
#ifndef TESTS_PLATFORM_NETWORK_H_
#define TESTS_PLATFORM_NETWORK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t latency_us;   /* from a request to the first byte of its answer */
    uint64_t bytes_per_ms; /* 0: no limit */
    uint64_t window;       /* bytes of a body under way before somebody reads them */
    uint64_t record;       /* bytes of a body in one record of a secure connection; 0: as many as go in */
} NetworkLink;

/* Set before anything connects. */
extern NetworkLink network_link;

/* How many connections are open, and how many of each kind there have been. */
extern unsigned network_open;
extern unsigned network_plain;
extern unsigned network_secure;

/* Bytes of bodies that devices have read. */
extern uint64_t network_body;

typedef enum { NETWORK_FULL, NETWORK_TIMEOUT, NETWORK_CLOSED } NetworkResult;

/* So many connections are refused, then this is 0. */
extern unsigned network_refuse;

/* A handle, 0 when there are too many connections. */
uintptr_t network_connect(const char *host, int port, bool secure);
void      network_close(uintptr_t handle);

/* Takes a part only, as a full send buffer does. False: the cloud does not understand it. */
bool network_write(uintptr_t handle, const void *data, size_t len, size_t *written);

/*
 * Waits until all `len` bytes are in or the whole time is over. On a secure connection bytes come in records, and
 * a look that finds nothing takes 100 ms, whatever the limit.
 */
NetworkResult network_read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count);

#endif /* TESTS_PLATFORM_NETWORK_H_ */
