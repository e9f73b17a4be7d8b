/* store.c - a state takes 16 octets: endpoints have numbers already, and what is on a channel, and
 * what is left of the budgets, get numbers here, since there are few of each.  Nothing is a hash:
 * states that are held to be the same are the same.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SIDE_BITS = 22,
    CHANNEL_BITS = 20,
    BUDGET_BITS = 12,
    SLOTS_FIRST = 1 << 16,
    NAMES_FIRST = 1 << 8
};
#define LOW(bits) ((1u << (bits)) - 1)
_Static_assert(2 * SIDE_BITS + CHANNEL_BITS == 64 && CHANNEL_BITS + BUDGET_BITS == 32, "packed");
_Static_assert(sizeof(uint16_t[CHANNEL]) == 8 && sizeof(struct budget) == 8, "named by 64 bits");

/* 64 bits by number, in order of first appearance. */
struct names {
    uint64_t *values;
    uint32_t *slots; /* number, +1; twice as many as values at least */
    uint32_t n, room, most;
};

struct node {
    uint64_t pair;
    uint32_t rest, parent;
};

struct store {
    struct node *nodes; /* address space for all; touched as it is used */
    uint32_t *slots;    /* node, +1; a quarter of them free             */
    uint64_t n_slots;
    uint32_t n, room;
    struct names channels[2], budgets;
    bool full; /* of names */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ 0x243f6a8885a308d3u) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h = (h ^ b) * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

/* Names ---------------------------------------------------------------------------------------- */

static void names_place(struct names *t, uint32_t number)
{
    uint32_t mask = 2 * t->room - 1;
    uint32_t at = (uint32_t)mix(t->values[number], 0) & mask;
    while (t->slots[at])
        at = (at + 1) & mask;
    t->slots[at] = number + 1;
}

/* False: no memory. */
static bool names_grow(struct names *t)
{
    uint32_t room = t->room ? t->room * 2 : NAMES_FIRST;
    uint64_t *values = realloc(t->values, room * sizeof *values);
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    t->values = values ? values : t->values;
    if (values == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(t->slots);
    t->slots = slots;
    t->room = room;
    for (uint32_t i = 0; i < t->n; i++)
        names_place(t, i);
    return true;
}

static uint32_t name(struct store *s, struct names *t, const void *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof value);
    uint32_t mask = 2 * t->room - 1;
    uint32_t at = (uint32_t)mix(value, 0) & mask;
    for (; t->slots[at]; at = (at + 1) & mask)
        if (t->values[t->slots[at] - 1] == value)
            return t->slots[at] - 1;
    if (t->n == t->most || (t->n == t->room && !names_grow(t))) {
        s->full = true;
        return 0;
    }
    t->values[t->n] = value;
    names_place(t, t->n);
    return t->n++;
}

static bool names_begin(struct names *t, uint32_t bits)
{
    t->most = 1u << bits;
    return names_grow(t);
}

static void names_end(struct names *t)
{
    free(t->values);
    free(t->slots);
}

/* States --------------------------------------------------------------------------------------- */

/* Large pages: every look-up is a jump. */
static void *map(uint64_t bytes)
{
    void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, (size_t)bytes, MADV_HUGEPAGE);
    return p;
}

static void unmap(void *p, uint64_t bytes)
{
    if (p != NULL)
        munmap(p, (size_t)bytes);
}

/* The most states whose table fits as well. */
static uint32_t room_in(uint64_t bytes)
{
    uint64_t best = 0;
    for (uint64_t slots = SLOTS_FIRST; slots * sizeof(uint32_t) < bytes; slots *= 2) {
        uint64_t room = (bytes - slots * sizeof(uint32_t)) / sizeof(struct node);
        room = room < slots / 4 * 3 ? room : slots / 4 * 3;
        best = room > best ? room : best;
    }
    return best < UINT32_MAX - 1 ? (uint32_t)best : UINT32_MAX - 1;
}

/* False: no memory. */
static bool rehash(struct store *s)
{
    unmap(s->slots, s->n_slots * sizeof *s->slots);
    s->n_slots = s->n_slots ? s->n_slots * 2 : SLOTS_FIRST;
    s->slots = map(s->n_slots * sizeof *s->slots);
    for (uint32_t i = 0; i < s->n && s->slots; i++) {
        const struct packed p = {s->nodes[i].pair, s->nodes[i].rest};
        uint64_t at = store_hash(s, &p) & (s->n_slots - 1);
        while (s->slots[at])
            at = (at + 1) & (s->n_slots - 1);
        s->slots[at] = i + 1;
    }
    return s->slots != NULL;
}

struct store *store_new(uint64_t bytes)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->room = room_in(bytes);
    s->nodes = map((uint64_t)s->room * sizeof *s->nodes);
    if (s->nodes == NULL || !names_begin(&s->channels[0], CHANNEL_BITS) ||
        !names_begin(&s->channels[1], CHANNEL_BITS) || !names_begin(&s->budgets, BUDGET_BITS) ||
        !rehash(s)) {
        store_free(s);
        return NULL;
    }
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    unmap(s->nodes, (uint64_t)s->room * sizeof *s->nodes);
    unmap(s->slots, s->n_slots * sizeof *s->slots);
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
                           .rest = to_a | name(s, &s->budgets, &state->budget) << CHANNEL_BITS};
}

/* Of what the future depends on but for the budgets. */
uint64_t store_hash(const struct store *s, const struct packed *p)
{
    uint64_t hash = mix(p->pair, p->rest & LOW(CHANNEL_BITS));
    __builtin_prefetch(&s->slots[hash & (s->n_slots - 1)]);
    return hash;
}

void store_ready(const struct store *s, uint64_t hash)
{
    uint32_t slot = s->slots[hash & (s->n_slots - 1)];
    if (slot)
        __builtin_prefetch(&s->nodes[slot - 1]);
}

/* Nothing less left in any budget: all that can happen to y can happen to x. */
static bool covers(const struct budget *x, const struct budget *y)
{
    return x->forged >= y->forged && x->losses >= y->losses && x->duplicates >= y->duplicates &&
           x->aborts >= y->aborts && x->reboots >= y->reboots && x->repeats >= y->repeats &&
           x->opens >= y->opens && x->opens_b >= y->opens_b && x->sends >= y->sends &&
           x->sends_b >= y->sends_b;
}

static struct budget budget_of(const struct store *s, uint32_t rest)
{
    struct budget budget;
    memcpy(&budget, &s->budgets.values[rest >> CHANNEL_BITS], sizeof budget);
    return budget;
}

enum store_new store_add(struct store *s, const struct packed *p, uint64_t hash, uint32_t parent)
{
    if (s->full)
        return STORE_KNOWN; /* it has no name: store_room tells */
    enum store_new is = STORE_PAIR;
    uint64_t at = hash & (s->n_slots - 1);
    struct budget budget = budget_of(s, p->rest);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1)) {
        const struct node *node = &s->nodes[s->slots[at] - 1];
        if (node->pair != p->pair || ((node->rest ^ p->rest) & LOW(CHANNEL_BITS)) != 0)
            continue;
        struct budget other = budget_of(s, node->rest);
        if (covers(&other, &budget))
            return STORE_KNOWN;
        is = STORE_BUDGET;
    }
    s->nodes[s->n] = (struct node){p->pair, p->rest, parent};
    s->slots[at] = ++s->n;
    return is;
}

struct state store_state(const struct store *s, uint32_t number)
{
    const struct node *node = &s->nodes[number];
    struct state state = {
        .side = {node->pair & LOW(SIDE_BITS), node->pair >> SIDE_BITS & LOW(SIDE_BITS)},
        .budget = budget_of(s, node->rest)};
    uint32_t to_b = (uint32_t)(node->pair >> 2 * SIDE_BITS);
    memcpy(state.channel[0], &s->channels[0].values[to_b], sizeof state.channel[0]);
    memcpy(state.channel[1], &s->channels[1].values[node->rest & LOW(CHANNEL_BITS)],
           sizeof state.channel[1]);
    return state;
}

uint32_t store_parent(const struct store *s, uint32_t number)
{
    return s->nodes[number].parent;
}

uint32_t store_count(const struct store *s)
{
    return s->n;
}

const char *store_room(struct store *s, uint32_t more)
{
    uint64_t n = (uint64_t)s->n + more;
    if (s->full)
        return "the number of endpoints, channels or budgets that are told apart";
    if (n >= s->room || (n * 4 >= s->n_slots * 3 && !rehash(s)))
        return "memory";
    return NULL;
}
