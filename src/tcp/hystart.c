/* hystart.c - RFC 9438 section 4.10: leaving slow start before something is lost.
 *
 *     hybrid      ssthresh = cwnd when 9 or more samples of a round are all later than the least
 *                 round trip by an eighth (4 .. 16 ms), or when a train of ACKs is as long as half
 *                 of it: the queue has begun to fill, the pipe is full
 *     plusplus    the delay alone, against the round before; then five rounds of growth by a
 *                 quarter (Conservative Slow Start), unless the delay goes again
 *
 * RFC 9406 is built from its outline in RFC 9438 and from memory, not from its text.
 */
#include "tcp/congestion.h"

enum {
    LOW_WINDOW = 16,     /* segments: below it hybrid slow start looks at nothing */
    SAMPLES = 8,         /* RFC 9406 N_RTT_SAMPLE                                 */
    TRAIN_GAP_US = 2000, /* ACKs farther apart are no train                       */
    LEAST_US = 4000,     /* RFC 9406 MIN_RTT_THRESH                               */
    MOST_US = 16000,     /* RFC 9406 MAX_RTT_THRESH                               */
    CSS_ROUNDS = 5,
};

/* How much later than this says that a queue is filling. */
static uint32_t margin_us(uint32_t rtt_us)
{
    return min_u32(max_u32(rtt_us / 8, LEAST_US), MOST_US);
}

static void leave(struct tcb *tcb, struct growth *g)
{
    tcb->ssthresh = tcb->cwnd;
    g->stage.cwnd_prior = tcb->cwnd;
    g->rounds = 0;
    g->css = 0;
}

static void begin_round(const struct tcp *tcp, const struct tcb *tcb, struct growth *g)
{
    g->rounds += g->rounds < UINT8_MAX ? 1 : 0;
    g->window_end = tcb->snd.nxt;
    g->round_start_us = g->last_ack_us = tcp->now_us;
    g->last_rtt_us = g->round_rtt_us;
    g->round_rtt_us = 0;
    g->samples = 0;
}

static void take_sample(struct growth *g)
{
    if (g->rtt_us) {
        g->round_rtt_us = g->round_rtt_us ? min_u32(g->round_rtt_us, g->rtt_us) : g->rtt_us;
        g->samples += g->samples <= SAMPLES ? 1 : 0;
    }
}

/* Enough samples.  A host that was kept from reading finds many ACKs at once, all of them late by
 * that: the round must have lasted half as long as the delay that is looked for. */
static bool sampled(const struct tcp *tcp, const struct growth *g, uint8_t samples, uint32_t margin)
{
    return g->samples >= samples && tcp->now_us - g->round_start_us >= margin / 2;
}

/* ACKs that come without a gap for half a round trip: as much as fits the pipe is under way.  Paced
 * segments make such trains by themselves: a whole one. */
static bool train_fills_pipe(const struct tcp *tcp, const struct tcb *tcb, struct growth *g,
                             uint32_t min_rtt_us)
{
    if (tcp->now_us - g->last_ack_us > TRAIN_GAP_US) {
        return false;
    }
    g->last_ack_us = tcp->now_us;
    return tcp->now_us - g->round_start_us > (tcp_is_paced(tcp, tcb) ? min_rtt_us : min_rtt_us / 2);
}

static void hybrid(const struct tcp *tcp, struct tcb *tcb, struct growth *g, uint32_t min_rtt_us)
{
    if (tcb->cwnd < LOW_WINDOW * smss(tcb)) {
        return;
    }
    if (g->rounds == 0 || seq_gt(tcb->snd.una, g->window_end)) {
        begin_round(tcp, tcb, g);
    }
    bool full = train_fills_pipe(tcp, tcb, g, min_rtt_us);
    take_sample(g);
    uint32_t margin = margin_us(min_rtt_us);
    bool later = g->round_rtt_us > min_rtt_us + margin && sampled(tcp, g, SAMPLES + 1, margin);
    if (full || (g->rtt_us && later)) {
        leave(tcb, g);
    }
}

static void judge_round(struct growth *g)
{
    if (g->css) {
        if (g->round_rtt_us < g->baseline_us) { /* the delay was none: slow start goes on */
            g->css = 0;
        }
    } else if (g->last_rtt_us && g->round_rtt_us >= g->last_rtt_us + margin_us(g->last_rtt_us)) {
        g->baseline_us = g->round_rtt_us;
        g->css = 1;
    }
}

/* RFC 9406 4.2.  Only the first slow start: later ones end at an ssthresh that a loss has set. */
static void plusplus(const struct tcp *tcp, struct tcb *tcb, struct growth *g)
{
    if (tcb->ssthresh != UINT32_MAX) {
        return;
    }
    if (g->rounds == 0) {
        begin_round(tcp, tcb, g);
    }
    take_sample(g);
    if (sampled(tcp, g, SAMPLES, g->last_rtt_us ? margin_us(g->last_rtt_us) : 0)) {
        judge_round(g);
    }
    if (seq_geq(tcb->snd.una, g->window_end)) {
        begin_round(tcp, tcb, g);
        g->css += g->css ? 1 : 0;
        if (g->css > CSS_ROUNDS) {
            leave(tcb, g);
        }
    }
}

void tcp_hystart(const struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t min_rtt_us)
{
    switch (tcp->b->policy.hystart) {
    case HF_HYSTART_HYBRID:
        hybrid(tcp, tcb, &active->growth, min_rtt_us);
        break;
    case HF_HYSTART_PLUSPLUS: /* RFC9438-24 */
        plusplus(tcp, tcb, &active->growth);
        break;
    default:
        break;
    }
}
