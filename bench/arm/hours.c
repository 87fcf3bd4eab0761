/*
 * Loaded before the C library: a wait that nothing ends is over at once, and the clock has gone on by as much. So hours of
 * a device that has nothing to do pass in seconds. After VIRTUAL_HOURS of them waits take their time again, and "over" is
 * written to stdout.
 */

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long what the server answers may take: it has the clock of the machine. */
#define ANSWER_MS 50

/* What 32-bit systems read the clock by, whose seconds have 64 bits. */
struct wide_time {
    int64_t s;
    int64_t ns;
};
int __clock_gettime64(clockid_t clock, struct wide_time *time);

static int64_t passed_ms;

int __clock_gettime64(clockid_t clock, struct wide_time *time)
{
    int64_t ms = __atomic_load_n(&passed_ms, __ATOMIC_SEQ_CST);

    if (syscall(SYS_clock_gettime64, clock, time) != 0) {
        return -1;
    }
    time->ns += ms % 1000 * 1000000;
    time->s += ms / 1000 + time->ns / 1000000000;
    time->ns %= 1000000000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    struct wide_time wide;

    if (__clock_gettime64(clock, &wide) != 0) {
        return -1;
    }
    time->tv_sec  = (time_t)wide.s;
    time->tv_nsec = (long)wide.ns;
    return 0;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    static const char over[] = "over\n";
    static int        said;
    const char       *text  = getenv("VIRTUAL_HOURS");
    int64_t           limit = text == NULL ? 0 : (int64_t)atol(text) * 3600000;
    int               real  = timeout_ms >= 0 && timeout_ms < ANSWER_MS ? timeout_ms : ANSWER_MS;
    int               ready;

    if (__atomic_load_n(&passed_ms, __ATOMIC_SEQ_CST) >= limit) {
        if (!said && timeout_ms > ANSWER_MS) {
            said = 1;
            (void)!write(STDOUT_FILENO, over, strlen(over));
        }
        return (int)syscall(SYS_poll, fds, count, timeout_ms);
    }
    ready = (int)syscall(SYS_poll, fds, count, real);
    if (ready == 0 && timeout_ms > real) {
        __atomic_fetch_add(&passed_ms, timeout_ms - real, __ATOMIC_SEQ_CST);
    }
    return ready;
}
