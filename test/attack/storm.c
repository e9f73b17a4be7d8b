#include "attack/storm.h"

#include "base/bytes.h"
#include "stack/stack.h"

enum { BATCH_MOST = 60, ROW_MOST = 8, HALF = 31 };

uint32_t storm_below(struct storm *s, uint32_t n)
{
    s->dice += 0x9e3779b97f4a7c15u;
    uint64_t x = s->dice;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((x ^ (x >> 31)) >> 32) * n >> 32);
}

bool storm_one_in(struct storm *s, uint32_t n)
{
    return storm_below(s, n) == 0;
}

/* What the stack has for the connection: one of these, or none. */
struct known {
    const struct tcb *tcb;
    const struct half_open *half;
    const struct active *active;
    uint32_t una, snx, nxt, wnd, mss;
};

static const struct half_open *half_of(const struct peer *p)
{
    const struct pool *halves = &p->stack->tcp.halves;
    for (uint32_t i = 1; i <= halves->top; i++) {
        const struct half_open *half = pool_at(halves, p->stack, i);
        if (half->id.rport == p->c->peer_port) {
            return half;
        }
    }
    return NULL;
}

static const struct tcb *tcb_of(const struct peer *p)
{
    const struct pool *tcbs = &p->stack->tcp.tcbs;
    for (uint32_t i = 1; i <= tcbs->top; i++) {
        const struct tcb *tcb = pool_at(tcbs, p->stack, i);
        if (tcb->state != HF_CLOSED && tcb->id.rport == p->c->peer_port) {
            return tcb;
        }
    }
    return NULL;
}

static struct known look(struct storm *s)
{
    const struct peer *p = s->p;
    struct known k = {.tcb = tcb_of(p), .half = half_of(p), .mss = 536, .wnd = 65535};
    k.nxt = 100 + storm_below(s, 3);
    if (k.tcb) {
        const struct pool *actives = &p->stack->tcp.actives;
        k.active = k.tcb->active ? pool_at(actives, p->stack, k.tcb->active) : NULL;
        k.una = k.tcb->snd.una.v;
        k.snx = k.tcb->snd.nxt.v;
        k.nxt = k.tcb->state == HF_SYN_SENT ? 100 : k.tcb->rcv.nxt.v;
        k.wnd = k.tcb->rcv.wnd;
        k.mss = k.tcb->rcv_mss ? k.tcb->rcv_mss : k.mss;
    } else if (k.half) {
        k.una = k.half->iss.v;
        k.snx = k.half->iss.v + 1;
        k.nxt = k.half->irs.v + 1;
    }
    return k;
}

static uint32_t choose_seq(struct storm *s, const struct known *k, unsigned ctl, uint32_t len)
{
    if ((ctl & SYN) && storm_one_in(s, 2)) {
        return k->tcb ? k->tcb->irs.v : k->half ? k->half->irs.v : 100 + storm_below(s, 1000);
    }
    switch (storm_below(s, 12)) {
    case 0:
        return k->nxt - 1;
    case 1:
        return k->nxt + k->wnd;
    case 2:
        return k->nxt + k->wnd - storm_below(s, 3);
    case 3:
        return k->nxt + storm_below(s, max_u32(k->wnd, 1));
    case 4:
        return k->nxt - storm_below(s, 2 * k->mss);
    case 5:
        return k->nxt + k->mss * storm_below(s, 6);
    case 6:
        return storm_one_in(s, 6) ? k->nxt + (UINT32_C(1) << HALF) + storm_below(s, 5) - 2
                                  : k->nxt + 1;
    case 7:
        return k->active && k->active->fin_held ? k->active->fin_seq.v + storm_below(s, 3) - 1
                                                : k->nxt;
    case 8:
        return k->nxt - len; /* the last once more, and a row may follow */
    default:
        return k->nxt;
    }
}

static uint32_t choose_ack(struct storm *s, const struct known *k)
{
    uint32_t out = k->snx - k->una;
    switch (storm_below(s, 8)) {
    case 0:
        return k->una;
    case 1:
        return k->una + storm_below(s, out + 2);
    case 2:
        return k->snx + storm_one_in(s, 4);
    case 3:
        return k->una - storm_below(s, 5);
    case 4:
        return storm_one_in(s, 6) ? k->una + (UINT32_C(1) << HALF) + storm_below(s, 3) - 1
                                  : k->una + storm_below(s, out + 1);
    default:
        return k->snx;
    }
}

static uint32_t choose_len(struct storm *s, const struct known *k)
{
    static const uint32_t lens[] = {0, 0, 0, 1, 2, 100, 536};
    if (storm_one_in(s, 30)) {
        return 1 + storm_below(s, 1400);
    }
    uint32_t len = storm_one_in(s, 3) ? k->mss : lens[storm_below(s, ARRAY_LEN(lens))];
    return len;
}

static int64_t named(uint32_t number)
{
    return number ? (int64_t)number : ZERO;
}

static void syn_options(struct storm *s, struct seg_spec *spec)
{
    if (storm_one_in(s, 2)) {
        spec->mss = 1 + (int)storm_below(s, storm_one_in(s, 3) ? 100 : 1460);
    }
    if (storm_one_in(s, 2)) {
        spec->wscale = SHIFT((int)storm_below(s, 16));
    }
    spec->sackok = !storm_one_in(s, 3);
    if (!storm_one_in(s, 3)) {
        spec->tsval = named(1 + storm_below(s, 1000));
    }
    spec->fo = storm_one_in(s, 2) ? "" : NULL;
    spec->len = min_u32((uint32_t)spec->len, 1000);
}

static void sack_blocks(struct storm *s, struct seg_spec *spec, const struct known *k)
{
    for (uint32_t i = 0, n = 1 + storm_below(s, 3); i < n; i++) {
        uint32_t left = k->una + storm_below(s, k->snx - k->una + 1);
        uint32_t right = left + 1 + storm_below(s, k->snx - left + 2);
        if (storm_one_in(s, 6)) {
            left = k->una + storm_below(s, 5) - 2;
            right = k->snx + storm_below(s, 3) - 1;
        }
        bool turned = storm_one_in(s, 12);
        spec->sack[i][0] = named(turned ? right : left);
        spec->sack[i][1] = named(turned ? left : right);
    }
}

static void other_options(struct storm *s, struct seg_spec *spec, const struct known *k)
{
    spec->no_ts = storm_one_in(s, 30);
    if (k->tcb && (k->tcb->flags & F_TS) && storm_one_in(s, 8)) {
        spec->tsval = named(k->tcb->ts_recent + storm_below(s, 5) - 3);
        spec->tsecr = named((uint32_t)(s->p->env.now_ns / 1000000));
    }
    if (k->snx != k->una && storm_one_in(s, 3)) {
        sack_blocks(s, spec, k);
    }
    if (storm_one_in(s, 10)) {
        spec->ctl |= storm_one_in(s, 2) ? ECE : CWR;
    }
}

static struct seg_spec draw(struct storm *s, uint32_t *seq)
{
    static const unsigned controls[] = {
        ACK,       ACK, ACK,       ACK,       ACK, ACK | PSH, ACK | FIN, SYN,
        SYN | ACK, RST, RST | ACK, ACK | URG, FIN, SYN | FIN, 0,         SYN | ACK | FIN};
    struct known k = look(s);
    struct seg_spec spec = {
        .ctl = controls[storm_below(s, storm_one_in(s, 3) ? ARRAY_LEN(controls) : 7)]};
    spec.len = choose_len(s, &k);
    *seq = choose_seq(s, &k, spec.ctl, (uint32_t)spec.len);
    if (storm_one_in(s, 60)) { /* it ends where a signed number turns */
        *seq = k.nxt + (UINT32_C(1) << HALF) - (uint32_t)spec.len - ((spec.ctl & FIN) != 0);
    }
    spec.ack = named(choose_ack(s, &k));
    if (storm_one_in(s, 4)) {
        spec.wnd = named(storm_one_in(s, 2) ? 0 : storm_below(s, storm_one_in(s, 2) ? 3 : 65536));
    }
    if (spec.ctl & URG) {
        spec.up = named(storm_below(s, 4) ? storm_below(s, 2 * k.mss) : 65535);
    }
    if (spec.ctl & SYN) {
        syn_options(s, &spec);
    } else {
        other_options(s, &spec, &k);
    }
    if (storm_one_in(s, 10)) {
        spec.ip_ecn = CODEPOINT((int)storm_below(s, 4));
    }
    return spec;
}

/* What follows in a row is text, some of it the same again, and maybe a FIN. */
static void goes_on(struct storm *s, struct seg_spec *spec, uint32_t *seq, bool last)
{
    *seq += storm_one_in(s, 8) ? 0 : (uint32_t)spec->len;
    spec->ctl = (spec->ctl & ~(unsigned)(SYN | RST | URG)) | ACK;
    spec->ctl |= last && storm_one_in(s, 2) ? FIN : 0;
    spec->up = 0;
    spec->mss = spec->wscale = 0;
    spec->sackok = false;
    spec->fo = NULL;
}

/* As header prediction foresees it; or it begins with what came last, or is older than that. */
static struct seg_spec draw_bulk(struct storm *s, uint32_t *seq)
{
    struct known k = look(s);
    struct seg_spec spec = {.ctl = ACK, .ack = named(k.una), .len = k.mss};
    *seq = k.nxt - (storm_one_in(s, 2) ? k.mss : 0);
    if (k.tcb) {
        spec.wnd = named(k.tcb->snd.wnd >> k.tcb->snd_wscale);
    }
    if (k.tcb && (k.tcb->flags & F_TS) && storm_one_in(s, 3)) {
        spec.tsval = named(k.tcb->ts_recent - storm_below(s, 3));
        spec.tsecr = named((uint32_t)(s->p->env.now_ns / 1000000));
    }
    return spec;
}

void storm_segments(struct storm *s)
{
    struct peer *p = s->p;
    uint32_t seq;
    struct seg_spec spec = storm_one_in(s, 8) ? draw_bulk(s, &seq) : draw(s, &seq);
    uint32_t row = storm_one_in(s, 4) ? 1 + storm_below(s, ROW_MOST) : 1;
    for (uint32_t i = 0; i < row && p->n_batch < BATCH_MOST; i++) {
        spec.seq = named(seq);
        peer_sends(PEER_HERE(p), &spec);
        goes_on(s, &spec, &seq, i + 2 == row);
    }
}
