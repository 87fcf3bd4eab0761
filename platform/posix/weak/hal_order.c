#include <arpa/inet.h>

#include "hal_weak.h"

HAL_WEAK uint16_t HAL_htons(uint16_t value)
{
    return htons(value);
}

HAL_WEAK uint16_t HAL_ntohs(uint16_t value)
{
    return ntohs(value);
}

HAL_WEAK uint32_t HAL_htonl(uint32_t value)
{
    return htonl(value);
}

HAL_WEAK uint32_t HAL_ntohl(uint32_t value)
{
    return ntohl(value);
}
