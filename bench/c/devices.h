/* What the programs of many devices share: memory as the kernel counts it, and names. */
#ifndef BENCH_DEVICES_H_
#define BENCH_DEVICES_H_

#include "device.h"

/* A line of /proc/self/status. */
static inline unsigned long memory_kb(const char *name)
{
    char          line[128];
    unsigned long value = 0;
    FILE         *file  = fopen("/proc/self/status", "r");

    if (file == NULL) {
        fail("/proc/self/status can't be read");
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoul(line + strlen(name), NULL, 10);
        }
    }
    fclose(file);
    return value;
}

/* Names each as `model`, with its number behind it. */
static inline void device_name_all(Device *devices, unsigned count, const DeviceInfo *model)
{
    for (unsigned i = 0; i < count; i++) {
        char name[sizeof(model->device_name) + 16];

        devices[i].info = *model;
        snprintf(name, sizeof(name), "%s%u", model->device_name, i);
        if (strlen(name) >= sizeof(model->device_name)) {
            fail("the name %s is too long", name);
        }
        strcpy(devices[i].info.device_name, name);
    }
}

#endif /* BENCH_DEVICES_H_ */
