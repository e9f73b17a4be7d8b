/* oracle_in.c - RFC 9293 section 3.10.7.4: a segment in SYN-RECEIVED and all states behind it.
 *
 * From the variables before it and its header follows the step that must have ended it, in the
 * order of the RFC; with RFC 7323 5.3 before the first, and RFC 5961 in the second, fourth and
 * fifth. The step says which verdicts may stand in the record, and what must have become of the
 * variables.
 */
#include "trace/oracle.h"

enum step {
    STEP_ANY, /* it cannot be told from outside */
    STEP_NO_STAMP,
    STEP_OLD_STAMP,
    STEP_SYN_AGAIN,
    STEP_SYN_ACK_AGAIN,
    STEP_SYN_ACK_OPENS,
    STEP_OUTSIDE,
    STEP_SYN_OUTSIDE,
    STEP_ACK_ONLY,
    STEP_RST_OUTSIDE,
    STEP_RST_INEXACT,
    STEP_RST_IGNORED,
    STEP_RST,
    STEP_SYN_BACK,
    STEP_SYN_INSIDE,
    STEP_NO_ACK,
    STEP_OPENING_ACK,
    STEP_ACK_OLD,
    STEP_ACK_UNSENT,
    STEP_TAKEN,
};

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
                             HF_V_DROP_NO_MEMORY}},
    [STEP_OUTSIDE] = {"outside the window", {HF_V_DROP_OUT_OF_WINDOW, HF_V_DROP_OLD_DUPLICATE}},
    [STEP_SYN_OUTSIDE] = {"a SYN outside the window",
                          {HF_V_DROP_SYN_CHALLENGED, HF_V_DROP_OUT_OF_WINDOW,
                           HF_V_DROP_OLD_DUPLICATE}},
    [STEP_ACK_ONLY] = {"one octet too old",
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

/* Table 6, and what reaches over both edges of the window. */
static bool acceptable(const struct hf_trace *r, uint32_t nxt, uint32_t wnd)
{
    if (wnd == 0) {
        return r->len == 0 && r->seq == nxt;
    }
    uint32_t last = r->seq + r->len - 1;
    bool around = ahead(r->seq, nxt) < 0 && ahead(last, nxt) > 0;
    return inside(r->seq, nxt, wnd) || (r->len && (inside(last, nxt, wnd) || around));
}

static bool stamps_agreed(const struct watched *w)
{
    return (w->m.offered & w->syn.options & HF_OPT_TS) != 0;
}

/* RFC 7323 5.3 R1, and 3.2. */
static enum step judge_stamp(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    const int64_t idle_ns = INT64_C(24) * 24 * 3600 * 1000 * MS;
    if (!(m->facts & KNOWS_OPTIONS) || !stamps_agreed(j->w) || (r->ctl & HF_RST)) {
        return STEP_TAKEN;
    }
    if (!(r->options & HF_OPT_TS)) {
        return j->oracle->policy.ts_tolerate_missing ? STEP_TAKEN : STEP_NO_STAMP;
    }
    if (!(m->facts & KNOWS_RECENT)) {
        return STEP_ANY;
    }
    bool old = ahead(r->ts_val, m->ts_recent) < 0;
    bool long_idle = r->time_ns - m->heard_ns > idle_ns - 1000 * MS;
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
    return r->seq == m->rcv_nxt - 1 && r->len <= 1 ? STEP_ACK_ONLY : STEP_OUTSIDE;
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
    bool fits = acceptable(r, m->rcv_nxt, m->rcv_wnd);
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
    if (ahead(r->ack, m->nxt) > 0) {
        return STEP_ACK_UNSENT;
    }
    uint64_t begin = m->acked ? m->acked - 1 : 0; /* ISS+1: older was never sent */
    uint32_t back = begin < m->max_wnd ? (uint32_t)begin : m->max_wnd;
    bool old = ahead(r->ack, m->una - back) < 0;
    bool unknown = !(m->facts & KNOWS_START) || w->state == HF_TIME_WAIT;
    if (unknown && ahead(r->ack, m->una) < 0) {
        return STEP_ANY; /* a small record does not remember how old is too old */
    }
    return old ? STEP_ACK_OLD : STEP_TAKEN;
}

static enum step judge_steps(const struct judging *j)
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

/* What became of it ---------------------------------------------------------------------------- */

static bool takes_text(uint8_t state)
{
    return state == HF_ESTABLISHED || state == HF_FIN_WAIT_1 || state == HF_FIN_WAIT_2;
}

static uint8_t when_fin_is_acked(uint8_t state)
{
    switch (state) {
    case HF_FIN_WAIT_1:
        return HF_FIN_WAIT_2;
    case HF_CLOSING:
        return HF_TIME_WAIT;
    case HF_LAST_ACK:
        return HF_CLOSED;
    default:
        return state;
    }
}

static uint8_t when_fin_arrives(uint8_t state)
{
    switch (state) {
    case HF_ESTABLISHED:
        return HF_CLOSE_WAIT;
    case HF_FIN_WAIT_1:
        return HF_CLOSING;
    case HF_FIN_WAIT_2:
        return HF_TIME_WAIT;
    default:
        return state;
    }
}

/* The state after the fifth step; *una: SND.UNA. */
static uint8_t judge_ack_taken(const struct judging *j, uint32_t *una)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint8_t state = j->w->state;
    *una = m->una;
    if (ahead(r->ack, m->una) <= 0 || ahead(r->ack, m->nxt) > 0) {
        return state;
    }
    *una = r->ack;
    if (state == HF_SYN_RECEIVED) {
        return m->facts & CLOSE_CALLED ? HF_FIN_WAIT_1 : HF_ESTABLISHED;
    }
    return (m->facts & FIN_SENT) && r->ack == m->our_fin + 1 ? when_fin_is_acked(state) : state;
}

/* Text and FIN of an acceptable segment: how far RCV.NXT may be, and whether it must have moved. */
struct arrival {
    uint32_t left, right; /* what of its text is in the window          */
    uint32_t limit;       /* RCV.NXT is no further, the FIN not counted */
    bool fin;             /* has one that counts                        */
    bool fin_sure;        /* ... and is not at the very edge            */
};

static struct arrival judge_arrival(struct judging *j, uint8_t state)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    struct arrival a = {m->rcv_nxt, m->rcv_nxt, m->rcv_nxt, false, false};
    if (!takes_text(state) || (m->facts & FIN_TAKEN)) {
        return a;
    }
    uint32_t from = r->ctl & HF_SYN ? r->seq + 1 : r->seq;
    uint32_t end = from + r->text_bytes;
    uint32_t edge = m->rcv_nxt + m->rcv_wnd;
    a.left = ahead(from, m->rcv_nxt) > 0 ? from : m->rcv_nxt;
    a.right = ahead(end, edge) < 0 ? end : edge;
    if (ahead(a.right, a.left) < 0) {
        a.right = a.left;
    }
    if ((r->ctl & HF_FIN) && ahead(end, m->rcv_nxt) >= 0 && ahead(end, edge) <= 0) {
        a.fin = true;
        a.fin_sure = end != edge || r->text_bytes == 0;
        m->peer_fin = end;
        m->facts |= FIN_SEEN;
    }
    a.limit = oracle_hold(m, a.left, a.right);
    return a;
}

/* RCV.NXT moves by text and FIN that have come, and by nothing else.  True: the FIN is taken. */
static bool judge_rcv_nxt(struct judging *j, const struct arrival *a)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool refused = r->verdict == HF_V_DROP_NO_MEMORY || r->verdict == HF_V_LATE_DATA_RESET;
    bool fin = (m->facts & (FIN_SEEN | FIN_TAKEN)) == FIN_SEEN && r->rcv_nxt == m->peer_fin + 1 &&
               ahead(a->limit, m->peer_fin) >= 0;
    uint32_t text = r->rcv_nxt - fin;
    if (ahead(text, a->limit) > 0 || ahead(text, m->rcv_nxt) < 0) {
        oracle_broken(j, HF_RULE_RCV_NXT, "RCV.NXT %u -> %u, what has come ends at %u", m->rcv_nxt,
                      r->rcv_nxt, a->limit);
    }
    bool in_order = a->left == m->rcv_nxt && a->right != a->left;
    if (in_order && !refused && text == m->rcv_nxt) {
        oracle_broken(j, HF_RULE_RCV_NXT, "%u octets at RCV.NXT, and it stays", a->right - a->left);
    }
    if (a->fin && a->fin_sure && !refused && !fin && r->rcv_nxt == m->peer_fin) {
        oracle_broken(j, HF_RULE_FIN_TAKEN, "a FIN at %u is not taken", m->peer_fin);
    }
    if (r->state_after != HF_CLOSED && r->unread_bytes != m->unread + (text - m->rcv_nxt)) {
        oracle_broken(j, HF_RULE_STREAM, "%u octets unread, %u before, and %u came",
                      r->unread_bytes, m->unread, text - m->rcv_nxt);
    }
    return fin;
}

/* fifth: SND.WND, SND.WL1, SND.WL2.  Not from what is ahead of RCV.NXT. */
static void judge_window(struct judging *j, bool opens)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint32_t from = r->seq;
    if ((r->ctl & HF_SYN) && r->len > 1) {
        from = m->rcv_nxt;
    }
    bool newer = ahead(from, m->wl1) > 0 || (from == m->wl1 && ahead(r->ack, m->wl2) >= 0);
    bool in_order = ahead(from, m->rcv_nxt) <= 0;
    bool takes = opens || (newer && in_order && ahead(r->ack, m->una) >= 0);
    uint32_t wl1 = ahead(from, m->rcv_nxt) > 0 ? m->rcv_nxt : from;
    bool right = takes ? r->snd_wnd == r->wnd && r->snd_wl1 == wl1 && r->snd_wl2 == r->ack
                       : r->snd_wnd == oracle_kept_window(r, m) && r->snd_wl1 == m->wl1;
    if (!right) {
        oracle_broken(j, HF_RULE_SND_WND, "%s: SND.WND %u -> %u, WL1 %u -> %u, WL2 %u -> %u",
                      takes ? "it is newer" : "it is not newer", m->wnd, r->snd_wnd, m->wl1,
                      r->snd_wl1, m->wl2, r->snd_wl2);
    }
}

/* RFC 7323 4.3 (2), 5.3 R3. */
static void take_stamp(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    m->heard_ns = r->time_ns;
    if (stamps_agreed(j->w) && (r->options & HF_OPT_TS) && ahead(r->seq, m->last_ack) <= 0) {
        m->ts_recent = r->ts_val;
    }
}

static bool may_be_state(const struct judging *j, uint8_t state)
{
    uint8_t after = j->r->state_after;
    bool back = j->w->state == HF_SYN_RECEIVED && after == HF_LISTEN; /* as Figure 5 draws it */
    return after == state || (state == HF_CLOSED && back);
}

static void judge_state_after(struct judging *j, uint8_t state, const char *says)
{
    if (!may_be_state(j, state)) {
        oracle_broken(j, HF_RULE_STEP, "%s: %s, it must be %s", says,
                      hf_state_name(j->r->state_after), hf_state_name(state));
    }
}

/* An acceptable segment, or one whose ACK field alone counts. */
static void judge_taken(struct judging *j, enum step step)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    uint32_t una;
    uint8_t was = j->w->state;
    uint8_t state = judge_ack_taken(j, &una);
    bool waits = was == HF_TIME_WAIT;
    bool text = step != STEP_ACK_ONLY && !(step == STEP_SYN_ACK_OPENS && r->len == 1);
    struct arrival a = judge_arrival(j, text ? state : HF_CLOSED);
    if (r->verdict == HF_V_LATE_DATA_RESET) {
        bool late = (m->facts & RELEASED) && a.left != a.right;
        judge_state_after(j, late ? HF_CLOSED : state, "data after close");
        oracle_expect_answer(j);
        return;
    }
    if (!has_numbers(r)) {
        judge_state_after(j, state, steps[step].says);
        return;
    }
    state = judge_rcv_nxt(j, &a) ? when_fin_arrives(state) : state;
    judge_state_after(j, state, steps[step].says);
    if (r->state_after != HF_CLOSED && !waits && r->snd_una != una) {
        oracle_broken(j, HF_RULE_SND_UNA, "SND.UNA %u -> %u, the ACK is %u", m->una, r->snd_una,
                      r->ack);
    }
    if (r->state_after != HF_CLOSED && !waits) {
        judge_window(j, was == HF_SYN_RECEIVED && una != m->una);
    }
    take_stamp(j);
}

/* Nothing may have changed. */
static void judge_untouched(struct judging *j, enum step step)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool closes = step == STEP_RST || step == STEP_SYN_BACK || r->verdict == HF_V_ECN_MIXED;
    judge_state_after(j, closes ? HF_CLOSED : j->w->state, steps[step].says);
    if (r->verdict == HF_V_ECN_MIXED) {
        oracle_expect_answer(j);
    }
    bool window = r->snd_wnd == m->wnd || r->state_before == HF_TIME_WAIT; /* not kept there */
    if (!closes && has_numbers(r) &&
        (r->snd_una != m->una || r->rcv_nxt != m->rcv_nxt || !window || r->snd_nxt != m->nxt)) {
        oracle_broken(j, HF_RULE_STEP, "%s: and yet variables change", steps[step].says);
    }
}

/* What must be answered, and what may be ------------------------------------------------------- */

static void ask_for_ack(struct judging *j, bool challenge)
{
    struct model *m = &j->w->m;
    *(challenge ? &m->may_challenge : &m->may_ack) += 1;
}

static void ack_is_due(struct judging *j, int64_t in_ms)
{
    struct model *m = &j->w->m;
    int64_t at = j->r->time_ns + in_ms * MS;
    if (m->ack_due_ns == 0 || at < m->ack_due_ns) {
        m->ack_due_ns = at;
    }
}

/* Text or FIN that are not new get an ACK at once; what is bare only within the limit of RFC 5961.
 */
static void answer_refused(struct judging *j)
{
    const struct hf_trace *r = j->r;
    bool honest = r->text_bytes || (r->ctl & (HF_SYN | HF_FIN)) == HF_FIN;
    ask_for_ack(j, !honest);
    if (honest && r->state_after != HF_CLOSED && r->state_after != HF_LISTEN) {
        ack_is_due(j, 0);
    }
}

/* RFC 5681 4.2: at once for a gap, for what fills one, for a FIN, and for each second full segment;
 * else within half a second. */
static void answer_taken(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    ask_for_ack(j, false);
    bool open = r->state_after != HF_CLOSED && has_numbers(r);
    if (!open || (r->text_bytes == 0 && !(r->ctl & HF_FIN)) || !takes_text(j->w->state)) {
        return;
    }
    uint32_t advance = r->rcv_nxt - m->rcv_nxt;
    bool refused = r->verdict == HF_V_DROP_NO_MEMORY;
    m->full = r->text_bytes > m->full ? r->text_bytes : m->full;
    m->unacked_text += advance;
    bool at_once = (r->ctl & HF_FIN) || advance == 0 || j->gap || advance != r->text_bytes ||
                   m->unacked_text > 2 * m->full;
    if (!refused) {
        ack_is_due(j, at_once ? 0 : 500);
    }
}

static void note_answers(struct judging *j, enum step step)
{
    switch (step) {
    case STEP_OLD_STAMP:
    case STEP_OUTSIDE:
    case STEP_ACK_ONLY:
    case STEP_SYN_OUTSIDE:
    case STEP_ACK_OLD:
    case STEP_ACK_UNSENT:
        answer_refused(j);
        break;
    case STEP_SYN_AGAIN:
    case STEP_SYN_ACK_AGAIN:
    case STEP_RST_INEXACT:
    case STEP_SYN_INSIDE:
        ask_for_ack(j, true);
        break;
    case STEP_OPENING_ACK:
        if (j->r->verdict == HF_V_DROP_SYN_RECEIVED_ACK) {
            oracle_expect_answer(j);
        }
        break;
    case STEP_TAKEN:
    case STEP_SYN_ACK_OPENS:
        answer_taken(j);
        break;
    case STEP_ANY:
        ask_for_ack(j, false);
        break;
    default: /* silence */
        break;
    }
}

/* Does something say that text in flight may be lost? */
static void note_trouble(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool duplicate = r->ack == m->una && m->una != m->nxt && r->text_bytes == 0;
    if ((r->options & HF_OPT_SACK) || duplicate || (r->ctl & HF_ECE)) {
        m->facts |= UNTIDY | MAY_REPEAT;
    }
}

static bool is_of(enum step step, uint16_t verdict)
{
    for (int i = 0; i < VERDICTS; i++) {
        if (steps[step].verdicts[i] == verdict && verdict != 0) {
            return true;
        }
    }
    return false;
}

/* RFC 6191 2, with SEQ >= RCV.NXT for "greater than the last sequence number". */
static void judge_syn_in_time_wait(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool newer = ahead(r->seq, m->rcv_nxt) >= 0;
    if (j->oracle->policy.timestamps && (r->options & HF_OPT_TS) && (m->facts & KNOWS_OPTIONS)) {
        int32_t by = ahead(r->ts_val, m->ts_recent);
        newer = !stamps_agreed(j->w) || by > 0 || (by == 0 && newer);
    }
    if (r->verdict == HF_V_TIME_WAIT_REUSED && !newer && (m->facts & KNOWS_NUMBERS)) {
        oracle_broken(j, HF_RULE_TIME_WAIT_SYN, "SYN at %u, RCV.NXT %u", r->seq, m->rcv_nxt);
    }
    if (j->oracle->policy.tw_syn_ack) {
        ask_for_ack(j, true);
    }
}

void oracle_judge_in(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct watched *w = j->w;
    struct model *m = &w->m;
    if (w->state == HF_TIME_WAIT && (r->ctl & (HF_SYN | HF_RST | HF_ACK)) == HF_SYN) {
        judge_syn_in_time_wait(j);
        return;
    }
    j->gap = m->n_held != 0;
    enum step step = m->facts & KNOWS_NUMBERS ? judge_steps(j) : STEP_ANY;
    if (step != STEP_ANY && !is_of(step, r->verdict)) {
        oracle_broken(j, HF_RULE_STEP, "%s, and it is %s (RCV.NXT %u WND %u, SND.UNA %u NXT %u)",
                      steps[step].says, hf_verdict_name(r->verdict), m->rcv_nxt, m->rcv_wnd, m->una,
                      m->nxt);
        step = STEP_ANY;
    }
    bool full = r->verdict == HF_V_DROP_ACCEPT_FULL || r->verdict == HF_V_COOKIE_ACCEPTED;
    if (step == STEP_TAKEN || step == STEP_ACK_ONLY || step == STEP_SYN_ACK_OPENS) {
        bool taken = !full && r->verdict != HF_V_DROP_NO_ACK &&
                     r->verdict != HF_V_DROP_ACK_TOO_OLD && r->verdict != HF_V_DROP_ACK_OF_UNSENT;
        if (taken) {
            judge_taken(j, step);
        }
    } else if (step != STEP_ANY && !full) {
        judge_untouched(j, step);
    }
    if (r->verdict == HF_V_DROP_ACCEPT_FULL && j->oracle->policy.abort_on_overflow) {
        m->facts |= MAY_VANISH;
        oracle_expect_answer(j);
    }
    if (step == STEP_ANY && (r->options & HF_OPT_TS)) {
        m->facts &= ~(uint32_t)KNOWS_RECENT; /* the next echo tells */
    }
    note_answers(j, step);
    note_trouble(j);
    bool fin_again = w->state == HF_TIME_WAIT && (r->ctl & HF_FIN) &&
                     ahead(r->seq + r->len, m->rcv_nxt) <= 0 && step != STEP_OLD_STAMP;
    if (fin_again) {
        w->wait_ns = r->time_ns; /* 3.10.7.4 eighth: restart the 2 MSL time-out */
    }
}
