/* RFC 9293 against peers that do not keep to it: what a correct stack does, and that it gets all of
 * its memory back. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "peers/scripts.h"

enum { PEERS_MAX = 256, SILENCE_MS = 14400000 };

static const struct misbehaviour *acting;

/* The application forgets its handles, the peer is silent for four hours. */
static void ends_well(struct peer *p)
{
    peers_take_all(p);
    for (int i = 0; i < PEER_CONNS; i++) {
        if (p->conn[i].handle) {
            hf_release(p->stack, &p->env, p->conn[i].handle); /* may have gone already */
        }
    }
    for (hf_handle h;
         p->listener && hf_accept(p->stack, &p->env, p->listener, &h, NULL) == HF_OK;) {
        hf_release(p->stack, &p->env, h);
    }
    p->wild = true;
    after(SILENCE_MS);
    peers_take_all(p);
    struct hf_counters now = {.struct_size = sizeof now};
    hf_counters(p->stack, &now);
    holds_equal(now.connections, 0);
    holds_equal(now.half_open, 0);
    holds_equal(now.time_wait, 0);
    holds_equal(now.active, 0);
    holds_equal(now.small_chunks, 0);
    holds_equal(now.large_chunks, 0);
    holds_equal(now.ranges, 0);
    holds_equal(now.packets, 0);
    holds(hf_deadline(p->stack, &p->env) == INT64_MAX);
}

static void plays(void **state)
{
    struct peer *p = *state;
    acting->acts(p);
    ends_well(p);
}

static int begin4(void **state)
{
    acting = *state;
    return peer_setup4(state);
}

static int begin6(void **state)
{
    acting = *state;
    return peer_setup6(state);
}

int main(void)
{
    static const struct misbehaviour *const lists[] = {
        scripts_opening, scripts_closing, scripts_windows, scripts_acks,
        scripts_resets,  scripts_text,    scripts_options,
    };
    static struct CMUnitTest tests[PEERS_MAX];
    static char names[PEERS_MAX][160];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (const struct misbehaviour *one = lists[i]; one->name != NULL; one++) {
            for (int v6 = 0; v6 < 2 && n < PEERS_MAX; v6++, n++) {
                snprintf(names[n], sizeof names[n], "a peer that %s%s", one->name,
                         v6 ? ", IPv6" : "");
                tests[n] = (struct CMUnitTest){names[n], plays, v6 ? begin6 : begin4, peer_teardown,
                                               (void *)(uintptr_t)one};
            }
        }
    }
    if (n < 2 * 40 || n == PEERS_MAX) {
        fprintf(stderr, "%zu peers: forty and less than %d are asked for\n", n / 2, PEERS_MAX / 2);
        return 1;
    }
    return _cmocka_run_group_tests("scripts", tests, n, NULL, NULL);
}
