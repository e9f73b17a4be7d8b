/* memory.c - the block of a stack: address space is reserved, memory is touched ahead of need by a
 * growth watermark, so that no packet waits for a page fault. */
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; where it is missing pages come when touched */
#endif

enum { AHEAD_BYTES = 1 << 18, AHEAD_MOST = 1 << 19, GROW_INTERVAL_NS = 1000000 };

struct hf_stack *host_reserve(uint64_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

void host_release(struct hf_stack *block, uint64_t bytes)
{
    munmap(block, bytes);
}

/* An eighth of what is used.  Payload comes in bursts; of records it is no more than are opened
 * within milliseconds, so that each takes the memory that it is said to take. */
static uint64_t share_ahead(const struct hf_extent *extent)
{
    uint64_t share = extent->used / 8;
    return extent->kind != HF_RANGE_SECRET && share > AHEAD_MOST ? AHEAD_MOST : share;
}

static void grow_extent(struct hf_host *host, const struct hf_extent *extent, uint64_t *touched)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t wanted = extent->used + share_ahead(extent) + AHEAD_BYTES / 2;
    if (extent->used == 0 || wanted <= *touched) {
        return;
    }
    wanted += AHEAD_BYTES / 2;
    wanted = wanted < extent->reserved ? wanted : extent->reserved;
    if (wanted <= *touched) {
        return;
    }
    uint64_t from = (extent->offset + *touched) / page * page;
    uint64_t to = (extent->offset + wanted) / page * page; /* whole pages of this extent only */
    if (to > from) {
        (void)madvise((uint8_t *)host->stack + from, to - from, MADV_POPULATE_WRITE);
    }
    *touched = wanted;
}

void host_grow(struct hf_host *host)
{
    if (host->env.now_ns - host->grown_at < GROW_INTERVAL_NS) {
        return;
    }
    host->grown_at = host->env.now_ns;
    struct hf_extent extents[HOST_EXTENTS];
    uint32_t n = hf_extents(host->stack, extents, HOST_EXTENTS);
    for (uint32_t i = 0; i < n && i < HOST_EXTENTS; i++) {
        grow_extent(host, &extents[i], &host->touched[i]);
    }
}
