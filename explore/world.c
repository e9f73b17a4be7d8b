/* world.c - endpoints, messages and steps, each kept once. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIDES = 256, FIRST_SLOTS = 1 << 12 };

static uint32_t *table_at(struct table *t, const uint64_t key[2])
{
    if (t->used * 2 >= t->n) {
        struct table old = *t;
        t->n = old.n ? old.n * 2 : FIRST_SLOTS;
        t->slots = calloc(t->n, sizeof *t->slots);
        if (t->slots == NULL)
            abort();
        t->used = 0;
        for (uint64_t i = 0; i < old.n; i++)
            if (old.slots[i].value)
                *table_at(t, old.slots[i].key) = old.slots[i].value;
        free(old.slots);
    }
    uint64_t i = key[0] & (t->n - 1);
    while (t->slots[i].value && memcmp(t->slots[i].key, key, sizeof t->slots[i].key) != 0)
        i = (i + 1) & (t->n - 1);
    if (!t->slots[i].value) {
        memcpy(t->slots[i].key, key, sizeof t->slots[i].key);
        t->used++;
    }
    return &t->slots[i].value;
}

static struct side *side_at(const struct world *w, int side, uint32_t endpoint)
{
    return &w->chunks[side][endpoint / CHUNK_SIDES][endpoint % CHUNK_SIDES];
}

static void *grown(void *old, uint64_t octets)
{
    void *p = realloc(old, octets);
    if (p == NULL)
        abort();
    return p;
}

/* Lines of the cache, new ones zeroed. */
static void *lines_grown(void *old, uint64_t octets, uint64_t more)
{
    uint8_t *p = aligned_alloc(64, more);
    if (p == NULL)
        abort();
    if (octets)
        memcpy(p, old, octets);
    memset(p + octets, 0, more - octets);
    free(old);
    return p;
}

/* Room for one more endpoint. */
static void make_room(struct world *w, int side)
{
    uint32_t n = w->sides[side];
    if (n < w->rooms[side])
        return;
    uint32_t room = w->rooms[side] + CHUNK_SIDES;
    w->chunks[side] = grown(w->chunks[side], (uint64_t)room / CHUNK_SIDES * sizeof(struct side *));
    w->chunks[side][n / CHUNK_SIDES] = aligned_alloc(64, CHUNK_SIDES * sizeof(struct side));
    if (w->chunks[side][n / CHUNK_SIDES] == NULL)
        abort();
    w->digests[side] = grown(w->digests[side], room * sizeof *w->digests[side]);
    w->calls[side] =
        lines_grown(w->calls[side], n * sizeof *w->calls[side], room * sizeof *w->calls[side]);
    w->disabled[side] = grown(w->disabled[side], room * sizeof *w->disabled[side]);
    memset(w->disabled[side] + n, 0, CHUNK_SIDES * sizeof *w->disabled[side]);
    w->rooms[side] = room;
}

static struct digest digest_of(struct side *s)
{
    struct hf_env env = {.struct_size = sizeof env, .now_ns = s->now_ns};
    int64_t at_ns = hf_deadline(side_stack(s), &env);
    return (struct digest){s->ghost, at_ns == INT64_MAX ? INT64_MAX : at_ns - s->now_ns};
}

static uint32_t intern(struct world *w, int side, struct side *s)
{
    uint64_t key[2];
    side_key(s, key);
    uint32_t *known = table_at(&w->interned[side], key);
    if (*known == 0) {
        make_room(w, side);
        *side_at(w, side, w->sides[side]) = *s;
        w->digests[side][w->sides[side]] = digest_of(s);
        *known = ++w->sides[side];
    }
    return *known - 1;
}

uint16_t world_name(struct world *w, const struct message *m)
{
    uint64_t key[2];
    hash_128(m, sizeof *m, key);
    uint32_t *known = table_at(&w->named, key);
    if (*known == 0) {
        if (w->n_messages == MESSAGES_MOST) {
            w->full = true;
            return 1;
        }
        w->messages[++w->n_messages] = *m;
        w->resets[w->n_messages] = (m->ctl & HF_RST) != 0;
        *known = w->n_messages;
    }
    return (uint16_t)*known;
}

static void steps_grow(struct steps *t)
{
    struct steps old = *t;
    t->n = old.n ? old.n * 2 : FIRST_SLOTS;
    t->slots = lines_grown(NULL, 0, t->n * sizeof *t->slots);
    for (uint64_t i = 0; i < old.n; i++)
        if (old.slots[i].key)
            *step_place(t, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

struct world *world_new(const struct explore_config *config)
{
    struct world *w = aligned_alloc(64, sizeof *w);
    if (w == NULL)
        return NULL;
    memset(w, 0, sizeof *w);
    w->config = config;
    w->messages = calloc(MESSAGES_MOST + 1, sizeof *w->messages);
    w->resets = calloc(MESSAGES_MOST + 1, sizeof *w->resets);
    if (w->messages == NULL || w->resets == NULL || !side_begin(&w->scratch, 0, config)) {
        world_free(w);
        return NULL;
    }
    intern(w, 0, &w->scratch);
    side_begin(&w->scratch, 1, config);
    intern(w, 1, &w->scratch);
    steps_grow(&w->delivered[0]);
    steps_grow(&w->delivered[1]);
    return w;
}

void world_free(struct world *w)
{
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < w->rooms[side] / CHUNK_SIDES; i++)
            free(w->chunks[side][i]);
        free(w->chunks[side]);
        free(w->digests[side]);
        free(w->disabled[side]);
        free(w->calls[side]);
        free(w->delivered[side].slots);
        free(w->interned[side].slots);
    }
    free(w->named.slots);
    free(w->messages);
    free(w->resets);
    free(w);
}

const struct step *world_compute(struct world *w, int side, uint32_t endpoint,
                                 enum event_kind event, uint16_t message)
{
    static const struct side_env quiet;
    struct outcome *o = &w->outcome;
    w->scratch = *side_at(w, side, endpoint);
    side_do(&w->scratch, side, event, &w->messages[message], &quiet, o);
    struct step step = {.key = step_key(endpoint, message),
                        .disabled = o->disabled,
                        .repeats = o->repeats,
                        .clean = o->clean,
                        .own_mask = o->own_mask,
                        .peer_mask = o->peer_mask,
                        .n = o->n & 7,
                        .wrong = o->wrong};
    if (o->disabled)
        w->disabled[side][endpoint] |= (uint8_t)(1u << event);
    else
        step.next = intern(w, side, &w->scratch);
    for (int i = 0; i < o->n; i++)
        step.out[i] = world_name(w, &o->out[i]);
    if (o->wrong && !w->detail[0] && (!w->config->seek || o->wrong == w->config->seek))
        memcpy(w->detail, o->detail, sizeof w->detail);
    w->full = w->full || w->scratch.ghost.gens >= GENS;
    w->n_steps++;
    struct step *place = &w->calls[side][endpoint][event];
    if (event == EVENT_DELIVER) {
        struct steps *t = &w->delivered[side];
        if (++t->used * 2 > t->n)
            steps_grow(t);
        place = step_place(t, step.key);
    }
    *place = step;
    return place;
}

bool world_ignores(struct world *w, int side, uint32_t endpoint, const struct message *message)
{
    static const struct side_env quiet;
    uint64_t before[2], after[2];
    w->scratch = *side_at(w, side, endpoint);
    side_do(&w->scratch, side, EVENT_DELIVER, message, &quiet, &w->outcome);
    side_key(&w->scratch, after);
    world_key(w, side, endpoint, before);
    return memcmp(before, after, sizeof before) == 0 && !w->outcome.n && !w->outcome.wrong;
}

uint32_t world_first(const struct world *w, int side)
{
    (void)w;
    (void)side;
    return 0;
}

const struct side *world_side(const struct world *w, int side, uint32_t endpoint)
{
    return side_at(w, side, endpoint);
}

void world_key(const struct world *w, int side, uint32_t endpoint, uint64_t key[2])
{
    side_key(side_at(w, side, endpoint), key);
}

uint64_t world_endpoints(const struct world *w, int side)
{
    return w->sides[side];
}

uint64_t world_steps(const struct world *w)
{
    return w->n_steps;
}

uint64_t world_messages(const struct world *w)
{
    return w->n_messages;
}

const char *world_detail(const struct world *w)
{
    return w->detail;
}
