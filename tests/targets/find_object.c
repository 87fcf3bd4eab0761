/*
 * Debian's musl-gcc links gcc's unwinder, which was compiled for glibc and asks it where a program's unwind tables are
 * (_dl_find_object). This answers with what musl has. A compiler that was made for musl takes no such thing.
 */

#define _GNU_SOURCE

#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* As glibc declares it. */
struct dl_find_object {
    unsigned long long flags;
    void              *start;
    void              *end;
    struct link_map   *map;
    void              *tables;
    unsigned long long reserved[7];
};

struct search {
    uintptr_t              address;
    struct dl_find_object *found;
};

int _dl_find_object(void *address, struct dl_find_object *found);

static int look(struct dl_phdr_info *object, size_t size, void *data)
{
    struct search *search = data;
    int            number, is_here = 0;

    (void)size;
    for (number = 0; number < object->dlpi_phnum; number++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[number];
        uintptr_t begin        = object->dlpi_addr + part->p_vaddr;

        if (part->p_type == PT_GNU_EH_FRAME) {
            search->found->tables = (void *)begin;
        } else if (part->p_type == PT_LOAD && search->address - begin < part->p_memsz) {
            search->found->start = (void *)begin;
            search->found->end   = (void *)(begin + part->p_memsz);
            is_here              = 1;
        }
    }
    return is_here && search->found->tables != NULL;
}

int _dl_find_object(void *address, struct dl_find_object *found)
{
    struct search search = {(uintptr_t)address, found};

    *found = (struct dl_find_object){0};
    return dl_iterate_phdr(look, &search) ? 0 : -1;
}
