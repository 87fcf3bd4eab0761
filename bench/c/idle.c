/*
 * A device with nothing to do: connected, subscribed to update commands, served by the loop thread. Says "ready", and ends
 * when it is sent a line. In a folder and an environment as fetch.c has them.
 */

#define _POSIX_C_SOURCE 200809L

#include "device.h"

int main(void)
{
    static Device device;
    int           rc;

    IOT_Log_Set_Level(eLOG_ERROR);
    if (HAL_GetDevInfo(&device.info) != QCLOUD_RET_SUCCESS) {
        fail("device_info.json can't be read");
    }
    device_connect(&device);
    rc = IOT_MQTT_StartLoop(device.client);
    if (rc != QCLOUD_RET_SUCCESS) {
        fail("the loop thread can't be started: %d", rc);
    }
    puts("ready");
    fflush(stdout);
    (void)getchar();
    if (!IOT_MQTT_IsConnected(device.client)) {
        fail("the connection was lost");
    }
    IOT_MQTT_StopLoop(device.client);
    device_disconnect(&device);
    return EXIT_SUCCESS;
}
