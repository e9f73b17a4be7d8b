/* oracle_steps.c - RFC 9293 section 3.10.7.4: the step that ends a segment, from its header and the
 * variables before it.
 *
 * SYN-RECEIVED and all states behind it; in the order of the RFC, with RFC 7323 5.3 before the
 * first step, and RFC 5961 in the second, fourth and fifth.
 */
#include "trace/oracle.h"

enum { VERDICTS = 7 };

/* What a step is called, and what it may be called in the record. */
static const struct {
    const char *says;
    uint8_t verdicts[VERDICTS];
} steps[] = {
    [STEP_ANY] = {"", {0}},
    [STEP_NO_STAMP] = {"no timestamp", {HF_V_DROP_NO_TIMESTAMP}},
    [STEP_OLD_STAMP] = {"an old timestamp", {HF_V_DROP_PAWS}},
    [STEP_SYN_AGAIN] = {"the SYN again", {HF_V_SYN_AGAIN, HF_V_ECN_MIXED}},
    [STEP_SYN_ACK_AGAIN] = {"a SYN,ACK that opens nothing",
                            {HF_V_DROP_OLD_DUPLICATE, HF_V_DROP_SYN_CHALLENGED, HF_V_ACK_ONLY_TAKEN,
                             HF_V_DROP_ACK_TOO_OLD}},
    [STEP_SYN_ACK_OPENS] = {"the SYN,ACK of a simultaneous open",
                            {HF_V_ACK_ONLY_TAKEN, HF_V_ACCEPTED, HF_V_OUT_OF_ORDER,
                             HF_V_DROP_NO_MEMORY, HF_V_LATE_DATA_RESET}},
    [STEP_OUTSIDE] = {"outside the window", {HF_V_DROP_OUT_OF_WINDOW, HF_V_DROP_OLD_DUPLICATE}},
    [STEP_SYN_OUTSIDE] = {"a SYN outside the window",
                          {HF_V_DROP_SYN_CHALLENGED, HF_V_DROP_OUT_OF_WINDOW,
                           HF_V_DROP_OLD_DUPLICATE}},
    [STEP_ACK_ONLY] = {"one octet too old or too new",
                       {HF_V_ACK_ONLY_TAKEN, HF_V_DROP_NO_ACK, HF_V_DROP_ACK_TOO_OLD,
                        HF_V_DROP_ACK_OF_UNSENT, HF_V_DROP_AFTER_CLOSE, HF_V_DROP_ACCEPT_FULL}},
    [STEP_RST_OUTSIDE] = {"a reset outside the window", {HF_V_DROP_RST_OUT_OF_WINDOW}},
    [STEP_RST_INEXACT] = {"a reset inside the window", {HF_V_DROP_RST_CHALLENGED}},
    [STEP_RST_IGNORED] = {"a reset in TIME-WAIT", {HF_V_DROP_RST_TIME_WAIT}},
    [STEP_RST] = {"a reset at RCV.NXT",
                  {HF_V_RST_CLOSES, HF_V_RST_REFUSED, HF_V_RST_BACK_TO_LISTEN}},
    [STEP_SYN_BACK] = {"a SYN in the window of a half-open one", {HF_V_SYN_BACK_TO_LISTEN}},
    [STEP_SYN_INSIDE] = {"a SYN inside the window", {HF_V_DROP_SYN_CHALLENGED}},
    [STEP_NO_ACK] = {"no ACK bit", {HF_V_DROP_NO_ACK}},
    [STEP_OPENING_ACK] = {"an ACK that does not fit our SYN",
                          {HF_V_DROP_SYN_RECEIVED_ACK, HF_V_COOKIE_ACCEPTED, HF_V_DROP_COOKIE}},
    [STEP_ACK_OLD] = {"an ACK that is too old", {HF_V_DROP_ACK_TOO_OLD}},
    [STEP_ACK_UNSENT] = {"an ACK of what was never sent", {HF_V_DROP_ACK_OF_UNSENT}},
    [STEP_TAKEN] = {"acceptable",
                    {HF_V_ACCEPTED, HF_V_OUT_OF_ORDER, HF_V_DROP_NO_MEMORY, HF_V_DROP_AFTER_CLOSE,
                     HF_V_LATE_DATA_RESET, HF_V_DROP_ACCEPT_FULL, HF_V_COOKIE_ACCEPTED}},
};

/* first ---------------------------------------------------------------------------------------- */

static bool inside(uint32_t number, uint32_t left, uint32_t size)
{
    return number - left < size;
}

/* Table 6, and the bare segments of a peer that has filled the window. */
static bool acceptable(const struct hf_trace *r, uint32_t nxt, uint32_t wnd)
{
    if (wnd == 0) {
        return r->len == 0 && r->seq == nxt;
    }
    if (r->len == 0 && r->seq == nxt + wnd) {
        return !(r->ctl & HF_RST);
    }
    return inside(r->seq, nxt, wnd) || (r->len && inside(r->seq + r->len - 1, nxt, wnd));
}

/* RFC 7323 5.3 R1, and 3.2. */
static enum step judge_stamp(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    const int64_t idle_ns = INT64_C(24) * 24 * 3600 * 1000 * MS;
    bool refused = r->verdict == HF_V_DROP_PAWS || r->verdict == HF_V_DROP_NO_TIMESTAMP;
    if (!(m->facts & KNOWS_OPTIONS) || !agreed(j->w, HF_OPT_TS) || (r->ctl & HF_RST)) {
        return m->facts & KNOWS_OPTIONS || !refused ? STEP_TAKEN : STEP_ANY;
    }
    if (!(r->options & HF_OPT_TS)) {
        if ((r->ctl & HF_SYN) && r->state_before >= HF_ESTABLISHED) {
            return STEP_TAKEN; /* RFC 5961 4.2: a challenge ACK, whatever else it says */
        }
        return j->oracle->policy.ts_tolerate_missing ? STEP_TAKEN : STEP_NO_STAMP;
    }
    if (!(m->facts & KNOWS_RECENT)) {
        return STEP_ANY;
    }
    bool old = ahead(r->ts_val, m->ts_recent) < 0;
    bool long_idle = r->time_ns - m->recent_ns > idle_ns - 1000 * MS;
    return !old ? STEP_TAKEN : long_idle ? STEP_ANY : STEP_OLD_STAMP;
}

static bool opens_simultaneously(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    return !(m->facts & PASSIVE) && ahead(r->ack, m->una) > 0 && ahead(r->ack, m->nxt) <= 0;
}

static enum step judge_unacceptable(const struct judging *j, uint32_t wnd)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    if (wnd == 0 && r->seq == m->rcv_nxt && !(r->ctl & HF_SYN)) {
        return STEP_TAKEN; /* MUST-66: all but its text */
    }
    if (r->ctl & HF_RST) {
        return STEP_RST_OUTSIDE;
    }
    if (r->ctl & HF_SYN) {
        return STEP_SYN_OUTSIDE;
    }
    bool one_old = r->seq == m->rcv_nxt - 1 && r->len <= 1;
    return one_old || has_probed(j) ? STEP_ACK_ONLY : STEP_OUTSIDE;
}

/* What others took or gave back changes the window of one that is not open yet: it may be less than
 * was said, as long as no SYN,ACK has said it, and more at any time. */
static bool fits_half_open(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool outside = r->verdict == HF_V_DROP_OUT_OF_WINDOW ||
                   r->verdict == HF_V_DROP_RST_OUT_OF_WINDOW ||
                   r->verdict == HF_V_DROP_SYN_CHALLENGED;
    uint32_t now = has_numbers(r) ? r->rcv_nxt + r->rcv_wnd - m->rcv_nxt : m->rcv_wnd;
    bool fits_now = acceptable(r, m->rcv_nxt, now);
    bool fits_said = acceptable(r, m->rcv_nxt, m->rcv_wnd);
    bool may_be_less = !(m->facts & KNOWS_EDGE) && outside;
    return may_be_less ? fits_now : fits_said || (fits_now && !outside);
}

static enum step judge_sequence(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    const struct model *m = &w->m;
    if (w->state == HF_SYN_RECEIVED && (r->ctl & (HF_SYN | HF_RST)) == HF_SYN && r->seq == m->irs) {
        return !(r->ctl & HF_ACK)        ? STEP_SYN_AGAIN
               : opens_simultaneously(j) ? STEP_SYN_ACK_OPENS
                                         : STEP_SYN_ACK_AGAIN;
    }
    bool fits =
        w->state == HF_SYN_RECEIVED ? fits_half_open(j) : acceptable(r, m->rcv_nxt, m->rcv_wnd);
    bool over = m->rcv_wnd && r->len && ahead(r->seq, m->rcv_nxt) < 0 &&
                ahead(r->seq + r->len - 1, m->rcv_nxt) > 0; /* both edges: it has text within */
    fits |= over && r->verdict != HF_V_DROP_OUT_OF_WINDOW;
    uint32_t rounded = m->rcv_wnd >> m->our_scale << m->our_scale; /* a small record's */
    if (w->state == HF_TIME_WAIT && fits != acceptable(r, m->rcv_nxt, rounded)) {
        return STEP_ANY;
    }
    return fits ? STEP_TAKEN : judge_unacceptable(j, m->rcv_wnd);
}

/* second, fourth, fifth ------------------------------------------------------------------------ */

static enum step judge_rst(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    if (!(r->ctl & HF_RST)) {
        return STEP_TAKEN;
    }
    if (j->w->state == HF_TIME_WAIT && j->oracle->policy.tw_ignore_rst) {
        return STEP_RST_IGNORED;
    }
    if (ahead(r->seq, m->rcv_nxt) < 0) {
        return STEP_RST_OUTSIDE; /* its text reaches into the window, its number does not */
    }
    return r->seq == m->rcv_nxt ? STEP_RST : STEP_RST_INEXACT;
}

static enum step judge_ack_field(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    const struct model *m = &w->m;
    if (!(r->ctl & HF_ACK)) {
        return STEP_NO_ACK;
    }
    if (w->state == HF_SYN_RECEIVED) {
        bool fits = ahead(r->ack, m->una) > 0 && ahead(r->ack, m->nxt) <= 0;
        return fits ? STEP_TAKEN : STEP_OPENING_ACK;
    }
    uint64_t begin = m->acked ? m->acked - 1 : 0; /* ISS+1: older was never sent */
    uint32_t back = begin < m->max_wnd ? (uint32_t)begin : m->max_wnd;
    bool old = ahead(r->ack, m->una - back) < 0;
    /* A small record does not remember how old is too old. */
    bool unknown = !(m->facts & KNOWS_START) || w->state == HF_TIME_WAIT;
    if (ahead(r->ack, m->nxt) > 0) { /* about half of all numbers away: it is both */
        bool both = (old || unknown) && r->verdict == HF_V_DROP_ACK_TOO_OLD;
        return both ? STEP_ACK_OLD : STEP_ACK_UNSENT;
    }
    if (unknown && ahead(r->ack, m->una) < 0) {
        return STEP_ANY;
    }
    return old ? STEP_ACK_OLD : STEP_TAKEN;
}

enum step oracle_step(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    enum step step = judge_stamp(j);
    if (step == STEP_TAKEN) {
        step = judge_sequence(j);
    }
    if (step == STEP_TAKEN) {
        step = judge_rst(j);
    }
    if (step == STEP_TAKEN && (r->ctl & HF_SYN)) {
        bool back = w->state == HF_SYN_RECEIVED && (w->m.facts & PASSIVE);
        step = back ? STEP_SYN_BACK : STEP_SYN_INSIDE;
    }
    if (step == STEP_TAKEN) {
        step = judge_ack_field(j);
    }
    return step;
}

bool oracle_step_is(enum step step, uint16_t verdict)
{
    for (int i = 0; i < VERDICTS; i++) {
        if (steps[step].verdicts[i] == verdict && verdict != 0) {
            return true;
        }
    }
    return false;
}

const char *oracle_step_says(enum step step)
{
    return steps[step].says;
}
