/* pages.c - memory in large pages, touched as it is used: every look-up in it is a jump. */
#include "world.h"

#include <sys/mman.h>

void *pages_new(uint64_t octets)
{
    void *p = mmap(NULL, (size_t)octets, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, (size_t)octets, MADV_HUGEPAGE);
    return p;
}

void pages_free(void *p, uint64_t octets)
{
    if (p != NULL)
        munmap(p, (size_t)octets);
}
