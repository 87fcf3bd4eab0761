/*
 * The cloud of these tests: an MQTT broker that answers a version report with an update command, and an HTTP server that
 * has the firmware. Bytes in, bytes out: platform/network.c (in memory) and server.c (sockets) carry them.
 */
#ifndef TESTS_SUPPORT_CLOUD_H_
#define TESTS_SUPPORT_CLOUD_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOUD_VERSION "2.0.0"
/* A publish to a topic that ends so comes back to its sender. */
#define CLOUD_ECHO "/echo"
/* A request for a path that begins so is answered with a redirect to /firmware.bin. */
#define CLOUD_MOVED " /moved/"

/* How the HTTP server says where the firmware ends. */
typedef enum { CLOUD_LENGTH, CLOUD_CHUNKED, CLOUD_UNTIL_CLOSE } CloudFraming;

typedef struct {
    char         url[128];
    uint32_t     size;
    const char  *md5;
    CloudFraming framing;
    const char  *version; /* NULL: CLOUD_VERSION */
    const char  *head;    /* NULL, or its first `head_len` bytes */
    uint32_t     head_len;
    uint32_t     wrong_at; /* 0, or a byte that is another one */
} CloudFirmware;

/* What the cloud offers; not changed while a device is at it. */
extern CloudFirmware cloud_firmware;

typedef struct {
    const char *data;
    size_t      len;
} CloudBytes;

/* What the cloud says instead, whole and of any length, where `data` is not NULL: all that a device hears of its version
 * report, and all that it reads in answer to a request. */
typedef struct {
    CloudBytes message; /* without a byte: nothing */
    CloudBytes answer;
} CloudScript;

extern CloudScript cloud_script;

/* What the cloud does wrong. Each fault passes. */
typedef struct {
    unsigned refused_reports; /* so many version reports are refused */
    unsigned bad_commands;    /* so many update commands come without an MD5 */
    unsigned errors;          /* so many requests are answered with `status` and a page */
    int      status;
    uint32_t cut_at;   /* the answer to the next request ends before this byte of the firmware; 0: it does not */
    unsigned repeated; /* so many requests bring the update command once more */
} CloudFaults;

extern CloudFaults cloud_faults;

/* The first so many requests of which CloudSeen tells the offset. */
#define CLOUD_OFFSETS 16

/* What devices have asked and reported; read once the scenario is over. */
typedef struct {
    unsigned connects;
    unsigned requests;
    uint32_t offsets[CLOUD_OFFSETS]; /* the first byte that each request asked for */
    unsigned done;
    unsigned failed;
} CloudSeen;

extern CloudSeen cloud_seen;

/* The cloud's end of one connection. */
typedef struct {
    unsigned char in[4096]; /* not understood yet */
    size_t        in_len;
    unsigned char out[4096]; /* to be sent before the body */
    size_t        out_len;
    size_t        out_sent;
    const char   *said;     /* the body is this text of a CloudScript */
    uint64_t      body_len; /* framing included */
    uint64_t      body_sent;
    uint32_t      offset; /* of the firmware byte the body begins with */
    CloudFraming  framing;
    bool          closing;   /* once all is sent */
    unsigned      packet_id; /* of the last message to the device */
} CloudPeer;

/* Hears of every report of a device, where it is not NULL. False: a version report brings no command. */
extern bool (*cloud_report)(const char *payload, size_t len);

/* Hears of every publish that is none of the cloud's own, where it is not NULL. False: the cloud closes the connection. */
extern bool (*cloud_others)(CloudPeer *peer, const char *topic, size_t topic_len, const char *payload, size_t len);

/* Sends the device a message; CloudScript's instead, where there is one. */
bool cloud_say(CloudPeer *peer, const char *topic, const void *payload, size_t len);

void cloud_open(CloudPeer *peer);

/* Takes what the device sent; without bytes, goes on after a body. False: it is neither MQTT nor HTTP as this cloud knows
 * it. */
bool cloud_receive(CloudPeer *peer, const void *data, size_t len);

/* Copies bytes of the body from `body_sent` on and moves it; `len` must not go past body_len. */
void cloud_take_body(CloudPeer *peer, unsigned char *out, size_t len);

unsigned char cloud_firmware_byte(uint32_t position);

#endif /* TESTS_SUPPORT_CLOUD_H_ */
