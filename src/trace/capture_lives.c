/* capture_lives.c - the oracle over a capture: which incarnation of a pair of sockets a packet is
 * of.
 *
 * A SYN may be forged, old, or of a host that has begun anew while the other end has not: who has a
 * connection answers it with the numbers of that one (RFC 9293 3.5 Figures 8 to 11, RFC 5961 4).
 */
#include "trace/capture_judge.h"

static bool is_among(uint32_t ack, uint32_t iss, uint32_t nxt)
{
    return behind(ack, iss) > 0 && behind(ack, nxt) <= 0;
}

/* A SYN with another number than this one's, when it is over; and what follows one that the capture
 * has missed.
 */
static bool begins_anew(const struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me, *peer = s->peer;
    bool over = ((me->facts | peer->facts) & END_RST) || ((me->facts & peer->facts) & END_FIN);
    bool pause = s->time_ns - s->f->last_ns > INT64_C(60000) * NS_PER_MS;
    bool known = (me->facts & END_SYN) && p->seq == me->iss;
    if (p->ctl & HF_RST || known) {
        return false;
    }
    if (!(p->ctl & HF_SYN)) {
        return over && pause && p->text_bytes;
    }
    if (p->ctl & HF_ACK) {
        bool fits = !(me->facts & END_SEEN) &&
                    (!(peer->facts & END_SYN) || is_among(p->ack, peer->iss, peer->nxt));
        return (over || pause) && !fits;
    }
    return (me->facts & END_SEEN) && over;
}

/* A SYN,ACK of a SYN that was not followed. */
static bool answers_other(const struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *peer = s->peer;
    return (p->ctl & (HF_SYN | HF_ACK)) == (HF_SYN | HF_ACK) && (peer->facts & END_OTHER_SYN) &&
           !is_among(p->ack, peer->start, peer->nxt) &&
           is_among(p->ack, peer->other.iss, peer->other.nxt);
}

static void begin_anew(struct seen *s)
{
    struct followed *f = s->f;
    capture_give_up(s->judge, f);
    f->old_ns = (f->end[0].facts & f->end[1].facts & END_SYN) ? f->begun_ns : 0;
    for (int i = 0; i < 2; i++) {
        f->old_iss[i] = f->end[i].iss;
        f->old_kind[i] = f->end[i].kind;
        f->end[i] = (struct end){0};
    }
    f->missed = f->hole = f->mptcp = false;
    s->judge->counts.connections++;
}

/* That SYN is followed from now on, and the one before is the other: both may be answered, and only
 * the answers' answer tells which of them is old (RFC 9293 3.5).  So nothing is said of its ISS.
 */
static void follow_other(struct seen *s)
{
    struct end *peer = s->peer, before = *peer;
    begin_anew(s);
    peer->facts = END_SEEN | END_PASSED;
    peer->start = before.other.iss;
    peer->nxt = before.other.nxt;
    capture_take_syn(peer, &before.other);
    if (before.facts & END_SYN) {
        peer->facts |= END_OTHER_SYN;
        peer->other = (struct syn){.iss = before.iss,
                                   .nxt = before.nxt,
                                   .ns = before.syn_ns,
                                   .late = (before.facts & END_ACK) != 0,
                                   .cut = true};
    }
    s->f->begun_ns = s->f->old_ns = 0;
    s->judge->counts.whole++;
}

/* The other end's SYN has no answer yet, and this is none: it is of a connection before. */
static bool is_of_before(const struct seen *s)
{
    const struct hf_packet *p = s->p;
    const struct end *me = s->me, *peer = s->peer;
    return (p->ctl & HF_ACK) && !(p->ctl & HF_RST) &&
           (!(me->facts & END_SYN) || (p->ctl & HF_SYN)) &&
           (peer->facts & (END_SYN | END_SYN_ACK | END_LONG)) == END_SYN &&
           !is_among(p->ack, peer->iss, peer->nxt);
}

bool capture_place(struct seen *s)
{
    if (answers_other(s)) {
        if ((s->me->facts & END_SEEN) && (s->peer->facts & END_ACK) && !s->peer->other.late) {
            return false; /* the one that is followed has opened */
        }
        follow_other(s);
    } else if (begins_anew(s)) {
        begin_anew(s);
    }
    if (!is_of_before(s)) {
        return true;
    }
    if (s->p->ctl & HF_SYN) {
        capture_syn(s);
    }
    s->peer->facts &= ~(uint32_t)END_REPEATED; /* a reset is due, and a SYN at once */
    s->peer->repeats = 0;
    s->f->last_ns = s->time_ns;
    return false;
}
