#include "cloud.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096u
/* "1000\r\n" in front of a chunk, "\r\n" behind it. */
#define CHUNK_HEAD   6u
#define CHUNK_TAIL   2u
#define CHUNK_FRAMED (CHUNK_HEAD + CHUNK + CHUNK_TAIL)

CloudFirmware cloud_firmware;
CloudScript   cloud_script;
CloudFaults   cloud_faults;
CloudSeen     cloud_seen;

bool (*cloud_report)(const char *payload, size_t len);
bool (*cloud_others)(CloudPeer *peer, const char *topic, size_t topic_len, const char *payload, size_t len);

/* Who reported a version last; NULL when that connection is over. */
static CloudPeer *reporter = NULL;
static char       reporter_topic[128];

unsigned char cloud_firmware_byte(uint32_t position)
{
    unsigned char byte = (unsigned char)((position * 2654435761u) >> 24);

    if (position < cloud_firmware.head_len) {
        return (unsigned char)cloud_firmware.head[position];
    }
    return cloud_firmware.wrong_at != 0 && position == cloud_firmware.wrong_at ? byte ^ 1 : byte;
}

void cloud_open(CloudPeer *peer)
{
    reporter = peer == reporter ? NULL : reporter;
    memset(peer, 0, sizeof(*peer));
}

static bool send_bytes(CloudPeer *peer, const void *data, size_t len)
{
    if (peer->out_sent == peer->out_len) {
        peer->out_sent = peer->out_len = 0;
    }
    if (len > sizeof(peer->out) - peer->out_len) {
        return false;
    }
    memcpy(peer->out + peer->out_len, data, len);
    peer->out_len += len;
    return true;
}

/* ---- MQTT ---- */

static bool send_publish(CloudPeer *peer, const char *topic, size_t topic_len, const void *payload, size_t len)
{
    unsigned char head[7];
    size_t        rest = 2 + topic_len + 2 + len;

    if (rest >= 128 * 128) {
        return false;
    }
    head[0] = 0x32; /* QoS 1 */
    head[1] = (unsigned char)(rest % 128 + 128);
    head[2] = (unsigned char)(rest / 128);
    head[3] = (unsigned char)(topic_len / 256);
    head[4] = (unsigned char)(topic_len % 256);
    /* A packet id that comes again at once is a repeat, which the device does not take for a message. */
    peer->packet_id = peer->packet_id % 250 + 1;
    head[5]         = 0;
    head[6]         = (unsigned char)peer->packet_id;
    return send_bytes(peer, head, 5) && send_bytes(peer, topic, topic_len) && send_bytes(peer, head + 5, 2) &&
           send_bytes(peer, payload, len);
}

/* The scripted message. It goes out as a body, since it may be longer than any buffer. */
static bool send_script(CloudPeer *peer, const char *topic)
{
    unsigned char head[7]   = {0x30}; /* QoS 0 */
    size_t        topic_len = strlen(topic);
    size_t        rest      = 2 + topic_len + cloud_script.message.len;
    size_t        head_len  = 1;

    if (cloud_script.message.len == 0) {
        return true;
    }
    do {
        head[head_len++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        rest >>= 7;
    } while (rest > 0);
    head[head_len++] = (unsigned char)(topic_len / 256);
    head[head_len++] = (unsigned char)(topic_len % 256);
    peer->said       = cloud_script.message.data;
    peer->body_len   = cloud_script.message.len;
    peer->body_sent  = 0;
    return send_bytes(peer, head, head_len) && send_bytes(peer, topic, topic_len);
}

bool cloud_say(CloudPeer *peer, const char *topic, const void *payload, size_t len)
{
    return cloud_script.message.data != NULL ? send_script(peer, topic)
                                             : send_publish(peer, topic, strlen(topic), payload, len);
}

static bool contains(const char *text, size_t len, const char *what)
{
    size_t what_len = strlen(what);

    for (size_t i = 0; i + what_len <= len; i++) {
        if (memcmp(text + i, what, what_len) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a fault is due, which then counts as done. */
static bool take(unsigned *fault)
{
    bool due = *fault > 0;

    *fault -= due;
    return due;
}

static bool send_command(CloudPeer *peer, const char *topic)
{
    char        command[512];
    const char *md5_key = take(&cloud_faults.bad_commands) ? "md5" : "md5sum";

    snprintf(command, sizeof(command),
             "{\"file_size\":%" PRIu32 ",\"%s\":\"%s\",\"type\":\"update_firmware\",\"url\":\"%s\",\"version\":\"%s\"}",
             cloud_firmware.size, md5_key, cloud_firmware.md5, cloud_firmware.url,
             cloud_firmware.version != NULL ? cloud_firmware.version : CLOUD_VERSION);
    return send_publish(peer, topic, strlen(topic), command, strlen(command));
}

static bool on_report(CloudPeer *peer, const char *device, size_t device_len, const char *payload, size_t len)
{
    static const char agreed[] =
        "{\"result_code\":0,\"result_msg\":\"success\",\"type\":\"report_version_rsp\",\"version\":\"1.0.0\"}";
    static const char refused[] =
        "{\"result_code\":1,\"result_msg\":\"not now\",\"type\":\"report_version_rsp\",\"version\":\"1.0.0\"}";

    bool is_ordered = cloud_report == NULL || cloud_report(payload, len);

    if (contains(payload, len, "\"done\"")) {
        cloud_seen.done++;
    }
    if (contains(payload, len, "\"fail\"")) {
        cloud_seen.failed++;
    }
    if (!contains(payload, len, "\"report_version\"")) {
        return true;
    }
    reporter = peer;
    snprintf(reporter_topic, sizeof(reporter_topic), "$ota/update/%.*s", (int)device_len, device);
    if (cloud_script.message.data != NULL) {
        return send_script(peer, reporter_topic);
    }
    if (take(&cloud_faults.refused_reports)) {
        return send_publish(peer, reporter_topic, strlen(reporter_topic), refused, strlen(refused));
    }
    return send_publish(peer, reporter_topic, strlen(reporter_topic), agreed, strlen(agreed)) &&
           (!is_ordered || send_command(peer, reporter_topic));
}

static bool on_publish(CloudPeer *peer, unsigned char flags, const unsigned char *body, size_t len)
{
    static const char report[] = "$ota/report/";
    size_t            topic_len, used;
    const char       *topic;

    if (len < 2) {
        return false;
    }
    topic_len = (size_t)body[0] * 256 + body[1];
    topic     = (const char *)body + 2;
    used      = 2 + topic_len + ((flags & 6) ? 2 : 0);
    if (used > len) {
        return false;
    }
    if (flags & 6) {
        unsigned char ack[4] = {0x40, 2, body[2 + topic_len], body[3 + topic_len]};
        if (!send_bytes(peer, ack, sizeof(ack))) {
            return false;
        }
    }
    if (topic_len > strlen(report) && memcmp(topic, report, strlen(report)) == 0) {
        return on_report(peer, topic + strlen(report), topic_len - strlen(report), (const char *)body + used,
                         len - used);
    }
    if (topic_len > strlen(CLOUD_ECHO) &&
        memcmp(topic + topic_len - strlen(CLOUD_ECHO), CLOUD_ECHO, strlen(CLOUD_ECHO)) == 0) {
        return send_publish(peer, topic, topic_len, body + used, len - used);
    }
    return cloud_others == NULL || cloud_others(peer, topic, topic_len, (const char *)body + used, len - used);
}

static bool on_packet(CloudPeer *peer, unsigned char head, const unsigned char *body, size_t len)
{
    static const unsigned char connack[]  = {0x20, 2, 0, 0};
    static const unsigned char pingresp[] = {0xd0, 0};
    unsigned char              ack[5]     = {0};

    switch (head >> 4) {
        case 1: /* CONNECT */
            cloud_seen.connects++;
            return send_bytes(peer, connack, sizeof(connack));
        case 3:
            return on_publish(peer, head & 0xf, body, len);
        case 4: /* PUBACK */
            return len == 2;
        case 8:  /* SUBSCRIBE to one filter */
        case 10: /* UNSUBSCRIBE */
            if (len < 2) {
                return false;
            }
            ack[0] = head >> 4 == 8 ? 0x90 : 0xb0;
            ack[1] = head >> 4 == 8 ? 3 : 2;
            memcpy(ack + 2, body, 2);
            ack[4] = body[len - 1]; /* the QoS asked for */
            return send_bytes(peer, ack, 2 + (size_t)ack[1]);
        case 12:
            return send_bytes(peer, pingresp, sizeof(pingresp));
        case 14: /* DISCONNECT */
            peer->closing = true;
            return true;
        default:
            return false;
    }
}

/* One packet off the front of `in`: 1, 0 for not there yet, -1 for malformed. */
static int mqtt_step(CloudPeer *peer)
{
    size_t rest = 0, used = 1;

    for (unsigned shift = 0;; shift += 7) {
        if (used == peer->in_len) {
            return 0;
        }
        if (shift > 21) {
            return -1;
        }
        rest |= (size_t)(peer->in[used] & 0x7f) << shift;
        if ((peer->in[used++] & 0x80) == 0) {
            break;
        }
    }
    if (peer->in_len - used < rest) {
        return 0;
    }
    if (!on_packet(peer, peer->in[0], peer->in + used, rest)) {
        return -1;
    }
    peer->in_len -= used + rest;
    memmove(peer->in, peer->in + used + rest, peer->in_len);
    return 1;
}

/* ---- HTTP ---- */

static int http_step(CloudPeer *peer)
{
    static const char range_name[] = "Range: bytes=";
    static const char moved[]      = "HTTP/1.1 302 Found\r\nLocation: /firmware.bin\r\nContent-Length: 0\r\n\r\n";
    static const char page[]       = "<html><body>No firmware here.</body></html>";
    char              request[sizeof(peer->in) + 1];
    char              head[512];
    char              length[64] = "";
    const char       *range;
    uint32_t          body;

    memcpy(request, peer->in, peer->in_len);
    request[peer->in_len] = '\0';
    if (strstr(request, "\r\n\r\n") == NULL) {
        return 0;
    }
    peer->in_len = 0;
    range        = strstr(request, range_name);
    if (range == NULL) {
        range = strstr(request, "range: bytes=");
    }
    peer->offset = range == NULL ? 0 : (uint32_t)strtoul(range + strlen(range_name), NULL, 10);
    if (cloud_seen.requests < CLOUD_OFFSETS) {
        cloud_seen.offsets[cloud_seen.requests] = peer->offset;
    }
    cloud_seen.requests++;
    if (cloud_script.answer.data != NULL) {
        peer->said     = cloud_script.answer.data;
        peer->body_len = cloud_script.answer.len;
        peer->closing  = true;
        return 1;
    }
    if (strstr(request, CLOUD_MOVED) != NULL) {
        /* A short answer, and the connection stays open: whoever asks for more than the head waits for nothing. */
        return send_bytes(peer, moved, strlen(moved)) ? 1 : -1;
    }
    if (take(&cloud_faults.repeated) && reporter != NULL && !send_command(reporter, reporter_topic)) {
        return -1;
    }
    if (take(&cloud_faults.errors)) {
        peer->closing = true;
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d Whatever\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %u\r\n\r\n%s",
                 cloud_faults.status, (unsigned)strlen(page), page);
        return send_bytes(peer, head, strlen(head)) ? 1 : -1;
    }
    if (peer->offset >= cloud_firmware.size) {
        return -1;
    }
    body          = cloud_firmware.size - peer->offset;
    peer->framing = cloud_firmware.framing;
    peer->closing = peer->framing == CLOUD_UNTIL_CLOSE;
    switch (peer->framing) {
        case CLOUD_CHUNKED:
            snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
            /* "%04X\r\n" keeps the last chunk's head as long as the others'; then "0\r\n\r\n". */
            peer->body_len = (uint64_t)body + (uint64_t)(CHUNK_HEAD + CHUNK_TAIL) * ((body + CHUNK - 1) / CHUNK) + 5;
            break;
        case CLOUD_LENGTH:
            snprintf(length, sizeof(length), "Content-Length: %" PRIu32 "\r\n", body);
            peer->body_len = body;
            break;
        case CLOUD_UNTIL_CLOSE:
            peer->body_len = body;
            break;
    }
    if (cloud_faults.cut_at > peer->offset) {
        peer->body_len      = cloud_faults.cut_at - peer->offset;
        peer->closing       = true;
        cloud_faults.cut_at = 0;
    }
    snprintf(head, sizeof(head),
             "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %" PRIu32 "-%" PRIu32 "/%" PRIu32
             "\r\nETag: \"one\"\r\nConnection: close\r\n%s\r\n",
             peer->offset, cloud_firmware.size - 1, cloud_firmware.size, length);
    return send_bytes(peer, head, strlen(head)) ? 1 : -1;
}

static unsigned char chunked_byte(const CloudPeer *peer, uint64_t position)
{
    static const char end[]   = "0\r\n\r\n";
    uint32_t          body    = cloud_firmware.size - peer->offset;
    uint64_t          begin   = position / CHUNK_FRAMED * CHUNK; /* of this chunk, in the body */
    uint32_t          within  = (uint32_t)(position % CHUNK_FRAMED);
    uint32_t          content = begin < body ? body - (uint32_t)begin : 0;
    char              head[16];

    content = content < CHUNK ? content : CHUNK;
    if (content == 0) {
        return (unsigned char)end[within];
    }
    if (within < CHUNK_HEAD) {
        snprintf(head, sizeof(head), "%04X\r\n", (unsigned)content);
        return (unsigned char)head[within];
    }
    within -= CHUNK_HEAD;
    if (within < content) {
        return cloud_firmware_byte(peer->offset + (uint32_t)begin + within);
    }
    within -= content;
    return within < CHUNK_TAIL ? (unsigned char)"\r\n"[within] : (unsigned char)end[within - CHUNK_TAIL];
}

void cloud_take_body(CloudPeer *peer, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++, peer->body_sent++) {
        out[i] = peer->said != NULL               ? (unsigned char)peer->said[peer->body_sent]
                 : peer->framing == CLOUD_CHUNKED ? chunked_byte(peer, peer->body_sent)
                                                  : cloud_firmware_byte(peer->offset + (uint32_t)peer->body_sent);
    }
}

bool cloud_receive(CloudPeer *peer, const void *data, size_t len)
{
    int step;

    if (len > sizeof(peer->in) - peer->in_len) {
        return false;
    }
    memcpy(peer->in + peer->in_len, data, len);
    peer->in_len += len;
    do {
        /* What comes in the meantime must not be answered in the middle of a message. */
        bool busy = peer->said != NULL && peer->body_sent < peer->body_len;

        step = peer->in_len == 0 || busy                  ? 0
               : peer->in[0] == 'G' || peer->in[0] == 'P' ? http_step(peer)
                                                          : mqtt_step(peer);
    } while (step > 0);
    return step == 0;
}
