/* keeper.h - what was found waits in batches; a thread of its own adds it to the store. */
#ifndef EXPLORE_KEEPER_H
#define EXPLORE_KEEPER_H

#include "store.h"

enum { FRESH = 2048 };

/* A successor. */
struct fresh {
    struct packed packed;
    uint32_t parent;
};
struct batch {
    struct fresh fresh[FRESH];
    uint32_t n;
    /* What comes back: those whose pairs are new, and their numbers; what the store holds then. */
    struct {
        uint32_t fresh, number;
    } pairs[FRESH];
    uint32_t n_pairs, count, covered;
    bool no_memory;
};

struct keeper;
/* most: states, 0: as many as there are; those beyond it are dropped.  at_once: in the caller's
 * thread, and what is given comes back at once.  NULL: no memory. */
struct keeper *keeper_new(struct store *store, uint64_t most, bool at_once);
/* Ends when all that was given is kept: then the store is the caller's. */
void keeper_free(struct keeper *keeper);
/* The one to fill. */
struct batch *keeper_batch(struct keeper *keeper);
/* It is filled; returns one that comes back, NULL: none has to yet. */
struct batch *keeper_give(struct keeper *keeper);
/* The next one that comes back, in order; NULL: none is out.  Each stays as it is until the next
 * one is given. */
struct batch *keeper_take(struct keeper *keeper);

#endif
