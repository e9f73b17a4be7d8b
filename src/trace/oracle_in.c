/* oracle_in.c - RFC 9293 section 3.10.7.4: what must have become of a segment in SYN-RECEIVED and
 * all states behind it, and which answer it may have.
 *
 * The step that ended it (oracle_steps.c) says which verdicts may stand in the record; here is what
 * that step may change.
 */
#include "trace/oracle.h"

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

/* Or could be one of those there was no place for. */
static bool is_fin(const struct model *m, uint32_t number)
{
    bool found = (m->facts & FINS_LOST) && ahead(number, m->fin_lost) >= 0;
    for (uint32_t i = 0; i < m->n_fins; i++) {
        found |= m->fins[i] == number;
    }
    return found;
}

/* Where the record's text begins. */
static uint32_t text_at(const struct hf_trace *r)
{
    return r->ctl & HF_SYN ? r->seq + 1 : r->seq;
}

void oracle_note_fin(struct model *m, const struct hf_trace *r)
{
    uint32_t number = text_at(r) + r->text_bytes;
    if (!(r->ctl & HF_FIN) || is_fin(m, number)) {
        return;
    }
    if (m->n_fins < FINS_MAX) {
        m->fins[m->n_fins++] = number;
        return;
    }
    uint32_t furthest = 0;
    for (uint32_t i = 1; i < FINS_MAX; i++) {
        furthest = ahead(m->fins[i], m->fins[furthest]) > 0 ? i : furthest;
    }
    if (ahead(number, m->fins[furthest]) < 0) {
        uint32_t nearer = number;
        number = m->fins[furthest];
        m->fins[furthest] = nearer;
    }
    bool nearest = !(m->facts & FINS_LOST) || ahead(number, m->fin_lost) < 0;
    m->fin_lost = nearest ? number : m->fin_lost;
    m->facts |= FINS_LOST;
}

static struct arrival judge_arrival(struct judging *j, uint8_t state)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    struct arrival a = {m->rcv_nxt, m->rcv_nxt, m->rcv_nxt, false, false};
    if (!takes_text(state) || (m->facts & FIN_TAKEN)) {
        return a;
    }
    uint32_t from = text_at(r);
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
        oracle_note_fin(m, r);
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
    bool fin = !(m->facts & FIN_TAKEN) && behind_fin(r->state_after) &&
               ahead(a->limit, r->rcv_nxt - 1) >= 0 && is_fin(m, r->rcv_nxt - 1);
    uint32_t text = r->rcv_nxt - fin;
    bool more = ahead(text, a->limit) > 0 && (m->facts & KNOWS_START); /* else it may have come */
    if (more || ahead(text, m->rcv_nxt) < 0) {
        oracle_broken(j, HF_RULE_RCV_NXT, "RCV.NXT %u -> %u, what has come ends at %u", m->rcv_nxt,
                      r->rcv_nxt, a->limit);
    }
    m->facts |= ahead(a->limit, text) > 0 ? HOLDS_LESS : 0; /* which no record tells */
    bool in_order = a->left == m->rcv_nxt && a->right != a->left;
    if (in_order && !refused && !fin && text == m->rcv_nxt) {
        oracle_broken(j, HF_RULE_RCV_NXT, "%u octets at RCV.NXT, and it stays", a->right - a->left);
    }
    if (a->fin && a->fin_sure && !refused && !fin && r->rcv_nxt == r->seq + r->text_bytes) {
        oracle_broken(j, HF_RULE_FIN_TAKEN, "a FIN at %u is not taken", r->rcv_nxt);
    }
    if (r->state_after != HF_CLOSED && r->unread_bytes != m->unread + (text - m->rcv_nxt)) {
        oracle_broken(j, HF_RULE_STREAM, "%u octets unread, %u before, and %u came",
                      r->unread_bytes, m->unread, text - m->rcv_nxt);
    }
    return fin;
}

/* Where its ACK field and its window stand: in front of the octet that its peer has probed with. */
static uint32_t stands_at(const struct judging *j)
{
    return has_probed(j) ? j->w->m.rcv_nxt : j->r->seq;
}

/* fifth: SND.WND, SND.WL1, SND.WL2.  Not from what is ahead of RCV.NXT. */
static void judge_window(struct judging *j, bool opens)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint32_t from = stands_at(j);
    if ((r->ctl & HF_SYN) && r->len > 1) {
        from = m->rcv_nxt;
    }
    bool newer = ahead(from, m->wl1) > 0 || (from == m->wl1 && ahead(r->ack, m->wl2) >= 0);
    bool in_order = ahead(from, m->rcv_nxt) <= 0;
    bool fits = ahead(r->ack, m->una) >= 0 && ahead(r->ack, m->nxt) <= 0;
    bool takes = opens || (newer && in_order && fits && r->state_before != HF_SYN_RECEIVED);
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
    if ((r->options & HF_OPT_TS) && ahead(stands_at(j), m->last_ack) <= 0) {
        m->ts_recent = r->ts_val;
        m->recent_ns = r->time_ns;
        bool known = agreed(j->w, HF_OPT_TS);
        m->facts &= known ? ~0u : ~(uint32_t)KNOWS_RECENT; /* the next echo tells */
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
    bool fins = m->n_fins != 0; /* behind a FIN text is ignored */
    struct arrival a = judge_arrival(j, text ? state : HF_CLOSED);
    if (r->verdict == HF_V_LATE_DATA_RESET) {
        bool late = (m->facts & RELEASED) && a.left != a.right;
        judge_state_after(j, late ? HF_CLOSED : state, "data after close");
        oracle_expect_answer(j);
        return;
    }
    if (!fins && (m->facts & RELEASED) && a.left != a.right && takes_text(state)) {
        oracle_broken(j, HF_RULE_STEP, "data after full close is taken");
    }
    if (!has_numbers(r)) {
        judge_state_after(j, state, oracle_step_says(step));
        take_stamp(j);
        return;
    }
    state = judge_rcv_nxt(j, &a) ? when_fin_arrives(state) : state;
    judge_state_after(j, state, oracle_step_says(step));
    if (r->state_after != HF_CLOSED && !waits && r->snd_una != una) {
        oracle_broken(j, HF_RULE_SND_UNA, "SND.UNA %u -> %u, the ACK is %u", m->una, r->snd_una,
                      r->ack);
    }
    if (r->state_after != HF_CLOSED && !waits) {
        judge_window(j, was == HF_SYN_RECEIVED && una != m->una);
    }
    if (was != HF_SYN_RECEIVED || una != m->una) {
        take_stamp(j);
    }
}

/* Nothing may have changed. */
static void judge_untouched(struct judging *j, enum step step)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool closes = step == STEP_RST || step == STEP_SYN_BACK || r->verdict == HF_V_ECN_MIXED;
    judge_state_after(j, closes ? HF_CLOSED : j->w->state, oracle_step_says(step));
    bool window = r->snd_wnd == m->wnd || r->state_before == HF_TIME_WAIT; /* not kept there */
    if (!closes && has_numbers(r) &&
        (r->snd_una != m->una || r->rcv_nxt != m->rcv_nxt || !window || r->snd_nxt != m->nxt)) {
        oracle_broken(j, HF_RULE_STEP, "%s: and yet variables change", oracle_step_says(step));
    }
}

/* What must be answered, and what may be ------------------------------------------------------- */

static void ack_is_due(struct judging *j, int64_t in_ms)
{
    struct model *m = &j->w->m;
    int64_t at = j->r->time_ns + in_ms * MS;
    if (m->ack_due_ns == 0 || at < m->ack_due_ns) {
        m->ack_due_ns = at;
    }
}

static void ask_for_ack(struct judging *j, bool challenge)
{
    struct model *m = &j->w->m;
    *(challenge ? &m->may_challenge : &m->may_ack) += 1;
}

/* One; for a frame that was joined and is ahead of a gap, or finds no room, for each segment. */
static void ask_for_acks(struct judging *j)
{
    const struct hf_trace *r = j->r;
    ask_for_ack(j, false);
    bool super = (r->marks & HF_MARK_GSO) && r->text_bytes;
    if (super && (r->verdict == HF_V_OUT_OF_ORDER || r->verdict == HF_V_DROP_NO_MEMORY)) {
        j->w->m.may_ack += r->text_bytes - 1; /* how many it was nobody says */
    }
}

/* Text or FIN that are not new get an ACK at once; what is bare only within the limit of RFC 5961.
 */
static void answer_refused(struct judging *j)
{
    const struct hf_trace *r = j->r;
    bool honest = r->text_bytes || (r->ctl & (HF_SYN | HF_FIN)) == HF_FIN;
    ask_for_ack(j, !honest);
    bool there = r->state_after != HF_CLOSED && r->state_after != HF_LISTEN;
    if (honest && there && r->verdict != HF_V_DROP_ACCEPT_FULL) {
        ack_is_due(j, 0);
    }
}

/* RFC 5681 4.2: at once for a gap, for what fills one, for a FIN, and for each second full segment;
 * else within half a second. */
static void answer_taken(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    ask_for_acks(j);
    bool open = r->state_after != HF_CLOSED && has_numbers(r);
    if (!open || (r->text_bytes == 0 && !(r->ctl & HF_FIN)) || !takes_text(j->w->state)) {
        return;
    }
    uint32_t advance = r->rcv_nxt - m->rcv_nxt;
    bool refused = r->verdict == HF_V_DROP_NO_MEMORY;
    m->full = r->text_bytes > m->full ? r->text_bytes : m->full;
    m->unacked_text += advance;
    bool fills = j->gap && !j->oracle->drops_held && !(m->facts & HOLDS_LESS);
    bool at_once = ((r->ctl & HF_FIN) && behind_fin(r->state_after)) || advance == 0 || fills ||
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
        if (j->r->verdict == HF_V_DROP_SYN_RECEIVED_ACK) { /* its SYN,ACK has not gone yet */
            oracle_expect_answer(j);
        }
        ask_for_acks(j);
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
    bool bare = r->text_bytes == 0 || m->rcv_wnd == 0; /* text that is refused is as if absent */
    bool duplicate = r->ack == m->una && m->una != m->nxt && bare;
    if ((r->options & HF_OPT_SACK) || duplicate || (r->ctl & HF_ECE)) {
        m->facts |= UNTIDY | MAY_REPEAT;
    }
}

/* RFC 6191 2, with SEQ >= RCV.NXT for "greater than the last sequence number". */
static void judge_syn_in_time_wait(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool newer = ahead(r->seq, m->rcv_nxt) >= 0;
    if (j->oracle->policy.timestamps && (r->options & HF_OPT_TS)) {
        int32_t by = ahead(r->ts_val, m->ts_recent);
        newer = !agreed(j->w, HF_OPT_TS) || by > 0 || (by == 0 && newer);
    }
    if (r->verdict == HF_V_TIME_WAIT_REUSED && !newer && (m->facts & KNOWS_NUMBERS)) {
        oracle_broken(j, HF_RULE_TIME_WAIT_SYN, "SYN at %u, RCV.NXT %u", r->seq, m->rcv_nxt);
    }
    if (j->oracle->policy.tw_syn_ack) {
        ask_for_ack(j, true);
    }
}

/* listen(2): the ACK waits for room, or its connection is reset where policy says so. */
static void judge_accept_full(struct judging *j)
{
    bool resets = j->oracle->policy.abort_on_overflow;
    if (resets != (j->r->state_after == HF_CLOSED)) {
        oracle_broken(j, HF_RULE_TRANSITION, "the accept queue is full, and it is %s",
                      hf_state_name((enum hf_state)j->r->state_after));
    }
    if (resets) {
        oracle_expect_answer(j);
    }
}

/* What has come of a segment of which no more can be told. */
static void note_text(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->verdict == HF_V_ACCEPTED || r->verdict == HF_V_OUT_OF_ORDER) {
        oracle_hold(m, text_at(r), text_at(r) + r->text_bytes);
        oracle_note_fin(m, r);
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
    if (w->handle == 0 && r->state_before == HF_SYN_RECEIVED && has_numbers(r)) {
        int32_t grown = ahead(r->rcv_nxt + r->rcv_wnd, m->rcv_nxt + m->rcv_wnd);
        bool cut = ahead(text_at(r) + r->text_bytes, r->rcv_nxt) > 0; /* where the window ends */
        bool wider = grown > 0 && (r->rcv_wnd != 0 || cut); /* with its listener's limit */
        m->rcv_wnd += wider ? (uint32_t)grown : 0;
    }
    j->gap = m->n_held != 0 && m->n_fins == 0; /* behind a FIN text is ignored */
    enum step step = m->facts & KNOWS_NUMBERS ? oracle_step(j) : STEP_ANY;
    if (step != STEP_ANY && !oracle_step_is(step, r->verdict)) {
        oracle_broken(j, HF_RULE_STEP, "%s, and it is %s (RCV.NXT %u WND %u, SND.UNA %u NXT %u)",
                      oracle_step_says(step), hf_verdict_name(r->verdict), m->rcv_nxt, m->rcv_wnd,
                      m->una, m->nxt);
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
    if (r->verdict == HF_V_DROP_ACCEPT_FULL) {
        judge_accept_full(j);
    }
    if (r->verdict == HF_V_ECN_MIXED) {
        oracle_expect_answer(j);
    }
    m->may_syn += step == STEP_ANY && r->verdict == HF_V_SYN_AGAIN ? 1 : 0;
    if (step == STEP_ANY) {
        note_text(j);
    }
    if (step == STEP_ANY && (r->options & HF_OPT_TS)) {
        m->facts &= ~(uint32_t)KNOWS_RECENT; /* the next echo tells */
    }
    bool refused = m->rcv_wnd == 0 && r->seq == m->rcv_nxt && r->text_bytes; /* Table 6 */
    if (refused && step == STEP_NO_ACK) {
        answer_refused(j);
    }
    note_answers(j, step);
    note_trouble(j);
    if (w->state == HF_TIME_WAIT && (r->ctl & HF_FIN)) { /* eighth: restart the 2 MSL time-out */
        bool again = r->seq + r->len == m->rcv_nxt;
        bool must = again && (step == STEP_ACK_ONLY || step == STEP_OUTSIDE);
        w->wait_ns = must ? r->time_ns : w->wait_ns;
        w->wait_last_ns = r->time_ns;
    }
}
