/* world.h - states of the pair, and the tables behind them. */
#ifndef EXPLORE_WORLD_H
#define EXPLORE_WORLD_H

#include "explore.h"
#include "side.h"

#include <stddef.h>

/* What is left of the budgets. */
struct budget {
    uint8_t losses, duplicates, repeats;
    uint8_t aborts : 4, reboots : 4;
    uint8_t opens : 4, opens_b : 4;
    uint8_t sends : 4, sends_b : 4;
    uint8_t forged;
    uint8_t none; /* so that states can be compared as octets */
};

enum { CHANNEL = EXPLORE_FLIGHT };

/* Endpoints and messages by number; those on their way to B in channel[0], to A in channel[1], in
 * order of number, 0: none. */
struct state {
    uint32_t side[2];
    uint16_t channel[2][CHANNEL];
    struct budget budget;
};
#define STATE_KEY offsetof(struct state, budget) /* of what the future depends on but for these */

/* One thing that happens to the pair.  What is lost is lost as it is sent: nothing happens later to
 * a segment that is lost later, so that nothing is missed. */
enum action_kind {
    ACT_EVENT,   /* a call or a timer                 */
    ACT_DELIVER, /* a segment arrives                 */
    ACT_TWICE,   /* ... and a copy of it stays behind */
    ACT_FORGE,   /* one that its sender never sent    */
};
struct action {
    uint8_t kind;
    uint8_t side;  /* the end that it happens to: the receiver   */
    uint8_t event; /* enum event_kind                            */
    uint8_t lost;  /* of what it sends, by bit                   */
    uint16_t message;
};

/* What an event does to an endpoint, kept for good. */
struct step {
    uint64_t key;  /* of endpoint and event; 0: of none */
    uint32_t next; /* endpoint                          */
    uint16_t out[OUT_MOST];
    uint16_t own_mask, peer_mask;
    uint8_t n : 3;
    bool disabled : 1, repeats : 1, clean : 1;
    uint8_t wrong;
};
_Static_assert(sizeof(struct step) == 32 && OUT_MOST < 8, "two in a line of the cache");

/* What states are looked at for, out of 13 kB each. */
struct digest {
    struct ghost ghost;
    int64_t wait_ns;
};

/* Numbers by 128 bits: open addressing, a power of two of slots, half of them used at most. */
struct slot {
    uint64_t key[2];
    uint32_t value; /* +1 */
};
struct table {
    struct slot *slots;
    uint64_t n, used;
};

/* The same of deliveries. */
struct steps {
    struct step *slots;
    uint64_t n, used;
};

enum { MESSAGES_MOST = 65535 };

struct world { // NOLINT(clang-analyzer-optin.performance.Padding): there is one
    const struct explore_config *config;
    struct digest *digests[2]; /* by endpoint                                            */
    uint8_t *disabled[2];      /* by endpoint: events that are not possible, as is known */
    struct step (*calls[2])[EVENT_CALLS + 1]; /* by endpoint and event: lines of the cache */
    struct steps delivered[2];
    struct message *messages;
    bool *resets; /* by message */
    struct side **chunks[2];
    uint32_t sides[2], rooms[2];
    uint32_t n_messages;
    uint64_t n_steps;
    struct table interned[2], named;
    struct side scratch;
    struct outcome outcome;
    char detail[160];
    bool full;
};
struct world *world_new(const struct explore_config *config);
void world_free(struct world *w);
/* The endpoints that all begins with. */
uint32_t world_first(const struct world *w, int side);
const struct side *world_side(const struct world *w, int side, uint32_t endpoint);
void world_key(const struct world *w, int side, uint32_t endpoint, uint64_t key[2]);
/* What arrives is as if it had not; nothing is kept of it. */
bool world_ignores(struct world *w, int side, uint32_t endpoint, const struct message *message);
/* For the first time. */
const struct step *world_compute(struct world *w, int side, uint32_t endpoint,
                                 enum event_kind event, uint16_t message);

/* The rest is asked for so often that it must not be a call. */
static inline const struct ghost *world_ghost(const struct world *w, int side, uint32_t endpoint)
{
    return &w->digests[side][endpoint].ghost;
}

/* What its timer waits for. */
static inline int64_t world_wait_ns(const struct world *w, int side, uint32_t endpoint)
{
    return w->digests[side][endpoint].wait_ns;
}

/* It has been tried, and cannot happen. */
static inline bool world_disabled(const struct world *w, int side, uint32_t endpoint, int event)
{
    return w->disabled[side][endpoint] >> event & 1;
}

static inline const struct message *world_message(const struct world *w, uint16_t message)
{
    return &w->messages[message];
}

static inline bool world_is_reset(const struct world *w, uint16_t message)
{
    return w->resets[message];
}

static inline const struct explore_config *world_config(const struct world *w)
{
    return w->config;
}

static inline bool world_full(const struct world *w)
{
    return w->full;
}

static inline uint64_t step_key(uint32_t endpoint, uint16_t message)
{
    return (uint64_t)endpoint << 17 | (uint64_t)message << 1 | 1;
}

static inline uint64_t step_home(const struct steps *t, uint64_t key)
{
    return key * 0x9e3779b97f4a7c15u >> 32 & (t->n - 1);
}

static inline struct step *step_place(const struct steps *t, uint64_t key)
{
    uint64_t i = step_home(t, key);
    while (t->slots[i].key != key && t->slots[i].key != 0)
        i = (i + 1) & (t->n - 1);
    return &t->slots[i];
}

/* It will be asked for soon. */
static inline void world_ready(const struct world *w, int side, uint32_t endpoint, int event,
                               uint16_t message)
{
    const struct steps *t = &w->delivered[side];
    __builtin_prefetch(event == EVENT_DELIVER ? &t->slots[step_home(t, step_key(endpoint, message))]
                                              : &w->calls[side][endpoint][event]);
}

/* message: of EVENT_DELIVER.  Until the next one is asked for. */
static inline const struct step *world_step(struct world *w, int side, uint32_t endpoint,
                                            enum event_kind event, uint16_t message)
{
    const struct step *step = event == EVENT_DELIVER
                                  ? step_place(&w->delivered[side], step_key(endpoint, message))
                                  : &w->calls[side][endpoint][event];
    return step->key ? step : world_compute(w, side, endpoint, event, message);
}

uint64_t world_endpoints(const struct world *w, int side);
uint64_t world_steps(const struct world *w);
uint64_t world_messages(const struct world *w);
const char *world_detail(const struct world *w);
uint16_t world_name(struct world *w, const struct message *message);
/* forge.c: what somebody sends to an endpoint; 0: nothing of this kind (EXPLORE_FORGE_*). */
uint16_t forge(struct world *w, int side, uint32_t endpoint, uint8_t kind);

/* moves.c */
void state_first(const struct world *w, const struct explore_config *config, struct state *first);
bool state_same(const struct state *a, const struct state *b);
/* One of this message; false: there is none. */
bool channel_take(uint16_t channel[CHANNEL], uint16_t message);
/* An action, but what it sends is not on its way yet. */
struct begun {
    struct step step;
    struct state state;
};
enum move { MOVE_NONE, MOVE_DONE, MOVE_FULL };
/* False: it cannot happen.  config: budgets count, and the channel holds `flight` each way; NULL:
 * neither. */
bool move_begin(struct world *w, const struct explore_config *config, const struct state *from,
                const struct action *action, struct begun *begun);
/* What comes of it; MOVE_FULL: the channel has no room. */
enum move move_end(struct world *w, const struct explore_config *config, const struct begun *begun,
                   const struct action *action, struct state *to);
/* Both; MOVE_NONE: it cannot happen. */
enum move move(struct world *w, const struct explore_config *config, const struct state *from,
               const struct action *action, struct state *to, uint8_t *wrong);
/* All that may happen, losses apart; returns how many. */
enum { ACTIONS_MOST = 2 * (EVENT_EXPLORED + 2 * CHANNEL + 3) };
uint32_t moves(struct world *w, const struct state *from, struct action actions[ACTIONS_MOST]);
/* The same action with the next set of losses; false: there is no other. */
bool next_loss(const struct begun *begun, struct action *action);

/* check.c: what is wrong with a state as a whole, enum wrong. */
uint8_t check_pair(const struct world *w, const struct state *state);
/* What happens next where nothing is lost; false: nothing. */
bool check_next(const struct world *w, const struct state *state, struct action *action);
/* ... and whether it ends well without further losses.  Hashes of pairs that are known to do so,
 * each in its one place until another takes it. */
struct exits;
struct exits *exits_new(void);
void exits_free(struct exits *exits);
uint64_t exits_hash(const struct exits *exits, const struct state *state);
/* hash: of the state, as exits_hash has it, whose place is then at hand. */
uint8_t check_exit(struct world *w, struct exits *exits, const struct state *state, uint64_t hash);

/* pages.c: zeroed; NULL: no memory. */
void *pages_new(uint64_t octets);
void pages_free(void *p, uint64_t octets);

/* resets.c: takes from the channel what its receiver will ignore, whatever happens. */
void resets_drop(struct world *w, struct state *state);
struct store; /* store.h: all states found, in order */
/* ... and that it does at each endpoint; false: the state with the first that does not, and what is
 * not ignored there. */
bool resets_check(struct world *w, const struct store *s, struct action *action, uint32_t *number);

/* attack.c: adds classes, attacks and violations to the result. */
void attack_all(struct world *w, struct explore_result *result, FILE *out);

/* The actions that lead to it, one more has room: the caller's to free(); returns how many. */
uint32_t story_path(struct world *w, const struct explore_config *config, const struct store *s,
                    uint32_t number, struct action **path);
/* story.c: how a state came about; last: one action more, NULL: none; or, with exit, what happens
 * from there on without losses. */
struct story {
    uint32_t number;
    const struct action *last;
    bool exit;
    uint8_t wrong;
};
void story_tell(struct world *w, const struct explore_config *config, const struct store *s,
                const struct story *story, FILE *out, struct explore_schedule *schedule);

/* Plays a path with a pair of stacks of its own, with real frames and numbers: true: it goes
 * through the same states as the interned ones. */
bool story_same(struct world *w, const struct explore_config *config, const struct action *path,
                uint32_t n);

#endif
