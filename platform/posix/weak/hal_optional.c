#include "hal_weak.h"

int HAL_ThreadCreate(void *params);
int HAL_Timer_set_systime_sec(size_t timestamp_sec);
int HAL_Timer_set_systime_ms(size_t timestamp_ms);

/* The library asks for these by weak references, which draw nothing into a program. This does: they are the program's own
 * then, or ours. */
const struct optional_functions qcloud_optional_functions = {
    HAL_ThreadCreate,
    HAL_Timer_set_systime_sec,
    HAL_Timer_set_systime_ms,
};

/* The library's common symbol (src/hal/callout.c). For one, most linkers look into an archive, so that the above comes also
 * where the program has everything else itself. */
char qcloud_default_platform = 1;
