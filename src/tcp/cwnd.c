/* cwnd.c - RFC 5681 sections 3.1 and 4.1, RFC 6928, RFC 7661: with which congestion window a
 * connection begins, which use of it lets it grow, and what is left of it after a pause.
 *
 * What is lost, and what that does to cwnd, is recovery.c; how far it grows, the congestion control
 * (congestion.h).
 */
#include "tcp/congestion.h"
#include "tcp/ecn.h"

enum {
    CWND_MAX = 1 << 30,
    CSS_DIVISOR = 4,   /* RFC 9406 CSS_GROWTH_DIVISOR                    */
    IW_SEGMENT = 1460, /* RFC 6928 2: ten of these, or of a smaller SMSS */
    NVP_MS = 300000,   /* RFC 7661 4.4: non-validated period             */
};

static const struct tcp_congestion *const congestions[HF_CONGESTIONS] = {
    [HF_NEWRENO] = &tcp_newreno,
    [HF_CUBIC] = &tcp_cubic,
};

/* MAY-18 */
const struct tcp_congestion *tcp_control(const struct tcp *tcp, const struct tcb *tcb)
{
    (void)tcp;
    return congestions[CONGESTION_OF(tcb->modes)];
}

static uint32_t flight_of(const struct tcb *tcb)
{
    return seq_len(tcb->snd.una, tcb->snd.nxt);
}

/* RFC 3390: what is left of the larger window where it has done harm. */
static uint32_t cautious_window(uint32_t mss)
{
    return min_u32(4 * mss, max_u32(2 * mss, 4380));
}

/* RFC6928-1, RFC5681-4: min(10 SMSS, max(2 SMSS, 14600)). */
static uint32_t initial_window(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t n = tcp->b->policy.initial_cwnd;
    return min_u32(n * smss(tcb), max_u32(2 * smss(tcb), n * IW_SEGMENT));
}

/* RFC6928-5, RFC6928-7: min(IW, cwnd), the older IW where the initial one was too much. */
static uint32_t restart_window(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t most = initial_window(tcp, tcb);
    if (tcb->modes & M_WINDOW_LOST) {
        most = min_u32(most, cautious_window(smss(tcb)));
    }
    return min_u32(most, tcb->cwnd);
}

/* One segment if our SYN was surely lost: a single repetition may only have been early.
 * RFC6928-2, RFC6928-3, RFC6928-4, RFC5681-5, RFC5681-6 */
void tcp_cwnd_begin(struct tcp *tcp, struct tcb *tcb)
{
    bool lost = (tcb->modes & M_SYN_LOST) || tcp_accecn_syn_marked(tcp, tcb);
    tcb->cwnd = lost ? smss(tcb) : initial_window(tcp, tcb);
}

/* RFC5681-7 */
void tcp_cwnd_rescale(struct tcb *tcb, uint16_t old_mss)
{
    if (old_mss > tcb->snd_mss) {
        tcb->cwnd = max_u32(tcb->cwnd / old_mss, 1) * smss(tcb);
    }
}

/* RFC6928-10: who runs with a large initial window can see what it costs.  RFC6928-9 */
static void note_initial_loss(struct tcp *tcp, struct tcb *tcb)
{
    bool begun = tally_of(tcp, tcb)->una_wraps == 0;
    uint32_t acked = seq_len(tcb->iss, tcb->snd.una) - 1;
    if (begun && acked < initial_window(tcp, tcb) && !(tcb->modes & M_WINDOW_LOST)) {
        tcb->modes |= M_WINDOW_LOST;
        tcp->b->initial_windows_lost++;
    }
}

void tcp_cwnd_congested(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t flight,
                        enum congestion_sign sign)
{
    note_initial_loss(tcp, tcb);
    tcb->ssthresh = tcp_control(tcp, tcb)->ssthresh(tcp, tcb, active, flight, sign);
}

/* What a control knew when it was there before is of another time: RFC 9438 4.2's stage begins with
 * the first ACK in congestion avoidance.  cwnd and ssthresh stay. */
void tcp_cwnd_new_control(struct tcp *tcp, struct tcb *tcb)
{
    struct tally *tally = tally_of(tcp, tcb);
    struct active *active = active_of(tcp, tcb);
    memset(tally->cc_keep, 0, sizeof tally->cc_keep);
    if (active) {
        struct growth *g = &active->growth;
        g->stage = g->undo_stage = (struct cubic_stage){0};
        g->undo_w_max = 0;
        g->counted = g->w_est_acked = g->computed_cwnd = 0;
        g->rounds = g->css = 0;
    }
}

/* Only what was used says that more would do (RFC 5681 3.1, RFC 7661): all ACKs of a round in which
 * the flight has filled the window; in slow start also while the window is less than twice the
 * round's largest flight. */

void tcp_cwnd_note_flight(const struct tcb *tcb, struct active *active, uint32_t acked)
{
    struct growth *g = &active->growth;
    uint32_t flight = flight_of(tcb) + acked;
    seq_t first = seq_sub(tcb->snd.una, acked);
    if (g->max_flight < flight || seq_geq(first, g->round_end)) {
        g->max_flight = flight;
        g->round_end = tcb->snd.nxt;
    }
    if (flight + smss(tcb) > tcb->cwnd) {
        g->full = 1;
        g->full_end = tcb->snd.nxt;
    } else if (g->full && seq_geq(first, g->full_end)) {
        g->full = 0;
    }
}

static bool window_was_used(const struct tcb *tcb, const struct growth *g)
{
    return g->full || (tcb->cwnd < tcb->ssthresh && tcb->cwnd / 2 < g->max_flight);
}

/* Up to L segments' worth of each ACK (RFC 9406 4.2 without pacing: 8) instead of the one of
 * RFC 5681, for peers and devices that acknowledge many segments at once.  RFC5681-10 */
void tcp_slow_start(const struct tcp *tcp, struct tcb *tcb, const struct active *active,
                    uint32_t octets)
{
    uint32_t most = tcp_is_paced(tcp, tcb) ? octets : tcp->b->policy.slow_start_l * smss(tcb);
    uint32_t n = min_u32(octets, most) / (active->growth.css ? CSS_DIVISOR : 1);
    uint32_t cwnd = min_u32(tcb->cwnd + n, max_u32(tcb->ssthresh, smss(tcb)));
    tcb->cwnd = min_u32(cwnd, CWND_MAX);
}

/* RFC 7661 4.4.3: what was not used for so long is worth half. */
static void end_of_validity(const struct tcp *tcp, struct tcb *tcb)
{
    tcb->ssthresh = max_u32(tcb->ssthresh, tcb->cwnd / 4 * 3);
    tcb->cwnd = max_u32(tcb->cwnd / 2, min_u32(tcb->cwnd, initial_window(tcp, tcb)));
}

/* RFC7661-1: no growth; the non-validated phase, less than half of it used, has an end. */
static void not_used(const struct tcp *tcp, struct tcb *tcb, struct growth *g)
{
    if (!g->limited || g->max_flight >= tcb->cwnd / 2) {
        g->limited = 1;
        g->limited_ms = tcp->now_ms;
    } else if (tcp->now_ms - g->limited_ms >= NVP_MS) {
        g->limited_ms = tcp->now_ms;
        end_of_validity(tcp, tcb);
    }
}

/* MUST-19, RFC5681-3 */
void tcp_cwnd_grow(struct tcp *tcp, struct tcb *tcb, struct active *active, uint32_t delivered)
{
    const struct tcp_congestion *control = tcp_control(tcp, tcb);
    uint32_t min_rtt_us = tally_of(tcp, tcb)->min_rtt_us;
    if (control->hystart && min_rtt_us && tcb->cwnd < tcb->ssthresh) {
        tcp_hystart(tcp, tcb, active, min_rtt_us);
    }
    active->growth.rtt_us = 0;
    /* RFC3168-17; after a timeout an echo is of what was in flight before, and goes on until new
     * text can say CWR: it does not hold up what is sent again. */
    bool echo = active->ecn_echo && active->recovery != RECOVERY_RTO;
    if (echo) {
        return;
    }
    if (active->recovery == RECOVERY_RTO || window_was_used(tcb, &active->growth)) {
        control->on_ack(tcp, tcb, active, delivered);
        active->growth.limited = 0;
    } else {
        not_used(tcp, tcb, &active->growth);
    }
}

/* The time of a pause does not count for the control (RFC9438-4); the round trip behind it does,
 * and where one ACK acknowledges all of a flight, there is no pause.  RFC5681-29: the restart
 * window at once after an RTO; switched off, RFC 7661's halving each five minutes. */
void tcp_cwnd_idle(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (flight_of(tcb) || tcb->last_snd_ms == 0) {
        return;
    }
    if (active && !active->growth.limited && active->growth.stage.t_epoch_ms) {
        struct growth *g = &active->growth; /* else on_ack does, with all since grown_ms */
        g->stage.t_epoch_ms = ms_after(g->stage.t_epoch_ms, tcp->now_ms - g->grown_ms);
        g->grown_ms = tcp->now_ms;
    }
    uint32_t pause_ms = tcp->now_ms - tcb->last_snd_ms;
    if (!tcp->b->policy.slow_start_after_idle) {
        for (uint32_t n = pause_ms / NVP_MS; n != 0 && tcb->cwnd > initial_window(tcp, tcb); n--) {
            end_of_validity(tcp, tcb);
        }
    } else if (pause_ms > tcp_rto_ms(tcp, tcb)) {
        tcb->ssthresh = max_u32(tcb->ssthresh, tcb->cwnd / 4 * 3);
        tcb->cwnd = restart_window(tcp, tcb);
    }
}
