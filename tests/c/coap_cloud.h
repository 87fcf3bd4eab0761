/*
 * A CoAP cloud in memory for coap.c, behind the program's own HAL_UDP_*, with a clock that only waiting moves; and a program
 * that notes what it hears.
 */
#ifndef TESTS_C_COAP_CLOUD_H_
#define TESTS_C_COAP_CLOUD_H_

#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_export_coap.h"

#define LIMIT_MS 600
#define REPEATS  2
#define TOKEN    "TOKEN12345"
#define TOPIC    "C1PRODUCT1/dev01/data"
#define AT_ONCE  64 /* datagrams that wait to be read */

enum { CON = 0x40, NON = 0x50, ACK = 0x60, RST = 0x70 };
enum { EMPTY = 0, POST = 0x02, VALID = 0x43, CONTENT = 0x45, UNAUTHORIZED = 0x81, FORBIDDEN = 0x83, FAILED = 0xa0 };

static uint32_t clock_ms;
static size_t   memory_in_use;

/* What was sent last, and of all: how many, and when. */
static unsigned char sent[600];
static size_t        sent_len;
static unsigned      sent_count;
static uint32_t      sent_at[16];

static struct {
    unsigned char bytes[4200];
    size_t        len;
} coming[AT_ONCE];
static unsigned coming_count, coming_next;

/* What the cloud does with a request, the one for a token included. */
static void (*cloud)(void);
/* Codes that HAL_UDP_* return instead, where they are not 0. */
static int write_code, read_code;

/* ---- The platform ---- */

uint32_t HAL_GetTimeMs(void)
{
    return clock_ms;
}

void HAL_SleepMs(uint32_t ms)
{
    clock_ms += ms;
}

/* The size, in front of each block; as large as what malloc aligns to. */
typedef union {
    size_t      size;
    long double alignment;
} Head;

void *HAL_Malloc(uint32_t size)
{
    Head *head = malloc(sizeof(*head) + size);

    head->size = size;
    memory_in_use += size;
    return head + 1;
}

void HAL_Free(void *memory)
{
    if (memory != NULL) {
        Head *head = (Head *)memory - 1;

        memory_in_use -= head->size;
        free(head);
    }
}

uintptr_t HAL_UDP_Connect(const char *host, unsigned short port)
{
    CHECK(host != NULL && port == 5684);
    return 1;
}

void HAL_UDP_Disconnect(uintptr_t fd)
{
    CHECK_INT(fd, 1);
}

int HAL_UDP_Write(uintptr_t fd, const unsigned char *data, unsigned int len)
{
    CHECK(fd == 1 && len <= 512);
    if (write_code != 0) {
        return write_code;
    }
    memcpy(sent, data, len);
    sent_len                                                       = len;
    sent_at[sent_count++ % (sizeof(sent_at) / sizeof(sent_at[0]))] = clock_ms;
    if ((data[0] & 0x30) == 0 && data[1] == POST && cloud != NULL) {
        cloud();
    }
    return (int)len;
}

int HAL_UDP_ReadTimeout(uintptr_t fd, unsigned char *data, unsigned int len, unsigned int timeout_ms)
{
    size_t count;

    CHECK(fd == 1 && len >= 4096 && timeout_ms > 0);
    if (read_code != 0) {
        clock_ms++;
        return read_code;
    }
    if (coming_next == coming_count) {
        clock_ms += timeout_ms;
        return QCLOUD_ERR_SSL_READ_TIMEOUT;
    }
    count = coming[coming_next].len < len ? coming[coming_next].len : len;
    memcpy(data, coming[coming_next].bytes, count);
    coming_next++;
    return (int)count;
}

/* ---- The cloud ---- */

static unsigned char *come(size_t len)
{
    if (coming_next == coming_count) {
        coming_next = coming_count = 0;
    }
    CHECK(coming_count < AT_ONCE);
    coming[coming_count].len = len;
    return coming[coming_count++].bytes;
}

/* With the id of what was sent last, or another one, and its token. */
static void say_as(int kind, int code, uint16_t id, const void *payload, size_t len)
{
    size_t         token = code == EMPTY ? 0 : 4;
    unsigned char *bytes = come(4 + token + (len > 0) + len);

    bytes[0] = (unsigned char)((unsigned)kind | token);
    bytes[1] = (unsigned char)code;
    bytes[2] = (unsigned char)(id >> 8);
    bytes[3] = (unsigned char)id;
    memcpy(bytes + 4, sent + 4, token);
    if (len > 0) {
        bytes[4 + token] = 0xff;
        memcpy(bytes + 5 + token, payload, len);
    }
}

static uint16_t sent_id(void)
{
    return (uint16_t)(sent[2] << 8 | sent[3]);
}

static void say(int kind, int code, const char *payload)
{
    say_as(kind, code, sent_id(), payload, strlen(payload));
}

static bool asks_for_token(void)
{
    return sent_len > 16 && memcmp(sent + sent_len - 16, "21010406;", 9) == 0;
}

static void (*then)(void); /* what it does with messages */

static void trusting(void)
{
    if (asks_for_token()) {
        say(ACK, CONTENT, TOKEN);
    } else if (then != NULL) {
        then();
    }
}

static void acknowledges(void)
{
    say(ACK, CONTENT, "");
}

/* ---- The program ---- */

static struct {
    unsigned events;
    int      type;
    int      id;
    unsigned answers;
    int      code;
    int      payload_code;
    int      len;
    char     text[5000];
} heard;

static void note_message(void *message)
{
    char *payload = heard.text;
    int   len     = -7;

    heard.code         = IOT_COAP_GetMessageCode(message);
    heard.id           = IOT_COAP_GetMessageId(message);
    heard.payload_code = IOT_COAP_GetMessagePayload(message, &payload, &len);
    heard.len          = len;
    CHECK_INT(IOT_COAP_GetMessagePayload(message, NULL, &len), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_COAP_GetMessagePayload(message, &payload, NULL), QCLOUD_ERR_INVAL);
    if (heard.payload_code == 0 && len > 0) {
        /* With the NUL that is not counted. */
        memcpy(heard.text, payload, (size_t)len + 1);
        CHECK_INT(heard.text[len], 0);
    } else {
        CHECK(heard.payload_code == 0 ? payload == NULL : payload == heard.text);
        CHECK_INT(len, heard.payload_code == 0 ? 0 : -7);
    }
}

static void on_event(void *context, CoAPEventMessage *event)
{
    CHECK(context == &heard);
    heard.events++;
    heard.type = event->event_type;
    if (event->event_type == COAP_EVENT_RECEIVE_RESPCONTENT) {
        note_message(event->message);
    } else {
        heard.id = (int)(uintptr_t)event->message;
    }
}

static void on_answer(void *message, void *context)
{
    CHECK(context == &clock_ms);
    heard.answers++;
    note_message(message);
}

static CoAPInitParams params(void)
{
    static char    product[] = "C1PRODUCT1", device[] = "dev01";
    CoAPInitParams init = DEFAULT_COAPINIT_PARAMS;

    init.product_id           = product;
    init.device_name          = device;
    init.command_timeout      = LIMIT_MS;
    init.max_retry_count      = REPEATS;
    init.event_handle.h_fp    = on_event;
    init.event_handle.context = &heard;
    return init;
}

static void *construct(void (*by)(void))
{
    CoAPInitParams init = params();

    cloud        = by;
    coming_count = coming_next = 0;
    sent_count                 = 0;
    memset(&heard, 0, sizeof(heard));
    return IOT_COAP_Construct(&init);
}

static SendMsgParams message(const char *payload, bool answer, OnRespCallback callback)
{
    SendMsgParams message = DEFAULT_SENDMSG_PARAMS;

    message.need_resp     = answer;
    message.pay_load      = (char *)(uintptr_t)payload;
    message.pay_load_len  = strlen(payload);
    message.resp_callback = callback;
    message.user_context  = &clock_ms;
    return message;
}

static int post(void *client, SendMsgParams *what)
{
    static char topic[] = TOPIC;

    return IOT_COAP_SendMessage(client, topic, what);
}

/* Until every time limit has passed. */
static void wait_long(void *client)
{
    uint32_t until = clock_ms + 10 * LIMIT_MS;

    while (clock_ms < until) {
        CHECK_INT(IOT_COAP_Yield(client, LIMIT_MS), 0);
    }
}

#endif /* TESTS_C_COAP_CLOUD_H_ */
