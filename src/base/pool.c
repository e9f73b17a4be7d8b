/* pool.c - records of one size: see pool.h. */
#include "base/pool.h"

void pool_init(struct pool *pool, uint64_t offset, uint32_t size, uint32_t max)
{
    HF_ASSERT(size >= 4 && size % 4 == 0);
    *pool = (struct pool){.offset = offset, .size = size, .max = max};
}

/* Does a test want this allocation to fail? */
static bool is_refused(struct pool *pool)
{
#ifdef HF_ASSERTIONS
    if (pool->refuse_n != 0 && --pool->refuse_in == 0) {
        pool->refuse_in = 1;
        pool->refuse_n--;
        return true;
    }
#endif
    (void)pool;
    return false;
}

uint32_t pool_alloc(struct pool *pool, void *block)
{
    return is_refused(pool) ? 0 : pool_alloc_promised(pool, block);
}

uint32_t pool_alloc_promised(struct pool *pool, void *block)
{
    uint32_t idx = pool->free_head;
    if (idx != 0) {
        memcpy(&pool->free_head, pool_at(pool, block, idx), sizeof pool->free_head);
    } else if (pool->top < pool->max) {
        idx = ++pool->top;
    } else {
        return 0;
    }
    pool->used++;
    pool->peak = max_u32(pool->peak, pool->used);
    return idx;
}

void pool_free(struct pool *pool, void *block, uint32_t idx)
{
    pool_free_list(pool, block, idx, idx, 1);
}

void pool_free_list(struct pool *pool, void *block, uint32_t first, uint32_t last, uint32_t n)
{
    HF_ASSERT(pool->used >= n);
    memcpy(pool_at(pool, block, last), &pool->free_head, sizeof pool->free_head);
    pool->free_head = first;
    pool->used -= n;
}
