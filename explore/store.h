/* store.h - all states that were found, in order, each in 17 octets and a place in a table. */
#ifndef EXPLORE_STORE_H
#define EXPLORE_STORE_H

#include "world.h"

/* A state as numbers: of its endpoints, of what is on its channels, of what is left to it. */
struct packed {
    uint64_t pair;
    uint32_t rest;
};

struct store;
/* bytes: for states and table; NULL: no memory. */
struct store *store_new(uint64_t bytes);
void store_free(struct store *store);
struct packed store_pack(struct store *store, const struct state *state);
/* Looks already for the place where it would be. */
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
/* The first one from there on that has so much left of all budgets together, and of whose pair no
 * other one has no less left of any: all that can happen to this one can happen to that.  The
 * count: there is none. */
uint32_t store_next(const struct store *store, uint32_t from, uint32_t left);
/* How many store_next leaves out. */
uint32_t store_covered(const struct store *store);
/* Of all budgets together. */
uint32_t store_left(const struct store *store, uint32_t number);
struct state store_state(const struct store *store, uint32_t number);
uint32_t store_parent(const struct store *store, uint32_t number);
uint32_t store_count(const struct store *store);
/* Room for so many more: what is missing, NULL: nothing. */
const char *store_room(struct store *store, uint32_t more);

#endif
