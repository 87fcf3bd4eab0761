/* What our own platform offers the library besides HAL_*: a wait for bytes that another thread can end. The library uses
 * it only where the functions it depends on are the platform's, and not the program's own: each table says which they
 * are. A table is where the HAL functions of its subject are, so a program that has all of them itself has no table. */
#ifndef IOT_PLATFORM_WAIT_H
#define IOT_PLATFORM_WAIT_H

#include <stddef.h>
#include <stdint.h>

struct iot_platform_wait_table {
    uint32_t (*get_time_ms)(void);
    /* A descriptor that ends waits; -1 where there is none to be had. */
    int (*waker_create)(void);
    void (*waker_wake)(int waker);
    void (*waker_destroy)(int waker);
    /* Until bytes have come, or room where there is `is_writing`, or the waker was woken, or the time is over. A thread
     * may be cancelled in it. */
    void (*wait)(int descriptor, int is_writing, int waker, uint32_t timeout_ms);
};

struct iot_platform_tcp_table {
    uintptr_t (*connect)(const char *host, uint16_t port);
    int (*read)(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len);
};

struct iot_platform_tls_table {
    uintptr_t (*connect)(void *params, const char *host, int port);
    int (*read)(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len);
    /* What to wait on once a read has found nothing, -1 for nothing. Sends what is unsent first; sets `is_writing` where
     * some of it is left. */
    int (*descriptor)(uintptr_t handle, int *is_writing);
};

#endif
