/* search.c - states in the order in which they were found, each with the number of the one it was
 * reached from.
 *
 * First those that have spent least of the budgets, so that few are found that another one covers
 * later: half as many states.  When something is wrong there, once more breadth first throughout:
 * then the first way to a violation is a shortest one.
 */
#include "keeper.h"

#include <string.h>
#include <time.h>

enum { PROGRESS = 1 << 22, LOSSES_MOST = 1 << OUT_MOST, AT_HAND = 64 };

struct search {
    struct store *store;
    struct keeper *keeper;
    struct world *world;
    struct exits *exits;
    struct story late; /* what is wrong where nothing is lost, until it is found on a shorter way */
    const struct explore_config *config;
    struct explore_result *result;
    FILE *out;
    struct explore_schedule *schedule;
    uint32_t count, covered; /* states, as far as what has come back from the keeper tells */
    uint32_t done;           /* states looked at */
    bool breadth_first;      /* ... in the order in which they were found */
    bool tells, found;       /* what is wrong */
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

/* What has come back from the keeper: new pairs, each looked at when what is known of its exit is
 * in the processor's cache.  False: the search ends here. */
static bool settle(struct search *s, const struct batch *b)
{
    struct state states[AT_HAND];
    uint64_t exits[AT_HAND];
    s->count = b->count;
    s->covered = b->covered;
    for (uint32_t first = 0; first < b->n_pairs; first += AT_HAND) {
        uint32_t n = b->n_pairs - first < AT_HAND ? b->n_pairs - first : AT_HAND;
        for (uint32_t i = 0; i < n; i++) {
            const struct fresh *f = &b->fresh[b->pairs[first + i].fresh];
            states[i] = store_unpack(s->store, &f->packed);
            exits[i] = exits_hash(s->exits, &states[i]);
        }
        for (uint32_t i = 0; i < n; i++)
            if (!look_at(s, b->pairs[first + i].number, &states[i], exits[i]))
                return false;
    }
    if (b->no_memory)
        s->result->cut = "memory";
    return !b->no_memory;
}

/* The keeper gets what was found until now.  False: the search ends here. */
static bool hand_over(struct search *s)
{
    const struct batch *back = keeper_give(s->keeper);
    bool goes_on = back == NULL || settle(s, back);
    keeper_batch(s->keeper)->n = 0;
    return goes_on;
}

/* All that was handed over comes back.  False: the search ends here. */
static bool take_all(struct search *s)
{
    const struct batch *back;
    while ((back = keeper_take(s->keeper)) != NULL)
        if (!settle(s, back))
            return false;
    return true;
}

/* ... and what was found since then. */
static bool drain(struct search *s)
{
    return hand_over(s) && take_all(s);
}

/* An action with all that may be lost of what it sends; false: a violation. */
static bool try_action(struct search *s, uint32_t number, const struct state *from,
                       struct action *a)
{
    struct begun begun;
    struct batch *b = keeper_batch(s->keeper);
    if (!move_begin(s->world, s->config, from, a, &begun))
        return true;
    if (counts(s, begun.step.wrong)) {
        if (drain(s)) /* else something found before it is wrong, on a way that is no longer */
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
        f->parent = number;
    } while (next_loss(&begun, a));
    return true;
}

static bool expand(struct search *s, uint32_t number)
{
    struct action actions[ACTIONS_MOST];
    struct state from = store_state(s->store, number);
    uint32_t n = moves(s->world, &from, actions);
    for (uint32_t i = 0; i < n; i++) {
        if (!try_action(s, number, &from, &actions[i]))
            return false;
        if (keeper_batch(s->keeper)->n > FRESH - LOSSES_MOST && !hand_over(s))
            return false;
    }
    return true;
}

static const char *bound(const struct search *s)
{
    if (world_full(s->world))
        return "the number of incarnations or segments that are told apart";
    if (s->config->most && s->count >= s->config->most)
        return "the number of states that was allowed";
    if (store_full(s->store))
        return "the number of endpoints, channels or budgets that are told apart";
    return NULL;
}

static void progress(const struct search *s)
{
    if (s->out && (s->done & (PROGRESS - 1)) == 0 && s->done != 0) {
        uint32_t done = s->done + (s->breadth_first ? 0 : s->covered);
        fprintf(s->out, "%u states, %u of them left to look at, %llu + %llu endpoints\n", s->count,
                s->count - done, (unsigned long long)world_endpoints(s->world, 0),
                (unsigned long long)world_endpoints(s->world, 1));
        fflush(s->out);
    }
}

/* False: the search ends here. */
static bool visit(struct search *s, uint32_t number)
{
    progress(s);
    s->done++;
    s->result->cut = bound(s);
    return s->result->cut == NULL && expand(s, number);
}

/* The next one to be looked at; the count: there is none. */
static uint32_t next(const struct search *s, uint32_t from, uint32_t left)
{
    return s->breadth_first ? from : store_next(s->store, from, s->count, left);
}

/* All with so much left, and what is found on the way; breadth first all.  No state that is found
 * now has more left, and so none covers one of these: what is covered was so before, whatever the
 * keeper is still at.  False: the search ends here. */
static bool pass(struct search *s, uint32_t left)
{
    uint32_t at = 0;
    do {
        while ((at = next(s, at, left)) < s->count)
            if (!visit(s, at++))
                return false;
        if (!drain(s))
            return false;
    } while (next(s, at, left) < s->count);
    return true;
}

/* False: the search ends here. */
static bool pass_all(struct search *s)
{
    struct state first;
    state_first(s->world, s->config, &first);
    struct batch *b = keeper_batch(s->keeper);
    b->fresh[b->n++] = (struct fresh){store_pack(s->store, &first), 0};
    if (!drain(s))
        return false;
    uint32_t most = s->breadth_first ? 0 : store_left(s->store, 0);
    for (uint32_t i = 0; i <= most; i++)
        if (!pass(s, most - i))
            return false;
    s->result->cut = bound(s);
    return s->result->cut == NULL;
}

static void run(struct search *s)
{
    struct action a;
    uint32_t number;
    s->result->complete = pass_all(s);
    if (!s->result->complete && !s->found)
        take_all(s);
    else if (s->late.wrong && !s->found)
        found(s, &s->late);
    else if (!s->found && !resets_check(s->world, s->store, &a, &number))
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
    s->keeper = s->store ? keeper_new(s->store, config->most, s->breadth_first) : NULL;
    bool begins = s->keeper != NULL && s->exits != NULL && s->world != NULL;
    if (begins)
        run(s);
    keeper_free(s->keeper);
    if (begins) {
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
