/* capture_rules.c - what no packet may be after those that passed before it (RFC 9293 and
 * companions, by the names of oracle.h).
 *
 * "After" is the order at the point of capture.  Packets of one end may have overtaken each other
 * on their way there, and what went to it may have been lost behind it: where that could explain
 * what is seen, nothing is said.
 */
#include "trace/capture_judge.h"

enum { ACK_MOST_MS = 500, ACK_LATE_MS = 100, ISN_MS = 120000, BACK_OFF_MOST_MS = 60000 };
enum {
    SMALL_MSS = 256,
    IPV4_MSS = 536,
    IPV6_MSS = 1220,
    INITIAL_SEGMENTS = 10,
    INITIAL_OCTETS = 14600
};

/* Certainly sent later than the same end's furthest ACK. */
static bool is_newer(const struct seen *s)
{
    return (s->p->options & HF_OPT_TS) && (s->me->facts & END_ACK_STAMP) &&
           behind(s->p->ts_val, s->me->ack_stamp) > 0;
}

/* Opening -------------------------------------------------------------------------------------- */

/* RFC 7323 2.2, 3.2, RFC 2018 2: an answer has only what was offered. */
static void judge_answer(struct seen *s)
{
    enum { ANSWERED = HF_OPT_WSCALE | HF_OPT_TS | HF_OPT_SACK_OK };
    const struct hf_packet *p = s->p;
    const struct end *peer = s->peer;
    if ((peer->facts & (END_SYN | END_LONG)) != END_SYN) {
        return;
    }
    if (behind(p->ack, peer->iss) <= 0 || behind(p->ack, peer->nxt) > 0) {
        capture_pending(s, HF_RULE_SYN_FORM, PENDING_ANSWER, p->seq + 1,
                        "SEG.ACK of the SYN,ACK is %u, the SYN's number %u", p->ack, peer->iss);
        return;
    }
    if (s->me->pending.of == PENDING_ANSWER) { /* it has a better one */
        capture_settle(s->judge, &s->me->pending, true);
    }
    if (offer_known(peer) && !(peer->facts & END_SYN_ACK) &&
        (p->options & ANSWERED & ~peer->options)) {
        capture_broken(s, HF_RULE_OPTIONS, "the SYN,ACK has options 0x%02x, the SYN 0x%02x",
                       p->options, peer->options);
    }
}

void capture_syn(struct seen *s)
{
    const struct hf_packet *p = s->p;
    if (p->ctl & (HF_FIN | HF_RST)) {
        capture_broken(s, HF_RULE_SYN_FORM, "a SYN with %s", p->ctl & HF_FIN ? "FIN" : "RST");
        return;
    }
    if (p->ctl & HF_ACK) {
        judge_answer(s);
        return;
    }
    bool fresh = s->f->old_ns != 0 && !(s->me->facts & (END_SYN | END_SEEN)) &&
                 s->time_ns - s->f->old_ns < (int64_t)ISN_MS * NS_PER_MS;
    unsigned mine = s->me == &s->f->end[1];
    uint32_t old = s->f->old_iss[mine];
    struct kind now = kind_of(p), before = s->f->old_kind[mine];
    bool alike =
        now.ttl == before.ttl && now.header == before.header && now.options == before.options;
    if (fresh && alike && behind(p->seq, old) <= 0) {
        capture_broken(s, HF_RULE_ISN, "ISS %u, that of the connection before was %u", p->seq, old);
    }
}

/* Header --------------------------------------------------------------------------------------- */

static void judge_options(struct seen *s)
{
    const struct hf_packet *p = s->p;
    if (!whole(s) || s->cut) {
        return;
    }
    bool known = agreement_known(s, HF_OPT_TS), stamps = known && agreed_on(s, HF_OPT_TS);
    if (stamps && !(p->options & HF_OPT_TS) && !(p->ctl & HF_RST)) {
        capture_broken(s, HF_RULE_OPTIONS, "no timestamp, though both SYNs had it");
    } else if (known && !stamps && (p->options & HF_OPT_TS)) {
        capture_broken(s, HF_RULE_OPTIONS, "a timestamp that the SYNs did not agree upon");
    }
    if (offer_known(s->peer) && (p->options & HF_OPT_SACK) &&
        !(s->peer->options & HF_OPT_SACK_OK)) {
        capture_broken(s, HF_RULE_OPTIONS, "SACK, which the other end has not permitted");
    }
}

/* RFC 7323 5.4, 4.3: stamps that were sent, and of new text none older than of what lies before. */
static void judge_stamps(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me, *peer = s->peer;
    if (!(p->options & HF_OPT_TS)) {
        return;
    }
    bool new_text = p->len > 0 && (me->facts & END_SEEN) && behind(p->seq, me->nxt) >= 0;
    bool comparable = (me->facts & END_NXT_STAMP) && !was_long_ago(s, me->ts_of_nxt_ns);
    if (new_text && comparable && behind(me->ts_of_nxt, p->ts_val) > 0) {
        capture_broken(s, HF_RULE_STAMP, "TSval %u, of text before it %u", p->ts_val,
                       me->ts_of_nxt);
    }
    if (!(p->ctl & HF_ACK) || !(peer->facts & END_STAMP) || !complete(s)) {
        return;
    }
    if (!(peer->facts & END_CUT) && behind(p->ts_ecr, peer->ts_max) > 0) {
        capture_pending(s, HF_RULE_STAMP_ECHO, PENDING_ECHO, p->ts_ecr,
                        "TSecr %u, the other end has sent %u at most", p->ts_ecr, peer->ts_max);
    } else if (offer_known(peer) && !(peer->facts & END_OLD_STAMP) &&
               behind(peer->ts_first, p->ts_ecr) > 0) {
        capture_broken(s, HF_RULE_STAMP_ECHO, "TSecr %u, the other end began with %u", p->ts_ecr,
                       peer->ts_first);
    }
}

/* RFC 2018 3, 4: what has been sent, above SEG.ACK; the first may be a duplicate (RFC 2883 4). */
static void judge_sack(struct seen *s)
{
    const struct hf_packet *p = s->p;
    for (unsigned i = 0; i < p->n_sack && complete(s); i++) {
        uint32_t left = p->sack[i][0], right = p->sack[i][1];
        bool beyond = (s->peer->facts & END_SEEN) && behind(right, s->peer->nxt) > 0;
        bool below = i > 0 && behind(left, p->ack) <= 0;
        if (beyond) {
            capture_pending(s, HF_RULE_SACK, PENDING_BLOCK, right,
                            "block %u, %u to %u: the peer has sent to %u", i + 1, left, right,
                            s->peer->nxt);
        } else if (below) {
            capture_broken(s, HF_RULE_SACK, "block %u, %u to %u: SEG.ACK %u", i + 1, left, right,
                           p->ack);
        }
    }
}

static bool ecn_agreed(const struct seen *s)
{
    enum { ASKS = HF_ECE | HF_CWR | HF_AE };
    return (s->me->ctl & ASKS) && (s->peer->ctl & ASKS);
}

static void judge_ecn(struct seen *s)
{
    if (whole(s) && (s->p->tos & 3) && (s->p->tos & 3) != 3 && !ecn_agreed(s)) {
        capture_broken(s, HF_RULE_ECN, "ECT(%u), which the SYNs did not agree upon",
                       s->p->tos & 3 & 1);
    }
}

/* ACKs ----------------------------------------------------------------------------------------- */

static void judge_ack(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me, *peer = s->peer;
    /* What is of a connection before has numbers of that one (RFC 9293 3.5). */
    bool of_this =
        (me->facts & END_SEEN) && behind(p->seq, me->start) >= 0 && behind(p->seq, me->nxt) <= 0;
    /* One of what was never sent, a forged one perhaps, is told once: no other is measured by it.
     */
    bool far = (peer->facts & END_SEEN) && behind(me->ack, peer->nxt) > 0;
    if (of_this && (peer->facts & (END_SYN | END_LONG)) == END_SYN &&
        behind(p->ack, peer->iss) <= 0) {
        capture_broken(s, HF_RULE_ACK_FIELD, "SEG.ACK %u, the other end began with %u", p->ack,
                       peer->iss);
    } else if ((peer->facts & END_SEEN) && behind(p->ack, peer->nxt) > 0 && complete(s)) {
        capture_pending(s, HF_RULE_ACK_FIELD, PENDING_NUMBER, p->ack,
                        "SEG.ACK %u, the other end has sent to %u", p->ack, peer->nxt);
    } else if ((me->facts & END_ACK) && behind(p->ack, me->ack) < 0 && is_newer(s) && !far) {
        capture_broken(s, HF_RULE_ACK_FIELD, "SEG.ACK %u after %u, with a newer timestamp", p->ack,
                       me->ack);
    }
}

/* What was promised is rounded to the scale. */
static void judge_window(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    if (!agreement_known(s, HF_OPT_WSCALE) || !(me->facts & END_EDGE) ||
        (s->peer->facts & END_FIN)) {
        return;
    }
    bool later = behind(p->ack, me->ack) > 0 || (p->ack == me->ack && is_newer(s));
    uint32_t edge = p->ack + window_of(s);
    int32_t back = behind(me->edge_now, edge);
    int32_t unit = agreed_on(s, HF_OPT_WSCALE) ? 1 << me->wscale : 1;
    if (later && back >= unit) {
        capture_broken(s, HF_RULE_WINDOW_SHRINKS, "the right edge goes back by %d, from %u to %u",
                       back, me->edge_now, edge);
    }
}

/* A bare ACK that says nothing new, and nothing came that it could answer. */
static void judge_cause(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    bool bare = p->len == 0 && (p->ctl & HF_ACK) && (me->facts & END_ACK);
    /* Keep-alives, window probes are one octet old; of those of which only one direction passes
     * here nothing is known.
     */
    bool probes = !(me->facts & END_SEEN) || behind(p->seq, me->nxt) < 0;
    bool alone = !(s->peer->facts & END_PASSED);
    bool says_nothing = p->ack == me->ack && p->wnd == me->last_wnd && p->n_sack == 0 &&
                        !(p->ctl & HF_URG) && !s->cut;
    if (bare && !probes && !alone && says_nothing && me->may_ack == 0 && !is_copy(s) &&
        complete(s)) {
        capture_broken(s, HF_RULE_ACK_CAUSE, "the same ACK (%u) once more, and nothing came",
                       p->ack);
    }
}

/* It is no window update behind an ACK that was lost: that opens the window by a segment, or by
 * half of the memory for text (RFC 9293 3.8.6.2.2).
 */
static bool opens_nothing(const struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    bool known = agreement_known(s, HF_OPT_WSCALE) && (me->facts & END_EDGE);
    uint32_t wnd = known ? window_of(s) : p->wnd;
    int32_t least = wnd / 2 < SMALL_MSS ? (int32_t)(wnd / 2) : SMALL_MSS;
    return known ? behind(p->ack + wnd, me->edge_now) < least
                 : p->wnd <= me->last_wnd && behind(p->ack, me->ack) < least;
}

/* Within half a second, and the time that the way takes from here and back; measured from the last
 * time that the text passed.  An ACK before it may have been lost: what else may come then is left
 * out, as answers to what came behind, text, probes and window updates.
 */
static void judge_ack_time(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    bool due = me->text_ns != 0 && p->ack == me->text_end && !(me->facts & END_MORE_CAME);
    bool bare = p->len == 0 && (me->facts & END_SEEN) && p->seq == me->nxt;
    int64_t waited_ns = s->time_ns - me->text_ns;
    int64_t most_ns = (int64_t)(ACK_MOST_MS + ACK_LATE_MS) * NS_PER_MS + me->round_ns;
    if (due && bare && (me->facts & END_ROUND) && waited_ns > most_ns && complete(s) &&
        opens_nothing(s)) {
        capture_broken(s, HF_RULE_ACK_TIME, "%lld ms after the text, the way takes %lld ms at most",
                       (long long)(waited_ns / NS_PER_MS), (long long)(me->round_ns / NS_PER_MS));
    }
}

/* Text ----------------------------------------------------------------------------------------- */

static void judge_fin(struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me;
    uint32_t text_end = p->seq + p->text_bytes;
    /* A keep-alive's octet has the number before SND.NXT, the FIN's (RFC 9293 3.8.4). */
    bool probe = p->text_bytes == 1 && p->seq == me->fin && (s->peer->facts & END_ACK) &&
                 behind(s->peer->ack, me->fin) > 0;
    if (!(me->facts & END_FIN) || probe || !complete(s)) {
        return;
    }
    if (p->text_bytes && behind(text_end, me->fin) > 0) {
        capture_broken(s, HF_RULE_FIN, "text up to %u, the FIN was number %u", text_end, me->fin);
    } else if ((p->ctl & HF_FIN) && text_end != me->fin) {
        capture_broken(s, HF_RULE_FIN, "a FIN at %u, and before at %u", text_end, me->fin);
    }
}

/* It may echo what has not passed: then there may be a window that has not, either. */
static bool may_know_more(const struct seen *s)
{
    const struct end *peer = s->peer;
    if (s->cut) {
        return !agreement_known(s, HF_OPT_TS) || agreed_on(s, HF_OPT_TS);
    }
    bool compares = (peer->facts & END_STAMP) && !(peer->facts & END_CUT);
    return (s->p->options & HF_OPT_TS) && (!compares || behind(s->p->ts_ecr, peer->ts_max) > 0);
}

static void judge_beyond(struct seen *s)
{
    const struct end *peer = s->peer;
    uint32_t end = s->p->seq + s->p->text_bytes;
    bool known = agreement_known(s, HF_OPT_WSCALE) && (peer->facts & END_EDGE) && complete(s) &&
                 !may_know_more(s) && !s->f->mptcp;
    if (known && behind(end, peer->edge) > 1) {
        capture_pending(s, HF_RULE_BEYOND_WINDOW, PENDING_BEYOND, end,
                        "text up to %u, the window ends at %u", end, peer->edge);
    }
}

static uint32_t peer_mss(const struct seen *s)
{
    uint32_t usual = s->p->version == 4 ? IPV4_MSS : IPV6_MSS;
    return s->peer->options & HF_OPT_MSS ? s->peer->mss : usual;
}

/* RFC 6691: options count. */
static void judge_mss(struct seen *s)
{
    uint32_t options = s->p->text_offset - s->p->header_offset - 20;
    if (s->judge->config.on_wire && whole(s) && offer_known(s->peer) &&
        s->p->text_bytes + options > peer_mss(s)) {
        capture_broken(s, HF_RULE_MSS, "%u octets of text and %u of options, the peer's MSS is %u",
                       s->p->text_bytes, options, peer_mss(s));
    }
}

/* RFC 6928 2, of segments as large as the path takes; and a loss probe (RFC 8985 7.3).  All in one,
 * or sent without knowledge of an ACK that the capture may have missed.
 */
static void judge_initial_window(struct seen *s)
{
    bool first = s->p->seq == s->me->iss + 1;
    bool nothing_came = (s->p->options & HF_OPT_TS) && !may_know_more(s);
    uint32_t most = INITIAL_SEGMENTS * peer_mss(s);
    most = (most < INITIAL_OCTETS ? INITIAL_OCTETS : most) + peer_mss(s);
    uint32_t sent = s->p->seq + s->p->text_bytes - (s->me->iss + 1);
    if (whole(s) && offer_known(s->peer) && !(s->me->facts & END_OPENED) && complete(s) &&
        (first || nothing_came) && behind(sent, most) > 0) {
        capture_broken(s, HF_RULE_CONGESTION, "%u octets before the first is acknowledged", sent);
    }
}

/* By its own clock, too, each tick of which may have gone by all but a little: the way to here may
 * have become slower or faster.
 */
static bool ticks_agree(const struct seen *s)
{
    const struct end *me = s->me;
    if (!(s->p->options & HF_OPT_TS)) {
        return !s->cut;
    }
    uint64_t ticks = s->p->ts_val - me->repeat_ts;
    return me->repeat_ticks > 0 && 2 * (ticks + 1) < 3 * (uint64_t)(me->repeat_ticks - 1);
}

/* RFC 6298 5.5: the same again, and nothing came between: each time after twice as long. */
static void judge_back_off(struct seen *s)
{
    const struct end *me = s->me;
    bool again = (me->facts & END_REPEATED) && s->p->seq == me->repeat_seq && me->repeats >= 2 &&
                 !s->f->missed && !keeps_own_pace(s) && !s->judge->icmp_cut;
    int64_t waited_ns = s->time_ns - me->repeat_ns;
    int64_t least_ns = me->repeat_wait_ns + me->repeat_wait_ns / 2;
    const int64_t cap_ns = (int64_t)(BACK_OFF_MOST_MS - 1000) * NS_PER_MS; /* RFC 6298 2.5 */
    least_ns = least_ns < cap_ns ? least_ns : cap_ns;
    if (again && me->repeat_wait_ns < (int64_t)BACK_OFF_MOST_MS * NS_PER_MS &&
        waited_ns >= (int64_t)TWICE_MS * NS_PER_MS && waited_ns < least_ns && ticks_agree(s)) {
        capture_broken(s, HF_RULE_BACK_OFF, "again after %lld ms, the time before after %lld ms",
                       (long long)(waited_ns / NS_PER_MS),
                       (long long)(me->repeat_wait_ns / NS_PER_MS));
    }
}

void capture_rules(struct seen *s)
{
    const struct hf_packet *p = s->p;
    if (p->ctl & HF_SYN) {
        capture_syn(s);
        if (!is_other_syn(s)) {
            judge_stamps(s);
            if (p->len == 1) {
                judge_back_off(s);
            }
        }
        return;
    }
    if (p->ctl & HF_RST) {
        if (p->ctl & HF_FIN) {
            capture_broken(s, HF_RULE_RESET_FORM, "a reset with FIN");
        }
        return;
    }
    judge_options(s);
    judge_ecn(s);
    judge_stamps(s);
    if (p->ctl & HF_ACK) {
        judge_ack(s);
        judge_sack(s);
    }
    if ((p->ctl & HF_ACK) && !s->f->mptcp) {
        judge_window(s);
        judge_cause(s);
        judge_ack_time(s);
    }
    judge_fin(s);
    if (p->len) {
        judge_beyond(s);
        judge_mss(s);
        judge_initial_window(s);
        judge_back_off(s);
    }
}
