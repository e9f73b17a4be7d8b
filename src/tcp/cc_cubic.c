/* cc_cubic.c - RFC 9438: CUBIC.  After a loss the window comes back to where the loss was (W_max)
 * along a cubic in time, first fast, then flat, then probing beyond it:
 *
 *                                                            /
 *     W_max - - - - - - - - - - - - - - ___________________-'- -
 *                           _______----'                              W_cubic(t) =
 *                    __----'                                          C (t - K)^3 + W_max
 *     cwnd_epoch  _-'
 *                 t = 0                       t = K
 *
 * and nowhere below W_est, what NewReno would reach with the same losses.  All is integers: windows
 * in whole segments (floor), times in ms.  Each ACK counts towards the next SMSS; how many segments
 * that takes (per_smss) is computed when cwnd has changed, else each quarter of a round trip.
 *
 * Departures: RTT in W_cubic(t + RTT) is the least one instead of the smoothed one - a queue of our
 * own making must not make us faster; and where no W_max is known, at least one SMSS for 20
 * acknowledged segments (5 % in a round trip) unless policy.cubic_strict: a slow start that ended
 * early would cost many seconds. All as deployed.
 */
#include "tcp/congestion.h"

enum {
    SCALE = 1024,
    BETA = 717,     /* RFC9438-11: 0.7                                                     */
    BETA_ECN = 871, /* RFC8511-1: 0.85 for CUBIC                                           */
    LEAST_PER = 2,  /* RFC9438-3: target is at most 1.5 cwnd, one SMSS for two acknowledged */
    UNKNOWN_PER = 20,
    NEVER = 0,
    STALE_MS = 31,
    CWND_MAX = 1 << 30,
    SPAN_MAX_MS = 1 << 20,
};

/* 1 / C in ms^3 a segment: RFC9438-26, C = 0.4. */
#define MS3_PER_SEGMENT UINT64_C(2500000000)

static uint32_t *w_max_of(struct tcp *tcp, const struct tcb *tcb)
{
    return &tally_of(tcp, tcb)->cc_keep[KEEP_W_MAX];
}

static uint32_t *prior_of(struct tcp *tcp, const struct tcb *tcb)
{
    return &tally_of(tcp, tcb)->cc_keep[KEEP_PRIOR];
}

/* The largest whole number whose cube is not above x, bit by bit. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (int shift = 63; shift >= 0; shift -= 3) {
        root *= 2;
        uint64_t step = 3 * root * (root + 1) + 1; /* (root + 1)^3 - root^3 */
        if (x >> shift >= step) {
            x -= step << shift;
            root++;
        }
    }
    return (uint32_t)root;
}

/* C * span^3 in segments. */
static uint32_t cubed(uint32_t span_ms)
{
    uint64_t span = min_u32(span_ms, SPAN_MAX_MS);
    return (uint32_t)(span * span * span / MS3_PER_SEGMENT);
}

/* Figure 1: W_cubic(t) in segments.  RFC9438-1 */
static uint32_t w_cubic(const struct cubic_stage *stage, uint32_t mss, uint32_t t_ms)
{
    uint32_t origin = stage->origin / mss;
    if (t_ms >= stage->k_ms) {
        return origin + cubed(t_ms - stage->k_ms);
    }
    uint32_t below = cubed(stage->k_ms - t_ms);
    return origin > below ? origin - below : 0;
}

/* A congestion avoidance stage begins, 4.2, 4.3; without a W_max (after a timeout, 4.8, or a slow
 * start that lost nothing, 4.10) cwnd takes its place and K = 0.  RFC9438-2, RFC9438-18,
 * RFC9438-19, RFC9438-25 */
static void begin_stage(struct tcp *tcp, const struct tcb *tcb, struct growth *g)
{
    struct cubic_stage *stage = &g->stage;
    uint32_t w_max = *w_max_of(tcp, tcb);
    stage->t_epoch_ms = ms_after(tcp->now_ms, 0);
    stage->w_est = tcb->cwnd;
    g->w_est_acked = 0;
    g->computed_cwnd = 0;
    stage->k_ms = 0;
    stage->origin = tcb->cwnd;
    if (w_max > tcb->cwnd) { /* Figure 2 */
        stage->k_ms = cube_root((w_max - tcb->cwnd) / smss(tcb) * MS3_PER_SEGMENT);
        stage->origin = w_max;
    }
    uint32_t *prior = prior_of(tcp, tcb);
    if (*prior == 0) { /* slow start ended without a loss */
        *prior = stage->origin;
    }
    stage->cwnd_prior = *prior;
}

/* Figure 4 with alpha_cubic = 3 (1 - beta) / (1 + beta), and 1 once W_est has come to cwnd_prior.
 * RFC9438-6, RFC9438-7 */
static void follow_w_est(const struct tcb *tcb, struct growth *g)
{
    uint64_t per = max_u32(tcb->cwnd, smss(tcb));
    if (g->stage.w_est < g->stage.cwnd_prior) {
        per = per * (SCALE + BETA) / (3 * (SCALE - BETA));
    }
    uint32_t steps = (uint32_t)(g->w_est_acked / per);
    g->w_est_acked -= (uint32_t)(steps * per);
    g->stage.w_est = min_u32(g->stage.w_est + steps * smss(tcb), CWND_MAX);
}

/* At least W_est; else one SMSS for cwnd / (target - cwnd) segments.  Concave and convex regions
 * differ in nothing but the sign.  RFC9438-5, RFC9438-8, RFC9438-9, RFC9438-28 */
static void compute(struct tcp *tcp, struct tcb *tcb, struct growth *g, uint32_t rtt_ms)
{
    uint32_t mss = smss(tcb);
    follow_w_est(tcb, g);
    tcb->cwnd = max_u32(tcb->cwnd, g->stage.w_est); /* a step at a time, as W_est goes */
    uint32_t cwnd = tcb->cwnd / mss;
    uint32_t target = w_cubic(&g->stage, mss, tcp->now_ms - g->stage.t_epoch_ms + rtt_ms);
    g->per_smss = target > cwnd ? max_u32(cwnd / (target - cwnd), LEAST_PER) : NEVER;
    if (*w_max_of(tcp, tcb) == 0 && !tcp->b->policy.cubic_strict) {
        g->per_smss = g->per_smss == NEVER ? UNKNOWN_PER : min_u32(g->per_smss, UNKNOWN_PER);
    }
    g->computed_ms = tcp->now_ms;
    g->computed_cwnd = tcb->cwnd;
}

/* Octets counted at a slower pace make one SMSS at once, not several.  RFC9438-27 */
static void count(struct tcb *tcb, struct growth *g, uint32_t octets)
{
    uint32_t mss = smss(tcb);
    uint32_t per = g->per_smss * mss;
    if (per == NEVER) {
        return;
    }
    if (g->counted >= per) {
        g->counted = 0;
        tcb->cwnd += mss;
    }
    g->counted += octets;
    tcb->cwnd = min_u32(tcb->cwnd + g->counted / per * mss, CWND_MAX);
    g->counted %= per;
}

static void on_ack(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t octets)
{
    struct growth *g = &active->growth;
    if (tcb->cwnd < tcb->ssthresh) { /* RFC9438-23 */
        tcp_slow_start(tcp, tcb, active, octets);
        g->stage.t_epoch_ms = 0;
        return;
    }
    if (g->stage.t_epoch_ms == 0) {
        begin_stage(tcp, tcb, g);
    } else if (g->limited) { /* RFC9438-4: t stands still while the window is not used */
        g->stage.t_epoch_ms = ms_after(g->stage.t_epoch_ms, tcp->now_ms - g->grown_ms);
    }
    g->grown_ms = tcp->now_ms;
    octets = min_u32(octets, tcb->cwnd);
    g->w_est_acked += octets;
    uint32_t rtt_ms = tally_of(tcp, tcb)->min_rtt_us / 1000;
    uint32_t age_ms = tcp->now_ms - g->computed_ms;
    if (g->computed_cwnd != tcb->cwnd || age_ms > min_u32(rtt_ms / 4, STALE_MS)) {
        compute(tcp, tcb, g, rtt_ms);
    }
    count(tcb, g, octets);
}

/* 4.6, from cwnd instead of FlightSize: cwnd.c lets it grow only while it is used
 * (RFC9438-13); 4.7; 4.8.  What a recovery under way has added to cwnd does not count.  RFC9438-10,
 * RFC9438-12, RFC9438-16, RFC9438-17 */
static uint32_t ssthresh(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t flight,
                         enum congestion_sign sign)
{
    (void)flight;
    struct growth *g = &active->growth;
    const struct hf_policy *policy = &tcp->b->policy;
    uint32_t *w_max = w_max_of(tcp, tcb);
    bool again = active->recovery == RECOVERY_FAST && !active->spared;
    uint32_t cwnd = again ? min_u32(tcb->cwnd, tcb->ssthresh) : tcb->cwnd;
    uint32_t beta = sign == CC_ECN && policy->abe ? BETA_ECN : BETA;
    g->undo_stage = g->stage;
    g->undo_w_max = *w_max;
    if (sign == CC_TIMEOUT) {
        *w_max = 0;
    } else if (policy->fast_convergence && cwnd < *w_max) {
        *w_max = (uint32_t)((uint64_t)cwnd * (SCALE + beta) / (2 * SCALE));
    } else {
        *w_max = cwnd;
    }
    g->stage.cwnd_prior = *prior_of(tcp, tcb) = cwnd;
    g->stage.t_epoch_ms = 0;
    g->counted = 0;
    g->rounds = g->css = 0;
    uint32_t mss = smss(tcb);
    return max_u32((uint32_t)((uint64_t)(cwnd / mss) * beta / SCALE), 2) * mss;
}

/* 4.9.2; when cwnd has come to more than it was, the newer values stand.  RFC9438-21, RFC9438-22 */
static void undo(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    struct growth *g = &active->growth;
    if (tcb->cwnd < g->stage.cwnd_prior) {
        g->stage = g->undo_stage;
        *prior_of(tcp, tcb) = g->stage.cwnd_prior;
        g->computed_cwnd = 0;
        *w_max_of(tcp, tcb) = g->undo_w_max;
    }
}

const struct tcp_congestion tcp_cubic = {
    .name = "cubic",
    .hystart = true,
    .on_ack = on_ack,
    .ssthresh = ssthresh,
    .undo = undo,
};
