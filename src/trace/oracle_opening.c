/* oracle_opening.c - RFC 9293 sections 3.10.7.1 to 3.10.7.3: a segment in CLOSED, LISTEN, SYN-SENT.
 *
 * A listener has no record: what it makes of a SYN shows in the verdict, and in the segments
 * behind.
 */
#include "trace/oracle.h"

static void wrong(struct judging *j, const char *says)
{
    const struct hf_trace *r = j->r;
    oracle_broken(j, HF_RULE_STEP, "%s in %s: %s, then %s", says, hf_state_name(r->state_before),
                  hf_verdict_name(r->verdict), hf_state_name(r->state_after));
}

/* 3.10.7.1 */
static void judge_closed(struct judging *j)
{
    const struct hf_trace *r = j->r;
    bool rst = r->ctl & HF_RST;
    if (r->verdict != (rst ? HF_V_DROP_CLOSED_RST : HF_V_DROP_CLOSED) ||
        r->state_after != HF_CLOSED) {
        wrong(j, rst ? "a reset" : "a segment");
    } else if (!rst && j->oracle->policy.answer_closed) {
        oracle_expect_answer(j);
    }
}

/* 3.10.7.2 second; RFC 4987 3.6: it may bring back a cookie. */
static void judge_ack_at_listener(struct judging *j)
{
    const struct hf_trace *r = j->r;
    bool held = r->handle != 0;
    if (r->state_after >= HF_ESTABLISHED) {
        if ((r->ctl & HF_SYN) || r->iss + 1 != r->ack || r->irs + 1 != r->seq) {
            wrong(j, "an ACK that opens a connection");
        }
        return;
    }
    bool full = r->verdict == HF_V_DROP_ACCEPT_FULL;
    if (r->state_after != HF_LISTEN ||
        !(r->verdict == HF_V_DROP_LISTEN_ACK || r->verdict == HF_V_DROP_COOKIE || full)) {
        wrong(j, "an ACK");
    } else if (full ? j->oracle->policy.abort_on_overflow
                    : j->oracle->policy.answer_closed || held) {
        oracle_expect_answer(j);
        if (full && !j->oracle->policy.answer_closed) { /* none to a cookie that is not ours */
            j->w->resets_lost = 1;
        }
    }
}

/* 3.10.7.2 third */
static void judge_syn_at_listener(struct judging *j)
{
    const struct hf_trace *r = j->r;
    uint8_t state = HF_LISTEN;
    switch (r->verdict) {
    case HF_V_HANDSHAKE:
    case HF_V_FAST_OPEN:
        state = HF_SYN_RECEIVED;
        break;
    case HF_V_ECN_MIXED: /* of a SYN that was held */
        state = HF_CLOSED;
        oracle_expect_answer(j);
        break;
    case HF_V_DROP_SYN_FIN:
        if (!(r->ctl & HF_FIN) || !j->oracle->policy.drop_synfin) {
            wrong(j, "a SYN");
        }
        break;
    case HF_V_DROP_TIME_WAIT_SYN: /* one is held, and this is older (RFC 6191 2) */
        if (!oracle_waits_behind(j)) {
            wrong(j, "a SYN");
        }
        break;
    case HF_V_COOKIE_SENT:
    case HF_V_SYN_HELD:
    case HF_V_DROP_BACKLOG:
    case HF_V_DROP_NO_MEMORY:
        break;
    default:
        wrong(j, "a SYN");
        return;
    }
    if (r->state_after != state) {
        wrong(j, "a SYN");
    }
    if (r->verdict == HF_V_FAST_OPEN && (r->irs != r->seq || ahead(r->rcv_nxt, r->seq + 1) < 0 ||
                                         ahead(r->rcv_nxt, r->seq + 1 + r->text_bytes) > 0)) {
        wrong(j, "a SYN with text");
    }
}

static void judge_listen(struct judging *j)
{
    const struct hf_trace *r = j->r;
    if (r->ctl & HF_RST) {
        bool back = r->handle && r->verdict == HF_V_RST_BACK_TO_LISTEN; /* a SYN that is held */
        if (!back && (r->verdict != HF_V_DROP_LISTEN_RST || r->state_after != HF_LISTEN)) {
            wrong(j, "a reset");
        }
    } else if (r->ctl & HF_ACK) {
        judge_ack_at_listener(j);
    } else if (r->ctl & HF_SYN) {
        judge_syn_at_listener(j);
    } else if (r->verdict != HF_V_DROP_LISTEN_NO_SYN || r->state_after != HF_LISTEN) {
        wrong(j, "neither SYN nor ACK");
    }
}

/* Does the segment echo a timestamp that our SYNs carried?  One that does not may be refused: it
 * answers another SYN (RFC 7323 3.2). */
static bool echoes_ours(const struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    return !(r->options & HF_OPT_TS) || !(m->offered & HF_OPT_TS) || r->ts_ecr == 0 ||
           (ahead(r->ts_ecr, m->ts_first) >= 0 && ahead(r->ts_ecr, m->ts_sent) <= 0);
}

/* 3.10.7.3 fourth: our SYN is acknowledged. */
static void judge_syn_ack(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    uint32_t begin = r->seq + 1;
    bool fin = (r->ctl & HF_FIN) && r->state_after == HF_CLOSE_WAIT;
    bool state = r->state_after == HF_ESTABLISHED || fin;
    if (!state || r->snd_una != r->ack || r->irs != r->seq || ahead(r->rcv_nxt, begin) < 0 ||
        ahead(r->rcv_nxt, begin + r->text_bytes + fin) > 0 || r->snd_wnd != r->wnd) {
        oracle_broken(j, HF_RULE_STEP, "a SYN,ACK: %s, UNA %u, RCV.NXT %u, SND.WND %u",
                      hf_state_name(r->state_after), r->snd_una, r->rcv_nxt, r->snd_wnd);
    }
    oracle_note_fin(m, r);
    m->may_ack++;
    m->ack_due_ns = r->time_ns;
}

static void judge_simultaneous(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->verdict != HF_V_SIMULTANEOUS_OPEN || r->state_after != HF_SYN_RECEIVED ||
        r->irs != r->seq || r->rcv_nxt != r->seq + 1 || r->snd_una != m->iss) {
        wrong(j, "a SYN");
    }
    m->may_syn++;
}

static void judge_syn_sent(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (!(m->facts & KNOWS_NUMBERS)) {
        return;
    }
    bool ack = r->ctl & HF_ACK;
    bool fits = ack && ahead(r->ack, m->una) > 0 && ahead(r->ack, m->nxt) <= 0;
    bool refused = r->verdict == HF_V_DROP_SYN_SENT_ACK && r->state_after == HF_SYN_SENT;
    if (ack && (!fits || (refused && !echoes_ours(j)))) {
        if (!refused) {
            wrong(j, "an ACK that does not fit our SYN");
        } else if (!(r->ctl & HF_RST)) {
            oracle_expect_answer(j);
            /* Figure 9: the SYN goes again, a little behind the reset: the limit begins now, unless
             * it goes for one before. */
            bool goes = m->may_challenge && !oracle_challenge_is_limited(j, m->refused_ns);
            m->refused_ns = goes ? m->refused_ns : r->time_ns;
            m->may_challenge = 1;
        }
    } else if (r->ctl & HF_RST) {
        uint16_t verdict = fits ? HF_V_RST_REFUSED : HF_V_DROP_SYN_SENT_RST;
        if (r->verdict != verdict || r->state_after != (fits ? HF_CLOSED : HF_SYN_SENT)) {
            wrong(j, "a reset");
        }
    } else if (!(r->ctl & HF_SYN)) {
        if (r->verdict != HF_V_DROP_SYN_SENT_NO_SYN || r->state_after != HF_SYN_SENT) {
            wrong(j, "neither SYN nor RST");
        }
    } else if (fits) {
        judge_syn_ack(j);
    } else {
        judge_simultaneous(j);
    }
}

void oracle_judge_opening(struct judging *j)
{
    switch (j->r->state_before) {
    case HF_CLOSED:
        judge_closed(j);
        break;
    case HF_LISTEN:
        judge_listen(j);
        break;
    default:
        judge_syn_sent(j);
        break;
    }
}
