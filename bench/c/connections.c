/* Connects and subscribes to update commands so often: connections COUNT. In a folder and an environment as fetch.c has them. */

#define _POSIX_C_SOURCE 200809L

#include "device.h"

int main(int argc, char **argv)
{
    static Device device;
    long          left = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&device.info) != QCLOUD_RET_SUCCESS) {
        fail("device_info.json can't be read");
    }
    for (; left > 0; left--) {
        device_connect(&device);
        device_disconnect(&device);
    }
    return EXIT_SUCCESS;
}
