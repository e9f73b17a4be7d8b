/* A peer who knows every number of three connections and draws what it sends from their limits,
 * while the user calls in any order, memory is refused and time passes: nothing ends the process,
 * hf_check finds each block sound, and when all is let go nothing is left.
 *
 * Half of the lives are orderly - whatever is owed leaves at once, each timer is on time: there
 * the oracle has nothing to say, either.  HF_SEED: one life; HF_LONG: many.
 *
 * ctest: timeout=900
 */
#include "attack/row.h"
#include "attack/storm.h"
#include "common/peer.h"
#include "common/refuse.h"
#include "common/sound.h"
#include "stack/stack.h"

#include <stdio.h>
#include <string.h>

enum {
    LIVES = 1200,
    SANITIZED_LIVES = 300,
    LONG_LIVES = 10000,
    STEPS = 300,
    CONNS = 3,
    FRAMES = 16
};

struct life {
    struct storm storm;
    struct peer *p;
    uint32_t seed;
    bool orderly;
};

static uint32_t below(struct life *life, uint32_t n)
{
    return storm_below(&life->storm, n);
}

static bool one_in(struct life *life, uint32_t n)
{
    return storm_one_in(&life->storm, n);
}

static void draw_limits(struct life *life, struct hf_config *config)
{
    config->max_connections = 8;
    config->max_active = 2 + below(life, 7);
    config->max_half_open = 4;
    config->max_time_wait = 2;
    config->max_ranges = 4 + below(life, 60);
    config->max_sent = config->max_active * (1 + below(life, 12));
    config->max_stats = below(life, 8);
    config->max_extras = below(life, 8);
    config->small_chunks = 2 + below(life, 60);
    config->small_chunk_bytes = 64 * (1 + below(life, 40));
    config->large_chunks = below(life, 10);
}

static void draw_policy(struct life *life, struct hf_policy *policy)
{
    policy->timestamps = !one_in(life, 3);
    policy->sack = !one_in(life, 4);
    policy->ecn = (uint8_t)below(life, 3);
    policy->accecn = one_in(life, 3);
    policy->pacing = one_in(life, 8);
    policy->quick_acks = below(life, 3);
    policy->congestion = (uint8_t)below(life, HF_CONGESTIONS);
    policy->rack = !one_in(life, 3);
    policy->tlp = !one_in(life, 3);
    policy->sack_keep_on_rto = one_in(life, 2);
    policy->zwp_octet = one_in(life, 3);
    policy->ts_tolerate_missing = one_in(life, 3);
    policy->fast_open = HF_FAST_OPEN_CLIENT | HF_FAST_OPEN_SERVER | HF_FAST_OPEN_SERVER_NO_COOKIE;
    policy->fast_open |= one_in(life, 2) ? HF_FAST_OPEN_CLIENT_NO_COOKIE : 0;
    policy->min_mss = one_in(life, 4) ? 1 + below(life, 20) : 216;
    policy->syn_cookies = (uint8_t)below(life, 3);
    policy->mtu_probing = (uint8_t)below(life, 3);
    policy->receive_window = 1 + below(life, one_in(life, 3) ? 3000 : 100000);
    policy->send_buffer = 2000 + below(life, 60000);
    policy->tw_syn_ack = one_in(life, 2);
    policy->abort_on_overflow = one_in(life, 4);
    policy->challenge_ack_ms = one_in(life, 2) ? 0 : 500;
}

/* Calls of the user ---------------------------------------------------------------------------- */

static uint8_t text[70000];

static void sends_text(struct life *life)
{
    struct peer *p = life->p;
    uint32_t flags = one_in(life, 3) ? HF_SEND_MORE : 0;
    flags |= one_in(life, 8) ? HF_SEND_URGENT : 0;
    flags |= one_in(life, 8) ? HF_SEND_END : 0;
    uint32_t len = 1 + below(life, one_in(life, 3) ? 60000 : 3000);
    (void)hf_send(p->stack, &p->env, p->c->handle, text, len, flags);
}

/* The handle is that of the connection whose port it is. */
static void remember(struct peer *p, hf_handle handle, const struct hf_endpoint *remote)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        if (p->conn[i].peer_port == remote->port) {
            p->conn[i].handle = handle;
        }
    }
}

static void takes_one(struct life *life)
{
    struct peer *p = life->p;
    struct hf_endpoint remote;
    hf_handle handle;
    if (hf_accept(p->stack, &p->env, p->listener, &handle, &remote) == HF_OK) {
        remember(p, handle, &remote);
    }
    if (one_in(life, 2) &&
        hf_asked(p->stack, &p->env, p->listener, &handle, NULL, &remote) == HF_OK) {
        remember(p, handle, &remote);
    }
}

static void opens_one(struct life *life)
{
    struct peer *p = life->p;
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    hf_handle handle;
    if (hf_open(p->stack, &p->env, &here, &there, 0, &handle) != HF_OK) {
        return;
    }
    p->c->handle = handle;
    if (one_in(life, 2)) {
        (void)hf_set_option(p->stack, &p->env, handle, HF_FAST_OPEN, 1 + below(life, 2));
        (void)hf_send(p->stack, &p->env, handle, text, 1 + below(life, 3000), 0);
    }
}

static void ends_one(struct life *life)
{
    struct peer *p = life->p;
    if (one_in(life, 3)) {
        (void)hf_close(p->stack, &p->env, p->c->handle);
    } else if (one_in(life, 5)) {
        (void)hf_abort(p->stack, &p->env, p->c->handle);
    } else if (one_in(life, 4)) {
        (void)hf_release(p->stack, &p->env, p->c->handle);
    }
}

static void user_calls(struct life *life)
{
    struct peer *p = life->p;
    switch (below(life, 10)) {
    case 0:
    case 1:
    case 2:
        sends_text(life);
        break;
    case 3:
    case 4:
        (void)hf_recv(p->stack, &p->env, p->c->handle, text,
                      one_in(life, 3) ? below(life, 100) : sizeof text);
        break;
    case 5:
        ends_one(life);
        break;
    case 6:
        takes_one(life);
        break;
    case 7:
        (void)hf_answer(p->stack, &p->env, p->c->handle, (enum hf_answer)below(life, 3));
        break;
    case 8:
        opens_one(life);
        break;
    default:
        (void)hf_set_option(p->stack, &p->env, p->c->handle, HF_RECEIVE_WINDOW,
                            1 + below(life, one_in(life, 2) ? 300 : 100000));
    }
}

/* A life --------------------------------------------------------------------------------------- */

static void passes(struct life *life, uint32_t ms)
{
    struct peer *p = life->p;
    if (life->orderly) {
        peer_after(PEER_HERE(p), ms);
    } else {
        p->env.now_ns += (int64_t)ms * 1000000;
        hf_timeouts(p->stack, &p->env);
    }
}

static void leaves(struct life *life)
{
    struct peer *p = life->p;
    p->batching = false;
    if (life->orderly) {
        peer_pump(p);
        peer_forget(p);
        return;
    }
    struct hf_frame_out out[FRAMES];
    for (uint32_t n; (n = hf_output(p->stack, &p->env, out, FRAMES)) != 0;) {
        for (uint32_t i = 0; i < n; i++) {
            if (hf_output_done(p->stack, &p->env, out[i].token) != HF_OK) {
                peer_fail(p, "life %u: hf_output_done refuses a token", life->seed);
            }
        }
    }
}

static void step(struct life *life)
{
    struct peer *p = life->p;
    p->c = &p->conn[below(life, CONNS)];
    p->batching = true;
    if (one_in(life, 25)) {
        refuse_begin(p->stack, below(life, REFUSE_POOLS), 1 + below(life, 3), 1 + below(life, 4));
    }
    for (uint32_t n = below(life, 4); n > 0; n--) {
        storm_segments(&life->storm);
    }
    if (p->n_batch) {
        peer_batch_goes_in(p);
    }
    if (life->orderly) {
        leaves(life);
    }
    for (uint32_t n = one_in(life, 8) ? 2 : below(life, 2); n > 0; n--) {
        user_calls(life);
    }
    if (life->orderly || !one_in(life, 4)) {
        leaves(life);
    }
    if (one_in(life, 6)) {
        passes(life, below(life, one_in(life, 4) ? 2000 : 50));
    } else if (one_in(life, 200)) {
        passes(life, below(life, 2000000));
    }
    if (one_in(life, 10)) {
        refuse_end(p->stack);
    }
}

static void is_sound(struct life *life)
{
    char line[600];
    struct peer *p = life->p;
    if (sound_tell(p->stack, p->bytes, line, sizeof line)) {
        peer_fail(p, "life %u: %s", life->seed, line);
    }
    if (judge_tell(&p->judge, line, sizeof line) && life->orderly) {
        peer_fail(p, "life %u: %s", life->seed, line);
    }
}

static void lets_go(struct life *life)
{
    struct peer *p = life->p;
    refuse_end(p->stack);
    leaves(life);
    assert_int_equal(hf_release(p->stack, &p->env, p->listener), HF_OK);
    const struct pool *tcbs = &p->stack->tcp.tcbs;
    for (uint32_t i = 1; i <= tcbs->top; i++) {
        const struct tcb *tcb = pool_at(tcbs, p->stack, i);
        if (!(tcb->flags & F_RELEASED)) {
            (void)hf_release(p->stack, &p->env, (hf_handle)tcb->generation << 32 | i);
        }
    }
    for (int i = 0; i < 400; i++) {
        leaves(life);
        passes(life, 10000);
    }
    leaves(life);
}

static void nothing_is_left(struct life *life)
{
    struct peer *p = life->p;
    for (unsigned pool = 0; pool < REFUSE_POOLS; pool++) {
        uint32_t used = refuse_used(p->stack, pool);
        if (used != 0) {
            peer_fail(p, "life %u: %u records of %s are left", life->seed, used, refuse_name(pool));
        }
    }
    holds_equal(p->stack->tcp.orphans, 0);
    holds_equal(p->stack->tcp.orphan_bytes, 0);
}

static void one_life(uint32_t seed)
{
    void *state;
    struct life life = {.seed = seed, .storm = {.dice = seed * UINT64_C(1234567891)}};
    assert_int_equal(one_in(&life, 2) ? peer_setup4(&state) : peer_setup6(&state), 0);
    struct peer *p = life.p = life.storm.p = state;
    life.orderly = one_in(&life, 2);
    p->wild = true;
    draw_limits(&life, &p->config);
    draw_policy(&life, &p->config.policy);
    listens_with((uint16_t)(1 + below(&life, 4)), one_in(&life, 3));
    (void)hf_set_option(p->stack, &p->env, p->listener, HF_FAST_OPEN, 1 + below(&life, 4));
    if (!life.orderly && one_in(&life, 2)) {
        p->env.trace = NULL; /* header prediction */
    }
    for (int i = 0; i < STEPS; i++) {
        step(&life);
        is_sound(&life);
    }
    lets_go(&life);
    is_sound(&life);
    nothing_is_left(&life);
    peer_teardown(&state);
}

static void no_storm_breaks_or_leaks_anything(void **state)
{
    (void)state;
    row_lives(one_life, LONG_LIVES, LIVES, SANITIZED_LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_storm_breaks_or_leaks_anything),
    };
    return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
