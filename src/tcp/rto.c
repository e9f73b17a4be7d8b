/* rto.c - RFC 6298: the retransmission timeout, from what a round trip takes.
 *
 *     RTO = SRTT + max(4 * RTTVAR, rto_min), at most rto_max, doubled after each timeout
 *
 * The floor lies under the variance instead of under the sum, and is 200 ms instead of the second
 * of section 2.4 (a SHOULD): what deployed stacks do.
 */
#include "tcp/recovery.h"

enum { AFTER_LOST_SYN_MS = 3000, BACKOFF_MAX = 16 };

/* MUST-18, RFC6298-3, RFC6298-4, RFC6298-5, RFC8961-1 */
void tcp_rtt_sample(struct tcp *tcp, struct tcb *tcb, uint32_t rtt_us)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t r = max_u32(rtt_us, 1);
    if (tcb->srtt_us == 0) { /* 2.2: the first measurement */
        tcb->srtt_us = r;
        tcb->rttvar_us = r / 2;
    } else { /* 2.3: alpha 1/8, beta 1/4 */
        uint32_t error = tcb->srtt_us > r ? tcb->srtt_us - r : r - tcb->srtt_us;
        tcb->rttvar_us = (uint32_t)((3 * (uint64_t)tcb->rttvar_us + error) / 4);
        tcb->srtt_us = (uint32_t)max_u64((7 * (uint64_t)tcb->srtt_us + r) / 8, 1);
    }
    if (active) {
        active->growth.rtt_us = r;
        active->backoff = 0; /* 5.7: computed anew */
    }
    tcb->modes &= ~(uint32_t)M_PROBED; /* RFC 8985 7.3 */
}

/* 2.1: before a measurement; 5.7: three seconds once data starts, when the SYN's timer had fired:
 * after the three-way handshake, not with a CLOSE in SYN-RECEIVED.  RFC6298-2, RFC6298-19 */
static uint64_t unmeasured_ms(const struct tcp *tcp, const struct tcb *tcb)
{
    uint32_t rto_ms = tcp->b->policy.rto_initial_ms;
    bool lost_syn =
        (tcb->flags & F_SYN_RESENT) && tcp_synchronized(tcb) && !tcp_syn_is_out(tcp, tcb);
    return lost_syn ? max_u32(rto_ms, AFTER_LOST_SYN_MS) : rto_ms;
}

/* RFC6298-1, RFC6298-6, RFC6298-7, RFC6298-8, RFC6298-11 */
uint32_t tcp_rto_ms(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct hf_policy *policy = &tcp->b->policy;
    const struct active *active = active_of(tcp, tcb);
    uint64_t rto_ms;
    if (tcb->srtt_us) {
        uint64_t spread_us =
            max_u64(4 * (uint64_t)tcb->rttvar_us, (uint64_t)policy->rto_min_ms * 1000);
        rto_ms = (tcb->srtt_us + spread_us + 999) / 1000;
    } else {
        rto_ms = unmeasured_ms(tcp, tcb);
    }
    /* MUST-19, RFC6298-17, RFC6298-20 */
    rto_ms <<= active ? min_u32(active->backoff, BACKOFF_MAX) : 0;
    return (uint32_t)max_u64(min_u64(rto_ms, policy->rto_max_ms), 1);
}

static bool in_flight(const struct tcb *tcb)
{
    return !seq_eq(tcb->snd.una, tcb->snd.nxt);
}

/* 5.1; a timer that runs is let run.  With nothing in flight it is off (5.2), unless it counts for
 * a zero-window probe.  RFC6298-13 */
void tcp_rto_start(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active && (active->rto_at_ms == 0 || !in_flight(tcb))) {
        tcp_rto_restart(tcp, tcb);
    }
}

/* 5.3; RFC6298-14, RFC6298-15 */
void tcp_rto_restart(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || (!in_flight(tcb) && active->persist)) {
        return;
    }
    /* RFC 3168 6.1.2: new text waits; but for one whose place a probe's timer has taken, it is the
     * wait that runs. */
    bool waits = active->ecn_waits && !(tcb->flags & F_FIN_SENT) && !in_flight(tcb);
    if (waits && active->timer == TIMER_RTO && active->rto_at_ms != 0) {
        return;
    }
    active->timer = TIMER_RTO;
    active->rto_from_ms = tcp->now_ms;
    active->rto_at_ms = in_flight(tcb) || waits ? ms_after(tcp->now_ms, tcp_rto_ms(tcp, tcb)) : 0;
}

/* The same, and where another timer has its place, once that is over (tcp_rto_resume). */
void tcp_rto_anew(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active->timer == TIMER_RTO) {
        tcp_rto_restart(tcp, tcb);
    } else {
        active->rto_from_ms = tcp->now_ms;
    }
}

uint32_t tcp_rto_left_ms(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t passed_ms = tcp->now_ms - active->rto_from_ms;
    uint32_t rto_ms = tcp_rto_ms(tcp, tcb);
    return rto_ms > passed_ms ? rto_ms - passed_ms : 1;
}

/* The timer that had taken its place is over: it goes on as if it had run all the time. */
void tcp_rto_resume(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    active->timer = TIMER_RTO;
    active->rto_at_ms = in_flight(tcb) ? ms_after(tcp->now_ms, tcp_rto_left_ms(tcp, tcb)) : 0;
}

/* Timers and measurements after new text or a FIN. */
void tcp_text_was_sent(struct tcp *tcp, struct tcb *tcb, uint32_t text)
{
    struct active *active = active_of(tcp, tcb);
    tcp_begins_to_wait(tcp, tcb);
    if (active->persist) {
        active->persist = 0;
        active->rto_at_ms = 0;
    }
    if (active->ecn_waits) { /* a FIN alone: nothing waits any more (RFC 3168 6.1.2) */
        active->ecn_waits = 0;
        bool more_out = seq_len(tcb->snd.una, tcb->snd.nxt) > 1;
        active->rto_at_ms = more_out ? active->rto_at_ms : 0; /* RFC 6298 5.1: none runs yet */
    }
    if (text) {
        tcb->last_snd_ms = ms_after(tcp->now_ms, 0);
    }
    tcp_prr_sent(active, text);
    tcp_rto_start(tcp, tcb);
    if (active->probe == PROBE_NEW) {
        tcp_tlp_sent(tcb, active);
    } else if (active->timer != TIMER_RACK) {
        tcp_tlp_arm(tcp, tcb);
    }
}
