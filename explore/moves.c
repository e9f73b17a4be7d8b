/* moves.c - what may happen to the pair, and what comes of it. */
#include "world.h"

#include <string.h>

void state_first(const struct world *w, const struct explore_config *c, struct state *first)
{
    *first = (struct state){
        .side = {world_first(w, 0), world_first(w, 1)},
        .budget = {.losses = c->losses,
                   .duplicates = c->duplicates,
                   .repeats = c->repeats,
                   .forged = c->forged,
                   .aborts = c->aborts & 15,
                   .reboots = c->reboots & 15,
                   .opens = c->opens[0] & 15,
                   .opens_b = c->opens[1] & 15,
                   .sends = c->sends[0] & 15,
                   .sends_b = c->sends[1] & 15},
    };
}

bool state_same(const struct state *a, const struct state *b)
{
    const void *x = a, *y = b; /* of octets alone: see budget.none */
    return memcmp(x, y, sizeof *a) == 0;
}

static uint32_t length(const uint16_t channel[CHANNEL])
{
    uint32_t n = 0;
    while (n < CHANNEL && channel[n] != 0)
        n++;
    return n;
}

static bool put(uint16_t channel[CHANNEL], uint16_t message, uint32_t most)
{
    uint32_t n = length(channel);
    if (n >= most)
        return false;
    for (; n > 0 && channel[n - 1] > message; n--)
        channel[n] = channel[n - 1];
    channel[n] = message;
    return true;
}

bool channel_take(uint16_t channel[CHANNEL], uint16_t message)
{
    for (uint32_t i = 0; i < CHANNEL; i++)
        if (channel[i] == message) {
            memmove(&channel[i], &channel[i + 1], (CHANNEL - 1 - i) * sizeof channel[0]);
            channel[CHANNEL - 1] = 0;
            return true;
        }
    return false;
}

/* Something of the incarnations of `side` (own) and of its peer is on its way. */
static bool holds(const struct world *w, const struct state *s, int side, uint16_t own,
                  uint16_t peer)
{
    for (int to = 0; to < 2; to++)
        for (int i = 0; i < CHANNEL && s->channel[to][i]; i++) {
            const struct message *m = world_message(w, s->channel[to][i]);
            uint16_t from = m->from == side ? own : peer, other = m->from == side ? peer : own;
            if ((m->seq_gen < 16 && (from >> m->seq_gen & 1)) ||
                (m->ack_gen < 16 && (other >> m->ack_gen & 1)))
                return true;
        }
    return false;
}

/* False: the budget for it is used up. */
static bool pay(struct budget *b, const struct action *a, const struct step *step)
{
    bool second = a->side == 1;
    switch (a->event) {
    case EVENT_TIMER:
        return !step->repeats || (b->repeats && b->repeats--);
    case EVENT_OPEN:
        return second ? b->opens_b && (b->opens_b--, true) : b->opens && (b->opens--, true);
    case EVENT_SEND:
        return second ? b->sends_b && (b->sends_b--, true) : b->sends && (b->sends--, true);
    case EVENT_ABORT:
        return b->aborts && b->aborts--;
    case EVENT_REBOOT:
        return b->reboots && b->reboots--;
    default:
        return true;
    }
}

/* What cannot be paid need not be computed. */
static bool affordable(const struct budget *b, const struct action *a)
{
    static const struct step no_step;
    struct budget copy = *b;
    switch (a->kind) {
    case ACT_EVENT:
        return pay(&copy, a, &no_step);
    case ACT_DELIVER:
        return true;
    case ACT_TWICE:
        return b->duplicates != 0;
    default:
        return b->forged != 0;
    }
}

bool move_begin(struct world *w, const struct explore_config *config, const struct state *from,
                const struct action *a, struct begun *begun)
{
    struct state *to = &begun->state;
    if (config && !affordable(&from->budget, a))
        return false;
    *to = *from;
    int side = a->side;
    if (a->kind == ACT_DELIVER && !channel_take(to->channel[1 - side], a->message))
        return false;
    to->budget.duplicates -= a->kind == ACT_TWICE;
    to->budget.forged -= a->kind == ACT_FORGE;
    const struct step *step = &begun->step;
    begun->step = *world_step(w, side, from->side[side], (enum event_kind)a->event, a->message);
    if (step->disabled || (step->clean && holds(w, from, side, step->own_mask, step->peer_mask)))
        return false;
    to->side[side] = step->next;
    return a->kind != ACT_EVENT || !config || pay(&to->budget, a, step);
}

enum move move_end(struct world *w, const struct explore_config *config, const struct begun *begun,
                   const struct action *a, struct state *to)
{
    const struct step *step = &begun->step;
    uint32_t most = config ? config->flight : CHANNEL;
    *to = begun->state;
    for (int i = 0; i < step->n; i++) {
        if (a->lost >> i & 1)
            to->budget.losses--;
        else if (!put(to->channel[a->side], step->out[i], most))
            return MOVE_FULL;
    }
    resets_drop(w, to);
    return MOVE_DONE;
}

enum move move(struct world *w, const struct explore_config *config, const struct state *from,
               const struct action *a, struct state *to, uint8_t *wrong)
{
    struct begun begun;
    *wrong = WRONG_NOTHING;
    if (!move_begin(w, config, from, a, &begun))
        return MOVE_NONE;
    *wrong = begun.step.wrong;
    return move_end(w, config, &begun, a, to);
}

bool next_loss(const struct begun *begun, struct action *a)
{
    if (begun->state.budget.losses == 0)
        return false;
    while (++a->lost < 1u << begun->step.n)
        if (__builtin_popcount(a->lost) <= begun->state.budget.losses)
            return true;
    return false;
}

/* Only what an attacker does in this configuration. */
static uint32_t forged_moves(struct world *w, const struct state *from, struct action *actions)
{
    uint32_t n = 0;
    for (uint8_t side = 0; side < 2 && from->budget.forged; side++)
        for (unsigned kind = EXPLORE_FORGE_SYN; kind <= EXPLORE_FORGE_RST; kind <<= 1) {
            bool tried = (world_config(w)->forge & kind) != 0;
            uint16_t message = tried ? forge(w, side, from->side[side], (uint8_t)kind) : 0;
            if (message)
                actions[n++] = (struct action){ACT_FORGE, side, EVENT_DELIVER, 0, message};
        }
    return n;
}

uint32_t moves(struct world *w, const struct state *from, struct action actions[ACTIONS_MOST])
{
    uint32_t n = forged_moves(w, from, actions);
    for (uint8_t side = 0; side < 2; side++) {
        const uint16_t *channel = from->channel[1 - side];
        for (int i = 0; i < CHANNEL && channel[i]; i++) {
            if (i > 0 && channel[i] == channel[i - 1])
                continue;
            world_ready(w, side, from->side[side], EVENT_DELIVER, channel[i]);
            for (int kind = ACT_DELIVER; kind <= ACT_TWICE; kind++)
                actions[n++] = (struct action){(uint8_t)kind, side, EVENT_DELIVER, 0, channel[i]};
        }
        for (int event = 0; event < EVENT_EXPLORED; event++)
            if (!world_disabled(w, side, from->side[side], event)) {
                world_ready(w, side, from->side[side], event, 0);
                actions[n++] = (struct action){ACT_EVENT, side, (uint8_t)event, 0, 0};
            }
    }
    return n;
}
