/* store.c - a state takes 18 octets: endpoints have numbers already, and what is on a channel, and
 * what is left of the budgets, get numbers here, since there are few of each.  Nothing is a hash
 * alone: states that are held to be the same are the same.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIDE_BITS = 22,
    CHANNEL_BITS = 20,
    BUDGET_BITS = 12,
    TAG_SHIFT = 32 + BUDGET_BITS,
    SLOTS_FIRST = 1 << 16,
    NAMES_FIRST = 1 << 8,
    AHEAD = 16
};
#define LOW(bits) ((1u << (bits)) - 1)
_Static_assert(2 * SIDE_BITS + CHANNEL_BITS == 64 && CHANNEL_BITS + BUDGET_BITS == 32, "packed");
_Static_assert(sizeof(uint16_t[CHANNEL]) == 8 && sizeof(struct budget) == 8, "named by 64 bits");

/* 64 bits by number, in order of first appearance.  Values stay where they are: what keeps states
 * looks at some, too. */
struct names {
    uint64_t *values;
    uint32_t *slots; /* number, +1; twice as many as values at least */
    uint32_t n, room, most;
    uint32_t last; /* asked for: most often the next one is the same */
};

struct node {
    uint64_t pair;
    uint32_t rest, parent;
};

/* A slot tells most of what is asked of its node, which need not be fetched then: the number of the
 * node, +1; the number of its budget above these 32 bits; and of its hash the highest bits. */
struct store { // NOLINT(clang-analyzer-optin.performance.Padding): for the lines of the cache
    struct node *nodes; /* address space for all; touched as it is used */
    uint8_t *left;      /* the same: of all budgets together            */
    bool *covered;      /* the same                                     */
    const uint64_t *budget_values;
    uint32_t room;
    /* Of what finds: no line of the cache is written by one thread and read by the other. */
    _Alignas(64) struct names channels[2], budgets;
    bool full; /* of names */
    /* Of what keeps. */
    _Alignas(64) uint64_t *slots; /* a quarter of them free */
    uint64_t n_slots;
    uint32_t n, n_covered;
};

/* Names ---------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static uint32_t *names_at(const struct names *t, uint64_t value)
{
    uint32_t mask = 2 * t->room - 1;
    uint32_t at = (uint32_t)(value * 0x9e3779b97f4a7c15u >> 32) & mask;
    while (t->slots[at] && t->values[t->slots[at] - 1] != value)
        at = (at + 1) & mask;
    return &t->slots[at];
}

/* False: no memory. */
static bool names_grow(struct names *t)
{
    uint32_t room = t->room ? t->room * 2 : NAMES_FIRST;
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (slots == NULL)
        return false;
    free(t->slots);
    t->slots = slots;
    t->room = room;
    for (uint32_t i = 0; i < t->n; i++)
        *names_at(t, t->values[i]) = i + 1;
    return true;
}

/* 0: no room. */
static uint32_t name_new(struct store *s, struct names *t, uint64_t value)
{
    if (t->n == t->most || (t->n == t->room && !names_grow(t))) {
        s->full = true;
        return 0;
    }
    t->values[t->n] = value;
    *names_at(t, value) = t->n + 1;
    return t->n++;
}

static uint32_t name(struct store *s, struct names *t, const void *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof value);
    if (t->n && t->values[t->last] == value)
        return t->last;
    uint32_t slot = *names_at(t, value);
    return t->last = slot ? slot - 1 : name_new(s, t, value);
}

static bool names_begin(struct names *t, uint32_t bits)
{
    t->most = 1u << bits;
    t->values = pages_new(t->most * sizeof *t->values);
    return t->values != NULL && names_grow(t);
}

static void names_end(struct names *t)
{
    pages_free(t->values, t->most * sizeof *t->values);
    free(t->slots);
}

/* States --------------------------------------------------------------------------------------- */

/* The most states whose table fits as well. */
static uint32_t room_in(uint64_t bytes)
{
    uint64_t best = 0;
    for (uint64_t slots = SLOTS_FIRST; slots * sizeof(uint64_t) < bytes; slots *= 2) {
        uint64_t room = (bytes - slots * sizeof(uint64_t)) / (sizeof(struct node) + 2);
        room = room < slots / 4 * 3 ? room : slots / 4 * 3;
        best = room > best ? room : best;
    }
    return best < UINT32_MAX - 1 ? (uint32_t)best : UINT32_MAX - 1;
}

static struct packed packed_of(const struct node *node)
{
    return (struct packed){.pair = node->pair, .rest = node->rest};
}

static uint64_t slot_of(const struct store *s, uint32_t number, uint64_t hash)
{
    uint64_t budget = s->nodes[number].rest >> CHANNEL_BITS;
    return hash >> TAG_SHIFT << TAG_SHIFT | budget << 32 | (number + 1);
}

/* False: no memory. */
static bool rehash(struct store *s)
{
    pages_free(s->slots, s->n_slots * sizeof *s->slots);
    s->n_slots = s->n_slots ? s->n_slots * 2 : SLOTS_FIRST;
    s->slots = pages_new(s->n_slots * sizeof *s->slots);
    for (uint32_t i = 0; i < s->n && s->slots; i++) {
        struct packed ahead = packed_of(&s->nodes[i + AHEAD < s->n ? i + AHEAD : i]);
        store_hash(s, &ahead);
        struct packed p = packed_of(&s->nodes[i]);
        uint64_t hash = store_hash(s, &p), at = hash & (s->n_slots - 1);
        while (s->slots[at])
            at = (at + 1) & (s->n_slots - 1);
        s->slots[at] = slot_of(s, i, hash);
    }
    return s->slots != NULL;
}

struct store *store_new(uint64_t bytes)
{
    struct store *s = aligned_alloc(64, sizeof *s);
    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    s->room = room_in(bytes);
    s->nodes = pages_new((uint64_t)s->room * sizeof *s->nodes);
    s->left = pages_new(s->room);
    s->covered = pages_new(s->room);
    if (s->nodes == NULL || s->left == NULL || s->covered == NULL ||
        !names_begin(&s->channels[0], CHANNEL_BITS) ||
        !names_begin(&s->channels[1], CHANNEL_BITS) || !names_begin(&s->budgets, BUDGET_BITS) ||
        !rehash(s)) {
        store_free(s);
        return NULL;
    }
    s->budget_values = s->budgets.values;
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    pages_free(s->nodes, (uint64_t)s->room * sizeof *s->nodes);
    pages_free(s->left, s->room);
    pages_free(s->covered, s->room);
    pages_free(s->slots, s->n_slots * sizeof *s->slots);
    names_end(&s->channels[0]);
    names_end(&s->channels[1]);
    names_end(&s->budgets);
    free(s);
}

struct packed store_pack(struct store *s, const struct state *state)
{
    uint64_t to_b = name(s, &s->channels[0], state->channel[0]);
    uint32_t to_a = name(s, &s->channels[1], state->channel[1]);
    s->full = s->full || (state->side[0] | state->side[1]) >> SIDE_BITS != 0;
    return (struct packed){.pair = state->side[0] | (uint64_t)state->side[1] << SIDE_BITS |
                                   to_b << 2 * SIDE_BITS,
                           .rest = to_a | name(s, &s->budgets, &state->budget) << CHANNEL_BITS,
                           .nameless = s->full};
}

/* Of what the future depends on but for the budgets. */
uint64_t store_hash(const struct store *s, const struct packed *p)
{
    uint64_t hash = hash_64(p->pair, p->rest & LOW(CHANNEL_BITS));
    __builtin_prefetch(&s->slots[hash & (s->n_slots - 1)]);
    return hash;
}

void store_ready(const struct store *s, uint64_t hash)
{
    uint64_t at = hash & (s->n_slots - 1);
    while (s->slots[at] && (s->slots[at] ^ hash) >> TAG_SHIFT)
        at = (at + 1) & (s->n_slots - 1);
    if (s->slots[at])
        __builtin_prefetch(&s->nodes[(uint32_t)s->slots[at] - 1]);
}

/* Budgets as they are named: each count is four bits, or eight of which four are used. */
#define COUNTS(value) ((value)&0x0f0f0f0f0f0f0f0fu)
#define ABOVE 0x1010101010101010u

/* Nothing less left in any budget: all that can happen to y can happen to x. */
static bool covers(uint64_t x, uint64_t y)
{
    uint64_t low = (COUNTS(x) | ABOVE) - COUNTS(y);
    uint64_t high = (COUNTS(x >> 4) | ABOVE) - COUNTS(y >> 4);
    return (low & high & ABOVE) == ABOVE;
}

static bool same_pair(const struct node *node, const struct packed *p)
{
    return node->pair == p->pair && ((node->rest ^ p->rest) & LOW(CHANNEL_BITS)) == 0;
}

static uint64_t budget_of(const struct store *s, uint32_t rest)
{
    return s->budget_values[rest >> CHANNEL_BITS];
}

static uint32_t left_of(uint64_t budget)
{
    return (uint32_t)((COUNTS(budget) + COUNTS(budget >> 4)) * 0x0101010101010101u >> 56);
}

/* What is known of this state; the slot that is free for it. */
static enum store_new known(const struct store *s, const struct packed *p, uint64_t hash,
                            uint64_t *free_at)
{
    enum store_new is = STORE_PAIR;
    uint64_t budget = budget_of(s, p->rest), at = hash & (s->n_slots - 1);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1)) {
        uint64_t slot = s->slots[at];
        if ((slot ^ hash) >> TAG_SHIFT)
            continue;
        bool covered = covers(s->budget_values[slot >> 32 & LOW(BUDGET_BITS)], budget);
        if ((!covered && is == STORE_BUDGET) || !same_pair(&s->nodes[(uint32_t)slot - 1], p))
            continue;
        if (covered)
            return STORE_KNOWN;
        is = STORE_BUDGET;
    }
    *free_at = at;
    return is;
}

/* All of its pair that have no more left of any budget. */
static void cover(struct store *s, const struct packed *p, uint64_t hash)
{
    uint64_t budget = budget_of(s, p->rest), slot;
    for (uint64_t at = hash & (s->n_slots - 1); (slot = s->slots[at]) != 0;
         at = (at + 1) & (s->n_slots - 1)) {
        uint32_t number = (uint32_t)slot - 1;
        if ((slot ^ hash) >> TAG_SHIFT || s->covered[number] ||
            !covers(budget, s->budget_values[slot >> 32 & LOW(BUDGET_BITS)]) ||
            !same_pair(&s->nodes[number], p))
            continue;
        s->covered[number] = true;
        s->n_covered++;
    }
}

enum store_new store_add(struct store *s, const struct packed *p, uint64_t hash, uint32_t parent)
{
    if (p->nameless)
        return STORE_KNOWN;
    uint64_t at;
    enum store_new is = known(s, p, hash, &at);
    if (is == STORE_KNOWN)
        return is;
    if (is == STORE_BUDGET)
        cover(s, p, hash);
    s->nodes[s->n] = (struct node){p->pair, p->rest, parent};
    s->left[s->n] = (uint8_t)left_of(budget_of(s, p->rest));
    s->slots[at] = slot_of(s, s->n++, hash);
    return is;
}

uint32_t store_left(const struct store *s, uint32_t number)
{
    return s->left[number];
}

uint32_t store_next(const struct store *s, uint32_t from, uint32_t to, uint32_t left)
{
    const uint8_t *at;
    do {
        at = memchr(s->left + from, (int)left, to - from);
        from = at ? (uint32_t)(at - s->left) + 1 : to;
    } while (at && s->covered[at - s->left]);
    return at ? from - 1 : to;
}

uint32_t store_covered(const struct store *s)
{
    return s->n_covered;
}

struct state store_unpack(const struct store *s, const struct packed *p)
{
    struct state state = {
        .side = {p->pair & LOW(SIDE_BITS), p->pair >> SIDE_BITS & LOW(SIDE_BITS)}};
    uint64_t budget = budget_of(s, p->rest);
    memcpy(&state.budget, &budget, sizeof state.budget);
    uint32_t to_b = (uint32_t)(p->pair >> 2 * SIDE_BITS);
    memcpy(state.channel[0], &s->channels[0].values[to_b], sizeof state.channel[0]);
    memcpy(state.channel[1], &s->channels[1].values[p->rest & LOW(CHANNEL_BITS)],
           sizeof state.channel[1]);
    return state;
}

struct state store_state(const struct store *s, uint32_t number)
{
    struct packed p = packed_of(&s->nodes[number]);
    return store_unpack(s, &p);
}

uint32_t store_parent(const struct store *s, uint32_t number)
{
    return s->nodes[number].parent;
}

uint32_t store_count(const struct store *s)
{
    return s->n;
}

bool store_full(const struct store *s)
{
    return s->full;
}

bool store_room(struct store *s, uint32_t more)
{
    uint64_t n = (uint64_t)s->n + more;
    return n < s->room && (n * 4 < s->n_slots * 3 || rehash(s));
}
