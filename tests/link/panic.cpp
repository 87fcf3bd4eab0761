/* A panic inside the library, raised by what `None.unwrap()` calls. The message must come out, with whatever the
 * environment says about backtraces, and the unwinder must find its way out of our object. With FEATURE_PANIC=abort the
 * process ends behind the message. */

#include <unistd.h>

#include "qcloud_iot_export.h"

struct Location {
    const char *file;
    size_t      file_len;
    unsigned    line, column;
};

/* run.sh says what it is called in the archive. */
extern "C" [[noreturn]] void unwrap_failed(const Location *at) __asm__(UNWRAP_FAILED);

int main()
{
    static const Location at = {"here.rs", 7, 7, 1};

    IOT_Log_Set_Level(eLOG_ERROR);
    try {
        unwrap_failed(&at);
    } catch (...) {
        _exit(0);
    }
}
