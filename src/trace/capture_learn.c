/* capture_learn.c - the oracle over a capture: what is known after a packet. */
#include "trace/capture_judge.h"

enum { ACKS_A_SEGMENT = 2, MAY_ACK_MOST = 1 << 20, SMALL_SEGMENT = 536 };

void capture_take_syn(struct end *end, const struct syn *syn)
{
    end->facts |= END_SYN | (syn->ctl & HF_ACK ? END_SYN_ACK : 0);
    end->facts |= syn->cut ? END_SYN_CUT | END_CUT : 0;
    end->iss = syn->iss;
    end->syn_ns = syn->ns;
    end->options = syn->options;
    end->wscale = syn->wscale > 14 ? 14 : syn->wscale; /* RFC 7323 2.3 */
    end->mss = syn->mss;
    end->kind = syn->kind;
    end->ctl = syn->ctl;
    if (syn->options & HF_OPT_TS) {
        end->facts |= END_STAMP | END_NXT_STAMP;
        end->ts_first = syn->ts_first;
        end->ts_max = end->ts_of_nxt = syn->ts_max;
        end->ts_ns = end->ts_of_nxt_ns = syn->ns;
    }
}

static void learn_syn(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me;
    if ((me->facts & END_SYN) && p->seq == me->iss) {
        return;
    }
    struct syn syn = {.iss = p->seq,
                      .nxt = p->seq + p->len,
                      .ns = s->time_ns,
                      .ts_first = p->ts_val,
                      .ts_max = p->ts_val,
                      .mss = p->mss,
                      .ctl = p->ctl,
                      .options = p->options,
                      .wscale = p->wscale,
                      .kind = kind_of(p),
                      .cut = s->cut};
    if (!(me->facts & END_SEEN)) {
        s->f->begun_ns = s->peer->facts & END_SYN ? s->f->begun_ns : s->time_ns;
        capture_take_syn(me, &syn);
        return;
    }
    /* Of another incarnation: not followed, unless it is answered. */
    if ((me->facts & END_OTHER_SYN) && me->other.iss == p->seq) {
        syn.ns = me->other.ns;
        syn.nxt = behind(me->other.nxt, syn.nxt) > 0 ? me->other.nxt : syn.nxt;
        syn.ts_first = me->other.ts_first;
        syn.cut |= me->other.cut;
    }
    syn.late = (me->facts & END_ACK) != 0;
    syn.cut |= syn.late;
    me->other = syn;
    me->facts |= END_OTHER_SYN;
}

/* What was missed shows when text begins behind all that passed, and the other end does not miss
 * it.
 */
static void learn_gap(struct seen *s)
{
    struct end *peer = s->peer;
    struct followed *f = s->f;
    uint8_t own = s->me == &f->end[1];
    bool fills = f->hole_of == own && behind(s->p->seq, f->hole_seq) <= 0;
    if (f->hole && fills && behind(s->p->seq + s->p->len, f->hole_seq) > 0) {
        f->hole = false;
    } else if (!f->hole && behind(s->p->seq, s->me->nxt) > 0) {
        f->hole = true;
        f->hole_of = own;
        f->hole_seq = s->me->nxt;
    }
    if (peer->pending.of != PENDING_NONE && behind(s->p->seq, s->me->nxt) > 0) {
        f->missed = true;
    }
}

/* Sent with knowledge of what is pending. */
static bool answers(const struct seen *s, const struct pending *pending)
{
    const struct hf_packet *p = s->p;
    bool by_echo =
        pending->stamped && (p->options & HF_OPT_TS) && behind(p->ts_ecr, pending->stamp) >= 0;
    bool by_ack = pending->text && (p->ctl & HF_ACK) && behind(p->ack, pending->text_end) >= 0;
    return by_echo || by_ack;
}

/* More than was sent, if a FIN ends the text before it, or who knows of the ACK sends what lies
 * before it (what a SACK tells of may be sent once more).  Text up to there may just have come
 * after its ACK into the capture, or was sent again while the ACK was on its way.
 */
static void settle_number(struct seen *s, struct pending *pending)
{
    const struct hf_packet *p = s->p;
    uint32_t end = p->seq + p->len;
    bool jumps = p->len && behind(p->seq, s->me->nxt) > 0;
    bool refuted = pending->of == PENDING_NUMBER && answers(s, pending) &&
                   behind(p->seq, pending->at) < -1; /* a keep-alive is one octet old */
    bool sent = !refuted && (jumps || behind(end, pending->at) >= 0);
    bool ended = (p->ctl & HF_FIN) && behind(end, pending->at) < 0;
    s->f->missed |= sent;
    if (sent || ended || refuted) {
        capture_settle(s->judge, pending, s->f->missed);
    }
}

/* A stamp that is echoed has been sent when later ones come behind; one that comes from who knows
 * of the echo, and is older, shows that it has not.
 */
static void settle_echo(struct seen *s, struct pending *pending)
{
    const struct hf_packet *p = s->p;
    if (!(p->options & HF_OPT_TS)) {
        return;
    }
    bool sent = behind(p->ts_val, pending->at) >= 0;
    s->f->missed |= sent;
    if (sent || answers(s, pending)) {
        capture_settle(s->judge, pending, s->f->missed);
    }
}

/* A window that the capture has missed is still there, or was used: right edges do not go back. */
static void settle_beyond(struct seen *s, struct pending *pending)
{
    const struct hf_packet *p = s->p;
    if (!(p->ctl & HF_ACK)) {
        return;
    }
    bool used = behind(p->ack, pending->edge) > 1;
    bool open = behind(p->ack + window_of(s), pending->at) >= -1;
    s->f->missed |= used || open;
    capture_settle(s->judge, pending, s->f->missed);
}

/* Who has sent the SYN goes on with what does not answer it, instead of resetting it (RFC 9293 3.5
 * Figure 8): a SYN,ACK of another connection that is none.  Where its number is not that of the
 * SYN, the capture has missed another SYN.
 */
static void settle_answer(struct seen *s, struct pending *pending)
{
    const struct hf_packet *p = s->p;
    bool goes_on = (p->ctl & HF_ACK) && p->ack == pending->at && p->seq == s->me->nxt;
    capture_settle(s->judge, pending, !goes_on);
}

/* What waits for a packet of this end. */
static void settle(struct seen *s)
{
    struct pending *pending = &s->peer->pending;
    if (s->p->ctl & HF_SYN) {
        return;
    }
    if (pending->of == PENDING_NUMBER || pending->of == PENDING_BLOCK) {
        settle_number(s, pending);
    } else if (pending->of == PENDING_ECHO) {
        settle_echo(s, pending);
    } else if (pending->of == PENDING_BEYOND) {
        settle_beyond(s, pending);
    } else if (pending->of == PENDING_ANSWER) {
        settle_answer(s, pending);
    }
}

static void learn_repeat(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me;
    if (keeps_own_pace(s)) {
        return;
    }
    bool same = (me->facts & END_REPEATED) && p->seq == me->repeat_seq;
    if (same && s->time_ns - me->repeat_ns < (int64_t)TWICE_MS * NS_PER_MS) {
        return;
    }
    me->repeat_wait_ns = same ? s->time_ns - me->repeat_ns : 0;
    me->repeats = same ? me->repeats + 1 : 0;
    me->repeat_ticks = same && (p->options & HF_OPT_TS) ? p->ts_val - me->repeat_ts : 0;
    me->repeat_ts = p->ts_val;
    me->repeat_seq = p->seq;
    me->repeat_ns = s->time_ns;
    me->facts |= END_REPEATED;
}

static void learn_text(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me;
    uint32_t end = p->seq + p->len;
    if (!(me->facts & END_SEEN)) {
        me->facts |= END_SEEN;
        me->start = p->seq;
        me->nxt = p->seq;
    }
    learn_gap(s);
    learn_repeat(s);
    if (behind(end, me->nxt) > 0) {
        if (behind(p->seq, me->nxt) >= 0 && (p->options & HF_OPT_TS)) {
            me->facts |= END_NXT_STAMP;
            me->ts_of_nxt = p->ts_val;
            me->ts_of_nxt_ns = s->time_ns;
        }
        me->nxt = end;
        me->facts |= is_far(me->iss, end) ? END_LONG : 0;
    }
    if ((p->ctl & HF_FIN) && !(me->facts & END_FIN)) {
        me->facts |= END_FIN;
        me->fin = p->seq + p->text_bytes;
    }
}

/* Text that the other end is to acknowledge: the last time that what follows its ACK passed. */
static void learn_due(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *peer = s->peer;
    bool in_order = (peer->facts & END_ACK) && behind(p->seq, peer->ack) <= 0 &&
                    behind(p->seq + p->text_bytes, peer->ack) > 0;
    peer->facts |= END_MORE_CAME;
    if (p->text_bytes && in_order && !(p->ctl & HF_SYN)) {
        peer->facts &= ~(uint32_t)END_MORE_CAME;
        peer->text_ns = s->time_ns;
        peer->text_end = p->seq + p->text_bytes;
    }
}

/* The newest stamp that came with the furthest ACK; unknown once it came without one, or cut. */
static void learn_ack_stamp(struct seen *s, bool further)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me;
    bool stamped = (p->options & HF_OPT_TS) != 0, same = !further && p->ack == me->ack;
    bool newer = same && (me->facts & END_ACK_STAMP) && behind(p->ts_val, me->ack_stamp) > 0;
    if (stamped && (further || newer)) {
        me->ack_stamp = p->ts_val;
        me->facts |= END_ACK_STAMP;
    } else if (further || (same && s->cut)) {
        me->facts &= ~(uint32_t)END_ACK_STAMP;
    }
}

/* How long the way from here to this end and back takes, with what it waits: from the SYN on, which
 * may have been lost before, or from text.
 */
static void learn_round(struct seen *s)
{
    struct end *me = s->me;
    bool of_syn = !(me->facts & END_ROUND) && (s->peer->facts & END_SYN);
    bool of_text = me->text_ns != 0 && behind(s->p->ack, me->text_end) >= 0;
    int64_t took_ns = s->time_ns - (of_syn ? s->peer->syn_ns : me->text_ns);
    if ((of_syn || of_text) && !s->broken && !s->f->missed) {
        me->round_ns = took_ns > me->round_ns ? took_ns : me->round_ns;
        me->facts |= END_ROUND;
    }
    me->text_ns = of_text ? 0 : me->text_ns;
}

static void learn_ack(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me, *peer = s->peer;
    bool further = !(me->facts & END_ACK) || behind(p->ack, me->ack) > 0;
    if (!(peer->facts & END_SEEN)) { /* it began before the capture did */
        peer->facts |= END_SEEN;
        peer->start = peer->nxt = p->ack;
    }
    bool of_peer = s->f->hole && &s->f->end[s->f->hole_of] == peer;
    if (of_peer && behind(p->ack, s->f->hole_seq) > 0) {
        s->f->missed = true;
        s->f->hole = false;
        capture_settle(s->judge, &me->pending, true);
        capture_settle(s->judge, &peer->pending, true);
    }
    learn_round(s);
    learn_ack_stamp(s, further);
    if (further) {
        me->ack = p->ack;
        me->facts |= END_ACK;
        peer->facts |= is_far(peer->iss, p->ack) ? END_LONG : 0;
    }
    /* Any answer to text lets more go, a duplicate ACK too (RFC 3042, RFC 6675). */
    if ((peer->facts & END_SYN) && behind(peer->nxt, peer->iss + 1) > 0) {
        peer->facts |= END_OPENED;
    }
    if (agreement_known(s, HF_OPT_WSCALE)) {
        uint32_t edge = p->ack + window_of(s);
        me->edge = (me->facts & END_EDGE) && behind(me->edge, edge) > 0 ? me->edge : edge;
        me->edge_now =
            !(me->facts & END_EDGE) || further || behind(edge, me->edge_now) > 0 || s->broken
                ? edge
                : me->edge_now;
        me->facts |= END_EDGE;
    }
    me->last_wnd = p->wnd;
}

static void learn_stamp(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me;
    if (!(me->facts & END_STAMP)) {
        me->facts |= END_STAMP;
        me->ts_first = me->ts_max = p->ts_val;
    } else if (was_long_ago(s, me->ts_ns)) {
        me->facts |= END_OLD_STAMP | END_CUT;
        me->ts_max = p->ts_val;
    } else if (behind(p->ts_val, me->ts_max) > 0) {
        me->ts_max = p->ts_val;
        me->facts |= is_far(me->ts_first, me->ts_max) ? END_OLD_STAMP : 0;
    }
    me->ts_ns = s->time_ns;
}

void capture_learn(struct seen *s)
{
    const struct hf_packet *p = s->p;
    struct end *me = s->me, *peer = s->peer;
    if (p->ctl & HF_RST) {
        me->facts |= END_RST;
        if (peer->pending.of == PENDING_ANSWER) {
            capture_settle(s->judge, &peer->pending, true);
        }
        return;
    }
    bool other = is_other_syn(s);
    me->facts |= END_PASSED | (s->cut ? END_CUT : 0);
    settle(s);
    if (p->ctl & HF_SYN) {
        learn_syn(s);
    }
    uint32_t segments = 1 + p->text_bytes / SMALL_SEGMENT; /* one frame may be many */
    peer->may_ack += ACKS_A_SEGMENT * segments;
    peer->may_ack = peer->may_ack > MAY_ACK_MOST ? MAY_ACK_MOST : peer->may_ack;
    if (p->len == 0 && !is_copy(s)) {
        me->may_ack -= me->may_ack > 0;
        me->bare_ns = s->time_ns;
    }
    peer->facts &= ~(uint32_t)END_REPEATED; /* something comes to it */
    peer->repeats = 0;
    learn_due(s);
    if (p->len && !other) {
        learn_text(s);
    }
    if (p->ctl & HF_ACK) {
        learn_ack(s);
    }
    if ((p->options & HF_OPT_TS) && !other) {
        learn_stamp(s);
    }
}
