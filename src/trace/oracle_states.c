/* oracle_states.c - RFC 9293 section 3.3.2, Figure 5: which event may change which state; user
 * calls (3.10.1-6) and timers (3.10.8).
 *
 * Each transition of Figure 5 stands here with the events that cause it.  What ends a connection -
 * a reset, ABORT, a timer that gives up - leads to CLOSED from anywhere, as the text of 3.10 has
 * it.
 */
#include "trace/oracle.h"

/* Where an event may lead: bits of enum hf_state. */
#define TO(state) (1u << (state))

/* 3.10.7: a segment arrives.  LISTEN: of the listener, and of a SYN that is held. */
static const uint16_t by_segment[HF_STATES] = {
    [HF_LISTEN] = TO(HF_SYN_RECEIVED) | TO(HF_ESTABLISHED) | TO(HF_CLOSE_WAIT) | TO(HF_CLOSED),
    [HF_SYN_SENT] = TO(HF_SYN_RECEIVED) | TO(HF_ESTABLISHED) | TO(HF_CLOSE_WAIT) | TO(HF_CLOSED),
    [HF_SYN_RECEIVED] = TO(HF_ESTABLISHED) | TO(HF_CLOSE_WAIT) | TO(HF_LISTEN) | TO(HF_CLOSED) |
                        TO(HF_FIN_WAIT_1) | TO(HF_CLOSING),
    [HF_ESTABLISHED] = TO(HF_CLOSE_WAIT) | TO(HF_CLOSED),
    [HF_FIN_WAIT_1] = TO(HF_FIN_WAIT_2) | TO(HF_CLOSING) | TO(HF_TIME_WAIT) | TO(HF_CLOSED),
    [HF_FIN_WAIT_2] = TO(HF_TIME_WAIT) | TO(HF_CLOSED),
    [HF_CLOSE_WAIT] = TO(HF_CLOSED),
    [HF_CLOSING] = TO(HF_TIME_WAIT) | TO(HF_CLOSED),
    [HF_LAST_ACK] = TO(HF_CLOSED),
    [HF_TIME_WAIT] = TO(HF_SYN_RECEIVED) | TO(HF_CLOSED),
};

/* 3.10.4 CLOSE; RELEASE closes what is not closed, or resets it. */
static const uint16_t by_close[HF_STATES] = {
    [HF_LISTEN] = TO(HF_CLOSED),           [HF_SYN_SENT] = TO(HF_CLOSED),
    [HF_SYN_RECEIVED] = TO(HF_FIN_WAIT_1), [HF_ESTABLISHED] = TO(HF_FIN_WAIT_1),
    [HF_CLOSE_WAIT] = TO(HF_LAST_ACK),
};

/* The states in which a timer may fire, and those that it may end. */
static const struct {
    uint16_t in, ends;
} by_timer[HF_CAUSES] = {
#define OPENING (TO(HF_SYN_SENT) | TO(HF_SYN_RECEIVED))
#define SENDING                                                                                    \
    (TO(HF_ESTABLISHED) | TO(HF_FIN_WAIT_1) | TO(HF_CLOSE_WAIT) | TO(HF_CLOSING) | TO(HF_LAST_ACK))
#define ALL_BUT_WAITING (OPENING | SENDING | TO(HF_FIN_WAIT_2))
    [HF_TIMER_RTO] = {OPENING | SENDING, OPENING | SENDING},
    [HF_TIMER_PERSIST] = {SENDING, SENDING},
    [HF_TIMER_DELAYED_ACK] = {ALL_BUT_WAITING | TO(HF_TIME_WAIT), 0},
    [HF_TIMER_KEEPALIVE] = {ALL_BUT_WAITING, ALL_BUT_WAITING},
    [HF_TIMER_USER_TIMEOUT] = {ALL_BUT_WAITING, ALL_BUT_WAITING},
    [HF_TIMER_TIME_WAIT] = {TO(HF_TIME_WAIT), TO(HF_TIME_WAIT)},
    [HF_TIMER_FIN_WAIT_2] = {TO(HF_FIN_WAIT_2), TO(HF_FIN_WAIT_2)},
    [HF_TIMER_SYN_ACK] = {TO(HF_SYN_RECEIVED) | TO(HF_LISTEN), TO(HF_SYN_RECEIVED) | TO(HF_LISTEN)},
    [HF_TIMER_NEIGHBOUR] = {TO(HF_SYN_SENT), TO(HF_SYN_SENT)},
    [HF_TIMER_LINGER] = {ALL_BUT_WAITING, ALL_BUT_WAITING},
    [HF_TIMER_RACK] = {SENDING, 0},
    [HF_TIMER_TLP] = {SENDING, 0},
};

static uint32_t by_call(const struct hf_trace *r)
{
    switch (r->cause) {
    case HF_CALL_OPEN_ACTIVE:
        return r->state_before == HF_CLOSED ? TO(HF_SYN_SENT) : 0;
    case HF_CALL_CLOSE:
        return by_close[r->state_before];
    case HF_CALL_RELEASE: /* MUST-13: TIME-WAIT is waited out, whatever is left unread */
        return by_close[r->state_before] | (r->state_before != HF_TIME_WAIT ? TO(HF_CLOSED) : 0);
    case HF_CALL_ABORT:
        return TO(HF_CLOSED);
    case HF_CALL_ANSWER:
        return r->state_before == HF_LISTEN ? TO(HF_SYN_RECEIVED) | TO(HF_CLOSED) : 0;
    default:
        return 0;
    }
}

/* What ends a connection without a segment, call or timer of its own: an ICMP error (SYN-SENT as
 * deployed, any other by choice), the end of its listener, a newer connection (3.6.1 MAY-2), also
 * where a SYN cookie for the same SYN is answered first. */
static bool may_end(const struct hf_trace *r)
{
    bool passive = r->state_before == HF_LISTEN || r->state_before >= HF_SYN_RECEIVED;
    switch (r->cause) {
    case HF_CAUSE_ICMP:
        return r->state_after == HF_CLOSED && r->state_before >= HF_SYN_SENT &&
               r->state_before != HF_TIME_WAIT;
    case HF_CAUSE_LISTENER_CLOSED:
        return r->state_after == HF_CLOSED && passive;
    case HF_CAUSE_REPLACED:
        return r->state_after == HF_CLOSED &&
               (r->state_before == HF_TIME_WAIT || r->state_before == HF_SYN_RECEIVED);
    default:
        return false;
    }
}

/* May the record's event lead where it says? */
static bool is_drawn(const struct hf_trace *r)
{
    uint32_t to = TO(r->state_after);
    if (r->state_before == r->state_after) {
        return true;
    }
    switch (r->kind) {
    case HF_TRACE_IN:
        return by_segment[r->state_before] & to;
    case HF_TRACE_OUT: /* 3.10.4: CLOSE waits until all text is segmentized */
        return r->state_before == HF_CLOSE_WAIT && r->state_after == HF_LAST_ACK &&
               (r->ctl & HF_FIN);
    case HF_TRACE_CALL:
        return by_call(r) & to;
    case HF_TRACE_END:
        return may_end(r);
    case HF_TRACE_WAIT:
        return false;
    default:
        return r->state_after == HF_CLOSED && (by_timer[r->cause].ends & TO(r->state_before));
    }
}

/* A connection goes on from where it was: each end is told. */
void oracle_judge_state(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    if (!is_drawn(r)) {
        oracle_broken(j, HF_RULE_TRANSITION, "%s -> %s", hf_state_name(r->state_before),
                      hf_state_name(r->state_after));
    }
    bool gone = r->state_before == HF_CLOSED || r->state_before == HF_LISTEN;
    bool unknown = w->state == HF_CLOSED && w->begun_ns == 0;
    bool answer = r->kind == HF_TRACE_OUT && !has_numbers(r);
    if (w->state == r->state_before || unknown || answer || (w->state == HF_CLOSED && gone)) {
        return;
    }
    oracle_broken(j, HF_RULE_CONTINUITY, "it was %s, not %s", hf_state_name(w->state),
                  hf_state_name(r->state_before));
}

/* Calls ---------------------------------------------------------------------------------------- */

/* 3.10.5: a reset where the peer could still be sending. */
static bool resets_peer(uint8_t state)
{
    return state >= HF_SYN_RECEIVED && state <= HF_CLOSE_WAIT;
}

static void judge_send(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    uint32_t may = OPENING | TO(HF_ESTABLISHED) | TO(HF_CLOSE_WAIT);
    if (!(may & TO(r->state_before)) || (m->facts & CLOSE_CALLED)) {
        oracle_broken(j, HF_RULE_CALL, "SEND of %u octets in %s", r->text_bytes,
                      hf_state_name(r->state_before));
    }
    m->facts |= MAY_MARK;
    if ((m->facts & KNOWS_NUMBERS) && r->queued_bytes != m->queued + r->text_bytes) {
        oracle_broken(j, HF_RULE_STREAM, "%u octets queued, %u before, SEND took %u",
                      r->queued_bytes, m->queued, r->text_bytes);
    }
}

static void judge_receive(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    if ((m->facts & KNOWS_NUMBERS) && r->unread_bytes != m->unread - r->text_bytes) {
        oracle_broken(j, HF_RULE_STREAM, "%u octets unread, %u before, RECEIVE took %u",
                      r->unread_bytes, m->unread, r->text_bytes);
    }
}

/* CLOSE, ABORT, RELEASE. */
static void judge_end(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool aborts = r->cause != HF_CALL_CLOSE && r->state_after == HF_CLOSED;
    if (r->cause == HF_CALL_ABORT && r->error == HF_OK && r->state_after != HF_CLOSED) {
        oracle_broken(j, HF_RULE_CALL, "ABORT leaves it %s", hf_state_name(r->state_after));
    }
    bool queued = r->cause == HF_CALL_CLOSE && (m->facts & KNOWS_NUMBERS) && m->queued != 0;
    /* SYN-SENT: "delete the TCB", whatever is queued; LISTEN: what is known is another one's. */
    bool stays = r->state_before != HF_ESTABLISHED && r->state_before > HF_SYN_SENT;
    if (queued && stays && r->state_after != r->state_before) {
        oracle_broken(j, HF_RULE_CALL, "CLOSE with %u octets queued: %s", m->queued,
                      hf_state_name(r->state_after)); /* 3.10.4: once they are segmentized */
    }
    if (aborts && resets_peer(r->state_before) && (m->facts & KNOWS_NUMBERS)) {
        oracle_expect_own_reset(j);
    }
    if (r->error == HF_OK && !aborts) {
        m->facts |= CLOSE_CALLED | (r->cause == HF_CALL_RELEASE ? RELEASED : 0);
    }
}

/* What has nothing to do with the peer moves neither SND.UNA nor RCV.NXT. */
static void judge_numbers(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool open = r->state_before > HF_LISTEN; /* else the variables are another connection's */
    if (open && has_numbers(r) && (m->facts & KNOWS_NUMBERS) && r->state_after != HF_CLOSED &&
        (r->rcv_nxt != m->rcv_nxt || r->snd_una != m->una)) {
        oracle_broken(j, HF_RULE_CALL, "%s: SND.UNA %u -> %u, RCV.NXT %u -> %u",
                      hf_cause_name(r->cause), m->una, r->snd_una, m->rcv_nxt, r->rcv_nxt);
    }
}

void oracle_judge_call(struct judging *j)
{
    const struct hf_trace *r = j->r;
    switch (r->cause) {
    case HF_CALL_SEND:
        judge_send(j);
        break;
    case HF_CALL_RECEIVE:
        judge_receive(j);
        break;
    case HF_CALL_CLOSE:
    case HF_CALL_ABORT:
    case HF_CALL_RELEASE:
        judge_end(j);
        j->w->wait_last_ns = r->time_ns; /* TIME-WAIT: behind all that wait */
        break;
    case HF_CALL_ANSWER:
        if (r->state_after == HF_CLOSED) { /* a reset, or an ICMP error, or nothing */
            oracle_expect_reset(j, 0, r->rcv_nxt, true);
            j->w->resets_lost = 1;
        }
        break;
    case HF_CALL_OPEN_ACTIVE:
    case HF_CALL_OPEN_PASSIVE:
        break;
    default:
        oracle_broken(j, HF_RULE_CALL, "%s is no call", hf_cause_name(r->cause));
        break;
    }
    judge_numbers(j);
}

/* The ACK and the reset that are due have no time until something has left. */
void oracle_judge_wait(struct judging *j)
{
    j->w->waits = 1;
    judge_numbers(j);
}

/* Ends ------------------------------------------------------------------------------------------
 */

void oracle_judge_ended(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    bool soft = r->state_before != HF_SYN_SENT && !j->oracle->policy.icmp_hard_abort;
    if (r->cause == HF_CAUSE_ICMP && soft) {
        oracle_broken(j, HF_RULE_TRANSITION, "an ICMP error ends it in %s",
                      hf_state_name(r->state_before)); /* MUST-56, RFC 5927 5.2 */
    }
    if (r->cause == HF_CAUSE_LISTENER_CLOSED) {
        if (w->begun_ns != 0 && j->oracle->listener_closed_ns < w->begun_ns) {
            oracle_broken(j, HF_RULE_TRANSITION, "no listener was closed");
        }
        bool full = r->handle != 0; /* else a small record, which is forgotten */
        if (full && resets_peer(r->state_before) && (w->m.facts & KNOWS_NUMBERS)) {
            oracle_expect_own_reset(j);
        }
    }
}

/* Timers --------------------------------------------------------------------------------------- */

/* Released, and the window has shrunk below what is in flight: policy counts as for its probes. */
static bool stays_closed(const struct judging *j)
{
    return !j->r->handle && j->w->m.wnd == 0 && j->oracle->policy.orphan_probes != 0;
}

/* RFC 6298 5.1-5.6: not before its time, and each time doubled. */
static void judge_retransmission(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    const struct hf_policy *policy = &j->oracle->policy;
    if (!(m->facts & KNOWS_START) || m->rto_ms == 0 || m->una == m->nxt) {
        return;
    }
    int64_t waited_ms = (r->time_ns - m->flight_ns) / MS;
    if (waited_ms + LATE_MS < m->rto_ms) {
        oracle_broken(j, HF_RULE_RTO_EARLY, "after %lld ms, RTO is %u ms", (long long)waited_ms,
                      m->rto_ms);
    }
    uint64_t doubled = 2 * (uint64_t)m->rto_ms;
    uint64_t least = doubled < policy->rto_max_ms ? doubled : policy->rto_max_ms;
    if (r->state_after != HF_CLOSED && r->rto_ms < least) {
        oracle_broken(j, HF_RULE_BACK_OFF, "RTO %u ms after %u ms", r->rto_ms, m->rto_ms);
    }
    bool data = r->state_before >= HF_ESTABLISHED && m->una != m->iss;
    uint32_t retries = r->handle ? policy->data_retries : policy->orphan_retries;
    if (stays_closed(j) && policy->orphan_probes < retries) {
        retries = policy->orphan_probes;
    }
    bool unwanted = r->verdict == HF_V_ORPHAN_RESET; /* there are too many of them */
    if (r->state_after == HF_CLOSED && data && m->timeouts < retries && !unwanted) {
        oracle_broken(j, HF_RULE_GIVES_UP, "after %u timeouts", m->timeouts);
    }
}

static void note_timer(struct judging *j)
{
    struct model *m = &j->w->m;
    switch (j->r->cause) {
    case HF_TIMER_RTO:
    case HF_TIMER_SYN_ACK:
        m->may_syn = 1;
        m->timeouts++;
        m->flight_ns = j->r->time_ns;
        m->facts |= UNTIDY | MAY_REPEAT;
        break;
    case HF_TIMER_PERSIST:
    case HF_TIMER_KEEPALIVE:
        m->timeouts++;
        m->facts |= MAY_PROBE;
        break;
    case HF_TIMER_RACK:
    case HF_TIMER_TLP:
        m->facts |= UNTIDY | MAY_REPEAT;
        break;
    default:
        break;
    }
    bool resets = j->r->cause == HF_TIMER_KEEPALIVE || j->r->cause == HF_TIMER_LINGER ||
                  j->r->cause == HF_TIMER_PERSIST || j->r->verdict == HF_V_ORPHAN_RESET ||
                  (j->r->cause == HF_TIMER_RTO && stays_closed(j));
    if (resets && j->r->state_after == HF_CLOSED) {
        m->facts |= MAY_RESET; /* none for the user timeout and R2: 3.10.8 asks for none */
    }
}

void oracle_judge_timer(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    if (!(by_timer[r->cause].in & TO(r->state_before))) {
        oracle_broken(j, HF_RULE_TIMER, "%s in %s", hf_cause_name(r->cause),
                      hf_state_name(r->state_before));
    }
    bool in_time = r->verdict != HF_V_TIME_WAIT_RECYCLED; /* want of records, and PAWS instead */
    if (r->cause == HF_TIMER_TIME_WAIT && w->state == HF_TIME_WAIT && in_time) {
        int64_t waited_ms = (r->time_ns - w->wait_ns) / MS;
        int64_t two_msl_ms = 2 * (int64_t)j->oracle->policy.msl_ms;
        if (waited_ms + LATE_MS < two_msl_ms ||
            r->time_ns - w->wait_last_ns > (two_msl_ms + 1000) * MS + j->oracle->late_ns) {
            oracle_broken(j, HF_RULE_TWO_MSL, "it ends after %lld ms", (long long)waited_ms);
        }
    }
    if (r->cause == HF_TIMER_RTO) {
        judge_retransmission(j);
    }
    note_timer(j);
}
