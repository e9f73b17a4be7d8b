/* search.c - states in the order in which they were found, each with the number of the one it was
 * reached from.
 *
 * First those that have spent least of the budgets, so that few are found that another one covers
 * later: half as many states.  When something is wrong there, once more breadth first throughout:
 * then the first way to a violation is a shortest one.
 */
#include "store.h"

#include <string.h>
#include <time.h>

enum { PROGRESS = 1 << 22, LOSSES_MOST = 1 << OUT_MOST, FRESH = 1024, GROUP = 64 };

struct search {
    struct store *store;
    struct world *world;
    struct exits *exits;
    struct story late; /* what is wrong where nothing is lost, until it is found on a shorter way */
    const struct explore_config *config;
    struct explore_result *result;
    FILE *out;
    struct explore_schedule *schedule;
    uint32_t done;      /* states looked at */
    bool breadth_first; /* ... in the order in which they were found */
    bool tells, found;  /* what is wrong */
};

static void found(struct search *s, const struct story *story)
{
    s->found = true;
    s->result->violations = 1;
    s->result->cut = "a violation";
    s->result->events = story->last != NULL;
    for (uint32_t n = story->number; n != 0; n = store_parent(s->store, n))
        s->result->events++;
    if (s->tells && (s->out || s->schedule))
        story_tell(s->world, s->config, s->store, story, s->out, s->schedule);
}

/* Successors wait here until what they are compared with is in the processor's cache, and then the
 * new ones until what is known of their exits is. */
struct fresh {
    struct packed packed;
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

/* False: something is wrong with a new pair.  What goes wrong only on its way to the end, and can
 * be come to otherwise, waits for a shorter way. */
static bool look_at(struct search *s, uint32_t number, const struct state *state, uint64_t exit)
{
    struct story story = {.number = number, .wrong = check_pair(s->world, state)};
    if (!counts(s, story.wrong) && !s->config->backs_off) {
        story.wrong = check_exit(s->world, s->exits, state, exit);
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
    struct pair {
        struct state state;
        uint64_t exit;
        uint32_t number;
    } pairs[FRESH];
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++)
        store_ready(s->store, b->fresh[i].hash);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct fresh *f = &b->fresh[i];
        if (store_add(s->store, &f->packed, f->hash, f->parent) != STORE_PAIR)
            continue;
        struct pair *p = &pairs[n++];
        p->number = store_count(s->store) - 1;
        p->state = store_state(s->store, p->number);
        p->exit = exits_hash(s->exits, &p->state);
    }
    b->n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!look_at(s, pairs[i].number, &pairs[i].state, pairs[i].exit))
            return false;
    return true;
}

/* An action with all that may be lost of what it sends; false: a violation. */
static bool try_action(struct search *s, struct batch *b, uint32_t number, const struct state *from,
                       struct action *a)
{
    struct begun begun;
    if (!move_begin(s->world, s->config, from, a, &begun))
        return true;
    if (counts(s, begun.step.wrong)) {
        found(s, &(struct story){.number = number, .last = a, .wrong = begun.step.wrong});
        return false;
    }
    do {
        struct state to;
        if (move_end(s->world, s->config, &begun, a, &to) == MOVE_FULL) {
            s->result->held++;
            continue;
        }
        s->result->transitions++;
        struct fresh *f = &b->fresh[b->n++];
        f->packed = store_pack(s->store, &to);
        f->hash = store_hash(s->store, &f->packed);
        f->parent = number;
    } while (next_loss(&begun, a));
    return true;
}

static bool expand(struct search *s, struct batch *b, uint32_t number)
{
    struct action actions[ACTIONS_MOST];
    struct state from = store_state(s->store, number);
    uint32_t n = moves(s->world, &from, actions);
    for (uint32_t i = 0; i < n; i++) {
        if (!try_action(s, b, number, &from, &actions[i]))
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
    if (s->config->most && store_count(s->store) >= s->config->most)
        return "the number of states that was allowed";
    return store_room(s->store, FRESH);
}

static void progress(const struct search *s)
{
    if (s->out && (s->done & (PROGRESS - 1)) == 0 && s->done != 0) {
        uint32_t n = store_count(s->store);
        uint32_t done = s->done + (s->breadth_first ? 0 : store_covered(s->store));
        fprintf(s->out, "%u states, %u of them left to look at, %llu + %llu endpoints\n", n,
                n - done, (unsigned long long)world_endpoints(s->world, 0),
                (unsigned long long)world_endpoints(s->world, 1));
        fflush(s->out);
    }
}

/* False: the search ends here. */
static bool visit(struct search *s, struct batch *b, uint32_t number)
{
    progress(s);
    s->done++;
    s->result->cut = bound(s);
    return s->result->cut == NULL && expand(s, b, number);
}

/* The next one to be looked at; the count: there is none. */
static uint32_t next(const struct search *s, uint32_t from, uint32_t left)
{
    return s->breadth_first ? from : store_next(s->store, from, left);
}

/* All with so much left, and what is found on the way; breadth first all.  False: the search ends
 * here. */
static bool pass(struct search *s, uint32_t left)
{
    struct batch b = {.n = 0};
    uint32_t visits = 0;
    for (uint32_t at = 0;;) {
        at = next(s, at, left);
        bool last = at == store_count(s->store);
        if (!last && !visit(s, &b, at++))
            return false;
        if (last && b.n == 0)
            return true;
        if ((last || ++visits % GROUP == 0) && !settle(s, &b))
            return false;
    }
}

static void run(struct search *s)
{
    struct state first;
    state_first(s->world, s->config, &first);
    struct packed packed = store_pack(s->store, &first);
    store_add(s->store, &packed, store_hash(s->store, &packed), 0);
    uint32_t most = s->breadth_first ? 0 : store_left(s->store, 0);
    for (uint32_t i = 0; i <= most; i++)
        if (!pass(s, most - i))
            return;
    struct action a;
    uint32_t number;
    s->result->complete = true;
    if (s->late.wrong)
        found(s, &s->late);
    else if (!resets_check(s->world, s->store, &a, &number))
        found(s, &(struct story){.number = number, .last = &a, .wrong = WRONG_RESET});
}

static void sum_up(struct search *s)
{
    struct explore_result *r = s->result;
    r->states = store_count(s->store);
    r->endpoints[0] = world_endpoints(s->world, 0);
    r->endpoints[1] = world_endpoints(s->world, 1);
    r->steps = world_steps(s->world);
    r->messages = world_messages(s->world);
}

/* Returns 0; -1: no memory. */
static int search(struct search *s)
{
    const struct explore_config *config = s->config;
    s->store = store_new(config->most_bytes ? config->most_bytes : (uint64_t)12 << 30);
    s->exits = exits_new();
    s->world = world_new(config);
    bool begins = s->store != NULL && s->exits != NULL && s->world != NULL;
    if (begins) {
        run(s);
        if (config->attack && !s->found)
            attack_all(s->world, s->result, s->out);
        sum_up(s);
    }
    store_free(s->store);
    exits_free(s->exits);
    if (s->world)
        world_free(s->world);
    return begins ? 0 : -1;
}

int explore_run(const struct explore_config *config, FILE *out, struct explore_result *result,
                struct explore_schedule *schedule)
{
    /* The last: when what is wrong lies behind a bound of the search breadth first. */
    static const struct search tries[] = {{.breadth_first = false, .tells = false},
                                          {.breadth_first = true, .tells = true},
                                          {.breadth_first = false, .tells = true}};
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    int status = 0;
    bool ends = false;
    for (int i = 0; status == 0 && !ends; i++) {
        struct search s = tries[i];
        s.config = config;
        s.out = out;
        s.result = result;
        s.schedule = schedule;
        memset(result, 0, sizeof *result);
        status = search(&s);
        ends = s.found == s.tells;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    result->seconds =
        (double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
    return status;
}
