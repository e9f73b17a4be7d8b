/* search.c - breadth first: states in the order in which they were found, each with the number of
 * the one it was reached from, so that the first way to a violation is a shortest one.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>

enum {
    SLOTS_FIRST = 1 << 16,
    PROGRESS = 1 << 22,
    LOSSES_MOST = 1 << OUT_MOST,
    FRESH = 256,
    GROUP = 8
};

struct node {
    struct state state;
    uint32_t parent;
};

struct search {
    struct node *nodes; /* address space for all; touched as it is used */
    uint32_t *slots;    /* node, +1                                     */
    uint64_t n_slots;
    uint32_t n, room;
    struct world *world;
    struct exits exits;
    struct story late; /* what is wrong where nothing is lost, until it is found on a shorter way */
    const struct explore_config *config;
    struct explore_result *result;
    FILE *out;
    struct explore_schedule *schedule;
};

const struct state *search_state(const struct search *s, uint32_t number)
{
    return &s->nodes[number].state;
}

uint32_t search_parent(const struct search *s, uint32_t number)
{
    return s->nodes[number].parent;
}

/* Of what the future depends on but for the budgets. */
static uint64_t hash_state(const struct state *state)
{
    uint64_t w[(STATE_KEY + 7) / 8] = {0};
    memcpy(w, state, STATE_KEY);
    uint64_t h = 0x243f6a8885a308d3u;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++) {
        h = (h ^ w[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

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

static uint64_t slots_bytes(const struct search *s)
{
    return s->n_slots * sizeof *s->slots;
}

/* False: no memory. */
static bool rehash(struct search *s)
{
    if (s->slots)
        munmap(s->slots, (size_t)slots_bytes(s));
    s->n_slots = s->n_slots ? s->n_slots * 2 : SLOTS_FIRST;
    s->slots = map(slots_bytes(s));
    for (uint32_t i = 0; i < s->n && s->slots; i++) {
        uint64_t at = hash_state(&s->nodes[i].state) & (s->n_slots - 1);
        while (s->slots[at])
            at = (at + 1) & (s->n_slots - 1);
        s->slots[at] = i + 1;
    }
    return s->slots != NULL;
}

/* The same pair with nothing less left in any budget: all that can happen to b can happen to a. */
static bool covers(const struct state *a, const struct state *b)
{
    if (memcmp(a, b, STATE_KEY) != 0)
        return false;
    const struct budget *x = &a->budget, *y = &b->budget;
    return x->forged >= y->forged && x->losses >= y->losses && x->duplicates >= y->duplicates &&
           x->aborts >= y->aborts && x->reboots >= y->reboots && x->repeats >= y->repeats &&
           x->opens >= y->opens && x->opens_b >= y->opens_b && x->sends >= y->sends &&
           x->sends_b >= y->sends_b;
}

/* True: it is new, and none covers it. */
static bool add(struct search *s, const struct state *state, uint64_t hash, uint32_t parent)
{
    uint64_t at = hash & (s->n_slots - 1);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1))
        if (covers(&s->nodes[s->slots[at] - 1].state, state))
            return false;
    s->nodes[s->n] = (struct node){.state = *state, .parent = parent};
    s->slots[at] = ++s->n;
    return true;
}

static uint32_t depth_of(const struct search *s, uint32_t number)
{
    uint32_t depth = 0;
    for (; number != 0; number = s->nodes[number].parent)
        depth++;
    return depth;
}

static void found(struct search *s, const struct story *story)
{
    s->result->violations = 1;
    s->result->cut = "a violation";
    if (s->out || s->schedule)
        story_tell(s->world, s->config, s, story, s->out, s->schedule);
}

/* Successors wait here until what they are compared with is in the processor's cache. */
struct fresh {
    struct state state;
    uint64_t hash;
    uint32_t parent;
};
struct batch {
    struct fresh fresh[FRESH];
    uint32_t n;
};

/* It ends the search. */
static bool counts(const struct search *s, uint8_t wrong)
{
    return wrong && (s->config->seek == 0 || s->config->seek == wrong);
}

/* False: something is wrong with a new state.  What goes wrong only on its way to the end, and can
 * be come to otherwise, waits for a shorter way. */
static bool look_at(struct search *s, uint32_t number)
{
    const struct state *state = &s->nodes[number].state;
    struct story story = {.number = number, .wrong = check_pair(s->world, state)};
    if (!counts(s, story.wrong)) {
        story.wrong = check_exit(s->world, &s->exits, state);
        story.exit = true;
    }
    if (!counts(s, story.wrong))
        return true;
    if (story.exit && story.wrong != WRONG_NO_EXIT && story.wrong != WRONG_LOST_TEXT) {
        s->late = s->late.wrong ? s->late : story;
        return true;
    }
    found(s, &story);
    return false;
}

/* False: the search ends here. */
static bool settle(struct search *s, struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t slot = s->slots[b->fresh[i].hash & (s->n_slots - 1)];
        if (slot)
            __builtin_prefetch(&s->nodes[slot - 1]);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        const struct fresh *f = &b->fresh[i];
        if (!add(s, &f->state, f->hash, f->parent))
            continue;
        if (!look_at(s, s->n - 1))
            return false;
    }
    b->n = 0;
    return true;
}

/* An action with all that may be lost of what it sends; false: a violation. */
static bool try_action(struct search *s, struct batch *b, uint32_t number, struct action *a)
{
    const struct state from = s->nodes[number].state;
    do {
        uint8_t wrong;
        struct fresh *f = &b->fresh[b->n];
        enum move done = move(s->world, s->config, &from, a, &f->state, &wrong);
        if (done == MOVE_NONE)
            return true;
        if (counts(s, wrong)) {
            found(s, &(struct story){.number = number, .last = a, .wrong = wrong});
            return false;
        }
        if (done == MOVE_FULL) {
            s->result->held++;
            continue;
        }
        s->result->transitions++;
        f->hash = hash_state(&f->state);
        f->parent = number;
        __builtin_prefetch(&s->slots[f->hash & (s->n_slots - 1)]);
        b->n++;
    } while (next_loss(s->world, &from, a));
    return true;
}

static bool expand(struct search *s, struct batch *b, uint32_t number)
{
    struct action actions[ACTIONS_MOST];
    uint32_t n = moves(s->world, &s->nodes[number].state, actions);
    for (uint32_t i = 0; i < n; i++) {
        if (!try_action(s, b, number, &actions[i]))
            return false;
        if (b->n > FRESH - LOSSES_MOST && !settle(s, b))
            return false;
    }
    return true;
}

static const char *bound(const struct search *s)
{
    if (world_full(s->world))
        return "the number of incarnations or segments that are told apart";
    if (s->config->most && s->n >= s->config->most)
        return "the number of states that was allowed";
    if (s->n + (uint64_t)FRESH >= s->room || s->slots == NULL)
        return "memory";
    return NULL;
}

static void progress(const struct search *s, uint32_t done)
{
    if (s->out && (done & (PROGRESS - 1)) == 0 && done != 0) {
        fprintf(s->out, "%u states, %u of them left to look at, %llu + %llu endpoints\n", s->n,
                s->n - done, (unsigned long long)world_endpoints(s->world, 0),
                (unsigned long long)world_endpoints(s->world, 1));
        fflush(s->out);
    }
}

static void run(struct search *s)
{
    struct state first;
    state_first(s->world, s->config, &first);
    struct batch b = {.n = 0};
    rehash(s);
    if (s->slots)
        add(s, &first, hash_state(&first), 0);
    for (uint32_t i = 0; i < s->n; i++) {
        progress(s, i);
        if (((uint64_t)s->n + FRESH) * 4 >= s->n_slots * 3)
            rehash(s);
        s->result->cut = bound(s);
        if (s->result->cut || !expand(s, &b, i))
            return;
        if ((i + 1 == s->n || (i & (GROUP - 1)) == 0) && !settle(s, &b))
            return;
    }
    s->result->complete = true;
    if (s->late.wrong)
        found(s, &s->late);
}

static void sum_up(struct search *s, const struct timespec *begun)
{
    struct explore_result *r = s->result;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    r->seconds =
        (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
    r->states = s->n;
    r->depth = depth_of(s, s->n - 1);
    r->endpoints[0] = world_endpoints(s->world, 0);
    r->endpoints[1] = world_endpoints(s->world, 1);
    r->steps = world_steps(s->world);
    r->messages = world_messages(s->world);
}

int explore_run(const struct explore_config *config, FILE *out, struct explore_result *result,
                struct explore_schedule *schedule)
{
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    uint64_t bytes = config->most_bytes ? config->most_bytes : (uint64_t)12 << 30;
    struct search s = {.config = config,
                       .out = out,
                       .result = result,
                       .schedule = schedule,
                       .world = world_new(config)};
    memset(result, 0, sizeof *result);
    uint64_t room = bytes / (sizeof(struct node) + 2 * sizeof(uint32_t));
    s.room = room < UINT32_MAX - 1 ? (uint32_t)room : UINT32_MAX - 1;
    s.nodes = map((uint64_t)s.room * sizeof *s.nodes);
    if (s.world == NULL || s.nodes == NULL)
        return -1;
    run(&s);
    if (config->attack && result->violations == 0)
        attack_all(s.world, result, out);
    sum_up(&s, &begun);
    munmap(s.nodes, (size_t)s.room * sizeof *s.nodes);
    if (s.slots)
        munmap(s.slots, (size_t)slots_bytes(&s));
    free(s.exits.slots);
    world_free(s.world);
    return 0;
}
