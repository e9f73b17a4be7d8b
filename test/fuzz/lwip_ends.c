/* lwip_ends.c - fuzz_lwip: what comes while a connection closes, in TIME-WAIT and afterwards. */
#include "lwip_pair.h"

/* Three of these and all other steps are less than TIME-WAIT, four are more: lwIP counts it in half
 * seconds, and from the last segment before its application went. */
enum { LONG_TICKS = 128 };

/* No text, with ACK or without.  What is not acceptable acknowledges nothing new: lwIP takes its
 * ACK field all the same (RFC 9293 3.10.7.4 first: "drop the segment"), Handfast where it is no
 * more than one octet old (A.2).  In TIME-WAIT lwIP leaves it unanswered. */
static void bare(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t nxt = r->view[0].ack, at = nxt;
    at += (what & 3) == 1 ? take16(&r->b.in) % 30000 : 0;
    at -= (what & 3) == 2 ? take16(&r->b.in) : 0;
    at -= (what & 3) == 3;
    int32_t less = what & 8 ? take8(&r->b.in) : 0;
    struct segment seg = {.seq = seq(at), .ctl = what & 4 ? ACK : 0};
    send_both(r, seg, 0, seq_lt(seq(at), seq(nxt - 1)) ? NOTHING_NEW : less);
    bool unheard = r->state == HF_TIME_WAIT && seq_lt(seq(at), seq(nxt));
    if (!unheard && !last_answer_lost(r)) {
        same_answers(r, &seg, 0);
    }
}

/* Our FIN once more, with text before it or alone. */
static void fin_again(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t text = what & 1 ? take8(&r->b.in) : 0;
    int32_t less = what & 2 ? take8(&r->b.in) : 0;
    if (!r->finished || text > r->fin - r->irs - 1) {
        return;
    }
    struct segment seg = {.seq = seq(r->fin - text), .ctl = FIN | ACK};
    send_both(r, seg, text, text ? NOTHING_NEW : less);
    if (!last_answer_lost(r)) {
        same_answers(r, &seg, text);
    }
}

/* Without text: lwIP takes that of a segment whose ACK is of what was never sent (RFC 9293
 * 3.10.7.4 fifth: "drop the segment").  In TIME-WAIT it looks at no ACK field. */
static void unsent_ack(struct run *r)
{
    struct segment seg = {.seq = seq(r->view[0].ack), .ctl = ACK};
    int32_t more = 1 + take16(&r->b.in);
    if (r->state != HF_TIME_WAIT) {
        send_both(r, seg, 0, -more);
        same_answers(r, &seg, 0);
    }
}

/* Nobody reads any more, whatever was closed before: new text is answered with a reset. */
static void release(struct run *r)
{
    if (r->lags || r->released) {
        return;
    }
    send_both(r, (struct segment){.seq = seq(r->view[0].ack), .ctl = ACK}, 0, 0);
    hf_release(r->b.stack, &r->b.env, r->handle);
    bench_drain(&r->b);
    lwip_close();
    r->released = r->shut = true;
}

void end_step(struct run *r, uint8_t what)
{
    if (!level(r)) {
        return;
    }
    switch (what & 7) {
    case 0:
    case 1:
        bare(r);
        break;
    case 2:
    case 3:
        fin_again(r);
        break;
    case 4:
        unsent_ack(r);
        break;
    case 5:
        if (r->state == HF_TIME_WAIT) {
            pass_ticks(r, LONG_TICKS * (1 + (take8(&r->b.in) & 3)));
        }
        break;
    case 6:
        release(r);
        break;
    default:
        break;
    }
}

/* To where no connection is any more.  No SYN to the listener, which would begin another. */
void after_end(struct run *r)
{
    static const uint16_t bits[8] = {SYN, ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, FIN, 0};
    uint8_t what = take8(&r->b.in);
    struct segment seg = {.seq = seq(r->irs + take16(&r->b.in)), .ctl = bits[what & 7]};
    uint32_t text = what & 8 ? 20 : 0;
    if (seg.ctl == SYN && r->port == LISTENING_PORT) {
        return;
    }
    send_both(r, seg, text, -(int32_t)take16(&r->b.in));
    same_answers(r, &seg, text);
    must(lwip_state(PEER_PORT) == HF_CLOSED, "a connection comes back");
    settle(r);
}
