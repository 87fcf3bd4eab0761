/* A weak reference, which stable Rust has no words for. It does not draw an archive's member into a program, and it is
 * NULL where the program has all of the platform's functions that it uses itself. */
#include <stddef.h>

__attribute__((weak)) size_t iot_platform_take_cause(char *text, size_t size, int *is_lasting);

size_t qcloud_platform_cause(char *text, size_t size, int *is_lasting)
{
    return iot_platform_take_cause ? iot_platform_take_cause(text, size, is_lasting) : 0;
}
