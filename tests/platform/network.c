#include "network.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cloud.h"

#define CONNECTIONS 8
#define RECORD      16384u /* unless network_link says otherwise */
#define TLS_LOOK_US 100000u
#define WRITE_PART  100u
#define NEVER       UINT64_MAX
#define MIN(a, b)   ((a) < (b) ? (a) : (b))

typedef struct {
    bool      used;
    bool      secure;
    bool      broken;
    CloudPeer peer;
    uint64_t  ready_us; /* when the answer's first byte is here */
    uint64_t  arrived;  /* bytes of the body that are here, read ones included */
    uint64_t  arrived_us;
} Connection;

NetworkLink network_link;
unsigned    network_open   = 0;
unsigned    network_plain  = 0;
unsigned    network_secure = 0;
uint64_t    network_body   = 0;
unsigned    network_refuse = 0;

static Connection connections[CONNECTIONS];

/* Held but while waiting: the library may connect in a thread of its own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static Connection *connection(uintptr_t handle)
{
    if (handle == 0 || handle > CONNECTIONS || !connections[handle - 1].used) {
        abort();
    }
    return &connections[handle - 1];
}

uintptr_t network_connect(const char *host, int port, bool secure)
{
    uintptr_t handle = 0;

    if (host == NULL || host[0] == '\0' || port <= 0) {
        abort();
    }
    pthread_mutex_lock(&lock);
    if (network_refuse > 0) {
        network_refuse--;
        pthread_mutex_unlock(&lock);
        return 0;
    }
    for (unsigned i = 0; handle == 0 && i < CONNECTIONS; i++) {
        Connection *c = &connections[i];
        if (!c->used) {
            memset(c, 0, sizeof(*c));
            c->used   = true;
            c->secure = secure;
            cloud_open(&c->peer);
            network_open++;
            *(secure ? &network_secure : &network_plain) += 1;
            handle = i + 1;
        }
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

void network_close(uintptr_t handle)
{
    pthread_mutex_lock(&lock);
    connection(handle)->used = false;
    network_open--;
    pthread_mutex_unlock(&lock);
}

bool network_write(uintptr_t handle, const void *data, size_t len, size_t *written)
{
    Connection *c;
    bool        understood;

    pthread_mutex_lock(&lock);
    c          = connection(handle);
    len        = MIN(len, WRITE_PART);
    understood = !c->broken && cloud_receive(&c->peer, data, len);
    *written   = understood ? len : 0;
    if (understood) {
        c->ready_us   = clock_us() + network_link.latency_us;
        c->arrived_us = c->ready_us;
    } else {
        c->broken = true;
    }
    pthread_mutex_unlock(&lock);
    return understood;
}

static uint64_t record(void)
{
    return network_link.record != 0 ? network_link.record : RECORD;
}

/* How much of the body has been handed on by the link, in whole records where there are any. */
static uint64_t usable(const Connection *c)
{
    if (!c->secure || c->arrived == c->peer.body_len) {
        return c->arrived;
    }
    return c->arrived - c->arrived % record();
}

/* Lets the link work up to now: it stops while the window is full. */
static void arrive(Connection *c)
{
    uint64_t now    = clock_us();
    uint64_t window = network_link.window + (c->secure ? record() : 0);
    uint64_t limit  = MIN(c->peer.body_len, c->peer.body_sent + window);
    uint64_t more   = limit;

    if (now < c->arrived_us) {
        return;
    }
    if (network_link.bytes_per_ms != 0) {
        more = (now - c->arrived_us) * network_link.bytes_per_ms / 1000;
    }
    if (c->arrived + more >= limit) {
        c->arrived    = c->arrived > limit ? c->arrived : limit;
        c->arrived_us = now;
    } else {
        /* The time of a byte that is half here is not lost. */
        c->arrived += more;
        c->arrived_us += more * 1000 / network_link.bytes_per_ms;
    }
}

/* Copies what is here. */
static size_t take(Connection *c, unsigned char *data, size_t len)
{
    CloudPeer *peer  = &c->peer;
    size_t     count = 0;

    if (clock_us() < c->ready_us) {
        return 0;
    }
    count = MIN(len, peer->out_len - peer->out_sent);
    memcpy(data, peer->out + peer->out_sent, count);
    peer->out_sent += count;
    if (peer->out_sent == peer->out_len) {
        size_t body;

        arrive(c);
        body = (size_t)MIN((uint64_t)(len - count), usable(c) - peer->body_sent);
        cloud_take_body(peer, data + count, body);
        count += body;
        network_body += body;
    }
    return count;
}

/* When the `wanted` bytes, or as many of them as can be under way, will be here, if nothing is. */
static uint64_t next_us(const Connection *c, uint64_t wanted)
{
    uint64_t missing;

    if (clock_us() < c->ready_us) {
        return c->ready_us;
    }
    if (c->peer.body_sent == c->peer.body_len || network_link.bytes_per_ms == 0) {
        return NEVER;
    }
    missing = c->secure ? record() - c->arrived % record() : MIN(wanted, network_link.window);
    missing = MIN(missing, c->peer.body_len - c->arrived);
    return c->arrived_us + (missing * 1000 + network_link.bytes_per_ms - 1) / network_link.bytes_per_ms;
}

static bool at_end(const Connection *c)
{
    const CloudPeer *peer = &c->peer;

    return clock_us() >= c->ready_us && peer->closing && peer->out_sent == peer->out_len &&
           peer->body_sent == peer->body_len;
}

static NetworkResult read_locked(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count)
{
    Connection *c   = connection(handle);
    uint64_t    end = clock_us() + (uint64_t)timeout_ms * 1000;

    *count = 0;
    for (;;) {
        uint64_t next, limit;

        *count += take(c, data + *count, len - *count);
        if (*count == len) {
            return NETWORK_FULL;
        }
        if (c->broken || at_end(c)) {
            return NETWORK_CLOSED;
        }
        next  = next_us(c, len - *count);
        limit = c->secure ? clock_us() + TLS_LOOK_US : end;
        pthread_mutex_unlock(&lock);
        clock_wait_until(MIN(next, limit));
        pthread_mutex_lock(&lock);
        if (next > limit && clock_us() >= end) {
            return NETWORK_TIMEOUT;
        }
        /* The time is looked at between two records, too, but what is here is still taken. */
        if (clock_us() >= end) {
            *count += take(c, data + *count, len - *count);
            return *count == len ? NETWORK_FULL : NETWORK_TIMEOUT;
        }
    }
}

NetworkResult network_read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *count)
{
    NetworkResult result;

    pthread_mutex_lock(&lock);
    result = read_locked(handle, data, len, timeout_ms, count);
    pthread_mutex_unlock(&lock);
    return result;
}
