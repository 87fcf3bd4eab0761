/* A firmware with a HAL_UDP_Write and a HAL_DTLS_Read of its own, on the handles of ours. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal.h"

static int sg_writes;

int HAL_UDP_Write(uintptr_t fd, const unsigned char *data, unsigned int len)
{
    sg_writes++;
    return (int)send((int)fd, data, len, 0);
}

int HAL_DTLS_Read(uintptr_t handle, unsigned char *data, size_t len, uint32_t timeout_ms, size_t *n)
{
    (void)handle;
    (void)data;
    (void)len;
    (void)timeout_ms;
    *n = 0;
    return -76;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in device;
    socklen_t          size = sizeof(address);
    unsigned char      datagram[16];
    size_t             n    = 7;
    int                peer = socket(AF_INET, SOCK_DGRAM, 0);
    uintptr_t          fd;

    CHECK(peer >= 0 && bind(peer, (struct sockaddr *)&address, size) == 0);
    CHECK(getsockname(peer, (struct sockaddr *)&address, &size) == 0);
    fd = HAL_UDP_Connect("127.0.0.1", ntohs(address.sin_port));
    CHECK(fd > 0);
    CHECK(HAL_UDP_Write(fd, (const unsigned char *)"up", 2) == 2 && sg_writes == 1);
    size = sizeof(device);
    CHECK(recvfrom(peer, datagram, sizeof(datagram), 0, (struct sockaddr *)&device, &size) == 2);
    CHECK(sendto(peer, "down", 4, 0, (struct sockaddr *)&device, size) == 4);
    CHECK(HAL_UDP_ReadTimeout(fd, datagram, sizeof(datagram), 60000) == 4 && !memcmp(datagram, "down", 4));
    CHECK(HAL_UDP_ReadTimeout(fd, datagram, sizeof(datagram), 1) == -707);
    HAL_UDP_Disconnect(fd);
    close(peer);

    CHECK(HAL_DTLS_Connect(NULL, "host", 1) == 0);
    CHECK(HAL_DTLS_Read(0, datagram, 1, 1, &n) == -76 && n == 0);
    CHECK(HAL_DTLS_Write(0, datagram, 1, &n) == -1002);
    HAL_DTLS_Disconnect(0);
    return 0;
}
