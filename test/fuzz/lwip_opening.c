/* lwip_opening.c - fuzz_lwip: SYN-SENT, SYN-RECEIVED and both SYNs at once. */
#include "lwip_pair.h"

enum { MOST_STEPS = 8, MOST_WRONG = 3, SMALL = 500 };

static void draw_options(struct segment *syn, uint8_t what)
{
    syn->opt.present =
        (what & 1 ? OPT_MSS : 0) | (what & 2 ? OPT_WSCALE : 0) | (what & 4 ? OPT_SACK_OK : 0);
    syn->opt.mss = 1460;
}

static void ask(struct run *r, struct segment seg, int32_t less)
{
    send_both(r, seg, 0, less);
    same_answers(r, &seg, 0);
}

/* An ACK of what was not sent. */
static int32_t wrong(struct run *r)
{
    return -1 - (int32_t)(take32(&r->b.in) % 0x7ffffffe);
}

/* The listener has answered, and waits for the ACK.  What is not in the window is not sent: lwIP
 * looks at no sequence number here but that of a reset (RFC 9293 3.10.7.4 first).  Nor is another
 * SYN: that goes back to LISTEN (3.10.7.4 fourth), lwIP ignores it. */
static void before_the_ack(struct run *r, const struct segment *syn)
{
    uint8_t what = take8(&r->b.in);
    struct segment seg = {.seq = seq(r->irs + 1)};
    switch (what & 7) {
    case 0:
        send_both(r, *syn, 0, 0);
        must(r->view[0].answer.syn && r->view[1].answer.syn, "one does not repeat its SYN,ACK");
        break;
    case 1:
        seg.ctl = ACK;
        ask(r, seg, wrong(r));
        break;
    case 2:
        seg.ctl = what & 8 ? RST | ACK : RST;
        ask(r, seg, 0);
        r->ended = true;
        break;
    case 3:
        seg.ctl = what & 8 ? RST | ACK : RST;
        seg.seq = seq(r->irs + 2 + take16(&r->b.in) % 30000);
        ask(r, seg, 0);
        break;
    case 4:
        seg.ctl = what & 8 ? RST | ACK : RST;
        seg.seq = seq(r->irs - take16(&r->b.in));
        ask(r, seg, 0);
        break;
    case 5:
        ask(r, seg, 0); /* no control bit at all */
        break;
    default:
        break;
    }
    settle(r);
}

static void open_passively(struct run *r)
{
    struct segment syn = {.seq = seq(r->irs), .ctl = SYN};
    uint8_t what = take8(&r->b.in);
    draw_options(&syn, what);
    send_both(r, syn, 0, 0);
    must(r->view[0].opened && r->view[1].opened, "one does not answer a SYN");
    must(r->view[0].ack == r->irs + 1 && r->view[1].ack == r->irs + 1,
         "one acknowledges another number than SEG.SEQ + 1");
    for (int i = 0; i < (what >> 3 & 3) && !r->ended; i++) {
        before_the_ack(r, &syn);
    }
    must((lwip_state(PEER_PORT) == HF_CLOSED) == r->ended,
         "lwIP keeps a connection that was reset");
    struct segment ack = {.seq = seq(r->irs + 1), .ctl = ACK};
    ask(r, ack, 0); /* to one that was reset, too */
    settle(r);
}

/* The SYN,ACK; with text, which Handfast takes at once (RFC 9293 3.10.7.3 fourth) and lwIP leaves
 * to be sent again. */
static void answer_syn(struct run *r)
{
    struct segment seg = {.seq = seq(r->irs), .ctl = SYN | ACK};
    uint8_t what = take8(&r->b.in);
    uint32_t text = what & 8 ? take8(&r->b.in) : 0;
    draw_options(&seg, what);
    send_both(r, seg, text, 0);
    must(r->view[0].answer.ack && r->view[1].answer.ack, "one does not acknowledge a SYN,ACK");
    r->lags = text != 0;
    r->sent_to += text;
    r->crossed = false;
}

/* A reset.  Not without ACK: lwIP takes it when its ACK field is right, though the bit is not set
 * (RFC 9293 3.10.7.3 second: "if the ACK was acceptable").  Not with a wrong one once the SYNs have
 * crossed: the sequence number alone is looked at then (3.10.7.4), which lwIP does not know yet. */
static void reset_syn(struct run *r, bool right)
{
    struct segment seg = {.seq = seq(r->irs + r->crossed), .ctl = RST | ACK};
    right = right || r->crossed;
    ask(r, seg, right ? 0 : wrong(r));
    if (right) {
        settle(r);
        compare(r);
        must(r->ended, "a SYN is refused, and its connection goes on");
    }
}

/* An ACK of another number.  Once the SYNs have crossed without a SYN: it is too old then
 * (RFC 9293 3.10.7.4 first).  A right ACK without SYN is not sent: it must be dropped in silence
 * (3.10.7.3 fifth), lwIP resets; and with the SYNs crossed it opens what lwIP does not know. */
static void wrong_ack(struct run *r, bool syn)
{
    struct segment seg = {.seq = seq(r->irs + r->crossed), .ctl = ACK};
    seg.ctl |= syn && !r->crossed ? SYN : 0;
    if (++r->wrong_acks <= MOST_WRONG) {
        ask(r, seg, wrong(r));
    }
}

/* 3.10.4: a CLOSE ends it.  Once the SYNs have crossed it does not. */
static void close_syn(struct run *r)
{
    if (!r->crossed) {
        hf_close(r->b.stack, &r->b.env, r->handle);
        lwip_close();
        bench_drain(&r->b);
        compare(r);
        must(r->ended, "a connection in SYN-SENT is closed, and there");
    }
}

/* Their SYN is out.  lwIP sends it again for each wrong ACK, and gives up after six; Handfast's
 * limit is that of challenge ACKs. */
static void before_the_answer(struct run *r, uint8_t what)
{
    struct segment none = {.seq = seq(r->irs + r->crossed)};
    switch (what & 15) {
    case 1:
    case 2:
        wrong_ack(r, what & 1);
        break;
    case 3:
        reset_syn(r, false);
        break;
    case 4:
        reset_syn(r, true);
        break;
    case 5:
        none.ctl = what & 16 ? FIN : 0;
        ask(r, none, 0);
        break;
    case 6:
    case 7:
        if (!r->crossed) {
            struct segment syn = {.seq = seq(r->irs), .ctl = SYN};
            draw_options(&syn, what >> 4);
            send_both(r, syn, 0, 0);
            must(r->view[0].answer.syn && !r->view[1].answer.syn, "the SYNs cross");
            r->crossed = true;
        }
        break;
    case 8:
        close_syn(r);
        break;
    case 9:
        if (r->written == 0) { /* one segment's: it goes with the ACK of the SYN,ACK */
            write_octets(r, 1 + take16(&r->b.in) % SMALL);
        }
        break;
    default:
        break;
    }
    settle(r);
    compare(r);
}

static void open_actively(struct run *r)
{
    struct hf_endpoint own = {.port = OPENING_PORT}, peer = {.port = PEER_PORT};
    memcpy(own.ip, r->v6 ? r->b.own6 : r->b.own4, 16);
    memcpy(peer.ip, own.ip, 16);
    peer.ip[15] = 2;
    must(hf_open(r->b.stack, &r->b.env, &own, &peer, 0, &r->handle) == HF_OK, "no open");
    bench_drain(&r->b);
    lwip_open(OPENING_PORT, peer.ip, PEER_PORT);
    must(r->view[0].opened && r->view[1].opened, "one sends no SYN");
    compare(r);
    uint8_t what = take8(&r->b.in);
    for (int i = 0; i < MOST_STEPS && !r->ended && (what & 15); i++) {
        before_the_answer(r, what);
        what = take8(&r->b.in);
    }
    if (!r->ended) {
        answer_syn(r);
        settle(r);
    }
}

bool open_pair(struct run *r)
{
    uint8_t what = take8(&r->b.in);
    r->irs = what & 1 ? 0xffffffffu - take16(&r->b.in) : take32(&r->b.in);
    r->sent_to = r->irs + 1;
    r->v6 = what & 4;
    r->port = what & 2 ? OPENING_PORT : LISTENING_PORT;
    if (what & 2) {
        open_actively(r);
    } else {
        open_passively(r);
    }
    compare(r);
    return !r->ended;
}
