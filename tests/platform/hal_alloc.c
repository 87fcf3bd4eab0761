/* HAL_Malloc and HAL_Free that know every byte. */

#define _GNU_SOURCE /* memmem */

#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "qcloud_iot_import.h"

#define LIVE 0x11ea11feu
#define DEAD 0xdeadb10cu

/* In front of each block; its size keeps malloc's alignment. */
typedef union {
    struct {
        uint32_t magic;
        size_t   size;
    } block;
    unsigned char room[2 * sizeof(void *)];
} Header;

static size_t allocations = 0;
static size_t blocks      = 0;
static size_t bytes       = 0;
static size_t bad_frees   = 0;
static size_t dirty_frees = 0;

#define MAX_WATCHED 8

static struct {
    const void *bytes;
    size_t      len;
} watched[MAX_WATCHED];
static size_t watched_count = 0;

void own_watch(const void *secret, size_t len)
{
    if (watched_count == MAX_WATCHED) {
        abort();
    }
    watched[watched_count].bytes = secret;
    watched[watched_count].len   = len;
    watched_count++;
}

void own_watch_text(const char *secret)
{
    own_watch(secret, strlen(secret));
}

void own_look(const void *block, size_t len)
{
    for (size_t i = 0; i < watched_count; i++) {
        if (memmem(block, len, watched[i].bytes, watched[i].len) != NULL) {
            __atomic_add_fetch(&dirty_frees, 1, __ATOMIC_RELAXED);
        }
    }
}

size_t own_dirty_frees(void)
{
    return __atomic_load_n(&dirty_frees, __ATOMIC_RELAXED);
}

void *HAL_Malloc(uint32_t size)
{
    Header *header = malloc(sizeof(Header) + size);

    if (header == NULL) {
        return NULL;
    }
    header->block.magic = LIVE;
    header->block.size  = size;
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&bytes, size, __ATOMIC_RELAXED);
    /* What reads memory it has not written shall not find zeros. */
    memset(header + 1, 0xa5, size);
    return header + 1;
}

void HAL_Free(void *pointer)
{
    Header *header;

    if (pointer == NULL) {
        return;
    }
    header = (Header *)pointer - 1;
    if (header->block.magic != LIVE) {
        __atomic_add_fetch(&bad_frees, 1, __ATOMIC_RELAXED);
        return;
    }
    header->block.magic = DEAD;
    __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&bytes, header->block.size, __ATOMIC_RELAXED);
    own_look(pointer, header->block.size);
    memset(pointer, 0x5a, header->block.size);
    free(header);
}

size_t own_allocations(void)
{
    return __atomic_load_n(&allocations, __ATOMIC_RELAXED);
}

size_t own_outstanding_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_RELAXED);
}

size_t own_outstanding_bytes(void)
{
    return __atomic_load_n(&bytes, __ATOMIC_RELAXED);
}

size_t own_bad_frees(void)
{
    return __atomic_load_n(&bad_frees, __ATOMIC_RELAXED);
}
