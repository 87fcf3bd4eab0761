#define _POSIX_C_SOURCE 200809L

#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud.h"

#define CONNECTIONS 8
#define BLOCK       16384

static int       listener = -1;
static int       stop_pipe[2];
static pthread_t thread;
static int       sockets[CONNECTIONS];
static CloudPeer peers[CONNECTIONS];

static void give_up(const char *what)
{
    perror(what);
    exit(2);
}

static void close_connection(unsigned i)
{
    close(sockets[i]);
    sockets[i] = -1;
}

static bool wants_to_send(const CloudPeer *peer)
{
    return peer->out_sent < peer->out_len || peer->body_sent < peer->body_len;
}

static void send_some(unsigned i)
{
    CloudPeer *peer = &peers[i];
    ssize_t    count;

    if (peer->out_sent < peer->out_len) {
        count = send(sockets[i], peer->out + peer->out_sent, peer->out_len - peer->out_sent, MSG_NOSIGNAL);
        if (count > 0) {
            peer->out_sent += (size_t)count;
        }
    } else {
        unsigned char block[BLOCK];
        CloudPeer     copy = *peer;
        uint64_t      rest = peer->body_len - peer->body_sent;
        size_t        len  = rest < sizeof(block) ? (size_t)rest : sizeof(block);

        cloud_take_body(&copy, block, len);
        count = send(sockets[i], block, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            peer->body_sent += (uint64_t)count;
        }
    }
    if (count < 0 || (!wants_to_send(peer) && !cloud_receive(peer, "", 0)) || (peer->closing && !wants_to_send(peer))) {
        close_connection(i);
    }
}

static void receive_some(unsigned i)
{
    unsigned char block[1024];
    ssize_t       count = recv(sockets[i], block, sizeof(block), 0);

    if (count <= 0 || !cloud_receive(&peers[i], block, (size_t)count) ||
        (peers[i].closing && !wants_to_send(&peers[i]))) {
        close_connection(i);
    }
}

static void accept_one(void)
{
    int fd = accept(listener, NULL, NULL);

    for (unsigned i = 0; fd >= 0 && i < CONNECTIONS; i++) {
        if (sockets[i] < 0) {
            sockets[i] = fd;
            cloud_open(&peers[i]);
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        struct pollfd polled[CONNECTIONS + 2];

        memset(polled, 0, sizeof(polled));
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            polled[i].fd     = sockets[i];
            polled[i].events = POLLIN;
            if (sockets[i] >= 0 && wants_to_send(&peers[i])) {
                polled[i].events |= POLLOUT;
            }
        }
        polled[CONNECTIONS].fd         = listener;
        polled[CONNECTIONS].events     = POLLIN;
        polled[CONNECTIONS + 1].fd     = stop_pipe[0];
        polled[CONNECTIONS + 1].events = POLLIN;
        if (poll(polled, CONNECTIONS + 2, -1) < 0) {
            give_up("poll");
        }
        if (polled[CONNECTIONS + 1].revents != 0) {
            return NULL;
        }
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            if (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) {
                receive_some(i);
            } else if (polled[i].revents & POLLOUT) {
                send_some(i);
            }
        }
        if (polled[CONNECTIONS].revents != 0) {
            accept_one();
        }
    }
}

int server_start(void)
{
    struct sockaddr_in address;
    socklen_t          size = sizeof(address);
    char               endpoint[64];

    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener                = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || pipe(stop_pipe) != 0) {
        give_up("server");
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        sockets[i] = -1;
    }
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", ntohs(address.sin_port));
    setenv("QCLOUD_IOT_MQTT_ENDPOINT", endpoint, 1);
    snprintf(cloud_firmware.url, sizeof(cloud_firmware.url), "http://%s/firmware.bin?sign=a%%00b", endpoint);
    if (pthread_create(&thread, NULL, serve, NULL) != 0) {
        give_up("thread");
    }
    return ntohs(address.sin_port);
}

void server_stop(void)
{
    if (write(stop_pipe[1], "", 1) != 1 || pthread_join(thread, NULL) != 0) {
        give_up("server");
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        if (sockets[i] >= 0) {
            close_connection(i);
        }
    }
    close(listener);
    close(stop_pipe[0]);
    close(stop_pipe[1]);
}
