/* A second Rust library in the same program: its allocations are its own, ours go through HAL_Malloc. */

#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"

/* tests/link/other_rust */
int64_t other_rust_work(int64_t count);
int     other_rust_panics(void);

static unsigned allocations = 0;

void *HAL_Malloc(uint32_t size)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return malloc(size);
}

void HAL_Free(void *pointer)
{
    free(pointer);
}

static void use_ours(void)
{
    unsigned before = allocations;
    char     json[] = "{\"key\":\"value\"}";
    char     key[]  = "key";
    char    *value  = LITE_json_value_of(key, json);

    CHECK_STR(value, "value");
    HAL_Free(value);
    CHECK(allocations > before);
#ifndef AUTH_WITH_NOTLS
    /* Its code on our side of the fence allocates too: the platform's. */
    SSLConnectParams params = {.ca_crt = "no certificate", .ca_crt_len = 14, .timeout_ms = 1000};
    before                  = allocations;
    CHECK(HAL_TLS_Connect(&params, "127.0.0.1", 1) == 0);
    CHECK(allocations > before);
#endif
}

static void use_theirs(void)
{
    unsigned before = allocations;

    CHECK_INT(other_rust_work(1000), 499500);
    CHECK_INT(other_rust_panics(), 1);
    CHECK_INT(allocations, before);
}

int main(void)
{
    use_theirs();
    use_ours();
    use_theirs();
    CHECK(IOT_OTA_Init(NULL, NULL, NULL) == NULL);
    return check_result();
}
