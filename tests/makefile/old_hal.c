/* Platform code from the C SDK's days, compiled against the contract's data (abi.h). Behind it stands no network but a
 * few lines of MQTT broker, so that whole sessions run in one thread of one program. */

#include "old_hal.h"

#include <stdio.h>
#include <string.h>

#include "abi.h"

#define HANDLE 1

Seen        seen;
bool        unreachable;
const char *update_command;

static unsigned char to_device[8192], from_device[8192];
static size_t        waiting, received;

static void put(const void *bytes, size_t length)
{
    if (waiting + length <= sizeof(to_device)) {
        memcpy(to_device + waiting, bytes, length);
        waiting += length;
    }
}

/* QoS 1, packet ids from 0x1234. */
static void publish(const char *topic, size_t topic_length, const char *payload)
{
    static unsigned next_id   = 0x1234;
    unsigned char   id[2]     = {(unsigned char)(next_id >> 8), (unsigned char)next_id};
    unsigned char   length[2] = {(unsigned char)(topic_length >> 8), (unsigned char)topic_length};
    unsigned char   head[5]   = {0x32};
    size_t          rest      = 4 + topic_length + strlen(payload);
    size_t          used      = 1;

    next_id++;
    for (; rest > 127; rest /= 128) {
        head[used++] = (unsigned char)(rest % 128 | 128);
    }
    head[used++] = (unsigned char)rest;
    put(head, used);
    put(length, 2);
    put(topic, topic_length);
    put(id, 2);
    put(payload, strlen(payload));
}

static void answer(const unsigned char *packet, const unsigned char *body, size_t length)
{
    static char   update_topic[128];
    static size_t update_topic_length;
    unsigned char ack[5] = {0x40, 2, 0, 0, 0};
    size_t        topic_length;
    const char   *topic;

    switch (packet[0] >> 4) {
        case 1: /* CONNECT: name and level of the protocol, flags, keep-alive */
            seen.clean_session = (body[7] & 2) != 0;
            seen.keep_alive_s  = (unsigned)(body[8] << 8 | body[9]);
            put("\x20\x02\x00\x00", 4);
            break;
        case 3: /* PUBLISH: acknowledged, and echoed on "echo" */
            topic_length = (size_t)(body[0] << 8 | body[1]);
            topic        = (const char *)body + 2;
            if ((packet[0] & 6) != 0) {
                memcpy(ack + 2, body + 2 + topic_length, 2);
                put(ack, 4);
            }
            if (topic_length == 4 && memcmp(topic, "echo", 4) == 0) {
                publish("echo", 4, "old payload");
            }
            if (topic_length > 11 && memcmp(topic, "$ota/report", 11) == 0 && update_command != NULL) {
                publish(update_topic, update_topic_length, update_command);
            }
            break;
        case 8: /* SUBSCRIBE to one topic */
            topic_length = (size_t)(body[2] << 8 | body[3]);
            topic        = (const char *)body + 4;
            if (topic_length < sizeof(update_topic) && topic_length > 11 && memcmp(topic, "$ota/update", 11) == 0) {
                memcpy(update_topic, topic, topic_length);
                update_topic_length = topic_length;
            }
            ack[0] = 0x90;
            ack[1] = 3;
            memcpy(ack + 2, body, 2);
            ack[4] = body[length - 1];
            put(ack, 5);
            break;
        case 10: /* UNSUBSCRIBE */
            ack[0] = 0xB0;
            memcpy(ack + 2, body, 2);
            put(ack, 4);
            break;
        case 12: /* PINGREQ */
            put("\xD0\x00", 2);
            break;
        default:
            break;
    }
}

static int device_wrote(const unsigned char *bytes, size_t length, size_t *written)
{
    if (received + length > sizeof(from_device)) {
        return -1;
    }
    memcpy(from_device + received, bytes, length);
    received += length;
    *written = length;
    for (;;) {
        size_t rest = 0, at = 1, shift = 0;
        do {
            if (at >= received) {
                return QCLOUD_RET_SUCCESS;
            }
            rest |= (size_t)(from_device[at] & 127) << shift;
            shift += 7;
        } while ((from_device[at++] & 128) != 0);
        if (received < at + rest) {
            return QCLOUD_RET_SUCCESS;
        }
        answer(from_device, from_device + at, rest);
        received -= at + rest;
        memmove(from_device, from_device + at + rest, received);
    }
}

static int device_reads(unsigned char *bytes, size_t length, size_t *read, int nothing, int timeout)
{
    size_t count = length < waiting ? length : waiting;

    *read = count;
    if (count == 0) {
        HAL_SleepMs(1);
        return nothing;
    }
    memcpy(bytes, to_device, count);
    waiting -= count;
    memmove(to_device, to_device + count, waiting);
    return count == length ? QCLOUD_RET_SUCCESS : timeout;
}

static void connected(const char *host, unsigned port)
{
    seen.connections++;
    snprintf(seen.host, sizeof(seen.host), "%s", host);
    seen.port = port;
    waiting = received = 0;
}

/* ---- What the library calls ---- */

#ifdef AUTH_WITH_NOTLS
uintptr_t HAL_TCP_Connect(const char *host, uint16_t port)
{
    connected(host, port);
    return unreachable ? 0 : HANDLE;
}

int HAL_TCP_Disconnect(uintptr_t fd)
{
    (void)fd;
    seen.disconnections++;
    return QCLOUD_RET_SUCCESS;
}

int HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *written_len)
{
    (void)fd;
    (void)timeout_ms;
    return device_wrote(data, len, written_len);
}

int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read_len)
{
    (void)fd;
    (void)timeout_ms;
    return device_reads(data, len, read_len, QCLOUD_ERR_TCP_NOTHING_TO_READ, QCLOUD_ERR_TCP_READ_TIMEOUT);
}
#else
uintptr_t HAL_TLS_Connect(TLSConnectParams *params, const char *host, int port)
{
    connected(host, (unsigned)port);
#ifdef AUTH_MODE_CERT
    snprintf(seen.identity, sizeof(seen.identity), "%s", params->cert_file);
    seen.secret_length = (unsigned)strlen(params->key_file);
#else
    snprintf(seen.identity, sizeof(seen.identity), "%s", params->psk_id);
    seen.secret_length = (unsigned)params->psk_length;
#endif
    seen.ca_length     = params->ca_crt_len;
    return unreachable ? 0 : HANDLE;
}

void HAL_TLS_Disconnect(uintptr_t handle)
{
    (void)handle;
    seen.disconnections++;
}

int HAL_TLS_Write(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *written_len)
{
    (void)handle;
    (void)timeout_ms;
    return device_wrote(data, len, written_len);
}

int HAL_TLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *read_len)
{
    (void)handle;
    (void)timeout_ms;
    return device_reads(data, len, read_len, QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_ERR_SSL_READ_TIMEOUT);
}
#endif
