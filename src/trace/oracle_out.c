/* oracle_out.c - RFC 9293 sections 3.7 and 3.8: what a segment that leaves may hold.
 *
 * Its numbers, its window, its options (RFC 7323, RFC 2018), its text and FIN.  Whether it had to
 * leave at all is oracle_answers.c's.
 */
#include "trace/oracle.h"

/* Window ---------------------------------------------------------------------------------------*/

/* SHLD-14: the right edge never moves left, but for what the scale rounds off (RFC 7323 2.4). */
static void judge_promise(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    int32_t unit = 1 << (m->facts & KNOWS_OPTIONS ? m->our_scale & 15 : 14);
    unit = r->ctl & HF_SYN ? 1 : unit;
    int32_t moved = ahead(r->ack + r->wnd, m->rcv_edge);
    if ((m->facts & KNOWS_EDGE) && moved <= -unit) {
        oracle_broken(j, HF_RULE_WINDOW_SHRINKS, "by %d octets", -moved);
    }
}

/* 3.8.6: new text stays inside SND.WND, all text inside the furthest edge that was ever promised; a
 * probe may be one octet beyond. */
static void judge_limit(struct judging *j, bool is_new)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint32_t end = r->seq + r->len;
    /* Where probes are octets of text, one that was lost is sent again. */
    bool octet = j->oracle->policy.zwp_octet && r->len == 1 && r->seq == m->una && m->wnd == 0;
    uint32_t beyond = r->marks & HF_MARK_PROBE || octet ? 1 : 0;
    /* MAY-7, RFC 7413 4.2: what the window of a SYN,ACK leaves out of the SYN's text goes again. */
    bool of_syn = !is_new && (m->facts & SYN_TEXT);
    if (!of_syn && ahead(end, m->snd_edge + beyond) > 0) {
        oracle_broken(j, HF_RULE_BEYOND_WINDOW, "up to %u, the window ends at %u", end,
                      m->snd_edge);
    }
    if (is_new && ahead(end, text_una(m) + m->wnd + beyond) > 0) {
        oracle_broken(j, HF_RULE_BEYOND_WINDOW, "new text up to %u, SND.UNA %u + SND.WND %u", end,
                      m->una, m->wnd);
    }
}

/* RFC 5681 3.1, as long as nothing tells of a loss: then other rules count what is in flight. */
static void judge_congestion(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint32_t mss = m->full_sent > r->text_bytes ? m->full_sent : r->text_bytes;
    uint32_t flight = r->seq + r->text_bytes - text_una(m);
    uint32_t more = r->marks & HF_MARK_GSO ? 1460 : mss;
    if (r->text_bytes && !(m->facts & (UNTIDY | SYN_TEXT)) && (m->facts & KNOWS_START) &&
        r->cause == HF_CAUSE_NONE && flight > r->cwnd + more) {
        oracle_broken(j, HF_RULE_CONGESTION, "%u octets in flight, cwnd is %u", flight, r->cwnd);
    }
}

/* Options -------------------------------------------------------------------------------------- */

/* The SYN,ACK may answer an earlier SYN of the same number, which had other options. */
static bool others_wait(const struct judging *j)
{
    return (j->r->ctl & HF_SYN) && j->w->m.may_syn > 1;
}

static void judge_stamp(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    if (!(r->options & HF_OPT_TS)) {
        return;
    }
    bool wrapped = r->time_ns - m->stamp_ns > INT64_C(24) * 24 * 3600 * 1000 * MS;
    bool sure = (m->facts & (KNOWS_STAMP | COOKIE)) == KNOWS_STAMP && !wrapped;
    if (sure && ahead(r->ts_val, m->ts_sent) < 0) {
        oracle_broken(j, HF_RULE_STAMP, "TSval %u after %u", r->ts_val, m->ts_sent);
    }
    int32_t off = ahead(r->ts_ecr, m->ts_recent);
    bool waited = !has_numbers(r) && r->time_ns - m->heard_ns <= j->oracle->late_ns;
    bool moved_on = waited && off < 0; /* TS.Recent, by what came behind in the same call */
    if (moved_on || others_wait(j)) {
        off = 0;
    }
    if (r->ctl & HF_ACK ? (m->facts & KNOWS_RECENT) && off != 0 : r->ts_ecr != 0) {
        oracle_broken(j, HF_RULE_STAMP_ECHO, "TSecr %u, TS.Recent %u", r->ts_ecr, m->ts_recent);
    }
}

/* RFC 2018 3, 4; RFC 2883: the first block may tell of a duplicate. */
static void judge_sack(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    for (uint32_t i = 0; i < r->n_sack; i++) {
        uint32_t left = r->sack[i][0];
        uint32_t right = r->sack[i][1];
        bool held = false;
        for (uint32_t k = 0; k < m->n_held; k++) {
            held |= ahead(left, m->held[k][0]) >= 0 && ahead(right, m->held[k][1]) <= 0;
        }
        bool old = i == 0 && ahead(right, r->ack) <= 0;                      /* a DSACK */
        bool unknown = !(m->facts & KNOWS_START) && ahead(left, r->ack) > 0; /* from before */
        if (ahead(left, right) >= 0 || !(held || old || unknown)) {
            oracle_broken(j, HF_RULE_SACK, "%u-%u, the ACK is %u", left, right, r->ack);
        }
    }
}

static void judge_syn_options(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const uint8_t answers = HF_OPT_WSCALE | HF_OPT_SACK_OK | HF_OPT_TS;
    const struct peer_syn *syn = &j->w->syn;
    if (!(r->options & HF_OPT_MSS) || (r->options & HF_OPT_SACK) || r->wscale > 14) {
        oracle_broken(j, HF_RULE_OPTIONS, "a SYN with options %02x, scale %u", r->options,
                      r->wscale);
    }
    if ((r->ctl & HF_ACK) && syn->seen && !others_wait(j) &&
        (r->options & answers & ~syn->options)) {
        oracle_broken(j, HF_RULE_OPTIONS, "a SYN,ACK with options %02x, the SYN had %02x",
                      r->options, syn->options);
    }
}

static void judge_options(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    if (r->ctl & HF_SYN) {
        judge_syn_options(j);
    } else {
        bool known = w->m.facts & KNOWS_OPTIONS;
        bool stamp = r->options & HF_OPT_TS;
        bool of_syn = r->options & (HF_OPT_MSS | HF_OPT_WSCALE | HF_OPT_SACK_OK);
        if (of_syn || (known && stamp != agreed(w, HF_OPT_TS)) ||
            (known && (r->options & HF_OPT_SACK) && !agreed(w, HF_OPT_SACK_OK)) ||
            r->n_sack > (stamp ? 3 : 4)) {
            oracle_broken(j, HF_RULE_OPTIONS, "options %02x, agreed are %02x, %u SACK blocks",
                          r->options, w->m.offered & w->syn.options, r->n_sack);
        }
        judge_sack(j);
    }
    judge_stamp(j);
}

/* RFC 3168 6.1.1, 6.1.4, 6.1.5: only new text of who has agreed is ECN-capable. */
static void judge_codepoint(struct judging *j, bool is_new)
{
    const struct hf_trace *r = j->r;
    const struct watched *w = j->w;
    const uint16_t bits = HF_ECE | HF_CWR | HF_AE;
    bool asked = !(w->m.facts & KNOWS_OPTIONS) || (w->m.our_ecn && (w->syn.ctl & bits));
    if (r->ecn != HF_NOT_ECT && !(is_new && r->text_bytes && asked)) {
        oracle_broken(j, HF_RULE_ECN, "codepoint %u on %s", r->ecn,
                      is_new ? "a connection without ECN" : "what may not carry it");
    }
}

/* SYNs ------------------------------------------------------------------------------------------*/

static void judge_syn(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool answers = r->ctl & HF_ACK;
    bool closed = r->state_before == HF_FIN_WAIT_1 || r->state_before == HF_CLOSING;
    bool opening = r->state_before == HF_SYN_RECEIVED || (closed && m->una == m->iss) ||
                   (r->state_before == HF_LISTEN && !has_numbers(r)); /* a cookie */
    bool state = answers ? opening : r->state_before == HF_SYN_SENT;
    bool numbers = !(m->facts & KNOWS_ISS) || r->seq == m->iss || r->state_before == HF_LISTEN;
    bool bare = r->text_bytes == 0 || (!answers && (m->facts & SYN_TEXT) == 0);
    if (!state || !numbers || !bare || (r->ctl & (HF_FIN | HF_RST | HF_URG)) ||
        (answers && j->w->syn.seen &&
         r->ack != (has_numbers(r) ? m->rcv_nxt : j->w->syn.seq + 1))) {
        oracle_broken(j, HF_RULE_SYN_FORM, "ctl %03x in %s, seq %u (ISS %u), ack %u, text %u",
                      r->ctl, hf_state_name(r->state_before), r->seq, m->iss, r->ack,
                      r->text_bytes);
    }
    if (m->may_syn == 0 && m->may_challenge != 0) { /* the SYN,ACK again: as a challenge ACK */
        oracle_judge_challenge(j);
        m->challenge_ns = answers ? m->challenge_ns : m->refused_ns;
        m->may_challenge = has_numbers(r) ? 0 : m->may_challenge - 1; /* small: one for each SYN */
    } else if (m->may_syn == 0 && (j->w->begun_ns || j->w->syn.seen) &&
               !((m->facts & SYN_TEXT) && j->oracle->icmp_taken)) { /* too large for the path */
        oracle_broken(j, HF_RULE_SYN_CAUSE, "nothing asks for it");
    } else {
        m->may_syn -= m->may_syn != 0;
    }
    if (answers) {
        m->ack_due_ns = 0;
    }
    m->facts |= r->text_bytes ? SYN_TEXT : 0;
}

/* RFC 6528, ruling for TIME-WAIT: numbers and timestamps of a pair of sockets only grow. */
void oracle_judge_iss(struct judging *j, uint32_t iss)
{
    const struct watched *w = j->w;
    const int64_t most_ns = INT64_C(1) << 30 << 12; /* a quarter of the clock's round, or so */
    bool known = (w->old_facts & (KNOWS_ISS | COOKIE | ISS_RAISED)) == KNOWS_ISS;
    if (w->old_ns == 0 || !known || j->r->time_ns - w->old_ns > most_ns) {
        return;
    }
    if (ahead(iss, w->old_iss) < 0) {
        oracle_broken(j, HF_RULE_ISN, "ISS %u, the one before was %u", iss, w->old_iss);
    }
}

/* Text and FIN ----------------------------------------------------------------------------------*/

static void judge_fin(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    uint32_t fin = r->seq + r->text_bytes;
    bool closing = r->state_after == HF_FIN_WAIT_1 || r->state_after == HF_CLOSING ||
                   r->state_after == HF_LAST_ACK;
    if (!closing || ((m->facts & FIN_SENT) && fin != m->our_fin)) {
        oracle_broken(j, HF_RULE_FIN, "at %u in %s, it was at %u", fin,
                      hf_state_name(r->state_after), m->our_fin);
    }
    if (!(m->facts & CLOSE_CALLED) && (m->facts & KNOWS_START)) {
        oracle_broken(j, HF_RULE_FIN, "nobody has said CLOSE");
    }
    if (!(m->facts & FIN_SENT) && r->queued_bytes != fin - text_una(m)) {
        oracle_broken(j, HF_RULE_FIN, "%u octets are queued, %u in front of it", r->queued_bytes,
                      fin - text_una(m));
    }
}

/* RFC 9293 3.7.1, RFC 6691: a segment's text and options fit the peer's MSS. */
static void judge_size(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct peer_syn *syn = &j->w->syn;
    uint32_t options = (r->options & HF_OPT_TS ? 10 : 0) + (r->n_sack ? 2 + 8u * r->n_sack : 0);
    options = (options + 3) / 4 * 4; /* at least */
    uint32_t mss = syn->mss ? syn->mss : r->marks & HF_MARK_IPV6 ? 1220 : 536;
    uint32_t least = j->oracle->policy.min_mss;
    mss = mss < least ? least : mss;
    if (!(r->marks & HF_MARK_GSO) && syn->seen && (j->w->m.facts & KNOWS_OPTIONS) &&
        r->text_bytes + options > mss && r->text_bytes > 8) {
        oracle_broken(j, HF_RULE_MSS, "%u octets of text, %u of options, the peer takes %u",
                      r->text_bytes, options, mss);
    }
}

static void judge_new_text(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    if (r->snd_nxt != r->seq + r->len) {
        oracle_broken(j, HF_RULE_SND_NXT, "SND.NXT %u after %u+%u", r->snd_nxt, r->seq, r->len);
    }
    if (r->text_bytes && (m->facts & FIN_SENT)) {
        oracle_broken(j, HF_RULE_FIN, "text behind the FIN");
    }
    uint32_t text = r->seq + r->text_bytes - text_una(m);
    if (text > r->queued_bytes) {
        oracle_broken(j, HF_RULE_STREAM, "%u octets in flight, %u were given", text,
                      r->queued_bytes);
    }
    judge_limit(j, true);
    judge_congestion(j);
    if (!(r->marks & HF_MARK_GSO) && r->text_bytes > m->full_sent) {
        m->full_sent = r->text_bytes;
    }
}

/* What was sent before: inside what is in flight, and something must say that it may be lost. */
static void judge_repeat(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    uint32_t end = r->seq + r->len;
    if (ahead(r->seq, m->una) < 0 || ahead(end, m->nxt) > 0 || r->snd_nxt != m->nxt) {
        oracle_broken(j, HF_RULE_REPEAT, "%u-%u, in flight is %u-%u", r->seq, end, m->una, m->nxt);
    }
    if (!(m->facts & MAY_REPEAT) && (m->facts & KNOWS_START) && !j->oracle->icmp_taken) {
        oracle_broken(j, HF_RULE_REPEAT, "nothing says that it is lost");
    }
    if ((m->facts & FIN_SENT) && ahead(r->seq + r->text_bytes, m->our_fin) > 0) {
        oracle_broken(j, HF_RULE_REPEAT, "text where the FIN was");
    }
    judge_limit(j, false);
}

static bool may_carry(uint8_t state)
{
    return state == HF_ESTABLISHED || state == HF_CLOSE_WAIT || state == HF_FIN_WAIT_1 ||
           state == HF_CLOSING || state == HF_LAST_ACK;
}

/* Not a SYN, not a reset, of a connection that is there. */
static void judge_segment(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct model *m = &j->w->m;
    bool probe = r->marks & HF_MARK_PROBE;
    bool is_new = r->len != 0 && r->seq == m->nxt && !(r->marks & HF_MARK_REPEAT);
    if (!(r->ctl & HF_ACK) || r->ack != m->rcv_nxt || r->state_before < HF_SYN_RECEIVED) {
        oracle_broken(j, HF_RULE_ACK_FIELD, "ctl %03x ack %u, RCV.NXT %u", r->ctl, r->ack,
                      m->rcv_nxt);
    }
    bool child = r->state_before == HF_SYN_RECEIVED && (m->facts & PASSIVE); /* RFC 7413 4.2 */
    if (r->len != 0 && !may_carry(r->state_after) && !child) {
        oracle_broken(j, HF_RULE_TEXT_STATE, "%u octets in %s", r->len,
                      hf_state_name(r->state_after));
    }
    bool fits = probe ? r->seq == m->una - 1 : is_bare_seq(j->w, r->seq);
    if (r->len == 0 && !fits) {
        oracle_broken(j, HF_RULE_SEQ_FIELD, "seq %u, it must be %u", r->seq,
                      probe ? m->una - 1 : least_bare_seq(j->w));
    }
    if (r->len == 0 && r->snd_nxt != m->nxt) {
        oracle_broken(j, HF_RULE_SND_NXT, "SND.NXT %u -> %u by nothing", m->nxt, r->snd_nxt);
    }
    judge_codepoint(j, is_new);
    if (r->ctl & HF_FIN) {
        judge_fin(j);
    }
    judge_size(j);
    if (is_new) {
        judge_new_text(j);
    } else if (r->len && !probe) {
        judge_repeat(j);
    } else if (r->len && (r->len != 1 || r->seq != m->una)) {
        oracle_broken(j, HF_RULE_SEQ_FIELD, "a probe of %u octets at %u", r->len, r->seq);
    }
}

/* What a half-open or waiting record answers. */
static void judge_small(struct judging *j)
{
    const struct hf_trace *r = j->r;
    const struct model *m = &j->w->m;
    bool fits = r->ctl & HF_ACK && r->len == 0 && r->seq == m->nxt && r->ack == m->rcv_nxt;
    if ((m->facts & KNOWS_NUMBERS) && !fits) {
        oracle_broken(j, HF_RULE_ACK_FIELD, "ctl %03x seq %u ack %u, SND.NXT %u RCV.NXT %u", r->ctl,
                      r->seq, r->ack, m->nxt, m->rcv_nxt);
    }
}

/* An answer of a record that is gone, or maybe of one, which leaves first: then it says nothing of
 * the one that is there. */
static void judge_of_gone(struct judging *j)
{
    const struct hf_trace *r = j->r;
    struct watched *w = j->w;
    bool last = r->state_before == HF_LAST_ACK && w->old_ns != 0;
    bool numbers = !last || (r->seq == w->last_seq && r->ack == w->last_ack);
    if (!(r->ctl & HF_ACK) || r->text_bytes || (r->ctl & (HF_FIN | HF_URG)) || !numbers) {
        oracle_broken(j, HF_RULE_ACK_FIELD, "ctl %03x seq %u ack %u in %s, SND.NXT was %u", r->ctl,
                      r->seq, r->ack, hf_state_name(r->state_before), w->last_seq);
    }
    if (w->gone_answers == 0 && (w->old_facts & KNOWS_START)) {
        oracle_broken(j, HF_RULE_ACK_CAUSE, "an ACK that nothing asks for");
    }
    w->gone_answers -= w->gone_answers != 0;
    w->m.ack_due_ns = w->handle ? w->m.ack_due_ns : 0;
}

void oracle_judge_out(struct judging *j)
{
    const struct hf_trace *r = j->r;
    if (r->ctl & HF_RST) {
        oracle_judge_reset(j);
        return;
    }
    if (r->state_before == HF_CLOSED) {
        oracle_broken(j, HF_RULE_TEXT_STATE, "ctl %03x in CLOSED", r->ctl);
        return;
    }
    bool last = r->state_before == HF_LAST_ACK; /* its FIN came again with the last ACK */
    bool waits = r->state_before == HF_TIME_WAIT && j->w->state == HF_TIME_WAIT; /* it is there */
    j->of_gone = !has_numbers(r) && !waits && (j->w->gone_answers || last);
    if (j->of_gone) {
        judge_of_gone(j);
        return;
    }
    bool known = j->w->m.facts & KNOWS_NUMBERS;
    judge_options(j);
    if (r->ctl & HF_SYN) {
        if (!(j->w->m.facts & (KNOWS_ISS | COOKIE)) && r->state_before != HF_LISTEN) {
            oracle_judge_iss(j, r->seq);
        }
        judge_syn(j);
        return;
    }
    if (known && has_numbers(r)) {
        judge_segment(j);
    } else if (!has_numbers(r)) {
        judge_small(j);
    }
    if (known) {
        judge_promise(j);
        oracle_ack_goes(j);
    }
}
