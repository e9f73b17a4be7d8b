/* timeouts.c - RFC 9293 section 3.10.8: user timeout, retransmission timeout, TIME-WAIT timeout;
 * window probes (3.8.6.1) and delayed ACKs (3.8.6.3).
 *
 * A connection has one place in the wheel, at the earliest of its deadlines.  It is moved only when
 * a deadline comes before it; when it fires early, nothing is due and it is filed anew.  However
 * many are due at once, a call serves a bounded number, so that input and output get their turn.
 */
#include "tcp/recovery.h"
#include "tcp/stats.h"

enum { FIRE_MOST = 4096 };

/* When the user's patience ends, 0: never. : none unless it is set */
static uint32_t user_timeout_at(const struct tcp *tcp, const struct tcb *tcb,
                                const struct active *active)
{
    uint32_t timeout_ms = tcb->extra ? tcp_extra(tcp, tcb->extra)->user_timeout_ms : 0;
    if (timeout_ms == 0 || active == NULL || active->unacked_since_ms == 0 ||
        tcb->state == HF_TIME_WAIT) {
        return 0;
    }
    uint32_t waited_ms = tcp->now_ms - active->unacked_since_ms; /* too long: it ends at once */
    return ms_after(tcp->now_ms, timeout_ms - min_u32(waited_ms, timeout_ms));
}

/* Nothing is out, the peer's window is open: what waits, waits for this side alone - for its time
 * (pacing), for more of it (HF_CORK, HF_SEND_MORE), for a mark's answer (RFC 3168 6.1.2). */
static bool held_here(const struct tcp *tcp, const struct tcb *tcb, const struct active *active)
{
    if (tcb->snd.wnd == 0) {
        return false;
    }
    bool goes = tcb->owes & (HF_OWES_DATA | HF_OWES_FIN); /* as soon as there is a way */
    return active->pace_at_ms ||
           (!goes && (active->persist || active->ecn_waits) && tcp_new_text_fits(tcp, tcb));
}

/* RFC 5482 2: the user timeout is of what was sent, and of what the peer's window keeps back (RFC
 * 9293 3.9.1.1): it stands still for what nobody was asked to acknowledge. */
static void follow_patience(struct tcp *tcp, struct tcb *tcb)
{
    struct active *active = active_of(tcp, tcb);
    if (active == NULL || !tcp_synchronized(tcb) || !seq_eq(tcb->snd.una, tcb->snd.nxt)) {
        return;
    }
    bool waits = active->sq_bytes || (tcb->flags & (F_CLOSE | F_FIN_SENT)) == F_CLOSE;
    if (waits && held_here(tcp, tcb, active)) {
        active->unacked_since_ms = 0;
    } else if (waits) {
        tcp_begins_to_wait(tcp, tcb);
    }
}

static uint32_t earliest(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t at_ms = tcb->long_at_ms;
    if (active) {
        at_ms = ms_earlier(at_ms, active->rto_at_ms);
        at_ms = ms_earlier(at_ms, active->delack_at_ms);
        at_ms = ms_earlier(at_ms, active->pace_at_ms);
        at_ms = ms_earlier(at_ms, user_timeout_at(tcp, tcb, active));
    }
    return at_ms;
}

/* 0: nothing is due ever. */
HF_APART static void file(struct tcp *tcp, const struct tcb *tcb, uint32_t at_ms)
{
    uint32_t idx = tcb_index(tcp, tcb);
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, wheel));
    if (at_ms == 0) {
        wheel_clear(&tcp->b->wheel, &links, idx);
    } else {
        wheel_set(&tcp->b->wheel, &links, idx, at_ms);
    }
}

void tcp_rearm(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_COMPACT) {
        return;
    }
    follow_patience(tcp, tcb);
    uint32_t at_ms = earliest(tcp, tcb);
    bool filed = tcb->wheel.prev != 0;
    if (at_ms == 0 ? !filed : filed && (int32_t)(at_ms - tcb->wheel.at_ms) >= 0) {
        return; /* as it should be, or it will fire early */
    }
    file(tcp, tcb, at_ms);
}

void tcp_settle(struct tcp *tcp, struct tcb *tcb)
{
    if (tcb->flags & F_COMPACT) {
        return;
    }
    if (tcb->state == HF_TIME_WAIT && (tcb->flags & F_RELEASED) && tcb->owes == 0) {
        tcp_detach_if_idle(tcp, tcb);
        if (tcb->active == 0 && tcp_compact_time_wait(tcp, tcb)) {
            return;
        }
    }
    tcp_detach_if_idle(tcp, tcb);
    tcp_rearm(tcp, tcb);
}

static void timed_out(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    tcp_finish(tcp, tcb, HF_ERR_TIMED_OUT, cause, HF_V_ACCEPTED);
}

/* R2 (SHLD-11): a number of retransmissions, fewer for a connection that no application holds any
 * more; where the user has set a time, that decides alone (MUST-21).  MUST-20 */
static bool gives_up(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct hf_policy *policy = &tcp->b->policy;
    if (tcp_extra(tcp, tcb->extra)->user_timeout_ms) {
        return false;
    }
    return tcb->retries >=
           (tcb->flags & F_RELEASED ? policy->orphan_retries : policy->data_retries);
}

/* R1 (MUST-20, SHLD-9, SHLD-10): the application is told once, and IP, that the way may be bad. */
static void count_retry(struct tcp *tcp, struct tcb *tcb)
{
    tcb->retries += tcb->retries < UINT8_MAX ? 1 : 0;
    if (tcb->retries == tcp->b->policy.warn_retries) {
        tcp_event(tcp, tcb, HF_TROUBLE);
        tcb->modes |= M_DOUBT;
    }
}

/* The SYN or SYN,ACK again, RFC 9293 3.8.3: attempts to open have a limit of their own (MUST-23).
 */
static void syn_timeout(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    const struct hf_policy *policy = &tcp->b->policy;
    bool passive = tcb->flags & F_PASSIVE;
    uint32_t own = tcp_extra(tcp, tcb->extra)->syn_retries;
    uint32_t syns = own ? own : policy->syn_retries;
    /* MUST-22, MUST-23 */
    if (tcb->retries >= (passive ? policy->synack_retries : syns)) {
        tcp_fast_open_gave_up(tcp, tcb);
        timed_out(tcp, tcb, passive ? HF_TIMER_SYN_ACK : HF_TIMER_RTO);
        return;
    }
    count_retry(tcp, tcb);
    tcp_count_timeout(tcp, tcb);
    tcb->modes |= tcb->flags & F_SYN_RESENT ? M_SYN_LOST : 0;
    tcb->flags |= F_SYN_RESENT;
    active->backoff++;
    active->rtt_timed = 0;
    tcp_owe(tcp, tcb, HF_OWES_SYN);
    tcp_rto_restart(tcp, tcb);
}

/* RFC 6429 4: a peer that answers and keeps its window closed keeps the connection, but not for
 * ever one that no application holds any more: that is this host's memory.  It is the same whether
 * what asks is a probe, or text that was sent before the window shrank.  True: it has been reset.
 * RFC6429-1, RFC6429-2 */
static bool orphan_waits_too_long(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    struct active *active = active_of(tcp, tcb);
    uint32_t most = min_u32(tcp->b->policy.orphan_probes, UINT16_MAX);
    if (tcb->snd.wnd != 0) {
        return false;
    }
    if ((tcb->flags & F_RELEASED) && most && active->stalled >= most) {
        tcp_reply_abort(tcp, tcb);
        timed_out(tcp, tcb, cause);
        return true;
    }
    active->stalled += active->stalled < UINT16_MAX ? 1 : 0;
    return false;
}

/* 3.8.6.1: the window is still closed, or so small that nothing was worth sending; or what was
 * worth it has no way out. */
static void persist_timeout(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    if (orphan_waits_too_long(tcp, tcb, HF_TIMER_PERSIST)) {
        return;
    }
    if (tcb->snd.wnd > 0 && !tcp_waits_for_a_way(tcb)) { /* the override timer of 3.8.6.2.1 (4) */
        active->persist = 0;
        active->rto_at_ms = 0;
        active->push_now = 1;
        active->no_push = 0;
        tcb->flags &= ~(uint32_t)F_MORE;
        tcp_rto_restart(tcp, tcb); /* a probe's octet may be outstanding */
        tcp_consider_sending(tcp, tcb);
        return;
    }
    if (gives_up(tcp, tcb)) {
        timed_out(tcp, tcb, HF_TIMER_PERSIST);
        return;
    }
    count_retry(tcp, tcb);
    uint32_t doubled = min_u32(active->persist, PROBE_DOUBLINGS);
    active->persist += active->persist < UINT16_MAX ? 1 : 0;
    /* SHLD-30 */
    uint64_t wait_ms = (uint64_t)tcp_rto_ms(tcp, tcb) << doubled;
    active->rto_at_ms =
        ms_after(tcp->now_ms, (uint32_t)min_u64(wait_ms, tcp->b->policy.rto_max_ms));
    if (tcb->snd.wnd == 0) {
        tcp_owe(tcp, tcb, OWES_PROBE);
    }
}

/* RFC 3168 6.1.2: what waited for the timer may go.  True: nothing was to be sent again. */
static bool end_of_ecn_wait(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    bool waited = active->ecn_waits && seq_eq(tcb->snd.una, tcb->snd.nxt);
    active->ecn_waits = 0;
    if (waited) {
        active->rto_at_ms = 0;
        tcp_consider_sending(tcp, tcb);
    }
    return waited;
}

/* RETRANSMISSION TIMEOUT; RFC 6298 5.4 - 5.7.  RFC6298-16, RFC6298-17, RFC6298-18 */
static void retransmission_timeout(struct tcp *tcp, struct tcb *tcb, struct active *active)
{
    if (end_of_ecn_wait(tcp, tcb, active)) {
        return;
    }
    if (tcp_syn_is_out(tcp, tcb)) {
        syn_timeout(tcp, tcb, active);
        return;
    }
    if (gives_up(tcp, tcb)) {
        timed_out(tcp, tcb, HF_TIMER_RTO);
        return;
    }
    if (orphan_waits_too_long(tcp, tcb, HF_TIMER_RTO)) {
        return;
    }
    count_retry(tcp, tcb);
    tcp_count_timeout(tcp, tcb);
    active->backoff += active->backoff < UINT8_MAX ? 1 : 0;
    tcp_pmtu_on_rto(tcp, tcb);
    tcp_recovery_on_rto(tcp, tcb);
    tcp_owe(tcp, tcb, HF_OWES_REPEAT);
    tcp_rto_restart(tcp, tcb);
}

/* What long_at_ms counts for. */
static enum hf_cause long_cause(const struct tcb *tcb)
{
    if (tcb->state == HF_TIME_WAIT) {
        return HF_TIMER_TIME_WAIT;
    }
    if (tcb->flags & F_HELD) {
        return HF_TIMER_SYN_ACK;
    }
    if (!(tcb->flags & F_RELEASED)) {
        return HF_TIMER_KEEPALIVE;
    }
    return tcb->state == HF_FIN_WAIT_2 ? HF_TIMER_FIN_WAIT_2 : HF_TIMER_LINGER;
}

/* What ends a state that waits for nothing but time, or asks an idle peer. */
static void long_timeout(struct tcp *tcp, struct tcb *tcb)
{
    switch (long_cause(tcb)) {
    case HF_TIMER_TIME_WAIT:
        tcp_finish(tcp, tcb, HF_OK, HF_TIMER_TIME_WAIT, HF_V_ACCEPTED);
        break;
    case HF_TIMER_KEEPALIVE:
        tcp_keepalive_timeout(tcp, tcb);
        break;
    case HF_TIMER_LINGER:
        tcp_reply_abort(tcp, tcb);
        timed_out(tcp, tcb, HF_TIMER_LINGER);
        break;
    default:
        timed_out(tcp, tcb, long_cause(tcb));
        break;
    }
}

/* The most urgent deadline of the tcb that is due; HF_CAUSE_NONE: none. */
static enum hf_cause due(const struct tcp *tcp, const struct tcb *tcb)
{
    const struct active *active = active_of(tcp, tcb);
    uint32_t now_ms = tcp->now_ms;
    if (active && ms_due(user_timeout_at(tcp, tcb, active), now_ms)) {
        return HF_TIMER_USER_TIMEOUT;
    }
    if (active && ms_due(active->rto_at_ms, now_ms)) {
        static const uint8_t causes[] = {HF_TIMER_RTO, HF_TIMER_RACK, HF_TIMER_TLP};
        return active->persist ? HF_TIMER_PERSIST : causes[active->timer];
    }
    if (active && ms_due(active->delack_at_ms, now_ms)) {
        return HF_TIMER_DELAYED_ACK;
    }
    if (ms_due(tcb->long_at_ms, now_ms)) {
        return long_cause(tcb);
    }
    return HF_CAUSE_NONE;
}

static void fire(struct tcp *tcp, struct tcb *tcb, enum hf_cause cause)
{
    struct active *active = active_of(tcp, tcb);
    switch (cause) {
    case HF_TIMER_USER_TIMEOUT:
        timed_out(tcp, tcb, cause);
        break;
    case HF_TIMER_PERSIST:
        persist_timeout(tcp, tcb, active);
        break;
    case HF_TIMER_RTO:
        retransmission_timeout(tcp, tcb, active);
        break;
    case HF_TIMER_RACK:
        tcp_recovery_on_rack_timer(tcp, tcb);
        tcp_consider_sending(tcp, tcb);
        break;
    case HF_TIMER_TLP:
        tcp_tlp_timeout(tcp, tcb);
        break;
    case HF_TIMER_DELAYED_ACK:
        active->delack_at_ms = 0;
        tcp_owe_ack(tcp, tcb);
        break;
    default:
        long_timeout(tcp, tcb);
        break;
    }
}

static void expire(struct tcp *tcp, struct tcb *tcb)
{
    uint32_t generation = tcb->generation;
    struct active *active = active_of(tcp, tcb);
    /* Two that are no event of the connection's: not traced. */
    if (active && ms_due(active->pace_at_ms, tcp->now_ms)) {
        active->pace_at_ms = 0;
        tcp_consider_sending(tcp, tcb);
    }
    if (active && active->timer == TIMER_SYN && ms_due(active->rto_at_ms, tcp->now_ms)) {
        tcp_owe(tcp, tcb, HF_OWES_SYN); /* no answer is missing: neither a retry nor a back-off */
        tcp_rto_resume(tcp, tcb);
    }
    for (enum hf_cause cause = due(tcp, tcb); cause != HF_CAUSE_NONE; cause = due(tcp, tcb)) {
        tcp_trace_begin(tcp, tcb, HF_TRACE_TIMER, cause);
        bool goes = tcp_orphan_goes(tcp, tcb, cause);
        if (!goes) {
            fire(tcp, tcb, cause);
        }
        bool alive = tcb->generation == generation;
        tcp_trace_end(tcp, alive ? tcb : NULL, goes ? HF_V_ORPHAN_RESET : HF_V_ACCEPTED);
        if (!alive) {
            return;
        }
    }
    tcp_settle(tcp, tcb);
}

bool tcp_timeouts(struct tcp *tcp)
{
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, wheel));
    uint32_t budget = FIRE_MOST;
    for (; budget; budget--) {
        uint32_t idx = wheel_expired(&tcp->b->wheel, &links, tcp->now_ms);
        if (idx == 0) {
            break;
        }
        expire(tcp, tcb_at(tcp, idx));
    }
    tcp_half_open_timeouts(tcp, &budget);
    tcp_time_wait_timeouts(tcp, &budget);
    return budget == 0;
}

bool tcp_next_timeout(const struct tcp *tcp, uint32_t *at_ms)
{
    struct links links = pool_links(&tcp->b->tcbs, tcp->block, offsetof(struct tcb, wheel));
    uint32_t compact_ms = ms_earlier(tcp_half_open_next(tcp), tcp_time_wait_next(tcp));
    bool any = wheel_next(&tcp->b->wheel, &links, at_ms);
    if (compact_ms && (!any || (int32_t)(compact_ms - *at_ms) < 0)) {
        *at_ms = compact_ms;
        any = true;
    }
    return any;
}
