/* An upgrade from the hub by a daemon that has closed some of descriptors 0, 1 and 2, with every line of the log on its
 * way to standard output. Run by with_hub.sh.
 *
 *   hub_closed MASK    1: descriptor 0, 2: descriptor 1, 4: descriptor 2, or a sum of these */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "scenario.h"

int main(int argc, char **argv)
{
    DeviceInfo device;
    Scenario   seen;
    unsigned   mask = argc == 2 ? (unsigned)atoi(argv[1]) : 0;

    if (mask == 0 || mask > 7) {
        fprintf(stderr, "usage: hub_closed MASK\n");
        return 2;
    }
    for (int fd = 0; fd < 3; fd++) {
        if (mask & (1U << fd)) {
            close(fd);
        }
    }
    IOT_Log_Set_Level(eLOG_DEBUG);
    CHECK_INT(HAL_GetDevInfo(&device), 0);
    scenario_run(&seen, &device, false);
    for (int fd = 0; fd < 3; fd++) {
        CHECK(!(mask & (1U << fd)) || (fcntl(fd, F_GETFD) == -1 && errno == EBADF));
    }
    return check_result();
}
