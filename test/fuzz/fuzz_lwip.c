/* fuzz_lwip.c - the same segments to Handfast and to lwIP, for what RFC 9293 leaves no choice in.
 *
 * A connection opens to each or from each, a peer sends text in any pieces and order, resets, SYNs,
 * FINs and acknowledgments that can be, and goes on when both have closed.  What the two have
 * received, what they acknowledge, in which state they are and what they answer must be the same
 * after each step.  Where RFCs leave a choice, or lwIP is known to differ, the peer does not go: it
 * sends no text that acknowledges what was never sent, none without ACK, no urgent text, no FIN
 * ahead of a gap, nothing behind its FIN, and no new acknowledgment on what is not acceptable; what
 * else is left out stands where it would be sent (lwip_opening.c, lwip_ends.c).  What lies ahead of
 * a gap either may forget (lwIP what overlaps, and all of it after a few timeouts; Handfast what
 * its little memory has no room for): there one may lag until all was sent again.
 */
#include "lwip_pair.h"

/* Of a released connection lwIP forgets FIN-WAIT-2 after 20 seconds, Handfast after 60; RFC 9293
 * has no such time.  It is left alone before. */
enum { STREAM_MAX = 50000, STEPS = 40, STEPS_RELEASED = 12, STEPS_AFTER = 4, PATIENCE = 5 };

/* Nothing that has not been received, and more than one octet old: it is not acceptable. */
static bool is_old(const struct run *r, uint32_t from, uint32_t len)
{
    uint32_t h = r->view[0].ack, l = r->view[1].ack, nxt = seq_lt(seq(h), seq(l)) ? l : h;
    return seq_lt(seq(from), seq(nxt - (len <= 1))) && seq_leq(seq(from + len), seq(nxt));
}

/* New text is acknowledged when a stack likes, and what there is no room for ahead of a gap perhaps
 * not at all.  In TIME-WAIT lwIP leaves an old ACK unanswered. */
static bool answer_is_due(const struct run *r, const struct segment *seg, uint32_t n)
{
    seq_t nxt = seq(r->view[0].ack), end = seq(seg->seq.v + n);
    bool fresh = seq_gt(end, nxt) && seq_leq(seg->seq, nxt) && !(seg->ctl & FIN);
    bool ahead = r->lags && seq_gt(seg->seq, nxt);
    bool unheard = r->state == HF_TIME_WAIT && n == 0;
    return level(r) && !fresh && !ahead && !unheard;
}

/* When nobody reads any more, a reset answers new text: where it is in order (RFC 9293 3.6.1
 * SHLD-3 says when, not how far ahead), without a FIN (in TIME-WAIT, which that brings, lwIP
 * forgets the connection in silence), and with an ACK of all, which is the reset's number. */
static bool may_be_sent(const struct run *r, const struct segment *seg, uint32_t n)
{
    bool fresh = seq_gt(seq(seg->seq.v + n), seq(r->view[0].ack));
    return !r->released || !fresh || (seq_leq(seg->seq, seq(r->view[0].ack)) && !(seg->ctl & FIN));
}

static void text(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t first = r->irs + 1;
    uint32_t from = what & 1 ? r->view[0].ack : first + take16(&r->b.in) % (STREAM_MAX - 3000);
    uint32_t n = what & 2 ? take16(&r->b.in) % 1460 : take8(&r->b.in);
    struct segment seg = {.seq = seq(from), .ctl = what & 4 ? ACK | PSH : ACK};
    uint32_t end = r->finished ? r->fin : first + STREAM_MAX;
    if (seq_gt(seq(from + n), seq(end)) || seq_gt(seq(from), seq(end))) {
        return;
    }
    if (!r->finished && level(r) && (what & 0xf9) == 0xf9 &&
        seq_geq(seq(from + n), seq(r->sent_to))) {
        seg.ctl |= FIN;
    }
    if (!may_be_sent(r, &seg, n)) {
        return;
    }
    if (seg.ctl & FIN) {
        r->fin = from + n;
        r->finished = true;
    }
    r->lags = r->lags || seq_gt(seq(from), seq(r->view[0].ack));
    if (seq_gt(seq(from + n), seq(r->sent_to))) {
        r->sent_to = from + n;
    }
    int32_t less = what & 8 ? take8(&r->b.in) : 0;
    less = r->released && n ? 0 : less;
    bool due = answer_is_due(r, &seg, n);
    send_both(r, seg, n, is_old(r, from, n + ((seg.ctl & FIN) != 0)) ? NOTHING_NEW : less);
    if (due && !last_answer_lost(r)) {
        same_answers(r, &seg, n);
    }
}

/* In TIME-WAIT a SYN may open another connection (MAY-2, RFC 6191) or gets no answer, and in the
 * window lwIP resets it as RFC 793 did: there only an old SYN,ACK is sent. */
static void forged(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    uint32_t at = r->view[0].ack;
    at += what & 4 ? take16(&r->b.in) % 30000 : 0;
    at -= what & 8 ? take16(&r->b.in) : 0;
    struct segment seg = {.seq = seq(at), .ctl = what & 1 ? RST : SYN};
    seg.ctl |= what & 2 ? ACK : 0;
    bool old = seg.ctl == (SYN | ACK) && seq_lt(seg.seq, seq(r->view[0].ack));
    if (!level(r) || (r->state == HF_TIME_WAIT && (seg.ctl & SYN) && !old)) {
        return; /* one lags: what is exact for one is not for the other */
    }
    send_both(r, seg, 0, NOTHING_NEW);
    same_answers(r, &seg, 0);
}

/* From a stranger: to a port that nobody listens on, or without a SYN to one that somebody does. */
static void stranger(struct run *r)
{
    static const uint16_t bits[8] = {SYN, ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, FIN, 0};
    uint8_t what = take8(&r->b.in);
    struct segment seg = {.seq = seq(take32(&r->b.in)), .ctl = bits[what % 8]};
    struct view known[2] = {r->view[0], r->view[1]};
    uint32_t n = what & 16 ? 20 : 0;
    seg.sport = ++r->stranger;
    seg.dport = what & 8 && seg.ctl != SYN ? LISTENING_PORT : 81;
    r->view[0] = r->view[1] = (struct view){.nxt = take8(&r->b.in) * 1000003u};
    send_both(r, seg, n, 0);
    same_answers(r, &seg, n);
    r->view[0] = known[0];
    r->view[1] = known[1];
}

static void write_both(struct run *r)
{
    uint32_t n = 1 + take16(&r->b.in) % 1400;
    if (r->shut || r->handle == 0 || r->written > STREAM_MAX) {
        return;
    }
    write_octets(r, n);
    for (int i = 0; i < 4; i++) { /* what Nagle holds, too */
        settle(r);
        send_both(r, (struct segment){.seq = seq(r->view[0].ack), .ctl = ACK}, 0, 0);
    }
}

static void shut_both(struct run *r)
{
    if (!r->shut && r->handle) {
        r->shut = r->lags = true; /* lwIP forgets then what it held ahead of gaps */
        hf_close(r->b.stack, &r->b.env, r->handle);
        bench_drain(&r->b);
        lwip_shut();
    }
}

/* All that they have sent is acknowledged, where both take it. */
static void acknowledge(struct run *r)
{
    uint32_t h = r->view[0].ack, l = r->view[1].ack;
    struct segment seg = {.seq = seq_lt(seq(h), seq(l)) ? seq(l) : seq(h), .ctl = ACK};
    send_both(r, seg, 0, 0);
    settle(r);
    compare(r);
}

/* After a round trip of no half second lwIP sends again each half second, and gives up after twelve
 * times, as it may (RFC 9293 3.8.3). */
static void have_patience(struct run *r)
{
    bool waits = r->view[0].una != r->view[0].nxt;
    r->unacked = waits ? r->unacked + 1 : 0;
    if (r->unacked > PATIENCE) {
        r->unacked = 0;
        acknowledge(r);
    }
}

static void one_step(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    switch (what % 16) {
    case 0:
        forged(r);
        break;
    case 1:
        stranger(r);
        break;
    case 2:
    case 3:
        write_both(r);
        break;
    case 4:
        if (what > 200) {
            shut_both(r);
        } else {
            end_step(r, what >> 4);
        }
        break;
    default:
        text(r);
        break;
    }
    settle(r);
    compare(r);
}

/* All text once more, in order: both must have all of it. */
static void end(struct run *r)
{
    acknowledge(r);
    for (uint32_t at = r->irs + 1; seq_lt(seq(at), seq(r->sent_to)) && !r->ended; at += 1000) {
        uint32_t left = r->sent_to - at;
        struct segment seg = {.seq = seq(at), .ctl = ACK};
        send_both(r, seg, left < 1000 ? left : 1000, NOTHING_NEW);
        settle(r);
    }
    r->lags = false;
    compare(r);
    must(r->ended || r->read == r->sent_to - r->irs - 1, "text is lost");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run r;
    pair_begin(&r, data, size);
    bool opened = open_pair(&r);
    int left = opened ? STEPS : 0;
    for (; r.b.in.left && left > 0 && !r.ended; left--) {
        one_step(&r);
        have_patience(&r);
        left = r.released && left > STEPS_RELEASED ? STEPS_RELEASED : left;
    }
    for (int steps = 0; r.ended && r.b.in.left && steps < STEPS_AFTER; steps++) {
        after_end(&r);
    }
    if (!r.ended && !r.released) {
        end(&r);
    }
    return 0;
}
