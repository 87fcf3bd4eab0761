/* A daemon that has closed descriptors 0, 1 and 2, or some of them: what is printed reaches no connection, and a program
 * that it starts inherits none. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "qcloud_iot_export.h"

/* The daemon. Its exit code tells what was wrong, since it may have no place to print to. */
static int connect_with_closed(unsigned mask, uint16_t port)
{
    uintptr_t handle;
    size_t    written = 0;

    for (int fd = 0; fd < 3; fd++) {
        if (mask & (1U << fd)) {
            close(fd);
        }
    }
    IOT_Log_Set_Level(eLOG_DEBUG);
    if (HAL_TCP_Connect("no such host", port) != 0) {
        return 1;
    }
    handle = HAL_TCP_Connect("localhost", port);
    if (handle < 3) {
        return 2;
    }
    if (!(fcntl((int)handle, F_GETFD) & FD_CLOEXEC)) {
        return 3;
    }
    HAL_Printf("not for the wire\n");
    fprintf(stderr, "not for the wire\n");
    if (HAL_TCP_Write(handle, (unsigned char *)"x", 1, 1000, &written) != 0 || written != 1) {
        return 4;
    }
    for (int fd = 0; fd < 3; fd++) {
        if ((mask & (1U << fd)) && (fcntl(fd, F_GETFD) != -1 || errno != EBADF)) {
            return 5;
        }
    }
    HAL_TCP_Disconnect(handle);
    return 0;
}

int main(void)
{
    struct sockaddr_in address  = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size     = sizeof(address);
    int                listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (unsigned mask = 1; mask < 8; mask++) {
        char    seen[64];
        size_t  len    = 0;
        int     status = -1, peer;
        ssize_t n;
        pid_t   child;

        fflush(stdout);
        child = fork();
        if (child == 0) {
            _exit(connect_with_closed(mask, ntohs(address.sin_port)));
        }
        CHECK_INT(waitpid(child, &status, 0), child);
        printf("closed: %u, exit code %d\n", mask, WEXITSTATUS(status));
        CHECK_INT(status, 0);
        if (status != 0) {
            continue;
        }
        peer = accept(listener, NULL, NULL);
        while (len < sizeof(seen) && (n = read(peer, seen + len, sizeof(seen) - len)) > 0) {
            len += (size_t)n;
        }
        CHECK_INT(len, 1);
        CHECK_INT(seen[0], 'x');
        close(peer);
    }
    close(listener);
    return check_result();
}
