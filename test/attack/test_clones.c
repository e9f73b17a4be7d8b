/* A stack that is written down, and goes on twice: RFC 6528 4, hf_restore, hf_reseed. */
#include "attack/forge.h"

#include <stdlib.h>
#include <string.h>

enum { OPENS = 200 };

static uint8_t *written_down(struct peer *p, uint64_t *len)
{
    *len = hf_snapshot_bytes(p->stack);
    uint8_t *snapshot = malloc(*len);
    if (!snapshot || hf_snapshot(p->stack, snapshot, *len) != (int64_t)*len)
        peer_fail(p, "hf_snapshot does not write it down");
    return snapshot;
}

static struct hf_stack *clone_of(struct peer *p, const uint8_t *snapshot, uint64_t len,
                                 uint8_t seed)
{
    struct hf_stack *block = aligned_alloc(64, (p->bytes + 63) / 64 * 64);
    uint8_t octets[16];
    memset(octets, seed, sizeof octets);
    if (!block || hf_restore(block, p->bytes, snapshot, len) != HF_OK)
        peer_fail(p, "hf_restore does not take the snapshot");
    if (seed)
        calls(hf_reseed(block, &p->env, octets));
    return block;
}

/* What opens of this clone begin with. */
static void opens_of(struct peer *p, struct hf_stack *clone, uint32_t iss[OPENS],
                     uint16_t ports[OPENS])
{
    struct hf_status status = {.struct_size = sizeof status};
    for (uint32_t i = 0; i < OPENS; i++) {
        struct hf_endpoint here = peer_here(p, (uint16_t)(20000 + i)), there = peer_there(p, 9);
        struct hf_endpoint any = peer_here(p, 0);
        hf_handle handle;
        calls(hf_open(clone, &p->env, &here, &there, 0, &handle));
        calls(hf_status(clone, &p->env, handle, &status));
        iss[i] = status.iss;
        calls(hf_abort(clone, &p->env, handle));
        calls(hf_release(clone, &p->env, handle));
        calls(hf_open(clone, &p->env, &any, &there, 0, &handle));
        calls(hf_status(clone, &p->env, handle, &status));
        ports[i] = status.local.port;
        calls(hf_abort(clone, &p->env, handle));
        calls(hf_release(clone, &p->env, handle));
    }
}

/* SC-12: two that were restored from one snapshot */
TEST(two_clones_with_seeds_of_their_own_have_unrelated_numbers)
{
    uint32_t iss[2][OPENS], same = 0, steps = 0;
    uint16_t ports[2][OPENS];
    uint64_t len;
    establish_active();
    lives(p);
    uint8_t *snapshot = written_down(p, &len);
    struct hf_stack *clones[2];
    for (uint8_t k = 0; k < 2; k++) {
        clones[k] = clone_of(p, snapshot, len, k + 1);
        opens_of(p, clones[k], iss[k], ports[k]);
    }
    for (uint32_t i = 0; i < OPENS; i++) {
        same += iss[0][i] == iss[1][i];
        same += ports[0][i] == ports[1][i];
        steps += i && iss[0][i] - iss[1][i] == iss[0][i - 1] - iss[1][i - 1];
    }
    holds(same <= 2);
    holds_equal(steps, 0);
    judge_end(&p->judge);
    free(p->stack); /* and what was open is open */
    p->stack = clones[1];
    lives(p);
    free(clones[0]);
    free(snapshot);
}

/* PR-02, SC-12: what is new is as good as a first seed; no seed is none, which leaves the keys as
 * they were. */
TEST(a_stack_that_is_reseeded_has_other_numbers_than_before)
{
    uint32_t iss[3][OPENS], same = 0;
    uint16_t ports[3][OPENS];
    const uint8_t nothing[16] = {0}, seed[16] = {[15] = 1};
    starts();
    opens_of(p, p->stack, iss[0], ports[0]);
    refuses(HF_ERR_INVALID, hf_reseed(p->stack, &p->env, nothing));
    refuses(HF_ERR_INVALID, hf_reseed(p->stack, &p->env, NULL));
    opens_of(p, p->stack, iss[1], ports[1]);
    holds(memcmp(iss[0], iss[1], sizeof *iss) == 0);
    calls(hf_reseed(p->stack, &p->env, seed));
    opens_of(p, p->stack, iss[2], ports[2]);
    for (uint32_t i = 0; i < OPENS; i++)
        same += iss[1][i] == iss[2][i];
    holds_equal(same, 0);
}

/* RFC 6056 3.3.2: in a small range each port comes in its turn; who begins where is the seed's. */
TEST(clones_with_seeds_of_their_own_begin_a_small_range_of_ports_elsewhere)
{
    enum { CLONES = 8 };
    uint64_t len;
    uint16_t first[CLONES];
    bool differ = false;
    p->config.policy.port_first = 40000;
    p->config.policy.port_last = 40015;
    starts();
    uint8_t *snapshot = written_down(p, &len);
    p->env.trace = NULL; /* to the oracle they were one stack, whose numbers fall */
    for (uint8_t k = 0; k < CLONES; k++) {
        struct hf_stack *clone = clone_of(p, snapshot, len, k + 1);
        struct hf_endpoint any = peer_here(p, 0), there = peer_there(p, 9);
        struct hf_status status = {.struct_size = sizeof status};
        hf_handle handle;
        calls(hf_open(clone, &p->env, &any, &there, 0, &handle));
        calls(hf_status(clone, &p->env, handle, &status));
        first[k] = status.local.port;
        differ = differ || first[k] != first[0];
        calls(hf_abort(clone, &p->env, handle));
        calls(hf_release(clone, &p->env, handle));
        free(clone);
    }
    holds(differ);
    free(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(two_clones_with_seeds_of_their_own_have_unrelated_numbers),
        V4(clones_with_seeds_of_their_own_begin_a_small_range_of_ports_elsewhere),
        V4(a_stack_that_is_reseeded_has_other_numbers_than_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
