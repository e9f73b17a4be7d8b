/* chunks.c - payload memory: chunks of the block's own, pieces of lent regions, and tokens.
 *
 *     small  1 .. small.max           small_bytes octets each, at small_offset
 *     large  .. + large.max           16 KiB each, at large_offset
 *     piece  .. + pieces.max          no octets here: region and offset
 *
 * Text waits in chains of chunks, by chunk.next.  Frames given out by hf_output point into chunks
 * of send queues; while such frames are not done, a chunk that is freed goes to limbo, a FIFO, with
 * the number of the next token as its tag, and comes back when all frames before that tag are done.
 */
#include "tcp/tcp.h"

/* The pool of a chunk; its number there in *local. */
static struct pool *pool_of(const struct tcp *tcp, uint32_t idx, uint32_t *local)
{
    struct tcp_block *b = tcp->b;
    HF_ASSERT(idx != 0);
    *local = idx;
    if (idx <= b->small.max) {
        return &b->small;
    }
    *local -= b->small.max;
    if (*local <= b->large.max) {
        return &b->large;
    }
    *local -= b->large.max;
    return &b->pieces;
}

struct chunk *tcp_chunk(const struct tcp *tcp, uint32_t idx)
{
    uint32_t local;
    const struct pool *pool = pool_of(tcp, idx, &local);
    return pool_at(pool, tcp->block, local);
}

static struct lent *lent_at(const struct tcp *tcp, uint32_t lent)
{
    return pool_at(&tcp->b->lents, tcp->block, lent);
}

uint8_t *tcp_chunk_data(const struct tcp *tcp, uint32_t idx)
{
    const struct tcp_block *b = tcp->b;
    uint8_t *block = tcp->block;
    uint32_t local;
    const struct pool *pool = pool_of(tcp, idx, &local);
    const struct chunk *chunk = pool_at(pool, block, local);
    if (pool == &b->small) {
        return block + b->small_offset + (uint64_t)(local - 1) * b->small_bytes + chunk->start;
    }
    if (pool == &b->large) {
        return block + b->large_offset + (uint64_t)(local - 1) * CHUNK_LARGE_BYTES + chunk->start;
    }
    uint16_t region = lent_at(tcp, chunk->lent)->region;
    HF_ASSERT(region >= 1 && region <= tcp->env->n_regions);
    return tcp->env->regions[region - 1].base + chunk->offset + chunk->start;
}

static uint32_t capacity(const struct tcp *tcp, const struct pool *pool)
{
    const struct tcp_block *b = tcp->b;
    return pool == &b->small ? b->small_bytes : pool == &b->large ? CHUNK_LARGE_BYTES : 0;
}

uint32_t tcp_chunks_cost(const struct tcp *tcp, uint32_t head)
{
    uint32_t cost = 0;
    for (uint32_t idx = head; idx != 0; idx = tcp_chunk(tcp, idx)->next) {
        uint32_t local;
        cost += max_u32(capacity(tcp, pool_of(tcp, idx, &local)), tcp_chunk(tcp, idx)->len);
    }
    return cost;
}

uint32_t tcp_chunk_room(const struct tcp *tcp, uint32_t idx)
{
    uint32_t local;
    const struct pool *pool = pool_of(tcp, idx, &local);
    const struct chunk *chunk = pool_at(pool, tcp->block, local);
    uint32_t bytes = chunk->end || chunk->push ? 0 : capacity(tcp, pool);
    return bytes ? bytes - chunk->start - chunk->len : 0;
}

/* What is sent must not eat the chunks that receiving needs: then no ACK would ever free them.  Nor
 * must what is held ahead of gaps, which perhaps nobody will ever fill. */
static bool may_take(const struct tcp *tcp, const struct pool *pool, enum chunk_use use)
{
    const struct tcp_block *b = tcp->b;
    if (use == CHUNK_TO_READ) {
        return true;
    }
    uint32_t total = b->small.max + b->large.max;
    uint32_t left = total - b->small.used - b->large.used;
    uint32_t kept = use == CHUNK_TO_KEEP ? pool->max / 8 : pool->max / 4;
    return pool->max - pool->used > kept && left > (total > 1 ? 1 : 0);
}

bool tcp_chunk_free(const struct tcp *tcp)
{
    return may_take(tcp, &tcp->b->small, CHUNK_TO_KEEP) ||
           may_take(tcp, &tcp->b->large, CHUNK_TO_KEEP);
}

uint64_t tcp_payload_most(const struct tcp *tcp)
{
    const struct tcp_block *b = tcp->b;
    return (uint64_t)b->small.max * b->small_bytes + (uint64_t)b->large.max * CHUNK_LARGE_BYTES;
}

uint64_t tcp_payload_free(const struct tcp *tcp)
{
    const struct tcp_block *b = tcp->b;
    return (uint64_t)(b->small.max - b->small.used) * b->small_bytes +
           (uint64_t)(b->large.max - b->large.used) * CHUNK_LARGE_BYTES;
}

uint32_t tcp_chunk_new(struct tcp *tcp, uint32_t bytes, enum chunk_use use)
{
    struct tcp_block *b = tcp->b;
    bool small_first = bytes <= (use == CHUNK_AHEAD ? CHUNK_LARGE_BYTES / 2 : b->small_bytes);
    for (unsigned turn = 0; turn < 2; turn++) {
        bool small = (turn == 0) == small_first;
        struct pool *pool = small ? &b->small : &b->large;
        uint32_t local = may_take(tcp, pool, use) ? pool_alloc(pool, tcp->block) : 0;
        if (local) {
            *(struct chunk *)pool_at(pool, tcp->block, local) = (struct chunk){0};
            return small ? local : b->small.max + local;
        }
    }
    return 0;
}

uint32_t tcp_chunk_new_lent(struct tcp *tcp, uint32_t lent, uint64_t offset, uint32_t len)
{
    struct tcp_block *b = tcp->b;
    uint32_t local = pool_alloc(&b->pieces, tcp->block);
    if (local == 0) {
        return 0;
    }
    *(struct chunk *)pool_at(&b->pieces, tcp->block, local) =
        (struct chunk){.len = len, .lent = lent, .offset = offset};
    lent_at(tcp, lent)->refs++;
    return b->small.max + b->large.max + local;
}

/* The segment may have been trimmed since tcp->lent was set: the place comes from the text itself.
 */
uint32_t tcp_chunk_keep(struct tcp *tcp, const uint8_t *text, uint32_t len)
{
    uint32_t lent = tcp->lent.lent;
    if (lent == 0) {
        return 0;
    }
    const uint8_t *base = tcp->env->regions[lent_at(tcp, lent)->region - 1].base;
    return tcp_chunk_new_lent(tcp, lent, (uint64_t)((uintptr_t)text - (uintptr_t)base), len);
}

static void release(struct tcp *tcp, uint32_t idx)
{
    uint32_t local;
    struct pool *pool = pool_of(tcp, idx, &local);
    uint32_t lent = ((const struct chunk *)pool_at(pool, tcp->block, local))->lent;
    pool_free(pool, tcp->block, local);
    if (lent) {
        tcp_lent_unref(tcp, lent);
    }
}

void tcp_chunk_free_now(struct tcp *tcp, uint32_t head)
{
    while (head) {
        uint32_t next = tcp_chunk(tcp, head)->next;
        release(tcp, head);
        head = next;
    }
}

static void into_limbo(struct tcp *tcp, uint32_t idx)
{
    struct tcp_block *b = tcp->b;
    struct chunk *chunk = tcp_chunk(tcp, idx);
    chunk->next = 0;
    chunk->start = (uint32_t)b->next_token;
    if (b->limbo.tail) {
        tcp_chunk(tcp, b->limbo.tail)->next = idx;
    } else {
        b->limbo.head = idx;
    }
    b->limbo.tail = idx;
}

void tcp_chunk_free_chain(struct tcp *tcp, uint32_t head)
{
    bool out = tcp->b->done_token != tcp->b->next_token;
    while (head) {
        uint32_t next = tcp_chunk(tcp, head)->next;
        if (out) {
            into_limbo(tcp, head);
        } else {
            release(tcp, head);
        }
        head = next;
    }
}

/* Text begins in a small chunk and goes on in large ones; what is held ahead of a gap takes no more
 * than it needs. */
uint64_t tcp_chunk_append(struct tcp *tcp, uint32_t *head, uint32_t *tail, const uint8_t *data,
                          uint64_t len, enum chunk_use use)
{
    uint64_t done = 0;
    while (done < len) {
        uint32_t room = *tail ? tcp_chunk_room(tcp, *tail) : 0;
        if (room == 0) {
            bool large = *tail && use != CHUNK_AHEAD;
            uint32_t left = (uint32_t)min_u64(len - done, CHUNK_LARGE_BYTES);
            uint32_t idx = tcp_chunk_new(tcp, large ? CHUNK_LARGE_BYTES : left, use);
            if (idx == 0) {
                break;
            }
            if (*tail) {
                tcp_chunk(tcp, *tail)->next = idx;
            } else {
                *head = idx;
            }
            *tail = idx;
            room = tcp_chunk_room(tcp, idx);
        }
        uint32_t n = (uint32_t)min_u64(room, len - done);
        struct chunk *chunk = tcp_chunk(tcp, *tail);
        memcpy(tcp_chunk_data(tcp, *tail) + chunk->len, data + done, n);
        HF_COUNT(tcp->b->work.copied, n);
        chunk->len += n;
        done += n;
    }
    return done;
}

uint32_t tcp_chunk_slices(const struct tcp *tcp, const struct cursor *from, uint32_t len,
                          struct hf_slice *slices, uint32_t *n)
{
    uint32_t done = 0;
    uint32_t used = 0;
    uint32_t skip = from->skip;
    for (uint32_t idx = from->chunk; idx != 0 && done < len && used < *n;) {
        const struct chunk *chunk = tcp_chunk(tcp, idx);
        HF_ASSERT(skip <= chunk->len);
        uint32_t part = min_u32(chunk->len - skip, len - done);
        if (part) {
            slices[used++] = (struct hf_slice){tcp_chunk_data(tcp, idx) + skip, part};
        }
        done += part;
        skip = 0;
        idx = chunk->end && part ? 0 : chunk->next;
    }
    *n = used;
    return done;
}

bool tcp_chunk_pushes(const struct tcp *tcp, const struct cursor *from, uint32_t len)
{
    uint32_t skip = from->skip;
    for (uint32_t idx = from->chunk; idx != 0 && len != 0; idx = tcp_chunk(tcp, idx)->next) {
        const struct chunk *chunk = tcp_chunk(tcp, idx);
        uint32_t left = chunk->len - skip;
        if (left > len) {
            return false;
        }
        if (left && (chunk->end || chunk->push)) {
            return true;
        }
        len -= left;
        skip = 0;
    }
    return false;
}

/* A FIN has a number but no octet: the cursor's number moves on, its place does not. */
void tcp_cursor_advance(const struct tcp *tcp, struct cursor *cursor, uint32_t len)
{
    cursor->at = seq_add(cursor->at, len);
    while (cursor->chunk) {
        const struct chunk *chunk = tcp_chunk(tcp, cursor->chunk);
        uint32_t part = min_u32(chunk->len - cursor->skip, len);
        cursor->skip += part;
        len -= part;
        if (cursor->skip < chunk->len || chunk->next == 0) {
            return;
        }
        cursor->chunk = chunk->next;
        cursor->skip = 0;
    }
}

void tcp_cursor_set(const struct tcp *tcp, const struct active *active, seq_t una,
                    struct cursor *cursor, seq_t at)
{
    HF_ASSERT(seq_geq(at, una));
    *cursor = (struct cursor){una, active->sq_head, active->sq_skip};
    tcp_cursor_advance(tcp, cursor, seq_len(una, at));
}

uint32_t tcp_lent_new(struct tcp *tcp, uint16_t region, uint64_t token, const struct tcb *owner)
{
    uint32_t lent = pool_alloc(&tcp->b->lents, tcp->block);
    if (lent) {
        *lent_at(tcp, lent) = (struct lent){.refs = 1, .token = token, .region = region};
        if (owner) {
            lent_at(tcp, lent)->owner = tcb_index(tcp, owner);
            lent_at(tcp, lent)->generation = (uint16_t)owner->generation;
        }
    }
    return lent;
}

void tcp_lent_drop(struct tcp *tcp, uint32_t lent)
{
    HF_ASSERT(lent_at(tcp, lent)->refs == 1);
    lent_at(tcp, lent)->refs = 0; /* hf_region_remove looks for parts that are held */
    pool_free(&tcp->b->lents, tcp->block, lent);
}

/* HF_SENT, when the token is there to be fetched, to whoever still has the handle. */
static void tell_owner(struct tcp *tcp, const struct lent *lent)
{
    if (lent->owner == 0) {
        return;
    }
    struct tcb *owner = tcb_at(tcp, lent->owner);
    if ((uint16_t)owner->generation == lent->generation) {
        tcp_event(tcp, owner, HF_SENT);
    }
}

void tcp_lent_unref(struct tcp *tcp, uint32_t lent)
{
    struct returned *returned = &tcp->b->returned;
    struct lent *record = lent_at(tcp, lent);
    HF_ASSERT(record->refs != 0);
    if (--record->refs != 0) {
        return;
    }
    record->next = 0;
    if (returned->tail) {
        lent_at(tcp, returned->tail)->next = lent;
    } else {
        returned->head = lent;
    }
    returned->tail = lent;
    tell_owner(tcp, record);
}

uint32_t tcp_returned(struct tcp *tcp, uint64_t *tokens, uint32_t n)
{
    struct returned *returned = &tcp->b->returned;
    uint32_t done = 0;
    while (done < n && returned->head) {
        uint32_t lent = returned->head;
        tokens[done++] = lent_at(tcp, lent)->token;
        returned->head = lent_at(tcp, lent)->next;
        if (returned->head == 0) {
            returned->tail = 0;
        }
        pool_free(&tcp->b->lents, tcp->block, lent);
    }
    return done;
}

/* Octet and bit of a token in the bitmap: those out lie within max_tokens of each other. */
static uint8_t *done_octet(const struct tcp *tcp, uint64_t token, uint8_t *bit)
{
    uint64_t place = token % tcp->b->max_tokens;
    *bit = (uint8_t)(1u << place % 8);
    return (uint8_t *)tcp->block + tcp->b->done_offset + place / 8;
}

uint64_t tcp_take_token(struct tcp *tcp)
{
    struct tcp_block *b = tcp->b;
    if (b->next_token - b->done_token >= b->max_tokens) {
        return 0;
    }
    uint8_t bit;
    uint8_t *octet = done_octet(tcp, b->next_token, &bit);
    *octet = (uint8_t)(*octet & ~bit);
    return b->next_token++;
}

/* Frees what no frame points to any more. */
static void leave_limbo(struct tcp *tcp)
{
    struct tcp_block *b = tcp->b;
    while (b->limbo.head) {
        uint32_t idx = b->limbo.head;
        const struct chunk *chunk = tcp_chunk(tcp, idx);
        if ((int32_t)((uint32_t)b->done_token - chunk->start) < 0) {
            return;
        }
        b->limbo.head = chunk->next;
        if (b->limbo.head == 0) {
            b->limbo.tail = 0;
        }
        release(tcp, idx);
    }
}

bool tcp_token_done(struct tcp *tcp, uint64_t token)
{
    struct tcp_block *b = tcp->b;
    if (token < b->done_token || token >= b->next_token) {
        return false;
    }
    if (token == b->done_token && token + 1 == b->next_token) { /* the only one that is out */
        b->done_token++;
        leave_limbo(tcp);
        return true;
    }
    uint8_t bit;
    uint8_t *octet = done_octet(tcp, token, &bit);
    if (*octet & bit) {
        return false;
    }
    *octet |= bit;
    while (b->done_token != b->next_token) {
        octet = done_octet(tcp, b->done_token, &bit);
        if ((*octet & bit) == 0) {
            break;
        }
        b->done_token++;
    }
    leave_limbo(tcp);
    return true;
}

void tcp_forget_tokens(struct tcp *tcp)
{
    tcp->b->done_token = tcp->b->next_token;
    leave_limbo(tcp);
}
