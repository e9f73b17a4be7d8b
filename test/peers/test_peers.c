/* Every peer of the library against the stack, IPv4 and IPv6: it ends as it must, and nothing of it
 * stays in the stack.
 * ctest: timeout=300 */
#include "peers/actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 200, NAME = 120 };

static const struct actor *const library[] = {actors_opening, actors_sending, actors_receiving,
                                              actors_closing};

struct cast {
    struct peer *p;
    const struct actor *actor;
};

static int setup(void **state, bool v6)
{
    struct cast *cast = calloc(1, sizeof *cast);
    void *peer = NULL;
    cast->actor = *state;
    int error = v6 ? peer_setup6(&peer) : peer_setup4(&peer);
    cast->p = peer;
    *state = cast;
    return error;
}

static int setup4(void **state)
{
    return setup(state, false);
}

static int setup6(void **state)
{
    return setup(state, true);
}

static int teardown(void **state)
{
    struct cast *cast = *state;
    void *peer = cast->p;
    int error = peer_teardown(&peer);
    free(cast);
    return error;
}

static void plays(void **state)
{
    struct cast *cast = *state;
    play_actor(cast->p, cast->actor);
}

static struct CMUnitTest tests[MOST];
static char names[MOST][NAME];
static size_t n;

static void add(const struct actor *actor, bool v6)
{
    if (n == MOST)
        abort();
    snprintf(names[n], NAME, "a peer that %s%s", actor->habit, v6 ? ", IPv6" : "");
    tests[n] = (struct CMUnitTest){names[n], plays, v6 ? setup6 : setup4, teardown,
                                   (void *)(uintptr_t)actor};
    n++;
}

int main(void)
{
    for (size_t i = 0; i < sizeof library / sizeof library[0]; i++) {
        for (const struct actor *actor = library[i]; actor->habit; actor++) {
            add(actor, false);
            add(actor, true);
        }
    }
    return _cmocka_run_group_tests("peers", tests, n, NULL, NULL);
}
