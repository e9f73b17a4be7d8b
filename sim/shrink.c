/* shrink.c - the least of a world that still goes wrong in the same way: delta debugging over its
 * programs, happenings, settings and the fates of single frames.
 *
 * What is tried runs in a process of its own each time.  A try counts when the same rule is broken.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { FATES_MAX = 1 << 16 };

struct shrinking {
    uint64_t seed;
    struct sim_less less; /* the least so far */
    struct sim_wrong wrong;
    uint64_t *fate, *trial;      /* of less; of what is tried */
    uint32_t tries, most, found; /* found: tries that were less and still went wrong */
};

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Does it go wrong in the same way?  Then it is what there is from now on. */
static bool try_less(struct shrinking *s, struct sim_less less)
{
    struct sim_world_result result = {.max_fate = 0};
    if (s->tries >= s->most) {
        return false;
    }
    s->tries++;
    if (sim_one(s->seed, &less, &result) != 0 || strcmp(result.wrong.rule, s->wrong.rule) != 0) {
        return false;
    }
    s->wrong = result.wrong;
    if (less.fate == s->trial) {
        memcpy(s->fate, s->trial, less.n_fate * sizeof s->fate[0]);
        less.fate = s->fate;
    }
    s->less = less;
    s->found++;
    return true;
}

/* The frames that met a fate, by number. */
static bool first_run(struct shrinking *s)
{
    struct sim_world_result result = {.fate = s->fate, .max_fate = FATES_MAX};
    if (sim_one(s->seed, NULL, &result) != 0 || result.wrong.rule[0] == '\0') {
        return false;
    }
    s->wrong = result.wrong;
    s->less.fate = s->fate;
    s->less.n_fate = result.n_fate;
    qsort(s->fate, result.n_fate, sizeof s->fate[0], compare);
    return true;
}

/* Bits of *mask that can be set, one after another. */
static void fewer(struct shrinking *s, size_t member, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct sim_less less = s->less;
        uint32_t mask;
        memcpy(&mask, (char *)&less + member, sizeof mask);
        if (!(mask >> i & 1)) {
            mask |= 1u << i;
            memcpy((char *)&less + member, &mask, sizeof mask);
            try_less(s, less);
        }
    }
}

/* Without `n` fates from `from` on. */
static bool without(struct shrinking *s, uint32_t from, uint32_t n)
{
    struct sim_less less = s->less;
    memcpy(s->trial, s->fate, from * sizeof s->fate[0]);
    memcpy(s->trial + from, s->fate + from + n, (less.n_fate - from - n) * sizeof s->fate[0]);
    less.fate = s->trial;
    less.n_fate -= n;
    less.fate_only = true;
    return try_less(s, less);
}

static void fewer_fates(struct shrinking *s)
{
    if (s->less.n_fate && without(s, 0, s->less.n_fate)) {
        return;
    }
    for (uint32_t n = (s->less.n_fate + 1) / 2; n != 0; n /= 2) {
        for (uint32_t from = 0; from + n <= s->less.n_fate && s->tries < s->most;) {
            from += without(s, from, n) ? 0 : n;
        }
    }
}

static void fewer_octets(struct shrinking *s, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        struct sim_less less;
        do {
            less = s->less;
            less.halvings[i]++;
        } while (!(less.programs >> i & 1) && less.halvings[i] < 21 && try_less(s, less));
    }
}

static void shrink(struct shrinking *s, const struct plan *plan)
{
    uint32_t before;
    do {
        before = s->found;
        fewer(s, offsetof(struct sim_less, programs), plan->n_programs);
        fewer(s, offsetof(struct sim_less, happenings), plan->n_happenings);
        fewer_fates(s);
        fewer(s, offsetof(struct sim_less, stacks), plan->n_stacks);
        struct sim_less less = s->less;
        less.lanes = true;
        if (!s->less.lanes) {
            try_less(s, less);
        }
        less = s->less;
        less.unrest = true;
        if (!s->less.unrest) {
            try_less(s, less);
        }
        fewer_octets(s, plan);
    } while (s->tries < s->most && s->found != before);
}

static const char *const kinds[PROGRAM_KINDS] = {
    "bulk", "requests", "half-close", "abort", "storm", "again", "both open",
};
static const char *const happenings[] = {"partition", "smaller MTU", "reboot"};

static void add(char *text, size_t room, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, room - used, "%s", more);
}

static void describe(const struct shrinking *s, const struct plan *plan, char *text, size_t room)
{
    char line[160];
    text[0] = '\0';
    for (uint32_t i = 0; i < plan->n_programs; i++) {
        const struct program *p = &plan->program[i];
        if (!(s->less.programs >> i & 1)) {
            snprintf(line, sizeof line, "program %u: %s, stack %u to %u, IPv%d, halved %u times\n",
                     i, kinds[p->kind], p->client + 1, p->server + 1, p->v6 ? 6 : 4,
                     s->less.halvings[i]);
            add(text, room, line);
        }
    }
    for (uint32_t i = 0; i < plan->n_happenings; i++) {
        const struct happening *h = &plan->happening[i];
        if (!(s->less.happenings >> i & 1)) {
            snprintf(line, sizeof line, "%s, %.3f s to %.3f s\n", happenings[h->kind],
                     (double)(h->from_ns - plan->begin_ns) / 1e9,
                     (double)(h->until_ns - plan->begin_ns) / 1e9);
            add(text, room, line);
        }
    }
    for (uint32_t i = 0; i < plan->n_stacks; i++) {
        if (!(s->less.stacks >> i & 1)) {
            snprintf(line, sizeof line, "stack %u has settings of its own\n", i + 1);
            add(text, room, line);
        }
    }
    if (!s->less.unrest && (plan->rests || plan->restless || plan->n_changes)) {
        snprintf(line, sizeof line, "%s%s%u changes of a policy\n",
                 plan->rests ? "programs rest, " : "",
                 plan->restless ? "options are set on the way, " : "", plan->n_changes);
        add(text, room, line);
    }
    snprintf(line, sizeof line, "%u frames are lost, repeated, late, corrupted or marked%s\n",
             s->less.n_fate, s->less.lanes ? "" : "; delays vary, or there is a bottleneck");
    add(text, room, line);
}

bool sim_shrink(uint64_t seed, uint32_t most_tries, struct sim_shrunk *shrunk)
{
    struct shrinking s = {.seed = seed, .most = most_tries};
    struct plan *plan = malloc(sizeof *plan);
    memset(shrunk, 0, sizeof *shrunk);
    s.fate = malloc(FATES_MAX * sizeof s.fate[0]);
    s.trial = malloc(FATES_MAX * sizeof s.trial[0]);
    bool failed = plan != NULL && s.fate != NULL && s.trial != NULL && first_run(&s);
    if (failed) {
        plan_make(plan, seed);
        shrink(&s, plan);
        describe(&s, plan, shrunk->text, sizeof shrunk->text);
        shrunk->less = s.less;
        shrunk->wrong = s.wrong;
        shrunk->tries = s.tries;
        shrunk->fate = s.fate;
        s.fate = NULL;
    }
    free(s.fate);
    free(s.trial);
    free(plan);
    return failed;
}

void sim_shrunk_free(struct sim_shrunk *shrunk)
{
    free(shrunk->fate);
    shrunk->fate = NULL;
}
