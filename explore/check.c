/* check.c - properties of the pair: what one end believes of the other is true, and from every
 * state the connection comes to its end.
 */
#include "world.h"

#include <string.h>

enum { EXIT_STEPS = 400, EXITS = 1 << 24 };

/* Of this connection the other end knows nothing; patient: nor will it. */
static bool nobody_opened(const struct world *w, const struct state *s, const struct ghost *other,
                          const struct view *v)
{
    bool known = v->peer != GEN_NONE && other->own[v->peer].peer == v->own + 1;
    bool settled = s->channel[0][0] == 0 && s->channel[1][0] == 0 && other->views == 0;
    return !known && (settled || !world_config(w)->patient);
}

static uint8_t check_view(const struct world *w, const struct state *s, const struct ghost *g,
                          const struct ghost *other, const struct view *v)
{
    if (v->own != GEN_NONE && side_synchronized(v) && nobody_opened(w, s, other, v))
        return WRONG_NOBODY_OPENED;
    if (v->own == GEN_NONE || v->peer == GEN_NONE || v->state < HF_SYN_RECEIVED)
        return WRONG_NOTHING;
    const struct own *own = &g->own[v->own], *peer = &other->own[v->peer];
    if (v->rcv > peer->nxt)
        return WRONG_RCV_NXT;
    if (!side_synchronized(v))
        return WRONG_NOTHING;
    if (v->una > peer->acked && !world_config(w)->patient)
        return WRONG_SND_UNA;
    if (own->received > peer->sent)
        return WRONG_TEXT;
    return WRONG_NOTHING;
}

static uint8_t check_end(const struct ghost *g, const struct ghost *other)
{
    for (int gen = 0; gen < g->gens; gen++) {
        const struct own *own = &g->own[gen];
        if (!(own->is & IS_ENDED) || own->peer == 0)
            continue;
        const struct own *peer = &other->own[own->peer - 1];
        if (own->received != peer->sent || !(peer->is & (IS_CLOSED | IS_ABORTED)))
            return WRONG_END_EARLY;
    }
    return WRONG_NOTHING;
}

/* Both ends are there and want it, but it is gone. */
static bool was_killed(const struct ghost *g, const struct ghost *other)
{
    bool killed = false, broken = false;
    for (int gen = 0; gen < GENS; gen++) {
        killed = killed || (g->own[gen].is & (IS_OPEN | IS_FAILED)) == (IS_OPEN | IS_FAILED);
        broken = broken || ((g->own[gen].is | other->own[gen].is) & IS_ABORTED);
    }
    return killed && !broken;
}

uint8_t check_pair(const struct world *w, const struct state *state)
{
    for (int side = 0; side < 2; side++) {
        const struct ghost *g = world_ghost(w, side, state->side[side]);
        const struct ghost *other = world_ghost(w, 1 - side, state->side[1 - side]);
        for (int i = 0; i < g->views; i++) {
            uint8_t wrong = check_view(w, state, g, other, &g->view[i]);
            if (wrong)
                return wrong;
        }
        if (world_config(w)->forged && was_killed(g, other))
            return WRONG_KILLED;
        uint8_t wrong = check_end(g, other);
        if (wrong)
            return wrong;
    }
    return WRONG_NOTHING;
}

/* The connection is open, and its application has not closed yet. */
static bool may_close(const struct ghost *g)
{
    for (int i = 0; i < g->views && g->current; i++)
        if (g->view[i].own == g->current - 1 && side_synchronized(&g->view[i]))
            return !(g->own[g->current - 1].is & IS_CLOSED);
    return false;
}

static bool is_broken(const struct ghost *g)
{
    bool broken = false;
    for (int gen = 0; gen < g->gens; gen++)
        broken = broken || (g->own[gen].is & IS_ABORTED);
    return broken;
}

/* A peer that broke off never sends its FIN: then it is the application that ends FIN-WAIT-2. */
static bool release(const struct world *w, const struct state *s, struct action *a)
{
    for (uint8_t side = 0; side < 2; side++)
        if (world_ghost(w, side, s->side[side])->current &&
            is_broken(world_ghost(w, 1 - side, s->side[1 - side]))) {
            *a = (struct action){ACT_EVENT, side, EVENT_RELEASE, 0, 0};
            return true;
        }
    return false;
}

/* What happens next where nothing is lost: what is on its way arrives; then both close; then the
 * timer that waits less fires; last, the applications give their handles back. */
bool check_next(const struct world *w, const struct state *s, struct action *a)
{
    for (uint8_t side = 0; side < 2; side++)
        if (s->channel[1 - side][0]) {
            *a = (struct action){ACT_DELIVER, side, EVENT_DELIVER, 0, s->channel[1 - side][0]};
            return true;
        }
    for (uint8_t side = 0; side < 2; side++)
        if (may_close(world_ghost(w, side, s->side[side]))) {
            *a = (struct action){ACT_EVENT, side, EVENT_CLOSE, 0, 0};
            return true;
        }
    int64_t wait_a = world_wait_ns(w, 0, s->side[0]), wait_b = world_wait_ns(w, 1, s->side[1]);
    if (wait_a == INT64_MAX && wait_b == INT64_MAX)
        return release(w, s, a);
    *a = (struct action){ACT_EVENT, wait_b < wait_a, EVENT_TIMER, 0, 0};
    return true;
}

/* Nothing is left but the listeners, and what was sent has arrived where nobody broke off. */
static uint8_t check_final(const struct world *w, const struct state *s)
{
    bool broken = false;
    for (int side = 0; side < 2; side++) {
        const struct ghost *g = world_ghost(w, side, s->side[side]);
        if (g->views != 0)
            return WRONG_NO_EXIT;
        broken = broken || is_broken(g);
    }
    for (int side = 0; side < 2 && !broken; side++) {
        const struct ghost *g = world_ghost(w, side, s->side[side]);
        const struct ghost *other = world_ghost(w, 1 - side, s->side[1 - side]);
        for (int gen = 0; gen < g->gens; gen++) {
            const struct own *own = &g->own[gen];
            if ((own->is & IS_OPEN) && own->sent != other->own[own->peer - 1].received)
                return WRONG_LOST_TEXT;
        }
    }
    return WRONG_NOTHING;
}

struct exits {
    uint64_t slots[EXITS];
};
_Static_assert(STATE_KEY == 3 * sizeof(uint64_t), "hashed by 64 bits");

struct exits *exits_new(void)
{
    return pages_new(sizeof(struct exits));
}

void exits_free(struct exits *exits)
{
    pages_free(exits, sizeof *exits);
}

uint64_t exits_hash(const struct exits *exits, const struct state *s)
{
    uint64_t key[STATE_KEY / sizeof(uint64_t)];
    memcpy(key, s, sizeof key);
    uint64_t hash = hash_64(key[0], key[1] ^ hash_64(0, key[2]));
    __builtin_prefetch(&exits->slots[hash % EXITS]);
    return hash | 1;
}

/* A segment for which the channel has no room is lost, and sent again. */
uint8_t check_exit(struct world *w, struct exits *exits, const struct state *state, uint64_t hash)
{
    struct state s = *state, next;
    struct action a;
    uint64_t path[EXIT_STEPS];
    uint8_t wrong = WRONG_NOTHING;
    int n = 0;
    for (; n < EXIT_STEPS; n++) {
        path[n] = n == 0 ? hash : exits_hash(exits, &s);
        if (exits->slots[path[n] % EXITS] == path[n])
            break;
        if (!check_next(w, &s, &a)) {
            wrong = check_final(w, &s);
            break;
        }
        if (move(w, NULL, &s, &a, &next, &wrong) == MOVE_NONE)
            wrong = WRONG_NO_EXIT;
        if (wrong)
            break;
        s = next;
    }
    if (wrong || n == EXIT_STEPS)
        return wrong ? wrong : WRONG_NO_EXIT;
    for (int i = 0; i < n; i++)
        exits->slots[path[i] % EXITS] = path[i];
    return WRONG_NOTHING;
}
