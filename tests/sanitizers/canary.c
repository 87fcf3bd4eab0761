/* Does what a sanitizer must catch: that a build said to be sanitized is. `canary heap|undefined|leak` */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char  *what    = argc > 1 ? argv[1] : "";
    volatile int one     = 1;
    char *volatile block = malloc(16);

    if (strcmp(what, "heap") == 0) {
        block[15 + one] = 'x';
    } else if (strcmp(what, "undefined") == 0) {
        printf("%d\n", INT_MAX + one);
    } else if (strcmp(what, "leak") == 0) {
        block = NULL;
        return 0;
    }
    free(block);
    return 0;
}
