/* Preloaded into a sample: a name that resolves, or a clock that is right, only once the file LATE_FILE is there.
 * LATE_NAME: this name is unknown before, and is 127.0.0.1 then. LATE_CLOCK: it is 1970 before. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_A_DAY 86400

static int is_late(const char *what)
{
    const char *file = getenv("LATE_FILE");

    return getenv(what) != NULL && file != NULL && access(file, F_OK) != 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    const char *name = getenv("LATE_NAME");

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && name != NULL && strcmp(node, name) == 0) {
        if (is_late("LATE_NAME")) {
            return EAI_NONAME;
        }
        node = "127.0.0.1";
    }
    return real(node, service, hints, found);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);

    if (rc == 0 && clock == CLOCK_REALTIME && is_late("LATE_CLOCK")) {
        now->tv_sec %= SECONDS_A_DAY;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;
    int             rc = clock_gettime(CLOCK_REALTIME, &time);

    (void)zone;
    now->tv_sec  = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
