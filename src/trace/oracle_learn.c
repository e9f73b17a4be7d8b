/* oracle_learn.c - the model of a connection after a record: what the record says of it, and what
 * follows from the segment for what comes next.
 */
#include "trace/oracle.h"

enum { WINDOW_MOST = 1 << 30 }; /* RFC 7323 2.3 */

/* Text that may be held ------------------------------------------------------------------------ */

static void remove_held(struct model *m, uint32_t i)
{
    m->n_held--;
    memmove(m->held[i], m->held[i + 1], (m->n_held - i) * sizeof m->held[0]);
}

/* Ranges that meet become one; with too many, the two that lie closest: never less than there is.
 */
static void insert_held(struct model *m, uint32_t left, uint32_t right)
{
    for (uint32_t i = 0; i < m->n_held;) {
        if (ahead(left, m->held[i][1]) <= 0 && ahead(m->held[i][0], right) <= 0) {
            left = ahead(m->held[i][0], left) < 0 ? m->held[i][0] : left;
            right = ahead(m->held[i][1], right) > 0 ? m->held[i][1] : right;
            remove_held(m, i);
        } else {
            i++;
        }
    }
    if (m->n_held == HELD_MAX) {
        uint32_t closest = 0;
        for (uint32_t i = 1; i + 1 < m->n_held; i++) {
            uint32_t gap = m->held[i + 1][0] - m->held[i][1];
            if (gap < m->held[closest + 1][0] - m->held[closest][1]) {
                closest = i;
            }
        }
        m->held[closest][1] = m->held[closest + 1][1];
        remove_held(m, closest + 1);
        insert_held(m, left, right);
        return;
    }
    uint32_t at = 0;
    while (at < m->n_held && ahead(m->held[at][0], left) < 0) {
        at++;
    }
    memmove(m->held[at + 1], m->held[at], (m->n_held - at) * sizeof m->held[0]);
    m->held[at][0] = left;
    m->held[at][1] = right;
    m->n_held++;
}

uint32_t oracle_hold(struct model *m, uint32_t left, uint32_t right)
{
    if (right != left) {
        insert_held(m, left, right);
    }
    uint32_t end = m->rcv_nxt;
    while (m->n_held && ahead(m->held[0][0], end) <= 0) {
        end = ahead(m->held[0][1], end) > 0 ? m->held[0][1] : end;
        if (end == m->held[0][1] && m->n_held > 1 && ahead(m->held[1][0], end) <= 0) {
            remove_held(m, 0);
            continue;
        }
        break;
    }
    return end;
}

/* What lies below RCV.NXT is not ahead of it any more. */
static void trim_held(struct model *m)
{
    while (m->n_held && ahead(m->held[0][1], m->rcv_nxt) <= 0) {
        remove_held(m, 0);
    }
    if (m->n_held && ahead(m->held[0][0], m->rcv_nxt) < 0) {
        m->held[0][0] = m->rcv_nxt;
    }
    m->facts &= m->n_held ? ~0u : ~(uint32_t)HOLDS_LESS;
}

/* SYNs ------------------------------------------------------------------------------------------*/

static bool takes_syn(const struct hf_trace *r)
{
    switch (r->verdict) {
    case HF_V_HANDSHAKE:
    case HF_V_FAST_OPEN:
    case HF_V_TIME_WAIT_REUSED:
    case HF_V_SYN_HELD:
    case HF_V_COOKIE_SENT:
    case HF_V_SIMULTANEOUS_OPEN:
        return true;
    default:
        return r->state_before == HF_SYN_SENT && r->state_after >= HF_ESTABLISHED;
    }
}

void oracle_learn_syn(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct watched *w = j->w;
    struct model *m = &w->m;
    if (r->kind != HF_TRACE_IN || !(r->ctl & HF_SYN) || !takes_syn(r)) {
        return;
    }
    const struct peer_syn syn = {.seq = r->seq,
                                 .ts_val = r->ts_val,
                                 .wnd = r->wnd,
                                 .mss = r->mss,
                                 .ctl = r->ctl,
                                 .options = r->options,
                                 .scale = r->wscale < 14 ? r->wscale : 14,
                                 .seen = 1};
    w->held = syn;
    w->held.seen = r->verdict == HF_V_SYN_HELD;
    if (w->held.seen && w->state == HF_TIME_WAIT) { /* it stays as it is */
        return;
    }
    w->syn = syn;
    m->irs = r->seq;
    m->rcv_nxt = r->seq + 1;
    m->last_ack = r->seq + 1;
    m->ts_recent = r->ts_val;
    m->heard_ns = m->recent_ns = r->time_ns;
    m->facts |= KNOWS_RECENT;
    if (r->verdict == HF_V_COOKIE_SENT) {
        oracle_let_go(w, r->time_ns);
        m->facts |= COOKIE;
    }
    if (r->verdict == HF_V_SYN_HELD) { /* the application answers */
        return;
    }
    if (r->verdict != HF_V_SIMULTANEOUS_OPEN && r->state_before != HF_SYN_SENT) {
        m->may_syn++;
    } else {
        m->facts |= m->offered ? KNOWS_OPTIONS : 0;
        m->facts |= m->facts & SYN_TEXT ? MAY_REPEAT : 0; /* what was not taken goes again */
    }
}

/* The peer has promised as far as that: not less than before, where anything is known. */
static void raise_edge(struct model *m, bool known, uint32_t edge)
{
    if (!known || ahead(edge, m->snd_edge) > 0) {
        m->snd_edge = edge;
    }
}

/* Our own SYN: what it offers, and its number. */
static void learn_own_syn(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct watched *w = j->w;
    struct model *m = &w->m;
    bool answers = r->ctl & HF_ACK;
    bool knew = m->facts & KNOWS_NUMBERS;
    m->offered = r->options;
    m->our_scale =
        r->options & HF_OPT_WSCALE && (!answers || w->syn.options & HF_OPT_WSCALE) ? r->wscale : 0;
    m->our_ecn |= r->ctl & (HF_ECE | HF_CWR | HF_AE);
    m->full = r->mss; /* RFC 5681 4.2: RMSS */
    m->iss = r->seq;
    m->facts |= KNOWS_ISS;
    if (answers && w->syn.seen) {
        m->facts |= KNOWS_OPTIONS;
    }
    if (!has_numbers(r)) { /* a half-open record, which shows nothing more than this */
        m->una = r->seq;
        m->nxt = r->seq + 1;
        m->wnd = w->syn.wnd;
        m->wl1 = w->syn.seq;
        m->wl2 = r->seq;
        m->rcv_wnd = r->wnd;
        m->facts |= w->syn.seen && r->state_before == HF_SYN_RECEIVED ? KNOWS_NUMBERS : 0;
    }
    if (w->syn.seen) {
        raise_edge(m, knew, r->seq + 1 + w->syn.wnd);
        m->max_wnd = w->syn.wnd > m->max_wnd ? w->syn.wnd : m->max_wnd;
    }
}

static void learn_out(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->ctl & HF_RST) {
        return;
    }
    if (r->ctl & HF_SYN) {
        learn_own_syn(j);
    }
    if (r->options & HF_OPT_TS) {
        if (!(m->facts & KNOWS_STAMP)) {
            m->ts_first = r->ts_val;
        }
        m->ts_sent = r->ts_val;
        m->stamp_ns = r->time_ns;
        bool more = !has_numbers(r) && !(r->ctl & HF_SYN) && m->may_ack + m->may_challenge != 0;
        if ((r->ctl & HF_ACK) && !(m->facts & KNOWS_RECENT) && !more) { /* none waits behind it */
            m->ts_recent = r->ts_ecr;
            m->facts |= KNOWS_RECENT;
        }
        m->facts |= KNOWS_STAMP;
    }
    if (r->ctl & HF_ACK) {
        uint32_t edge = r->ack + r->wnd;
        if (!(m->facts & KNOWS_EDGE) || ahead(edge, m->rcv_edge) > 0) {
            m->rcv_edge = edge;
        }
        m->facts |= KNOWS_EDGE;
        m->last_ack = r->ack;
    }
    if (r->len && !(r->marks & HF_MARK_REPEAT)) {
        m->flight_ns = m->una == m->nxt || (r->ctl & HF_SYN) ? r->time_ns : m->flight_ns;
        if ((r->ctl & HF_FIN) && !(m->facts & FIN_SENT)) {
            m->our_fin = r->seq + r->len - 1;
            m->facts |= FIN_SENT;
        }
    }
}

/* Numbers -------------------------------------------------------------------------------------- */

static void learn_progress(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (!(m->facts & KNOWS_NUMBERS)) { /* the first: the SYN's ACK may have come, or more */
        m->acked = r->snd_una - r->iss;
        return;
    }
    uint32_t acked = r->snd_una - m->una;
    if (acked == 0) {
        return;
    }
    m->acked += acked;
    m->timeouts = 0;
    m->flight_ns = r->time_ns;
    if (r->snd_una == r->snd_nxt) {
        m->facts &= ~(uint32_t)(UNTIDY | MAY_REPEAT);
    }
}

/* One in TIME-WAIT that nobody holds keeps no initial numbers. */
static bool of_small_record(const struct hf_trace *r)
{
    return r->state_before == HF_TIME_WAIT && r->handle == 0;
}

static void learn_numbers(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    learn_progress(j);
    if (behind_fin(r->state_after)) {
        m->facts |= FIN_TAKEN;
    }
    if (!of_small_record(r) || !(m->facts & KNOWS_ISS)) {
        m->iss = r->iss;
        m->irs = r->irs;
    }
    m->una = r->snd_una;
    m->nxt = r->snd_nxt;
    m->wnd = r->snd_wnd;
    m->wl1 = r->snd_wl1;
    m->wl2 = r->snd_wl2;
    m->rcv_nxt = r->rcv_nxt;
    m->rcv_wnd = r->rcv_wnd;
    m->rto_ms = r->rto_ms;
    m->srtt_us = r->srtt_us;
    m->queued = r->queued_bytes;
    m->unread = r->unread_bytes;
    m->max_wnd = r->snd_wnd > m->max_wnd ? r->snd_wnd : m->max_wnd;
    raise_edge(m, m->facts & KNOWS_NUMBERS, text_una(m) + m->wnd);
    m->facts |= KNOWS_NUMBERS | KNOWS_ISS;
    trim_held(m);
}

void oracle_learn(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->kind == HF_TRACE_OUT) {
        learn_out(j);
    }
    if (has_numbers(r)) {
        learn_numbers(j);
        bool near = m->nxt - r->ack <= WINDOW_MOST; /* and not half of all numbers away */
        if (r->kind == HF_TRACE_IN && (r->ctl & HF_ACK) && near) {
            raise_edge(m, true, r->ack + r->wnd);
        }
    }
}
