/* keeper.c - adds states to the store: nearly all of its time is waiting for memory, which a second
 * thread can do.
 *
 * Batches are kept in the order in which they were filled, and come back at the same point of the
 * search each time, whoever is faster, and whether there is a second thread or not: all that is
 * found, and its number, is always the same.
 */
#include "keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 32, WAKE = BATCHES / 4, AHEAD = 16 };

struct keeper {
    struct store *store;
    uint64_t most;
    uint64_t taken; /* of what finds  */
    bool no_memory; /* of what keeps  */
    bool at_once, threaded;
    pthread_t thread;
    pthread_mutex_t mutex; /* of these: */
    pthread_cond_t changed;
    uint64_t given, kept;
    bool asked, ends;
    struct batch batches[BATCHES];
};

static void add(struct keeper *k, struct batch *b, uint32_t i, uint64_t hash)
{
    const struct fresh *f = &b->fresh[i];
    uint32_t number = store_count(k->store);
    if ((k->most == 0 || number < k->most) &&
        store_add(k->store, &f->packed, hash, f->parent) == STORE_PAIR) {
        b->pairs[b->n_pairs].fresh = i;
        b->pairs[b->n_pairs++].number = number;
    }
}

/* Each is looked at when what it is compared with is in the processor's cache. */
static void keep(struct keeper *k, struct batch *b)
{
    uint64_t hashes[4 * AHEAD];
    b->n_pairs = 0;
    k->no_memory = k->no_memory || !store_room(k->store, b->n);
    for (uint32_t i = 0; i < b->n + 2 * AHEAD && !k->no_memory; i++) {
        if (i < b->n)
            hashes[i % (4 * AHEAD)] = store_hash(k->store, &b->fresh[i].packed);
        if (i >= AHEAD && i < b->n + AHEAD)
            store_ready(k->store, hashes[(i - AHEAD) % (4 * AHEAD)]);
        if (i >= 2 * AHEAD)
            add(k, b, i - 2 * AHEAD, hashes[(i - 2 * AHEAD) % (4 * AHEAD)]);
    }
    b->count = store_count(k->store);
    b->covered = store_covered(k->store);
    b->no_memory = k->no_memory;
}

static void *keep_all(void *arg)
{
    struct keeper *k = arg;
    pthread_mutex_lock(&k->mutex);
    while (!k->ends || k->kept != k->given) {
        if (k->kept == k->given) {
            do
                pthread_cond_wait(&k->changed, &k->mutex);
            while (k->given - k->kept < WAKE && !k->asked && !k->ends);
            continue;
        }
        struct batch *b = &k->batches[k->kept % BATCHES];
        pthread_mutex_unlock(&k->mutex);
        keep(k, b);
        pthread_mutex_lock(&k->mutex);
        k->kept++;
        pthread_cond_signal(&k->changed);
    }
    pthread_mutex_unlock(&k->mutex);
    return NULL;
}

struct keeper *keeper_new(struct store *store, uint64_t most, bool at_once)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    k->store = store;
    k->most = most;
    pthread_mutex_init(&k->mutex, NULL);
    pthread_cond_init(&k->changed, NULL);
    k->at_once = at_once;
    k->threaded = !at_once && pthread_create(&k->thread, NULL, keep_all, k) == 0;
    return k;
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    if (k->threaded) {
        pthread_mutex_lock(&k->mutex);
        k->ends = true;
        pthread_cond_signal(&k->changed);
        pthread_mutex_unlock(&k->mutex);
        pthread_join(k->thread, NULL);
    }
    pthread_mutex_destroy(&k->mutex);
    pthread_cond_destroy(&k->changed);
    free(k);
}

struct batch *keeper_batch(struct keeper *k)
{
    return &k->batches[k->given % BATCHES]; /* nobody else changes `given` */
}

struct batch *keeper_give(struct keeper *k)
{
    struct batch *b = keeper_batch(k);
    if (!k->threaded)
        keep(k, b);
    pthread_mutex_lock(&k->mutex);
    k->given++;
    k->kept += !k->threaded;
    if (k->given - k->kept == WAKE)
        pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->mutex);
    return k->at_once || k->given - k->taken == BATCHES ? keeper_take(k) : NULL;
}

struct batch *keeper_take(struct keeper *k)
{
    if (k->taken == k->given)
        return NULL;
    pthread_mutex_lock(&k->mutex);
    k->asked = true;
    pthread_cond_signal(&k->changed);
    while (k->kept == k->taken)
        pthread_cond_wait(&k->changed, &k->mutex);
    k->asked = false;
    pthread_mutex_unlock(&k->mutex);
    return &k->batches[k->taken++ % BATCHES];
}
