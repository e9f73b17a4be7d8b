/* store.h - all states that were found, in order, each in 18 octets and a place in a table.
 *
 * Two threads may use it: one that finds states (keeper.h), to which each function here belongs
 * unless it says something else, and one that keeps them.  What finds may ask for states below a
 * count that it was told by what keeps.
 */
#ifndef EXPLORE_STORE_H
#define EXPLORE_STORE_H

#include "world.h"

/* A state as numbers: of its endpoints, of what is on its channels, of what is left to it. */
struct packed {
    uint64_t pair;
    uint32_t rest;
    bool nameless; /* there are too many of one: store_full */
};

struct store;
/* bytes: for states and table; NULL: no memory. */
struct store *store_new(uint64_t bytes);
void store_free(struct store *store);
struct packed store_pack(struct store *store, const struct state *state);
struct state store_unpack(const struct store *store, const struct packed *packed);
/* There were more endpoints, channels or budgets than can be told apart. */
bool store_full(const struct store *store);
struct state store_state(const struct store *store, uint32_t number);
uint32_t store_parent(const struct store *store, uint32_t number);
/* Of all budgets together. */
uint32_t store_left(const struct store *store, uint32_t number);
/* The first one of those from `from` up to `to` that has so much left, and that store_covered does
 * not count; `to`: there is none. */
uint32_t store_next(const struct store *store, uint32_t from, uint32_t to, uint32_t left);

/* Of what keeps: looks already for the place where it would be. */
uint64_t store_hash(const struct store *store, const struct packed *packed);
/* ... and then for what is there. */
void store_ready(const struct store *store, uint64_t hash);

enum store_new {
    STORE_KNOWN,  /* it, or one that has no less left of any budget */
    STORE_BUDGET, /* its pair is known, but with less of one        */
    STORE_PAIR    /* endpoints and channels are new                 */
};
enum store_new store_add(struct store *store, const struct packed *packed, uint64_t hash,
                         uint32_t parent);
/* Room for so many more; false: no memory. */
bool store_room(struct store *store, uint32_t more);
uint32_t store_count(const struct store *store);
/* States for which there is another one of the same pair that has no less left of any budget: all
 * that can happen to this one can happen to that. */
uint32_t store_covered(const struct store *store);

#endif
