/* oracle_answers.c - every ACK and reset has a cause, at most one for each segment, and is there in
 * time: RFC 9293 sections 3.5.2, 3.8.6.3, 3.10.7, RFC 5961 section 7.
 */
#include "trace/oracle.h"

/* Resets --------------------------------------------------------------------------------------- */

void oracle_expect_reset(struct judging *j, uint32_t seq, uint32_t ack, bool with_ack)
{
    struct watched *w = j->w;
    if (w->n_resets == RESETS_MAX) {
        w->resets_lost = 1;
        return;
    }
    w->resets[w->n_resets++] = (struct reset){seq, ack, with_ack, 0};
    if (w->reset_due_ns == 0) {
        w->reset_due_ns = j->r->time_ns;
    }
}

/* 3.10.5 ABORT. */
void oracle_expect_own_reset(struct judging *j)
{
    struct watched *w = j->w;
    uint32_t seq = least_bare_seq(w);
    oracle_expect_reset(j, seq, w->m.rcv_nxt, true);
    if (!w->resets_lost) {
        w->resets[w->n_resets - 1].rounded = (uint16_t)(most_bare_seq(w) - seq);
    }
}

/* hf_policy.reset_rate: in a flood not all are answered; sixteen groups share the rate. */
static bool may_be_dropped(struct judging *j)
{
    struct hf_oracle *o = j->oracle;
    uint32_t rate = o->policy.reset_rate;
    if (j->r->time_ns - o->resets_ns >= 1000 * (int64_t)MS) {
        o->resets_ns = j->r->time_ns;
        o->resets = 0;
    }
    return rate != 0 && ++o->resets > rate / 32;
}

void oracle_expect_answer(struct judging *j)
{
    const struct hf_trace *r = j->r;
    if (r->ctl & HF_RST) {
        return;
    }
    if (may_be_dropped(j)) {
        j->w->resets_lost = 1;
    }
    if (r->ctl & HF_ACK) {
        oracle_expect_reset(j, r->ack, 0, false);
    } else {
        oracle_expect_reset(j, 0, r->seq + r->len, true);
    }
}

/* Which of those that are due the record is; n_resets: none. */
static uint32_t which_reset(const struct watched *w, const struct hf_trace *r)
{
    bool with_ack = r->ctl & HF_ACK;
    uint32_t i = 0;
    for (; i < w->n_resets; i++) {
        const struct reset *due = &w->resets[i];
        bool seq = due->seq == r->seq || due->seq + due->rounded == r->seq;
        if (due->with_ack == with_ack && seq && (!with_ack || due->ack == r->ack)) {
            break;
        }
    }
    return i;
}

/* A timer ended it. */
static bool resets_itself(const struct watched *w, const struct hf_trace *r)
{
    const struct model *m = &w->m;
    return (m->facts & MAY_RESET) && (r->ctl & HF_ACK) && is_bare_seq(w, r->seq) &&
           r->ack == m->rcv_nxt;
}

bool oracle_owes_reset(const struct watched *w, const struct hf_trace *r)
{
    return r->kind == HF_TRACE_OUT && (r->ctl & HF_RST) &&
           (which_reset(w, r) < w->n_resets || resets_itself(w, r));
}

static bool take_reset(struct watched *w, const struct hf_trace *r)
{
    uint32_t i = which_reset(w, r);
    if (i == w->n_resets) {
        return false;
    }
    w->n_resets--;
    memmove(&w->resets[i], &w->resets[i + 1], (w->n_resets - i) * sizeof w->resets[0]);
    w->reset_due_ns = w->n_resets ? w->reset_due_ns : 0;
    return true;
}

void oracle_judge_reset(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct watched *w = j->w;
    bool bare = r->len == 0 && !(r->ctl & (HF_SYN | HF_FIN | HF_URG)) && r->n_sack == 0;
    if (!bare || r->wnd != 0) {
        oracle_broken(j, HF_RULE_RESET_FORM, "ctl %03x, %u octets, window %u", r->ctl, r->len,
                      r->wnd);
    }
    if (r->handle != 0 || has_numbers(r)) {
        oracle_broken(j, HF_RULE_RESET_FORM, "the connection is still there");
    }
    if (!take_reset(w, r) && !resets_itself(w, r) && !w->resets_lost && w->begun_ns) {
        oracle_broken(j, HF_RULE_RESET_CAUSE, "seq %u ack %u, %u others are due (seq %u ack %u)",
                      r->seq, r->ack, w->n_resets, w->resets[0].seq, w->resets[0].ack);
    }
}

/* ACKs ------------------------------------------------------------------------------------------*/

static bool moves_window(const struct model *m, const struct hf_trace *r)
{
    return (m->facts & KNOWS_EDGE) && ahead(r->ack + r->wnd, m->rcv_edge) > 0;
}

bool oracle_challenge_is_limited(const struct judging *j, int64_t at_ns)
{
    int64_t coarse_ms = j->r->handle ? 1 : COARSE_MS;
    int64_t limit_ns = ((int64_t)j->oracle->policy.challenge_ack_ms - coarse_ms) * MS;
    return j->w->m.challenge_ns && at_ns - j->w->m.challenge_ns < limit_ns;
}

/* RFC 5961 7: what has neither text nor FIN earns one ACK in a time. */
void oracle_judge_challenge(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (oracle_challenge_is_limited(j, r->time_ns)) {
        oracle_broken(j, HF_RULE_CHALLENGE, "%lld ms after the last one",
                      (long long)(r->time_ns - m->challenge_ns) / MS);
    }
    bool waited = j->w->gone_ns == r->time_ns; /* for the way to the peer: it is of earlier */
    m->challenge_ns = waited ? m->challenge_ns : r->time_ns;
}

/* What this segment acknowledges is no longer asked for. */
static void ack_has_gone(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool sack = (m->facts & KNOWS_OPTIONS) && (m->offered & j->w->syn.options & HF_OPT_SACK_OK);
    bool honest = m->may_ack != 0;
    m->may_ack = sack && has_numbers(r) ? 0 : m->may_ack - honest;
    if (!has_numbers(r)) { /* small records answer each segment */
        m->may_challenge -= !honest && m->may_challenge;
    } else if (m->may_ack == 0) {
        m->may_challenge = 0;
    }
    m->ack_due_ns = 0;
    m->unacked_text = 0;
}

void oracle_judge_bare_ack(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->marks & HF_MARK_PROBE) {
        if (!(m->facts & MAY_PROBE) && (m->facts & KNOWS_START)) {
            oracle_broken(j, HF_RULE_ACK_CAUSE, "a probe that no timer asks for");
        }
        m->facts &= ~(uint32_t)MAY_PROBE;
        m->facts |= MAY_MARK;
        return;
    }
    bool marks = (r->ctl & HF_URG) && (m->facts & MAY_MARK); /* 3.8.5: to a closed window, too */
    if (marks) {
        m->facts &= ~(uint32_t)MAY_MARK;
    }
    if (m->may_ack != 0 || moves_window(m, r) || marks) {
        return;
    }
    if (m->may_challenge != 0) {
        oracle_judge_challenge(j);
    } else if (m->facts & KNOWS_START) {
        oracle_broken(j, HF_RULE_ACK_CAUSE, "an ACK that nothing asks for");
    }
}

void oracle_ack_goes(struct judging *j)
{
    const struct hf_trace *r = j->r;
    if (r->len == 0) {
        oracle_judge_bare_ack(j);
    }
    ack_has_gone(j);
}

/* Answers wait behind all that came in the same call.  Of a record that is gone by then nothing can
 * be told from outside but how many there may be; they leave before any later record's. */
void oracle_let_go(struct watched *w, int64_t now_ns)
{
    struct model *m = &w->m;
    w->gone_answers += m->may_syn + m->may_ack + m->may_challenge;
    w->gone_ns = now_ns;
    m->may_syn = m->may_ack = m->may_challenge = 0;
    m->ack_due_ns = 0;
}

/* In time --------------------------------------------------------------------------------------*/

void oracle_judge_due(struct judging *j)
{
    struct watched *w = j->w;
    struct model *m = &w->m;
    int64_t now = j->r->time_ns;
    int64_t late_ns = j->oracle->late_ns;
    if (w->waits) {
        w->waits = j->r->kind != HF_TRACE_OUT;
        w->gone_ns = now;
        return;
    }
    if (m->ack_due_ns && now > m->ack_due_ns + late_ns) {
        if (w->state != HF_CLOSED) {
            oracle_broken(j, HF_RULE_ACK_TIME, "none since it was due, %lld ms",
                          (long long)(now - m->ack_due_ns) / MS);
        }
        m->ack_due_ns = 0;
    }
    if (w->n_resets && now > w->reset_due_ns + late_ns) {
        if (!w->resets_lost) {
            oracle_broken(j, HF_RULE_RESET_TIME, "none since it was due, %lld ms (seq %u ack %u)",
                          (long long)(now - w->reset_due_ns) / MS, w->resets[0].seq,
                          w->resets[0].ack);
        }
        w->n_resets = 0;
        w->reset_due_ns = 0;
    }
}
