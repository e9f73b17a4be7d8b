/* Random lives under the oracle: a stack whose peer says and whose application calls what the dice
 * want, and two stacks on a bad wire.  Each life has its seed; HF_SEED=n plays that one alone,
 * HF_LONG ten times as many.
 *
 * ctest: timeout=120
 */
#include "common/net.h"
#include "common/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVES = 3000, STEPS = 120, PAIRS = 60, LATE = 60 };

struct life {
    struct peer *p;
    uint64_t dice;
    struct hf_trace at; /* the newest record that had numbers */
    bool listening, stamps;
};

static uint32_t throw_dice(uint64_t *dice, uint32_t below)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*dice >> 33) % below;
}

static uint32_t roll(struct life *l, uint32_t below)
{
    return throw_dice(&l->dice, below);
}

/* The peer ------------------------------------------------------------------------------------- */

static void note(struct life *l)
{
    struct peer *p = l->p;
    struct hf_trace *at = &l->at;
    if (p->last.rto_ms) {
        *at = p->last;
    } else if (p->last.kind == HF_TRACE_OUT && (p->last.ctl & SYN)) { /* a half-open record */
        at->snd_una = p->last.seq;
        at->snd_nxt = p->last.seq + 1;
        at->rcv_nxt = p->last.ack;
        at->rcv_wnd = p->last.wnd;
    }
    struct seen *seen;
    while ((seen = peer_any(p)) != NULL)
        peer_taken(p, seen);
}

/* Mostly what is next, else near an edge. */
static uint32_t some_seq(struct life *l)
{
    const struct hf_trace *at = &l->at;
    switch (roll(l, 16)) {
    case 0:
        return at->rcv_nxt - 1;
    case 1:
        return at->rcv_nxt - 1 - roll(l, 3000);
    case 2:
        return at->rcv_nxt + roll(l, 3000);
    case 3:
        return at->rcv_nxt + at->rcv_wnd - 1 + roll(l, 3);
    case 4:
        return at->irs;
    case 5:
        return at->rcv_nxt + 1460;
    default:
        return at->rcv_nxt;
    }
}

static uint32_t some_ack(struct life *l)
{
    const struct hf_trace *at = &l->at;
    switch (roll(l, 16)) {
    case 0:
        return at->snd_una - 1 - roll(l, 3) * 40000;
    case 1:
        return at->snd_nxt + 1;
    case 2:
    case 3:
    case 4:
        return at->snd_una;
    case 5:
    case 6:
        return at->snd_una + roll(l, at->snd_nxt - at->snd_una + 1);
    case 7:
        return at->iss;
    default:
        return at->snd_nxt;
    }
}

static unsigned some_ctl(struct life *l)
{
    static const unsigned rare[] = {SYN,       SYN | ACK, RST,       RST | ACK, 0,   FIN,
                                    FIN | ACK, FIN | ACK, URG | ACK, SYN | FIN, RST, RST};
    uint32_t n = roll(l, 60);
    return n < sizeof rare / sizeof *rare ? rare[n] : ACK;
}

static void says(struct life *l)
{
    static const int lens[] = {0, 0, 0, 1, 10, 536, 1448, 1448, 1448, 1448};
    static const int windows[] = {65535, 65535, 65535, 65535, 1000, 100, 0};
    struct seg_spec spec = {.ctl = some_ctl(l)};
    spec.seq = some_seq(l);
    spec.seq = spec.seq ? spec.seq : ZERO;
    spec.ack = some_ack(l);
    spec.ack = spec.ack ? spec.ack : ZERO;
    spec.len = spec.ctl & (SYN | RST) && roll(l, 8) ? 0 : lens[roll(l, 10)];
    spec.wnd = windows[roll(l, 7)];
    spec.wnd = spec.wnd ? spec.wnd : ZERO;
    if (spec.ctl & SYN) {
        spec.mss = 1460;
        spec.sackok = roll(l, 2);
        spec.wscale = roll(l, 2) ? SHIFT(7) : 0;
        spec.tsval = l->stamps ? 5000 + (int64_t)roll(l, 1000) : 0;
    } else if (l->p->c->ts && roll(l, 20) == 0) {
        spec.tsval = 1; /* an old one */
    }
    spec.no_ts = roll(l, 40) == 0;
    if ((spec.ctl & ACK) && roll(l, 4) == 0 && l->at.snd_nxt - l->at.snd_una > 3000) {
        spec.ack = l->at.snd_una;
        spec.sack[0][0] = (int64_t)l->at.snd_una + 1448;
        spec.sack[0][1] = (int64_t)l->at.snd_una + 2896;
    }
    if (spec.ack == 0 || spec.sack[0][1] > UINT32_MAX || spec.sack[0][0] > UINT32_MAX)
        return;
    peer_sends(l->p, &spec);
}

/* The peer opens, or answers our SYN. */
static void begins(struct life *l)
{
    struct seg_spec spec = {.ctl = l->listening ? SYN : SYN | ACK,
                            .seq = 1000 + (int64_t)roll(l, 1000000),
                            .ack = (int64_t)l->at.snd_nxt,
                            .mss = roll(l, 8) ? 1460 : 0,
                            .sackok = roll(l, 4) != 0,
                            .wscale = roll(l, 4) ? SHIFT(7) : 0,
                            .tsval = l->stamps ? 5000 : 0};
    peer_sends(l->p, &spec);
    note(l);
    if (l->listening)
        peer_sends(l->p, &(struct seg_spec){.ctl = ACK,
                                            .seq = (int64_t)l->at.rcv_nxt,
                                            .ack = (int64_t)l->at.snd_nxt});
}

/* The application ------------------------------------------------------------------------------ */

static void opens_or_listens(struct life *l)
{
    struct peer *p = l->p;
    struct hf_endpoint here = peer_here(p, p->c->stack_port);
    struct hf_endpoint there = peer_there(p, p->c->peer_port);
    p->c->handle = 0;
    if (!l->listening && hf_open(p->stack, &p->env, &here, &there, 0, &p->c->handle) == HF_OK)
        peer_pump(p);
    note(l);
    begins(l);
    if (l->listening && hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL) != HF_OK)
        p->c->handle = 0;
}

static void calls_something(struct life *l)
{
    static uint8_t text[20000];
    struct peer *p = l->p;
    hf_handle handle = p->c->handle;
    switch (roll(l, 40)) {
    case 0:
        hf_abort(p->stack, &p->env, handle);
        break;
    case 1:
        hf_release(p->stack, &p->env, handle);
        p->c->handle = 0;
        break;
    case 2:
    case 3:
        hf_close(p->stack, &p->env, handle);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        hf_recv(p->stack, &p->env, handle, text, 1 + roll(l, sizeof text));
        break;
    case 9:
        hf_accept(p->stack, &p->env, p->listener, &p->c->handle, NULL);
        break;
    case 10:
        hf_set_option(p->stack, &p->env, handle, HF_NODELAY, 1);
        break;
    default:
        hf_send(p->stack, &p->env, handle, text, 1 + roll(l, sizeof text), 0);
        break;
    }
    peer_pump(p);
}

static void waits(struct life *l)
{
    static const int64_t times[] = {1, 5, 10, 41, 200, 300, 1000, 1500, 3000, 61000};
    peer_after(l->p, times[roll(l, roll(l, 4) ? 5 : 10)]);
}

/* Lives ---------------------------------------------------------------------------------------- */

static void prepare(struct life *l, uint64_t seed)
{
    struct peer *p = l->p;
    struct hf_policy *policy = &p->config.policy;
    p->file = "life";
    p->line = (int)seed;
    p->wild = true;
    l->dice = seed * 0x9e3779b97f4a7c15u + 1;
    l->listening = roll(l, 3) != 0;
    l->stamps = roll(l, 2);
    policy->timestamps = roll(l, 4) != 0;
    policy->sack = roll(l, 4) != 0;
    policy->window_scale = roll(l, 4) != 0;
    policy->rack = roll(l, 4) != 0;
    policy->quick_acks = roll(l, 2) ? 16 : 0;
    policy->receive_window = roll(l, 3) ? 270000 : 3000;
    if (l->listening)
        peer_listens(p, 8, false);
    peer_start(p);
}

static void live(uint64_t seed)
{
    void *state;
    peer_setup4(&state);
    struct life life = {.p = state}, *l = &life;
    prepare(l, seed);
    for (int step = 0; step < STEPS; step++) {
        if (l->p->last.state_after <= HF_LISTEN && roll(l, 3) == 0)
            opens_or_listens(l);
        note(l);
        uint32_t n = roll(l, 10);
        if (n < 5)
            says(l);
        else if (n < 8)
            calls_something(l);
        else
            waits(l);
        note(l);
    }
    peer_after(l->p, 70000);
    note(l);
    assert_int_equal(peer_teardown(&state), 0);
}

/* HF_SEED, or `otherwise`; *n: how many from there on. */
static uint64_t first_seed(uint32_t *n)
{
    const char *seed = getenv("HF_SEED"), *more = getenv("HF_LONG");
    *n *= more && *more ? 10 : 1;
    if (seed == NULL || *seed == '\0')
        return 1;
    *n = 1;
    return strtoull(seed, NULL, 10);
}

static void what_a_wild_peer_and_application_do_breaks_no_rule(void **state)
{
    (void)state;
    uint32_t n = LIVES;
    uint64_t seed = first_seed(&n);
    for (; n > 0; n--, seed++)
        live(seed);
}

static void two_stacks_on_a_bad_wire_break_no_rule(void **state)
{
    (void)state;
    uint32_t n = PAIRS;
    uint64_t seed = first_seed(&n);
    for (; n > 0; n--, seed++) {
        uint64_t dice = seed * 0x9e3779b97f4a7c15u + 2;
        struct hf_config config;
        hf_config_default(&config, 8);
        config.policy.timestamps = throw_dice(&dice, 3) != 0;
        config.policy.sack = throw_dice(&dice, 3) != 0;
        config.policy.rack = throw_dice(&dice, 3) != 0;
        config.policy.receive_window = throw_dice(&dice, 3) ? 270000 : 4000;
        config.policy.ecn = HF_ECN_ASK;
        struct net *net = net_new(throw_dice(&dice, 2), &config, 0);
        net->random = seed;
        net->loss = throw_dice(&dice, 80);
        net->twice = throw_dice(&dice, 50);
        net->late = throw_dice(&dice, 2) * LATE;
        net_listen(net, 1, 80, 8);
        net->side[1].answer = throw_dice(&dice, 100000);
        for (uint16_t i = 0; i < 3; i++)
            net_open(net, 0, (uint16_t)(4000 + i), 80, 1 + throw_dice(&dice, 150000));
        if (!net_run(net, 900000, NULL) || net->wrong)
            fail_msg("seed %llu: %s", (unsigned long long)seed,
                     net->what ? net->what : "it does not end in 15 minutes");
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_wild_peer_and_application_do_breaks_no_rule),
        cmocka_unit_test(two_stacks_on_a_bad_wire_break_no_rule),
    };
    return cmocka_run_group_tests_name("lives under the oracle", tests, NULL, NULL);
}
