#ifndef PLATFORM_H_
#define PLATFORM_H_

#include <assert.h>
#include <limits.h>

/* What programs get from their system through the SDK's headers. */
#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>
#endif

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/** Room for the path of a file, in bytes with the NUL. */
#define FILE_PATH_MAX_LEN 256

@mark@

#endif /* PLATFORM_H_ */
