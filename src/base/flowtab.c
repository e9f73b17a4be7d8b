/* flowtab.c - linear hashing: see flowtab.h.
 *
 * With 2^k <= buckets < 2^(k+1), a hash belongs to the bucket that its low k + 1 bits name, or,
 * while that one does not exist yet, to the one that its low k bits name.  Growing adds bucket
 * `buckets` and moves into it what belongs there, all from one bucket; shrinking is the reverse.
 */
#include "base/flowtab.h"

#include "base/bytes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SLOTS = 7 };

struct line {
    uint32_t hash[SLOTS];
    uint32_t over;
    uint32_t value[SLOTS];
    uint32_t n;
};

_Static_assert(sizeof(struct line) == 64, "a bucket is one cache line");

/* Fill on the average: a new bucket above 11/2 = 5.5 pairs, one bucket less below 4. */
enum { GROW_PAIRS = 11, GROW_BUCKETS = 2, SHRINK_PAIRS = 4 };

static uint32_t buckets_for(uint32_t entries)
{
    uint64_t buckets = ((uint64_t)entries * GROW_BUCKETS + GROW_PAIRS - 1) / GROW_PAIRS;
    return max_u32((uint32_t)buckets, 1);
}

static uint32_t overs_for(uint32_t entries)
{
    return entries == 0 ? 0 : (entries - 1) / SLOTS;
}

uint64_t flowtab_bytes(uint32_t max_entries)
{
    return ((uint64_t)buckets_for(max_entries) + overs_for(max_entries)) * sizeof(struct line);
}

static struct line *bucket_at(const struct flowtab *t, const void *block, uint32_t i)
{
    return (struct line *)((uintptr_t)block + (uintptr_t)t->bucket_offset) + i;
}

static struct line *over_at(const struct flowtab *t, const void *block, uint32_t i)
{
    HF_ASSERT(i >= 1 && i <= t->over_top);
    return (struct line *)((uintptr_t)block + (uintptr_t)t->over_offset) + (i - 1);
}

static uint32_t bucket_of(const struct flowtab *t, uint32_t hash)
{
    uint32_t i = hash & t->mask;
    return i < t->buckets ? i : i & t->mask >> 1;
}

void flowtab_init(struct flowtab *t, void *block, uint64_t offset, uint32_t max_entries)
{
    uint32_t max_buckets = buckets_for(max_entries);
    *t = (struct flowtab){
        .bucket_offset = offset,
        .over_offset = offset + (uint64_t)max_buckets * sizeof(struct line),
        .buckets = 1,
        .max_buckets = max_buckets,
        .max_over = overs_for(max_entries),
        .max_entries = max_entries,
    };
    struct line *first = bucket_at(t, block, 0);
    first->n = 0;
    first->over = 0;
}

static uint32_t over_alloc(struct flowtab *t, void *block)
{
    uint32_t idx = t->over_free;
    if (idx != 0) {
        t->over_free = over_at(t, block, idx)->over;
    } else {
        HF_ASSERT(t->over_top < t->max_over);
        idx = ++t->over_top;
    }
    struct line *line = over_at(t, block, idx);
    line->n = 0;
    line->over = 0;
    t->over_used++;
    return idx;
}

static void over_release(struct flowtab *t, void *block, uint32_t idx)
{
    over_at(t, block, idx)->over = t->over_free;
    t->over_free = idx;
    t->over_used--;
}

/* Appends to the chain; there is always a line left (flowtab.h). */
static void put(struct flowtab *t, void *block, struct line *line, uint32_t hash, uint32_t value)
{
    HF_COUNT(t->probed, 1);
    while (line->n == SLOTS) {
        HF_COUNT(t->probed, 1);
        if (line->over == 0) {
            line->over = over_alloc(t, block);
        }
        line = over_at(t, block, line->over);
    }
    line->hash[line->n] = hash;
    line->value[line->n] = value;
    line->n++;
}

/* Puts a whole chain in again, each pair where it belongs now.  `line` is a copy; each overflow
 * line is given back before its pairs need room. */
static void put_chain(struct flowtab *t, void *block, struct line line)
{
    for (;;) {
        HF_COUNT(t->probed, 1);
        for (uint32_t i = 0; i < line.n; i++) {
            struct line *to = bucket_at(t, block, bucket_of(t, line.hash[i]));
            put(t, block, to, line.hash[i], line.value[i]);
        }
        uint32_t over = line.over;
        if (over == 0) {
            return;
        }
        line = *over_at(t, block, over);
        over_release(t, block, over);
    }
}

static void grow(struct flowtab *t, void *block)
{
    HF_ASSERT(t->buckets < t->max_buckets);
    if (t->buckets > t->mask) {
        t->mask = t->mask * 2 + 1;
    }
    struct line *old = bucket_at(t, block, t->buckets & t->mask >> 1);
    struct line *added = bucket_at(t, block, t->buckets);
    struct line chain = *old;
    old->n = 0;
    old->over = 0;
    added->n = 0;
    added->over = 0;
    t->buckets++;
    put_chain(t, block, chain);
}

static void shrink(struct flowtab *t, void *block)
{
    t->buckets--;
    struct line chain = *bucket_at(t, block, t->buckets);
    if (t->buckets == (t->mask >> 1) + 1) {
        t->mask >>= 1;
    }
    put_chain(t, block, chain);
}

bool flowtab_insert(struct flowtab *t, void *block, uint32_t hash, uint32_t value)
{
    HF_ASSERT(value != 0);
    if (t->count >= t->max_entries) {
        return false;
    }
    put(t, block, bucket_at(t, block, bucket_of(t, hash)), hash, value);
    t->count++;
    if ((uint64_t)t->count * GROW_BUCKETS > (uint64_t)t->buckets * GROW_PAIRS) {
        grow(t, block);
    }
    return true;
}

/* Which of the line's slots carry the hash, one bit each. */
static uint32_t slots_of(const struct line *line, uint32_t hash)
{
    uint32_t hits = 0;
#ifdef __SSE2__
    __m128i wanted = _mm_set1_epi32((int)hash);
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)line->hash);
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(line->hash + 4));
    hits = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(wanted, first)));
    hits |= (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(wanted, second))) << 4;
#else
    for (uint32_t i = 0; i < SLOTS; i++) {
        hits |= (uint32_t)(line->hash[i] == hash) << i;
    }
#endif
    return hits & (((uint32_t)1 << line->n) - 1);
}

static uint32_t hits_in(const struct flowtab *t, const struct line *line, uint32_t hash)
{
    HF_COUNT(((struct flowtab *)(uintptr_t)t)->probed, 1);
    (void)t;
    return slots_of(line, hash);
}

uint32_t flowtab_next(const struct flowtab *t, const void *block, struct flow_probe *probe)
{
    const struct line *line = probe->line;
    while (probe->hits == 0) {
        if (line->over == 0) {
            return 0;
        }
        line = over_at(t, block, line->over);
        probe->line = line;
        probe->hits = hits_in(t, line, probe->hash);
    }
    uint32_t slot = (uint32_t)__builtin_ctz(probe->hits);
    probe->hits &= probe->hits - 1;
    return line->value[slot];
}

uint32_t flowtab_first(const struct flowtab *t, const void *block, uint32_t hash,
                       struct flow_probe *probe)
{
    const struct line *line = bucket_at(t, block, bucket_of(t, hash));
    *probe = (struct flow_probe){.line = line, .hash = hash, .hits = hits_in(t, line, hash)};
    return flowtab_next(t, block, probe);
}

void flowtab_prefetch(const struct flowtab *t, const void *block, uint32_t hash)
{
    __builtin_prefetch(bucket_at(t, block, bucket_of(t, hash)));
}

uint32_t flowtab_glance(const struct flowtab *t, const void *block, uint32_t hash)
{
    const struct line *line = bucket_at(t, block, bucket_of(t, hash));
    uint32_t hits = slots_of(line, hash);
    return hits != 0 ? line->value[__builtin_ctz(hits)] : 0;
}

/* The line and slot of a pair; NULL when it is not in. */
static struct line *find(const struct flowtab *t, void *block, uint32_t hash, uint32_t value,
                         uint32_t *slot)
{
    struct line *line = bucket_at(t, block, bucket_of(t, hash));
    for (;;) {
        for (uint32_t hits = hits_in(t, line, hash); hits != 0; hits &= hits - 1) {
            *slot = (uint32_t)__builtin_ctz(hits);
            if (line->value[*slot] == value) {
                return line;
            }
        }
        if (line->over == 0) {
            return NULL;
        }
        line = over_at(t, block, line->over);
    }
}

bool flowtab_replace(struct flowtab *t, void *block, uint32_t hash, uint32_t old_value,
                     uint32_t new_value)
{
    HF_ASSERT(new_value != 0);
    uint32_t slot;
    struct line *line = find(t, block, hash, old_value, &slot);
    if (line == NULL) {
        return false;
    }
    line->value[slot] = new_value;
    return true;
}

bool flowtab_remove(struct flowtab *t, void *block, uint32_t hash, uint32_t value)
{
    uint32_t slot;
    struct line *line = find(t, block, hash, value, &slot);
    if (line == NULL) {
        return false;
    }
    /* The chain's last pair fills the hole, so that all lines but the last stay full. */
    struct line *last = line, *before = NULL;
    if (line->over == 0 && line->n == 1) {
        last = bucket_at(t, block, bucket_of(t, hash));
    }
    while (last->over != 0) {
        HF_COUNT(t->probed, 1);
        before = last;
        last = over_at(t, block, last->over);
    }
    last->n--;
    line->hash[slot] = last->hash[last->n];
    line->value[slot] = last->value[last->n];
    if (last->n == 0 && before != NULL) {
        over_release(t, block, before->over);
        before->over = 0;
    }
    t->count--;
    if (t->buckets > 1 && (uint64_t)t->count < (uint64_t)(t->buckets - 1) * SHRINK_PAIRS) {
        shrink(t, block);
    }
    return true;
}

/* The lines of one bucket: all but the last full, each pair where it belongs. */
static bool chain_sound(const struct flowtab *t, const void *block, uint32_t bucket,
                        uint32_t *pairs, uint32_t *overs)
{
    const struct line *line = bucket_at(t, block, bucket);
    for (;;) {
        if (line->n > SLOTS || (line->over != 0 && line->n < SLOTS)) {
            return false;
        }
        for (uint32_t i = 0; i < line->n; i++) {
            if (line->value[i] == 0 || bucket_of(t, line->hash[i]) != bucket) {
                return false;
            }
        }
        *pairs += line->n;
        if (line->over == 0) {
            return true;
        }
        if (line->over > t->over_top || ++*overs > t->over_used) {
            return false;
        }
        line = over_at(t, block, line->over);
        if (line->n == 0) {
            return false;
        }
    }
}

bool flowtab_sound(const struct flowtab *t, const void *block)
{
    uint32_t pairs = 0, overs = 0, free_lines = 0;
    bool mask_fits = (t->mask & (t->mask + 1)) == 0 && t->buckets - 1 <= t->mask &&
                     (t->mask == 0 || t->buckets - 1 > t->mask >> 1);
    if (t->buckets == 0 || t->buckets > t->max_buckets || !mask_fits || t->over_top > t->max_over ||
        t->max_buckets != buckets_for(t->max_entries) || t->max_over != overs_for(t->max_entries)) {
        return false;
    }
    for (uint32_t i = 0; i < t->buckets; i++) {
        if (!chain_sound(t, block, i, &pairs, &overs)) {
            return false;
        }
    }
    for (uint32_t idx = t->over_free; idx != 0; idx = over_at(t, block, idx)->over) {
        if (idx > t->over_top || ++free_lines > t->over_top) {
            return false;
        }
    }
    return pairs == t->count && overs == t->over_used && overs + free_lines == t->over_top;
}

bool flowtab_holds(const struct flowtab *t, const void *block, uint32_t hash, uint32_t value)
{
    const struct line *line = bucket_at(t, block, bucket_of(t, hash));
    for (;;) {
        for (uint32_t i = 0; i < line->n; i++) {
            if (line->hash[i] == hash && line->value[i] == value) {
                return true;
            }
        }
        if (line->over == 0) {
            return false;
        }
        line = over_at(t, block, line->over);
    }
}
