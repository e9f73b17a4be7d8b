/* reclaim.c - hf_reclaim: pages that hold nothing.
 *
 * Payload memory is looked at chunk by chunk: the free ones are marked in their descriptors, the
 * pool's end is drawn back to the highest one in use, and runs of free ones become page ranges. The
 * free list is made anew, lowest first, so that what is used next gathers at the pool's beginning.
 * Other pools are drawn back when nothing of them is in use - but for those whose records keep a
 * generation while they are free.
 */
#include "stack/stack.h"

#define FREE_MARK UINT32_MAX /* in chunk.len, which is never so large in chunks with payload */

struct found {
    struct hf_extent *extents;
    uint32_t room, n;
    uintptr_t block;
    uint64_t page;
};

/* The whole pages of from .. to, offsets in the block. */
static void add_pages(struct found *found, const struct hf_extent *part, uint64_t from, uint64_t to)
{
    uint64_t first = (found->block + from + found->page - 1) & ~(found->page - 1);
    uint64_t end = (found->block + to) & ~(found->page - 1);
    if (first >= end || found->n == found->room) {
        return;
    }
    struct hf_extent *extent = &found->extents[found->n++];
    *extent = *part;
    extent->offset = first - found->block;
    extent->used = end - first;
    extent->reserved = end - first;
}

static struct chunk *chunk_at(struct hf_stack *s, const struct pool *pool, uint32_t idx)
{
    return pool_at(pool, s, idx);
}

static bool is_marked(struct hf_stack *s, const struct pool *pool, uint32_t idx)
{
    return chunk_at(s, pool, idx)->len == FREE_MARK;
}

static void draw_back_chunks(struct hf_stack *s, struct pool *pool)
{
    for (uint32_t idx = pool->free_head; idx != 0; idx = chunk_at(s, pool, idx)->next) {
        chunk_at(s, pool, idx)->len = FREE_MARK;
    }
    while (pool->top != 0 && is_marked(s, pool, pool->top)) {
        pool->top--;
    }
    pool->free_head = 0;
    for (uint32_t idx = pool->top; idx != 0; idx--) {
        if (is_marked(s, pool, idx)) {
            chunk_at(s, pool, idx)->next = pool->free_head;
            pool->free_head = idx;
        }
    }
}

static void draw_back_pools(struct hf_stack *s)
{
    struct tcp_block *b = &s->tcp;
    struct pool *const pools[] = {&b->actives, &b->exts,   &b->extras, &b->ecns,
                                  &b->stats,   &b->halves, &b->waits,  &b->ranges,
                                  &b->sents,   &b->pieces, &b->lents,  &s->packets};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        if (pools[i]->used == 0) {
            pools[i]->top = 0;
            pools[i]->free_head = 0;
        }
    }
    draw_back_chunks(s, &b->small);
    draw_back_chunks(s, &b->large);
}

/* Runs of free chunks below the pool's end. */
static void add_payload(struct found *found, struct hf_stack *s, const struct pool *pool,
                        const struct hf_extent *part, uint64_t bytes)
{
    uint32_t run = 0; /* free chunks in a row before idx */
    for (uint32_t idx = 1; idx <= pool->top; idx++) {
        if (is_marked(s, pool, idx)) {
            run++;
            continue;
        }
        uint64_t end = part->offset + (idx - 1) * bytes;
        add_pages(found, part, end - run * bytes, end);
        run = 0;
    }
}

uint32_t hf_reclaim(struct hf_stack *stack, uint64_t page, struct hf_extent *extents, uint32_t n)
{
    struct tcp_block *b = &stack->tcp;
    struct found found = {extents, n, 0, (uintptr_t)stack, page};
    if (page == 0 || (page & (page - 1)) != 0) {
        return 0;
    }
    stack_change(stack);
    draw_back_pools(stack);
    stack_change(stack);
    struct hf_extent parts[STACK_PARTS];
    uint32_t n_parts = hf_extents(stack, parts, STACK_PARTS);
    for (uint32_t i = 0; i < n_parts; i++) {
        const struct hf_extent *part = &parts[i];
        if (part->offset == b->history_offset) {
            continue; /* a ring: its end may hold events */
        }
        if (part->offset == b->small_offset && b->small.max != 0) {
            add_payload(&found, stack, &b->small, part, b->small_bytes);
        } else if (part->offset == b->large_offset) {
            add_payload(&found, stack, &b->large, part, STACK_LARGE_BYTES);
        }
        add_pages(&found, part, part->offset + part->used, part->offset + part->reserved);
    }
    return found.n;
}
