/* check.c - hf_check: the layout, the pools, and who has claimed which record; see check.h. */
#include "stack/check.h"

static const struct {
    const char *id, *sentence;
} invariants[] = {
#define X(name, id, sentence) {id, sentence},
    HF_INVARIANTS(X)
#undef X
};

static const char *const kinds[] = {
    "connections",  "active",    "ipv6",      "extra options", "ecn counters", "statistics",
    "half-open",    "time-wait", "listeners", "ranges",        "sent",         "small chunks",
    "large chunks", "pieces",    "lent",      "packets",       "udp",          "stack",
};
_Static_assert(ARRAY_LEN(kinds) == CHECK_KINDS + 1, "a name for each kind, as hf_extents has them");

bool check_flaw(const struct check *c, enum hf_invariant invariant, enum check_kind kind,
                uint32_t number, int64_t is, int64_t expected)
{
    if (c->flaw != NULL) {
        struct hf_flaw found = {
            .struct_size = c->flaw->struct_size,
            .number = number,
            .invariant = invariants[invariant].id,
            .sentence = invariants[invariant].sentence,
            .record = kinds[kind],
            .is = is,
            .expected = expected,
        };
        memcpy(c->flaw, &found, min_u32(found.struct_size, sizeof found));
    }
    return false;
}

static void find_pools(const struct hf_stack *s, const struct pool *pools[CHECK_KINDS])
{
    const struct tcp_block *b = &s->tcp;
    const struct pool *const all[] = {
        &b->tcbs,   &b->actives, &b->exts,      &b->extras,  &b->ecns,  &b->stats,
        &b->halves, &b->waits,   &b->listeners, &b->ranges,  &b->sents, &b->small,
        &b->large,  &b->pieces,  &b->lents,     &s->packets, &s->udps,
    };
    _Static_assert(ARRAY_LEN(all) == CHECK_KINDS, "each pool");
    memcpy(pools, all, sizeof all);
}

const void *check_at(const struct check *c, enum check_kind kind, uint32_t idx)
{
    const struct pool *pool = check_pool(c, kind); /* not pool_at_const: it counts as work */
    return (const uint8_t *)c->s + pool->offset + (uint64_t)(idx - 1) * pool->size;
}

/* Marks ---------------------------------------------------------------------------------------- */

bool check_marked(const struct check *c, enum check_kind kind, uint32_t idx)
{
    uint64_t bit = c->first_mark[kind] + (idx - 1);
    return c->marks[bit / 8] >> bit % 8 & 1;
}

static void mark(struct check *c, enum check_kind kind, uint32_t idx)
{
    uint64_t bit = c->first_mark[kind] + (idx - 1);
    c->marks[bit / 8] |= (uint8_t)(1u << bit % 8);
}

bool check_claim(struct check *c, enum check_kind kind, uint32_t idx)
{
    if (!check_known(c, kind, idx) || check_marked(c, kind, idx)) {
        return check_flaw(c, HF_INVARIANT_OWNED, kind, idx, 0, 0);
    }
    mark(c, kind, idx);
    return true;
}

/* The free list, all of which is claimed by it, and the counts. */
static bool check_free_list(struct check *c, enum check_kind kind)
{
    const struct pool *pool = check_pool(c, kind);
    uint32_t n = 0, next;
    if (pool->top > pool->max || pool->used > pool->top || pool->peak < pool->used ||
        pool->peak > pool->max) {
        return check_flaw(c, HF_INVARIANT_POOL, kind, 0, pool->used, pool->top);
    }
    for (uint32_t idx = pool->free_head; idx != 0; idx = next) {
        if (!check_known(c, kind, idx) || check_marked(c, kind, idx)) {
            return check_flaw(c, HF_INVARIANT_POOL, kind, idx, 0, 0);
        }
        mark(c, kind, idx);
        n++;
        memcpy(&next, check_at(c, kind, idx), sizeof next);
    }
    return check_equal(c, pool->used, (int64_t)pool->top - n, HF_INVARIANT_POOL, kind, 0);
}

static bool check_free_lists(struct check *c)
{
    for (unsigned kind = 0; kind < CHECK_KINDS; kind++) {
        if (!check_free_list(c, (enum check_kind)kind)) {
            return false;
        }
    }
    return true;
}

/* Nothing has leaked. */
static bool check_all_claimed(const struct check *c)
{
    for (unsigned kind = 0; kind < CHECK_KINDS; kind++) {
        for (uint32_t idx = 1; idx <= check_pool(c, (enum check_kind)kind)->top; idx++) {
            if (!check_marked(c, (enum check_kind)kind, idx)) {
                return check_flaw(c, HF_INVARIANT_OWNED, (enum check_kind)kind, idx, 0, 0);
            }
        }
    }
    return true;
}

bool check_list(const struct check *c, const struct idlist *list, enum check_kind kind,
                uint32_t link_offset, uint32_t *n)
{
    const struct pool *pool = check_pool(c, kind);
    struct links links = pool_links(pool, c->st.tcp.block, link_offset);
    return check_that(c, idlist_sound(list, &links, pool->top, n), HF_INVARIANT_LIST, kind, 0);
}

/* Chunks --------------------------------------------------------------------------------------- */

bool check_chunk(const struct check *c, uint32_t idx, enum check_kind *kind, uint32_t *local)
{
    *kind = CHECK_SMALL;
    *local = idx;
    while (*kind<CHECK_PIECES && * local> check_pool(c, *kind)->max) {
        *local -= check_pool(c, *kind)->max;
        ++*kind;
    }
    return check_known(c, *kind, *local);
}

/* The octets lie within the chunk, and lent ones in memory that is lent. */
static bool chunk_fits(const struct check *c, enum check_kind kind, const struct chunk *chunk)
{
    uint32_t room = kind == CHECK_SMALL ? c->b->small_bytes : STACK_LARGE_BYTES;
    if (kind != CHECK_PIECES) {
        return chunk->lent == 0 && chunk->start <= room && chunk->len <= room - chunk->start;
    }
    if (!check_known(c, CHECK_LENTS, chunk->lent)) {
        return false;
    }
    const struct lent *lent = check_at(c, CHECK_LENTS, chunk->lent);
    return lent->refs != 0 && lent->region != 0 && lent->region <= c->s->max_regions;
}

bool check_chain(struct check *c, uint32_t head, const uint32_t *tail, uint64_t *octets,
                 uint64_t *cost, enum check_kind kind, uint32_t number)
{
    uint32_t last = 0;
    *octets = *cost = 0;
    for (uint32_t idx = head; idx != 0;) {
        enum check_kind pool;
        uint32_t local;
        if (!check_chunk(c, idx, &pool, &local)) {
            return check_flaw(c, HF_INVARIANT_CHAIN, kind, number, idx, 0);
        }
        const struct chunk *chunk = check_at(c, pool, local);
        if (!check_claim(c, pool, local) ||
            !check_that(c, chunk_fits(c, pool, chunk), HF_INVARIANT_CHAIN, pool, local)) {
            return false;
        }
        uint32_t room = pool == CHECK_SMALL   ? c->b->small_bytes
                        : pool == CHECK_LARGE ? STACK_LARGE_BYTES
                                              : 0;
        *octets += chunk->len;
        *cost += max_u32(room, chunk->len);
        last = idx;
        idx = chunk->next;
    }
    return tail == NULL || check_equal(c, *tail, last, HF_INVARIANT_CHAIN, kind, number);
}

/* Freed while frames pointed to them: the tag is the number of the frame to come then. */
static bool check_limbo(struct check *c)
{
    const struct tcp_block *b = c->b;
    uint32_t last = 0, tag = (uint32_t)b->done_token;
    if (b->done_token == 0 || b->done_token > b->next_token ||
        b->next_token - b->done_token > b->max_tokens) {
        return check_flaw(c, HF_INVARIANT_TOKENS, CHECK_STACK, 0, (int64_t)b->done_token,
                          (int64_t)b->next_token);
    }
    for (uint32_t idx = b->limbo.head; idx != 0;) {
        enum check_kind kind;
        uint32_t local;
        if (!check_chunk(c, idx, &kind, &local)) {
            return check_flaw(c, HF_INVARIANT_TOKENS, CHECK_STACK, 0, idx, 0);
        }
        const struct chunk *chunk = check_at(c, kind, local);
        bool in_order = (int32_t)(chunk->start - tag) >= (last == 0 ? 1 : 0) &&
                        (int32_t)((uint32_t)b->next_token - chunk->start) >= 0;
        if (!check_claim(c, kind, local) ||
            !check_that(c, in_order, HF_INVARIANT_TOKENS, kind, local)) {
            return false;
        }
        tag = chunk->start;
        last = idx;
        idx = chunk->next;
    }
    return check_equal(c, b->limbo.tail, last, HF_INVARIANT_TOKENS, CHECK_STACK, 0);
}

/* Lent memory ---------------------------------------------------------------------------------- */

/* How often a piece in use points to each: counted down in no record, so by looking at all pieces
 * for the sum, and at each record for what it says. */
static bool check_lent(struct check *c)
{
    const struct pool *pieces = check_pool(c, CHECK_PIECES);
    uint64_t refs = 0, pointing = 0;
    uint32_t last = 0;
    for (uint32_t idx = c->b->returned.head; idx != 0;) {
        if (!check_claim(c, CHECK_LENTS, idx)) {
            return false;
        }
        const struct lent *lent = check_at(c, CHECK_LENTS, idx);
        if (!check_equal(c, lent->refs, 0, HF_INVARIANT_LENT, CHECK_LENTS, idx)) {
            return false;
        }
        last = idx;
        idx = lent->next;
    }
    for (uint32_t idx = 1; idx <= check_pool(c, CHECK_LENTS)->top; idx++) {
        const struct lent *lent = check_at(c, CHECK_LENTS, idx);
        if (check_marked(c, CHECK_LENTS, idx)) {
            continue; /* free, or waiting to be fetched */
        }
        if (!check_claim(c, CHECK_LENTS, idx) ||
            !check_that(c, lent->refs != 0, HF_INVARIANT_LENT, CHECK_LENTS, idx) ||
            !check_that(c, lent->owner <= c->b->tcbs.top, HF_INVARIANT_LENT, CHECK_LENTS, idx)) {
            return false;
        }
        refs += lent->refs;
    }
    pointing = pieces->used; /* each has been found to point to one that is in use */
    return check_equal(c, (int64_t)refs, (int64_t)pointing, HF_INVARIANT_LENT, CHECK_STACK, 0) &&
           check_equal(c, c->b->returned.tail, last, HF_INVARIANT_LENT, CHECK_STACK, 0);
}

/* The whole ------------------------------------------------------------------------------------ */

uint64_t hf_check_bytes(const struct hf_stack *stack)
{
    const struct pool *pools[CHECK_KINDS];
    uint64_t bits = 0;
    find_pools(stack, pools);
    for (unsigned kind = 0; kind < CHECK_KINDS; kind++) {
        bits += pools[kind]->top;
    }
    return (bits + 7) / 8 + 1;
}

static void lay_out_marks(struct check *c, uint64_t bytes)
{
    uint64_t bits = 0;
    memset(c->marks, 0, bytes);
    for (unsigned kind = 0; kind < CHECK_KINDS; kind++) {
        c->first_mark[kind] = bits;
        bits += check_pool(c, (enum check_kind)kind)->top;
    }
}

int hf_check(const struct hf_stack *stack, uint64_t bytes, void *marks, uint64_t marks_bytes,
             struct hf_flaw *flaw)
{
    if (stack == NULL || marks == NULL) {
        return HF_ERR_INVALID;
    }
    struct check c = {.s = stack, .b = &stack->tcp, .marks = marks, .flaw = flaw};
    find_pools(stack, c.pools);
    if (hf_attach(stack, bytes) != HF_OK) {
        check_flaw(&c, HF_INVARIANT_BLOCK, CHECK_STACK, 0, 0, 0);
        return HF_ERR_MISMATCH;
    }
    uint64_t needed = hf_check_bytes(stack);
    if (marks_bytes < needed) {
        return HF_ERR_TOO_LARGE;
    }
    stack_look(&c.st, stack, NULL);
    lay_out_marks(&c, needed);
    bool sound = check_free_lists(&c) && check_listeners(&c) && check_connections(&c) &&
                 check_tables(&c) && check_limbo(&c) && check_lent(&c) && check_all_claimed(&c);
    return sound ? HF_OK : HF_ERR_MISMATCH;
}
