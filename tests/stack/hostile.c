#define _POSIX_C_SOURCE 200809L

#include "hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UPDATE_TOPIC "$ota/update/PRODUCTID0/device"

const char *hostile_message;
size_t      hostile_message_len;
const char *hostile_answer;
size_t      hostile_answer_len;

static void give_up(const char *what)
{
    perror(what);
    exit(2);
}

static bool send_all(int fd, const void *data, size_t len)
{
    const char *next = data;

    while (len > 0) {
        ssize_t count = send(fd, next, len, MSG_NOSIGNAL);

        if (count <= 0) {
            return false;
        }
        next += count;
        len -= (size_t)count;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t len)
{
    char *next = data;

    while (len > 0) {
        ssize_t count = recv(fd, next, len, 0);

        if (count <= 0) {
            return false;
        }
        next += count;
        len -= (size_t)count;
    }
    return true;
}

static bool send_message(int fd)
{
    unsigned char head[8];
    unsigned char topic[2]  = {0, sizeof(UPDATE_TOPIC) - 1};
    size_t        rest      = 2 + sizeof(UPDATE_TOPIC) - 1 + hostile_message_len;
    size_t        head_size = 0;

    head[head_size++] = 0x30;
    do {
        head[head_size++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        rest >>= 7;
    } while (rest > 0);
    return send_all(fd, head, head_size) && send_all(fd, topic, 2) &&
           send_all(fd, UPDATE_TOPIC, sizeof(UPDATE_TOPIC) - 1) && send_all(fd, hostile_message, hostile_message_len);
}

static void serve_mqtt(int fd)
{
    static unsigned char packet[4096];
    unsigned char        head, byte;

    while (read_all(fd, &head, 1)) {
        size_t len   = 0;
        int    shift = 0;

        do {
            if (!read_all(fd, &byte, 1)) {
                return;
            }
            len |= (size_t)(byte & 0x7f) << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
        if (len > sizeof(packet) || !read_all(fd, packet, len)) {
            return;
        }
        if (head == 0x10) {
            send_all(fd, "\x20\x02\x00\x00", 4);
        } else if (head == 0x82) {
            unsigned char suback[5] = {0x90, 3, packet[0], packet[1], 1};

            send_all(fd, suback, sizeof(suback));
        } else if (head == 0xa2) {
            unsigned char unsuback[4] = {0xb0, 2, packet[0], packet[1]};

            send_all(fd, unsuback, sizeof(unsuback));
        } else if (head == 0xc0) {
            send_all(fd, "\xd0\x00", 2);
        } else if ((head & 0xf6) == 0x32) {
            size_t        topic     = ((size_t)packet[0] << 8) + packet[1];
            unsigned char puback[4] = {0x40, 2, packet[2 + topic], packet[3 + topic]};

            send_all(fd, puback, sizeof(puback));
            if (hostile_message_len > 0) {
                send_message(fd);
            }
        } else if (head == 0xe0) {
            return;
        }
    }
}

static void serve_http(int fd)
{
    char     request[4096];
    unsigned end = 0;
    char     byte;

    while (end < 4 && read_all(fd, &byte, 1)) {
        request[end] = byte;
        end          = byte == "\r\n\r\n"[end] ? end + 1 : byte == '\r' ? 1 : 0;
    }
    send_all(fd, hostile_answer, hostile_answer_len);
    shutdown(fd, SHUT_WR);
    while (read(fd, request, sizeof(request)) > 0) {
    }
}

static void *serve(void *argument)
{
    int  fd = (int)(intptr_t)argument;
    char first;

    if (recv(fd, &first, 1, MSG_PEEK) == 1) {
        if (first == 'G') {
            serve_http(fd);
        } else {
            serve_mqtt(fd);
        }
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *argument)
{
    for (;;) {
        int       fd = accept((int)(intptr_t)argument, NULL, NULL);
        pthread_t thread;

        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0) {
            give_up("accept");
        }
        pthread_detach(thread);
    }
    return NULL;
}

int hostile_start(void)
{
    struct sockaddr_in address;
    socklen_t          size = sizeof(address);
    char               endpoint[64];
    pthread_t          thread;
    int                listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0) {
        give_up("server");
    }
    pthread_detach(thread);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", ntohs(address.sin_port));
    setenv("QCLOUD_IOT_MQTT_ENDPOINT", endpoint, 1);
    return ntohs(address.sin_port);
}
