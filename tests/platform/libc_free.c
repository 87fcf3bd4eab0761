/* The program's own free: looks at what C code frees past HAL_Free, such as mbedTLS, too. */

#include <malloc.h>
#include <stdlib.h>

#include "own.h"

void __libc_free(void *pointer);

void free(void *pointer)
{
    if (pointer != NULL) {
        own_look(pointer, malloc_usable_size(pointer));
    }
    __libc_free(pointer);
}
